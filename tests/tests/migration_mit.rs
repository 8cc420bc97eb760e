//! A realm of MIT's becomes one of ours: what worked before, works after; and what cannot be read changes nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tessera_tests::wire::{
    EncTicketPart, KdcReq, Session, authorization_data, authorization_types, crypto::Key, keytab, login,
};
use tessera_tests::{Finished, GssServer, MitRealm, Realm, Workstation};

/// A realm of ours that nothing is in yet.
fn empty_realm() -> Realm {
    Realm::builder().stopped()
}

fn import(realm: &Realm, dump: &Path, stash: &Path, options: &str) -> Finished {
    let tool = realm.kdc("import-mit").arg(dump).arg("--stash").arg(stash);
    options.split_whitespace().fold(tool, tessera_tests::Tool::arg).run()
}

/// What `mit` has, served by ours.
fn moved(mit: &mut MitRealm) -> (Realm, String) {
    let dump = mit.dump("");
    mit.stop();
    let mut realm = empty_realm();
    let report = import(&realm, &dump, &mit.stash(), "--random-keys host/*").ok();
    realm.kdc("verify").run().ok();
    realm.restart();
    (realm, report)
}

fn kinit(desk: &Workstation, options: &str, name: &str, typed: &str) -> Finished {
    let line = format!("kinit {options}");
    desk.mit(line.trim_end()).arg(name).stdin(typed).run()
}

/// Who can be said to log in as before: the name, and what is typed.
const PEOPLE: [(&str, &str); 8] = [
    ("normal", "usual-Pass1"),
    ("norealm", "salt-Pass2"),
    ("onlyrealm", "salt-Pass3"),
    ("special", "salt-Pass4"),
    ("sha2", "salt-Pass5"),
    ("renamed", "salt-Pass6"),
    ("odd name/x y", "odd-Pass7"),
    ("žofie", "odd-Pass8"),
];

