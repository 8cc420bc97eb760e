//! The packages, on a system that has nothing else: installed, used, removed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tessera_tests::{Tool, binary, installed};

use super::chroot::Chroot;
use super::source;

const TOML: &str = "/etc/tessera/realm.toml";

/// The daemon, as root starts it by hand.
fn serve(chroot: &Chroot) -> Child {
    let kdc = chroot.sh(&format!("exec kdc --config {TOML}"));
    let mut child = kdc
        .into_command()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let ready = said
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("ready "));
    let ready = ready.expect("kdc did not become ready");
    assert!(ready.contains("kerberos=0.0.0.0:88,[::]:88"), "{ready}");
    child
}

#[test]
#[ignore = "needs MIT's tools"]
fn debian_packages_install_serve_and_go_without_a_trace_in_a_clean_chroot() {
    let packages = TempDir::new().unwrap();
    let build = Tool::new(source("packaging/debian/build"), "build")
        .arg(binary("kdc").parent().unwrap())
        .arg(packages.path())
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "1")
        .run()
        .ok();
    let made: Vec<_> = build.lines().map(std::path::PathBuf::from).collect();
    assert_eq!(made.len(), 2, "{build}");
    for package in &made {
        let depends = Tool::new(installed("dpkg-deb"), "dpkg-deb --field")
            .arg(package)
            .arg("Depends");
        assert!(depends.run().ok().contains("libc6 (>= "));
    }

    let chroot = Chroot::new();
    let before = chroot.files();
    let users = chroot.read("/etc/passwd");
    for package in &made {
        fs::copy(package, chroot.root().join("tmp").join(package.file_name().unwrap())).unwrap();
    }
    let said = chroot.sh("dpkg -i /tmp/tessera-*.deb").run().ok();
    assert!(said.contains("name the realm in /etc/tessera/realm.toml"), "{said}");
    chroot.sh("dpkg --audit").run().ok();

    // Nothing is served before the realm has a name.
    let check = chroot.sh(&format!("kdc --config {TOML} check")).run();
    check.refused_with("realm.toml:4:2: realm.name: missing; expected a realm's name such as \"EXAMPLE.COM\"");
    chroot
        .sh(&format!("kdc --config {TOML}"))
        .run()
        .refused_with("realm.name: missing");
    chroot.sh("test -z \"$(ls /var/lib/tessera)\"").run().ok();
    let name = format!("sed -i 's/^#name = .*/name = \"CHROOT.EXAMPLE\"/' {TOML} && kdc --config {TOML} check");
    chroot.sh(&name).run().ok();

    let mut daemon = serve(&chroot);
    chroot
        .sh("test $(stat -c %U /var/lib/tessera/master.key) = tessera")
        .run()
        .ok();
    let add = format!("principal --config {TOML} add alice --password-file -");
    chroot.sh(&add).stdin("wonderland\n").run().ok();
    let conf = "/var/lib/tessera/krb5.conf";
    for kinit in ["kinit.tessera", "kinit"] {
        let line = format!("{kinit} alice && klist && kdestroy");
        let login = chroot
            .sh(&line)
            .env("KRB5_CONFIG", conf)
            .env("KRB5CCNAME", "FILE:/tmp/cc");
        let shown = login.stdin("wonderland\n").run().ok();
        assert!(shown.contains("alice@CHROOT.EXAMPLE"), "{shown}");
    }
    // MIT's, from outside.
    let kinit = Tool::new(installed("kinit"), "kinit alice")
        .env("KRB5_CONFIG", chroot.root().join(&conf[1..]))
        .env("KRB5CCNAME", format!("FILE:{}", packages.path().join("cc").display()))
        .stdin("wonderland\n");
    chroot.beside(kinit).run().ok();

    // An upgrade leaves what the operator wrote.
    chroot.sh("dpkg -i /tmp/tessera-*.deb </dev/null").run().ok();
    assert!(chroot.read(TOML).contains("CHROOT.EXAMPLE"));
    // A removal stops it, and leaves the realm.
    chroot.sh("dpkg -r tessera-kdc tessera-clients").run().ok();
    let ended = (0..3000).find_map(|_| {
        thread::sleep(Duration::from_millis(20));
        daemon.try_wait().unwrap()
    });
    assert!(ended.expect("the removal leaves the daemon running").success());
    chroot
        .sh("test -s /var/lib/tessera/master.key && ! command -v kinit")
        .run()
        .ok();
    chroot
        .sh("dpkg -P tessera-kdc tessera-clients && rm -rf /tmp/*")
        .run()
        .ok();
    let after = chroot.files();
    let left: Vec<_> = after.difference(&before).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert_eq!(chroot.read("/etc/passwd"), users);
}
