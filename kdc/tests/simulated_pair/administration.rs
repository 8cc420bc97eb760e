//! Beginning a conversation for administration from afar, and going on with it.

use std::time::Duration;

use tessera_client::exchange::{AsRequest, TgsRequest};
use tessera_common::admin::REQUIRED;
use tessera_common::credential::Credential;
use tessera_common::error_code::ErrorCode;
use tessera_common::gss::{InitiateError, Initiator};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_kdc::kerberos::{Administrator, Opening, Request};
use tessera_kdc::realm::accounting::{Origin, Result as EventResult, Transport};
use tessera_kdc::realm::authentication::Factors;
use tessera_kdc::realm::denied::Denied;
use tessera_kdc::realm::principal::Attributes;

use crate::world::{World, hours, principal};

impl World {
    fn with_administration() -> Self {
        let mut world = Self::new();
        world.add("kadmin/admin", None, |record| {
            record.attributes = Attributes::NOT_TGT_BASED;
        });
        world
    }

    fn ticket_to_administer(&mut self) -> Credential {
        let mut request = AsRequest::new(principal("alice"));
        request.service = Some("kadmin/admin".parse().unwrap());
        self.login("alice", request).unwrap().credential
    }

    fn open_administration(&mut self, token: &[u8]) -> Opening {
        let origin = Origin {
            peer: self.peer.parse().unwrap(),
            local: "192.0.2.1:749".parse().unwrap(),
            transport: Transport::Tcp,
        };
        let request = Request {
            octets: token,
            origin,
            now: Timestamp::new(self.now, 0),
        };
        let view = tessera_kdc::store::Store::view(&self.store);
        self.kdc.open_administration(&view, &request, &mut self.random)
    }

    /// What an honest client gets with this ticket.
    fn begin(&mut self, ticket: &Credential) -> Opening {
        let clock = self.client_clock();
        let (token, awaiting) = Initiator::new(ticket).start(clock, &mut self.random);
        let opening = self.open_administration(&token);
        if opening.conversation.is_some() {
            let context = awaiting.finish(opening.token.as_ref().unwrap()).unwrap();
            assert!(context.flags().contains(REQUIRED));
        }
        opening
    }

    fn admitted(&mut self, ticket: &Credential) -> Administrator {
        let opening = self.begin(ticket);
        assert_eq!(opening.event.result, EventResult::Admitted);
        opening.conversation.unwrap().admitted.unwrap()
    }

    /// The reason in the log, and whether the client is told within a context.
    fn refused(&mut self, ticket: &Credential) -> (&'static str, bool) {
        let opening = self.begin(ticket);
        let EventResult::Refused { reason, .. } = opening.event.result else {
            panic!("{:?}", opening.event)
        };
        let told = opening
            .conversation
            .map(|conversation| conversation.admitted.unwrap_err());
        (reason, told.is_some())
    }

    fn readmit(&self, administrator: &Administrator) -> Result<Administrator, Denied> {
        let view = tessera_kdc::store::Store::view(&self.store);
        self.kdc.readmit_administrator(&view, administrator, self.now)
    }
}

#[test]
fn who_has_the_password_is_admitted_and_known_by_identity_name_and_factors() {
    let mut world = World::with_administration();
    let ticket = world.ticket_to_administer();
    let alice = world.admitted(&ticket);
    assert_eq!(
        (&alice.name, alice.factors),
        (&principal("alice"), Factors::LONG_TERM_KEY)
    );
    world.change("alice", |_, record| record.attributes = Attributes::NO_PREAUTH);
    let ticket = world.ticket_to_administer();
    let unproved = world.admitted(&ticket);
    assert_eq!((unproved.id, unproved.factors), (alice.id, Factors::NONE));
}

#[test]
fn a_first_token_is_good_once_and_the_client_is_told() {
    let mut world = World::with_administration();
    let ticket = world.ticket_to_administer();
    let clock = world.client_clock();
    let (token, awaiting) = Initiator::new(&ticket).start(clock, &mut world.random);
    assert!(world.open_administration(&token).conversation.is_some());
    let again = world.open_administration(&token);
    assert!(again.conversation.is_none());
    let EventResult::Refused { reason, code, .. } = again.event.result else {
        panic!("{:?}", again.event)
    };
    assert_eq!((reason, code), ("authenticator-replayed", ErrorCode::KRB_AP_ERR_REPEAT));
    assert!(matches!(
        awaiting.finish(&again.token.unwrap()),
        Err(InitiateError::Reply(_))
    ));
}

#[test]
fn a_ticket_for_another_service_or_got_with_another_ticket_is_refused() {
    let mut world = World::with_administration();
    let tgt = world.tgt(|_| {});
    let host = world.service_ticket(&tgt, "host/www").unwrap();
    for ticket in [&tgt, &host] {
        assert_eq!(world.refused(ticket), ("ticket-for-another-service", false));
    }
    world.change("kadmin/admin", |_, record| record.attributes = Attributes::empty());
    let ticket = world
        .exchange(&tgt, TgsRequest::new(principal("kadmin/admin")))
        .unwrap();
    assert_eq!(world.refused(&ticket), ("ticket-not-initial", true));
}

