//! Credential caches and keytabs: each side's tools read, list and alter the other's.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tessera_tests::wire::der::{self, Element};
use tessera_tests::wire::keytab;
use tessera_tests::{ENCTYPES, MitRealm, Realm, Side, Workstation};

fn realm_with_alice_and_a_host() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    realm
}

fn log_in(desk: &Workstation, side: Side, options: &str) {
    desk.tool(side, &format!("kinit {options} alice"))
        .stdin("wonderland\n")
        .run()
        .ok();
    desk.tool(side, "kvno host/server.example.com").run().ok();
}

/// The same from both, but for trailing blanks.
fn same(desk: &Workstation, command: &str) {
    let [mit, ours] = Side::BOTH.map(|side| {
        let finished = desk.tool(side, command).run();
        (finished.status.code(), trimmed(&finished.stdout), finished.stderr)
    });
    assert_eq!(
        ours.0, mit.0,
        "{command}: exit status; MIT's said {:?}, ours {:?}",
        mit.2, ours.2
    );
    assert_eq!(ours.1, mit.1, "{command}");
}

fn trimmed(text: &str) -> String {
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
#[ignore = "needs MIT's tools"]
fn klist_of_both_sides_prints_the_same_of_caches_of_both_sides() {
    let realm = realm_with_alice_and_a_host();
    for side in Side::BOTH {
        for options in ["", "-f -p -r 2d", "-a"] {
            let desk = realm.workstation();
            desk.tool(side, &format!("kinit {options} alice"))
                .stdin("wonderland\n")
                .run()
                .ok();
            if options != "-a" {
                // This machine's own addresses are not loopback's, where the KDC sees us.
                desk.tool(side, "kvno host/server.example.com").run().ok();
            }
            for command in [
                "klist",
                "klist -e",
                "klist -f",
                "klist -ef",
                "klist -an",
                "klist -fean",
                "klist -d",
                "klist -c",
                "klist -A",
            ] {
                same(&desk, command);
            }
            same(&desk, &format!("klist {}", desk.cache()));
            same(&desk, &format!("klist -e {}", desk.cache_file().display()));
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn klist_shows_postdated_and_renewable_tickets_alike() {
    let realm = realm_with_alice_and_a_host();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.tool(side, "kinit -s 1h -r 3d -f -p alice")
            .stdin("wonderland\n")
            .run()
            .ok();
        same(&desk, "klist -f");
        same(&desk, "klist -fe");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn klist_hides_configuration_entries_and_shows_them_when_asked() {
    let realm = realm_with_alice_and_a_host();
    let desk = realm.workstation();
    log_in(&desk, Side::Mit, "");
    let hidden = desk.ours("klist").run().ok();
    assert!(!hidden.contains("config:"), "{hidden}");
    // Which entries there are is MIT's affair; that both show the same ones is ours.
    same(&desk, "klist -C");
    // And a cache that ours added a ticket to still has them.
    let before = desk.mit("klist -C").run().ok().matches("config:").count();
    desk.ours("kvno host/server.example.com").run().ok();
    assert_eq!(desk.mit("klist -C").run().ok().matches("config:").count(), before);
}

#[test]
#[ignore = "needs MIT's tools"]
fn klist_s_tells_by_its_exit_status_whether_there_is_a_current_ticket() {
    let realm = Realm::builder().with_clock().start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    let desk = realm.workstation();
    same(&desk, "klist -s");
    desk.mit("klist -s").run().status(1);
    log_in(&desk, Side::Mit, "-l 1h");
    same(&desk, "klist -s");
    desk.ours("klist -s").run().status(0);
    realm.clock().forward(2 * 3600);
    same(&desk, "klist -s");
    desk.ours("klist -s").run().status(1);
    desk.mit("kinit -l 1h -S host/server.example.com alice")
        .stdin("wonderland\n")
        .run()
        .ok();
    same(&desk, "klist -s");
    realm.clock().forward(2 * 3600);
    same(&desk, "klist -s");
}

#[test]
#[ignore = "needs MIT's tools"]
fn klist_json_says_what_the_columns_say() {
    let realm = realm_with_alice_and_a_host();
    let desk = realm.workstation();
    log_in(&desk, Side::Mit, "-f -r 2d");
    let said = desk.ours("klist --json").run().ok();
    let parsed: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(parsed["ticket-cache"], desk.cache());
    assert_eq!(parsed["default-principal"], "alice@EXAMPLE.COM");
    assert_eq!(parsed["expired"], false);
    let listed = parsed["tickets"].as_array().unwrap();
    assert_eq!(listed.len(), desk.tickets().len(), "{said}");
    for (json, ticket) in listed.iter().zip(desk.tickets()) {
        assert_eq!(json["service-principal"], ticket.service);
        assert_eq!(json["flags"], ticket.flags);
        assert_eq!(json["session-enctype"], ticket.session_etype);
        assert_eq!(json["ticket-enctype"], ticket.ticket_etype);
        for (key, seconds) in [
            ("valid-starting", ticket.starts),
            ("expires", ticket.ends),
            ("renew-until", ticket.renew_till.unwrap()),
        ] {
            let rfc_3339 = Element::parse(&der::time(seconds)).text();
            let digits: String = json[key]
                .as_str()
                .unwrap()
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect();
            assert_eq!(digits.replace('T', ""), rfc_3339, "{key}");
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn caches_and_keytabs_are_for_their_owner_alone() {
    let realm = realm_with_alice_and_a_host();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let desk = realm.workstation();
    log_in(&desk, Side::Ours, "");
    assert_eq!(mode(&desk.cache_file()), 0o600);
    assert_eq!(mode(&realm.keytab("host/server.example.com")), 0o600);
}

#[test]
#[ignore = "needs MIT's tools"]
fn either_side_destroys_what_either_made() {
    let realm = realm_with_alice_and_a_host();
    for maker in Side::BOTH {
        for destroyer in Side::BOTH {
            let desk = realm.workstation();
            log_in(&desk, maker, "");
            desk.tool(destroyer, "kdestroy").run().ok();
            assert!(!desk.cache_file().exists(), "{maker:?} {destroyer:?}");
            desk.mit("klist").run().status(1);
            same(&desk, "kdestroy");
            same(&desk, "kdestroy -q");
            same(&desk, "klist");
        }
    }
    for side in Side::BOTH {
        let desk = realm.workstation();
        let other = format!("FILE:{}", desk.path("other").display());
        desk.mit("kinit -c")
            .arg(&other)
            .arg("alice")
            .stdin("wonderland\n")
            .run()
            .ok();
        log_in(&desk, side, "");
        desk.tool(side, "kdestroy -c").arg(&other).run().ok();
        assert!(desk.cache_file().exists() && !desk.path("other").exists(), "{side:?}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_collection_of_caches_is_shared() {
    let realm = realm_with_alice_and_a_host();
    realm.add("bob", "builder");
    for side in Side::BOTH {
        let other = if side == Side::Mit { Side::Ours } else { Side::Mit };
        let desk = realm.workstation();
        std::fs::create_dir(desk.path("caches")).unwrap();
        let desk = desk
            .clone()
            .with_cache(&format!("DIR:{}", desk.path("caches").display()));
        desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
        desk.tool(other, "kinit bob").stdin("builder\n").run().ok();
        for command in ["klist", "klist -l", "klist -A", "klist -c"] {
            same(&desk, command);
        }
        let primary = || {
            desk.mit("klist")
                .run()
                .ok()
                .lines()
                .nth(1)
                .unwrap_or_default()
                .to_owned()
        };
        assert_eq!(primary(), "Default principal: bob@EXAMPLE.COM");
        desk.tool(side, "kswitch -p alice").run().ok();
        assert_eq!(primary(), "Default principal: alice@EXAMPLE.COM", "{side:?}");
        let listed = desk.mit("klist -l").run().ok();
        let bobs = listed
            .lines()
            .find_map(|line| line.strip_prefix("bob@EXAMPLE.COM"))
            .unwrap_or_else(|| panic!("{listed}"));
        desk.tool(side, "kswitch -c").arg(bobs.trim()).run().ok();
        assert_eq!(primary(), "Default principal: bob@EXAMPLE.COM", "{side:?}");
        desk.tool(side, "kswitch -p nobody").run().status(1);
        desk.tool(side, "kdestroy -p alice").run().ok();
        let listed = desk.mit("klist -l").run().ok();
        assert!(
            listed.contains("bob@") && !listed.contains("alice@"),
            "{side:?} {listed}"
        );
        desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
        desk.tool(side, "kdestroy -A").run().ok();
        let listed = desk.mit("klist -l").run().stdout;
        assert!(
            !listed.contains("bob@") && !listed.contains("alice@"),
            "{side:?} {listed}"
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_default_cache_is_where_krb5_conf_says() {
    let realm = realm_with_alice_and_a_host();
    for side in Side::BOTH {
        let desk = realm.workstation();
        let stem = desk.path("cc").display().to_string();
        let desk = desk
            .with_config(&format!("[libdefaults]\n default_ccache_name = FILE:{stem}_%{{uid}}"))
            .with_cache("");
        desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
        let uid = nix::unistd::getuid();
        assert!(std::path::Path::new(&format!("{stem}_{uid}")).exists(), "{side:?}");
        desk.tool(side, "klist").run().ok();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_keytabs_are_read_by_mit_and_listed_alike() {
    let realm = realm_with_alice_and_a_host();
    let keytab = realm.keytab("host/server.example.com");
    let desk = realm.workstation();
    std::fs::copy(&keytab, desk.path("client-keytab")).unwrap();
    same(&desk, "klist -k -i");
    std::fs::copy(&keytab, desk.keytab()).unwrap();
    for command in ["klist -k", "klist -ke", "klist -kt", "klist -kK", "klist -kteK"] {
        same(&desk, command);
        same(&desk, &format!("{command} {}", keytab.display()));
    }
    let listed = desk.mit("klist -ke").run().ok();
    for etype in ENCTYPES {
        assert!(
            listed.contains(&format!("1 host/server.example.com@EXAMPLE.COM ({etype})")),
            "{listed}"
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_keytab_is_added_to_and_rotated_only_when_asked() {
    let realm = realm_with_alice_and_a_host();
    realm.add_service("http/www.example.com");
    let path = realm.directory().join("both.keytab");
    let write = |arguments: &str| {
        realm
            .principal(&format!("keytab {arguments} --output"))
            .arg(&path)
            .run()
            .ok()
    };
    write("host/server.example.com");
    write("http/www.example.com");
    let names = |path| {
        keytab::read(path)
            .into_iter()
            .map(|entry| (entry.principal, entry.kvno))
            .collect::<Vec<_>>()
    };
    for name in [
        "host/server.example.com@EXAMPLE.COM",
        "http/www.example.com@EXAMPLE.COM",
    ] {
        assert_eq!(
            names(&path)
                .iter()
                .filter(|entry| **entry == (name.to_owned(), 1))
                .count(),
            4,
            "{:?}",
            names(&path)
        );
    }
    let desk = realm.workstation();
    write("--rotate host/server.example.com");
    assert_eq!(keytab::newest_key(&realm.keytab("host/server.example.com")).1, 2);
    desk.mit("kinit -k -t")
        .arg(&path)
        .arg("host/server.example.com")
        .run()
        .ok();
    // Several names at once.
    let together = realm.directory().join("together.keytab");
    realm
        .principal("keytab host/server.example.com http/www.example.com --output")
        .arg(&together)
        .run()
        .ok();
    assert_eq!(keytab::read(&together).len(), 8);
}

#[test]
#[ignore = "needs MIT's tools"]
fn keytabs_that_ktutil_made_and_mended_serve_ours() {
    let realm = realm_with_alice_and_a_host();
    let exported = realm.keytab("host/server.example.com");
    let desk = realm.workstation();
    // ktutil's own string-to-key, and a file with holes where entries were deleted.
    let script = format!(
        "addent -password -p alice@EXAMPLE.COM -k 1 -e aes128-cts-hmac-sha256-128\nwonderland\n\
         addent -password -p alice@EXAMPLE.COM -k 1 -e aes256-cts-hmac-sha1-96\nwonderland\n\
         rkt {}\ndelent 3\nwkt {}\nquit\n",
        exported.display(),
        desk.keytab().display()
    );
    desk.mit("ktutil").stdin(script).run().ok();
    same(&desk, "klist -kte");
    for name in ["alice", "host/server.example.com"] {
        desk.ours("kinit -k").arg(name).run().ok();
        assert!(
            desk.mit("klist")
                .run()
                .ok()
                .contains(&format!("Default principal: {name}@EXAMPLE.COM"))
        );
    }
    // Without a name, the first entry's.
    desk.ours("kinit -k").arg("nobody").run().refused();
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_keytabs_and_caches_serve_ours_at_mits_kdc() {
    let realm = MitRealm::start();
    realm.add("alice", "wonderland");
    let keytab = realm.add_service("host/server.example.com");
    let desk = realm.workstation();
    desk.mit("kinit -f -r 1d alice").stdin("wonderland\n").run().ok();
    for command in ["klist", "klist -fean", "klist -C"] {
        same(&desk, command);
    }
    desk.ours("kvno -k")
        .arg(&keytab)
        .arg("host/server.example.com")
        .run()
        .ok();
    same(&desk, "klist -fean");
    std::fs::copy(&keytab, desk.keytab()).unwrap();
    same(&desk, "klist -kteK");
    desk.ours("kinit -k host/server.example.com").run().ok();
}

#[test]
#[ignore = "needs MIT's tools"]
fn damaged_files_are_named_and_not_overwritten() {
    let realm = realm_with_alice_and_a_host();
    let desk = realm.workstation();
    let keytab = std::fs::read(realm.keytab("host/server.example.com")).unwrap();
    for damage in [
        &b""[..],
        b"not a keytab",
        &keytab[..keytab.len() - 3],
        &[5, 2, 0x7f, 0xff, 0xff, 0xff, 1, 2],
    ] {
        std::fs::write(desk.keytab(), damage).unwrap();
        let said = desk.ours("kinit -k host/server.example.com").run().refused();
        assert!(said.contains("keytab"), "{said}");
    }
    log_in(&desk, Side::Ours, "");
    let cache = std::fs::read(desk.cache_file()).unwrap();
    for damage in [&b""[..], b"not a cache", &cache[..cache.len() - 3], &cache[..20]] {
        std::fs::write(desk.cache_file(), damage).unwrap();
        let said = desk.ours("klist").run().refused();
        assert!(said.contains(&desk.cache_file().display().to_string()), "{said}");
        assert_eq!(std::fs::read(desk.cache_file()).unwrap(), damage);
    }
    // kinit begins a new one.
    log_in(&desk, Side::Ours, "");
}
