//! Keys of the realm change while people log in, and the daemon is killed meanwhile: nobody notices but those who were
//! just then being answered.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tessera_tests::wire::{KdcReq, Session, crypto::Key, login};
use tessera_tests::{Finished, Realm};

/// When nobody could be served: from the kill until the daemon was ready again.
type Outage = (Instant, Instant);

/// Does `work` while two people log in again and again with MIT's kinit. Every login has to succeed that was not under way
/// during an outage; how many did. `work` is given what waits until some have ended that began after now.
fn under_logins(realm: &mut Realm, work: impl FnOnce(&mut Realm, &dyn Fn()) -> Vec<Outage>) -> usize {
    let desks = [realm.workstation(), realm.workstation()];
    let (ended, logins) = (AtomicBool::new(false), AtomicUsize::new(0));
    let more = || {
        let until = logins.load(Ordering::SeqCst) + 4;
        while logins.load(Ordering::SeqCst) < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    std::thread::scope(|scope| {
        let people: Vec<_> = desks
            .iter()
            .map(|desk| {
                let (ended, count) = (&ended, &logins);
                scope.spawn(move || {
                    let mut logins: Vec<(Instant, Instant, Finished)> = Vec::new();
                    while !ended.load(Ordering::SeqCst) {
                        let from = Instant::now();
                        let finished = desk.mit("kinit alice").stdin("wonderland\n").run();
                        logins.push((from, Instant::now(), finished));
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    logins
                })
            })
            .collect();
        let outages = {
            let _ends = Ends(&ended);
            work(realm, &more)
        };
        let logins = people.into_iter().flat_map(|person| person.join().unwrap());
        let served = logins.filter(|(from, to, _)| !outages.iter().any(|outage| *from <= outage.1 && *to >= outage.0));
        let mut count = 0;
        for (_, _, finished) in served {
            finished.ok();
            count += 1;
        }
        count
    })
}

/// Says that it is over, also when a test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Kills the daemon and starts it again.
fn kill_and_restart(realm: &mut Realm) -> Outage {
    let from = Instant::now();
    realm.kill();
    realm.restart();
    (from, Instant::now())
}

fn alice(realm: &Realm) -> Session {
    login(
        realm.kerberos(),
        "alice",
        &Key::from_password("wonderland", "EXAMPLE.COMalice"),
    )
}

fn is_good(realm: &Realm, ticket: &Session) -> bool {
    ticket
        .ask(realm.kerberos(), &KdcReq::ticket("host/server.example.com"))
        .code()
        == 0
}

fn master_keys(realm: &Realm) -> Vec<u32> {
    let text = std::fs::read_to_string(realm.state().join("master.key")).unwrap();
    let number = |line: &str| line.split_once(' ')?.0.parse().ok();
    text.lines().filter_map(number).collect()
}

/// The master keys that something is sealed under, as `kdc verify` says.
fn in_use(realm: &Realm) -> Vec<u32> {
    let finished = realm.kdc("verify").run();
    // A kill may have come while the index was written; all else has to be whole.
    let mut wrong = finished.stderr.lines().filter(|line| line.starts_with("error: "));
    assert!(
        wrong.all(|line| line.ends_with("kdc rebuild makes it anew")),
        "{finished}"
    );
    let said = finished.stdout;
    let number = |line: &str| line.strip_prefix("master key ")?.split(' ').next()?.parse().ok();
    said.lines().filter_map(number).collect()
}

fn realm_of_many() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    let file = realm.directory().join("many");
    let lines: String = (0..6000)
        .map(|n| format!("{{\"name\": \"user-{n}\", \"random-key\": true}}\n"))
        .collect();
    std::fs::write(&file, lines).unwrap();
    realm.principal("import").arg(&file).run().ok();
    realm
}

/// Begins another rollover and kills the daemon when the first principals are done. Nothing, if it was none: it may have
/// joined what goes on since the start, and found nothing to do.
fn roll_over_and_kill(realm: &mut Realm) -> Option<Instant> {
    let mut asking = realm
        .kdc("rotate-master-key")
        .into_command()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(asking.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    if first.is_empty() {
        assert!(asking.wait().unwrap().success());
        return None;
    }
    let at = Instant::now();
    realm.signal(Signal::SIGKILL);
    assert!(first.contains("principals sealed anew"), "{first}");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    if !asking.wait().unwrap().success() {
        assert!(
            rest.contains("goes on when it is started anew") || rest.contains("connection"),
            "{rest}"
        );
    }
    realm.kill();
    Some(at)
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_master_key_changes_under_logins_and_a_kill_half_way_loses_nothing() {
    let mut realm = realm_of_many();
    let ticket = alice(&realm);
    let listed = realm.principal("list").run().ok();
    assert_eq!(in_use(&realm), [1]);
    let served = under_logins(&mut realm, |realm, more_logins| {
        let mut outages = Vec::new();
        // Whoever is too late for half-way begins another one.
        let half_way = (0..5).any(|_| {
            let Some(from) = roll_over_and_kill(realm) else {
                return false;
            };
            let found = in_use(realm);
            realm.restart();
            outages.push((from, Instant::now()));
            found.len() == 2
        });
        assert!(half_way, "the daemon was never killed half-way");
        realm.wait_for_log("principals were sealed anew");
        assert!(is_good(realm, &ticket));
        let newest = *master_keys(realm).last().unwrap();
        assert_eq!(in_use(realm), [newest], "it went on by itself");
        more_logins();
        // And once more, to its end.
        let said = realm.kdc("rotate-master-key").run().ok();
        assert!(said.contains(&format!("master key {} seals now", newest + 1)), "{said}");
        assert!(said.contains("stays in the file"), "{said}");
        more_logins();
        outages
    });
    assert!(served > 0);
    let newest = *master_keys(&realm).last().unwrap();
    assert_eq!(in_use(&realm), [newest]);
    realm.stop();

    // No older one is needed by anything that is served.
    let key = realm.state().join("master.key");
    let text = std::fs::read_to_string(&key).unwrap();
    let kept: String = text
        .lines()
        .filter(|line| {
            !line.starts_with(|first: char| first.is_ascii_digit()) || line.starts_with(&format!("{newest} "))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&key, kept).unwrap();
    assert_eq!(master_keys(&realm), [newest]);
    realm.kdc("verify").run().ok();
    realm.restart();
    assert!(is_good(&realm, &ticket), "a ticket from before");
    assert_eq!(
        realm.principal("list").run().ok().lines().count(),
        listed.lines().count()
    );
    realm.workstation().mit("kinit alice").stdin("wonderland\n").run().ok();
    assert_eq!(mode(&key), 0o600);
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn without_a_daemon_the_master_key_changes_as_well_and_a_credential_is_not_written() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.stop();
    let said = realm.kdc("rotate-master-key").run().ok();
    assert!(said.contains("master key 2 seals now"), "{said}");
    assert_eq!(in_use(&realm), [2]);
    realm.restart();
    let _ = alice(&realm);
    realm.stop();
    let credentials = realm.directory().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::rename(realm.state().join("master.key"), credentials.join("tessera-master-key")).unwrap();
    let rotate = realm
        .kdc("rotate-master-key")
        .env("CREDENTIALS_DIRECTORY", &credentials);
    let said = rotate.run().status(1);
    assert!(
        said.contains("credential of the service manager") && said.contains("add a line"),
        "{said}"
    );
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_ticket_granting_services_key_changes_under_logins_and_kills_and_old_tickets_stay_good() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    let mut tickets = vec![alice(&realm)];
    let version = |realm: &Realm| {
        let shown = realm.principal("show --json krbtgt/EXAMPLE.COM").run().ok();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown["keys"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|key| key["kvno"].as_u64())
            .max()
            .unwrap()
    };
    let served = under_logins(&mut realm, |realm, more_logins| {
        let mut outages = Vec::new();
        for round in 0..6 {
            let before = version(realm);
            let mut asking = realm
                .principal("rotate krbtgt/EXAMPLE.COM")
                .into_command()
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            if round % 2 == 0 {
                std::thread::sleep(Duration::from_millis(round * 3));
                outages.push(kill_and_restart(realm));
            }
            let done = asking.wait().unwrap().success();
            let after = version(realm);
            assert!(
                after == before + 1 || (!done && after == before),
                "{before} {after} {done}"
            );
            assert!(tickets.iter().all(|ticket| is_good(realm, ticket)), "round {round}");
            tickets.push(alice(realm));
            more_logins();
        }
        outages
    });
    assert!(served > 0);
    assert!(version(&realm) >= 4);
    assert!(tickets.iter().all(|ticket| is_good(&realm, ticket)));
}
