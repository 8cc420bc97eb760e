//! What gets through, and as whom.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use tessera_client::service::Caller;
use tessera_client::service::negotiate::{NegotiateLayer, RequireRoleLayer};
use tessera_client::system::{self, SystemRandom};
use tessera_common::crypto::{EncType, Key};
use tessera_common::flags::TicketFlags;
use tessera_common::gss::{self, BindingPolicy, ChannelBindings, ContextFlags};
use tessera_common::spnego::InitiateStep;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::world::{PEER, SERVICE, World, ask, ask_through, assert_refused, challenge, header, offer, offer_of, page};
use tessera_client::service::Connection;

#[tokio::test]
async fn who_has_a_ticket_gets_through_and_the_service_proves_itself() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let ticket = world.ticket();
    let (header, waiting) = offer(&ticket);
    let response = ask(&layer, &[&header]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body(), "alice@EXAMPLE.COM false body");
    let step = waiting
        .step(&challenge(&response).unwrap(), system::now().time)
        .unwrap();
    let InitiateStep::Done { context, token: None } = step else {
        panic!("{step:?}");
    };
    assert_eq!(context.acceptor().to_string(), SERVICE);
    assert_eq!(
        world.logged(),
        [format!("{PEER}: accepted alice@EXAMPLE.COM for {SERVICE}")]
    );
}

#[tokio::test]
async fn a_token_of_kerberos_without_spnego_does_as_well() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let ticket = world.ticket();
    let (token, waiting) = gss::Initiator::new(&ticket).start(system::now(), &mut SystemRandom);
    let response = ask(&layer, &[&header(&token)]).await;
    assert_eq!(response.status(), StatusCode::OK);
    waiting.finish(&challenge(&response).unwrap()).unwrap();
}

#[tokio::test]
async fn who_brings_nothing_or_another_scheme_is_told_what_is_wanted() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    for authorization in [&[][..], &["Basic YWxpY2U6d29uZGVybGFuZA=="], &["Bearer x"]] {
        assert_refused(&ask(&layer, authorization).await, "no ticket");
    }
    // That is how every conversation begins, and nothing to log.
    assert!(world.logged().is_empty());
}

#[tokio::test]
async fn where_strangers_are_welcome_they_get_through_as_nobody_and_bad_tickets_do_not() {
    let world = World::new();
    let layer = NegotiateLayer::optional(world.service());
    assert_eq!(ask(&layer, &[]).await.body(), "nobody false body");
    assert_eq!(ask(&layer, &["Bearer x"]).await.body(), "nobody true body");
    let (header, _) = offer(&world.ticket());
    assert_eq!(ask(&layer, &[&header]).await.body(), "alice@EXAMPLE.COM false body");
    assert_refused(&ask(&layer, &[&header]).await, "a replay");
    assert_refused(&ask(&layer, &["Negotiate x"]).await, "no base64");
}

#[tokio::test]
async fn roles_open_what_they_are_asked_for() {
    let world = World::new();
    let layer = NegotiateLayer::optional(world.service());
    let paid = RequireRoleLayer::any_of(["paid", "staff"]).unwrap();
    let status = async |authorization: Option<String>| {
        let mut request = Request::get("/").body(String::new()).unwrap();
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().unwrap());
        }
        let response = layer
            .layer(paid.layer(service_fn(page)))
            .oneshot(request)
            .await
            .unwrap();
        (response.status(), response.headers().contains_key("www-authenticate"))
    };
    let with = |roles: &[&str]| Some(offer(&world.ticket_with_roles(roles, &world.key)).0);
    assert_eq!(status(None).await, (StatusCode::UNAUTHORIZED, true));
    assert_eq!(status(with(&["staff"])).await, (StatusCode::OK, true));
    assert_eq!(status(with(&["free", "paid"])).await, (StatusCode::OK, true));
    world.logged();
    assert_eq!(status(with(&["free"])).await, (StatusCode::FORBIDDEN, true));
    assert_eq!(
        world.logged(),
        [
            format!("a client: accepted alice@EXAMPLE.COM for {SERVICE}, roles free"),
            "forbidden: alice@EXAMPLE.COM has none of the roles paid, staff".to_owned()
        ]
    );
    // Nobody else than the KDC can say so.
    let other = Key::random(EncType::Aes256CtsHmacSha1_96, &mut SystemRandom);
    let forged = Some(offer(&world.ticket_with_roles(&["paid"], &other)).0);
    assert_eq!(status(forged).await, (StatusCode::FORBIDDEN, true));
    let log = world.logged();
    assert!(
        log[1].starts_with("no roles for alice@EXAMPLE.COM: ") && log[1].contains("MAC"),
        "{log:?}"
    );
    assert!(RequireRoleLayer::any_of(["No Such"]).is_err());
}

