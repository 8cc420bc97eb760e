//! What the daemon gives up before it serves: root's rights, and the sight of what it does not need.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use nix::sys::signal::Signal;
use tessera_tests::{Realm, Tool, binary, installed};

/// A field of /proc/PID/status; `None`, the thread has ended meanwhile.
fn status(realm: &Realm, task: &str, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{}/task/{task}/status", realm.pid())).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Some(line.unwrap().split_whitespace().collect::<Vec<_>>().join(" "))
}

fn tasks(realm: &Realm) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", realm.pid())).unwrap();
    tasks
        .map(|task| task.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn with_dictionary(realm: &Realm, dictionary: &str) {
    let toml = fs::read_to_string(realm.toml()).unwrap();
    let before = toml.split("[passwords]").next().unwrap();
    fs::write(
        realm.toml(),
        format!("{before}[passwords]\ndictionary = {dictionary:?}\n"),
    )
    .unwrap();
}

#[test]
fn the_kernel_keeps_the_daemon_from_files_that_it_was_not_started_with() {
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = elsewhere.path().join("words").display().to_string();
    fs::write(&outside, "wonderland\n").unwrap();
    for landlock in [true, false] {
        let section = format!("[process]\nlandlock = {landlock}\n");
        let mut realm = Realm::builder().section(&section).start();
        let in_force = realm.log().contains("landlock is in force: kdc can change ");
        if landlock && !in_force {
            assert!(realm.log().contains("landlock is not in force"), "{}", realm.log());
            eprintln!("skipped: this kernel has no landlock");
            return;
        }
        assert_eq!(in_force, landlock, "{}", realm.log());
        // Every thread, also those that were started first.
        for task in tasks(&realm) {
            let found = status(&realm, &task, "NoNewPrivs");
            assert!(found.is_none_or(|found| found == if landlock { "1" } else { "0" }));
        }
        fs::write(realm.directory().join("words"), "looking-glass\n").unwrap();
        with_dictionary(&realm, "words");
        realm.principal("reload").run().ok();
        with_dictionary(&realm, &outside);
        let reload = realm.principal("reload").run();
        if landlock {
            let said = reload.status(1);
            assert!(said.contains(&outside) && said.contains("start kdc anew"), "{said}");
        } else {
            reload.ok();
        }
        // Started anew, it is started with that.
        realm.stop();
        realm.restart();
        realm.principal("reload").run().ok();
        realm.add("alice", "jabberwocky");
    }
}

/// A realm whose directory its user can reach, and whose state is that one's.
fn of_nobody(listen: &str) -> Realm {
    let realm = Realm::builder()
        .listen(listen)
        .section("[process]\nuser = \"nobody\"\n")
        .stopped();
    fs::set_permissions(realm.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(realm.state()).unwrap();
    chown(realm.state(), Some(65534), Some(65534)).unwrap();
    realm
}

fn in_network_of(realm: &Realm, tool: Tool) -> Tool {
    tool.under(
        installed("nsenter"),
        &format!("nsenter --target {} --net --", realm.pid()),
    )
}

#[test]
#[ignore = "needs MIT's tools"]
fn root_binds_port_88_and_then_is_a_user_without_privileges_for_good() {
    let listen = "kerberos = [\"127.0.0.1:88\"]\npassword = [\"127.0.0.1:464\"]\n";
    let mut realm = of_nobody(listen);
    // A network of its own, in which nobody has port 88.
    let script = realm.directory().join("with-loopback");
    fs::write(&script, "#!/bin/sh\nip link set lo up && exec \"$@\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let line = format!("unshare --net -- {}", script.display());
    let kdc = realm.kdc("").under(installed("unshare"), &line);
    realm.restart_as(kdc);
    realm.wait_for_log("kdc is the user nobody (uid 65534, gid 65534) from here on");
    let mut seen = 0;
    for task in tasks(&realm) {
        for (field, is) in [
            ("Uid", "65534 65534 65534 65534"),
            ("Gid", "65534 65534 65534 65534"),
            ("CapPrm", "0000000000000000"),
            ("CapEff", "0000000000000000"),
            ("CapAmb", "0000000000000000"),
        ] {
            let found = status(&realm, &task, field);
            seen += usize::from(found.is_some());
            assert!(found.is_none_or(|found| found == is), "{field} of {task} is not {is}");
        }
        let groups = status(&realm, &task, "Groups").unwrap_or_default();
        assert!(
            !groups.split(' ').any(|group| group == "0"),
            "{task} is in root's group"
        );
    }
    assert!(seen >= 5, "and there are threads");
    let ps = Tool::new(installed("ps"), &format!("ps -o user= -p {}", realm.pid()));
    assert_eq!(ps.run().ok().trim(), "nobody");
    let listening = in_network_of(&realm, Tool::new(installed("ss"), "ss -Hlntu"))
        .run()
        .ok();
    for port in ["127.0.0.1:88 ", "127.0.0.1:464 "] {
        assert_eq!(listening.matches(port).count(), 2, "{listening}");
    }
    realm.add("alice", "wonderland");
    let desk = realm.workstation();
    in_network_of(&realm, desk.mit("kinit alice").stdin("wonderland\n"))
        .run()
        .ok();
    // It can do all that it has to do as it is now.
    realm.principal("reload").run().ok();
    realm.signal(Signal::SIGHUP);
    assert!(realm.stop().success());
    for file in ["master.key", "realm", "krb5.conf"] {
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(fs::metadata(realm.state().join(file)).unwrap().uid(), 65534, "{file}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn privileges_that_cannot_be_given_up_are_named_with_what_to_do() {
    let listen = "kerberos = [\"127.0.0.1:0\"]\n";
    let realm = of_nobody(listen);
    // Who is not root becomes nobody else.
    let own = realm.directory().join("kdc");
    fs::copy(binary("kdc"), &own).unwrap();
    let as_user = |uid: u32| {
        let line = format!("setpriv --reuid={uid} --regid={uid} --clear-groups");
        let kdc = Tool::new(own.clone(), "kdc --config").arg(realm.toml());
        kdc.under(installed("setpriv"), &line).run()
    };
    as_user(1).refused_with("[process] user is nobody, and kdc was started as daemon, who cannot become nobody");

    let deep = realm.state().join("journal");
    fs::create_dir(&deep).unwrap();
    let state = realm.state().display().to_string();
    let said = realm.kdc("").run().refused();
    assert!(
        said.contains(&format!("{} belongs to root, and kdc is to be nobody", deep.display()))
            && said.contains(&format!("`chown -R nobody:nogroup {state}`")),
        "{said}"
    );
    fs::remove_dir(&deep).unwrap();
    let swap = |from: &str, to: &str| {
        let toml = fs::read_to_string(realm.toml()).unwrap();
        fs::write(realm.toml(), toml.replace(from, to)).unwrap();
    };
    swap("\"nobody\"", "\"no-such-user\"");
    realm
        .kdc("")
        .run()
        .refused_with("this machine has no user no-such-user; `useradd --system ");
    swap("\"no-such-user\"", "\"nobody\"\ngroup = \"no-such-group\"");
    realm
        .kdc("")
        .run()
        .refused_with("this machine has no group no-such-group; `groupadd --system ");
    swap("no-such-group", "daemon");
    as_user(65534).refused_with("[process] group is daemon, and kdc was started in the group nogroup");

    // Root, and another group than the user's.
    let mut realm = realm;
    realm.restart();
    let groups = status(&realm, &realm.pid().to_string(), "Gid");
    assert_eq!(groups.as_deref(), Some("1 1 1 1"));
    assert!(realm.stop().success());
    // A directory that is not there, where nobody may make one.
    fs::remove_dir_all(realm.state()).unwrap();
    fs::set_permissions(realm.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Path::new(&state).parent().unwrap().exists());
    realm.kdc("").run().refused_with("install -d -m 700 -o nobody -g ");
}
