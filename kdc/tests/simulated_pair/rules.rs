//! The TGS's rules one by one: options, checksums, times, addresses, flags; and what a second asking gets.

use tessera_client::exchange::{AsRequest, TgsRequest, When};
use tessera_common::credential::Credential;
use tessera_common::crypto::{KeyUsage, md5};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::time::KerberosTime;
use tessera_common::wire::{
    self, Any, ApReq, Authenticator, Checksum, EncTicketPart, HostAddress, KdcReqBody, KrbError, TgsReq,
};
use tessera_kdc::realm::accounting::{Result as EventResult, Transport};
use tessera_kdc::realm::principal::Attributes;
use tessera_kdc::store::Store as _;

use crate::world::{NOON, World, code, hours, principal};

/// The TGS-REQ that `held` was last used with, changed: its body and its authenticator, with a checksum that fits unless the
/// last word says otherwise.
fn altered(
    world: &mut World,
    held: &Credential,
    body: impl FnOnce(&mut KdcReqBody),
    authenticator: impl FnOnce(&mut Authenticator, &[u8]),
) -> Vec<u8> {
    let (_, sent) = world.sent.last().unwrap().clone();
    let TgsReq(mut request) = wire::decode(&sent).unwrap();
    let mut asked: KdcReqBody = wire::decode(request.req_body.as_bytes()).unwrap();
    body(&mut asked);
    let octets = wire::encode(&asked);
    let pa = &mut request.padata.as_mut().unwrap()[0];
    let mut ap_req: ApReq = wire::decode(&pa.padata_value).unwrap();
    let plain = held
        .key
        .decrypt(KeyUsage::TGS_REQ_AUTHENTICATOR, &ap_req.authenticator.cipher);
    let mut proof: Authenticator = wire::decode(&plain.unwrap()).unwrap();
    proof.cksum = Some(Checksum {
        cksumtype: held.key.etype().checksum_type(),
        checksum: held.key.checksum(KeyUsage::TGS_REQ_CHECKSUM, &octets).into(),
    });
    authenticator(&mut proof, &octets);
    let sealed = held.key.encrypt(
        KeyUsage::TGS_REQ_AUTHENTICATOR,
        &wire::encode(&proof),
        &mut world.random,
    );
    ap_req.authenticator.cipher = sealed.into();
    pa.padata_value = wire::encode(&ap_req).into();
    request.req_body = Any::new(octets);
    wire::encode(&TgsReq(request))
}

/// 0 for a ticket, or the error's code.
fn answer(world: &mut World, octets: &[u8]) -> i32 {
    let answer = world.deliver(octets, Transport::Udp).unwrap();
    wire::decode::<KrbError>(&answer).map_or(0, |error| error.error_code)
}

/// A ticket that the realm's own key was used to rewrite.
fn rewritten(world: &mut World, held: &Credential, change: impl FnOnce(&mut EncTicketPart)) -> Credential {
    let (mut ticket, mut part) = world.open(held);
    change(&mut part);
    let view = world.store.view();
    let server = view.find(&ticket.sname.to_name().unwrap()).unwrap();
    let key = view.key(server, server.current_keys().next().unwrap()).unwrap();
    ticket.enc_part.cipher = key
        .encrypt(KeyUsage::TICKET, &wire::encode(&part), &mut world.random)
        .into();
    Credential {
        ticket: wire::encode(&ticket),
        ..held.clone()
    }
}

fn tgt_with_everything(world: &mut World) -> Credential {
    world.tgt(|request| {
        request.options =
            KdcOptions::FORWARDABLE | KdcOptions::PROXIABLE | KdcOptions::RENEWABLE | KdcOptions::ALLOW_POSTDATE;
        request.times.rtime = Some(When::After(hours(24)));
    })
}

