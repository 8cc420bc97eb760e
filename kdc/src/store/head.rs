//! What stands at the start of every file of the database: whose it is, and where in the history of changes it begins.
//!
//! ```text
//! magic       8 octets, TESSJRNL or TESSSNAP
//! version     1 octet
//! length      4 octets: of the body
//! body        realm, lineage, sequence, chain, master key's number and check
//! checksum    4 octets: CRC32C of all before it
//! ```
//! The frame around the body stays as it is in every version, so that damage is told apart from a newer version.

use tessera_common::name::Realm;

use super::KeyCheck;
use super::octets::{DecodeError, Reader, put_number, put_octets};

const VERSION: u8 = 1;
const MAGIC_OCTETS: usize = 8;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Journal,
    Snapshot,
}

impl Kind {
    const fn magic(self) -> &'static [u8; MAGIC_OCTETS] {
        match self {
            Self::Journal => b"TESSJRNL",
            Self::Snapshot => b"TESSSNAP",
        }
    }
}

/// Which database a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) realm: Realm,
    /// Drawn when the database is made: two that were made apart are never mixed up, though they are of one realm.
    pub(super) lineage: [u8; 16],
    /// Of the master key that seals.
    pub(super) check: KeyCheck,
}

/// The start of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) identity: Identity,
    /// A snapshot: the last change in it. A segment of the journal: the last change before it.
    pub(super) sequence: u64,
    /// The checksum of the frame that holds that change, or 0: together with the sequence it names a history.
    pub(super) chain: u32,
}

impl Head {
    /// The octets of the head; the last four are its checksum.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let Identity { realm, lineage, check } = &self.identity;
        put_octets(&mut body, realm.as_str().as_bytes());
        body.extend_from_slice(lineage);
        put_number(&mut body, self.sequence);
        body.extend_from_slice(&self.chain.to_le_bytes());
        put_number(&mut body, check.master.into());
        body.extend_from_slice(&check.value);

        let mut out = self.kind.magic().to_vec();
        out.push(VERSION);
        out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&body);
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads the head of a file, how long it is, and its checksum, which seeds those of all that follows.
    pub(super) fn read(octets: &[u8], kind: Kind) -> Result<(Self, usize, u32), DecodeError> {
        let mut reader = Reader::new(octets);
        if reader.take(MAGIC_OCTETS)? != kind.magic() {
            return Err(DecodeError::Malformed("a start that is not this kind of file's"));
        }
        let version = reader.octet()?;
        let len = reader.u32()?;
        let body = reader.take(usize::try_from(len).map_err(|_| DecodeError::Truncated)?)?;
        let covered = octets.len() - reader.len();
        let checksum = reader.u32()?;
        if crc32c::crc32c(octets.get(..covered).unwrap_or_default()) != checksum {
            return Err(DecodeError::Malformed("a head that does not fit its checksum"));
        }
        if version != VERSION {
            return Err(DecodeError::Newer("file version", version.into()));
        }
        let mut body = Reader::new(body);
        let realm = Realm::new(body.text()?).map_err(|_| DecodeError::Malformed("a realm's name"))?;
        let lineage = body.array()?;
        let sequence = body.number()?;
        let chain = body.u32()?;
        let check = KeyCheck {
            master: body.narrow()?,
            value: body.array()?,
        };
        body.finish()?;
        let head = Self {
            kind,
            identity: Identity { realm, lineage, check },
            sequence,
            chain,
        };
        Ok((head, octets.len() - reader.len(), checksum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_realm::identity;

    fn head() -> Head {
        Head {
            kind: Kind::Journal,
            identity: identity(),
            sequence: 4711,
            chain: 0xdead_beef,
        }
    }

    #[test]
    fn a_head_comes_back_as_it_was() {
        let mut octets = head().encode();
        let len = octets.len();
        octets.extend(b"and more");
        let (read, end, checksum) = Head::read(&octets, Kind::Journal).unwrap();
        assert_eq!((read, end), (head(), len));
        assert_eq!(checksum.to_le_bytes(), octets[len - 4..len]);
    }

    #[test]
    fn an_altered_head_is_refused_wherever_it_is_altered() {
        let octets = head().encode();
        for at in 0..octets.len() {
            for bit in 0..8 {
                let mut altered = octets.clone();
                altered[at] ^= 1 << bit;
                let error = Head::read(&altered, Kind::Journal).unwrap_err();
                assert!(
                    !matches!(error, DecodeError::Newer(..)),
                    "octet {at}, bit {bit}: {error}"
                );
            }
            Head::read(&octets[..at], Kind::Journal).unwrap_err();
        }
        Head::read(&octets, Kind::Snapshot).unwrap_err();
    }

    #[test]
    fn a_newer_version_is_refused_as_such() {
        let mut octets = head().encode();
        octets[MAGIC_OCTETS] = 2;
        let covered = octets.len() - 4;
        let checksum = crc32c::crc32c(&octets[..covered]).to_le_bytes();
        octets[covered..].copy_from_slice(&checksum);
        assert_eq!(
            Head::read(&octets, Kind::Journal).unwrap_err(),
            DecodeError::Newer("file version", 2)
        );
    }
}