#[test]
#[ignore = "needs MIT's tools"]
fn every_password_ticket_and_keytab_of_mits_realm_stays_good() {
    let mut mit = MitRealm::start();
    mit.kadmin_all(&[
        "addprinc -pw usual-Pass1 normal",
        "addprinc -e aes256-sha1:norealm,des3-cbc-sha1:normal -pw salt-Pass2 norealm",
        "addprinc -e aes128-sha1:onlyrealm,aes128-sha1:normal -pw salt-Pass3 onlyrealm",
        "addprinc -e aes256-sha2:special -pw salt-Pass4 special",
        "addprinc -e aes128-sha2:normal -pw salt-Pass5 sha2",
        "addprinc -pw salt-Pass6 unnamed",
        "renprinc -force unnamed renamed",
        "addprinc -pw odd-Pass7 \"odd name/x y\"",
        "addprinc -pw odd-Pass0 sl\\/ash\\@name",
        "addprinc -pw odd-Pass8 žofie",
        "addprinc -e arcfour-hmac:normal -pw weak-Pass9 weak",
        "addprinc -pw before normal/admin",
        "cpw -keepold -pw after normal/admin",
        "addprinc -randkey host/server.example.com",
        "addprinc -randkey -e aes128-sha1:normal host/narrow.example.com",
        "addprinc -randkey krbtgt/OTHER.COM",
        "addprinc -randkey krbtgt/EXAMPLE.COM@OTHER.COM",
        "addprinc -randkey kiprop/server.example.com",
    ]);
    let (server, narrow) = (
        mit.keytab("host/server.example.com"),
        mit.keytab("host/narrow.example.com"),
    );
    let other = mit.keytab("krbtgt/OTHER.COM");
    let before: Vec<_> = PEOPLE
        .iter()
        .map(|(name, password)| {
            let desk = mit.workstation();
            kinit(&desk, "-r 1d", name, &format!("{password}\n")).ok();
            desk.mit("kvno host/server.example.com").run().ok();
            desk
        })
        .collect();
    // A TGT under the former key of krbtgt, and one under the present.
    mit.kadmin_all(&["cpw -randkey -keepold krbtgt/EXAMPLE.COM"]);
    let late = mit.workstation();
    kinit(&late, "-r 1d", "normal", "usual-Pass1\n").ok();

    let (realm, report) = moved(&mut mit);
    for (told, of) in [
        ("carried over", "\tnorealm\tthe principal with 1 key of version 1"),
        (
            "left out",
            "\tnorealm\tkeys: des3-cbc-sha1 of version 1: this realm never has such enctypes",
        ),
        (
            "left out",
            "\tonlyrealm\tkeys: aes128-cts-hmac-sha1-96 of version 1: another of the same",
        ),
        ("changed", "\tweak\tthe principal, without any key"),
        ("left out", "\tK/M\tthe principal: it holds MIT's master key"),
        (
            "left out",
            "\tkrbtgt/EXAMPLE.COM@OTHER.COM\tthe principal: it is of the realm OTHER.COM",
        ),
        (
            "carried over",
            "\tnormal/admin\tthe principal with 8 keys of versions 2, 1",
        ),
    ] {
        assert!(
            report.lines().any(|line| line.starts_with(told) && line.contains(of)),
            "{of}\n{report}"
        );
    }
    assert!(report.contains("\nkeys: "), "{report}");

    for ((name, password), old) in PEOPLE.iter().zip(&before) {
        let desk = realm.workstation();
        kinit(&desk, "", name, "wrong-Pass0\n").refused_with("Password incorrect");
        kinit(&desk, "", name, &format!("{password}\n")).ok();
        // With the ticket of MIT's KDC, tickets of ours.
        let desk = realm.workstation().with_cache(old.cache());
        desk.mit("kvno -k")
            .arg(&narrow)
            .arg("host/narrow.example.com")
            .run()
            .ok();
        // And the one for a service that MIT's KDC issued is as good for it as before.
        desk.mit("kvno -k")
            .arg(&server)
            .arg("host/server.example.com")
            .run()
            .ok();
        desk.mit("kinit -R").run().ok();
        desk.mit("kvno -k")
            .arg(&server)
            .arg("host/server.example.com")
            .run()
            .ok();
    }
    let desk = realm.workstation().with_cache(late.cache());
    desk.mit("kvno host/narrow.example.com").run().ok();
    desk.mit("kvno -k").arg(&other).arg("krbtgt/OTHER.COM").run().ok();

    // The newest password alone, although the former one's keys are there, too.
    kinit(&realm.workstation(), "", "normal/admin", "before\n").refused_with("Password incorrect");
    kinit(&realm.workstation(), "", "normal/admin", "after\n").ok();
    kinit(&realm.workstation(), "", "weak", "weak-Pass9\n").refused();
    // MIT's KDC gives this one a ticket-granting ticket, and no other.
    kinit(&realm.workstation(), "", r"sl\/ash\@name", "odd-Pass0\n").ok();

    // A service takes them by GSS-API, too, with the keytab that it has; and logs in by it.
    let desk = realm.workstation();
    kinit(&desk, "", "normal", "usual-Pass1\n").ok();
    let service = GssServer::start(&desk, &server);
    service.client(&desk, "").ok();
    desk.another()
        .mit("kinit -k -t")
        .arg(&server)
        .arg("host/server.example.com")
        .run()
        .ok();

    // What is said to be random may be changed in steps; what may be a password may not.
    realm.principal("rotate --stage host/narrow.example.com").run().ok();
    realm
        .principal("rotate --stage kiprop/server.example.com")
        .run()
        .refused_with("password");

    // And from here on it is a realm like any other.
    let changed = realm
        .workstation()
        .mit("kpasswd normal")
        .stdin("usual-Pass1\nnew-Pass1\nnew-Pass1\n")
        .run();
    changed.ok();
    kinit(&realm.workstation(), "", "normal", "new-Pass1\n").ok();
    realm.principal("rotate krbtgt/EXAMPLE.COM").run().ok();
    desk.mit("kvno host/narrow.example.com").run().ok();
}

