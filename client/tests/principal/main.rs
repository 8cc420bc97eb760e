//! `principal` against a daemon that a test plays: what it sends, what it prints, how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod fake_daemon;
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use fake_daemon::{Realm, drain, welcome};
use serde_json::{Value, json};
use terminal::Terminal;
use tessera_common::admin::{
    GivenKey, HexOctets, KeyInfo, KeyUse, KeytabKey, PROTOCOL, PrincipalInfo, Reason, RefusedImport, Response, Time,
    write_frame,
};
use tessera_common::keytab::Keytab;
use tessera_common::time::KerberosTime;

fn info(name: &str, kvno: u32) -> PrincipalInfo {
    PrincipalInfo {
        name: format!("{name}@EXAMPLE.COM"),
        aliases: vec![format!("{name}2@EXAMPLE.COM")],
        id: "00ff".into(),
        revision: 7,
        attributes: vec!["not-a-service".into()],
        roles: vec!["staff".parse().unwrap()],
        policy: None,
        shut_out: None,
        expires: Some(Time(KerberosTime(0))),
        password_expires: None,
        max_life: None,
        max_renew: None,
        kvno: Some(kvno),
        keys: vec![stored(kvno, KeyUse::Current, None)],
        keys_changed: Some(Time(KerberosTime(0))),
        created: Time(KerberosTime(0)),
        changed: Time(KerberosTime(0)),
        changed_by: "uid 0".into(),
    }
}

fn stored(kvno: u32, used: KeyUse, retired: Option<Time>) -> KeyInfo {
    KeyInfo {
        kvno,
        enctype: "aes256-cts-hmac-sha1-96".into(),
        salt: Some("EXAMPLE.COMalice".into()),
        retired,
        made: Some(Time(KerberosTime(0))),
        used,
    }
}

fn of_keys(keys: &[(u32, KeyUse, Option<Time>)]) -> Response {
    let current = keys.iter().find(|key| key.1 == KeyUse::Current).unwrap().0;
    let mut info = info("host/a", current);
    info.keys = keys
        .iter()
        .map(|(kvno, used, retired)| stored(*kvno, *used, *retired))
        .collect();
    Response::Principal(Box::new(info))
}

fn principal(name: &str, kvno: u32) -> Response {
    Response::Principal(Box::new(info(name, kvno)))
}

fn refused(message: &str) -> Response {
    Response::Refused {
        reason: Reason::NotFound,
        message: message.into(),
    }
}

fn key(principal: &str, kvno: u32) -> KeytabKey {
    KeytabKey {
        principal: format!("{principal}@EXAMPLE.COM"),
        key: GivenKey {
            enctype: "aes256-cts-hmac-sha1-96".into(),
            kvno,
            key: HexOctets::new(vec![7; 32]),
            salt: None,
        },
        staged: false,
    }
}

