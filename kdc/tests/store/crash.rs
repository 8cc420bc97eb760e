//! A writer that is killed at any instant loses nothing that it had acknowledged.
//!
//! `TESSERA_CRASH_ROUNDS` says how often, tests/run 200 times; the processes are this test program itself.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::RwLock;
use std::thread;
use std::time::Duration;

use tessera_common::Random as _;
use tessera_kdc::random::ThreadRandom;

use super::dump::problems;
use super::*;

const STATE: &str = "TESSERA_CRASH_STATE";
const WRITERS: u64 = 4;
const LANES: u64 = 4;

/// Nobody has a database open in this process while another one is started: until that is another program, it would hold
/// the lock, too.
static STARTING: RwLock<()> = RwLock::new(());

/// What the writers have said of a principal.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    /// It has at least this revision.
    revision: u64,
    /// It may be gone.
    going: bool,
    /// It is gone.
    gone: bool,
}

#[test]
fn a_writer_killed_at_any_instant_loses_nothing_acknowledged() {
    let rounds: u64 = std::env::var("TESSERA_CRASH_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    // Each on a database of its own: most of a round is waiting for the disk.
    let acknowledged: u64 = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| scope.spawn(move || kill_again_and_again((rounds + LANES - 1 - lane) / LANES)))
            .collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).sum()
    });
    println!("{acknowledged} changes acknowledged in {rounds} rounds, none lost");
    assert!(acknowledged > rounds);
}

/// Kills the writer of one database so many times. How many changes it had acknowledged, none of which is lost.
fn kill_again_and_again(rounds: u64) -> u64 {
    let site = Site {
        segment_octets: 64 << 10,
        ..Site::new()
    };
    let mut said: HashMap<u64, Said> = HashMap::new();
    let mut acknowledged = 0;
    for round in 0..rounds {
        for line in run_and_kill(&site) {
            acknowledged += u64::from(line.starts_with("put") || line.starts_with("removed"));
            note(&mut said, &line);
        }
        if round % 3 == 2 {
            let _ = fs::remove_dir_all(site.state().join("index"));
        }
        let _nobody_starts = STARTING.read().unwrap();
        let store = site.open();
        let view = store.view();
        for (number, said) in &said {
            let found = view.get(id(*number)).map(|record| record.revision);
            match found {
                Some(revision) => assert!(
                    !said.gone && revision >= said.revision,
                    "user{number}: {revision}, {said:?}"
                ),
                None => assert!(said.going, "user{number} is lost: {said:?}"),
            }
        }
        assert_eq!(
            view.iter()
                .filter(|record| view.find(&record.name).map(|found| &**found) != Some(record))
                .count(),
            0
        );
        drop(view);
        drop(store);
        // What the index lacked after the kill is in it.
        assert_eq!(problems(&site), [""; 0]);
    }
    acknowledged
}

/// Runs the writers, kills them, and gives what they had said until then.
fn run_and_kill(site: &Site) -> Vec<String> {
    let nobody_has_one_open = STARTING.write().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::the_writer_that_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(STATE, site.state())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(nobody_has_one_open);
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| line.unwrap());
    // It writes now.
    let first = lines.by_ref().find(|line| line.starts_with("put"));
    assert!(first.is_some(), "the writer did not start: a round that proves nothing");
    let mut octets = [0; 2];
    ThreadRandom.fill(&mut octets);
    pause(Duration::from_micros(u64::from(u16::from_le_bytes(octets)) * 2));
    child.kill().unwrap();
    // A line that was not finished was not said.
    let said = first
        .into_iter()
        .chain(lines.take_while(|line| line.ends_with('.')))
        .collect();
    child.wait().unwrap();
    said
}

fn note(said: &mut HashMap<u64, Said>, line: &str) {
    let words: Vec<_> = line.trim_end_matches('.').split(' ').collect();
    match words.as_slice() {
        ["put", number, revision] => {
            said.entry(number.parse().unwrap()).or_default().revision = revision.parse().unwrap();
        }
        ["removing", number] => said.entry(number.parse().unwrap()).or_default().going = true,
        ["removed", number] => said.entry(number.parse().unwrap()).or_default().gone = true,
        _ => panic!("{line}"),
    }
}

#[test]
#[ignore = "it runs until it is killed"]
fn the_writer_that_is_killed() {
    let state = PathBuf::from(std::env::var_os(STATE).expect("it is run by another test"));
    let options = Options {
        segment_octets: 64 << 10,
        ..Options::new(realm(), Arc::new(|_| {}))
    };
    let store = Durable::open(&state, &options).unwrap().store;
    let first = store.view().sequence() + 1;
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                // Until the process is killed.
                for step in 0..u64::MAX {
                    write(store, (first << 32) + (step * WRITERS + writer));
                }
            });
        }
    });
}

/// Makes a principal, changes it, and removes it if its number says so.
fn write(store: &Durable, number: u64) {
    for _ in 0..2 {
        let record = store
            .view()
            .get(id(number))
            .map_or_else(|| user(number), |record| PrincipalRecord::clone(record));
        let revision = store.commit(&author(), vec![put(record)]).unwrap();
        say(&format!("put {number} {revision}.\n"));
    }
    if number.is_multiple_of(3) {
        say(&format!("removing {number}.\n"));
        remove(store, number).unwrap();
        say(&format!("removed {number}.\n"));
    }
}

fn say(line: &str) {
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

#[allow(clippy::disallowed_methods, reason = "the instant of a crash is to be any")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}
