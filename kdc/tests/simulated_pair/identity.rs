//! Who a ticket belongs to, when names change hands; keys that roll over; user-to-user.

use tessera_client::exchange::{AsRequest, TgsRequest};
use tessera_common::ap::{Vouched, vouched};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::name::name_type;
use tessera_common::role::RoleName;
use tessera_common::wire::{
    self, Any, AuthorizationData, AuthorizationDataElement, Cammac, KdcReqBody, TgsReq, ad_type,
};
use tessera_kdc::realm::access::Access;
use tessera_kdc::realm::accounting::Transport;
use tessera_kdc::realm::principal::Attributes;

use crate::world::{World, code, hours, principal};

#[test]
fn a_ticket_of_a_removed_principal_is_worth_nothing_to_its_successor() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.remove("alice");
    assert_eq!(
        code(world.service_ticket(&tgt, "host/www")),
        ErrorCode::KDC_ERR_TGT_REVOKED
    );
    world.add("alice", Some("alice"), |_| {});
    assert_eq!(
        code(world.service_ticket(&tgt, "host/www")),
        ErrorCode::KDC_ERR_TGT_REVOKED
    );
    assert_eq!(world.last_reason(), "client-replaced");
    let fresh = world.tgt(|_| {});
    assert!(world.service_ticket(&fresh, "host/www").is_ok());
}

#[test]
fn a_renamed_principal_does_not_speak_under_its_old_name() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.change("alice", |_, record| record.name = "eve".parse().unwrap());
    assert_eq!(
        code(world.service_ticket(&tgt, "host/www")),
        ErrorCode::KDC_ERR_TGT_REVOKED
    );
    world.change("eve", |_, record| record.aliases = vec!["alice".parse().unwrap()]);
    assert!(world.service_ticket(&tgt, "host/www").is_ok());
    // The salt went with the key: the old password is good under the new name.
    assert!(world.login("alice", AsRequest::new(principal("eve"))).is_ok());
}

#[test]
fn a_locked_client_gets_nothing_more_for_its_tgt() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.change("alice", |_, record| record.attributes = Attributes::LOCKED);
    assert_eq!(
        code(world.service_ticket(&tgt, "host/www")),
        ErrorCode::KDC_ERR_CLIENT_REVOKED
    );
    world.change("alice", |_, record| {
        record.attributes = Attributes::empty();
        record.password_expires = Some(crate::world::NOON);
    });
    assert!(
        world.service_ticket(&tgt, "host/www").is_ok(),
        "password expiry does not matter to the TGS"
    );
}

#[test]
fn krbtgt_rolls_over_and_older_tickets_stay_good_as_long_as_their_key_does() {
    let mut world = World::new();
    let old = world.tgt(|_| {});
    let ends = world.now.plus(hours(11));
    world.change("krbtgt/EXAMPLE.COM", |world, record| {
        let fresh = world.keys(record, 2, None);
        for key in &mut record.keys {
            key.retired = Some(ends);
        }
        record.keys.splice(0..0, fresh);
    });
    let new = world.tgt(|_| {});
    assert_eq!(world.open(&new).0.enc_part.kvno.unwrap().0, 2);
    for tgt in [&old, &new] {
        assert!(world.service_ticket(tgt, "host/www").is_ok());
    }
    world.change("krbtgt/EXAMPLE.COM", |world, record| {
        let now = world.now;
        for key in record.keys.iter_mut().filter(|key| key.kvno == 1) {
            key.retired = Some(now);
        }
    });
    assert_eq!(
        code(world.service_ticket(&old, "host/www")),
        ErrorCode::KRB_AP_ERR_BADKEYVER
    );
    assert!(world.service_ticket(&new, "host/www").is_ok());
}

#[test]
fn aliases_and_enterprise_names_find_the_principal() {
    let mut world = World::new();
    world.change("alice", |_, record| record.aliases = vec!["al".parse().unwrap()]);
    for (text, name_type, canonicalize, expected) in [
        ("al", name_type::PRINCIPAL, false, "al@EXAMPLE.COM"),
        ("al", name_type::PRINCIPAL, true, "alice@EXAMPLE.COM"),
        (r"alice\@example.com", name_type::ENTERPRISE, true, "alice@EXAMPLE.COM"),
        (
            r"alice\@example.com",
            name_type::ENTERPRISE,
            false,
            r"alice\@example.com@EXAMPLE.COM",
        ),
    ] {
        let mut request = AsRequest::new(principal(text));
        request.client_name_type = name_type;
        request.options = request.options.set(KdcOptions::CANONICALIZE, canonicalize);
        let tgt = world.login("alice", request).unwrap().credential;
        assert_eq!(tgt.client.to_string(), expected);
        assert!(world.service_ticket(&tgt, "host/www").is_ok(), "{expected}");
    }
    let mut request = AsRequest::new(principal(r"alice\@elsewhere.org"));
    request.client_name_type = name_type::ENTERPRISE;
    assert_eq!(
        code(world.login("alice", request)),
        ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN
    );
}

