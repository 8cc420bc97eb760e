//! Roles and rules: kept, found damaged and refused as principals are.

use std::thread;

use tessera_common::role::RoleName;
use tessera_kdc::realm::access_record::{AccessKey, AccessRecord, Declared};
use tessera_kdc::realm::rules::{Rule, RuleName};
use tessera_kdc::store::{self, About, Keys};

use super::dump::{location, problems};
use super::start::in_index;
use super::*;

fn record(declared: Declared) -> AccessRecord {
    AccessRecord {
        declared,
        revision: 0,
        created: author().when,
        changed: author().when,
        changed_by: author().who,
    }
}

fn role(text: &str) -> AccessRecord {
    record(Declared::Role(RoleName::new(text).unwrap().into()))
}

fn rule(text: &str, services: &str) -> AccessRecord {
    let json = format!(
        r#"{{"name":"{text}","effect":"allow","roles":["staff"],"services":["{services}"],"from":["192.0.2.0/24"],"hours":["Mon-Fri 08:00-18:00"],"max-life":"1h"}}"#
    );
    let rule: Rule = serde_json::from_str(&json).unwrap();
    record(Declared::Rule(rule))
}

fn key(text: &str) -> AccessKey {
    AccessKey::Rule(RuleName::new(text).unwrap())
}

fn declare(store: &Durable, record: AccessRecord) -> Result<u64, StoreError> {
    let expected = store.view().access().get(&record.key()).map(|found| found.revision);
    let record = Box::new(record);
    store.commit(&author(), vec![Change::Declare { expected, record }])
}

fn withdraw(store: &Durable, key: AccessKey) -> Result<u64, StoreError> {
    let expected = store.view().access().get(&key).unwrap().revision;
    store.commit(&author(), vec![Change::Withdraw { key, expected }])
}

fn with_roles(number: u64) -> PrincipalRecord {
    PrincipalRecord {
        roles: vec![RoleName::new("mail").unwrap(), RoleName::new("staff").unwrap()],
        ..user(number)
    }
}

/// All roles and rules, and all principals, in full.
fn all(store: &Durable) -> (Vec<AccessRecord>, Vec<PrincipalRecord>) {
    let view = store.view();
    let access = view.access().iter().map(|record| AccessRecord::clone(record));
    (access.collect(), contents(store))
}

/// Changes of every kind, and what comes of them.
fn fill(site: &Site) -> (Vec<AccessRecord>, Vec<PrincipalRecord>) {
    let store = site.open();
    for name in ["staff", "mail", "gone"] {
        declare(&store, role(name)).unwrap();
    }
    for n in 0..6 {
        declare(&store, rule(&format!("rule{n}"), "host/*")).unwrap();
        store.commit(&author(), vec![put(with_roles(n))]).unwrap();
    }
    declare(&store, rule("rule2", "http/*")).unwrap();
    withdraw(&store, key("rule4")).unwrap();
    withdraw(&store, role("gone").key()).unwrap();
    remove(&store, 3).unwrap();
    let expected = all(&store);
    assert_eq!((expected.0.len(), expected.1.len()), (7, 5));
    expected
}

/// Whoever needs a whole snapshot, too.
fn in_segments() -> Site {
    Site {
        segment_octets: 1500,
        ..Site::new()
    }
}

fn holders(store: &Durable) -> Vec<(String, usize)> {
    let view = store.view();
    let holders = view.holders().map(|(role, count)| (role.to_string(), count));
    holders.collect()
}

#[test]
fn they_are_there_again_from_journal_index_and_snapshots() {
    for site in [Site::new(), in_segments()] {
        let expected = fill(&site);
        let has_snapshots = site.segment_octets < 2000;
        assert_eq!(!files(&site.state().join("snapshot")).is_empty(), has_snapshots);
        for index in [true, false] {
            if !index {
                site.remove_index();
            }
            let store = site.open();
            assert_eq!(
                all(&store),
                expected,
                "with an index: {index}, snapshots: {has_snapshots}"
            );
            assert_eq!(holders(&store), [("mail".into(), 5), ("staff".into(), 5)]);
            let stale = site.notices().into_iter().find(|n| matches!(n, Notice::IndexStale(_)));
            assert_eq!(stale, None);
            drop(store);
            assert_eq!(problems(&site), [""; 0]);
        }
        site.remove_index();
        store::rebuild_index(&location(&site)).unwrap();
        let verified = store::verify(&location(&site)).unwrap();
        assert_eq!((verified.access, verified.problems), (7, vec![]));
        assert_eq!(all(&site.open()), expected);
    }
}

#[test]
fn an_index_without_one_of_them_is_made_anew() {
    let site = Site::new();
    let expected = fill(&site);
    for entry in [&b"urule2"[..], b"rstaff"] {
        in_index(&site, |db| assert!(db.remove(entry).unwrap().is_some()));
        let found = problems(&site);
        assert!(found[0].contains("kdc rebuild makes it anew"), "{found:?}");
        assert_eq!(all(&site.open()), expected);
        let stale = |notice: &Notice| matches!(notice, Notice::IndexStale(why) if why.contains("does not hold"));
        assert!(site.notices().iter().any(stale), "{:?}", site.notices());
        assert_eq!(problems(&site), [""; 0]);
    }
}

