use std::net::IpAddr;

use tessera_common::name::Realm;

use super::*;
use crate::realm::denied::Denied;
use crate::store::test_realm::principal;

const NOON: KerberosTime = KerberosTime(1_795_435_200);

fn role(text: &str) -> RoleName {
    text.parse().unwrap()
}

fn name(text: &str) -> RuleName {
    text.parse().unwrap()
}

/// `NAME EFFECT SERVICE… key=value…`
fn rule(text: &str) -> Rule {
    let mut words = text.split(' ');
    let mut json = serde_json::json!({
        "name": words.next().unwrap(),
        "effect": words.next().unwrap(),
        "services": [],
    });
    for word in words {
        match word.split_once('=') {
            None => json["services"].as_array_mut().unwrap().push(word.into()),
            Some(("max-life", life)) => json["max-life"] = life.into(),
            // A window has a space in it.
            Some((key, value)) => json[key] = [value.replace('_', " ")].into(),
        }
    }
    serde_json::from_value(json).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn access(rules: &[&str]) -> Access {
    Access::new(
        [role("staff"), role("guests")].map(Role::plain),
        rules.iter().map(|text| rule(text)),
    )
}

fn settings(rules: &[&str], default_access: DefaultAccess) -> RealmSettings {
    RealmSettings {
        access: access(rules),
        default_access,
        ..RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap())
    }
}

/// Who asks, for what, from where, and when.
#[derive(Clone, Copy)]
struct Ask {
    role: &'static str,
    service: &'static str,
    from: &'static str,
    at: KerberosTime,
    keeps_ticket: bool,
}

const ASK: Ask = Ask {
    role: "staff",
    service: "host/www",
    from: "192.0.2.7",
    at: NOON,
    keeps_ticket: false,
};

/// What comes of it: the rule that lets it, `-` for none needed; or the reason and the rules that refuse it.
fn decided(settings: &RealmSettings, ask: Ask) -> String {
    let roles: Vec<_> = Some(ask.role)
        .filter(|role| !role.is_empty())
        .map(role)
        .into_iter()
        .collect();
    let mut names = ask.service.split(' ');
    let mut service = principal(1, names.next().unwrap());
    service.aliases = names.map(|alias| alias.parse().unwrap()).collect();
    let question = Question {
        roles: &roles,
        service: &service,
        from: ask.from.parse::<IpAddr>().unwrap(),
        now: ask.at,
        keeps_ticket: ask.keeps_ticket,
    };
    match AccessPolicy::of(settings).decide(&question) {
        Ok(rule) => rule.map_or("-", |rule| rule.name().as_str()).to_owned(),
        Err(denied) => {
            let rules: Vec<_> = denied.rules().iter().map(RuleName::as_str).collect();
            [denied.name(), &rules.join(",")].join(" ").trim_end().to_owned()
        }
    }
}

#[test]
fn noon_is_noon_of_a_monday() {
    assert_eq!(NOON.to_text().as_str(), "2026-11-23T12:00:00Z");
}

