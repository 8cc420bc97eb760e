use tessera_common::name::Realm;

use super::*;
use crate::realm::access::Access;
use crate::realm::principal::StoredKey;
use crate::realm::rights::Role;
use crate::realm::settings::RealmSettings;
use crate::store::test_realm::{Counter, keyring, name, principal, roles, stored_key};

/// Whom acts are done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    /// A person within the pattern `*/student`.
    Person,
    /// The same, locked by an administrator.
    Locked,
    /// A service within it: random keys.
    Service,
    /// A person within it that has no password yet.
    Newcomer,
    /// A person with a role that gives rights.
    Holder,
    /// krbtgt of this realm.
    BuiltIn,
    /// krbtgt of another realm.
    Foreign,
    /// A person outside the pattern.
    Outside,
    /// A person outside, with an alias within.
    AliasWithin,
    /// A person within, with an alias outside.
    AliasOutside,
}

const EVERYBODY: [Whom; 10] = [
    Whom::Person,
    Whom::Locked,
    Whom::Service,
    Whom::Newcomer,
    Whom::Holder,
    Whom::BuiltIn,
    Whom::Foreign,
    Whom::Outside,
    Whom::AliasWithin,
    Whom::AliasOutside,
];

fn settings() -> RealmSettings {
    let role = |name: &str, rights: &[&str]| Role {
        name: name.parse().unwrap(),
        rights: rights.iter().map(|right| right.parse().unwrap()).collect(),
    };
    let rights = ["viewer", "helpdesk", "keytab", "admin"];
    let unbound = rights.map(|right| role(right, &[right]));
    let bound = rights.map(|right| role(&format!("{right}-of-students"), &[&format!("{right}:*/student")]));
    let plain = [role("staff", &[])];
    RealmSettings {
        access: Access::new(unbound.into_iter().chain(bound).chain(plain), []),
        ..RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap())
    }
}

fn key(salt: bool) -> StoredKey {
    let key = stored_key(&keyring(), crate::store::test_realm::id(9), 1, &mut Counter::default());
    StoredKey {
        salt: salt.then(|| b"salt".to_vec()),
        ..key
    }
}

fn record(whom: Whom) -> PrincipalRecord {
    let named = |text: &str, password| {
        let mut record = principal(9, text);
        record.keys = vec![key(password)];
        record
    };
    match whom {
        Whom::Person => named("alice/student", true),
        Whom::Locked => {
            let mut record = named("alice/student", true);
            record.attributes = Attributes::LOCKED;
            record
        }
        Whom::Service => named("lab/student", false),
        Whom::Newcomer => {
            let mut record = named("newcomer/student", false);
            record.attributes = Attributes::NOT_A_SERVICE;
            record
        }
        Whom::Holder => {
            let mut record = named("desk/student", true);
            record.roles = roles(&["viewer"]);
            record
        }
        Whom::BuiltIn => named("krbtgt/EXAMPLE.COM", false),
        Whom::Foreign => named("krbtgt/OTHER.ORG", false),
        Whom::Outside => named("bob", true),
        Whom::AliasWithin => {
            let mut record = named("bob", true);
            record.aliases = vec![name("bob/student")];
            record
        }
        Whom::AliasOutside => {
            let mut record = named("carol/student", true);
            record.aliases = vec![name("carol")];
            record
        }
    }
}

fn administrator(role: &str) -> PrincipalRecord {
    let mut record = principal(1, "desk");
    record.roles = roles(&[role]);
    record
}

fn may(settings: &RealmSettings, role: &str, act: Act, target: Target<'_>) -> bool {
    let who = administrator(role);
    authorize(AccessPolicy::of(settings), &who, &Asked { act, target }).is_ok()
}

