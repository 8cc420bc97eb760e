use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt as _, symlink};

use tessera_common::time::KerberosTime;

use super::*;
use crate::accounting::reader::Start;
use crate::accounting::{EventFilter, files};
use crate::log::LogWriter;

/// What the log has, in a buffer.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that is full for as long as somebody says so, and takes half of what does not fit; or stuck, and answers nobody.
#[derive(Clone, Default)]
struct Faulty(Arc<AtomicBool>, Arc<AtomicBool>);

impl Disk for Faulty {
    fn write(&mut self, file: &File, octets: &[u8], at: u64) -> io::Result<()> {
        while self.1.load(Ordering::Relaxed) {
            #[allow(clippy::disallowed_methods, reason = "that is what the disk does")]
            thread::sleep(Duration::from_millis(1));
        }
        if self.0.load(Ordering::Relaxed) {
            file.write_all_at(&octets[..octets.len() / 2], at)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all_at(octets, at)
    }
}

struct House {
    dir: tempfile::TempDir,
    paper: Paper,
    log: LogWriter,
    config: AccountingConfig,
    disk: Faulty,
}

impl House {
    fn new() -> Self {
        let paper = Paper::default();
        Self {
            dir: tempfile::tempdir().unwrap(),
            log: Log::start(paper.clone()).unwrap(),
            paper,
            config: AccountingConfig {
                enabled: true,
                directory: None,
                rotate_size: 64 << 20,
                rotate_every: None,
                keep: None,
                max_size: None,
                compress: true,
                when_slow: WhenSlow::DropAndCount,
                queue: 1 << 20,
                interim_every: Duration::from_secs(600),
                syslog: None,
                journald: None,
            },
            disk: Faulty::default(),
        }
    }

    fn directory(&self) -> PathBuf {
        self.dir.path().join("events")
    }

    fn try_start(&self) -> Result<EventsWriter, String> {
        EventsWriter::start_on(
            &self.directory(),
            &self.config,
            &self.log.log(),
            Box::new(self.disk.clone()),
        )
    }

    fn start(&self) -> EventsWriter {
        self.try_start().unwrap()
    }

    fn events(&self) -> Vec<EventRecord> {
        events(&Reader::new(&self.directory(), Arc::default()))
    }

