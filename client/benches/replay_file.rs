//! What a claim costs in the replay cache that processes share: `cargo bench -p tessera-client --bench replay_file`.
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first thing that is wrong"
)]

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use tempfile::TempDir;
use tessera_client::service::ReplayFile;
use tessera_client::system;
use tessera_common::ap::{Acceptor, ReplayCache as _, ReplayTag};

const CLAIMS: u64 = 20_000;
const ROUNDS: u64 = 5;

fn main() {
    // `cargo test --all-targets` and test runners start benchmarks too: they have nothing to test.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let cache = ReplayFile::open(directory.path().join("replays"), Acceptor::SKEW).unwrap();
    let now = system::now().time;
    for round in 0..ROUNDS {
        let begun = cpu_microseconds();
        for n in round * CLAIMS..(round + 1) * CLAIMS {
            // Tags are the ends of ciphertexts: as if random.
            let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            cache.claim(ReplayTag::of(&[spread, spread].concat()), now).unwrap();
        }
        let used = cpu_microseconds() - begun;
        println!("a claim costs {:.2} us of CPU", used as f64 / CLAIMS as f64);
    }
}

fn cpu_microseconds() -> i64 {
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    used.user_time().num_microseconds() + used.system_time().num_microseconds()
}
