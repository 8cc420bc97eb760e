//! Principals as people read them.

use core::time::Duration;

use tessera_common::admin::{Considered, Entitlement, Explanation, KeyInfo, Offer, PrincipalInfo, ShutOutInfo};
use tessera_common::time::KerberosTime;

pub(super) const BOLD: &str = "1";
pub(super) const RED: &str = "31";

/// How much a reader can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A program: no columns, no colour.
    Plain,
    /// A person: columns, and colour unless it is not wanted.
    Terminal {
        /// Whether it is wanted.
        colour: bool,
    },
}

/// A list of principals, written as it comes.
#[derive(Debug)]
pub(super) struct List {
    look: Look,
    // Of the names so far, without the other columns.
    width: usize,
    begun: bool,
}

const HEADINGS: [&str; 4] = ["Name", "Kvno", "Expires", "Attributes"];

impl List {
    pub(super) const fn new(look: Look) -> Self {
        Self {
            look,
            width: 0,
            begun: false,
        }
    }

    /// The lines of some more principals. To a program, a line is a name.
    pub(super) fn lines(&mut self, some: &[PrincipalInfo]) -> String {
        let Look::Terminal { colour } = self.look else {
            return some.iter().map(|info| printable(&info.name) + "\n").collect();
        };
        let rows: Vec<[String; 4]> = some.iter().map(row).collect();
        let widest = rows.iter().map(|[name, ..]| name.chars().count()).max();
        self.width = self.width.max(widest.unwrap_or_default()).max(HEADINGS[0].len());
        let mut text = String::new();
        if !core::mem::replace(&mut self.begun, true) {
            let heading = self.columns(&HEADINGS.map(str::to_owned));
            text += &(paint(&heading, BOLD, colour) + "\n");
        }
        for (info, row) in some.iter().zip(&rows) {
            let line = self.columns(row);
            let locked = is_locked(info);
            text += &(paint(&line, RED, colour && locked) + "\n");
        }
        text
    }

    fn columns(&self, [name, kvno, expires, attributes]: &[String; 4]) -> String {
        let line = format!(
            "{name:width$}  {kvno:>4}  {expires:20}  {attributes}",
            width = self.width
        );
        line.trim_end().to_owned()
    }
}

fn row(info: &PrincipalInfo) -> [String; 4] {
    [
        printable(&info.name),
        info.kvno.map(|kvno| kvno.to_string()).unwrap_or_default(),
        or(info.expires.as_ref(), "never"),
        printable(&info.attributes.join(", ")),
    ]
}

/// All that there is to say of one principal, at this time. The labels are the names of the fields in JSON, as people write them.
pub(super) fn show(info: &PrincipalInfo, look: Look, now: KerberosTime) -> String {
    let one = |text: String| vec![text];
    let fields: [(&str, Vec<String>); 18] = [
        ("Name", one(info.name.clone())),
        ("Aliases", several(info.aliases.clone())),
        ("Attributes", one(several(info.attributes.clone()).join(", "))),
        ("Roles", one(several(names(&info.roles)).join(", "))),
        ("Policy", one(or(info.policy.as_ref(), "none"))),
        ("Shut out", one(shut_out(info.shut_out.as_ref()))),
        ("Expires", one(or(info.expires.as_ref(), "never"))),
        ("Password expires", one(or(info.password_expires.as_ref(), "never"))),
        ("Max life", one(or(info.max_life.as_ref(), "the realm's"))),
        ("Max renew", one(or(info.max_renew.as_ref(), "the realm's"))),
        ("Kvno", one(or(info.kvno.as_ref(), "none"))),
        (
            "Keys",
            several(info.keys.iter().map(|key| described(key, now)).collect()),
        ),
        ("Keys changed", one(or(info.keys_changed.as_ref(), "never"))),
        ("Created", one(info.created.to_string())),
        ("Changed", one(info.changed.to_string())),
        ("Changed by", one(info.changed_by.clone())),
        ("Revision", one(info.revision.to_string())),
        ("Id", one(info.id.clone())),
    ];
    labelled(&fields, look, |label, value| match label {
        "Attributes" => is_locked(info),
        "Shut out" => value != "no",
        _ => false,
    })
}

