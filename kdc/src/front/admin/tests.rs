//! Administrators' requests against a store in memory.

use std::sync::Mutex;

use tessera_common::admin::{
    Act, Deadline, NewKeys, NewPrincipal, Password, PrincipalInfo, Reason, RefusedImport, Request, Response,
    RoleChanges, Rotation, Settings, YesNo,
};
use tessera_common::crypto::EncType;
use tessera_common::name::{Name, Realm};
use tessera_common::time::KerberosTime;

use super::execute::Executor;
use super::keys_tests::{given, rotate};
use super::rights::{Permits, Rights};
use crate::front::workers::{Bounds, Workers, WorkersGuard};
use crate::realm::founding::found;
use crate::realm::lockout::Lockout;
use crate::realm::settings::RealmSettings;
use crate::store::test_realm::{Counter, keyring};
use crate::store::{Author, Change, Memory, Store, StoreError, View};

pub(super) const NOW: KerberosTime = KerberosTime(1_800_000_000);

pub(super) struct Desk<S> {
    pub(super) store: S,
    pub(super) settings: RealmSettings,
    /// Whose rights count.
    pub(super) rights: Rights,
    pub(super) lockout: Lockout,
    workers: WorkersGuard,
    random: Counter,
}

impl Desk<Memory> {
    pub(super) fn new() -> Self {
        Self::at(Memory::new(keyring()))
    }
}

impl<S: Store> Desk<S> {
    fn at(store: S) -> Self {
        let mut random = Counter::default();
        let changes = found(&store.view(), &settings(), &author("kdc"), &mut random).unwrap();
        store.commit(&author("kdc"), changes).unwrap();
        let workers = Workers::start(2, Bounds::default()).unwrap();
        Self {
            store,
            settings: settings(),
            rights: Rights::Everything,
            lockout: Lockout::new(),
            workers,
            random,
        }
    }