#[test]
fn each_condition_of_a_rule_that_allows_has_to_hold() {
    let later = KerberosTime(NOON.0 + 6 * 3600);
    for (rules, ask, expected) in [
        (&["r allow host/*"][..], ASK, "r"),
        (&["r allow host/*"], Ask { role: "", ..ASK }, "r"),
        (
            &["r allow host/*"],
            Ask {
                service: "http/www",
                ..ASK
            },
            "-",
        ),
        (
            &["r allow host/www http/*"],
            Ask {
                service: "http/www",
                ..ASK
            },
            "r",
        ),
        (&["r allow host/* roles=staff"], ASK, "r"),
        (
            &["r allow host/* roles=staff"],
            Ask { role: "guests", ..ASK },
            "no-rule-allows r",
        ),
        (
            &["r allow host/* roles=staff"],
            Ask { role: "", ..ASK },
            "no-rule-allows r",
        ),
        (&["r allow host/* from=192.0.2.0/24"], ASK, "r"),
        (
            &["r allow host/* from=192.0.2.0/24"],
            Ask {
                from: "::ffff:192.0.2.7",
                ..ASK
            },
            "r",
        ),
        (
            &["r allow host/* from=192.0.2.0/24"],
            Ask {
                from: "192.0.3.7",
                ..ASK
            },
            "no-rule-allows r",
        ),
        (
            &["r allow host/* from=192.0.2.0/24"],
            Ask {
                from: "2001:db8::1",
                ..ASK
            },
            "no-rule-allows r",
        ),
        (&["r allow host/* hours=Mon_08:00-18:00"], ASK, "r"),
        (
            &["r allow host/* hours=Mon_08:00-18:00"],
            Ask { at: later, ..ASK },
            "no-rule-allows r",
        ),
        (
            &["r allow host/* roles=guests", "s allow host/www hours=Tue"],
            ASK,
            "no-rule-allows r,s",
        ),
        // Closed is a service by its name, whatever the other conditions say; another one is not.
        (&["r allow host/mail roles=guests"], ASK, "-"),
    ] {
        let settings = settings(rules, DefaultAccess::Allow);
        assert_eq!(decided(&settings, ask), expected, "{rules:?}");
    }
}

#[test]
fn a_rule_that_denies_beats_all_that_allow_when_its_conditions_hold() {
    let later = KerberosTime(NOON.0 + 6 * 3600);
    for (rules, ask, expected) in [
        (&["d deny host/*"][..], ASK, "denied-by-rule d"),
        (&["d deny host/*", "a allow host/www"], ASK, "denied-by-rule d"),
        (&["a deny host/*", "d allow host/www"], ASK, "denied-by-rule a"),
        (&["d deny host/* roles=guests"], ASK, "-"),
        (
            &["d deny host/* roles=guests"],
            Ask { role: "guests", ..ASK },
            "denied-by-rule d",
        ),
        (&["d deny host/* from=192.0.2.0/24"], ASK, "denied-by-rule d"),
        (
            &["d deny host/* from=192.0.2.0/24"],
            Ask {
                from: "::ffff:192.0.2.7",
                ..ASK
            },
            "denied-by-rule d",
        ),
        (
            &["d deny host/* from=192.0.2.0/24"],
            Ask {
                from: "198.51.100.1",
                ..ASK
            },
            "-",
        ),
        (&["d deny host/* hours=Mon_08:00-18:00"], ASK, "denied-by-rule d"),
        (&["d deny host/* hours=Mon_08:00-18:00"], Ask { at: later, ..ASK }, "-"),
        (&["e deny host/*", "d deny host/www"], ASK, "denied-by-rule d"),
        // A rule that denies closes nothing: where it does not apply, what else is said counts.
        (&["d deny host/* roles=guests", "a allow host/*"], ASK, "a"),
        (&["d deny host/* roles=guests", "a allow http/*"], ASK, "-"),
    ] {
        let settings = settings(rules, DefaultAccess::Allow);
        assert_eq!(decided(&settings, ask), expected, "{rules:?}");
    }
}

#[test]
fn of_several_rules_that_allow_the_most_generous_counts() {
    for (rules, expected) in [
        (&["a allow * max-life=1h", "b allow * max-life=2h"][..], "b"),
        (&["a allow * max-life=2h", "b allow * max-life=1h"], "a"),
        (&["a allow * max-life=1h", "b allow *"], "b"),
        (&["a allow *", "b allow * max-life=1h"], "a"),
        (&["b allow * max-life=1h", "a allow * max-life=60m"], "a"),
        (&["b allow *", "a allow *"], "a"),
        (&["a allow * max-life=2h hours=Tue", "b allow * max-life=1h"], "b"),
    ] {
        assert_eq!(
            decided(&settings(rules, DefaultAccess::Allow), ASK),
            expected,
            "{rules:?}"
        );
    }
}

