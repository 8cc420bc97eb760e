//! First tokens that are refused, one rule after the other, and what is told of it.

use super::{acceptor, try_accept};
use crate::ap::tests::fixture::{Counter, Forgetful, Issue, NOW, now, principal, service_key};
use crate::ap::{self, ApError, MemoryReplayCache, MessageError, ReplyError};
use crate::crypto::{EncType, KeyUsage};
use crate::error_code::ErrorCode;
use crate::gss::checksum::{self, CKSUMTYPE};
use crate::gss::token::{frame, oid, tok_id, unframe};
use crate::gss::{
    Acceptor, BindingPolicy, ChannelBindings, ChecksumError, ContextFlags, InitiateError, Initiator, Refusal,
};
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{self, AuthorizationDataElement, Checksum, KrbError, ad_type};

fn first_token(issue: &Issue) -> Vec<u8> {
    let credential = issue.credential();
    Initiator::new(&credential).start(now(), &mut Counter(1)).0
}

fn refusal(acceptor: &Acceptor, issue: &Issue, token: &[u8]) -> Refusal {
    try_accept(acceptor, issue, token).unwrap_err().refusal().clone()
}

/// A first token whose authenticator a test made.
fn token_of(issue: &Issue, with: impl FnOnce(ap::Initiator<'_>) -> ap::Initiator<'_>) -> Vec<u8> {
    let credential = issue.credential();
    let request = with(ap::Initiator::new(&credential).with_fresh_session(&mut Counter(2)));
    frame(
        oid::KRB5,
        &tok_id::AP_REQ,
        request.request(now(), &mut Counter(3)).octets(),
    )
}

#[test]
fn what_is_no_first_token_is_refused() {
    let issue = Issue::default();
    let token = first_token(&issue);
    let ap_req = &unframe(&token).unwrap().inner[2..];
    let acceptor = acceptor();
    for (token, expected) in [
        (ap_req.to_vec(), Refusal::DceStyle),
        (frame(oid::SPNEGO, &tok_id::AP_REQ, ap_req), Refusal::Mechanism),
        (
            frame(b"\x2a\x86\x48\x86\xf7\x12\x01\x02", &[2, 1, 0], ap_req),
            Refusal::Mechanism,
        ),
        (frame(oid::KRB5, &tok_id::AP_REP, ap_req), Refusal::TokenId),
        (frame(oid::KRB5, &tok_id::ERROR, ap_req), Refusal::TokenId),
        (frame(oid::KRB5, &tok_id::WRAP, ap_req), Refusal::TokenId),
        (frame(oid::KRB5, &[], ap_req), Refusal::TokenId),
        (frame(oid::KRB5, &[1], &[]), Refusal::TokenId),
        (frame(oid::KRB5, &[], &[]), Refusal::TokenId),
        (frame(oid::KRB5, &tok_id::AP_REQ, &[]), Refusal::Ap(ApError::NotApReq)),
    ] {
        let error = try_accept(&acceptor, &issue, &token).unwrap_err();
        assert_eq!(error.refusal(), &expected, "{token:x?}");
        assert_eq!(error.reply_token(), None);
    }
    for none in [&[][..], b"NTLMSSP\0", b"Negotiate"] {
        assert!(
            matches!(refusal(&acceptor, &issue, none), Refusal::Frame(_)),
            "{none:?}"
        );
    }
    assert!(try_accept(&acceptor, &issue, &token).is_ok());
}

#[test]
fn tickets_of_another_service_realm_version_or_key_are_refused() {
    let right = Issue::default();
    for (what, issue) in [
        (
            "service",
            Issue {
                service: principal("host/other@EXAMPLE.COM"),
                ..Issue::default()
            },
        ),
        (
            "realm",
            Issue {
                service: principal("host/www@EXAMPLE.ORG"),
                ..Issue::default()
            },
        ),
        (
            "version",
            Issue {
                kvno: Some(4),
                ..Issue::default()
            },
        ),
        (
            "key",
            Issue {
                key: crate::crypto::Key::random(right.key.etype(), &mut Counter(77)),
                ..Issue::default()
            },
        ),
        (
            "enctype",
            Issue {
                key: service_key(EncType::Aes128CtsHmacSha1_96),
                ..Issue::default()
            },
        ),
    ] {
        let error = try_accept(&acceptor(), &right, &first_token(&issue)).unwrap_err();
        let expected = match what {
            "service" | "realm" => matches!(error.refusal(), Refusal::Ap(ApError::NotUs { .. })),
            "key" => matches!(error.refusal(), Refusal::Ap(ApError::TicketIntegrity(_))),
            _ => matches!(error.refusal(), Refusal::Ap(ApError::NoKey(_))),
        };
        assert!(expected, "{what}: {error}");
        // For the operator: which service, and for keys, which version and enctype, and those of the keytab.
        let text = error.to_string();
        assert!(text.contains(&issue.service.to_string()), "{what}: {text}");
        if matches!(what, "version" | "enctype") {
            assert!(
                text.contains(&format!("kvno {} {}", issue.kvno.unwrap(), issue.key.etype())),
                "{text}"
            );
            assert!(text.contains("the keytab has kvno 3 aes256-cts-hmac-sha1-96"), "{text}");
        }
    }
}

#[test]
fn tickets_and_clocks_that_are_off_are_refused() {
    let skew = ap::Acceptor::SKEW.as_secs().try_into().unwrap_or(i64::MAX);
    let issue = Issue {
        endtime: KerberosTime(NOW.0 + 10),
        ..Issue::default()
    };
    let credential = issue.credential();
    let accept_at = |made: i64, read: i64| {
        let made = Timestamp::new(KerberosTime(NOW.0 + made), 0);
        let read = Timestamp::new(KerberosTime(NOW.0 + read), 0);
        let token = Initiator::new(&credential).start(made, &mut Counter(1)).0;
        acceptor()
            .accept(&token, &issue.keys()[..], &Forgetful, None, read, &mut Counter(2))
            .map_err(|error| error.refusal().clone())
    };
    for off in [-skew, 0, skew] {
        assert!(accept_at(off, 0).is_ok(), "{off}");
    }
    for off in [-skew - 1, skew + 1] {
        assert!(
            matches!(accept_at(off, 0), Err(Refusal::Ap(ApError::Skew { .. }))),
            "{off}"
        );
    }
    assert!(accept_at(10 + skew, 10 + skew).is_ok());
    let late = accept_at(11 + skew, 11 + skew);
    assert!(matches!(late, Err(Refusal::Ap(ApError::Expired { .. }))));
}

#[test]
fn a_token_is_good_once() {
    let issue = Issue::default();
    let token = first_token(&issue);
    let replays = MemoryReplayCache::new(ap::Acceptor::SKEW);
    let accept = || acceptor().accept(&token, &issue.keys()[..], &replays, None, now(), &mut Counter(4));
    assert!(accept().is_ok());
    let again = accept().unwrap_err();
    assert!(
        matches!(again.refusal(), Refusal::Ap(ApError::Replay { .. })),
        "{again}"
    );
    assert_eq!(again.code(), ErrorCode::KRB_AP_ERR_REPEAT);
}

#[test]
fn an_authenticator_without_a_checksum_has_no_flags_and_no_bindings() {
    let issue = Issue::default();
    let token = token_of(&issue, |request| request.with_seq_number(5).mutual());
    let accepted = try_accept(&acceptor(), &issue, &token).unwrap();
    assert_eq!(accepted.context().flags(), ContextFlags::empty());
    assert_eq!(accepted.token(), None);
    let bindings = Some(ChannelBindings::of_application(b"channel"));
    let bound = acceptor().with_bindings(bindings, BindingPolicy::IfPresent);
    assert!(try_accept(&bound, &issue, &token).is_ok());
    let bound = acceptor().with_bindings(bindings, BindingPolicy::Require);
    assert_eq!(refusal(&bound, &issue, &token), Refusal::NoBindings);
}

#[test]
fn an_ordinary_checksum_is_verified_over_nothing() {
    let issue = Issue::default();
    let token = token_of(&issue, |request| request.with_checksum_over(b"").mutual());
    let accepted = try_accept(&acceptor(), &issue, &token).unwrap();
    let guessed = ContextFlags::REPLAY | ContextFlags::SEQUENCE | ContextFlags::MUTUAL;
    assert_eq!(accepted.context().flags(), guessed);
    assert!(accepted.token().is_some());
    let token = token_of(&issue, |request| request.with_checksum_over(b""));
    assert_eq!(try_accept(&acceptor(), &issue, &token).unwrap().token(), None);

    let over_data = token_of(&issue, |request| request.with_checksum_over(b"data"));
    let expected = Refusal::PlainChecksum(MessageError::Modified);
    assert_eq!(refusal(&acceptor(), &issue, &over_data), expected);
    for cksumtype in [1, 7, 12, 15, -138, CKSUMTYPE + 1] {
        let unkeyed = Checksum {
            cksumtype,
            checksum: vec![0; 16].into(),
        };
        let token = token_of(&issue, |request| request.with_checksum(unkeyed));
        let expected = Refusal::PlainChecksum(MessageError::ChecksumType(cksumtype));
        assert_eq!(refusal(&acceptor(), &issue, &token), expected);
    }
}

#[test]
fn a_checksum_that_cannot_be_read_is_refused() {
    let issue = Issue::default();
    let whole = checksum::make(None, ContextFlags::CONF, None).checksum.0;
    for cut in 0..whole.len() {
        let checksum = Checksum {
            cksumtype: CKSUMTYPE,
            checksum: whole[..cut].to_vec().into(),
        };
        let token = token_of(&issue, |request| request.with_checksum(checksum));
        let expected = Refusal::Checksum(ChecksumError::Short(cut));
        assert_eq!(refusal(&acceptor(), &issue, &token), expected);
    }
    let dce = checksum::make(None, ContextFlags::DCE_STYLE, None);
    let token = token_of(&issue, |request| request.with_checksum(dce));
    assert_eq!(refusal(&acceptor(), &issue, &token), Refusal::DceStyle);
}

#[test]
fn bindings_are_compared_as_the_policy_says() {
    use BindingPolicy::{IfPresent, Ignore, Require};
    let issue = Issue::default();
    let credential = issue.credential();
    let right = Some(ChannelBindings::of_application(b"channel"));
    let other = Some(ChannelBindings::of_application(b"another"));
    let (bound, unbound) = (Ok(true), Ok(false));
    for (sent, own, policy, expected) in [
        (right, right, IfPresent, bound.clone()),
        (right, right, Require, bound),
        (right, right, Ignore, unbound.clone()),
        (right, None, IfPresent, unbound.clone()),
        (right, None, Require, Err(Refusal::NoOwnBindings)),
        (right, None, Ignore, unbound.clone()),
        (other, right, IfPresent, Err(Refusal::OtherBindings)),
        (other, right, Require, Err(Refusal::OtherBindings)),
        (other, right, Ignore, unbound.clone()),
        (None, right, IfPresent, unbound.clone()),
        (None, right, Require, Err(Refusal::NoBindings)),
        (None, right, Ignore, unbound.clone()),
        (None, None, IfPresent, unbound),
        (None, None, Require, Err(Refusal::NoOwnBindings)),
    ] {
        let initiator = Initiator::new(&credential);
        let initiator = match sent {
            Some(bindings) => initiator.with_bindings(bindings),
            None => initiator,
        };
        let token = initiator.start(now(), &mut Counter(1)).0;
        let found = try_accept(&acceptor().with_bindings(own, policy), &issue, &token)
            .map(|accepted| accepted.context().flags().contains(ContextFlags::CHANNEL_BOUND))
            .map_err(|error| error.refusal().clone());
        assert_eq!(found, expected, "{sent:?} {own:?} {policy:?}");
    }
}

fn element(ad_type: i32, ad_data: &[u8]) -> AuthorizationDataElement {
    AuthorizationDataElement {
        ad_type,
        ad_data: ad_data.to_vec().into(),
    }
}

#[test]
fn a_client_that_announces_bindings_must_send_them() {
    let issue = Issue::default();
    let own = Some(ChannelBindings::of_application(b"channel"));
    let inside = |elements| element(ad_type::IF_RELEVANT, &wire::encode(&elements));
    let announced = element(ad_type::AP_OPTIONS, &[0, 0x40, 0, 0]);
    let not_announced = element(ad_type::AP_OPTIONS, &[0x40, 0, 0x40, 0]);
    for (data, refused) in [
        (vec![announced.clone()], Some(Refusal::NoBindings)),
        (vec![inside(vec![announced.clone()])], Some(Refusal::NoBindings)),
        (
            vec![inside(vec![inside(vec![element(-1, b"x"), announced])])],
            Some(Refusal::NoBindings),
        ),
        (vec![not_announced], None),
        (vec![element(-1, &[0, 0x40, 0, 0])], None),
        (
            vec![element(ad_type::AP_OPTIONS, &[0, 0x40, 0])],
            Some(Refusal::ApOptions),
        ),
        (
            vec![element(ad_type::AP_OPTIONS, &[0, 0x40, 0, 0, 0])],
            Some(Refusal::ApOptions),
        ),
        (vec![element(ad_type::IF_RELEVANT, b"none")], Some(Refusal::ApOptions)),
    ] {
        let checksum = checksum::make(None, ContextFlags::CONF, None);
        let token = token_of(&issue, |request| {
            request.with_checksum(checksum).with_authorization_data(data.clone())
        });
        let bound = acceptor().with_bindings(own, BindingPolicy::IfPresent);
        let found = try_accept(&bound, &issue, &token)
            .err()
            .map(|error| error.refusal().clone());
        assert_eq!(found, refused, "{data:?}");
        // Nobody to whom it matters.
        if refused != Some(Refusal::ApOptions) {
            assert!(try_accept(&acceptor(), &issue, &token).is_ok());
        }
    }
}

#[test]
fn the_peer_is_told_a_code_and_the_time_alone() {
    let issue = Issue::default();
    let credential = issue.credential();
    let (token, awaiting) = Initiator::new(&credential).start(now(), &mut Counter(1));
    let own = Some(ChannelBindings::of_application(b"channel"));
    let error = try_accept(&acceptor().with_bindings(own, BindingPolicy::Require), &issue, &token).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("alice@EXAMPLE.COM at host/www@EXAMPLE.COM: "),
        "{text}"
    );

    let reply = error.reply_token().unwrap();
    let framed = unframe(&reply).unwrap();
    assert_eq!((framed.mechanism, &framed.inner[..2]), (oid::KRB5, &tok_id::ERROR[..]));
    let told: KrbError = wire::decode(&framed.inner[2..]).unwrap();
    assert_eq!((told.stime, told.susec.0), (NOW, now().usec));
    assert_eq!(told.error_code, ErrorCode::KRB_ERR_GENERIC.0);
    assert_eq!(told.sname.to_name().unwrap(), issue.service.name);
    assert!(told.cname.is_none() && told.crealm.is_none() && told.e_text.is_none() && told.e_data.is_none());

    let refused = awaiting.finish(&reply).unwrap_err();
    let code = ErrorCode::KRB_ERR_GENERIC;
    assert_eq!(refused, InitiateError::Reply(ReplyError::Refused { code, text: None }));
}

