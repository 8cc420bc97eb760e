//! How a role, a rule or a policy of the database is written down: as a principal's record is (see `encoding`), with tags of its own.
//! Every part of a rule is the text that a person writes for it.

use core::str::FromStr;
use core::time::Duration;

use tessera_common::admin::{PolicyBody, Span};
use tessera_common::crypto::EncType;
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

use super::octets::{DecodeError, Reader, put_field, put_number, put_octets, put_signed, read_rest_as_text};
use crate::realm::access_record::{AccessKey, AccessRecord, Declared};
use crate::realm::glob::Glob;
use crate::realm::hours::{Hours, Window};
use crate::realm::policy::{Policy, PolicyParts};
use crate::realm::rights::{Granted, Role};
use crate::realm::rules::{Effect, Rule, RuleName, RuleParts};
use tessera_common::network::Network;

const VERSION: u8 = 1;

mod tag {
    /// It is a role, of this name.
    pub(super) const ROLE_NAME: u8 = 1;
    /// It is a rule, of this name.
    pub(super) const RULE_NAME: u8 = 2;
    pub(super) const EFFECT: u8 = 3;
    pub(super) const ROLE: u8 = 4;
    pub(super) const SERVICE: u8 = 5;
    pub(super) const FROM: u8 = 6;
    pub(super) const WINDOW: u8 = 7;
    pub(super) const MAX_LIFE: u8 = 8;
    pub(super) const CREATED: u8 = 9;
    pub(super) const CHANGED: u8 = 10;
    pub(super) const CHANGED_BY: u8 = 11;
    /// A right that the role gives.
    pub(super) const RIGHT: u8 = 12;
    /// It is a policy, of this name.
    pub(super) const POLICY_NAME: u8 = 13;
    pub(super) const MIN_LENGTH: u8 = 14;
    pub(super) const MIN_CLASSES: u8 = 15;
    pub(super) const MIN_STRENGTH: u8 = 16;
    pub(super) const DICTIONARY: u8 = 17;
    pub(super) const HISTORY: u8 = 18;
    pub(super) const MIN_AGE: u8 = 19;
    pub(super) const MAX_AGE: u8 = 20;
    pub(super) const MAX_FAILURES: u8 = 21;
    pub(super) const FAILURE_WINDOW: u8 = 22;
    pub(super) const LOCKOUT: u8 = 23;
    pub(super) const ENCTYPE: u8 = 24;
    pub(super) const MAX_RENEW: u8 = 25;
}

mod kind {
    pub(super) const ROLE: u8 = 1;
    pub(super) const RULE: u8 = 2;
    pub(super) const POLICY: u8 = 3;
}

/// Writes a record.
pub(super) fn put_access(out: &mut Vec<u8>, record: &AccessRecord) {
    // Without `..`, so that a new field is not forgotten here.
    let AccessRecord {
        declared,
        revision: _,
        created,
        changed,
        changed_by,
    } = record;
    out.push(VERSION);
    match declared {
        Declared::Role(Role { name, rights }) => {
            put_text(out, tag::ROLE_NAME, name.as_str());
            for right in rights {
                put_text(out, tag::RIGHT, &right.to_string());
            }
        }
        Declared::Rule(rule) => put_rule(out, rule),
        Declared::Policy(policy) => put_policy(out, policy),
    }
    for (tag, time) in [(tag::CREATED, created), (tag::CHANGED, changed)] {
        put_field(out, tag, |out| put_signed(out, time.0));
    }
    put_text(out, tag::CHANGED_BY, changed_by);
}

