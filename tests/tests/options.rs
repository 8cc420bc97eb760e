//! Every option of kinit that asks the KDC for something: what it gives, and what policy makes of it.

use tessera_tests::{Realm, Side, Workstation};

const HOUR: i64 = 3600;
const DAY: i64 = 86400;

fn realm_with_alice() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm
}

/// kinit reckons from its own clock: a second may pass until the KDC looks at its.
fn near(found: i64, expected: i64) -> bool {
    (found - expected).abs() <= 10
}

fn kinit(desk: &Workstation, side: Side, options: &str) {
    desk.tool(side, &format!("kinit {options} alice"))
        .stdin("wonderland\n")
        .run()
        .ok();
}

#[test]
#[ignore = "needs MIT's tools"]
fn flags_are_given_when_asked_and_withheld_when_client_or_service_may_not_have_them() {
    for (option, letter, attribute) in [
        ("-f", 'F', "forwardable"),
        ("-p", 'P', "proxiable"),
        ("-r 2d", 'R', "renewable"),
    ] {
        let realm = realm_with_alice();
        let letters = |side, options: &str| {
            let desk = realm.workstation();
            // A life within the realm's limit: a longer one makes kinit content with a renewable ticket.
            kinit(&desk, side, &format!("-l 1h {options}"));
            desk.tgt().flags
        };
        for side in Side::BOTH {
            assert!(letters(side, option).contains(letter), "{side:?} {option}");
            assert!(!letters(side, "").contains(letter), "{side:?} without {option}");
            for principal in ["alice", "krbtgt/EXAMPLE.COM"] {
                realm.principal(&format!("set {principal} --{attribute} no")).run().ok();
                assert!(
                    !letters(side, option).contains(letter),
                    "{side:?} {option}, {principal} --{attribute} no"
                );
                realm
                    .principal(&format!("set {principal} --{attribute} yes"))
                    .run()
                    .ok();
                assert!(
                    letters(side, option).contains(letter),
                    "{side:?} {option}, {principal} --{attribute} yes"
                );
            }
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn krb5_conf_asks_for_flags_and_the_command_line_overrules_it() {
    let realm = realm_with_alice();
    let config = "[libdefaults]\n forwardable = true\n proxiable = true\n renew_lifetime = 2d\n ticket_lifetime = 2h";
    for side in Side::BOTH {
        let desk = realm.workstation().with_config(config);
        kinit(&desk, side, "");
        let tgt = desk.tgt();
        assert!(tgt.flags.contains("FPR"), "{side:?} {tgt:?}");
        assert!(
            near(tgt.life(), 2 * HOUR) && near(tgt.renewable_life(), 2 * DAY),
            "{side:?} {tgt:?}"
        );
        kinit(&desk, side, "-F -P -l 3h");
        let tgt = desk.tgt();
        assert!(!tgt.flags.contains('F') && !tgt.flags.contains('P'), "{side:?} {tgt:?}");
        assert!(near(tgt.life(), 3 * HOUR), "{side:?} {tgt:?}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_ticket_lives_as_long_as_asked_and_as_the_least_of_the_limits() {
    let realm = Realm::builder()
        .section("[tickets]\nlifetime = \"10h\"\nrenewable-lifetime = \"7d\"")
        .start();
    realm.add("alice", "wonderland");
    let lives = |side, options: &str| {
        let desk = realm.workstation();
        kinit(&desk, side, options);
        (
            desk.tgt().life(),
            desk.tgt().renew_till.map(|_| desk.tgt().renewable_life()),
        )
    };
    let check = |options: &str, expected: (i64, Option<i64>)| {
        for side in Side::BOTH {
            let found = lives(side, options);
            let right = near(found.0, expected.0)
                && match (found.1, expected.1) {
                    (Some(found), Some(expected)) => near(found, expected),
                    (found, expected) => found == expected,
                };
            assert!(right, "{side:?} kinit {options}: {found:?}, not {expected:?}");
        }
    };
    check("-l 1h", (HOUR, None));
    check("-l 90m -r 3h", (90 * 60, Some(3 * HOUR)));
    // kinit is content with a renewable ticket where the life it wants is too long (RENEWABLE-OK).
    check("-l 2d", (10 * HOUR, Some(2 * DAY)));
    check("-l 30d", (10 * HOUR, Some(7 * DAY)));
    check("-l 2d -r 30d", (10 * HOUR, Some(7 * DAY)));
    realm.principal("set alice --max-life 5h --max-renew 2d").run().ok();
    check("-l 2d -r 30d", (5 * HOUR, Some(2 * DAY)));
    check("-l 1h -r 1d", (HOUR, Some(DAY)));
    realm
        .principal("set krbtgt/EXAMPLE.COM --max-life 2h --max-renew 1d")
        .run()
        .ok();
    check("-l 2d -r 30d", (2 * HOUR, Some(DAY)));
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_renewable_ticket_is_renewed_until_its_end() {
    let realm = Realm::builder().with_clock().start();
    realm.add("alice", "wonderland");
    for side in Side::BOTH {
        let desk = realm.workstation();
        kinit(&desk, side, "-l 1h -r 2h");
        let first = desk.tgt();
        realm.clock().forward(1800);
        desk.tool(side, "kinit -R").run().ok();
        let second = desk.tgt();
        assert!(second.starts >= first.starts + 1800, "{side:?} {second:?}");
        assert_eq!((second.life(), second.renew_till), (HOUR, first.renew_till), "{side:?}");
        assert_eq!(
            second.flags.replace(['T', 'A'], ""),
            first.flags.replace(['T', 'A'], ""),
            "renewal keeps the flags"
        );
        realm.clock().forward(1800 + 1200);
        desk.tool(side, "kinit -R").run().ok();
        let third = desk.tgt();
        assert_eq!(
            Some(third.ends),
            first.renew_till,
            "{side:?}: no longer than it can be renewed"
        );
        realm.clock().forward(2400 + 600);
        let said = desk.tool(side, "kinit -R").run().refused();
        assert!(said.to_lowercase().contains("expired"), "{side:?} {said}");
        // What is not renewable is not renewed.
        kinit(&desk, side, "-l 1h");
        let said = desk.tool(side, "kinit -R").run().refused();
        let expected = if side == Side::Mit {
            "KDC can't fulfill requested option"
        } else {
            "renew"
        };
        assert!(said.contains(expected), "{side:?} {said}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_postdated_ticket_is_good_when_validated_at_its_time() {
    let realm = Realm::builder().with_clock().start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    for side in Side::BOTH {
        let desk = realm.workstation();
        kinit(&desk, side, "-s 1h -l 2h");
        let tgt = desk.tgt();
        assert!(tgt.flags.contains("di"), "{side:?} {tgt:?}");
        assert!(
            (tgt.starts - realm.clock().now() - HOUR).abs() <= 10,
            "{side:?} {tgt:?}"
        );
        assert!((tgt.life() - 2 * HOUR).abs() <= 10, "{side:?} {tgt:?}");
        let said = desk.tool(side, "kvno host/server.example.com").run().refused();
        assert!(said.to_lowercase().contains("not yet valid"), "{side:?} {said}");
        let said = desk.tool(side, "kinit -v").run().refused();
        assert!(said.to_lowercase().contains("not yet valid"), "{side:?} {said}");
        realm.clock().forward(HOUR + 10);
        // In time, but not validated.
        let said = desk.mit("kvno host/server.example.com").run().refused();
        assert!(said.contains("not yet valid"), "{side:?} {said}");
        desk.tool(side, "kinit -v").run().ok();
        let valid = desk.tgt();
        assert!(
            valid.flags.contains('d') && !valid.flags.contains('i'),
            "{side:?} {valid:?}"
        );
        assert!(
            valid.ends == tgt.ends && valid.starts <= realm.clock().now(),
            "{side:?} {valid:?}"
        );
        desk.tool(side, "kvno host/server.example.com").run().ok();
        assert!(!desk.ticket("host/server.example.com").flags.contains('i'), "{side:?}");
        // Validating what is valid.
        desk.tool(side, "kinit -v").run().refused();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn postdating_can_be_forbidden() {
    let realm = realm_with_alice();
    for principal in ["alice", "krbtgt/EXAMPLE.COM"] {
        realm
            .principal(&format!("set {principal} --postdateable no"))
            .run()
            .ok();
        for side in Side::BOTH {
            let desk = realm.workstation();
            let said = desk
                .tool(side, "kinit -s 1h alice")
                .stdin("wonderland\n")
                .run()
                .refused();
            assert!(said.contains("postdat"), "{side:?} {principal} {said}");
        }
        realm
            .principal(&format!("set {principal} --postdateable yes"))
            .run()
            .ok();
        kinit(&realm.workstation(), Side::Mit, "-s 1h");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn tickets_carry_addresses_only_when_asked() {
    let realm = realm_with_alice();
    for side in Side::BOTH {
        let desk = realm.workstation();
        kinit(&desk, side, "-A");
        assert_eq!(desk.tgt().addresses, "(none)", "{side:?}");
        kinit(&desk, side, "");
        assert_eq!(desk.tgt().addresses, "(none)", "{side:?}");
        kinit(&desk, side, "-a");
        let addresses = desk.tgt().addresses;
        assert!(addresses.contains(['.', ':']), "{side:?} {addresses}");
        let desk = realm.workstation().with_config("[libdefaults]\n noaddresses = false");
        kinit(&desk, side, "");
        assert_eq!(desk.tgt().addresses, addresses, "{side:?}");
        kinit(&desk, side, "-A");
        assert_eq!(desk.tgt().addresses, "(none)", "{side:?}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn an_initial_ticket_can_be_for_a_service() {
    let realm = realm_with_alice();
    realm.add_service("host/server.example.com");
    for side in Side::BOTH {
        let desk = realm.workstation();
        kinit(&desk, side, "-S host/server.example.com");
        let tickets = desk.tickets();
        assert_eq!(tickets.len(), 1, "{side:?} {tickets:?}");
        assert_eq!(tickets[0].service, "host/server.example.com@EXAMPLE.COM", "{side:?}");
        assert!(tickets[0].flags.contains('I'), "{side:?} {tickets:?}");
        let said = desk
            .tool(side, "kinit -S host/nowhere alice")
            .stdin("wonderland\n")
            .run()
            .refused();
        assert!(
            said.contains("host/nowhere") || said.contains("Server not found"),
            "{side:?} {said}"
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_cache_can_be_named_and_what_is_done_told() {
    let realm = realm_with_alice();
    for side in Side::BOTH {
        let desk = realm.workstation();
        let other = format!("FILE:{}", desk.path("other").display());
        let kinit = desk
            .tool(side, "kinit -V -c")
            .arg(&other)
            .arg("alice")
            .stdin("wonderland\n");
        let said = kinit.run().status(0);
        assert!(said.contains("Authenticated to Kerberos v5"), "{side:?} {said}");
        assert!(said.contains("Using principal: alice@EXAMPLE.COM"), "{side:?} {said}");
        assert!(!desk.cache_file().exists(), "{side:?}");
        assert!(
            desk.mit("klist").arg(&other).run().ok().contains("alice@EXAMPLE.COM"),
            "{side:?}"
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_the_realm_does_not_do_is_refused_and_not_ignored() {
    let realm = realm_with_alice();
    realm.workstation().mit("kinit -n @EXAMPLE.COM").run().refused();
    // A PAC is for those who have one to give: asking for it, or not, changes nothing.
    let desk = realm.workstation();
    kinit(&desk, Side::Mit, "--request-pac");
    kinit(&desk, Side::Mit, "--no-request-pac");
}
