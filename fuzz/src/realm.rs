//! A realm with fixed keys at a fixed time, and the requests that its clients make.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tessera_client::exchange::{AsExchange, AsRequest, AsStep, ClockOffset, TgsExchange, TgsRequest, TgsStep};
use tessera_common::Random;
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key};
use tessera_common::kpasswd::{NewPassword, PasswordChange};
use tessera_common::name::{Name, Principal, Realm};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_kdc::kerberos::{Kdc, Opening, PasswordStep, Request};
use tessera_kdc::realm::accounting::{Origin, Transport};
use tessera_kdc::realm::principal::{Attributes, PrincipalId, PrincipalRecord, StoredKey};
use tessera_kdc::realm::settings::RealmSettings;
use tessera_kdc::store::{Author, Change, Keyring, MasterKey, Memory, Store as _, View};

/// The time of every exchange.
pub const NOON: Timestamp = Timestamp {
    time: KerberosTime(1_800_014_400),
    usec: 500_000,
};
/// The enctype of every key here.
pub const ETYPE: EncType = EncType::Aes128CtsHmacSha1_96;

/// Octets that are not random at all.
#[derive(Default)]
pub struct Counter(u64);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 += 1;
            let octets = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            chunk.copy_from_slice(&octets[..chunk.len()]);
        }
    }
}

/// Who is in the realm, and the key of each.
pub const PRINCIPALS: [(&str, u8); 5] = [
    ("krbtgt/EXAMPLE.COM", 1),
    ("kadmin/changepw", 2),
    ("alice", 3),
    ("host/www", 4),
    ("kadmin/admin", 5),
];

/// The realm. Keys come from the table above and not from chance, so that requests once made stay good.
pub struct TestRealm {
    view: Arc<View>,
    settings: Arc<RealmSettings>,
}

/// Every request of one client's day, and every answer.
#[derive(Default)]
pub struct Day {
    pub as_requests: Vec<Vec<u8>>,
    pub as_replies: Vec<Vec<u8>>,
    pub tgs_requests: Vec<Vec<u8>>,
    pub tgs_replies: Vec<Vec<u8>>,
    pub password_requests: Vec<Vec<u8>>,
    pub password_replies: Vec<Vec<u8>>,
    pub credentials: Vec<Credential>,
}

thread_local! {
    static REALM: TestRealm = TestRealm::new();
    static TGT: RefCell<Option<Credential>> = const { RefCell::new(None) };
}

/// Does something with the realm, which is made once.
pub fn with_realm<T>(act: impl FnOnce(&TestRealm) -> T) -> T {
    REALM.with(act)
}

/// Alice's ticket-granting ticket.
pub fn alices_tgt() -> Credential {
    let known = TGT.with_borrow(Clone::clone);
    known.unwrap_or_else(|| {
        let tgt = with_realm(|realm| realm.login(AsRequest::new(principal("alice")), &mut Day::default()));
        TGT.set(Some(tgt.clone()));
        tgt
    })
}

/// A principal of the realm.
pub fn principal(name: &str) -> Principal {
    Principal::new(Name::parse(name).unwrap(), Realm::new("EXAMPLE.COM").unwrap())
}

/// The key of a principal of the realm.
pub fn key_of(name: &str) -> Key {
    let (_, fill) = PRINCIPALS.iter().find(|(known, _)| *known == name).unwrap();
    Key::new(ETYPE, &[*fill; 16]).unwrap()
}

