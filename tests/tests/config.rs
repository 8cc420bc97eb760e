//! What can be wrong before the realm serves: named, and nothing is overwritten.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tessera_tests::{Finished, Realm};

/// It must have ended with status 1 and one line with all of these in it.
#[track_caller]
fn says(finished: Finished, parts: &[&str]) {
    let shown = finished.to_string();
    assert_eq!(finished.status.code(), Some(1), "{shown}");
    let said = finished.stderr + &finished.stdout;
    assert!(
        parts.iter().all(|part| said.contains(part)),
        "not each of {parts:?} in {shown}"
    );
    assert!(!said.contains("panicked"), "{shown}");
}

/// Every file below a state directory and what is in it, but for the lock and the index, which
/// is made of the others.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_name() == "index" || entry.file_name() == "lock" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                files.insert(entry.path(), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

#[track_caller]
fn unchanged(realm: &Realm, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let now = contents(&realm.state());
    let differ = |path: &&PathBuf| now.get(*path) != before.get(*path);
    let changed: Vec<_> = now.keys().chain(before.keys()).filter(differ).collect();
    assert!(changed.is_empty(), "changed: {changed:?}");
}

#[test]
fn a_wrong_realm_toml_is_refused_with_file_line_key_and_what_was_expected() {
    let good = "[realm]\nname = \"EXAMPLE.COM\"\nstate = \"var\"\n[listen]\nkerberos = [\"127.0.0.1:0\"]\n";
    let rows: &[(&str, String, &[&str])] = &[
        ("no TOML", good.replace("[listen]", "[listen"), &["realm.toml:4:"]),
        (
            "an unknown key",
            good.replace("name =", "nane ="),
            &["realm.toml:2:", "nane", "name"],
        ),
        (
            "an unknown section",
            format!("{good}[ticket]\n"),
            &["realm.toml:6:", "ticket", "tickets"],
        ),
        (
            "no realm",
            "[listen]\nkerberos = [\"127.0.0.1:0\"]\n".into(),
            &["realm.name", "EXAMPLE.COM"],
        ),
        ("no name", good.replace("name = \"EXAMPLE.COM\"\n", ""), &["realm.name"]),
        (
            "a number for a name",
            good.replace("\"EXAMPLE.COM\"", "7"),
            &["realm.toml:2:", "realm.name"],
        ),
        (
            "an empty name",
            good.replace("EXAMPLE.COM", ""),
            &["realm.toml:2:", "realm.name"],
        ),
        (
            "a NUL in a name",
            good.replace("EXAMPLE.COM", "EX\\u0000"),
            &["realm.toml:2:", "realm.name"],
        ),
        (
            "a host name to listen on",
            good.replace("127.0.0.1:0", "localhost:88"),
            &["realm.toml:5:", "listen.kerberos"],
        ),
        (
            "no port to listen on",
            good.replace("127.0.0.1:0", "127.0.0.1"),
            &["realm.toml:5:", "address:port"],
        ),
        (
            "a text for a list",
            good.replace("[\"127.0.0.1:0\"]", "\"127.0.0.1:0\""),
            &["realm.toml:5:", "list"],
        ),
        (
            "a number for a time",
            format!("{good}[tickets]\nlifetime = 10\n"),
            &["realm.toml:7:", "tickets.lifetime", "10h"],
        ),
        (
            "a time without unit",
            format!("{good}[tickets]\nlifetime = \"10\"\n"),
            &["realm.toml:7:", "unit"],
        ),
        (
            "a time of nought",
            format!("{good}[tickets]\nclock-skew = \"0s\"\n"),
            &["realm.toml:7:", "tickets.clock-skew"],
        ),
        (
            "an enctype of the past",
            format!("{good}[keys]\nenctypes = [\"rc4-hmac\"]\n"),
            &["realm.toml:7:", "keys.enctypes"],
        ),
        (
            "no enctypes",
            format!("{good}[keys]\nenctypes = []\n"),
            &["realm.toml:7:", "keys.enctypes"],
        ),
        (
            "a text for true or false",
            format!("{good}[authentication]\nrequire-fast = \"yes\"\n"),
            &["realm.toml:7:", "authentication.require-fast", "true"],
        ),
        (
            "a number for true or false",
            format!("{good}[authentication]\nunarmored-encrypted-timestamp = 0\n"),
            &["realm.toml:7:", "authentication.unarmored-encrypted-timestamp", "true"],
        ),
        (
            "a tiny reply size",
            good.replace("[listen]", "[listen]\nmax-udp-reply = 10"),
            &["realm.toml:5:", "max-udp-reply"],
        ),
        (
            "a key twice",
            format!("{good}kerberos = []\n"),
            &["realm.toml:6:", "duplicate key"],
        ),
    ];
    for (what, toml, parts) in rows {
        let realm = Realm::builder().stopped();
        std::fs::write(realm.toml(), toml).unwrap();
        for command in ["", "check"] {
            let finished = realm.kdc(command).run();
            assert!(!finished.status.success(), "{what} {finished}");
            says(finished, parts);
        }
        assert!(!realm.state().exists(), "{what}: nothing is made");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let realm = Realm::builder()
        .section("[tickets]\nlifetime = 1\nclock-skew = 2\n[nonsense]")
        .stopped();
    let said = realm.kdc("check").run().refused();
    for part in ["tickets.lifetime", "tickets.clock-skew", "nonsense"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn a_right_realm_toml_is_said_to_be_right_and_nothing_is_made() {
    let realm = Realm::builder().stopped();
    let said = realm.kdc("check").run().ok();
    assert!(said.contains("EXAMPLE.COM"), "{said}");
    assert!(!realm.state().exists());
}

#[test]
fn a_realm_toml_that_is_not_there_is_named() {
    let realm = Realm::builder().stopped();
    std::fs::remove_file(realm.toml()).unwrap();
    says(realm.kdc("").run(), &[&realm.toml().display().to_string()]);
}

#[test]
fn wrong_usage_ends_with_status_2() {
    let realm = Realm::builder().stopped();
    for command in ["frobnicate", "check extra", "--frobnicate"] {
        realm.kdc(command).run().status(2);
    }
}

#[test]
fn the_state_directory_of_another_realm_is_left_alone() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.stop();
    let before = contents(&realm.state());
    let toml = std::fs::read_to_string(realm.toml()).unwrap();
    std::fs::write(realm.toml(), toml.replace("EXAMPLE.COM", "OTHER.ORG")).unwrap();
    says(realm.refused(), &["EXAMPLE.COM", "OTHER.ORG"]);
    unchanged(&realm, &before);
    std::fs::write(realm.toml(), toml).unwrap();
    realm.restart();
    realm.principal("show alice").run().ok();
}

#[test]
fn a_state_directory_of_something_else_is_left_alone() {
    let realm = Realm::builder().stopped();
    std::fs::create_dir(realm.state()).unwrap();
    std::fs::write(realm.state().join("thesis.tex"), "precious").unwrap();
    let before = contents(&realm.state());
    says(realm.refused(), &[&realm.state().display().to_string(), "thesis.tex"]);
    unchanged(&realm, &before);
}

#[test]
fn a_master_key_that_is_gone_or_wrong_is_named_and_not_made_anew() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.stop();
    let before = contents(&realm.state());
    let key = before
        .keys()
        .find(|path| path.file_name().unwrap().to_string_lossy().contains("master"))
        .unwrap()
        .clone();
    let good = std::fs::read(&key).unwrap();
    let mut flipped = good.clone();
    let last = flipped
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .unwrap_or(flipped.len() - 1);
    flipped[last] = if flipped[last] == b'0' { b'1' } else { b'0' };
    let write = |octets: &[u8]| {
        std::fs::write(&key, octets).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    for damage in [
        None,
        Some(&b""[..]),
        Some(b"garbage"),
        Some(&good[..good.len() / 2]),
        Some(&flipped),
    ] {
        match damage {
            None => std::fs::remove_file(&key).unwrap(),
            Some(octets) => write(octets),
        }
        let with_damage = contents(&realm.state());
        let finished = realm.refused();
        unchanged(&realm, &with_damage);
        says(finished, &["master"]);
    }
    write(&good);
    realm.restart();
}

#[test]
fn a_port_in_use_is_named() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = holder.local_addr().unwrap();
    let listen = format!("kerberos = [\"127.0.0.1:0\", \"{address}\"]\n");
    says(
        Realm::builder().listen(&listen).refused(),
        &[&address.to_string(), "in use"],
    );
    let holder = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = holder.local_addr().unwrap();
    let listen = format!("kerberos = [\"127.0.0.1:0\"]\npassword = [\"{address}\"]\n");
    says(
        Realm::builder().listen(&listen).refused(),
        &[&address.to_string(), "in use"],
    );
    // An address that is not this machine's.
    says(
        Realm::builder().listen("kerberos = [\"192.0.2.1:8888\"]\n").refused(),
        &["192.0.2.1:8888"],
    );
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_and_the_first_goes_on() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let before = std::fs::read(realm.state().join("krb5.conf")).unwrap();
    says(realm.refused(), &[&realm.state().display().to_string()]);
    assert_eq!(std::fs::read(realm.state().join("krb5.conf")).unwrap(), before);
    realm.principal("show alice").run().ok();
}

#[test]
fn a_front_that_is_not_listed_is_not_there() {
    let realm = Realm::builder().listen("kerberos = [\"127.0.0.1:0\"]\n").start();
    let config = std::fs::read_to_string(realm.state().join("krb5.conf")).unwrap();
    assert!(!config.contains("kpasswd_server"), "{config}");
    assert!(!realm.log().contains("password="), "{}", realm.log());
}

#[test]
fn an_administrator_without_a_daemon_is_told_so() {
    let realm = Realm::builder().stopped();
    let said = realm.principal("list").run().status(1);
    assert!(said.contains("admin.sock") || said.contains("not running"), "{said}");
}
