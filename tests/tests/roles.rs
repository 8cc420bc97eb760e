//! Roles and rules that commands keep in the database: each command and flag, as MIT's programs meet it, at once, after a
//! restart, a crash, a rebuilt index, and in another place.

use serde_json::{Value, json};
use tessera_tests::{Realm, Tool, Workstation};

const WWW: &str = "http/www.example.com";
const MAIL: &str = "imap/mail.example.com";

fn realm() -> Realm {
    populated(Realm::start())
}

/// alice, bob and two services.
fn populated(realm: Realm) -> Realm {
    for name in ["alice", "bob"] {
        realm.add(name, "wonderland");
    }
    for service in [WWW, MAIL] {
        realm.principal(&format!("add {service} --random-key")).run().ok();
    }
    realm
}

fn principal(realm: &Realm, line: &str) -> String {
    realm.principal(line).run().ok()
}

fn json_of(tool: Tool) -> Value {
    let said = tool.run().ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn login(realm: &Realm, name: &str) -> Workstation {
    let desk = realm.workstation();
    desk.mit(&format!("kinit {name}")).stdin("wonderland\n").run().ok();
    desk
}

/// Whether MIT's kvno gets a ticket for the service by the TGT that is there. What is refused is refused by policy.
#[track_caller]
fn gets(desk: &Workstation, service: &str) -> bool {
    // Tickets that were got before are not looked for.
    let got = desk.mit(&format!("kvno --no-store {service}")).run();
    let granted = got.status.success();
    if !granted {
        got.refused_with("KDC policy rejects request");
    }
    granted
}

#[track_caller]
fn expect(desks: &[(&Workstation, bool)], service: &str, when: &str) {
    for (at, (desk, expected)) in desks.iter().enumerate() {
        assert_eq!(gets(desk, service), *expected, "{when}: {service}, desk {at}");
    }
}

/// `role add`, `add --role`, `set --add-role`, `set --remove-role`, `list --role`, `role remove`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_role_counts_from_when_it_is_given_until_it_is_taken_away() {
    let realm = realm();
    principal(&realm, "role add staff");
    principal(
        &realm,
        &format!("rule add office --effect allow --role staff --service {WWW}"),
    );
    realm
        .principal("add carol --password-file - --role staff")
        .stdin("wonderland\n")
        .run()
        .ok();
    let (alice, carol) = (login(&realm, "alice"), login(&realm, "carol"));
    expect(&[(&alice, false), (&carol, true)], WWW, "carol was added with it");
    realm.wait_for_log("reason=no-rule-allows code=12 detail=\"closed by office\"");
    principal(&realm, "set alice --add-role staff");
    principal(&realm, "set carol --remove-role staff --max-life 5h");
    expect(&[(&alice, true), (&carol, false)], WWW, "the same TGTs, other roles");
    assert_eq!(principal(&realm, "list --role staff"), "alice@EXAMPLE.COM\n");
    assert_eq!(principal(&realm, "list c* --role staff"), "");
    let shown = json_of(realm.principal("show alice --json"));
    assert_eq!(shown["roles"], json!(["staff"]));
    assert!(principal(&realm, "show carol").contains("Roles: none\n"));

    // A role that there is not is given to nobody; one that is in use stays.
    let said = realm.principal("set bob --add-role stuff").run().status(1);
    assert!(said.contains("there is no role stuff"), "{said}");
    let said = realm.principal("add dave --random-key --role stuff").run().status(1);
    assert!(said.contains("there is no role stuff"), "{said}");
    let said = realm.principal("role remove staff").run().status(1);
    assert!(
        said.contains("the rule office names it, and 1 principal has it"),
        "{said}"
    );
    realm.principal("role add staff").run().status(1);
    principal(&realm, "set alice --remove-role staff");
    principal(&realm, "rule remove office");
    principal(&realm, "role remove staff");
    realm.principal("set alice --add-role staff").run().status(1);
    expect(&[(&alice, true), (&carol, true)], WWW, "nothing closes it any more");
}