fn shut_out(shut_out: Option<&ShutOutInfo>) -> String {
    match shut_out {
        None => "no".to_owned(),
        Some(ShutOutInfo { until: None, .. }) => "until unlocked".to_owned(),
        Some(ShutOutInfo { until: Some(until), .. }) => format!("until {until}"),
    }
}

/// What one would be offered and given.
pub(super) fn explain(explanation: &Explanation, look: Look) -> String {
    let one = |text: String| vec![text];
    let refused = |reason: &String| format!("refused: {reason}");
    let offer = |offer: &Offer| match &offer.refused {
        Some(reason) => refused(reason),
        None if offer.mechanisms.is_empty() => "nothing".to_owned(),
        None => offer.mechanisms.join(", "),
    };
    let fields = [
        ("Client", one(explanation.client.clone())),
        ("Service", one(explanation.service.clone())),
        ("From", one(explanation.from.clone())),
        ("At", one(explanation.at.to_string())),
        ("Roles", several(explanation.roles.clone())),
        (
            "Account",
            one(explanation.account.as_ref().map_or_else(|| "good".to_owned(), refused)),
        ),
        (
            "Proof needed",
            one(if explanation.proof_needed { "yes" } else { "no" }.to_owned()),
        ),
        ("Unarmored", one(offer(&explanation.unarmored))),
        ("Armored", one(offer(&explanation.armored))),
        ("Rules", several(explanation.rules.iter().map(considered).collect())),
        (
            "Default access",
            one(or(explanation.default_access.as_ref(), "not for this service")),
        ),
        ("By login", one(entitled(&explanation.by_login))),
        ("By ticket", one(entitled(&explanation.by_ticket))),
    ];
    labelled(&fields, look, |_, value| value.starts_with("refused: "))
}

fn considered(rule: &Considered) -> String {
    let Considered {
        name,
        source,
        effect,
        outcome,
    } = rule;
    let outcome = match outcome.as_str() {
        "other-roles" => "not for these roles",
        "other-networks" => "not from there",
        "other-hours" => "not at that time",
        other => other,
    };
    format!("{name} ({source}): {effect}, {outcome}")
}

fn entitled(entitlement: &Entitlement) -> String {
    if let Some(reason) = &entitlement.refused {
        return match entitlement.rules.as_slice() {
            [] => format!("refused: {reason}"),
            rules => format!("refused: {reason} ({})", rules.join(", ")),
        };
    }
    let mut text = format!("for {}", or(entitlement.max_life.as_ref(), "no time"));
    if let Some(renew) = &entitlement.max_renew {
        text += &format!(", renewable for {renew}");
    }
    for flag in &entitlement.flags {
        text += &format!(", {flag}");
    }
    for rule in &entitlement.rules {
        text += &format!(", by rule {rule}");
    }
    text
}

// A label for each value or, to a person, for the first of several.
pub(super) fn labelled(fields: &[(&str, Vec<String>)], look: Look, alarming: impl Fn(&str, &str) -> bool) -> String {
    let width = fields.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (label, values) in fields {
        for (at, value) in values.iter().enumerate() {
            let value = printable(value);
            text += &match look {
                Look::Plain => format!("{label}: {value}\n"),
                Look::Terminal { colour } => {
                    let alarming = alarming(label, &value);
                    let label = format!("{:width$}", if at == 0 { label } else { "" });
                    format!(
                        "{}  {}\n",
                        paint(&label, BOLD, colour),
                        paint(&value, RED, colour && alarming)
                    )
                }
            };
        }
    }
    text
}

pub(super) fn several(values: Vec<String>) -> Vec<String> {
    if values.is_empty() { vec!["none".into()] } else { values }
}

/// Each by itself.
pub(super) fn names(of: &[impl ToString]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

fn described(key: &KeyInfo, now: KerberosTime) -> String {
    let mut text = format!("kvno {}, {}, {}", key.kvno, key.enctype, key.used);
    if let Some(made) = key.made {
        text += &format!(", made {made} ({} ago)", age(now.since(made.0)));
    }
    if let Some(salt) = &key.salt {
        text += &format!(", salt {salt:?}");
    }
    if let Some(retired) = &key.retired {
        text += &format!(", good until {retired}");
    }
    text
}

// In the largest unit that there is one of.
fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let (length, unit) = units
        .into_iter()
        .find(|(length, _)| seconds >= *length)
        .unwrap_or((1, 's'));
    format!("{}{unit}", seconds / length)
}

