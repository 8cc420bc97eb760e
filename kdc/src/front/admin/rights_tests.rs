//! Administrators with some rights, against a store in memory.

use std::collections::BTreeSet;

use tessera_common::admin::{
    Act, ActExplanation, Deadline, EventQuery, Limit, NewKeys, NewPrincipal, Password, Reason, Request, Response,
    RightChanges, RoleChanges, Rotation, RuleChanges, Settings, WhichSessions, YesNo,
};

use super::access_tests::added_role;
use super::rights::Rights;
use super::tests::{Desk, add, new};
use crate::store::{Memory, Store as _};

/// A desk with students, others, and administrators; `desk.rights` are everything.
pub(super) fn populated() -> Desk<Memory> {
    let mut desk = Desk::new();
    for (role, rights) in [
        ("audit", &["viewer"][..]),
        ("desk", &["helpdesk:*/student"]),
        ("hosts", &["keytab:host/*"]),
        ("school", &["admin:*/student", "viewer:staff/*"]),
        ("operator", &["admin"]),
        ("plain", &[]),
    ] {
        assert_eq!(desk.ask(added_role(role, rights)), Response::Done);
        desk.done(Request::Add(NewPrincipal {
            roles: vec![role.parse().unwrap()],
            ..new(&format!("{role}-admin"), NewKeys::Random)
        }));
    }
    for name in [
        "alice/student",
        "bob/student",
        "staff/carol",
        "dave",
        "host/www",
        "host/mail",
    ] {
        desk.done(add(name));
    }
    for (name, alias) in [("dave", "dave/student"), ("bob/student", "bob")] {
        let (name, alias) = (name.into(), alias.into());
        desk.done(Request::Alias { name, alias });
    }
    desk
}

/// The desk as this administrator sits at it.
pub(super) fn sits(desk: &mut Desk<Memory>, who: &str) {
    let view = desk.store.view();
    let record = view.find(&who.parse().unwrap()).unwrap();
    desk.rights = Rights::Of(record.id);
}

fn show(name: &str) -> Request {
    Request::Show { name: name.into() }
}

fn password(name: &str) -> Request {
    Request::Password {
        name: name.into(),
        password: Password::new("wonderland".into()),
        enctypes: Some(vec!["aes128-sha1".into()]),
    }
}

fn set(name: &str, settings: Settings, add: &[&str]) -> Request {
    Request::Set {
        name: name.into(),
        settings,
        roles: RoleChanges {
            add: add.iter().map(|role| role.parse().unwrap()).collect(),
            remove: Vec::new(),
        },
        revision: None,
    }
}

/// At least one request for each act, on alice where it is done to somebody.
fn every_request() -> Vec<Request> {
    let name = || "alice/student".to_owned();
    let long = Settings {
        max_life: Some(Limit::Realm),
        ..Settings::default()
    };
    let must = Settings {
        must_change_password: Some(YesNo::Yes),
        ..Settings::default()
    };
    let role = || "plain".parse().unwrap();
    let rule = || "office".to_owned();
    let parts = || RuleChanges {
        effect: Some("deny".into()),
        services: Some(vec!["*".into()]),
        ..RuleChanges::default()
    };
    vec![
        Request::List { glob: None, role: None },
        show("alice/student"),
        Request::Explain {
            name: name(),
            service: None,
            from: None,
            at: None,
        },
        Request::ExplainAct {
            name: name(),
            act: Act::Reload,
            on: None,
        },
        Request::Events {
            query: EventQuery::default(),
            last: None,
            follow: false,
        },
        Request::Sessions {
            name: None,
            which: WhichSessions::Open,
        },
        Request::Usage {
            name: name(),
            since: None,
            until: None,
        },
        Request::ListRoles,
        Request::ListRules,
        Request::ShowRule { name: rule() },
        password("alice/student"),
        set("alice/student", must, &[]),
        Request::Unlock { name: name() },
        Request::Keytab {
            names: vec![name()],
            rotate: true,
        },
        Request::Rotate {
            name: name(),
            how: Rotation::Replace,
            enctypes: None,
        },
        add("eve/student"),
        Request::Import {
            principals: vec![new("eve/student", NewKeys::Random)],
        },
        set("alice/student", long, &[]),
        set("alice/student", Settings::default(), &["plain"]),
        Request::Lock { name: name() },
        Request::Rename {
            name: name(),
            to: "eve/student".into(),
        },
        Request::Alias {
            name: name(),
            alias: "eve/student".into(),
        },
        Request::Unalias {
            name: "bob/student".into(),
            alias: "bob".into(),
        },
        Request::Remove { name: name() },
        added_role("new", &[]),
        Request::SetRole {
            name: role(),
            rights: RightChanges {
                add: vec!["viewer".into()],
                remove: Vec::new(),
            },
        },
        Request::RemoveRole { name: role() },
        Request::AddRule {
            name: rule(),
            parts: parts(),
        },
        Request::SetRule {
            name: rule(),
            parts: parts(),
            revision: None,
        },
        Request::RemoveRule { name: rule() },
        Request::Reload,
        Request::RotateMasterKey,
    ]
}

