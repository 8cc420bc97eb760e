//! Changing passwords.

use std::sync::Arc;

use tessera_client::exchange::{AsRequest, TgsRequest};
use tessera_common::credential::Credential;
use tessera_common::kpasswd::{self, NewPassword, ResultCode};
use tessera_common::time::Timestamp;
use tessera_kdc::kerberos::{PasswordStep, Request};
use tessera_kdc::realm::accounting::{Origin, Result as EventResult, Transport};
use tessera_kdc::realm::principal::Attributes;

use crate::world::{World, principal};

impl World {
    fn changepw(&mut self, password: &str) -> Credential {
        let mut request = AsRequest::new(principal("alice"));
        request.service = Some("kadmin/changepw".parse().unwrap());
        self.login(password, request).unwrap().credential
    }

    fn open_password(&mut self, octets: &[u8]) -> PasswordStep {
        let origin = Origin {
            peer: self.peer.parse().unwrap(),
            local: "192.0.2.1:464".parse().unwrap(),
            transport: Transport::Udp,
        };
        let now = Timestamp::new(self.now, 0);
        let request = Request { octets, origin, now };
        let view = tessera_kdc::store::Store::view(&self.store);
        self.kdc.open_password(&view, &request, &mut self.random)
    }

    /// What the realm does with a request; the answer, and the reason if there was none to change.
    fn password_answer(&mut self, octets: &[u8]) -> Option<Arc<[u8]>> {
        match self.open_password(octets) {
            PasswordStep::Answered(outcome) => {
                self.events.push(outcome.event);
                outcome.answer
            }
            PasswordStep::Change(change) => {
                let password = String::from_utf8(change.password().to_vec()).unwrap();
                let view = tessera_kdc::store::Store::view(&self.store);
                let name = view.get(change.target()).unwrap().name.to_string();
                self.change(&name, |world, record| {
                    record.keys = world.keys(record, record.kvno().unwrap() + 1, Some(&password));
                    record.attributes = record.attributes.without(Attributes::MUST_CHANGE_PASSWORD);
                    record.password_expires = None;
                });
                let outcome = change.changed(Timestamp::new(self.now, 0), &mut self.random);
                self.events.push(outcome.event);
                outcome.answer
            }
        }
    }

    fn change_password(&mut self, credential: &Credential, new: &NewPassword) -> ResultCode {
        let clock = self.client_clock();
        let (change, octets) =
            kpasswd::PasswordChange::begin(credential, new, own_address(), clock, &mut self.random).unwrap();
        let answer = self.password_answer(&octets).unwrap();
        // The identical request gets the identical answer.
        assert_eq!(self.password_answer(&octets).unwrap(), answer);
        assert_eq!(self.events.pop().unwrap().result, EventResult::Repeated);
        change.read_reply(&answer).unwrap().code
    }
}

fn own_address() -> tessera_common::wire::HostAddress {
    "192.0.2.7".parse::<std::net::IpAddr>().unwrap().into()
}

#[test]
fn a_changed_password_is_good_and_the_old_one_is_not() {
    let mut world = World::new();
    let credential = world.changepw("alice");
    assert_eq!(
        world.change_password(&credential, &NewPassword::own(b"rabbit")),
        ResultCode::SUCCESS
    );
    assert!(world.login("rabbit", AsRequest::new(principal("alice"))).is_ok());
    assert!(world.login("alice", AsRequest::new(principal("alice"))).is_err());
}

#[test]
fn an_expired_password_is_changed_with_itself() {
    let mut world = World::new();
    world.change("alice", |_, record| {
        record.attributes = Attributes::MUST_CHANGE_PASSWORD;
    });
    assert!(world.login("alice", AsRequest::new(principal("alice"))).is_err());
    let credential = world.changepw("alice");
    assert_eq!(
        world.change_password(&credential, &NewPassword::own(b"rabbit")),
        ResultCode::SUCCESS
    );
    assert!(world.login("rabbit", AsRequest::new(principal("alice"))).is_ok());
}

