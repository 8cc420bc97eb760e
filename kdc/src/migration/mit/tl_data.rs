//! Tagged data: what MIT's database keeps with a principal besides what every principal has.

use tessera_common::time::KerberosTime;

use super::fields::{FieldError, FieldFault, Fields};
use super::kadm_data::KadmData;
use super::key_data::KeyData;

mod tag {
    pub(super) const LAST_PASSWORD_CHANGE: i32 = 0x01;
    pub(super) const MODIFIED: i32 = 0x02;
    pub(super) const KADM_DATA: i32 = 0x03;
    pub(super) const MASTER_KEY_VERSION: i32 = 0x08;
    pub(super) const ACTIVE_MASTER_KEYS: i32 = 0x09;
    pub(super) const MASTER_KEY_AUX: i32 = 0x0a;
    pub(super) const STRINGS: i32 = 0x0b;
    pub(super) const ALIAS_TARGET: i32 = 0x0c;
    pub(super) const LAST_ADMIN_UNLOCK: i32 = 0x700;
}

/// The tagged data of a principal. Of two with one tag the first counts, as for MIT's programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TlData {
    /// When the password was changed last.
    pub(super) last_password_change: Option<KerberosTime>,
    /// When the principal was changed last, and by whom.
    pub(super) modified: Option<(KerberosTime, String)>,
    /// What the administration server keeps: policy and former passwords.
    pub(super) kadm: Option<KadmData>,
    /// The version of the master key that its keys are under.
    pub(super) master_key_version: Option<u32>,
    /// Of `K/M`: the newest master key under earlier ones, and the version of each of these.
    pub(super) master_key_aux: Vec<KeyData>,
    /// Names and values that administrators set.
    pub(super) strings: Vec<(String, String)>,
    /// The principal that this is only another name of, with its realm.
    pub(super) alias_target: Option<Vec<u8>>,
    /// When an administrator let it in again.
    pub(super) last_admin_unlock: Option<KerberosTime>,
    /// Types and lengths of everything else.
    pub(super) others: Vec<(i32, usize)>,
}

impl TlData {
    /// Reads one more.
    pub(super) fn read(&mut self, fields: &mut Fields<'_>) -> Result<(), FieldError> {
        const WHAT: &str = "a tagged datum";
        let kind = fields.number("the type of a tagged datum", i16::MIN.into(), i16::MAX.into())?;
        let kind = i32::try_from(kind).unwrap_or_default();
        let length = fields.count("the length of a tagged datum", u16::MAX.into())?;
        let octets = fields.octets(WHAT, length)?;
        if octets.is_empty() {
            return Ok(());
        }
        self.take(kind, &octets)
            .ok_or(fields.error(name_of(kind).unwrap_or(WHAT), FieldFault::Contents))
    }

    // `None`: the octets are not what the type says.
    fn take(&mut self, kind: i32, octets: &[u8]) -> Option<()> {
        match kind {
            tag::LAST_PASSWORD_CHANGE if self.last_password_change.is_none() => {
                self.last_password_change = Some(time(octets)?);
            }
            tag::MODIFIED if self.modified.is_none() => {
                let (when, who) = octets.split_first_chunk::<4>()?;
                let who = who.strip_suffix(&[0])?;
                self.modified = Some((time(when)?, String::from_utf8_lossy(who).into_owned()));
            }
            tag::KADM_DATA if self.kadm.is_none() => self.kadm = Some(KadmData::parse(octets)?),
            tag::MASTER_KEY_VERSION if self.master_key_version.is_none() => {
                let version = u32::from(u16::from_le_bytes(octets.try_into().ok()?));
                // 0 stands for none.
                self.master_key_version = Some(version).filter(|version| *version != 0);
            }
            // Which of the master keys seals from when on: here, none of them.
            tag::ACTIVE_MASTER_KEYS => {}
            tag::MASTER_KEY_AUX if self.master_key_aux.is_empty() => self.master_key_aux = master_key_aux(octets)?,
            tag::STRINGS if self.strings.is_empty() => self.strings = strings(octets)?,
            tag::ALIAS_TARGET if self.alias_target.is_none() => {
                self.alias_target = Some(octets.strip_suffix(&[0])?.to_vec());
            }
            tag::LAST_ADMIN_UNLOCK if self.last_admin_unlock.is_none() => {
                // MIT's programs take any other length for none.
                self.last_admin_unlock = time(octets);
            }
            other => self.others.push((other, octets.len())),
        }
        Some(())
    }
}

/// What a tagged datum of a type is, also of such as are not carried over.
#[must_use]
pub(super) fn name_of(kind: i32) -> Option<&'static str> {
    Some(match kind {
        tag::LAST_PASSWORD_CHANGE => "the last change of the password",
        tag::MODIFIED => "the last change of the principal",
        tag::KADM_DATA => "the policy and the former passwords",
        tag::MASTER_KEY_VERSION => "the version of the master key",
        tag::ACTIVE_MASTER_KEYS => "the active master keys",
        tag::MASTER_KEY_AUX => "the newest master key under earlier ones",
        tag::STRINGS => "string attributes",
        tag::ALIAS_TARGET => "the principal that an alias stands for",
        tag::LAST_ADMIN_UNLOCK => "when an administrator let it in again",
        0x04 => "extra data of the administration server",
        0x05 => "a challenge of another mechanism",
        0x06 => "the state of a SecurID token",
        0x07 => "a certificate",
        0x100 => "logon information of a PAC",
        0x200 | 0x300 => "a referral to another realm",
        0x400 => "the services that it may delegate to",
        0x500 => "a LAN Manager key",
        0x600 => "the names in a certificate",
        0x7fff => "arguments of a database module",
        _ => return None,
    })
}