/// Whether something may be asked of the account, and of alice's; what is answered comes of the log.
fn asks_of_the_account(desk: &mut Desk<Memory>, act: Act) -> Result<(), (Reason, String)> {
    desk.executing(act, |executor| {
        executor.admit()?;
        executor.whose("alice/student").map(drop)
    })
    .map_err(|refused| (refused.reason, refused.message))
}

#[test]
fn who_has_no_rights_is_refused_everything_and_changes_nothing() {
    let asked: BTreeSet<Act> = every_request().iter().map(Request::act).collect();
    assert_eq!(asked, Act::ALL.into_iter().collect(), "every act is asked for");
    for who in ["plain-admin", "dave"] {
        let mut desk = populated();
        sits(&mut desk, who);
        let before = desk.store.view().sequence();
        for request in every_request() {
            let (reason, message) = match request.act() {
                Act::Usage => asks_of_the_account(&mut desk, Act::Usage).unwrap_err(),
                _ => desk.refused(request.clone()),
            };
            assert_eq!(reason, Reason::NotPermitted, "{request:?}");
            assert!(message.starts_with(request.act().name()), "{request:?}: {message}");
            assert!(
                message.ends_with(&format!("; {who}@EXAMPLE.COM has no right to administer this realm")),
                "{message}"
            );
        }
        assert_eq!(desk.store.view().sequence(), before);
    }
}

#[test]
fn a_viewer_changes_nothing_and_sees_all() {
    let mut desk = populated();
    sits(&mut desk, "audit-admin");
    let before = desk.store.view().sequence();
    for act in [Act::Events, Act::Sessions, Act::Usage] {
        assert_eq!(asks_of_the_account(&mut desk, act), Ok(()));
    }
    let of_the_account = |request: &Request| matches!(request.act(), Act::Events | Act::Sessions | Act::Usage);
    for request in every_request().into_iter().filter(|request| !of_the_account(request)) {
        let looks = matches!(request.act(), Act::List | Act::Show | Act::Explain | Act::ShowAccess);
        let last = desk.ask_all(request.clone()).pop();
        let Some(Response::Refused { reason, message }) = last else {
            assert!(looks, "{request:?}");
            continue;
        };
        // There is no rule office.
        let expected = if looks { Reason::NotFound } else { Reason::NotPermitted };
        assert_eq!(reason, expected, "{request:?}: {message}");
    }
    assert_eq!(desk.store.view().sequence(), before);
    assert_eq!(listed(&mut desk).len(), desk.store.view().len());
}

fn listed(desk: &mut Desk<Memory>) -> Vec<String> {
    let listed = desk.ask_all(Request::List { glob: None, role: None });
    let names = listed.into_iter().flat_map(|response| match response {
        Response::Listed(some) => some.into_iter().map(|info| info.name).collect(),
        _ => Vec::new(),
    });
    names.collect()
}

#[test]
fn who_sees_some_sees_no_others_and_is_not_told_whether_there_are_any() {
    let mut desk = populated();
    sits(&mut desk, "school-admin");
    // bob/student has the alias bob, and dave the alias dave/student.
    assert_eq!(
        listed(&mut desk),
        ["alice/student@EXAMPLE.COM", "staff/carol@EXAMPLE.COM"]
    );
    assert_eq!(desk.show("staff/carol").name, "staff/carol@EXAMPLE.COM");
    let (reason, there) = desk.refused(show("dave"));
    assert_eq!(reason, Reason::NotPermitted);
    assert_eq!(
        there,
        "show dave@EXAMPLE.COM needs the right viewer over dave@EXAMPLE.COM; school-admin@EXAMPLE.COM has \
         admin:*/student (role school), viewer:staff/* (role school)"
    );
    let (reason, nobody) = desk.refused(show("nobody"));
    assert_eq!(
        (reason, nobody),
        (Reason::NotPermitted, there.replace("dave@", "nobody@"))
    );
    assert_eq!(desk.refused(show("nobody/student")).0, Reason::NotFound);
    // An alias within leads to nobody without, nor says who it is.
    for request in [show("dave/student"), password("dave/student")] {
        let (reason, message) = desk.refused(request);
        assert_eq!(reason, Reason::NotPermitted);
        assert!(
            message.contains("since it has other names, which have to match, too"),
            "{message}"
        );
        assert!(!message.contains("dave@"), "{message}");
    }
    assert_eq!(
        desk.refused(add("dave/student")),
        (Reason::Taken, "dave/student@EXAMPLE.COM is an alias already".into())
    );
    // What is looked at of a student is explained, though nobody may look at the ticket-granting service.
    let explain = Request::Explain {
        name: "alice/student".into(),
        service: None,
        from: None,
        at: Some(Deadline::Never),
    };
    assert_eq!(desk.refused(explain.clone()).0, Reason::Invalid);
    let Request::Explain { name, .. } = explain else {
        unreachable!()
    };
    let explain = |service: Option<&str>| Request::Explain {
        name: name.clone(),
        service: service.map(str::to_owned),
        from: None,
        at: None,
    };
    assert!(matches!(desk.ask(explain(None)), Response::Explained(_)));
    assert_eq!(desk.refused(explain(Some("host/www"))).0, Reason::NotPermitted);
}

