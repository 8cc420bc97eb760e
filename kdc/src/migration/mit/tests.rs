//! Whole imports of small dumps.

use core::time::Duration;
use std::io::Cursor;
use std::path::PathBuf;

use tessera_common::crypto::{EncType, Key, string_to_key};
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::name::Realm;
use tessera_common::time::KerberosTime;
use zeroize::Zeroizing;

use super::fields::Fields;
use super::kadm_data;
use super::key_data::tests::sealed;
use super::key_data::{KeyData, SaltData};
use super::principal_line::PrincipalLine;
use super::principal_line::tests::written;
use super::*;
use crate::migration::finding::{Finding, Outcome, Summary};
use crate::migration::importer::{ImportError, Importer};
use crate::realm::access::Access;
use crate::realm::glob::Glob;
use crate::realm::policy::{Policy, PolicyName, PolicyParts};
use crate::realm::principal::{Attributes, PrincipalRecord, ShutOut};
use crate::realm::settings::RealmSettings;
use crate::store::test_realm::{Counter, name};
use crate::store::{Author, Construction, Location, View};

const NOW: KerberosTime = KerberosTime(1_700_000_000);
const PREAUTH: u32 = 0x80;

/// A dump that is being put together.
struct Dump {
    text: String,
    random: Counter,
}

/// What came of an import.
struct Imported {
    view: View,
    findings: Vec<Finding>,
    summary: Summary,
}

fn settings() -> RealmSettings {
    RealmSettings::new(Realm::new("R").unwrap())
}

fn key(octet: u8) -> Key {
    Key::new(EncType::Aes256CtsHmacSha1_96, &[octet; 32]).unwrap()
}

fn master() -> Key {
    key(1)
}

fn history_key() -> Key {
    key(2)
}

fn stash() -> Source {
    let keytab = Keytab {
        entries: vec![KeytabEntry {
            principal: stash::master_principal(&settings().name).unwrap(),
            name_type: 1,
            timestamp: NOW,
            kvno: 1,
            key: master().into(),
        }],
    };
    Source::Stash(keytab.to_bytes())
}

impl Dump {
    /// With `K/M`, `kadmin/history` and `krbtgt/R`.
    fn new() -> Self {
        let mut dump = Self {
            text: "kdb5_util load_dump version 7\n".into(),
            random: Counter::default(),
        };
        let keys = [dump.seal(&master(), 1)];
        dump.add("K/M@R", &keys, |_| (), &[]);
        let keys = [dump.seal(&history_key(), 2)];
        dump.add("kadmin/history@R", &keys, |_| (), &[]);
        let keys = [dump.seal(&key(20), 2), dump.seal(&key(10), 1)];
        dump.add("krbtgt/R@R", &keys, |princ| princ.max_life = 86_400, &[]);
        dump
    }

    fn seal(&mut self, key: &Key, kvno: u32) -> KeyData {
        sealed(key, kvno, &master(), &mut self.random)
    }

    fn add(
        &mut self,
        name: &str,
        keys: &[KeyData],
        alter: impl FnOnce(&mut PrincipalLine),
        tl_data: &[(i32, &[u8])],
    ) -> &mut Self {
        let text = format!(
            "38\t{}\t0\t0\t0\t{name}\t{PREAUTH}\t0\t0\t0\t0\t0\t0\t0\t-1;",
            name.len()
        );
        let mut line = PrincipalLine::parse(&mut Fields::new(text.as_bytes())).unwrap();
        line.keys = keys.to_vec();
        alter(&mut line);
        self.text += &written(&line, tl_data);
        self.text.push('\n');
        self
    }

    /// A principal with one key of version 1.
    fn user(&mut self, name: &str, tl_data: &[(i32, &[u8])]) -> &mut Self {
        let keys = [self.seal(&key(7), 1)];
        self.add(name, &keys, |_| (), tl_data)
    }

    fn flagged(&mut self, name: &str, flags: u32) -> &mut Self {
        let keys = [self.seal(&key(7), 1)];
        self.add(name, &keys, |princ| princ.attributes = flags, &[])
    }