impl TestRealm {
    fn new() -> Self {
        let store = Memory::new(Keyring::new(MasterKey::new(1, [7; 32].into())));
        let author = Author::unproved("fuzz", NOON.time);
        for (name, fill) in PRINCIPALS {
            let id = PrincipalId([fill; 16]);
            let sealed = store.view().seal(id, 1, &key_of(name), &mut Counter::default());
            let mut record = PrincipalRecord {
                keys: vec![StoredKey {
                    kvno: 1,
                    etype: ETYPE,
                    salt: None,
                    made: None,
                    retired: None,
                    sealed,
                }],
                keys_changed: Some(NOON.time),
                ..PrincipalRecord::new(id, Name::parse(name).unwrap(), NOON.time, "fuzz")
            };
            if name == "kadmin/changepw" {
                record.attributes = Attributes::NOT_TGT_BASED;
                record.max_life = Some(Duration::from_secs(300));
            }
            if name == "kadmin/admin" {
                record.attributes = Attributes::NOT_TGT_BASED;
            }
            store
                .commit(
                    &author,
                    vec![Change::Put {
                        expected: None,
                        record: Box::new(record),
                    }],
                )
                .unwrap();
        }
        let mut settings = RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap());
        settings.enctypes = vec![ETYPE];
        Self {
            view: store.view(),
            settings: Arc::new(settings),
        }
    }

    /// What a KDC that has seen nothing yet answers to `octets`. Panics if the answer itself is no Kerberos message.
    pub fn answer(&self, octets: &[u8]) -> Option<Arc<[u8]>> {
        let request = Request {
            octets,
            origin: origin(),
            now: NOON,
        };
        Kdc::new(Arc::clone(&self.settings))
            .handle(&self.view, &request, &mut Counter::default())
            .answer
    }

    /// The same for the password protocol; the change itself always succeeds.
    pub fn password_answer(&self, octets: &[u8]) -> Option<Arc<[u8]>> {
        let request = Request {
            octets,
            origin: origin(),
            now: NOON,
        };
        let kdc = Kdc::new(Arc::clone(&self.settings));
        match kdc.open_password(&self.view, &request, &mut Counter::default()) {
            PasswordStep::Answered(outcome) => outcome.answer,
            PasswordStep::Change(change) => change.changed(NOON, &mut Counter::default()).answer,
        }
    }

    /// What a daemon that has seen nothing yet makes of the first token of a connection for administration.
    pub fn open_administration(&self, octets: &[u8]) -> Opening {
        let request = Request {
            octets,
            origin: origin(),
            now: NOON,
        };
        Kdc::new(Arc::clone(&self.settings)).open_administration(&self.view, &request, &mut Counter::default())
    }

    /// Alice's ticket to administer the realm with.
    pub fn ticket_to_administer(&self) -> Credential {
        let mut request = AsRequest::new(principal("alice"));
        request.service = Some(Name::parse("kadmin/admin").unwrap());
        self.login(request, &mut Day::default())
    }

    /// kinit, kvno and kpasswd.
    pub fn day(&self) -> Day {
        let mut day = Day::default();
        let tgt = self.login(AsRequest::new(principal("alice")), &mut day);
        let mut requests = vec![
            TgsRequest::new(principal("host/www")),
            TgsRequest::forward(&tgt, Vec::new()),
        ];
        requests.push(TgsRequest::user_to_user(principal("alice"), tgt.ticket.clone()));
        for request in requests {
            let (mut exchange, mut outbound) =
                TgsExchange::begin(tgt.clone(), request, ClockOffset(0), NOON, &mut Counter::default());
            while let Some(answer) = self.answer(&outbound.octets) {
                day.tgs_requests.push(outbound.octets);
                day.tgs_replies.push(answer.to_vec());
                match exchange.receive(&answer, NOON, &mut Counter::default()) {
                    Ok(TgsStep::Send(next)) => outbound = next,
                    Ok(TgsStep::Done(reply)) => {
                        day.credentials.push(reply.credential);
                        break;
                    }
                    Err(_) => break,
                }
            }
        }
        let mut request = AsRequest::new(principal("alice"));
        request.service = Some(Name::parse("kadmin/changepw").unwrap());
        let ticket = self.login(request, &mut Day::default());
        for new in [
            NewPassword::own(b"rabbit"),
            NewPassword::of(&principal("alice"), b"rabbit"),
        ] {
            let own = origin().peer.ip().into();
            let (_, octets) = PasswordChange::begin(&ticket, &new, own, NOON, &mut Counter::default()).unwrap();
            day.password_replies
                .extend(self.password_answer(&octets).map(|answer| answer.to_vec()));
            day.password_requests.push(octets);
        }
        day
    }

    fn login(&self, request: AsRequest, day: &mut Day) -> Credential {
        let mut random = Counter::default();
        let (mut exchange, mut outbound) = AsExchange::begin(request, NOON, &mut random);
        loop {
            let answer = self.answer(&outbound.octets).expect("an answer");
            day.as_requests.push(outbound.octets);
            day.as_replies.push(answer.to_vec());
            let mut step = exchange.receive(&answer, NOON, &mut random).expect("a step");
            if let AsStep::NeedKey(_) = step {
                step = exchange
                    .key(&key_of("alice"), NOON, &mut random)
                    .expect("the right key");
            }
            match step {
                AsStep::Send(next) => outbound = next,
                AsStep::Done(reply) => {
                    day.credentials.push(reply.credential.clone());
                    return reply.credential;
                }
                AsStep::NeedKey(_) => panic!("asked for a key twice"),
            }
        }
    }
}

/// From where every request comes.
pub fn origin() -> Origin {
    Origin {
        peer: "192.0.2.7:40000".parse().unwrap(),
        local: "192.0.2.1:88".parse().unwrap(),
        transport: Transport::Tcp,
    }
}
