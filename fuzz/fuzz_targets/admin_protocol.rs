//! Administration from afar. The first octet says what the rest is: 0, the first token of a connection, as it comes; 1, the
//! same after the frame of its length; 2, the text of a message that somebody with a good ticket sends; 3, what comes after
//! the greetings in place of sealed messages; with 4 or more, it alters what a right client sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::admin::{FrameError, MAX_TOKEN, Request, Sealed, read_frame, read_token};
use tessera_common::gss::Context;
use tessera_fuzz::administration::{both_ends, first_token, noon, opening, sealed};
use tessera_fuzz::gss::{Altered, krb5_is_the_same};
use tessera_fuzz::realm::{Counter, with_realm};

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    match which {
        0 => drop(opening(content)),
        1 => {
            if let Ok(Some(token)) = read_token(&mut &*content) {
                assert!(token.len() <= MAX_TOKEN);
                opening(&token);
            }
        }
        2 => message(content),
        3 => drop(read(both_ends().1, content)),
        _ => altered(*which, &Altered::read(content)),
    }
});

fn read(daemon: Context, octets: &[u8]) -> Result<Option<Request>, FrameError> {
    read_frame(&mut Sealed::new(octets, daemon, noon, Counter::default()))
}

// What is sealed is read as it would be in the clear.
fn message(text: &[u8]) {
    let (client, daemon) = both_ends();
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    let clear = read_frame::<Request>(&mut &*[&length[..], text].concat());
    match (read(daemon, &sealed(client, text)), clear) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(FrameError::Message(one)), Err(FrameError::Message(other))) => assert_eq!(one, other),
        (one, other) => panic!("{one:?} {other:?}"),
    }
}

fn altered(which: u8, change: &Altered<'_>) {
    let (token, awaiting) = first_token();
    if which & 1 == 0 {
        let token_there = change.apply(&token);
        let opening = opening(&token_there);
        if opening.conversation.is_some() {
            assert!(krb5_is_the_same(&token, &token_there));
        }
        let answer = with_realm(|realm| realm.open_administration(&token)).token.unwrap();
        let answer_here = change.apply(&answer);
        if awaiting.finish(&answer_here).is_ok() {
            assert!(krb5_is_the_same(&answer, &answer_here));
        }
        return;
    }
    let (client, daemon) = both_ends();
    let sent = sealed(client, br#"{"show":{"name":"alice"}}"#);
    let found = change.apply(&sent);
    let turned_only = sent.len() == found.len() && sent[..10] == found[..10] && sent[12..] == found[12..];
    if found != sent && !turned_only {
        assert!(!matches!(read(daemon, &found), Ok(Some(_))));
    }
}
