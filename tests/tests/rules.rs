//! Who may have tickets for what: each key of a rule, as MIT's and Heimdal's programs meet it, as the log tells it and as
//! `principal explain` foretells it.

use serde_json::Value;
use tessera_tests::{Finished, Realm, RealmBuilder, Workstation};

const WWW: &str = "http/www.example.com";
const MAIL: &str = "imap/mail.example.com";
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// What every realm here has: two roles. alice has the one, bob the other, carol none.
const ROLES: &str = "[roles.staff]\n[roles.guests]\n";

fn start(builder: RealmBuilder, rules: &str) -> Realm {
    let realm = builder.section(&format!("{ROLES}{rules}")).start();
    for (name, role) in [("alice", "--role staff"), ("bob", "--role guests"), ("carol", "")] {
        let add = realm.principal(&format!("add {name} --password-file - {role}"));
        add.stdin("wonderland\n").run().ok();
    }
    for service in [WWW, MAIL] {
        realm.principal(&format!("add {service} --random-key")).run().ok();
    }
    realm
}

fn realm(rules: &str) -> Realm {
    start(Realm::builder(), rules)
}

fn rewrite(realm: &Realm, from: &str, to: &str) {
    let toml = std::fs::read_to_string(realm.toml()).unwrap();
    assert!(toml.contains(from), "{from} is not in {toml}");
    std::fs::write(realm.toml(), toml.replace(from, to)).unwrap();
}

fn login(realm: &Realm, name: &str) -> Workstation {
    let desk = realm.workstation();
    desk.mit(&format!("kinit {name}")).stdin("wonderland\n").run().ok();
    desk
}

fn explain(realm: &Realm, arguments: &str) -> Value {
    let said = realm.principal(&format!("explain --json {arguments}")).run().ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// MIT's kvno, and whether it got what was foretold. A refusal says "policy" and no more.
#[track_caller]
fn may(realm: &Realm, desk: &Workstation, name: &str, service: &str) -> bool {
    let told = explain(realm, &format!("{name} --service {service}"));
    // Without what it has already.
    let fresh = desk.another();
    fresh.mit(&format!("kinit {name}")).stdin("wonderland\n").run().ok();
    let got = fresh.mit(&format!("kvno {service}")).run();
    let granted = got.status.success();
    assert_eq!(told["by-ticket"]["refused"].is_null(), granted, "{got}\n{told}");
    if !granted {
        refused_by_policy(got);
        let reason = told["by-ticket"]["refused"].as_str().unwrap();
        realm.wait_for_log(&format!("reason={reason} code=12"));
    }
    granted
}

#[track_caller]
fn refused_by_policy(got: Finished) {
    let said = got.refused_with("KDC policy rejects request");
    assert!(!said.contains("rule") && !said.contains("staff"), "{said}");
}

fn rules_of(told: &Value) -> Vec<(String, String)> {
    let rules = told["rules"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rules
        .map(|rule| (text(&rule["name"]), text(&rule["outcome"])))
        .collect()
}

/// `effect`, `roles`, `services` and `[roles]`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_rule_lets_in_whom_it_names_and_closes_the_service_to_the_rest() {
    let realm = realm("[rules.staff-www]\neffect = \"allow\"\nroles = [\"staff\"]\nservices = [\"http/*\"]\n");
    let desk = realm.workstation();
    for (name, www, mail) in [("alice", true, true), ("bob", false, true), ("carol", false, true)] {
        assert_eq!(may(&realm, &desk, name, WWW), www, "{name}");
        assert_eq!(may(&realm, &desk, name, MAIL), mail, "{name}");
    }
    realm.wait_for_log("client=bob service=http/www.example.com");
    assert!(
        realm
            .log()
            .contains("reason=no-rule-allows code=12 detail=\"closed by staff-www\"")
    );
    let log = realm.log();
    let issued = log
        .lines()
        .find(|line| line.contains("result=issued") && line.contains("client=alice service=http"));
    assert!(issued.unwrap().contains(" rule=staff-www"), "{log}");

    // The other way round, by the same services and roles.
    rewrite(&realm, "effect = \"allow\"", "effect = \"deny\"");
    realm.principal("reload").run().ok();
    for (name, www) in [("alice", false), ("bob", true), ("carol", true)] {
        assert_eq!(may(&realm, &desk, name, WWW), www, "{name}");
        assert!(may(&realm, &desk, name, MAIL), "{name}");
    }
    realm.wait_for_log("reason=denied-by-rule code=12 rule=staff-www");

    // By an alias it is the same service; by login as well.
    realm.principal(&format!("alias {WWW} shop/www.example.com")).run().ok();
    assert!(!may(&realm, &desk, "alice", "shop/www.example.com"));
    let initial = desk.mit(&format!("kinit -S {WWW} alice")).stdin("wonderland\n").run();
    initial.refused_with("KDC policy rejects request");
}

#[test]
#[ignore = "needs Heimdal's tools"]
fn heimdals_programs_are_told_the_same() {
    let realm = realm("[rules.no-staff]\neffect = \"deny\"\nroles = [\"staff\"]\nservices = [\"http/*\"]\n");
    for (name, granted) in [("alice", false), ("bob", true)] {
        let desk = realm.workstation();
        let kinit = desk.heimdal(&format!("kinit --password-file=STDIN {name}"));
        kinit.stdin("wonderland\n").run().ok();
        desk.heimdal(&format!("kgetcred {MAIL}")).run().ok();
        let got = desk.heimdal(&format!("kgetcred {WWW}")).run();
        if granted {
            got.ok();
        } else {
            let said = got.refused().to_lowercase();
            assert!(said.contains("policy") && !said.contains("staff"), "{said}");
        }
    }
    realm.wait_for_log("reason=denied-by-rule code=12 rule=no-staff");
}

/// `from`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_rule_counts_where_it_says() {
    let both = Realm::builder().listen("kerberos = [\"[::1]:0\", \"127.0.0.1:0\"]\n");
    let rules = "[rules.four]\neffect = \"allow\"\nservices = [\"http/*\"]\nfrom = [\"127.0.0.0/8\", \"192.0.2.0/24\"]\n\
                 [rules.not-six]\neffect = \"deny\"\nservices = [\"imap/*\"]\nfrom = [\"::1\"]\n";
    let realm = start(both, rules);
    let ports = realm.log();
    let addresses = ports
        .split_whitespace()
        .find_map(|word| word.strip_prefix("kerberos="))
        .unwrap();
    for address in addresses.split(',') {
        let six = address.starts_with('[');
        let config = format!(
            "[libdefaults]\n default_realm = EXAMPLE.COM\n[realms]\n EXAMPLE.COM = {{\n  kdc = {address}\n }}\n"
        );
        let desk = realm.workstation().with_whole_config(&config);
        desk.mit("kinit carol").stdin("wonderland\n").run().ok();
        for service in [WWW, MAIL] {
            let got = desk.mit(&format!("kvno {service}")).run();
            assert_eq!(got.status.success(), !six, "{got}");
            let from = if six { "::1" } else { "127.0.0.1" };
            let told = explain(&realm, &format!("carol --service {service} --from {from}"));
            assert_eq!(told["by-ticket"]["refused"].is_null(), !six, "{told}");
        }
    }
    realm.wait_for_log("reason=denied-by-rule code=12 rule=not-six");
    // What the daemon does not see here can be asked for.
    let told = explain(&realm, &format!("carol --service {WWW} --from ::ffff:192.0.2.9"));
    assert_eq!(told["by-ticket"]["rules"], serde_json::json!(["four"]), "{told}");
    let told = explain(&realm, &format!("carol --service {WWW} --from 198.51.100.1"));
    assert_eq!(rules_of(&told), [("four".to_owned(), "other-networks".to_owned())]);
}

