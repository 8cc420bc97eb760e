//! How records are written down: one encoding for journal, snapshot and index.
//!
//! A record is a version octet and fields, each a tag, a length and a value; what is absent has its default. So a later
//! version adds a field by taking a new tag, and reads what an earlier one wrote. The other way round, a tag, a kind of
//! change or an attribute that is not known is refused: a restriction that is not understood must not be passed over.
//! The version octet changes only if the meaning of what is there changes.
//!
//! A record's revision is not part of it: in the journal it is the change's own sequence number, elsewhere it stands
//! before the record.

use core::cmp::Ordering;
use core::time::Duration;
use std::collections::BTreeSet;

use tessera_common::name::Name;
use tessera_common::role::{RoleName, is_role_name};
use tessera_common::time::KerberosTime;

use super::key_encoding::{KeyField, put_key, read_key};
use super::octets::{
    DecodeError, Reader, put_field, put_number, put_octets, put_option, put_signed, read_option, read_rest_as_text,
};
use super::{MAX_RECORD_OCTETS, StoreError};
use crate::realm::policy::PolicyName;
use crate::realm::principal::{Attributes, PrincipalId, PrincipalRecord, ShutOut};

const RECORD_VERSION: u8 = 1;

mod tag {
    pub(super) const ID: u8 = 1;
    pub(super) const NAME: u8 = 2;
    pub(super) const ALIAS: u8 = 3;
    pub(super) const KEY: u8 = 4;
    pub(super) const ATTRIBUTES: u8 = 5;
    pub(super) const EXPIRES: u8 = 6;
    pub(super) const PASSWORD_EXPIRES: u8 = 7;
    pub(super) const MAX_LIFE: u8 = 8;
    pub(super) const MAX_RENEW: u8 = 9;
    pub(super) const CREATED: u8 = 10;
    pub(super) const CHANGED: u8 = 11;
    pub(super) const CHANGED_BY: u8 = 12;
    pub(super) const KEYS_CHANGED: u8 = 13;
    pub(super) const ROLE: u8 = 14;
    pub(super) const STAGED: u8 = 15;
    pub(super) const FORMER_PASSWORD: u8 = 16;
    pub(super) const POLICY: u8 = 17;
    pub(super) const SHUT_OUT: u8 = 18;
}

/// Writes a record.
pub(super) fn put_record(out: &mut Vec<u8>, record: &PrincipalRecord) {
    // Without `..`, so that a new field is not forgotten here.
    let PrincipalRecord {
        id,
        revision: _,
        name,
        aliases,
        keys,
        staged,
        former_passwords,
        policy,
        shut_out,
        attributes,
        roles,
        expires,
        password_expires,
        max_life,
        max_renew,
        created,
        changed,
        changed_by,
        keys_changed,
    } = record;
    out.push(RECORD_VERSION);
    put_field(out, tag::ID, |out| out.extend_from_slice(&id.0));
    put_field(out, tag::NAME, |out| put_name(out, name));
    for alias in aliases {
        put_field(out, tag::ALIAS, |out| put_name(out, alias));
    }
    for (tag, keys) in [
        (tag::KEY, keys),
        (tag::STAGED, staged),
        (tag::FORMER_PASSWORD, former_passwords),
    ] {
        for key in keys {
            put_field(out, tag, |out| put_key(out, key));
        }
    }
    if let Some(policy) = policy {
        put_field(out, tag::POLICY, |out| {
            out.extend_from_slice(policy.as_str().as_bytes());
        });
    }
    if let Some(ShutOut { since, until }) = shut_out {
        put_field(out, tag::SHUT_OUT, |out| {
            put_signed(out, since.0);
            put_option(out, until.as_ref(), |out, until| put_signed(out, until.0));
        });
    }
    if *attributes != Attributes::empty() {
        put_field(out, tag::ATTRIBUTES, |out| put_number(out, attributes.0.into()));
    }
    // Sorted, whoever made the record: otherwise it could not be read.
    for role in roles.iter().collect::<BTreeSet<_>>() {
        put_field(out, tag::ROLE, |out| out.extend_from_slice(role.as_str().as_bytes()));
    }
    let times = [
        (tag::EXPIRES, *expires),
        (tag::PASSWORD_EXPIRES, *password_expires),
        (tag::CREATED, Some(*created)),
        (tag::CHANGED, Some(*changed)),
        (tag::KEYS_CHANGED, *keys_changed),
    ];
    for (tag, time) in times {
        if let Some(time) = time {
            put_field(out, tag, |out| put_signed(out, time.0));
        }
    }
    for (tag, duration) in [(tag::MAX_LIFE, max_life), (tag::MAX_RENEW, max_renew)] {
        if let Some(duration) = duration {
            put_field(out, tag, |out| put_number(out, duration.as_secs()));
        }
    }
    put_field(out, tag::CHANGED_BY, |out| out.extend_from_slice(changed_by.as_bytes()));
}