#[test]
fn the_authenticators_checksum_is_the_keys_own_or_md5() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.service_ticket(&tgt, "host/www").unwrap();
    for (what, expected, checksum) in [
        ("own type", 0, None),
        ("absent", 50, Some(None)),
        ("CRC32", 50, Some(Some((1, vec![0; 4])))),
        ("MD4", 50, Some(Some((2, vec![0; 16])))),
        ("another key's type", 50, Some(Some((15, vec![0; 12])))),
        ("SHA-2's type", 50, Some(Some((20, vec![0; 24])))),
        ("nobody's type", 15, Some(Some((4711, vec![0; 12])))),
        ("own type, wrong", 41, Some(Some((16, vec![0; 12])))),
        ("own type, cut", 41, Some(Some((16, vec![])))),
        ("MD5, wrong", 41, Some(Some((md5::CKSUMTYPE, vec![0; 16])))),
    ] {
        let octets = altered(
            &mut world,
            &tgt,
            |_| {},
            |proof, _| {
                if let Some(checksum) = checksum {
                    proof.cksum = checksum.map(|(cksumtype, checksum)| Checksum {
                        cksumtype,
                        checksum: checksum.into(),
                    });
                }
            },
        );
        assert_eq!(answer(&mut world, &octets), expected, "{what}");
    }
    let octets = altered(
        &mut world,
        &tgt,
        |_| {},
        |proof, body| {
            proof.cksum = Some(Checksum {
                cksumtype: md5::CKSUMTYPE,
                checksum: md5::digest(body).as_slice().into(),
            });
        },
    );
    assert_eq!(answer(&mut world, &octets), 0, "MD5");
}

#[test]
fn every_option_is_served_or_refused_by_what_the_ticket_is() {
    // With a TGT that allows nothing, and with one that allows everything: 0, or the error.
    for (option, plain, rich) in [
        (KdcOptions::FORWARDABLE, 0, 0),
        (KdcOptions::FORWARDED, 13, 0),
        (KdcOptions::PROXIABLE, 0, 0),
        (KdcOptions::PROXY, 13, 0),
        (KdcOptions::ALLOW_POSTDATE, 13, 0),
        (KdcOptions::POSTDATED, 13, 0),
        (KdcOptions::RENEWABLE, 0, 0),
        (KdcOptions::CNAME_IN_ADDL_TKT, 13, 13),
        (KdcOptions::CANONICALIZE, 0, 0),
        (KdcOptions::REQUEST_ANONYMOUS, 13, 13),
        (KdcOptions::DISABLE_TRANSITED_CHECK, 0, 0),
        (KdcOptions::RENEWABLE_OK, 0, 0),
        (KdcOptions::ENC_TKT_IN_SKEY, 13, 13),
        (KdcOptions::RENEW, 26, 26),
        (KdcOptions::VALIDATE, 26, 26),
        (KdcOptions(1 << 20), 0, 0),
        (KdcOptions::FORWARDED | KdcOptions::PROXY, 13, 13),
    ] {
        for (is_rich, expected) in [(false, plain), (true, rich)] {
            let mut world = World::new();
            let tgt = if is_rich {
                tgt_with_everything(&mut world)
            } else {
                world.tgt(|request| request.options = KdcOptions::empty())
            };
            world.service_ticket(&tgt, "host/www").unwrap();
            let octets = altered(&mut world, &tgt, |body| body.kdc_options = option, |_, _| {});
            assert_eq!(answer(&mut world, &octets), expected, "{option:?} {is_rich}");
        }
    }
}

#[test]
fn a_header_ticket_is_taken_within_the_skew_of_its_times() {
    for (edge, late, expected) in [
        ("start", -301, 33),
        ("start", -300, 0),
        ("start", 0, 0),
        ("start", 300, 0),
        ("end", -1, 0),
        // Taken, but nothing can be got that begins before it ends.
        ("end", 0, 11),
        ("end", 300, 11),
        ("end", 301, 32),
    ] {
        let mut world = World::new();
        let mut tgt = world.tgt(|_| {});
        let (start, end) = (NOON.plus(hours(1)), NOON.plus(hours(2)));
        tgt = rewritten(&mut world, &tgt, |part| {
            part.starttime = Some(start);
            part.endtime = end;
        });
        world.now = if edge == "start" { start } else { end };
        world.now.0 += late;
        let got = world
            .service_ticket(&tgt, "host/www")
            .map_or_else(|why| why.code().unwrap().0, |_| 0);
        assert_eq!(got, expected, "{edge} {late}");
    }
}

#[test]
fn a_postdated_ticket_is_not_validated_a_second_early() {
    for (late, expected) in [(-301, 33), (-1, 33), (0, 0), (1, 0)] {
        let mut world = World::new();
        let tgt = world.tgt(|request| {
            request.options = KdcOptions::POSTDATED;
            request.times.from = Some(When::After(hours(3)));
            request.times.till = When::After(hours(2));
        });
        world.now = KerberosTime(NOON.0 + 3 * 3600 + late);
        let got = world.exchange(&tgt, TgsRequest::validate(&tgt));
        assert_eq!(got.map_or_else(|why| why.code().unwrap().0, |_| 0), expected, "{late}");
    }
}

