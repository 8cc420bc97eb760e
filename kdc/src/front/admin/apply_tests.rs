//! Declarations against a store in memory.

use tessera_common::admin::{
    ApplyMode, Becomes, Declaration, DeclaredKind, Difference, Reason, Request, Response, Rest, RoleChanges, Settings,
};
use tessera_common::name::Name;

use super::tests::{Desk, add};
use crate::realm::access::Access;
use crate::realm::principal::Attributes;
use crate::realm::rights::Role;
use crate::store::{Memory, Store as _};

fn declaration(json: &str) -> Declaration {
    serde_json::from_str(json).unwrap()
}

fn request(json: &str, rest: Rest, mode: ApplyMode) -> Request {
    Request::Apply {
        declaration: declaration(json),
        rest,
        mode,
    }
}

/// What differed, each on a line.
#[track_caller]
fn differences(desk: &mut Desk<Memory>, request: Request) -> Vec<String> {
    let mut responses = desk.ask_all(request);
    assert_eq!(responses.pop(), Some(Response::Done));
    let all = responses.into_iter().flat_map(|response| match response {
        Response::Differences(some) => some,
        other => panic!("{other:?}"),
    });
    all.map(|difference| line(&difference)).collect()
}

fn line(difference: &Difference) -> String {
    let sign = match difference.becomes {
        Becomes::Added => '+',
        Becomes::Changed => '~',
        Becomes::Removed => '-',
    };
    let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "default".into());
    let parts = difference
        .parts
        .iter()
        .map(|part| format!(" {}={}>{}", part.part, said(&part.from), said(&part.to)));
    let head = format!("{sign}{} {}", difference.kind.word(), difference.name);
    parts.fold(head, |all, part| all + &part)
}

fn apply(desk: &mut Desk<Memory>, json: &str) -> Vec<String> {
    differences(desk, request(json, Rest::Stays, ApplyMode::Commit))
}

fn exported(desk: &mut Desk<Memory>) -> Declaration {
    let mut all = Declaration::default();
    for response in desk.ask_all(Request::Export) {
        match response {
            Response::Exported(part) => {
                let Declaration {
                    roles,
                    policies,
                    rules,
                    principals,
                } = *part;
                all.roles = all.roles.or(roles);
                all.policies = all.policies.or(policies);
                all.rules = all.rules.or(rules);
                all.principals
                    .get_or_insert_default()
                    .extend(principals.into_iter().flatten());
            }
            Response::Done => {}
            other => panic!("{other:?}"),
        }
    }
    all
}

const REALM: &str = r#"{
    "roles": {"staff": {}, "desk": {"rights": ["helpdesk:*/student"]}},
    "policies": {"strict": {"min-length": 12, "max-age": "90d", "enctypes": ["aes256-cts-hmac-sha1-96"]}},
    "rules": {"office": {"effect": "allow", "roles": ["staff"], "services": ["host/*"], "max-life": "1h"}},
    "principals": {
        "alice": {"aliases": ["al"], "roles": ["staff"], "settings": {"max-life": "4h", "policy": "strict", "preauth": false}},
        "host/www": {"settings": {"ok-as-delegate": true, "expires": "2027-01-31T18:00:00Z"}}
    }
}"#;

#[test]
fn what_is_declared_is_made_and_declared_again_differs_in_nothing() {
    let mut desk = Desk::new();
    let dry = differences(&mut desk, request(REALM, Rest::Stays, ApplyMode::DryRun));
    assert_eq!(desk.store.view().len(), 3, "nothing was made");
    let made = apply(&mut desk, REALM);
    assert_eq!(made, dry);
    assert_eq!(
        made,
        [
            "+role desk rights=default>helpdesk:*/student",
            "+role staff",
            "+policy strict enctypes=default>aes256-cts-hmac-sha1-96 max-age=default>90d min-length=default>12",
            "+rule office effect=default>allow max-life=default>1h roles=default>staff services=default>host/*",
            "+principal alice aliases=default>al max-life=default>4h policy=default>strict preauth=default>no roles=default>staff",
            "+principal host/www expires=default>2027-01-31T18:00:00Z ok-as-delegate=default>yes",
        ]
    );
    let alice = desk.show("al");
    assert_eq!(alice.attributes, ["no-preauth", "not-a-service"]);
    assert!(alice.keys.iter().all(|key| key.salt.is_none()), "random keys");
    let sequence = desk.store.view().sequence();
    assert_eq!(apply(&mut desk, REALM), [""; 0]);
    assert_eq!(desk.store.view().sequence(), sequence);
}

#[test]
fn what_was_exported_differs_in_nothing_and_makes_the_same_realm_elsewhere() {
    let mut desk = Desk::new();
    apply(&mut desk, REALM);
    let all = exported(&mut desk);
    let request = |declaration: &Declaration| Request::Apply {
        declaration: declaration.clone(),
        rest: Rest::Goes,
        mode: ApplyMode::Commit,
    };
    assert_eq!(differences(&mut desk, request(&all)), [""; 0]);
    let text = serde_json::to_string(&all).unwrap();
    assert!(text.contains("kadmin/admin") && !text.contains("key"), "{text}");
    let mut other = Desk::new();
    assert_eq!(differences(&mut other, request(&all)).len(), 6);
    assert_eq!(exported(&mut other), all);
}