#[test]
#[ignore = "needs MIT's tools"]
fn roles_are_imported() {
    let realm = realm();
    principal(&realm, "role add staff");
    principal(
        &realm,
        &format!("rule add office --effect allow --role staff --service {WWW}"),
    );
    let lines = "{\"name\":\"carol\",\"password\":\"wonderland\",\"roles\":[\"staff\"]}\n\
                 {\"name\":\"dave\",\"password\":\"wonderland\",\"roles\":[\"stuff\"]}\n\
                 {\"name\":\"erin\",\"password\":\"wonderland\"}\n";
    let said = realm.principal("import -").stdin(lines).run().status(1);
    assert!(
        said.contains("there is no role stuff") && said.contains("2 added, 1 refused"),
        "{said}"
    );
    expect(
        &[(&login(&realm, "carol"), true), (&login(&realm, "erin"), false)],
        WWW,
        "as the lines say",
    );
}

/// `rule add` with `--effect` and `--service`, `rule remove`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_rule_counts_from_when_it_is_added_until_it_is_removed() {
    let realm = realm();
    let alice = login(&realm, "alice");
    expect(&[(&alice, true)], WWW, "before");
    principal(&realm, "rule add shut --effect deny --service http/* --service ftp/*");
    expect(&[(&alice, false)], WWW, "denied");
    expect(&[(&alice, true)], MAIL, "another service");
    realm.wait_for_log("reason=denied-by-rule code=12 rule=shut");
    // A login to the service as well.
    let initial = realm.workstation();
    let got = initial
        .mit(&format!("kinit -S {WWW} alice"))
        .stdin("wonderland\n")
        .run();
    got.refused_with("KDC policy rejects request");
    let said = realm
        .principal("rule add shut --effect allow --service *")
        .run()
        .status(1);
    assert!(said.contains("the rule shut exists already"), "{said}");
    expect(&[(&alice, false)], WWW, "still denied");
    principal(&realm, "rule remove shut");
    expect(&[(&alice, true)], WWW, "removed");
    realm.principal("rule remove shut").run().status(1);
}

/// Day names, so many days from today; local to the daemon, which is a day off at most.
fn days(from_today: &[i64]) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let today = tessera_tests::wire::now() / 86_400;
    let name = |day: &i64| DAYS[usize::try_from((today + day).rem_euclid(7)).unwrap()];
    from_today.iter().map(name).collect::<Vec<_>>().join(",")
}

/// `rule add` with `--role`, `--from`, `--hours` and `--max-life`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_rule_is_added_with_any_of_its_parts() {
    let realm = realm();
    principal(&realm, "role add staff");
    principal(&realm, "role add guests");
    principal(&realm, "set alice --add-role guests");
    let desks = [login(&realm, "alice"), login(&realm, "bob")];
    let (now, later) = (days(&[-1, 0, 1]), days(&[2, 3, 4, 5]));
    for (flags, alice, bob) in [
        ("--effect deny --role staff --role guests".to_owned(), false, true),
        ("--effect deny --role staff".to_owned(), true, true),
        ("--effect deny --role *".to_owned(), false, false),
        ("--effect deny --from 127.0.0.0/8".to_owned(), false, false),
        ("--effect deny --from 192.0.2.0/24".to_owned(), true, true),
        (
            "--effect deny --from 192.0.2.0/24 --from 127.0.0.1".to_owned(),
            false,
            false,
        ),
        (format!("--effect allow --hours {now}"), true, true),
        (format!("--effect allow --hours {later}"), false, false),
        (
            format!("--effect allow --role guests --hours {later} --hours {now}"),
            true,
            false,
        ),
    ] {
        principal(&realm, &format!("rule add r --service http/* {flags}"));
        expect(&[(&desks[0], alice), (&desks[1], bob)], WWW, &flags);
        principal(&realm, "rule remove r");
    }
    principal(&realm, "rule add r --effect allow --service http/* --max-life 10m");
    desks[0].mit(&format!("kvno {WWW} {MAIL}")).run().ok();
    assert_eq!(desks[0].ticket(WWW).life(), 600);
    assert!(desks[0].ticket(MAIL).life() > 3600);
}

