use std::collections::HashMap;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const SKEW: Duration = Duration::from_secs(300);

fn tag(n: u64) -> ReplayTag {
    ReplayTag::of(&n.to_be_bytes())
}

fn path(directory: &TempDir) -> PathBuf {
    directory.path().join("replays")
}

fn open(directory: &TempDir) -> ReplayFile {
    ReplayFile::with_capacity(path(directory), SKEW, 1000).unwrap()
}

#[test]
fn a_tag_is_claimed_once_for_twice_the_skew_by_whoever_opens_the_file() {
    let directory = TempDir::new().unwrap();
    let (one, other) = (open(&directory), open(&directory));
    for begin in [0, 1, 299, 599, 600, 601, 5000] {
        one.claim(tag(begin), KerberosTime(begin as i64)).unwrap();
        for later in [0, 1, 300, 599, 600] {
            let now = KerberosTime((begin + later) as i64);
            for cache in [&one, &other, &open(&directory)] {
                assert_eq!(cache.claim(tag(begin), now), Err(ReplayError::Seen), "{begin} {later}");
            }
        }
    }
}

#[test]
fn the_file_is_its_owners_alone_and_nothing_is_left_beside_it() {
    let directory = TempDir::new().unwrap();
    open(&directory).claim(tag(1), KerberosTime(0)).unwrap();
    let metadata = fs::metadata(path(&directory)).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn as_many_tags_as_were_asked_for_always_fit_and_then_new_ones_are_refused_until_the_old_ones_expire() {
    for capacity in [1, 100, 1000, 20_000] {
        let directory = TempDir::new().unwrap();
        let cache = ReplayFile::with_capacity(path(&directory), SKEW, capacity).unwrap();
        let claimed = (0..u64::MAX)
            .take_while(|n| cache.claim(tag(*n), KerberosTime(10)).is_ok())
            .count() as u64;
        assert!(claimed >= capacity as u64, "{claimed} of {capacity}");
        assert!(claimed * SLOT_LEN as u64 <= fs::metadata(path(&directory)).unwrap().len());
        assert_eq!(cache.claim(tag(claimed), KerberosTime(10)), Err(ReplayError::Full));
        for old in (0..claimed).step_by(37) {
            assert_eq!(cache.claim(tag(old), KerberosTime(610)), Err(ReplayError::Seen));
        }
        assert_eq!(cache.claim(tag(claimed), KerberosTime(616)), Ok(()));
    }
}

#[test]
fn a_clock_that_goes_back_forgets_nothing() {
    let directory = TempDir::new().unwrap();
    let cache = open(&directory);
    cache.claim(tag(1), KerberosTime(100_000)).unwrap();
    assert_eq!(cache.claim(tag(1), KerberosTime(500)), Err(ReplayError::Seen));
    cache.claim(tag(2), KerberosTime(500)).unwrap();
    assert_eq!(cache.claim(tag(2), KerberosTime(100_000)), Err(ReplayError::Seen));
    assert_eq!(cache.claim(tag(1), KerberosTime(100_100)), Err(ReplayError::Seen));
}

#[test]
fn room_taken_while_the_clock_was_far_ahead_is_given_back_when_there_is_no_other() {
    let directory = TempDir::new().unwrap();
    let cache = ReplayFile::with_capacity(path(&directory), SKEW, 1).unwrap();
    let ahead = KerberosTime(10_000_000);
    let filled = (0..).take_while(|n| cache.claim(tag(*n), ahead).is_ok()).count() as u64;
    assert_eq!(cache.claim(tag(filled), KerberosTime(1000)), Ok(()));
    assert_eq!(cache.claim(tag(filled), KerberosTime(1000)), Err(ReplayError::Seen));
}

#[test]
fn files_that_somebody_could_tamper_with_are_refused() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(path(&directory), Permissions::from_mode(mode)).unwrap();
        let refused = ReplayFile::open(path(&directory), SKEW);
        assert!(matches!(refused, Err(ReplayFileError::Writable { .. })), "{mode:o}");
    }
    fs::set_permissions(path(&directory), Permissions::from_mode(0o644)).unwrap();
    let link = directory.path().join("link");
    symlink(path(&directory), &link).unwrap();
    for not_a_file in [link.as_path(), directory.path(), Path::new("/dev/null")] {
        let refused = ReplayFile::open(not_a_file, SKEW);
        assert!(
            matches!(refused, Err(ReplayFileError::NotAFile(_))),
            "{}: {refused:?}",
            not_a_file.display()
        );
    }
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(path(&directory), Some(12345), None).unwrap();
        let refused = ReplayFile::open(path(&directory), SKEW);
        assert!(matches!(refused, Err(ReplayFileError::NotOurs(_))));
    }
    let nowhere = ReplayFile::open(directory.path().join("no/such"), SKEW);
    assert!(matches!(nowhere, Err(ReplayFileError::Io { .. })));
}

#[test]
fn a_file_that_forgets_too_early_for_this_service_is_refused_and_one_that_remembers_longer_is_not() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    assert!(matches!(
        ReplayFile::open(path(&directory), SKEW * 2),
        Err(ReplayFileError::Window { .. })
    ));
    ReplayFile::open(path(&directory), SKEW / 2).unwrap();
}

