//! Which way a start goes, by a snapshot or by the index, and what becomes of the index that is only looked at.

use tessera_kdc::store;

use super::dump::{location, problems};
use super::*;

/// The users before whom the newest snapshot was made; some more follow it in the journal.
const USERS: u64 = 300;

/// A site with snapshots, the newest of which has more in it than the journal after it. No other is made from now on.
fn site_with_snapshots() -> Site {
    let site = Site {
        segment_octets: 4096,
        ..Site::new()
    };
    let store = site.open();
    (0..USERS).for_each(|n| add(&store, n));
    drop(store);
    let site = Site {
        segment_octets: 32 << 20,
        ..site
    };
    let (snapshot, journal) = octets(&site);
    assert!(0 < journal && journal < snapshot, "{journal} of {snapshot}");
    site
}

/// The last change in the newest snapshot.
fn snapshot(site: &Site) -> u64 {
    let newest = files(&site.state().join("snapshot")).pop().unwrap();
    number(&newest)
}

fn number(file: &Path) -> u64 {
    file.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

/// How large the newest snapshot is, and the journal after it.
fn octets(site: &Site) -> (u64, u64) {
    let len = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let newest = files(&site.state().join("snapshot")).pop().unwrap();
    let journal = files(&site.state().join("journal"));
    let after = journal.iter().filter(|file| number(file) > number(&newest));
    (len(&newest), after.map(len).sum())
}

/// Makes the journal longer than the snapshot, so that the next start is by the index.
fn outgrow(site: &Site) {
    let store = site.open();
    let users = 10_000..10_000 + 3 * USERS;
    store.commit(&author(), users.map(|n| put(user(n))).collect()).unwrap();
    drop(store);
    let (snapshot, journal) = octets(site);
    assert!(journal > snapshot, "{journal} of {snapshot}");
}

/// The first change that the last start took from the journal: the one after what it began with.
fn replayed_from(site: &Site) -> Option<u64> {
    site.notices().into_iter().find_map(|notice| match notice {
        Notice::Replayed { first, .. } => Some(first),
        _ => None,
    })
}

/// Why the index was made anew.
fn stale(site: &Site) -> Option<String> {
    site.notices().into_iter().find_map(|notice| match notice {
        Notice::IndexStale(why) => Some(why),
        _ => None,
    })
}

fn was_remade(site: &Site) -> bool {
    let made = |notice: &Notice| matches!(notice, Notice::IndexRebuilt { .. });
    site.notices().iter().any(made)
}

/// Adds a few, takes one of them and an older one away, changes another: with 1000, users 10 and 11.
fn change(site: &Site, from: u64) -> Vec<PrincipalRecord> {
    let store = site.open();
    (from..from + 5).for_each(|n| add(&store, n));
    remove(&store, from + 1).unwrap();
    remove(&store, from / 100).unwrap();
    let mut changed = PrincipalRecord::clone(store.view().get(id(from / 100 + 1)).unwrap());
    changed.name = name(&format!("somebody/{from}"));
    store.commit(&author(), vec![put(changed)]).unwrap();
    contents(&store)
}

fn put_index(from: &Site, to: &Site) {
    to.remove_index();
    copy_all(&from.state().join("index"), &to.state().join("index"));
}

/// What is done to an index, and what is said of it then.
type InIndex<'a> = (&'a dyn Fn(&sled::Db), &'a str);

/// Alters an index behind everybody's back.
pub(super) fn in_index(site: &Site, alter: impl FnOnce(&sled::Db)) {
    // sled lets go of its lock a moment after it was closed.
    let open = || sled::open(site.state().join("index"));
    let db = (0..100).find_map(|_| {
        open()
            .inspect_err(|_| std::thread::park_timeout(std::time::Duration::from_millis(20)))
            .ok()
    });
    let db = db.unwrap();
    alter(&db);
    db.flush().unwrap();
}

/// The key of a user in the index.
fn key_of(number: u64) -> Vec<u8> {
    [&b"p"[..], &id(number).0].concat()
}

#[test]
fn a_start_goes_from_the_snapshot_and_goes_on_with_the_index() {
    let site = site_with_snapshots();
    let store = site.open();
    assert_eq!(replayed_from(&site), Some(snapshot(&site) + 1));
    assert_eq!(contents(&store).len() as u64, USERS);
    drop(store);
    assert!(stale(&site).is_none() && !was_remade(&site), "{:?}", site.notices());
    assert_eq!(problems(&site), [""; 0]);
}

#[test]
fn a_start_goes_by_the_index_when_the_journal_has_outgrown_the_snapshot() {
    let site = site_with_snapshots();
    outgrow(&site);
    let store = site.open();
    assert_eq!(site.notices(), [], "nothing is missing in it");
    assert_eq!(contents(&store).len() as u64, 4 * USERS);
    drop(store);
    // Without it, the other way is as good.
    site.remove_index();
    assert_eq!(site.open().view().len() as u64, 4 * USERS);
    assert_eq!(replayed_from(&site), Some(snapshot(&site) + 1));
}

#[test]
fn what_an_index_lacks_is_in_it_after_a_start_from_the_snapshot() {
    let site = site_with_snapshots();
    // As a crash leaves it: the index as of some time ago, and all changes since in the journal.
    let before = site.copy();
    let expected = change(&site, 1000);
    put_index(&before, &site);
    assert!(!problems(&site).is_empty() || contents(&before.open()).len() != expected.len());
    let store = site.open();
    assert_eq!(contents(&store), expected);
    assert_eq!(replayed_from(&site), Some(snapshot(&site) + 1));
    drop(store);
    assert!(stale(&site).is_none() && !was_remade(&site), "{:?}", site.notices());
    assert_eq!(problems(&site), [""; 0]);
    // All of it comes from there when it has to.
    outgrow(&site);
    let store = site.open();
    assert_eq!(site.notices(), []);
    let found: Vec<_> = contents(&store)
        .into_iter()
        .filter(|record| expected.iter().any(|other| other.id == record.id))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn an_index_that_is_no_stage_of_the_history_is_made_anew_beside_a_start_from_the_snapshot() {
    let early = Site {
        segment_octets: 4096,
        ..Site::new()
    };
    let store = early.open();
    add(&store, 0);
    drop(store);
    let before_the_snapshot = early.copy();
    let store = early.open();
    (1..USERS).for_each(|n| add(&store, n));
    drop(store);
    let site = Site {
        segment_octets: 32 << 20,
        ..early
    };
    let (branch, ahead) = (site.copy(), site.copy());
    change(&ahead, 1000);
    change(&ahead, 2000);
    change(&branch, 3000);
    let expected = change(&site, 1000);
    let other = site_with_snapshots();
    for (index, why) in [
        (&before_the_snapshot, "it is older than the newest snapshot"),
        (&branch, "it is of another history than the journal"),
        (&ahead, "it has changes up to "),
        (&other, "it is of another database"),
    ] {
        let site = site.copy();
        put_index(index, &site);
        let store = site.open();
        assert_eq!(contents(&store), expected, "{why}");
        assert_eq!(replayed_from(&site), Some(snapshot(&site) + 1), "{why}");
        assert!(stale(&site).unwrap().contains(why), "{:?}", site.notices());
        wait_until_remade(&site);
        drop(store);
        assert_eq!(problems(&site), [""; 0], "{why}");
    }
}

fn wait_until_remade(site: &Site) {
    let ended = (0..500).any(|_| {
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        was_remade(site)
    });
    assert!(ended, "{:?}", site.notices());
}

#[test]
fn an_index_whose_own_word_is_missing_damaged_or_wrong_is_made_anew_beside_a_start_from_the_snapshot() {
    let pristine = site_with_snapshots();
    let expected = contents(&pristine.open());
    let sealed = |value: &[u8]| {
        let checksum = crc32c::crc32c_append(crc32c::crc32c(b"m"), value);
        [value, &checksum.to_le_bytes()].concat()
    };
    let meta = |alter: fn(&mut Vec<u8>)| {
        move |db: &sled::Db| {
            let mut value = db.get("m").unwrap().unwrap().to_vec();
            value.truncate(value.len() - 4);
            alter(&mut value);
            db.insert("m", sealed(&value)).unwrap();
        }
    };
    // The digest comes last, and the count before it.
    let wrong_digest = meta(|value| *value.last_mut().unwrap() ^= 1);
    let wrong_count = meta(|value| {
        let at = value.len() - 9;
        value[at] ^= 1;
    });
    let unsealed = |db: &sled::Db| {
        let mut value = db.get("m").unwrap().unwrap().to_vec();
        value[20] ^= 1;
        db.insert("m", value).unwrap();
    };
    let missing = |db: &sled::Db| drop(db.remove("m").unwrap());
    let alterations: [InIndex<'_>; 4] = [
        (&wrong_digest, "it does not hold what it says it holds"),
        (&wrong_count, "it does not hold what it says it holds"),
        (&unsealed, "it is damaged"),
        (&missing, "it was not completely written"),
    ];
    for (alter, why) in alterations {
        let site = pristine.copy();
        in_index(&site, alter);
        let store = site.open();
        assert_eq!(contents(&store), expected, "{why}");
        assert!(stale(&site).unwrap().contains(why), "{why}: {:?}", site.notices());
        wait_until_remade(&site);
        drop(store);
        assert_eq!(problems(&site), [""; 0], "{why}");
    }
}

#[test]
fn an_index_that_is_wrong_where_nobody_looked_is_found_by_verify_and_never_served_from() {
    let pristine = site_with_snapshots();
    let older = pristine.copy();
    change(&pristine, 1000);
    let former = std::cell::OnceCell::new();
    in_index(&older, |db| former.set(db.get(key_of(11)).unwrap().unwrap()).unwrap());
    let lost = |db: &sled::Db| drop(db.remove(key_of(42)).unwrap());
    let turned = |db: &sled::Db| {
        let mut value = db.get(key_of(42)).unwrap().unwrap().to_vec();
        value[9] ^= 4;
        db.insert(key_of(42), value).unwrap();
    };
    let outdated = |db: &sled::Db| drop(db.insert(key_of(11), former.get().unwrap()).unwrap());
    let too_many = |db: &sled::Db| drop(db.insert(key_of(10), former.get().unwrap()).unwrap());
    let alterations: [InIndex<'_>; 4] = [
        (&lost, "it does not hold"),
        (&turned, "it is damaged"),
        (&outdated, "it does not hold"),
        (&too_many, "it is damaged"),
    ];
    for (alter, why) in alterations {
        let site = pristine.copy();
        in_index(&site, alter);
        // Twice from the snapshot, with changes: it is only written to.
        for from in [2000, 3000] {
            let store = site.open();
            assert_eq!(replayed_from(&site), Some(snapshot(&site) + 1), "{why}");
            (from..from + 3).for_each(|n| add(&store, n));
            drop(store);
            assert_eq!(stale(&site), None, "{why}");
            let found = problems(&site);
            assert!(found.iter().any(|problem| problem.contains(why)), "{why}: {found:?}");
        }
        outgrow(&site);
        site.open();
        let told = stale(&site).expect(why);
        assert!(told.contains(why), "{told}");
        // It was said, and what is served is as the journal alone has it.
        let store = site.open();
        let served = contents(&store);
        drop(store);
        assert_eq!(problems(&site), [""; 0], "{why}");
        site.remove_index();
        assert_eq!(contents(&site.open()), served, "{why}");
    }
}

#[test]
fn a_bad_last_frame_that_the_index_knows_of_is_damage_for_a_start_from_the_snapshot_too() {
    let site = site_with_snapshots();
    change(&site, 1000);
    let last = files(&site.state().join("journal")).pop().unwrap();
    let octets = fs::read(&last).unwrap();
    for bad in [&octets[..octets.len() - 1], &octets[..octets.len() - 20]] {
        fs::write(&last, bad).unwrap();
        let OpenError::Damaged(damage) = site.refused() else {
            panic!("another refusal")
        };
        assert_eq!(damage.good, Some(USERS + 7));
        assert!(
            damage.why.contains(&format!("the index knows of change {}", USERS + 8)),
            "{damage}"
        );
        assert_eq!(fs::read(&last).unwrap(), bad);
    }
    // Whether what is in the index is right or not: that it was acknowledged is.
    in_index(&site, |db| drop(db.remove(key_of(42)).unwrap()));
    assert!(matches!(site.refused(), OpenError::Damaged(_)));
    site.remove_index();
    assert_eq!(site.open().view().sequence(), USERS + 7);
}

#[test]
fn a_start_from_the_snapshot_before_a_damaged_one_goes_on_with_the_index() {
    let site = site_with_snapshots();
    let expected = change(&site, 1000);
    let snapshots = files(&site.state().join("snapshot"));
    let [before, newest] = snapshots.as_slice() else {
        panic!("{snapshots:?}")
    };
    let mut octets = fs::read(newest).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    fs::write(newest, octets).unwrap();
    let store = site.open();
    assert_eq!(contents(&store), expected);
    assert_eq!(replayed_from(&site), Some(number(before) + 1));
    drop(store);
    assert!(stale(&site).is_none() && !was_remade(&site), "{:?}", site.notices());
    assert!(!newest.exists());
    assert_eq!(problems(&site), [""; 0]);
    assert_eq!(store::verify(&location(&site)).unwrap().principals, expected.len());
}
