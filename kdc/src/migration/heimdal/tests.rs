//! Whole dumps, and what becomes of what is in them.

use core::time::Duration;
use std::io::Cursor;

use tempfile::TempDir;
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::name::Realm;
use tessera_common::time::KerberosTime;
use tessera_common::tlv::{BOOLEAN, GENERAL_STRING, GENERALIZED_TIME, INTEGER, OCTET_STRING, SEQUENCE, context, value};

use super::{MasterKeys, import};
use crate::migration::{Finding, ImportError, Importer, Item, Outcome, Summary, Whose};
use crate::realm::principal::{Attributes, PrincipalRecord};
use crate::realm::settings::RealmSettings;
use crate::store::test_realm::{Counter, name};
use crate::store::{Author, Construction, Location};

const USUAL: u32 = 126;
const NOW: &str = "2026-11-29T12:00:00Z";
const AES256: EncType = EncType::Aes256CtsHmacSha1_96;
const AES128: EncType = EncType::Aes128CtsHmacSha1_96;

fn time(text: &str) -> KerberosTime {
    text.parse().unwrap()
}

struct Imported {
    findings: Vec<Finding>,
    outcome: Result<(Construction, Summary), ImportError>,
}

impl Imported {
    fn record(&self, text: &str) -> PrincipalRecord {
        let (construction, _) = self.outcome.as_ref().unwrap_or_else(|why| panic!("{why}"));
        let found = construction.view().find(&name(text));
        PrincipalRecord::clone(found.unwrap_or_else(|| panic!("no {text}")))
    }

    fn is_there(&self, text: &str) -> bool {
        let (construction, _) = self.outcome.as_ref().unwrap();
        construction.view().find(&name(text)).is_some()
    }

    /// The keys of a principal: version, enctype, first octet, salt.
    fn keys(&self, text: &str) -> Vec<(u32, i32, u8, Option<String>)> {
        let record = self.record(text);
        let (construction, _) = self.outcome.as_ref().unwrap();
        let keys = record.keys.iter();
        keys.map(|stored| {
            let key = construction.view().key(&record, stored).unwrap();
            let salt = stored.salt.clone().map(|salt| String::from_utf8(salt).unwrap());
            (stored.kvno, stored.etype.number(), key.octets()[0], salt)
        })
        .collect()
    }

    /// What was said of a principal but that it came over.
    fn told(&self, whose: &str) -> Vec<(Outcome, Item, String)> {
        let whose = Whose::Principal(whose.into());
        let about = self.findings.iter().filter(|finding| finding.whose == whose);
        about
            .filter(|finding| finding.outcome != Outcome::CarriedOver)
            .map(|finding| (finding.outcome, finding.item, finding.what.clone()))
            .collect()
    }

    #[track_caller]
    fn error(self) -> String {
        match self.outcome {
            Ok((_, summary)) => panic!("it was taken: {summary}"),
            Err(why) => why.to_string(),
        }
    }
}

fn import_with(dump: &str, masters: Option<&MasterKeys>) -> Imported {
    let directory = TempDir::new().unwrap();
    let location = Location {
        state: directory.path().join("state"),
        realm: Realm::new("EXAMPLE.COM").unwrap(),
        credentials: None,
    };
    let settings = RealmSettings::new(location.realm.clone());
    let construction = Construction::begin(&location).unwrap();
    let author = Author::unproved("test", time(NOW));
    let mut findings = Vec::new();
    let mut tell = |finding: &Finding| findings.push(finding.clone());
    let mut random = Counter::default();
    let mut importer = Importer::new(construction, &settings, author, &mut random, &mut tell);
    let mut making = Counter::default();
    let read = import(Cursor::new(dump.as_bytes()), masters, &mut importer, &mut making);
    let outcome = read.and_then(|()| importer.finish());
    Imported { findings, outcome }
}

fn import_text(dump: &str) -> Imported {
    import_with(dump, None)
}