    /// Does something by the right to an act.
    pub(super) fn executing<T>(&mut self, act: Act, run: impl FnOnce(&mut Executor<'_>) -> T) -> T {
        let workers = self.workers.workers();
        run(&mut Executor {
            store: &self.store,
            settings: self.settings.clone().into(),
            workers: &workers,
            lockout: &self.lockout,
            author: author("uid 1000"),
            permits: Permits::to(self.rights, act),
            random: &mut self.random,
        })
    }

    pub(super) fn ask_all(&mut self, request: Request) -> Vec<Response> {
        let mut responses = Vec::new();
        let outcome = self.executing(request.act(), |executor| {
            executor.run(request, &mut |response| {
                responses.push(response.clone());
                Ok(())
            })
        });
        let refused = matches!(responses.last(), Some(Response::Refused { .. }));
        assert_eq!(outcome.unwrap().is_err(), refused);
        responses
    }

    #[track_caller]
    pub(super) fn ask(&mut self, request: Request) -> Response {
        let responses = self.ask_all(request);
        let [response] = &responses[..] else {
            panic!("{responses:?}")
        };
        response.clone()
    }

    #[track_caller]
    pub(super) fn done(&mut self, request: Request) -> PrincipalInfo {
        match self.ask(request) {
            Response::Principal(info) => *info,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn refused(&mut self, request: Request) -> (Reason, String) {
        match self.ask(request) {
            Response::Refused { reason, message } => (reason, message),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn show(&mut self, name: &str) -> PrincipalInfo {
        self.done(Request::Show { name: name.into() })
    }
}

fn settings() -> RealmSettings {
    RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap())
}

fn author(who: &str) -> Author {
    Author::unproved(who, NOW)
}

pub(super) fn new(name: &str, keys: NewKeys) -> NewPrincipal {
    NewPrincipal {
        name: name.into(),
        keys,
        // One that is quick to make from a password.
        enctypes: Some(vec!["aes128-sha1".into()]),
        settings: Settings::default(),
        roles: Vec::new(),
    }
}

pub(super) fn add(name: &str) -> Request {
    Request::Add(new(name, NewKeys::Random))
}

pub(super) fn password(text: &str) -> NewKeys {
    NewKeys::Password(Password::new(text.into()))
}

pub(super) fn rename(name: &str, to: &str) -> Request {
    let (name, to) = (name.into(), to.into());
    Request::Rename { name, to }
}

pub(super) fn alias(name: &str, alias: &str) -> Request {
    let (name, alias) = (name.into(), alias.into());
    Request::Alias { name, alias }
}

fn unalias(name: &str, alias: &str) -> Request {
    let (name, alias) = (name.into(), alias.into());
    Request::Unalias { name, alias }
}

pub(super) fn set(name: &str, settings: Settings) -> Request {
    let name = name.into();
    let roles = RoleChanges::default();
    Request::Set {
        name,
        settings,
        roles,
        revision: None,
    }
}

#[test]
fn a_new_principal_has_the_realms_enctypes_or_those_asked_for() {
    let mut desk = Desk::new();
    let all = desk.done(Request::Add(NewPrincipal {
        enctypes: None,
        ..new("host/www", NewKeys::Random)
    }));
    let enctypes: Vec<_> = all.keys.iter().map(|key| key.enctype.as_str()).collect();
    assert_eq!(enctypes, EncType::ALL.map(EncType::name));
    assert_eq!((all.name.as_str(), all.kvno), ("host/www@EXAMPLE.COM", Some(1)));
    assert_eq!((all.created.0, all.changed_by.as_str()), (NOW, "uid 1000"));
    assert_eq!(all.attributes, [""; 0]);

    let two = desk.done(Request::Add(NewPrincipal {
        enctypes: Some(vec!["aes128-sha2".into(), "aes256-cts".into()]),
        ..new("host/ftp@EXAMPLE.COM", NewKeys::Random)
    }));
    let enctypes: Vec<_> = two.keys.iter().map(|key| key.enctype.as_str()).collect();
    assert_eq!(enctypes, ["aes128-cts-hmac-sha256-128", "aes256-cts-hmac-sha1-96"]);
    assert_eq!(two.keys[0].salt, None);
}

#[test]
fn a_person_with_a_password_is_no_service_unless_that_is_said() {
    let mut desk = Desk::new();
    let service = Settings {
        service: Some(YesNo::Yes),
        ..Settings::default()
    };
    for (name, keys, settings, attributes) in [
        ("alice", password("x"), Settings::default(), &["not-a-service"][..]),
        ("bob", password("x"), service, &[]),
        ("HTTP/www", password("x"), Settings::default(), &[]),
        ("robot", NewKeys::Random, Settings::default(), &[]),
    ] {
        let info = desk.done(Request::Add(NewPrincipal {
            settings,
            ..new(name, keys)
        }));
        assert_eq!(info.attributes, attributes, "{name}");
    }
    assert_eq!(desk.show("alice").keys[0].salt.as_deref(), Some("EXAMPLE.COMalice"));
}

#[test]
fn what_cannot_be_added_is_refused_with_the_reason() {
    let mut desk = Desk::new();
    desk.done(add("alice"));
    desk.done(alias("alice", "al"));
    let enctypes = |names: &[&str]| NewPrincipal {
        enctypes: Some(names.iter().map(|name| (*name).into()).collect()),
        ..new("x", NewKeys::Random)
    };
    for (request, reason, message) in [
        (
            new("alice", NewKeys::Random),
            Reason::Taken,
            "alice@EXAMPLE.COM exists already",
        ),
        (
            new("al", NewKeys::Random),
            Reason::Taken,
            "al@EXAMPLE.COM is already an alias of alice@EXAMPLE.COM",
        ),
        (
            new("x@OTHER", NewKeys::Random),
            Reason::Invalid,
            "x@OTHER belongs to the realm OTHER; this is EXAMPLE.COM",
        ),
        (
            new("", NewKeys::Random),
            Reason::Invalid,
            "\"\" is no principal's name: the name is empty",
        ),
        (new("x", password("")), Reason::Invalid, "the password is empty"),
        (enctypes(&[]), Reason::Invalid, "the list of enctypes is empty"),
        (
            enctypes(&["aes256-cts", "aes256-sha1"]),
            Reason::Invalid,
            "enctype aes256-cts-hmac-sha1-96 is named twice",
        ),
        (
            enctypes(&["rc4-hmac"]),
            Reason::Invalid,
            "\"rc4-hmac\" is no enctype of this realm; it has aes256-cts-hmac-sha1-96, aes256-cts-hmac-sha384-192, \
             aes128-cts-hmac-sha1-96, aes128-cts-hmac-sha256-128",
        ),
    ] {
        assert_eq!(desk.refused(Request::Add(request)), (reason, message.into()));
    }
    assert_eq!(desk.store.view().len(), 4);
}

#[test]
fn a_list_is_sorted_matches_names_and_aliases_and_comes_in_batches() {
    let mut desk = Desk::new();
    for name in ["host/b", "host/a", "alice"] {
        desk.done(add(name));
    }
    desk.done(alias("alice", "host/alias"));
    let mut listed = |glob: Option<&str>| {
        let mut responses = desk.ask_all(Request::List {
            glob: glob.map(Into::into),
            role: None,
        });
        assert_eq!(responses.pop(), Some(Response::Done));
        let names = responses.into_iter().flat_map(|response| match response {
            Response::Listed(principals) => principals.into_iter().map(|info| info.name.replace("@EXAMPLE.COM", "")),
            other => panic!("{other:?}"),
        });
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        listed(None),
        [
            "alice",
            "host/a",
            "host/b",
            "kadmin/admin",
            "kadmin/changepw",
            "krbtgt/EXAMPLE.COM"
        ]
    );
    assert_eq!(listed(Some("host/*")), ["alice", "host/a", "host/b"]);
    assert_eq!(listed(Some("*@EXAMPLE.COM")).len(), 6);
    assert_eq!(listed(Some("*@OTHER")), [""; 0]);
    assert_eq!(listed(Some("nobody")), [""; 0]);

    let many = (0..1500).map(|n| new(&format!("n{n:04}"), NewKeys::Random));
    for half in many.collect::<Vec<_>>().chunks(1000) {
        desk.ask(Request::Import {
            principals: half.to_vec(),
        });
    }
    let sizes: Vec<_> = desk.ask_all(Request::List {
        glob: Some("n*".into()),
        role: None,
    });
    let sizes: Vec<_> = sizes
        .iter()
        .map(|r| matches!(r, Response::Listed(some) if some.len() <= 1000))
        .collect();
    assert_eq!(sizes, [true, true, true, false]);
}

#[test]
fn what_is_set_is_set_and_the_rest_stays() {
    let mut desk = Desk::new();
    desk.done(Request::Add(new("alice", password("x"))));
    let settings = Settings {
        expires: Some(Deadline::At(KerberosTime(2_000_000_000))),
        forwardable: Some(YesNo::No),
        ..Settings::default()
    };
    let info = desk.done(set("alice", settings));
    assert_eq!(info.attributes, ["not-a-service", "not-forwardable"]);
    assert_eq!(info.expires.unwrap().0, KerberosTime(2_000_000_000));
    assert_eq!((info.kvno, info.changed_by.as_str()), (Some(1), "uid 1000"));
    assert_eq!(
        desk.refused(set("alice", Settings::default())),
        (Reason::Invalid, "nothing to set".into())
    );
    assert_eq!(
        desk.refused(Request::Show { name: "bob".into() }),
        (
            Reason::NotFound,
            "there is no principal bob@EXAMPLE.COM; `principal list` shows those that there are".into()
        )
    );
}

/// Every key's version and use.
#[test]
fn a_lock_is_set_and_taken_away() {
    let mut desk = Desk::new();
    desk.done(add("a/b"));
    assert_eq!(desk.done(Request::Lock { name: "a/b".into() }).attributes, ["locked"]);
    assert_eq!(desk.done(Request::Unlock { name: "a/b".into() }).attributes, [""; 0]);
}

#[test]
fn names_and_aliases_are_one_space() {
    let mut desk = Desk::new();
    desk.done(Request::Add(new("alice", password("x"))));
    desk.done(add("bob"));
    desk.done(alias("alice", "al"));
    for request in [
        alias("bob", "al"),
        alias("bob", "alice"),
        alias("alice", "alice"),
        rename("bob", "al"),
        rename("bob", "alice"),
    ] {
        assert_eq!(desk.refused(request).0, Reason::Taken);
    }
    let renamed = desk.done(rename("alice", "al"));
    assert_eq!((renamed.name.as_str(), renamed.aliases.len()), ("al@EXAMPLE.COM", 0));
    assert_eq!(
        renamed.keys[0].salt.as_deref(),
        Some("EXAMPLE.COMalice"),
        "so that the password stays good"
    );
    assert_eq!(desk.refused(Request::Show { name: "alice".into() }).0, Reason::NotFound);
    desk.done(alias("bob", "alice"));
    assert_eq!(desk.show("alice").name, "bob@EXAMPLE.COM");
    assert_eq!(
        desk.refused(unalias("bob", "al")),
        (Reason::NotFound, "bob@EXAMPLE.COM has no alias al@EXAMPLE.COM".into())
    );
    assert_eq!(desk.done(unalias("alice", "alice")).aliases, [""; 0]);
    assert_eq!(desk.done(rename("bob", "bob")).name, "bob@EXAMPLE.COM");
}

#[test]
fn a_removed_principal_is_gone_and_its_successor_is_another() {
    let mut desk = Desk::new();
    let first = desk.done(add("alice")).id;
    assert_eq!(desk.ask(Request::Remove { name: "alice".into() }), Response::Done);
    assert_eq!(
        desk.refused(Request::Remove { name: "alice".into() }).0,
        Reason::NotFound
    );
    assert_ne!(desk.done(add("alice")).id, first);
}

#[test]
fn the_realm_keeps_what_it_cannot_do_without() {
    let mut desk = Desk::new();
    for name in ["krbtgt/EXAMPLE.COM", "kadmin/admin", "kadmin/changepw"] {
        let new_password = Request::Password {
            name: name.into(),
            password: Password::new("x".into()),
            enctypes: None,
        };
        for request in [Request::Remove { name: name.into() }, rename(name, "x"), new_password] {
            assert_eq!(desk.refused(request).0, Reason::Protected, "{name}");
        }
        desk.done(rotate(name, Rotation::Replace));
    }
    desk.done(add("krbtgt/OTHER"));
    assert_eq!(
        desk.ask(Request::Remove {
            name: "krbtgt/OTHER".into()
        }),
        Response::Done
    );
}

#[test]
fn an_import_adds_what_it_can_and_names_the_rest() {
    let mut desk = Desk::new();
    desk.done(add("alice"));
    let principals = vec![
        new("bob", password("x")),
        new("alice", NewKeys::Random),
        new("carol", NewKeys::Random),
        new("x@OTHER", NewKeys::Random),
        new("bob", NewKeys::Random),
        new("dave", password("")),
        NewPrincipal {
            enctypes: None,
            ..new("erin", NewKeys::Given(vec![given("aes256-cts", 1, 31)]))
        },
        NewPrincipal {
            enctypes: None,
            ..new("frank", NewKeys::Given(vec![given("aes256-cts", 9, 32)]))
        },
    ];
    let Response::Imported { added, refused } = desk.ask(Request::Import { principals }) else {
        panic!()
    };
    assert_eq!(added, 3);
    let refusal = |at, message: &str| RefusedImport {
        at,
        message: message.into(),
    };
    assert_eq!(
        refused,
        [
            refusal(1, "alice@EXAMPLE.COM exists already"),
            refusal(3, "x@OTHER belongs to the realm OTHER; this is EXAMPLE.COM"),
            refusal(4, "bob@EXAMPLE.COM is named twice"),
            refusal(5, "the password is empty"),
            refusal(6, "a key of aes256-cts-hmac-sha1-96 has 32 octets, not 31"),
        ]
    );
    assert_eq!(desk.show("bob").attributes, ["not-a-service"]);
    assert_eq!(desk.show("frank").kvno, Some(9));
    let none = Request::Import { principals: Vec::new() };
    assert_eq!(
        desk.ask(none),
        Response::Imported {
            added: 0,
            refused: Vec::new()
        }
    );
}

// Before a commit, somebody else's change to the same record, or another's with the same name; once for each in the list.
struct Contended {
    store: Memory,
    first: Mutex<Vec<Change>>,
}

impl Store for Contended {
    fn view(&self) -> std::sync::Arc<View> {
        self.store.view()
    }

    fn commit(&self, author: &Author, changes: Vec<Change>) -> Result<u64, StoreError> {
        if let Some(first) = self.first.lock().unwrap().pop() {
            let Change::Put { mut record, expected } = first else {
                panic!()
            };
            let revision = self.view().get(record.id).map(|found| found.revision);
            record.max_life = Some(core::time::Duration::from_secs(7));
            self.store.commit(
                author,
                vec![Change::Put {
                    expected: expected.and(revision),
                    record,
                }],
            )?;
        }
        self.store.commit(author, changes)
    }
}

fn contended() -> Desk<Contended> {
    Desk::at(Contended {
        store: Memory::new(keyring()),
        first: Mutex::default(),
    })
}

#[test]
fn a_change_that_was_overtaken_is_made_on_top_of_the_other() {
    let mut desk = contended();
    desk.done(add("alice"));
    let record = desk
        .store
        .view()
        .find(&Name::parse("alice").unwrap())
        .unwrap()
        .as_ref()
        .clone();
    let change = Change::Put {
        expected: Some(0),
        record: Box::new(record),
    };
    *desk.store.first.lock().unwrap() = vec![change.clone(); 3];
    let info = desk.done(Request::Lock { name: "alice".into() });
    assert_eq!(info.attributes, ["locked"]);
    assert_eq!(info.max_life.unwrap().0.as_secs(), 7);

    *desk.store.first.lock().unwrap() = vec![change.clone(); 20];
    let (reason, message) = desk.refused(Request::Unlock { name: "alice".into() });
    assert_eq!(reason, Reason::Conflict);
    assert!(
        message.starts_with("alice is being changed by somebody else all the time"),
        "{message}"
    );
    *desk.store.first.lock().unwrap() = vec![change];
    assert_eq!(desk.ask(Request::Remove { name: "alice".into() }), Response::Done);
}

#[test]
fn an_import_that_somebody_else_overtakes_loses_only_that_name() {
    let mut desk = contended();
    let other = crate::store::test_realm::principal(99, "bob");
    *desk.store.first.lock().unwrap() = vec![Change::Put {
        expected: None,
        record: Box::new(other),
    }];
    let principals = ["alice", "bob", "carol"]
        .map(|name| new(name, NewKeys::Random))
        .to_vec();
    let Response::Imported { added, refused } = desk.ask(Request::Import { principals }) else {
        panic!()
    };
    assert_eq!(added, 2);
    assert_eq!(
        refused,
        [RefusedImport {
            at: 1,
            message: "bob@EXAMPLE.COM exists already".into()
        }]
    );
}
