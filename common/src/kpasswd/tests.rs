//! Both ends of a password change against each other.

use super::{
    ChangeError, FramingError, NewPassword, NewPasswordError, Outcome, PasswordChange, Reply, Request, RequestError,
    ResultCode, Version, error_reply, reply,
};
use crate::ap::tests::fixture::{Counter, Forgetful, Issue, NOW, now, principal};
use crate::ap::{
    Accepted, Acceptor, Answer, ApError, Header, Initiator, MessageError, ReplyError, Role, SequenceError, krb_priv,
};
use crate::crypto::{EncType, Key};
use crate::error_code::ErrorCode;
use crate::wire::{self, ApRep, ApReq, HostAddress, KrbError, KrbPriv};

fn issue(etype: EncType) -> Issue {
    Issue {
        service: principal("kadmin/changepw@EXAMPLE.COM"),
        ..Issue::with(etype, etype)
    }
}

fn own() -> HostAddress {
    core::net::IpAddr::from([192, 0, 2, 1]).into()
}

fn accept(issue: &Issue, ap_req: &[u8]) -> Result<Accepted, ApError> {
    let service = principal("kadmin/changepw@EXAMPLE.COM");
    Acceptor::for_service(service).accept(ap_req, &issue.keys()[..], &Forgetful, None, NOW)
}

fn begin(issue: &Issue, new: &NewPassword) -> (PasswordChange, Vec<u8>) {
    PasswordChange::begin(&issue.credential(), new, own(), now(), &mut Counter(5)).unwrap()
}

