//! Credential caches: the FILE format that MIT, Heimdal and Java share, and the names of caches and collections.
//!
//! Version 4 is read and written, version 3 read. All integers are big-endian:
//!
//! ```text
//! file       = 05 04, header, principal, entry …          header of version 3: nothing
//! header     = u16 octets, (u16 tag, u16 length, octets) …   tag 1: i32 seconds, i32 microseconds
//! principal  = u32 name-type, u32 components, realm, component …
//! entry      = principal (client), principal (server), i16 etype, data (key),
//!              u32 authtime, u32 starttime, u32 endtime, u32 renew-till,
//!              u8 is-skey, u32 ticket-flags,
//!              u32 count, (u16 addr-type, data) …, u32 count, (i16 ad-type, data) …,
//!              data (ticket), data (second ticket)
//! data       = u32 length, octets
//! ```
//!
//! Version 3 has the etype twice. Times are unsigned, until 2106; 0 is "not set". Nothing frames an entry, so one that cannot
//! be read ends the reading.

mod entry;
mod name;

use core::fmt;

use zeroize::Zeroizing;

pub use entry::{Config, Entry};
pub use name::{
    CacheName, CacheNameError, Collection, DEFAULT_PRIMARY, Subsidiary, is_subsidiary_name, parse_primary,
    write_primary,
};

use crate::name::{NameError, Principal};
use crate::reader::{Reader, Truncated};
pub use crate::stored_key::{OtherKey, StoredKey};
use entry::{Realmless, read_principal, write_principal};

const TAG_KDC_OFFSET: u16 = 1;

/// A cache: whose tickets it holds, the tickets, and what programs keep beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialCache {
    /// The fields of the header, of known and of unknown tags, in the order of the file.
    pub header: Vec<HeaderField>,
    /// Whose tickets they are: the default principal.
    pub principal: Principal,
    /// The type of that name, [`crate::name::name_type`].
    pub name_type: i32,
    /// Credentials and configuration, in the order of the file. Removed ones are not here.
    pub entries: Vec<Entry>,
}

/// One field of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// 1: the KDC's clock less our own.
    pub tag: u16,
    /// At most 65,535 octets; what is longer is not written.
    pub value: Vec<u8>,
}

/// The KDC's clock less our own, when the cache was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KdcOffset {
    /// Seconds.
    pub seconds: i32,
    /// Microseconds, with the sign of the whole.
    pub microseconds: i32,
}

/// Why octets are not a credential cache. Offsets count from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheError {
    /// The file does not begin with 5: it is no credential cache.
    NotACache,
    /// A version other than 3 and 4.
    UnknownVersion(u8),
    /// The file ends before the value at `offset` does.
    Truncated {
        /// Where the value should have begun.
        offset: usize,
    },
    /// The value at `offset` has a name that cannot be one.
    BadName {
        /// Where the principal begins.
        offset: usize,
        /// What is wrong with the name.
        reason: NameError,
    },
    /// The key at `offset` has a length that does not fit its enctype.
    KeyLength {
        /// Where the key begins.
        offset: usize,
        /// The enctype.
        etype: i32,
    },
}

impl CredentialCache {
    /// An empty cache of `principal`.
    #[must_use]
    pub fn new(principal: Principal, name_type: i32) -> Self {
        Self {
            header: Vec::new(),
            principal,
            name_type,
            entries: Vec::new(),
        }
    }

    /// Reads a whole file. Entries that were marked as removed are left out.
    ///
    /// # Errors
    /// [`CacheError`], with the offset.
    pub fn parse(file: &[u8]) -> Result<Self, CacheError> {
        let (version, mut reader) = match file.split_first_chunk::<2>() {
            Some(([5, version @ (3 | 4)], rest)) => (*version, Reader::new(rest, 2)),
            Some(([5, other], _)) => return Err(CacheError::UnknownVersion(*other)),
            _ => return Err(CacheError::NotACache),
        };
        let header = if version == 4 {
            read_header(&mut reader)?
        } else {
            Vec::new()
        };
        let (principal, name_type) = read_principal(&mut reader, Realmless::Wrong)?;
        let mut entries = Vec::new();
        while !reader.is_empty() {
            let entry = Entry::read(&mut reader, version)?;
            if !entry.is_removed() {
                entries.push(entry);
            }
        }
        Ok(Self {
            header,
            principal,
            name_type,
            entries,
        })
    }