#[test]
fn each_change_is_one_request_and_one_line() {
    let rows: [(&str, &str, Value, Response, &str); 21] = [
        (
            "add alice",
            "secret\nmore",
            json!({"add": {"name": "alice", "keys": {"password": "secret"}, "settings": {}}}),
            principal("alice", 1),
            "added alice@EXAMPLE.COM, kvno 1\n",
        ),
        (
            "add alice --password-file - --no-preauth --enctypes aes128-cts,aes256-sha2",
            " sëcret ",
            json!({"add": {
                "name": "alice",
                "keys": {"password": " sëcret "},
                "enctypes": ["aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192"],
                "settings": {"preauth": false},
            }}),
            principal("alice", 1),
            "added alice@EXAMPLE.COM, kvno 1\n",
        ),
        (
            "add alice --password-file password",
            "not this",
            json!({"add": {"name": "alice", "keys": {"password": "from a file"}, "settings": {}}}),
            principal("alice", 1),
            "added alice@EXAMPLE.COM, kvno 1\n",
        ),
        (
            "add --random-key -- -dash",
            "",
            json!({"add": {"name": "-dash", "keys": "random", "settings": {}}}),
            principal("-dash", 1),
            "added -dash@EXAMPLE.COM, kvno 1\n",
        ),
        (
            "set alice --max-life 5h --expires never --password-expires +90d --service yes",
            "",
            json!({"set": {"name": "alice", "settings": {
                "expires": "never", "password-expires": "+90d", "max-life": "5h", "service": true,
            }}}),
            principal("alice", 1),
            "changed alice@EXAMPLE.COM\n",
        ),
        (
            "set alice --expires 2027-01-31T18:00:00+01:00 --must-change-password --max-renew realm",
            "",
            json!({"set": {"name": "alice", "settings": {
                "expires": "2027-01-31T17:00:00Z", "max-renew": "realm", "must-change-password": true,
            }}}),
            principal("alice", 1),
            "changed alice@EXAMPLE.COM\n",
        ),
        (
            "password al",
            "new secret\n",
            json!({"password": {"name": "al", "password": "new secret", "enctypes": null}}),
            principal("alice", 2),
            "new password of alice@EXAMPLE.COM, kvno 2\n",
        ),
        (
            "password alice --password-file password",
            "",
            json!({"password": {"name": "alice", "password": "from a file", "enctypes": null}}),
            principal("alice", 2),
            "new password of alice@EXAMPLE.COM, kvno 2\n",
        ),
        (
            "rotate host/a",
            "",
            json!({"rotate": {"name": "host/a", "how": "replace"}}),
            principal("host/a", 3),
            "new keys of host/a@EXAMPLE.COM, kvno 3\n",
        ),
        (
            "rotate host/a --keep",
            "",
            json!({"rotate": {"name": "host/a", "how": "keep"}}),
            principal("host/a", 3),
            "new keys of host/a@EXAMPLE.COM, kvno 3\n",
        ),
        (
            "rotate host/a --stage",
            "",
            json!({"rotate": {"name": "host/a", "how": "stage"}}),
            of_keys(&[(3, KeyUse::Staged, None), (2, KeyUse::Current, None)]),
            "staged keys of host/a@EXAMPLE.COM, kvno 3\n",
        ),
        (
            "rotate host/a --activate",
            "",
            json!({"rotate": {"name": "host/a", "how": "activate"}}),
            of_keys(&[
                (2, KeyUse::Current, None),
                (1, KeyUse::Former, Some(Time(KerberosTime(60)))),
            ]),
            "the staged keys of host/a@EXAMPLE.COM, kvno 2, are in force; the former are good until 1970-01-01T00:01:00Z\n",
        ),
        (
            "rotate host/a --purge",
            "",
            json!({"rotate": {"name": "host/a", "how": "purge"}}),
            Response::Purged {
                principal: Box::new(info("host/a", 3)),
                gone: [2, 2, 1].map(|kvno| stored(kvno, KeyUse::Former, None)).into(),
            },
            "the former keys of host/a@EXAMPLE.COM are gone: kvno 2, kvno 1\n",
        ),
        (
            "rotate host/a --purge",
            "",
            json!({"rotate": {"name": "host/a", "how": "purge"}}),
            Response::Purged {
                principal: Box::new(info("host/a", 3)),
                gone: Vec::new(),
            },
            "host/a@EXAMPLE.COM has no former keys\n",
        ),
        (
            "lock alice",
            "",
            json!({"lock": {"name": "alice"}}),
            principal("alice", 1),
            "locked alice@EXAMPLE.COM\n",
        ),
        (
            "unlock alice",
            "",
            json!({"unlock": {"name": "alice"}}),
            principal("alice", 1),
            "unlocked alice@EXAMPLE.COM\n",
        ),
        (
            "rename alice bob@EXAMPLE.COM",
            "",
            json!({"rename": {"name": "alice", "to": "bob@EXAMPLE.COM"}}),
            principal("bob", 1),
            "renamed alice@EXAMPLE.COM to bob@EXAMPLE.COM\n",
        ),
        (
            "alias alice al",
            "",
            json!({"alias": {"name": "alice", "alias": "al"}}),
            principal("alice", 1),
            "al@EXAMPLE.COM is alice@EXAMPLE.COM\n",
        ),
        (
            "alias alice al --remove",
            "",
            json!({"unalias": {"name": "alice", "alias": "al"}}),
            principal("alice", 1),
            "al@EXAMPLE.COM is no longer alice@EXAMPLE.COM\n",
        ),
        (
            "remove alice",
            "",
            json!({"remove": {"name": "alice"}}),
            Response::Done,
            "removed alice@EXAMPLE.COM\n",
        ),
        (
            "reload",
            "",
            json!("reload"),
            Response::Reloaded {
                notes: vec!["realm.toml:4:1: listen needs a restart".into()],
            },
            "the daemon has applied its realm.toml\nrealm.toml:4:1: listen needs a restart\n",
        ),
    ];
    for (line, stdin, request, answer, said) in rows {
        let realm = Realm::new();
        fs::write(realm.path("password"), "from a file\nand more\n").unwrap();
        let daemon = realm.daemon([vec![answer]]);
        let words: Vec<_> = line.split(' ').collect();
        let finished = realm.run(&words, stdin);
        assert_eq!(
            (finished.status, finished.stdout.as_str()),
            (Some(0), said),
            "{line}: {finished:?}"
        );
        assert_eq!(finished.stderr, "", "{line}");
        assert_eq!(daemon.asked(), [request], "{line}");
    }
}

