//! What krb5.conf says, and that MIT's tools and ours do the same because of it. What other suites show is not repeated.

use std::sync::Arc;

use tessera_tests::{Clock, Finished, Realm, Side, Tool};

const PASSWORD: &str = "wonderland\n";

fn realm_with_alice() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm
}

/// Runs a tool without the variables that would win over krb5.conf.
fn without(tool: Tool, variables: &[&str]) -> bool {
    let mut command = tool.into_command();
    for variable in variables {
        command.env_remove(variable);
    }
    command.output().unwrap().status.success()
}

#[test]
#[ignore = "needs MIT's tools"]
fn keytabs_are_found_where_krb5_conf_says() {
    let realm = realm_with_alice();
    let keytab = realm.add_service("host/server.example.com");
    for (key, flags) in [("default_keytab_name", "-k"), ("default_client_keytab_name", "-k -i")] {
        for side in Side::BOTH {
            let line = format!("kinit {flags} host/server.example.com");
            let variables = ["KRB5_KTNAME", "KRB5_CLIENT_KTNAME"];
            for (file, found) in [(keytab.display().to_string(), true), ("/nonexistent".to_owned(), false)] {
                let desk = realm
                    .workstation()
                    .with_config(&format!("[libdefaults]\n {key} = FILE:{file}"));
                assert_eq!(
                    without(desk.tool(side, &line), &variables),
                    found,
                    "{side:?} {key} {file}"
                );
            }
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_directory_of_files_is_included() {
    let realm = realm_with_alice();
    let directory = realm.directory().join("krb5.conf.d");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("forward"), "[libdefaults]\n forwardable = true\n").unwrap();
    // A name that an editor leaves behind is passed over.
    std::fs::write(directory.join("proxy.bak~"), "[libdefaults]\n proxiable = true\n").unwrap();
    for side in Side::BOTH {
        let desk = realm
            .workstation()
            .with_config(&format!("includedir {}", directory.display()));
        desk.tool(side, "kinit alice").stdin(PASSWORD).run().ok();
        let flags = desk.tgt().flags;
        assert!(flags.contains('F') && !flags.contains('P'), "{side:?} {flags}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_client_that_keeps_its_own_time_puts_up_with_the_skew_that_it_is_told() {
    let realm = realm_with_alice();
    let clock = Arc::new(Clock::new(realm.directory(), "skewed"));
    clock.forward(200);
    for (allowed, granted) in [(300, true), (100, false)] {
        for side in Side::BOTH {
            let desk = realm
                .workstation()
                .with_config(&format!("[libdefaults]\n kdc_timesync = 0\n clockskew = {allowed}"))
                .with_clock(Arc::clone(&clock));
            let finished: Finished = desk.tool(side, "kinit alice").stdin(PASSWORD).run();
            assert_eq!(finished.status.success(), granted, "{side:?} {allowed}: {finished}");
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn enctypes_are_asked_for_as_krb5_conf_says_at_login_and_afterwards() {
    let realm = realm_with_alice();
    realm.add_service("host/server.example.com");
    for side in Side::BOTH {
        let desk = realm.workstation().with_config(
            "[libdefaults]\n default_tkt_enctypes = aes128-cts-hmac-sha256-128\n \
             default_tgs_enctypes = aes256-cts-hmac-sha384-192 aes128-cts-hmac-sha256-128",
        );
        desk.tool(side, "kinit alice").stdin(PASSWORD).run().ok();
        desk.tool(side, "kvno host/server.example.com").run().ok();
        let said = desk.mit("klist -e").run().ok();
        let skeys: Vec<_> = said
            .lines()
            .filter_map(|line| line.split_once("skey, tkt): ")?.1.split_once(','))
            .map(|(skey, _)| skey.to_owned())
            .collect();
        assert_eq!(
            skeys,
            ["aes128-cts-hmac-sha256-128", "aes256-cts-hmac-sha384-192"],
            "{side:?}"
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_hosts_realm_is_the_one_of_its_domain() {
    let realm = realm_with_alice();
    for side in Side::BOTH {
        let desk = realm
            .workstation()
            .with_config("[domain_realm]\n .elsewhere.org = ELSEWHERE.ORG");
        desk.tool(side, "kinit alice").stdin(PASSWORD).run().ok();
        let before = realm.log().matches("service=krbtgt/ELSEWHERE.ORG").count();
        desk.tool(side, "kvno -S host www.elsewhere.org").run().refused();
        std::thread::sleep(std::time::Duration::from_millis(100));
        let after = realm.log().matches("service=krbtgt/ELSEWHERE.ORG").count();
        assert!(
            after > before,
            "{side:?} asks for the way to that realm: {}",
            realm.log()
        );
    }
}
