//! What a validated AP-REQ costs a service, in microseconds of CPU: `cargo bench -p tessera-common --bench accept`.
//!
//! Each token is fresh: another ticket with another session key, another authenticator. The service's key is held, as it is
//! by a service that has been running; the replay cache in memory is on, and everything is checked that ever is. "Mutual"
//! includes the AP-REP with a subkey, and the context. Where MIT's library and a C compiler are at hand, the same tokens go
//! to its `gss_accept_sec_context` in the same run: with one credential for all, without a replay cache and with the one that
//! it has when nothing is configured, in a file.
//!
//! Figures are the least and the median of many runs, of the thread's own time as the kernel counts it, so that other work
//! on the machine disturbs them little.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark may stop at the first thing that is wrong, and reads the clock"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use tessera_common::Random;
use tessera_common::ap::{self, MemoryReplayCache};
use tessera_common::credential::{Credential, TicketTimes};
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::flags::TicketFlags;
use tessera_common::gss::{Acceptor, Initiator, Protection};
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::name::Principal;
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, EncTicketPart, EncryptedData, KerberosString, Kvno, PrincipalName, Ticket, TransitedEncoding,
};

const RUNS: usize = 40;
const TOKENS: usize = 500;
const KVNO: u32 = 3;

fn main() {
    // `cargo test --all-targets` and test runners start benchmarks too: they have nothing to test.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    println!(
        "{:28}{:>20}{:>20}{:>20}",
        "microseconds, least/median", "mutual", "one way", "mutual and a Wrap"
    );
    for etype in EncType::ALL {
        let realm = Realm::new(etype);
        let acceptor = Acceptor::new(ap::Acceptor::for_service(realm.service.clone()));
        let mut row = format!("{:28}", etype.name());
        for kind in [Kind::Mutual, Kind::OneWay, Kind::MutualAndWrap] {
            let costs = (0..RUNS).map(|run| accept_all(&realm, &acceptor, kind, run)).collect();
            write!(row, "{:>20}", least_and_median(costs)).unwrap();
        }
        println!("{row}");
    }
    println!();
    let directory = tempfile::tempdir().unwrap();
    let peer = directory.path().join("peer");
    if !build_peer(&peer) {
        println!("MIT's library: left out, a C compiler or libgssapi_krb5.so.2 is missing");
        return;
    }
    println!(
        "{:28}{:>20}{:>20}",
        "MIT's library", "mutual, no cache", "mutual, its cache"
    );
    for etype in EncType::ALL {
        let mut row = format!("{:28}", etype.name());
        for cache in ["none:", "dfl:"] {
            let costs = mit_accept_all(&Realm::new(etype), directory.path(), &peer, cache);
            write!(row, "{:>20}", least_and_median(costs)).unwrap();
        }
        println!("{row}");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mutual,
    OneWay,
    MutualAndWrap,
}

/// A service's keytab, and whatever ticket is wanted.
struct Realm {
    service: Principal,
    client: Principal,
    keytab: Keytab,
    key: Key,
    now: Timestamp,
}

impl Realm {
    fn new(etype: EncType) -> Self {
        let service: Principal = "HTTP/www.example.com@EXAMPLE.COM".parse().unwrap();
        let mut random = Counter(etype.number().unsigned_abs().into());
        // As a realm writes it: four enctypes, two versions.
        let entries: Vec<_> = [KVNO, KVNO - 1]
            .into_iter()
            .flat_map(|kvno| EncType::ALL.map(|etype| (kvno, etype)))
            .map(|(kvno, etype)| KeytabEntry {
                principal: service.clone(),
                name_type: 3,
                timestamp: KerberosTime::EPOCH,
                kvno,
                key: Key::random(etype, &mut random).into(),
            })
            .collect();
        let of_version = entries.iter().filter(|entry| entry.kvno == KVNO);
        let key = of_version
            .filter_map(|entry| entry.key.known())
            .find(|key| key.etype() == etype)
            .unwrap()
            .clone();
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Self {
            service,
            client: "alice@EXAMPLE.COM".parse().unwrap(),
            keytab: Keytab { entries },
            key,
            now: Timestamp::from_unix(since_epoch),
        }
    }

