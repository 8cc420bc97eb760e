//! What an event costs, from the request's thread to the compressed file, and how long a question to a log of many takes.
//!
//! `cargo bench -p tessera-kdc --bench events [-- COUNT [DIRECTORY]]`: a million events unless told, in a temporary directory.

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark may stop at the first thing that is wrong, and looks at the clock"
)]

use std::fs;
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use tessera_common::crypto::EncType;
use tessera_common::flags::TicketFlags;
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_kdc::accounting::{Accounting, EventFilter, Reader, Start};
use tessera_kdc::config::{Config, LogConfig, LogFormat};
use tessera_kdc::log::Log;
use tessera_kdc::realm::accounting::{Event, Issued, Kind, Origin, Phrases, Result as Outcome, Transport};
use tessera_kdc::realm::principal::PrincipalId;

const USERS: u32 = 20_000;
const BEGAN: i64 = 1_790_000_000;

fn main() {
    // `cargo test --all-targets` and test runners start benchmarks too: they have nothing to test.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let count: u32 = args
        .next()
        .map_or(1_000_000, |count| count.parse().expect("a number of events"));
    let given = args.next().map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a directory");
    let directory = given.unwrap_or_else(|| temporary.path().join("events"));
    if !directory.join("current.jsonl").exists() {
        compose(count);
        fill(&directory, count);
    }
    let octets: u64 = fs::read_dir(&directory)
        .expect("the directory")
        .map(|entry| entry.expect("an entry").metadata().map_or(0, |metadata| metadata.len()))
        .sum();
    println!("{:<52} {} MB", "on the disk", octets >> 20);
    let user = format!(
        "{{\"principals\": [{{\"id\": \"{}\", \"names\": [\"user4711\"]}}]}}",
        id(4711)
    );
    let half = BEGAN + i64::from(count) / 200;
    let minute = format!("{{\"since\": {:?}, \"until\": {:?}}}", at(half), at(half + 60));
    for (what, filter, from) in [
        ("all of a principal", user.as_str(), Start::Oldest),
        ("the last ten of a principal", &user, Start::Last(10)),
        ("all of an address", r#"{"networks": ["10.0.18.103"]}"#, Start::Oldest),
        ("all of a minute", &minute, Start::Oldest),
        (
            "all of a reason that none has",
            r#"{"reasons": ["locked"]}"#,
            Start::Oldest,
        ),
        (
            "all refused, two in a hundred",
            r#"{"results": ["refused"]}"#,
            Start::Oldest,
        ),
        ("all of them, taken apart", "{}", Start::Oldest),
    ] {
        let filter: EventFilter = serde_json::from_str(filter).expect("a filter");
        let mut best = Duration::MAX;
        let mut found = 0;
        for _ in 0..3 {
            let began = Instant::now();
            found = 0;
            let progress = Reader::open(&directory).read(&filter, from, &mut |_| {
                found += 1;
                ControlFlow::Continue(())
            });
            assert!(progress.expect("a log").damage.is_empty());
            best = best.min(began.elapsed());
        }
        println!("{what:<52} {:>7.1} ms, {found} found", best.as_secs_f64() * 1e3);
    }
}

fn compose(count: u32) {
    let mut line = String::new();
    let mut phrases = Phrases::default();
    let event = event(17);
    let before = cpu(UsageWho::RUSAGE_THREAD);
    let mut octets = 0;
    for _ in 0..count {
        line.clear();
        event.put_json(&mut phrases, &mut line);
        octets += black_box(&line).len();
    }
    let each = (cpu(UsageWho::RUSAGE_THREAD) - before).as_nanos() / u128::from(count);
    println!(
        "{:<52} {each} ns of CPU, {} octets",
        "a line in words",
        octets / count as usize
    );
}

// As fast as a busy realm, not as fast as can be: what is measured is work, not waiting for room.
fn fill(directory: &Path, count: u32) {
    let text = format!(
        "[realm]\nname = \"R\"\nstate = \"var\"\n[accounting]\ndirectory = {directory:?}\nwhen-slow = \"block\"\nrotate-size = \"64M\"\nrotate-every = \"0s\"\nmax-size = 0\n"
    );
    let config = Config::parse(Path::new("/realm.toml"), &text).expect("a configuration");
    let log = Log::start(io::stderr()).expect("a log");
    log.log().set(LogConfig {
        format: LogFormat::Text,
        requests: false,
    });
    let (accounting, writer) = Accounting::start(&config.accounting, Path::new("/"), &log.log()).expect("an event log");
    let before = cpu(UsageWho::RUSAGE_THREAD);
    (0..count).for_each(|number| drop(black_box(event(number))));
    let making = cpu(UsageWho::RUSAGE_THREAD) - before;
    let before = (cpu(UsageWho::RUSAGE_THREAD), cpu(UsageWho::RUSAGE_SELF));
    (0..count).for_each(|number| accounting.request(&event(number)));
    let told = (cpu(UsageWho::RUSAGE_THREAD) - before.0).saturating_sub(making);
    drop(writer);
    // Another start compresses what the stop left.
    let (_, writer) = Accounting::start(&config.accounting, Path::new("/"), &log.log()).expect("an event log");
    while fs::read_dir(directory).expect("the directory").any(|entry| {
        let name = entry.expect("an entry").file_name().into_string().unwrap_or_default();
        name.starts_with("events-") && !name.ends_with(".zst")
    }) {
        thread::sleep(Duration::from_millis(20));
    }
    drop(writer);
    let all = (cpu(UsageWho::RUSAGE_SELF) - before.1).saturating_sub(making);
    let each = |span: Duration| span.as_nanos() / u128::from(count);
    println!(
        "{:<52} {} ns of CPU",
        "an event told, on the request's thread",
        each(told)
    );
    println!("{:<52} {} ns of CPU", "    on all threads, compressed", each(all));
}

fn cpu(whose: UsageWho) -> Duration {
    let usage = getrusage(whose).expect("the process's usage");
    let of = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000);
    of(usage.user_time()) + of(usage.system_time())
}

