//! What the realm puts up with: damage to its files, a clock that jumps, an end in the middle of work.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use tessera_tests::Realm;
use tessera_tests::wire::{KdcReq, ask, crypto::Key, login, now, pa_enc_timestamp};

fn knows(realm: &Realm, client: &str, password: &str) -> bool {
    let key = Key::from_password(password, &format!("EXAMPLE.COM{client}"));
    let mut request = KdcReq::initial(client);
    request.padata.push(pa_enc_timestamp(&key, now()));
    ask(realm.kerberos(), &request.to_der()).code() == 0
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in entries(from) {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else if path.is_file() {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn an_index_turned_in_any_bit_or_of_another_time_or_realm_is_never_served_from() {
    let mut realm = Realm::start();
    for n in 0..10 {
        realm.add(&format!("user-{n}"), "wonderland");
    }
    let index = realm.state().join("index");
    let older = realm.directory().join("older");
    realm.stop();
    copy(&index, &older);
    realm.restart();
    realm.add("late", "wonderland");
    realm.principal("remove user-3").run().ok();
    realm
        .principal("password user-7 --password-file -")
        .stdin("other\n")
        .run()
        .ok();
    let listed = realm.principal("list").run().ok();
    realm.stop();

    let mut stranger = Realm::start();
    stranger.add("mallory", "mistake");
    stranger.stop();

    let whole = realm.directory().join("whole");
    copy(&index, &whole);
    let put = |realm: &Realm, from: &Path| {
        std::fs::remove_dir_all(realm.state().join("index")).unwrap();
        copy(from, &realm.state().join("index"));
    };
    let serves = |realm: &mut Realm, what: &str| {
        realm.restart();
        assert_eq!(realm.principal("list").run().ok(), listed, "{what}");
        assert!(
            knows(realm, "user-7", "other") && !knows(realm, "user-7", "wonderland"),
            "{what}"
        );
        assert!(knows(realm, "late", "wonderland"), "{what}");
        // In good order, so that all that it says is in the log.
        assert!(realm.stop().success(), "{what}");
    };
    put(&realm, &older);
    serves(&mut realm, "older");
    put(&realm, &stranger.state().join("index"));
    serves(&mut realm, "of another realm");
    assert!(
        realm
            .log()
            .contains("the index is made anew: it is of another database")
    );
    let mut noticed = 0;
    for file in entries(&whole).into_iter().filter(|path| path.is_file()) {
        let octets = std::fs::read(&file).unwrap();
        // Most of a fresh database is empty: where it is not is of interest.
        let written: Vec<_> = (0..octets.len()).filter(|at| octets[*at] != 0).collect();
        for part in 0..12 {
            let Some(at) = written.get(written.len() * part / 12) else {
                continue;
            };
            put(&realm, &whole);
            let mut turned = octets.clone();
            turned[*at] ^= 1 << (part % 8);
            std::fs::write(realm.state().join("index").join(file.file_name().unwrap()), turned).unwrap();
            let said = realm.log().matches("the index is made anew").count();
            serves(&mut realm, &format!("{} turned at {at}", file.display()));
            noticed += realm.log().matches("the index is made anew").count() - said;
        }
    }
    assert!(noticed > 0, "no damage was seen at all");
    realm.kdc("rebuild").run().ok();
    realm.kdc("verify").run().ok();
}

#[test]
fn damage_inside_the_journal_is_undone_by_the_commands_that_are_named() {
    let mut realm = Realm::start();
    for n in 0..10 {
        realm.add(&format!("user-{n}"), "wonderland");
    }
    realm.stop();
    let journal = entries(&realm.state().join("journal")).pop().unwrap();
    let mut octets = std::fs::read(&journal).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 0x40;
    std::fs::write(&journal, octets).unwrap();
    let said = realm.refused().refused();
    let (_, offset) = said
        .split_once("is damaged at offset ")
        .unwrap_or_else(|| panic!("{said}"));
    let offset: usize = offset.split(':').next().unwrap().parse().unwrap();
    assert!(offset <= middle && middle - offset < 4096, "{said}");

    // To the letter.
    let commands = ["kdc dump --until ", "kdc load "].map(|start| {
        let (_, rest) = said.split_once(start).unwrap_or_else(|| panic!("{said}"));
        let end = rest.find("FILE").unwrap();
        format!("{start}{}", &rest[..end])
    });
    let file = realm.directory().join("FILE");
    let command = |realm: &Realm, line: &str| realm.kdc(line.strip_prefix("kdc ").unwrap()).arg(&file).run().ok();
    command(&realm, &commands[0]);
    let damaged = realm.directory().join("damaged");
    std::fs::rename(realm.state(), &damaged).unwrap();
    std::fs::create_dir(realm.state()).unwrap();
    std::fs::copy(damaged.join("master.key"), realm.state().join("master.key")).unwrap();
    command(&realm, &commands[1]);
    realm.restart();
    let listed = realm.principal("list user-*").run().ok();
    let kept = (0..10).take_while(|n| listed.contains(&format!("user-{n}@"))).count();
    assert!(kept > 0 && kept < 10, "{listed}");
    assert!((0..kept).all(|n| knows(&realm, &format!("user-{n}"), "wonderland")));
    realm.add("user-new", "wonderland");
    realm.stop();
    realm.kdc("verify").run().ok();
}

#[test]
fn a_second_daemon_on_a_state_directory_is_refused_and_the_first_serves_on() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let pid = realm.pid().to_string();
    let said = realm.kdc("").run().status(1);
    for part in [
        "in use",
        &pid,
        &realm.state().display().to_string(),
        "stop that one first",
    ] {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
    assert!(knows(&realm, "alice", "wonderland"));
    realm.add("bob", "builder");
    assert!(knows(&realm, "bob", "builder"));
}

#[test]
fn a_stop_amid_logins_and_changes_keeps_what_was_acknowledged_and_ends_well() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    for round in 0..3 {
        let ended = AtomicBool::new(false);
        let kdc = realm.kerberos();
        let acknowledged: Vec<String> = std::thread::scope(|scope| {
            let (shared, ended) = (&realm, &ended);
            let writers: Vec<_> = (0..3)
                .map(|writer| {
                    scope.spawn(move || {
                        let names = (0..).map(|n| format!("user-{round}-{writer}-{n}"));
                        let add = |name: &String| shared.principal("add --random-key").arg(name).run().status.success();
                        names
                            .take_while(|_| !ended.load(Ordering::SeqCst))
                            .filter(add)
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            scope.spawn(move || {
                let key = Key::from_password("wonderland", "EXAMPLE.COMalice");
                let mut request = KdcReq::initial("alice");
                request.padata.push(pa_enc_timestamp(&key, now()));
                // Nobody waits for an answer: it is load.
                let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                while !ended.load(Ordering::SeqCst) {
                    let _ = socket.send_to(&request.to_der(), kdc);
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            std::thread::sleep(Duration::from_millis(500));
            shared.signal(Signal::SIGTERM);
            std::thread::sleep(Duration::from_millis(200));
            ended.store(true, Ordering::SeqCst);
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        // A second one, to a process that may be no more: it is not waited for yet.
        assert!(realm.stop().success(), "{}", realm.log());
        assert!(!acknowledged.is_empty());
        realm.kdc("verify").run().ok();
        realm.restart();
        let listed = realm.principal("list").run().ok();
        for name in &acknowledged {
            assert!(listed.contains(&format!("{name}@EXAMPLE.COM")), "{name} is lost");
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_clock_that_jumps_ends_neither_the_daemon_nor_the_sense_of_its_tickets() {
    let mut realm = Realm::builder().with_clock().start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    let day = 86_400;
    let mut n = 0;
    for jump in [0, 3600, -7200, 30 * day, -60 * day, 400 * day, -370 * day] {
        realm.clock().forward(jump);
        for side in tessera_tests::Side::BOTH {
            let desk = realm.workstation();
            desk.tool(side, "kinit -l 1h alice").stdin("wonderland\n").run().ok();
            desk.tool(side, "kvno host/server.example.com").run().ok();
            let tgt = desk.tgt();
            let late = realm.clock().now() - tgt.starts;
            assert!((0..120).contains(&late), "{jump}: it starts {late} s ago");
            // It was asked for until an hour from when kinit began.
            assert!((3480..=3600).contains(&tgt.life()), "{jump}: {tgt:?}");
            assert_eq!(desk.ticket("host/server.example.com").ends, tgt.ends, "{jump}");
        }
        n += 1;
        realm.add(&format!("user-{n}"), "wonderland");
    }
    // The journal is in the order of the changes, whatever their times.
    realm.kill();
    realm.restart();
    assert_eq!(realm.principal("list user-*").run().ok().matches("user-").count(), n);
    realm.stop();
    realm.kdc("verify").run().ok();
}

#[test]
fn a_mistake_is_found_in_the_log_and_undone_by_a_dump_until_before_it() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    let ticket = login(
        realm.kerberos(),
        "alice",
        &Key::from_password("wonderland", "EXAMPLE.COMalice"),
    );
    realm.add("bob", "builder");
    realm.principal("remove alice").run().ok();
    let log = realm.kdc("log").run().ok();
    let removed = log.lines().last().unwrap();
    let fields: Vec<_> = removed.split('\t').collect();
    let [number, when, who, "removed", "alice", "admin.sock", "peer-credentials"] = fields.as_slice() else {
        panic!("{log}");
    };
    assert!(who.starts_with("uid ") && when.ends_with('Z'), "{removed}");
    let before = number.parse::<u64>().unwrap() - 1;

    realm.stop();
    let file = realm.directory().join("before");
    realm.kdc(&format!("dump --until {before}")).arg(&file).run().ok();
    std::fs::rename(realm.state(), realm.directory().join("aside")).unwrap();
    std::fs::create_dir(realm.state()).unwrap();
    std::fs::copy(
        realm.directory().join("aside/master.key"),
        realm.state().join("master.key"),
    )
    .unwrap();
    realm.kdc("load").arg(&file).run().ok();
    realm.restart();
    assert!(knows(&realm, "alice", "wonderland") && knows(&realm, "bob", "builder"));
    let again = ticket.ask(realm.kerberos(), &KdcReq::ticket("krbtgt/EXAMPLE.COM"));
    assert_eq!(again.code(), 0, "and her ticket is good again");
}

#[test]
fn snapshots_are_made_in_time_and_kept_as_many_as_told_to_go_back_to() {
    for (keep, section) in [(2, ""), (4, "keep-snapshots = 4\n")] {
        let mut realm = Realm::builder()
            .section(&format!("[store]\nsnapshot-every = \"1s\"\n{section}"))
            .start();
        let snapshots = |realm: &Realm| entries(&realm.state().join("snapshot"));
        let mut made = std::collections::BTreeSet::new();
        let mut n = 0;
        while made.len() < 6 {
            realm.add(&format!("user-{n}"), "wonderland");
            n += 1;
            std::thread::sleep(Duration::from_millis(200));
            // One that is being written has another name.
            let there = snapshots(&realm).into_iter();
            made.extend(there.filter(|path| path.extension().is_some_and(|name| name == "snapshot")));
        }
        realm.stop();
        let kept = snapshots(&realm);
        assert_eq!(kept.len(), keep, "{kept:?}");
        // To the oldest of them, and no further.
        let number = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
        let oldest = number(&kept[0]);
        let file = realm.directory().join("then");
        realm.kdc(&format!("dump --until {oldest}")).arg(&file).run().ok();
        realm.kdc(&format!("dump --until {}", oldest + 1)).arg(&file).run().ok();
        realm
            .kdc(&format!("dump --until {}", oldest - 1))
            .arg(&file)
            .run()
            .status(1);
        let log = realm.kdc("log").run().ok();
        assert!(log.starts_with(&format!("{}\t", oldest + 1)), "{log}");
        realm.kdc("verify").run().ok();
    }
    let idle = Realm::builder().section("[store]\nsnapshot-every = \"1s\"\n").start();
    idle.wait_for_log("a snapshot of ");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        idle.log().matches("a snapshot of ").count(),
        1,
        "nothing was changed since"
    );
}
