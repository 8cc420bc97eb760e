//! One master key follows another: what is sealed anew, what is still needed, and what an interruption leaves.

use std::sync::atomic::{AtomicBool, Ordering};

use tessera_common::crypto::{EncType, Key};
use tessera_kdc::random::ThreadRandom;
use tessera_kdc::realm::keys::{self as realm_keys, Former, FreshKeys, MOST_FORMER_VERSIONS};
use tessera_kdc::realm::principal::{PrincipalRecord, Purpose, StoredKey};
use tessera_kdc::store::{self, MasterKeyError, RolloverError};

use super::dump::{location, sealed};
use super::*;

fn site(segment_octets: u64, users: u64) -> Site {
    let site = Site {
        segment_octets,
        ..Site::new()
    };
    let store = site.open();
    for n in 0..users {
        add_with_key(&store, n);
    }
    drop(store);
    site
}

fn add_with_key(store: &Durable, number: u64) {
    let key = |kvno| sealed(store, id(number), kvno, EncType::Aes256CtsHmacSha1_96);
    let mut record = user(number);
    record.keys = vec![key(2)];
    record.staged.extend(number.is_multiple_of(2).then(|| key(3)));
    record
        .former_passwords
        .extend(number.is_multiple_of(3).then(|| former_password(store, number)));
    store.commit(&author(), vec![put(record)]).unwrap();
}

fn former_password(store: &Durable, number: u64) -> StoredKey {
    let key = Key::random(EncType::Aes128CtsHmacSha1_96, &mut ThreadRandom);
    let sealed = store
        .view()
        .seal_former_password(id(number), 1, &key, &mut ThreadRandom);
    StoredKey {
        kvno: 1,
        etype: key.etype(),
        salt: Some(b"salt".to_vec()),
        made: None,
        retired: None,
        sealed,
    }
}

/// What everybody has sealed, unsealed.
fn keys(store: &Durable) -> Vec<(String, Vec<Vec<u8>>)> {
    let view = store.view();
    view.sorted()
        .map(|record| {
            let open = |(purpose, stored): (Purpose, &StoredKey)| match purpose {
                Purpose::LongTermKey => view.key(&record, stored).unwrap().octets().to_vec(),
                Purpose::FormerPassword => view.former_password(&record, stored).unwrap().octets().to_vec(),
            };
            (record.name.to_string(), record.sealed().map(open).collect())
        })
        .collect()
}

/// What principals are, but for the revision and the sealing of their keys.
fn unsealed(store: &Durable) -> Vec<PrincipalRecord> {
    let bare = |mut record: PrincipalRecord| {
        record.revision = 0;
        record.keys.clear();
        record.staged.clear();
        record.former_passwords.clear();
        record
    };
    contents(store).into_iter().map(bare).collect()
}

fn masters(store: &Durable) -> Vec<u32> {
    let view = store.view();
    let mut masters: Vec<_> = view
        .iter()
        .flat_map(|record| record.sealed().map(|(_, key)| key.sealed.master).collect::<Vec<_>>())
        .collect();
    masters.sort_unstable();
    masters.dedup();
    masters
}

fn held(site: &Site) -> Vec<u32> {
    let text = fs::read_to_string(site.state().join("master.key")).unwrap();
    let number = |line: &str| line.split_once(' ')?.0.parse().ok();
    text.lines().filter_map(number).collect()
}

/// Waits, without a limit of its own, until what was begun before the start is done.
fn resumed(site: &Site) -> Durable {
    let store = site.open();
    while !site
        .notices()
        .iter()
        .any(|notice| matches!(notice, Notice::MasterKeyChanged(_)))
    {
        std::thread::yield_now();
    }
    store
}

#[test]
fn a_new_master_key_seals_everything_and_the_old_one_goes_when_no_file_needs_it() {
    let site = site(4000, 20);
    let store = site.open();
    let (before, opened) = (unsealed(&store), keys(&store));
    let rollover = store.change_master_key(&mut |_, _| {}).unwrap();
    assert_eq!(
        (rollover.sealing, rollover.resealed, rollover.retired.len()),
        (2, 20, 0)
    );
    assert_eq!((masters(&store), held(&site)), (vec![2], vec![1, 2]));
    assert_eq!((unsealed(&store), keys(&store)), (before, opened.clone()));
    let [(1, files)] = rollover.needed.as_slice() else {
        panic!("{rollover:?}");
    };
    assert!(!files.is_empty() && files.iter().all(|file| file.exists()));
    drop(store);

    // The operator could take it out now: nothing that is served needs it.
    let without = site.copy();
    let text = fs::read_to_string(without.state().join("master.key")).unwrap();
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("1 "))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(without.state().join("master.key"), text).unwrap();
    assert_eq!(keys(&without.open()), opened);

    // It goes by itself when two snapshots and what is between them have all there is.
    let mut number = 1000;
    while held(&site) != [2] {
        let store = site.open();
        (0..40).for_each(|n| add_with_key(&store, number + n));
        number += 40;
        assert!(number < 3000, "{:?} {:?}", site.notices(), files);
    }
    let store = site.open();
    assert_eq!(keys(&store).len() as u64, 20 + number - 1000);
    assert!(opened.iter().all(|key| keys(&store).contains(key)));
    let text = fs::read_to_string(site.state().join("master.key")).unwrap();
    assert!(
        text.contains("# The key to every key"),
        "what else is in the file stays: {text}"
    );
    drop(store);
    assert_eq!(store::verify(&location(&site)).unwrap().problems, [""; 0]);
}