#[test]
fn a_removed_file_is_made_anew_and_is_shared_again() {
    let directory = TempDir::new().unwrap();
    let (one, other) = (open(&directory), open(&directory));
    one.claim(tag(1), KerberosTime(0)).unwrap();
    fs::remove_file(path(&directory)).unwrap();
    one.claim(tag(1), KerberosTime(0)).unwrap();
    assert_eq!(other.claim(tag(1), KerberosTime(0)), Err(ReplayError::Seen));
}

// Every way of damage is noticed, by those who had the file open and by those who open it; nobody is let in for twice the
// skew, and then everybody is again.
#[test]
fn a_damaged_file_refuses_everybody_until_what_it_knew_has_expired() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("cut to nothing", |path| truncate(path, 0)),
        ("cut within the header", |path| truncate(path, 20)),
        ("cut behind the header", |path| truncate(path, 1024)),
        ("cut within the last bucket", |path| {
            truncate(path, fs::metadata(path).unwrap().len() - 1023);
        }),
        ("something else altogether", |path| fs::write(path, b"hello").unwrap()),
    ];
    for (what, damage) in damages {
        for opened_before in [true, false] {
            let directory = TempDir::new().unwrap();
            let before = open(&directory);
            let start = system::now().time;
            before.claim(tag(1), start).unwrap();
            damage(&path(&directory));
            let cache = if opened_before { before } else { open(&directory) };
            // Some damage shows only where it is.
            let refused = (0..10_000).find(|n| cache.claim(tag(10 + n), start) == Err(ReplayError::Unavailable));
            assert!(refused.is_some(), "{what}");
            let problem = cache.problem().unwrap();
            assert!(problem.contains("was damaged"), "{what}: {problem}");
            for (later, taken) in [(0, false), (300, false), (600, false), (605, true)] {
                let now = start.plus(Duration::from_secs(later));
                let claimed = open(&directory).claim(tag(100_000), now);
                let expected = if taken { Ok(()) } else { Err(ReplayError::Unavailable) };
                assert_eq!(claimed, expected, "{what}, {later} seconds later");
            }
            assert!(directory.path().join("replays.damaged").exists(), "{what}");
        }
    }
}

// Who has the file open knows the header, and does not look at it again.
#[test]
fn a_damaged_header_is_noticed_by_who_opens_the_file_next_and_then_by_all() {
    let directory = TempDir::new().unwrap();
    let before = open(&directory);
    let now = system::now().time;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path(&directory))
        .unwrap();
    let mut octet = [0];
    file.read_exact_at(&mut octet, 9).unwrap();
    file.write_all_at(&[octet[0] ^ 1], 9).unwrap();
    before.claim(tag(1), now).unwrap();
    assert_eq!(before.claim(tag(1), now), Err(ReplayError::Seen));
    let after = open(&directory);
    for cache in [&before, &after] {
        assert_eq!(cache.claim(tag(1), now), Err(ReplayError::Unavailable));
    }
}

#[test]
fn a_clock_that_was_ahead_when_damage_was_found_does_not_keep_everybody_out_until_it_comes_there_again() {
    let directory = TempDir::new().unwrap();
    let cache = open(&directory);
    truncate(&path(&directory), 0);
    let at = |seconds| KerberosTime(seconds);
    assert_eq!(cache.claim(tag(1), at(1_000_000)), Err(ReplayError::Unavailable));
    assert_eq!(cache.claim(tag(1), at(1000)), Err(ReplayError::Unavailable));
    assert_eq!(cache.claim(tag(1), at(1600)), Err(ReplayError::Unavailable));
    assert_eq!(cache.claim(tag(1), at(1601)), Ok(()));
}

#[test]
fn a_lock_that_is_never_given_up_ends_in_a_refusal_that_says_so() {
    let directory = TempDir::new().unwrap();
    let cache = open(&directory);
    let holder = File::open(path(&directory)).unwrap();
    holder.lock().unwrap();
    assert_eq!(cache.claim(tag(1), KerberosTime(0)), Err(ReplayError::Unavailable));
    assert!(cache.problem().unwrap().contains("lslocks"));
    drop(holder);
    assert_eq!(cache.claim(tag(1), KerberosTime(0)), Ok(()));
}

fn truncate(path: &Path, len: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // A model that forgets only what was outside of the window once: the file agrees with it, whichever of three openings is
    // asked and however the clock moves; a tag that nobody has claimed is taken while there is room.
    #[test]
    fn it_agrees_with_a_set_of_all_that_was_claimed(
        steps in proptest::collection::vec((0u64..60, -400i64..400, 0usize..3), 1..200)
    ) {
        let directory = TempDir::new().unwrap();
        let caches = [open(&directory), open(&directory), open(&directory)];
        let mut claimed: HashMap<u64, i64> = HashMap::new();
        let mut forgettable: HashMap<u64, i64> = HashMap::new();
        let mut now = 100_000;
        for (n, step, who) in steps {
            now += step;
            forgettable.extend(claimed.extract_if(|_, at| (now - *at).abs() > 600));
            let answer = caches[who].claim(tag(n), KerberosTime(now));
            if claimed.contains_key(&n) {
                prop_assert_eq!(answer, Err(ReplayError::Seen));
            } else if forgettable.contains_key(&n) {
                prop_assert!(answer == Ok(()) || answer == Err(ReplayError::Seen));
            } else {
                prop_assert_eq!(answer, Ok(()));
            }
            if answer.is_ok() {
                claimed.insert(n, now);
                forgettable.remove(&n);
            }
        }
    }
}
