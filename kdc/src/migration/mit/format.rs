//! Which version of the format a dump is of, and what a line of it is.

use core::fmt;

use super::fields::{FieldError, FieldFault, Fields};
use super::policy_line::PolicyLine;
use super::principal_line::PrincipalLine;

/// A version of the format. Principals are written the same way in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `kdb5_util load_dump version 4`, of release 1.0: policies of six numbers, and no principal says which it goes by.
    Version4,
    /// `version 5`, of release 1.3: principals with their policies and former passwords.
    Version5,
    /// `version 6`, of release 1.8: policies say how many wrong passwords are taken.
    Version6,
    /// `version 7`, since release 1.11: policies say what keys are made for.
    Version7,
    /// `iprop`, made for a replica: policies as in version 5.
    Iprop,
    /// `ipropx`, made for a replica: policies as in version 6 or 7.
    IpropExtended,
}

/// A line of a dump, after the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A principal.
    Principal(Box<PrincipalLine>),
    /// A policy.
    Policy(PolicyLine),
}

/// Why a file is no dump that can be imported, by its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotADump {
    /// It is in the format of OpenVision's administration server, which has no keys.
    OpenVision,
    /// It is older than all that is read here.
    TooOld,
    /// It is newer than all that is read here, or something else that `kdb5_util` reads.
    Newer,
    /// It looks like a dump of Heimdal's.
    Heimdal,
    /// It is a dump of this program.
    Own,
    /// There is nothing in it.
    Empty,
    /// It is something else.
    Something,
}

impl Format {
    /// The version that the first line of a dump tells.
    ///
    /// # Errors
    /// [`NotADump`].
    pub(super) fn of_header(line: &[u8]) -> Result<Self, NotADump> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(text) = core::str::from_utf8(line) else {
            return Err(NotADump::Something);
        };
        let mut words = text.split_ascii_whitespace();
        let first = words.next();
        let numbers: Option<Vec<u32>> = words.map(|word| word.parse().ok()).collect();
        match (first, numbers.as_deref()) {
            (Some("iprop"), Some([_, _, _] | [0, _, _, _])) | (Some("ipropx"), Some([0, _, _, _])) => {
                return Ok(Self::Iprop);
            }
            (Some("ipropx"), Some([1, _, _, _])) => return Ok(Self::IpropExtended),
            _ => {}
        }
        match text {
            "kdb5_util load_dump version 4" => Ok(Self::Version4),
            "kdb5_util load_dump version 5" => Ok(Self::Version5),
            "kdb5_util load_dump version 6" => Ok(Self::Version6),
            "kdb5_util load_dump version 7" => Ok(Self::Version7),
            _ if text.starts_with("OpenV*Secure") => Err(NotADump::OpenVision),
            "kdb5_util load_dump version 2" | "kdb5_util load_dump version 3" => Err(NotADump::TooOld),
            _ if text.starts_with("kdb5_edit load_dump version") => Err(NotADump::TooOld),
            _ if text.starts_with("kdb5_util load_dump version") || text.starts_with("iprop") => Err(NotADump::Newer),
            _ if text.starts_with("{\"tessera-dump\":") => Err(NotADump::Own),
            "" => Err(NotADump::Empty),
            _ if is_heimdal(text) => Err(NotADump::Heimdal),
            _ => Err(NotADump::Something),
        }
    }

    /// Whether a principal says which policy it goes by, and has its former passwords.
    #[must_use]
    pub(super) const fn has_administration_data(self) -> bool {
        !matches!(self, Self::Version4)
    }

    /// Whether what does not go to replicas is left out: when somebody logged in last, and how many wrong passwords came.
    #[must_use]
    pub(super) const fn is_for_replicas(self) -> bool {
        matches!(self, Self::Iprop | Self::IpropExtended)
    }
}

// A principal with its realm, and then its keys: a version, and colons after it.
fn is_heimdal(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let (Some(name), Some(keys)) = (words.next(), words.next()) else {
        return false;
    };
    let version = keys.split(':').next().unwrap_or_default();
    name.contains('@') && keys.contains(':') && version.bytes().all(|octet| octet.is_ascii_digit())
}