#[test]
fn a_rollover_that_a_crash_ends_anywhere_is_finished_at_the_next_start() {
    let site = site(1 << 20, 700);
    let store = site.open();
    let (before, opened) = (unsealed(&store), keys(&store));
    let mut crashed = Vec::new();
    store
        .change_master_key(&mut |done, total| {
            assert_eq!(total, 700);
            crashed.push((done, site.copy()));
        })
        .unwrap();
    assert_eq!(
        crashed.iter().map(|(done, _)| *done).collect::<Vec<_>>(),
        [256, 512, 700]
    );
    drop(store);
    for (done, site) in crashed {
        let state = store::verify(&location(&site)).unwrap();
        // Of those that are left, each has a key at least, and one of another purpose perhaps.
        let left = state.masters.get(&1).copied().unwrap_or_default();
        assert!((700 - done..=3 * (700 - done)).contains(&left), "{done} {left}");
        let store = resumed(&site);
        assert_eq!((masters(&store), held(&site)), (vec![2], vec![1, 2]), "{done}");
        assert_eq!(
            (unsealed(&store), keys(&store)),
            (before.clone(), opened.clone()),
            "{done}"
        );
    }
}

#[test]
fn a_key_that_was_added_and_not_taken_is_taken_at_the_next_start_or_the_next_time() {
    let added = site(1 << 20, 5);
    let key = added.state().join("master.key");
    let text = fs::read_to_string(&key).unwrap();
    let more = format!("{text}7 {}\n", "5a".repeat(32));

    let store = added.open();
    fs::write(&key, &more).unwrap();
    let rollover = store.change_master_key(&mut |_, _| {}).unwrap();
    assert_eq!((rollover.sealing, rollover.resealed), (7, 5));
    assert_eq!((masters(&store), held(&added)), (vec![7], vec![1, 7]));
    drop(store);

    let added = site(1 << 20, 5);
    let key = added.state().join("master.key");
    let text = fs::read_to_string(&key).unwrap();
    fs::write(&key, format!("{text}7 {}\n", "5a".repeat(32))).unwrap();
    let store = resumed(&added);
    assert_eq!(masters(&store), [7]);
}

#[test]
fn what_is_changed_meanwhile_is_neither_lost_nor_left_under_the_old_key() {
    let site = site(1 << 20, 600);
    let store = site.open();
    let ended = AtomicBool::new(false);
    let made: u64 = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (store, ended) = (&store, &ended);
                scope.spawn(move || {
                    let mut made = 0;
                    while !ended.load(Ordering::SeqCst) {
                        let view = store.view();
                        let mut record = PrincipalRecord::clone(view.get(id(made % 300 * 2 + writer)).unwrap());
                        let changes = record.max_life.map_or(0, |life| life.as_secs()) + 1;
                        record.max_life = Some(std::time::Duration::from_secs(changes));
                        match store.commit(&author(), vec![put(record)]) {
                            Ok(_) => made += 1,
                            Err(StoreError::Conflict { .. }) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                    made
                })
            })
            .collect();
        for sealing in 2..5 {
            assert_eq!(store.change_master_key(&mut |_, _| {}).unwrap().sealing, sealing);
            assert_eq!(masters(&store), [sealing]);
        }
        ended.store(true, Ordering::SeqCst);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    let counted = |store: &Durable| -> u64 {
        let view = store.view();
        view.iter()
            .filter_map(|record| record.max_life)
            .map(|life| life.as_secs())
            .sum()
    };
    assert!(made > 0);
    assert_eq!(counted(&store), made);
    assert_eq!(keys(&store).len(), 600);
    drop(store);
    assert_eq!(counted(&site.open()), made);
}

