//! Policies: what passwords, keys and tickets are under them, as MIT's programs meet it; the commands, and the file of words.

use serde_json::{Value, json};
use tessera_tests::{Realm, Tool, Workstation};

const GOOD: &str = "7-Nilpferde.im.Teich";

fn json_of(tool: Tool) -> Value {
    let said = tool.run().ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn principal(realm: &Realm, line: &str) -> String {
    realm.principal(line).run().ok()
}

/// A realm with these sections, and alice, whose password is `wonderland`.
fn realm_with(sections: &str) -> Realm {
    let builder = Realm::builder().section(sections);
    let realm = builder.stopped();
    std::fs::write(
        realm.directory().join("words"),
        "swordfish\nopen sesame\n7-Nilpferde.im.Schrank\n",
    )
    .unwrap();
    let mut realm = realm;
    realm.restart();
    realm.add("alice", "wonderland");
    realm
}

/// What MIT's kpasswd says to a new password that the realm does not take; `None`: it takes it.
fn kpasswd(realm: &Realm, name: &str, old: &str, new: &str) -> Option<String> {
    let desk = realm.workstation();
    let done = desk
        .mit(&format!("kpasswd {name}"))
        .stdin(format!("{old}\n{new}\n{new}\n"))
        .run();
    if done.status.success() {
        return None;
    }
    let said = done.refused_with("Password change rejected");
    assert!(
        logs_in(&realm.workstation(), name, old),
        "the old password is as good as before"
    );
    Some(said)
}

fn logs_in(desk: &Workstation, name: &str, password: &str) -> bool {
    let done = desk.mit(&format!("kinit {name}")).stdin(format!("{password}\n")).run();
    done.status.success()
}

fn set_password(realm: &Realm, password: &str) -> tessera_tests::Finished {
    realm
        .principal("password alice --password-file -")
        .stdin(format!("{password}\n"))
        .run()
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_password_has_to_be_what_its_policy_says_whoever_sets_it() {
    let realm = realm_with(
        "[passwords]\ndictionary = \"words\"\n[policies.length]\nmin-length = 8\n[policies.classes]\nmin-classes = 3\n\
         [policies.strength]\nmin-strength = 3\n[policies.words]\ndictionary = true\n[policies.nothing]\n",
    );
    let mut old = "wonderland".to_owned();
    for (policy, bad, text, reason, good) in [
        (
            "length",
            "brief",
            "The password is too short: it has 5 characters, and the policy length asks for 8.",
            "password-too-short",
            "eightlet",
        ),
        (
            "classes",
            "only-lower",
            "The password has characters of 2 kinds, and the policy classes asks for 3",
            "password-too-few-classes",
            "Upper-lower",
        ),
        (
            "strength",
            "password1",
            "The password is too easy to guess: its strength is",
            "password-too-easy",
            GOOD,
        ),
        (
            "words",
            "SwordFish",
            "The password is a word of the realm's dictionary.",
            "password-in-dictionary",
            "swordfishes",
        ),
        (
            "nothing",
            "alice2-ALICE3",
            "The password must not be or hold the name of its principal or of the realm.",
            "password-holds-name",
            "x",
        ),
    ] {
        principal(&realm, &format!("set alice --policy {policy}"));
        let said = kpasswd(&realm, "alice", &old, bad).expect(policy);
        assert!(said.contains(text), "{policy}: {said}");
        realm.wait_for_log(&format!("reason={reason} code=12"));
        let said = set_password(&realm, bad).status(1);
        assert!(said.contains(text), "{policy}: {said}");
        realm.wait_for_log(&format!(
            "request=password principal=\"alice\" result=refused reason={reason} "
        ));
        let said = realm
            .principal(&format!("add alice2 --password-file - --policy {policy}"))
            .stdin(format!("{bad}\n"))
            .run()
            .status(1);
        assert!(said.contains(text), "{policy}: {said}");
        let line = json!({"name": "alice3", "password": bad, "policy": policy}).to_string() + "\n";
        let said = realm.principal("import -").stdin(line).run().status(1);
        assert!(said.contains(text), "{policy}: {said}");
        assert_eq!(kpasswd(&realm, "alice", &old, good), None, "{policy}");
        old = good.to_owned();
        assert!(!realm.log().contains(bad), "no password is in the log");
    }
    set_password(&realm, "y").ok();
    // Without a policy, a password is anything.
    principal(&realm, "set alice --policy none");
    assert_eq!(kpasswd(&realm, "alice", "y", "alice"), None);
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_last_passwords_are_not_taken_again() {
    let mut realm = realm_with("[policies.default]\nhistory = 3\n");
    assert_eq!(kpasswd(&realm, "alice", "wonderland", "second"), None);
    assert_eq!(kpasswd(&realm, "alice", "second", "third"), None);
    for again in ["wonderland", "second", "third"] {
        let said = kpasswd(&realm, "alice", "third", again).expect(again);
        assert!(said.contains("one of the last 3"), "{said}");
        let said = set_password(&realm, again).status(1);
        assert!(said.contains("one of the last 3"), "{said}");
    }
    realm.wait_for_log("reason=password-reused code=12");
    // It is remembered over a change of the master key, a crash and a rebuilt index.
    realm.kdc("rotate-master-key").run().ok();
    realm.kill();
    realm.kdc("rebuild").run().ok();
    realm.restart();
    kpasswd(&realm, "alice", "third", "second").unwrap();
    assert_eq!(kpasswd(&realm, "alice", "third", "fourth"), None);
    assert_eq!(kpasswd(&realm, "alice", "fourth", "wonderland"), None);
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_password_is_kept_for_its_least_age_and_good_up_to_its_greatest() {
    let realm = Realm::builder()
        .with_clock()
        .section("[policies.default]\nmin-age = \"1d\"\nmax-age = \"9d\"\n")
        .start();
    realm.add("alice", "wonderland");
    realm.add("bob", "builder");
    let said = kpasswd(&realm, "alice", "wonderland", "second").unwrap();
    assert!(said.contains("has to be kept until"), "{said}");
    realm.wait_for_log("reason=password-too-young code=12");
    // Neither an administrator nor who has to change it waits for that.
    set_password(&realm, "second").ok();
    principal(&realm, "set bob --must-change-password");
    assert_eq!(kpasswd(&realm, "bob", "builder", "second"), None);
    realm.clock().forward(86_400 + 2);
    assert_eq!(kpasswd(&realm, "alice", "second", "third"), None);
    let expires = &json_of(realm.principal("show alice --json"))["password-expires"];
    assert!(expires.is_string(), "{expires}");

    realm.clock().forward(8 * 86_400 + 3600);
    let desk = realm.workstation();
    let said = desk.mit("kinit alice").stdin("third\n").run().status(0);
    assert!(said.contains("Warning: Your password will expire in"), "{said}");
    let explained = json_of(realm.principal("explain alice --json"));
    assert_eq!(explained["by-login"]["refused"], Value::Null);
    realm.clock().forward(86_400);
    let said = desk.mit("kinit alice").stdin("third\n").run().refused();
    assert!(said.contains("xpired"), "{said}");
    realm.wait_for_log("reason=password-expired code=23");
    let explained = json_of(realm.principal("explain alice --json"));
    assert_eq!(explained["by-login"]["refused"], "password-expired");
    // It is changed at login, though it was not kept for long.
    let mut terminal = desk.mit("kinit alice").at_terminal();
    terminal.answer("Password for alice@EXAMPLE.COM: ", "third");
    terminal.answer("Enter new password: ", "fourth");
    terminal.answer("Enter it again: ", "fourth");
    terminal.finish().ok();
    assert!(logs_in(&desk, "alice", "fourth"));
}

#[test]
#[ignore = "needs MIT's tools"]
fn keys_and_tickets_are_as_the_policy_says() {
    let realm = realm_with(
        "[policies.narrow]\nenctypes = [\"aes128-cts-hmac-sha256-128\"]\nmax-life = \"1h\"\nmax-renew = \"2h\"\n\
         [policies.short]\nmax-renew = \"0s\"\n",
    );
    realm
        .principal("add bob --password-file - --policy narrow")
        .stdin("builder\n")
        .run()
        .ok();
    principal(&realm, "add host/narrow.example.com --random-key --policy narrow");
    principal(&realm, "add host/wide.example.com --random-key");
    let desk = realm.workstation();
    assert!(logs_in(&desk, "bob", "builder"));
    assert!(desk.trace().contains("etype aes128-sha2"), "{}", desk.trace());
    desk.mit("kinit -l 5h -r 1d bob").stdin("builder\n").run().ok();
    assert!(desk.tgt().life() <= 3600, "{:?}", desk.tgt());
    assert!(desk.tgt().renewable_life() <= 7200, "{:?}", desk.tgt());
    // As the client: tickets to who goes by it are as long as any.
    desk.mit("kinit -l 5h -r 1d alice").stdin("wonderland\n").run().ok();
    let life = desk.tgt().life();
    assert!(life > 4 * 3600, "{life}");
    desk.mit("kvno host/narrow.example.com host/wide.example.com")
        .run()
        .ok();
    let listed = desk.mit("klist -e").run().ok();
    let etypes_of = |service: &str| {
        let (_, after) = listed.split_once(service).unwrap();
        after.lines().nth(1).unwrap().to_owned()
    };
    let narrow = etypes_of("host/narrow.example.com");
    assert!(
        narrow
            .trim_end()
            .trim_end_matches(',')
            .contains("aes128-cts-hmac-sha256-128"),
        "{listed}"
    );
    assert!(
        !etypes_of("host/wide.example.com").contains("aes128-cts-hmac-sha256-128"),
        "{listed}"
    );
    principal(&realm, "set bob --policy short");
    desk.mit("kinit -l 5h -r 1d bob").stdin("builder\n").run().ok();
    assert!(!desk.tgt().flags.contains('R'), "{:?}", desk.tgt());
    // New keys follow the new policy.
    principal(&realm, "set alice --policy narrow");
    assert_eq!(kpasswd(&realm, "alice", "wonderland", "second"), None);
    let shown = json_of(realm.principal("show alice --json"));
    let etypes: Vec<_> = shown["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["enctype"])
        .collect();
    assert_eq!(etypes, ["aes128-cts-hmac-sha256-128"]);
}

/// `default`, `add --policy`, `set --policy`, `list --json`, and `"policy"` of a line to import.
#[test]
#[ignore = "needs MIT's tools"]
fn a_policy_is_given_taken_back_and_default_holds_where_there_is_none() {
    let realm = realm_with("[policies.default]\nmin-length = 8\n[policies.free]\n");
    let lines = "{\"name\":\"bob\",\"password\":\"b\",\"policy\":\"free\"}\n\
                 {\"name\":\"carol\",\"password\":\"c\",\"policy\":\"none\"}\n\
                 {\"name\":\"dave\",\"password\":\"d\",\"policy\":\"lost\"}\n";
    let said = realm.principal("import -").stdin(lines).run().status(1);
    assert!(said.contains("the policy default asks for 8"), "{said}");
    assert!(
        said.contains("there is no policy lost") && said.contains("1 added, 2 refused"),
        "{said}"
    );
    realm
        .principal("add erin --password-file - --policy free")
        .stdin("e\n")
        .run()
        .ok();
    assert_eq!(kpasswd(&realm, "erin", "e", "f"), None);
    assert!(
        kpasswd(&realm, "alice", "wonderland", "short")
            .unwrap()
            .contains("the policy default asks for 8")
    );
    principal(&realm, "set alice --policy free");
    assert_eq!(kpasswd(&realm, "alice", "wonderland", "short"), None);
    principal(&realm, "set alice --policy none");
    assert!(
        kpasswd(&realm, "alice", "short", "brief")
            .unwrap()
            .contains("the policy default asks for 8")
    );
    let listed = json_of(realm.principal("list --json"));
    let policy_of = |name: &str| {
        let all = listed.as_array().unwrap();
        let info = all.iter().find(|info| info["name"] == format!("{name}@EXAMPLE.COM"));
        info.unwrap()["policy"].clone()
    };
    assert_eq!(
        (policy_of("alice"), policy_of("erin")),
        (json!("default"), json!("free"))
    );
    assert_eq!(policy_of("kadmin/admin"), Value::Null);
    assert!(principal(&realm, "show alice").contains("\nPolicy: default\n"));
    let said = realm.principal("set alice --policy lost").run().status(1);
    assert!(said.contains("there is no policy lost"), "{said}");
    realm.principal("set alice --policy Free").run().status(2);
}

/// What is different for MIT's programs by a part of a policy that alice goes by.
fn effects(realm: &Realm) -> [bool; 6] {
    let refused = |password: &str, with: &str| {
        let done = set_password(realm, password);
        !done.status.success() && done.refused().contains(with)
    };
    let short = refused("Zq7.", "too short");
    let plain = refused("nilpferdeteich", "characters of");
    let easy = refused("Password1.", "too easy");
    let word = refused("7-Nilpferde.im.Schrank", "dictionary");
    set_password(realm, GOOD).ok();
    let reused = refused(GOOD, "The password is the present one");
    let young =
        kpasswd(realm, "alice", GOOD, "8-Nilpferde.im.Teich").is_some_and(|said| said.contains("has to be kept"));
    [short, plain, easy, word, reused, young]
}

/// Every flag of `policy add` and `policy set`.
#[test]
#[ignore = "needs MIT's tools"]
fn each_part_of_a_policy_is_set_by_itself_and_counts_at_once() {
    let realm = realm_with("[passwords]\ndictionary = \"words\"\n");
    principal(&realm, "policy add one");
    principal(&realm, "set alice --policy one");
    assert_eq!(effects(&realm), [false; 6]);
    let parts = [
        "--min-length 5",
        "--min-classes 3",
        "--min-strength 3",
        "--dictionary yes",
        "--history 1",
        "--min-age 1d",
    ];
    for (at, part) in parts.iter().enumerate() {
        principal(&realm, &format!("policy set one {part}"));
        let mut expected = [false; 6];
        expected[at] = true;
        assert_eq!(effects(&realm), expected, "{part}");
        let flag = part.split(' ').next().unwrap();
        let back = if flag == "--dictionary" { "no" } else { "none" };
        principal(&realm, &format!("policy set one {flag} {back}"));
    }
    assert_eq!(effects(&realm), [false; 6]);
    set_password(&realm, GOOD).ok();
    let desk = realm.workstation();
    let kinit = || {
        let get = |line: &str| {
            desk.mit(line).stdin(format!("{GOOD}\n")).run().ok();
            desk.tgt()
        };
        let life = get("kinit -l 5h alice").life();
        (life <= 3600, get("kinit -l 1h -r 1d alice").renewable_life() <= 7200)
    };
    assert_eq!(kinit(), (false, false));
    principal(&realm, "policy set one --max-life 1h");
    assert_eq!(kinit(), (true, false));
    principal(&realm, "policy set one --max-life none --max-renew 2h");
    assert_eq!(kinit(), (false, true));
    principal(
        &realm,
        "policy set one --max-renew none --max-age 1s --enctypes aes128-cts",
    );
    std::thread::sleep(std::time::Duration::from_secs(2));
    let said = desk.mit("kinit alice").stdin(format!("{GOOD}\n")).run().refused();
    assert!(said.contains("xpired"), "{said}");
    principal(&realm, "policy set one --max-age none");
    assert!(logs_in(&desk, "alice", GOOD));
    assert_eq!(kpasswd(&realm, "alice", GOOD, "second"), None);
    let keys = || {
        json_of(realm.principal("show alice --json"))["keys"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(keys(), 1);
    principal(&realm, "policy set one --enctypes none");
    assert_eq!(kpasswd(&realm, "alice", "second", GOOD), None);
    assert_eq!(keys(), 4);
    realm.principal("policy set one").run().status(2);
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_policy_is_added_with_any_of_its_parts() {
    let realm = realm_with("[passwords]\ndictionary = \"words\"\n");
    principal(
        &realm,
        "policy add all --min-length 5 --min-classes 3 --min-strength 3 --dictionary yes --history 1 --min-age 1d \
         --max-age 90d --max-failures 2 --failure-window 10m --lockout 1h --enctypes aes128-cts,aes256-cts --max-life 1h \
         --max-renew 2h",
    );
    principal(&realm, "set alice --policy all");
    assert_eq!(effects(&realm), [true; 6]);
    let desk = realm.workstation();
    desk.mit("kinit -l 5h -r 1d alice")
        .stdin(format!("{GOOD}\n"))
        .run()
        .ok();
    assert!(desk.tgt().life() <= 3600 && desk.tgt().renewable_life() <= 7200);
    let shown = json_of(realm.principal("show alice --json"));
    assert_eq!(shown["keys"].as_array().unwrap().len(), 2);
    for _ in 0..2 {
        assert!(!logs_in(&desk, "alice", "wrong"));
    }
    desk.mit("kinit alice")
        .stdin(format!("{GOOD}\n"))
        .run()
        .refused_with("Client's credentials have been revoked");
    let shown = json_of(realm.principal("policy show all --json"));
    let record = shown["record"].clone();
    assert_eq!(
        shown,
        json!({"name": "all", "source": "database", "principals": 1, "min-length": 5, "min-classes": 3, "min-strength": 3,
            "dictionary": true, "history": 1, "min-age": "1d", "max-age": "90d", "max-failures": 2, "failure-window": "10m",
            "lockout": "1h", "enctypes": ["aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha1-96"], "max-life": "1h",
            "max-renew": "2h", "record": record})
    );
    for (wrong, why) in [
        ("--min-length 0", "min-length: it is a number from 1 to 256"),
        (
            "--min-age 2d --max-age 1d",
            "min-age: a password has to be kept for less",
        ),
        ("--lockout 1h", "lockout: it goes with max-failures"),
        ("--enctypes aes128-cts,aes128-cts", "is named twice"),
    ] {
        let said = realm.principal(&format!("policy add bad {wrong}")).run().status(1);
        assert!(said.contains(why), "{wrong}: {said}");
    }
    realm.principal("policy add bad --min-length few").run().status(2);
    realm.principal("policy add Bad").run().status(1);
    realm.principal("policy add none").run().status(1);
}

#[test]
#[ignore = "needs MIT's tools"]
fn policies_are_listed_shown_kept_and_removed_wherever_they_are_declared() {
    let mut realm = realm_with("[policies.file]\nmin-length = 12\n");
    principal(&realm, "policy add kept --min-length 10");
    principal(&realm, "set alice --policy kept");
    assert_eq!(principal(&realm, "policy list"), "file\nkept\n");
    let listed = json_of(realm.principal("policy list --json"));
    assert_eq!(
        (&listed[0]["source"], &listed[0]["principals"]),
        (&json!("realm.toml"), &json!(0))
    );
    assert_eq!(
        (&listed[1]["source"], &listed[1]["principals"]),
        (&json!("database"), &json!(1))
    );
    assert!(principal(&realm, "policy show file").contains("Min length: 12\n"));
    for (line, why) in [
        ("policy add file", "already in realm.toml, [policies.file]"),
        ("policy add kept", "exists already"),
        (
            "policy set file --min-length 3",
            "is realm.toml's; change [policies.file] there",
        ),
        ("policy remove file", "is realm.toml's"),
        ("policy remove kept", "is in use: 1 principal has it"),
        ("policy remove lost", "there is no policy lost"),
        ("policy show lost", "there is no policy lost"),
        ("policy set kept --dictionary yes", "the realm has no words"),
    ] {
        let said = realm.principal(line).run().status(1);
        assert!(said.contains(why), "{line}: {said}");
    }
    // What realm.toml says must not be in the database, and one that it no longer has asks for nothing.
    let toml = std::fs::read_to_string(realm.toml()).unwrap();
    std::fs::write(realm.toml(), format!("{toml}\n[policies.kept]\n")).unwrap();
    let said = realm.principal("reload").run().status(1);
    assert!(
        said.contains("policies.kept") && said.contains("`principal policy remove kept`"),
        "{said}"
    );
    std::fs::write(realm.toml(), &toml).unwrap();
    realm.kill();
    realm.restart();
    assert!(
        kpasswd(&realm, "alice", "wonderland", "too-short")
            .unwrap()
            .contains("asks for 10")
    );
    principal(&realm, "set alice --policy file");
    principal(&realm, "policy remove kept");
    assert!(
        kpasswd(&realm, "alice", "wonderland", "too-short")
            .unwrap()
            .contains("asks for 12")
    );
    std::fs::write(realm.toml(), toml.replace("[policies.file]\nmin-length = 12\n", "")).unwrap();
    principal(&realm, "reload");
    assert_eq!(kpasswd(&realm, "alice", "wonderland", "too-short"), None);
    let listed = json_of(realm.principal("policy list --json"));
    assert_eq!(listed[0]["source"], "nowhere");
}

#[test]
#[ignore = "needs MIT's tools"]
fn of_two_who_edit_the_same_policy_the_second_is_told_of_the_first() {
    let realm = realm_with("");
    principal(&realm, "policy add one --min-length 4");
    principal(&realm, "set alice --policy one");
    let revision = json_of(realm.principal("policy show one --json"))["record"]["revision"].clone();
    principal(&realm, &format!("policy set one --min-length 12 --revision {revision}"));
    let said = realm
        .principal(&format!("policy set one --min-length 2 --revision {revision}"))
        .run()
        .status(1);
    assert!(
        said.contains("was changed by") && said.contains("principal policy show one"),
        "{said}"
    );
    assert!(
        kpasswd(&realm, "alice", "wonderland", "too-short")
            .unwrap()
            .contains("asks for 12")
    );
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_dictionary_that_cannot_be_read_is_refused_and_the_former_one_stays() {
    let realm = realm_with("[passwords]\ndictionary = \"words\"\n[policies.default]\ndictionary = true\n");
    let words = realm.directory().join("words");
    assert!(kpasswd(&realm, "alice", "wonderland", "swordfish").is_some());
    std::fs::write(&words, b"jabberwock\n\xff\xfe\n").unwrap();
    let said = realm.principal("reload").run().status(1);
    assert!(
        said.contains("passwords.dictionary: ") && said.contains("words is no dictionary: line 2 is not UTF-8"),
        "{said}"
    );
    std::fs::remove_file(&words).unwrap();
    let said = realm.principal("reload").run().status(1);
    assert!(said.contains("words cannot be read"), "{said}");
    assert!(
        kpasswd(&realm, "alice", "wonderland", "swordfish").is_some(),
        "the old words are in force"
    );
    std::fs::write(&words, "jabberwock\n").unwrap();
    principal(&realm, "reload");
    assert!(kpasswd(&realm, "alice", "wonderland", "Jabberwock").is_some());
    assert_eq!(kpasswd(&realm, "alice", "wonderland", "swordfish"), None);

    let said = Realm::builder()
        .section("[passwords]\ndictionary = \"none\"\n")
        .refused();
    said.refused_with("passwords.dictionary: ");
}