/// One row for each act; in it, whom each right without a pattern is enough for.
#[test]
fn each_right_lets_do_its_own_acts_to_those_whom_it_is_over() {
    use Whom::{AliasOutside, AliasWithin, Foreign, Holder, Locked, Newcomer, Outside, Person, Service};
    let settings = settings();
    let all = &EVERYBODY[..];
    let none = &[][..];
    // Who has no rights and is not what the realm rests on.
    let plain = &[Person, Locked, Service, Newcomer, Outside, AliasWithin, AliasOutside][..];
    let people = &[Person, Locked, Newcomer, Outside, AliasWithin, AliasOutside][..];
    let unlocked = &[Person, Service, Newcomer, Outside, AliasWithin, AliasOutside][..];
    let service = &[Service][..];
    #[rustfmt::skip]
    let table = [
        // act                     viewer  helpdesk  keytab
        (Act::Show,               all,    all,      all),
        (Act::Explain,            all,    all,      all),
        (Act::Usage,              all,    all,      all),
        (Act::Password,           none,   people,   none),
        (Act::MustChangePassword, none,   plain,    none),
        (Act::Unlock,             none,   unlocked, none),
        (Act::Keytab,             none,   none,     service),
        (Act::Rotate,             none,   none,     service),
        (Act::Set,                none,   none,     none),
        (Act::Grant,              none,   none,     none),
        (Act::Lock,               none,   none,     none),
        (Act::Rename,             none,   none,     none),
        (Act::Alias,              none,   none,     none),
        (Act::Remove,             none,   none,     none),
    ];
    for (act, viewer, helpdesk, keytab) in table {
        for whom in EVERYBODY {
            let record = record(whom);
            // These names are alone within the pattern, with all that they have.
            let within = matches!(whom, Person | Locked | Service | Newcomer | Holder);
            let looks = matches!(act, Act::Show | Act::Explain | Act::Usage);
            let touchable = plain.contains(&whom);
            for (right, over) in [("viewer", viewer), ("helpdesk", helpdesk), ("keytab", keytab)] {
                let what = format!("{right}: {act} of {whom:?}");
                let expected = over.contains(&whom);
                assert_eq!(
                    may(&settings, right, act, Target::Principal(&record)),
                    expected,
                    "{what}"
                );
                let bound = format!("{right}-of-students");
                let expected = expected && within;
                assert_eq!(
                    may(&settings, &bound, act, Target::Principal(&record)),
                    expected,
                    "{what} bound"
                );
            }
            let what = format!("admin: {act} of {whom:?}");
            assert!(may(&settings, "admin", act, Target::Principal(&record)), "{what}");
            assert_eq!(
                may(&settings, "admin-of-students", act, Target::Principal(&record)),
                within && (looks || touchable),
                "{what} bound"
            );
            assert!(
                !may(&settings, "staff", act, Target::Principal(&record)),
                "no rights: {what}"
            );
        }
        assert!(Foreign != Holder && act.is_to_a_principal());
    }
}

#[test]
fn what_is_done_to_the_realm_takes_admin_over_everybody_and_looking_any_right() {
    let settings = settings();
    #[rustfmt::skip]
    let table = [
        // act                  anybody with a right, admin over some, admin over everybody
        (Act::List,            true,  true,  true),
        (Act::ShowAccess,      true,  true,  true),
        (Act::Events,          true,  true,  true),
        (Act::Sessions,        true,  true,  true),
        (Act::Import,          false, true,  true),
        (Act::Declare,         false, false, true),
        (Act::Reload,          false, false, true),
        (Act::RotateMasterKey, false, false, true),
    ];
    for (act, any, some, all) in table {
        assert!(!act.is_to_a_principal());
        let may = |role: &str| may(&settings, role, act, Target::Realm);
        for right in ["viewer", "helpdesk", "keytab"] {
            assert_eq!(may(right), any, "{right}: {act}");
            assert_eq!(may(&format!("{right}-of-students")), any, "{right} bound: {act}");
        }
        assert_eq!((may("admin-of-students"), may("admin")), (some, all), "{act}");
        assert!(!may("staff"), "{act}");
    }
    // Every act is in one of the two tables, or adds.
    assert_eq!(Act::ALL.len(), 14 + table.len() + 1);
}