    fn ticket(&self, random: &mut Counter) -> Credential {
        let session_key = Key::random(self.key.etype(), random);
        let before = |seconds| self.now.time.minus(Duration::from_secs(seconds));
        let times = TicketTimes {
            authtime: before(600),
            starttime: before(300),
            endtime: self.now.time.plus(Duration::from_secs(36_000)),
            renew_till: None,
        };
        let flags = TicketFlags::PRE_AUTHENT | TicketFlags::FORWARDABLE;
        let part = EncTicketPart {
            flags,
            key: (&session_key).into(),
            crealm: KerberosString::from(&self.client.realm),
            cname: PrincipalName::new(1, &self.client.name),
            transited: TransitedEncoding {
                tr_type: 1,
                contents: Vec::new().into(),
            },
            authtime: times.authtime,
            starttime: Some(times.starttime),
            endtime: times.endtime,
            renew_till: None,
            caddr: None,
            authorization_data: None,
        };
        let cipher = self.key.encrypt(KeyUsage::TICKET, &wire::encode(&part), random);
        let ticket = wire::encode(&Ticket {
            tkt_vno: 5,
            realm: KerberosString::from(&self.service.realm),
            sname: PrincipalName::new(3, &self.service.name),
            enc_part: EncryptedData {
                etype: self.key.etype().number(),
                kvno: Some(Kvno(KVNO)),
                cipher: cipher.into(),
            },
        });
        Credential {
            client: self.client.clone(),
            server: self.service.clone(),
            key: session_key,
            times,
            flags,
            addresses: Vec::new(),
            authorization_data: Vec::new(),
            ticket,
            second_ticket: Vec::new(),
        }
    }

    fn tokens(&self, kind: Kind, run: usize) -> Vec<Vec<u8>> {
        let mut random = Counter(run as u64 * 1_000_003);
        let token = |_| {
            let credential = self.ticket(&mut random);
            let initiator = Initiator::new(&credential);
            match kind {
                Kind::OneWay => initiator.start_one_way(self.now, &mut random).0,
                Kind::Mutual | Kind::MutualAndWrap => initiator.start(self.now, &mut random).0,
            }
        };
        (0..TOKENS).map(token).collect()
    }
}

/// Microseconds of one token, on average over a run's.
fn accept_all(realm: &Realm, acceptor: &Acceptor, kind: Kind, run: usize) -> f64 {
    let tokens = realm.tokens(kind, run);
    let replays = MemoryReplayCache::new(ap::Acceptor::SKEW);
    let mut random = Counter(7);
    let from = Some([192, 0, 2, 1].into());
    let before = thread_time();
    for token in &tokens {
        let accepted = acceptor.accept(token, &realm.keytab, &replays, from, realm.now, &mut random);
        let mut accepted = black_box(accepted.unwrap());
        assert_eq!(accepted.token().is_some(), kind != Kind::OneWay);
        if kind == Kind::MutualAndWrap {
            let context = accepted.context_mut();
            let wrapped = context.wrap(&[1; 100], Protection::Confidential, realm.now.time, &mut random);
            black_box(wrapped.unwrap());
        }
    }
    (thread_time() - before).as_nanos() as f64 / 1e3 / TOKENS as f64
}

fn mit_accept_all(realm: &Realm, directory: &Path, peer: &Path, cache: &str) -> Vec<f64> {
    let path = |name: &str| directory.join(name);
    std::fs::write(path("keytab"), realm.keytab.to_bytes()).unwrap();
    std::fs::write(path("krb5.conf"), "[libdefaults]\ndefault_realm = EXAMPLE.COM\n").unwrap();
    let mut lines = String::new();
    for run in 0..RUNS {
        lines.push_str("time");
        for token in realm.tokens(Kind::Mutual, run) {
            lines.push(' ');
            token.iter().for_each(|octet| write!(lines, "{octet:02x}").unwrap());
        }
        lines.push('\n');
    }
    std::fs::write(path("commands"), lines).unwrap();
    let output = Command::new(peer)
        .env("KRB5_CONFIG", path("krb5.conf"))
        .env("KRB5_KTNAME", path("keytab"))
        .env("KRB5RCACHENAME", cache)
        .env("KRB5RCACHEDIR", directory)
        .stdin(std::fs::File::open(path("commands")).unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|nanoseconds| nanoseconds.parse::<f64>().unwrap() / 1e3)
        .collect()
}

fn build_peer(program: &Path) -> bool {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/gss/tests/mit_peer.c");
    let built = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(program)
        .args([source, "-l:libgssapi_krb5.so.2"])
        .output();
    built.is_ok_and(|output| output.status.success())
}

fn least_and_median(mut costs: Vec<f64>) -> String {
    costs.sort_by(f64::total_cmp);
    let (least, median) = (costs.first().unwrap(), costs.get(costs.len() / 2).unwrap());
    format!("{least:.1} / {median:.1}")
}

/// The time that this thread has been running for.
fn thread_time() -> Duration {
    // The kernel brings the number up to date at its ticks, and when a thread yields.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Predictable octets: the generator's own cost is not of interest here.
struct Counter(u64);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = mixed ^ (mixed >> 27);
            chunk
                .iter_mut()
                .zip(mixed.to_le_bytes())
                .for_each(|(to, from)| *to = from);
        }
    }
}
