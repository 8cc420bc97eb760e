//! What is due by itself: new keys for the realm's own ticket-granting service, and the end of keys that are good no more.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tessera_common::Random;
use tessera_common::accounting::{EventKind, EventRecord, EventResult, EventTime};
use tessera_common::name::Name;
use tessera_common::time::{KerberosTime, Timestamp};

use crate::accounting::Accounting;
use crate::clock;
use crate::kerberos::Kdc;
use crate::random::ThreadRandom;
use crate::realm::keys::{self, Former, FreshKeys};
use crate::realm::principal::PrincipalRecord;
use crate::realm::settings::RealmSettings;
use crate::store::{Author, Change, Store, StoreError, View};

/// How often it is looked what is due when nothing is known to be sooner: a clock that was put forward is noticed then, and
/// what failed is tried again.
const PERIOD: Duration = Duration::from_secs(60);
/// The least that is waited.
const BREATH: Duration = Duration::from_secs(1);
/// The most principals that lose keys in one commit; the others follow a breath later.
const MOST_AT_ONCE: usize = 256;
/// The most principals that a line of the log names.
const MOST_NAMED: usize = 8;

/// The running task; ended and waited for when dropped.
pub(super) struct Upkeep {
    wake: Option<SyncSender<()>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    /// Begins at once, on a thread that nobody waits for.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start(kdc: Arc<ArcSwap<Kdc>>, store: Arc<dyn Store>, accounting: Accounting) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        // One that waits is as good as several.
        let (wake, woken) = sync_channel(1);
        let mut task = Task::new(kdc, store, accounting, Arc::clone(&stopping));
        let thread = thread::Builder::new()
            .name("upkeep".into())
            .spawn(move || task.run(&woken))?;
        Ok(Self {
            wake: Some(wake),
            stopping,
            thread: Some(thread),
        })
    }

    /// Has it looked at once what is due, as after other settings came into force.
    pub(super) fn waker(&self) -> impl Fn() + Send + Sync + use<> {
        let wake = self.wake.clone();
        move || {
            if let Some(wake) = &wake {
                let _ = wake.try_send(());
            }
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.waker()();
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Task {
    kdc: Arc<ArcSwap<Kdc>>,
    store: Arc<dyn Store>,
    accounting: Accounting,
    stopping: Arc<AtomicBool>,
    /// When all principals were looked at last, and when the first of their keys is past its time.
    looked: Option<Looked>,
    said: Said,
}

/// What is wrong, and was said: once, and not every minute, until it is right again.
#[derive(Default)]
struct Said {
    clock: Option<String>,
    roll_over: Option<String>,
    drop_past: Option<String>,
}

/// What a look at all principals found.
#[derive(Default)]
struct Found {
    /// Who has keys that are past their time, in which revision, and as it is without them.
    changes: Vec<(u64, PrincipalRecord)>,
    /// When the first of all other keys is.
    first_past: Option<KerberosTime>,
}

#[derive(Clone, Copy)]
struct Looked {
    at: KerberosTime,
    first_past: Option<KerberosTime>,
}

impl Task {
    fn new(kdc: Arc<ArcSwap<Kdc>>, store: Arc<dyn Store>, accounting: Accounting, stopping: Arc<AtomicBool>) -> Self {
        Self {
            kdc,
            store,
            accounting,
            stopping,
            looked: None,
            said: Said::default(),
        }
    }

    fn run(&mut self, woken: &Receiver<()>) {
        while !self.stopping.load(Ordering::Relaxed) {
            let wait = self.round(clock::now().time, &mut ThreadRandom);
            if woken.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    /// Does what is due now, and says after which time to look again.
    fn round(&mut self, now: KerberosTime, random: &mut dyn Random) -> Duration {
        let settings = Arc::clone(self.kdc.load().settings());
        let due = [self.roll_over(&settings, now, random), self.drop_past(&settings, now)];
        let next = due.into_iter().flatten().min();
        next.map_or(PERIOD, |next| next.since(now).clamp(BREATH, PERIOD))
    }

    // Gives when it is due next; `None`: not by itself, or it was not to be had.
    fn roll_over(
        &mut self,
        settings: &RealmSettings,
        now: KerberosTime,
        random: &mut dyn Random,
    ) -> Option<KerberosTime> {
        let view = self.store.view();
        let found = view.find(&Name::krbtgt(&settings.name))?;
        let due = keys::rollover_due(found, settings)?;
        if due > now {
            self.warn_of_clock(found, settings, now);
            return Some(due);
        }
        let former = Former::due(found, false, settings, now);
        let mut record = PrincipalRecord::clone(found);
        let fresh = FreshKeys::at_random(&settings.enctypes, random);
        keys::replace(&view, &mut record, &fresh, former, now, random);
        let mut line = format!(
            "{} has a new key, kvno {}",
            record.name,
            record.kvno().unwrap_or_default()
        );
        if let Former::KeptUntil(end) = former {
            let _ = write!(line, ", the former is good until {end}");
        }
        let next = keys::rollover_due(&record, settings);
        let changed = (record.name.to_string(), record.id.to_string());
        let detail = format!("kvno {}", record.kvno().unwrap_or_default());
        match self.commit(vec![(found.revision, record)], now) {
            Ok(()) => {
                self.accounting.log().info(line);
                self.tell("rotate", now, &changed, detail);
                self.said.roll_over = None;
                next
            }
            Err(why) if is_overtaken(&why) => Some(now),
            Err(why) => {
                let what = "the realm's ticket-granting key is due to be changed, and was not";
                self.log_failure(what, &why, |said| &mut said.roll_over);
                None
            }
        }
    }

    // By a right clock, its key was made in the past: either this one is behind, or the other was ahead.
    fn warn_of_clock(&mut self, krbtgt: &PrincipalRecord, settings: &RealmSettings, now: KerberosTime) {
        let made = keys::newest_made(krbtgt);
        if made <= now.plus(settings.clock_skew) {
            self.said.clock = None;
            return;
        }
        let what = format!(
            "the key of {} was made at {made}, by a clock that is ahead of this one; it is changed when it is old by this one, \
             or by `principal rotate {}`",
            krbtgt.name, krbtgt.name
        );
        if self.said.clock.as_ref() != Some(&what) {
            self.accounting.log().warn(&what);
            self.said.clock = Some(what);
        }
    }

    // Gives when the first key is past its time next.
    fn drop_past(&mut self, settings: &RealmSettings, now: KerberosTime) -> Option<KerberosTime> {
        if let Some(looked) = self.looked
            && !is_stale(looked, settings, now)
        {
            return looked.first_past;
        }
        let view = self.store.view();
        let Found { changes, first_past } = self.look(&view, now)?;
        let gone_versions: Vec<_> = changes.iter().map(|(_, record)| gone_of(&view, record)).collect();
        let gone = gone(&gone_versions);
        let first_past = if changes.is_empty() {
            first_past
        } else {
            match self.commit(changes, now) {
                Ok(()) => {
                    self.accounting
                        .log()
                        .info(format_args!("former keys are past their time, and gone: {gone}"));
                    for gone in gone_versions {
                        self.tell("purge", now, &gone.principal, gone.kvnos());
                    }
                    self.said.drop_past = None;
                    first_past
                }
                Err(why) if is_overtaken(&why) => Some(now),
                Err(why) => {
                    let what = "keys that are past their time are not taken away";
                    self.log_failure(what, &why, |said| &mut said.drop_past);
                    Some(now.plus(PERIOD))
                }
            }
        };
        self.looked = Some(Looked { at: now, first_past });
        first_past
    }

    // Nothing when the daemon stops.
    fn look(&self, view: &View, now: KerberosTime) -> Option<Found> {
        let mut found = Found::default();
        for mut record in view.retiring() {
            if self.stopping.load(Ordering::Relaxed) {
                return None;
            }
            let revision = record.revision;
            let loses = found.changes.len() < MOST_AT_ONCE && !keys::drop_past(&mut record, now).is_empty();
            let firsts = [found.first_past, keys::next_past(&record)];
            found.first_past = firsts.into_iter().flatten().min();
            if loses {
                found.changes.push((revision, record));
            }
        }
        Some(found)
    }

    // The daemon's own change is an event as an administrator's is.
    fn tell(&self, request: &str, now: KerberosTime, (name, id): &(String, String), detail: String) {
        self.accounting.administered(&EventRecord {
            client: Some(Author::daemon(now).who),
            service: Some(name.clone()),
            service_id: Some(id.clone()),
            request: Some(request.to_owned()),
            result: Some(EventResult::Done),
            detail: Some(detail),
            ..EventRecord::new(0, EventTime(Timestamp::new(now, 0)), EventKind::Admin)
        });
    }

    fn commit(&self, changes: Vec<(u64, PrincipalRecord)>, now: KerberosTime) -> Result<(), StoreError> {
        let author = Author::daemon(now);
        let changes = changes.into_iter().map(|(revision, record)| Change::Put {
            expected: Some(revision),
            record: Box::new(PrincipalRecord {
                changed: now,
                changed_by: author.who.clone(),
                ..record
            }),
        });
        self.store.commit(&author, changes.collect()).map(drop)
    }

    fn log_failure(&mut self, what: &str, why: &StoreError, said: impl FnOnce(&mut Said) -> &mut Option<String>) {
        let line = format!("{what}: {why}; it is tried again");
        let said = said(&mut self.said);
        // A daemon that stops takes no more changes.
        if said.as_ref() != Some(&line) && !self.stopping.load(Ordering::Relaxed) {
            self.accounting.log().error(&line);
            *said = Some(line);
        }
    }
}

// What was retired since all were looked at stays good for a ticket's life from then on. By a clock that was put back, it may be
// sooner than what was known then.
fn is_stale(looked: Looked, settings: &RealmSettings, now: KerberosTime) -> bool {
    let life = settings.lifetime.saturating_add(settings.clock_skew);
    now < looked.at || looked.first_past.is_some_and(|first| first <= now) || looked.at.plus(life) <= now
}

// Somebody else was faster: nothing to say.
fn is_overtaken(why: &StoreError) -> bool {
    matches!(why, StoreError::Conflict { .. } | StoreError::NotFound)
}

/// Whose keys are gone, and which.
struct Gone {
    principal: (String, String),
    versions: Vec<u32>,
}

impl Gone {
    fn kvnos(&self) -> String {
        let kvnos: Vec<_> = self.versions.iter().map(|kvno| format!("kvno {kvno}")).collect();
        kvnos.join(" ")
    }
}

fn gone_of(view: &View, record: &PrincipalRecord) -> Gone {
    let before = view
        .get(record.id)
        .map(|before| before.keys.as_slice())
        .unwrap_or_default();
    let mut versions: Vec<_> = before.iter().map(|key| key.kvno).collect();
    versions.retain(|kvno| record.keys_of(*kvno).next().is_none());
    versions.dedup();
    Gone {
        principal: (record.name.to_string(), record.id.to_string()),
        versions,
    }
}

fn gone(all: &[Gone]) -> String {
    let mut text = String::new();
    for (at, gone) in all.iter().take(MOST_NAMED).enumerate() {
        let before = if at == 0 { "" } else { "; " };
        let _ = write!(text, "{before}{} {}", gone.principal.0, gone.kvnos());
    }
    if all.len() > MOST_NAMED {
        let _ = write!(text, "; and those of {} others", all.len() - MOST_NAMED);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tessera_common::name::Realm;

    use super::*;
    use crate::log::{Log, LogWriter};
    use crate::realm::founding;
    use crate::realm::principal::PrincipalId;
    use crate::store::Memory;
    use crate::store::test_realm::{Counter, add, keyring, principal};

    const NOW: KerberosTime = KerberosTime(1_800_000_000);
    const DAY: i64 = 86_400;
    const LIFE: i64 = 10 * 3600 + 300;

    fn at(seconds: i64) -> KerberosTime {
        KerberosTime(NOW.0 + seconds)
    }

    /// What the log has, in a buffer.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A disk that can be full.
    struct Disk {
        memory: Memory,
        full: AtomicBool,
        commits: Mutex<Vec<(Author, usize)>>,
    }

    impl Store for Disk {
        fn view(&self) -> Arc<View> {
            self.memory.view()
        }

        fn commit(&self, author: &Author, changes: Vec<Change>) -> Result<u64, StoreError> {
            if self.full.load(Ordering::Relaxed) {
                return Err(StoreError::Unwritable("no space left".into()));
            }
            self.commits.lock().unwrap().push((author.clone(), changes.len()));
            self.memory.commit(author, changes)
        }
    }

    struct House {
        disk: Arc<Disk>,
        kdc: Arc<ArcSwap<Kdc>>,
        task: Task,
        random: Counter,
        paper: Paper,
        log: LogWriter,
    }

    impl House {
        fn founded(every: Option<Duration>) -> Self {
            let settings = RealmSettings {
                krbtgt_every: every,
                ..RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap())
            };
            let author = Author::unproved("kdc", NOW);
            let memory = Memory::new(keyring());
            let mut random = Counter::default();
            let founding = founding::found(&memory.view(), &settings, &author, &mut random).unwrap();
            memory.commit(&author, founding).unwrap();
            let disk = Arc::new(Disk {
                memory,
                full: AtomicBool::new(false),
                commits: Mutex::default(),
            });
            let kdc = Arc::new(ArcSwap::from_pointee(Kdc::new(Arc::new(settings))));
            let paper = Paper::default();
            let log = Log::start(paper.clone()).unwrap();
            let store = Arc::clone(&disk) as Arc<dyn Store>;
            let task = Task::new(Arc::clone(&kdc), store, Accounting::new(log.log()), Arc::default());
            Self {
                disk,
                kdc,
                task,
                random,
                paper,
                log,
            }
        }

        fn round(&mut self, seconds: i64) -> u64 {
            self.task.round(at(seconds), &mut self.random).as_secs()
        }

        fn find(&self, name: &str) -> PrincipalRecord {
            PrincipalRecord::clone(self.disk.view().find(&Name::parse(name).unwrap()).unwrap())
        }

        /// The versions that krbtgt has keys of.
        fn versions(&self) -> Vec<u32> {
            let mut versions: Vec<_> = self
                .find("krbtgt/EXAMPLE.COM")
                .keys
                .iter()
                .map(|key| key.kvno)
                .collect();
            versions.dedup();
            versions
        }

        fn commits(&self) -> Vec<usize> {
            self.disk
                .commits
                .lock()
                .unwrap()
                .iter()
                .map(|(_, count)| *count)
                .collect()
        }

        /// The log's lines, without the times that they were written at.
        fn said(self) -> Vec<String> {
            drop(self.task);
            drop(self.log);
            let text = String::from_utf8(self.paper.0.lock().unwrap().clone()).unwrap();
            let line = |line: &str| line.split_once(' ').unwrap().1.trim().to_owned();
            text.lines().map(line).collect()
        }
    }

    #[test]
    fn the_realms_key_is_changed_when_it_is_old_enough_and_the_former_goes_at_its_end() {
        let mut house = House::founded(Some(Duration::from_secs(30)));
        assert_eq!(house.round(0), 30);
        assert_eq!(house.round(29), 1);
        assert_eq!(house.versions(), [1]);
        assert_eq!(house.round(30), 30);
        assert_eq!(house.versions(), [2, 1]);
        let krbtgt = house.find("krbtgt/EXAMPLE.COM");
        assert_eq!((krbtgt.changed_by.as_str(), krbtgt.changed), ("kdc", at(30)));
        assert_eq!(krbtgt.keys.last().unwrap().retired, Some(at(30 + LIFE)));

        // Never again, says a reload; then the former goes, one second after the last ticket under it.
        let settings = RealmSettings::clone(house.kdc.load().settings());
        let settings = RealmSettings {
            krbtgt_every: None,
            ..settings
        };
        house
            .kdc
            .store(Arc::new(house.kdc.load().with_settings(Arc::new(settings))));
        assert_eq!(house.round(DAY / 24), 60);
        assert_eq!(house.round(29 + LIFE), 1);
        assert_eq!(house.versions(), [2, 1]);
        assert_eq!(house.round(30 + LIFE), 60);
        assert_eq!(house.versions(), [2]);
        assert_eq!(house.commits(), [1, 1]);
        let said = house.said();
        let end = at(30 + LIFE);
        assert!(
            said[0].ends_with(&format!(
                "krbtgt/EXAMPLE.COM has a new key, kvno 2, the former is good until {end}"
            )),
            "{said:?}"
        );
        assert!(
            said[1].ends_with("former keys are past their time, and gone: krbtgt/EXAMPLE.COM kvno 1"),
            "{said:?}"
        );
    }

    #[test]
    fn left_alone_the_realms_key_gets_as_old_as_it_likes() {
        let mut house = House::founded(None);
        for days in [0, 1, 4000] {
            assert_eq!(house.round(days * DAY), 60);
        }
        assert_eq!((house.versions(), house.commits()), (vec![1], vec![]));
    }

    #[test]
    fn a_clock_that_is_put_back_changes_nothing_and_is_told_once() {
        let mut house = House::founded(Some(Duration::from_secs(30)));
        house.round(30);
        house.round(29);
        for seconds in [-DAY, -1000 * DAY, -DAY] {
            assert_eq!(house.round(seconds), 60);
        }
        assert_eq!(house.versions(), [2, 1]);
        house.round(60);
        assert_eq!(house.versions(), [3, 2, 1]);
        let said = house.said();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[1].contains("by a clock that is ahead of this one"), "{said:?}");
    }

    #[test]
    fn what_could_not_be_stored_is_said_once_and_tried_again() {
        let mut house = House::founded(Some(Duration::from_secs(3600)));
        house.disk.full.store(true, Ordering::Relaxed);
        for seconds in [3600, 3660, 3720] {
            assert_eq!(house.round(seconds), 60);
        }
        assert_eq!(house.versions(), [1]);
        house.disk.full.store(false, Ordering::Relaxed);
        house.round(3780);
        assert_eq!(house.versions(), [2, 1]);
        // The next time is said anew.
        house.disk.full.store(true, Ordering::Relaxed);
        for seconds in [7380, 7440] {
            assert_eq!(house.round(seconds), 60);
        }
        let (before, kdc) = (house.versions(), Arc::clone(&house.kdc));
        let settings = RealmSettings::clone(kdc.load().settings());
        let settings = RealmSettings {
            krbtgt_every: None,
            ..settings
        };
        kdc.store(Arc::new(kdc.load().with_settings(Arc::new(settings))));
        for seconds in [0, 60] {
            assert_eq!(house.round(3780 + LIFE + seconds), 60);
        }
        assert_eq!(house.versions(), before);
        house.disk.full.store(false, Ordering::Relaxed);
        house.round(3780 + LIFE + 120);
        assert_eq!(house.versions(), [2]);
        let said = house.said();
        assert_eq!(said.len(), 5, "{said:?}");
        for line in [0, 2] {
            assert!(said[line].contains("due to be changed, and was not: "), "{said:?}");
            assert!(said[line].contains("no space left"), "{said:?}");
        }
        assert!(said[3].contains("are not taken away: "), "{said:?}");
    }

    #[test]
    fn the_past_keys_of_many_go_in_few_commits() {
        let mut house = House::founded(None);
        let krbtgt = house.find("krbtgt/EXAMPLE.COM");
        let many: Vec<_> = (0..600_u16)
            .map(|n| {
                let mut record = principal(0, &format!("host/{n}"));
                let [high, low] = n.to_be_bytes();
                record.id = PrincipalId([high, low, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
                let version = |kvno, retired| {
                    let mut key = krbtgt.keys[0].clone();
                    (key.kvno, key.retired) = (kvno, retired);
                    key
                };
                record.keys = vec![version(3, None), version(2, Some(at(20))), version(1, Some(at(10)))];
                add(record)
            })
            .collect();
        let author = Author::unproved("uid 0", NOW);
        house.disk.memory.commit(&author, many).unwrap();
        assert_eq!(house.round(9), 1);
        assert_eq!(house.commits(), [0; 0]);
        assert_eq!([house.round(10), house.round(11), house.round(12)], [1, 1, 8]);
        assert_eq!(house.commits(), [256, 256, 88]);
        assert_eq!(house.round(13), 7);
        assert_eq!(
            house
                .find("host/17")
                .keys
                .iter()
                .map(|key| key.kvno)
                .collect::<Vec<_>>(),
            [3, 2]
        );
        assert_eq!(
            [house.round(20), house.round(21), house.round(22), house.round(23)],
            [1, 1, 60, 60]
        );
        let view = house.disk.view();
        let hosts = view.iter().filter(|record| record.keys.len() != 4);
        assert!(hosts.map(|record| record.keys.len()).eq([1; 600]));
        let said = house.said();
        assert_eq!(said.len(), 6, "{said:?}");
        assert!(said[0].ends_with("; and those of 248 others"), "{said:?}");
    }

    #[test]
    fn it_begins_at_once_looks_when_it_is_woken_and_ends_when_dropped() {
        let house = House::founded(Some(Duration::from_secs(1)));
        let store = Arc::clone(&house.disk) as Arc<dyn Store>;
        let upkeep = Upkeep::start(Arc::clone(&house.kdc), store, Accounting::new(house.log.log())).unwrap();
        // By the true clock, the key is from the year 2027: nothing is due. Woken, it looks again.
        upkeep.waker()();
        drop(upkeep);
        assert_eq!(
            Arc::strong_count(&house.disk),
            2,
            "nobody but the test and its own task has the store"
        );
    }
}