fn put_rule(out: &mut Vec<u8>, rule: &Rule) {
    let RuleParts {
        name,
        effect,
        roles,
        services,
        from,
        hours,
        max_life,
    } = rule.parts();
    put_text(out, tag::RULE_NAME, name.as_str());
    put_text(out, tag::EFFECT, effect.name());
    for role in roles {
        put_text(out, tag::ROLE, role.as_str());
    }
    for service in services {
        put_text(out, tag::SERVICE, service.as_str());
    }
    for network in from {
        put_text(out, tag::FROM, &network.to_string());
    }
    for window in hours.iter().flat_map(Hours::windows) {
        put_text(out, tag::WINDOW, &window.to_string());
    }
    if let Some(Span(life)) = max_life {
        put_field(out, tag::MAX_LIFE, |out| put_number(out, life.as_secs()));
    }
}

fn put_policy(out: &mut Vec<u8>, policy: &Policy) {
    let PolicyBody {
        min_length,
        min_classes,
        min_strength,
        dictionary,
        history,
        min_age,
        max_age,
        max_failures,
        failure_window,
        lockout,
        enctypes,
        max_life,
        max_renew,
    } = policy.body();
    put_text(out, tag::POLICY_NAME, policy.name().as_str());
    let seconds = |span: &Option<Span>| span.map(|Span(span)| span.as_secs());
    for (tag, number) in [
        (tag::MIN_LENGTH, min_length.map(u64::from)),
        (tag::MIN_CLASSES, min_classes.map(u64::from)),
        (tag::MIN_STRENGTH, min_strength.map(u64::from)),
        (tag::DICTIONARY, dictionary.then_some(1)),
        (tag::HISTORY, history.map(u64::from)),
        (tag::MIN_AGE, seconds(min_age)),
        (tag::MAX_AGE, seconds(max_age)),
        (tag::MAX_FAILURES, max_failures.map(u64::from)),
        (tag::FAILURE_WINDOW, seconds(failure_window)),
        (tag::LOCKOUT, seconds(lockout)),
        (tag::MAX_LIFE, seconds(max_life)),
        (tag::MAX_RENEW, seconds(max_renew)),
    ] {
        if let Some(number) = number {
            put_field(out, tag, |out| put_number(out, number));
        }
    }
    for etype in enctypes {
        put_field(out, tag::ENCTYPE, |out| put_signed(out, etype.number().into()));
    }
}

fn put_text(out: &mut Vec<u8>, tag: u8, text: &str) {
    put_field(out, tag, |out| out.extend_from_slice(text.as_bytes()));
}

/// Reads a record that has this revision.
pub(super) fn read_access(octets: &[u8], revision: u64) -> Result<AccessRecord, DecodeError> {
    let mut reader = Reader::new(octets);
    let version = reader.octet()?;
    if version != VERSION {
        return Err(DecodeError::Newer("version of a role or rule", version.into()));
    }
    let mut fields = Fields::default();
    while !reader.is_empty() {
        let tag = reader.octet()?;
        let mut value = Reader::new(reader.octets()?);
        fields.read(tag, &mut value)?;
        value.finish()?;
    }
    fields.finish(revision)
}

/// What was read of a record so far.
#[derive(Default)]
struct Fields {
    role: Option<RoleName>,
    rule: Option<RuleName>,
    effect: Option<Effect>,
    roles: Vec<RoleName>,
    services: Vec<Glob>,
    from: Vec<Network>,
    windows: Vec<Window>,
    max_life: Option<Span>,
    rights: Vec<Granted>,
    policy: Option<PolicyParts>,
    created: Option<KerberosTime>,
    changed: Option<KerberosTime>,
    changed_by: String,
}