    fn policy(&mut self, rest: &str) -> &mut Self {
        self.text += &format!("policy\t{rest}\t0\t0\t0\t-\t0\n");
        self
    }

    fn import_with(&self, settings: &RealmSettings, source: &Source) -> Result<Imported, ImportError> {
        self.import_knowing(settings, source, Vec::new())
    }

    fn import_knowing(
        &self,
        settings: &RealmSettings,
        source: &Source,
        random_keys: Vec<Glob>,
    ) -> Result<Imported, ImportError> {
        let location = Location {
            state: PathBuf::from("/nonexistent/tessera"),
            realm: settings.name.clone(),
            credentials: None,
        };
        let (mut sealing, mut making) = (Counter::default(), Counter::default());
        let mut findings = Vec::new();
        let mut tell = |finding: &Finding| findings.push(finding.clone());
        let construction = Construction::begin(&location).unwrap();
        let author = Author::unproved("import", NOW);
        let mut importer = Importer::new(construction, settings, author, &mut sealing, &mut tell);
        importer.know_random_keys(random_keys);
        import(Cursor::new(&self.text), source, &mut importer, &mut making)?;
        let (construction, summary) = importer.finish()?;
        let view = construction.view().clone();
        Ok(Imported {
            view,
            findings,
            summary,
        })
    }

    fn import(&self) -> Imported {
        self.import_with(&settings(), &stash())
            .map_err(|why| why.to_string())
            .unwrap()
    }

    fn refused(&self) -> String {
        self.import_with(&settings(), &stash()).err().unwrap().to_string()
    }
}

impl Imported {
    #[track_caller]
    fn principal(&self, text: &str) -> &PrincipalRecord {
        self.view.find(&name(text)).unwrap_or_else(|| panic!("no {text}"))
    }

    fn keys(&self, text: &str) -> Vec<(u32, Key)> {
        let record = self.principal(text);
        let open = |stored| self.view.key(record, stored).unwrap().clone();
        record.keys.iter().map(|stored| (stored.kvno, open(stored))).collect()
    }

    /// What is said of something, but for that it was carried over.
    #[track_caller]
    fn told(&self, part: &str) -> &Finding {
        let mut not_as_it_was = self
            .findings
            .iter()
            .filter(|finding| finding.outcome != Outcome::CarriedOver);
        let found = not_as_it_was.find(|finding| finding.to_string().contains(part));
        found.unwrap_or_else(|| panic!("{part:?} is not told in {:#?}", self.findings))
    }
}

#[test]
fn keys_come_with_their_versions_and_salts_and_open() {
    let mut dump = Dump::new();
    let mut keys = Vec::new();
    for (kvno, kind, octets) in [
        (5, 4, &b"special"[..]),
        (4, 2, b"as written"),
        (3, 3, b""),
        (2, 1, b""),
        (1, 0, b""),
    ] {
        let mut sealed = dump.seal(&key(kvno), kvno.into());
        sealed.salt = (kind != 0).then(|| SaltData {
            kind,
            octets: octets.to_vec(),
        });
        keys.push(sealed);
    }
    keys.rotate_left(2);
    dump.add("a/b@R", &keys, |_| (), &[(1, &[1, 0, 0, 0])]);
    let imported = dump.import();
    let expected: Vec<_> = [5, 4, 3, 2, 1].map(|kvno: u8| (kvno.into(), key(kvno))).to_vec();
    assert_eq!(imported.keys("a/b"), expected, "the newest first");
    let record = imported.principal("a/b");
    let salts: Vec<_> = record.keys.iter().map(|key| key.salt.as_deref().unwrap()).collect();
    assert_eq!(salts, [&b"special"[..], b"ab", b"R", b"", b"Rab"]);
    let made: Vec<_> = record.keys.iter().map(|key| key.made).collect();
    let changed = Some(KerberosTime(1));
    assert_eq!(
        (made, record.keys_changed),
        (vec![changed, None, None, None, None], changed)
    );
    assert!(
        imported
            .told("salts of keys: aes256-cts-hmac-sha1-96 of version 2")
            .to_string()
            .contains("v4")
    );
    assert_eq!(imported.summary.keys.carried_over, 7);
}

