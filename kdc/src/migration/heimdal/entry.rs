//! A line of `kadmin -l dump`: twelve fields with blanks between them, as Heimdal's `lib/hdb/print.c` writes them.
//!
//! ```text
//! principal       with escapes; a blank inside a name is `\ `
//! keys            kvno, and for each key :mkvno:enctype:key:salt
//! created         time:principal
//! modified        time:principal, or -
//! valid-start     time, or -
//! valid-end       time, or -
//! password-end    time, or -
//! max-life        seconds, or -
//! max-renew       seconds, or -
//! flags           HDBFlags as a number, bit 0 the lowest
//! generation      time:microseconds:number, or -; what the database itself counts its writes by
//! extensions      HDB-extension in DER, in hexadecimal, with : between two; or -
//! ```
//! Times are `YYYYMMDDHHMMSS` in UTC. Octets are hexadecimal, or in quotation marks where all of them are letters, digits and dots.

use core::fmt;

use tessera_common::hexadecimal;
use tessera_common::name::{NameError, Principal};
use tessera_common::time::KerberosTime;

use super::extension::Extension;
use super::keys::{self, DumpedKey};

/// How many fields a line has.
const FIELDS: usize = 12;

/// A principal as a dump has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, with the realm.
    pub principal: Principal,
    /// The version of its current keys.
    pub kvno: u32,
    /// Its current keys, in the dump's order.
    pub keys: Vec<DumpedKey>,
    /// When it was made, and by whom.
    pub created: Event,
    /// When it was changed last, and by whom.
    pub modified: Option<Event>,
    /// From when on it is good.
    pub valid_start: Option<KerberosTime>,
    /// Until when it is good.
    pub valid_end: Option<KerberosTime>,
    /// Until when its password is.
    pub password_end: Option<KerberosTime>,
    /// The longest life of its tickets, in seconds.
    pub max_life: Option<u32>,
    /// The longest renewable life, in seconds.
    pub max_renew: Option<u32>,
    /// `HDBFlags`, bit 0 the lowest.
    pub flags: u32,
    /// What else there is to it.
    pub extensions: Vec<Extension>,
}

/// When something was done to a principal, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: KerberosTime,
    /// Who; `None`, that is not known.
    pub by: Option<Principal>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// It has so many fields, and not twelve.
    Fields(usize),
    /// A field is not text.
    NotText(Field),
    /// A field's text is not what stands there.
    Malformed(Field),
    /// A name cannot be one.
    Name(Field, NameError),
    /// What should be hexadecimal is not.
    Hexadecimal(Field),
    /// An extension, counted from 1, is not the DER of one.
    Extension(usize),
}

/// A field of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Whose line it is.
    Principal,
    /// Keys and their version.
    Keys,
    /// When it was made.
    Created,
    /// When it was changed last.
    Modified,
    /// From when on it is good.
    ValidStart,
    /// Until when it is good.
    ValidEnd,
    /// Until when its password is good.
    PasswordEnd,
    /// The longest life of tickets.
    MaxLife,
    /// The longest renewable life.
    MaxRenew,
    /// What sets it apart.
    Flags,
    /// What the database counts its writes by.
    Generation,
    /// What else there is to it.
    Extensions,
}

impl Entry {
    /// Reads a line, without the newline at its end.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let fields = split(line);
        let [
            principal,
            keys,
            created,
            modified,
            valid_start,
            valid_end,
            password_end,
            max_life,
            max_renew,
            flags,
            generation,
            extensions,
        ] = <[&[u8]; FIELDS]>::try_from(fields).map_err(|fields| LineError::Fields(fields.len()))?;
        let (kvno, keys) = keys::parse(text(Field::Keys, keys)?)?;
        generation_is_well_formed(text(Field::Generation, generation)?)?;
        Ok(Self {
            principal: name(Field::Principal, text(Field::Principal, principal)?)?,
            kvno,
            keys,
            created: event(Field::Created, created)?.ok_or(LineError::Malformed(Field::Created))?,
            modified: event(Field::Modified, modified)?,
            valid_start: optional(Field::ValidStart, valid_start, time)?,
            valid_end: optional(Field::ValidEnd, valid_end, time)?,
            password_end: optional(Field::PasswordEnd, password_end, time)?,
            max_life: optional(Field::MaxLife, max_life, number)?,
            max_renew: optional(Field::MaxRenew, max_renew, number)?,
            flags: number(text(Field::Flags, flags)?).ok_or(LineError::Malformed(Field::Flags))?,
            extensions: extensions_of(text(Field::Extensions, extensions)?)?,
        })
    }
}

/// The fields of a line: between blanks, but for those that a backslash stands before.
fn split(line: &[u8]) -> Vec<&[u8]> {
    let mut escaped = false;
    line.split(|octet| {
        let ends = !escaped && octet.is_ascii_whitespace();
        escaped = !escaped && *octet == b'\\';
        ends
    })
    .filter(|field| !field.is_empty())
    .collect()
}

