//! A role, a rule or a policy as a line of a dump.

use serde::{Deserialize, Serialize};
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

use crate::realm::access_record::{AccessRecord, Declared};
use crate::realm::policy::Policy;
use crate::realm::rights::{Granted, Role};
use crate::realm::rules::Rule;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DumpedAccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<RoleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rights: Vec<Granted>,
    revision: u64,
    created: KerberosTime,
    changed: KerberosTime,
    changed_by: String,
}

impl DumpedAccess {
    pub(super) fn of(record: &AccessRecord) -> Self {
        let mut dumped = Self {
            role: None,
            rule: None,
            policy: None,
            rights: Vec::new(),
            revision: record.revision,
            created: record.created,
            changed: record.changed,
            changed_by: record.changed_by.clone(),
        };
        match &record.declared {
            Declared::Role(Role { name, rights }) => {
                dumped.role = Some(name.clone());
                dumped.rights.clone_from(rights);
            }
            Declared::Rule(rule) => dumped.rule = Some(rule.clone()),
            Declared::Policy(policy) => dumped.policy = Some(policy.clone()),
        }
        dumped
    }

    pub(super) fn into_record(self) -> Result<AccessRecord, &'static str> {
        let declared = match (self.role, self.rule, self.policy) {
            (Some(name), None, None) => Declared::Role(Role {
                name,
                rights: self.rights,
            }),
            _ if !self.rights.is_empty() => return Err("only a role gives rights"),
            (None, Some(rule), None) => Declared::Rule(rule),
            (None, None, Some(policy)) => Declared::Policy(policy),
            _ => return Err("it is neither a role nor a rule nor a policy, or several"),
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
    use crate::store::test_realm::{full_policy, full_rule, role, role_with_rights};

    #[test]
    fn a_record_comes_back_from_its_line_as_it_was() {
        for (record, line) in [
            (
                role("staff"),
                r#"{"role":"staff","revision":0,"created":1700000000,"changed":1700000000,"changed-by":"uid 0"}"#,
            ),
            (
                role_with_rights("desk", &["helpdesk:*/student"]),
                r#"{"role":"desk","rights":["helpdesk:*/student"],"revision":0,"created":1700000000,"changed":1700000000,"changed-by":"uid 0"}"#,
            ),
            (
                full_policy("strict"),
                r#"{"policy":{"name":"strict","min-length":12,"min-classes":3,"min-strength":3,"dictionary":true,"history":5,"min-age":"1d","max-age":"90d","max-failures":5,"failure-window":"10m","lockout":"15m","enctypes":["aes256-cts-hmac-sha384-192"],"max-life":"8h","max-renew":"2d"},"revision":0,"created":1700000000,"changed":1700000000,"changed-by":"uid 0"}"#,
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