#[test]
fn each_right_does_what_it_is_for_within_its_pattern() {
    let mut desk = populated();
    let alice = desk.done(password("alice/student"));
    sits(&mut desk, "desk-admin");
    assert_eq!(
        desk.done(password("alice/student")).kvno,
        alice.kvno.map(|kvno| kvno + 1)
    );
    let must = |yes| Settings {
        must_change_password: Some(yes),
        ..Settings::default()
    };
    let alice = desk.done(set("alice/student", must(YesNo::Yes), &[]));
    assert_eq!(alice.attributes, ["must-change-password"]);
    for request in [
        password("staff/carol"),
        password("krbtgt/EXAMPLE.COM"),
        set("alice/student", must(YesNo::No), &["plain"]),
        Request::Lock {
            name: "alice/student".into(),
        },
    ] {
        assert_eq!(desk.refused(request).0, Reason::NotPermitted);
    }
    desk.rights = Rights::Everything;
    let unlock = || Request::Unlock {
        name: "alice/student".into(),
    };
    desk.done(Request::Lock {
        name: "alice/student".into(),
    });
    sits(&mut desk, "desk-admin");
    let (reason, message) = desk.refused(unlock());
    assert_eq!(reason, Reason::NotPermitted);
    assert!(message.contains("since an administrator has locked it"), "{message}");
    sits(&mut desk, "school-admin");
    desk.done(unlock());

    sits(&mut desk, "hosts-admin");
    let keytab = |names: &[&str], rotate| Request::Keytab {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        rotate,
    };
    assert!(matches!(
        desk.ask(keytab(&["host/www", "host/mail"], true)),
        Response::Keys(_)
    ));
    let before = desk.store.view().sequence();
    // One that is not permitted, and none is rotated.
    for names in [["host/www", "staff/carol"], ["krbtgt/EXAMPLE.COM", "host/www"]] {
        assert_eq!(desk.refused(keytab(&names, true)).0, Reason::NotPermitted);
    }
    assert_eq!(desk.store.view().sequence(), before);
    desk.rights = Rights::Everything;
    desk.done(password("host/www"));
    sits(&mut desk, "hosts-admin");
    let (reason, message) = desk.refused(keytab(&["host/www"], false));
    assert_eq!(reason, Reason::NotPermitted);
    assert!(message.contains("since it has a password"), "{message}");
}

