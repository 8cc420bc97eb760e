//! Roles and rules as people read them.

use tessera_common::admin::{AccessHistory, ActExplanation, ConsideredRight, RoleInfo, RuleInfo, Source};

use super::columns::table;
use super::render::{Look, labelled, names, or, several};

/// A list of roles. To a program, a line is a name.
pub(super) fn roles(all: &[RoleInfo], look: Look) -> String {
    let row = |info: &RoleInfo| {
        [
            info.name.to_string(),
            info.source.to_string(),
            info.principals.to_string(),
            info.rights.join(", "),
            info.rules.join(", "),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let undeclared = |at: usize| all.get(at).is_some_and(|info| info.source == Source::Nowhere);
    let headings = ["Name", "Source", "Principals", "Rights", "Rules"];
    table(headings, &rows, look, undeclared)
}

/// A list of rules. To a program, a line is a name.
pub(super) fn rules(all: &[RuleInfo], look: Look) -> String {
    let row = |info: &RuleInfo| {
        [
            info.name.clone(),
            info.source.to_string(),
            info.effect.clone(),
            everybody(info),
            info.services.join(", "),
            conditions(info),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let headings = ["Name", "Source", "Effect", "Roles", "Services", "Conditions"];
    table(headings, &rows, look, |_| false)
}

fn everybody(info: &RuleInfo) -> String {
    match info.roles.as_slice() {
        [] => "everybody".to_owned(),
        roles => names(roles).join(", "),
    }
}

fn conditions(info: &RuleInfo) -> String {
    let mut parts = Vec::new();
    if !info.from.is_empty() {
        parts.push(format!("from {}", info.from.join(", ")));
    }
    if !info.hours.is_empty() {
        parts.push(info.hours.join(", "));
    }
    if let Some(life) = &info.max_life {
        parts.push(format!("for {life}"));
    }
    parts.join("; ")
}

/// All that there is to say of one rule. The labels are the names of the fields in JSON, as people write them.
pub(super) fn rule(info: &RuleInfo, look: Look) -> String {
    let one = |text: String| vec![text];
    let or_else = |values: &[String], absent: &str| match values {
        [] => one(absent.to_owned()),
        values => values.to_vec(),
    };
    let mut fields = vec![
        ("Name", one(info.name.clone())),
        ("Source", one(info.source.to_string())),
        ("Effect", one(info.effect.clone())),
        ("Roles", one(everybody(info))),
        ("Services", several(info.services.clone())),
        ("From", or_else(&info.from, "anywhere")),
        ("Hours", or_else(&info.hours, "always")),
        ("Max life", one(or(info.max_life.as_ref(), "the realm's"))),
    ];
    fields.extend(info.history.iter().flat_map(recorded));
    labelled(&fields, look, |_, _| false)
}

/// How a rule or a policy came into the database.
pub(super) fn recorded(history: &AccessHistory) -> [(&'static str, Vec<String>); 4] {
    [
        ("Created", vec![history.created.to_string()]),
        ("Changed", vec![history.changed.to_string()]),
        ("Changed by", vec![history.changed_by.clone()]),
        ("Revision", vec![history.revision.to_string()]),
    ]
}

/// Whether an administrator may do something. The labels are the names of the fields in JSON, as people write them.
pub(super) fn explain_act(explanation: &ActExplanation, look: Look) -> String {
    let one = |text: &str| vec![text.to_owned()];
    let over = match explanation.over.as_str() {
        "anybody" => "anybody",
        "these-names" => "all names of the principal",
        "everybody" => "everybody, without a pattern",
        other => other,
    };
    let because = match explanation.because.as_deref() {
        None => "such acts need it",
        Some("holds-rights") => "the principal has rights itself",
        Some("gives-rights") => "it gives rights",
        Some("built-in") => "the realm rests on the principal",
        Some("locked-by-administrator") => "an administrator has locked the principal",
        Some("has-password") => "the principal has a password",
        Some("no-service") => "the principal is no service",
        Some("is-service") => "the principal is a service with random keys",
        Some(other) => other,
    };
    let refused = match &explanation.refused {
        Some(reason) => format!("refused: {reason}"),
        None => "no".to_owned(),
    };
    let fields = [
        ("Administrator", one(&explanation.administrator)),
        ("Act", one(explanation.act.name())),
        ("On", one(explanation.on.as_deref().unwrap_or("the realm"))),
        ("Roles", several(explanation.roles.clone())),
        ("Needs", one(&explanation.needs)),
        ("Over", one(over)),
        ("Because", one(because)),
        ("Rights", several(explanation.rights.iter().map(considered).collect())),
        ("Refused", vec![refused]),
    ];
    labelled(&fields, look, |_, value| value.starts_with("refused: "))
}

fn considered(right: &ConsideredRight) -> String {
    let ConsideredRight {
        right,
        role,
        source,
        outcome,
    } = right;
    let outcome = match outcome.as_str() {
        "covers" => "covers it, too",
        "other-right" => "is for other things",
        "other-names" => "is over others",
        "not-everybody" => "is over some, not over everybody",
        other => other,
    };
    format!("{right} (role {role}, {source}): {outcome}")
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use tessera_common::admin::{AccessHistory, Act, Span, Time};
    use tessera_common::time::KerberosTime;

    use super::*;

    fn history() -> AccessHistory {
        AccessHistory {
            revision: 7,
            created: Time(KerberosTime(0)),
            changed: Time(KerberosTime(86_400)),
            changed_by: "uid 0".into(),
        }
    }

    fn office() -> RuleInfo {
        RuleInfo {
            name: "office".into(),
            source: Source::Database,
            effect: "allow".into(),
            roles: vec!["mail".parse().unwrap(), "staff".parse().unwrap()],
            services: vec!["host/*".into(), "http/www".into()],
            from: vec!["192.0.2.0/24".into()],
            hours: vec!["Mon-Fri 08:00-18:00".into(), "Sat".into()],
            max_life: Some(Span(Duration::from_secs(3600))),
            history: Some(history()),
        }
    }

    fn shut() -> RuleInfo {
        RuleInfo {
            name: "shut".into(),
            source: Source::RealmToml,
            effect: "deny".into(),
            roles: Vec::new(),
            services: vec!["*".into()],
            from: Vec::new(),
            hours: Vec::new(),
            max_life: None,
            history: None,
        }
    }

    fn role(name: &str, source: Source) -> RoleInfo {
        RoleInfo {
            name: name.parse().unwrap(),
            source,
            principals: 12,
            rights: vec!["helpdesk:*/student".into(), "viewer".into()],
            rules: vec!["office".into(), "shut".into()],
            history: None,
        }
    }

    #[test]
    fn a_program_gets_names_and_nothing_else() {
        assert_eq!(rules(&[office(), shut()], Look::Plain), "office\nshut\n");
        assert_eq!(roles(&[role("staff", Source::Database)], Look::Plain), "staff\n");
    }

    #[test]
    fn a_person_gets_columns_as_wide_as_they_need_to_be() {
        let look = Look::Terminal { colour: false };
        assert_eq!(
            rules(&[office(), shut()], look),
            "Name    Source      Effect  Roles        Services          Conditions\n\
             office  database    allow   mail, staff  host/*, http/www  from 192.0.2.0/24; Mon-Fri 08:00-18:00, Sat; for 1h\n\
             shut    realm.toml  deny    everybody    *\n"
        );
        assert_eq!(
            roles(&[role("staff", Source::RealmToml)], look),
            "Name   Source      Principals  Rights                      Rules\n\
             staff  realm.toml  12          helpdesk:*/student, viewer  office, shut\n"
        );
        assert_eq!((rules(&[], look), roles(&[], look)), (String::new(), String::new()));
        let lost = [role("a", Source::Database), role("b", Source::Nowhere)];
        let coloured = roles(&lost, Look::Terminal { colour: true });
        assert!(coloured.contains("\x1b[31mb     nowhere") && coloured.matches("\x1b[31m").count() == 1);
    }

    #[test]
    fn an_act_is_explained_right_by_right() {
        let right = |right: &str, outcome: &str| ConsideredRight {
            right: right.into(),
            role: "desk".into(),
            source: Source::Database,
            outcome: outcome.into(),
        };
        let mut explanation = ActExplanation {
            administrator: "desk@R".into(),
            act: Act::Password,
            on: Some("alice@R".into()),
            roles: vec!["desk".into()],
            needs: "helpdesk".into(),
            over: "these-names".into(),
            because: None,
            rights: vec![right("viewer", "other-right"), right("helpdesk:a*", "decides")],
            refused: None,
        };
        assert_eq!(
            explain_act(&explanation, Look::Plain),
            "Administrator: desk@R\nAct: password\nOn: alice@R\nRoles: desk\nNeeds: helpdesk\nOver: all names of the principal\n\
             Because: such acts need it\nRights: viewer (role desk, database): is for other things\n\
             Rights: helpdesk:a* (role desk, database): decides\nRefused: no\n"
        );
        let json = serde_json::to_value(&explanation).unwrap();
        let mut fields: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "act",
                "administrator",
                "because",
                "needs",
                "on",
                "over",
                "refused",
                "rights",
                "roles"
            ]
        );
        explanation.on = None;
        explanation.because = Some("holds-rights".into());
        explanation.rights.clear();
        explanation.refused = Some("not-permitted".into());
        let text = explain_act(&explanation, Look::Terminal { colour: true });
        for part in [
            "the realm\n",
            "the principal has rights itself\n",
            "none\n",
            "\x1b[31mrefused: not-permitted",
        ] {
            assert!(text.contains(part), "{part:?} in {text:?}");
        }
    }

    #[test]
    fn all_of_one_rule_is_shown() {
        assert_eq!(
            rule(&office(), Look::Plain),
            "Name: office\nSource: database\nEffect: allow\nRoles: mail, staff\nServices: host/*\nServices: http/www\n\
             From: 192.0.2.0/24\nHours: Mon-Fri 08:00-18:00\nHours: Sat\nMax life: 1h\nCreated: 1970-01-01T00:00:00Z\n\
             Changed: 1970-01-02T00:00:00Z\nChanged by: uid 0\nRevision: 7\n"
        );
        assert_eq!(
            rule(&shut(), Look::Plain),
            "Name: shut\nSource: realm.toml\nEffect: deny\nRoles: everybody\nServices: *\nFrom: anywhere\nHours: always\n\
             Max life: the realm's\n"
        );
    }

    #[test]
    fn nothing_commands_the_terminal() {
        let mut sly = office();
        sly.services = vec!["\x1b[2J".into()];
        for text in [rule(&sly, Look::Plain), rules(&[sly], Look::Terminal { colour: false })] {
            assert!(!text.contains('\x1b'), "{text:?}");
        }
    }
}
