//! The event log: what happened is in it, line by line, whatever becomes of the disk, and programs that others wrote read it.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tessera_tests::wire::{KdcReq, ask, crypto::Key, now, pa_enc_timestamp};
use tessera_tests::{Realm, Tool, until};

const PATIENCE: Duration = Duration::from_secs(120);

fn events_directory(realm: &Realm) -> PathBuf {
    realm.state().join("events")
}

/// The lines of all files in their order, through `zstdcat` where they are compressed.
fn lines(directory: &Path) -> Vec<Value> {
    let mut text = String::new();
    for path in rotated(directory).into_iter().chain([directory.join("current.jsonl")]) {
        // One may be compressed between the listing and the look.
        let path = if path.exists() {
            path
        } else {
            path.with_extension("jsonl.zst")
        };
        text += &match path.extension() {
            Some(end) if end == "zst" => {
                let read = installed("zstdcat").arg(&path).run();
                // It may be old enough to go at this very moment.
                if path.exists() { read.ok() } else { read.stdout }
            }
            _ => fs::read_to_string(&path).unwrap_or_default(),
        };
    }
    // What comes behind the last end of a line is being written.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    text[..whole]
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect()
}

/// The number of the oldest event that there is.
fn first(directory: &Path) -> Option<u64> {
    lines(directory).first().and_then(|event| event["seq"].as_u64())
}

fn rotated(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("events-") && !name.ends_with(".new")
    };
    let mut paths: Vec<_> = entries.filter(named).collect();
    paths.sort();
    paths
}

fn installed(program: &str) -> Tool {
    Tool::new(program.into(), program)
}

/// What `jq -r` makes of the file that is written to.
fn jq(realm: &Realm, filter: &str) -> String {
    let file = events_directory(realm).join("current.jsonl");
    installed("jq").arg("-r").arg(filter).arg(file).run().ok()
}

#[track_caller]
fn numbered_without_a_gap(events: &[Value]) {
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    let first = numbers[0];
    assert_eq!(numbers, (first..first + numbers.len() as u64).collect::<Vec<_>>());
}

fn rewrite(realm: &Realm, from: &str, to: &str) {
    let toml = fs::read_to_string(realm.toml()).unwrap();
    assert!(toml.contains(from), "{from} is not in {toml}");
    fs::write(realm.toml(), toml.replace(from, to)).unwrap();
}

fn reload(realm: &Realm, from: &str, to: &str) -> String {
    rewrite(realm, from, to);
    realm.principal("reload").run().ok()
}

/// Asks for a ticket, so that there is an event, and waits for no answer.
fn knock(realm: &Realm, times: usize) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let request = KdcReq::initial("nobody-of-this-name").to_der();
    for _ in 0..times {
        socket.send_to(&request, realm.kerberos()).unwrap();
    }
}

fn refused(events: &[Value]) -> usize {
    let nobody = |event: &&Value| event["client"] == "nobody-of-this-name";
    events.iter().filter(nobody).count()
}

/// How large files may get: what is written past that fails, as on a disk that is full.
fn limit_files(realm: &Realm, size: &str) {
    let pid = realm.pid().to_string();
    let status = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={size}:unlimited")])
        .status();
    assert!(status.unwrap().success());
}

