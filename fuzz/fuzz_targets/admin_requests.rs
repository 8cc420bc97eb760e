//! Requests of administrators, carried out: the first octet says who asks, each line after it is the text of a message. Whoever
//! may not do everything changes, sees and is given no more than its right is over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_fuzz::desk::Desk;

/// How many messages one input has at most: a password takes its time.
const MOST: usize = 32;

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    let messages: Vec<&[u8]> = content.split(|octet| *octet == b'\n').take(MOST).collect();
    Desk::new().ask(usize::from(*which), &messages);
});
