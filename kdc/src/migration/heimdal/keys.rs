//! Keys as a line of a dump has them: the version of all, and for each key the master key's version, the enctype, the key and
//! the salt.

use core::fmt;

use tessera_common::hexadecimal;
use zeroize::Zeroizing;

use super::entry::{Field, LineError, number};

/// A key, sealed under the master key or not.
#[derive(Clone, PartialEq, Eq)]
pub struct DumpedKey {
    /// The version of the master key that it is sealed under; `None`: the octets are the key itself.
    pub mkvno: Option<u32>,
    /// The enctype's number.
    pub etype: i32,
    /// The key, or what it is sealed as. Wiped when dropped.
    pub octets: Zeroizing<Vec<u8>>,
    /// The salt that it was made with; `None`: what is usual for the name, if it was made from a password at all.
    pub salt: Option<Salt>,
}

/// What a password was salted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salt {
    /// Its kind: the number of the padata that tells a client of it, PA-PW-SALT (3) or PA-AFS3-SALT (10).
    pub kind: u32,
    /// The salt.
    pub octets: Vec<u8>,
}

/// Keys as they are in the current set, with their version.
pub(super) fn parse(field: &str) -> Result<(u32, Vec<DumpedKey>), LineError> {
    let malformed = || LineError::Malformed(Field::Keys);
    let mut parts = field.split(':');
    let kvno = parts.next().and_then(number).ok_or_else(malformed)?;
    let mut keys = Vec::new();
    while let Some(mkvno) = parts.next() {
        let (Some(etype), Some(octets), Some(salt)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        keys.push(DumpedKey {
            mkvno: match mkvno {
                "" => None,
                digits => Some(number(digits).ok_or_else(malformed)?),
            },
            etype: etype.parse().map_err(|_| malformed())?,
            octets: octets_of(octets)?,
            salt: parse_salt(salt)?,
        });
    }
    Ok((kvno, keys))
}

fn parse_salt(part: &str) -> Result<Option<Salt>, LineError> {
    if part == "-" {
        return Ok(None);
    }
    let malformed = || LineError::Malformed(Field::Keys);
    let (kind, salt) = part.split_once('/').ok_or_else(malformed)?;
    Ok(Some(Salt {
        kind: number(kind).ok_or_else(malformed)?,
        octets: octets_of(salt)?.to_vec(),
    }))
}

/// Between quotation marks as they are, or hexadecimal.
fn octets_of(part: &str) -> Result<Zeroizing<Vec<u8>>, LineError> {
    match part.strip_prefix('"') {
        Some(quoted) => {
            let octets = quoted.strip_suffix('"').ok_or(LineError::Malformed(Field::Keys))?;
            Ok(Zeroizing::new(octets.as_bytes().to_vec()))
        }
        None => hexadecimal::read(part).ok_or(LineError::Hexadecimal(Field::Keys)),
    }
}

/// Says nothing of the key.
impl fmt::Debug for DumpedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DumpedKey(enctype {}, [redacted])", self.etype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sealed_or_not_and_have_a_salt_or_none() {
        let (kvno, keys) =
            parse(r#"7:1:18:0aFF:3/"OLD.EXAMPLEbob"::17:"abcDEF0123456789":10/6F::23:00:-:0:20::3/"#).unwrap();
        assert_eq!(kvno, 7);
        let salt = |kind, octets: &[u8]| {
            Some(Salt {
                kind,
                octets: octets.to_vec(),
            })
        };
        let found: Vec<_> = keys
            .iter()
            .map(|key| (key.mkvno, key.etype, key.octets.as_slice(), key.salt.clone()))
            .collect();
        assert_eq!(
            found,
            [
                (Some(1), 18, &[0x0a, 0xff][..], salt(3, b"OLD.EXAMPLEbob")),
                (None, 17, b"abcDEF0123456789", salt(10, b"o")),
                (None, 23, &[0], None),
                (Some(0), 20, &[], salt(3, b"")),
            ]
        );
        assert!(!format!("{keys:?}").contains("abcDEF"));
    }

    #[test]
    fn a_principal_may_have_no_keys() {
        assert_eq!(parse("0"), Ok((0, Vec::new())));
    }

    #[test]
    fn what_is_cut_short_or_out_of_place_is_refused() {
        let malformed = Err(LineError::Malformed(Field::Keys));
        for field in [
            "",
            ":",
            "1:",
            "1::18:00",
            "1::18:00:3",
            "1::x:00:-",
            "1:y:18:00:-",
            "1::18:00:-:",
            "1::18:\"ab:-",
            "1::18:00:x/00",
            "1::18:00:3/\"ab",
        ] {
            assert_eq!(parse(field), malformed, "{field}");
        }
        for field in ["1::18:0:-", "1::18:0g:-", "1::18:00:3/0", "1::18:é:-"] {
            assert_eq!(parse(field), Err(LineError::Hexadecimal(Field::Keys)), "{field}");
        }
    }
}
