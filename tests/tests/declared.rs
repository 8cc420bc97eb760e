//! A realm that is kept in a file: what `principal apply` makes of it, as MIT's programs meet it, and what `principal export`
//! writes.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tessera_tests::{Realm, Workstation};

const HOUSE: &str = r#"
[roles.staff]

[policies.people]
max-life = "2h"

[rules.office]
effect = "allow"
roles = "staff"
services = "http/www.example.com"

[principals.alice]
aliases = ["wonder"]
policy = "people"
roles = ["staff"]

[principals.bob]
forwardable = false

[principals."http/www.example.com"]
max-life = "1h"
"#;

fn write(realm: &Realm, name: &str, text: &str) -> PathBuf {
    let path = realm.directory().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn apply(realm: &Realm, flags: &str, text: &str) -> String {
    let file = write(realm, "house.toml", text);
    realm.principal(&format!("apply {flags}")).arg(file).run().ok()
}

fn set_password(realm: &Realm, name: &str) {
    realm
        .principal(&format!("password {name} --password-file -"))
        .stdin("wonderland\n")
        .run()
        .ok();
}

fn login(realm: &Realm, options: &str) -> Workstation {
    let desk = realm.workstation();
    desk.mit(&format!("kinit {options}")).stdin("wonderland\n").run().ok();
    desk
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_declared_realm_serves_as_declared_and_again_differs_in_nothing() {
    let realm = Realm::start();
    let said = apply(&realm, "--dry-run", HOUSE);
    assert!(said.contains("+ principal alice\n    aliases: wonder\n"), "{said}");
    assert!(said.ends_with("would be 6 added, 0 changed, 0 removed\n"), "{said}");
    realm.principal("show alice").run().status(1);
    let said = apply(&realm, "", HOUSE);
    assert!(
        said.contains("6 added, 0 changed, 0 removed\nnew principals have random keys"),
        "{said}"
    );
    assert_eq!(apply(&realm, "", HOUSE), "0 added, 0 changed, 0 removed\n");

    // Nobody knows a random key; a password is set by who may.
    realm
        .workstation()
        .mit("kinit alice")
        .stdin("wonderland\n")
        .run()
        .refused();
    for name in ["alice", "bob"] {
        set_password(&realm, name);
    }
    let alice = login(&realm, "wonder");
    alice.mit("kvno --no-store http/www.example.com").run().ok();
    let bob = login(&realm, "-f bob");
    bob.mit("kvno http/www.example.com")
        .run()
        .refused_with("KDC policy rejects request");
    let flags = bob.mit("klist -f").run().ok();
    assert!(!flags.contains("Flags: F"), "{flags}");
    // People are no services unless it is said.
    bob.mit("kvno alice").run().refused();

    // The same file with other words: what is not said any more is as by default.
    let other = HOUSE
        .replace("roles = [\"staff\"]\n", "")
        .replace("forwardable = false", "roles = \"staff\"\nservice = true");
    let said = apply(&realm, "", &other);
    assert!(
        said.contains("~ principal alice\n    roles: staff -> (default)\n"),
        "{said}"
    );
    alice
        .mit("kvno --no-store http/www.example.com")
        .run()
        .refused_with("KDC policy rejects request");
    bob.mit("kvno --no-store http/www.example.com").run().ok();
    alice.mit("kvno bob").run().ok();
    let said = login(&realm, "-f bob").mit("klist -f").run().ok();
    assert!(said.contains("Flags: F"), "{said}");
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_file_that_is_wrong_anywhere_changes_nothing() {
    let realm = Realm::start();
    apply(&realm, "", HOUSE);
    set_password(&realm, "bob");
    let bob = login(&realm, "bob");
    for (text, why) in [
        // bob would have got in by the first of these, were it done by halves.
        (
            "[rules.office]\neffect = \"allow\"\nservices = \"http/*\"\n[principals.x]\nroles = \"none\"\n",
            "there would be no role none",
        ),
        (
            "[rules.office]\neffect = \"allow\"\nservices = \"http/*\"\n[principals.x]\naliases = [\"bob\"]\n",
            "already",
        ),
        (
            "[rules.office]\neffect = \"allow\"\nservices = \"http/*\"\n[principals.x]\npolicy = \"lost\"\n",
            "no policy lost",
        ),
        (
            "[rules.office]\neffect = \"allow\"\nservices = \"http/*\"\n[principals.x]\ncolour = 1\n",
            "unknown field `colour`",
        ),
        ("[rules.office]\neffect = \"allow\"\nservices = \n", "house.toml:3: "),
    ] {
        let file = write(&realm, "house.toml", text);
        let said = realm.principal("apply").arg(&file).run().status(1);
        assert!(
            said.contains(why) && said.contains("nothing was changed") || why == "already",
            "{said}"
        );
        bob.mit("kvno --no-store http/www.example.com")
            .run()
            .refused_with("KDC policy rejects request");
        realm.principal("show x").run().status(1);
    }
    realm.principal("apply nowhere.toml").run().status(1);
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_the_file_does_not_have_goes_only_when_told_to() {
    let realm = Realm::start();
    apply(&realm, "", HOUSE);
    set_password(&realm, "bob");
    let bob = login(&realm, "bob");
    let less = "[rules]\n[principals.\"http/www.example.com\"]\n[principals.bob]\n";
    apply(&realm, "", less);
    bob.mit("kvno --no-store http/www.example.com")
        .run()
        .refused_with("KDC policy rejects request");
    let said = apply(&realm, "--prune", less);
    assert!(
        said.contains("- rule office\n")
            && said.contains("- principal alice\n")
            && said.ends_with("0 added, 0 changed, 2 removed\n"),
        "{said}"
    );
    bob.mit("kvno --no-store http/www.example.com").run().ok();
    // Roles and policies are not what the file is about, and the realm's own principals never go.
    assert_eq!(realm.principal("role list").run().ok(), "staff\n");
    realm.principal("show kadmin/admin").run().ok();
    let said = realm.principal("apply - --prune --json").stdin("[roles]\n").run().ok();
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json[0]["becomes"], "removed");
    assert_eq!(json[0]["name"], "staff");
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_export_writes_apply_reads_here_and_elsewhere() {
    let realm = Realm::start();
    apply(&realm, "", HOUSE);
    set_password(&realm, "alice");
    realm.principal("lock bob").run().ok();
    let exported = realm.principal("export").run().ok();
    assert!(
        exported.contains("[principals.\"http/www.example.com\"]\n"),
        "{exported}"
    );
    for secret in ["wonderland", "key", "salt", "lock"] {
        assert!(!exported.contains(secret), "{exported}");
    }
    let nothing = realm.principal("apply - --prune").stdin(exported.clone()).run().ok();
    assert_eq!(nothing, "0 added, 0 changed, 0 removed\n");
    realm
        .workstation()
        .mit("kinit bob")
        .stdin("x\n")
        .run()
        .refused_with("revoked");

    let other = Realm::start();
    let said = other.principal("apply -").stdin(exported.clone()).run().ok();
    assert!(said.contains("6 added, 0 changed, 0 removed\n"), "{said}");
    assert_eq!(other.principal("export").run().ok(), exported);
    set_password(&other, "alice");
    login(&other, "wonder").mit("kvno http/www.example.com").run().ok();
}
