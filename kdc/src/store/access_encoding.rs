//! How a role or a rule of the database is written down: as a principal's record is (see `encoding`), with tags of its own.
//! Every part of a rule is the text that a person writes for it.

use core::str::FromStr;
use core::time::Duration;

use tessera_common::admin::Span;
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

use super::encoding::{put_field, read_rest_as_text};
use super::octets::{DecodeError, Reader, put_number, put_octets, put_signed};
use crate::realm::access_record::{AccessKey, AccessRecord, Declared};
use crate::realm::glob::Glob;
use crate::realm::hours::{Hours, Window};
use crate::realm::network::Network;
use crate::realm::rules::{Effect, Rule, RuleName, RuleParts};

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
}

mod kind {
    pub(super) const ROLE: u8 = 1;
    pub(super) const RULE: u8 = 2;
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
        Declared::Role(name) => put_text(out, tag::ROLE_NAME, name.as_str()),
        Declared::Rule(rule) => put_rule(out, rule),
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
            tag::CREATED => self.created = Some(KerberosTime(value.signed()?)),
            tag::CHANGED => self.changed = Some(KerberosTime(value.signed()?)),
            tag::CHANGED_BY => read_rest_as_text(value)?.clone_into(&mut self.changed_by),
            unknown => return Err(DecodeError::Newer("field of a role or rule", unknown.into())),
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
        let declared = match (self.role, self.rule) {
            (Some(name), None) => Declared::Role(name),
            (None, Some(name)) => {
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
            _ => return Err(without("what is neither a role nor a rule, or both")),
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

/// Writes which role or rule.
pub(super) fn put_key(out: &mut Vec<u8>, key: &AccessKey) {
    out.push(match key {
        AccessKey::Role(_) => kind::ROLE,
        AccessKey::Rule(_) => kind::RULE,
    });
    put_octets(out, key.name().as_bytes());
}

/// Reads which role or rule.
pub(super) fn read_key(reader: &mut Reader<'_>) -> Result<AccessKey, DecodeError> {
    let kind = reader.octet()?;
    let name = reader.text()?;
    match kind {
        kind::ROLE => name.parse().map(AccessKey::Role).ok(),
        kind::RULE => name.parse().map(AccessKey::Rule).ok(),
        unknown => return Err(DecodeError::Newer("kind beside roles and rules", unknown.into())),
    }
    .ok_or(DecodeError::Malformed("the name of a role or rule"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::test_realm::{full_rule, role};

    fn encoded(record: &AccessRecord) -> Vec<u8> {
        let mut out = Vec::new();
        put_access(&mut out, record);
        out
    }

    #[test]
    fn roles_and_rules_come_back_as_they_were() {
        for mut record in [role("staff"), full_rule("office")] {
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
            (field, DecodeError::Newer("field of a role or rule", 99)),
        ] {
            assert_eq!(read_access(&octets, 1), Err(error));
        }
        let kind = read_key(&mut Reader::new(&[3, 1, b'a']));
        assert_eq!(kind, Err(DecodeError::Newer("kind beside roles and rules", 3)));
    }

    #[test]
    fn a_record_cut_short_is_refused_at_every_length() {
        for record in [role("staff"), full_rule("office")] {
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
        fn an_altered_record_is_refused_or_can_be_written_again(at: prop::sample::Index, to: u8) {
            let mut octets = encoded(&full_rule("office"));
            let at = at.index(octets.len());
            octets[at] = to;
            if let Ok(read) = read_access(&octets, 1) {
                prop_assert_eq!(read_access(&encoded(&read), 1), Ok(read));
            }
        }
    }
}