    /// The whole file, in version 4. Octets as MIT writes them. Wiped when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let entries: Vec<_> = self.entries.iter().map(Entry::to_bytes).collect();
        // As large as it will get: growing would leave copies of keys behind.
        let mut head = vec![5, 4];
        write_header(&mut head, &self.header);
        write_principal(&mut head, &self.principal, self.name_type);
        let mut file = Zeroizing::new(Vec::with_capacity(
            head.len() + entries.iter().map(|e| e.len()).sum::<usize>(),
        ));
        file.extend_from_slice(&head);
        for entry in &entries {
            file.extend_from_slice(entry);
        }
        file
    }

    /// What is no configuration: tickets, in the order of the file.
    pub fn credentials(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.config().is_none())
    }

    /// What programs keep beside the tickets, in the order of the file.
    pub fn configs(&self) -> impl Iterator<Item = Config<'_>> {
        self.entries.iter().filter_map(Entry::config)
    }

    /// The last value kept for `key`, and for `principal` where the key is of a principal. See [`Config::key`].
    #[must_use]
    pub fn config(&self, key: &str, principal: Option<&Principal>) -> Option<&[u8]> {
        let principal = principal.map(ToString::to_string);
        let same = |config: &Config<'_>| config.key == key && config.principal == principal.as_deref();
        self.configs().filter(same).last().map(|config| config.value)
    }

    /// Keeps `value` for `key`, and for `principal` where the key is of a principal, in place of what was kept for them.
    ///
    /// # Errors
    /// [`NameError`] when `key` cannot be the component of a name.
    pub fn set_config(&mut self, key: &str, principal: Option<&Principal>, value: &[u8]) -> Result<(), NameError> {
        let entry = Entry::new_config(&self.principal, self.name_type, key, principal, value)?;
        self.entries.retain(|old| old.server != entry.server);
        self.entries.push(entry);
        Ok(())
    }

    /// The KDC's clock less our own, if the cache says.
    #[must_use]
    pub fn kdc_offset(&self) -> Option<KdcOffset> {
        let field = self.header.iter().find(|field| field.tag == TAG_KDC_OFFSET)?;
        let (seconds, microseconds) = field.value.split_first_chunk::<4>()?;
        let (microseconds, _) = microseconds.split_first_chunk::<4>()?;
        Some(KdcOffset {
            seconds: i32::from_be_bytes(*seconds),
            microseconds: i32::from_be_bytes(*microseconds),
        })
    }

    /// Keeps the KDC's clock less our own.
    pub fn set_kdc_offset(&mut self, offset: KdcOffset) {
        let value = [offset.seconds.to_be_bytes(), offset.microseconds.to_be_bytes()].concat();
        self.header.retain(|field| field.tag != TAG_KDC_OFFSET);
        self.header.push(HeaderField {
            tag: TAG_KDC_OFFSET,
            value,
        });
    }
}

fn read_header(reader: &mut Reader<'_>) -> Result<Vec<HeaderField>, CacheError> {
    let length = usize::from(reader.u16()?);
    let at = reader.at();
    let mut fields = Reader::new(reader.take(length)?, at);
    let mut header = Vec::new();
    while !fields.is_empty() {
        let tag = fields.u16()?;
        let length = usize::from(fields.u16()?);
        header.push(HeaderField {
            tag,
            value: fields.take(length)?.to_vec(),
        });
    }
    Ok(header)
}