#[test]
fn a_refusal_is_told_in_the_daemons_words() {
    for line in [
        "add alice --random-key",
        "list",
        "list --json",
        "show alice",
        "show alice --json",
        "set alice --preauth no",
        "password alice --password-file -",
        "rotate alice",
        "lock alice",
        "unlock alice",
        "rename alice bob",
        "alias alice al",
        "alias alice al --remove",
        "remove alice",
        "keytab alice --output kt",
        "reload",
    ] {
        let realm = Realm::new();
        let daemon = realm.daemon([vec![refused("there is no alice; \x1b[2J`principal list` shows who is")]]);
        let finished = realm.run(&line.split(' ').collect::<Vec<_>>(), "x\n");
        assert_eq!(
            (finished.status, finished.stdout.as_str()),
            (Some(1), ""),
            "{line}: {finished:?}"
        );
        assert_eq!(
            finished.stderr,
            "principal: there is no alice; \\u{1b}[2J`principal list` shows who is\n"
        );
        assert_eq!(daemon.asked().len(), 1);
        assert!(!realm.path("kt").exists());
    }
}

#[test]
fn wrong_usage_ends_with_2_and_asks_nothing() {
    let realm = Realm::new();
    for (line, says) in [
        ("", "Usage: principal"),
        ("set alice", "nothing to set"),
        ("set alice --preauth maybe", "expected yes or no"),
        ("set alice --expires tomorrow", "expected a time such as"),
        ("add a --random-key --password-file -", "cannot be used with"),
        (
            "add a --enctypes rc4-hmac",
            "the enctypes are aes256-cts-hmac-sha1-96, ",
        ),
        ("keytab a", "--output <FILE>"),
        ("rotate a --stage --purge", "cannot be used with"),
        ("import", "<FILE>"),
    ] {
        let words: Vec<_> = line.split_whitespace().collect();
        let finished = realm.run(&words, "");
        assert_eq!(finished.status, Some(2), "{line}: {finished:?}");
        assert!(finished.stderr.contains(says), "{line}: {finished:?}");
    }
}

#[test]
fn a_list_to_a_program_is_names() {
    let realm = Realm::new();
    let daemon = realm.daemon([vec![
        Response::Listed(vec![info("alice", 1), info("bob", 2)]),
        Response::Listed(vec![info("host/a", 3)]),
        Response::Done,
    ]]);
    let finished = realm.run(&["list", "*"], "");
    assert_eq!(
        finished.stdout,
        "alice@EXAMPLE.COM\nbob@EXAMPLE.COM\nhost/a@EXAMPLE.COM\n"
    );
    assert_eq!(
        (finished.status, daemon.asked()),
        (Some(0), vec![json!({"list": {"glob": "*"}})])
    );
}

#[test]
fn json_has_the_documented_fields() {
    let expected = |name: &str, kvno: u32| {
        json!({
            "name": format!("{name}@EXAMPLE.COM"),
            "aliases": [format!("{name}2@EXAMPLE.COM")],
            "id": "00ff",
            "revision": 7,
            "attributes": ["not-a-service"],
            "roles": ["staff"],
            "expires": "1970-01-01T00:00:00Z",
            "password-expires": null,
            "max-life": null,
            "max-renew": null,
            "policy": null,
            "shut-out": null,
            "kvno": kvno,
            "keys": [{
                "kvno": kvno, "enctype": "aes256-cts-hmac-sha1-96", "salt": "EXAMPLE.COMalice", "retired": null,
                "made": "1970-01-01T00:00:00Z", "use": "current",
            }],
            "keys-changed": "1970-01-01T00:00:00Z",
            "created": "1970-01-01T00:00:00Z",
            "changed": "1970-01-01T00:00:00Z",
            "changed-by": "uid 0",
        })
    };
    let realm = Realm::new();
    let daemon = realm.daemon([vec![
        Response::Listed(vec![info("alice", 1), info("bob", 2)]),
        Response::Listed(vec![info("carol", 3)]),
        Response::Done,
    ]]);
    let finished = realm.run(&["list", "--json"], "");
    assert_eq!(finished.stdout.lines().count(), 5, "{finished:?}");
    let listed: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(
        listed,
        json!([expected("alice", 1), expected("bob", 2), expected("carol", 3)])
    );
    assert_eq!(
        (finished.status, daemon.asked()),
        (Some(0), vec![json!({"list": {"glob": null}})])
    );

    let realm = Realm::new();
    let _daemon = realm.daemon([vec![Response::Done]]);
    assert_eq!(realm.run(&["list", "--json"], "").stdout, "[]\n");

    let realm = Realm::new();
    let daemon = realm.daemon([vec![principal("alice", 4)]]);
    let shown: Value = serde_json::from_str(&realm.run(&["show", "alice", "--json"], "").stdout).unwrap();
    assert_eq!(shown, expected("alice", 4));
    assert_eq!(daemon.asked(), [json!({"show": {"name": "alice"}})]);
}

