//! A client, a KDC, two clocks and a link between them, without sockets: hours pass in microseconds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tessera_client::exchange::{
    AsExchange, AsReply, AsRequest, AsStep, ClockOffset, ExchangeError, Outbound, TgsExchange, TgsRequest, TgsStep,
    Transport,
};
use tessera_common::Random;
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key, KeyUsage, string_to_key};
use tessera_common::error_code::ErrorCode;
use tessera_common::name::{Name, Principal, Realm};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{self, EncTicketPart, Ticket};
use tessera_kdc::kerberos::{Held, Kdc, Request};
use tessera_kdc::realm::accounting::{self, Event, Origin};
use tessera_kdc::realm::lockout::Trips;
use tessera_kdc::realm::principal::{Attributes, PrincipalId, PrincipalRecord, StoredKey};
use tessera_kdc::realm::settings::RealmSettings;
use tessera_kdc::store::{Author, Change, Keyring, MasterKey, Memory, Store};

pub const NOON: KerberosTime = KerberosTime(1_800_014_400);

/// Octets that are never the same twice, and always the same for the same test.
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

/// What befalls a datagram; when the list is used up, nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    RequestLost,
    ReplyLost,
    Doubled,
}

pub struct World {
    /// The KDC's clock.
    pub now: KerberosTime,
    /// The client's clock, ahead of the KDC's by so many seconds.
    pub client_ahead: i64,
    pub link: VecDeque<Fate>,
    pub events: Vec<Event>,
    /// Whom each request has shut out.
    pub trips: Vec<Trips>,
    pub peer: &'static str,
    pub random: Counter,
    pub store: Memory,
    pub kdc: Kdc,
    pub sent: Vec<(Transport, Vec<u8>)>,
}

pub fn realm() -> Realm {
    Realm::new("EXAMPLE.COM").unwrap()
}

pub fn principal(text: &str) -> Principal {
    Principal::parse(text, Some(&realm())).unwrap()
}

pub fn hours(n: i64) -> Duration {
    Duration::from_secs(u64::try_from(n * 3600).unwrap())
}

