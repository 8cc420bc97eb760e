//! Somebody who may do everything from afar: by the role `operator`, which `realm.toml` gives every right.

use super::*;

#[test]
#[ignore = "needs MIT's tools"]
fn an_operator_administers_from_afar_as_over_the_socket() {
    let realm = realm_with_an_operator();
    let desk = realm.workstation();
    let cache = format!("FILE:{}", desk.path("admin-cache").display());
    desk.mit(&format!("kinit -S kadmin/admin -c {cache} alice/admin"))
        .stdin(format!("{PASSWORD}\n"))
        .run()
        .ok();
    let operator = |line: &str| afar(&realm, &desk, &format!("-c {cache} {line}"));
    // The administrator's password and the new one, each on a line of its own.
    afar(&realm, &desk, "-p alice/admin add bob")
        .stdin(format!("{PASSWORD}\nbuilder\n"))
        .run()
        .ok();
    desk.mit("kinit bob").stdin("builder\n").run().ok();
    operator("add host/www --random-key").run().ok();
    desk.mit("kvno host/www").run().ok();
    let keytab = desk.keytab();
    operator("keytab host/www --output").arg(&keytab).run().ok();
    let listed = desk.mit("klist -k").run().ok();
    assert!(listed.contains("host/www@EXAMPLE.COM"), "{listed}");
    operator("lock bob").run().ok();
    desk.mit("kinit bob").stdin("builder\n").run().refused();
    let listed: Value = serde_json::from_str(&operator("list --json").run().ok()).unwrap();
    assert!(listed.to_string().contains("host/www"), "{listed}");
    let local: Value = serde_json::from_str(&realm.principal("list --json").run().ok()).unwrap();
    assert_eq!(listed, local);
    // Many, in several messages.
    let lines: String = (0..2500)
        .map(|n| format!("{}\n", json!({"name": format!("svc/{n}"), "random-key": true})))
        .collect();
    let file = desk.path("many.ndjson");
    std::fs::write(&file, lines).unwrap();
    operator("import").arg(&file).run().ok();
    assert_eq!(operator("list svc/*").run().ok().matches("svc/").count(), 2500);
    operator("remove nobody")
        .run()
        .refused_with("there is no principal nobody@EXAMPLE.COM");
    operator("reload").run().ok();
    // Who did it, from where, by which proof.
    let log = realm.kdc("log").run().ok();
    let added = log.lines().find(|line| line.contains("\tadded\tbob\t")).unwrap();
    let fields: Vec<&str> = added.split('\t').collect();
    assert_eq!((fields[2], fields[6]), ("alice/admin@EXAMPLE.COM", "long-term-key"));
    assert!(fields[5].starts_with("127.0.0.1:"), "{added}");
}

#[test]
fn an_operators_change_whose_connection_dies_is_done_whole_or_not_at_all() {
    let realm = realm_with_an_operator();
    let session = ticket(&realm);
    for n in 0..20 {
        let mut conversation = Conversation::open(realm.admin(), &session);
        let add = json!({"add": {"name": format!("cut-{n}"), "keys": "random"}});
        let token = conversation.wrap(add.to_string().as_bytes());
        let length = u32::try_from(token.len()).unwrap().to_be_bytes();
        let packet = [&length[..], &token].concat();
        // Half of them hang up in the middle of the message, the others right behind it.
        let end = if n % 2 == 0 { packet.len() / 2 } else { packet.len() };
        conversation.stream.write_all(&packet[..end]).unwrap();
        drop(conversation);
        // So many of one principal's may be connected, and no more.
        if n % 2 == 1 {
            realm.wait_for_log(&format!("principal=\"cut-{n}\" result=done"));
        }
    }
    let expected: Vec<String> = (0..20).filter(|n| n % 2 == 1).map(|n| format!("cut-{n}")).collect();
    let start = Instant::now();
    loop {
        let listed: Value = serde_json::from_str(&realm.principal("list cut-* --json").run().ok()).unwrap();
        let listed = listed.to_string();
        let there = (0..20)
            .map(|n| format!("cut-{n}"))
            .filter(|name| listed.contains(&format!("{name}@")));
        let there: Vec<String> = there.collect();
        if there == expected {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{there:?}");
        thread::sleep(Duration::from_millis(50));
    }
    well(&realm);
}

#[test]
fn a_right_that_is_taken_away_counts_for_the_next_request() {
    let realm = realm_with_an_operator();
    let mut conversation = Conversation::open(realm.admin(), &ticket(&realm));
    let show = json!({"show": {"name": "alice/admin"}});
    assert!(conversation.ask(&show).get("principal").is_some());
    realm.principal("set alice/admin --remove-role operator").run().ok();
    assert_eq!(refusal(&conversation.ask(&show)).0, "not-permitted");
    realm.principal("set alice/admin --add-role operator").run().ok();
    assert!(conversation.ask(&show).get("principal").is_some());
}
