//! Administrators with some rights: what each may do from afar and what it may not, as MIT's programs meet what comes of it.

use serde_json::Value;
use tessera_tests::{Finished, Realm, Tool, Workstation};

const ROLES: &str = r#"
[roles.desk]
rights = ["viewer", "helpdesk:*/student"]
[roles.hosts]
rights = "keytab:host/*"
[roles.school]
rights = ["admin:*/student"]
[roles.audit]
rights = ["viewer"]
[roles.staff]
"#;
const WWW: &str = "host/www.example.com";

/// A realm that is administered from afar, too: students, others, services, and an administrator for each role.
fn realm() -> Realm {
    let listen = "kerberos = [\"127.0.0.1:0\"]\npassword = [\"127.0.0.1:0\"]\nadmin = [\"127.0.0.1:0\"]\n";
    let realm = Realm::builder().listen(listen).section(ROLES).start();
    for name in ["alice/student", "bob/student", "carol"] {
        realm.add(name, "wonderland");
    }
    for service in [WWW, "http/www.example.com"] {
        realm.add_service(service);
    }
    for role in ["desk", "hosts", "school", "audit", "staff"] {
        realm.add(&format!("{role}/admin"), "secret");
        local(&realm, &format!("set {role}/admin --add-role {role}"));
    }
    realm
}

/// What root says to the daemon.
fn local(realm: &Realm, line: &str) -> String {
    realm.principal(line).run().ok()
}

/// Somebody with a ticket for kadmin/admin, which MIT's kinit got.
struct Administrator {
    desk: Workstation,
    server: String,
}

impl Administrator {
    fn login(realm: &Realm, name: &str) -> Self {
        let desk = realm.workstation();
        let login = desk.mit(&format!("kinit -S kadmin/admin {name}"));
        login.stdin("secret\n").run().ok();
        let said = realm.log();
        let ready = said.lines().rfind(|line| line.starts_with("ready ")).unwrap();
        let server = ready.split(' ').find_map(|word| word.strip_prefix("admin=")).unwrap();
        let server = server.split(',').next().unwrap().to_owned();
        Self { desk, server }
    }

    fn tool(&self, line: &str) -> Tool {
        let (server, cache) = (&self.server, self.desk.cache());
        self.desk
            .ours(&format!("principal --server {server} -c {cache} {line}"))
    }

    fn run(&self, line: &str) -> Finished {
        self.tool(line).run()
    }

    #[track_caller]
    fn done(&self, line: &str) -> String {
        self.run(line).ok()
    }

    /// Refused for want of a right, and told which.
    #[track_caller]
    fn refused(&self, realm: &Realm, line: &str, needs: &str) {
        let said = self.run(line).status(1);
        assert!(said.contains(&format!(" needs the right {needs}")), "{line}: {said}");
        realm.wait_for_log(" result=refused reason=not-permitted detail=");
    }

    fn sets_password(&self, name: &str, password: &str) -> Finished {
        let set = self.tool(&format!("password {name} --password-file -"));
        set.stdin(format!("{password}\n")).run()
    }
}

/// Whether MIT's kinit logs in.
fn logs_in(realm: &Realm, name: &str, password: &str) -> bool {
    let desk = realm.workstation();
    let login = desk.mit(&format!("kinit {name}"));
    login.stdin(format!("{password}\n")).run().status.success()
}

