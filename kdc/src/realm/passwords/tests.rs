use core::time::Duration;

use super::*;
use crate::realm::access::Access;
use crate::realm::keys::{self, Former, FreshKeys};
use crate::realm::policy::PolicyParts;
use crate::store::test_realm::{Counter, keyring, principal};
use crate::store::{Memory, Store as _};

const NOW: KerberosTime = KerberosTime(1_000_000);
const DAY: i64 = 86_400;

fn policy(parts: &str) -> Policy {
    let comma = if parts.is_empty() { "" } else { "," };
    let parts: PolicyParts = serde_json::from_str(&format!(r#"{{"name":"staff"{comma}{parts}}}"#)).unwrap();
    Policy::new(parts).unwrap()
}

fn settings(policies: &[Policy]) -> RealmSettings {
    let mut settings = RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap());
    settings.access = Access::default().with_policies(policies.to_vec());
    settings
}

fn refused(parts: &str, name: &str, password: &str) -> Option<PasswordRefused> {
    let dictionary = Dictionary::read(b"swordfish\nopen sesame\n").unwrap();
    let measure = Measure {
        policy: &policy(parts),
        dictionary: &dictionary,
        name: &Name::parse(name).unwrap(),
        realm: &Realm::new("EXAMPLE.COM").unwrap(),
    };
    measure.quality(password.as_bytes()).err()
}

#[test]
fn each_rule_of_a_policy_refuses_below_its_edge_and_not_at_it() {
    for (parts, password, reason) in [
        (r#""min-length":8"#, "1234567", Some("password-too-short")),
        (r#""min-length":8"#, "12345678", None),
        // Characters, not octets.
        (r#""min-length":8"#, "ÄÖÜäöüß", Some("password-too-short")),
        (r#""min-length":7"#, "ÄÖÜäöüß", None),
        (r#""min-classes":1"#, "aaa", None),
        (r#""min-classes":2"#, "aaa", Some("password-too-few-classes")),
        (r#""min-classes":3"#, "aaA", Some("password-too-few-classes")),
        (r#""min-classes":3"#, "aA1", None),
        (r#""min-classes":4"#, "aA1!", None),
        (r#""min-classes":5"#, "aA1!", Some("password-too-few-classes")),
        (r#""min-classes":5"#, "aA1! ", None),
        (r#""min-classes":2"#, "äÄ", None),
        (r#""dictionary":true"#, "SwordFish", Some("password-in-dictionary")),
        (r#""dictionary":true"#, "open sesame", Some("password-in-dictionary")),
        (r#""dictionary":true"#, "swordfish1", None),
        ("", "swordfish", None),
        (r#""min-strength":1"#, "password", Some("password-too-easy")),
        (r#""min-strength":3"#, "Summer2024", Some("password-too-easy")),
        (r#""min-strength":4"#, "xk7-Quelle!bauM_94zz", None),
    ] {
        let found = refused(parts, "alice", password);
        assert_eq!(found.as_ref().map(PasswordRefused::name), reason, "{parts} {password}");
    }
}

#[test]
fn a_password_is_never_the_name_or_the_realm_and_holds_neither_under_any_policy() {
    for (name, password, held) in [
        ("alice", "alice", true),
        ("alice", "ALICE", true),
        ("alice", "xAlice1", true),
        ("alice", "alic", false),
        ("al", "AL", true),
        ("al", "totally", false),
        ("bob/admin", "bob", true),
        ("bob/admin", "bobby", false),
        ("bob/admin", "theAdminPass", true),
        ("bob/admin", "bob/admin", true),
        ("alice", "example.com", true),
        ("alice", "my.Example.Com!", true),
        ("alice", "example", false),
    ] {
        let found = refused("", name, password);
        assert_eq!(found, held.then_some(PasswordRefused::HoldsName), "{name} {password}");
    }
}

#[test]
fn what_is_not_text_is_measured_all_the_same() {
    let measure = Measure {
        policy: &policy(r#""min-length":3,"min-strength":1"#),
        dictionary: &Dictionary::default(),
        name: &Name::parse("alice").unwrap(),
        realm: &Realm::new("EXAMPLE.COM").unwrap(),
    };
    assert!(matches!(
        measure.quality(b"\xff\xfe"),
        Err(PasswordRefused::TooShort { has: 2, .. })
    ));
    let _ = measure.quality(&[0xff; 65_536]);
    measure
        .quality("ein langer Satz über Nilpferde".repeat(3000).as_bytes())
        .unwrap();
}

#[test]
fn a_refusal_says_what_is_there_and_what_is_asked_for() {
    let says = |parts: &str, password: &str| refused(parts, "alice", password).unwrap().to_string();
    assert_eq!(
        says(r#""min-length":8"#, "short"),
        "The password is too short: it has 5 characters, and the policy staff asks for 8."
    );
    assert!(
        says(r#""min-classes":3"#, "short")
            .starts_with("The password has characters of 1 kind, and the policy staff asks for 3")
    );
    assert!(
        says(r#""min-strength":3"#, "password1").starts_with(
            "The password is too easy to guess: its strength is 0 of 4, and the policy staff asks for 3. "
        )
    );
}

struct World {
    store: Memory,
    random: Counter,
    record: PrincipalRecord,
}

impl World {
    fn new() -> Self {
        Self {
            store: Memory::new(keyring()),
            random: Counter::default(),
            record: principal(1, "alice"),
        }
    }

    fn change(&mut self, policy: Option<&Policy>, etypes: &[EncType], password: &str) -> Result<(), PasswordRefused> {
        let view = self.store.view();
        let settings = settings(&[]);
        let name = self.record.name.clone();
        check(
            &view,
            &settings,
            policy,
            (&name, Some(&self.record)),
            password.as_bytes(),
        )?;
        remember(&view, policy, &mut self.record, &mut self.random).unwrap();
        let salt = name.default_salt(&settings.name);
        let fresh = FreshKeys::from_password(etypes, password.as_bytes(), &salt).unwrap();
        keys::replace(&view, &mut self.record, &fresh, Former::Dropped, NOW, &mut self.random);
        Ok(())
    }
}

const SHA1: &[EncType] = &[EncType::Aes256CtsHmacSha384_192, EncType::Aes128CtsHmacSha1_96];
const SHA2: &[EncType] = &[EncType::Aes128CtsHmacSha256_128];

#[test]
fn the_last_passwords_are_known_again_whatever_their_keys_were() {
    let mut world = World::new();
    let three = policy(r#""history":3"#);
    for (password, etypes) in [("one", SHA1), ("two", SHA2), ("three", SHA1)] {
        world.change(Some(&three), etypes, password).unwrap();
    }
    let kept = |world: &World| -> Vec<_> {
        let former = world.record.former_passwords.iter();
        former.map(|key| (key.kvno, key.etype)).collect()
    };
    // One key of each, of the kind that is made soonest.
    assert_eq!(
        kept(&world),
        [
            (2, EncType::Aes128CtsHmacSha256_128),
            (1, EncType::Aes128CtsHmacSha1_96)
        ]
    );
    for again in ["three", "two", "one"] {
        let why = world.change(Some(&three), SHA1, again).unwrap_err();
        assert_eq!(
            (why.name(), why.to_string().contains("last 3")),
            ("password-reused", true)
        );
    }
    world.change(Some(&three), SHA1, "four").unwrap();
    world.change(Some(&three), SHA1, "one").unwrap();
    // A shorter memory forgets at the next change; none forgets all.
    world.change(Some(&policy(r#""history":2"#)), SHA1, "three").unwrap();
    assert_eq!(kept(&world).len(), 1);
    world
        .change(Some(&policy(r#""history":1"#)), SHA1, "three")
        .unwrap_err();
    world.change(None, SHA1, "three").unwrap();
    assert_eq!(kept(&world), []);
}

#[test]
fn a_former_password_opens_nowhere_but_among_former_passwords() {
    let mut world = World::new();
    let two = policy(r#""history":2"#);
    world.change(Some(&two), SHA1, "one").unwrap();
    world.change(Some(&two), SHA1, "two").unwrap();
    let view = world.store.view();
    let [former] = &world.record.former_passwords[..] else {
        panic!()
    };
    assert!(view.former_password(&world.record, former).is_ok());
    assert!(view.key(&world.record, former).is_err());
}

fn dated(change: impl FnOnce(&mut PrincipalRecord)) -> PrincipalRecord {
    let mut world = World::new();
    world.change(None, SHA1, "one").unwrap();
    world.record.policy = Some(PolicyName::new("staff").unwrap());
    change(&mut world.record);
    world.record
}

#[test]
fn a_password_is_kept_for_its_time_unless_it_has_to_be_changed() {
    let settings = settings(&[policy(r#""min-age":"1d","max-age":"9d""#)]);
    let going_by = AccessPolicy::of(&settings);
    let at = |seconds: i64| KerberosTime(NOW.0 + seconds);
    let record = dated(|_| ());
    for (seconds, may) in [(0, false), (DAY - 1, false), (DAY, true), (DAY + 1, true)] {
        let found = may_change(going_by, &record, at(seconds));
        assert_eq!(found.is_ok(), may, "{seconds}");
        if let Err(why) = found {
            assert_eq!(why, PasswordRefused::TooYoung { until: at(DAY) });
        }
    }
    let must = dated(|record| record.attributes = Attributes::MUST_CHANGE_PASSWORD);
    let expired = dated(|record| record.password_expires = Some(at(10)));
    let unknown = dated(|record| record.keys_changed = None);
    for (record, seconds, may) in [
        (&must, 0, true),
        (&expired, 9, false),
        (&expired, 10, true),
        (&unknown, 0, true),
    ] {
        assert_eq!(may_change(going_by, record, at(seconds)).is_ok(), may, "{seconds}");
    }
}

#[test]
fn a_password_expires_by_its_age_or_at_its_date_whichever_is_first() {
    let settings = settings(&[policy(r#""max-age":"9d""#)]);
    let going_by = AccessPolicy::of(&settings);
    let age = KerberosTime(NOW.0 + 9 * DAY);
    for (own, expires) in [
        (None, age),
        (Some(KerberosTime(age.0 - 1)), KerberosTime(age.0 - 1)),
        (Some(KerberosTime(age.0 + 1)), age),
    ] {
        let record = dated(|record| record.password_expires = own);
        assert_eq!(going_by.password_expires(&record), Some(expires));
    }
    // A principal without a password has none that expires, and who goes by no policy has its own date alone.
    let random = dated(|record| record.keys.iter_mut().for_each(|key| key.salt = None));
    assert_eq!(going_by.password_expires(&random), None);
    let free = dated(|record| record.policy = None);
    assert_eq!(going_by.password_expires(&free), None);
    assert_eq!(NOW.plus(Duration::from_secs(9 * 86_400)), age);
}