fn text(field: Field, octets: &[u8]) -> Result<&str, LineError> {
    core::str::from_utf8(octets).map_err(|_| LineError::NotText(field))
}

fn name(field: Field, text: &str) -> Result<Principal, LineError> {
    Principal::parse(text, None).map_err(|why| LineError::Name(field, why))
}

fn event(field: Field, octets: &[u8]) -> Result<Option<Event>, LineError> {
    let text = text(field, octets)?;
    if text == "-" {
        return Ok(None);
    }
    let (when, who) = text.split_once(':').ok_or(LineError::Malformed(field))?;
    let time = time(when).ok_or(LineError::Malformed(field))?;
    // What Heimdal writes for none has no realm, as no name has.
    let by = if who == "UNKNOWN" {
        None
    } else {
        Some(name(field, who)?)
    };
    Ok(Some(Event { time, by }))
}

fn optional<T>(field: Field, octets: &[u8], read: fn(&str) -> Option<T>) -> Result<Option<T>, LineError> {
    match text(field, octets)? {
        "-" => Ok(None),
        text => read(text).map(Some).ok_or(LineError::Malformed(field)),
    }
}

fn time(text: &str) -> Option<KerberosTime> {
    KerberosTime::from_wire(format!("{text}Z").as_bytes())
}

/// 32 bits, which Heimdal writes as if the highest were a sign.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix('-') {
        Some(_) => text.parse().ok().map(i32::cast_unsigned),
        None => text
            .parse()
            .ok()
            .filter(|_| text.bytes().all(|octet| octet.is_ascii_digit())),
    }
}

// It says nothing of the principal; but where it is no generation, the fields are not what they seem.
fn generation_is_well_formed(text: &str) -> Result<(), LineError> {
    let mut parts = text.splitn(3, ':');
    let mut next = || parts.next();
    let well_formed = match (next(), next(), next()) {
        (Some("-"), None, None) => true,
        (Some(when), Some(microseconds), Some(count)) => {
            time(when).is_some() && number(microseconds).is_some() && number(count).is_some()
        }
        _ => false,
    };
    if well_formed {
        Ok(())
    } else {
        Err(LineError::Malformed(Field::Generation))
    }
}

fn extensions_of(text: &str) -> Result<Vec<Extension>, LineError> {
    if text == "-" {
        return Ok(Vec::new());
    }
    text.split(':')
        .enumerate()
        .map(|(at, digits)| {
            let der = hexadecimal::read(digits).ok_or(LineError::Hexadecimal(Field::Extensions))?;
            Extension::parse(&der).ok_or(LineError::Extension(at + 1))
        })
        .collect()
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Principal => "the principal",
            Self::Keys => "the keys",
            Self::Created => "the time of creation",
            Self::Modified => "the time of the last change",
            Self::ValidStart => "the start of validity",
            Self::ValidEnd => "the end of validity",
            Self::PasswordEnd => "the end of the password",
            Self::MaxLife => "the longest life",
            Self::MaxRenew => "the longest renewable life",
            Self::Flags => "the flags",
            Self::Generation => "the generation",
            Self::Extensions => "the extensions",
        })
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(found) => write!(
                f,
                "the line has {found} fields; a line of Heimdal's `kadmin -l dump` has {FIELDS}"
            ),
            Self::NotText(field) => write!(f, "{field}: not UTF-8"),
            Self::Malformed(field) => write!(f, "{field}: not as Heimdal writes it"),
            Self::Name(field, why) => write!(f, "{field}: {why}"),
            Self::Hexadecimal(field) => write!(f, "{field}: not hexadecimal"),
            Self::Extension(at) => write!(f, "the extensions: number {at} is not one in DER"),
        }
    }
}

