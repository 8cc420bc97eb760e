//! A mechanism of two steps, to show that what it knows after the first travels with the client.

use std::sync::Arc;

use tessera_common::crypto::EncType;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::KdcOptions;
use tessera_common::name::{Name, Realm, name_type};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, Any, AsReq, KdcReq, KdcReqBody, KrbError, MethodData, PaData, PrincipalName, UInt32, msg_type, pa_type,
};

use super::{AsContext, Audience, Mechanism, Step};
use crate::kerberos::{Kdc, Request};
use crate::realm::accounting::{Origin, Result as EventResult, Transport};
use crate::realm::authentication::Factors;
use crate::realm::founding;
use crate::realm::keys::{self, Former, FreshKeys};
use crate::realm::settings::RealmSettings;
use crate::store::test_realm::{Counter, author, keyring, principal};
use crate::store::{Change, Memory, Store as _};

const TYPE: i32 = -77;
const NOW: KerberosTime = KerberosTime(1_800_000_000);

pub(super) struct TwoSteps;

impl Mechanism for TwoSteps {
    fn pa_type(&self) -> i32 {
        TYPE
    }

    fn name(&self) -> &'static str {
        "two-steps"
    }

    fn unfit(&self, _: &Audience<'_>) -> Option<&'static str> {
        None
    }

    fn step<'a>(
        &self,
        cx: &AsContext<'a>,
        pa: &PaData,
        state: Option<&[u8]>,
        _: &mut dyn tessera_common::Random,
    ) -> Step<'a> {
        let key = cx.client.and_then(|client| cx.keys_of(client).next());
        match (state, &*pa.padata_value.0, key) {
            (None, b"first", _) => Step::More {
                state: b"heard the first".to_vec(),
                padata: vec![PaData::new(TYPE, b"go on".to_vec())],
            },
            (Some(b"heard the first"), b"second", Some(key)) => Step::Done {
                factors: Factors::LONG_TERM_KEY,
                proof: b"proof".to_vec(),
                key,
                padata: Vec::new(),
            },
            _ => Step::Wrong { detail: "out of turn" },
        }
    }
}

struct World {
    store: Memory,
    settings: Arc<RealmSettings>,
}

impl World {
    fn new() -> Self {
        let settings = RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap());
        let store = Memory::new(keyring());
        let mut random = Counter::default();
        let mut changes = founding::found(&store.view(), &settings, &author(), &mut random).unwrap();
        for (seed, name) in [(1, "alice"), (2, "bob")] {
            let mut record = principal(seed, name);
            let fresh = FreshKeys::at_random(&[EncType::Aes256CtsHmacSha1_96], &mut random);
            keys::replace(&store.view(), &mut record, &fresh, Former::Dropped, NOW, &mut random);
            changes.push(Change::Put {
                expected: None,
                record: Box::new(record),
            });
        }
        store.commit(&author(), changes).unwrap();
        Self {
            store,
            settings: Arc::new(settings),
        }
    }

    /// What a KDC that knows of no earlier request answers: the METHOD-DATA, or nothing for a ticket; and the code and reason.
    fn ask(&self, client: &str, padata: &[PaData], now: KerberosTime) -> (MethodData, i32, &'static str) {
        let body = KdcReqBody {
            kdc_options: KdcOptions::empty(),
            cname: Some(PrincipalName::new(name_type::PRINCIPAL, &Name::parse(client).unwrap())),
            realm: (&self.settings.name).into(),
            sname: Some(PrincipalName::new(
                name_type::SRV_INST,
                &Name::krbtgt(&self.settings.name),
            )),
            from: None,
            till: None,
            rtime: None,
            nonce: UInt32(7),
            etype: vec![18],
            addresses: None,
            enc_authorization_data: None,
            additional_tickets: None,
        };
        let request = wire::encode(&AsReq(KdcReq {
            pvno: 5,
            msg_type: msg_type::AS_REQ,
            padata: Some(padata.to_vec()),
            req_body: Any::new(wire::encode(&body)),
        }));
        let address = "192.0.2.7:88".parse().unwrap();
        let request = Request {
            octets: &request,
            origin: Origin {
                peer: address,
                local: address,
                transport: Transport::Tcp,
            },
            now: Timestamp::new(now, 0),
        };
        let kdc = Kdc::new(Arc::clone(&self.settings));
        let outcome = kdc.handle(&self.store.view(), &request, &mut Counter::default());
        let reason = match outcome.event.result {
            EventResult::Refused { reason, .. } => reason,
            EventResult::Issued(_) => return (MethodData::new(), 0, "issued"),
            other => panic!("{other:?}"),
        };
        let error: KrbError = wire::decode(&outcome.answer.unwrap()).unwrap();
        let methods = error.e_data.map(|data| wire::decode(&data).unwrap());
        (methods.unwrap_or_default(), error.error_code, reason)
    }

    fn cookie_of(&self, client: &str) -> PaData {
        let (methods, code, _) = self.ask(client, &[proof(b"first")], NOW);
        assert_eq!(code, ErrorCode::KDC_ERR_MORE_PREAUTH_DATA_REQUIRED.0);
        let types: Vec<_> = methods.iter().map(|pa| pa.padata_type).collect();
        assert_eq!(types, [TYPE, pa_type::FX_COOKIE]);
        methods.into_iter().nth(1).unwrap()
    }

    fn rotate_krbtgt(&self) {
        let view = self.store.view();
        let found = view.find(&Name::krbtgt(&self.settings.name)).unwrap();
        let mut record = found.as_ref().clone();
        let mut random = Counter::default();
        let fresh = FreshKeys::at_random(&self.settings.enctypes, &mut random);
        let former = Former::due(&record, false, &self.settings, NOW);
        keys::replace(&view, &mut record, &fresh, former, NOW, &mut random);
        let change = Change::Put {
            expected: Some(found.revision),
            record: Box::new(record),
        };
        self.store.commit(&author(), vec![change]).unwrap();
    }
}

