//! Reads keytabs (format 0x0502), as MIT describes them.

use std::path::Path;

use super::crypto::{AES256_CTS_HMAC_SHA1_96, Key};

/// One key of a keytab.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// `name@REALM`, unescaped.
    pub principal: String,
    /// The key version.
    pub kvno: u32,
    /// The enctype.
    pub etype: i64,
    /// The key.
    pub key: Vec<u8>,
}

/// Every key of a keytab.
#[must_use]
#[track_caller]
pub fn read(path: &Path) -> Vec<Entry> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut rest = bytes.strip_prefix(&[5, 2]).expect("not a keytab of format 0x0502");
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let length = i32::from_be_bytes(*take::<4>(&mut rest));
        let (record, after) = rest.split_at(usize::try_from(length.unsigned_abs()).unwrap());
        rest = after;
        if length > 0 {
            entries.push(entry(record));
        }
    }
    entries
}

/// The newest `aes256-cts-hmac-sha1-96` key of a keytab, and its version.
#[must_use]
#[track_caller]
pub fn newest_key(path: &Path) -> (Key, u32) {
    let entries = read(path);
    let usable = entries.iter().filter(|entry| entry.etype == AES256_CTS_HMAC_SHA1_96);
    let entry = usable
        .max_by_key(|entry| entry.kvno)
        .expect("no aes256-cts-hmac-sha1-96 key");
    (Key(entry.key.clone().try_into().unwrap()), entry.kvno)
}

fn entry(mut record: &[u8]) -> Entry {
    let components = u16::from_be_bytes(*take::<2>(&mut record));
    let realm = text(&mut record);
    let names: Vec<String> = (0..components).map(|_| text(&mut record)).collect();
    let [_name_type, _time] = [*take::<4>(&mut record), *take::<4>(&mut record)];
    let short_kvno = u32::from(take::<1>(&mut record)[0]);
    let etype = i64::from(u16::from_be_bytes(*take::<2>(&mut record)));
    let key = counted(&mut record);
    let kvno = record
        .first_chunk::<4>()
        .map_or(short_kvno, |octets| u32::from_be_bytes(*octets));
    Entry {
        principal: format!("{}@{realm}", names.join("/")),
        kvno,
        etype,
        key,
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> &'a [u8; N] {
    let (taken, after) = rest.split_first_chunk::<N>().expect("the keytab is cut short");
    *rest = after;
    taken
}

fn counted(rest: &mut &[u8]) -> Vec<u8> {
    let length = u16::from_be_bytes(*take::<2>(rest));
    let (value, after) = rest.split_at(length.into());
    *rest = after;
    value.to_vec()
}

fn text(rest: &mut &[u8]) -> String {
    String::from_utf8(counted(rest)).unwrap()
}