#[test]
fn a_service_keeps_the_name_that_it_was_asked_by() {
    let mut world = World::new();
    world.change("host/www", |_, record| {
        record.aliases = vec!["host/www.example.com".parse().unwrap()];
    });
    let tgt = world.tgt(|_| {});
    let ticket = world.service_ticket(&tgt, "host/www.example.com").unwrap();
    assert_eq!(ticket.server.to_string(), "host/www.example.com@EXAMPLE.COM");
    assert_eq!(
        world.open(&ticket).0.sname.to_name().unwrap().to_string(),
        "host/www.example.com"
    );
}

#[test]
fn services_are_refused_each_for_its_own_reason() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    for (attributes, expected) in [
        (Attributes::LOCKED, 7),
        (Attributes::NOT_A_SERVICE, 27),
        (Attributes::NOT_A_SERVICE | Attributes::NO_USER_TO_USER, 12),
        (Attributes::NOT_TGT_BASED, 12),
    ] {
        world.change("host/www", |_, record| record.attributes = attributes);
        assert_eq!(
            code(world.service_ticket(&tgt, "host/www")).0,
            expected,
            "{attributes:?}"
        );
    }
    world.change("host/www", |world, record| {
        record.attributes = Attributes::empty();
        record.expires = Some(world.now);
    });
    assert_eq!(
        code(world.service_ticket(&tgt, "host/www")),
        ErrorCode::KDC_ERR_SERVICE_EXP
    );
    for unknown in ["host/nowhere", "krbtgt/OTHER.ORG", "alice/admin"] {
        assert_eq!(
            code(world.service_ticket(&tgt, unknown)),
            ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN,
            "{unknown}"
        );
    }
    assert_eq!(
        code(world.service_ticket(&tgt, "kadmin/changepw")),
        ErrorCode::KDC_ERR_POLICY
    );
}

#[test]
fn user_to_user_is_sealed_in_the_other_users_session_key() {
    let mut world = World::new();
    world.add("bob", Some("bob"), |record| {
        record.attributes = Attributes::NOT_A_SERVICE;
    });
    let tgt = world.tgt(|_| {});
    let bobs = world.login("bob", AsRequest::new(principal("bob"))).unwrap().credential;
    let ticket = world
        .exchange(&tgt, TgsRequest::user_to_user(principal("bob"), bobs.ticket.clone()))
        .unwrap();
    let sealed: wire::Ticket = wire::decode(&ticket.ticket).unwrap();
    assert_eq!(sealed.enc_part.kvno, None);
    let part = bobs
        .key
        .decrypt(tessera_common::crypto::KeyUsage::TICKET, &sealed.enc_part.cipher)
        .unwrap();
    let part: wire::EncTicketPart = wire::decode(&part).unwrap();
    assert_eq!(part.cname.to_name().unwrap().to_string(), "alice");

    let alices = tgt.ticket.clone();
    let service = world.service_ticket(&tgt, "host/www").unwrap().ticket;
    for (second, expected) in [(vec![], 13), (alices, 26), (service, 12)] {
        let request = TgsRequest::user_to_user(principal("bob"), second);
        assert_eq!(code(world.exchange(&tgt, request)).0, expected);
    }
    world.change("bob", |_, record| record.attributes = Attributes::NO_USER_TO_USER);
    let request = TgsRequest::user_to_user(principal("bob"), bobs.ticket.clone());
    assert_eq!(code(world.exchange(&tgt, request)), ErrorCode::KDC_ERR_POLICY);
    world.pass(hours(11));
    let fresh = world.tgt(|_| {});
    let request = TgsRequest::user_to_user(principal("bob"), bobs.ticket);
    assert_eq!(code(world.exchange(&fresh, request)), ErrorCode::KRB_AP_ERR_TKT_EXPIRED);
}