#[test]
#[ignore = "needs MIT's tools"]
fn helpdesk_sets_the_passwords_of_those_it_is_over_and_of_nobody_else() {
    let realm = realm();
    let desk = Administrator::login(&realm, "desk/admin");
    desk.sets_password("alice/student", "looking-glass").ok();
    assert!(logs_in(&realm, "alice/student", "looking-glass"));
    assert!(!logs_in(&realm, "alice/student", "wonderland"));
    desk.done("set alice/student --must-change-password yes");
    assert!(!logs_in(&realm, "alice/student", "looking-glass"));
    // Its owner changes it as ever, by MIT's kpasswd, which asks nobody for rights.
    let own = realm.workstation();
    let changed = own.mit("kpasswd alice/student");
    changed.stdin("looking-glass\njabberwocky\njabberwocky\n").run().ok();
    assert!(logs_in(&realm, "alice/student", "jabberwocky"));

    for name in ["carol", "desk/admin", "school/admin", "krbtgt/EXAMPLE.COM"] {
        let said = desk.sets_password(name, "stolen").status(1);
        assert!(
            said.contains(&format!("password {name}@EXAMPLE.COM needs the right ")),
            "{said}"
        );
        assert!(
            said.contains("desk/admin@EXAMPLE.COM has viewer (role desk), helpdesk:*/student (role desk)"),
            "{said}"
        );
        assert!(!logs_in(&realm, name, "stolen"));
        realm.wait_for_log(&format!(
            "request=password principal=\"{name}\" result=refused reason=not-permitted detail=\"password {name}@"
        ));
    }
    assert!(logs_in(&realm, "carol", "wonderland"));
    // Nor by an alias that the pattern matches.
    local(&realm, "alias carol carol/student");
    desk.sets_password("carol/student", "stolen").status(1);
    assert!(logs_in(&realm, "carol", "wonderland"));
    desk.refused(&realm, "lock alice/student", "admin over alice/student@EXAMPLE.COM");
    desk.refused(
        &realm,
        "add eve/student --random-key",
        "admin over eve/student@EXAMPLE.COM",
    );
    desk.refused(&realm, "reload", "admin over everybody");
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_lock_of_an_administrators_is_taken_away_by_an_administrator() {
    let realm = realm();
    let (desk, school) = (
        Administrator::login(&realm, "desk/admin"),
        Administrator::login(&realm, "school/admin"),
    );
    school.done("lock alice/student");
    assert!(!logs_in(&realm, "alice/student", "wonderland"));
    let said = desk.run("unlock alice/student").status(1);
    assert!(said.contains("since an administrator has locked it"), "{said}");
    assert!(!logs_in(&realm, "alice/student", "wonderland"));
    school.done("unlock alice/student");
    assert!(logs_in(&realm, "alice/student", "wonderland"));
    // Who is locked by nobody is let in again by helpdesk, too.
    desk.done("unlock alice/student");
    desk.refused(&realm, "unlock carol", "helpdesk over carol@EXAMPLE.COM");
}

#[test]
#[ignore = "needs MIT's tools"]
fn who_has_the_right_to_keytabs_has_those_of_services_alone() {
    let realm = realm();
    let hosts = Administrator::login(&realm, "hosts/admin");
    let keytab = hosts.desk.keytab();
    let fetch = |name: &str, rotate: &str| hosts.run(&format!("keytab {name} --output {} {rotate}", keytab.display()));
    let service = realm.workstation();
    let login = || service.mit("kinit -k -t").arg(&keytab).arg(WWW).run();
    for rotate in ["", "--rotate"] {
        fetch(WWW, rotate).ok();
        login().ok();
    }
    hosts.done(&format!("rotate {WWW}"));
    // The keys in the keytab are the former ones now.
    login().refused();
    realm.add("host/person", "wonderland");
    for name in [
        "http/www.example.com",
        "host/person",
        "alice/student",
        "krbtgt/EXAMPLE.COM",
        "kadmin/admin",
    ] {
        for rotate in ["", "--rotate"] {
            let said = fetch(name, rotate).status(1);
            assert!(said.contains(" needs the right "), "{name}: {said}");
        }
    }
    assert!(logs_in(&realm, "host/person", "wonderland"));
    hosts.refused(&realm, "show carol", "viewer over carol@EXAMPLE.COM");
}

/// `role add --right`, `role set --add-right` and `--remove-right`, and the rights in `role list`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_right_counts_from_when_it_is_given_until_it_is_taken_away() {
    let realm = realm();
    local(&realm, "role add tutor --right viewer");
    local(&realm, "set staff/admin --add-role tutor");
    // One ticket for all of it.
    let staff = Administrator::login(&realm, "staff/admin");
    assert!(staff.done("list").contains("carol@EXAMPLE.COM"));
    staff.sets_password("alice/student", "one").status(1);
    assert!(logs_in(&realm, "alice/student", "wonderland"));
    local(
        &realm,
        "role set tutor --add-right helpdesk:alice/* --remove-right viewer",
    );
    staff.sets_password("alice/student", "two").ok();
    assert!(logs_in(&realm, "alice/student", "two"));
    staff.sets_password("bob/student", "two").status(1);
    assert_eq!(staff.done("list"), "alice/student@EXAMPLE.COM\n");
    let roles: Value = serde_json::from_str(&local(&realm, "role list --json")).unwrap();
    let tutor = roles
        .as_array()
        .unwrap()
        .iter()
        .find(|role| role["name"] == "tutor")
        .unwrap();
    assert_eq!(tutor["rights"], serde_json::json!(["helpdesk:alice/*"]));
    local(&realm, "role set tutor --remove-right helpdesk:alice/*");
    staff.sets_password("alice/student", "three").status(1);
    assert!(logs_in(&realm, "alice/student", "two"));
    local(&realm, "role set tutor --add-right admin");
    staff.sets_password("desk/admin", "three").ok();
    assert!(logs_in(&realm, "desk/admin", "three"));
    local(&realm, "set staff/admin --remove-role tutor");
    staff.refused(&realm, "list", "viewer");
}