#[test]
fn keys_that_are_never_used_here_are_left_out_and_told() {
    let mut dump = Dump::new();
    let with = |dump: &mut Dump, kvno, etype| KeyData {
        etype,
        ..dump.seal(&key(3), kvno)
    };
    let keys = [with(&mut dump, 1, 18), with(&mut dump, 1, 23), with(&mut dump, 1, 16)];
    dump.add("some@R", &keys, |_| (), &[]);
    let mut again = with(&mut dump, 1, 18);
    again.salt = Some(SaltData {
        kind: 2,
        octets: vec![],
    });
    let keys = [with(&mut dump, 1, 18), again];
    dump.add("again@R", &keys, |_| (), &[]);
    let mut afs = with(&mut dump, 1, 18);
    afs.salt = Some(SaltData {
        kind: 5,
        octets: vec![],
    });
    dump.add("afs@R", &[afs], |_| (), &[]);
    // The former password must not be good again.
    let keys = [with(&mut dump, 2, 23), with(&mut dump, 1, 18)];
    dump.add("former@R", &keys, |_| (), &[]);
    let imported = dump.import();
    assert_eq!(imported.keys("some").len(), 1);
    let told = imported.told("some\tkeys: arcfour-hmac of version 1, des3-cbc-sha1 of version 1");
    assert_eq!((told.outcome, told.count), (Outcome::LeftOut, 2));
    assert_eq!(imported.keys("again").len(), 1);
    imported.told("again\tkeys: aes256-cts-hmac-sha1-96 of version 1: another of the same version");
    assert!(imported.keys("afs").is_empty());
    imported.told("its salt is of the kind afs3");
    assert!(imported.keys("former").is_empty());
    imported.told("former\tkeys of earlier versions");
    imported.told("former\tthe principal, without any key");
    assert_eq!(imported.summary.keys.left_out, 2 + 1 + 1 + 2);
}

#[test]
fn keys_that_are_said_to_be_random_are_taken_for_that_unless_their_salt_speaks_against_it() {
    let mut dump = Dump::new();
    dump.user("host/a@R", &[]).user("alice@R", &[]);
    let mut special = dump.seal(&key(7), 1);
    special.salt = Some(SaltData {
        kind: 4,
        octets: b"special".to_vec(),
    });
    dump.add("host/b@R", &[special], |_| (), &[]);
    let known = vec![Glob::new("host/*").unwrap()];
    let imported = dump
        .import_knowing(&settings(), &stash(), known)
        .map_err(|why| why.to_string())
        .unwrap();
    for (text, has_password) in [("host/a", false), ("host/b", true), ("alice", true)] {
        assert_eq!(imported.principal(text).has_password(), has_password, "{text}");
    }
}

#[test]
fn krbtgts_former_keys_stay_good_as_long_as_a_ticket_under_them_can_live() {
    let imported = Dump::new().import();
    let record = imported.principal("krbtgt/R");
    assert_eq!(imported.keys("krbtgt/R"), [(2, key(20)), (1, key(10))]);
    let ends: Vec<_> = record.keys.iter().map(|key| key.retired).collect();
    assert_eq!(ends, [None, Some(KerberosTime(NOW.0 + 86_400 + 300))]);
    assert!(!record.has_password());
    assert!(
        record.created <= KerberosTime(0),
        "whoever has a ticket of the other KDC has been there before"
    );
    assert_eq!(record.attributes, Attributes::empty());
    for made in ["kadmin/admin", "kadmin/changepw"] {
        imported.told(&format!("{made}\tthe principal is made, with random keys"));
        assert_eq!(imported.keys(made).len(), 4);
    }

    // Without a skew as well, none ends in the second in which a ticket does.
    let settings = RealmSettings {
        clock_skew: Duration::ZERO,
        ..settings()
    };
    let imported = Dump::new()
        .import_with(&settings, &stash())
        .map_err(|why| why.to_string())
        .unwrap();
    let record = imported.principal("krbtgt/R");
    assert_eq!(record.keys[1].retired, Some(KerberosTime(NOW.0 + 86_400 + 1)));
}

