//! Dump, load, verify, and making the index anew.

use tessera_common::Random as _;
use tessera_common::crypto::{EncType, Key};
use tessera_kdc::realm::principal::StoredKey;
use tessera_kdc::store::{self, About, Keys, Location, MasterKeyError};

use super::*;

pub(super) fn location(site: &Site) -> Location {
    Location {
        state: site.state(),
        realm: realm(),
        credentials: None,
    }
}

/// A site of users with keys, closed, and where a dump of it may go.
fn site_with_keys(count: u64) -> (Site, PathBuf) {
    let site = Site::new();
    let store = site.open();
    for n in 0..count {
        let keys = [
            (2, EncType::Aes256CtsHmacSha1_96),
            (1, EncType::Aes128CtsHmacSha256_128),
        ];
        let keys = keys
            .into_iter()
            .map(|(kvno, etype)| sealed(&store, id(n), kvno, etype))
            .collect();
        let attributes = if n % 2 == 0 {
            Attributes::LOCKED
        } else {
            Attributes::empty()
        };
        store
            .commit(
                &author(),
                vec![put(PrincipalRecord {
                    keys,
                    attributes,
                    ..user(n)
                })],
            )
            .unwrap();
    }
    drop(store);
    let file = site.directory.path().join("realm.dump");
    (site, file)
}

pub(super) fn sealed(store: &Durable, id: PrincipalId, kvno: u32, etype: EncType) -> StoredKey {
    let mut random = tessera_kdc::random::ThreadRandom;
    let mut salt = vec![0; 12];
    random.fill(&mut salt);
    let key = Key::random(etype, &mut random);
    let sealed = store.view().seal(id, kvno, &key, &mut random);
    StoredKey {
        kvno,
        etype,
        salt: Some(salt),
        made: None,
        retired: None,
        sealed,
    }
}

/// An empty state directory with the master key of another.
fn heir(site: &Site) -> Site {
    let heir = Site::new();
    fs::create_dir(heir.state()).unwrap();
    fs::copy(site.state().join("master.key"), heir.state().join("master.key")).unwrap();
    heir
}

pub(super) fn problems(site: &Site) -> Vec<String> {
    store::verify(&location(site)).unwrap().problems
}

#[test]
fn a_dump_loaded_and_dumped_again_is_the_same() {
    let (site, file) = site_with_keys(25);
    let expected = contents(&site.open());
    let extract = store::dump(&location(&site), None, &file).unwrap();
    assert_eq!((extract.principals, extract.sequence), (25, 25));

    let heir = heir(&site);
    store::load(&location(&heir), &file, Keys::Taken).unwrap();
    let again = heir.directory.path().join("again.dump");
    store::dump(&location(&heir), None, &again).unwrap();
    assert_eq!(fs::read_to_string(&again).unwrap(), fs::read_to_string(&file).unwrap());

    let opened = heir.try_open().unwrap();
    assert!(!opened.fresh);
    assert_eq!(contents(&opened.store), expected);
    let view = opened.store.view();
    for record in view.iter() {
        for key in &record.keys {
            view.key(&record, key).unwrap();
        }
    }
    // And it goes on from there.
    assert_eq!(opened.store.commit(&author(), vec![put(user(99))]).unwrap(), 26);
    drop(opened);
    assert_eq!(heir.open().view().len(), 26);
    assert_eq!(problems(&heir), [""; 0]);
}

#[test]
fn a_realm_whose_master_key_is_lost_is_dumped_and_goes_on_without_its_keys() {
    let (site, file) = site_with_keys(3);
    let store = site.open();
    store
        .commit(
            &author(),
            vec![put(PrincipalRecord {
                name: format!("krbtgt/{}", realm()).parse().unwrap(),
                ..user(40)
            })],
        )
        .unwrap();
    drop(store);
    fs::remove_file(site.state().join("master.key")).unwrap();
    let extract = store::dump(&location(&site), None, &file).unwrap();
    let notice = extract.notices.last().unwrap();
    assert!(notice.to_string().contains("load --without-keys"), "{notice}");

    let heir = Site::new();
    fs::create_dir(heir.state()).unwrap();
    let missing = store::load(&location(&heir), &file, Keys::Taken).unwrap_err();
    assert!(matches!(missing, OpenError::MasterKey(MasterKeyError::Missing { .. })));
    assert!(!heir.state().join("master.key").exists());
    let extract = store::load(&location(&heir), &file, Keys::LeftOut).unwrap();
    // Who the realm cannot do without is made anew, with new keys, at the first start.
    assert_eq!((extract.principals, extract.sequence), (3, 4));
    let opened = heir.try_open().unwrap();
    let (before, view) = (site_names(3), opened.store.view());
    let names: Vec<_> = view.sorted().map(|record| record.name.to_string()).collect();
    assert_eq!(names, before);
    assert!(
        view.iter()
            .all(|record| record.keys.is_empty() && record.keys_changed.is_none())
    );
    assert_eq!(
        view.keyring().sealing().id(),
        2,
        "nobody takes it for the one that is lost"
    );
}