/// Each flag of `rule set`.
#[test]
#[ignore = "needs MIT's tools"]
fn each_part_of_a_rule_is_changed_by_itself_and_counts_at_once() {
    let realm = realm();
    principal(&realm, "role add staff");
    principal(&realm, "role add guests");
    principal(&realm, "set alice --add-role staff");
    principal(&realm, "rule add r --effect allow --service ftp/*");
    let desks = [login(&realm, "alice"), login(&realm, "bob")];
    let (now, later) = (days(&[-1, 0, 1]), days(&[2, 3, 4, 5]));
    for (flags, alice, bob) in [
        ("--service ftp/*".to_owned(), true, true),
        ("--service ftp/* --service http/* --role staff".to_owned(), true, false),
        ("--role guests".to_owned(), false, false),
        ("--role guests --role staff".to_owned(), true, false),
        ("--role *".to_owned(), true, true),
        ("--from 192.0.2.0/24".to_owned(), false, false),
        ("--from 192.0.2.0/24 --from 127.0.0.0/8".to_owned(), true, true),
        ("--from 192.0.2.0/24".to_owned(), false, false),
        ("--from *".to_owned(), true, true),
        (format!("--hours {later}"), false, false),
        (format!("--hours {later} --hours {now}"), true, true),
        (format!("--hours {later}"), false, false),
        ("--hours *".to_owned(), true, true),
        ("--effect deny".to_owned(), false, false),
        ("--role guests".to_owned(), true, true),
        ("--effect allow --role *".to_owned(), true, true),
    ] {
        principal(&realm, &format!("rule set r {flags}"));
        expect(&[(&desks[0], alice), (&desks[1], bob)], WWW, &flags);
    }
    // With a blank in it, as people write it.
    let hours = realm.principal("rule set r --hours").arg("Mon-Sun 00:00-24:00").run();
    hours.ok();
    expect(&[(&desks[0], true)], WWW, "at all hours");
    for (limit, life) in [("10m", 600..601), ("20m", 1200..1201), ("realm", 3600..i64::MAX)] {
        principal(&realm, &format!("rule set r --max-life {limit}"));
        let desk = login(&realm, "alice");
        desk.mit(&format!("kvno {WWW}")).run().ok();
        assert!(life.contains(&desk.ticket(WWW).life()), "{limit}");
    }
    for wrong in [
        "--role stuff",
        "--from 192.0.2.0/33",
        "--hours 25:00-26:00",
        "--max-life 0s",
        "--service a@EXAMPLE.COM",
    ] {
        let said = realm.principal(&format!("rule set r {wrong}")).run().status(1);
        let value = wrong.split(' ').nth(1).unwrap();
        assert!(said.contains(value) || said.contains("max-life"), "{wrong}: {said}");
    }
    expect(
        &[(&desks[0], true), (&desks[1], true)],
        WWW,
        "nothing of that was changed",
    );
}