fn write_header(file: &mut Vec<u8>, header: &[HeaderField]) {
    let mut fields = Vec::new();
    for field in header {
        let Ok(length) = u16::try_from(field.value.len()) else {
            continue;
        };
        if fields.len() + 4 + field.value.len() > usize::from(u16::MAX) {
            continue;
        }
        fields.extend_from_slice(&field.tag.to_be_bytes());
        fields.extend_from_slice(&length.to_be_bytes());
        fields.extend_from_slice(&field.value);
    }
    file.extend_from_slice(&u16::try_from(fields.len()).unwrap_or_default().to_be_bytes());
    file.extend_from_slice(&fields);
}

impl From<Truncated> for CacheError {
    fn from(truncated: Truncated) -> Self {
        Self::Truncated { offset: truncated.at }
    }
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACache => f.write_str("the file is not a credential cache"),
            Self::UnknownVersion(minor) => write!(
                f,
                "the credential cache has format 0x05{minor:02x}, and only 0x0503 and 0x0504 are read; get new tickets"
            ),
            Self::Truncated { offset } => {
                write!(
                    f,
                    "the credential cache is damaged: a value at offset {offset} is cut short; get new tickets"
                )
            }
            Self::BadName { offset, reason } => {
                write!(
                    f,
                    "the credential cache has a bad principal at offset {offset}: {reason}"
                )
            }
            Self::KeyLength { offset, etype } => {
                write!(
                    f,
                    "the credential cache has a key of the wrong length for enctype {etype} at offset {offset}"
                )
            }
        }
    }
}

