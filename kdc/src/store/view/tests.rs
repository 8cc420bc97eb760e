use super::*;
use crate::store::test_realm::{add, declare, full_rule, id, keyring, name, principal, replace, role, roles};

fn view(changes: &[Change]) -> View {
    let mut view = View::empty(Arc::new(keyring()));
    for change in changes {
        view.apply(change).unwrap();
    }
    view
}

fn with_alias(mut record: PrincipalRecord, alias: &str) -> PrincipalRecord {
    record.aliases.push(name(alias));
    record
}

#[test]
fn a_principal_is_found_by_name_by_alias_and_by_id() {
    let view = view(&[
        add(with_alias(principal(1, "alice"), "al")),
        add(principal(2, "bob/admin")),
    ]);
    assert_eq!(view.find(&name("alice")).unwrap().id, id(1));
    assert_eq!(view.find(&name("al")).unwrap().id, id(1));
    assert_eq!(view.find(&name("bob/admin")).unwrap().id, id(2));
    assert_eq!(view.get(id(2)).unwrap().name, name("bob/admin"));
    assert!(view.find(&name("bob")).is_none());
    assert!(view.get(id(3)).is_none());
    assert_eq!((view.len(), view.sequence()), (2, 2));
}

#[test]
fn a_revision_is_the_sequence_number_of_the_change() {
    let mut view = view(&[add(principal(1, "alice")), add(principal(2, "bob"))]);
    let alice = PrincipalRecord::clone(view.get(id(1)).unwrap());
    assert_eq!(alice.revision, 1);
    view.apply(&replace(alice)).unwrap();
    assert_eq!(view.get(id(1)).unwrap().revision, 3);
}

#[test]
fn a_change_that_saw_another_revision_is_a_conflict() {
    let mut view = view(&[add(principal(1, "alice"))]);
    let stale = |expected| Change::Put {
        expected,
        record: Box::new(principal(1, "alice")),
    };
    let conflict = |expected| StoreError::Conflict {
        name: name("alice"),
        expected,
        found: 1,
    };
    assert_eq!(view.apply(&stale(Some(7))).err(), Some(conflict(7)));
    assert_eq!(view.apply(&stale(None)).err(), Some(conflict(0)));
    assert_eq!(
        view.apply(&Change::Remove { id: id(1), expected: 2 }).err(),
        Some(conflict(2))
    );
    assert_eq!(
        view.apply(&Change::Remove { id: id(9), expected: 2 }).err(),
        Some(StoreError::NotFound)
    );
    let absent = Change::Put {
        expected: Some(1),
        record: Box::new(principal(9, "nobody")),
    };
    assert_eq!(view.apply(&absent).err(), Some(StoreError::NotFound));
}

#[test]
fn a_name_belongs_to_one_principal_be_it_name_or_alias() {
    let mut view = view(&[add(with_alias(principal(1, "alice"), "al"))]);
    let taken = |n: &str, holder: &str| {
        Some(StoreError::NameTaken {
            name: name(n),
            holder: name(holder),
        })
    };
    assert_eq!(view.apply(&add(principal(2, "alice"))).err(), taken("alice", "alice"));
    assert_eq!(view.apply(&add(principal(2, "al"))).err(), taken("al", "alice"));
    assert_eq!(
        view.apply(&add(with_alias(principal(2, "bob"), "al"))).err(),
        taken("al", "alice")
    );
    assert_eq!(
        view.apply(&add(with_alias(principal(2, "bob"), "bob"))).err(),
        taken("bob", "bob")
    );
    view.apply(&add(principal(2, "Alice"))).unwrap();
    let mut renamed = principal(1, "alicia");
    renamed.revision = 1;
    view.apply(&replace(renamed)).unwrap();
    view.apply(&add(with_alias(principal(3, "alice"), "al"))).unwrap();
    assert_eq!(view.find(&name("al")).unwrap().id, id(3));
}

#[test]
fn an_older_view_does_not_see_a_later_change() {
    let mut now = view(&[add(principal(1, "alice"))]);
    let before = now.clone();
    now.apply(&Change::Remove { id: id(1), expected: 1 }).unwrap();
    assert!(now.find(&name("alice")).is_none() && now.is_empty());
    assert!(before.find(&name("alice")).is_some());
}

#[test]
fn a_change_taken_back_leaves_no_trace() {
    let mut view = view(&[add(principal(1, "alice")), add(principal(2, "bob"))]);
    let digest = view.digest();
    let undo = view.apply(&Change::Remove { id: id(1), expected: 1 }).unwrap();
    assert_ne!(view.digest(), digest);
    view.undo(undo);
    let undo = view.apply(&add(principal(3, "carol"))).unwrap();
    view.undo(undo);
    assert_eq!((view.len(), view.sequence(), view.digest()), (2, 2, digest));
    assert!(view.find(&name("alice")).is_some() && view.find(&name("carol")).is_none());
}