#[test]
fn what_is_not_said_is_as_by_default_but_for_what_comes_of_running_the_realm() {
    let mut desk = Desk::new();
    apply(&mut desk, REALM);
    desk.done(Request::Lock { name: "alice".into() });
    desk.done(Request::Set {
        name: "alice".into(),
        settings: Settings {
            must_change_password: Some(true.into()),
            ..Settings::default()
        },
        roles: RoleChanges::default(),
        revision: None,
    });
    let keys = desk.show("alice").keys;
    let changed = apply(
        &mut desk,
        r#"{"principals": {"alice": {"settings": {"service": true}}}}"#,
    );
    assert_eq!(
        changed,
        [
            "~principal alice aliases=al>default max-life=4h>default policy=strict>default preauth=no>default roles=staff>default service=default>yes"
        ]
    );
    let alice = desk.show("alice");
    assert_eq!(alice.attributes, ["locked", "must-change-password"]);
    assert_eq!((alice.keys, alice.max_life), (keys, None));
    assert_eq!(alice.changed_by, "uid 1000");
}

#[test]
fn what_is_wrong_anywhere_changes_nothing_and_is_told_all_at_once() {
    let mut desk = Desk::new();
    desk.settings.access = Access::new([Role::plain("filed".parse().unwrap())], []);
    desk.done(add("bob"));
    let sequence = desk.store.view().sequence();
    let bad = r#"{
        "roles": {"good": {}, "filed": {}, "desk": {"rights": ["root"]}},
        "policies": {"p": {"min-length": 0}, "Q": {}},
        "rules": {"r": {"services": ["*"]}, "s": {"effect": "deny", "services": ["*"], "roles": ["nobody"]}},
        "principals": {
            "alice": {"roles": ["good", "none"], "settings": {"policy": "lost"}},
            "a@b@c": {},
            "carol": {"aliases": ["dora"]}, "dora": {},
            "eve": {"settings": {"expires": "+1d"}},
            "fred": {"settings": {"password-expires": "never"}}
        }
    }"#;
    let (reason, message) = desk.refused(request(bad, Rest::Stays, ApplyMode::Commit));
    assert_eq!(reason, Reason::Invalid);
    for what in [
        "role filed: it is in realm.toml, [roles.filed]",
        "role desk: \"root\" is no right",
        "policy p: min-length: it is a number from 1 to 256",
        "policy Q: ",
        "rule r: a new rule needs an effect",
        "rule s: roles: there would be no role nobody",
        "principal alice: roles: there would be no role none",
        "principal alice: policy: there would be no policy lost",
        "principal a@b@c: ",
        "principal dora: dora is a name of carol, too",
        "principal eve: expires: a time from now would be another one each time",
        "principal fred: when a password has to be changed is not declared",
        "nothing was changed",
    ] {
        assert!(message.contains(what), "{what}: {message}");
    }
    assert_eq!(desk.store.view().sequence(), sequence);
    let taken = r#"{"principals": {"new": {}, "carol": {"aliases": ["bob"]}}}"#;
    let (reason, _) = desk.refused(request(taken, Rest::Stays, ApplyMode::Commit));
    assert_eq!((reason, desk.store.view().sequence()), (Reason::Taken, sequence));
}

#[test]
fn what_is_not_declared_stays_unless_it_is_to_go() {
    let mut desk = Desk::new();
    apply(&mut desk, REALM);
    let less = r#"{"roles": {"staff": {}}, "rules": {}, "principals": {"bob": {"aliases": ["al"]}}}"#;
    let (reason, _) = desk.refused(request(less, Rest::Stays, ApplyMode::Commit));
    assert_eq!(reason, Reason::Taken, "al is alice's still");
    assert_eq!(
        differences(&mut desk, request(less, Rest::Goes, ApplyMode::Commit)),
        [
            "-role desk",
            "-rule office",
            "+principal bob aliases=default>al",
            "-principal alice",
            "-principal host/www"
        ],
        "policies are not what this is about"
    );
    let names: Vec<_> = desk
        .store
        .view()
        .sorted()
        .map(|record| record.name.to_string())
        .collect();
    assert_eq!(names, ["bob", "kadmin/admin", "kadmin/changepw", "krbtgt/EXAMPLE.COM"]);
    assert!(desk.store.view().access().declared().policy("strict").is_some());
}

#[test]
fn a_role_goes_with_all_that_speaks_of_it_or_not_at_all() {
    let mut desk = Desk::new();
    apply(&mut desk, REALM);
    let (_, message) = desk.refused(request(r#"{"roles": {}}"#, Rest::Goes, ApplyMode::Commit));
    assert!(
        message.contains("rule office: roles: there would be no role staff"),
        "{message}"
    );
    let all = r#"{"roles": {}, "rules": {}, "principals": {"alice": {}}}"#;
    assert_eq!(
        differences(&mut desk, request(all, Rest::Goes, ApplyMode::Commit)).len(),
        5
    );
    assert!(desk.store.view().access().declared().roles().next().is_none());
}

#[test]
fn names_change_hands_within_one_declaration() {
    let mut desk = Desk::new();
    apply(
        &mut desk,
        r#"{"principals": {"alice": {"aliases": ["ops"]}, "bob": {}}}"#,
    );
    let moved = apply(
        &mut desk,
        r#"{"principals": {"alice": {}, "bob": {"aliases": ["ops"]}}}"#,
    );
    assert_eq!(moved.len(), 2);
    assert_eq!(desk.show("ops").name, "bob@EXAMPLE.COM");
    let view = desk.store.view();
    let krbtgt = view.find(&Name::parse("krbtgt/EXAMPLE.COM").unwrap()).unwrap();
    assert_eq!(krbtgt.attributes, Attributes::empty());
}

#[test]
fn kinds_have_the_names_of_their_tables() {
    for (kind, word) in [
        (DeclaredKind::Role, "\"role\""),
        (DeclaredKind::Policy, "\"policy\""),
        (DeclaredKind::Rule, "\"rule\""),
        (DeclaredKind::Principal, "\"principal\""),
    ] {
        assert_eq!(serde_json::to_string(&kind).unwrap(), word);
    }
}
