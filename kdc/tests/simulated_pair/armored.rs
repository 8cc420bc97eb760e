//! Logins and tickets through FAST.

use std::time::Duration;

use tessera_client::exchange::{Armor, AsRequest, ClockOffset, ExchangeError, TgsRequest};
use tessera_common::credential::Credential;
use tessera_common::crypto::EncType;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_kdc::realm::principal::Attributes;

use crate::world::{NOON, World, code, hours, principal};

fn armored(world: &mut World, client: &str) -> AsRequest {
    let tgt = world.tgt(|_| {});
    let offset = ClockOffset(-world.client_ahead * 1_000_000);
    AsRequest {
        armor: Some(Armor {
            credential: tgt,
            offset,
        }),
        ..AsRequest::new(principal(client))
    }
}

fn fast(service: &str) -> TgsRequest {
    TgsRequest {
        fast: true,
        ..TgsRequest::new(principal(service))
    }
}

fn with_bob(settle: impl FnOnce(&mut tessera_kdc::realm::settings::RealmSettings)) -> World {
    let mut world = World::with(settle);
    world.add("bob", Some("bob"), |record| {
        record.attributes = Attributes::NOT_A_SERVICE;
    });
    world
}

fn login(world: &mut World) -> Credential {
    let request = armored(world, "bob");
    world.login("bob", request).unwrap().credential
}

#[test]
fn a_login_in_armor_gets_the_ticket_that_it_gets_without() {
    let mut world = with_bob(|_| {});
    let tgt = login(&mut world);
    assert!(tgt.flags.contains(TicketFlags::PRE_AUTHENT | TicketFlags::INITIAL));
    assert_eq!(tgt.client, principal("bob"));
    let event = world.events.last().unwrap();
    assert_eq!(event.armor.as_deref(), Some("alice"));
    assert_eq!(
        (event.client.as_deref(), event.mechanism),
        (Some("bob"), Some("encrypted-challenge"))
    );
    let ticket = world.exchange(&tgt, fast("host/www")).unwrap();
    assert_eq!(ticket.server, principal("host/www"));
    assert_eq!(world.events.last().unwrap().armor.as_deref(), Some("session"));
    assert_eq!(ticket.flags, world.service_ticket(&tgt, "host/www").unwrap().flags);
}

#[test]
fn what_is_refused_in_armor_has_the_code_that_it_has_without() {
    let mut world = with_bob(|_| {});
    let request = armored(&mut world, "bob");
    let ask = |world: &mut World, password: &str| code(world.login(password, request.clone()));
    assert_eq!(ask(&mut world, "wrong"), ErrorCode::KDC_ERR_PREAUTH_FAILED);
    world.change("bob", |_, record| record.password_expires = Some(NOON));
    assert_eq!(ask(&mut world, "bob"), ErrorCode::KDC_ERR_KEY_EXPIRED);
    world.change("bob", |_, record| record.attributes = Attributes::LOCKED);
    assert_eq!(ask(&mut world, "bob"), ErrorCode::KDC_ERR_CLIENT_REVOKED);
    world.remove("bob");
    assert_eq!(ask(&mut world, "bob"), ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN);
    let tgt = world.tgt(|_| {});
    let unknown = world.exchange(&tgt, fast("host/nowhere"));
    assert_eq!(code(unknown), ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN);
    assert_eq!(world.events.last().unwrap().armor.as_deref(), Some("session"));
}

#[test]
fn armor_that_is_over_is_told_in_the_clear() {
    let mut world = with_bob(|_| {});
    let request = armored(&mut world, "bob");
    world.pass(hours(10) + Duration::from_secs(301));
    match world.login("bob", request) {
        Err(ExchangeError::Unarmored { refusal, .. }) => {
            assert_eq!(refusal.code, ErrorCode::KRB_AP_ERR_TKT_EXPIRED);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.last_reason(), "ticket-expired");
}

#[test]
fn a_clock_that_is_off_is_corrected_in_armor_too() {
    for ahead in [-3600, 3600] {
        let mut world = with_bob(|_| {});
        world.client_ahead = ahead;
        login(&mut world);
    }
}

#[test]
fn every_enctype_proves_every_other_ones_armor() {
    for armor in [EncType::Aes256CtsHmacSha1_96, EncType::Aes128CtsHmacSha1_96] {
        for own in [EncType::Aes256CtsHmacSha1_96, EncType::Aes128CtsHmacSha1_96] {
            let mut world = with_bob(|_| {});
            let tgt = world.tgt(|request| request.etypes = vec![armor]);
            assert_eq!(tgt.key.etype(), armor);
            let request = AsRequest {
                armor: Some(Armor {
                    credential: tgt,
                    offset: ClockOffset(0),
                }),
                etypes: vec![own],
                ..AsRequest::new(principal("bob"))
            };
            world.login("bob", request).unwrap();
        }
    }
}

#[test]
fn who_has_to_come_armored_gets_nothing_else_wherever_that_is_said() {
    let mut world = with_bob(|settings| settings.require_fast = true);
    let refused = |world: &mut World| {
        let plain = world.login("bob", AsRequest::new(principal("bob"))).unwrap_err();
        assert!(
            matches!(plain, ExchangeError::NoCommonPreauth { armored: false, .. }),
            "{plain:?}"
        );
        assert_eq!(world.last_reason(), "armor-required");
    };
    refused(&mut world);
    // The armor comes from whom the rule does not concern.
    world.settle(|settings| settings.require_fast = false);
    let request = armored(&mut world, "bob");
    world.settle(|settings| settings.require_fast = true);
    world.login("bob", request.clone()).unwrap();

    world.settle(|settings| settings.require_fast = false);
    world.change("bob", |_, record| {
        record.attributes = Attributes::REQUIRE_FAST | Attributes::NO_PREAUTH;
    });
    refused(&mut world);
    world.login("bob", request).unwrap();
}