#[test]
fn a_key_that_was_sealed_before_and_comes_after_is_sealed_anew() {
    let site = site(1 << 20, 3);
    let store = site.open();
    let old = sealed(&store, id(1), 3, EncType::Aes256CtsHmacSha1_96);
    let former = former_password(&store, 1);
    store.change_master_key(&mut |_, _| {}).unwrap();
    let opened = store.view().key(&user(1), &old).unwrap().clone();
    let mut record = PrincipalRecord::clone(store.view().get(id(1)).unwrap());
    record.keys.insert(0, old.clone());
    record.staged = vec![old];
    record.former_passwords = vec![former];
    store.commit(&author(), vec![put(record)]).unwrap();
    assert_eq!(masters(&store), [2]);
    let kept = |store: &Durable| {
        let view = store.view();
        let record = view.get(id(1)).unwrap();
        assert_eq!(record.sealed().count(), 4);
        view.key(record, &record.keys[0]).unwrap().clone()
    };
    assert_eq!(kept(&store), opened);
    drop(store);
    let store = site.open();
    assert_eq!((kept(&store), masters(&store)), (opened, vec![2]));
}

#[test]
fn staged_keys_and_those_of_former_passwords_are_sealed_anew_each_for_its_own_purpose() {
    let site = site(1 << 20, 7);
    let store = site.open();
    let (before, opened) = (unsealed(&store), keys(&store));
    assert_eq!(opened.iter().map(|(_, sealed)| sealed.len()).sum::<usize>(), 7 + 4 + 3);
    assert_eq!(store.change_master_key(&mut |_, _| {}).unwrap().resealed, 7);
    drop(store);
    // What is in the journal is under the new key, too.
    let store = site.open();
    assert_eq!((masters(&store), unsealed(&store)), (vec![2], before));
    assert_eq!(keys(&store), opened);
    let view = store.view();
    let record = view.get(id(0)).unwrap();
    let (staged, former) = (&record.staged[0], &record.former_passwords[0]);
    assert!(view.key(record, former).is_err() && view.former_password(record, staged).is_err());
    drop((view, store));
    let verified = store::verify(&location(&site)).unwrap();
    assert_eq!(verified.problems, [""; 0]);
    assert_eq!(verified.masters.keys().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn all_that_a_schedule_leaves_of_the_realms_key_fits_into_a_record() {
    let site = site(1 << 20, 0);
    let store = site.open();
    let mut record = user(1);
    for _ in 0..MOST_FORMER_VERSIONS + 2 {
        let fresh = FreshKeys::at_random(&EncType::ALL, &mut ThreadRandom);
        let former = Former::KeptUntil(author().when.plus(std::time::Duration::from_secs(36_300)));
        realm_keys::replace(
            &store.view(),
            &mut record,
            &fresh,
            former,
            author().when,
            &mut ThreadRandom,
        );
    }
    assert_eq!(record.keys.len(), 26 * 4);
    store.commit(&author(), vec![put(record)]).unwrap();
}

#[test]
fn a_credential_is_not_written_and_what_to_do_is_said() {
    let site = site(1 << 20, 3);
    let credentials = tempfile::tempdir().unwrap();
    let credential = credentials.path().join("tessera-master-key");
    fs::rename(site.state().join("master.key"), &credential).unwrap();
    let options = Options {
        credentials: Some(credentials.path().into()),
        ..site.options()
    };
    let store = Durable::open(&site.state(), &options).unwrap().store;
    let text = fs::read(&credential).unwrap();
    let refused = store.change_master_key(&mut |_, _| {}).unwrap_err();
    assert!(matches!(refused, RolloverError::Credential(_)));
    assert!(
        refused.to_string().contains("add a line with the next number"),
        "{refused}"
    );
    assert_eq!(fs::read(&credential).unwrap(), text);
}

#[test]
fn a_file_that_is_lost_while_the_realm_is_served_is_written_anew() {
    let site = site(u64::MAX, 3);
    let store = site.open();
    let before = keys(&store);
    fs::remove_file(site.state().join("master.key")).unwrap();
    assert_eq!(store.change_master_key(&mut |_, _| {}).unwrap().sealing, 2);
    assert_eq!(held(&site).last(), Some(&2));
    drop(store);
    assert_eq!(keys(&site.open()), before);
}

#[test]
fn a_file_that_lacks_the_key_in_force_is_not_added_to() {
    let (site, other) = (site(1 << 20, 3), site(1 << 20, 0));
    let store = site.open();
    let key = site.state().join("master.key");
    fs::copy(other.state().join("master.key"), &key).unwrap();
    let foreign = fs::read(&key).unwrap();
    let refused = store.change_master_key(&mut |_, _| {});
    assert!(
        matches!(
            refused,
            Err(RolloverError::File(MasterKeyError::Wrong { master: 1, .. }))
        ),
        "{refused:?}"
    );
    assert_eq!(fs::read(&key).unwrap(), foreign);
    assert_eq!(keys(&store).len(), 3);
}
