//! Clients that like another mechanism better than Kerberos: it takes them more than one request.

use http::StatusCode;
use tessera_client::service::Connection;
use tessera_client::service::negotiate::NegotiateLayer;
use tessera_client::system::{self, SystemRandom};
use tessera_common::gss;
use tessera_common::spnego::{Mech, MechTypeList, NegState, NegToken, NegTokenInit, NegTokenResp};

use super::world::{PEER, World, ask_through, assert_refused, challenge, header, offer};

fn list() -> MechTypeList {
    MechTypeList::new(Mech::Ntlm, &[Mech::Kerberos])
}

// NTLM first, with something of it along.
fn first() -> String {
    header(
        &NegTokenInit {
            mech_types: list(),
            mech_token: Some(b"NTLMSSP\0 and more"),
            hints: None,
            mech_list_mic: None,
        }
        .encode(),
    )
}

#[tokio::test]
async fn it_goes_on_in_the_same_connection() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let connection = Connection::new(PEER);
    let response = ask_through(&layer, &connection, &[&first()]).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let token = challenge(&response).unwrap();
    let NegToken::Resp(answer) = NegToken::decode(&token).unwrap() else {
        panic!("{token:?}");
    };
    assert_eq!(answer.neg_state, Some(NegState::RequestMic));

    let ticket = world.ticket();
    let (krb5, waiting) = gss::Initiator::new(&ticket).start(system::now(), &mut SystemRandom);
    let second = header(
        &NegTokenResp {
            response_token: Some(&krb5),
            ..NegTokenResp::default()
        }
        .encode(),
    );
    let response = ask_through(&layer, &connection, &[&second]).await;
    assert_eq!(
        response.status(),
        StatusCode::UNAUTHORIZED,
        "nobody is let in before the MIC is there"
    );
    let token = challenge(&response).unwrap();
    let NegToken::Resp(answer) = NegToken::decode(&token).unwrap() else {
        panic!("{token:?}");
    };
    let mut context = waiting.finish(answer.response_token.unwrap()).unwrap();
    let now = system::now().time;
    context
        .verify_mic(list().octets(), answer.mech_list_mic.unwrap(), now)
        .unwrap();
    let mic = context.mic(list().octets(), now).unwrap();
    let third = header(
        &NegTokenResp {
            mech_list_mic: Some(&mic),
            ..NegTokenResp::default()
        }
        .encode(),
    );
    let response = ask_through(&layer, &connection, &[&third]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body(), "alice@EXAMPLE.COM false body");

    // It was the third token alone that opened, and only then.
    assert_refused(&ask_through(&layer, &connection, &[&third]).await, "once more");
}

#[tokio::test]
async fn it_does_not_go_on_in_another_connection_or_where_none_is_known() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let (one, other) = (Connection::new(PEER), Connection::new(PEER));
    assert!(challenge(&ask_through(&layer, &one, &[&first()]).await).is_some());
    let ticket = world.ticket();
    let (krb5, _) = gss::Initiator::new(&ticket).start(system::now(), &mut SystemRandom);
    let second = header(
        &NegTokenResp {
            response_token: Some(&krb5),
            ..NegTokenResp::default()
        }
        .encode(),
    );
    assert_refused(&ask_through(&layer, &other, &[&second]).await, "another connection");
    assert!(world.logged()[0].contains("its negotiation began elsewhere"));
    assert_refused(
        &ask_through(&layer, &Connection::unknown(), &[&first()]).await,
        "no connection",
    );
    assert!(world.logged()[0].contains("more than one request"));
}

#[tokio::test]
async fn a_client_may_begin_anew() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let connection = Connection::new(PEER);
    assert!(challenge(&ask_through(&layer, &connection, &[&first()]).await).is_some());
    let response = ask_through(&layer, &connection, &[&offer(&world.ticket()).0]).await;
    assert_eq!(response.status(), StatusCode::OK);
}