    /// The log's text so far.
    fn said(self) -> String {
        drop(self.log);
        String::from_utf8(self.paper.0.lock().unwrap().clone()).unwrap()
    }
}

fn events(reader: &Reader) -> Vec<EventRecord> {
    let mut events = Vec::new();
    let progress = reader.read(&EventFilter::default(), Start::Oldest, &mut |found| {
        events.push(found.event.clone());
        ControlFlow::Continue(())
    });
    assert_eq!(progress.unwrap().damage, [""; 0]);
    events
}

fn tgs(writer: &EventsWriter, client: &str) {
    writer.events.push(&EventRecord {
        client: Some(client.into()),
        ..EventRecord::new(0, EventTime(clock::now()), EventKind::Tgs)
    });
}

/// Waits until the newest event has this number at least.
fn until_written(writer: &EventsWriter, seq: u64) {
    let newest = writer.events.reader.wait_beyond(seq - 1, Duration::from_secs(60));
    assert!(newest >= seq, "{newest}");
}

fn until(mut what: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if what() {
            return;
        }
        #[allow(clippy::disallowed_methods, reason = "a thread is waited for")]
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to pass");
}

fn kinds(events: &[EventRecord]) -> Vec<(u64, EventKind)> {
    events.iter().map(|event| (event.seq, event.kind)).collect()
}

#[test]
fn numbers_go_on_over_restarts_and_what_waits_at_the_stop_is_written() {
    use EventKind::{Started, Stopped, Tgs};
    let house = House::new();
    let writer = house.start();
    tgs(&writer, "alice");
    drop(writer);
    let writer = house.start();
    tgs(&writer, "bob");
    drop(writer);
    let all = house.events();
    assert_eq!(
        kinds(&all),
        [
            (1, Started),
            (2, Tgs),
            (3, Stopped),
            (4, Started),
            (5, Tgs),
            (6, Stopped)
        ]
    );
    assert_eq!(all[3].detail, None);
    let current = fs::metadata(house.directory().join(CURRENT)).unwrap();
    assert_eq!(current.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::metadata(house.directory()).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_torn_last_line_is_cut_off_and_the_end_without_a_stop_is_told() {
    let house = House::new();
    drop(house.start());
    let path = house.directory().join(CURRENT);
    let text = fs::read_to_string(&path).unwrap();
    let started = text.lines().next().unwrap();
    fs::write(&path, format!("{started}\n{{\"seq\":2,\"ti")).unwrap();
    drop(house.start());
    let all = house.events();
    assert_eq!(kinds(&all)[..2], [(1, EventKind::Started), (2, EventKind::Started)]);
    assert!(all[1].detail.as_ref().unwrap().contains("did not stop in order"));
    let said = house.said();
    assert!(
        said.contains("ended in the middle of a line: 12 octets are cut off"),
        "{said}"
    );
}

#[test]
fn a_full_file_is_put_aside_and_compressed_and_all_is_read_in_order() {
    let mut house = House::new();
    house.config.rotate_size = 4096;
    let writer = house.start();
    for round in 1..=5 {
        for _ in 0..100 {
            tgs(&writer, "alice");
        }
        until_written(&writer, round * 100 + 1);
    }
    until(|| {
        let files = files::rotated(&house.directory()).unwrap();
        files.len() >= 2 && files.iter().all(|file| file.compressed)
    });
    let all = events(&writer.events.reader);
    assert_eq!(
        all.iter().map(|event| event.seq).collect::<Vec<_>>(),
        (1..=501).collect::<Vec<_>>()
    );
    drop(writer);
    drop(house.start());
    let numbers: Vec<_> = house.events().iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=504).collect::<Vec<_>>());
}

#[test]
fn an_old_file_is_put_aside_and_what_is_too_old_or_too_much_goes() {
    let mut house = House::new();
    house.config.rotate_every = Some(Duration::from_secs(3600));
    let directory = house.directory();
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let old = EventTime(Timestamp::new(KerberosTime(1_700_000_000), 0));
    let line = serde_json::to_string(&EventRecord::new(41, old, EventKind::Stopped)).unwrap();
    fs::write(directory.join(CURRENT), line + "\n").unwrap();
    let writer = house.start();
    until(|| fs::exists(directory.join("events-00000000000000000041.jsonl.zst")).unwrap());
    let kept = AccountingConfig {
        keep: Some(Duration::from_secs(3600)),
        ..house.config.clone()
    };
    let mut task = Task {
        directory: directory.clone(),
        settings: Arc::new(ArcSwap::from_pointee(kept)),
        figures: Arc::default(),
        log: house.log.log(),
        said: None,
        stopping: Arc::default(),
    };
    task.round();
    assert_eq!(files::rotated(&directory).unwrap().len(), 1, "it was written just now");
    let compressed = File::options()
        .write(true)
        .open(directory.join("events-00000000000000000041.jsonl.zst"))
        .unwrap();
    compressed.set_modified(std::time::UNIX_EPOCH).unwrap();
    task.round();
    assert_eq!(files::rotated(&directory).unwrap(), []);
    drop(writer);

    for first in [50, 60, 70] {
        let mut file = File::create(directory.join(format!("events-{first:020}.jsonl.zst"))).unwrap();
        file.write_all(&[0; 1000]).unwrap();
    }
    task.settings.store(Arc::new(AccountingConfig {
        max_size: Some(2500),
        ..house.config.clone()
    }));
    task.round();
    let left: Vec<_> = files::rotated(&directory)
        .unwrap()
        .iter()
        .map(|file| file.first)
        .collect();
    assert_eq!(left, [60, 70], "the oldest goes first");
    assert!(house.said().contains("1 files of former events are past what"));
}

#[test]
fn a_full_disk_loses_what_finds_no_room_and_says_how_much_when_there_is_room_again() {
    let mut house = House::new();
    house.config.queue = 16 << 10;
    let writer = house.start();
    until_written(&writer, 1);
    house.disk.0.store(true, Ordering::Relaxed);
    for _ in 0..1000 {
        tgs(&writer, "alice");
    }
    let figures = Arc::clone(&writer.events.figures);
    until(|| figures.write_failures.load(Ordering::Relaxed) > 1);
    let lost = figures.lost.load(Ordering::Relaxed);
    assert!(lost > 0);
    house.disk.0.store(false, Ordering::Relaxed);
    until_written(&writer, 1002);
    drop(writer);
    let all = house.events();
    let told: Vec<_> = all.iter().filter(|event| event.kind == EventKind::Lost).collect();
    assert_eq!(told.iter().map(|event| event.count.unwrap()).sum::<u64>(), lost);
    let kept = all.iter().filter(|event| event.kind == EventKind::Tgs).count() as u64;
    assert_eq!(kept + lost, 1000);
    let said = house.said();
    assert!(
        said.contains("cannot be written") && said.contains("is written again"),
        "{said}"
    );
    assert!(said.contains("events were lost"), "{said}");
    assert!(said.matches("cannot be written").count() == 1, "{said}");
}

#[test]
fn nobody_waits_for_a_disk_that_is_stuck_as_long_as_there_is_room() {
    let mut house = House::new();
    house.config.when_slow = WhenSlow::Block;
    let writer = house.start();
    until_written(&writer, 1);
    house.disk.1.store(true, Ordering::Relaxed);
    for _ in 0..1000 {
        tgs(&writer, "alice");
    }
    assert_eq!(writer.events.reader.newest(), 1, "none is written");
    house.disk.1.store(false, Ordering::Relaxed);
    until_written(&writer, 1001);
    assert_eq!(events(&writer.events.reader).len(), 1001);
    let latency: u64 = writer
        .events
        .figures
        .latency
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum();
    assert!(latency > 0 && writer.events.figures.written.load(Ordering::Relaxed) == 1001);
}

#[test]
fn a_full_disk_loses_nothing_where_requests_wait() {
    let mut house = House::new();
    house.config.queue = 16 << 10;
    house.config.when_slow = WhenSlow::Block;
    let writer = house.start();
    house.disk.0.store(true, Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| (0..1000).for_each(|_| tgs(&writer, "alice")));
        until(|| writer.events.figures.write_failures.load(Ordering::Relaxed) > 1);
        house.disk.0.store(false, Ordering::Relaxed);
    });
    drop(writer);
    let numbers: Vec<_> = house.events().iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=1002).collect::<Vec<_>>());
}