impl Fields {
    fn read(&mut self, tag: u8, value: &mut Reader<'_>) -> Result<(), DecodeError> {
        match tag {
            tag::ROLE_NAME => self.role = Some(read_text(value, "a role's name")?),
            tag::RULE_NAME => self.rule = Some(read_text(value, "a rule's name")?),
            tag::EFFECT => self.effect = Some(read_text(value, "a rule's effect")?),
            tag::ROLE => self.roles.push(read_text(value, "a rule's role")?),
            tag::SERVICE => self.services.push(read_text(value, "a rule's service")?),
            tag::FROM => self.from.push(read_text(value, "a rule's network")?),
            tag::WINDOW => self.windows.push(read_text(value, "a rule's hours")?),
            tag::MAX_LIFE => self.max_life = Some(Span(Duration::from_secs(value.number()?))),
            tag::RIGHT => self.rights.push(read_text(value, "a role's right")?),
            tag::POLICY_NAME => self.policy = Some(PolicyParts::new(read_text(value, "a policy's name")?)),
            tag::CREATED => self.created = Some(KerberosTime(value.signed()?)),
            tag::CHANGED => self.changed = Some(KerberosTime(value.signed()?)),
            tag::CHANGED_BY => read_rest_as_text(value)?.clone_into(&mut self.changed_by),
            other => self.read_of_policy(other, value)?,
        }
        Ok(())
    }

