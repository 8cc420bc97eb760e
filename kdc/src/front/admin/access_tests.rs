//! Administrators' roles and rules against a store in memory.

use tessera_common::admin::{
    Limit, NewKeys, NewPrincipal, Reason, Request, Response, RoleChanges, RoleInfo, RuleChanges, RuleInfo, Settings,
    Source,
};
use tessera_common::role::RoleName;

use super::tests::{Desk, add, new};
use crate::realm::access::Access;
use crate::realm::rights::Role;
use crate::realm::rules::Rule;
use crate::store::{Memory, Store as _};

fn roles(texts: &[&str]) -> Vec<RoleName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn role(text: &str) -> RoleName {
    text.parse().unwrap()
}

fn add_role(desk: &mut Desk<Memory>, text: &str) {
    assert_eq!(desk.ask(added_role(text, &[])), Response::Done);
}

pub(super) fn added_role(text: &str, rights: &[&str]) -> Request {
    Request::AddRole {
        name: role(text),
        rights: rights.iter().map(|right| (*right).to_owned()).collect(),
    }
}

fn with_roles(name: &str, texts: &[&str]) -> NewPrincipal {
    NewPrincipal {
        roles: roles(texts),
        ..new(name, NewKeys::Random)
    }
}

fn set_roles(name: &str, add: &[&str], remove: &[&str]) -> Request {
    Request::Set {
        name: name.into(),
        settings: Settings::default(),
        roles: RoleChanges {
            add: roles(add),
            remove: roles(remove),
        },
        revision: None,
    }
}

fn allow(services: &[&str], of: &[&str]) -> RuleChanges {
    RuleChanges {
        effect: Some("allow".into()),
        roles: Some(roles(of)),
        services: Some(services.iter().map(|text| (*text).to_owned()).collect()),
        ..RuleChanges::default()
    }
}

fn add_rule(name: &str, parts: RuleChanges) -> Request {
    let name = name.into();
    Request::AddRule { name, parts }
}

fn set_rule(name: &str, revision: Option<u64>, parts: RuleChanges) -> Request {
    Request::SetRule {
        name: name.into(),
        parts,
        revision,
    }
}

#[track_caller]
fn rule(desk: &mut Desk<Memory>, request: Request) -> RuleInfo {
    match desk.ask(request) {
        Response::Rule(info) => *info,
        other => panic!("{other:?}"),
    }
}

fn listed_roles(desk: &mut Desk<Memory>) -> Vec<RoleInfo> {
    let mut responses = desk.ask_all(Request::ListRoles);
    assert_eq!(responses.pop(), Some(Response::Done));
    let some = responses.into_iter().map(|response| match response {
        Response::Roles(some) => some,
        other => panic!("{other:?}"),
    });
    some.flatten().collect()
}

fn listed_rules(desk: &mut Desk<Memory>) -> Vec<RuleInfo> {
    let mut responses = desk.ask_all(Request::ListRules);
    assert_eq!(responses.pop(), Some(Response::Done));
    let some = responses.into_iter().map(|response| match response {
        Response::Rules(some) => some,
        other => panic!("{other:?}"),
    });
    some.flatten().collect()
}

