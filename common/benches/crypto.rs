//! What one operation costs, in nanoseconds: `cargo bench -p tessera-common --bench crypto`.
//!
//! "Held" is a key that has done the same before, as a KDC's cached long-term key has; "new" starts from the key's octets,
//! as a session key just out of a ticket does. Each figure is the best of many short runs, so that other work on the
//! machine disturbs it little.
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first thing that is wrong"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use tessera_common::Random;
use tessera_common::crypto::{EncType, Key, KeyUsage, string_to_key};

const RUNS: u32 = 60;
const RUN: Duration = Duration::from_millis(2);
const LENGTHS: [usize; 2] = [200, 800];

fn main() {
    // `cargo test --all-targets` and test runners start benchmarks too: they have nothing to test.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    println!(
        "{:28}{:>7}{:>11}{:>11}{:>11}{:>11}",
        "ns", "octets", "seal held", "seal new", "open held", "open new"
    );
    for etype in EncType::ALL {
        for len in LENGTHS {
            seal_and_open(etype, len);
        }
    }
    println!(
        "\n{:28}{:>7}{:>11}{:>11}{:>11}",
        "ns", "octets", "sum held", "sum new", "prf"
    );
    for etype in EncType::ALL {
        for len in LENGTHS {
            checksum_and_prf(etype, len);
        }
    }
    println!("\n{:28}{:>18}", "microseconds", "string-to-key");
    for etype in EncType::ALL {
        let make = || string_to_key(etype, b"correct horse", b"EXAMPLE.COMalice", None).unwrap();
        let took = (0..10).map(|_| timed(1, make)).fold(f64::INFINITY, f64::min);
        println!("{:28}{:>18.0}", etype.name(), took / 1e3);
    }
}

fn seal_and_open(etype: EncType, len: usize) {
    let usage = KeyUsage::TICKET;
    let octets = vec![7; etype.key_len()];
    let plaintext = vec![1; len];
    let mut random = Counter(0);
    let held = Key::new(etype, &octets).unwrap();
    let ciphertext = held.encrypt(usage, &plaintext, &mut random);

    let seal_held = best(|| held.encrypt(usage, black_box(&plaintext), &mut random));
    let seal_new = best(|| {
        Key::new(etype, &octets)
            .unwrap()
            .encrypt(usage, black_box(&plaintext), &mut random)
    });
    let open_held = best(|| held.decrypt(usage, black_box(&ciphertext)).unwrap());
    let open_new = best(|| {
        Key::new(etype, &octets)
            .unwrap()
            .decrypt(usage, black_box(&ciphertext))
            .unwrap()
    });
    println!(
        "{:28}{len:>7}{seal_held:>11.0}{seal_new:>11.0}{open_held:>11.0}{open_new:>11.0}",
        etype.name()
    );
}

fn checksum_and_prf(etype: EncType, len: usize) {
    let usage = KeyUsage::TGS_REQ_CHECKSUM;
    let octets = vec![7; etype.key_len()];
    let data = vec![1; len];
    let held = Key::new(etype, &octets).unwrap();

    let sum_held = best(|| held.checksum(usage, black_box(&data)));
    let sum_new = best(|| Key::new(etype, &octets).unwrap().checksum(usage, black_box(&data)));
    let prf = best(|| held.prf(black_box(&data)));
    println!("{:28}{len:>7}{sum_held:>11.0}{sum_new:>11.0}{prf:>11.0}", etype.name());
}

/// Nanoseconds of one call, in the best of [`RUNS`] runs of [`RUN`] each.
fn best<R>(mut work: impl FnMut() -> R) -> f64 {
    let first = timed(100, &mut work);
    let calls = ((RUN.as_nanos() as f64 / first) as u32).max(1);
    (0..RUNS).map(|_| timed(calls, &mut work)).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds of one call, on average over `calls`.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed<R>(calls: u32, mut work: impl FnMut() -> R) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(work());
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// Predictable confounders: the generator's own cost is not of interest here.
struct Counter(u64);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 += 1;
        out.iter_mut()
            .zip(self.0.to_le_bytes())
            .for_each(|(to, from)| *to = from);
    }
}