#[test]
fn what_no_rule_allows_by_name_follows_the_default() {
    for (rules, role, default, expected) in [
        (&[][..], "staff", DefaultAccess::Allow, "-"),
        (&[], "staff", DefaultAccess::Deny, "denied-by-default"),
        (&["a allow http/*"], "staff", DefaultAccess::Deny, "denied-by-default"),
        (&["a allow host/*"], "staff", DefaultAccess::Deny, "a"),
        (
            &["a allow host/* roles=guests"],
            "staff",
            DefaultAccess::Deny,
            "no-rule-allows a",
        ),
        // That a rule denies somebody else lets nobody in.
        (
            &["d deny host/* roles=guests"],
            "staff",
            DefaultAccess::Deny,
            "denied-by-default",
        ),
    ] {
        let settings = settings(rules, default);
        assert_eq!(
            decided(&settings, Ask { role, ..ASK }),
            expected,
            "{rules:?} {default:?}"
        );
    }
}

#[test]
fn a_service_is_meant_by_each_of_its_names() {
    for (rules, service, expected) in [
        (&["d deny host/secret"][..], "host/www host/secret", "denied-by-rule d"),
        (&["d deny host/secret"], "host/secret host/www", "denied-by-rule d"),
        (
            &["a allow host/secret roles=guests"],
            "host/www host/secret",
            "no-rule-allows a",
        ),
        (&["d deny host/www"], r"host\/www", "-"),
        (&["d deny host?www"], "host/www", "denied-by-rule d"),
        (&["d deny *"], "alice", "denied-by-rule d"),
    ] {
        let settings = settings(rules, DefaultAccess::Allow);
        assert_eq!(
            decided(&settings, Ask { service, ..ASK }),
            expected,
            "{rules:?} {service}"
        );
    }
}

/// The realm's own krbtgt, kadmin/changepw, and renewal and validation of anything.
#[test]
fn nobody_is_locked_out_but_by_the_very_name() {
    let renewal = Ask {
        keeps_ticket: true,
        ..ASK
    };
    let of = |service| Ask { service, ..ASK };
    for ask in [of("krbtgt/EXAMPLE.COM"), of("kadmin/changepw"), renewal] {
        let service = ask.service;
        for (text, expected) in [
            ("a allow * roles=guests".to_owned(), "-".to_owned()),
            ("d deny *".to_owned(), "-".to_owned()),
            (format!("d deny {}*", &service[..4]), "-".to_owned()),
            (format!("d deny [{}]{}", &service[..1], &service[1..]), "-".to_owned()),
            (format!("d deny {service}"), "denied-by-rule d".to_owned()),
            (format!("a allow {service} roles=guests"), "no-rule-allows a".to_owned()),
            (format!("a allow {service} roles=staff"), "a".to_owned()),
        ] {
            let settings = settings(&[&text], DefaultAccess::Deny);
            assert_eq!(decided(&settings, ask), expected, "{text}");
        }
        assert_eq!(decided(&settings(&[], DefaultAccess::Deny), ask), "-", "{service}");
    }
    // Nobody else is spared: not another realm's krbtgt, nor the administrators' service, nor a new ticket.
    for service in [
        "krbtgt/OTHER.ORG",
        "krbtgt/EXAMPLE.COM/x",
        "kadmin/admin",
        "kadmin/changepw/x",
        "host/www",
    ] {
        let settings = settings(&["d deny *"], DefaultAccess::Allow);
        assert_eq!(decided(&settings, of(service)), "denied-by-rule d", "{service}");
    }
}

