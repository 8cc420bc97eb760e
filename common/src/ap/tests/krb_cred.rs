use core::net::IpAddr;

use super::fixture::{Counter, Forgetful, Issue, NOW, now};
use crate::ap::krb_cred::{self, CredHeader, Protection};
use crate::ap::{Acceptor, MemoryReplayCache, MessageError};
use crate::credential::Credential;
use crate::crypto::{EncType, Key, KeyUsage};
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{self, EncKrbCredPart, EncryptionKey, KrbCred};

fn credentials() -> Vec<Credential> {
    let plain = Issue::default().credential();
    let bound = Issue {
        addresses: Some(vec![IpAddr::from([192, 0, 2, 1]).into()]),
        ..Issue::default()
    };
    vec![plain, bound.credential()]
}

fn header() -> CredHeader {
    CredHeader {
        nonce: Some(0xffff_fff0),
        timestamp: Some(now()),
        ..CredHeader::default()
    }
}

fn key(etype: EncType, n: u64) -> Key {
    Key::random(etype, &mut Counter(n))
}

#[test]
fn tickets_arrive_as_they_were_sent_under_every_enctype() {
    for etype in EncType::ALL {
        let (session, ticket) = (key(etype, 1), key(etype, 2));
        for under in [&session, &ticket] {
            let octets = krb_cred::make(Protection::Keys(&[under]), &header(), &credentials(), &mut Counter(3));
            let read = krb_cred::read(Protection::Keys(&[&session, &ticket]), &octets).unwrap();
            assert_eq!((read.credentials, read.header), (credentials(), header()));
        }
    }
}

#[test]
fn what_is_not_encrypted_is_taken_only_inside_something_that_is() {
    let key = key(EncType::ALL[0], 1);
    let open = krb_cred::make(Protection::Outside, &header(), &credentials(), &mut Counter(3));
    assert_eq!(
        krb_cred::read(Protection::Outside, &open).unwrap().credentials,
        credentials()
    );
    assert_eq!(
        krb_cred::read(Protection::Keys(&[&key]), &open).unwrap_err(),
        MessageError::Cleartext
    );
    assert_eq!(
        krb_cred::read(Protection::Keys(&[]), &open).unwrap_err(),
        MessageError::Cleartext
    );
    let sealed = krb_cred::make(Protection::Keys(&[&key]), &header(), &credentials(), &mut Counter(3));
    assert_eq!(
        krb_cred::read(Protection::Outside, &sealed).unwrap_err(),
        MessageError::EncType(18)
    );
}

#[test]
fn a_fresh_one_counts_once() {
    let key = key(EncType::ALL[0], 1);
    let skew = Acceptor::SKEW;
    for (offset, fits) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let sent = Timestamp {
            time: KerberosTime(NOW.0 + offset),
            usec: 0,
        };
        let header = CredHeader {
            timestamp: Some(sent),
            ..CredHeader::default()
        };
        let octets = krb_cred::make(Protection::Keys(&[&key]), &header, &credentials(), &mut Counter(3));
        let read = krb_cred::read(Protection::Keys(&[&key]), &octets).unwrap();
        let replays = MemoryReplayCache::new(skew);
        let expected = if fits {
            Ok(())
        } else {
            Err(MessageError::Skew { sent, now: NOW })
        };
        assert_eq!(read.check_fresh(NOW, skew, &replays), expected, "{offset}");
        let again = if fits { Err(MessageError::Replay) } else { expected };
        assert_eq!(read.check_fresh(NOW, skew, &replays), again, "{offset}");
    }
    let timeless = krb_cred::make(
        Protection::Keys(&[&key]),
        &CredHeader::default(),
        &credentials(),
        &mut Counter(3),
    );
    let read = krb_cred::read(Protection::Keys(&[&key]), &timeless).unwrap();
    assert_eq!(read.check_fresh(NOW, skew, &Forgetful), Err(MessageError::NoTimestamp));
}

#[test]
fn other_keys_do_not_open_it() {
    let octets = krb_cred::make(
        Protection::Keys(&[&key(EncType::ALL[0], 1)]),
        &header(),
        &credentials(),
        &mut Counter(3),
    );
    let read = |keys: &[&Key]| krb_cred::read(Protection::Keys(keys), &octets).map(drop);
    assert_eq!(read(&[&key(EncType::ALL[0], 2)]), Err(MessageError::Integrity));
    assert_eq!(read(&[&key(EncType::ALL[1], 1)]), Err(MessageError::EncType(18)));
    assert_eq!(read(&[]), Err(MessageError::EncType(18)));
}

#[test]
fn descriptions_must_match_the_tickets() {
    let key = key(EncType::ALL[0], 1);
    let octets = krb_cred::make(Protection::Keys(&[&key]), &header(), &credentials(), &mut Counter(3));
    let changed = |change: &dyn Fn(&mut KrbCred, &mut EncKrbCredPart)| {
        let mut message: KrbCred = wire::decode(&octets).unwrap();
        let plain = key.decrypt(KeyUsage::KRB_CRED, &message.enc_part.cipher).unwrap();
        let mut part: EncKrbCredPart = wire::decode(&plain).unwrap();
        change(&mut message, &mut part);
        let cipher = key.encrypt(KeyUsage::KRB_CRED, &wire::encode(&part), &mut Counter(4));
        message.enc_part.cipher = cipher.into();
        krb_cred::read(Protection::Keys(&[&key]), &wire::encode(&message)).map(|read| read.credentials)
    };
    assert!(changed(&|_, _| ()).is_ok());
    for change in [
        (|m, _| drop(m.tickets.pop())) as fn(&mut KrbCred, &mut EncKrbCredPart),
        |_, p| drop(p.ticket_info.pop()),
        |_, p| p.ticket_info[0].pname = None,
        |_, p| p.ticket_info[0].prealm = None,
        |_, p| p.ticket_info[1].sname = None,
        |_, p| p.ticket_info[1].srealm = None,
        |_, p| p.ticket_info[1].endtime = None,
    ] {
        assert_eq!(changed(&change), Err(MessageError::Description));
    }
    let rc4 = |_: &mut KrbCred, p: &mut EncKrbCredPart| {
        p.ticket_info[0].key = EncryptionKey {
            keytype: 23,
            keyvalue: vec![0; 16].into(),
        };
    };
    assert_eq!(changed(&rc4), Err(MessageError::KeyType(23)));
    let sparse = changed(&|_, p| {
        p.ticket_info[0].authtime = None;
        p.ticket_info[0].flags = None;
        p.ticket_info[0].caddr = None;
    });
    let sparse = sparse.unwrap();
    assert_eq!(sparse[0].times.authtime, credentials()[0].times.starttime);
}

#[test]
fn every_flip_and_truncation_under_a_key_is_refused_or_changes_nothing() {
    let key = key(EncType::ALL[0], 1);
    let one = &credentials()[..1];
    let octets = krb_cred::make(Protection::Keys(&[&key]), &header(), one, &mut Counter(3));
    let message: KrbCred = wire::decode(&octets).unwrap();
    let cipher = octets.len() - message.enc_part.cipher.len();
    for cut in 0..octets.len() {
        assert!(krb_cred::read(Protection::Keys(&[&key]), &octets[..cut]).is_err());
    }
    for bit in cipher * 8..octets.len() * 8 {
        let mut flipped = octets.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(
            krb_cred::read(Protection::Keys(&[&key]), &flipped).is_err(),
            "bit {bit}"
        );
    }
}
