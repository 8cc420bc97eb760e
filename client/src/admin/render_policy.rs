//! Policies as people read them.

use tessera_common::admin::{PolicyInfo, Source};

use super::columns::table;
use super::render::{Look, labelled, or};
use super::render_access::recorded;

/// A list of policies. To a program, a line is a name.
pub(super) fn policies(all: &[PolicyInfo], look: Look) -> String {
    let row = |info: &PolicyInfo| {
        [
            info.name.clone(),
            info.source.to_string(),
            info.principals.to_string(),
            summary(info),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let undeclared = |at: usize| all.get(at).is_some_and(|info| info.source == Source::Nowhere);
    table(["Name", "Source", "Principals", "Asks for"], &rows, look, undeclared)
}

// What it says, in a few words; what it does not say is left out.
fn summary(info: &PolicyInfo) -> String {
    let mut parts = Vec::new();
    let mut say = |what: &str, value: Option<String>| parts.extend(value.map(|value| format!("{what} {value}")));
    say("length", info.min_length.map(|least| least.to_string()));
    say("classes", info.min_classes.map(|least| least.to_string()));
    say("strength", info.min_strength.map(|least| least.to_string()));
    say("history", info.history.map(|count| count.to_string()));
    say("age from", info.min_age.map(|age| age.to_string()));
    say("age up to", info.max_age.map(|age| age.to_string()));
    say("failures", info.max_failures.map(|most| most.to_string()));
    if info.dictionary {
        parts.push("no word of the dictionary".to_owned());
    }
    parts.join(", ")
}

/// All that there is to say of one policy. The labels are the names of the fields in JSON, as people write them.
pub(super) fn policy(info: &PolicyInfo, look: Look) -> String {
    let one = |text: String| vec![text];
    let lockout = match (&info.max_failures, &info.lockout) {
        (None, _) => "never".to_owned(),
        (Some(_), None) => "until unlocked".to_owned(),
        (Some(_), Some(lockout)) => lockout.to_string(),
    };
    let enctypes = match info.enctypes.as_slice() {
        [] => "the realm's".to_owned(),
        enctypes => enctypes.join(", "),
    };
    let mut fields = vec![
        ("Name", one(info.name.clone())),
        ("Source", one(info.source.to_string())),
        ("Principals", one(info.principals.to_string())),
        ("Min length", one(or(info.min_length.as_ref(), "any"))),
        ("Min classes", one(or(info.min_classes.as_ref(), "any"))),
        ("Min strength", one(or(info.min_strength.as_ref(), "any"))),
        ("Dictionary", one(if info.dictionary { "yes" } else { "no" }.to_owned())),
        ("History", one(or(info.history.as_ref(), "none"))),
        ("Min age", one(or(info.min_age.as_ref(), "none"))),
        ("Max age", one(or(info.max_age.as_ref(), "none"))),
        ("Max failures", one(or(info.max_failures.as_ref(), "any"))),
        ("Failure window", one(or(info.failure_window.as_ref(), "none"))),
        ("Lockout", one(lockout)),
        ("Enctypes", one(enctypes)),
        ("Max life", one(or(info.max_life.as_ref(), "the realm's"))),
        ("Max renew", one(or(info.max_renew.as_ref(), "the realm's"))),
    ];
    fields.extend(info.record.iter().flat_map(recorded));
    labelled(&fields, look, |_, _| false)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use tessera_common::admin::{AccessHistory, Span, Time};
    use tessera_common::time::KerberosTime;

    use super::*;

    fn staff() -> PolicyInfo {
        let span = |seconds| Some(Span(Duration::from_secs(seconds)));
        PolicyInfo {
            name: "staff".into(),
            source: Source::Database,
            principals: 12,
            min_length: Some(8),
            min_classes: Some(3),
            min_strength: None,
            dictionary: true,
            history: Some(5),
            min_age: span(86_400),
            max_age: None,
            max_failures: Some(5),
            failure_window: span(900),
            lockout: None,
            enctypes: vec!["aes256-cts-hmac-sha1-96".into()],
            max_life: span(3600),
            max_renew: None,
            record: Some(AccessHistory {
                revision: 7,
                created: Time(KerberosTime(0)),
                changed: Time(KerberosTime(0)),
                changed_by: "uid 0".into(),
            }),
        }
    }

    #[test]
    fn a_policy_is_one_line_of_a_list_and_many_by_itself() {
        let look = Look::Terminal { colour: false };
        assert_eq!(policies(&[staff()], Look::Plain), "staff\n");
        assert_eq!(
            policies(&[staff()], look),
            "Name   Source    Principals  Asks for\n\
             staff  database  12          length 8, classes 3, history 5, age from 1d, failures 5, no word of the dictionary\n"
        );
        assert_eq!(
            policy(&staff(), Look::Plain),
            "Name: staff\nSource: database\nPrincipals: 12\nMin length: 8\nMin classes: 3\nMin strength: any\n\
             Dictionary: yes\nHistory: 5\nMin age: 1d\nMax age: none\nMax failures: 5\nFailure window: 15m\n\
             Lockout: until unlocked\nEnctypes: aes256-cts-hmac-sha1-96\nMax life: 1h\nMax renew: the realm's\n\
             Created: 1970-01-01T00:00:00Z\nChanged: 1970-01-01T00:00:00Z\nChanged by: uid 0\nRevision: 7\n"
        );
    }
}
