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
use tessera_common::crypto::{EncType, Key, KeyUsage, cf2, string_to_key};
use tessera_common::fast::{ArmorKey, strengthen};
use tessera_common::flags::FastOptions;
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, Any, EncryptedData, KrbFastArmoredReq, KrbFastReq, KrbFastResponse, PaFxFastRequest, UInt32,
};

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
    println!(
        "\n{:28}{:>11}{:>11}{:>11}{:>11}{:>11}",
        "ns", "cf2", "armor key", "challenge", "strengthen", "FAST AS"
    );
    for etype in EncType::ALL {
        fast(etype);
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

/// What a KDC does for FAST (RFC 6113). A long-term key is held; all others are new in each exchange.
fn fast(etype: EncType) {
    let octets = |first| (first..).take(etype.key_len()).collect::<Vec<u8>>();
    let new = |first| Key::new(etype, &octets(first)).unwrap();
    let long_term = new(1);
    let stamp = Timestamp::new(KerberosTime(1_800_000_000), 5);
    let mut random = Counter(0);

    let armor = ArmorKey::new(&new(2), &new(3));
    let challenge = armor.client_challenge(&long_term).seal(stamp, &mut random);
    let challenge: EncryptedData = wire::decode(&challenge.padata_value).unwrap();
    let request = KrbFastReq {
        fast_options: FastOptions::empty(),
        padata: Vec::new(),
        req_body: Any::new([&[0x04, 0x81, 200], [1; 200].as_slice()].concat()),
    };
    let body = [1; 200];
    let request = armor.seal_request(None, &body, &request, &mut random);
    let PaFxFastRequest::ArmoredData(request) = wire::decode(&request.padata_value).unwrap();
    let authenticator = new(3).encrypt(KeyUsage::AP_REQ_AUTHENTICATOR, &[1; 150], &mut random);

    let combined = best(|| cf2(black_box(&new(2)), black_box(&new(3)), b"subkeyarmor", b"ticketarmor"));
    let armored = best(|| ArmorKey::new(black_box(&new(2)), black_box(&new(3))));
    let challenged = best(|| armor.client_challenge(&long_term).open(black_box(&challenge)).unwrap());
    let strengthened = best(|| strengthen(black_box(&new(4)), &long_term));
    let exchange = best(|| fast_as_exchange(&new, &long_term, &authenticator, &request, &body, &challenge, stamp));
    println!(
        "{:28}{combined:>11.0}{armored:>11.0}{challenged:>11.0}{strengthened:>11.0}{exchange:>11.0}",
        etype.name()
    );
}

/// All that an AS exchange with an encrypted challenge has to encrypt and decrypt, but for the two tickets.
fn fast_as_exchange(
    new: &impl Fn(u8) -> Key,
    long_term: &Key,
    authenticator: &[u8],
    request: &KrbFastArmoredReq,
    body: &[u8],
    challenge: &EncryptedData,
    now: Timestamp,
) -> Vec<u8> {
    let mut random = Counter(0);
    let session = new(3);
    session.decrypt(KeyUsage::AP_REQ_AUTHENTICATOR, authenticator).unwrap();
    let armor = ArmorKey::new(&new(2), &session);
    armor.open_request(request, body).unwrap();
    armor.client_challenge(long_term).open(challenge).unwrap();
    let answer = armor.kdc_challenge(long_term).seal(now, &mut random);
    let share = new(4);
    let response = KrbFastResponse {
        padata: vec![answer],
        strengthen_key: Some((&share).into()),
        finished: None,
        nonce: UInt32(7),
    };
    black_box(armor.ticket_checksum(&[1; 400]));
    black_box(armor.seal_response(&response, &mut random));
    strengthen(&share, long_term).encrypt(KeyUsage::AS_REP, &[1; 200], &mut random)
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