/// Reads a record that has this revision.
pub(super) fn read_record(octets: &[u8], revision: u64) -> Result<PrincipalRecord, DecodeError> {
    let name = Name::new(["?"]).map_err(|_| DecodeError::Malformed("a name"))?;
    let mut record = PrincipalRecord {
        revision,
        ..PrincipalRecord::new(PrincipalId([0; 16]), name, KerberosTime::EPOCH, "")
    };
    record.id = read_fields(octets, |field| {
        match field {
            Field::Name(name) => record.name = name_of(name)?,
            Field::Alias(alias) => record.aliases.push(name_of(alias)?),
            Field::Key(key) => record.keys.push(key.to_stored()),
            Field::Staged(key) => record.staged.push(key.to_stored()),
            Field::FormerPassword(key) => record.former_passwords.push(key.to_stored()),
            Field::Policy(policy) => record.policy = Some(policy_of(policy)?),
            Field::ShutOut(shut_out) => record.shut_out = Some(shut_out),
            Field::Attributes(attributes) => record.attributes = attributes,
            Field::Role(role) => record.roles.push(role_of(role)?),
            Field::Expires(time) => record.expires = Some(time),
            Field::PasswordExpires(time) => record.password_expires = Some(time),
            Field::MaxLife(life) => record.max_life = Some(life),
            Field::MaxRenew(life) => record.max_renew = Some(life),
            Field::Created(time) => record.created = time,
            Field::Changed(time) => record.changed = time,
            Field::ChangedBy(who) => record.changed_by = who.to_owned(),
            Field::KeysChanged(time) => record.keys_changed = Some(time),
        }
        Ok(())
    })?;
    Ok(record)
}