#[test]
fn what_is_to_be_counts_as_what_is() {
    let settings = settings();
    let person = record(Whom::Person);
    let edited = |edit: &dyn Fn(&mut PrincipalRecord)| {
        let mut after = person.clone();
        edit(&mut after);
        after
    };
    let named = |text: &'static str| edited(&|record| record.name = name(text));
    let alias = |text: &'static str| edited(&|record| record.aliases = vec![name(text)]);
    let granted = |role: &'static str| edited(&|record| record.roles = roles(&[role]));
    for (act, after, bound) in [
        (Act::Rename, named("bob/student"), true),
        (Act::Rename, named("bob"), false),
        (Act::Rename, named("student"), false),
        (Act::Alias, alias("al/student"), true),
        (Act::Alias, alias("al"), false),
        (Act::Grant, granted("staff"), true),
        (Act::Grant, granted("undeclared"), true),
        (Act::Grant, granted("viewer"), false),
        (Act::Grant, granted("viewer-of-students"), false),
    ] {
        let target = Target::Edit {
            before: Some(&person),
            after: &after,
        };
        assert_eq!(
            may(&settings, "admin-of-students", act, target),
            bound,
            "{act} {after:?}"
        );
        assert!(may(&settings, "admin", act, target), "{act} {after:?}");
        // And in the other direction: what was counts as what is to be.
        let back = Target::Edit {
            before: Some(&after),
            after: &person,
        };
        assert_eq!(may(&settings, "admin-of-students", act, back), bound, "{act} back");
        let new = Target::Edit {
            before: None,
            after: &after,
        };
        assert_eq!(
            may(&settings, "admin-of-students", Act::Add, new),
            bound,
            "add {after:?}"
        );
        assert!(!may(&settings, "helpdesk", Act::Add, new));
    }
}

#[test]
fn what_is_missing_is_said_with_the_act_the_target_and_what_there_is() {
    let settings = settings();
    let say = |role: &str, act: Act, target: Target<'_>| {
        let who = administrator(role);
        authorize(AccessPolicy::of(&settings), &who, &Asked { act, target })
            .unwrap_err()
            .to_string()
    };
    let person = record(Whom::Person);
    let mut viewer = person.clone();
    viewer.roles = roles(&["viewer"]);
    let on = Target::Principal(&person);
    for (said, expected) in [
        (
            say("viewer", Act::Password, on),
            "password alice/student@EXAMPLE.COM needs the right helpdesk over alice/student@EXAMPLE.COM; \
             desk@EXAMPLE.COM has viewer (role viewer)",
        ),
        (
            say("staff", Act::Show, on),
            "show alice/student@EXAMPLE.COM needs the right viewer over alice/student@EXAMPLE.COM; \
             desk@EXAMPLE.COM has no right to administer this realm",
        ),
        (
            say("keytab", Act::Keytab, on),
            "keytab alice/student@EXAMPLE.COM needs the right admin over alice/student@EXAMPLE.COM, since it has a \
             password; desk@EXAMPLE.COM has keytab (role keytab)",
        ),
        (
            say("helpdesk", Act::Unlock, Target::Principal(&record(Whom::Locked))),
            "unlock alice/student@EXAMPLE.COM needs the right admin over alice/student@EXAMPLE.COM, since an \
             administrator has locked it; desk@EXAMPLE.COM has helpdesk (role helpdesk)",
        ),
        (
            say("helpdesk", Act::Password, Target::Principal(&record(Whom::Holder))),
            "password desk/student@EXAMPLE.COM needs the right admin over everybody, without a pattern, since it has \
             rights itself; desk@EXAMPLE.COM has helpdesk (role helpdesk)",
        ),
        (
            say("keytab", Act::Keytab, Target::Principal(&record(Whom::BuiltIn))),
            "keytab krbtgt/EXAMPLE.COM@EXAMPLE.COM needs the right admin over everybody, without a pattern, since the \
             realm rests on it; desk@EXAMPLE.COM has keytab (role keytab)",
        ),
        (
            say(
                "admin-of-students",
                Act::Grant,
                Target::Edit {
                    before: Some(&person),
                    after: &viewer,
                },
            ),
            "grant alice/student@EXAMPLE.COM needs the right admin over everybody, without a pattern, since the role \
             viewer gives rights; desk@EXAMPLE.COM has admin:*/student (role admin-of-students)",
        ),
        (
            say("admin-of-students", Act::Reload, Target::Realm),
            "reload needs the right admin over everybody, without a pattern; desk@EXAMPLE.COM has admin:*/student (role \
             admin-of-students)",
        ),
        (
            say("helpdesk-of-students", Act::Import, Target::Realm),
            "import needs the right admin; desk@EXAMPLE.COM has helpdesk:*/student (role helpdesk-of-students)",
        ),
    ] {
        assert_eq!(said, expected);
    }
}

