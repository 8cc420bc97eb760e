//! The krb5 mechanism of GSS-API. The first octet says what the rest is for: a service, a client that waits, or a context of
//! either end, whose MIC or Wrap token it may be; with 4 or more, the rest alters such a token that a right peer made.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::gss::{Context, Initiator, Protection};
use tessera_fuzz::gss::{Altered, alices_ticket, gss_accept, krb5_is_the_same};
use tessera_fuzz::realm::{Counter, NOON, principal};

const DATA: &[u8] = b"forty octets of data that nobody changes";

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    match which {
        0 => service(content),
        1 => client(content),
        // Under keys that nobody else has. What the seeds have wrapped is known, being made by the same chance; and a fuzzer
        // that sees what is compared finds the peer's own MIC in time, and no other.
        2 => {
            let (mut initiator, mut acceptor) = contexts();
            let [of_initiator, of_acceptor] = {
                let (mut initiator, mut acceptor) = contexts();
                [&mut initiator, &mut acceptor].map(|context| context.mic(DATA, NOON.time).unwrap())
            };
            for (context, peers) in [(&mut initiator, of_acceptor), (&mut acceptor, of_initiator)] {
                assert!(content == peers || context.verify_mic(DATA, content, NOON.time).is_err());
                if let Ok(opened) = context.unwrap(content, NOON.time) {
                    assert_eq!(opened.data.as_slice(), b"data");
                }
            }
        }
        3 => {
            let (mut initiator, mut acceptor) = contexts();
            round_trip(&mut initiator, &mut acceptor, content);
            round_trip(&mut acceptor, &mut initiator, content);
        }
        _ => altered(which % 8, &Altered::read(content)),
    }
});

fn service(token: &[u8]) {
    match gss_accept(token) {
        Ok(accepted) => assert_eq!(accepted.peer().client(), &principal("alice")),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let _ = error.reply_token();
        }
    }
}

fn client(token: &[u8]) {
    let (first, awaiting) = Initiator::new(&alices_ticket()).start(NOON, &mut Counter::default());
    if awaiting.finish(token).is_ok() {
        let accepted = gss_accept(&first).unwrap();
        assert!(krb5_is_the_same(accepted.token().unwrap(), token));
    }
}

fn contexts() -> (Context, Context) {
    let (first, awaiting) = Initiator::new(&alices_ticket()).start(NOON, &mut Counter::default());
    let (token, acceptor, ..) = gss_accept(&first).unwrap().into_parts();
    (awaiting.finish(&token.unwrap()).unwrap(), acceptor)
}

fn round_trip(from: &mut Context, to: &mut Context, data: &[u8]) {
    let mut random = Counter::default();
    for protection in [Protection::Confidential, Protection::Integrity] {
        let token = from.wrap(data, protection, NOON.time, &mut random).unwrap();
        let opened = to.unwrap(&token, NOON.time).unwrap();
        assert_eq!((opened.data.as_slice(), opened.protection), (data, protection));
        assert!(to.unwrap(&token, NOON.time).is_err(), "a second time");
    }
    let mic = from.mic(data, NOON.time).unwrap();
    to.verify_mic(data, &mic, NOON.time).unwrap();
}

fn altered(which: u8, change: &Altered<'_>) {
    let (first, awaiting) = Initiator::new(&alices_ticket()).start(NOON, &mut Counter::default());
    let accepted = gss_accept(&first).unwrap();
    if which < 4 {
        let token = change.apply(&first);
        if gss_accept(&token).is_ok() {
            assert!(krb5_is_the_same(&first, &token));
        }
        let token = change.apply(accepted.token().unwrap());
        if awaiting.finish(&token).is_ok() {
            assert!(krb5_is_the_same(accepted.token().unwrap(), &token));
        }
        return;
    }
    let (mut initiator, mut acceptor) = contexts();
    let (from, to) = if which & 1 == 0 {
        (&mut initiator, &mut acceptor)
    } else {
        (&mut acceptor, &mut initiator)
    };
    let mic = from.mic(DATA, NOON.time).unwrap();
    let token = change.apply(&mic);
    if token != mic {
        assert!(to.verify_mic(DATA, &token, NOON.time).is_err());
    }
    for protection in [Protection::Confidential, Protection::Integrity] {
        let wrapped = from.wrap(DATA, protection, NOON.time, &mut Counter::default()).unwrap();
        let token = change.apply(&wrapped);
        if token == wrapped {
            continue;
        }
        if let Ok(opened) = to.unwrap(&token, NOON.time) {
            // By how much it is turned is not protected, and a whole turn is none.
            assert_eq!((opened.data.as_slice(), opened.protection), (DATA, protection));
            assert_eq!((&token[..6], &token[8..]), (&wrapped[..6], &wrapped[8..]));
        }
    }
}