#[test]
fn what_may_not_be_changed_says_why() {
    let mut world = World::new();
    world.add("bob", Some("bob"), |_| {});
    let credential = world.changepw("alice");
    let bobs = NewPassword::of(&principal("bob"), b"mine");
    assert_eq!(world.change_password(&credential, &bobs), ResultCode::ACCESSDENIED);
    assert_eq!(world.last_reason(), "password-of-another");
    let own = NewPassword::of(&principal("alice"), b"rabbit");
    assert_eq!(world.change_password(&credential, &own), ResultCode::SUCCESS);
    assert_eq!(
        world.change_password(&credential, &NewPassword::own(b"")),
        ResultCode::SOFTERROR
    );
    world.change("alice", |_, record| record.attributes = Attributes::LOCKED);
    assert_eq!(
        world.change_password(&credential, &NewPassword::own(b"x")),
        ResultCode::ACCESSDENIED
    );
}

#[test]
fn other_tickets_than_an_initial_one_for_changepw_do_not_do() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    let host = world.service_ticket(&tgt, "host/www").unwrap();
    for held in [&tgt, &host] {
        let clock = world.client_clock();
        let (_, octets) =
            kpasswd::PasswordChange::begin(held, &NewPassword::own(b"x"), own_address(), clock, &mut world.random)
                .unwrap();
        let PasswordStep::Answered(outcome) = world.open_password(&octets) else {
            panic!("taken")
        };
        let answer = outcome.answer.unwrap();
        let kpasswd::Reply::Error(error) = kpasswd::Reply::decode(&answer).unwrap() else {
            panic!("sealed")
        };
        let error: tessera_common::wire::KrbError = tessera_common::wire::decode(error).unwrap();
        assert_eq!(
            error.error_code,
            tessera_common::error_code::ErrorCode::KRB_AP_ERR_NOT_US.0
        );
        let said = kpasswd::Outcome::decode(&error.e_data.unwrap()).unwrap();
        assert_eq!(said.code, ResultCode::AUTHERROR);
    }
    // Were the service's tickets to be had from a TGT after all, they would not be initial.
    world.change("kadmin/changepw", |_, record| record.attributes = Attributes::empty());
    let derived = world
        .exchange(&tgt, TgsRequest::new(principal("kadmin/changepw")))
        .unwrap();
    assert_eq!(
        world.change_password(&derived, &NewPassword::own(b"x")),
        ResultCode::INITIAL_FLAG_NEEDED
    );
}

#[test]
fn what_is_no_request_gets_no_answer() {
    let mut world = World::new();
    let error = wire_error(&mut world);
    let framed = kpasswd::Reply::Error(&error).encode(kpasswd::Version::Change).unwrap();
    for octets in [&b""[..], b"x", b"\x00\x06\x00\x01\x00\x00", &error, &framed] {
        assert_eq!(world.password_answer(octets), None);
        assert_eq!(world.last_reason(), "not-a-request");
    }
}

fn wire_error(world: &mut World) -> Vec<u8> {
    let (_, outbound) = tessera_client::exchange::AsExchange::begin(
        AsRequest::new(principal("alice")),
        world.client_clock(),
        &mut world.random,
    );
    world.deliver(&outbound.octets, Transport::Udp).unwrap().to_vec()
}

#[test]
fn a_removed_principals_ticket_does_not_change_its_successors_password() {
    let mut world = World::new();
    let credential = world.changepw("alice");
    world.pass(std::time::Duration::from_secs(1));
    world.remove("alice");
    world.add("alice", Some("other"), |_| {});
    assert_eq!(
        world.change_password(&credential, &NewPassword::own(b"x")),
        ResultCode::ACCESSDENIED
    );
    assert_eq!(world.last_reason(), "client-replaced");
}