/// What a person gets who asks for all there is: flags, life and renewable life in tens of minutes, or what is said instead.
fn log_in(desk: &Workstation, name: &str, options: &str) -> String {
    let done = kinit(desk, options, name, "plain-Pass1\n");
    if !done.status.success() {
        let said = done.refused();
        return said
            .lines()
            .find(|line| line.contains("kinit:"))
            .unwrap_or(&said)
            .to_owned();
    }
    let tgt = desk.tgt();
    let renewable = tgt.renew_till.map(|till| (till - tgt.starts + 300) / 600);
    format!("{} {} {renewable:?}", tgt.flags, (tgt.life() + 300) / 600)
}

/// The same for a service, with the ticket of somebody who was given all there is.
fn visit(desk: &Workstation, service: &str, options: &str) -> String {
    let done = desk.mit(&format!("kvno {options}")).arg(service).run();
    if !done.status.success() {
        return "refused".to_owned();
    }
    let ticket = desk.ticket(service);
    format!("{} {}", ticket.flags, (ticket.life() + 300) / 600)
}

const SET_APART: [(&str, &str); 12] = [
    ("plain", ""),
    ("open", "-requires_preauth"),
    ("nofwd", "-allow_forwardable"),
    ("norenew", "-allow_renewable"),
    ("noproxy", "-allow_proxiable"),
    ("nopostdate", "-allow_postdated"),
    ("locked", "-allow_tix"),
    ("stale", "+needchange"),
    ("expired", "-expire 2020-01-01"),
    ("oldpass", "-pwexpire 2020-01-01"),
    ("short", "-maxlife 1hour"),
    ("brief", "-maxrenewlife 2days"),
];

const SERVICES: [(&str, &str); 7] = [
    ("svc/plain", "-requires_preauth"),
    ("svc/preauth", "+requires_preauth"),
    ("svc/none", "-allow_svr"),
    ("svc/as-only", "-allow_tgs_req"),
    ("svc/delegate", "+ok_as_delegate"),
    ("svc/nofwd", "-allow_forwardable"),
    ("svc/short", "-maxlife 2hours"),
];

/// What becomes of everybody and every service, in words.
fn seen(desk: &Workstation) -> Vec<String> {
    let mut seen = Vec::new();
    for (name, options) in SET_APART {
        let desk = desk.another();
        let got = log_in(&desk, name, "-f -p -r 5d -l 9h");
        seen.push(format!("{name} ({options}): {got}"));
    }
    for name in ["plain", "nopostdate"] {
        let got = log_in(&desk.another(), name, "-s 1h");
        seen.push(format!("{name}, postdated: {got}"));
    }
    for (by, login_options) in [("plain", "-f -p -r 5d -l 9h"), ("open", "-f")] {
        let desk = desk.another();
        log_in(&desk, by, login_options);
        for (service, options) in SERVICES {
            let got = visit(&desk, service, "");
            seen.push(format!("{service} ({options}) for {by}: {got}"));
        }
    }
    seen
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_sets_a_principal_apart_shows_to_mits_tools_as_it_did() {
    let mut mit = MitRealm::start();
    let mut commands = Vec::new();
    for (name, options) in SET_APART {
        commands.push(format!("addprinc -pw plain-Pass1 {options} {name}"));
    }
    for (name, options) in SERVICES {
        commands.push(format!("addprinc -randkey {options} {name}"));
    }
    commands.push("addprinc -pw plain-Pass1 -maxrenewlife 0days never".to_owned());
    commands.push("addprinc -randkey +requires_hwauth svc/hardware".to_owned());
    commands.push("addprinc -randkey +ok_to_auth_as_delegate +lockdown_keys svc/others".to_owned());
    commands.push("addprinc -randkey svc/attributes".to_owned());
    commands.push("setstr svc/attributes require_auth pkinit".to_owned());
    commands.push("setstr svc/attributes colour red".to_owned());
    commands.push("addprinc -pw plain-Pass1 -allow_dup_skey no-u2u".to_owned());
    mit.kadmin_all(&commands.iter().map(String::as_str).collect::<Vec<_>>());
    let before = seen(&mit.workstation());

    let (realm, report) = moved(&mut mit);
    let after = seen(&realm.workstation());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after, "{before:#?}\n{after:#?}");
    }

    // What has no equal here is closed, not forgotten, and the report says how to open it.
    for (of, advice) in [
        (
            "\tsvc/hardware\trequires_hwauth: the principal is locked",
            "principal unlock svc/hardware",
        ),
        (
            "\tsvc/attributes\tthe string attribute require_auth = pkinit",
            "principal set svc/attributes --service yes",
        ),
    ] {
        let line = report
            .lines()
            .find(|line| line.starts_with("changed") && line.contains(of));
        assert!(line.is_some_and(|line| line.contains(advice)), "{report}");
    }
    for of in [
        "ok_to_auth_as_delegate",
        "lockdown_keys",
        "the string attribute colour = red",
    ] {
        assert!(
            report
                .lines()
                .any(|line| line.starts_with("left out") && line.contains(of)),
            "{of}: {report}"
        );
    }
    let desk = realm.workstation();
    log_in(&desk, "plain", "-f");
    for (closed, opened) in [
        ("svc/hardware", "unlock svc/hardware"),
        ("svc/attributes", "set svc/attributes --service yes"),
    ] {
        desk.mit("kvno").arg(closed).run().refused();
        realm.principal(opened).run().ok();
        desk.mit("kvno").arg(closed).run().ok();
    }
    let peer = realm.workstation();
    for (name, is_let) in [("plain", true), ("no-u2u", false)] {
        log_in(&peer, name, "");
        let asked = desk.mit("kvno --u2u").arg(peer.cache_file()).arg(name).run();
        assert_eq!(asked.status.success(), is_let, "{asked}");
    }
    // MIT's KDC calls such a ticket renewable until it begins.
    log_in(&peer, "never", "-r 5d");
    assert_eq!(peer.tgt().renew_till, None);
    let shown = realm.principal("show nofwd").run().ok();
    assert!(shown.contains("root/admin@EXAMPLE.COM"), "who changed it last: {shown}");
    // Whoever had to change his password does that, and is in.
    let stdin = "plain-Pass1\nfresh-Pass1\nfresh-Pass1\n";
    kinit(&realm.workstation(), "", "stale", stdin).ok();
}