// A request of somebody who does as `ap` and `header` say.
fn odd_request(
    version: Version,
    issue: &Issue,
    data: &[u8],
    ap: fn(Initiator<'_>) -> Initiator<'_>,
    seq: Option<u32>,
) -> Vec<u8> {
    let credential = issue.credential();
    let made = ap(Initiator::new(&credential)).request(now(), &mut Counter(5));
    let header = Header {
        timestamp: None,
        seq_number: seq,
        sender: own(),
        receiver: None,
    };
    let key = made.subkey().unwrap_or_else(|| made.session_key());
    let krb_priv = krb_priv::make(key, &header, data, &mut Counter(6));
    Request {
        version,
        ap_req: made.octets(),
        krb_priv: &krb_priv,
    }
    .encode()
    .unwrap()
}

fn subkey() -> Key {
    Key::random(EncType::Aes128CtsHmacSha1_96, &mut Counter(4))
}

#[test]
fn a_password_changes_under_both_versions_and_every_enctype() {
    let alice = principal("alice@EXAMPLE.COM");
    let bob = principal("bob@EXAMPLE.COM");
    for etype in EncType::ALL {
        for (new, version, target) in [
            (NewPassword::own(b"secret"), Version::Change, &alice),
            (NewPassword::of(&bob, b"secret"), Version::Set, &bob),
        ] {
            let issue = issue(etype);
            let (change, message) = begin(&issue, &new);
            let request = Request::decode(&message).unwrap();
            assert_eq!(request.version, version);
            let accepted = accept(&issue, request.ap_req).unwrap();
            let asked = request.open(&accepted).unwrap();
            assert_eq!(
                (asked.password(), &asked.target(accepted.client())),
                (&b"secret"[..], target)
            );
            for outcome in [
                Outcome::new(ResultCode::SUCCESS, ""),
                Outcome::new(ResultCode::SOFTERROR, "too short"),
            ] {
                let answer = reply(request.version, &accepted, &outcome, own(), &mut Counter(9)).unwrap();
                assert_eq!(answer[2..4], [0, 1]);
                assert_eq!(change.read_reply(&answer), Ok(outcome));
            }
        }
    }
}

#[test]
fn a_ticket_to_anything_else_changes_no_password() {
    for service in [
        "krbtgt/EXAMPLE.COM@EXAMPLE.COM",
        "alice@EXAMPLE.COM",
        "kadmin/admin@EXAMPLE.COM",
        "kadmin/changepw2@EXAMPLE.COM",
        "kadmin/change@EXAMPLE.COM",
        "kadmin@EXAMPLE.COM",
        "kadmin/changepw/x@EXAMPLE.COM",
        "kadmin/changepw@OTHER",
    ] {
        // Even when it is under the key of kadmin/changepw.
        let issue = Issue {
            service: principal(service),
            ..issue(EncType::ALL[0])
        };
        let (_, message) = begin(&issue, &NewPassword::own(b"secret"));
        let mut keys = issue.keys();
        keys.push((principal("kadmin/changepw@EXAMPLE.COM"), 3, issue.key.clone()));
        let refused = Acceptor::for_service(principal("kadmin/changepw@EXAMPLE.COM"))
            .accept(
                Request::decode(&message).unwrap().ap_req,
                &keys[..],
                &Forgetful,
                None,
                NOW,
            )
            .unwrap_err();
        assert_eq!(refused.code(), ErrorCode::KRB_AP_ERR_NOT_US, "{service}");
    }
}

#[test]
fn version_0xff80_needs_a_subkey() {
    let issue = issue(EncType::ALL[0]);
    let open = |octets: &[u8]| {
        let request = Request::decode(octets).unwrap();
        request.open(&accept(&issue, request.ap_req).unwrap()).map(drop)
    };
    let (_, set) = NewPassword::of(&principal("bob@EXAMPLE.COM"), b"secret").encode();
    let without = odd_request(Version::Set, &issue, &set, |ap| ap.with_seq_number(7), Some(7));
    assert_eq!(open(&without), Err(RequestError::NoSubkey));
    let with = odd_request(
        Version::Set,
        &issue,
        &set,
        |ap| ap.with_seq_number(7).with_subkey(subkey()),
        Some(7),
    );
    assert_eq!(open(&with), Ok(()));
    // As MIT's client sends it: no number in either place.
    let bare = odd_request(Version::Set, &issue, &set, |ap| ap.with_subkey(subkey()), None);
    assert_eq!(open(&bare), Ok(()));
    // Version 1 lives with the session key, if a number ties the parts together.
    let old = odd_request(Version::Change, &issue, b"secret", |ap| ap.with_seq_number(7), Some(7));
    assert_eq!(open(&old), Ok(()));
    let loose = odd_request(Version::Change, &issue, b"secret", |ap| ap, None);
    assert_eq!(open(&loose), Err(RequestError::NotBound));
    let other = odd_request(Version::Change, &issue, b"secret", |ap| ap.with_seq_number(7), Some(8));
    let error = MessageError::Sequence(SequenceError::OutOfOrder { expected: 7, found: 8 });
    assert_eq!(open(&other), Err(RequestError::Message(error)));
    let garbage = odd_request(Version::Set, &issue, b"secret", |ap| ap.with_subkey(subkey()), None);
    assert!(matches!(
        open(&garbage),
        Err(RequestError::Data(NewPasswordError::Malformed(_)))
    ));
}

#[test]
fn the_password_of_one_request_does_not_go_with_the_ap_req_of_another() {
    let issue = issue(EncType::ALL[0]);
    let (_, first) = begin(&issue, &NewPassword::own(b"first"));
    let second = PasswordChange::begin(
        &issue.credential(),
        &NewPassword::own(b"second"),
        own(),
        now(),
        &mut Counter(77),
    );
    let second = second.unwrap().1;
    let (first, second) = (Request::decode(&first).unwrap(), Request::decode(&second).unwrap());
    let mixed = Request {
        krb_priv: second.krb_priv,
        ..first
    };
    let refused = mixed.open(&accept(&issue, mixed.ap_req).unwrap()).unwrap_err();
    assert_eq!(refused, RequestError::Message(MessageError::Integrity));
    assert_eq!(refused.result_code(), ResultCode::AUTHERROR);
}

#[test]
fn every_octet_of_request_and_reply_counts() {
    let issue = issue(EncType::ALL[0]);
    let (change, message) = begin(&issue, &NewPassword::own(b"secret"));
    let served = |octets: &[u8]| {
        let request = Request::decode(octets).ok()?;
        let accepted = accept(&issue, request.ap_req).ok()?;
        request.open(&accepted).ok()
    };
    let new = served(&message).unwrap();
    let answer = {
        let request = Request::decode(&message).unwrap();
        let accepted = accept(&issue, request.ap_req).unwrap();
        reply(
            Version::Change,
            &accepted,
            &Outcome::new(ResultCode::SUCCESS, ""),
            own(),
            &mut Counter(9),
        )
        .unwrap()
    };
    let success = change.read_reply(&answer).unwrap();
    for cut in 0..message.len() {
        assert_eq!(served(&message[..cut]), None);
    }
    for cut in 0..answer.len() {
        assert!(change.read_reply(&answer[..cut]).is_err());
    }
    for more in 1..=6 {
        assert_eq!(served(&[&message[..], &vec![0; more]].concat()), None);
        assert!(change.read_reply(&[&answer[..], &vec![0; more]].concat()).is_err());
    }
    for bit in 0..message.len() * 8 {
        let mut flipped = message.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Some(taken) = served(&flipped) {
            assert_eq!(taken, new, "bit {bit}");
        }
    }
    for bit in 0..answer.len() * 8 {
        let mut flipped = answer.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(taken) = change.read_reply(&flipped) {
            assert_eq!(taken, success, "bit {bit}");
        }
    }
}

#[test]
fn an_error_is_told_apart_from_a_proved_outcome() {
    let issue = issue(EncType::ALL[0]);
    let outcome = Outcome::new(ResultCode::AUTHERROR, "ticket expired");
    let code = ErrorCode::KRB_AP_ERR_TKT_EXPIRED;
    for version in [Version::Change, Version::Set] {
        let (change, _) = begin(&issue, &NewPassword::own(b"secret"));
        let answer = error_reply(version, code, &outcome, &issue.service, now()).unwrap();
        let refused = ChangeError::Refused {
            code,
            outcome: Some(outcome.clone()),
            text: None,
        };
        assert_eq!(change.read_reply(&answer), Err(refused));
        assert_eq!(Request::decode(&answer), Err(FramingError::NotARequest));
        // Nobody can call it a success without proof.
        let forged = Outcome::new(ResultCode::SUCCESS, "");
        let forged = error_reply(version, code, &forged, &issue.service, now()).unwrap();
        assert_eq!(change.read_reply(&forged), Err(ChangeError::BadError(None)));
    }
    let answer = error_reply(Version::Set, code, &outcome, &issue.service, now()).unwrap();
    let told: KrbError = wire::decode(&answer).unwrap();
    assert_eq!(told.e_data.as_deref(), Some(&outcome.encode()[..]));
}

#[test]
fn a_reply_to_another_change_is_refused() {
    let issue = issue(EncType::ALL[0]);
    let (change, message) = begin(&issue, &NewPassword::own(b"secret"));
    let request = Request::decode(&message).unwrap();
    let accepted = accept(&issue, request.ap_req).unwrap();
    let success = Outcome::new(ResultCode::SUCCESS, "");
    let answer = reply(Version::Change, &accepted, &success, own(), &mut Counter(9)).unwrap();
    let later = crate::time::Timestamp { usec: 999, ..now() };
    let (other, _) = PasswordChange::begin(
        &issue.credential(),
        &NewPassword::own(b"x"),
        own(),
        later,
        &mut Counter(78),
    )
    .unwrap();
    assert_eq!(
        other.read_reply(&answer),
        Err(ChangeError::Reply(ReplyError::OtherRequest))
    );

    // The AP-REP of one reply with the KRB-PRIV of another.
    let second = reply(Version::Change, &accepted, &success, own(), &mut Counter(10)).unwrap();
    let (Ok(Reply::Sealed { ap_rep, .. }), Ok(Reply::Sealed { krb_priv, .. })) =
        (Reply::decode(&answer), Reply::decode(&second))
    else {
        panic!("not sealed");
    };
    let mixed = Reply::Sealed { ap_rep, krb_priv }.encode(Version::Change).unwrap();
    assert!(matches!(
        change.read_reply(&mixed),
        Err(ChangeError::Message(MessageError::Sequence(
            SequenceError::OutOfOrder { .. }
        )))
    ));
    // The request's own KRB-PRIV turned back: its number is not the server's.
    let turned = Reply::Sealed {
        ap_rep,
        krb_priv: request.krb_priv,
    }
    .encode(Version::Change)
    .unwrap();
    assert!(change.read_reply(&turned).is_err());
}

#[test]
fn a_servers_own_subkey_plays_no_part() {
    let issue = issue(EncType::ALL[0]);
    let (change, message) = begin(&issue, &NewPassword::own(b"secret"));
    let accepted = accept(&issue, Request::decode(&message).unwrap().ap_req).unwrap();
    let (ap_rep, _) = accepted.reply(
        &Answer::plain().with_seq_number(9).with_subkey(subkey()),
        &mut Counter(9),
    );
    let header = Header {
        timestamp: None,
        seq_number: Some(9),
        sender: Role::Acceptor.address(),
        receiver: None,
    };
    let outcome = Outcome::new(ResultCode::SUCCESS, "");
    let krb_priv = krb_priv::make(accepted.subkey().unwrap(), &header, &outcome.encode(), &mut Counter(1));
    let answer = Reply::Sealed {
        ap_rep: &ap_rep,
        krb_priv: &krb_priv,
    }
    .encode(Version::Change)
    .unwrap();
    assert_eq!(change.read_reply(&answer), Ok(outcome));
}

#[test]
fn the_parts_are_the_messages_of_the_rfc() {
    let issue = issue(EncType::ALL[0]);
    let (_, message) = begin(&issue, &NewPassword::own(b"secret"));
    let request = Request::decode(&message).unwrap();
    assert!(wire::decode::<ApReq>(request.ap_req).is_ok());
    assert!(wire::decode::<KrbPriv>(request.krb_priv).is_ok());
    let accepted = accept(&issue, request.ap_req).unwrap();
    let outcome = Outcome::new(ResultCode::SUCCESS, "");
    let answer = reply(Version::Set, &accepted, &outcome, own(), &mut Counter(9)).unwrap();
    let Ok(Reply::Sealed { ap_rep, krb_priv }) = Reply::decode(&answer) else {
        panic!("not sealed")
    };
    assert!(wire::decode::<ApRep>(ap_rep).is_ok());
    let opened = krb_priv::read(accepted.subkey().unwrap(), krb_priv).unwrap();
    assert_eq!(opened.header.sender, own());
    assert_eq!(opened.header.timestamp, None);
}