#[test]
#[ignore = "needs MIT's tools"]
fn who_administers_some_makes_them_and_climbs_no_ladder() {
    let realm = realm();
    let school = Administrator::login(&realm, "school/admin");
    school
        .tool("add eve/student --password-file -")
        .stdin("apple\n")
        .run()
        .ok();
    assert!(logs_in(&realm, "eve/student", "apple"));
    school.done("rename eve/student eva/student");
    assert!(logs_in(&realm, "eva/student", "apple"));
    for (line, needs) in [
        ("add eve --random-key", "admin over eve@EXAMPLE.COM"),
        ("rename eva/student eva", "admin over eva@EXAMPLE.COM"),
        ("rename eva/student carol", "admin over carol@EXAMPLE.COM"),
        ("alias eva/student eva", "admin over eva@EXAMPLE.COM"),
        ("set eva/student --add-role audit", "admin over everybody"),
        ("set carol --max-life 1h", "admin over carol@EXAMPLE.COM"),
        ("role add new --right admin", "admin over everybody"),
        ("rule add all --effect deny --service host/*", "admin over everybody"),
        ("reload", "admin over everybody"),
    ] {
        school.refused(&realm, line, needs);
    }
    assert!(logs_in(&realm, "carol", "wonderland"));
    let (nobody, carol) = (school.run("show nobody").status(1), school.run("show carol").status(1));
    assert_eq!(
        nobody.replace("nobody", "carol"),
        carol,
        "whether there is one is not told"
    );
    school.done("remove eva/student");
    assert!(!logs_in(&realm, "eva/student", "apple"));
}

/// `explain --act` and `--on`.
#[test]
#[ignore = "needs MIT's tools"]
fn what_is_explained_of_an_administrator_is_what_it_meets() {
    let realm = realm();
    for who in [
        "desk/admin",
        "hosts/admin",
        "school/admin",
        "audit/admin",
        "staff/admin",
    ] {
        let administrator = Administrator::login(&realm, who);
        for (at, name) in ["alice/student", "carol", "audit/admin"].into_iter().enumerate() {
            let explained: Value = serde_json::from_str(&local(
                &realm,
                &format!("explain {who} --act password --on {name} --json"),
            ))
            .unwrap();
            let password = format!("{}-{at}", who.replace('/', "-"));
            let set = administrator.sets_password(name, &password);
            assert_eq!(
                explained["refused"].is_null(),
                set.status.success(),
                "{who} {name}: {explained}\n{set}"
            );
            assert_eq!(logs_in(&realm, name, &password), set.status.success());
            let decides = |right: &&Value| right["outcome"] == "decides";
            let deciding = explained["rights"].as_array().unwrap().iter().filter(decides).count();
            assert_eq!(deciding, usize::from(set.status.success()), "{explained}");
        }
        let explained = local(&realm, &format!("explain {who} --act list --json"));
        let explained: Value = serde_json::from_str(&explained).unwrap();
        assert_eq!(
            explained["refused"].is_null(),
            administrator.run("list").status.success()
        );
    }
}

