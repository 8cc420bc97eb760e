//! How fast the store is on this machine: durable changes with 1, 8 and 64 writers, a bulk import, and starts.
//!
//! ```text
//! cargo run --release -p tessera-kdc --example store_rate -- DIRECTORY [PRINCIPALS]
//! ```
//! DIRECTORY is made, and removed again; put it on the disk that the realm will be on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on ends"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tessera_common::Random as _;
use tessera_common::crypto::{EncType, Key};
use tessera_common::name::{Name, Realm};
use tessera_common::time::KerberosTime;
use tessera_kdc::random::ThreadRandom;
use tessera_kdc::realm::principal::{PrincipalId, PrincipalRecord, StoredKey};
use tessera_kdc::store::{self, Author, Change, Durable, Location, Options, Store as _, View};

const BATCH: u64 = 1000;
const PACE: Duration = Duration::from_secs(3);

fn main() {
    let mut args = std::env::args_os().skip(1);
    let directory = PathBuf::from(args.next().unwrap());
    let principals = args
        .next()
        .map_or(100_000, |count| count.to_str().unwrap().parse().unwrap());
    std::fs::create_dir(&directory).unwrap();
    let state = directory.join("var");
    let store = open(&state);
    for writers in [1, 8, 64] {
        let (changes, latencies) = pace(&store, writers);
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        println!(
            "{writers:>3} writers: {changes:>6.0} changes/s, p50 {:?}, p99 {:?}",
            at(0.5),
            at(0.99)
        );
    }
    timed(&format!("import of {principals} in batches of {BATCH}"), || {
        import(&store, principals);
    });
    println!("resident: {} MB", resident() >> 10);
    timed("close", || drop(store));
    timed("start", || drop(open(&state)));
    std::fs::remove_dir_all(state.join("index")).unwrap();
    let store = timed("start without an index", || open(&state));
    println!(
        "resident: {} MB for {} principals",
        resident() >> 10,
        store.view().len()
    );
    drop(store);
    let location = |state| Location {
        state,
        realm: realm(),
        credentials: None,
    };
    let dump = directory.join("dump");
    timed("dump", || store::dump(&location(state.clone()), None, &dump).unwrap());
    let heir = directory.join("heir");
    std::fs::create_dir(&heir).unwrap();
    std::fs::copy(state.join("master.key"), heir.join("master.key")).unwrap();
    timed("load", || {
        store::load(&location(heir.clone()), &dump, store::Keys::Taken).unwrap()
    });
    timed("index made anew", || {
        store::rebuild_index(&location(heir.clone())).unwrap()
    });
    std::fs::remove_dir_all(&directory).unwrap();
}

fn pace(store: &Durable, writers: usize) -> (f64, Vec<Duration>) {
    let began = now();
    let mut latencies: Vec<Duration> = thread::scope(|scope| {
        let one = || {
            let mut latencies = Vec::new();
            while began.elapsed() < PACE {
                let record = principal(&store.view());
                let asked = now();
                store.commit(&author(), vec![add(record)]).unwrap();
                latencies.push(asked.elapsed());
            }
            latencies
        };
        let threads: Vec<_> = (0..writers).map(|_| scope.spawn(one)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    latencies.sort_unstable();
    (latencies.len() as f64 / began.elapsed().as_secs_f64(), latencies)
}

fn import(store: &Durable, principals: u64) {
    let view = store.view();
    for _ in 0..principals / BATCH {
        let batch = (0..BATCH).map(|_| add(principal(&view))).collect();
        store.commit(&author(), batch).unwrap();
    }
}

fn principal(view: &View) -> PrincipalRecord {
    let mut id = [0; 16];
    ThreadRandom.fill(&mut id);
    let id = PrincipalId(id);
    let name = format!("user-{id}");
    let key = |etype| StoredKey {
        kvno: 1,
        etype,
        salt: Some(format!("EXAMPLE.COM{name}").into_bytes()),
        made: None,
        retired: None,
        sealed: view.seal(id, 1, &Key::random(etype, &mut ThreadRandom), &mut ThreadRandom),
    };
    let record = PrincipalRecord::new(id, Name::new([&name]).unwrap(), author().when, &author().who);
    PrincipalRecord {
        keys: EncType::ALL.map(key).into(),
        ..record
    }
}

fn add(record: PrincipalRecord) -> Change {
    Change::Put {
        expected: None,
        record: Box::new(record),
    }
}

fn author() -> Author {
    Author::unproved("uid 0", KerberosTime(1_700_000_000))
}

fn realm() -> Realm {
    Realm::new("EXAMPLE.COM").unwrap()
}

fn open(state: &Path) -> Durable {
    let report = Arc::new(|notice| println!("    {notice}"));
    Durable::open(state, &Options::new(realm(), report)).unwrap().store
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = now();
    let done = work();
    println!("{what}: {:.2?}", began.elapsed());
    done
}

/// In KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}