/// `rule set --revision`.
#[test]
#[ignore = "needs MIT's tools"]
fn of_two_who_edit_the_same_rule_the_second_is_told_of_the_first() {
    let realm = realm();
    let alice = login(&realm, "alice");
    principal(&realm, "rule add r --effect allow --service http/*");
    let seen = json_of(realm.principal("rule show r --json"))["history"]["revision"].clone();
    principal(&realm, &format!("rule set r --effect deny --revision {seen}"));
    let said = realm
        .principal(&format!("rule set r --effect allow --revision {seen}"))
        .run()
        .status(1);
    assert!(said.contains("the rule r was changed by uid "), "{said}");
    assert!(
        said.contains(&format!(
            "not {seen}; effect: deny now, allow asked; nothing was changed, `principal rule show r`"
        )),
        "{said}"
    );
    expect(&[(&alice, false)], WWW, "the first one's change stands");
    realm.wait_for_log("request=set-rule rule=\"r\" result=refused reason=conflict");
    let now = json_of(realm.principal("rule show r --json"))["history"]["revision"].clone();
    principal(&realm, &format!("rule set r --effect allow --revision {now}"));
    expect(&[(&alice, true)], WWW, "who looked again is heard");
}

/// `role list`, `rule list` and `rule show`, plain and with `--json`.
#[test]
#[ignore = "needs MIT's tools"]
fn roles_and_rules_are_listed_and_shown_wherever_they_are_declared() {
    let shipped = "[roles.filed]\n[rules.shipped]\neffect = \"deny\"\nroles = [\"filed\"]\nservices = [\"http/*\"]\n";
    let realm = populated(Realm::builder().section(shipped).start());
    principal(&realm, "role add staff");
    principal(&realm, "set alice --add-role filed --add-role staff");
    let hours = "Mon-Fri 08:00-18:00";
    let add = "rule add office --effect allow --role staff --service imap/* --from 127.0.0.0/8 --max-life 1h --hours";
    realm.principal(add).arg(hours).run().ok();
    // Both places' rules are in force.
    expect(
        &[(&login(&realm, "alice"), false), (&login(&realm, "bob"), true)],
        WWW,
        "realm.toml's",
    );
    expect(&[(&login(&realm, "bob"), false)], MAIL, "the database's");

    assert_eq!(principal(&realm, "role list"), "filed\nstaff\n");
    assert_eq!(principal(&realm, "rule list"), "office\nshipped\n");
    let roles = json_of(realm.principal("role list --json"));
    assert_eq!(
        roles[0],
        json!({"name": "filed", "source": "realm.toml", "principals": 1, "rights": [], "rules": ["shipped"], "history": null})
    );
    assert_eq!(
        (&roles[1]["source"], &roles[1]["principals"], &roles[1]["rules"]),
        (&json!("database"), &json!(1), &json!(["office"]))
    );
    let rules = json_of(realm.principal("rule list --json"));
    for (at, name) in ["office", "shipped"].into_iter().enumerate() {
        assert_eq!(rules[at], json_of(realm.principal(&format!("rule show {name} --json"))));
    }
    let mut office = rules[0].clone();
    let history = office.as_object_mut().unwrap().remove("history").unwrap();
    assert_eq!(
        office,
        json!({
            "name": "office", "source": "database", "effect": "allow", "roles": ["staff"], "services": ["imap/*"],
            "from": ["127.0.0.0/8"], "hours": [hours], "max-life": "1h",
        })
    );
    assert!(history["changed-by"].as_str().unwrap().starts_with("uid "), "{history}");
    let shown = principal(&realm, "rule show office");
    assert!(
        shown.contains("Effect: allow\nRoles: staff\nServices: imap/*\nFrom: 127.0.0.0/8\n"),
        "{shown}"
    );
    realm.principal("rule show none").run().status(1);
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_realm_toml_declares_commands_leave_alone_and_nothing_is_declared_twice() {
    let shipped = "[roles.filed]\n[rules.shipped]\neffect = \"deny\"\nservices = [\"http/*\"]\n";
    let mut realm = populated(Realm::builder().section(shipped).start());
    let alice = login(&realm, "alice");
    for (command, says) in [
        ("role add filed", "[roles.filed]"),
        ("role remove filed", "[roles.filed]"),
        ("rule add shipped --effect allow --service *", "[rules.shipped]"),
        ("rule set shipped --effect allow", "[rules.shipped]"),
        ("rule remove shipped", "[rules.shipped]"),
    ] {
        let said = realm.principal(command).run().status(1);
        assert!(said.contains("realm.toml") && said.contains(says), "{command}: {said}");
    }
    expect(&[(&alice, false)], WWW, "realm.toml's rule stands");

    // The other way round: what the database has, a changed file must not have.
    principal(&realm, "role add staff");
    principal(&realm, "rule add office --effect deny --role staff --service imap/*");
    let toml = std::fs::read_to_string(realm.toml()).unwrap();
    let both = format!("{toml}[roles.staff]\n[rules.office]\neffect = \"allow\"\nservices = [\"*\"]\n");
    std::fs::write(realm.toml(), &both).unwrap();
    let names_both = |said: &str| {
        for place in [
            "[roles.staff]",
            "`principal role remove staff`",
            "[rules.office]",
            "`principal rule remove office`",
        ] {
            assert!(said.contains(place), "{place}: {said}");
        }
    };
    names_both(&realm.principal("reload").run().status(1));
    realm.stop();
    names_both(&realm.refused().status(1));
    // A role that only realm.toml declares must not go as long as the database's rules name it.
    std::fs::write(realm.toml(), &toml).unwrap();
    realm.restart();
    principal(&realm, "rule set office --role filed");
    std::fs::write(realm.toml(), toml.replace("[roles.filed]\n", "")).unwrap();
    let said = realm.principal("reload").run().status(1);
    assert!(
        said.contains("the rule office") && said.contains("the role filed"),
        "{said}"
    );
}

/// A stop, a crash, an index made anew, and `kdc dump | load`.
#[test]
#[ignore = "needs MIT's tools"]
fn roles_and_rules_outlive_the_daemon_and_move_with_a_dump() {
    let mut realm = realm();
    principal(&realm, "role add staff");
    principal(&realm, "role add gone");
    principal(&realm, "role remove gone");
    principal(&realm, "set alice --add-role staff");
    principal(
        &realm,
        "rule add office --effect allow --role staff --service http/* --from 127.0.0.0/8 --max-life 1h",
    );
    principal(&realm, "rule add shut --effect deny --service imap/*");
    principal(&realm, "rule remove shut");
    let what_is = |realm: &Realm| {
        ["role list --json", "rule list --json", "list --json alice"].map(|line| principal(realm, line))
    };
    let as_it_was = |realm: &Realm, when: &str| {
        expect(
            &[(&login(realm, "alice"), true), (&login(realm, "bob"), false)],
            WWW,
            when,
        );
        expect(&[(&login(realm, "bob"), true)], MAIL, when);
    };
    let before = what_is(&realm);
    as_it_was(&realm, "before");

    realm.kill();
    realm.restart();
    assert_eq!(what_is(&realm), before);
    as_it_was(&realm, "after a crash");

    realm.stop();
    let said = realm.kdc("rebuild").run().ok();
    assert!(said.contains("made anew"), "{said}");
    let said = realm.kdc("verify").run().ok();
    assert!(said.contains("7 principals and 2 roles and rules, "), "{said}");
    let log = realm.kdc("log").run().ok();
    for line in [
        "added\tthe role staff",
        "removed\tthe role gone",
        "added\tthe rule office",
        "removed\tthe rule shut",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    realm.restart();
    assert_eq!(what_is(&realm), before);
    as_it_was(&realm, "by a new index");

    let dump = realm.directory().join("dump");
    realm.stop();
    realm.kdc("dump").arg(&dump).run().ok();
    let mut other = Realm::builder().stopped();
    std::fs::create_dir_all(other.state()).unwrap();
    std::fs::copy(realm.state().join("master.key"), other.state().join("master.key")).unwrap();
    other.kdc("load").arg(&dump).run().ok();
    other.restart();
    assert_eq!(what_is(&other), before);
    as_it_was(&other, "in another place");
}
