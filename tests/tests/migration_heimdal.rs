//! A realm of Heimdal's moves here with all its passwords, keytabs and tickets: made by Heimdal's own kadmin, served by its own
//! KDC, and asked the same before and after.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tessera_tests::{HeimdalRealm, Realm, Tool, Workstation};

const MASTER: &str = "aes256-cts-hmac-sha1-96";
/// What Heimdal's kadmin makes of a password: with one key that this realm never has.
const KEYS: &str = "[kadmin]\n default_keys = aes256-cts-hmac-sha1-96:pw-salt aes128-cts-hmac-sha1-96:pw-salt arcfour-hmac-md5:pw-salt";

const HOST: &str = "host/server.example.com";
/// People, and the passwords that they have; how `kadmin modify` sets them apart.
const PEOPLE: [(&str, &str, &str); 10] = [
    ("alice", "wonderland", ""),
    ("bob", "second", "--alias=robert"),
    ("gone", "gone", "--expiration-time=2020-01-01"),
    ("stale", "stale", "--pw-expiration-time=2020-01-01"),
    ("new", "new", "--attributes=requires-pw-change"),
    ("locked", "locked", "--attributes=disallow-all-tix"),
    ("shut", "shut", ""),
    (
        "rooted",
        "rooted",
        "--attributes=disallow-forwardable,disallow-renewable,disallow-proxiable,disallow-postdated",
    ),
    ("brief", "brief", "--max-ticket-life=1h --max-renewable-life=2h"),
    ("certified", "certified", "--pkinit-acl=CN=certified"),
];
/// Services, and how they are set apart.
const SERVICES: [(&str, &str); 5] = [
    (HOST, ""),
    ("imap/fresh.example.com", "--attributes=disallow-tgt-based"),
    ("imap/none.example.com", "--attributes=disallow-svr"),
    (
        "imap/trusted.example.com",
        "--attributes=ok-as-delegate,requires-pre-auth",
    ),
    ("imap/locked.example.com", "--attributes=disallow-all-tix"),
];
/// What `locked-out` adds to a principal's flags, which kadmin cannot set.
const LOCKED_OUT: u32 = 1 << 17;

struct Old {
    heimdal: HeimdalRealm,
    keytab: PathBuf,
}

fn old_realm() -> Old {
    let heimdal = HeimdalRealm::new(MASTER, KEYS);
    let modify = |name: &str, how: &str| {
        if !how.is_empty() {
            heimdal.kadmin(&format!("modify {how}")).arg(name).run().ok();
        }
    };
    for (name, password, how) in PEOPLE {
        heimdal.add(name, if name == "bob" { "first" } else { password });
        modify(name, how);
    }
    heimdal.kadmin("passwd --keepold --password=second bob").run().ok();
    let mut keytab = PathBuf::new();
    for (name, how) in SERVICES {
        let made = heimdal.add_service(name);
        modify(name, how);
        if name == HOST {
            keytab = made;
        }
    }
    lock_out(&heimdal, "shut");
    Old { heimdal, keytab }
}

/// Sets the flag by an edited line, as whoever counts wrong passwords outside Heimdal does.
fn lock_out(heimdal: &HeimdalRealm, name: &str) {
    let dump = fs::read_to_string(heimdal.dump("")).unwrap();
    let line = dump.lines().find(|line| line.starts_with(&format!("{name}@"))).unwrap();
    let mut fields: Vec<_> = line.split(' ').map(str::to_owned).collect();
    fields[9] = (fields[9].parse::<u32>().unwrap() | LOCKED_OUT).to_string();
    let edited = heimdal.path("edited");
    fs::write(&edited, fields.join(" ") + "\n").unwrap();
    heimdal.kadmin("merge").arg(edited).run().ok();
}

fn kinit(desk: &Workstation, name: &str, password: &str) -> Tool {
    desk.heimdal("kinit --no-forwardable --password-file=STDIN")
        .arg(name)
        .stdin(format!("{password}\n"))
}

/// Who logs in with Heimdal's kinit, and for which services alice then gets tickets with Heimdal's kgetcred.
fn let_in(desk: &Workstation) -> Vec<(&'static str, bool)> {
    let mut outcomes = Vec::new();
    for (name, password, _) in PEOPLE {
        outcomes.push((name, kinit(&desk.another(), name, password).run().status.success()));
    }
    let desk = desk.another();
    kinit(&desk, "alice", "wonderland").run().ok();
    for (name, _) in SERVICES {
        let got = desk.heimdal("kgetcred").arg(name).run();
        outcomes.push((name, got.status.success()));
    }
    outcomes
}

