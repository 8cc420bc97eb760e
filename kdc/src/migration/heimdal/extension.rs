//! What a principal has beyond the fixed fields, as Heimdal's `hdb.asn1` describes it.
//!
//! ```text
//! HDB-extension ::= SEQUENCE {
//!     mandatory [0] BOOLEAN,          -- whoever does not understand it must not use the entry
//!     data      [1] CHOICE {
//!         pkinit-acl [0], pkinit-cert-hash [1], allowed-to-delegate-to [2], lm-owf [4], password [5],
//!         aliases [6] SEQUENCE { case-insensitive [0] BOOLEAN, aliases [1] SEQUENCE OF Principal },
//!         last-pw-change [7] KerberosTime,
//!         pkinit-cert [8],
//!         hist-keys [9] SEQUENCE OF SEQUENCE {
//!             kvno [0] INTEGER, keys [1] SEQUENCE OF Key, set-time [2] KerberosTime OPTIONAL, ... },
//!         hist-kvno-diff-clnt [10], hist-kvno-diff-svc [11], policy [12], principal-id [13], key-rotation [14],
//!         krb5-config [15], ... },
//!     ... }
//! Key ::= SEQUENCE { mkvno [0] INTEGER OPTIONAL, key [1] EncryptionKey, salt [2] Salt OPTIONAL }
//! Salt ::= SEQUENCE { type [0] INTEGER, salt [1] OCTET STRING, opaque [2] OCTET STRING OPTIONAL }
//! ```

use tessera_common::name::{Name, Principal, Realm};
use tessera_common::time::KerberosTime;
use tessera_common::tlv::{Fields, OCTET_STRING, content};
use zeroize::Zeroizing;

use super::der::{boolean, encryption_key, fields, sequence, text, time, unsigned};
use super::keys::{DumpedKey, Salt};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Whether an entry must not be used by who does not understand this.
    pub mandatory: bool,
    /// What it says.
    pub content: Content,
}

/// What an extension says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Other names of the principal; its own may be among them.
    Aliases {
        /// Whether names that differ in case only are one.
        case_insensitive: bool,
        /// The names.
        names: Vec<Principal>,
    },
    /// When its current keys came into force.
    LastPasswordChange(KerberosTime),
    /// Keys that are no more, or not yet, the current ones.
    OldKeys(Vec<KeySet>),
    /// The name of the policy that its passwords have to meet.
    Policy(String),
    /// Something else: its number in the choice.
    Other(u8),
}

/// The keys of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// The version.
    pub kvno: u32,
    /// The keys.
    pub keys: Vec<DumpedKey>,
    /// When they were made.
    pub made: Option<KerberosTime>,
}

impl Extension {
    /// Reads an `HDB-extension`. `None`: it is none.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let [mandatory, data] = fields(der)?;
        // One value, whose tag is the choice.
        let mut choice = Fields::inside(data?);
        let (tag, data) = choice.any().filter(|_| choice.is_empty())?;
        // The choices are constructed and of one octet's number.
        let number = tag.checked_sub(0xa0).filter(|number| *number < 0x1f)?;
        let content = match number {
            6 => aliases(data)?,
            7 => Content::LastPasswordChange(time(data)?),
            9 => Content::OldKeys(sequence(data, key_set)?),
            12 => Content::Policy(String::from_utf8(content(data, UTF8_STRING)?.to_vec()).ok()?),
            other => Content::Other(other),
        };
        Some(Self {
            mandatory: boolean(mandatory?)?,
            content,
        })
    }
}

const UTF8_STRING: u8 = 0x0c;

fn aliases(der: &[u8]) -> Option<Content> {
    let [case_insensitive, names] = fields(der)?;
    Some(Content::Aliases {
        case_insensitive: boolean(case_insensitive?)?,
        names: sequence(names?, principal)?,
    })
}