/// Of an administrator over the socket, and of what goes wrong: nothing of this needs another program.
#[test]
fn an_act_is_explained_in_text_and_what_makes_no_sense_is_refused() {
    let realm = Realm::builder().section(ROLES).start();
    realm.add("alice/student", "wonderland");
    for name in ["desk/admin", "host/www"] {
        realm.principal(&format!("add {name} --random-key")).run().ok();
    }
    local(&realm, "set desk/admin --add-role desk");
    let service = local(&realm, "explain desk/admin --act password --on host/www");
    assert!(
        service.contains("Because: the principal is a service with random keys\n"),
        "{service}"
    );
    assert_eq!(
        local(&realm, "explain desk/admin --act password --on alice/student"),
        "Administrator: desk/admin@EXAMPLE.COM\nAct: password\nOn: alice/student@EXAMPLE.COM\nRoles: desk\nNeeds: helpdesk\n\
         Over: all names of the principal\nBecause: such acts need it\n\
         Rights: viewer (role desk, realm.toml): is for other things\n\
         Rights: helpdesk:*/student (role desk, realm.toml): decides\nRefused: no\n"
    );
    let own = local(&realm, "explain desk/admin --act rotate --on desk/admin");
    assert!(own.contains("Because: the principal has rights itself\n"), "{own}");
    assert!(own.ends_with("Refused: refused: not-permitted\n"), "{own}");
    let new = local(&realm, "explain desk/admin --act add --on nobody");
    assert!(
        new.contains("On: nobody@EXAMPLE.COM\n") && new.contains("Needs: admin\n"),
        "{new}"
    );
    for (line, status, said) in [
        ("explain desk/admin --act password", 1, "name one with --on"),
        (
            "explain desk/admin --act reload --on alice/student",
            1,
            "leave out --on",
        ),
        (
            "explain desk/admin --act password --on nobody",
            1,
            "there is no principal nobody@",
        ),
        ("explain desk/admin --act delete", 2, "possible values: list, show, "),
        ("explain desk/admin --on alice/student", 2, "--act <ACT>"),
        (
            "explain desk/admin --act list --service host/www",
            2,
            "cannot be used with",
        ),
        ("role add x --right root", 1, "\"root\" is no right; there are viewer, "),
        ("role set desk --add-right viewer", 1, "the role desk is realm.toml's"),
        ("role set x --add-right viewer", 1, "there is no role x"),
        ("role set x", 2, "nothing to set"),
    ] {
        let told = realm.principal(line).run().status(status);
        assert!(told.contains(said), "{line}: {told}");
    }
    assert!(local(&realm, "role list").contains("desk\n"));
}

/// Names of every character that patterns, shells and logs trip over.
#[test]
fn whatever_a_name_has_in_it_a_line_of_the_log_is_one_line() {
    let realm = Realm::start();
    let long = "x".repeat(255);
    let names = [
        "a*b",
        "[a-z]",
        "a\\/b",
        "a\\@b",
        "a\\\\b",
        "a b",
        "'a'",
        "\"a\"",
        "a=b result=done",
        "$(a)",
        "#a",
        "a\nb",
        "😀",
        &long,
    ];
    for name in names {
        // A name that there is, and, from then on, as a pattern, too; one with a line's end is no name.
        let is_name = !name.contains('\n');
        let added = realm.principal("add --random-key --").arg(name).run();
        assert_eq!(added.status.success(), is_name, "{added}");
        let shown = realm.principal("show --").arg(name).run();
        assert_eq!(shown.status.success(), is_name, "{shown}");
    }
    realm.wait_for_log(&format!("request=show principal=\"{long}\" result="));
    let said = realm.log();
    for request in ["request=add ", "request=show "] {
        let lines: Vec<_> = said.lines().filter(|line| line.contains(request)).collect();
        assert_eq!(lines.len(), names.len(), "{said}");
        for (line, name) in lines.iter().zip(names) {
            let outcome = if name.contains('\n') {
                "refused reason=invalid"
            } else {
                "done"
            };
            let quoted = format!("{request}principal={name:?} result={outcome}");
            assert!(line.contains(&quoted), "{quoted}: {line}");
        }
    }
}