impl core::error::Error for LineError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Heimdal 7.8 wrote it, of a principal whose name has a blank, a backslash, a slash and an at sign.
    const ODD_NAME: &str = r#"o\ d\\d/x\@y@OLD.EXAMPLE 1::18:8F34F41C1DD642378AD05C36D7060D7645351E70CAA4217090B9DBF7E22372E7:3/4F4C442E4558414D504C456F20645C64784079 20261129163743:kadmin/admin@OLD.EXAMPLE - - 20300102235959 - 86400 604800 262524 20261129163743:365559:0 301AA003010100A113A711180F32303236313132393136333734335A"#;

    fn time(text: &str) -> KerberosTime {
        text.parse().unwrap()
    }

    #[test]
    fn a_line_that_heimdal_wrote_is_read() {
        let entry = Entry::parse(ODD_NAME.as_bytes()).unwrap();
        assert_eq!(entry.principal.name.components().collect::<Vec<_>>(), [r"o d\d", "x@y"]);
        assert_eq!(entry.principal.realm.as_str(), "OLD.EXAMPLE");
        assert_eq!(entry.kvno, 1);
        let [key] = &entry.keys[..] else { panic!("{entry:?}") };
        assert_eq!((key.mkvno, key.etype, key.octets.len()), (None, 18, 32));
        let salt = key.salt.as_ref().unwrap();
        assert_eq!((salt.kind, salt.octets.as_slice()), (3, &br"OLD.EXAMPLEo d\dx@y"[..]));
        assert_eq!(entry.created.time, time("2026-11-29T16:37:43Z"));
        assert_eq!(entry.created.by.unwrap().to_string(), "kadmin/admin@OLD.EXAMPLE");
        assert_eq!(entry.modified, None);
        assert_eq!(entry.valid_start, None);
        assert_eq!(entry.valid_end, Some(time("2030-01-02T23:59:59Z")));
        assert_eq!(entry.password_end, None);
        assert_eq!((entry.max_life, entry.max_renew), (Some(86400), Some(604_800)));
        assert_eq!(entry.flags, 262_524);
        assert_eq!(entry.extensions.len(), 1);
    }

    #[test]
    fn the_highest_flag_is_written_as_a_sign() {
        for (text, flags) in [("-2147483522", 0x8000_007e), ("2147483774", 0x8000_007e), ("0", 0)] {
            let line = ODD_NAME.replace(" 262524 ", &format!(" {text} "));
            assert_eq!(Entry::parse(line.as_bytes()).unwrap().flags, flags, "{text}");
        }
    }

    #[test]
    fn who_did_it_may_be_unknown() {
        let line = ODD_NAME.replace("20261129163743:kadmin/admin@OLD.EXAMPLE", "19700101000000:UNKNOWN");
        let entry = Entry::parse(line.as_bytes()).unwrap();
        assert_eq!(
            entry.created,
            Event {
                time: KerberosTime::EPOCH,
                by: None
            }
        );
    }

    #[test]
    fn each_field_that_is_not_as_it_should_be_is_named() {
        use LineError::*;
        for (from, to, error) in [
            (" 262524", "", Fields(11)),
            (" 262524", " 262524 -", Fields(13)),
            (r"o\ d", "o d", Fields(13)),
            ("OLD.EXAMPLE 1:", " 1:", Name(Field::Principal, NameError::Empty)),
            ("@OLD.EXAMPLE 1:", " 1:", Name(Field::Principal, NameError::NoRealm)),
            (r"o\ d", r"o\nd", Name(Field::Principal, NameError::ControlCharacter)),
            (" 1::18", " x::18", Malformed(Field::Keys)),
            (" 1::18", " 1:18", Malformed(Field::Keys)),
            ("8F34F4", "8F34G4", Hexadecimal(Field::Keys)),
            ("8F34F4", "8F34F", Hexadecimal(Field::Keys)),
            (
                "20261129163743:kadmin",
                "20261329163743:kadmin",
                Malformed(Field::Created),
            ),
            (
                "20261129163743:kadmin/admin@OLD.EXAMPLE",
                "-",
                Malformed(Field::Created),
            ),
            (
                ":kadmin/admin@OLD.EXAMPLE",
                ":kadmin",
                Name(Field::Created, NameError::NoRealm),
            ),
            (
                "OLD.EXAMPLE - - 2030",
                "OLD.EXAMPLE 2026 - 2030",
                Malformed(Field::Modified),
            ),
            (
                "OLD.EXAMPLE - - 2030",
                "OLD.EXAMPLE - 2026 2030",
                Malformed(Field::ValidStart),
            ),
            ("20300102235959", "20300102235960", Malformed(Field::ValidEnd)),
            (
                "20300102235959 -",
                "20300102235959 never",
                Malformed(Field::PasswordEnd),
            ),
            ("86400", "1d", Malformed(Field::MaxLife)),
            ("604800", "+604800", Malformed(Field::MaxRenew)),
            ("262524", "4294967296", Malformed(Field::Flags)),
            ("262524", "-", Malformed(Field::Flags)),
            (":365559:0", ":365559", Malformed(Field::Generation)),
            ("301AA0", "301AA", Hexadecimal(Field::Extensions)),
            ("301AA0", "301BA0", Extension(1)),
        ] {
            assert!(ODD_NAME.contains(from), "{from}");
            let line = ODD_NAME.replacen(from, to, 1);
            assert_eq!(Entry::parse(line.as_bytes()), Err(error.clone()), "{line}");
            assert!(!error.to_string().is_empty());
        }
        let latin1 = [b"f\xfcr", &ODD_NAME.as_bytes()[1..]].concat();
        assert_eq!(Entry::parse(&latin1), Err(NotText(Field::Principal)));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Entry::parse(&line);
        }

        #[test]
        fn no_change_of_a_line_makes_it_panic(at in 0..ODD_NAME.len(), to: u8) {
            let mut line = ODD_NAME.as_bytes().to_vec();
            line[at] = to;
            let _ = Entry::parse(&line);
        }
    }
}