#[test]
fn one_principal_is_shown_line_by_line() {
    let realm = Realm::new();
    let _daemon = realm.daemon([vec![principal("alice", 4)]]);
    let finished = realm.run(&["show", "alice"], "");
    assert!(
        finished.stdout.starts_with(
            "Name: alice@EXAMPLE.COM\nAliases: alice2@EXAMPLE.COM\nAttributes: not-a-service\nRoles: staff\nPolicy: none\nShut out: no\nExpires: 1970-01-01T00:00:00Z\n"
        ),
        "{finished:?}"
    );
    assert!(
        finished
            .stdout
            .contains("Keys: kvno 4, aes256-cts-hmac-sha1-96, current, made 1970-01-01T00:00:00Z (")
    );
}

#[test]
fn keys_go_into_a_keytab_beside_those_that_it_has() {
    let realm = Realm::new();
    let mut runs = Vec::new();
    for (words, keys) in [
        (&["keytab", "host/a", "--output", "kt"][..], vec![key("host/a", 1)]),
        (
            &["keytab", "host/a", "b", "--output", "kt", "--rotate"],
            vec![
                key("host/a", 2),
                KeytabKey {
                    staged: true,
                    ..key("b", 7)
                },
            ],
        ),
    ] {
        let daemon = realm.daemon([vec![Response::Keys(keys)]]);
        let finished = realm.run(words, "");
        assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""));
        runs.push((finished.stdout, daemon.asked()));
        fs::remove_file(realm.path("var/admin.sock")).unwrap();
    }
    assert_eq!(
        runs,
        [
            (
                "1 key of host/a@EXAMPLE.COM, kvno 1, in kt\n".to_owned(),
                vec![json!({"keytab": {"names": ["host/a"], "rotate": false}})]
            ),
            (
                "1 key of host/a@EXAMPLE.COM, kvno 2, in kt\n1 key of b@EXAMPLE.COM, kvno 7, staged, in kt\n"
                    .to_owned(),
                vec![json!({"keytab": {"names": ["host/a", "b"], "rotate": true}})]
            ),
        ]
    );
    let keytab = Keytab::parse(&fs::read(realm.path("kt")).unwrap()).unwrap();
    let names: Vec<_> = keytab
        .entries
        .iter()
        .map(|entry| format!("{} {}", entry.principal, entry.kvno))
        .collect();
    assert_eq!(
        names,
        ["host/a@EXAMPLE.COM 1", "host/a@EXAMPLE.COM 2", "b@EXAMPLE.COM 7"]
    );
    let mode = fs::metadata(realm.path("kt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn no_key_is_made_for_a_keytab_that_cannot_be_written() {
    let realm = Realm::new();
    fs::write(realm.path("notes.txt"), "my notes").unwrap();
    for (output, says) in [
        ("notes.txt", "notes.txt: the file is not a keytab; nothing was written"),
        ("nowhere/kt", "the keytab nowhere/kt: "),
    ] {
        let daemon = realm.daemon([]);
        let finished = realm.run(&["keytab", "host/a", "--rotate", "--output", output], "");
        assert_eq!(finished.status, Some(1));
        assert!(finished.stderr.contains(says), "{finished:?}");
        assert_eq!(daemon.asked(), Vec::<Value>::new());
        fs::remove_file(realm.path("var/admin.sock")).unwrap();
    }
    assert_eq!(fs::read(realm.path("notes.txt")).unwrap(), b"my notes");
}

#[test]
fn an_import_names_every_line_that_is_refused() {
    let realm = Realm::new();
    let lines = [
        r#"{"name":"a","password":"secret","expires":"never"}"#,
        "nonsense",
        "",
        r#"{"name":"b","random-key":true}"#,
        r#"{"name":"c","random-key":true,"colour":"red"}"#,
        r#"{"name":"d","keys":[{"enctype":"aes128-cts","kvno":3,"key":"00112233445566778899aabbccddeeff"}]}"#,
    ];
    fs::write(realm.path("people.ndjson"), lines.join("\n")).unwrap();
    let answer = Response::Imported {
        added: 2,
        refused: vec![RefusedImport {
            at: 1,
            message: "b@EXAMPLE.COM exists already".into(),
        }],
    };
    let daemon = realm.daemon([vec![answer]]);
    let finished = realm.run(&["import", "people.ndjson"], "");
    assert_eq!(
        (finished.status, finished.stdout.as_str()),
        (Some(1), "2 added, 3 refused\n")
    );
    let complaints: Vec<_> = finished.stderr.lines().collect();
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    assert!(complaints[0].starts_with("people.ndjson:2: not JSON"), "{complaints:?}");
    assert_eq!(complaints[1], "people.ndjson:4: b@EXAMPLE.COM exists already");
    assert!(complaints[2].starts_with("people.ndjson:5: unknown field `colour`"));
    let asked = daemon.asked();
    assert_eq!(
        asked,
        [json!({"import": {"principals": [
            {"name": "a", "keys": {"password": "secret"}, "settings": {"expires": "never"}},
            {"name": "b", "keys": "random", "settings": {}},
            {"name": "d", "settings": {}, "keys": {"given": [
                {"enctype": "aes128-cts", "kvno": 3, "key": "00112233445566778899aabbccddeeff"},
            ]}},
        ]}})]
    );

    let realm = Realm::new();
    let daemon = realm.daemon([vec![Response::Imported {
        added: 1,
        refused: vec![],
    }]]);
    let finished = realm.run(&["import", "-"], lines[0]);
    assert_eq!(
        (finished.status, finished.stdout.as_str(), finished.stderr.as_str()),
        (Some(0), "1 added, 0 refused\n", "")
    );
    assert_eq!(daemon.asked().len(), 1);
}

#[test]
fn an_import_that_stops_says_where() {
    let realm = Realm::new();
    let lines = "{\"name\":\"a\",\"random-key\":true}\n".repeat(2500);
    fs::write(realm.path("many.ndjson"), lines).unwrap();
    let added = Response::Imported {
        added: 1000,
        refused: vec![],
    };
    let daemon = realm.daemon([vec![added], vec![refused("no space left")]]);
    let finished = realm.run(&["import", "many.ndjson"], "");
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(1), ""));
    assert!(
        finished
            .stderr
            .starts_with("principal: stopped at line 1001, after 1000 were added: no space left; "),
        "{finished:?}"
    );
    assert_eq!(daemon.asked().len(), 2);

    let daemon = Realm::new();
    let _listening = daemon.daemon([]);
    let finished = daemon.run(&["import", "nothing.ndjson"], "");
    assert_eq!(finished.status, Some(1));
    assert!(
        finished
            .stderr
            .starts_with("principal: nothing.ndjson cannot be read: "),
        "{finished:?}"
    );
}