#[test]
fn roles_and_rules_are_kept_under_their_names_and_taken_back_as_principals_are() {
    let mut view = view(&[declare(role("staff")), declare(full_rule("office"))]);
    let digest = view.digest();
    let names = |view: &View| view.access().iter().map(|record| record.key()).collect::<Vec<_>>();
    let expected = [role("staff").key(), full_rule("office").key()];
    assert_eq!(names(&view), expected);
    assert_eq!(view.access().get(&expected[1]).unwrap().revision, 2);
    assert_eq!((view.len(), view.sequence()), (0, 2));

    let before = view.clone();
    let undo = view
        .apply(&Change::Withdraw {
            key: expected[1].clone(),
            expected: 2,
        })
        .unwrap();
    assert!(names(&view) == expected[..1] && names(&before) == expected);
    view.undo(undo);
    let undo = view
        .apply(&Change::Declare {
            expected: Some(2),
            record: Box::new(full_rule("office")),
        })
        .unwrap();
    assert_eq!(view.access().get(&expected[1]).unwrap().revision, 3);
    assert_ne!(view.digest(), digest);
    view.undo(undo);
    // A role and a rule may have the same name.
    let undo = view.apply(&declare(role("office"))).unwrap();
    view.undo(undo);
    assert_eq!((view.digest(), view.sequence()), (digest, 2));
    assert_eq!(names(&view), expected);
}

#[test]
fn a_role_or_rule_that_was_seen_otherwise_is_a_conflict() {
    let mut view = view(&[declare(role("staff")), declare(full_rule("office"))]);
    for (key, found) in [(role("staff").key(), 1), (full_rule("office").key(), 2)] {
        let withdrawn = view.apply(&Change::Withdraw {
            key: key.clone(),
            expected: 7,
        });
        let conflict = |expected| StoreError::AccessConflict {
            key: key.clone(),
            expected,
            found,
        };
        assert_eq!(withdrawn.err(), Some(conflict(7)));
        let record = AccessRecord::clone(view.access().get(&key).unwrap());
        assert_eq!(view.apply(&declare(record)).err(), Some(conflict(0)));
    }
    let gone = view.apply(&Change::Withdraw {
        key: role("mail").key(),
        expected: 1,
    });
    let conflict = StoreError::AccessConflict {
        key: role("mail").key(),
        expected: 1,
        found: 0,
    };
    assert_eq!(gone.err(), Some(conflict));
}

#[test]
fn a_role_that_somebody_has_stays() {
    let with_roles = |number, names: &[&str]| PrincipalRecord {
        roles: roles(names),
        ..principal(number, &format!("user{number}"))
    };
    let mut view = view(&[
        declare(role("mail")),
        declare(role("staff")),
        declare(full_rule("office")),
        add(with_roles(1, &["mail"])),
        add(with_roles(2, &["mail", "other"])),
    ]);
    let withdraw = |view: &mut View, name: &str| {
        let key = role(name).key();
        let expected = view.access().get(&key).unwrap().revision;
        view.apply(&Change::Withdraw { key, expected }).map(drop)
    };
    let in_use = |name: &str, rule: Option<&str>, holders| {
        Err(StoreError::RoleInUse {
            role: name.parse().unwrap(),
            rule: rule.map(|rule| rule.parse().unwrap()),
            holders,
        })
    };
    assert_eq!(withdraw(&mut view, "staff"), in_use("staff", Some("office"), 0));
    assert_eq!(withdraw(&mut view, "mail"), in_use("mail", None, 2));
    let holders = |view: &View| {
        let holders = view.holders().map(|(role, count)| (role.to_string(), count));
        holders.collect::<Vec<_>>()
    };
    assert_eq!(holders(&view), [("mail".into(), 2), ("other".into(), 1)]);
    let mut one = with_roles(1, &[]);
    one.revision = 4;
    view.apply(&replace(one)).unwrap();
    assert_eq!(withdraw(&mut view, "mail"), in_use("mail", None, 1));
    view.apply(&Change::Remove { id: id(2), expected: 5 }).unwrap();
    assert_eq!(withdraw(&mut view, "mail"), Ok(()));
    assert_eq!(holders(&view), []);
}

#[test]
fn ten_thousand_principals_are_all_found_again() {
    let view = view(
        &(0..10_000)
            .map(|n| add(principal(n, &format!("user{n}"))))
            .collect::<Vec<_>>(),
    );
    for n in 0..10_000 {
        assert_eq!(view.find(&name(&format!("user{n}"))).unwrap().id, id(n));
        assert!(view.get(id(n)).is_some());
    }
    assert_eq!(view.iter().count(), 10_000);
    let sorted: Vec<_> = view.sorted().collect();
    assert!(sorted.is_sorted_by_key(|record| &record.name) && sorted.len() == 10_000);
}
