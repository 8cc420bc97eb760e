//! What an exchange costs without sockets and log, in nanoseconds: `cargo bench -p tessera-kdc --bench exchanges`.
//!
//! A thousand users ask in turn, each time with a new request, as busy principals do; replays are looked for and answers
//! remembered. Each figure is the best of many short runs, so that other work on the machine disturbs it little.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark may stop at the first thing that is wrong, and looks at the clock"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera_client::exchange::{ClockOffset, TgsExchange, TgsRequest};
use tessera_common::Random;
use tessera_common::credential::{Credential, TicketTimes};
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::flags::KdcOptions;
use tessera_common::name::{Name, Principal, Realm, name_type};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, Any, AsRep, AsReq, EncAsRepPart, EncryptedData, KdcReq, KdcReqBody, Microseconds, PaData, PaEncTsEnc,
    PrincipalName, UInt32, msg_type, pa_type,
};
use tessera_kdc::kerberos::{Kdc, Request};
use tessera_kdc::random::ThreadRandom;
use tessera_kdc::realm::access::Access;
use tessera_kdc::realm::accounting::{Event, Origin, Transport};
use tessera_kdc::realm::policy::{DEFAULT_POLICY, Policy, PolicyName, PolicyParts};
use tessera_kdc::realm::principal::{Attributes, PrincipalId, PrincipalRecord, StoredKey};
use tessera_kdc::realm::settings::RealmSettings;
use tessera_kdc::store::{Author, Change, Keyring, MasterKey, Memory, Store, View};

const USERS: usize = 1000;
const RUNS: usize = 40;
const RUN: usize = 1000;
const ETYPE: EncType = EncType::Aes256CtsHmacSha1_96;

fn main() {
    // `cargo test --all-targets` and test runners start benchmarks too: they have nothing to test.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let realm = World::new();
    let tgts: Vec<_> = (0..USERS).map(|user| realm.tgt(user)).collect();
    realm.measure("AS, no pre-authentication: refused", |user| realm.bare(user));
    realm.measure("AS, encrypted timestamp", |user| realm.initial(user));
    let limited = World::limited();
    limited.measure("AS, wrong passwords are counted", |user| limited.initial(user));
    realm.measure("TGS", |user| realm.further(tgts.get(user).unwrap()));
}

struct World {
    realm: Realm,
    keys: Vec<Key>,
    store: Memory,
    kdc: Kdc,
}

impl World {
    /// A realm whose default policy limits wrong passwords.
    fn limited() -> Self {
        let mut parts = PolicyParts::new(PolicyName::new(DEFAULT_POLICY).unwrap());
        parts.body.max_failures = Some(10);
        let mut realm = Self::new();
        let mut settings = RealmSettings::new(realm.realm.clone());
        settings.access = Access::default().with_policies([Policy::new(parts).unwrap()]);
        realm.kdc = Kdc::new(Arc::new(settings));
        realm
    }

    fn new() -> Self {
        let realm = Realm::new("EXAMPLE.COM").unwrap();
        let random = &mut ThreadRandom;
        let store = Memory::new(Keyring::new(MasterKey::random(1, random)));
        let mut add = |name: Name, attributes| {
            let mut id = PrincipalId([0; 16]);
            random.fill(&mut id.0);
            let key = Key::random(ETYPE, random);
            let stored = StoredKey {
                kvno: 1,
                etype: ETYPE,
                salt: (name.len() == 1).then(|| name.default_salt(&realm)),
                made: None,
                retired: None,
                sealed: store.view().seal(id, 1, &key, random),
            };
            let now = KerberosTime(0);
            let record = PrincipalRecord {
                keys: vec![stored],
                attributes,
                keys_changed: Some(now),
                ..PrincipalRecord::new(id, name, now, "bench")
            };
            let change = Change::Put {
                expected: None,
                record: Box::new(record),
            };
            let author = Author::unproved("bench", now);
            store.commit(&author, vec![change]).unwrap();
            key
        };
        add(Name::krbtgt(&realm), Attributes::empty());
        add(host(), Attributes::empty());
        let keys = (0..USERS)
            .map(|user| add(name(user), Attributes::NOT_A_SERVICE))
            .collect();
        Self {
            kdc: Kdc::new(Arc::new(RealmSettings::new(realm.clone()))),
            realm,
            keys,
            store,
        }
    }

