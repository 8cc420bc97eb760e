//! What the realm was told survives a stop, a crash, damage, and a move to another machine.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use tessera_tests::wire::{KdcReq, ask, crypto::Key, keytab, login, now, pa_enc_timestamp};
use tessera_tests::{Exposition, Realm, Side, http};

fn knows(realm: &Realm, client: &str, password: &str) -> bool {
    let key = Key::from_password(password, &format!("EXAMPLE.COM{client}"));
    let mut request = KdcReq::initial(client);
    request.padata.push(pa_enc_timestamp(&key, now()));
    ask(realm.kerberos(), &request.to_der()).code() == 0
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_restart_keeps_principals_keys_and_tickets() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    let service = realm.add_service("host/server.example.com");
    realm.principal("alias alice al").run().ok();
    realm.principal("set alice --max-life 1h --forwardable no").run().ok();
    let desk = realm.workstation();
    desk.mit("kinit -r 1d alice").stdin("wonderland\n").run().ok();
    let shown = realm.principal("show alice --json").run().ok();
    for stop in [true, false] {
        if stop {
            assert!(realm.stop().success());
        } else {
            realm.kill();
        }
        realm.restart();
        assert_eq!(realm.principal("show alice --json").run().ok(), shown);
        // The ticket from before, the password from before, and the keytab.
        for side in Side::BOTH {
            desk.tool(side, "kvno host/server.example.com").run().ok();
            desk.tool(side, "kinit -R").run().ok();
            realm
                .workstation()
                .tool(side, "kinit al")
                .stdin("wonderland\n")
                .run()
                .ok();
            realm
                .workstation()
                .tool(side, "kinit -k -t")
                .arg(&service)
                .arg("host/server.example.com")
                .run()
                .ok();
        }
    }
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let mut realm = Realm::start();
    for round in 0..3 {
        let ended = AtomicBool::new(false);
        let acknowledged: Vec<String> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let (realm, ended) = (&realm, &ended);
                    scope.spawn(move || {
                        let names = (0..).map(|n| format!("user-{round}-{writer}-{n}"));
                        let add = |name: &String| realm.principal("add --random-key").arg(name).run().status.success();
                        names
                            .take_while(|_| !ended.load(Ordering::SeqCst))
                            .filter(add)
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            std::thread::sleep(std::time::Duration::from_millis(700));
            realm.signal(nix::sys::signal::Signal::SIGKILL);
            ended.store(true, Ordering::SeqCst);
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        realm.kill();
        realm.restart();
        let listed = realm.principal("list").run().ok();
        assert!(!acknowledged.is_empty());
        for name in &acknowledged {
            assert!(
                listed.lines().any(|line| line.contains(&format!("{name}@EXAMPLE.COM"))),
                "{name} is lost"
            );
        }
    }
    realm.stop();
    realm.kdc("verify").run().ok();
}

#[test]
fn a_dump_makes_the_same_realm_elsewhere() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.principal("alias alice al").run().ok();
    realm.principal("lock alice").run().ok();
    realm.principal("unlock alice").run().ok();
    realm.add("bob", "builder");
    realm.principal("remove bob").run().ok();
    let service = realm.add_service("host/server.example.com");
    let ticket = login(
        realm.kerberos(),
        "alice",
        &Key::from_password("wonderland", "EXAMPLE.COMalice"),
    );
    let mut realm = realm;
    realm.stop();
    let dump = realm.directory().join("dump");
    realm.kdc("dump").arg(&dump).run().ok();
    assert_eq!(mode(&dump) & 0o077, 0, "a dump is for its owner alone");

    let mut other = Realm::builder().stopped();
    // Its keys stay sealed under the master key, which is kept apart.
    other.kdc("load").arg(&dump).run().refused_with("master.key");
    std::fs::create_dir_all(other.state()).unwrap();
    std::fs::copy(realm.state().join("master.key"), other.state().join("master.key")).unwrap();
    other.kdc("load").arg(&dump).run().ok();
    other.kdc("verify").run().ok();
    other.restart();
    assert!(knows(&other, "alice", "wonderland"));
    assert!(!knows(&other, "bob", "builder"));
    let elsewhere = keytab::read(&other.keytab("host/server.example.com"));
    assert_eq!(elsewhere, keytab::read(&service));
    assert_eq!(
        ticket
            .ask(other.kerberos(), &KdcReq::ticket("host/server.example.com"))
            .code(),
        0,
        "its TGTs are good"
    );
    // Over a realm that is there nothing is loaded.
    other.stop();
    let said = other.kdc("load").arg(&dump).run().status(1);
    assert!(said.contains(&other.state().display().to_string()), "{said}");
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_damaged_dump_is_not_loaded() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.stop();
    let dump = realm.directory().join("dump");
    realm.kdc("dump").arg(&dump).run().ok();
    let good = std::fs::read(&dump).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for damage in [&b""[..], b"garbage", &good[..good.len() / 2], &flipped] {
        std::fs::write(&dump, damage).unwrap();
        let other = Realm::builder().stopped();
        other.kdc("load").arg(&dump).run().status(1);
    }
}

#[test]
fn secrets_on_disk_are_for_the_daemon_alone_and_sealed() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let service = realm.add_service("host/server.example.com");
    assert_eq!(mode(&realm.state()) & 0o077, 0);
    let keys: Vec<_> = keytab::read(&service).into_iter().map(|entry| entry.key).collect();
    for file in files(&realm.state()) {
        let octets = std::fs::read(&file).unwrap();
        let holds = |needle: &[u8]| octets.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(b"wonderland"), "{}", file.display());
        assert!(!keys.iter().any(|key| holds(key)), "{}", file.display());
        if file.file_name().unwrap().to_string_lossy().contains("master") {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let (directories, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|path| path.is_dir());
    let regular = others.into_iter().filter(|path| path.is_file());
    regular.chain(directories.iter().flat_map(|path| files(path))).collect()
}

/// The journal's newest file that holds something.
fn journal(realm: &Realm) -> PathBuf {
    let mut journals: Vec<_> = files(&realm.state())
        .into_iter()
        .filter(|path| path.display().to_string().contains("journal"))
        .filter(|path| std::fs::metadata(path).unwrap().len() > 0)
        .collect();
    journals.sort();
    journals.pop().expect("no journal")
}

#[test]
fn an_index_that_is_gone_or_damaged_is_made_anew() {
    let mut realm = Realm::start();
    for n in 0..20 {
        realm.add(&format!("user-{n}"), "wonderland");
    }
    let listed = realm.principal("list").run().ok();
    for damage in ["gone", "garbage", "cut"] {
        realm.stop();
        let index = realm.state().join("index");
        assert!(index.is_dir(), "{:?}", files(&realm.state()));
        for file in files(&index) {
            let octets = std::fs::read(&file).unwrap();
            match damage {
                "gone" => std::fs::remove_file(&file).unwrap(),
                "garbage" => {
                    std::fs::write(&file, octets.iter().map(|octet| octet ^ 0x5a).collect::<Vec<_>>()).unwrap();
                }
                _ => std::fs::write(&file, &octets[..octets.len() / 2]).unwrap(),
            }
        }
        realm.restart();
        assert_eq!(realm.principal("list").run().ok(), listed, "{damage}");
        assert!(knows(&realm, "user-7", "wonderland"), "{damage}");
    }
}

#[test]
fn a_torn_end_of_the_journal_is_cut_off_and_said() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.kill();
    let path = journal(&realm);
    std::fs::File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(&[0x11; 37])
        .unwrap();
    realm.restart();
    realm.wait_for_log("ended in a frame that was never finished; 37 octets from ");
    assert!(knows(&realm, "alice", "wonderland"));
    realm.add("bob", "builder");
    realm.stop();
    realm.restart();
    assert!(knows(&realm, "bob", "builder"));
}

