//! How changes are written down in the journal: an author's batch of them, each with its kind before it, and records as in
//! [`super::encoding`].

use tessera_common::time::KerberosTime;

use super::access_encoding::{self, put_access, read_access};
use super::encoding::{put_record, read_record, too_large};
use super::octets::{DecodeError, Reader, put_nested, put_number, put_octets, put_option, put_signed, read_option};
use super::{Author, Change, MAX_BATCH_CHANGES, MAX_BATCH_OCTETS, MAX_RECORD_OCTETS, StoreError};
use crate::realm::principal::PrincipalId;

mod kind {
    pub(super) const PUT: u8 = 1;
    pub(super) const REMOVE: u8 = 2;
    pub(super) const DECLARE: u8 = 3;
    pub(super) const WITHDRAW: u8 = 4;
    /// No change: from where and by what proof the batch's author made those that follow. First in a batch, if at all.
    pub(super) const ORIGIN: u8 = 5;
}

/// Writes a change.
fn put_change(out: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Put { expected, record } => {
            out.push(kind::PUT);
            put_option(out, expected.as_ref(), |out, expected| put_number(out, *expected));
            put_record(out, record);
        }
        Change::Remove { id, expected } => {
            out.push(kind::REMOVE);
            out.extend_from_slice(&id.0);
            put_number(out, *expected);
        }
        Change::Declare { expected, record } => {
            out.push(kind::DECLARE);
            put_option(out, expected.as_ref(), |out, expected| put_number(out, *expected));
            put_access(out, record);
        }
        Change::Withdraw { key, expected } => {
            out.push(kind::WITHDRAW);
            access_encoding::put_key(out, key);
            put_number(out, *expected);
        }
    }
}

fn read_change(octets: &[u8]) -> Result<Change, DecodeError> {
    let mut reader = Reader::new(octets);
    match reader.octet()? {
        kind::PUT => {
            let expected = read_option(&mut reader, Reader::number)?;
            let record = reader.take(reader.len())?;
            Ok(Change::Put {
                expected,
                record: Box::new(read_record(record, 0)?),
            })
        }
        kind::REMOVE => {
            let change = Change::Remove {
                id: PrincipalId(reader.array()?),
                expected: reader.number()?,
            };
            reader.finish()?;
            Ok(change)
        }
        kind::DECLARE => {
            let expected = read_option(&mut reader, Reader::number)?;
            let record = reader.take(reader.len())?;
            Ok(Change::Declare {
                expected,
                record: Box::new(read_access(record, 0)?),
            })
        }
        kind::WITHDRAW => {
            let change = Change::Withdraw {
                key: access_encoding::read_key(&mut reader)?,
                expected: reader.number()?,
            };
            reader.finish()?;
            Ok(change)
        }
        unknown => Err(DecodeError::Newer("change", unknown.into())),
    }
}

/// One author's changes, which stand or fall together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) author: Author,
    pub(super) changes: Vec<Change>,
}

/// Writes a batch from its changes.
///
/// # Errors
/// [`StoreError::TooLarge`] when a record or the batch is larger than may be.
pub(super) fn encode_batch(author: &Author, changes: &[Change]) -> Result<Vec<u8>, StoreError> {
    if changes.len() > MAX_BATCH_CHANGES {
        let what = format!(
            "a batch of {} changes; at most {MAX_BATCH_CHANGES} are made at once",
            changes.len()
        );
        return Err(StoreError::TooLarge { what });
    }
    let mut out = Vec::new();
    put_signed(&mut out, author.when.0);
    put_octets(&mut out, author.who.as_bytes());
    let origin = author.from.is_some() || author.factors.is_some();
    put_number(&mut out, changes.len() as u64 + u64::from(origin));
    if origin {
        put_nested(&mut out, |out| put_origin(out, author));
    }
    for change in changes {
        let before = out.len();
        put_nested(&mut out, |out| put_change(out, change));
        check_size(change, out.len() - before)?;
    }
    if out.len() > MAX_BATCH_OCTETS {
        let what = format!(
            "changes of {} octets; at most {MAX_BATCH_OCTETS} are written at once",
            out.len()
        );
        return Err(StoreError::TooLarge { what });
    }
    Ok(out)
}

/// Reads a batch, and what follows it stays in the reader.
pub(super) fn read_batch(reader: &mut Reader<'_>) -> Result<Batch, DecodeError> {
    let when = KerberosTime(reader.signed()?);
    let mut author = Author::unproved(reader.text()?, when);
    let count: usize = reader.narrow()?;
    let mut changes = Vec::new();
    for at in 0..count {
        let item = reader.octets()?;
        if at == 0 && item.first() == Some(&kind::ORIGIN) {
            read_origin(item, &mut author)?;
        } else if changes.len() == MAX_BATCH_CHANGES {
            return Err(DecodeError::Malformed("a batch of that many changes"));
        } else {
            changes.push(read_change(item)?);
        }
    }
    Ok(Batch { author, changes })
}

