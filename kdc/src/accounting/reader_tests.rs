use std::fs;

use super::*;
use crate::accounting::WhoseEvents;

fn line(seq: u64, client: &str) -> String {
    format!(
        "{{\"seq\":{seq},\"time\":\"2026-11-23T08:{:02}:{:02}.000000Z\",\"kind\":\"as\",\"peer\":\"192.0.2.{}:5\",\"client\":\"{client}\"}}\n",
        seq / 60 % 60,
        seq % 60,
        seq % 250
    )
}

fn reader(directory: &Path) -> Reader {
    Reader::new(directory, Arc::default())
}

fn seqs(reader: &Reader, filter: &EventFilter, from: Start) -> (Vec<u64>, Progress) {
    let mut seqs = Vec::new();
    let progress = reader.read(filter, from, &mut |found| {
        assert!(found.raw.starts_with(&format!("{{\"seq\":{},", found.event.seq)));
        seqs.push(found.event.seq);
        ControlFlow::Continue(())
    });
    (seqs, progress.unwrap())
}

fn of(name: &str) -> EventFilter {
    EventFilter {
        principals: vec![WhoseEvents::of(None, vec![name.into()])],
        ..EventFilter::default()
    }
}

/// Numbers 1 to 1000 in three files, of which one is compressed in several frames; every tenth is bob's.
fn log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let name = |seq| if seq % 10 == 0 { "bob" } else { "alice" };
    let lines = |from: u64, upto: u64| (from..=upto).map(|seq| line(seq, name(seq))).collect::<String>();
    let mut frames = crate::accounting::compress::Frames::new().unwrap();
    let mut compressed = Vec::new();
    for at in [1, 101, 201] {
        frames.write(lines(at, at + 99).as_bytes(), &mut compressed).unwrap();
    }
    fs::write(dir.path().join("events-00000000000000000001.jsonl.zst"), compressed).unwrap();
    fs::write(dir.path().join("events-00000000000000000301.jsonl"), lines(301, 600)).unwrap();
    fs::write(dir.path().join(CURRENT), lines(601, 1000) + "{\"seq\":1001,\"ti").unwrap();
    dir
}

#[test]
fn events_are_read_in_order_from_all_files_from_a_number_on_and_from_the_end() {
    let dir = log();
    let reader = reader(dir.path());
    let all = EventFilter::default();
    for (from, first, count) in [
        (Start::Oldest, 1, 1000),
        (Start::After(0), 1, 1000),
        (Start::After(250), 251, 750),
        (Start::After(300), 301, 700),
        (Start::After(999), 1000, 1),
        (Start::Last(1), 1000, 1),
        (Start::Last(450), 551, 450),
        (Start::Last(999), 2, 999),
        (Start::Last(5000), 1, 1000),
    ] {
        let (seqs, progress) = seqs(&reader, &all, from);
        assert_eq!(seqs, (first..first + count).collect::<Vec<_>>(), "{from:?}");
        assert_eq!((progress.through, progress.damage.len()), (1000, 0), "{from:?}");
    }
    assert_eq!(seqs(&reader, &all, Start::After(1000)).0, [0; 0]);
    assert_eq!(seqs(&reader, &of("bob"), Start::After(975)).0, [980, 990, 1000]);
    assert_eq!(seqs(&reader, &of("bob"), Start::Last(3)).0, [980, 990, 1000]);
    assert_eq!(seqs(&reader, &of("bob"), Start::Oldest).0.len(), 100);
    assert_eq!(seqs(&reader, &of("carol"), Start::Oldest).0, [0; 0]);
}