#[test]
fn damage_inside_the_journal_is_named_and_nothing_is_served() {
    let mut realm = Realm::start();
    for n in 0..10 {
        realm.add(&format!("user-{n}"), "wonderland");
    }
    realm.stop();
    let path = journal(&realm);
    let mut file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut octet = [0];
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.read_exact(&mut octet).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(&[octet[0] ^ 0x40]).unwrap();
    let damaged = std::fs::read(&path).unwrap();
    let said = realm.refused().refused();
    assert!(
        said.contains(&path.file_name().unwrap().to_string_lossy().into_owned()),
        "{said}"
    );
    assert!(
        said.contains("offset") || said.contains("octet") || said.contains("byte"),
        "{said}"
    );
    assert_eq!(
        std::fs::read(&path).unwrap(),
        damaged,
        "and nothing is mended behind anybody's back"
    );
    realm.kdc("verify").run().status(1);
}

#[test]
fn a_full_disk_refuses_changes_and_serves_on() {
    // A limit on the size of files stands for a disk that is full; with SIGXFSZ ignored, writes fail with an error.
    let mut realm = Realm::builder().watched().stopped();
    realm.restart_ignoring("XFSZ");
    realm.add("alice", "wonderland");
    let ready = || http::get(realm.metrics(), "/readyz").body;
    assert_eq!(ready(), "ready\n");
    let limit = |size: &str| {
        let pid = realm.pid().to_string();
        let status = Command::new("prlimit")
            .args(["--pid", &pid, &format!("--fsize={size}:unlimited")])
            .status();
        assert!(status.unwrap().success());
    };
    limit("1");
    let said = realm.principal("add bob --random-key").run().status(1);
    assert!(
        said.contains("nothing was changed") || said.contains("No space") || said.contains("File too large"),
        "{said}"
    );
    assert!(knows(&realm, "alice", "wonderland"), "logins go on");
    assert!(
        ready().starts_with("ready, degraded: the journal cannot be written: "),
        "{}",
        ready()
    );
    let page = Exposition::parse(&http::get(realm.metrics(), "/metrics").body);
    assert_eq!(page.sum("tessera_store_writable", &[]), 0.0);
    assert!(page.sum("tessera_journal_write_failures_total", &[]) >= 1.0);
    realm.principal("show bob").run().status(1);
    limit("unlimited");
    let recovered = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        realm.principal("add carol --random-key").run().status.success()
    });
    assert!(recovered, "there is room again, and it is not noticed");
    assert_eq!(ready(), "ready\n");
    realm.kill();
    realm.restart();
    realm.principal("show carol").run().ok();
    realm.principal("show bob").run().status(1);
}

#[test]
fn a_dump_can_end_before_the_last_changes() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    let said = realm.principal("show alice --json").run().ok();
    let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
    let revision = shown["revision"].as_u64().unwrap();
    realm.add("mallory", "mistake");
    realm.stop();
    let dump = realm.directory().join("dump");
    realm.kdc(&format!("dump --until {revision}")).arg(&dump).run().ok();
    let mut other = Realm::builder().stopped();
    std::fs::create_dir(other.state()).unwrap();
    std::fs::copy(realm.state().join("master.key"), other.state().join("master.key")).unwrap();
    other.kdc("load").arg(&dump).run().ok();
    other.restart();
    assert!(knows(&other, "alice", "wonderland"));
    other.principal("show mallory").run().status(1);
}

#[test]
fn an_index_can_be_made_anew_on_demand() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.kdc("rebuild").run().status(1);
    realm.stop();
    realm.kdc("rebuild").run().ok();
    realm.kdc("verify").run().ok();
    realm.restart();
    assert!(knows(&realm, "alice", "wonderland"));
}
