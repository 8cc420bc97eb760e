//! A principal's line.

use super::fields::{FieldError, FieldFault, Fields};
use super::key_data::KeyData;
use super::tl_data::TlData;

/// A principal, as its line says:
///
/// ```text
/// princ  38  length of the name  count of tagged data  count of keys  length of extra data  name
///        attributes  max_life  max_renewable_life  expiration  pw_expiration
///        last_success  last_failed  fail_auth_count
///        {type  length  octets}…      tagged data
///        {parts  kvno  {type  length  octets}…}…      keys, each with its salt as a second part
///        extra data;
/// ```
/// Octets are hexadecimal, or `-1` where there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PrincipalLine {
    /// Its name with its realm, and MIT's escapes.
    pub(super) name: Vec<u8>,
    /// Its flags.
    pub(super) attributes: u32,
    /// In seconds; 0: no limit of its own.
    pub(super) max_life: u32,
    /// In seconds; 0: its tickets are not renewable.
    pub(super) max_renewable_life: u32,
    /// Seconds since 1970; 0: never.
    pub(super) expiration: u32,
    /// Seconds since 1970; 0: never.
    pub(super) pw_expiration: u32,
    /// Seconds since 1970; 0: not known.
    pub(super) last_failed: u32,
    /// How many wrong passwords came.
    pub(super) fail_auth_count: u32,
    /// What else is kept with it.
    pub(super) tl_data: TlData,
    /// Its keys, the newest version first.
    pub(super) keys: Vec<KeyData>,
    /// How many octets of a database module's own it has.
    pub(super) extra: usize,
}

impl PrincipalLine {
    /// Reads the fields after the first.
    pub(super) fn parse(fields: &mut Fields<'_>) -> Result<Self, FieldError> {
        fields.count("the length of a record's base", u16::MAX.into())?;
        let name_len = fields.count("the length of the name", i32::MAX.into())?;
        let tl_count = fields.count("how many tagged data there are", u16::MAX.into())?;
        let key_count = fields.count("how many keys there are", i16::MAX.into())?;
        let extra = fields.count("the length of the extra data", u16::MAX.into())?;
        let name = fields.next("the name")?;
        if name.len() != name_len {
            return Err(fields.error("the name", FieldFault::Length));
        }
        let mut line = Self {
            name: name.to_vec(),
            attributes: fields.word("the attributes")?,
            max_life: fields.seconds("the longest life of tickets")?,
            max_renewable_life: fields.seconds("the longest renewable life of tickets")?,
            expiration: fields.word("when the principal expires")?,
            pw_expiration: fields.word("when the password expires")?,
            last_failed: {
                // Nothing here keeps when somebody logged in.
                fields.word("the last login")?;
                fields.word("the last wrong password")?
            },
            fail_auth_count: fields.word("how many wrong passwords came")?,
            tl_data: TlData::default(),
            keys: Vec::new(),
            extra,
        };
        for _ in 0..tl_count {
            line.tl_data.read(fields)?;
        }
        for _ in 0..key_count {
            line.keys.extend(KeyData::parse(fields)?);
        }
        let end = fields.next("the extra data")?;
        let end = end.strip_suffix(b"\r").unwrap_or(end);
        let octets = end
            .strip_suffix(b";")
            .ok_or(fields.error("the semicolon at the end", FieldFault::Missing))?;
        fields.hexadecimal(octets, "the extra data", extra)?;
        fields.finish("the end of the line")?;
        Ok(line)
    }