/// `hours`, by the local time of the daemon.
#[test]
#[ignore = "needs libfaketime"]
fn a_rule_counts_at_its_hours() {
    // Five hours ahead of UTC.
    let builder = Realm::builder().with_clock().in_zone("<+05>-5");
    let rules = "[rules.office]\neffect = \"allow\"\nservices = [\"http/*\"]\nhours = \"Mon-Fri 08:00-18:00\"\n\
                 [rules.quiet]\neffect = \"deny\"\nservices = [\"imap/*\"]\nhours = [\"Mon 12:00-13:00\", \"Mon 22:00-06:00\"]\n";
    let realm = start(builder, rules);
    let desk = realm.workstation();
    // 1970-01-05 was a Monday.
    let past_monday = (realm.clock().now() + 5 * HOUR - 4 * DAY).rem_euclid(7 * DAY);
    let next_monday = 7 * DAY - past_monday;
    let mut at = -next_monday;
    for (local, www, mail) in [
        (7 * HOUR + 1800, false, true),
        (9 * HOUR, true, true),
        (12 * HOUR + 1800, true, false),
        (17 * HOUR + 1800, true, true),
        (18 * HOUR + 600, false, true),
        (23 * HOUR, false, false),
        (DAY + 5 * HOUR, false, false),
        (DAY + 6 * HOUR + 600, false, true),
        (5 * DAY + 12 * HOUR, false, true),
    ] {
        realm.clock().forward(local - at);
        at = local;
        assert_eq!(may(&realm, &desk, "carol", WWW), www, "{local}");
        assert_eq!(may(&realm, &desk, "carol", MAIL), mail, "{local}");
    }
    realm.wait_for_log("reason=denied-by-rule code=12 rule=quiet");
    // It is Saturday; what will be on Monday can be asked for.
    let told = explain(&realm, &format!("carol --service {WWW}"));
    assert_eq!(rules_of(&told), [("office".to_owned(), "other-hours".to_owned())]);
    let told = explain(&realm, &format!("carol --service {WWW} --at +2d"));
    assert_eq!(rules_of(&told), [("office".to_owned(), "applies".to_owned())]);
    assert!(told["by-ticket"]["refused"].is_null(), "{told}");
}