#[test]
fn who_waits_for_no_answer_gets_none() {
    let issue = Issue::default();
    let credential = issue.credential();
    let expired = Timestamp::new(KerberosTime(NOW.0 + 100_000), 0);
    for mutual in [true, false] {
        let token = if mutual {
            Initiator::new(&credential).start(now(), &mut Counter(1)).0
        } else {
            Initiator::new(&credential).start_one_way(now(), &mut Counter(1)).0
        };
        let error = acceptor()
            .accept(&token, &issue.keys()[..], &Forgetful, None, expired, &mut Counter(2))
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::KRB_AP_ERR_SKEW);
        assert_eq!(error.reply_token().is_some(), mutual);
    }
}

#[test]
fn an_authenticator_of_a_tgs_request_is_none_of_gss_api() {
    let issue = Issue::default();
    let credential = issue.credential();
    let request = ap::Initiator::for_tgs(&credential, b"body").request(now(), &mut Counter(3));
    let token = frame(oid::KRB5, &tok_id::AP_REQ, request.octets());
    let expected = Refusal::Ap(ApError::AuthenticatorIntegrity);
    assert_eq!(refusal(&acceptor(), &issue, &token), expected);
    assert_ne!(KeyUsage::TGS_REQ_AUTHENTICATOR, KeyUsage::AP_REQ_AUTHENTICATOR);
}