/// Something of a record that a view keeps account of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    /// A key is sealed under this master key.
    Master(u32),
    /// The principal has this role.
    Role(&'a str),
    /// It goes by this policy.
    Policy(&'a str),
}

/// Whose record it is, if [`read_record`] can read it, and to `see` what marks it has. Nothing is made of it: a start looks
/// at every record there is.
pub(super) fn check_record<'a>(octets: &'a [u8], mut see: impl FnMut(Mark<'a>)) -> Result<PrincipalId, DecodeError> {
    read_fields(octets, |field| {
        match field {
            Field::Key(key) | Field::Staged(key) | Field::FormerPassword(key) => see(Mark::Master(key.master)),
            Field::Policy(policy) => see(Mark::Policy(policy)),
            Field::Role(role) => see(Mark::Role(role)),
            _ => {}
        }
        Ok(())
    })
}

/// A field of a record, where it is written down. What it may not be, it is not.
enum Field<'a> {
    Name(&'a [u8]),
    Alias(&'a [u8]),
    Key(KeyField<'a>),
    Staged(KeyField<'a>),
    FormerPassword(KeyField<'a>),
    Policy(&'a str),
    ShutOut(ShutOut),
    Attributes(Attributes),
    Role(&'a str),
    Expires(KerberosTime),
    PasswordExpires(KerberosTime),
    MaxLife(Duration),
    MaxRenew(Duration),
    Created(KerberosTime),
    Changed(KerberosTime),
    ChangedBy(&'a str),
    KeysChanged(KerberosTime),
}

/// Shows all fields of a record but its id, which it gives.
fn read_fields<'a>(
    octets: &'a [u8],
    mut see: impl FnMut(Field<'a>) -> Result<(), DecodeError>,
) -> Result<PrincipalId, DecodeError> {
    let mut reader = Reader::new(octets);
    let version = reader.octet()?;
    if version != RECORD_VERSION {
        return Err(DecodeError::Newer("record version", version.into()));
    }
    let (mut id, mut name, mut created, mut changed) = (None, false, false, false);
    let mut last_role = "";
    while !reader.is_empty() {
        let tag = reader.octet()?;
        let mut value = Reader::new(reader.octets()?);
        let field = match tag {
            tag::ID => {
                id = Some(PrincipalId(value.array()?));
                value.finish()?;
                continue;
            }
            tag::NAME => Field::Name(take_name(&mut value)?),
            tag::ALIAS => Field::Alias(take_name(&mut value)?),
            tag::KEY => Field::Key(read_key(&mut value)?),
            tag::STAGED => Field::Staged(read_key(&mut value)?),
            tag::FORMER_PASSWORD => Field::FormerPassword(read_key(&mut value)?),
            tag::POLICY => Field::Policy(read_policy(&mut value)?),
            tag::SHUT_OUT => Field::ShutOut(read_shut_out(&mut value)?),
            tag::ATTRIBUTES => Field::Attributes(read_attributes(&mut value)?),
            tag::EXPIRES => Field::Expires(KerberosTime(value.signed()?)),
            tag::PASSWORD_EXPIRES => Field::PasswordExpires(KerberosTime(value.signed()?)),
            tag::MAX_LIFE => Field::MaxLife(read_duration(&mut value)?),
            tag::MAX_RENEW => Field::MaxRenew(read_duration(&mut value)?),
            tag::CREATED => Field::Created(KerberosTime(value.signed()?)),
            tag::CHANGED => Field::Changed(KerberosTime(value.signed()?)),
            tag::CHANGED_BY => Field::ChangedBy(read_rest_as_text(&mut value)?),
            tag::ROLE => {
                last_role = read_role(&mut value, last_role)?;
                Field::Role(last_role)
            }
            tag::KEYS_CHANGED => Field::KeysChanged(KerberosTime(value.signed()?)),
            unknown => return Err(DecodeError::Newer("record field", unknown.into())),
        };
        value.finish()?;
        name |= tag == tag::NAME;
        created |= tag == tag::CREATED;
        changed |= tag == tag::CHANGED;
        see(field)?;
    }
    let id = id.ok_or(DecodeError::Malformed("a record without an id"))?;
    for (there, without) in [
        (name, "a record without a name"),
        (created, "a record without its time of making"),
        (changed, "a record without its time of change"),
    ] {
        if !there {
            return Err(DecodeError::Malformed(without));
        }
    }
    Ok(id)
}

/// The names in a record that can be read, as [`put_name`] writes them: the name first, then the aliases.
pub(super) fn names_in(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let of = move |wanted| fields(octets).filter_map(move |(tag, value)| (tag == wanted).then_some(value));
    of(tag::NAME).take(1).chain(of(tag::ALIAS))
}

/// The marks of a record that can be read.
pub(super) fn marks_in(octets: &[u8]) -> impl Iterator<Item = Mark<'_>> {
    fields(octets).filter_map(|(tag, value)| match tag {
        tag::KEY | tag::STAGED | tag::FORMER_PASSWORD => read_key(&mut Reader::new(value))
            .ok()
            .map(|key| Mark::Master(key.master)),
        tag::ROLE => core::str::from_utf8(value).ok().map(Mark::Role),
        tag::POLICY => core::str::from_utf8(value).ok().map(Mark::Policy),
        _ => None,
    })
}

/// Whether a record that can be read has a key that is good until some time only.
pub(super) fn has_retiring_key(octets: &[u8]) -> bool {
    fields(octets)
        .filter(|(tag, _)| *tag == tag::KEY)
        .any(|(_, value)| read_key(&mut Reader::new(value)).is_ok_and(|key| key.retired.is_some()))
}

/// Tags and values of a record that can be read.
fn fields(octets: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut reader = Reader::new(octets.get(1..).unwrap_or_default());
    core::iter::from_fn(move || Some((reader.octet().ok()?, reader.octets().ok()?)))
}

/// That a record can be stored, and changed as long as it does not grow.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub(super) fn check_record_size(record: &PrincipalRecord) -> Result<(), StoreError> {
    // What a change says before the record: its kind, the revision that it replaces, and how long all that is.
    const BEFORE: usize = 32;
    let mut octets = Vec::with_capacity(1024);
    put_record(&mut octets, record);
    let octets = octets.len() + BEFORE;
    if octets <= MAX_RECORD_OCTETS {
        return Ok(());
    }
    Err(too_large(&record.name, octets))
}

pub(super) fn too_large(whose: &dyn core::fmt::Display, octets: usize) -> StoreError {
    StoreError::TooLarge {
        what: format!("the record of {whose}, {octets} of at most {MAX_RECORD_OCTETS} octets"),
    }
}

/// A name, written down.
pub(super) fn name_octets(name: &Name) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put_name(&mut out, name);
    out
}

/// How two names that were written down are in order: as the names themselves are.
pub(super) fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    components_in(a).cmp(components_in(b))
}

fn components_in(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(name);
    core::iter::from_fn(move || reader.octets().ok())
}

/// Reads a name that fills all of `octets`.
pub(super) fn name_of(octets: &[u8]) -> Result<Name, DecodeError> {
    let mut reader = Reader::new(octets);
    let mut components = Vec::new();
    while !reader.is_empty() {
        components.push(reader.text()?);
    }
    Name::new(components).map_err(|_| DecodeError::Malformed("a name"))
}

/// The octets of a name that [`name_of`] can read.
fn take_name<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let octets = reader.take(reader.len())?;
    let mut reader = Reader::new(octets);
    let mut malformed = None;
    let components = core::iter::from_fn(|| match reader.is_empty() {
        true => None,
        false => reader.text().map_err(|why| malformed = Some(why)).ok(),
    });
    let checked = Name::check(components).map_err(|_| DecodeError::Malformed("a name"));
    malformed.map_or(checked, Err)?;
    Ok(octets)
}

fn put_name(out: &mut Vec<u8>, name: &Name) {
    for component in name.components() {
        put_octets(out, component.as_bytes());
    }
}

fn read_attributes(reader: &mut Reader<'_>) -> Result<Attributes, DecodeError> {
    let attributes = Attributes(reader.narrow()?);
    let known = Attributes::NAMED
        .iter()
        .fold(Attributes::empty(), |all, (flag, _)| all.with(*flag));
    match attributes.without(known) {
        unknown if unknown == Attributes::empty() => Ok(attributes),
        unknown => Err(DecodeError::Newer("attribute", unknown.0.leading_zeros().into())),
    }
}

/// A role that comes after the one before.
fn read_role<'a>(reader: &mut Reader<'a>, before: &str) -> Result<&'a str, DecodeError> {
    let role = read_rest_as_text(reader)?;
    if is_role_name(role) && before < role {
        Ok(role)
    } else {
        Err(DecodeError::Malformed("a role of that name, in that place"))
    }
}

fn read_policy<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let policy = read_rest_as_text(reader)?;
    if is_role_name(policy) {
        Ok(policy)
    } else {
        Err(DecodeError::Malformed("a policy's name"))
    }
}