#[test]
#[ignore = "needs MIT's tools"]
fn policies_former_passwords_and_lockouts_of_mits_realm_stay_in_force() {
    let mut mit = MitRealm::start();
    mit.kadmin_all(&[
        "addpol -minlength 8 -minclasses 2 -history 3 -maxfailure 3 -failurecountinterval 10minutes -lockoutduration 0 Staff",
        "addpol -minlength 12 default",
        "addpol -maxlife 30days aged",
        "addpol -allowedkeysalts aes128-sha2:normal,des3-cbc-sha1:normal narrow",
        "addpol -minlife 1day kept",
        "addprinc -policy Staff -pw First.pass-1 bob",
        "cpw -pw Second.pass-2 bob",
        "cpw -pw Third.pass-3 bob",
        "cpw -pw Fourth.pass-4 bob",
        "addprinc -policy Staff -pw Locked.pass-1 shutout",
        "addprinc -policy default -pw Default.pass-1 carol",
        "addprinc -clearpolicy -pw Free.pass-1 dave",
        "addprinc -policy aged -pw Aged.pass-1 erin",
        "modprinc -pwexpire never erin",
        "addprinc -policy narrow -pw Narrow.pass-1 frank",
        "addprinc -policy kept -pw Kept.pass-1 gina",
        "addprinc -policy gone -pw Gone.pass-1 harry",
    ]);
    let desk = mit.workstation();
    for _ in 0..3 {
        kinit(&desk, "", "shutout", "wrong\n").refused();
    }
    let said = kinit(&desk, "", "shutout", "Locked.pass-1\n").refused_with("revoked");
    kinit(&desk, "", "bob", "wrong\n").refused();

    let (realm, report) = moved(&mut mit);
    for (told, of) in [
        ("changed", "\tpolicy Staff\tthe name; it is called staff here"),
        ("changed", "\tpolicy default\tthe name; it is called mit-default here"),
        ("left out", "\tpolicy narrow\tkeys for des3-cbc-sha1:normal"),
        ("changed", "\terin\twhen the password expires: "),
        (
            "left out",
            "\tharry\tthat it goes by the policy gone: there is no such policy",
        ),
        ("left out", "\tbob\t1 wrong passwords that were counted"),
        (
            "carried over",
            "\tbob\tthe principal with 4 keys of version 4; policy staff; 2 former passwords",
        ),
    ] {
        assert!(
            report.lines().any(|line| line.starts_with(told) && line.contains(of)),
            "{of}\n{report}"
        );
    }

    assert_eq!(
        kinit(&realm.workstation(), "", "shutout", "Locked.pass-1\n").refused(),
        said
    );
    realm.principal("unlock shutout").run().ok();
    kinit(&realm.workstation(), "", "shutout", "Locked.pass-1\n").ok();

    let kpasswd = |name: &str, old: &str, new: &str| {
        let typed = format!("{old}\n{new}\n{new}\n");
        realm.workstation().mit("kpasswd").arg(name).stdin(typed).run()
    };
    for former in ["Second.pass-2", "Third.pass-3", "Fourth.pass-4"] {
        kpasswd("bob", "Fourth.pass-4", former).refused_with("one of the last 3");
    }
    kpasswd("bob", "Fourth.pass-4", "short-1").refused_with("too short");
    kpasswd("bob", "Fourth.pass-4", "onlylower").refused_with("of 1 kind");
    kpasswd("bob", "Fourth.pass-4", "First.pass-1").ok();
    kpasswd("carol", "Default.pass-1", "Short.pass-1").ok();
    kpasswd("carol", "Short.pass-1", "Short.pass").refused_with("the policy mit-default asks for 12");
    // No policy, there as here: MIT's default was for those who named it.
    kpasswd("dave", "Free.pass-1", "x").ok();
    kpasswd("gina", "Kept.pass-1", "Kept.pass-2").refused_with("has to be kept until");
    kpasswd("frank", "Narrow.pass-1", "Narrow.pass-2").ok();
    let desk = realm.workstation();
    kinit(&desk, "", "frank", "Narrow.pass-2\n").ok();
    assert_eq!(keys_of(&realm, "frank"), ["aes128-cts-hmac-sha256-128"]);
    // The limit is counted anew, and is the same.
    for _ in 0..3 {
        kinit(&desk, "", "bob", "wrong\n").refused_with("Password incorrect");
    }
    kinit(&desk, "", "bob", "First.pass-1\n").refused_with("revoked");
}