#[test]
fn forwarded_and_proxied_tickets_carry_the_addresses_that_were_asked_for() {
    let mut world = World::new();
    let here = "192.0.2.7".parse::<std::net::IpAddr>().unwrap();
    let there = "198.51.100.9".parse::<std::net::IpAddr>().unwrap();
    let tgt = world.tgt(|request| {
        request.options = KdcOptions::FORWARDABLE | KdcOptions::PROXIABLE;
        request.addresses = vec![here.into()];
    });
    let forwarded = world
        .exchange(&tgt, TgsRequest::forward(&tgt, vec![there.into()]))
        .unwrap();
    assert!(
        forwarded
            .flags
            .contains(TicketFlags::FORWARDED | TicketFlags::FORWARDABLE)
    );
    assert_eq!(forwarded.addresses, [there.into()]);
    let proxy = world
        .exchange(&tgt, TgsRequest::proxy(principal("host/www"), vec![there.into()]))
        .unwrap();
    assert!(proxy.flags.contains(TicketFlags::PROXY));
    assert_eq!(world.open(&proxy).1.caddr.unwrap(), [there.into()]);
    // Without either, the addresses stay; and from elsewhere the TGT is of no use.
    assert_eq!(world.service_ticket(&tgt, "host/www").unwrap().addresses, [here.into()]);
    world.peer = "198.51.100.9:1";
    assert_eq!(
        code(world.service_ticket(&tgt, "host/www")),
        ErrorCode::KRB_AP_ERR_BADADDR
    );
    let further = world.service_ticket(&forwarded, "host/www").unwrap();
    assert!(further.flags.contains(TicketFlags::FORWARDED));

    let plain = world.tgt(|_| {});
    assert_eq!(
        code(world.exchange(&plain, TgsRequest::forward(&plain, vec![]))),
        ErrorCode::KDC_ERR_BADOPTION
    );
    let of_tgt = TgsRequest::proxy(principal("krbtgt/EXAMPLE.COM"), vec![]);
    world.peer = "192.0.2.7:1";
    assert_eq!(code(world.exchange(&tgt, of_tgt)), ErrorCode::KDC_ERR_BADOPTION);
}

#[test]
fn policy_clears_forwardable_and_proxiable_silently() {
    for who in ["alice", "krbtgt/EXAMPLE.COM"] {
        let mut world = World::new();
        world.change(who, |_, record| {
            record.attributes = record.attributes | Attributes::NOT_FORWARDABLE | Attributes::NOT_PROXIABLE;
        });
        let tgt = world.tgt(|request| request.options = KdcOptions::FORWARDABLE | KdcOptions::PROXIABLE);
        assert!(
            !tgt.flags.intersects(TicketFlags::FORWARDABLE | TicketFlags::PROXIABLE),
            "{who}"
        );
    }
}

#[test]
fn ok_as_delegate_comes_from_the_tgs_only() {
    let mut world = World::new();
    world.change("host/www", |_, record| record.attributes = Attributes::OK_AS_DELEGATE);
    let tgt = world.tgt(|_| {});
    assert!(
        world
            .service_ticket(&tgt, "host/www")
            .unwrap()
            .flags
            .contains(TicketFlags::OK_AS_DELEGATE)
    );
    let mut request = AsRequest::new(principal("alice"));
    request.service = Some("host/www".parse().unwrap());
    let initial = world.login("alice", request).unwrap().credential;
    assert!(!initial.flags.contains(TicketFlags::OK_AS_DELEGATE));
}

#[test]
fn a_service_that_rewrites_its_own_ticket_gets_nothing_for_it() {
    let mut world = World::new();
    let tgt = world.tgt(|request| {
        request.options = KdcOptions::RENEWABLE;
        request.times.rtime = Some(tessera_client::exchange::When::After(hours(24)));
    });
    world.add("root", Some("root"), |_| {});
    let mut request = TgsRequest::new(principal("host/www"));
    request.options = KdcOptions::RENEWABLE;
    request.times.rtime = Some(tessera_client::exchange::When::After(hours(24)));
    let mut ticket = world.exchange(&tgt, request).unwrap();
    let (mut sealed, mut part) = world.open(&ticket);
    part.cname = wire::PrincipalName::new(1, &"root".parse().unwrap());
    let view = tessera_kdc::store::Store::view(&world.store);
    let server = view.find(&"host/www".parse().unwrap()).unwrap();
    let key = view.key(server, server.current_keys().next().unwrap()).unwrap();
    let usage = tessera_common::crypto::KeyUsage::TICKET;
    sealed.enc_part.cipher = key.encrypt(usage, &wire::encode(&part), &mut world.random).into();
    ticket.ticket = wire::encode(&sealed);
    ticket.client = principal("root");
    assert_eq!(
        code(world.exchange(&ticket, TgsRequest::renew(&ticket))),
        ErrorCode::KRB_AP_ERR_MODIFIED
    );
    assert_eq!(world.last_reason(), "ticket-binding-forged");
}