#[test]
fn who_administers_some_makes_them_and_gives_them_nothing_that_leads_further() {
    let mut desk = populated();
    sits(&mut desk, "school-admin");
    desk.done(add("eve/student"));
    desk.done(set("eve/student", Settings::default(), &["plain"]));
    let before = desk.store.view().sequence();
    let with = |role: &str| NewPrincipal {
        roles: vec![role.parse().unwrap()],
        ..new("fay/student", NewKeys::Random)
    };
    let rename = |name: &str, to: &str| Request::Rename {
        name: name.into(),
        to: to.into(),
    };
    let alias = |name: &str, alias: &str| Request::Alias {
        name: name.into(),
        alias: alias.into(),
    };
    for request in [
        add("eve"),
        Request::Add(with("audit")),
        set("eve/student", Settings::default(), &["audit"]),
        rename("eve/student", "eve"),
        rename("eve/student", "dave"),
        rename("staff/carol", "carol/student"),
        alias("eve/student", "eve"),
        alias("eve/student", "dave"),
        Request::Unalias {
            name: "bob/student".into(),
            alias: "bob".into(),
        },
        added_role("new", &[]),
        Request::Reload,
    ] {
        assert_eq!(desk.refused(request.clone()).0, Reason::NotPermitted, "{request:?}");
    }
    assert_eq!(desk.store.view().sequence(), before);
    desk.done(rename("eve/student", "eva/student"));
    desk.done(alias("eva/student", "eve/student"));

    let lines = Request::Import {
        principals: vec![
            new("gil/student", NewKeys::Random),
            new("gil", NewKeys::Random),
            with("operator"),
            NewPrincipal {
                roles: vec!["plain".parse().unwrap()],
                ..new("hal/student", NewKeys::Random)
            },
        ],
    };
    let Response::Imported { added: 2, refused } = desk.ask(lines) else {
        panic!("not two of four")
    };
    let refused: Vec<_> = refused
        .iter()
        .map(|refused| (refused.at, refused.message.as_str()))
        .collect();
    assert_eq!((refused[0].0, refused[1].0, refused.len()), (1, 2, 2));
    assert!(
        refused[0]
            .1
            .starts_with("import gil@EXAMPLE.COM needs the right admin over gil@"),
        "{refused:?}"
    );
    assert!(
        refused[1].1.contains("since the role operator gives rights"),
        "{refused:?}"
    );
}

#[test]
fn a_right_that_is_taken_away_counts_at_once() {
    let mut desk = populated();
    sits(&mut desk, "operator-admin");
    let held = desk.rights;
    desk.done(password("alice/student"));
    desk.done(password("audit-admin"));
    let take = Request::SetRole {
        name: "operator".parse().unwrap(),
        rights: RightChanges {
            add: vec!["viewer".into()],
            remove: vec!["admin".into()],
        },
    };
    assert_eq!(desk.ask(take), Response::Done);
    assert_eq!(desk.refused(password("alice/student")).0, Reason::NotPermitted);
    desk.show("alice/student");
    desk.rights = Rights::Everything;
    let remove = Request::Remove {
        name: "operator-admin".into(),
    };
    assert_eq!(desk.ask(remove), Response::Done);
    // Who is added under the same name is somebody else.
    desk.done(Request::Add(NewPrincipal {
        roles: vec!["operator".parse().unwrap()],
        ..new("operator-admin", NewKeys::Random)
    }));
    desk.rights = held;
    let (reason, message) = desk.refused(show("alice/student"));
    assert_eq!(reason, Reason::NotPermitted);
    assert!(message.ends_with("is no principal of this realm any more"), "{message}");
    assert_eq!(listed(&mut desk), [""; 0]);
}

