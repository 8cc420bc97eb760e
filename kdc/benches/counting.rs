//! What it costs a request to be counted, in nanoseconds: `cargo bench -p tessera-kdc --bench counting`.
//!
//! First one event by itself, then a request through the front, which reads the clock, answers, counts and logs. Each figure is the
//! best of many short runs, so that other work on the machine disturbs it little; and the same again while another thread
//! counts as fast as it can.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark may stop at the first thing that is wrong, and looks at the clock"
)]

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tessera_common::error_code::ErrorCode;
use tessera_kdc::accounting::{Accounting, Counters};
use tessera_kdc::clock;
use tessera_kdc::front::kerberos::KerberosFront;
use tessera_kdc::front::workers::{Bounds, Workers};
use tessera_kdc::kerberos::Kdc;
use tessera_kdc::log::Log;
use tessera_kdc::net::{Deferred, Service};
use tessera_kdc::random::ThreadRandom;
use tessera_kdc::realm::accounting::{Event, Kind, Origin, Result, Transport};
use tessera_kdc::realm::settings::RealmSettings;
use tessera_kdc::store::{Keyring, MasterKey, Memory};

const RUNS: usize = 60;
const RUN: u32 = 20_000;

fn main() {
    // `cargo test --all-targets` and test runners start benchmarks too: they have nothing to test.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let counts = Counters::default();
    let events = ["wrong-proof", "proof-missing", "client-unknown"].map(refused);
    let one = || {
        for event in &events {
            counts.request(black_box(event), event.time);
        }
    };
    let three = u32::try_from(events.len()).unwrap();
    println!(
        "one event counted                     {:6.1} ns",
        best(one) / f64::from(three)
    );
    let busy = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            let event = refused("wrong-proof");
            while busy.load(Ordering::Relaxed) {
                counts.request(black_box(&event), event.time);
            }
        });
        println!(
            "the same beside another thread        {:6.1} ns",
            best(one) / f64::from(three)
        );
        busy.store(false, Ordering::Relaxed);
    });

    let log = Log::start(io::sink()).unwrap();
    let store = Memory::new(Keyring::new(MasterKey::random(1, &mut ThreadRandom)));
    let kdc = Kdc::new(Arc::new(RealmSettings::new("EXAMPLE.COM".parse().unwrap())));
    let workers = Workers::start(1, Bounds::default()).unwrap();
    let front = KerberosFront::new(
        Arc::new(ArcSwap::from_pointee(kdc)),
        Arc::new(store),
        workers.workers(),
        Accounting::new(log.log()),
    );
    // The least that anything costs which comes in: octets that are no request.
    let request = || {
        drop(black_box(
            front.answer(b"no request", &origin(), &|| Deferred::new(drop)),
        ));
    };
    println!("no request: dropped, counted, logged  {:6.1} ns", best(request));
}

fn refused(reason: &'static str) -> Event {
    let result = Result::Refused {
        code: ErrorCode::KDC_ERR_PREAUTH_FAILED,
        reason,
        detail: String::new(),
    };
    Event::new(clock::now(), origin(), Kind::As, result)
}

fn origin() -> Origin {
    let peer = "192.0.2.1:88".parse().unwrap();
    Origin {
        peer,
        local: peer,
        transport: Transport::Udp,
    }
}

fn best(work: impl Fn()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let begun = Instant::now();
        for _ in 0..RUN {
            work();
        }
        best = best.min(begun.elapsed());
        // What was logged is written meanwhile.
        thread::sleep(Duration::from_millis(12));
    }
    best.as_secs_f64() * 1e9 / f64::from(RUN)
}