// Four octets, the lowest first: seconds since 1970.
fn time(octets: &[u8]) -> Option<KerberosTime> {
    let seconds = u32::from_le_bytes(octets.try_into().ok()?);
    Some(KerberosTime(seconds.into()))
}

// Version 1; then for each: version of the earlier key; version, enctype and length of the newest, and its octets.
fn master_key_aux(octets: &[u8]) -> Option<Vec<KeyData>> {
    let mut rest = octets.strip_prefix(&[1, 0])?;
    let mut list = Vec::new();
    while !rest.is_empty() {
        let mut number = || {
            let (number, after) = rest.split_first_chunk::<2>()?;
            rest = after;
            Some(u16::from_le_bytes(*number))
        };
        let (_under, kvno, etype, length) = (number()?, number()?, number()?, number()?);
        let (contents, after) = rest.split_at_checked(length.into())?;
        rest = after;
        list.push(KeyData {
            kvno: kvno.into(),
            etype: etype.cast_signed().into(),
            contents: contents.to_vec(),
            salt: None,
        });
    }
    Some(list)
}

// Names and values, each with an octet 0 behind it.
fn strings(octets: &[u8]) -> Option<Vec<(String, String)>> {
    let text = octets.strip_suffix(&[0])?;
    let parts: Vec<_> = text
        .split(|octet| *octet == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect();
    let (pairs, []) = parts.as_chunks::<2>() else {
        return None;
    };
    Some(
        pairs
            .iter()
            .map(|[name, value]| (name.clone(), value.clone()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: i32, octets: &[u8]) -> Result<TlData, String> {
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let line = format!("{kind}\t{}\t{hex}", octets.len());
        let mut data = TlData::default();
        data.read(&mut Fields::new(line.as_bytes()))
            .map(|()| data)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_type_is_read_as_what_it_is() {
        let time = Some(KerberosTime(0x5267_de12));
        assert_eq!(read(1, &[0x12, 0xde, 0x67, 0x52]).unwrap().last_password_change, time);
        assert_eq!(read(0x700, &[0x12, 0xde, 0x67, 0x52]).unwrap().last_admin_unlock, time);
        assert_eq!(read(0x700, &[0x12]).unwrap().last_admin_unlock, None);
        let modified = read(2, b"\x12\xde\x67\x52a/b@R\0").unwrap().modified;
        assert_eq!(modified, time.map(|time| (time, "a/b@R".to_owned())));
        assert_eq!(read(8, &[2, 0]).unwrap().master_key_version, Some(2));
        assert_eq!(read(8, &[0, 0]).unwrap().master_key_version, None);
        assert_eq!(read(9, &[1, 0, 1, 0, 0, 0, 0, 0]).unwrap(), TlData::default());
        let strings = read(11, b"a\0b\0c\0\0").unwrap().strings;
        assert_eq!(strings, [("a".into(), "b".into()), ("c".into(), String::new())]);
        assert_eq!(read(12, b"alice@R\0").unwrap().alias_target, Some(b"alice@R".to_vec()));
        assert_eq!(read(7, &[1, 2]).unwrap().others, [(7, 2)]);
        assert_eq!(read(-3, &[1]).unwrap().others, [(-3, 1)]);
        let aux = read(10, &[1, 0, 1, 0, 2, 0, 18, 0, 2, 0, 7, 8]).unwrap().master_key_aux;
        let found: Vec<_> = aux
            .iter()
            .map(|key| (key.kvno, key.etype, key.contents.as_slice()))
            .collect();
        assert_eq!(found, [(2, 18, &[7, 8][..])]);
    }

    #[test]
    fn of_two_with_one_tag_the_first_counts() {
        let mut data = TlData::default();
        for value in ["8\t2\t0100", "8\t2\t0200"] {
            data.read(&mut Fields::new(value.as_bytes())).unwrap();
        }
        assert_eq!((data.master_key_version, data.others), (Some(1), vec![(8, 2)]));
    }

    #[test]
    fn octets_that_do_not_make_sense_are_named() {
        for (kind, octets, name) in [
            (1, &[1, 2, 3][..], "the last change of the password"),
            (2, b"abc", "the last change of the principal"),
            (2, b"\x12\xde\x67\x52a", "the last change of the principal"),
            (3, &[0; 24], "the policy and the former passwords"),
            (8, &[1], "the version of the master key"),
            (10, &[2, 0, 1], "the newest master key"),
            (10, &[1, 0, 1, 0, 2, 0, 18, 0, 3, 0, 7, 8], "the newest master key"),
            (11, b"a\0b", "string attributes"),
            (11, b"a\0", "string attributes"),
            (12, b"alice@R", "the principal that an alias"),
        ] {
            let error = read(kind, octets).unwrap_err();
            assert!(error.contains(name) && error.contains("do not make sense"), "{error}");
        }
    }
}