impl World {
    /// A realm with krbtgt, kadmin/changepw, alice (password `alice`) and host/www.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(settle: impl FnOnce(&mut RealmSettings)) -> Self {
        let mut settings = RealmSettings::new(realm());
        settle(&mut settings);
        let mut random = Counter::default();
        let store = Memory::new(Keyring::new(MasterKey::random(1, &mut random)));
        let mut world = Self {
            now: NOON,
            client_ahead: 0,
            link: VecDeque::new(),
            events: Vec::new(),
            trips: Vec::new(),
            peer: "192.0.2.7:40000",
            random,
            store,
            kdc: Kdc::new(Arc::new(settings)),
            sent: Vec::new(),
        };
        world.add("krbtgt/EXAMPLE.COM", None, |_| {});
        world.add("kadmin/changepw", None, |record| {
            record.attributes = Attributes::NOT_TGT_BASED;
            record.max_life = Some(Duration::from_secs(300));
        });
        world.add("alice", Some("alice"), |record| {
            record.attributes = Attributes::NOT_A_SERVICE;
        });
        world.add("host/www", None, |_| {});
        world
    }

    /// Adds a principal, with a password or with random keys.
    pub fn add(&mut self, name: &str, password: Option<&str>, settle: impl FnOnce(&mut PrincipalRecord)) {
        let name = Name::parse(name).unwrap();
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let mut record = PrincipalRecord {
            keys_changed: Some(self.now),
            ..PrincipalRecord::new(PrincipalId(id), name, self.now, "test")
        };
        record.keys = self.keys(&record, 1, password);
        settle(&mut record);
        self.commit(Change::Put {
            expected: None,
            record: Box::new(record),
        });
    }

    /// Two keys, so that tests stay quick: one of each family would cost 27 ms of string-to-key.
    pub fn keys(&mut self, record: &PrincipalRecord, kvno: u32, password: Option<&str>) -> Vec<StoredKey> {
        let salt = record.name.default_salt(&realm());
        [EncType::Aes256CtsHmacSha1_96, EncType::Aes128CtsHmacSha1_96]
            .into_iter()
            .map(|etype| {
                let key = match password {
                    Some(password) => string_to_key(etype, password.as_bytes(), &salt, None).unwrap(),
                    None => Key::random(etype, &mut self.random),
                };
                let sealed = self.store.view().seal(record.id, kvno, &key, &mut self.random);
                StoredKey {
                    kvno,
                    etype,
                    salt: password.map(|_| salt.clone()),
                    made: None,
                    retired: None,
                    sealed,
                }
            })
            .collect()
    }

    pub fn change(&mut self, name: &str, change: impl FnOnce(&mut Self, &mut PrincipalRecord)) {
        let found = self.store.view().find(&Name::parse(name).unwrap()).cloned().unwrap();
        let mut record = PrincipalRecord::clone(&found);
        change(self, &mut record);
        self.commit(Change::Put {
            expected: Some(found.revision),
            record: Box::new(record),
        });
    }

    pub fn remove(&self, name: &str) {
        let found = self.store.view().find(&Name::parse(name).unwrap()).cloned().unwrap();
        self.commit(Change::Remove {
            id: found.id,
            expected: found.revision,
        });
    }

    fn commit(&self, change: Change) {
        let author = Author::unproved("test", self.now);
        self.store.commit(&author, vec![change]).unwrap();
    }

    /// Replaces the settings, as a reload does.
    pub fn settle(&mut self, settle: impl FnOnce(&mut RealmSettings)) {
        let mut settings = RealmSettings::clone(self.kdc.settings());
        settle(&mut settings);
        self.kdc = self.kdc.with_settings(Arc::new(settings));
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    pub fn client_clock(&self) -> Timestamp {
        Timestamp::new(KerberosTime(self.now.0 + self.client_ahead), 250_000)
    }

    /// Hands the KDC one message.
    pub fn deliver(&mut self, octets: &[u8], transport: accounting::Transport) -> Option<Arc<[u8]>> {
        let origin = Origin {
            peer: self.peer.parse().unwrap(),
            local: "192.0.2.1:88".parse().unwrap(),
            transport,
        };
        let request = Request {
            octets,
            origin,
            now: Timestamp::new(self.now, 500_000),
        };
        let outcome = self.kdc.handle(&self.store.view(), &request, &mut self.random);
        self.events.push(outcome.event);
        self.trips.push(outcome.trips);
        // As if it were durable at once.
        outcome.answer.or_else(|| outcome.held.map(Held::release))
    }

    /// Sends until an answer comes, the same octets each time, as clients do: one second apart, six times.
    pub fn ask(&mut self, outbound: &Outbound) -> Option<Arc<[u8]>> {
        self.sent.push((outbound.transport, outbound.octets.clone()));
        if outbound.transport == Transport::Stream {
            return self.deliver(&outbound.octets, accounting::Transport::Tcp);
        }
        for _ in 0..6 {
            let answer = match self.link.pop_front().unwrap_or(Fate::Arrives) {
                Fate::Arrives => self.deliver(&outbound.octets, accounting::Transport::Udp),
                Fate::Doubled => {
                    let first = self.deliver(&outbound.octets, accounting::Transport::Udp);
                    assert_eq!(self.deliver(&outbound.octets, accounting::Transport::Udp), first);
                    first
                }
                Fate::ReplyLost => {
                    self.deliver(&outbound.octets, accounting::Transport::Udp);
                    None
                }
                Fate::RequestLost => None,
            };
            if answer.is_some() {
                return answer;
            }
            self.pass(Duration::from_secs(1));
        }
        None
    }

    /// kinit.
    pub fn login(&mut self, password: &str, request: AsRequest) -> Result<AsReply, ExchangeError> {
        let (mut exchange, mut outbound) = AsExchange::begin(request, self.client_clock(), &mut self.random);
        loop {
            let answer = self.ask(&outbound).expect("the link came back");
            let clock = self.client_clock();
            let mut step = exchange.receive(&answer, clock, &mut self.random)?;
            if let AsStep::NeedKey(wanted) = step {
                let key = wanted.derive(password.as_bytes()).unwrap();
                step = exchange.key(&key, clock, &mut self.random)?;
            }
            match step {
                AsStep::Send(next) => outbound = next,
                AsStep::Done(reply) => return Ok(*reply),
                AsStep::NeedKey(_) => panic!("asked for a key twice"),
            }
        }
    }

    pub fn tgt(&mut self, change: impl FnOnce(&mut AsRequest)) -> Credential {
        let mut request = AsRequest::new(principal("alice"));
        change(&mut request);
        self.login("alice", request).unwrap().credential
    }

    /// A ticket for a ticket.
    pub fn exchange(&mut self, held: &Credential, request: TgsRequest) -> Result<Credential, ExchangeError> {
        let offset = ClockOffset(-self.client_ahead * 1_000_000);
        let (mut exchange, mut outbound) =
            TgsExchange::begin(held.clone(), request, offset, self.client_clock(), &mut self.random);
        loop {
            let answer = self.ask(&outbound).expect("the link came back");
            match exchange.receive(&answer, self.client_clock(), &mut self.random)? {
                TgsStep::Send(next) => outbound = next,
                TgsStep::Done(reply) => return Ok(reply.credential),
            }
        }
    }

    pub fn service_ticket(&mut self, tgt: &Credential, service: &str) -> Result<Credential, ExchangeError> {
        self.exchange(tgt, TgsRequest::new(principal(service)))
    }

    /// What a ticket says inside, read with the service's key of the version that it names.
    pub fn open(&self, credential: &Credential) -> (Ticket, EncTicketPart) {
        let ticket: Ticket = wire::decode(&credential.ticket).unwrap();
        let view = self.store.view();
        let server = view.find(&ticket.sname.to_name().unwrap()).unwrap();
        let kvno = ticket.enc_part.kvno.unwrap().0;
        let stored = server
            .keys_of(kvno)
            .find(|key| key.etype.number() == ticket.enc_part.etype)
            .unwrap();
        let key = view.key(server, stored).unwrap();
        let plain = key.decrypt(KeyUsage::TICKET, &ticket.enc_part.cipher).unwrap();
        (ticket, wire::decode(&plain).unwrap())
    }

    /// The reason that the last event names.
    pub fn last_reason(&self) -> &'static str {
        match &self.events.last().unwrap().result {
            accounting::Result::Refused { reason, .. } | accounting::Result::Dropped { reason } => reason,
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// The KDC's code in a refusal; the client says "wrong key" for `KDC_ERR_PREAUTH_FAILED`.
pub fn code<T: std::fmt::Debug>(result: Result<T, ExchangeError>) -> ErrorCode {
    match result.unwrap_err() {
        ExchangeError::WrongKey => ErrorCode::KDC_ERR_PREAUTH_FAILED,
        refused => refused
            .code()
            .unwrap_or_else(|| panic!("not a refusal by the KDC: {refused:?}")),
    }
}