// Principal ::= SEQUENCE { name [0] PrincipalName, realm [1] Realm }
fn principal(der: &[u8]) -> Option<Principal> {
    let [name, realm] = fields(der)?;
    // PrincipalName ::= SEQUENCE { name-type [0] INTEGER, name-string [1] SEQUENCE OF GeneralString }
    let [_, components] = fields(name?)?;
    let components = sequence(components?, text)?;
    Some(Principal::new(
        Name::new(components).ok()?,
        Realm::new(text(realm?)?).ok()?,
    ))
}

fn key_set(der: &[u8]) -> Option<KeySet> {
    let [kvno, keys, made] = fields(der)?;
    Some(KeySet {
        kvno: unsigned(kvno?)?,
        keys: sequence(keys?, key)?,
        made: made.map(|made| time(made).ok_or(())).transpose().ok()?,
    })
}

fn key(der: &[u8]) -> Option<DumpedKey> {
    let [mkvno, key, salt] = fields(der)?;
    let (etype, octets) = encryption_key(key?)?;
    Some(DumpedKey {
        mkvno: mkvno.map(|mkvno| unsigned(mkvno).ok_or(())).transpose().ok()?,
        etype,
        octets: Zeroizing::new(octets.to_vec()),
        salt: salt.map(|salt| self::salt(salt).ok_or(())).transpose().ok()?,
    })
}