fn site_names(count: u64) -> Vec<String> {
    (0..count).map(|n| user(n).name.to_string()).collect()
}

#[test]
fn a_database_that_is_open_can_be_dumped() {
    let (site, file) = site_with_keys(3);
    let store = site.open();
    add(&store, 10);
    assert_eq!(store::dump(&location(&site), None, &file).unwrap().principals, 4);
    let verified = store::verify(&location(&site)).unwrap();
    assert_eq!((verified.principals, verified.keys, verified.problems), (4, 6, vec![]));
    assert!(verified.remarks[0].contains("in use"), "{:?}", verified.remarks);
}

#[test]
fn what_is_before_damage_can_be_dumped_as_the_refusal_says() {
    let (site, file) = site_with_keys(10);
    site.remove_index();
    let mut octets = fs::read(site.segment()).unwrap();
    let frames: Vec<_> = (0..octets.len())
        .filter(|at| octets[*at..].starts_with(b"\xff\xfeTF"))
        .collect();
    octets[frames[6] + 40] ^= 1;
    fs::write(site.segment(), octets).unwrap();
    let OpenError::Damaged(damage) = site.refused() else {
        panic!("another refusal")
    };
    assert_eq!(damage.good, Some(6));
    assert!(matches!(
        store::dump(&location(&site), None, &file),
        Err(OpenError::Damaged(_))
    ));
    assert!(!file.exists());
    assert!(
        problems(&site)
            .iter()
            .any(|problem| problem.contains(&format!("offset {}", frames[6])))
    );

    store::dump(&location(&site), damage.good, &file).unwrap();
    let heir = heir(&site);
    store::load(&location(&heir), &file, Keys::Taken).unwrap();
    let store = heir.open();
    assert_eq!((store.view().len(), store.view().sequence()), (6, 6));
}

#[test]
fn a_dump_altered_or_cut_anywhere_is_not_loaded() {
    let (site, file) = site_with_keys(2);
    store::dump(&location(&site), None, &file).unwrap();
    let octets = fs::read(&file).unwrap();
    let heir = heir(&site);
    let bad = (0..octets.len()).step_by(3).flat_map(|at| {
        let mut altered = octets.clone();
        altered[at] ^= 1;
        [altered, octets[..at].to_vec()]
    });
    for bad in bad.chain([[&octets[..], b"\n"].concat()]) {
        fs::write(&file, &bad).unwrap();
        let error = store::load(&location(&heir), &file, Keys::Taken).unwrap_err();
        assert!(!heir.state().join("realm").exists(), "{error}");
        assert!(!heir.state().join("journal").exists(), "{error}");
    }
    fs::write(&file, &octets).unwrap();
    store::load(&location(&heir), &file, Keys::Taken).unwrap();
}

#[test]
fn a_dump_is_loaded_only_where_nothing_is_and_its_own_master_key() {
    let (site, file) = site_with_keys(2);
    store::dump(&location(&site), None, &file).unwrap();
    let load = |site: &Site| store::load(&location(site), &file, Keys::Taken).unwrap_err();
    assert!(matches!(load(&site), OpenError::NotEmpty(_)));
    assert!(matches!(
        load(&Site::new()),
        OpenError::MasterKey(MasterKeyError::Missing { master: 1, .. })
    ));

    let stranger = Site::new();
    fs::create_dir(stranger.state()).unwrap();
    fs::copy(
        Site::with_users(0).state().join("master.key"),
        stranger.state().join("master.key"),
    )
    .unwrap();
    assert!(matches!(
        load(&stranger),
        OpenError::MasterKey(MasterKeyError::Wrong { master: 1, .. })
    ));

    let other = Location {
        realm: Realm::new("OTHER.ORG").unwrap(),
        ..location(&heir(&site))
    };
    assert!(matches!(
        store::load(&other, &file, Keys::Taken),
        Err(OpenError::Dump { line: 1, .. })
    ));
    assert!(matches!(
        store::dump(&other, None, &file),
        Err(OpenError::NoDatabase(_))
    ));
}