/// The service has the key that its tickets are sealed with, and so can make a svc-verifier; the realm's it cannot make.
#[test]
fn a_service_that_writes_roles_into_its_own_ticket_gains_nothing_at_the_kdc() {
    let staff: RoleName = "staff".parse().unwrap();
    let mut world = World::with(|settings| settings.access = Access::new([staff.clone().into()], []));
    let tgt = world.tgt(|request| {
        request.options = KdcOptions::RENEWABLE | KdcOptions::PROXIABLE;
        request.times.rtime = Some(tessera_client::exchange::When::After(hours(24)));
    });
    let mut request = TgsRequest::new(principal("host/www"));
    request.options = KdcOptions::RENEWABLE | KdcOptions::PROXIABLE;
    request.times.rtime = Some(tessera_client::exchange::When::After(hours(24)));
    let ticket = world.exchange(&tgt, request).unwrap();
    let (sealed, part) = world.open(&ticket);
    let view = tessera_kdc::store::Store::view(&world.store);
    let server = view.find(&"host/www".parse().unwrap()).unwrap();
    let key = view.key(server, server.current_keys().next().unwrap()).unwrap();

    let if_relevant = &part.authorization_data.as_ref().unwrap()[0];
    let nested: AuthorizationData = wire::decode(&if_relevant.ad_data).unwrap();
    let own: Cammac = wire::decode(&nested[0].ad_data).unwrap();
    let roles = vouched::roles_element([&staff].into_iter()).unwrap();
    let wrapped = |elements: AuthorizationData, kdc_verifier| {
        let svc_verifier = Some(vouched::svc_verifier(key, &elements));
        let cammac = wire::encode(&Cammac {
            elements,
            kdc_verifier,
            svc_verifier,
            other_verifiers: None,
        });
        let element = |ad_type, ad_data: Vec<u8>| AuthorizationDataElement {
            ad_type,
            ad_data: ad_data.into(),
        };
        element(
            ad_type::IF_RELEVANT,
            wire::encode(&vec![element(ad_type::CAMMAC, cammac)]),
        )
    };
    let with_roles = wrapped([own.elements.clone(), vec![roles.clone()]].concat(), own.kdc_verifier);
    let beside = wrapped(vec![roles], None);
    for (what, data, forged) in [
        ("roles under the KDC's own MAC", vec![with_roles], true),
        (
            "roles beside what the KDC said",
            vec![if_relevant.clone(), beside],
            false,
        ),
    ] {
        let mut ticket = ticket.clone();
        let (mut sealed, mut part) = (sealed.clone(), part.clone());
        part.authorization_data = Some(data);
        let usage = tessera_common::crypto::KeyUsage::TICKET;
        sealed.enc_part.cipher = key.encrypt(usage, &wire::encode(&part), &mut world.random).into();
        ticket.ticket = wire::encode(&sealed);
        for request in [
            TgsRequest::renew(&ticket),
            TgsRequest::proxy(principal("host/www"), vec![]),
        ] {
            match world.exchange(&ticket, request) {
                refused if forged => {
                    assert_eq!(code(refused), ErrorCode::KRB_AP_ERR_MODIFIED, "{what}");
                    assert_eq!(world.last_reason(), "ticket-binding-forged");
                }
                // What nobody vouched for is not in the new ticket.
                got => {
                    let data = world.open(&got.unwrap()).1.authorization_data.unwrap();
                    assert_eq!(data.len(), 1, "{what}");
                    let seen = Vouched::read(&data, key);
                    assert_eq!((seen.problem(), seen.roles()), (None, &[][..]), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_request_body_that_was_changed_on_its_way_is_refused() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.service_ticket(&tgt, "host/www").unwrap();
    let (_, sent) = world.sent.last().unwrap().clone();
    let TgsReq(mut request) = wire::decode(&sent).unwrap();
    let mut body: KdcReqBody = wire::decode(request.req_body.as_bytes()).unwrap();
    body.kdc_options = KdcOptions::FORWARDABLE;
    request.req_body = Any::new(wire::encode(&body));
    let answer = world.deliver(&wire::encode(&TgsReq(request)), Transport::Udp).unwrap();
    let error: wire::KrbError = wire::decode(&answer).unwrap();
    assert_eq!(error.error_code, ErrorCode::KRB_AP_ERR_MODIFIED.0);
}

#[test]
fn an_authenticator_is_good_once() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.service_ticket(&tgt, "host/www").unwrap();
    let (_, sent) = world.sent.last().unwrap().clone();
    let TgsReq(mut request) = wire::decode(&sent).unwrap();
    request.padata.as_mut().unwrap().push(wire::PaData::new(4711, vec![]));
    let answer = world.deliver(&wire::encode(&TgsReq(request)), Transport::Udp).unwrap();
    let error: wire::KrbError = wire::decode(&answer).unwrap();
    assert_eq!(error.error_code, ErrorCode::KRB_AP_ERR_REPEAT.0);
}