fn is_locked(info: &PrincipalInfo) -> bool {
    let barring = ["locked", "shut-out"];
    info.attributes
        .iter()
        .any(|attribute| barring.contains(&attribute.as_str()))
}

pub(super) fn or(value: Option<&impl ToString>, absent: &str) -> String {
    value.map_or_else(|| absent.to_owned(), ToString::to_string)
}

pub(super) fn paint(text: &str, code: &str, wanted: bool) -> String {
    if wanted {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Text in which nothing commands a terminal.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use tessera_common::admin::{KeyUse, Source, Span, Time};

    use super::*;

    const NOW: KerberosTime = KerberosTime(12 * 86_400 + 5);

    fn info(name: &str) -> PrincipalInfo {
        PrincipalInfo {
            name: name.into(),
            aliases: Vec::new(),
            id: "00ff".into(),
            revision: 7,
            attributes: Vec::new(),
            roles: Vec::new(),
            policy: None,
            shut_out: None,
            expires: None,
            password_expires: None,
            max_life: None,
            max_renew: None,
            kvno: Some(2),
            keys: vec![KeyInfo {
                kvno: 2,
                enctype: "aes256-cts-hmac-sha1-96".into(),
                salt: None,
                retired: None,
                made: Some(Time(KerberosTime(0))),
                used: KeyUse::Current,
            }],
            keys_changed: Some(Time(KerberosTime(0))),
            created: Time(KerberosTime(0)),
            changed: Time(KerberosTime(86_400)),
            changed_by: "uid 0".into(),
        }
    }

    fn locked(name: &str) -> PrincipalInfo {
        PrincipalInfo {
            attributes: vec!["locked".into(), "no-preauth".into()],
            expires: Some(Time(KerberosTime(60))),
            kvno: None,
            ..info(name)
        }
    }

    #[test]
    fn a_program_gets_names_and_nothing_else() {
        let mut list = List::new(Look::Plain);
        assert_eq!(list.lines(&[info("a@R"), locked("long@R")]), "a@R\nlong@R\n");
        assert_eq!(list.lines(&[info("b@R")]), "b@R\n");
    }

    #[test]
    fn a_person_gets_columns_under_one_heading() {
        let mut list = List::new(Look::Terminal { colour: false });
        let first = list.lines(&[info("a@R"), locked("long@R")]);
        assert_eq!(
            first,
            "Name    Kvno  Expires               Attributes\n\
             a@R        2  never\n\
             long@R        1970-01-01T00:01:00Z  locked, no-preauth\n"
        );
        assert_eq!(list.lines(&[info("b@R")]), "b@R        2  never\n");
        let mut coloured = List::new(Look::Terminal { colour: true });
        let text = coloured.lines(&[info("a@R"), locked("b@R")]);
        assert_eq!(text.matches("\x1b[31m").count(), 1, "{text}");
        assert!(
            text.starts_with("\x1b[1mName") && text.ends_with("no-preauth\x1b[0m\n"),
            "{text}"
        );
    }

    #[test]
    fn all_of_one_principal_is_shown() {
        let plain = show(&info("a@R"), Look::Plain, NOW);
        assert_eq!(
            plain,
            "Name: a@R\nAliases: none\nAttributes: none\nRoles: none\nPolicy: none\nShut out: no\nExpires: never\nPassword expires: never\n\
             Max life: the realm's\nMax renew: the realm's\nKvno: 2\nKeys: kvno 2, aes256-cts-hmac-sha1-96, current, made 1970-01-01T00:00:00Z (12d ago)\n\
             Keys changed: 1970-01-01T00:00:00Z\nCreated: 1970-01-01T00:00:00Z\nChanged: 1970-01-02T00:00:00Z\n\
             Changed by: uid 0\nRevision: 7\nId: 00ff\n"
        );
        let mut all = locked("a@R");
        all.aliases = vec!["b@R".into(), "c@R".into()];
        all.roles = vec!["mail".parse().unwrap(), "staff".parse().unwrap()];
        all.policy = Some("staff".into());
        all.shut_out = Some(ShutOutInfo {
            since: Time(KerberosTime(0)),
            until: None,
        });
        all.max_life = Some(Span(Duration::from_secs(3600)));
        all.keys[0].salt = Some("Ra\n".into());
        all.keys[0].retired = Some(Time(KerberosTime(0)));
        all.keys[0].used = KeyUse::Former;
        all.keys[0].made = None;
        let text = show(&all, Look::Terminal { colour: true }, NOW);
        for part in [
            "\x1b[1mName            \x1b[0m  a@R\n",
            "\x1b[1mAliases         \x1b[0m  b@R\n",
            "\x1b[1m                \x1b[0m  c@R\n",
            "\x1b[1mAttributes      \x1b[0m  \x1b[31mlocked, no-preauth\x1b[0m\n",
            "\x1b[1mRoles           \x1b[0m  mail, staff\n",
            "\x1b[1mPolicy          \x1b[0m  staff\n",
            "\x1b[1mShut out        \x1b[0m  \x1b[31muntil unlocked\x1b[0m\n",
            "\x1b[1mMax life        \x1b[0m  1h\n",
            "\x1b[1mKvno            \x1b[0m  none\n",
            "kvno 2, aes256-cts-hmac-sha1-96, former, salt \"Ra\\n\", good until 1970-01-01T00:00:00Z\n",
        ] {
            assert!(text.contains(part), "{part:?} in {text:?}");
        }
        assert!(show(&all, Look::Plain, NOW).contains("Aliases: b@R\nAliases: c@R\n"));
    }

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (400 * 86_400, "400d"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn an_explanation_says_what_is_offered_and_what_is_refused() {
        let entitlement = Entitlement {
            refused: None,
            rules: vec!["office".into()],
            max_life: Some(Span(Duration::from_secs(36_000))),
            max_renew: Some(Span(Duration::from_secs(604_800))),
            flags: vec!["forwardable".into()],
        };
        let explanation = Explanation {
            client: "alice@R".into(),
            service: "krbtgt/R@R".into(),
            from: "192.0.2.7".into(),
            at: Time("2027-01-31T18:00:00Z".parse().unwrap()),
            roles: vec!["staff".into()],
            rules: vec![Considered {
                name: "office".into(),
                source: Source::RealmToml,
                effect: "allow".into(),
                outcome: "other-hours".into(),
            }],
            default_access: Some("allow".into()),
            account: None,
            proof_needed: true,
            unarmored: Offer {
                refused: Some("armor-required".into()),
                mechanisms: Vec::new(),
            },
            armored: Offer {
                refused: None,
                mechanisms: vec!["encrypted-challenge".into()],
            },
            by_login: entitlement.clone(),
            by_ticket: Entitlement {
                refused: Some("no-rule-allows".into()),
                ..entitlement
            },
        };
        assert_eq!(
            explain(&explanation, Look::Plain),
            "Client: alice@R\nService: krbtgt/R@R\nFrom: 192.0.2.7\nAt: 2027-01-31T18:00:00Z\nRoles: staff\nAccount: good\nProof needed: yes\nUnarmored: refused: armor-required\n\
             Armored: encrypted-challenge\nRules: office (realm.toml): allow, not at that time\nDefault access: allow\n\
             By login: for 10h, renewable for 7d, forwardable, by rule office\nBy ticket: refused: no-rule-allows (office)\n"
        );
        let text = explain(&explanation, Look::Terminal { colour: true });
        assert_eq!(text.matches("\x1b[31m").count(), 2, "{text:?}");
        let json = serde_json::to_value(&explanation).unwrap();
        let mut fields: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(labels(&explain(&explanation, Look::Plain)), fields);
    }

    fn labels(text: &str) -> Vec<String> {
        let label = |line: &str| line.split_once(':').unwrap().0.to_lowercase().replace(' ', "-");
        let mut labels: Vec<_> = text.lines().map(label).collect();
        labels.sort();
        labels
    }

    #[test]
    fn labels_are_the_names_of_the_fields() {
        let json = serde_json::to_value(info("a@R")).unwrap();
        let mut fields: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(labels(&show(&info("a@R"), Look::Plain, NOW)), fields);
    }

    #[test]
    fn nothing_commands_the_terminal() {
        let mut sly = info("a@R");
        sly.changed_by = "\x1b[2J\u{9b}2J".into();
        for text in [
            show(&sly, Look::Plain, NOW),
            show(&sly, Look::Terminal { colour: false }, NOW),
            List::new(Look::Plain).lines(&[info("\x1b[2J@R")]),
        ] {
            assert!(!text.contains(['\x1b', '\u{9b}']), "{text:?}");
        }
    }
}