#[test]
fn a_krbtgt_of_weak_keys_gets_new_ones_of_the_next_version() {
    let mut dump = Dump::new();
    dump.text = dump.text.replace("\t2\t18\t", "\t2\t16\t");
    let imported = dump.import();
    let kvnos: Vec<_> = imported.keys("krbtgt/R").into_iter().map(|(kvno, _)| kvno).collect();
    assert_eq!(kvnos, [3; 4]);
    imported.told("krbtgt/R\tnew keys, of version 3");
}

#[test]
fn a_principal_that_the_realm_cannot_be_without_gets_keys_where_it_has_none() {
    let mut dump = Dump::new();
    for name in ["kadmin/admin@R", "kadmin/changepw@R", "host/a@R"] {
        dump.add(name, &[], |_| (), &[]);
    }
    let imported = dump.import();
    for made in ["kadmin/admin", "kadmin/changepw"] {
        let kvnos: Vec<_> = imported.keys(made).into_iter().map(|(kvno, _)| kvno).collect();
        assert_eq!(kvnos, [1; 4], "{made}");
        imported.told(&format!("{made}\tnew keys, of version 1"));
        assert_eq!(imported.principal(made).keys_changed, Some(NOW));
    }
    assert!(imported.keys("host/a").is_empty());
}

#[test]
fn names_that_are_not_of_this_realm_or_cannot_be_are_left_out() {
    let mut dump = Dump::new();
    dump.user("krbtgt/R@OTHER", &[]).user("bob@OTHER", &[]);
    dump.user("tab\\tname@R", &[])
        .user(&format!("{}@R", "x".repeat(1100)), &[]);
    dump.user("esc\u{1b}aped@R", &[]).user("tr\\/ue\\@me/x y@R", &[]);
    dump.user("norealm", &[]);
    let imported = dump.import();
    assert_eq!(imported.summary.principals.left_out, 2 + 2 + 1 + 1 + 2);
    imported.told(
        "krbtgt/R@OTHER\tthe principal: it is of the realm OTHER, and this one is R; this realm takes no tickets",
    );
    imported.told("bob@OTHER\tthe principal");
    imported.told("tab\\tname@R\tthe principal: its name cannot be one here");
    imported.told("esc\\u{1b}aped@R\tthe principal");
    imported.told("xxx@R\tthe principal");
    imported.told("norealm\tthe principal");
    imported.principal(r"tr\/ue\@me/x y");
}

#[test]
fn flags_times_and_who_changed_it_are_carried_over() {
    let mut dump = Dump::new();
    let keys = [dump.seal(&key(7), 1)];
    let alter = |princ: &mut PrincipalLine| {
        princ.attributes = 0x0010_0242;
        princ.max_life = 3600;
        princ.max_renewable_life = 7200;
        princ.expiration = u32::MAX;
        princ.pw_expiration = 6;
    };
    dump.add("a@R", &keys, alter, &[(2, b"\x05\0\0\0admin/admin@R\0")]);
    dump.user("b@R", &[]);
    let imported = dump.import();
    let record = imported.principal("a");
    let flags = Attributes::LOCKED | Attributes::NOT_FORWARDABLE | Attributes::MUST_CHANGE_PASSWORD;
    assert_eq!(
        record.attributes,
        flags | Attributes::OK_AS_DELEGATE | Attributes::NO_PREAUTH
    );
    assert_eq!(record.max_life.map(|life| life.as_secs()), Some(3600));
    assert_eq!(record.max_renew.map(|life| life.as_secs()), Some(7200));
    assert_eq!(record.expires, Some(KerberosTime(u32::MAX.into())));
    assert_eq!(record.password_expires, Some(KerberosTime(6)));
    assert_eq!(
        (record.changed, record.changed_by.as_str()),
        (KerberosTime(5), "admin/admin@R")
    );
    let record = imported.principal("b");
    assert_eq!(
        (record.max_life, record.max_renew.map(|life| life.as_secs())),
        (None, Some(0))
    );
    assert_eq!((record.expires, record.password_expires), (None, None));
}