// Everything that a caller has to say of itself, as it stands in the ticket.
#[tokio::test]
async fn a_caller_is_what_its_ticket_says() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let caller = async |header: String, connection: &Connection| {
        let mut request = Request::get("/").header("authorization", header).body(()).unwrap();
        request.extensions_mut().insert(connection.clone());
        let handler = async |request: Request<()>| {
            Ok::<_, Infallible>(Response::new(request.extensions().get::<Caller>().cloned()))
        };
        let response = layer.layer(service_fn(handler)).oneshot(request).await.unwrap();
        response.into_body().expect("it got through")
    };
    let plain = caller(offer(&world.ticket()).0, &Connection::new(PEER)).await;
    assert_eq!(plain.service().to_string(), SERVICE);
    assert_eq!(plain.ticket_enctype(), EncType::Aes256CtsHmacSha1_96);
    assert_eq!(plain.session_enctype(), EncType::Aes128CtsHmacSha256_128);
    assert_eq!((plain.id(), plain.roles().len()), (None, 0));
    assert!(plain.delegated().is_none() && !plain.channel_bound());
    assert!(plain.context_flags().contains(ContextFlags::MUTUAL));
    let factors = plain.factors();
    assert_eq!(
        (factors.pre_authenticated, factors.hardware, factors.initial),
        (true, false, false)
    );
    assert_eq!(plain.endtime().0 - plain.authtime().0, 3660);
    assert_eq!((plain.starttime(), plain.renew_till()), (plain.authtime(), None));

    let hardware = world.ticket_with(|draft| {
        draft.part.flags = TicketFlags::HW_AUTHENT | TicketFlags::INITIAL;
    });
    let hardware = caller(offer(&hardware).0, &Connection::new(PEER)).await;
    let factors = hardware.factors();
    assert_eq!(
        (factors.pre_authenticated, factors.hardware, factors.initial),
        (false, true, true)
    );

    let member = caller(
        offer(&world.ticket_with_roles(&["staff"], &world.key)).0,
        &Connection::new(PEER),
    )
    .await;
    assert!(member.has_role("staff") && !member.has_role("admin"));
    assert_eq!(member.id(), Some([7; 16]));

    // What is handed over is what arrives.
    let tgt = world.ticket_with(|draft| draft.service = "krbtgt/EXAMPLE.COM@EXAMPLE.COM".to_owned());
    let ticket = world.ticket();
    let delegating = gss::Initiator::new(&ticket).delegating(&tgt);
    let delegating = caller(offer_of(delegating, system::now()).0, &Connection::new(PEER)).await;
    let arrived = delegating.delegated().unwrap();
    assert_eq!((&arrived.ticket, &arrived.key), (&tgt.ticket, &tgt.key));
    assert!(delegating.ticket_flags().contains(TicketFlags::FORWARDABLE));

    let bindings = ChannelBindings::of_application(b"tls-server-end-point:it");
    let bound = gss::Initiator::new(&ticket).with_bindings(bindings);
    let connection = Connection::new(PEER).with_bindings(Some(bindings));
    assert!(
        caller(offer_of(bound, system::now()).0, &connection)
            .await
            .channel_bound()
    );
}

#[tokio::test]
async fn each_policy_for_channel_bindings_takes_what_it_says() {
    let world = World::new();
    let ours = ChannelBindings::of_application(b"ours");
    let theirs = ChannelBindings::of_application(b"theirs");
    for (policy, sent, taken) in [
        (BindingPolicy::IfPresent, None, true),
        (BindingPolicy::IfPresent, Some(ours), true),
        (BindingPolicy::IfPresent, Some(theirs), false),
        (BindingPolicy::Require, None, false),
        (BindingPolicy::Require, Some(ours), true),
        (BindingPolicy::Require, Some(theirs), false),
        (BindingPolicy::Ignore, None, true),
        (BindingPolicy::Ignore, Some(theirs), true),
    ] {
        // Told once for the service, or with each connection.
        for with_connection in [false, true] {
            let (own, connection) = if with_connection {
                (Some(theirs), Connection::new(PEER).with_bindings(Some(ours)))
            } else {
                (Some(ours), Connection::new(PEER))
            };
            let service = world.builder().with_bindings(own, policy).open().unwrap();
            let layer = NegotiateLayer::new(service.into());
            let ticket = world.ticket();
            let mut initiator = gss::Initiator::new(&ticket);
            if let Some(bindings) = sent {
                initiator = initiator.with_bindings(bindings);
            }
            let (header, _) = offer_of(initiator, system::now());
            let response = ask_through(&layer, &connection, &[&header]).await;
            assert_eq!(
                response.status() == StatusCode::OK,
                taken,
                "{policy:?} {sent:?} {with_connection}"
            );
            let log = world.logged();
            assert_eq!(log[0].contains("channel bindings"), !taken, "{log:?}");
        }
    }
}