#[test]
fn addresses_of_other_families_bind_nothing_or_everything() {
    let address = |addr_type, octets: &[u8]| HostAddress {
        addr_type,
        address: octets.into(),
    };
    let netbios = || address(20, b"WORKSTATION     ");
    for (addresses, expected) in [
        (vec![], 0),
        (vec![netbios()], 0),
        (vec![netbios(), netbios()], 0),
        (vec![netbios(), address(2, &[192, 0, 2, 7])], 0),
        (vec![netbios(), address(2, &[192, 0, 2, 8])], 38),
        (vec![address(99, b"?")], 38),
        (vec![address(2, b"short")], 38),
    ] {
        let mut world = World::new();
        let tgt = world.tgt(|request| request.addresses = addresses.clone());
        let got = world.service_ticket(&tgt, "host/www");
        assert_eq!(
            got.map_or_else(|why| why.code().unwrap().0, |_| 0),
            expected,
            "{addresses:?}"
        );
    }
}

#[test]
fn hardware_authentication_is_carried_on() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    for flag in [
        TicketFlags::PRE_AUTHENT,
        TicketFlags::HW_AUTHENT,
        TicketFlags::FORWARDED,
    ] {
        for on in [false, true] {
            let tgt = rewritten(&mut world, &tgt, |part| part.flags = part.flags.set(flag, on));
            let ticket = world.service_ticket(&tgt, "host/www").unwrap();
            assert_eq!(ticket.flags.contains(flag), on, "{flag:?}");
            assert!(
                ticket
                    .flags
                    .contains(TicketFlags::ENC_PA_REP | TicketFlags::TRANSITED_POLICY_CHECKED)
            );
        }
    }
}

#[test]
fn only_the_first_key_of_krbtgt_opens_tickets() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    let (mut ticket, part) = world.open(&tgt);
    let view = world.store.view();
    let krbtgt = view.find(&"krbtgt/EXAMPLE.COM".parse().unwrap()).unwrap();
    let second = view.key(krbtgt, krbtgt.current_keys().nth(1).unwrap()).unwrap();
    ticket.enc_part.etype = second.etype().number();
    ticket.enc_part.cipher = second
        .encrypt(KeyUsage::TICKET, &wire::encode(&part), &mut world.random)
        .into();
    let tgt = Credential {
        ticket: wire::encode(&ticket),
        ..tgt
    };
    assert_eq!(
        code(world.service_ticket(&tgt, "host/www")),
        ErrorCode::KRB_AP_ERR_BADKEYVER
    );
}

#[test]
fn a_refusal_after_a_proof_is_the_same_when_it_is_asked_for_again() {
    let mut world = World::new();
    world.change("alice", |_, record| record.password_expires = Some(NOON));
    assert_eq!(code(world.login("alice", AsRequest::new(principal("alice")))).0, 23);
    let mut answers = vec![world.sent.last().unwrap().1.clone()];
    world.change("alice", |_, record| record.password_expires = None);
    let tgt = world.tgt(|_| {});
    assert_eq!(code(world.service_ticket(&tgt, "host/nowhere")).0, 7);
    let event = world.events.last().unwrap();
    assert_eq!((event.client.as_deref(), event.factor), (Some("alice"), Some("ticket")));
    answers.push(world.sent.last().unwrap().1.clone());
    for request in answers {
        world.pass(std::time::Duration::from_secs(1));
        let again: KrbError = wire::decode(&world.deliver(&request, Transport::Tcp).unwrap()).unwrap();
        assert!([23, 7].contains(&again.error_code), "{}", again.error_code);
        assert_eq!(again.cname.unwrap().to_name().unwrap().to_string(), "alice");
        assert_eq!(world.events.last().unwrap().result, EventResult::Repeated);
    }
}