#[test]
fn of_many_who_change_the_same_rule_as_they_saw_it_one_does() {
    let site = Site::new();
    let store = site.open();
    declare(&store, role("staff")).unwrap();
    let seen = declare(&store, rule("office", "host/*")).unwrap();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let rivals: Vec<_> = (0..16)
            .map(|n| {
                let (store, record) = (&store, rule("office", &format!("host/{n}")));
                let change = Change::Declare {
                    expected: Some(seen),
                    record: Box::new(record),
                };
                scope.spawn(move || store.commit(&author(), vec![change]))
            })
            .collect();
        rivals.into_iter().map(|rival| rival.join().unwrap()).collect()
    });
    let won: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(won, [&(seen + 1)]);
    for lost in outcomes.into_iter().filter_map(Result::err) {
        let conflict = StoreError::AccessConflict {
            key: key("office"),
            expected: seen,
            found: seen + 1,
        };
        assert_eq!(lost, conflict);
    }
}

#[test]
fn a_batch_that_takes_away_a_role_in_use_does_nothing() {
    let site = Site::new();
    let expected = fill(&site);
    let store = site.open();
    let staff = role("staff").key();
    let revision = store.view().access().get(&staff).unwrap().revision;
    let changes = vec![
        Change::Declare {
            expected: None,
            record: Box::new(role("new")),
        },
        Change::Withdraw {
            key: staff,
            expected: revision,
        },
    ];
    let refused = store.commit(&author(), changes).unwrap_err();
    assert!(matches!(refused, StoreError::RoleInUse { holders: 5, .. }), "{refused}");
    assert_eq!(all(&store), expected);
}

#[test]
fn a_dump_has_them_and_without_them_it_is_as_it_was_before_there_were_any() {
    let site = Site::new();
    let expected = fill(&site);
    let file = site.directory.path().join("realm.dump");
    let extract = store::dump(&location(&site), None, &file).unwrap();
    assert_eq!((extract.principals, extract.access), (5, 7));
    let text = fs::read_to_string(&file).unwrap();
    // Whoever does not know of them refuses it.
    assert!(text.starts_with(r#"{"tessera-dump":2,"#), "{text}");
    assert!(text.lines().nth(1).unwrap().starts_with(r#"{"role":"mail","#), "{text}");

    let load = |text: &str| {
        let heir = Site::new();
        fs::create_dir(heir.state()).unwrap();
        fs::copy(site.state().join("master.key"), heir.state().join("master.key")).unwrap();
        fs::write(&file, text).unwrap();
        store::load(&location(&heir), &file, Keys::Taken).map(|_| heir)
    };
    let heir = load(&text).unwrap();
    let again = heir.directory.path().join("again.dump");
    store::dump(&location(&heir), None, &again).unwrap();
    assert_eq!(fs::read_to_string(&again).unwrap(), text);
    assert_eq!(all(&heir.open()), expected);
    assert_eq!(problems(&heir), [""; 0]);

    for (from, to) in [
        (r#""rule1""#, r#""rule0""#),
        (r#""access":7"#, r#""access":6"#),
        (r#""tessera-dump":2"#, r#""tessera-dump":3"#),
        ("host/*", "host/?"),
    ] {
        assert!(load(&text.replacen(from, to, 1)).is_err(), "{to}");
    }

    let plain = Site::with_users(3);
    let file = plain.directory.path().join("realm.dump");
    store::dump(&location(&plain), None, &file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(r#"{"tessera-dump":1,"#) && !text.contains("access") && !text.contains("roles"));
}

#[test]
fn a_bit_that_is_turned_in_a_snapshot_of_them_is_found() {
    let site = in_segments();
    fill(&site);
    site.remove_index();
    assert_eq!(problems(&site), [""; 0]);
    let snapshots = files(&site.state().join("snapshot"));
    for file in snapshots {
        let octets = fs::read(&file).unwrap();
        for at in 0..octets.len() {
            let mut altered = octets.clone();
            altered[at] ^= 1 << (at % 8);
            fs::write(&file, altered).unwrap();
            let found = problems(&site);
            let named = |problem: &String| problem.contains(file.to_str().unwrap());
            assert!(found.iter().any(named), "octet {at}: {found:?}");
        }
        fs::write(&file, octets).unwrap();
    }
}

#[test]
fn the_history_names_them() {
    let site = Site::new();
    fill(&site);
    let mut told = Vec::new();
    store::history(&location(&site), |event| {
        if let About::Access(key) = &event.about {
            told.push(format!("{} {key}", event.what.word()));
        }
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(told[0], "added the role staff");
    assert_eq!(
        told[told.len() - 3..],
        [
            "changed the rule rule2",
            "removed the rule rule4",
            "removed the role gone"
        ]
    );
}
