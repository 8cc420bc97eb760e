//! A role or a rule as a line of a dump.

use serde::{Deserialize, Serialize};
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

use crate::realm::access_record::{AccessRecord, Declared};
use crate::realm::rules::Rule;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DumpedAccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<RoleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    revision: u64,
    created: KerberosTime,
    changed: KerberosTime,
    changed_by: String,
}

impl DumpedAccess {
    pub(super) fn of(record: &AccessRecord) -> Self {
        let (role, rule) = match &record.declared {
            Declared::Role(role) => (Some(role.clone()), None),
            Declared::Rule(rule) => (None, Some(rule.clone())),
        };
        Self {
            role,
            rule,
            revision: record.revision,
            created: record.created,
            changed: record.changed,
            changed_by: record.changed_by.clone(),
        }
    }

    pub(super) fn into_record(self) -> Result<AccessRecord, &'static str> {
        let declared = match (self.role, self.rule) {
            (Some(role), None) => Declared::Role(role),
            (None, Some(rule)) => Declared::Rule(rule),
            _ => return Err("it is neither a role nor a rule, or both"),
        };
        Ok(AccessRecord {
            declared,
            revision: self.revision,
            created: self.created,
            changed: self.changed,
            changed_by: self.changed_by,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_realm::{full_rule, role};

    #[test]
    fn a_record_comes_back_from_its_line_as_it_was() {
        for (record, line) in [
            (
                role("staff"),
                r#"{"role":"staff","revision":0,"created":1700000000,"changed":1700000000,"changed-by":"uid 0"}"#,
            ),
            (
                full_rule("office"),
                r#"{"rule":{"name":"office","effect":"allow","roles":["staff","auditors"],"services":["host/*","http/www"],"from":["192.0.2.0/24","2001:db8::/32"],"hours":["Mon-Fri 08:00-18:00","Sat"],"max-life":"1h"},"revision":0,"created":1700000000,"changed":1700000000,"changed-by":"uid 0"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&DumpedAccess::of(&record)).unwrap(), line);
            let back: DumpedAccess = serde_json::from_str(line).unwrap();
            assert_eq!(back.into_record(), Ok(record), "{line}");
        }
    }

    #[test]
    fn a_line_that_says_something_unknown_or_wrong_is_refused() {
        let line = serde_json::to_string(&DumpedAccess::of(&role("staff"))).unwrap();
        for (from, to) in [
            (r#""role":"staff""#, r#""role":"Staff""#),
            (r#""role":"staff","#, ""),
            (r#""role":"staff""#, r#""role":"staff","colour":"red""#),
            (
                r#""role":"staff""#,
                r#""role":"staff","rule":{"name":"a","effect":"deny","services":["*"]}"#,
            ),
            (
                r#""role":"staff""#,
                r#""rule":{"name":"a","effect":"deny","services":[]}"#,
            ),
        ] {
            assert!(line.contains(from), "{line}: {from}");
            let read = serde_json::from_str::<DumpedAccess>(&line.replacen(from, to, 1));
            assert!(read.map_or(true, |record| record.into_record().is_err()), "{to}");
        }
    }
}