/// `max-life`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_rule_bounds_the_life_of_tickets() {
    let realm = realm(
        "[rules.short]\neffect = \"allow\"\nservices = [\"http/*\"]\nmax-life = \"10m\"\n\
         [rules.staff]\neffect = \"allow\"\nservices = [\"http/*\"]\nroles = [\"staff\"]\nmax-life = \"90m\"\n",
    );
    for (name, life, rule) in [("alice", 90, "staff"), ("bob", 10, "short")] {
        let desk = realm.workstation();
        desk.mit(&format!("kinit -r 2d {name}"))
            .stdin("wonderland\n")
            .run()
            .ok();
        desk.mit(&format!("kvno {WWW} {MAIL}")).run().ok();
        let ticket = desk.ticket(WWW);
        assert_eq!(ticket.life(), life * 60, "{ticket:?}");
        assert_eq!(ticket.renew_till, None, "{ticket:?}");
        assert!(desk.ticket(MAIL).life() > 9 * HOUR);
        let told = explain(&realm, &format!("{name} --service {WWW}"));
        assert_eq!(told["by-ticket"]["rules"], serde_json::json!([rule]));
        assert_eq!(told["by-ticket"]["max-life"], told["by-ticket"]["max-renew"]);
        realm.wait_for_log(&format!(" rule={rule}"));
    }
}

/// `default-access`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_service_that_no_rule_is_about_follows_the_default() {
    let builder = Realm::builder().realm("default-access = \"deny\"");
    let realm = start(builder, "[rules.www]\neffect = \"allow\"\nservices = [\"http/*\"]\n");
    let desk = realm.workstation();
    assert!(may(&realm, &desk, "carol", WWW));
    assert!(!may(&realm, &desk, "carol", MAIL));
    realm.wait_for_log("reason=denied-by-default code=12");
    rewrite(&realm, "default-access = \"deny\"", "default-access = \"allow\"");
    realm.principal("reload").run().ok();
    assert!(may(&realm, &desk, "carol", MAIL));
}

#[test]
#[ignore = "needs MIT's tools"]
fn nobody_is_locked_out_of_logging_in_renewing_and_changing_a_password() {
    let all = "[rules.all]\neffect = \"deny\"\nservices = [\"*\"]\n";
    let realm = start(Realm::builder().realm("default-access = \"deny\""), all);
    let desk = realm.workstation();
    desk.mit("kinit -f -r 2d alice").stdin("wonderland\n").run().ok();
    desk.mit("kinit -R").run().ok();
    refused_by_policy(desk.mit(&format!("kvno {WWW}")).run());
    refused_by_policy(desk.mit("kinit -S kadmin/admin alice").stdin("wonderland\n").run());
    let typed = "wonderland\nlooking-glass\nlooking-glass\n";
    desk.mit("kpasswd alice").stdin(typed).run().ok();
    realm.principal("show alice").run().ok();
    let told = explain(&realm, "alice");
    assert_eq!(
        (rules_of(&told).len(), &told["default-access"]),
        (0, &Value::Null),
        "{told}"
    );

    for (service, line) in [
        ("krbtgt/EXAMPLE.COM", "kinit alice"),
        ("kadmin/changepw", "kpasswd alice"),
    ] {
        rewrite(&realm, "services = [\"*\"]", &format!("services = [\"{service}\"]"));
        realm.principal("reload").run().ok();
        let refused = desk.another().mit(line).stdin("looking-glass\nx\nx\n").run();
        refused.refused_with("KDC policy rejects request");
        rewrite(&realm, &format!("services = [\"{service}\"]"), "services = [\"*\"]");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_wrong_rule_leaves_the_old_ones_in_force_and_is_named() {
    let realm = realm("[rules.www]\neffect = \"deny\"\nservices = [\"http/*\"]\nroles = [\"staff\"]\n");
    let desk = login(&realm, "alice");
    refused_by_policy(desk.mit(&format!("kvno {WWW}")).run());
    for (from, to, told) in [
        (
            "\"staff\"",
            "\"stuff\"",
            "rules.www.roles: the rule www in realm.toml names the role stuff",
        ),
        (
            "effect = \"deny\"",
            "effect = \"no\"",
            "rules.www.effect: a rule's effect is allow or deny",
        ),
        ("[rules.www]", "[rule.www]", "rule: unknown table; did you mean rules?"),
    ] {
        rewrite(&realm, from, to);
        let said = realm.principal("reload").run().refused();
        assert!(said.contains("realm.toml:") && said.contains(told), "{said}");
        refused_by_policy(desk.mit(&format!("kvno {WWW}")).run());
        rewrite(&realm, to, from);
    }
    rewrite(&realm, "http/*", "imap/*");
    realm.principal("reload").run().ok();
    desk.mit(&format!("kvno {WWW}")).run().ok();
    refused_by_policy(desk.mit(&format!("kvno {MAIL}")).run());
}

#[test]
fn a_daemon_does_not_start_with_a_role_that_nobody_declared() {
    let rules = "[rules.www]\neffect = \"deny\"\nservices = [\"http/*\"]\nroles = [\"staff\"]\n";
    let refused = Realm::builder().section(rules).refused().refused();
    assert!(
        refused.contains("rules.www.roles: the rule www in realm.toml names the role staff"),
        "{refused}"
    );
    assert!(refused.contains("realm.toml:"), "{refused}");
}
