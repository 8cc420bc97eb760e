//! Of two who edit the same thing, the second is told who was faster, and what is now beside what it asked for.

use core::fmt::Display;

use tessera_common::admin::{
    OrNone, PolicyChanges, PolicyInfo, Reason, RoleChanges, RuleChanges, RuleInfo, Settings, Time,
};

use super::attributes::is_on;
use super::execute::{Executor, Refused};
use crate::realm::policy::PolicyName;
use crate::realm::principal::PrincipalRecord;

/// What was to be changed, and where it is shown.
pub(super) struct Outdated<'a> {
    /// As a person says it: `the rule office`.
    pub(super) what: &'a str,
    /// Who changed it.
    pub(super) by: &'a str,
    /// When.
    pub(super) at: Time,
    /// What it is at.
    pub(super) revision: u64,
    /// What the second saw.
    pub(super) expected: Option<u64>,
    /// The command that shows it.
    pub(super) show: &'a str,
}

/// One thing that was asked for: its name, what it is now, what was asked.
pub(super) struct Difference(String);

impl Difference {
    fn new(what: &str, now: impl Display, asked: impl Display) -> Self {
        Self(format!("{what}: {now} now, {asked} asked"))
    }
}

impl Outdated<'_> {
    /// With what was asked for, in the order of the flags.
    pub(super) fn refusal(&self, differences: &[Difference]) -> Refused {
        let Self {
            what,
            by,
            at,
            revision,
            expected,
            show,
        } = self;
        let expected = expected.unwrap_or_default();
        let differences: Vec<_> = differences.iter().map(|Difference(text)| format!("; {text}")).collect();
        Refused::new(
            Reason::Conflict,
            format!(
                "{what} was changed by {by} at {at} and is at revision {revision}, not {expected}{}; nothing was changed, `{show}` tells what \
                 it is now",
                differences.concat()
            ),
        )
    }
}

impl Executor<'_> {
    /// That a principal is not what somebody saw who edits it.
    pub(super) fn outdated(
        &self,
        record: &PrincipalRecord,
        expected: Option<u64>,
        settings: &Settings,
        roles: &RoleChanges,
    ) -> Refused {
        let full = self.full(&record.name);
        let outdated = Outdated {
            what: &full,
            by: &record.changed_by,
            at: Time(record.changed),
            revision: record.revision,
            expected,
            show: &format!("principal show {}", record.name),
        };
        let mut differences = of_settings(record, settings);
        let has = |role| yes_no(record.roles.contains(role));
        for (roles, asked) in [(&roles.add, "yes"), (&roles.remove, "no")] {
            differences.extend(
                roles
                    .iter()
                    .map(|role| Difference::new(&format!("role {role}"), has(role), asked)),
            );
        }
        outdated.refusal(&differences)
    }
}

fn of_settings(record: &PrincipalRecord, settings: &Settings) -> Vec<Difference> {
    let time = |time: Option<_>| time.map_or_else(|| "never".to_owned(), |time| Time(time).to_string());
    let span = |span: Option<_>| span.map_or_else(|| "realm".to_owned(), tessera_common::duration::format);
    let deadlines = [
        ("expires", record.expires, settings.expires),
        ("password-expires", record.password_expires, settings.password_expires),
    ];
    let limits = [
        ("max-life", record.max_life, settings.max_life),
        ("max-renew", record.max_renew, settings.max_renew),
    ];
    let deadlines = deadlines
        .into_iter()
        .filter_map(|(what, now, asked)| Some(Difference::new(what, time(now), asked?)));
    let limits = limits
        .into_iter()
        .filter_map(|(what, now, asked)| Some(Difference::new(what, span(now), asked?)));
    let switches = settings
        .switches()
        .map(|(switch, asked)| Difference::new(&switch.name(), yes_no(is_on(record, switch)), yes_no(asked)));
    let policy = record.policy.as_ref().map_or("none", PolicyName::as_str);
    let policy = settings
        .policy
        .iter()
        .map(|asked| Difference::new("policy", policy, asked));
    deadlines.chain(limits).chain(policy).chain(switches).collect()
}

const fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// What a rule is beside what was asked, part by part.
pub(super) fn of_rule(now: &RuleInfo, asked: &RuleChanges) -> Vec<Difference> {
    // Without `..`, so that a new part is not forgotten here.
    let RuleChanges {
        effect,
        roles,
        services,
        from,
        hours,
        max_life,
    } = asked;
    let mut differences = Vec::new();
    if let Some(effect) = effect {
        differences.push(Difference::new("effect", &now.effect, effect));
    }
    if let Some(services) = services {
        let (now, asked) = (list(&now.services, "none"), list(services, "none"));
        differences.push(Difference::new("services", now, asked));
    }
    if let Some(roles) = roles {
        let (now, asked) = (list(&now.roles, "everybody"), list(roles, "everybody"));
        differences.push(Difference::new("roles", now, asked));
    }
    if let Some(from) = from {
        let (now, asked) = (list(&now.from, "anywhere"), list(from, "anywhere"));
        differences.push(Difference::new("from", now, asked));
    }
    if let Some(hours) = hours {
        let (now, asked) = (list(&now.hours, "always"), list(hours, "always"));
        differences.push(Difference::new("hours", now, asked));
    }
    if let Some(limit) = max_life {
        let now = now.max_life.map_or_else(|| "realm".to_owned(), |life| life.to_string());
        differences.push(Difference::new("max-life", now, limit));
    }
    differences
}

/// What a policy is beside what was asked, part by part.
pub(super) fn of_policy(now: &PolicyInfo, asked: &PolicyChanges) -> Vec<Difference> {
    // Without `..`, so that a new part is not forgotten here.
    let PolicyChanges {
        min_length,
        min_classes,
        min_strength,
        dictionary,
        history,
        min_age,
        max_age,
        max_failures,
        failure_window,
        lockout,
        enctypes,
        max_life,
        max_renew,
    } = asked;
    let dictionary =
        dictionary.map(|asked| Difference::new("dictionary", yes_no(now.dictionary), yes_no(asked.into())));
    let enctypes = enctypes
        .as_ref()
        .map(|asked| Difference::new("enctypes", list(&now.enctypes, "none"), list(asked, "none")));
    [
        part("min-length", now.min_length, *min_length),
        part("min-classes", now.min_classes, *min_classes),
        part("min-strength", now.min_strength, *min_strength),
        dictionary,
        part("history", now.history, *history),
        part("min-age", now.min_age, *min_age),
        part("max-age", now.max_age, *max_age),
        part("max-failures", now.max_failures, *max_failures),
        part("failure-window", now.failure_window, *failure_window),
        part("lockout", now.lockout, *lockout),
        enctypes,
        part("max-life", now.max_life, *max_life),
        part("max-renew", now.max_renew, *max_renew),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn part<T: Display>(what: &str, now: Option<T>, asked: Option<OrNone<T>>) -> Option<Difference> {
    let now = now.map_or(OrNone::None, OrNone::To);
    asked.map(|asked| Difference::new(what, now, asked))
}

fn list(of: &[impl ToString], none: &str) -> String {
    match of {
        [] => none.to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
