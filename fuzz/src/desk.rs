//! A realm that is administered: four administrators, one of whom may do everything, and what the others must not.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tessera_common::admin::{Request, Response, read_frame, write_frame};
use tessera_common::crypto::Key;
use tessera_common::name::{Name, Principal, Realm};
use tessera_kdc::accounting::{Sessions, SessionsKeeper};
use tessera_kdc::front::admin::{AdminFront, Connected, Followers, Line};
use tessera_kdc::front::workers::{Bounds, Workers, WorkersGuard};
use tessera_kdc::kerberos::{Administrator, Kdc};
use tessera_kdc::log::{Log, LogWriter};
use tessera_kdc::realm::access_record::{AccessRecord, Declared};
use tessera_kdc::realm::authentication::Factors;
use tessera_kdc::realm::glob::Glob;
use tessera_kdc::realm::principal::{Attributes, PrincipalId, PrincipalRecord, StoredKey};
use tessera_kdc::realm::rights::Role;
use tessera_kdc::realm::settings::RealmSettings;
use tessera_kdc::store::{Author, Change, Keyring, MasterKey, Memory, Store, View};

use crate::realm::{Counter, ETYPE, NOON, origin};

/// Administrators, the right that each has, and over whom.
pub const ADMINISTRATORS: [(&str, &str, &str); 4] = [
    ("operator", "admin", "*"),
    ("desk", "helpdesk:*/student", "*/student"),
    ("hosts", "keytab:host/*", "host/*"),
    ("school", "admin:*/student", "*/student"),
];

/// Everybody else, and whether with a password.
const OTHERS: [(&str, bool); 7] = [
    ("krbtgt/EXAMPLE.COM", false),
    ("kadmin/admin", false),
    ("kadmin/changepw", false),
    ("alice/student", true),
    ("bob", true),
    ("host/www", false),
    ("http/www", false),
];

// Started once: threads that nobody sees.
static WORKERS: LazyLock<WorkersGuard> = LazyLock::new(|| Workers::start(1, Bounds::default()).unwrap());
static SESSIONS: LazyLock<SessionsKeeper> =
    LazyLock::new(|| Sessions::start(Box::new(|_| {}), Duration::from_secs(600)).unwrap());
static LOG: LazyLock<LogWriter> = LazyLock::new(|| Log::start(io::sink()).unwrap());

/// What may not be told or changed, broken.
pub struct Desk {
    store: Arc<Memory>,
    front: AdminFront,
    administrators: Vec<Administrator>,
}

/// One side of a conversation: what is asked, and what is answered.
struct Wire<'a> {
    asked: &'a [u8],
    answered: Vec<u8>,
}

impl Read for Wire<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.asked.read(out)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.answered.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Line for Wire<'_> {
    fn hung_up(&mut self) -> bool {
        self.asked.is_empty()
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    /// The realm as it is at the beginning.
    pub fn new() -> Self {
        let realm = Realm::new("EXAMPLE.COM").unwrap();
        let store = Memory::new(Keyring::new(MasterKey::new(1, [7; 32].into())));
        let mut administrators = Vec::new();
        for (number, (name, right, _)) in ADMINISTRATORS.into_iter().enumerate() {
            declare(&store, name, right);
            let mut record = record(&store, u8::try_from(number).unwrap(), name, true);
            record.roles = vec![name.parse().unwrap()];
            administrators.push(Administrator {
                id: record.id,
                name: Principal::new(record.name.clone(), realm.clone()),
                factors: Factors::LONG_TERM_KEY,
            });
            put(&store, record);
        }
        for (number, (name, password)) in (10..).zip(OTHERS) {
            put(&store, record(&store, number, name, password));
        }
        let mut settings = RealmSettings::new(realm);
        settings.enctypes = vec![ETYPE];
        let store = Arc::new(store);
        let shared: Arc<dyn Store> = store.clone();
        Self {
            store,
            front: AdminFront {
                kdc: Arc::new(ArcSwap::from_pointee(Kdc::new(Arc::new(settings)))),
                store: shared,
                workers: WORKERS.workers(),
                reload: Box::new(|| Err("there is no file".into())),
                rotate_master_key: Box::new(|_| Err("there is no file".into())),
                accounting: tessera_kdc::accounting::Accounting::new(LOG.log()),
                sessions: SESSIONS.sessions(),
                followers: Followers::default(),
                connected: Connected::default(),
            },
            administrators,
        }
    }

    /// Lets an administrator ask, message by message, and gives the answers. Panics when one that may not do everything
    /// changes, or is given, more than it may.
    pub fn ask(&self, which: usize, messages: &[&[u8]]) -> Vec<Response> {
        let which = which % ADMINISTRATORS.len();
        let before = self.store.view();
        let mut wire = Wire {
            asked: &framed(messages),
            answered: Vec::new(),
        };
        self.front
            .serve_admitted(&mut wire, Arc::default(), &self.administrators[which], origin().peer);
        let mut answered = wire.answered.as_slice();
        let mut answers = Vec::new();
        while let Some(answer) = read_frame(&mut answered).expect("an answer") {
            answers.push(answer);
        }
        let (name, right, over) = ADMINISTRATORS[which];
        if right != "admin" {
            let over = Glob::any(over);
            check_changes(name, &over, &before, &self.store.view());
            check_answers(name, right.starts_with("helpdesk"), &over, &answers);
        }
        answers
    }

    /// A request as a message.
    pub fn message(request: &Request) -> Vec<u8> {
        let mut frame = Vec::new();
        write_frame(&mut frame, request).unwrap();
        frame.split_off(4)
    }
}

fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let frame = |message: &&[u8]| [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat();
    messages.iter().flat_map(frame).collect()
}

fn check_changes(who: &str, over: &Glob, before: &View, after: &View) {
    assert!(before.access() == after.access(), "{who} declared something");
    let all = |view: &View| -> BTreeMap<PrincipalId, PrincipalRecord> {
        view.iter().map(|record| (record.id, record)).collect()
    };
    let (before, after) = (all(before), all(after));
    for id in before.keys().chain(after.keys()) {
        let (old, new) = (before.get(id), after.get(id));
        if old == new {
            continue;
        }
        for record in old.into_iter().chain(new) {
            for name in [&record.name].into_iter().chain(&record.aliases) {
                let within = over.matches_chars(name.chars());
                assert!(within, "{who} changed {name}, which is none of its business");
            }
            assert!(record.roles.is_empty(), "{who} touched a role");
        }
    }
}

fn check_answers(who: &str, helpdesk: bool, over: &Glob, answers: &[Response]) {
    for answer in answers {
        match answer {
            Response::Keys(keys) => {
                assert!(!helpdesk, "{who} got keys");
                for key in keys {
                    let name = Principal::parse(&key.principal, None).unwrap().name;
                    assert!(over.matches_chars(name.chars()), "{who} got a key of {name}");
                }
            }
            Response::Listed(some) => {
                for info in some {
                    let name = Principal::parse(&info.name, None).unwrap().name;
                    assert!(over.matches_chars(name.chars()), "{who} saw {name}");
                }
            }
            _ => {}
        }
    }
}

fn declare(store: &Memory, name: &str, right: &str) {
    let role = Role {
        name: name.parse().unwrap(),
        rights: vec![right.parse().unwrap()],
    };
    commit(
        store,
        Change::Declare {
            expected: None,
            record: Box::new(AccessRecord {
                declared: Declared::Role(role),
                revision: 0,
                created: NOON.time,
                changed: NOON.time,
                changed_by: "fuzz".into(),
            }),
        },
    );
}

fn record(store: &Memory, number: u8, name: &str, password: bool) -> PrincipalRecord {
    let id = PrincipalId([number + 1; 16]);
    let key = Key::new(ETYPE, &[number; 16]).unwrap();
    let name = Name::parse(name).unwrap();
    let stored = StoredKey {
        kvno: 1,
        etype: ETYPE,
        salt: password.then(|| b"salt".to_vec()),
        made: Some(NOON.time),
        retired: None,
        sealed: store.view().seal(id, 1, &key, &mut Counter::default()),
    };
    let mut record = PrincipalRecord {
        keys: vec![stored],
        keys_changed: Some(NOON.time),
        ..PrincipalRecord::new(id, name, NOON.time, "fuzz")
    };
    if password {
        record.attributes = Attributes::NOT_A_SERVICE;
    }
    record
}

fn put(store: &Memory, record: PrincipalRecord) {
    commit(
        store,
        Change::Put {
            expected: None,
            record: Box::new(record),
        },
    );
}

fn commit(store: &Memory, change: Change) {
    store
        .commit(&Author::unproved("fuzz", NOON.time), vec![change])
        .unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_administrator_does_what_it_may() {
        for (which, message, done) in [
            (0, r#"{"remove":{"name":"bob"}}"#, true),
            (
                1,
                r#"{"password":{"name":"alice/student","password":"rabbit","enctypes":null}}"#,
                true,
            ),
            (
                1,
                r#"{"password":{"name":"bob","password":"rabbit","enctypes":null}}"#,
                false,
            ),
            (2, r#"{"keytab":{"names":["host/www"],"rotate":true}}"#, true),
            (
                2,
                r#"{"keytab":{"names":["host/www","http/www"],"rotate":true}}"#,
                false,
            ),
            (3, r#"{"add":{"name":"carol/student","keys":"random"}}"#, true),
            (3, r#"{"rename":{"name":"alice/student","to":"alice"}}"#, false),
        ] {
            let answers = Desk::new().ask(which, &[message.as_bytes()]);
            let refused = matches!(answers[..], [Response::Refused { .. }]);
            assert_eq!(refused, !done, "{message}: {answers:?}");
        }
    }
}