fn json_of(tool: tessera_tests::Tool) -> Value {
    let said = tool.run().ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// The enctypes of a principal's keys.
fn keys_of(realm: &Realm, name: &str) -> Vec<String> {
    let shown = json_of(realm.principal("show --json").arg(name));
    let keys = shown["keys"].as_array().unwrap_or_else(|| panic!("{shown}"));
    keys.iter()
        .map(|key| key["enctype"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
#[ignore = "needs MIT's tools"]
fn every_format_and_every_master_key_of_mits_is_read() {
    let mit = MitRealm::start();
    mit.kadmin_all(&[
        "addpol -history 3 staff",
        "addprinc -policy staff -pw First.pass-1 alice",
    ]);
    let first_stash = std::fs::read(mit.stash()).unwrap();
    let logs_in = |realm: &mut Realm, name: &str, password: &str| {
        realm.restart();
        kinit(&realm.workstation(), "", name, &format!("{password}\n")).ok();
        realm.stop();
    };
    for (options, policy) in [
        ("-b7", None),
        ("-r13", Some("staff")),
        ("-r18", Some("staff")),
        ("", Some("staff")),
    ] {
        let mut realm = empty_realm();
        let report = import(&realm, &mit.dump(options), &mit.stash(), "").ok();
        assert_eq!(
            report.contains("who goes by which policy"),
            policy.is_none(),
            "{options}: {report}"
        );
        logs_in(&mut realm, "alice", "First.pass-1");
        realm.restart();
        let shown = json_of(realm.principal("show alice --json"));
        assert_eq!(shown["policy"].as_str(), policy, "{options}: {shown}");
    }
    // Made for a replica, it has the same lines under another first one.
    let dump = std::fs::read_to_string(mit.dump("")).unwrap();
    let replicas = mit.dump("").with_extension("replicas");
    std::fs::write(
        &replicas,
        dump.replacen("kdb5_util load_dump version 7", "ipropx 1 5 1700000000 7", 1),
    )
    .unwrap();
    let mut realm = empty_realm();
    let report = import(&realm, &replicas, &mit.stash(), "").ok();
    assert!(
        report.contains("who is shut out by wrong passwords: a dump for replicas"),
        "{report}"
    );
    logs_in(&mut realm, "alice", "First.pass-1");

    // The password that the master key was made of is as good as the stash file.
    let by_password = |dump: &Path, password: &str| {
        let realm = empty_realm();
        let tool = realm
            .kdc("import-mit --master-password-file -")
            .arg(dump)
            .stdin(format!("{password}\n"));
        (tool.run(), realm)
    };
    by_password(&mit.dump(""), "other")
        .0
        .refused_with("does not open K/M, which has version 1, aes256");
    let (done, mut realm) = by_password(&mit.dump(""), "master");
    done.ok();
    logs_in(&mut realm, "alice", "First.pass-1");

    // A second master key, under which one principal is and the other not.
    let typed = "second-Master1\nsecond-Master1\n";
    mit.kdb5_util("add_mkey -e aes256-sha2 -s").stdin(typed).run().ok();
    mit.kdb5_util("use_mkey 2").run().ok();
    mit.kadmin_all(&["addprinc -policy staff -pw Second.pass-1 bob"]);
    let old_stash = mit.stash().with_extension("old");
    std::fs::write(&old_stash, first_stash).unwrap();
    let dump = mit.dump("");
    for stash in [mit.stash(), old_stash] {
        let mut realm = empty_realm();
        import(&realm, &dump, &stash, "").ok();
        logs_in(&mut realm, "alice", "First.pass-1");
        logs_in(&mut realm, "bob", "Second.pass-1");
    }
    // In the older form, without a version, in either byte order.
    let key = std::fs::read(mit.stash()).unwrap();
    let key = key
        .windows(4)
        .position(|window| window == [0, 20, 0, 32])
        .map(|at| &key[at + 4..at + 36])
        .unwrap();
    for header in [[20, 0, 32, 0, 0, 0], [0, 20, 0, 0, 0, 32]] {
        let stash = mit.stash().with_extension("older");
        std::fs::write(&stash, [&header[..], key].concat()).unwrap();
        import(&empty_realm(), &dump, &stash, "").ok();
    }
}

/// A text with one place changed, which must be there.
fn altered(dump: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    let text = std::fs::read_to_string(dump).unwrap();
    assert!(text.contains(from), "{from:?} is not in the dump");
    let path = dump.with_extension(name);
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    path
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_cannot_be_imported_whole_changes_nothing_and_says_why() {
    let mit = MitRealm::start();
    mit.kadmin_all(&[
        "addprinc -pw First.pass-1 alice",
        "addprinc -pw First.pass-1 bob",
        "addprinc -randkey -kvno 1 many",
    ]);
    let dump = mit.dump("");
    let text = std::fs::read_to_string(&dump).unwrap();
    let line_of = |name: &str| {
        let of = format!("\t{name}@EXAMPLE.COM\t");
        text.lines().position(|line| line.contains(&of)).unwrap() + 1
    };
    let alice = text.lines().nth(line_of("alice") - 1).unwrap();
    let realm = empty_realm();
    let write = |name: &str, octets: &[u8]| {
        let path = realm.directory().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    };
    let twice = format!("{text}{alice}\n");
    let stash_of_another = {
        let mut stash = std::fs::read(mit.stash()).unwrap();
        let key = stash.windows(4).position(|window| window == [0, 18, 0, 32]).unwrap() + 4;
        stash[key] ^= 1;
        write("other-stash", &stash)
    };
    for (bad, said) in [
        (
            write("cut", &text.as_bytes()[..text.len() - 40]),
            format!("line {}: the file ends in the middle", text.lines().count()),
        ),
        (
            write("nul", text.replacen("alice", "ali\0e", 1).as_bytes()),
            format!("line {}: there is an octet 0", line_of("alice")),
        ),
        (
            write("twice", twice.as_bytes()),
            format!("line {}: the principal alice is there twice", text.lines().count() + 1),
        ),
        (
            altered(
                &dump,
                "count",
                "\talice@EXAMPLE.COM\t128\t36000",
                "\talice@EXAMPLE.COM\t128\tx",
            ),
            format!("line {}: field 9, the longest life", line_of("alice")),
        ),
        (
            altered(&dump, "name", "\talice@EXAMPLE.COM\t", "\talicia@EXAMPLE.COM\t"),
            format!("line {}: field 7, the name: it is not as long", line_of("alice")),
        ),
        (
            altered(&dump, "kind", "\nprinc\t", "\nprincess\t"),
            "line 2: field 1, the kind of the line".to_owned(),
        ),
        (
            altered(&dump, "master", "K/M@EXAMPLE.COM", "K/N@EXAMPLE.COM"),
            "there is no K/M@EXAMPLE.COM in the dump".to_owned(),
        ),
        (
            altered(&dump, "newer", "load_dump version 7", "load_dump version 8"),
            "line 1: this dump is of a version that is not known".to_owned(),
        ),
        (
            write("ov", b"OpenV*Secure V1.0\t\n"),
            "line 1: this is a dump in the format of OpenV*Secure".to_owned(),
        ),
        (
            write(
                "heimdal",
                b"krbtgt/R@R 1::18:6b1f:-:- 20260101000000:kadmin/admin@R - - - - - - 126\n",
            ),
            "kdc import-heimdal".to_owned(),
        ),
        (
            mit.stash().with_file_name("principal"),
            "line 1: this is no dump".to_owned(),
        ),
        (write("empty", b""), "the file is empty".to_owned()),
        (realm.directory().join("absent"), "absent cannot be read".to_owned()),
    ] {
        let refused = import(&realm, &bad, &mit.stash(), "").status(1);
        assert!(
            refused.contains(&said) && refused.contains("Nothing was written"),
            "{said:?} is not in {refused}"
        );
        assert!(!realm.state().exists(), "{}", bad.display());
    }
    for (stash, said) in [
        (
            stash_of_another,
            "(version 1, aes256-cts-hmac-sha1-96) does not open K/M, which has version 1",
        ),
        (
            mit.keytab("alice"),
            "it has no key of K/M@EXAMPLE.COM, but of alice@EXAMPLE.COM",
        ),
        (write("text", b"master\n"), "it is no stash file"),
    ] {
        import(&realm, &dump, &stash, "").refused_with(said);
    }
    let elsewhere = Realm::builder().realm("").stopped();
    let toml = std::fs::read_to_string(elsewhere.toml()).unwrap();
    std::fs::write(elsewhere.toml(), toml.replace("EXAMPLE.COM", "ELSEWHERE.ORG")).unwrap();
    import(&elsewhere, &dump, &mit.stash(), "")
        .refused_with("the dump is of the realm EXAMPLE.COM, and realm.toml describes ELSEWHERE.ORG");
    let policies = Realm::builder().section("[policies.staff]\nmin-length = 8\n").stopped();
    let with_policy = write(
        "policy",
        format!("{text}policy\tstaff\t0\t0\t1\t1\t1\t0\t0\t0\t0\t0\t0\t0\t-\t0\n").as_bytes(),
    );
    import(&policies, &with_policy, &mit.stash(), "").refused_with("the policy staff is in realm.toml, too");
    assert!(!realm.state().exists() && !elsewhere.state().exists() && !policies.state().exists());

    // To the end, and nothing is written either; the report is the same in both forms.
    let told = import(&realm, &dump, &mit.stash(), "--dry-run").ok();
    assert!(told.contains("nothing was written: without --dry-run"), "{told}");
    let json = import(&realm, &dump, &mit.stash(), "--dry-run --json").ok();
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (end, findings) = lines.split_last().unwrap();
    assert_eq!((&end["realm"], &end["written"]), (&"EXAMPLE.COM".into(), &false.into()));
    assert_eq!(end["summary"]["principals"]["carried-over"], 6);
    let alice = findings.iter().find(|finding| finding["principal"] == "alice").unwrap();
    assert_eq!(
        (&alice["outcome"], &alice["item"], &alice["line"]),
        (&"carried-over".into(), &"principal".into(), &line_of("alice").into())
    );
    assert_eq!(told.lines().filter(|line| line.starts_with("carried over")).count(), 6);
    assert!(!realm.state().exists());

    // A database that is there is not touched.
    import(&realm, &dump, &mit.stash(), "").ok();
    let key = std::fs::read(realm.state().join("master.key")).unwrap();
    import(&realm, &dump, &mit.stash(), "").refused_with("is not empty");
    assert_eq!(std::fs::read(realm.state().join("master.key")).unwrap(), key);
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_reference_dumps_are_imported_or_refused_for_a_reason() {
    let vectors = std::env::var_os("TESSERA_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    for (name, expected) in [
        ("dump", Ok(Some("testpol"))),
        ("dump.r18", Ok(Some("testpol"))),
        ("dump.r13", Ok(Some("testpol"))),
        ("dump.b7", Ok(None)),
        (
            "dump.16",
            Err(
                "version 1, is of the enctype des3-cbc-sha1, which this realm never has; make a new one on the MIT side: kdb5_util add_mkey",
            ),
        ),
        ("dump.ov", Err("which has policies and no keys")),
    ] {
        let mut realm = Realm::builder().stopped();
        let toml = std::fs::read_to_string(realm.toml()).unwrap();
        std::fs::write(realm.toml(), toml.replace("EXAMPLE.COM", "KRBTEST.COM")).unwrap();
        let dump = vectors.join("mit/dumpfiles").join(name);
        let tool = realm
            .kdc("import-mit --master-password-file -")
            .arg(&dump)
            .stdin("master\n");
        let done = tool.run();
        let policy = match expected {
            Ok(policy) => policy,
            Err(why) => {
                done.refused_with(why);
                continue;
            }
        };
        let report = done.ok();
        for left in ["des3-cbc-sha1 of version 1", "\tK/M\t"] {
            assert!(report.contains(left), "{name}: {report}");
        }
        realm.restart();
        let shown = json_of(realm.principal("show user --json"));
        assert_eq!(shown["policy"].as_str(), policy, "{name}: {shown}");
        assert_eq!(
            keys_of(&realm, "user"),
            ["aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96"]
        );
        realm.principal("show nokeys").run().ok();
    }
}

/// A PAC is signed for the ticket that it is in. In another one it is worth nothing, and some services refuse such a ticket.
#[test]
fn a_ticket_got_with_a_tgt_of_another_kdc_has_nothing_of_its_pac() {
    const PAC: i64 = 128;
    const ANYTHING: i64 = 77;
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let host = realm.add_service("host/server.example.com");
    let session = login(
        realm.kerberos(),
        "alice",
        &Key::from_password("wonderland", "EXAMPLE.COMalice"),
    );
    let (krbtgt, kvno) = keytab::newest_key(&realm.keytab("krbtgt/EXAMPLE.COM"));
    let element = |kind, value: &[u8]| authorization_data(&[(kind, value.to_vec())]);
    let mut part = EncTicketPart::open(&session.ticket, &krbtgt);
    part.authorization_data = Some(authorization_data(&[
        (1, element(PAC, b"signed")),
        (1, element(ANYTHING, b"kept")),
        (PAC, b"bare".to_vec()),
    ]));
    let theirs = Session {
        ticket: part.seal("krbtgt/EXAMPLE.COM", &krbtgt, Some(kvno)),
        ..session
    };
    let ticket = theirs.get(realm.kerberos(), &KdcReq::ticket("host/server.example.com"));
    let (key, _) = keytab::newest_key(&host);
    let data = EncTicketPart::open(&ticket.ticket, &key).authorization_data.unwrap();
    let types = authorization_types(&data);
    assert!(types.contains(&ANYTHING) && !types.contains(&PAC), "{types:?}");
}