#[test]
fn where_names_are_hidden_a_service_is_looked_for_after_the_proof() {
    for hidden in [false, true] {
        let mut world = World::with(|settings| settings.hide_unknown_principals = hidden);
        for client in ["alice", "nobody"] {
            let mut codes = Vec::new();
            for service in ["host/www", "host/nowhere"] {
                let mut request = AsRequest::new(principal(client));
                request.service = Some(service.parse().unwrap());
                codes.push(code(world.login("wrong", request)).0);
            }
            let expected = match (hidden, client) {
                (true, _) => [24, 24],
                (false, "alice") => [24, 7],
                (false, _) => [6, 7],
            };
            assert_eq!(codes, expected, "{hidden} {client}");
        }
        let (_, wrong) = world.sent.last().unwrap().clone();
        let first = world.deliver(&wrong, Transport::Udp);
        world.pass(std::time::Duration::from_secs(1));
        assert_eq!(
            world.deliver(&wrong, Transport::Udp) == first,
            hidden,
            "the time tells nothing"
        );
    }
}

#[test]
fn a_service_that_wants_preauthentication_gets_it() {
    let mut world = World::new();
    world.change("alice", |_, record| record.attributes = Attributes::NO_PREAUTH);
    world.change("host/www", |_, record| record.attributes = Attributes::REQUIRE_PREAUTH);
    let mut request = AsRequest::new(principal("alice"));
    request.service = Some("host/www".parse().unwrap());
    let ticket = world.login("alice", request).unwrap().credential;
    assert!(ticket.flags.contains(TicketFlags::PRE_AUTHENT));
}

#[test]
fn a_locked_krbtgt_stops_the_realm() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.change("krbtgt/EXAMPLE.COM", |_, record| record.attributes = Attributes::LOCKED);
    assert_eq!(code(world.service_ticket(&tgt, "host/www")).0, 7);
    assert_eq!(code(world.login("alice", AsRequest::new(principal("alice")))).0, 7);
}

#[test]
fn a_changed_octet_of_a_request_gets_no_other_ticket() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.service_ticket(&tgt, "host/www").unwrap();
    let fresh = altered(&mut world, &tgt, |_| {}, |_, _| {});
    let TgsReq(request) = wire::decode(&fresh).unwrap();
    let body = fresh.len() - request.req_body.as_bytes().len();
    for at in 0..fresh.len() {
        let mut octets = fresh.clone();
        octets[at] ^= 1 << (at % 8);
        world.deliver(&octets, Transport::Udp);
        let issued = matches!(world.events.last().unwrap().result, EventResult::Issued(_));
        // Outside of the body only what the authenticator does not cover may differ: a name's type, options that are not read.
        assert!(!issued || at < body, "{at} of the body");
        if issued {
            let event = world.events.last().unwrap();
            assert_eq!(event.service.as_deref(), Some("host/www"));
            // Its authenticator is used up now.
            world = World::new();
            let tgt = world.tgt(|_| {});
            world.service_ticket(&tgt, "host/www").unwrap();
            assert_eq!(altered(&mut world, &tgt, |_| {}, |_, _| {}), fresh);
        }
    }
    let answer = world.deliver(&fresh, Transport::Udp).unwrap();
    assert!(wire::decode::<wire::TgsRep>(&answer).is_ok());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_octets_get_no_ticket_and_no_panic(first in 0u8.., rest in proptest::collection::vec(0u8.., 0..200)) {
        let mut world = World::new();
        for first in [first, 0x6a, 0x6c] {
            let octets = [&[first], rest.as_slice()].concat();
            world.deliver(&octets, Transport::Udp);
            let issued = matches!(world.events.last().unwrap().result, EventResult::Issued(_));
            proptest::prop_assert!(!issued);
        }
    }
}

#[test]
fn a_changed_octet_of_a_login_gets_no_more_than_the_login_asked_for() {
    let mut world = World::new();
    let asked = world.tgt(|request| request.options = KdcOptions::empty());
    let (_, valid) = world.sent.last().unwrap().clone();
    for at in 0..valid.len() {
        let mut octets = valid.clone();
        octets[at] ^= 1 << (at % 8);
        let mut world = World::new();
        let answer = world.deliver(&octets, Transport::Udp);
        let Ok(wire::AsRep(reply)) = wire::decode(&answer.unwrap_or_else(|| [].into())) else {
            continue;
        };
        // The body of an AS-REQ is nobody's word: the client notices by the checksum in the reply. But the ticket is alice's,
        // sealed, and no longer than the realm allows.
        assert!(reply.cname.to_name().unwrap().is(&["alice"]), "{at}");
        let EventResult::Issued(issued) = &world.events.last().unwrap().result else {
            panic!("{at}")
        };
        assert!(issued.end <= asked.times.endtime, "{at}");
    }
}