fn id(user: u32) -> PrincipalId {
    PrincipalId(
        u128::from(user)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes(),
    )
}

fn at(seconds: i64) -> String {
    format!("{}.000000Z", KerberosTime(seconds).to_string().trim_end_matches('Z'))
}

fn event(number: u32) -> Event {
    let user = number.wrapping_mul(2_654_435_761) % USERS;
    let [_, a, b, c] = (0x0a00_0000 | user).to_be_bytes();
    let peer = SocketAddr::from((Ipv4Addr::new(10, a, b, c), 1024 + (number % 60_000) as u16));
    let origin = Origin {
        peer,
        local: peer,
        transport: Transport::Udp,
    };
    let time = Timestamp::new(KerberosTime(BEGAN + i64::from(number) / 100), number % 1_000_000);
    let is_login = number.is_multiple_of(4);
    let result = if number.is_multiple_of(50) {
        Outcome::Refused {
            code: tessera_common::error_code::ErrorCode(24),
            reason: "wrong-proof",
            detail: String::new(),
        }
    } else {
        Outcome::Issued(Issued {
            ticket_etype: EncType::Aes256CtsHmacSha1_96,
            session_etype: EncType::Aes256CtsHmacSha1_96,
            reply_etype: EncType::Aes256CtsHmacSha1_96,
            kvno: Some(1),
            reply_kvno: is_login.then_some(3),
            flags: TicketFlags(0x50e1_0000),
            end: KerberosTime(time.time.0 + 36_000),
            renew_till: Some(KerberosTime(time.time.0 + 604_800)),
        })
    };
    Event {
        client: Some(format!("user{user}")),
        client_id: Some(id(user)),
        service: Some(if is_login {
            "krbtgt/EXAMPLE.COM".into()
        } else {
            format!("host/h{}.example.com", user % 500)
        }),
        service_id: Some(id(1_000_000 + user % 500)),
        offered: vec![18, 17, 20, 19],
        mechanism: is_login.then_some("encrypted-timestamp"),
        factor: is_login.then_some("long-term-key"),
        ..Event::new(time, origin, if is_login { Kind::As } else { Kind::Tgs }, result)
    }
}
