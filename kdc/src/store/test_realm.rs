//! What the store's own tests are run on.

use core::time::Duration;

use tessera_common::Random;
use tessera_common::admin::Span;
use tessera_common::crypto::{EncType, Key};
use tessera_common::name::{Name, Realm};
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;
use zeroize::Zeroizing;

use super::head::Identity;
use super::{Author, Change, Keyring, MasterKey};
use crate::realm::access_record::{AccessRecord, Declared};
use crate::realm::glob::Glob;
use crate::realm::hours::Hours;
use crate::realm::policy::{Policy, PolicyName, PolicyParts};
use crate::realm::principal::{Attributes, PrincipalId, PrincipalRecord, Purpose, SealedKey, ShutOut, StoredKey};
use crate::realm::rights::Role;
use crate::realm::rules::{Effect, Rule, RuleName, RuleParts};

/// Octets that are never the same twice, and always the same for the same test.
#[derive(Default)]
pub(crate) struct Counter(u64);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 += 1;
            chunk.copy_from_slice(&self.0.to_be_bytes()[8 - chunk.len()..]);
        }
    }
}

pub(crate) fn keyring() -> Keyring {
    Keyring::new(MasterKey::new(1, Zeroizing::new([7; 32])))
}

pub(crate) fn author() -> Author {
    Author::unproved("uid 0", KerberosTime(1_700_000_000))
}

pub(crate) fn id(number: u64) -> PrincipalId {
    // Spread as random ids are.
    let word = |salt: u64| {
        (number + salt)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(17)
            .to_be_bytes()
    };
    PrincipalId([word(1), word(77)].concat().try_into().unwrap())
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn roles(texts: &[&str]) -> Vec<RoleName> {
    texts.iter().map(|text| RoleName::new(text).unwrap()).collect()
}

pub(crate) fn stored_key(keyring: &Keyring, id: PrincipalId, kvno: u32, random: &mut dyn Random) -> StoredKey {
    let key = Key::random(EncType::Aes256CtsHmacSha1_96, random);
    StoredKey {
        kvno,
        etype: key.etype(),
        salt: Some(b"EXAMPLE.COMalice".to_vec()),
        made: None,
        retired: None,
        sealed: keyring.seal(Purpose::LongTermKey, id, kvno, &key, random),
    }
}

/// A principal `name` with the id of `number`, without keys.
pub(crate) fn principal(number: u64, text: &str) -> PrincipalRecord {
    PrincipalRecord::new(id(number), name(text), author().when, &author().who)
}

pub(crate) fn add(record: PrincipalRecord) -> Change {
    Change::Put {
        expected: None,
        record: Box::new(record),
    }
}

pub(crate) fn replace(record: PrincipalRecord) -> Change {
    Change::Put {
        expected: Some(record.revision),
        record: Box::new(record),
    }
}

/// That there is such a role.
pub(crate) fn role(text: &str) -> AccessRecord {
    declared(Declared::Role(Role::plain(RoleName::new(text).unwrap())))
}

/// A rule that has everything a rule can have.
pub(crate) fn full_rule(text: &str) -> AccessRecord {
    let parts = RuleParts {
        name: RuleName::new(text).unwrap(),
        effect: Effect::Allow,
        roles: roles(&["staff", "auditors"]),
        services: vec![Glob::any("host/*"), Glob::any("http/www")],
        from: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        hours: Some(Hours::new(["Mon-Fri 08:00-18:00".parse().unwrap(), "Sat".parse().unwrap()]).unwrap()),
        max_life: Some(Span(Duration::from_secs(3600))),
    };
    declared(Declared::Rule(Rule::new(parts).unwrap()))
}

/// A policy that has everything a policy can have.
pub(crate) fn full_policy(text: &str) -> AccessRecord {
    let json = format!(
        r#"{{"name":"{text}","min-length":12,"min-classes":3,"min-strength":3,"dictionary":true,"history":5,"min-age":"1d","max-age":"90d","max-failures":5,"failure-window":"10m","lockout":"15m","enctypes":["aes256-cts-hmac-sha384-192"],"max-life":"8h","max-renew":"2d"}}"#
    );
    let parts: PolicyParts = serde_json::from_str(&json).unwrap();
    declared(Declared::Policy(Policy::new(parts).unwrap()))
}

/// A role with rights.
pub(crate) fn role_with_rights(text: &str, rights: &[&str]) -> AccessRecord {
    let rights = rights.iter().map(|right| right.parse().unwrap()).collect();
    declared(Declared::Role(Role {
        name: RoleName::new(text).unwrap(),
        rights,
    }))
}

fn declared(declared: Declared) -> AccessRecord {
    AccessRecord {
        declared,
        revision: 0,
        created: author().when,
        changed: author().when,
        changed_by: author().who,
    }
}

pub(crate) fn declare(record: AccessRecord) -> Change {
    Change::Declare {
        expected: None,
        record: Box::new(record),
    }
}

/// A record that has everything a record can have.
pub(crate) fn full_record() -> PrincipalRecord {
    let (ring, id) = (keyring(), id(42));
    let key = |kvno, etype, retired| StoredKey {
        etype,
        retired,
        ..sealed_octets(&ring, id, kvno)
    };
    PrincipalRecord {
        id,
        revision: 17,
        name: name("host/a\\/b.example.com"),
        aliases: vec![name("alias"), name("alias/two")],
        keys: vec![
            key(u32::MAX, EncType::Aes256CtsHmacSha1_96, None),
            key(1, EncType::Aes128CtsHmacSha256_128, Some(KerberosTime(-5))),
        ],
        staged: vec![key(7, EncType::Aes256CtsHmacSha384_192, None)],
        former_passwords: vec![key(3, EncType::Aes256CtsHmacSha1_96, None)],
        policy: Some(PolicyName::new("staff").unwrap()),
        shut_out: Some(ShutOut {
            since: KerberosTime(1_700_000_003),
            until: Some(KerberosTime(1_700_000_903)),
        }),
        attributes: Attributes::LOCKED | Attributes::OK_AS_DELEGATE,
        roles: roles(&["mail.paid", "staff"]),
        expires: Some(KerberosTime(1_800_000_000)),
        password_expires: Some(KerberosTime(i64::MIN)),
        max_life: Some(Duration::from_secs(36_000)),
        max_renew: Some(Duration::from_secs(604_800)),
        created: KerberosTime(1_700_000_000),
        changed: KerberosTime(1_700_000_001),
        changed_by: "alice/admin@EXAMPLE.COM".into(),
        keys_changed: Some(KerberosTime(1_700_000_002)),
    }
}

/// A stored key that opens to nothing, but is shaped as one.
fn sealed_octets(keyring: &Keyring, id: PrincipalId, kvno: u32) -> StoredKey {
    let master = keyring.sealing().id();
    StoredKey {
        kvno,
        etype: EncType::Aes256CtsHmacSha1_96,
        salt: (kvno != 1).then(|| vec![0, 0xff, 7]),
        made: Some(KerberosTime(1_699_999_999)),
        retired: None,
        sealed: SealedKey::new(master, [3; 12], [id.0, id.0, id.0].concat()),
    }
}

pub(crate) fn realm() -> Realm {
    Realm::new("EXAMPLE.COM").unwrap()
}

pub(in crate::store) fn identity() -> Identity {
    Identity {
        realm: realm(),
        lineage: [5; 16],
        check: MasterKey::new(1, Zeroizing::new([7; 32])).check(),
    }
}