#[test]
fn who_may_not_see_a_principal_is_told_the_same_whether_there_is_one() {
    let settings = settings();
    let who = administrator("helpdesk-of-students");
    let say = |act, typed: &str, found: Option<&PrincipalRecord>| {
        authorize_by_name(AccessPolicy::of(&settings), &who, act, &name(typed), found)
            .map(drop)
            .map_err(|missing| missing.to_string())
    };
    for act in [Act::Show, Act::Password, Act::Unlock, Act::Keytab, Act::Remove] {
        let mut told = vec![say(act, "bob", None).unwrap_err()];
        for whom in [
            Whom::Outside,
            Whom::AliasWithin,
            Whom::Holder,
            Whom::Locked,
            Whom::Service,
        ] {
            let mut there = record(whom);
            there.name = name("bob");
            told.push(say(act, "bob", Some(&there)).unwrap_err());
            // Nor by an alias.
            there.name = name("robert");
            there.aliases = vec![name("bob")];
            told.push(say(act, "bob", Some(&there)).unwrap_err());
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(
            told[0].starts_with(&format!("{act} bob@EXAMPLE.COM needs the right ")),
            "{told:?}"
        );
    }
    assert_eq!(say(Act::Show, "carol/student", None), Ok(()));
    // A name within, of somebody who has others.
    let said = say(Act::Password, "bob/student", Some(&record(Whom::AliasWithin))).unwrap_err();
    assert_eq!(
        said,
        "password bob/student@EXAMPLE.COM needs the right helpdesk over bob/student@EXAMPLE.COM, since it has other \
         names, which have to match, too; desk@EXAMPLE.COM has helpdesk:*/student (role helpdesk-of-students)"
    );
}

#[test]
fn a_right_that_is_over_nobody_in_particular_is_not_over_no_name() {
    let bound: Granted = "admin:*".parse().unwrap();
    let unbound: Granted = "admin".parse().unwrap();
    assert!(!bound.is_over([]) && unbound.is_over([]));
}

#[test]
fn the_right_that_decides_is_the_first_that_is_enough() {
    let mut settings = settings();
    settings.access = Access::new(
        [
            ("a", vec!["viewer", "helpdesk:b*"]),
            ("b", vec!["helpdesk:a*", "admin"]),
        ]
        .map(|(name, rights)| Role {
            name: name.parse().unwrap(),
            rights: rights.iter().map(|right| right.parse().unwrap()).collect(),
        }),
        [],
    );
    let mut who = administrator("a");
    who.roles = roles(&["a", "b", "gone"]);
    let target = record(Whom::Person);
    let asked = Asked {
        act: Act::Password,
        target: Target::Principal(&target),
    };
    let policy = AccessPolicy::of(&settings);
    let fits: Vec<_> = look(policy, &who, &asked, need(policy, &asked))
        .map(|looked| looked.fit)
        .collect();
    assert_eq!(fits, [Fit::OtherRight, Fit::OtherNames, Fit::Covers, Fit::Covers]);
    let Warrant(held) = authorize(policy, &who, &asked).unwrap();
    assert_eq!(
        (held.role.as_str(), held.granted.to_string().as_str()),
        ("b", "helpdesk:a*")
    );
}

/// Names of every character that patterns, shells and logs trip over. A pattern that is the name with each of its characters
/// escaped is over that name, and over no other.
#[test]
fn patterns_are_over_names_of_any_characters() {
    let long = "x".repeat(255);
    let texts = [
        "a*b", "a?b", "a[b]", "[a-z]", "a\\/b", "a\\@b", "a\\\\b", "a b", " ", "'a'", "\"a\"", "a=b", "a;b", "$(a)",
        "a:b", "😀", "ä", "a,b", "#a", "-a", "a/b/c", &long,
    ];
    let names: Vec<Name> = texts.iter().map(|text| name(text)).collect();
    for (at, one) in names.iter().enumerate() {
        let escaped: String = one.chars().flat_map(|c| ['\\', c]).collect();
        let Ok(granted) = format!("helpdesk:{escaped}").parse::<Granted>() else {
            // Twice as long as any pattern can be.
            assert_eq!(one.to_string(), long);
            continue;
        };
        assert_eq!(granted.to_string().parse::<Granted>().unwrap(), granted);
        for (other_at, other) in names.iter().enumerate() {
            assert_eq!(granted.is_over([other]), at == other_at, "{granted} {other}");
        }
    }
    // What would break a line or command a terminal is in no name.
    for text in ["a\nb", "a\tb", "a\u{7f}b", "a\u{1b}[2Jb"] {
        assert!(Name::parse(text).is_err(), "{text:?}");
    }
    // A slash within a component is no slash between them, but `*` is anything.
    let bound: Granted = "keytab:host/*".parse().unwrap();
    assert!(bound.is_over([&name("host/a")]) && !bound.is_over([&name("host\\/a")]) && !bound.is_over([&name("host")]));
}

#[test]
fn what_happened_is_seen_by_who_may_look_at_anybody_whom_it_names() {
    let settings = settings();
    let [person, outside, alias_within, alias_outside] =
        [Whom::Person, Whom::Outside, Whom::AliasWithin, Whom::AliasOutside].map(record);
    let (within, without) = (name("mallory/student"), name("mallory"));
    use Named::{Name, Principal};
    let table: [(&[Named<'_>], bool); 10] = [
        (&[Principal(&person)], true),
        (&[Principal(&outside)], false),
        (&[Principal(&alias_within)], false),
        (&[Principal(&alias_outside)], false),
        (&[Principal(&outside), Principal(&person)], true),
        (&[Principal(&person), Principal(&outside)], true),
        (&[Name(&within)], true),
        (&[Name(&without)], false),
        (&[Name(&without), Principal(&outside)], false),
        // What names nobody, or somebody who is no more.
        (&[], false),
    ];
    for (named, seen) in table {
        let sees = |role: &str| sees(AccessPolicy::of(&settings), &administrator(role), named.iter().copied());
        for right in ["viewer", "helpdesk", "keytab", "admin"] {
            assert!(sees(right), "{right}: {named:?}");
            assert_eq!(
                sees(&format!("{right}-of-students")),
                seen,
                "{right}-of-students: {named:?}"
            );
        }
        assert!(!sees("staff"), "{named:?}");
    }
}

#[test]
fn whose_events_are_asked_for_by_name_takes_a_right_over_the_name() {
    let settings = settings();
    let (person, outside) = (record(Whom::Person), record(Whom::Outside));
    for act in [Act::Events, Act::Sessions] {
        for (record, seen) in [(&person, true), (&outside, false)] {
            assert!(may(&settings, "viewer", act, Target::Principal(record)));
            assert_eq!(
                may(&settings, "viewer-of-students", act, Target::Principal(record)),
                seen
            );
            assert!(!may(&settings, "staff", act, Target::Principal(record)));
        }
    }
}