#[test]
fn what_means_nothing_here_is_told_and_what_may_restrict_closes() {
    let mut dump = Dump::new();
    dump.flagged("hardware@R", PREAUTH | 0x100);
    dump.flagged("flags@R", PREAUTH | 0x0060_c000);
    dump.flagged("odd@R", PREAUTH | 0x0400_0000);
    dump.flagged("kadmin/changepw@R", 0x80_2000);
    dump.user("strings@R", &[(11, b"require_auth\0otp\0otp\0[]\0colour\0red\0")]);
    dump.user("data@R", &[(7, b"certificate"), (1234, b"x")]);
    let imported = dump.import();
    assert!(imported.principal("hardware").attributes.contains(Attributes::LOCKED));
    imported.told("hardware\trequires_hwauth: the principal is locked");
    imported.told("flags\tsupport_desmd5");
    imported.told("flags\tok_to_auth_as_delegate");
    imported.told("odd\t0x04000000: it is not known what it means");
    assert!(
        imported
            .principal("kadmin/changepw")
            .attributes
            .contains(Attributes::NOT_TGT_BASED)
    );
    imported.told("kadmin/changepw\tdisallow_tgt_based: it is set");
    let changepw = imported
        .findings
        .iter()
        .filter(|finding| finding.to_string().contains("kadmin/changepw"));
    assert_eq!(changepw.count(), 2, "its own flags need no mention");
    assert!(
        imported
            .principal("strings")
            .attributes
            .contains(Attributes::NOT_A_SERVICE)
    );
    imported.told("strings\tthe string attribute require_auth = otp");
    imported.told("strings\tthe string attribute colour = red: it is not known");
    imported.told("data\ta certificate (11 octets)");
    imported.told("data\ttagged data of type 1234 (1 octets)");
    assert_eq!(imported.summary.principals_changed, 6);
}

#[test]
fn aliases_find_their_principal_and_those_that_lead_nowhere_are_told() {
    let mut dump = Dump::new();
    let alias = |dump: &mut Dump, from: &str, to: &str| {
        dump.add(&format!("{from}@R"), &[], |_| (), &[(12, format!("{to}\0").as_bytes())]);
    };
    alias(&mut dump, "al", "alice@R");
    alias(&mut dump, "alley", "al@R");
    dump.user("alice@R", &[]);
    alias(&mut dump, "lost", "nobody@R");
    alias(&mut dump, "abroad", "alice@OTHER");
    alias(&mut dump, "round", "about@R");
    alias(&mut dump, "about", "round@R");
    let imported = dump.import();
    for text in ["al", "alley"] {
        assert_eq!(imported.principal(text).name, name("alice"));
    }
    assert_eq!(imported.principal("alice").aliases, [name("al"), name("alley")]);
    imported.told("lost\tthe alias of nobody: there is no such principal");
    imported.told("abroad\tthe alias of alice@OTHER: it stands for a principal of the realm OTHER");
    imported.told("round\tthe alias of ");
    assert_eq!(
        (imported.summary.aliases.carried_over, imported.summary.aliases.left_out),
        (2, 4)
    );
}

#[test]
fn policies_are_those_that_principals_named_and_no_others() {
    let mut dump = Dump::new();
    let named = |policy| kadm_data::tests::written(Some(policy), 2, 0, &[]);
    dump.user("a@R", &[(3, &named("default"))])
        .user("b@R", &[(3, &named("gone"))]);
    dump.user("c@R", &[(3, &named("aged")), (1, &[1, 0, 0, 0])]);
    dump.policy("default\t0\t0\t8\t1\t1\t0\t0\t0\t0")
        .policy("aged\t0\t100\t1\t1\t1\t0\t0\t0\t0");
    let imported = dump.import();
    let policy = |text: &str| imported.principal(text).policy.as_ref().map(PolicyName::as_str);
    assert_eq!(
        (policy("a"), policy("b"), policy("c")),
        (Some("mit-default"), None, Some("aged"))
    );
    imported.told("b\tthat it goes by the policy gone: there is no such policy");
    imported.told("c\twhen the password expires: 1970-01-01T00:01:41Z");
    assert!(imported.view.access().declared().policy("default").is_none());
    assert_eq!(imported.summary.policies.carried_over, 2);

    let default = Policy::new(PolicyParts::new(PolicyName::new("default").unwrap())).unwrap();
    let settings = RealmSettings {
        access: Access::default().with_policies([default]),
        ..settings()
    };
    let imported = dump
        .import_with(&settings, &stash())
        .map_err(|why| why.to_string())
        .unwrap();
    imported.told("the policy default: whoever had none goes by it");
}