impl core::error::Error for CacheError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{EncType, Key};
    use crate::flags::TicketFlags;
    use crate::name::{Name, Realm};
    use crate::time::KerberosTime;
    use crate::wire::{self, AuthorizationDataElement, HostAddress};
    use proptest::prelude::*;

    const ALICE: &[u8] = b"\0\0\0\x01\0\0\0\x01\0\0\0\x01R\0\0\0\x05alice";
    const KRBTGT: &[u8] = b"\0\0\0\x02\0\0\0\x02\0\0\0\x01R\0\0\0\x06krbtgt\0\0\0\x01R";
    const KEY: [u8; 16] = [0x6b; 16];

    fn principal(text: &str) -> Principal {
        text.parse().unwrap()
    }

    fn alices() -> CredentialCache {
        CredentialCache::new(principal("alice@R"), 1)
    }

    fn tgt() -> Entry {
        Entry {
            client: principal("alice@R"),
            client_name_type: 1,
            server: principal("krbtgt/R@R"),
            server_name_type: 2,
            key: Key::new(EncType::Aes128CtsHmacSha1_96, &KEY).unwrap().into(),
            authtime: KerberosTime(1_000_000_000),
            starttime: KerberosTime(1_000_000_001),
            endtime: KerberosTime(4_000_000_000),
            renew_till: KerberosTime::EPOCH,
            is_skey: false,
            flags: TicketFlags::FORWARDABLE | TicketFlags::INITIAL,
            addresses: vec![HostAddress {
                addr_type: 2,
                address: [127, 0, 0, 1].as_slice().into(),
            }],
            authorization_data: vec![AuthorizationDataElement {
                ad_type: -5,
                ad_data: b"ad".as_slice().into(),
            }],
            ticket: b"ticket".to_vec(),
            second_ticket: Vec::new(),
        }
    }

    fn tgt_octets(version: u8) -> Vec<u8> {
        [
            ALICE,
            KRBTGT,
            if version == 3 { b"\0\x11\0\x11" } else { b"\0\x11" },
            b"\0\0\0\x10",
            &KEY,
            b"\x3b\x9a\xca\0\x3b\x9a\xca\x01\xee\x6b\x28\0\0\0\0\0",
            b"\0",
            b"\x40\x40\0\0",
            b"\0\0\0\x01\0\x02\0\0\0\x04\x7f\0\0\x01",
            b"\0\0\0\x01\xff\xfb\0\0\0\x02ad",
            b"\0\0\0\x06ticket",
            b"\0\0\0\0",
        ]
        .concat()
    }

    #[test]
    fn version_4_reads_and_writes_octet_for_octet() {
        let file = [b"\x05\x04\0\0", ALICE, &tgt_octets(4)].concat();
        let cache = CredentialCache {
            entries: vec![tgt()],
            ..alices()
        };
        assert_eq!(CredentialCache::parse(&file).as_ref(), Ok(&cache));
        assert_eq!(*cache.to_bytes(), file);
        assert_eq!(*tgt().to_bytes(), tgt_octets(4));
    }

    #[test]
    fn version_3_reads_and_becomes_version_4() {
        let file = [b"\x05\x03", ALICE, &tgt_octets(3)].concat();
        let cache = CredentialCache::parse(&file).unwrap();
        assert_eq!(
            cache,
            CredentialCache {
                entries: vec![tgt()],
                ..alices()
            }
        );
        assert_eq!(CredentialCache::parse(&cache.to_bytes()), Ok(cache));
    }

    #[test]
    fn fields_of_the_header_are_kept_known_or_not() {
        let head = b"\x05\x04\0\x13\0\x09\0\x03abc\0\x01\0\x08\xff\xff\xff\xfe\xff\xff\xff\xff";
        let file = [head, ALICE].concat();
        let mut cache = CredentialCache::parse(&file).unwrap();
        assert_eq!(
            cache.kdc_offset(),
            Some(KdcOffset {
                seconds: -2,
                microseconds: -1
            })
        );
        assert_eq!(*cache.to_bytes(), file);
        cache.set_kdc_offset(KdcOffset {
            seconds: 7,
            microseconds: 8,
        });
        let again = CredentialCache::parse(&cache.to_bytes()).unwrap();
        assert_eq!(
            again.kdc_offset(),
            Some(KdcOffset {
                seconds: 7,
                microseconds: 8
            })
        );
        assert_eq!(again.header.len(), 2);
        assert_eq!(alices().kdc_offset(), None);
    }

    // MIT's library writes such an entry beside the one with the realm, and finds its ticket by it.
    #[test]
    fn a_service_without_a_realm_is_kept_as_it_is_and_its_ticket_says_of_which_it_is() {
        let service = principal("HTTP/www@R");
        let ticket = wire::encode(&wire::Ticket {
            tkt_vno: wire::PVNO,
            realm: (&service.realm).into(),
            sname: wire::PrincipalName::new(2, &service.name),
            enc_part: wire::EncryptedData {
                etype: 17,
                kvno: None,
                cipher: vec![0; 40].into(),
            },
        });
        let entry = Entry {
            server: Principal::new(service.name.clone(), Realm::left_to_kdc()),
            ticket,
            ..tgt()
        };
        let mut cache = alices();
        cache.entries.push(entry.clone());
        let read = CredentialCache::parse(&cache.to_bytes()).unwrap();
        assert_eq!(read, cache);
        assert_eq!(read.entries[0].server.to_string(), "HTTP/www@");
        assert_eq!(read.entries[0].to_credential().unwrap().server, service);
        let odd = Entry {
            ticket: b"ticket".to_vec(),
            ..entry
        };
        assert_eq!(odd.to_credential(), None);
    }

    #[test]
    fn configuration_is_kept_apart_from_tickets() {
        let tgs = principal("krbtgt/R@R");
        let mut cache = alices();
        cache.set_config("fast_avail", None, b"no").unwrap();
        cache.entries.push(tgt());
        cache.set_config("pa_type", Some(&tgs), b"2").unwrap();
        cache.set_config("fast_avail", None, b"yes").unwrap();
        let cache = CredentialCache::parse(&cache.to_bytes()).unwrap();
        assert_eq!(cache.credentials().collect::<Vec<_>>(), [&tgt()]);
        assert_eq!(
            cache.configs().collect::<Vec<_>>(),
            [
                Config {
                    key: "pa_type",
                    principal: Some("krbtgt/R@R"),
                    value: b"2"
                },
                Config {
                    key: "fast_avail",
                    principal: None,
                    value: b"yes"
                },
            ]
        );
        assert_eq!(cache.config("fast_avail", None), Some(&b"yes"[..]));
        assert_eq!(cache.config("pa_type", Some(&tgs)), Some(&b"2"[..]));
        assert_eq!(cache.config("pa_type", None), None);
        assert!(
            cache
                .entries
                .iter()
                .all(|e| (e.to_credential().is_some()) == e.config().is_none())
        );
    }

    #[test]
    fn removed_entries_are_left_out() {
        let removed = Entry {
            authtime: KerberosTime(0xffff_ffff),
            endtime: KerberosTime::EPOCH,
            ..tgt()
        };
        let cache = CredentialCache {
            entries: vec![removed, tgt()],
            ..alices()
        };
        assert_eq!(CredentialCache::parse(&cache.to_bytes()).unwrap().entries, [tgt()]);
    }

    #[test]
    fn a_credential_goes_in_and_comes_out() {
        for (starttime, renew_till) in [
            (1_000_000_001, None),
            (1_000_000_000, Some(KerberosTime(4_294_967_295))),
        ] {
            let mut credential = tgt().to_credential().unwrap();
            credential.times.starttime = KerberosTime(starttime);
            credential.times.renew_till = renew_till;
            let entry = Entry::from_credential(&credential);
            assert_eq!((entry.client_name_type, entry.server_name_type), (1, 2));
            assert_eq!(entry.to_credential().as_ref(), Some(&credential));
            let file = CredentialCache {
                entries: vec![entry],
                ..alices()
            }
            .to_bytes();
            assert_eq!(
                CredentialCache::parse(&file).unwrap().entries[0].to_credential(),
                Some(credential)
            );
        }
        let unset = Entry {
            starttime: KerberosTime::EPOCH,
            ..tgt()
        };
        assert_eq!(unset.to_credential().unwrap().times.starttime, unset.authtime);
        let foreign = Entry {
            key: StoredKey::from_file(23, &KEY).unwrap(),
            ..tgt()
        };
        assert_eq!(foreign.to_credential(), None);
    }

    #[test]
    fn a_damaged_file_is_refused_with_the_place() {
        let good = [b"\x05\x04\0\0", ALICE, &tgt_octets(4)].concat();
        let key_at = 4 + ALICE.len() + ALICE.len() + KRBTGT.len();
        let mut wrong_length = good.clone();
        wrong_length[key_at + 1] = 18;
        for (octets, error) in [
            (vec![], CacheError::NotACache),
            (b"\x06\x04".to_vec(), CacheError::NotACache),
            (b"\x05\x02".to_vec(), CacheError::UnknownVersion(2)),
            (b"\x05\x05".to_vec(), CacheError::UnknownVersion(5)),
            (b"\x05\x04\0\x01".to_vec(), CacheError::Truncated { offset: 4 }),
            (
                b"\x05\x04\0\x04\0\x01\0\x08".to_vec(),
                CacheError::Truncated { offset: 8 },
            ),
            (b"\x05\x04\0\0".to_vec(), CacheError::Truncated { offset: 4 }),
            (
                good[..good.len() - 1].to_vec(),
                CacheError::Truncated { offset: good.len() - 4 },
            ),
            (
                wrong_length,
                CacheError::KeyLength {
                    offset: key_at,
                    etype: 18,
                },
            ),
            (
                b"\x05\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
                CacheError::BadName {
                    offset: 4,
                    reason: NameError::Empty,
                },
            ),
        ] {
            assert_eq!(CredentialCache::parse(&octets), Err(error), "{octets:02x?}");
        }
        for end in 0..good.len() {
            let whole = end == 4 + ALICE.len();
            assert_eq!(CredentialCache::parse(&good[..end]).is_ok(), whole, "{end}");
        }
    }

    #[test]
    fn counts_beyond_the_file_allocate_nothing() {
        let mut file = [b"\x05\x04\0\0", ALICE, &tgt_octets(4)].concat();
        let addresses_at = file.len() - 4 - 10 - 12 - 14;
        assert_eq!(file[addresses_at..addresses_at + 4], [0, 0, 0, 1]);
        file[addresses_at..addresses_at + 4].copy_from_slice(&[0xff; 4]);
        assert!(matches!(
            CredentialCache::parse(&file),
            Err(CacheError::Truncated { .. })
        ));
    }

    #[test]
    fn nothing_prints_a_key() {
        let text = format!("{:?}", tgt());
        assert!(text.contains("[redacted]") && !text.contains("107, 107"), "{text}");
    }

    prop_compose! {
        fn any_principal()(
            parts in prop::collection::vec("[^\\p{Cc}]{1,8}", 1..4),
            realm in "[^\\p{Cc}]{1,8}",
        ) -> Principal {
            Principal::new(Name::new(&parts).unwrap(), Realm::new(&realm).unwrap())
        }
    }

    prop_compose! {
        fn any_entry()(
            client in any_principal(),
            server in any_principal(),
            name_type in any::<i32>(),
            etype in prop::sample::select(vec![17i16, 18, 19, 20, 0, 23, -133]),
            fill in any::<u8>(),
            times in any::<[u32; 4]>(),
            is_skey in any::<bool>(),
            flags in any::<u32>(),
            typed in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..9)), 0..3),
            ticket in prop::collection::vec(any::<u8>(), 0..30),
            second_ticket in prop::collection::vec(any::<u8>(), 0..30),
        ) -> Entry {
            let len = EncType::from_number(etype.into()).map_or(5, EncType::key_len);
            let [authtime, starttime, endtime, renew_till] = times.map(|t| KerberosTime(t.into()));
            Entry {
                client,
                client_name_type: name_type,
                server,
                server_name_type: name_type.wrapping_add(1),
                key: StoredKey::from_file(etype, &vec![fill; len]).unwrap(),
                authtime,
                starttime,
                endtime,
                renew_till,
                is_skey,
                flags: TicketFlags(flags),
                addresses: typed
                    .iter()
                    .map(|(t, a)| HostAddress { addr_type: i32::from(*t), address: a.as_slice().into() })
                    .collect(),
                authorization_data: typed
                    .iter()
                    .map(|(t, a)| AuthorizationDataElement { ad_type: -i32::from(*t), ad_data: a.as_slice().into() })
                    .collect(),
                ticket,
                second_ticket,
            }
        }
    }

    proptest! {
        #[test]
        fn written_caches_read_back(
            principal in any_principal(),
            name_type in any::<i32>(),
            fields in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..9)), 0..3),
            entries in prop::collection::vec(any_entry(), 0..4),
        ) {
            let header = fields.into_iter().map(|(tag, value)| HeaderField { tag, value }).collect();
            let entries = entries.into_iter().filter(|e| !e.is_removed()).collect();
            let cache = CredentialCache { header, principal, name_type, entries };
            prop_assert_eq!(CredentialCache::parse(&cache.to_bytes()), Ok(cache));
        }

        #[test]
        fn arbitrary_octets_do_not_panic(octets in prop::collection::vec(any::<u8>(), 0..200), version in 3u8..=4) {
            let _ = CredentialCache::parse(&octets);
            let head: &[u8] = if version == 3 { b"\x05\x03" } else { b"\x05\x04\0\0" };
            let _ = CredentialCache::parse(&[head, ALICE, ALICE, &octets].concat());
        }

        #[test]
        fn a_changed_octet_does_not_panic(at in 0usize..200, value in any::<u8>()) {
            let mut file = [b"\x05\x04\0\0", ALICE, &tgt_octets(4)].concat();
            if let Some(octet) = file.get_mut(at) {
                *octet = value;
            }
            let _ = CredentialCache::parse(&file);
        }
    }
}