#[test]
fn a_stop_with_a_full_disk_ends_and_says_what_is_lost() {
    let house = House::new();
    let writer = house.start();
    until_written(&writer, 1);
    house.disk.0.store(true, Ordering::Relaxed);
    tgs(&writer, "alice");
    drop(writer);
    let said = house.said();
    assert!(said.contains("2 events could not be written before the stop"), "{said}");
}

#[test]
fn a_directory_that_is_taken_away_is_made_anew_and_no_event_is_lost() {
    let house = House::new();
    let writer = house.start();
    until_written(&writer, 1);
    fs::rename(house.directory(), house.dir.path().join("aside")).unwrap();
    tgs(&writer, "alice");
    until_written(&writer, 2);
    fs::remove_file(house.directory().join(CURRENT)).unwrap();
    tgs(&writer, "bob");
    until_written(&writer, 3);
    let all = events(&writer.events.reader);
    assert_eq!(kinds(&all), [(3, EventKind::Tgs)]);
    let file = File::options()
        .write(true)
        .open(house.directory().join(CURRENT))
        .unwrap();
    file.set_len(0).unwrap();
    tgs(&writer, "carol");
    until_written(&writer, 4);
    assert_eq!(kinds(&events(&writer.events.reader)), [(4, EventKind::Tgs)]);
    drop(writer);
    let said = house.said();
    assert!(said.matches("is made anew").count() == 2, "{said}");
    assert!(said.contains("somebody has cut the event log"), "{said}");
}

#[test]
fn a_clock_that_was_set_back_is_an_event_also_over_a_restart() {
    let house = House::new();
    let writer = house.start();
    let at = |seconds| Timestamp::new(KerberosTime(seconds), 0);
    writer.events.note_clock(at(1000), at(999));
    writer.events.note_clock(at(1000), at(990));
    drop(writer);
    let ahead = EventTime(Timestamp::new(KerberosTime(clock::now().time.0 + 3600), 0));
    let line = serde_json::to_string(&EventRecord::new(4, ahead, EventKind::Stopped)).unwrap();
    let path = house.directory().join(CURRENT);
    let mut file = File::options().append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
    drop(house.start());
    let all = house.events();
    let set_back: Vec<_> = all
        .iter()
        .filter(|event| event.kind == EventKind::ClockSetBack)
        .collect();
    assert_eq!(set_back.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(
        set_back[0].detail.as_deref(),
        Some("from 1970-01-01T00:16:40.000000Z to 1970-01-01T00:16:30.000000Z")
    );
}

#[test]
fn a_directory_that_cannot_be_used_is_told_with_what_to_do() {
    let house = House::new();
    let directory = house.directory();
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o770)).unwrap();
    assert!(house.try_start().err().unwrap().contains("chmod 0700"));
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let first = house.start();
    assert!(
        house
            .try_start()
            .err()
            .unwrap()
            .contains("another kdc writes its events to")
    );
    drop(first);
    fs::remove_dir_all(&directory).unwrap();
    symlink("/proc/nothing", &directory).unwrap();
    assert!(house.try_start().err().unwrap().contains("cannot be made"));
    if Uid::effective().is_root() {
        fs::remove_file(&directory).unwrap();
        fs::create_dir(&directory).unwrap();
        std::os::unix::fs::chown(&directory, Some(65_534), None).unwrap();
        assert!(house.try_start().err().unwrap().contains("belongs to uid 65534"));
    }
}

#[test]
fn a_file_that_cannot_be_compressed_stays_and_is_told_once() {
    let house = House::new();
    drop(house.start());
    let directory = house.directory();
    // Read as a file, it fails.
    fs::create_dir(directory.join("events-00000000000000000009.jsonl")).unwrap();
    let mut task = Task {
        directory,
        settings: Arc::new(ArcSwap::from_pointee(house.config.clone())),
        figures: Arc::default(),
        log: house.log.log(),
        said: None,
        stopping: Arc::default(),
    };
    task.round();
    task.round();
    assert_eq!(task.figures.compression_failures.load(Ordering::Relaxed), 2);
    let said = house.said();
    assert_eq!(said.matches("is not compressed").count(), 1, "{said}");
}