#[test]
fn without_a_daemon_it_says_how_to_start_one() {
    let realm = Realm::new();
    let finished = realm.run(&["list"], "");
    assert_eq!(
        (finished.status, finished.stderr.as_str()),
        (
            Some(1),
            "principal: the daemon is not running: no socket at var/admin.sock; start it with: kdc --config realm.toml\n"
        )
    );
    drop(realm.listener());
    let finished = realm.run(&["list"], "");
    assert_eq!(
        finished.stderr,
        "principal: the daemon is not running: nobody answers at var/admin.sock; start it with: kdc --config realm.toml\n"
    );
    let config = realm.path("realm.toml");
    let elsewhere = Realm::new();
    let finished = elsewhere.run(&["--config", config.to_str().unwrap(), "list"], "");
    assert!(
        finished
            .stderr
            .contains(&format!("start it with: kdc --config {}", config.display())),
        "{finished:?}"
    );
    let finished = elsewhere.run(&["list", "--config", "no.toml"], "");
    assert_eq!(
        finished.stderr,
        "principal: there is no no.toml; name the realm's configuration with --config\n"
    );
}

#[test]
fn a_daemon_that_is_not_as_expected_is_named() {
    type Play = fn(&mut std::os::unix::net::UnixStream);
    let rows: [(Play, &str); 6] = [
        (
            |stream| {
                welcome(stream, PROTOCOL + 1);
            },
            "kdc 9.9 speaks version 5 of the administration protocol, this program version 4",
        ),
        (
            |stream| write_frame(stream, &refused("uid 7 may not administer this realm")).unwrap(),
            "uid 7 may not administer this realm",
        ),
        (|_| {}, "the daemon hung up without an answer"),
        (
            |stream| {
                welcome(stream, PROTOCOL);
            },
            "the daemon hung up without an answer",
        ),
        (
            |stream| {
                welcome(stream, PROTOCOL);
                write_frame(stream, &Response::Keys(vec![])).unwrap();
                drain(stream);
            },
            "the daemon gave an answer that does not fit",
        ),
        (
            |stream| {
                std::io::Write::write_all(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
                drain(stream);
            },
            "the daemon could not be understood: a message of 1213486160 octets",
        ),
    ];
    for (play, says) in rows {
        let realm = Realm::new();
        let listener = realm.listener();
        let daemon = thread::spawn(move || play(&mut listener.accept().unwrap().0));
        let finished = realm.run(&["show", "alice"], "");
        assert_eq!((finished.status, finished.stdout.as_str()), (Some(1), ""), "{says}");
        assert!(
            finished.stderr.starts_with(&format!("principal: {says}")),
            "{finished:?}"
        );
        daemon.join().unwrap();
    }
}

#[test]
fn a_person_is_asked_for_the_password_twice_and_sees_nothing_of_it() {
    for (second, status, shows) in [
        ("secret\n", 0, "added alice@EXAMPLE.COM, kvno 1\n"),
        (
            "Secret\n",
            1,
            "principal: the two passwords are not the same; nothing was changed\n",
        ),
    ] {
        let realm = Realm::new();
        let daemon = realm.daemon([vec![principal("alice", 1)]]);
        let mut terminal = Terminal::run(realm.command(&["add", "alice"]));
        terminal.answer("Password for alice@EXAMPLE.COM: ", "secret\n");
        terminal.answer("Again: ", second);
        let (ended, screen) = terminal.finish();
        assert_eq!(ended, Some(status), "{screen}");
        assert!(
            screen.ends_with(shows) && !screen.to_lowercase().contains("secret"),
            "{screen}"
        );
        let asked = daemon.asked();
        assert_eq!(asked.len(), usize::from(status == 0));
    }
}

#[test]
fn a_person_gets_columns_and_a_bar() {
    let realm = Realm::new();
    let mut locked = info("host/a", 3);
    locked.attributes = vec!["locked".into()];
    let listed = Response::Listed(vec![info("alice", 1), locked]);
    for (colour, begins, ends) in [
        (
            "",
            "\x1b[1mName ",
            "\x1b[31mhost/a@EXAMPLE.COM     3  1970-01-01T00:00:00Z  locked\x1b[0m\n",
        ),
        ("1", "Name ", "host/a@EXAMPLE.COM     3  1970-01-01T00:00:00Z  locked\n"),
    ] {
        let _daemon = realm.daemon([vec![listed.clone(), Response::Done]]);
        let mut command = realm.command(&["list"]);
        command.env("NO_COLOR", colour);
        let (status, screen) = Terminal::run(command).finish();
        assert_eq!(status, Some(0));
        assert!(screen.starts_with(begins) && screen.ends_with(ends), "{screen:?}");
        fs::remove_file(realm.path("var/admin.sock")).unwrap();
    }

    fs::write(
        realm.path("people.ndjson"),
        "{\"name\":\"a\",\"random-key\":true}\nnonsense\n",
    )
    .unwrap();
    let _daemon = realm.daemon([vec![Response::Imported {
        added: 1,
        refused: vec![],
    }]]);
    let (status, screen) = Terminal::run(realm.command(&["import", "people.ndjson"])).finish();
    assert_eq!(status, Some(1));
    assert!(
        screen.contains("people.ndjson:2: not JSON: expected ident\n"),
        "{screen:?}"
    );
    assert!(
        screen.contains("\r[##############################] 100 %  1 added, 1 refused\x1b[K"),
        "{screen:?}"
    );
    assert!(screen.ends_with("\r\x1b[K1 added, 1 refused\n"), "{screen:?}");
}