impl Record {
    /// Reads a line that is not the first. `None`: there is nothing on it.
    ///
    /// # Errors
    /// [`FieldError`] says which field is not what it should be.
    pub(super) fn parse(line: &[u8], format: Format) -> Result<Option<Self>, FieldError> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let mut fields = Fields::new(line);
        match fields.next("the kind of the line")? {
            b"princ" => PrincipalLine::parse(&mut fields).map(|line| Some(Self::Principal(Box::new(line)))),
            b"policy" => PolicyLine::parse(&mut fields, format).map(|line| Some(Self::Policy(line))),
            _ => Err(fields.error("the kind of the line, princ or policy", FieldFault::Unknown)),
        }
    }
}

impl fmt::Display for NotADump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenVision => {
                "this is a dump in the format of OpenV*Secure, which has policies and no keys; write one with keys: \
                 kdb5_util dump FILE"
            }
            Self::TooOld => {
                "this dump is of a version that MIT's release 1.0 replaced; load it with a kdb5_util that reads it, and write \
                 it anew: kdb5_util dump FILE"
            }
            Self::Newer => {
                "this dump is of a version that is not known here; write one of an older version: kdb5_util dump -r18 FILE"
            }
            Self::Heimdal => "this looks like a dump of Heimdal's; for that there is kdc import-heimdal",
            Self::Own => "this is a dump of kdc itself; for that there is kdc load",
            Self::Empty => "there is nothing in the first line",
            Self::Something => {
                "this is no dump: its first line is not \"kdb5_util load_dump version …\". The database's own files cannot \
                 be read; write a dump of it: kdb5_util dump FILE"
            }
        })
    }
}

impl core::error::Error for NotADump {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_known_for_what_it_is() {
        for (line, expected) in [
            (&b"kdb5_util load_dump version 4"[..], Ok(Format::Version4)),
            (b"kdb5_util load_dump version 5", Ok(Format::Version5)),
            (b"kdb5_util load_dump version 6", Ok(Format::Version6)),
            (b"kdb5_util load_dump version 7", Ok(Format::Version7)),
            (b"kdb5_util load_dump version 7\r", Ok(Format::Version7)),
            (b"iprop 7 1700000000 5", Ok(Format::Iprop)),
            (b"ipropx 0 7 1700000000 5", Ok(Format::Iprop)),
            (b"ipropx 1 7 1700000000 5", Ok(Format::IpropExtended)),
            (b"ipropx 2 7 1700000000 5", Err(NotADump::Newer)),
            (b"ipropx", Err(NotADump::Newer)),
            (b"kdb5_util load_dump version 8", Err(NotADump::Newer)),
            (b"kdb5_util load_dump version 3", Err(NotADump::TooOld)),
            (b"kdb5_edit load_dump version 3.0", Err(NotADump::TooOld)),
            (b"OpenV*Secure V1.0\t", Err(NotADump::OpenVision)),
            (b"{\"tessera-dump\":1,\"realm\":", Err(NotADump::Own)),
            (
                b"krbtgt/R@R 1::18:6b1f:-:- 20260101000000:kadmin/admin@R",
                Err(NotADump::Heimdal),
            ),
            (b"alice@R 3:0:18:6b1f:- ", Err(NotADump::Heimdal)),
            (b"princ\t38", Err(NotADump::Something)),
            (b"SQLite format 3", Err(NotADump::Something)),
            (b"\xff\xfe", Err(NotADump::Something)),
            (b"", Err(NotADump::Empty)),
        ] {
            assert_eq!(Format::of_header(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_line_is_a_principal_a_policy_or_wrong() {
        assert_eq!(Record::parse(b"", Format::Version7), Ok(None));
        assert_eq!(Record::parse(b" \t", Format::Version7), Ok(None));
        let error = Record::parse(b"End", Format::Version7).unwrap_err();
        assert!(
            error.to_string().starts_with("field 1, the kind of the line"),
            "{error}"
        );
    }
}
