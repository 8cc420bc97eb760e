//! The replay cache in a file, shared by processes that come, claim, and are killed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at what it does not expect"
)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;
use tessera_client::service::ReplayFile;
use tessera_client::system;
use tessera_common::ap::{ReplayCache as _, ReplayError, ReplayTag};

const SKEW: Duration = Duration::from_secs(300);
const CAPACITY: usize = 200_000;
const FILE: &str = "TESSERA_TEST_REPLAY_FILE";
const TAGS: &str = "TESSERA_TEST_REPLAY_TAGS";
const THREADS: u64 = 4;

#[test]
fn of_all_threads_of_all_processes_one_alone_claims_each_tag() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("replays");
    // Nobody has made the file yet: they all do, at the same time.
    let tags = 2000;
    let children: Vec<Child> = (0..4).map(|_| start_child(&file, 0, tags)).collect();
    let mut winners: HashMap<u64, u32> = HashMap::new();
    for mut child in children {
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success());
        for tag in claims(&said) {
            *winners.entry(tag).or_default() += 1;
        }
    }
    assert_eq!(winners.len() as u64, tags);
    assert!(winners.values().all(|wins| *wins == 1), "a tag was claimed twice");
}

#[test]
fn what_a_process_claimed_before_it_was_killed_stays_claimed() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("replays");
    let (mut first, mut all) = (0, Vec::new());
    // Killed after ever more claims, the first times perhaps before the file is made.
    for round in 0..20_u64 {
        let mut child = start_child(&file, first, 1_000_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while (claims(&said).count() as u64) < round * round {
            assert_ne!(lines.read_line(&mut said).unwrap(), 0, "the child ended by itself");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // A line that was being written is no acknowledgement.
        lines.read_to_string(&mut said).unwrap();
        let whole = said.rfind('\n').map_or(0, |end| end + 1);
        all.extend(claims(&said[..whole]));
        first += 1_000_000;
        let cache = ReplayFile::with_capacity(&file, SKEW, CAPACITY).unwrap();
        let now = system::now().time;
        for tag in &all {
            assert_eq!(
                cache.claim(tag_of(*tag), now),
                Err(ReplayError::Seen),
                "round {round}, tag {tag}"
            );
        }
        assert_eq!(cache.claim(tag_of(first - 1), now), Ok(()), "round {round}");
    }
    assert!(all.len() > 1000);
}

#[test]
#[ignore = "what the other tests start, as processes of their own"]
fn the_claimant_that_is_started() {
    let file = std::env::var(FILE).unwrap();
    let range = std::env::var(TAGS).unwrap();
    let (first, count) = range.split_once('+').unwrap();
    let (first, count): (u64, u64) = (first.parse().unwrap(), count.parse().unwrap());
    let cache = ReplayFile::with_capacity(file, SKEW, CAPACITY).unwrap();
    let out = Mutex::new(std::io::stdout());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for tag in first..first + count {
                    match cache.claim(tag_of(tag), system::now().time) {
                        // Its parent is told only what is certain.
                        Ok(()) => out
                            .lock()
                            .unwrap()
                            .write_all(format!("claimed {tag}\n").as_bytes())
                            .unwrap(),
                        Err(ReplayError::Seen) => {}
                        Err(why) => panic!("{why:?}: {:?}", cache.problem()),
                    }
                }
            });
        }
    });
}

fn start_child(file: &Path, first: u64, count: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_claimant_that_is_started", "--ignored", "--nocapture"])
        .env(FILE, file)
        .env(TAGS, format!("{first}+{count}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn claims(said: &str) -> impl Iterator<Item = u64> {
    said.lines()
        .filter_map(|line| line.split_once("claimed "))
        .map(|(_, tag)| tag.parse().unwrap())
}

fn tag_of(n: u64) -> ReplayTag {
    ReplayTag::of(&n.to_be_bytes())
}
