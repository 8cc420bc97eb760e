//! What MIT's administration server keeps with a principal, in the encoding of RFC 4506 (XDR).

use super::key_data::{KeyData, SaltData};

const VERSION: u32 = 0x1234_5c01;
/// The principal goes by the policy that is named.
const HAS_POLICY: u32 = 0x800;

/// A principal's policy and former passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KadmData {
    /// The policy's name.
    pub(super) policy: Option<Vec<u8>>,
    /// The version of the key of `kadmin/history` that the former passwords are under.
    pub(super) history_kvno: u32,
    /// The keys of each former password, the latest first.
    pub(super) former_passwords: Vec<Vec<KeyData>>,
}

impl KadmData {
    /// Reads it. `None`: it is something else.
    pub(super) fn parse(octets: &[u8]) -> Option<Self> {
        let mut reader = Xdr(octets);
        if reader.word()? != VERSION {
            return None;
        }
        let policy = reader.bytes()?;
        // With its octet 0; without octets, none.
        let policy = policy.split_last().map(|(_, name)| name.to_vec());
        let has_policy = reader.word()? & HAS_POLICY != 0;
        let next = reader.word()?;
        let history_kvno = reader.word()?;
        let mut passwords = Vec::new();
        for _ in 0..reader.word()? {
            let mut keys = Vec::new();
            for _ in 0..reader.word()? {
                keys.push(reader.key_data()?);
            }
            passwords.push(keys);
        }
        if !reader.0.is_empty() {
            return None;
        }
        // A ring: what is overwritten next is the oldest.
        let next = usize::try_from(next).ok()?;
        if let Some(next) = next.checked_rem(passwords.len()) {
            passwords.rotate_left(next);
        }
        passwords.reverse();
        Some(Self {
            policy: policy.filter(|name| has_policy && !name.is_empty()),
            history_kvno,
            former_passwords: passwords,
        })
    }
}

struct Xdr<'a>(&'a [u8]);

impl<'a> Xdr<'a> {
    fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }

    fn short(&mut self) -> Option<i32> {
        let value = self.word()?.cast_signed();
        i16::try_from(value).ok().map(i32::from)
    }

    // Their length, the octets, and zeros up to a multiple of four.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.word()?).ok()?;
        let (padded, rest) = self.0.split_at_checked(length.checked_next_multiple_of(4)?)?;
        self.0 = rest;
        padded.get(..length)
    }

    fn key_data(&mut self) -> Option<KeyData> {
        let parts = self.short()?;
        let kvno = self.word()?;
        let (etype, salt_kind) = (self.short()?, self.short()?);
        let lengths = [self.word()?, self.word()?];
        let contents = self.bytes()?;
        let salt = self.bytes()?;
        let fits = [contents, salt]
            .iter()
            .zip(lengths)
            .all(|(octets, length)| u32::try_from(octets.len()) == Ok(length));
        fits.then(|| KeyData {
            kvno,
            etype,
            contents: contents.to_vec(),
            salt: (parts > 1).then(|| SaltData {
                kind: salt_kind,
                octets: salt.to_vec(),
            }),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn bytes(octets: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(octets.len()).unwrap().to_be_bytes().to_vec();
        out.extend_from_slice(octets);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    /// As the administration server writes it, from a ring of former passwords and the place that is written next.
    pub(in super::super) fn written(policy: Option<&str>, kvno: u32, next: u32, ring: &[Vec<KeyData>]) -> Vec<u8> {
        let mut out = VERSION.to_be_bytes().to_vec();
        out.extend(match policy {
            Some(policy) => bytes(format!("{policy}\0").as_bytes()),
            None => bytes(b""),
        });
        let count = |count: usize| u32::try_from(count).unwrap();
        let flags = if policy.is_some() { HAS_POLICY } else { 0 };
        for word in [flags, next, kvno, count(ring.len())] {
            out.extend(word.to_be_bytes());
        }
        for keys in ring {
            out.extend(count(keys.len()).to_be_bytes());
            for key in keys {
                let (kind, salt) = key.salt.as_ref().map_or((0, &[][..]), |salt| (salt.kind, &salt.octets));
                let parts = 1 + u32::from(key.salt.is_some());
                for word in [
                    parts,
                    key.kvno,
                    key.etype.cast_unsigned(),
                    kind.cast_unsigned(),
                    count(key.contents.len()),
                    count(salt.len()),
                ] {
                    out.extend(word.to_be_bytes());
                }
                out.extend(bytes(&key.contents));
                out.extend(bytes(salt));
            }
        }
        out
    }

    fn key(kvno: u32, salt: Option<SaltData>) -> KeyData {
        KeyData {
            kvno,
            etype: 18,
            contents: vec![1, 2, 3],
            salt,
        }
    }

    #[test]
    fn the_policy_counts_only_where_it_is_said_to() {
        let octets = written(Some("staff"), 2, 0, &[]);
        let expected = KadmData {
            policy: Some(b"staff".to_vec()),
            history_kvno: 2,
            former_passwords: vec![],
        };
        assert_eq!(KadmData::parse(&octets), Some(expected.clone()));
        let mut unset = octets;
        let flags = unset.len() - 16;
        unset[flags..flags + 4].fill(0);
        assert_eq!(
            KadmData::parse(&unset),
            Some(KadmData {
                policy: None,
                ..expected
            })
        );
        assert_eq!(KadmData::parse(&written(None, 2, 0, &[])).unwrap().policy, None);
    }

    #[test]
    fn former_passwords_come_the_latest_first() {
        let salt = Some(SaltData {
            kind: 4,
            octets: b"salt".to_vec(),
        });
        let password = |kvno: u32| vec![key(kvno, salt.clone()), key(kvno, None)];
        // The ring 5 6 4 of which 4 is overwritten next; and 5 6 that is not full yet.
        for (ring, next, expected) in [
            (&[5, 6, 4][..], 2, &[6, 5, 4][..]),
            (&[5, 6], 2, &[6, 5]),
            (&[5], 7, &[5]),
        ] {
            let ring: Vec<_> = ring.iter().map(|kvno| password(*kvno)).collect();
            let data = KadmData::parse(&written(None, 2, next, &ring)).unwrap();
            let kvnos: Vec<_> = data.former_passwords.iter().map(|keys| keys[0].kvno).collect();
            assert_eq!(kvnos, expected);
            assert_eq!(data.former_passwords[0], password(expected[0]));
        }
    }

    #[test]
    fn what_is_cut_short_or_altered_is_refused() {
        let octets = written(Some("staff"), 2, 0, &[vec![key(1, None)]]);
        for end in 0..octets.len() {
            assert_eq!(KadmData::parse(&octets[..end]), None, "cut to {end}");
        }
        assert_eq!(KadmData::parse(&[&octets[..], &[0]].concat()), None);
        let mut version = octets.clone();
        version[3] = 2;
        assert_eq!(KadmData::parse(&version), None);
        let mut many = octets;
        let at = many.len() - 4 - 4 - 4 - 24 - 4 - 4;
        many[at..at + 4].fill(0xff);
        assert_eq!(KadmData::parse(&many), None, "no more is taken than there is");
    }
}