#[test]
fn a_load_that_was_interrupted_is_refused() {
    let (site, file) = site_with_keys(2);
    store::dump(&location(&site), None, &file).unwrap();
    let heir = heir(&site);
    store::load(&location(&heir), &file, Keys::Taken).unwrap();
    fs::remove_file(heir.state().join("realm")).unwrap();
    assert!(matches!(heir.refused(), OpenError::Unfinished(_)));
}

#[test]
fn verify_opens_every_key_and_finds_one_that_was_moved() {
    let (site, _) = site_with_keys(4);
    assert_eq!(problems(&site), [""; 0]);
    let store = site.open();
    let view = store.view();
    let (mut thief, victim) = (
        PrincipalRecord::clone(view.get(id(1)).unwrap()),
        view.get(id(2)).unwrap(),
    );
    thief.keys[0] = victim.keys[0].clone();
    store.commit(&author(), vec![put(thief)]).unwrap();
    let view = store.view();
    let thief = view.get(id(1)).unwrap();
    assert!(matches!(
        view.key(thief, &thief.keys[0]),
        Err(StoreError::Sealed { .. })
    ));
    drop(store);
    let found = problems(&site);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("user1, key version 2, aes256-cts-hmac-sha1-96: "),
        "{}",
        found[0]
    );
}

#[test]
fn verify_finds_each_bit_that_is_turned_in_journal_and_snapshots() {
    let site = Site {
        segment_octets: 1500,
        ..Site::new()
    };
    let store = site.open();
    (0..30).for_each(|n| add(&store, n));
    drop(store);
    site.remove_index();
    assert_eq!(problems(&site), [""; 0]);
    let kept = ["journal", "snapshot"].map(|directory| files(&site.state().join(directory)));
    assert!(kept[0].len() > 1 && !kept[1].is_empty(), "{kept:?}");
    let last = kept[0].last().unwrap().clone();
    for file in kept.into_iter().flatten() {
        let octets = fs::read(&file).unwrap();
        let last_frame = octets
            .windows(4)
            .rposition(|mark| mark == b"\xff\xfeTF")
            .unwrap_or(octets.len());
        for at in 0..octets.len() {
            let mut altered = octets.clone();
            altered[at] ^= 1 << (at % 8);
            fs::write(&file, altered).unwrap();
            let found = store::verify(&location(&site)).unwrap();
            let place = format!("octet {at} of {}", file.display());
            if file == last && at >= last_frame {
                // That is what a crash leaves, too.
                let torn = format!("an unfinished frame at offset {last_frame}");
                assert!(
                    found.remarks.iter().any(|remark| remark.contains(&torn)),
                    "{place}: {found:?}"
                );
            } else {
                let named = |problem: &String| problem.contains(file.to_str().unwrap());
                assert!(found.problems.iter().any(named), "{place}: {found:?}");
            }
        }
        fs::write(&file, octets).unwrap();
    }
    assert_eq!(problems(&site), [""; 0]);
}

#[test]
fn the_history_tells_each_change_its_time_and_its_author() {
    let site = Site {
        segment_octets: 1500,
        ..Site::new()
    };
    let store = site.open();
    (0..12).for_each(|n| add(&store, n));
    store
        .commit(
            &author(),
            vec![put(PrincipalRecord::clone(store.view().get(id(3)).unwrap()))],
        )
        .unwrap();
    remove(&store, 1).unwrap();
    drop(store);
    let mut events = Vec::new();
    store::history(&location(&site), |event| {
        events.push(event);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    let told: Vec<_> = events
        .iter()
        .rev()
        .take(3)
        .map(|event| (event.sequence, event.what.word(), event.about.clone()))
        .collect();
    let expected = [
        (14, "removed", "user1"),
        (13, "changed", "user3"),
        (12, "added", "user11"),
    ];
    assert_eq!(
        told,
        expected.map(|(sequence, what, who)| (sequence, what, About::Principal(Some(name(who)))))
    );
    assert!(events.iter().all(|event| event.author == author()));
    assert!(events.is_sorted_by_key(|event| event.sequence));
}

#[test]
fn verify_finds_an_index_that_is_of_no_use_and_it_can_be_made_anew() {
    let (site, _) = site_with_keys(40);
    let other = Site::with_users(3);
    site.remove_index();
    copy_all(&other.state().join("index"), &site.state().join("index"));
    assert!(problems(&site)[0].contains("another database"));
    assert_eq!(store::rebuild_index(&location(&site)).unwrap(), 40);
    assert_eq!(problems(&site), [""; 0]);
    site.open();
    assert_eq!(site.notices(), []);
    let open = site.open();
    assert!(matches!(
        store::rebuild_index(&location(&site)),
        Err(OpenError::InUse { .. })
    ));
    drop(open);
}
