//! What was committed is there after a restart; what was not is not.

use std::sync::Barrier;
use std::thread;

use super::*;

#[test]
fn a_new_database_is_empty_and_stays_fresh_until_something_is_committed() {
    let site = Site::new();
    let opened = site.try_open().unwrap();
    assert!(opened.fresh && opened.store.view().is_empty());
    assert!(matches!(
        &site.notices()[..2],
        [Notice::MasterKeyMade(_), Notice::DatabaseMade(_)]
    ));
    drop(opened);
    let opened = site.try_open().unwrap();
    assert!(opened.fresh);
    add(&opened.store, 1);
    drop(opened);
    assert!(!site.try_open().unwrap().fresh);
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let site = Site::new();
    let store = site.open();
    (0..20).for_each(|n| add(&store, n));
    remove(&store, 3).unwrap();
    let mut renamed = PrincipalRecord::clone(store.view().get(id(4)).unwrap());
    renamed.name = name("somebody/else");
    assert_eq!(store.commit(&author(), vec![put(renamed)]).unwrap(), 22);
    let before = contents(&store);
    drop(store);
    for round in ["from the index", "again", "from the journal"] {
        let store = site.open();
        assert_eq!(contents(&store), before, "{round}");
        assert_eq!(store.view().sequence(), 22);
        assert_eq!(store.view().find(&name("somebody/else")).unwrap().revision, 22);
        assert!(store.view().find(&name("user3")).is_none());
        drop(store);
        if round == "again" {
            site.remove_index();
        }
    }
}

#[test]
fn a_batch_is_made_whole_or_not_at_all() {
    let site = Site::with_users(3);
    let store = site.open();
    let batch = |name: &str| {
        let mut second = user(11);
        second.name = Name::parse(name).unwrap();
        vec![put(user(10)), put(second), put(user(12))]
    };
    let error = store.commit(&author(), batch("alias1")).unwrap_err();
    assert_eq!(
        error,
        StoreError::NameTaken {
            name: name("alias1"),
            holder: name("user1")
        }
    );
    assert_eq!((store.view().len(), store.view().sequence()), (3, 3));
    assert_eq!(store.commit(&author(), batch("user11")).unwrap(), 6);
    assert_eq!(store.commit(&author(), vec![]).unwrap(), 6);
    drop(store);
    assert_eq!(site.open().view().len(), 6);
}

#[test]
fn of_two_who_saw_the_same_revision_one_wins() {
    let site = Site::with_users(1);
    let store = site.open();
    for round in 0..50 {
        let seen = PrincipalRecord::clone(store.view().get(id(0)).unwrap());
        let start = Barrier::new(2);
        let outcomes = thread::scope(|scope| {
            let rivals = ["one", "two"].map(|rival| {
                let (store, start, mut record) = (&store, &start, seen.clone());
                record.changed_by = format!("{rival} {round}");
                scope.spawn(move || {
                    start.wait();
                    store.commit(&author(), vec![put(record)])
                })
            });
            rivals.map(|rival| rival.join().unwrap())
        });
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "{outcomes:?}");
        assert!(
            outcomes
                .iter()
                .any(|outcome| matches!(outcome, Err(StoreError::Conflict { .. })))
        );
    }
}

#[test]
fn of_many_who_want_the_same_name_one_gets_it() {
    let site = Site::new();
    let store = site.open();
    let outcomes = thread::scope(|scope| {
        let rivals: Vec<_> = (0..32)
            .map(|n| {
                let store = &store;
                let record = PrincipalRecord {
                    name: name("wanted"),
                    ..user(n)
                };
                scope.spawn(move || store.commit(&author(), vec![put(record)]))
            })
            .collect();
        rivals
            .into_iter()
            .map(|rival| rival.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(store.view().len(), 1);
}

#[test]
fn concurrent_writers_share_frames_and_each_gets_its_own_sequence_number() {
    const WRITERS: u64 = 16;
    const EACH: u64 = 50;
    let site = Site::new();
    let store = site.open();
    let mut sequences: Vec<u64> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    let numbers = writer * EACH..(writer + 1) * EACH;
                    numbers
                        .map(|n| store.commit(&author(), vec![put(user(n))]).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=WRITERS * EACH).collect::<Vec<_>>());
    let before = contents(&store);
    drop(store);
    let frames = fs::read(site.segment())
        .unwrap()
        .windows(4)
        .filter(|octets| octets == b"\xff\xfeTF")
        .count();
    assert!((frames as u64) < WRITERS * EACH / 2, "{frames} frames");
    site.remove_index();
    assert_eq!(contents(&site.open()), before);
}

#[test]
fn snapshots_let_old_segments_go_and_nothing_is_lost() {
    let site = Site {
        segment_octets: 4096,
        ..Site::new()
    };
    let store = site.open();
    for n in 0..600 {
        add(&store, n);
        if n % 3 == 0 {
            remove(&store, n).unwrap();
        }
    }
    let before = contents(&store);
    assert_eq!(before.len(), 400);
    drop(store);
    let made = |notice: &Notice| matches!(notice, Notice::SnapshotMade { .. });
    assert!(
        site.notices().iter().filter(|notice| made(notice)).count() > 2,
        "{:?}",
        site.notices()
    );
    assert!(
        !site
            .notices()
            .iter()
            .any(|notice| matches!(notice, Notice::SnapshotFailed(_))),
        "{:?}",
        site.notices()
    );
    assert_eq!(files(&site.state().join("snapshot")).len(), 2);
    let first_segment = files(&site.state().join("journal")).into_iter().next().unwrap();
    assert!(
        !first_segment.ends_with("00000000000000000001.journal"),
        "{first_segment:?}"
    );

    assert_eq!(contents(&site.open()), before, "from the index");
    site.remove_index();
    assert_eq!(contents(&site.open()), before, "from the newest snapshot");

    let newest = files(&site.state().join("snapshot")).pop().unwrap();
    let mut octets = fs::read(&newest).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    fs::write(&newest, octets).unwrap();
    site.remove_index();
    assert_eq!(contents(&site.open()), before, "from the one before it");
    assert!(
        site.notices()
            .iter()
            .any(|notice| matches!(notice, Notice::SnapshotDamaged { file, .. } if *file == newest))
    );
    assert!(!newest.exists());
}