#[test]
#[ignore = "needs MIT's tools"]
fn every_login_change_and_request_of_an_administrator_is_a_line_for_jq() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/www.example.com");
    let desk = realm.workstation();
    desk.mit("kinit alice").stdin("wrong\n").run().status(1);
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    desk.mit("kvno host/www.example.com").run().ok();
    desk.mit("kpasswd alice")
        .stdin("wonderland\nlooking-glass\nlooking-glass\n")
        .run()
        .ok();
    realm.principal("rename alice alicia").run().ok();
    desk.mit("kinit alicia").stdin("looking-glass\n").run().ok();
    realm.principal("remove alicia").run().ok();
    realm.principal("show alicia").run().status(1);
    realm.stop();

    let id = jq(
        &realm,
        r#"select(.kind == "as" and .client == "alice" and .result == "issued")."client-id""#,
    );
    let id = id.lines().next().unwrap();
    assert_eq!(id.len(), 32, "{id}");
    let of_alice = format!(
        r#"select(."client-id" == "{id}" or ."service-id" == "{id}") | [.kind, .client, .service, .request, .result, .reason] | map(. // "-") | join(" ")"#
    );
    let told = jq(&realm, &of_alice);
    let mut from = told.as_str();
    for line in [
        "admin uid 0 alice add done -",
        "as alice krbtgt/EXAMPLE.COM - refused proof-missing",
        "as alice krbtgt/EXAMPLE.COM - refused wrong-proof",
        "as alice krbtgt/EXAMPLE.COM - issued -",
        "tgs alice host/www.example.com - issued -",
        "as alice kadmin/changepw - issued -",
        "password alice@EXAMPLE.COM alice@EXAMPLE.COM - password-changed -",
        "admin uid 0 alice rename done -",
        "as alicia krbtgt/EXAMPLE.COM - issued -",
        "admin uid 0 alicia remove done -",
    ] {
        let line = line.replace("uid 0", &format!("uid {}", nix::unistd::Uid::effective()));
        let (_, rest) = from
            .split_once(&line)
            .unwrap_or_else(|| panic!("{line} is not next in\n{told}"));
        from = rest;
    }
    assert!(!told.contains("show"), "there is nobody of that id any more\n{told}");
    let refused = jq(
        &realm,
        r#"select(.request == "show") | [.reason, .via, .factor] | join(" ")"#,
    );
    assert_eq!(refused.trim(), "not-found socket peer-credentials");
    let ends = jq(&realm, r#"select(.kind == "started" or .kind == "stopped").kind"#);
    assert_eq!(ends, "started\nstopped\n");
    numbered_without_a_gap(&lines(&events_directory(&realm)));

    let directory = fs::metadata(events_directory(&realm)).unwrap();
    let file = fs::metadata(events_directory(&realm).join("current.jsonl")).unwrap();
    assert_eq!((directory.mode() & 0o777, file.mode() & 0o777), (0o700, 0o600));
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_daemons_own_changes_and_shut_outs_are_events() {
    let realm = Realm::builder()
        .with_clock()
        .section("[keys]\nkrbtgt-every = \"1d\"")
        .section("[policies.default]\nmax-failures = 2\nlockout = \"1h\"")
        .start();
    realm.add("alice", "wonderland");
    for _ in 0..2 {
        let mut request = KdcReq::initial("alice");
        request.padata.push(pa_enc_timestamp(
            &Key::from_password("wrong", "EXAMPLE.COMalice"),
            now(),
        ));
        let _ = ask(realm.kerberos(), &request.to_der());
    }
    realm.clock().forward(86_400 + 60);
    realm.principal("reload").run().ok();
    let directory = events_directory(&realm);
    let event_of = |kind: &str, client: &str| {
        let is = |event: &Value| event["kind"] == kind && event["client"] == client;
        lines(&directory).into_iter().find(is)
    };
    until("the key was changed", || event_of("admin", "kdc").is_some());
    let rotated = event_of("admin", "kdc").unwrap();
    assert_eq!(
        (&rotated["request"], &rotated["service"]),
        (&"rotate".into(), &"krbtgt/EXAMPLE.COM".into())
    );
    assert!(
        rotated["service-id"].is_string() && rotated["detail"] == "kvno 2",
        "{rotated}"
    );
    let shut_out = event_of("shut-out", "alice@EXAMPLE.COM").unwrap();
    assert_eq!(
        (&shut_out["count"], &shut_out["detail"]),
        (&2.into(), &"principal".into())
    );
    assert!(
        shut_out["client-id"].is_string() && shut_out["until"].is_string(),
        "{shut_out}"
    );
}

#[test]
#[ignore = "needs MIT's tools"]
fn files_are_put_aside_by_size_and_age_and_compressed_for_zstdcat_and_go_when_they_are_old_or_too_many() {
    let realm = Realm::builder()
        .with_clock()
        .section("[accounting]\nrotate-size = \"8K\"\nrotate-every = \"1d\"\nkeep = \"10d\"\nmax-size = \"1M\"\ncompress = true")
        .start();
    let directory = events_directory(&realm);
    let compressed = || {
        rotated(&directory)
            .iter()
            .filter(|path| path.extension().unwrap() == "zst")
            .count()
    };
    knock(&realm, 60);
    until("a full file is compressed", || {
        compressed() == 1 && rotated(&directory).len() == 1
    });
    numbered_without_a_gap(&lines(&directory));

    // By age, and not compressed.
    reload(&realm, "compress = true", "compress = false");
    realm.clock().forward(2 * 86_400);
    until("an old file is put aside", || rotated(&directory).len() == 2);
    assert_eq!(compressed(), 1);
    until("all of them are there", || refused(&lines(&directory)) == 60);
    numbered_without_a_gap(&lines(&directory));

    // What is too much goes, the oldest first; then what is too old.
    reload(&realm, "rotate-size = \"8K\"", "rotate-size = \"4K\"");
    reload(&realm, "max-size = \"1M\"", "max-size = \"16K\"");
    until("the oldest is gone", || {
        knock(&realm, 10);
        first(&directory) > Some(1)
    });
    reload(&realm, "max-size = \"16K\"", "max-size = 0");
    let oldest = first(&directory);
    realm.clock().forward(20 * 86_400);
    until("what is old is gone", || {
        knock(&realm, 1);
        first(&directory) > oldest
    });
    realm.wait_for_log("are past what [accounting] keep and max-size allow, and gone");
}

#[test]
fn a_daemon_that_is_killed_goes_on_behind_the_last_whole_line_and_says_so() {
    let mut realm = Realm::start();
    let directory = events_directory(&realm);
    until("it is written", || !lines(&directory).is_empty());
    realm.kill();
    let path = directory.join("current.jsonl");
    let torn = fs::read_to_string(&path).unwrap() + "{\"seq\":99,\"time\":\"2026";
    fs::write(&path, torn).unwrap();
    realm.restart();
    realm.wait_for_log("the event log ended in the middle of a line");
    realm.stop();
    let events = lines(&directory);
    numbered_without_a_gap(&events);
    let second = events.iter().filter(|event| event["kind"] == "started").nth(1).unwrap();
    assert!(second["detail"].as_str().unwrap().contains("did not stop in order"));
}

#[test]
fn a_full_disk_keeps_nobody_from_logging_in_and_what_is_lost_is_counted() {
    let mut realm = Realm::builder()
        .section("[accounting]\nqueue = \"16K\"\nwhen-slow = \"drop-and-count\"")
        .start();
    let directory = events_directory(&realm);
    until("it is written", || !lines(&directory).is_empty());
    limit_files(&realm, "1");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..200 {
        socket
            .send_to(&KdcReq::initial("nobody-of-this-name").to_der(), realm.kerberos())
            .unwrap();
        assert!(socket.recv(&mut [0; 4096]).unwrap() > 0, "everybody is answered");
    }
    limit_files(&realm, "unlimited");
    until("it is said how many are lost", || {
        lines(&directory).iter().any(|event| event["kind"] == "lost")
    });
    realm.stop();
    let events = lines(&directory);
    let lost: u64 = events
        .iter()
        .filter(|event| event["kind"] == "lost")
        .map(|event| event["count"].as_u64().unwrap())
        .sum();
    assert_eq!(refused(&events) as u64 + lost, 200);
    let last = events.last().unwrap()["seq"].as_u64().unwrap();
    assert_eq!(last - events.len() as u64, lost, "each that is lost has left a gap");
}

#[test]
fn a_full_disk_makes_requests_wait_and_loses_none_where_that_is_asked_for() {
    let mut realm = Realm::builder()
        .section("[accounting]\nqueue = \"16K\"\nwhen-slow = \"block\"")
        .start();
    let directory = events_directory(&realm);
    until("it is written", || !lines(&directory).is_empty());
    limit_files(&realm, "1");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let request = KdcReq::initial("nobody-of-this-name").to_der();
    let mut sent = 0;
    let answered = || socket.recv(&mut [0; 4096]).is_ok();
    loop {
        socket.send_to(&request, realm.kerberos()).unwrap();
        sent += 1;
        if !answered() {
            break;
        }
        assert!(sent < 10_000, "16 KiB have room for them all");
    }
    limit_files(&realm, "unlimited");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(answered(), "who waited is answered");
    realm.stop();
    let events = lines(&directory);
    assert_eq!(refused(&events), sent);
    numbered_without_a_gap(&events);
}

#[test]
fn a_directory_that_is_taken_away_is_made_anew() {
    let realm = Realm::start();
    let directory = events_directory(&realm);
    until("it is written", || !lines(&directory).is_empty());
    fs::remove_dir_all(&directory).unwrap();
    knock(&realm, 1);
    until("events go on", || {
        directory.exists() && refused(&lines(&directory)) == 1
    });
    realm.wait_for_log("the event log's file was taken away");
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_clock_that_is_set_back_is_told_and_numbers_go_on() {
    let realm = Realm::builder().with_clock().start();
    let directory = events_directory(&realm);
    realm.clock().forward(-7200);
    until("it is told", || {
        lines(&directory).iter().any(|event| event["kind"] == "clock-set-back")
    });
    knock(&realm, 1);
    until("events go on", || refused(&lines(&directory)) == 1);
    let events = lines(&directory);
    numbered_without_a_gap(&events);
    assert!(events.last().unwrap()["time"].as_str() < events[0]["time"].as_str());
}

#[test]
fn a_directory_that_cannot_be_trusted_or_used_keeps_the_daemon_from_starting() {
    let realm = Realm::builder().section("[accounting]\ndirectory = \"log\"").stopped();
    let log = realm.directory().join("log");
    fs::create_dir(&log).unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o777)).unwrap();
    realm
        .refused()
        .refused_with("can be written to by others (mode 777); chmod 0700 it");
    if nix::unistd::Uid::effective().is_root() {
        fs::set_permissions(&log, fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(&log, Some(65_534), None).unwrap();
        realm.refused().refused_with("belongs to uid 65534");
    }
    fs::remove_dir(&log).unwrap();
    fs::write(&log, "").unwrap();
    realm.refused().refused_with("the event log's directory");
    fs::remove_file(&log).unwrap();
    let mut realm = realm;
    realm.restart();
    until("it is where it was told to be", || !lines(&log).is_empty());
    assert!(!events_directory(&realm).exists());
    let note = reload(&realm, "directory = \"log\"", "directory = \"other\"");
    assert!(
        note.contains("accounting.directory is changed; that takes effect when kdc is started anew"),
        "{note}"
    );
}

#[test]
fn no_event_log_is_kept_where_that_is_said() {
    let realm = Realm::builder().section("[accounting]\nenabled = false").start();
    knock(&realm, 1);
    realm.wait_for_log("client=nobody-of-this-name");
    assert!(!events_directory(&realm).exists());
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_log_on_standard_error_is_json_or_without_requests_as_it_is_told() {
    let realm = Realm::builder()
        .section("[log]\nformat = \"json\"\nrequests = true")
        .start();
    knock(&realm, 1);
    realm.wait_for_log("nobody-of-this-name");
    let log = realm.directory().join("stderr");
    let told = installed("jq")
        .arg("-r")
        .arg(r#"select(.message == "request") | [.level, .kind, .client] | join(" ")"#)
        .arg(&log);
    assert_eq!(told.run().ok(), "info as nobody-of-this-name\n");
    installed("jq")
        .arg("-e")
        .arg(".time and .level and .message")
        .arg(&log)
        .run()
        .ok();
    reload(&realm, "requests = true", "requests = false");
    let before = realm.log().matches("nobody-of-this-name").count();
    knock(&realm, 1);
    let directory = events_directory(&realm);
    until("it is an event", || refused(&lines(&directory)) == 2);
    reload(&realm, "format = \"json\"", "format = \"text\"");
    realm.wait_for_log("info  admin by=");
    assert_eq!(realm.log().matches("nobody-of-this-name").count(), before);
}

/// A program that is ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.0.id().try_into().unwrap()),
            Signal::SIGTERM,
        );
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn rsyslogd_takes_events_from_its_socket() {
    let realm = Realm::builder().section("[accounting]\nsyslog = \"syslog\"").stopped();
    let (socket, file) = (realm.directory().join("syslog"), realm.directory().join("messages"));
    let config = realm.directory().join("rsyslog.conf");
    let text = format!(
        "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\")\n\
         template(name=\"fields\" type=\"string\" string=\"%syslogfacility-text% %syslogseverity-text% %programname% %msg%\\n\")\n\
         *.* action(type=\"omfile\" file=\"{}\" template=\"fields\")\n",
        socket.display(),
        file.display()
    );
    fs::write(&config, text).unwrap();
    let pid = realm.directory().join("rsyslog.pid");
    let mut rsyslogd = Command::new("/usr/sbin/rsyslogd");
    rsyslogd
        .arg("-n")
        .arg("-i")
        .arg(pid)
        .arg("-f")
        .arg(&config)
        .stderr(Stdio::null());
    let _rsyslogd = Running(rsyslogd.spawn().unwrap());
    until("rsyslogd is ready", || socket.exists());
    let mut realm = realm;
    realm.restart();
    knock(&realm, 1);
    let taken = || fs::read_to_string(&file).unwrap_or_default();
    until("rsyslogd has it", || taken().contains("nobody-of-this-name"));
    let text = taken();
    let line = text.lines().find(|line| line.contains("nobody-of-this-name")).unwrap();
    let json = line
        .strip_prefix("authpriv notice kdc  ")
        .unwrap_or_else(|| panic!("{line}"));
    let event: Value = serde_json::from_str(json).unwrap();
    assert_eq!((&event["kind"], &event["result"]), (&"as".into(), &"refused".into()));
}

#[test]
#[ignore = "needs MIT's tools"]
fn journald_takes_events_with_their_fields() {
    let realm = Realm::builder()
        .section("[accounting]\njournald = \"run/systemd/journal/socket\"")
        .stopped();
    let base = realm.directory();
    let socket = base.join("run/systemd/journal/socket");
    fs::create_dir_all(base.join("run/log/journal")).unwrap();
    fs::create_dir_all(base.join("run/systemd/journal")).unwrap();
    fs::write(base.join("machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let settings = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\nForwardToWall=no\n";
    fs::write(base.join("journald.conf"), settings).unwrap();
    // In a mount namespace of its own, where /run is the test's.
    let script = "mount --bind \"$0/machine-id\" /etc/machine-id && mount --bind \"$0/journald.conf\" /etc/systemd/journald.conf && \
                  mount --bind \"$0/run\" /run && exec /usr/lib/systemd/systemd-journald";
    let mut journald = Command::new("unshare");
    journald
        .args(["-m", "sh", "-c", script])
        .arg(base)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _journald = Running(journald.spawn().unwrap());
    until("journald is ready", || socket.exists());
    let mut realm = realm;
    realm.restart();
    knock(&realm, 1);
    let journal = realm.directory().join("run/log/journal");
    let found = || {
        let journalctl = installed("journalctl")
            .arg("--no-pager")
            .arg("-o")
            .arg("json")
            .arg("--directory")
            .arg(&journal);
        journalctl.arg("TESSERA_CLIENT=nobody-of-this-name").run().stdout
    };
    until("journald has it", || found().contains("nobody-of-this-name"));
    let event: Value = serde_json::from_str(found().lines().next().unwrap()).unwrap();
    for (field, value) in [
        ("TESSERA_KIND", "as"),
        ("TESSERA_RESULT", "refused"),
        ("PRIORITY", "5"),
        ("SYSLOG_IDENTIFIER", "kdc"),
    ] {
        assert_eq!(event[field], value, "{event}");
    }
    assert!(
        event["MESSAGE"]
            .as_str()
            .unwrap()
            .starts_with("as client=nobody-of-this-name"),
        "{event}"
    );
}

/// A file system in a file; thawed, taken down and removed when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let disk = Self(tempfile::TempDir::with_prefix("tessera-disk-").unwrap());
        let image = disk.0.path().join("image");
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        fs::create_dir(disk.mounted()).unwrap();
        installed("mkfs.ext4").arg("-q").arg(&image).run().ok();
        installed("mount")
            .arg("-o")
            .arg("loop")
            .arg(&image)
            .arg(disk.mounted())
            .run()
            .ok();
        disk
    }

    fn mounted(&self) -> PathBuf {
        self.0.path().join("mounted")
    }

    fn freeze(&self) {
        installed("fsfreeze").arg("--freeze").arg(self.mounted()).run().ok();
    }

    fn thaw(&self) {
        installed("fsfreeze").arg("--unfreeze").arg(self.mounted()).run().ok();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Thawed already is as good; one that a program still has open goes when that ends.
        let _ = installed("fsfreeze").arg("--unfreeze").arg(self.mounted()).run();
        let _ = installed("umount").arg("--lazy").arg(self.mounted()).run();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn nobody_waits_for_a_disk_that_is_frozen_and_nothing_is_lost() {
    let disk = SmallDisk::new();
    let directory = disk.mounted().join("events");
    let section = format!("[accounting]\ndirectory = {directory:?}");
    let mut realm = Realm::builder().section(&section).start();
    until("it is written", || !lines(&directory).is_empty());
    disk.freeze();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..100 {
        socket
            .send_to(&KdcReq::initial("nobody-of-this-name").to_der(), realm.kerberos())
            .unwrap();
        assert!(socket.recv(&mut [0; 4096]).unwrap() > 0, "everybody is answered");
    }
    assert_eq!(refused(&lines(&directory)), 0, "none is written yet");
    disk.thaw();
    realm.stop();
    let events = lines(&directory);
    assert_eq!(refused(&events), 100);
    numbered_without_a_gap(&events);
}