/// A line of a dump, of an entry with these keys, flags and extensions.
fn line(principal: &str, keys: &str, flags: u32, extensions: &[Vec<u8>]) -> String {
    let hex = |der: &Vec<u8>| der.iter().map(|octet| format!("{octet:02X}")).collect::<String>();
    let extensions = match extensions {
        [] => "-".to_owned(),
        all => all.iter().map(hex).collect::<Vec<_>>().join(":"),
    };
    let created = "20260101000000:kadmin/admin@EXAMPLE.COM";
    let modified = "20260202000000:joe/admin@EXAMPLE.COM";
    format!("{principal} {keys} {created} {modified} - - - 86400 604800 {flags} 20260101000000:1:0 {extensions}\n")
}

/// A key of a line.
fn key(etype: i32, octet: u8, salt: &str) -> String {
    let octets = if etype == 17 || etype == 23 || etype == 19 {
        16
    } else {
        32
    };
    format!("::{etype}:{}:{salt}", format!("{octet:02X}").repeat(octets))
}

fn krbtgt() -> String {
    let keys = format!("1{}", key(18, 1, "-"));
    line("krbtgt/EXAMPLE.COM@EXAMPLE.COM", &keys, USUAL, &[])
}

fn user(text: &str) -> String {
    line(
        &format!("{text}@EXAMPLE.COM"),
        &format!("2{}", key(18, 5, "-")),
        USUAL,
        &[],
    )
}

fn extension(mandatory: bool, number: u8, content: &[u8]) -> Vec<u8> {
    let mandatory = value(BOOLEAN, &[if mandatory { 0xff } else { 0 }]);
    let data = value(context(number), content);
    value(
        SEQUENCE,
        &[value(context(0), &mandatory), value(context(1), &data)].concat(),
    )
}

fn aliases(case_insensitive: bool, names: &[(&[&str], &str)]) -> Vec<u8> {
    let text = |text: &str| value(GENERAL_STRING, text.as_bytes());
    let names = names.iter().flat_map(|(components, realm)| {
        let components: Vec<u8> = components.iter().flat_map(|component| text(component)).collect();
        let parts = [
            value(context(0), &value(INTEGER, &[1])),
            value(context(1), &value(SEQUENCE, &components)),
        ];
        let name = value(context(0), &value(SEQUENCE, &parts.concat()));
        value(SEQUENCE, &[name, value(context(1), &text(realm))].concat())
    });
    let names: Vec<u8> = names.collect();
    let insensitive = value(BOOLEAN, &[if case_insensitive { 0xff } else { 0 }]);
    let parts = [
        value(context(0), &insensitive),
        value(context(1), &value(SEQUENCE, &names)),
    ];
    extension(false, 6, &value(SEQUENCE, &parts.concat()))
}