fn proof(value: &[u8]) -> PaData {
    PaData::new(TYPE, value.to_vec())
}

#[test]
fn any_kdc_of_the_realm_goes_on_where_another_one_began() {
    let world = World::new();
    let cookie = world.cookie_of("alice");
    let (_, _, outcome) = world.ask("alice", &[cookie.clone(), proof(b"second")], NOW);
    assert_eq!(outcome, "issued");
    world.rotate_krbtgt();
    let (_, _, outcome) = world.ask("alice", &[cookie, proof(b"second")], NOW);
    assert_eq!(outcome, "issued", "after krbtgt's key was changed");
    let (_, code, _) = world.ask("alice", &[proof(b"second")], NOW);
    assert_eq!(code, ErrorCode::KDC_ERR_PREAUTH_FAILED.0, "without the cookie");
}

#[test]
fn a_cookie_serves_its_own_client_for_ten_minutes() {
    let world = World::new();
    let cookie = world.cookie_of("alice");
    let later = |seconds: i64| KerberosTime(NOW.0 + seconds);
    let (failed, expired) = (
        ErrorCode::KDC_ERR_PREAUTH_FAILED.0,
        ErrorCode::KDC_ERR_PREAUTH_EXPIRED.0,
    );
    for (client, at, code, reason) in [
        ("alice", NOW, 0, "issued"),
        ("alice", later(600), 0, "issued"),
        ("alice", later(601), expired, "cookie-expired"),
        ("alice", later(-601), expired, "cookie-expired"),
        ("bob", NOW, failed, "cookie-of-another-client"),
    ] {
        let (_, got, why) = world.ask(client, &[cookie.clone(), proof(b"second")], at);
        assert_eq!((got, why), (code, reason), "{client} {at}");
    }
    for value in [&b""[..], b"MIT", b"\x02", b"\x00\x00\x00\x00\x01abc"] {
        let cookie = PaData::new(pa_type::FX_COOKIE, value.to_vec());
        let (_, code, reason) = world.ask("alice", &[cookie, proof(b"second")], NOW);
        assert_eq!((code, reason), (expired, "cookie-of-another-version"), "{value:?}");
    }
}

#[test]
fn an_altered_cookie_is_refused_whatever_was_altered() {
    let world = World::new();
    let cookie = world.cookie_of("alice").padata_value.0;
    for at in 0..cookie.len() {
        let mut altered = cookie.clone();
        altered[at] ^= 1;
        let altered = PaData::new(pa_type::FX_COOKIE, altered);
        let (_, code, reason) = world.ask("alice", &[altered, proof(b"second")], NOW);
        let expected = match at {
            0 => "cookie-of-another-version",
            // A version of krbtgt's key that is not there, or no longer.
            1..5 => "cookie-expired",
            _ => "cookie-altered",
        };
        assert_eq!(reason, expected, "{at} {code}");
    }
    for len in 0..cookie.len() {
        let cut = PaData::new(pa_type::FX_COOKIE, cookie[..len].to_vec());
        let (_, code, _) = world.ask("alice", &[cut, proof(b"second")], NOW);
        assert_ne!(code, 0, "{len}");
    }
}