fn import(realm: &Realm, dump: &Path, master_key: Option<&Path>, how: &str) -> Tool {
    let tool = realm.kdc("import-heimdal").arg(dump);
    let tool = how.split_whitespace().fold(tool, Tool::arg);
    match master_key {
        Some(path) => tool.arg("--master-key").arg(path),
        None => tool,
    }
}

/// The lines of a report in JSON about a principal, but for that it came over: outcome, item and what.
fn told(report: &str, principal: &str) -> Vec<(String, String, String)> {
    let lines = report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    lines
        .filter(|line| line["principal"] == principal && line["outcome"] != "carried-over")
        .map(|line| (text(&line, "outcome"), text(&line, "item"), text(&line, "what")))
        .collect()
}

#[test]
#[ignore = "needs Heimdal's tools"]
fn a_heimdal_realm_moves_here_without_one_changed_password() {
    let Old { mut heimdal, keytab } = old_realm();
    heimdal.serve();
    let early = heimdal.workstation();
    kinit(&early, "alice", "wonderland").run().ok();
    let before = let_in(&heimdal.workstation());
    let refused: Vec<_> = before.iter().filter(|(_, done)| !done).map(|(name, _)| *name).collect();
    assert_eq!(
        refused,
        [
            "gone",
            "stale",
            "new",
            "locked",
            "shut",
            "imap/fresh.example.com",
            "imap/none.example.com",
            "imap/locked.example.com"
        ]
    );
    heimdal
        .kadmin("passwd --random-key --keepold krbtgt/EXAMPLE.COM")
        .run()
        .ok();
    let late = heimdal.workstation();
    kinit(&late, "alice", "wonderland").run().ok();
    assert!(
        [&early, &late]
            .map(|desk| desk.mit("klist -e").run().ok().contains("aes256"))
            .iter()
            .all(|aes| *aes)
    );
    heimdal.stop();

    let dump = heimdal.dump("");
    let mut realm = Realm::builder().section("[policies.default]\nhistory = 3").stopped();
    let master_key = heimdal.master_key();
    let foreseen = import(&realm, &dump, Some(&master_key), "--dry-run --json").run().ok();
    assert!(!realm.state().join("realm").exists());
    let report = import(&realm, &dump, Some(&master_key), "--json").run().ok();
    let all_but_end = |text: &str| text.lines().rev().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(all_but_end(&foreseen), all_but_end(&report));
    realm.restart();

    assert_eq!(let_in(&realm.workstation()), before);
    old_tickets_are_good(&realm, [&early, &late], &keytab);
    passwords_are_as_they_were(&realm);
    principals_are_as_they_were(&realm);
    what_is_not_as_it_was_is_told(&report);
}

fn old_tickets_are_good(realm: &Realm, old: [&Workstation; 2], keytab: &Path) {
    for (desk, tool) in old.iter().zip(["kgetcred", "kvno"]) {
        let here = realm.workstation().with_cache(desk.cache());
        match tool {
            "kvno" => here.mit("kvno").arg(HOST).run().ok(),
            _ => here.heimdal("kgetcred").arg(HOST).run().ok(),
        };
        // It opens what the old keytab is for.
        here.mit("kvno -k").arg(keytab).arg(HOST).run().ok();
    }
    let desk = realm.workstation();
    desk.heimdal("kinit -k -t").arg(keytab).arg(HOST).run().ok();
    desk.mit("kinit -k -t").arg(keytab).arg(HOST).run().ok();
}

fn passwords_are_as_they_were(realm: &Realm) {
    let desk = realm.workstation();
    for (name, password, _) in [PEOPLE[0], PEOPLE[1]] {
        desk.mit("kinit").arg(name).stdin(format!("{password}\n")).run().ok();
        desk.mit("kinit").arg(name).stdin("wrong\n").run().refused();
    }
    // The former one is only known, so that it is not taken again.
    desk.mit("kinit bob").stdin("first\n").run().refused();
    let change = |from: &str, to: &str| desk.mit("kpasswd bob").stdin(format!("{from}\n{to}\n{to}\n")).run();
    change("second", "first").refused();
    change("second", "third-of-them").ok();
    desk.mit("kinit bob").stdin("third-of-them\n").run().ok();
    desk.mit("kinit -C robert").stdin("third-of-them\n").run().ok();
    assert!(
        desk.mit("klist")
            .run()
            .ok()
            .contains("Default principal: bob@EXAMPLE.COM\n")
    );
}