/// A set of former keys: the version, and of each the master key's version, the enctype, the octets and a salt.
type FormerSet<'f> = (u8, &'f [(Option<u8>, u8, Vec<u8>, Option<&'f str>)]);

fn former(sets: &[FormerSet<'_>]) -> Vec<u8> {
    let number = |number: u8| value(INTEGER, &[number]);
    let set = |(kvno, keys): &FormerSet<'_>| {
        let keys = keys.iter().flat_map(|(mkvno, etype, octets, salt)| {
            let parts = [
                value(context(0), &number(*etype)),
                value(context(1), &value(OCTET_STRING, octets)),
            ];
            let mut fields = Vec::new();
            fields.extend(mkvno.map(|mkvno| value(context(0), &number(mkvno))));
            fields.push(value(context(1), &value(SEQUENCE, &parts.concat())));
            fields.extend(salt.map(|salt| {
                let salt = value(OCTET_STRING, salt.as_bytes());
                let parts = [value(context(0), &number(3)), value(context(1), &salt)];
                value(context(2), &value(SEQUENCE, &parts.concat()))
            }));
            value(SEQUENCE, &fields.concat())
        });
        let keys: Vec<u8> = keys.collect();
        let parts = [
            value(context(0), &number(*kvno)),
            value(context(1), &value(SEQUENCE, &keys)),
            value(context(2), &value(GENERALIZED_TIME, b"20250101000000Z")),
        ];
        value(SEQUENCE, &parts.concat())
    };
    let sets: Vec<u8> = sets.iter().flat_map(set).collect();
    extension(false, 9, &value(SEQUENCE, &sets))
}

#[test]
fn a_principal_comes_over_with_everything_that_the_realm_knows_of() {
    let keys = format!(
        "3{}{}{}",
        key(17, 7, r#"3/"EXAMPLE.COMal""#),
        key(23, 8, r#"3/"EXAMPLE.COMal""#),
        key(18, 9, r#"3/"EXAMPLE.COMal""#)
    );
    let changed = extension(false, 7, &value(GENERALIZED_TIME, b"20260303000000Z"));
    let old_key = (None, 18, vec![6; 32], Some("old"));
    let old = former(&[
        (1, &[(None, 17, vec![4; 16], None)]),
        (2, &[old_key, (None, 17, vec![5; 16], Some("old"))]),
    ]);
    let names = aliases(
        false,
        &[
            (&["robert"], "EXAMPLE.COM"),
            (&["alice"], "EXAMPLE.COM"),
            (&["x"], "OTHER"),
            (&["a", "b"], "EXAMPLE.COM"),
        ],
    );
    let alice = line("alice@EXAMPLE.COM", &keys, USUAL | 1 << 18, &[changed, old, names])
        .replace(" - - - ", " 20200101000000 20300101000000 20290101000000 ");
    let imported = import_text(&(krbtgt() + &alice));

    let record = imported.record("alice");
    assert_eq!(record.created, time("2026-01-01T00:00:00Z"));
    assert_eq!(record.changed, time("2026-02-02T00:00:00Z"));
    assert_eq!(record.changed_by, "joe/admin@EXAMPLE.COM");
    assert_eq!(record.expires, Some(time("2030-01-01T00:00:00Z")));
    assert_eq!(record.password_expires, Some(time("2029-01-01T00:00:00Z")));
    assert_eq!(record.max_life, Some(Duration::from_secs(86400)));
    assert_eq!(record.max_renew, Some(Duration::from_secs(604_800)));
    assert_eq!(record.attributes, Attributes::MUST_CHANGE_PASSWORD);
    assert_eq!(record.keys_changed, Some(time("2026-03-03T00:00:00Z")));
    assert_eq!(record.aliases, [name("a/b"), name("robert")]);
    let salt = Some("EXAMPLE.COMal".to_owned());
    let default = Some("EXAMPLE.COMalice".to_owned());
    let old = Some("old".to_owned());
    assert_eq!(
        imported.keys("alice"),
        [
            (3, 18, 9, salt.clone()),
            (3, 17, 7, salt),
            (2, 18, 6, old.clone()),
            (2, 17, 5, old),
            (1, 17, 4, default),
        ]
    );
    assert!(record.keys.iter().all(|key| key.retired.is_none()));
    let made: Vec<_> = record.keys.iter().map(|key| key.made.unwrap()).collect();
    assert_eq!(
        (made[0], made[2]),
        (time("2026-03-03T00:00:00Z"), time("2025-01-01T00:00:00Z"))
    );
    let known: Vec<_> = record
        .former_passwords
        .iter()
        .map(|key| (key.kvno, key.etype))
        .collect();
    assert_eq!(known, [(2, AES128), (1, AES128)]);
    assert_eq!(
        imported.told("alice"),
        [
            (Outcome::LeftOut, Item::Alias, "the alias x@OTHER".into()),
            (Outcome::LeftOut, Item::Key, "keys: arcfour-hmac of version 3".into()),
        ]
    );
    let (_, summary) = imported.outcome.unwrap();
    assert_eq!((summary.principals.carried_over, summary.keys.left_out), (2, 1));
}

#[test]
fn a_random_key_has_no_salt_and_one_of_a_password_has() {
    let without = |text: &str| line(text, &format!("1{}", key(18, 1, "-")), USUAL, &[]);
    let with = format!("1{}{}", key(18, 1, "-"), key(17, 2, r#"10/"cell""#));
    let dump = krbtgt()
        + &without("host/a@EXAMPLE.COM")
        + &without("alice@EXAMPLE.COM")
        + &line("joe/admin@EXAMPLE.COM", &with, USUAL, &[])
        + &line("bob@EXAMPLE.COM", &format!("1{}", key(18, 1, "3/")), USUAL, &[]);
    let imported = import_text(&dump);
    let salts = |text: &str| {
        imported
            .keys(text)
            .into_iter()
            .map(|(.., salt)| salt)
            .collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(salts("host/a"), [None]);
    assert_eq!(salts("krbtgt/EXAMPLE.COM"), [None]);
    assert_eq!(salts("alice"), [some("EXAMPLE.COMalice")]);
    assert_eq!(salts("joe/admin"), [some("EXAMPLE.COMjoeadmin"), some("cell")]);
    assert_eq!(salts("bob"), [some("")]);
}

#[test]
fn keys_are_in_the_order_in_which_heimdals_kdc_seals_with_them() {
    let keys = format!("1{}{}{}", key(20, 20, "-"), key(17, 17, "-"), key(19, 19, "-"));
    let tgs = line("krbtgt/EXAMPLE.COM@EXAMPLE.COM", &keys, USUAL, &[]);
    let found: Vec<_> = import_text(&tgs)
        .keys("krbtgt/EXAMPLE.COM")
        .iter()
        .map(|key| key.1)
        .collect();
    assert_eq!(found, [17, 20, 19]);
}

#[test]
fn former_keys_of_the_ticket_granting_service_end_when_no_ticket_needs_them() {
    let old = || former(&[(1, &[(None, 18, vec![4; 32], None)])]);
    let tgs = |max_life: &str| {
        let keys = format!("2{}", key(18, 1, "-"));
        let tgs = line("krbtgt/EXAMPLE.COM@EXAMPLE.COM", &keys, USUAL, &[old()]);
        tgs.replace(" 86400 ", &format!(" {max_life} "))
    };
    let skew = Duration::from_secs(300);
    for (own, others, life) in [
        // As long as any principal's tickets may live, whatever its own say, and no less than the realm's.
        ("-", "172800", Some(172_800)),
        ("86400", "172800", Some(86_400)),
        ("3600", "172800", Some(36_000)),
        // Nothing bounds them.
        ("-", "-", None),
        ("86400", "-", Some(86_400)),
    ] {
        let alice = user("alice").replace(" 86400 ", &format!(" {others} "));
        let imported = import_text(&(tgs(own) + &alice));
        let record = imported.record("krbtgt/EXAMPLE.COM");
        let retired: Vec<_> = record.keys.iter().map(|key| key.retired).collect();
        let end = life.map(|seconds| time(NOW).plus(Duration::from_secs(seconds) + skew));
        assert_eq!(retired, [None, end], "{own} {others}");
    }
}

fn sealed(octet: u8, usage: u32) -> Vec<u8> {
    let master = Key::new(AES256, &[0x6b; 32]).unwrap();
    master.encrypt(KeyUsage(usage), &[octet; 32], &mut Counter::default())
}

fn masters(octet: u8, kvno: u32) -> MasterKeys {
    let entry = KeytabEntry {
        principal: "K/M@EXAMPLE.COM".parse().unwrap(),
        name_type: 1,
        timestamp: KerberosTime::EPOCH,
        kvno,
        key: Key::new(AES256, &[octet; 32]).unwrap().into(),
    };
    MasterKeys::parse(&Keytab { entries: vec![entry] }.to_bytes()).unwrap()
}

fn sealed_line(text: &str, octet: u8) -> String {
    let digits: String = sealed(octet, 0x48_4442)
        .iter()
        .map(|octet| format!("{octet:02X}"))
        .collect();
    line(text, &format!("2:1:18:{digits}:-"), USUAL, &[])
}

#[test]
fn sealed_keys_open_under_their_master_key_and_no_other() {
    let dump = krbtgt() + &sealed_line("host/a@EXAMPLE.COM", 9);
    let imported = import_with(&dump, Some(&masters(0x6b, 1)));
    assert_eq!(imported.keys("host/a"), [(2, 18, 9, None)]);

    let error = import_with(&dump, Some(&masters(0x6c, 1))).error();
    assert!(error.starts_with("line 2: host/a: "), "{error}");
    assert!(
        error.contains("the wrong one") && error.contains("mkey_file"),
        "{error}"
    );
    let error = import_with(&dump, Some(&masters(0x6b, 2))).error();
    assert!(
        error.contains("version 1 of the master key, which the file has not"),
        "{error}"
    );
    let error = import_text(&dump).error();
    assert!(error.contains("--master-key FILE"), "{error}");
    let des = MasterKeys::parse(&[[3, 0, 8, 0, 0, 0].as_slice(), &[1; 8]].concat()).unwrap();
    let error = import_with(&dump, Some(&des)).error();
    assert!(
        error.contains("des-cbc-md5") && error.contains("dump --decrypt"),
        "{error}"
    );
}

#[test]
fn former_keys_that_stay_sealed_are_left_out() {
    let old = former(&[(1, &[(Some(1), 18, sealed(4, 0), None)])]);
    let service = line("host/a@EXAMPLE.COM", &format!("2{}", key(18, 9, "-")), USUAL, &[old]);
    let dump = krbtgt() + &service;
    let versions = |masters: Option<&MasterKeys>| {
        let imported = import_with(&dump, masters);
        let versions: Vec<_> = imported.keys("host/a").iter().map(|key| (key.0, key.2)).collect();
        (versions, imported.told("host/a"))
    };
    assert_eq!(versions(Some(&masters(0x6b, 1))), (vec![(2, 9), (1, 4)], vec![]));
    let told = vec![(
        Outcome::LeftOut,
        Item::Key,
        "keys: aes256-cts-hmac-sha1-96 of version 1".to_owned(),
    )];
    assert_eq!(versions(None), (vec![(2, 9)], told.clone()));
    assert_eq!(versions(Some(&masters(0x6b, 2))), (vec![(2, 9)], told));
    let error = import_with(&dump, Some(&masters(0x6c, 1))).error();
    assert!(error.contains("the wrong one"), "{error}");
}

#[test]
fn keys_that_cannot_be_used_take_no_former_one_back_into_force() {
    let old = former(&[(1, &[(None, 18, vec![4; 32], Some("salt"))])]);
    let alice = line("alice@EXAMPLE.COM", &format!("2{}", key(23, 9, "-")), USUAL, &[old]);
    let imported = import_text(&(krbtgt() + &alice));
    assert_eq!(imported.keys("alice"), []);
    let told: Vec<_> = imported
        .told("alice")
        .into_iter()
        .map(|(_, item, what)| (item, what))
        .collect();
    assert_eq!(
        told,
        [
            (Item::Key, "keys: arcfour-hmac of version 2".into()),
            (Item::Key, "its former keys".into()),
            (Item::Principal, "the principal, without any key".into()),
        ]
    );
}

#[test]
fn a_realm_without_a_key_of_use_gets_a_later_one() {
    let tgs = line(
        "krbtgt/EXAMPLE.COM@EXAMPLE.COM",
        &format!("7{}", key(16, 9, "-")),
        USUAL,
        &[],
    );
    let imported = import_text(&tgs);
    let versions: Vec<_> = imported.keys("krbtgt/EXAMPLE.COM").iter().map(|key| key.0).collect();
    assert_eq!(versions, [8; 4]);
    assert_eq!(imported.told("krbtgt/EXAMPLE.COM")[1].2, "new keys, of version 8");
}

#[test]
fn odd_keys_are_left_out_one_by_one() {
    let keys = format!("2{}{}", key(18, 1, r#"3/"a""#), key(18, 2, r#"10/"b""#));
    let later = former(&[
        (3, &[(None, 18, vec![4; 32], None)]),
        (0, &[(None, 17, vec![5; 16], None)]),
    ]);
    let alice = line("alice@EXAMPLE.COM", &keys, USUAL, &[later]);
    let imported = import_text(&(krbtgt() + &alice));
    assert_eq!(imported.keys("alice"), [(2, 18, 1, Some("a".into()))]);
    let told: Vec<_> = imported.told("alice").into_iter().map(|(.., what)| what).collect();
    assert_eq!(
        told,
        [
            "keys: aes256-cts-hmac-sha1-96 of version 2",
            "keys: aes256-cts-hmac-sha1-96 of version 3",
            "keys: aes128-cts-hmac-sha1-96 of version 0",
        ]
    );
    let short = line("alice@EXAMPLE.COM", "2::18:00:-", USUAL, &[]);
    let error = import_text(&(krbtgt() + &short)).error();
    assert!(error.contains("has 1 octets and not 32"), "{error}");
}

#[test]
fn what_may_be_a_restriction_locks() {
    let alice = |flags| line("alice@EXAMPLE.COM", &format!("2{}", key(18, 5, "-")), flags, &[]);
    let not_before = |start: &str| alice(USUAL).replacen(" - - - ", &format!(" {start} - - "), 1);
    let is_locked = |line: &str| {
        let imported = import_text(&(krbtgt() + line));
        let locked = imported.record("alice").attributes.contains(Attributes::LOCKED);
        (locked, imported.told("alice").len())
    };
    assert_eq!(is_locked(&alice(USUAL)), (false, 0));
    assert_eq!(is_locked(&alice(USUAL & !(1 << 6))), (true, 1));
    // Neither client nor service: so it was.
    assert_eq!(is_locked(&alice(USUAL & !(3 << 5))), (true, 0));
    assert_eq!(is_locked(&alice(USUAL | 1 << 17)), (true, 0));
    assert_eq!(is_locked(&not_before("20261129120000")), (false, 0));
    assert_eq!(is_locked(&not_before("20261129120001")), (true, 1));
}

#[test]
fn the_realms_own_services_are_reached_by_a_login_only() {
    let keys = format!("1{}", key(18, 5, "-"));
    let dump = krbtgt()
        + &line("kadmin/admin@EXAMPLE.COM", &keys, USUAL | 1 << 13, &[])
        + &line("kadmin/changepw@EXAMPLE.COM", &keys, USUAL | 1 << 9 | 1, &[]);
    let imported = import_text(&dump);
    for service in ["kadmin/admin", "kadmin/changepw"] {
        assert_eq!(imported.record(service).attributes, Attributes::NOT_TGT_BASED);
    }
    assert_eq!(imported.told("kadmin/admin").len(), 1);
    assert_eq!(imported.told("kadmin/changepw"), []);
}

#[test]
fn what_is_not_of_this_realm_or_of_use_to_heimdal_alone_is_left_out() {
    let keys = format!("1{}", key(18, 5, "-"));
    let others = [
        ("WELLKNOWN/org.h5l.fast-cookie@WELLKNOWN:ORG.H5L", USUAL),
        ("krbtgt/EXAMPLE.COM@OTHER", USUAL),
        ("joe@OTHER", USUAL),
        ("default@EXAMPLE.COM", USUAL | 1 << 7),
        ("K/M@EXAMPLE.COM", USUAL),
    ];
    let lines: String = others
        .iter()
        .map(|(text, flags)| line(text, &keys, *flags, &[]))
        .collect();
    let imported = import_text(&(krbtgt() + &lines + &user("x\\ y")));
    for (text, _) in others {
        let shown = text.strip_suffix("@EXAMPLE.COM").unwrap_or(text);
        assert_eq!(
            imported.told(shown),
            [(Outcome::LeftOut, Item::Principal, "the principal".into())],
            "{text}"
        );
    }
    assert!(imported.is_there("x y"));
    assert!(!imported.is_there("default") && !imported.is_there("joe"));
    // Somebody's name may be just that.
    assert!(import_text(&(krbtgt() + &user("default"))).is_there("default"));
}

#[test]
fn extensions_without_a_counterpart_are_told_unless_they_are_mandatory() {
    let with = |mandatory, number, content: &[u8]| {
        let alice = user("alice").replace(" -\n", " EXT\n");
        let der = extension(mandatory, number, content);
        let hex: String = der.iter().map(|octet| format!("{octet:02X}")).collect();
        import_text(&(krbtgt() + &alice.replace("EXT", &hex)))
    };
    for number in [0, 1, 2, 4, 5, 8, 10, 11, 13, 14, 15, 16, 29] {
        let told = with(false, number, b"\x04\0").told("alice");
        let [(Outcome::LeftOut, Item::Extension, what)] = &told[..] else {
            panic!("{number}: {told:?}");
        };
        assert!(number < 16 || what == &format!("extension {number}"), "{what}");
        let error = with(true, number, b"\x04\0").error();
        assert!(
            error.starts_with("line 2: alice has ") && error.contains(what),
            "{error}"
        );
    }
    let told = with(false, 12, b"\x0c\x01p").told("alice");
    assert_eq!(told, [(Outcome::LeftOut, Item::Policy, "the policy p".into())]);
    assert!(with(true, 12, b"\x0c\x01p").error().contains("the policy"));
    // These are honoured.
    let time = value(GENERALIZED_TIME, b"20260303000000Z");
    assert_eq!(with(true, 7, &time).told("alice"), []);
    assert_eq!(with(true, 9, b"\x30\0").told("alice"), []);
}

#[test]
fn names_that_were_one_in_any_case_are_told_apart() {
    let keys = format!("2{}", key(18, 5, "-"));
    let names = aliases(true, &[(&["Alice"], "EXAMPLE.COM")]);
    let imported = import_text(&(krbtgt() + &line("alice@EXAMPLE.COM", &keys, USUAL, &[names])));
    assert_eq!(imported.record("alice").aliases, [name("Alice")]);
    assert_eq!(imported.told("alice")[0].1, Item::Alias);
}

#[test]
fn a_dump_that_is_not_whole_or_of_another_kind_is_refused_with_what_to_do() {
    let whole = krbtgt() + &user("alice");
    let names = aliases(false, &[(&["alice"], "EXAMPLE.COM")]);
    let twice = line("bob@EXAMPLE.COM", &format!("2{}", key(18, 5, "-")), USUAL, &[names]);
    for (dump, part) in [
        (String::new(), "the file is empty"),
        (whole.trim_end().to_owned(), "line 2: the file ends in the middle"),
        (
            whole[..whole.len() - 30].to_owned(),
            "line 2: the file ends in the middle",
        ),
        (whole.replacen(" 126 ", " ", 1), "line 1: the line has 11 fields"),
        (whole.clone() + "\n", "line 3: the line has 0 fields"),
        (whole.replace("0505", "05x5"), "line 2: the keys: not hexadecimal"),
        (
            whole.clone() + &user("alice"),
            "line 3: the principal alice is there twice",
        ),
        (
            whole.clone() + &twice,
            "line 3: the alias alice is a principal of its own",
        ),
        (user("alice"), "there is no krbtgt/EXAMPLE.COM@EXAMPLE.COM in the dump"),
        (
            whole.replace("EXAMPLE.COM", "OTHER.ORG"),
            "the dump is of the realm OTHER.ORG, and realm.toml describes EXAMPLE.COM",
        ),
        ("kdb5_util load_dump version 7\n".to_owned(), "kdc import-mit"),
        ("ipropx 1 2\n".to_owned(), "kdc import-mit"),
        ("\0\0\n".to_owned(), "line 1: this is no dump of Heimdal's database"),
        (krbtgt() + "\0\n", "line 2: there is an octet 0"),
    ] {
        let error = import_text(&dump).error();
        assert!(error.contains(part), "{error} does not say {part:?}");
    }
}