fn salt(der: &[u8]) -> Option<Salt> {
    let [kind, salt] = fields(der)?;
    Some(Salt {
        kind: unsigned(kind?)?,
        octets: content(salt?, OCTET_STRING)?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tessera_common::hexadecimal;
    use tessera_common::tlv::{BOOLEAN, INTEGER, SEQUENCE, context, value};

    use super::*;

    fn octets(digits: &str) -> Vec<u8> {
        hexadecimal::read(digits).unwrap().to_vec()
    }

    fn wrapped(mandatory: u8, choice: u8, data: &[u8]) -> Vec<u8> {
        let mandatory = value(context(0), &value(BOOLEAN, &[mandatory]));
        let data = value(context(1), &value(context(choice), data));
        value(SEQUENCE, &[mandatory, data].concat())
    }

    // Those that Heimdal 7.8 wrote.
    const LAST_CHANGE: &str = "301AA003010100A113A711180F32303236313132393136333732355A";
    const NO_OLD_KEYS: &str = "300BA003010100A104A9023000";
    const ALIASES: &str = "305FA003010100A158A6563054A003010100A14D304B3024A0133011A003020101A10A30081B06726F62657274A10D1B0B4F4C442E4558414D504C453023A0123010A003020101A10930071B05626F626279A10D1B0B4F4C442E4558414D504C45";
    const OLD_KEYS: &str = "3081FFA003010100A181F7A981F43081F13081EEA003020101A181D33081D0304EA003020101A1473045A003020112A13E043C332263672EFBF5F56643C3CEB62DE4D5352166150CA27C74912C8EDCD97896D14CE39B04200F1C1B188E5184DF5DCF96683A2CA4E3F3EA40791D2567303EA003020101A1373035A003020111A12E042C7FD0E72CCA0967197B5FA113106014196D2DA7E47D487B185CFF8DE85A5C3DBA18EB3277B6EC5B9A64CA1690303EA003020101A1373035A003020117A12E042CF4154D9002162D2E4945994C3277F6B093D3A70F0C974A7900B935EE1D5841ED19816C738D268910A7EEFD5CA211180F32303236313132393136333732355A";

    #[test]
    fn what_heimdal_wrote_is_read() {
        let changed = Content::LastPasswordChange("2026-11-29T16:37:25Z".parse().unwrap());
        let names = ["robert@OLD.EXAMPLE", "bobby@OLD.EXAMPLE"];
        for (digits, content) in [
            (LAST_CHANGE, changed),
            (NO_OLD_KEYS, Content::OldKeys(Vec::new())),
            (
                ALIASES,
                Content::Aliases {
                    case_insensitive: false,
                    names: names.map(|name| name.parse().unwrap()).to_vec(),
                },
            ),
            ("300CA003010100A105AA03020102", Content::Other(10)),
            (
                "3019A003010100A112A010300E300CA00A0C08434E3D616C696365",
                Content::Other(0),
            ),
        ] {
            let extension = Extension {
                mandatory: false,
                content,
            };
            assert_eq!(Extension::parse(&octets(digits)), Some(extension), "{digits}");
        }
    }

    #[test]
    fn old_keys_have_a_version_and_a_time_and_each_its_own_seal_and_salt() {
        let Some(Extension {
            content: Content::OldKeys(sets),
            ..
        }) = Extension::parse(&octets(OLD_KEYS))
        else {
            panic!("no old keys");
        };
        let [set] = &sets[..] else { panic!("{sets:?}") };
        assert_eq!((set.kvno, set.made), (1, "2026-11-29T16:37:25Z".parse().ok()));
        let found: Vec<_> = set
            .keys
            .iter()
            .map(|key| (key.mkvno, key.etype, key.octets.len(), key.salt.is_some()))
            .collect();
        assert_eq!(
            found,
            [
                (Some(1), 18, 60, false),
                (Some(1), 17, 44, false),
                (Some(1), 23, 44, false)
            ]
        );

        let salted = value(
            SEQUENCE,
            &[
                value(context(0), &value(INTEGER, &[10])),
                value(context(1), &value(OCTET_STRING, b"cell")),
                value(context(2), &value(OCTET_STRING, b"not looked at")),
            ]
            .concat(),
        );
        let key = value(
            SEQUENCE,
            &[
                value(context(0), &value(INTEGER, &[18])),
                value(context(1), &value(OCTET_STRING, b"octets")),
            ]
            .concat(),
        );
        let key = value(
            SEQUENCE,
            &[value(context(1), &key), value(context(2), &salted)].concat(),
        );
        let salt = Salt {
            kind: 10,
            octets: b"cell".to_vec(),
        };
        let expected = DumpedKey {
            mkvno: None,
            etype: 18,
            octets: Zeroizing::new(b"octets".to_vec()),
            salt: Some(salt),
        };
        assert_eq!(super::key(&key), Some(expected));
    }

    #[test]
    fn what_is_mandatory_says_so_and_what_is_unknown_keeps_its_number() {
        for (mandatory, choice) in [(0, 0), (0xff, 5), (0xff, 30)] {
            let extension = Extension::parse(&wrapped(mandatory, choice, b"\x04\0")).unwrap();
            assert_eq!(
                (extension.mandatory, extension.content),
                (mandatory != 0, Content::Other(choice))
            );
        }
        let policy = Extension::parse(&wrapped(0, 12, b"\x0c\x04good")).unwrap();
        assert_eq!(policy.content, Content::Policy("good".into()));
    }

    #[test]
    fn what_is_not_an_extension_is_none() {
        for (tag, choice, data) in [
            (1, 0, &b"\x04\0"[..]), // no BOOLEAN of DER
            (0, 31, b"\x04\0"),
            (0, 7, b"\x18\x0f20261329163725Z"),
            (0, 7, b"\x17\x0d261129163725Z"),
            (0, 9, b"\x30\x02\x04\0"),
            (0, 6, b"\x30\0"),
            (0, 12, b"\x0c\x01\xff"),
        ] {
            assert_eq!(Extension::parse(&wrapped(tag, choice, data)), None, "{data:x?}");
        }
        let whole = octets(ALIASES);
        for end in 0..whole.len() {
            assert_eq!(Extension::parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(Extension::parse(&[whole, vec![0]].concat()), None);
        // Neither data nor a second choice.
        assert_eq!(Extension::parse(&value(SEQUENCE, &value(context(0), &[1, 1, 0]))), None);
        let two = [value(context(7), b""), value(context(7), b"")].concat();
        let two = [value(context(0), &[1, 1, 0]), value(context(1), &two)].concat();
        assert_eq!(Extension::parse(&value(SEQUENCE, &two)), None);
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(der in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Extension::parse(&der);
        }

        #[test]
        fn no_change_makes_it_panic(at in 0..258usize, to: u8) {
            let mut der = octets(OLD_KEYS);
            der[at] = to;
            let _ = Extension::parse(&der);
        }
    }
}