#[test]
fn rules_of_the_database_stand_beside_those_of_the_file() {
    let settings = settings(&["m allow host/* max-life=1h"], DefaultAccess::Allow);
    let service = principal(1, "host/www");
    let roles = [role("staff")];
    let question = Question {
        roles: &roles,
        service: &service,
        from: "192.0.2.7".parse().unwrap(),
        now: NOON,
        keeps_ticket: false,
    };
    for (rules, expected) in [
        (&["a allow host/* max-life=2h"][..], Ok("a")),
        (&["a allow host/* max-life=30m"], Ok("m")),
        (&["a allow host/* max-life=1h"], Ok("a")),
        (&["z deny host/* roles=staff"], Err(Denied::DeniedByRule(name("z")))),
        (&["z deny host/* roles=guests"], Ok("m")),
    ] {
        let database = access(rules);
        let policy = AccessPolicy {
            settings: &settings,
            database: &database,
        };
        let decided = policy.decide(&question).map(|rule| rule.unwrap().name().as_str());
        assert_eq!(decided, expected, "{rules:?}");
        let looked: Vec<_> = policy
            .look(&question)
            .map(|looked| (looked.source, looked.rule.name().as_str()))
            .collect();
        let in_database = rules[0].split(' ').next().unwrap();
        assert_eq!(looked, [(Source::File, "m"), (Source::Database, in_database)]);
    }
}

#[test]
fn what_was_looked_at_says_why_it_does_not_apply() {
    let settings = settings(
        &[
            "a allow host/*",
            "b allow host/* roles=guests from=198.51.100.0/24",
            "c deny host/www from=198.51.100.0/24 hours=Tue",
            "d deny host/www hours=Tue",
            "e deny http/*",
        ],
        DefaultAccess::Allow,
    );
    let service = principal(1, "host/www");
    let roles = [role("staff")];
    let question = Question {
        roles: &roles,
        service: &service,
        from: "192.0.2.7".parse().unwrap(),
        now: NOON,
        keeps_ticket: false,
    };
    let looked: Vec<_> = AccessPolicy::of(&settings)
        .look(&question)
        .map(|looked| (looked.rule.name().as_str().to_owned(), looked.fit))
        .collect();
    let expected = [
        ("a", Fit::Applies),
        ("b", Fit::Role),
        ("c", Fit::Network),
        ("d", Fit::Hours),
    ];
    assert_eq!(looked, expected.map(|(name, fit)| (name.to_owned(), fit)));
}

#[test]
fn names_in_two_places_and_roles_in_none_are_conflicts() {
    let file = access(&["one allow * roles=staff", "two deny * roles=ghosts"]);
    let database = Access::new(
        [role("staff"), role("admins")].map(Role::plain),
        [
            rule("two allow *"),
            rule("three deny * roles=guests"),
            rule("four deny * roles=nobody"),
        ],
    );
    let conflicts: Vec<_> = Access::conflicts(&file, &database)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        conflicts,
        [
            "the role staff is in realm.toml, [roles.staff], and in the database, `principal role remove staff`; one of them has to go",
            "the rule two is in realm.toml, [rules.two], and in the database, `principal rule remove two`; one of them has to go",
            "the rule two in realm.toml names the role ghosts, which is declared neither in realm.toml, [roles.ghosts], nor in the database, `principal role add ghosts`",
            "the rule four in the database names the role nobody, which is declared neither in realm.toml, [roles.nobody], nor in the database, `principal role add nobody`",
        ]
    );
    assert_eq!(
        Access::conflicts(&access(&["one allow * roles=staff"]), Access::NONE),
        []
    );
    assert_eq!(Access::conflicts(Access::NONE, Access::NONE), []);
}

#[test]
fn only_roles_that_are_declared_somewhere_count() {
    let settings = settings(&[], DefaultAccess::Allow);
    let database = Access::new([role("admins").into()], []);
    let policy = AccessPolicy {
        settings: &settings,
        database: &database,
    };
    let held = ["admins", "gone", "staff"].map(role);
    let declared: Vec<_> = policy.declared(&held).map(RoleName::as_str).collect();
    assert_eq!(declared, ["admins", "staff"]);
}

#[test]
fn rules_are_kept_by_name_and_once() {
    let access = access(&["b allow *", "a allow *", "b deny *"]);
    let kept: Vec<_> = access
        .rules()
        .iter()
        .map(|rule| (rule.name().as_str(), rule.effect()))
        .collect();
    assert_eq!(kept, [("a", Effect::Allow), ("b", Effect::Deny)]);
    assert_eq!(access.rule(&name("b")).unwrap().effect(), Effect::Deny);
    assert_eq!(access.rule(&name("c")), None);
}