    /// The newest version of its keys, also of such as are of no use here.
    #[must_use]
    pub(super) fn newest_kvno(&self) -> Option<u32> {
        self.keys.iter().map(|key| key.kvno).max()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::migration::mit::format::{Format, Record};

    /// A line as `kdb5_util` writes it.
    pub(in super::super) fn written(line: &PrincipalLine, tl_data: &[(i32, &[u8])]) -> String {
        use std::fmt::Write as _;
        let hex = |octets: &[u8]| match octets {
            [] => "-1".to_owned(),
            octets => octets.iter().map(|octet| format!("{octet:02x}")).collect(),
        };
        let name = core::str::from_utf8(&line.name).unwrap();
        let mut out = format!(
            "princ\t38\t{}\t{}\t{}\t0\t{name}\t{}\t{}\t{}\t{}\t{}\t0\t{}\t{}",
            name.len(),
            tl_data.len(),
            line.keys.len(),
            line.attributes.cast_signed(),
            line.max_life,
            line.max_renewable_life,
            line.expiration,
            line.pw_expiration,
            line.last_failed,
            line.fail_auth_count,
        );
        for (kind, octets) in tl_data {
            write!(out, "\t{kind}\t{}\t{}", octets.len(), hex(octets)).unwrap();
        }
        out.push('\t');
        for key in &line.keys {
            let parts = 1 + usize::from(key.salt.is_some());
            write!(
                out,
                "{parts}\t{}\t{}\t{}\t{}\t",
                key.kvno,
                key.etype,
                key.contents.len(),
                hex(&key.contents)
            )
            .unwrap();
            if let Some(salt) = &key.salt {
                write!(out, "{}\t{}\t{}\t", salt.kind, salt.octets.len(), hex(&salt.octets)).unwrap();
            }
        }
        out.push_str("-1;");
        out
    }

    fn parse(line: &str) -> Result<PrincipalLine, String> {
        match Record::parse(line.as_bytes(), Format::Version7) {
            Ok(Some(Record::Principal(line))) => Ok(*line),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    const LINE: &str = "princ\t38\t7\t1\t2\t0\talice@R\t-2147483520\t86400\t604800\t1\t2\t0\t4\t5\t1\t4\t12de6752\t\
                        2\t3\t18\t2\t0a0b\t4\t3\t616263\t1\t2\t23\t2\t0c0d\t-1;";

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = parse(LINE).unwrap();
        assert_eq!(line.name, b"alice@R");
        assert_eq!(line.attributes, 0x8000_0080);
        assert_eq!((line.max_life, line.max_renewable_life), (86_400, 604_800));
        assert_eq!((line.expiration, line.pw_expiration), (1, 2));
        assert_eq!((line.last_failed, line.fail_auth_count), (4, 5));
        assert_eq!(line.keys.iter().map(|key| key.kvno).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(line.newest_kvno(), Some(3));
        assert_eq!(written(&line, &[(1, &[0x12, 0xde, 0x67, 0x52])]), LINE);
    }

    #[test]
    fn a_line_cut_off_anywhere_is_refused() {
        for end in 6..LINE.len() {
            assert!(parse(&LINE[..end]).is_err(), "{}", &LINE[..end]);
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        for (from, to, why) in [
            (
                "\t7\t1\t2\t0\t",
                "\t8\t1\t2\t0\t",
                "field 7, the name: it is not as long",
            ),
            (
                "\t7\t1\t2\t0\t",
                "\t7\t65536\t2\t0\t",
                "field 4, how many tagged data there are: it is no number",
            ),
            (
                "\t7\t1\t2\t0\t",
                "\t7\t2\t2\t0\t",
                "field 21, a tagged datum: it is not as long",
            ),
            (
                "\t7\t1\t2\t0\t",
                "\t7\t1\t3\t0\t",
                "field 32, how many parts a key has: it is no number",
            ),
            (
                "\t7\t1\t2\t0\t",
                "\t7\t1\t1\t0\t",
                "field 27, the semicolon at the end: the line ends",
            ),
            (
                "\t7\t1\t2\t0\t",
                "\t7\t1\t2\t1\t",
                "field 32, the extra data: it is not hexadecimal",
            ),
            (
                "\t604800\t",
                "\t-1\t",
                "field 10, the longest renewable life of tickets: it is no number",
            ),
            ("0a0b", "0a0x", "field 23, a key: it is not hexadecimal"),
            ("-1;", "-1", "field 32, the semicolon at the end"),
            (
                "-1;",
                "-1;\tx",
                "field 33, the end of the line: this is not what stands there",
            ),
        ] {
            assert!(LINE.contains(from), "{from}");
            let error = parse(&LINE.replacen(from, to, 1)).unwrap_err();
            assert!(error.starts_with(why), "{to}: {error}");
        }
    }
}