#[test]
fn what_is_no_first_token_gets_no_answer() {
    let mut world = World::with_administration();
    for octets in [&b""[..], b"{\"protocol\":2}", b"\x60\x02\x06\x00", &[0xff; 100]] {
        let opening = world.open_administration(octets);
        assert!(opening.token.is_none() && opening.conversation.is_none());
        let EventResult::Refused { reason, .. } = opening.event.result else {
            panic!("{:?}", opening.event)
        };
        assert_eq!(reason, "not-a-first-token");
    }
    // Nor does who waits for none.
    let ticket = world.ticket_to_administer();
    let clock = world.client_clock();
    let (token, _) = Initiator::new(&ticket).start_one_way(clock, &mut world.random);
    let opening = world.open_administration(&token);
    assert!(opening.token.is_none() && opening.conversation.is_none());
}

#[test]
fn a_former_key_of_the_service_opens_tickets_until_its_time() {
    let mut world = World::with_administration();
    let ticket = world.ticket_to_administer();
    let until = KerberosTime(world.now.0 + 3600);
    world.change("kadmin/admin", |world, record| {
        let fresh = world.keys(record, 2, None);
        record.keys.iter_mut().for_each(|key| key.retired = Some(until));
        record.keys.splice(0..0, fresh);
    });
    world.pass(Duration::from_secs(3599));
    world.admitted(&ticket);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.refused(&ticket), ("ticket-key-version", false));
    let ticket = world.ticket_to_administer();
    world.admitted(&ticket);
}

#[test]
fn the_clock_may_be_off_by_the_skew_and_a_ticket_is_good_until_its_end_and_the_skew() {
    for (ahead, admitted) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let mut world = World::with_administration();
        let ticket = world.ticket_to_administer();
        world.client_ahead = ahead;
        let opening = world.begin(&ticket);
        assert_eq!(opening.conversation.is_some(), admitted, "{ahead} s");
    }
    let mut world = World::with_administration();
    let ticket = world.ticket_to_administer();
    let left = ticket.times.endtime.0 - world.now.0;
    world.pass(Duration::from_secs(u64::try_from(left).unwrap() + 300));
    world.admitted(&ticket);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.refused(&ticket), ("ticket-expired", false));
}

#[test]
fn an_account_that_is_no_longer_good_neither_begins_nor_goes_on() {
    type Change = fn(&mut World);
    let rows: [(&str, Option<Denied>, Change); 6] = [
        ("client-locked", Some(Denied::ClientLocked), |world| {
            world.change("alice", |_, record| record.attributes = Attributes::LOCKED);
        }),
        ("client-expired", Some(Denied::ClientExpired), |world| {
            world.change("alice", |world, record| record.expires = Some(world.now));
        }),
        ("client-replaced", Some(Denied::ClientReplaced), |world| {
            world.remove("alice");
            world.add("alice", Some("alice"), |_| {});
        }),
        // Without a key there is nothing that opens the ticket.
        ("ticket-key-version", Some(Denied::ServiceLocked), |world| {
            world.change("kadmin/admin", |_, record| record.attributes = Attributes::LOCKED);
        }),
        // What is due to be changed is asked for at the beginning only: who is in is not put out by it.
        ("password-must-change", None, |world| {
            world.change("alice", |_, record| {
                record.attributes = Attributes::MUST_CHANGE_PASSWORD;
            });
        }),
        ("password-expired", None, |world| {
            world.change("alice", |world, record| record.password_expires = Some(world.now));
        }),
    ];
    for (reason, denied, change) in rows {
        let mut world = World::with_administration();
        let ticket = world.ticket_to_administer();
        let alice = world.admitted(&ticket);
        assert_eq!(world.readmit(&alice).as_ref(), Ok(&alice));
        change(&mut world);
        let told = reason != "ticket-key-version";
        assert_eq!(world.refused(&ticket), (reason, told));
        match denied {
            Some(denied) => assert_eq!(world.readmit(&alice), Err(denied)),
            None => assert_eq!(world.readmit(&alice), Ok(alice), "{reason}"),
        }
    }
}

#[test]
fn who_is_renamed_goes_on_under_the_new_name() {
    let mut world = World::with_administration();
    let ticket = world.ticket_to_administer();
    let alice = world.admitted(&ticket);
    world.change("alice", |_, record| record.name = "al".parse().unwrap());
    let al = world.readmit(&alice).unwrap();
    assert_eq!((al.id, al.name), (alice.id, principal("al")));
    // And begins no more with a ticket that has the old one.
    assert_eq!(world.refused(&ticket), ("client-replaced", true));
    world.pass(hours(1));
}