#[test]
fn former_passwords_are_known_again() {
    let salt = || {
        Some(SaltData {
            kind: 4,
            octets: b"salt".to_vec(),
        })
    };
    let mut random = Counter::default();
    let mut password = |text: &[u8], kvno, under: &Key| {
        [EncType::Aes256CtsHmacSha1_96, EncType::Aes128CtsHmacSha1_96]
            .map(|etype| {
                let key = string_to_key(etype, text, b"salt", None).unwrap();
                KeyData {
                    salt: salt(),
                    ..sealed(&key, kvno, under, &mut random)
                }
            })
            .to_vec()
    };
    // Two of three places are filled; and one is under a key that is no more.
    let ring = [
        password(b"first", 1, &history_key()),
        password(b"lost", 2, &key(9)),
        password(b"second", 3, &history_key()),
    ];
    let mut dump = Dump::new();
    dump.user("a@R", &[(3, &kadm_data::tests::written(None, 2, 3, &ring))]);
    let imported = dump.import();
    let record = imported.principal("a");
    let former: Vec<_> = record
        .former_passwords
        .iter()
        .map(|stored| imported.view.former_password(record, stored).unwrap())
        .collect();
    let etype = EncType::Aes128CtsHmacSha1_96;
    let expected = [&b"second"[..], b"first"].map(|text| string_to_key(etype, text, b"salt", None).unwrap());
    assert_eq!(former, expected, "the latest first, by the keys that are made soonest");
    imported.told("a\tformer passwords: no key of kadmin/history");
    assert_eq!(
        (
            imported.summary.former_passwords.carried_over,
            imported.summary.former_passwords.left_out
        ),
        (2, 1)
    );
}

#[test]
fn who_is_shut_out_by_wrong_passwords_stays_so_and_counts_are_dropped() {
    let at = u32::try_from(NOW.0).unwrap() - 100;
    let named = |policy| kadm_data::tests::written(Some(policy), 2, 0, &[]);
    let (for_ever, soon) = (named("ever"), named("soon"));
    let before = (at - 1).to_le_bytes();
    let after = (at + 1).to_le_bytes();
    let mut dump = Dump::new();
    let add = |dump: &mut Dump, name: &str, count, tl_data: &[(i32, &[u8])]| {
        let keys = [dump.seal(&key(7), 1)];
        let alter = |princ: &mut PrincipalLine| {
            princ.last_failed = at;
            princ.fail_auth_count = count;
        };
        dump.add(name, &keys, alter, tl_data);
    };
    add(&mut dump, "shut@R", 3, &[(3, &for_ever)]);
    add(&mut dump, "relocked@R", 3, &[(3, &for_ever), (0x700, &before)]);
    add(&mut dump, "unlocked@R", 3, &[(3, &for_ever), (0x700, &after)]);
    add(&mut dump, "below@R", 2, &[(3, &for_ever)]);
    add(&mut dump, "past@R", 3, &[(3, &soon)]);
    add(&mut dump, "free@R", 9, &[]);
    dump.policy("ever\t0\t0\t1\t1\t1\t0\t3\t0\t0")
        .policy("soon\t0\t0\t1\t1\t1\t0\t3\t0\t100");
    let imported = dump.import();
    let shut_out = |text: &str| imported.principal(text).shut_out;
    let since = KerberosTime(at.into());
    let expected = Some(ShutOut { since, until: None });
    assert_eq!((shut_out("shut"), shut_out("relocked")), (expected, expected));
    for text in ["unlocked", "below", "past", "free"] {
        assert_eq!(shut_out(text), None, "{text}");
    }
    imported.told("below\t2 wrong passwords that were counted");
    imported.told("free\t9 wrong passwords");
    let told = imported
        .findings
        .iter()
        .filter(|finding| finding.to_string().contains("wrong passwords"));
    assert_eq!(told.count(), 3, "an administrator took those of one back");
}

