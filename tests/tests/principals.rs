//! Administration: what `principal` does, as clients feel it and as its reader sees it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use tessera_tests::wire::keytab;
use tessera_tests::{Realm, Side};

fn logs_in(realm: &Realm, name: &str, password: &str) -> bool {
    realm
        .workstation()
        .mit("kinit --")
        .arg(name)
        .stdin(format!("{password}\n"))
        .run()
        .status
        .success()
}

fn show(realm: &Realm, name: &str) -> Value {
    let said = realm.principal("show --json --").arg(name).run().ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn names(realm: &Realm, arguments: &str) -> Vec<String> {
    let said = realm.principal(&format!("list --json {arguments}")).run().ok();
    let listed: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    listed
        .iter()
        .map(|principal| principal["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_new_realm_has_what_it_needs_and_no_more() {
    let realm = Realm::start();
    let mut names = names(&realm, "");
    names.sort();
    assert_eq!(
        names,
        [
            "kadmin/admin@EXAMPLE.COM",
            "kadmin/changepw@EXAMPLE.COM",
            "krbtgt/EXAMPLE.COM@EXAMPLE.COM"
        ]
    );
    // And cannot do without it.
    for name in ["krbtgt/EXAMPLE.COM", "kadmin/changepw"] {
        for command in [format!("remove {name}"), format!("rename {name} other")] {
            realm.principal(&command).run().status(1);
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn principals_are_added_listed_shown_and_removed() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    realm.principal("add host/other.example.com --random-key").run().ok();
    assert_eq!(names(&realm, "host/*").len(), 2);
    assert_eq!(names(&realm, "*.example.com").len(), 2);
    assert_eq!(names(&realm, "alice"), ["alice@EXAMPLE.COM"]);
    assert_eq!(names(&realm, "a?ic[e]"), ["alice@EXAMPLE.COM"]);
    assert!(names(&realm, "nobody*").is_empty());
    assert!(realm.principal("list").run().ok().contains("alice@EXAMPLE.COM"));
    let shown = show(&realm, "alice");
    assert_eq!(shown["name"], "alice@EXAMPLE.COM");
    assert_eq!(shown["kvno"], 1);
    assert_eq!(shown["keys"].as_array().unwrap().len(), 4);
    assert_eq!(shown, show(&realm, "alice@EXAMPLE.COM"), "with the realm or without");
    assert!(realm.principal("show alice").run().ok().contains("alice@EXAMPLE.COM"));

    let said = realm.principal("add alice --random-key").run().status(1);
    assert!(said.contains("alice"), "{said}");
    assert!(
        logs_in(&realm, "alice", "wonderland"),
        "the one that was there is unharmed"
    );
    realm.principal("remove alice").run().ok();
    assert!(!logs_in(&realm, "alice", "wonderland"));
    for command in [
        "show alice",
        "remove alice",
        "lock alice",
        "rotate alice",
        "set alice --preauth no",
        "rename alice b",
    ] {
        let said = realm.principal(command).run().status(1);
        assert!(said.contains("alice"), "{command}: {said}");
    }
}

#[test]
fn wrong_usage_ends_with_status_2() {
    let realm = Realm::start();
    for command in [
        "",
        "frobnicate",
        "add",
        "add a b",
        "set alice",
        "set alice --preauth perhaps",
        "set alice --expires yesterday",
        "set alice --max-life 10",
        "set alice --frobnicate",
        "add alice --enctypes rc4-hmac --random-key",
        "keytab alice",
    ] {
        realm.principal(command).run().status(2);
    }
}

#[test]
fn names_that_are_none_are_refused() {
    let realm = Realm::start();
    for name in ["", "@EXAMPLE.COM", "alice@OTHER.ORG", "a\nb", "a@b@c", "trailing\\"] {
        let finished = realm.principal("add --random-key --").arg(name).run();
        assert!(matches!(finished.status.code(), Some(1 | 2)), "{name:?}: {finished}");
    }
    assert_eq!(names(&realm, "").len(), 3);
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_locked_principal_is_locked_until_unlocked() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.principal("lock alice").run().ok();
    assert!(!logs_in(&realm, "alice", "wonderland"));
    assert!(show(&realm, "alice")["attributes"].to_string().contains("locked"));
    realm.principal("unlock alice").run().ok();
    assert!(logs_in(&realm, "alice", "wonderland"));
}

/// `set --revision`.
#[test]
#[ignore = "needs MIT's tools"]
fn of_two_who_edit_the_same_principal_the_second_is_told_of_the_first() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    // The flags that MIT's kinit gets of those that it asks for.
    let flags = || {
        let desk = realm.workstation();
        desk.mit("kinit -f -p alice").stdin("wonderland\n").run().ok();
        desk.tgt().flags
    };
    let seen = show(&realm, "alice")["revision"].clone();
    let set = |flags: &str, revision: &Value| {
        let line = format!("set alice {flags} --revision {revision}");
        realm.principal(&line).run()
    };
    set("--forwardable no --max-life 4h", &seen).ok();
    let now = show(&realm, "alice")["revision"].clone();
    let said = set("--max-life 8h --forwardable yes --must-change-password", &seen).status(1);
    assert!(said.contains("alice@EXAMPLE.COM was changed by uid "), "{said}");
    for part in [
        format!(" and is at revision {now}, not {seen}; "),
        "max-life: 4h now, 8h asked; must-change-password: no now, yes asked; forwardable: no now, yes asked; ".into(),
        "nothing was changed, `principal show alice` tells what it is now".into(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    assert!(!flags().contains('F'), "the first one's change stands");
    realm.wait_for_log("request=set principal=\"alice\" result=refused reason=conflict");
    set("--forwardable yes", &now).ok();
    // Who did not look first is heard as ever.
    realm.principal("set alice --proxiable no").run().ok();
    let flags = flags();
    assert!(flags.contains('F') && !flags.contains('P'), "{flags}");
}

#[test]
#[ignore = "needs MIT's tools"]
fn expiry_is_taken_as_a_date_and_as_a_span_and_taken_back() {
    let realm = Realm::builder().with_clock().start();
    realm.add("alice", "wonderland");
    let service = realm.add_service("host/server.example.com");
    realm.principal("set alice --expires +2h").run().ok();
    let desk = realm.workstation();
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    assert!(desk.tgt().flags.contains('A'));
    realm.clock().forward(7300);
    assert!(!logs_in(&realm, "alice", "wonderland"));
    realm.principal("set alice --expires never").run().ok();
    assert!(logs_in(&realm, "alice", "wonderland"));
    realm.principal("set alice --expires 2001-02-03T04:05:06Z").run().ok();
    assert!(!logs_in(&realm, "alice", "wonderland"));
    assert_eq!(show(&realm, "alice")["expires"], "2001-02-03T04:05:06Z");
    realm
        .principal("set host/server.example.com --expires 2001-02-03T04:05:06Z")
        .run()
        .ok();
    realm
        .workstation()
        .mit("kinit -k -t")
        .arg(service)
        .arg("host/server.example.com")
        .run()
        .refused();
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_name_is_one_principals_whichever_way_it_came() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add("bob", "builder");
    realm.principal("alias alice al").run().ok();
    for command in [
        "add al --random-key",
        "add al@EXAMPLE.COM --random-key",
        "add a\\l --random-key",
        "alias bob al",
        "alias bob alice",
        "alias alice alice",
        "rename bob al",
        "rename bob alice",
        "alias bob krbtgt/EXAMPLE.COM",
        "rename bob krbtgt/EXAMPLE.COM",
    ] {
        realm.principal(command).run().status(1);
    }
    assert!(logs_in(&realm, "al", "wonderland") && logs_in(&realm, "bob", "builder"));
    // Case is part of a name.
    realm.principal("add Alice --random-key").run().ok();
    assert!(logs_in(&realm, "alice", "wonderland"));
    // A name that is given up is free.
    realm.principal("remove alice").run().ok();
    realm.add("al", "another");
    assert!(logs_in(&realm, "al", "another"));
    realm.principal("rename bob robert").run().ok();
    realm.add("bob", "another");
    assert!(logs_in(&realm, "bob", "another") && logs_in(&realm, "robert", "builder"));
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_service_is_found_by_its_alias() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    realm
        .principal("alias host/server.example.com host/www.example.com")
        .run()
        .ok();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.mit("kinit alice").stdin("wonderland\n").run().ok();
        // The reply names what was asked for: RFC 6806 §6.
        desk.tool(side, "kvno host/www.example.com").run().ok();
        assert!(desk.ticket("host/www.example.com").flags.contains('A'));
        // A keytab under the alias opens it.
        let alias = realm.keytab("host/www.example.com");
        desk.tool(side, "kvno -k")
            .arg(&alias)
            .arg("host/www.example.com")
            .run()
            .ok();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn rotating_makes_new_keys_and_a_new_version() {
    let realm = Realm::start();
    let old = realm.add_service("host/server.example.com");
    let kinit = |keytab: &std::path::Path| {
        let desk = realm.workstation();
        desk.mit("kinit -k -t")
            .arg(keytab)
            .arg("host/server.example.com")
            .run()
            .status
            .success()
    };
    realm.principal("rotate host/server.example.com").run().ok();
    let new = realm.keytab("host/server.example.com");
    assert_eq!(keytab::newest_key(&new).1, 2);
    assert_ne!(keytab::newest_key(&new).0, keytab::newest_key(&old).0);
    assert!(kinit(&new) && !kinit(&old));
    assert_eq!(show(&realm, "host/server.example.com")["kvno"], 2);
    // Nothing that rotates tells the old keys.
    let said = realm.principal("rotate --keep host/server.example.com").run().status(0);
    for entry in keytab::read(&new) {
        let hex: String = entry.key.iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(!said.contains(&hex), "{said}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn importing_adds_what_each_line_says() {
    let realm = Realm::start();
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let lines = [
        r#"{"name": "alice", "password": "wonderland"}"#.to_owned(),
        r#"{"name": "bob", "password": "builder", "preauth": false, "max-life": "1h"}"#.to_owned(),
        r#"{"name": "host/server.example.com", "random-key": true}"#.to_owned(),
        format!(
            r#"{{"name": "host/old.example.com", "keys": [{{"enctype": "aes256-cts-hmac-sha1-96", "kvno": 7, "key": "{key}"}}]}}"#
        ),
        r#"{"name": "carol", "password": "x", "enctypes": ["aes128-cts-hmac-sha256-128"], "expires": "2001-01-01T00:00:00Z"}"#
            .to_owned(),
    ];
    let file = realm.directory().join("import.ndjson");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    realm.principal("import").arg(&file).run().ok();
    assert!(logs_in(&realm, "alice", "wonderland"));
    let desk = realm.workstation();
    desk.mit("kinit bob").stdin("builder\n").run().ok();
    assert!(
        !desk.tgt().flags.contains('A') && desk.tgt().life() <= 3600,
        "{:?}",
        desk.tgt()
    );
    let entries = keytab::read(&realm.keytab("host/old.example.com"));
    assert_eq!(
        entries
            .iter()
            .map(|entry| (entry.kvno, entry.etype))
            .collect::<Vec<_>>(),
        [(7, 18)]
    );
    assert_eq!(
        entries[0]
            .key
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<String>(),
        key
    );
    desk.mit("kinit -k -t")
        .arg(realm.keytab("host/old.example.com"))
        .arg("host/old.example.com")
        .run()
        .ok();
    desk.mit("kinit carol")
        .stdin("x\n")
        .run()
        .refused_with("Client's entry in database has expired");
    assert_eq!(show(&realm, "carol")["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn an_import_that_was_broken_off_is_completed_by_the_same_file() {
    const LINES: usize = 2500;
    let realm = Realm::start();
    let key = "00112233445566778899aabbccddeeff";
    let whole: String = (0..LINES)
        .map(|n| {
            format!(
                r#"{{"name": "user{n}", "keys": [{{"enctype": "aes128-cts-hmac-sha1-96", "kvno": 1, "key": "{key}"}}]}}"#
            ) + "\n"
        })
        .collect();
    let file = realm.directory().join("import.ndjson");
    // In the middle of a line, as a copy ends that was not finished.
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let said = realm.principal("import").arg(&file).run().status(1);
    let added = realm.principal("list user*").run().ok().lines().count();
    assert!((1..LINES - 1).contains(&added), "{added}");
    assert!(said.contains(&format!("import.ndjson:{}: ", added + 1)), "{said}");

    std::fs::write(&file, &whole).unwrap();
    let said = realm.principal("import").arg(&file).run().status(1);
    assert!(
        said.contains(&format!("{} added, {added} refused", LINES - added)),
        "{said}"
    );
    for line in [1, added] {
        let name = format!("user{}@EXAMPLE.COM exists already", line - 1);
        assert!(said.contains(&format!("import.ndjson:{line}: {name}")), "{said}");
    }
    assert!(!said.contains(&format!("import.ndjson:{}: ", added + 1)), "{said}");
    assert_eq!(realm.principal("list user*").run().ok().lines().count(), LINES);
}

#[test]
fn an_import_names_the_line_that_is_wrong() {
    let realm = Realm::start();
    let good = r#"{"name": "alice", "random-key": true}"#;
    for bad in [
        "not json",
        r#"{"name": "bob"}"#,
        r#"{"random-key": true}"#,
        r#"{"name": "bob", "random-key": true, "password": "x"}"#,
        r#"{"name": "bob", "random-key": true, "frobnicate": true}"#,
        r#"{"name": "bob", "keys": [{"enctype": "rc4-hmac", "kvno": 1, "key": "00"}]}"#,
        r#"{"name": "bob", "keys": [{"enctype": "aes256-cts-hmac-sha1-96", "kvno": 1, "key": "00"}]}"#,
        r#"{"name": "krbtgt/EXAMPLE.COM", "random-key": true}"#,
    ] {
        let file = realm.directory().join("import.ndjson");
        std::fs::write(&file, format!("{good}\n{bad}\n")).unwrap();
        let said = realm.principal("import").arg(&file).run().status(1);
        assert!(said.contains("import.ndjson:2"), "{bad}: {said}");
        realm.principal("show bob").run().status(1);
        let _ = realm.principal("remove alice").run();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_password_is_asked_for_twice_at_a_terminal_and_not_shown() {
    let realm = Realm::start();
    let mut terminal = realm.principal("add alice").at_terminal();
    terminal.answer("assword", "wonderland");
    terminal.answer("Again", "wonderland");
    let shown = terminal.finish().ok();
    assert!(!shown.contains("wonderland"), "{shown}");
    assert!(logs_in(&realm, "alice", "wonderland"));
    let mut terminal = realm.principal("password alice").at_terminal();
    terminal.answer("assword", "looking");
    terminal.answer("Again", "glass");
    terminal.finish().refused();
    assert!(logs_in(&realm, "alice", "wonderland"));
    // From a file, the first line.
    let file = realm.directory().join("password");
    std::fs::write(&file, "looking glass\nsecond line\n").unwrap();
    realm.principal("password alice --password-file").arg(&file).run().ok();
    assert!(logs_in(&realm, "alice", "looking glass"));
}

#[test]
fn nobody_else_administers_the_realm() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let realm = Realm::start();
    // Everything is laid open but what the daemon itself guards.
    for path in [
        realm.directory().to_owned(),
        realm.state(),
        realm.state().join("admin.sock"),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let copy = realm.directory().join("principal");
    std::fs::copy(tessera_tests::binary("principal"), &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut setpriv = Command::new("setpriv");
    setpriv
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&copy);
    let output = setpriv.arg("--config").arg(realm.toml()).arg("list").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("krbtgt"));
    assert!(
        said.contains("65534") || said.contains("permitted") || said.contains("root"),
        "{said}"
    );
}

#[test]
fn garbage_at_the_administrators_socket_hurts_nobody() {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    let realm = Realm::start();
    let mut open = Vec::new();
    for n in 0..60_usize {
        let mut stream = UnixStream::connect(realm.state().join("admin.sock")).unwrap();
        let noise = tessera_tests::wire::random::<256>();
        let packet = match n % 6 {
            0 => vec![0xff; 8],
            1 => [&[0, 0, 0, 10][..], b"{\"proto"].concat(),
            2 => [&[0, 0, 0, 2][..], b"{}"].concat(),
            3 => noise.to_vec(),
            4 => [&[0, 0, 0, 200][..], &noise[..200]].concat(),
            _ => Vec::new(),
        };
        // It may have been shown the door already.
        let _ = stream.write_all(&packet);
        if n % 2 == 0 {
            open.push(stream);
        }
    }
    realm.principal("list").run().ok();
    assert!(!realm.log().contains("panicked"), "{}", realm.log());
}

#[test]
#[ignore = "needs MIT's tools"]
fn an_alias_can_be_taken_away() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.principal("alias alice al").run().ok();
    assert!(logs_in(&realm, "al", "wonderland"));
    realm.principal("alias alice al --remove").run().ok();
    assert!(!logs_in(&realm, "al", "wonderland") && logs_in(&realm, "alice", "wonderland"));
    realm.principal("alias alice al --remove").run().status(1);
}
