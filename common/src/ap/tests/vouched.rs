use super::fixture::{Counter, Forgetful, Issue, NOW, now, principal};
use crate::ap::vouched::{self, AD_PRINCIPAL_ID, AD_ROLES, principal_id_element, roles_element, svc_verifier};
use crate::ap::{Acceptor, CammacError, Initiator, Vouched};
use crate::crypto::{EncType, Key, KeyUsage};
use crate::role::RoleName;
use crate::wire::{
    self, AuthorizationData, AuthorizationDataElement, Cammac, DecodeError, Octets, VerifierMac, ad_type,
};

const ID: [u8; 16] = *b"immutable id 0 7";

fn element(ad_type: i32, ad_data: impl Into<Vec<u8>>) -> AuthorizationDataElement {
    AuthorizationDataElement {
        ad_type,
        ad_data: Octets(ad_data.into()),
    }
}

fn roles(names: &[&str]) -> AuthorizationDataElement {
    let names: Vec<RoleName> = names.iter().map(|name| name.parse().unwrap()).collect();
    roles_element(names.iter()).unwrap()
}

fn indicators(names: &[&str]) -> AuthorizationDataElement {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    element(ad_type::AUTHENTICATION_INDICATOR, wire::encode(&names))
}

fn cammac(elements: AuthorizationData, svc_verifier: Option<VerifierMac>) -> AuthorizationDataElement {
    let cammac = Cammac {
        elements,
        kdc_verifier: None,
        svc_verifier,
        other_verifiers: None,
    };
    element(ad_type::CAMMAC, wire::encode(&cammac))
}

fn if_relevant(elements: AuthorizationData) -> AuthorizationDataElement {
    element(ad_type::IF_RELEVANT, wire::encode(&elements))
}

fn signed(key: &Key, elements: AuthorizationData) -> AuthorizationDataElement {
    let verifier = svc_verifier(key, &elements);
    cammac(elements, Some(verifier))
}

/// What a service sees of a ticket with this authorization data.
fn seen(issue: &Issue, authorization_data: AuthorizationData) -> Vouched {
    let issue = Issue {
        authorization_data: Some(authorization_data),
        key: issue.key.clone(),
        ..Issue::default()
    };
    let request = Initiator::new(&issue.credential()).request(now(), &mut Counter(5));
    let accepted = Acceptor::for_service(principal("host/www@EXAMPLE.COM"))
        .accept(request.octets(), &issue.keys()[..], &Forgetful, None, NOW)
        .unwrap();
    accepted.vouched().clone()
}

fn names(vouched: &Vouched) -> Vec<&str> {
    vouched.roles().iter().map(RoleName::as_str).collect()
}

#[test]
fn what_the_kdc_vouches_for_reaches_the_service_under_every_enctype() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let elements = vec![
            principal_id_element(&ID),
            roles(&["paid", "staff"]),
            indicators(&["otp"]),
            indicators(&["pkinit", "hardware"]),
            element(4711, b"whatever".to_vec()),
        ];
        let vouched = seen(&issue, vec![if_relevant(vec![signed(&issue.key, elements)])]);
        assert_eq!(vouched.principal_id(), Some(ID), "{etype}");
        assert_eq!(names(&vouched), ["paid", "staff"]);
        assert!(vouched.has_role("paid") && !vouched.has_role("free"));
        assert_eq!(vouched.indicators(), ["otp", "pkinit", "hardware"]);
        assert_eq!(vouched.problem(), None);
    }
}

#[test]
fn a_ticket_without_a_cammac_vouches_for_nothing_and_is_no_problem() {
    let issue = Issue::default();
    for data in [
        vec![],
        vec![if_relevant(vec![element(ad_type::WIN2K_PAC, b"pac".to_vec())])],
        vec![element(ad_type::IF_RELEVANT, b"not a list".to_vec())],
        // What no KDC put under a MAC is what anybody says.
        vec![roles(&["staff"])],
        vec![if_relevant(vec![roles(&["staff"]), principal_id_element(&ID)])],
    ] {
        assert_eq!(seen(&issue, data), Vouched::default());
    }
}