#[test]
fn a_record_too_large_loses_its_oldest_keys_and_no_others() {
    let mut dump = Dump::new();
    let keys: Vec<_> = (1..=300).rev().map(|kvno| dump.seal(&key(7), kvno)).collect();
    dump.add("many@R", &keys, |_| (), &[]);
    let imported = dump.import();
    let kept = imported.keys("many");
    assert_eq!(kept[0].0, 300);
    assert!((100..300).contains(&kept.len()), "{}", kept.len());
    imported.told("many\tkeys of version 1: too large");
    assert_eq!(imported.summary.keys.carried_over, kept.len() + 2);
}

#[test]
fn what_does_not_open_or_is_there_twice_ends_the_import_at_its_line() {
    let mut dump = Dump::new();
    dump.user("a@R", &[]).user("a@R", &[]);
    assert_eq!(dump.refused(), "line 6: the principal a is there twice");
    let mut dump = Dump::new();
    let foreign = sealed(&key(7), 3, &key(99), &mut Counter::default());
    dump.add("a@R", &[foreign], |_| (), &[]);
    let error = dump.refused();
    assert!(
        error.starts_with("line 5: a@R: its key of version 3, aes256-cts-hmac-sha1-96: it is not sealed with"),
        "{error}"
    );
    let mut dump = Dump::new();
    dump.user("a@R", &[(8, &[7, 0])]);
    let error = dump.refused();
    assert!(
        error.starts_with("line 5: a@R: its keys are under the master key of version 7, which K/M"),
        "{error}"
    );
    let mut dump = Dump::new();
    dump.add("al@R", &[], |_| (), &[(12, b"a@R\0")])
        .user("a@R", &[])
        .user("al@R", &[]);
    let error = dump.refused();
    assert!(error.contains("al is also a name of a"), "{error}");
}

#[test]
fn a_master_key_made_of_a_password_opens_it_too() {
    let master = string_to_key(EncType::Aes256CtsHmacSha1_96, b"master", b"RKM", None).unwrap();
    let mut random = Counter::default();
    let mut dump = Dump {
        text: "kdb5_util load_dump version 7\n".into(),
        random: Counter::default(),
    };
    let keys = [sealed(&master, 1, &master, &mut random)];
    dump.add("K/M@R", &keys, |_| (), &[]);
    let keys = [sealed(&key(7), 1, &master, &mut random)];
    dump.add("a@R", &keys, |_| (), &[]);
    let password = |text: &[u8]| Source::Password(Zeroizing::new(text.to_vec()));
    let imported = dump
        .import_with(&settings(), &password(b"master"))
        .map_err(|why| why.to_string())
        .unwrap();
    assert_eq!(imported.keys("a"), [(1, key(7))]);
    let error = dump.import_with(&settings(), &password(b"other")).err().unwrap();
    assert!(error.to_string().contains("does not open K/M"), "{error}");
}

#[test]
fn a_dump_of_another_realm_or_of_a_part_is_refused() {
    let dump = |text: &str| Dump {
        text: text.into(),
        random: Counter::default(),
    };
    for (text, why) in [
        ("", "the file is empty"),
        ("kdb5_util load_dump version 7\n", "there is no K/M@R in the dump"),
        ("x\0y\n", "line 1: this is no dump"),
        (
            "kdb5_util load_dump version 7\nprinc",
            "line 2: the file ends in the middle",
        ),
    ] {
        let error = dump(text).refused();
        assert!(error.starts_with(why), "{error}");
    }
    let mut other = Dump::new();
    other.text = other.text.replace("@R\t", "@S\t");
    assert!(
        other
            .refused()
            .contains("the dump is of the realm S, and realm.toml describes R")
    );
}

#[test]
fn what_a_format_does_not_have_is_told() {
    let mut dump = Dump::new();
    dump.text = dump.text.replace("version 7", "version 4");
    dump.import().told("who goes by which policy, and former passwords");
    dump.text = dump.text.replace("kdb5_util load_dump version 4", "ipropx 1 2 3 4");
    dump.import().told("who is shut out by wrong passwords");
}