fn principals_are_as_they_were(realm: &Realm) {
    let desk = realm.workstation();
    let flags = |name: &str, how: &str| {
        desk.mit(&format!("kinit {how}"))
            .arg(name)
            .stdin(format!("{name}\n"))
            .run()
            .ok();
        desk.tgt()
    };
    let brief = flags("brief", "-l 10h -r 3d");
    assert!(brief.life() <= 3600 && brief.renewable_life() <= 7200, "{brief:?}");
    let rooted = flags("rooted", "-f -p -r 3d").flags;
    assert!(!rooted.contains(['F', 'P', 'R']), "{rooted}");
    desk.mit("kinit -s 1h rooted").stdin("rooted\n").run().refused();
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    desk.mit("kvno imap/trusted.example.com").run().ok();
    assert!(desk.ticket("imap/trusted.example.com").flags.contains('O'));

    let shown = realm.principal("show --json alice").run().ok();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["changed-by"], "kadmin/admin@EXAMPLE.COM", "{shown}");
}

fn what_is_not_as_it_was_is_told(report: &str) {
    let row = |outcome: &str, item: &str, what: &str| (outcome.to_owned(), item.to_owned(), what.to_owned());
    let arcfour = row("left-out", "key", "keys: arcfour-hmac of version 1");
    let all = row("left-out", "principal", "the principal");
    for (principal, expected) in [
        ("alice", vec![arcfour.clone()]),
        (
            "certified",
            vec![
                row("left-out", "extension", "the certificates' subjects (pkinit-acl)"),
                arcfour,
            ],
        ),
        ("default", vec![all.clone()]),
        ("WELLKNOWN/org.h5l.fast-cookie@WELLKNOWN:ORG.H5L", vec![all]),
    ] {
        assert_eq!(told(report, principal), expected, "{principal}");
    }
    let end: Value = serde_json::from_str(report.lines().next_back().unwrap()).unwrap();
    let summary = &end["summary"];
    let people = u64::try_from(PEOPLE.len() + SERVICES.len()).unwrap();
    assert!(
        summary["principals"]["carried-over"].as_u64().unwrap() > people,
        "{end}"
    );
    assert_eq!(summary["former-passwords"]["carried-over"], 1, "{end}");
    assert_eq!(summary["aliases"]["carried-over"], 1, "{end}");
}

#[test]
#[ignore = "needs Heimdal's tools"]
fn a_heimdal_dump_is_imported_whole_or_not_at_all() {
    // What kstash makes unless told otherwise.
    let heimdal = HeimdalRealm::new("des3-cbc-sha1", KEYS);
    heimdal.add("alice", "wonderland");
    heimdal.kadmin("passwd --keepold --password=second alice").run().ok();
    let mut realm = Realm::builder().stopped();
    let refused = |dump: &Path, master_key: Option<&Path>, part: &str| {
        let said = import(&realm, dump, master_key, "").run().refused();
        assert!(said.contains(part) && said.contains("Nothing was written"), "{said}");
        assert!(!realm.state().join("realm").exists() && !realm.state().join("journal").exists());
    };
    let master_key = heimdal.master_key();
    let key = Some(master_key.as_path());
    let dump = heimdal.dump("");
    import(&realm, &dump, key, "--dry-run").run().ok();
    refused(&dump, None, "--master-key");
    let text = fs::read_to_string(&dump).unwrap();
    let altered = heimdal.path("altered");
    let alter = |text: &str| fs::write(&altered, text).unwrap();
    let alice = text.lines().find(|line| line.starts_with("alice@")).unwrap();
    alter(&text[..text.len() - 20]);
    refused(&altered, key, "in the middle of this line");
    alter(&(text.clone() + alice + "\n"));
    refused(&altered, key, "is there twice");
    alter(
        &text
            .replace("@EXAMPLE.COM ", "@ELSEWHERE.ORG ")
            .replace("krbtgt/EXAMPLE.COM", "krbtgt/ELSEWHERE.ORG"),
    );
    refused(&altered, key, "the dump is of the realm ELSEWHERE.ORG");
    refused(&heimdal.dump("--format=MIT"), key, "kdc import-mit");
    let stranger = HeimdalRealm::new(MASTER, KEYS);
    let dump = heimdal.dump("");
    refused(&dump, Some(&stranger.master_key()), "the wrong one");
    let said = import(&realm, &dump, Some(&dump), "").run().refused();
    assert!(said.contains("it is no master key of Heimdal's"), "{said}");

    // Decrypted, it needs no master key, but for the former keys.
    let dump = heimdal.dump("--decrypt");
    let report = import(&realm, &dump, None, "--json").run().ok();
    let lost: Vec<_> = told(&report, "alice").into_iter().map(|(.., what)| what).collect();
    assert_eq!(
        lost,
        [
            "keys: arcfour-hmac of version 2, arcfour-hmac of version 1",
            "keys: aes256-cts-hmac-sha1-96 of version 1, aes128-cts-hmac-sha1-96 of version 1"
        ]
    );
    realm.restart();
    kinit(&realm.workstation(), "alice", "second").run().ok();
    realm.stop();
    let said = import(&realm, &dump, None, "").run().refused();
    assert!(said.contains("Nothing was written"), "{said}");
}