#[track_caller]
fn explained(desk: &mut Desk<Memory>, name: &str, act: Act, on: Option<&str>) -> ActExplanation {
    let (name, on) = (name.into(), on.map(str::to_owned));
    match desk.ask(Request::ExplainAct { name, act, on }) {
        Response::ActExplained(explanation) => *explanation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_explained_of_an_administrator_is_what_is_decided() {
    let mut desk = populated();
    let mut outcomes = Vec::new();
    for who in [
        "audit-admin",
        "desk-admin",
        "hosts-admin",
        "school-admin",
        "operator-admin",
        "dave",
    ] {
        for request in every_request() {
            let act = request.act();
            let on = match act {
                Act::Add => Some("eve/student"),
                act if act.is_to_a_principal() => Some("alice/student"),
                _ => None,
            };
            // Taking bob's alias is about bob, who is not alice.
            if matches!(request, Request::Unalias { .. }) || act == Act::Keytab || act == Act::Rotate {
                continue;
            }
            desk.rights = Rights::Everything;
            let explanation = explained(&mut desk, who, act, on);
            let mut fresh = populated();
            sits(&mut fresh, who);
            let refused = if act == Act::Usage {
                asks_of_the_account(&mut fresh, act).is_err()
            } else {
                matches!(
                    fresh.ask_all(request).pop(),
                    Some(Response::Refused {
                        reason: Reason::NotPermitted,
                        ..
                    })
                )
            };
            assert_eq!(explanation.refused.is_some(), refused, "{who} {act}: {explanation:?}");
            let deciding = explanation
                .rights
                .iter()
                .filter(|right| right.outcome == "decides")
                .count();
            assert_eq!(deciding, usize::from(!refused));
            outcomes.extend(explanation.rights.into_iter().map(|right| right.outcome));
        }
    }
    outcomes.sort();
    outcomes.dedup();
    assert_eq!(
        outcomes,
        ["covers", "decides", "not-everybody", "other-names", "other-right"]
    );
}

#[test]
fn an_explanation_needs_a_principal_where_the_act_is_done_to_one() {
    let mut desk = populated();
    let ask = |act, on: Option<&str>| Request::ExplainAct {
        name: "desk-admin".into(),
        act,
        on: on.map(str::to_owned),
    };
    for act in Act::ALL {
        let (right, wrong) = if act.is_to_a_principal() {
            (Some("alice/student"), None)
        } else {
            (None, Some("alice/student"))
        };
        assert_eq!(desk.refused(ask(act, wrong)).0, Reason::Invalid, "{act}");
        let explanation = explained(&mut desk, "desk-admin", act, right);
        assert_eq!(explanation.on.is_some(), right.is_some());
    }
    assert_eq!(desk.refused(ask(Act::Show, Some("nobody"))).0, Reason::NotFound);
    let unlock = explained(&mut desk, "desk-admin", Act::Unlock, Some("audit-admin"));
    assert_eq!(
        (unlock.needs.as_str(), unlock.over.as_str(), unlock.because.as_deref()),
        ("admin", "everybody", Some("holds-rights"))
    );
    // Who may not look at somebody is told nothing of him.
    sits(&mut desk, "desk-admin");
    assert_eq!(
        desk.refused(ask(Act::Show, Some("alice/student"))).0,
        Reason::NotPermitted
    );
}

#[test]
fn rights_of_roles_come_and_go() {
    let mut desk = populated();
    let set = |add: &[&str], remove: &[&str]| Request::SetRole {
        name: "desk".parse().unwrap(),
        rights: RightChanges {
            add: add.iter().map(|right| (*right).to_owned()).collect(),
            remove: remove.iter().map(|right| (*right).to_owned()).collect(),
        },
    };
    let listed = |desk: &mut Desk<Memory>| {
        let mut all = desk.ask_all(Request::ListRoles).into_iter();
        let Some(Response::Roles(roles)) = all.next() else {
            panic!()
        };
        let desk = roles.into_iter().find(|role| role.name.as_str() == "desk").unwrap();
        desk.rights
    };
    assert_eq!(desk.ask(set(&["viewer", "viewer"], &[])), Response::Done);
    assert_eq!(listed(&mut desk), ["helpdesk:*/student", "viewer"]);
    assert_eq!(desk.ask(set(&["keytab:a:b"], &["helpdesk:*/student"])), Response::Done);
    assert_eq!(listed(&mut desk), ["viewer", "keytab:a:b"]);
    let before = desk.store.view().sequence();
    let many: Vec<_> = (0..64).map(|number| format!("viewer:{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for (request, reason) in [
        (set(&[], &[]), Reason::Invalid),
        (set(&["root"], &[]), Reason::Invalid),
        (set(&["viewer:"], &[]), Reason::Invalid),
        (set(&[], &["helpdesk"]), Reason::NotFound),
        (set(&["viewer"], &["viewer"]), Reason::Invalid),
        (set(&many, &[]), Reason::Invalid),
        (added_role("other", &["Admin"]), Reason::Invalid),
    ] {
        assert_eq!(desk.refused(request.clone()).0, reason, "{request:?}");
    }
    assert_eq!(desk.store.view().sequence(), before);
}

#[test]
fn the_second_of_two_who_saw_the_same_principal_is_told_of_the_first_and_of_what_is_now() {
    let mut desk = populated();
    let seen = desk.show("alice/student").revision;
    let set = |life: &str, revision| Request::Set {
        name: "alice/student".into(),
        settings: Settings {
            max_life: Some(life.parse().unwrap()),
            expires: Some(Deadline::Never),
            preauth: Some(YesNo::No),
            ..Settings::default()
        },
        roles: RoleChanges {
            add: vec!["plain".parse().unwrap()],
            remove: vec!["desk".parse().unwrap()],
        },
        revision: Some(revision),
    };
    let first = Request::Set {
        name: "alice/student".into(),
        settings: Settings {
            max_life: Some("4h".parse().unwrap()),
            ..Settings::default()
        },
        roles: RoleChanges::default(),
        revision: Some(seen),
    };
    let now = desk.done(first).revision;
    let (reason, message) = desk.refused(set("8h", seen));
    assert_eq!(reason, Reason::Conflict);
    assert_eq!(
        message,
        format!(
            "alice/student@EXAMPLE.COM was changed by uid 1000 at 2027-01-15T08:00:00Z and is at revision {now}, not \
             {seen}; expires: never now, never asked; max-life: 4h now, 8h asked; preauth: yes now, no asked; role plain: \
             no now, yes asked; role desk: no now, no asked; nothing was changed, `principal show alice/student` tells what \
             it is now"
        )
    );
    assert_eq!(desk.show("alice/student").revision, now);
}