#[test]
fn who_has_seen_enough_can_go_on_from_there() {
    let dir = log();
    let reader = reader(dir.path());
    let mut last = 0;
    let progress = reader.read(&of("bob"), Start::Oldest, &mut |found| {
        last = found.event.seq;
        if last == 320 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(progress.unwrap().through, 320);
    assert_eq!(seqs(&reader, &of("bob"), Start::After(320)).0[0], 330);
}

#[test]
fn a_time_and_an_address_choose_among_compressed_and_plain_lines() {
    let dir = log();
    let reader = reader(dir.path());
    let filter: EventFilter =
        serde_json::from_str(r#"{"since": "2026-11-23T08:04:00.000000Z", "until": "2026-11-23T08:06:00.000000Z"}"#)
            .unwrap();
    assert_eq!(seqs(&reader, &filter, Start::Oldest).0, (240..360).collect::<Vec<_>>());
    let filter: EventFilter = serde_json::from_str(r#"{"networks": ["192.0.2.7"]}"#).unwrap();
    assert_eq!(seqs(&reader, &filter, Start::Oldest).0, [7, 257, 507, 757]);
    let filter: EventFilter = serde_json::from_str(r#"{"networks": ["192.0.2.6/31"]}"#).unwrap();
    assert_eq!(seqs(&reader, &filter, Start::Last(3)).0, [507, 756, 757]);
}

#[test]
fn lines_on_the_border_of_blocks_are_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let count = 3 * BLOCK / line(1_000_000, "alice").len() as u64;
    let text: String = (1..=count).map(|seq| line(seq, "alice")).collect();
    assert!(text.len() as u64 > 2 * BLOCK);
    fs::write(dir.path().join(CURRENT), text).unwrap();
    let reader = reader(dir.path());
    assert_eq!(
        seqs(&reader, &EventFilter::default(), Start::Oldest).0,
        (1..=count).collect::<Vec<_>>()
    );
    assert_eq!(seqs(&reader, &of("alice"), Start::Last(20_000)).0.len(), 20_000);
    let long = format!(
        "{{\"seq\":1,\"time\":\"2026-11-23T08:00:00.000000Z\",\"kind\":\"as\",\"client\":\"{}\"}}\n",
        "x".repeat(4_000_000)
    );
    fs::write(dir.path().join(CURRENT), format!("{long}{}", line(2, "alice"))).unwrap();
    assert_eq!(seqs(&reader, &EventFilter::default(), Start::Oldest).0, [1, 2]);
}

#[test]
fn what_is_damaged_is_told_and_the_rest_is_read() {
    let dir = log();
    let reader = reader(dir.path());
    let path = dir.path().join("events-00000000000000000001.jsonl.zst");
    let whole = fs::read(&path).unwrap();
    let all = EventFilter::default();
    let first = u64::from_le_bytes([whole[4], whole[5], whole[6], whole[7], 0, 0, 0, 0]) as usize + 8;
    for (at, missing, told) in [
        (first + 40, 1..=100, "the frame at octet"),
        (20, 1..=300, "it is damaged at octet 0"),
    ] {
        let mut turned = whole.clone();
        turned[at] ^= 0xff;
        fs::write(&path, turned).unwrap();
        let (seqs, progress) = seqs(&reader, &all, Start::Oldest);
        assert_eq!(seqs[0], missing.end() + 1);
        assert_eq!(seqs.len(), 1000 - missing.count());
        assert!(
            progress.damage.len() == 1 && progress.damage[0].contains(told),
            "{progress:?}"
        );
        assert!(
            progress.damage[0].contains("events-00000000000000000001.jsonl.zst"),
            "{progress:?}"
        );
    }
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let (seqs, progress) = seqs(&reader, &all, Start::Oldest);
    assert_eq!((seqs.len(), progress.damage.len()), (900, 1));
}

#[test]
fn a_log_of_which_there_is_nothing_yet_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let reader = reader(&dir.path().join("events"));
    assert_eq!(
        seqs(&reader, &EventFilter::default(), Start::Oldest),
        (vec![], Progress::default())
    );
    assert_eq!(reader.wait_beyond(0, Duration::from_millis(1)), 0);
    reader.newest.set(7);
    assert_eq!(reader.wait_beyond(6, Duration::from_secs(3600)), 7);
}