    fn measure(&self, what: &str, request: impl Fn(usize) -> Vec<u8>) {
        let mut best = Duration::MAX;
        let mut handle = self.store.view().lasting();
        for run in 0..RUNS {
            let requests: Vec<_> = (0..RUN).map(|n| request((n * 7 + run) % USERS)).collect();
            let start = Instant::now();
            for octets in &requests {
                self.store.renew(&mut handle);
                black_box(self.answer(&handle, octets));
            }
            best = best.min(start.elapsed());
        }
        println!("{what:36}{:>8} ns", best.as_nanos() / RUN as u128);
    }

    fn answer(&self, view: &View, octets: &[u8]) -> (Option<Arc<[u8]>>, Event) {
        let peer = ([127, 0, 0, 1], 88).into();
        let request = Request {
            octets,
            origin: Origin {
                peer,
                local: peer,
                transport: Transport::Udp,
            },
            now: tessera_kdc::clock::now(),
        };
        let outcome = self.kdc.handle(view, &request, &mut ThreadRandom);
        (outcome.answer, outcome.event)
    }

    fn bare(&self, user: usize) -> Vec<u8> {
        self.as_req(user, Vec::new())
    }

    fn initial(&self, user: usize) -> Vec<u8> {
        let now = tessera_kdc::clock::now();
        let stamp = wire::encode(&PaEncTsEnc {
            patimestamp: now.time,
            pausec: Some(Microseconds(now.usec)),
        });
        let key = self.keys.get(user).unwrap();
        let sealed = EncryptedData {
            etype: ETYPE.number(),
            kvno: None,
            cipher: key
                .encrypt(KeyUsage::PA_ENC_TIMESTAMP, &stamp, &mut ThreadRandom)
                .into(),
        };
        self.as_req(user, vec![PaData::new(pa_type::ENC_TIMESTAMP, wire::encode(&sealed))])
    }

    fn as_req(&self, user: usize, padata: Vec<PaData>) -> Vec<u8> {
        let mut nonce = [0; 4];
        ThreadRandom.fill(&mut nonce);
        let body = KdcReqBody {
            kdc_options: KdcOptions::RENEWABLE_OK,
            cname: Some(PrincipalName::new(name_type::PRINCIPAL, &name(user))),
            realm: (&self.realm).into(),
            sname: Some(PrincipalName::new(name_type::SRV_INST, &Name::krbtgt(&self.realm))),
            from: None,
            till: Some(KerberosTime::EPOCH),
            rtime: None,
            nonce: UInt32(u32::from_be_bytes(nonce) >> 1),
            etype: vec![ETYPE.number()],
            addresses: None,
            enc_authorization_data: None,
            additional_tickets: None,
        };
        wire::encode(&AsReq(KdcReq {
            pvno: wire::PVNO,
            msg_type: msg_type::AS_REQ,
            padata: Some(padata),
            req_body: Any::new(wire::encode(&body)),
        }))
    }

    fn tgt(&self, user: usize) -> Credential {
        let (answer, _) = self.answer(&self.store.view(), &self.initial(user));
        let AsRep(rep) = wire::decode(&answer.unwrap()).unwrap();
        let plain = self.keys.get(user).unwrap();
        let plain = plain.decrypt(KeyUsage::AS_REP, &rep.enc_part.cipher).unwrap();
        let EncAsRepPart(part) = wire::decode(&plain).unwrap();
        let principal = |name| Principal {
            name,
            realm: self.realm.clone(),
        };
        Credential {
            client: principal(name(user)),
            server: principal(Name::krbtgt(&self.realm)),
            key: Key::new(ETYPE, &part.key.keyvalue).unwrap(),
            times: TicketTimes {
                authtime: part.authtime,
                starttime: part.starttime.unwrap(),
                endtime: part.endtime,
                renew_till: part.renew_till,
            },
            flags: part.flags,
            addresses: Vec::new(),
            authorization_data: Vec::new(),
            ticket: rep.ticket.into_bytes(),
            second_ticket: Vec::new(),
        }
    }

    fn further(&self, tgt: &Credential) -> Vec<u8> {
        let service = Principal {
            name: host(),
            realm: self.realm.clone(),
        };
        let now: Timestamp = tessera_kdc::clock::now();
        let request = TgsRequest::new(service);
        TgsExchange::begin(tgt.clone(), request, ClockOffset(0), now, &mut ThreadRandom)
            .1
            .octets
    }
}

fn host() -> Name {
    Name::new(["host", "server.example.com"]).unwrap()
}

fn name(user: usize) -> Name {
    Name::new([format!("user{user}")]).unwrap()
}
