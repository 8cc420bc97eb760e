//! A policy's line.

use super::fields::{FieldError, Fields};
use super::format::Format;

/// A policy, as its line says:
///
/// ```text
/// policy  name  pw_min_life  pw_max_life  pw_min_length  pw_min_classes  pw_history_num  0
///         pw_max_fail  pw_failcnt_interval  pw_lockout_duration                              since version 6
///         attributes  max_life  max_renewable_life  allowed_keysalts  count of tagged data   since version 7
///         {type  length  octets}…
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PolicyLine {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// How long a password has to be kept, in seconds; 0: not at all.
    pub(super) min_life: u32,
    /// How long it is good for, in seconds; 0: for ever.
    pub(super) max_life: u32,
    /// The fewest octets.
    pub(super) min_length: u32,
    /// Of how many kinds they have to be.
    pub(super) min_classes: u32,
    /// How many passwords, the present one included, cannot be taken again.
    pub(super) history: u32,
    /// How many wrong passwords are too many; 0: any number is tried.
    pub(super) max_failures: u32,
    /// After how many seconds without a wrong one they are forgotten; 0: never.
    pub(super) failure_interval: u32,
    /// For how many seconds none is tried then; 0: until an administrator says so.
    pub(super) lockout_duration: u32,
    /// Flags, which MIT's programs set nowhere.
    pub(super) attributes: u32,
    /// The longest life of tickets, in seconds, which MIT's programs set nowhere.
    pub(super) ticket_life: u32,
    /// The longest renewable life, which MIT's programs set nowhere.
    pub(super) ticket_renewable_life: u32,
    /// What keys may be made for, with commas between; `None`: anything.
    pub(super) allowed_keysalts: Option<Vec<u8>>,
    /// The types of what else is kept with it.
    pub(super) tl_types: Vec<i32>,
}

impl PolicyLine {
    /// Reads the fields after the first.
    pub(super) fn parse(fields: &mut Fields<'_>, format: Format) -> Result<Self, FieldError> {
        let mut policy = Self {
            name: fields.next("the policy's name")?.to_vec(),
            min_life: fields.word("how long a password has to be kept")?,
            max_life: fields.word("how long a password is good for")?,
            min_length: fields.word("the fewest characters")?,
            min_classes: fields.word("the fewest kinds of characters")?,
            history: fields.word("how many passwords are remembered")?,
            ..Self::default()
        };
        fields.word("how many go by the policy")?;
        let has_failures = match format {
            Format::Version4 | Format::Version5 | Format::Iprop => false,
            Format::Version6 | Format::Version7 | Format::IpropExtended => true,
        };
        if has_failures {
            policy.max_failures = fields.word("how many wrong passwords are taken")?;
            policy.failure_interval = fields.word("how long wrong passwords count")?;
            policy.lockout_duration = fields.word("for how long a lockout lasts")?;
        }
        // What is made for replicas had the same number before and after release 1.11.
        let has_keysalts = matches!(format, Format::Version7 | Format::IpropExtended) && !fields.is_over();
        if has_keysalts {
            policy.attributes = fields.word("the policy's attributes")?;
            policy.ticket_life = fields.word("the longest life of tickets")?;
            policy.ticket_renewable_life = fields.word("the longest renewable life of tickets")?;
            let keysalts = fields.next("what keys may be made for")?;
            policy.allowed_keysalts = (keysalts != b"-").then(|| keysalts.to_vec());
            for _ in 0..fields.count("how many tagged data there are", i16::MAX.into())? {
                let kind = fields.number("the type of a tagged datum", i16::MIN.into(), i16::MAX.into())?;
                let length = fields.count("the length of a tagged datum", u16::MAX.into())?;
                fields.octets("a tagged datum", length)?;
                policy.tl_types.push(i32::try_from(kind).unwrap_or_default());
            }
        }
        fields.finish("the end of the line")?;
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::mit::format::Record;

    fn parse(line: &str, format: Format) -> Result<PolicyLine, String> {
        match Record::parse(line.as_bytes(), format) {
            Ok(Some(Record::Policy(line))) => Ok(line),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_version_has_its_own_fields() {
        let six = "policy\tstaff\t1\t2\t3\t4\t5\t0";
        let nine = format!("{six}\t6\t7\t8");
        let all = format!("{nine}\t0\t9\t10\taes256-cts:normal,aes128-cts\t1\t7\t2\t0a0b");
        for (format, fitting) in [
            (Format::Version4, &[six][..]),
            (Format::Version5, &[six]),
            (Format::Iprop, &[six]),
            (Format::Version6, &[&nine]),
            (Format::Version7, &[&nine, &all]),
            (Format::IpropExtended, &[&nine, &all]),
        ] {
            for line in [six, &nine, &all] {
                assert_eq!(
                    parse(line, format).is_ok(),
                    fitting.contains(&line),
                    "{format:?}: {line}"
                );
            }
        }
        let policy = parse(&all, Format::Version7).unwrap();
        let expected = PolicyLine {
            name: b"staff".to_vec(),
            min_life: 1,
            max_life: 2,
            min_length: 3,
            min_classes: 4,
            history: 5,
            max_failures: 6,
            failure_interval: 7,
            lockout_duration: 8,
            attributes: 0,
            ticket_life: 9,
            ticket_renewable_life: 10,
            allowed_keysalts: Some(b"aes256-cts:normal,aes128-cts".to_vec()),
            tl_types: vec![7],
        };
        assert_eq!(policy, expected);
        let none = parse(&format!("{nine}\t0\t0\t0\t-\t0"), Format::Version7).unwrap();
        assert_eq!(none.allowed_keysalts, None);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        for (line, why) in [
            (
                "policy\tstaff\tx",
                "field 3, how long a password has to be kept: it is no number",
            ),
            (
                "policy\tstaff\t1\t2\t3\t4\t5\t0",
                "field 9, how many wrong passwords are taken: the line ends",
            ),
            (
                "policy\ta\t1\t2\t3\t4\t5\t0\t6\t7\t8\t0\t0\t0\t-\t1\t7\t2\t0a",
                "field 19, a tagged datum: it is not as long",
            ),
            (
                "policy\ta\t1\t2\t3\t4\t5\t0\t6\t7\t8\t0\t0\t0\t-\t0\tx",
                "field 17, the end of the line: this is not",
            ),
        ] {
            let error = parse(line, Format::Version7).unwrap_err();
            assert!(error.starts_with(why), "{line}: {error}");
        }
    }
}