fn policy_of(text: &str) -> Result<PolicyName, DecodeError> {
    PolicyName::new(text).map_err(|_| DecodeError::Malformed("a policy's name"))
}

fn read_shut_out(reader: &mut Reader<'_>) -> Result<ShutOut, DecodeError> {
    Ok(ShutOut {
        since: KerberosTime(reader.signed()?),
        until: read_option(reader, |reader| reader.signed().map(KerberosTime))?,
    })
}

fn role_of(text: &str) -> Result<RoleName, DecodeError> {
    RoleName::new(text).map_err(|_| DecodeError::Malformed("a role's name"))
}

fn read_duration(reader: &mut Reader<'_>) -> Result<Duration, DecodeError> {
    reader.number().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tessera_common::hexadecimal;

    use super::*;
    use crate::store::test_realm::{full_record, principal, roles};

    fn encoded(record: &PrincipalRecord) -> Vec<u8> {
        let mut out = Vec::new();
        put_record(&mut out, record);
        out
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        for record in [full_record(), principal(1, "alice"), principal(2, "a\\/b\\@c/")] {
            assert_eq!(read_record(&encoded(&record), record.revision).unwrap(), record);
        }
    }

    // `full_record` as it was written before there were roles, policies and keys that know their age.
    const WITHOUT_ROLES: &str = concat!(
        "010110e450c305af0f26a22a74573f5b871793021504686f73740f612f622e6578616d706c652e636f6d030605616c696173",
        "030a05616c6961730374776f044affffffff0f24010300ff07000103030303030303030303030330e450c305af0f26a22a74",
        "573f5b871793e450c305af0f26a22a74573f5b871793e450c305af0f26a22a74573f5b871793044301260001090103030303",
        "030303030303030330e450c305af0f26a22a74573f5b871793e450c305af0f26a22a74573f5b871793e450c305af0f26a22a",
        "74573f5b87179305058080c08008060580c8ceb40d070affffffffffffffffff010a0580c49fd50c0b0582c49fd50c0d0584",
        "c49fd50c0803a09902090380f5240c17616c6963652f61646d696e404558414d504c452e434f4d",
    );

    #[test]
    fn a_record_from_before_there_were_roles_and_policies_has_none() {
        let mut record = PrincipalRecord {
            roles: Vec::new(),
            staged: Vec::new(),
            former_passwords: Vec::new(),
            policy: None,
            shut_out: None,
            ..full_record()
        };
        for key in &mut record.keys {
            key.made = None;
        }
        let octets = hexadecimal::read(WITHOUT_ROLES).unwrap();
        assert_eq!(read_record(&octets, record.revision).unwrap(), record);
        assert_eq!(encoded(&record), *octets, "and takes no more room");
    }

    #[test]
    fn roles_are_written_sorted_and_once_and_read_no_other_way() {
        let mut record = principal(1, "alice");
        record.roles = roles(&["staff", "mail", "staff"]);
        let octets = encoded(&record);
        record.roles = roles(&["mail", "staff"]);
        assert_eq!(read_record(&octets, 0).unwrap(), record);
        let field = |text: &str| [&[tag::ROLE, text.len() as u8], text.as_bytes()].concat();
        for text in ["staff", "mail", "a", "Staff", ""] {
            let altered = [&octets[..], &field(text)].concat();
            let error = DecodeError::Malformed("a role of that name, in that place");
            assert_eq!(read_record(&altered, 0), Err(error), "{text:?} after staff");
        }
    }

    #[test]
    fn what_a_newer_version_may_write_is_refused_as_such() {
        let mut version = encoded(&full_record());
        version[0] = 2;
        let mut field = encoded(&full_record());
        field.extend([99, 1, 0]);
        let mut record = full_record();
        record.attributes = Attributes(1);
        for (octets, error) in [
            (version, DecodeError::Newer("record version", 2)),
            (field, DecodeError::Newer("record field", 99)),
            (encoded(&record), DecodeError::Newer("attribute", 31)),
        ] {
            assert_eq!(read_record(&octets, 1), Err(error));
        }
    }

    #[test]
    fn a_record_cut_short_is_refused_at_every_length() {
        let octets = encoded(&full_record());
        for len in 0..octets.len() {
            // Only its last field may be missing without a trace; what holds a record knows its length.
            let cut = read_record(&octets[..len], full_record().revision);
            assert!(
                cut.as_ref().map_or(true, |cut| cut.changed_by.is_empty()),
                "cut to {len}"
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_octets_never_panic(octets: Vec<u8>) {
            let _ = read_record(&octets, 1);
            let _ = check_record(&octets, |_| {});
        }

        #[test]
        fn an_altered_record_is_read_or_refused(at: prop::sample::Index, to: u8) {
            let mut octets = encoded(&full_record());
            let at = at.index(octets.len());
            octets[at] = to;
            prop_assert_eq!(read_record(&octets, 1).map(|record| record.id), check_record(&octets, |_| {}));
        }
    }
}