fn put_origin(out: &mut Vec<u8>, author: &Author) {
    out.push(kind::ORIGIN);
    for text in [&author.from, &author.factors] {
        put_option(out, text.as_deref(), |out, text| put_octets(out, text.as_bytes()));
    }
}

fn read_origin(item: &[u8], author: &mut Author) -> Result<(), DecodeError> {
    let mut reader = Reader::new(item);
    reader.octet()?;
    for text in [&mut author.from, &mut author.factors] {
        *text = read_option(&mut reader, |reader| reader.text().map(ToOwned::to_owned))?;
    }
    reader.finish()
}

fn check_size(change: &Change, octets: usize) -> Result<(), StoreError> {
    if octets <= MAX_RECORD_OCTETS {
        return Ok(());
    }
    match change {
        Change::Put { record, .. } => Err(too_large(&record.name, octets)),
        Change::Declare { record, .. } => Err(too_large(&record.key(), octets)),
        Change::Remove { .. } | Change::Withdraw { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tessera_common::hexadecimal;

    use super::*;
    use crate::store::test_realm::{add, author, declare, full_record, full_rule, name, principal, role};

    fn round_trip(batch: &Batch) -> Batch {
        let octets = encode_batch(&batch.author, &batch.changes).unwrap();
        let mut reader = Reader::new(&octets);
        let back = read_batch(&mut reader).unwrap();
        reader.finish().unwrap();
        back
    }

    #[test]
    fn a_batch_comes_back_as_it_was() {
        let mut record = full_record();
        record.revision = 0;
        let changes = vec![
            add(principal(1, "alice")),
            Change::Put {
                expected: Some(u64::MAX),
                record: Box::new(record),
            },
            Change::Remove {
                id: PrincipalId([9; 16]),
                expected: 12,
            },
            declare(role("staff")),
            Change::Declare {
                expected: Some(13),
                record: Box::new(full_rule("office")),
            },
            Change::Withdraw {
                key: full_rule("office").key(),
                expected: 14,
            },
            Change::Withdraw {
                key: role("staff").key(),
                expected: u64::MAX,
            },
        ];
        let proved = Author {
            from: Some("[2001:db8::7]:50123".into()),
            factors: Some("long-term-key".into()),
            ..author()
        };
        let half = Author {
            from: Some(String::new()),
            ..author()
        };
        for author in [author(), proved, half] {
            for changes in [changes.clone(), vec![]] {
                let author = author.clone();
                let batch = Batch { author, changes };
                assert_eq!(round_trip(&batch), batch);
            }
        }
    }

    #[test]
    fn a_batch_of_nobody_in_particular_is_written_as_it_always_was() {
        let octets = encode_batch(&author(), &[]).unwrap();
        assert_eq!(octets, *hexadecimal::read("80c49fd50c05756964203000").unwrap());
    }

    #[test]
    fn where_changes_came_from_stands_before_them_or_nowhere() {
        let proved = Author {
            from: Some("admin.sock".into()),
            ..author()
        };
        let removal = Change::Remove {
            id: PrincipalId([9; 16]),
            expected: 12,
        };
        let octets = encode_batch(&proved, core::slice::from_ref(&removal)).unwrap();
        // What an older program says of it.
        let mut item = Vec::new();
        put_origin(&mut item, &proved);
        assert_eq!(read_change(&item), Err(DecodeError::Newer("change", 5)));
        let mut change = Vec::new();
        put_nested(&mut change, |out| put_change(out, &removal));
        let mut origin = Vec::new();
        put_nested(&mut origin, |out| out.extend_from_slice(&item));
        let head = &octets[..octets.len() - origin.len() - change.len()];
        assert_eq!([head, &origin, &change].concat(), octets);
        let turned = [head, &change, &origin].concat();
        let error = read_batch(&mut Reader::new(&turned)).unwrap_err();
        assert_eq!(error, DecodeError::Newer("change", 5));
    }

    #[test]
    fn a_change_that_a_newer_version_may_write_is_refused_as_such() {
        assert_eq!(read_change(&[9]), Err(DecodeError::Newer("change", 9)));
    }

    #[test]
    fn a_record_too_large_for_the_index_is_refused() {
        let mut record = principal(1, "alice");
        record.aliases = (0..600).map(|n| name(&format!("alias-number-{n:0>20}"))).collect();
        let error = encode_batch(&author(), &[add(record)]).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    }

    proptest! {
        #[test]
        fn arbitrary_octets_never_panic(octets: Vec<u8>) {
            let _ = read_change(&octets);
            let _ = read_batch(&mut Reader::new(&octets));
        }
    }
}