    // The parts of a policy come after its name.
    fn read_of_policy(&mut self, tag: u8, value: &mut Reader<'_>) -> Result<(), DecodeError> {
        let unknown = || DecodeError::Newer("field of a role, rule or policy", tag.into());
        let policy = &mut self.policy.as_mut().ok_or_else(unknown)?.body;
        let mut span = || value.number().map(|seconds| Some(Span(Duration::from_secs(seconds))));
        match tag {
            tag::MIN_AGE => policy.min_age = span()?,
            tag::MAX_AGE => policy.max_age = span()?,
            tag::FAILURE_WINDOW => policy.failure_window = span()?,
            tag::LOCKOUT => policy.lockout = span()?,
            tag::MAX_RENEW => policy.max_renew = span()?,
            tag::MIN_LENGTH => policy.min_length = Some(value.narrow()?),
            tag::MIN_CLASSES => policy.min_classes = Some(value.narrow()?),
            tag::MIN_STRENGTH => policy.min_strength = Some(value.narrow()?),
            tag::DICTIONARY => policy.dictionary = value.number()? == 1,
            tag::HISTORY => policy.history = Some(value.narrow()?),
            tag::MAX_FAILURES => policy.max_failures = Some(value.narrow()?),
            tag::ENCTYPE => {
                let number = value.signed()?;
                let etype = i32::try_from(number).ok().and_then(EncType::from_number);
                policy
                    .enctypes
                    .push(etype.ok_or(DecodeError::Newer("enctype", number.cast_unsigned()))?);
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }

    fn finish(self, revision: u64) -> Result<AccessRecord, DecodeError> {
        let without = |what| DecodeError::Malformed(what);
        let (created, changed) = (
            self.created
                .ok_or(without("a role or rule without its time of making"))?,
            self.changed
                .ok_or(without("a role or rule without its time of change"))?,
        );
        let declared = match (self.role, self.rule, self.policy) {
            (Some(name), None, None) => Declared::Role(Role {
                name,
                rights: self.rights,
            }),
            (None, None, Some(mut parts)) => {
                parts.body.max_life = self.max_life;
                Declared::Policy(Policy::new(parts).map_err(|_| without("a policy of such parts"))?)
            }
            (None, Some(name), None) => {
                let parts = RuleParts {
                    name,
                    effect: self.effect.ok_or(without("a rule without an effect"))?,
                    roles: self.roles,
                    services: self.services,
                    from: self.from,
                    // No windows: always.
                    hours: Hours::new(self.windows).ok(),
                    max_life: self.max_life,
                };
                Declared::Rule(Rule::new(parts).map_err(|_| without("a rule of such parts"))?)
            }
            _ => return Err(without("what is neither a role nor a rule nor a policy, or several")),
        };
        Ok(AccessRecord {
            declared,
            revision,
            created,
            changed,
            changed_by: self.changed_by,
        })
    }
}

fn read_text<T: FromStr>(value: &mut Reader<'_>, what: &'static str) -> Result<T, DecodeError> {
    let text = read_rest_as_text(value)?;
    text.parse().map_err(|_| DecodeError::Malformed(what))
}

/// Writes which role, rule or policy.
pub(super) fn put_key(out: &mut Vec<u8>, key: &AccessKey) {
    out.push(match key {
        AccessKey::Role(_) => kind::ROLE,
        AccessKey::Rule(_) => kind::RULE,
        AccessKey::Policy(_) => kind::POLICY,
    });
    put_octets(out, key.name().as_bytes());
}

/// Reads which role, rule or policy.
pub(super) fn read_key(reader: &mut Reader<'_>) -> Result<AccessKey, DecodeError> {
    let kind = reader.octet()?;
    let name = reader.text()?;
    match kind {
        kind::ROLE => name.parse().map(AccessKey::Role).ok(),
        kind::RULE => name.parse().map(AccessKey::Rule).ok(),
        kind::POLICY => name.parse().map(AccessKey::Policy).ok(),
        unknown => {
            return Err(DecodeError::Newer(
                "kind beside roles, rules and policies",
                unknown.into(),
            ));
        }
    }
    .ok_or(DecodeError::Malformed("the name of a role, rule or policy"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::test_realm::{full_policy, full_rule, role, role_with_rights};

    fn encoded(record: &AccessRecord) -> Vec<u8> {
        let mut out = Vec::new();
        put_access(&mut out, record);
        out
    }

    #[test]
    fn roles_and_rules_come_back_as_they_were() {
        for mut record in [
            role("staff"),
            role_with_rights("desk", &["helpdesk:*", "viewer"]),
            full_rule("office"),
            full_policy("strict"),
        ] {
            record.revision = 7;
            assert_eq!(read_access(&encoded(&record), 7), Ok(record.clone()));
            let mut out = Vec::new();
            put_key(&mut out, &record.key());
            assert_eq!(read_key(&mut Reader::new(&out)), Ok(record.key()));
        }
    }

    #[test]
    fn what_a_newer_version_may_write_is_refused_as_such() {
        let mut version = encoded(&role("staff"));
        version[0] = 2;
        let mut field = encoded(&full_rule("office"));
        field.extend([99, 1, 0]);
        for (octets, error) in [
            (version, DecodeError::Newer("version of a role or rule", 2)),
            (field, DecodeError::Newer("field of a role, rule or policy", 99)),
        ] {
            assert_eq!(read_access(&octets, 1), Err(error));
        }
        let kind = read_key(&mut Reader::new(&[4, 1, b'a']));
        assert_eq!(
            kind,
            Err(DecodeError::Newer("kind beside roles, rules and policies", 4))
        );
    }

    #[test]
    fn a_record_cut_short_is_refused_at_every_length() {
        for record in [
            role("staff"),
            role_with_rights("desk", &["helpdesk:*", "viewer"]),
            full_rule("office"),
            full_policy("strict"),
        ] {
            let octets = encoded(&record);
            for len in 0..octets.len() {
                // Only its last field may be missing without a trace; what holds a record knows its length.
                let cut = read_access(&octets[..len], 0);
                assert!(
                    cut.as_ref().map_or(true, |cut| cut.changed_by.is_empty()),
                    "cut to {len}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn arbitrary_octets_never_panic(octets: Vec<u8>) {
            let _ = read_access(&octets, 1);
            let _ = read_key(&mut Reader::new(&octets));
        }

        #[test]
        fn an_altered_record_is_refused_or_can_be_written_again(policy: bool, at: prop::sample::Index, to: u8) {
            let record = if policy { full_policy("strict") } else { full_rule("office") };
            let mut octets = encoded(&record);
            let at = at.index(octets.len());
            octets[at] = to;
            if let Ok(read) = read_access(&octets, 1) {
                prop_assert_eq!(read_access(&encoded(&read), 1), Ok(read));
            }
        }
    }
}
