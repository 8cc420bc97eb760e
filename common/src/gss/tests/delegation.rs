//! Forwarded tickets in a first token.

use super::{acceptor, try_accept};
use crate::ap::krb_cred::{self, CredHeader, Protection};
use crate::ap::tests::fixture::{Counter, Issue, now, principal};
use crate::ap::{self, MessageError};
use crate::credential::Credential;
use crate::crypto::{EncType, Key};
use crate::flags::TicketFlags;
use crate::gss::checksum;
use crate::gss::token::{frame, oid, tok_id};
use crate::gss::{ContextFlags, Initiator, Refusal};

fn forwarded_tgt(etype: EncType) -> Credential {
    Issue {
        service: principal("krbtgt/EXAMPLE.COM@EXAMPLE.COM"),
        flags: TicketFlags::FORWARDED | TicketFlags::FORWARDABLE,
        ..Issue::with(etype, etype)
    }
    .credential()
}

#[test]
fn a_forwarded_ticket_arrives_with_its_key() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let (credential, tgt) = (issue.credential(), forwarded_tgt(etype));
        let (token, awaiting) = Initiator::new(&credential)
            .delegating(&tgt)
            .start(now(), &mut Counter(1));
        let accepted = try_accept(&acceptor(), &issue, &token).unwrap();
        assert_eq!(accepted.delegated(), Some(&tgt));
        assert!(accepted.context().flags().contains(ContextFlags::DELEG));
        let context = awaiting.finish(accepted.token().unwrap()).unwrap();
        assert_eq!(context.flags(), accepted.context().flags());

        let (token, context) = Initiator::new(&credential)
            .delegating(&tgt)
            .start_one_way(now(), &mut Counter(1));
        assert_eq!(try_accept(&acceptor(), &issue, &token).unwrap().delegated(), Some(&tgt));
        assert!(context.flags().contains(ContextFlags::DELEG));
    }
}

/// A first token with these octets as the forwarded ticket, under the session's subkey.
fn token_with(issue: &Issue, subkey: &Key, delegated: &[u8]) -> Vec<u8> {
    let credential = issue.credential();
    let request = ap::Initiator::new(&credential)
        .with_subkey(subkey.clone())
        .with_checksum(checksum::make(None, ContextFlags::DELEG, Some(delegated)))
        .request(now(), &mut Counter(3));
    frame(oid::KRB5, &tok_id::AP_REQ, request.octets())
}

#[test]
fn it_may_be_under_either_key_or_none() {
    let issue = Issue::default();
    let tgt = forwarded_tgt(issue.key.etype());
    let session_key = issue.credential().key;
    let subkey = Key::random(session_key.etype(), &mut Counter(8));
    let stranger = Key::random(session_key.etype(), &mut Counter(9));
    for (protection, expected) in [
        (Protection::Keys(&[&session_key]), None),
        (Protection::Keys(&[&subkey]), None),
        (Protection::Outside, None),
        (Protection::Keys(&[&stranger]), Some(MessageError::Integrity)),
    ] {
        for count in [1, 2] {
            let tickets = vec![tgt.clone(); count];
            let octets = krb_cred::make(protection, &CredHeader::default(), &tickets, &mut Counter(5));
            let accepted = try_accept(&acceptor(), &issue, &token_with(&issue, &subkey, &octets));
            match &expected {
                None => assert_eq!(accepted.unwrap().delegated(), Some(&tgt)),
                Some(why) => assert_eq!(accepted.unwrap_err().refusal(), &Refusal::Delegated(why.clone())),
            }
        }
    }
}

#[test]
fn one_that_cannot_be_read_is_reason_to_refuse() {
    let issue = Issue::default();
    let session_key = issue.credential().key;
    let refusal = |octets: &[u8]| {
        let token = token_with(&issue, &session_key, octets);
        try_accept(&acceptor(), &issue, &token).unwrap_err().refusal().clone()
    };
    let keys = [&session_key];
    let none = krb_cred::make(Protection::Keys(&keys), &CredHeader::default(), &[], &mut Counter(5));
    assert_eq!(refusal(&none), Refusal::NothingDelegated);
    assert_eq!(refusal(b""), Refusal::Delegated(MessageError::Type));
    let tgt = [forwarded_tgt(session_key.etype())];
    let good = krb_cred::make(Protection::Keys(&keys), &CredHeader::default(), &tgt, &mut Counter(5));
    for cut in 0..good.len() {
        assert!(matches!(refusal(&good[..cut]), Refusal::Delegated(_)), "{cut}");
    }
}

#[test]
fn one_that_is_too_long_stays_here() {
    let issue = Issue::default();
    let credential = issue.credential();
    for (length, goes) in [(60_000, true), (66_000, false)] {
        let mut tgt = forwarded_tgt(issue.key.etype());
        // An OCTET STRING in the ticket's place: nobody looks into it.
        tgt.ticket = [&[4, 0x83], &u32::to_be_bytes(length)[1..], &vec![7; length as usize]].concat();
        let (token, context) = Initiator::new(&credential)
            .delegating(&tgt)
            .start_one_way(now(), &mut Counter(1));
        assert_eq!(context.flags().contains(ContextFlags::DELEG), goes);
        let accepted = try_accept(&acceptor(), &issue, &token).unwrap();
        assert_eq!(accepted.delegated(), goes.then_some(&tgt));
    }
}