/// A desk whose realm.toml has the role `filed` and the rule `shipped`, which names `filed`.
fn with_file() -> Desk<Memory> {
    let mut desk = Desk::new();
    let shipped: Rule =
        serde_json::from_str(r#"{"name":"shipped","effect":"allow","roles":["filed"],"services":["ftp/*"]}"#).unwrap();
    desk.settings.access = Access::new(roles(&["filed"]).into_iter().map(Role::plain), [shipped]);
    desk
}

#[test]
fn a_principal_has_the_roles_it_is_given_sorted_and_once() {
    let mut desk = with_file();
    for name in ["staff", "mail"] {
        add_role(&mut desk, name);
    }
    let alice = desk.done(Request::Add(with_roles("alice", &["staff", "filed", "staff"])));
    assert_eq!(alice.roles, roles(&["filed", "staff"]));
    let alice = desk.done(set_roles("alice", &["mail", "staff"], &["filed"]));
    assert_eq!(alice.roles, roles(&["mail", "staff"]));
    let imported = Request::Import {
        principals: vec![with_roles("bob", &["staff"]), with_roles("carol", &["none"])],
    };
    let Response::Imported { added: 1, refused } = desk.ask(imported) else {
        panic!("not one of two")
    };
    assert!(refused[0].at == 1 && refused[0].message.starts_with("there is no role none; "));
    assert_eq!(desk.show("bob").roles, roles(&["staff"]));

    let mut listed = |wanted: &str| {
        let listed = desk.ask_all(Request::List {
            glob: None,
            role: Some(role(wanted)),
        });
        let names = listed.into_iter().flat_map(|response| match response {
            Response::Listed(some) => some.into_iter().map(|info| info.name).collect(),
            _ => Vec::new(),
        });
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed("staff"), ["alice@EXAMPLE.COM", "bob@EXAMPLE.COM"]);
    assert_eq!(listed("mail"), ["alice@EXAMPLE.COM"]);
    assert_eq!(listed("filed"), [""; 0]);
}

#[test]
fn roles_that_there_are_not_are_neither_given_nor_taken() {
    let mut desk = Desk::new();
    add_role(&mut desk, "staff");
    let unknown = "there is no role mail; `principal role add mail` makes one, or [roles.mail] in realm.toml";
    let refused = desk.refused(Request::Add(with_roles("alice", &["staff", "mail"])));
    assert_eq!(refused, (Reason::NotFound, unknown.into()));
    desk.done(add("alice"));
    assert_eq!(
        desk.refused(set_roles("alice", &["mail"], &[])),
        (Reason::NotFound, unknown.into())
    );
    assert_eq!(
        desk.refused(set_roles("alice", &[], &["staff"])),
        (
            Reason::NotFound,
            "alice@EXAMPLE.COM does not have the role staff".into()
        )
    );
    assert_eq!(
        desk.refused(set_roles("alice", &["staff"], &["staff"])),
        (
            Reason::Invalid,
            "the role staff cannot be both added and removed".into()
        )
    );
    assert_eq!(desk.show("alice").roles, []);
}

#[test]
fn a_role_is_added_once_and_removed_when_nothing_has_it() {
    let mut desk = with_file();
    add_role(&mut desk, "staff");
    let added = |name: &str| added_role(name, &[]);
    let removed = |name: &str| Request::RemoveRole { name: role(name) };
    assert_eq!(
        desk.refused(added("staff")),
        (Reason::Taken, "the role staff exists already".into())
    );
    assert_eq!(
        desk.refused(added("filed")),
        (
            Reason::Taken,
            "the role filed is already in realm.toml, [roles.filed]; it cannot be in the database, too".into()
        )
    );
    assert_eq!(
        desk.refused(removed("filed")),
        (
            Reason::Protected,
            "the role filed is realm.toml's; change [roles.filed] there, then `principal reload`".into()
        )
    );
    assert_eq!(
        desk.refused(removed("mail")),
        (
            Reason::NotFound,
            "there is no role mail; `principal role list` shows those that there are".into()
        )
    );
    desk.done(Request::Add(with_roles("alice", &["staff"])));
    rule(&mut desk, add_rule("office", allow(&["host/*"], &["staff"])));
    assert_eq!(
        desk.refused(removed("staff")),
        (
            Reason::Protected,
            "the role staff is in use: the rule office names it, and 1 principal has it".into()
        )
    );
    desk.done(set_roles("alice", &[], &["staff"]));
    rule(&mut desk, set_rule("office", None, allow(&["host/*"], &[])));
    assert_eq!(desk.ask(removed("staff")), Response::Done);
    // One that a rule of realm.toml names, too.
    add_role(&mut desk, "other");
    let shipped: Rule =
        serde_json::from_str(r#"{"name":"shipped","effect":"deny","roles":["other"],"services":["ftp/*"]}"#).unwrap();
    desk.settings.access = Access::new([], [shipped]);
    assert_eq!(
        desk.refused(removed("other")),
        (
            Reason::Protected,
            "the role other is in use: the rule shipped names it, [rules.shipped] in realm.toml".into()
        )
    );
}

#[test]
fn roles_are_listed_with_where_they_are_declared_who_has_them_and_what_names_them() {
    let mut desk = with_file();
    add_role(&mut desk, "staff");
    add_role(&mut desk, "lost");
    rule(&mut desk, add_rule("office", allow(&["host/*"], &["staff", "filed"])));
    desk.done(Request::Add(with_roles("alice", &["staff", "filed"])));
    desk.done(Request::Add(with_roles("bob", &["staff"])));
    let row = |info: &RoleInfo| {
        let history = info.history.as_ref().map(|history| history.changed_by.clone());
        (
            info.name.to_string(),
            info.source,
            info.principals,
            info.rules.join(","),
            history,
        )
    };
    let by_us = Some("uid 1000".to_owned());
    let rows: Vec<_> = listed_roles(&mut desk).iter().map(row).collect();
    assert_eq!(
        rows,
        [
            ("filed".into(), Source::RealmToml, 1, "shipped,office".into(), None),
            ("lost".into(), Source::Database, 0, String::new(), by_us.clone()),
            ("staff".into(), Source::Database, 2, "office".into(), by_us),
        ]
    );
    desk.settings.access = Access::default();
    let rows: Vec<_> = listed_roles(&mut desk).iter().map(row).collect();
    assert_eq!(rows[0], ("filed".into(), Source::Nowhere, 1, "office".into(), None));
}

#[test]
fn every_part_of_a_rule_is_set_and_taken_back_and_the_rest_stays() {
    let mut desk = Desk::new();
    add_role(&mut desk, "staff");
    let least = rule(&mut desk, add_rule("office", allow(&["host/*"], &[])));
    assert_eq!(
        (least.effect.as_str(), &least.services, least.source),
        ("allow", &vec!["host/*".to_owned()], Source::Database)
    );
    assert!(least.roles.is_empty() && least.from.is_empty() && least.hours.is_empty() && least.max_life.is_none());
    let text = |text: &str| Some(vec![text.to_owned()]);
    let all = RuleChanges {
        effect: None,
        roles: Some(roles(&["staff"])),
        services: text("http/*"),
        from: text("192.0.2.0/24"),
        hours: text("Mon-Fri 08:00-18:00"),
        max_life: Some("1h".parse().unwrap()),
    };
    let full = rule(
        &mut desk,
        set_rule("office", Some(least.history.unwrap().revision), all),
    );
    assert_eq!(
        serde_json::to_value(&full).unwrap(),
        serde_json::json!({
            "name": "office", "source": "database", "effect": "allow", "roles": ["staff"], "services": ["http/*"],
            "from": ["192.0.2.0/24"], "hours": ["Mon-Fri 08:00-18:00"], "max-life": "1h",
            "history": {"revision": full.history.as_ref().unwrap().revision, "created": "2027-01-15T08:00:00Z",
                        "changed": "2027-01-15T08:00:00Z", "changed-by": "uid 1000"},
        })
    );
    assert_eq!(rule(&mut desk, Request::ShowRule { name: "office".into() }), full);
    let nothing = RuleChanges {
        roles: Some(Vec::new()),
        from: Some(Vec::new()),
        hours: Some(Vec::new()),
        max_life: Some(Limit::Realm),
        ..RuleChanges::default()
    };
    let back = rule(&mut desk, set_rule("office", None, nothing));
    assert!(back.roles.is_empty() && back.from.is_empty() && back.hours.is_empty() && back.max_life.is_none());
    assert_eq!(back.services, ["http/*"]);
    assert_eq!(listed_rules(&mut desk), [back]);
    let remove = || Request::RemoveRule { name: "office".into() };
    assert_eq!(desk.ask(remove()), Response::Done);
    assert_eq!(desk.refused(remove()).0, Reason::NotFound);
    assert_eq!(listed_rules(&mut desk), []);
}

#[test]
fn the_second_of_two_who_saw_the_same_rule_gets_a_conflict() {
    let mut desk = Desk::new();
    let seen = rule(&mut desk, add_rule("office", allow(&["host/*"], &[])));
    let revision = seen.history.map(|history| history.revision);
    let first = rule(&mut desk, set_rule("office", revision, allow(&["http/*"], &[])));
    let (reason, message) = desk.refused(set_rule("office", revision, allow(&["ftp/*"], &[])));
    let now = first.history.as_ref().unwrap().revision;
    assert_eq!(reason, Reason::Conflict);
    assert_eq!(
        message,
        format!(
            "the rule office was changed by uid 1000 at 2027-01-15T08:00:00Z and is at revision {now}, not {}; effect: \
             allow now, allow asked; services: http/* now, ftp/* asked; roles: everybody now, everybody asked; nothing was \
             changed, `principal rule show office` tells what it is now",
            revision.unwrap()
        )
    );
    assert_eq!(listed_rules(&mut desk), [first]);
}

#[test]
fn what_makes_no_rule_is_refused_and_changes_nothing() {
    let mut desk = with_file();
    rule(&mut desk, add_rule("office", allow(&["host/*"], &["filed"])));
    let before = desk.store.view().sequence();
    let with = |change: fn(&mut RuleChanges)| {
        let mut parts = allow(&["host/*"], &[]);
        change(&mut parts);
        add_rule("other", parts)
    };
    let bad = |text: &str| Some(vec![text.to_owned()]);
    for (request, reason, begins) in [
        (
            add_rule("Office", allow(&["*"], &[])),
            Reason::Invalid,
            "\"Office\" cannot be a rule's name: ",
        ),
        (
            add_rule("office", allow(&["*"], &[])),
            Reason::Taken,
            "the rule office exists already",
        ),
        (
            add_rule("shipped", allow(&["*"], &[])),
            Reason::Taken,
            "the rule shipped is already in realm.toml, [rules.shipped]; ",
        ),
        (
            set_rule("shipped", None, allow(&["*"], &[])),
            Reason::Protected,
            "the rule shipped is realm.toml's; change [rules.shipped] there",
        ),
        (
            Request::RemoveRule { name: "shipped".into() },
            Reason::Protected,
            "the rule shipped is realm.toml's; ",
        ),
        (
            set_rule("none", None, allow(&["*"], &[])),
            Reason::NotFound,
            "there is no rule none; `principal rule list` shows",
        ),
        (
            set_rule("office", None, RuleChanges::default()),
            Reason::Invalid,
            "nothing to set",
        ),
        (
            with(|parts| parts.effect = None),
            Reason::Invalid,
            "a new rule needs an effect",
        ),
        (
            with(|parts| parts.effect = Some("permit".into())),
            Reason::Invalid,
            "effect \"permit\": ",
        ),
        (with(|parts| parts.services = None), Reason::Invalid, "services: "),
        (
            with(|parts| parts.roles = Some(roles(&["none"]))),
            Reason::NotFound,
            "there is no role none; ",
        ),
        (
            set_rule("office", None, allow(&["*"], &["none"])),
            Reason::NotFound,
            "there is no role none; ",
        ),
        (
            set_rule(
                "office",
                None,
                RuleChanges {
                    from: bad("192.0.2.0/33"),
                    ..RuleChanges::default()
                },
            ),
            Reason::Invalid,
            "from \"192.0.2.0/33\": ",
        ),
        (
            set_rule(
                "office",
                None,
                RuleChanges {
                    hours: bad("25:00-26:00"),
                    ..RuleChanges::default()
                },
            ),
            Reason::Invalid,
            "hours \"25:00-26:00\": ",
        ),
        (
            set_rule(
                "office",
                None,
                RuleChanges {
                    max_life: Some("0s".parse().unwrap()),
                    ..RuleChanges::default()
                },
            ),
            Reason::Invalid,
            "max-life: ",
        ),
    ] {
        let (found, message) = desk.refused(request);
        assert!(found == reason && message.starts_with(begins), "{found:?}: {message}");
    }
    assert_eq!(desk.store.view().sequence(), before);
}

#[test]
fn rules_of_both_places_are_listed_by_name_and_shown() {
    let mut desk = with_file();
    for name in ["zebra", "office"] {
        rule(&mut desk, add_rule(name, allow(&["host/*"], &[])));
    }
    let rows = listed_rules(&mut desk).into_iter().map(|info| (info.name, info.source));
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            ("office".into(), Source::Database),
            ("shipped".into(), Source::RealmToml),
            ("zebra".into(), Source::Database)
        ]
    );
    let shipped = rule(&mut desk, Request::ShowRule { name: "shipped".into() });
    assert!(shipped.history.is_none() && shipped.roles == roles(&["filed"]));
    for n in 0..200 {
        rule(&mut desk, add_rule(&format!("n{n:03}"), allow(&["host/*"], &[])));
    }
    assert_eq!(listed_rules(&mut desk).len(), 203);
}