#[test]
fn what_does_not_verify_counts_for_nothing_and_says_why() {
    let issue = Issue::default();
    let key = &issue.key;
    let other = Key::random(key.etype(), &mut Counter(77));
    let elements = || vec![principal_id_element(&ID), roles(&["staff"])];
    let good = || signed(key, elements());
    let altered = |change: fn(&mut Vec<u8>)| {
        let mut verifier = svc_verifier(key, &elements());
        change(&mut verifier.mac.checksum.0);
        cammac(elements(), Some(verifier))
    };
    let wrong_usage = {
        let mut verifier = svc_verifier(key, &elements());
        verifier.mac.checksum = Octets(key.checksum(KeyUsage::AP_REQ_CHECKSUM, &wire::encode(&elements())));
        cammac(elements(), Some(verifier))
    };
    let wrong_type = {
        let mut verifier = svc_verifier(key, &elements());
        verifier.mac.cksumtype = 7;
        cammac(elements(), Some(verifier))
    };
    let others_elements = cammac(
        vec![principal_id_element(&ID), roles(&["admin"])],
        Some(svc_verifier(key, &elements())),
    );
    for (what, data, problem) in [
        (
            "no verifier",
            vec![if_relevant(vec![cammac(elements(), None)])],
            CammacError::NoVerifier,
        ),
        (
            "another key's",
            vec![if_relevant(vec![signed(&other, elements())])],
            CammacError::Verifier,
        ),
        (
            "a flipped bit",
            vec![if_relevant(vec![altered(|mac| mac[0] ^= 1)])],
            CammacError::Verifier,
        ),
        (
            "cut short",
            vec![if_relevant(vec![altered(|mac| mac.truncate(4))])],
            CammacError::Verifier,
        ),
        (
            "empty",
            vec![if_relevant(vec![altered(Vec::clear)])],
            CammacError::Verifier,
        ),
        (
            "another usage",
            vec![if_relevant(vec![wrong_usage])],
            CammacError::Verifier,
        ),
        (
            "another type",
            vec![if_relevant(vec![wrong_type])],
            CammacError::VerifierType(7),
        ),
        (
            "other elements",
            vec![if_relevant(vec![others_elements])],
            CammacError::Verifier,
        ),
        ("not in IF-RELEVANT", vec![good()], CammacError::Exposed),
        (
            "one not in IF-RELEVANT",
            vec![if_relevant(vec![good()]), good()],
            CammacError::Exposed,
        ),
        (
            "two in one",
            vec![if_relevant(vec![good(), good()])],
            CammacError::Several,
        ),
        (
            "two",
            vec![if_relevant(vec![good()]), if_relevant(vec![good()])],
            CammacError::Several,
        ),
        (
            "one without roles before it",
            vec![if_relevant(vec![signed(key, vec![])]), if_relevant(vec![good()])],
            CammacError::Several,
        ),
    ] {
        let vouched = seen(&issue, data);
        assert_eq!(vouched.problem(), Some(&problem), "{what}");
        assert_eq!((vouched.principal_id(), names(&vouched).len()), (None, 0), "{what}");
        assert!(vouched.indicators().is_empty(), "{what}");
    }
    let garbage = vec![if_relevant(vec![element(ad_type::CAMMAC, b"\x30\x03abc".to_vec())])];
    assert!(matches!(
        seen(&issue, garbage).problem(),
        Some(CammacError::Malformed(DecodeError::Type(_) | DecodeError::Framing))
    ));
}

#[test]
fn elements_that_are_not_what_their_type_says_are_a_problem_under_the_right_mac_too() {
    let issue = Issue::default();
    let encoded = |names: &[&str]| -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        core::iter::once(1).chain(wire::encode(&names)).collect()
    };
    for (what, elements, ad_type) in [
        (
            "two ids",
            vec![principal_id_element(&ID), principal_id_element(&ID)],
            AD_PRINCIPAL_ID,
        ),
        ("an id of 15", vec![element(AD_PRINCIPAL_ID, [1; 16])], AD_PRINCIPAL_ID),
        (
            "an id of version 2",
            vec![element(AD_PRINCIPAL_ID, [2; 17])],
            AD_PRINCIPAL_ID,
        ),
        ("roles twice", vec![roles(&["a"]), roles(&["b"])], AD_ROLES),
        ("no octets", vec![element(AD_ROLES, [])], AD_ROLES),
        ("no roles", vec![element(AD_ROLES, encoded(&[]))], AD_ROLES),
        ("roles of version 2", vec![element(AD_ROLES, [2, 0x30, 0])], AD_ROLES),
        (
            "a role that is none",
            vec![element(AD_ROLES, encoded(&["Staff"]))],
            AD_ROLES,
        ),
        ("not sorted", vec![element(AD_ROLES, encoded(&["b", "a"]))], AD_ROLES),
        ("one twice", vec![element(AD_ROLES, encoded(&["a", "a"]))], AD_ROLES),
        (
            "octets behind",
            vec![element(AD_ROLES, [encoded(&["a"]), vec![0]].concat())],
            AD_ROLES,
        ),
        (
            "an indicator that is none",
            vec![
                roles(&["a"]),
                element(ad_type::AUTHENTICATION_INDICATOR, b"otp".to_vec()),
            ],
            ad_type::AUTHENTICATION_INDICATOR,
        ),
    ] {
        let vouched = seen(&issue, vec![if_relevant(vec![signed(&issue.key, elements)])]);
        assert_eq!(vouched.problem(), Some(&CammacError::Element(ad_type)), "{what}");
        assert!(vouched.roles().is_empty() && vouched.principal_id().is_none(), "{what}");
    }
}

#[test]
fn no_octets_in_a_cammac_panic_or_make_roles() {
    let issue = Issue::default();
    let whole = signed(&issue.key, vec![principal_id_element(&ID), roles(&["staff"])]);
    let read = |ad_data: Vec<u8>| {
        let data = [if_relevant(vec![element(ad_type::CAMMAC, ad_data)])];
        Vouched::read(&data, &issue.key)
    };
    assert_eq!(names(&read(whole.ad_data.0.clone())), ["staff"]);
    for length in 0..whole.ad_data.len() {
        assert!(read(whole.ad_data[..length].to_vec()).roles().is_empty(), "{length}");
    }
    for at in 0..whole.ad_data.len() * 8 {
        let mut flipped = whole.ad_data.0.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        let vouched = read(flipped);
        assert!(vouched.roles().is_empty() && vouched.problem().is_some(), "{at}");
    }
}

#[test]
fn roles_are_encoded_as_described() {
    let element = roles(&["a.b", "staff"]);
    assert_eq!(element.ad_type, -0x5445_5352);
    assert_eq!(*element.ad_data, *b"\x01\x30\x0c\x0c\x03a.b\x0c\x05staff");
    assert_eq!(roles_element(core::iter::empty()), None);
    assert_eq!(vouched::principal_id(&principal_id_element(&ID)), Some(ID));
    assert_eq!(vouched::principal_id(&element), None);
}
