//! `[roles]` and `[rules]`: who may have tickets for what; and `[policies]`, which are declared beside them.

use core::fmt;
use core::str::FromStr;
use std::collections::HashSet;

use tessera_common::admin::Span;
use tessera_common::duration;
use tessera_common::role::RoleName;

use super::LONGEST_LIFE;
use super::policies::read_policy;
use super::reader::{self, Fault, Placed, Problem, Table};
use crate::realm::access::{Access, Conflict, Source};
use crate::realm::glob::Glob;
use crate::realm::hours::{Hours, Window};
use crate::realm::policy::PolicyName;
use crate::realm::rights::{Granted, MOST_RIGHTS, Role};
use crate::realm::rules::{Effect, Rule, RuleError, RuleName, RuleParts};
use tessera_common::network::Network;

/// `[roles]`, `[rules]` and `[policies]`, checked as far as a file can be without the database, which has such, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessConfig {
    declared: Access,
    // Where each name stands in the file: for what only shows beside the database.
    places: Vec<(Named, Problem)>,
}

/// A name in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// A role is declared.
    Role(RoleName),
    /// A rule begins.
    Rule(RuleName),
    /// A policy begins.
    Policy(PolicyName),
    /// A rule names a role.
    RoleOf(RuleName, RoleName),
}

impl AccessConfig {
    pub(super) fn read(roles: Table<'_, '_>, rules: Table<'_, '_>, policies: Table<'_, '_>) -> Self {
        let mut places = Vec::new();
        let mut declared_roles = Vec::new();
        for (name, mut table) in roles.tables() {
            let role = checked::<RoleName>(&name.value, &table);
            let rights = listed::<Granted>(
                &mut table,
                "rights",
                "a right such as \"viewer\" or \"helpdesk:*/student\"",
            );
            let mut seen = HashSet::new();
            for right in &rights {
                if !seen.insert(right.value.to_string()) {
                    table.wrong("rights", right.at.clone(), format!("{} is there twice", right.value));
                }
            }
            if let Some(far) = rights.get(MOST_RIGHTS) {
                let what = format!("a role gives at most {MOST_RIGHTS} rights");
                table.wrong("rights", far.at.clone(), what);
            }
            if let Some(name) = role {
                places.push((Named::Role(name.clone()), table.own_place()));
                declared_roles.push(Role {
                    name,
                    rights: values(&rights),
                });
            }
            table.finish();
        }
        let rules: Vec<Rule> = rules
            .tables()
            .into_iter()
            .filter_map(|(name, table)| read_rule(&name.value, table, &mut places))
            .collect();
        let mut declared_policies = Vec::new();
        for (name, table) in policies.tables() {
            if let Some((policy, place)) = read_policy(&name.value, table) {
                places.push((Named::Policy(policy.name().clone()), place));
                declared_policies.push(policy);
            }
        }
        Self {
            declared: Access::new(declared_roles, rules).with_policies(declared_policies),
            places,
        }
    }

    /// The roles, rules and policies of the file.
    #[must_use]
    pub const fn declared(&self) -> &Access {
        &self.declared
    }

    /// What the file and the database cannot both say, or do not say together, one line each: with file, line and key, where
    /// it is the file's.
    #[must_use]
    pub fn conflicts(&self, database: &Access) -> Vec<String> {
        let conflicts = Access::conflicts(&self.declared, database);
        conflicts.iter().map(|conflict| self.placed(conflict)).collect()
    }

    fn placed(&self, conflict: &Conflict) -> String {
        let named = match conflict {
            Conflict::Role(role) => Some(Named::Role(role.clone())),
            Conflict::Rule(rule) => Some(Named::Rule(rule.clone())),
            Conflict::Undeclared {
                source: Source::File,
                rule,
                role,
            } => Some(Named::RoleOf(rule.clone(), role.clone())),
            Conflict::Policy(policy) => Some(Named::Policy(policy.clone())),
            Conflict::Undeclared { .. } => None,
        };
        let place = self.places.iter().find(|(at, _)| Some(at) == named.as_ref());
        match place {
            Some((_, problem)) => Problem {
                what: conflict.to_string(),
                ..problem.clone()
            }
            .to_string(),
            None => conflict.to_string(),
        }
    }
}

// The table's own name; `None`, with the problem noted, when it is none.
pub(super) fn checked<T: FromStr<Err: fmt::Display>>(name: &str, table: &Table<'_, '_>) -> Option<T> {
    match name.parse() {
        Ok(name) => Some(name),
        Err(why) => {
            table.wrong_itself(format!("{name:?} cannot be its name: {why}"));
            None
        }
    }
}

fn read_rule(name: &str, mut table: Table<'_, '_>, places: &mut Vec<(Named, Problem)>) -> Option<Rule> {
    const EFFECT: &str = "\"allow\" or \"deny\"";
    const SERVICES: &str = "a service's name or a pattern such as \"host/*\"";
    let name = checked::<RuleName>(name, &table);
    for (key, expected) in [("effect", EFFECT), ("services", SERVICES)] {
        if !table.has(key) {
            table.missing(key, expected);
        }
    }
    let effect = table.value("effect", EFFECT, |v| {
        reader::string(v)?.parse::<Effect>().map_err(Fault::new)
    });
    let roles = listed::<RoleName>(&mut table, "roles", "a role's name such as \"staff\"");
    let services = listed::<Glob>(&mut table, "services", SERVICES);
    let from = listed::<Network>(&mut table, "from", "a network such as \"192.0.2.0/24\", or an address");
    let hours = listed::<Window>(&mut table, "hours", "hours such as \"Mon-Fri 08:00-18:00\"");
    let max_life = table.value("max-life", "a time such as \"1h\"", |v| {
        let (text, span) = reader::span(v)?;
        if span > LONGEST_LIFE {
            let longest = duration::format(LONGEST_LIFE);
            return Err(Fault::new(format!("{text} is more than {longest}")));
        }
        Ok(Span(span))
    });
    let rule = name.zip(effect).and_then(|(name, effect)| {
        places.push((Named::Rule(name.clone()), table.own_place()));
        for role in &roles {
            let named = Named::RoleOf(name.clone(), role.value.clone());
            places.push((named, table.place("roles", role.at.clone())));
        }
        let rule = Rule::new(RuleParts {
            name,
            effect: effect.value,
            roles: values(&roles),
            services: values(&services),
            from: values(&from),
            hours: Hours::new(values(&hours)).ok(),
            max_life: max_life.as_ref().map(|life| life.value),
        });
        match rule {
            Ok(rule) => Some(rule),
            Err(why) => {
                let at = match &why {
                    RuleError::NoServices => None,
                    RuleError::Realm(glob) => services.iter().find(|one| one.value == *glob).map(|one| &one.at),
                    RuleError::RoleTwice(role) => roles.iter().rfind(|one| one.value == *role).map(|one| &one.at),
                    RuleError::DenyWithMaxLife | RuleError::NoLife => max_life.as_ref().map(|life| &life.at),
                };
                // That there is no service was told where the list was read.
                if let Some(at) = at {
                    table.wrong(why.key(), at.clone(), why.to_string());
                }
                None
            }
        }
    });
    table.finish();
    rule
}

// What is under `key`: none, if it is absent or wrong. An empty list is wrong, since it might mean all as well as none.
fn listed<T: FromStr<Err: fmt::Display>>(
    table: &mut Table<'_, '_>,
    key: &'static str,
    expected: &str,
) -> Vec<Placed<T>> {
    let list = table.one_or_list(key, expected, |text| {
        text.parse::<T>().map_err(|why| Fault::new(format!("{text:?}: {why}")))
    });
    let Some(list) = list else {
        return Vec::new();
    };
    if list.value.is_empty() {
        table.wrong(key, list.at, format!("the list has none; expected {expected}"));
    }
    list.value
}

fn values<T: Clone>(list: &[Placed<T>]) -> Vec<T> {
    list.iter().map(|placed| placed.value.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::realm::access::DefaultAccess;

    const HEAD: &str = "[realm]\nname = \"R\"\nstate = \"var\"\n";

    fn parse(tail: &str) -> Result<Config, Vec<String>> {
        Config::parse(Path::new("realm.toml"), &format!("{HEAD}{tail}"))
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn json(config: &Config) -> Vec<String> {
        let rules = config.access.declared().rules().iter();
        rules.map(|rule| serde_json::to_string(rule).unwrap()).collect()
    }

    #[test]
    fn rules_are_read_as_written() {
        let config = parse(
            "default-access = \"deny\"\n\
             [roles.staff]\n[roles.guests]\n\
             [rules.office]\neffect = \"allow\"\nroles = [\"staff\", \"guests\"]\nservices = [\"host/*\", \"http/www\"]\n\
             from = [\"192.0.2.0/24\", \"::ffff:198.51.100.7\"]\nhours = [\"mon-fri 8:00-18:00\", \"Sat\"]\nmax-life = \"90m\"\n\
             [rules.none]\neffect = \"deny\"\nservices = \"*\"\nhours = \"22:00-06:00\"\n",
        )
        .unwrap();
        assert_eq!(config.realm.default_access, DefaultAccess::Deny);
        assert_eq!(config.settings().default_access, DefaultAccess::Deny);
        let roles: Vec<_> = config.access.declared().roles().map(RoleName::as_str).collect();
        assert_eq!(roles, ["guests", "staff"]);
        assert_eq!(
            json(&config),
            [
                r#"{"name":"none","effect":"deny","services":["*"],"hours":["22:00-06:00"]}"#,
                r#"{"name":"office","effect":"allow","roles":["staff","guests"],"services":["host/*","http/www"],"from":["192.0.2.0/24","198.51.100.7"],"hours":["Mon-Fri 08:00-18:00","Sat"],"max-life":"1h30m"}"#,
            ]
        );
        assert_eq!(config.settings().access.rules(), config.access.declared().rules());
        assert_eq!(config.access.conflicts(Access::NONE), [""; 0]);
    }

    #[test]
    fn rights_are_one_or_several_and_in_their_order() {
        let config =
            parse("[roles.audit]\nrights = \"viewer\"\n[roles.desk]\nrights = [\"helpdesk:*/student\", \"viewer\"]\n")
                .unwrap();
        let rights = |role: &str| {
            let rights = config.access.declared().rights(&role.parse().unwrap());
            rights.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(rights("audit"), ["viewer"]);
        assert_eq!(rights("desk"), ["helpdesk:*/student", "viewer"]);
        let many: Vec<_> = (0..=MOST_RIGHTS).map(|number| format!("\"viewer:{number}\"")).collect();
        let told = parse(&format!("[roles.a]\nrights = [{}]\n", many.join(","))).unwrap_err();
        assert!(
            told[0].ends_with("roles.a.rights: a role gives at most 64 rights"),
            "{told:?}"
        );
    }

    #[test]
    fn the_example_that_is_not_in_force_would_be_right() {
        let shipped = include_str!("../../../realm.toml");
        assert_eq!(
            Config::parse(Path::new("realm.toml"), shipped).unwrap().access,
            AccessConfig::default()
        );
        let in_force = shipped.lines().map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => key,
            _ => line,
        });
        let in_force = in_force.collect::<Vec<_>>().join("\n");
        let config = Config::parse(Path::new("realm.toml"), &in_force).unwrap();
        assert_eq!(
            json(&config),
            [
                r#"{"name":"office-hosts","effect":"allow","roles":["staff"],"services":["host/*","http/www.example.com"],"from":["192.0.2.0/24","2001:db8::/32"],"hours":["Mon-Fri 08:00-18:00","Sat"],"max-life":"1h"}"#
            ]
        );
        assert_eq!(config.access.conflicts(Access::NONE), [""; 0]);
    }

    #[test]
    fn what_is_not_said_is_everybody_everywhere_always() {
        let config = parse("[rules.a]\neffect = \"allow\"\nservices = [\"*\"]\n").unwrap();
        assert_eq!(config.realm.default_access, DefaultAccess::Allow);
        assert_eq!(json(&config), [r#"{"name":"a","effect":"allow","services":["*"]}"#]);
        let none = parse("").unwrap();
        assert_eq!(none.access, AccessConfig::default());
    }

    #[test]
    fn every_fault_of_a_rule_names_its_place_and_what_was_expected() {
        let name = "a name here is 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit";
        let rules_name = name.replace("a name here", "a rule's name");
        let network = "expected a network such as \"192.0.2.0/24\", or an address";
        let hours = "expected hours such as \"Mon-Fri 08:00-18:00\"";
        let right = "expected a right such as \"viewer\" or \"helpdesk:*/student\"";
        let rule = |rest: &str| format!("[rules.r]\neffect = \"allow\"\nservices = [\"*\"]\n{rest}\n");
        for (tail, message) in [
            (
                "default-access = \"open\"\n".to_owned(),
                "4:18: realm.default-access: \"open\" is neither; expected \"allow\" or \"deny\"".to_owned(),
            ),
            (
                "[roles]\nstaff = 1\n".into(),
                "5:1: roles.staff: expected a table, as in [roles.staff]".into(),
            ),
            (
                "[roles.Staff]\n".into(),
                format!("4:8: roles.Staff: \"Staff\" cannot be its name: {name}"),
            ),
            (
                "[roles.staff]\nrights = []\n".into(),
                format!("5:10: roles.staff.rights: the list has none; {right}"),
            ),
            (
                "[roles.staff]\nright = \"viewer\"\n".into(),
                "5:1: roles.staff.right: unknown key; did you mean rights?".into(),
            ),
            (
                "[roles.staff]\nrights = 7\n".into(),
                format!(
                    "5:10: roles.staff.rights: the number 7 is not right here; {}, as in rights = [\"…\"]",
                    right.replacen("expected", "expected a list of", 1)
                ),
            ),
            (
                "[roles.staff]\nrights = [\"viewer\",\n \"root\"]\n".into(),
                format!(
                    "6:2: roles.staff.rights: \"root\": \"root\" is no right; there are viewer, helpdesk, keytab, admin, each alone or with a pattern of names as in \"helpdesk:*/student\"; {right}"
                ),
            ),
            (
                "[roles.staff]\nrights = \"admin:\"\n".into(),
                format!(
                    "5:10: roles.staff.rights: \"admin:\": the pattern after the colon: the pattern is empty, and no name is; {right}"
                ),
            ),
            (
                "[roles.staff]\nrights = [\"viewer:a\", \"viewer:a\"]\n".into(),
                "5:23: roles.staff.rights: viewer:a is there twice".into(),
            ),
            (
                "[rules.\"a b\"]\neffect = \"deny\"\nservices = [\"*\"]\n".into(),
                format!("4:8: rules.a b: \"a b\" cannot be its name: {rules_name}"),
            ),
            (
                "[rules.r]\nservices = [\"*\"]\n".into(),
                "4:8: rules.r.effect: missing; expected \"allow\" or \"deny\"".into(),
            ),
            (
                "[rules.r]\neffect = \"deny\"\n".into(),
                "4:8: rules.r.services: missing; expected a service's name or a pattern such as \"host/*\"".into(),
            ),
            (
                "[rules.r]\neffect = \"permit\"\nservices = [\"*\"]\n".into(),
                "5:10: rules.r.effect: a rule's effect is allow or deny; expected \"allow\" or \"deny\"".into(),
            ),
            (
                "[rules.r]\neffect = \"deny\"\nservices = []\n".into(),
                "6:12: rules.r.services: the list has none; expected a service's name or a pattern such as \"host/*\""
                    .into(),
            ),
            (
                "[rules.r]\neffect = \"deny\"\nservices = [\"a\", \"host/*@R\"]\n".into(),
                "6:18: rules.r.services: host/*@R names a realm; names of services have none here".into(),
            ),
            (
                rule("user = \"a\""),
                "7:1: rules.r.user: unknown key; known here: effect, roles, services, from, hours, max-life".into(),
            ),
            (
                rule("role = [\"a\"]"),
                "7:1: rules.r.role: unknown key; did you mean roles?".into(),
            ),
            (
                rule("roles = [\"a\", \"B\"]"),
                format!("7:15: rules.r.roles: \"B\": {name}; expected a role's name such as \"staff\""),
            ),
            (
                rule("roles = []"),
                "7:9: rules.r.roles: the list has none; expected a role's name such as \"staff\"".into(),
            ),
            (
                rule("roles = [\"a\", \"a\"]"),
                "7:15: rules.r.roles: a is there twice".into(),
            ),
            (
                rule("from = [\"192.0.2.0/24\", \"192.0.2.1/24\"]"),
                format!(
                    "7:25: rules.r.from: \"192.0.2.1/24\": the address has bits behind the prefix; the network is 192.0.2.0/24; {network}"
                ),
            ),
            (
                rule("from = 7"),
                format!(
                    "7:8: rules.r.from: the number 7 is not right here; {}, as in from = [\"…\"]",
                    network.replacen("expected", "expected a list of", 1)
                ),
            ),
            (
                rule("hours = \"Mo 08:00-18:00\""),
                format!(
                    "7:9: rules.r.hours: \"Mo 08:00-18:00\": days are Mon, Tue, Wed, Thu, Fri, Sat and Sun, with - and , between them; {hours}"
                ),
            ),
            (
                rule("hours = [\"08:00-08:00\"]"),
                format!(
                    "7:10: rules.r.hours: \"08:00-08:00\": it ends as it begins; a whole day has no times, or 00:00-24:00; {hours}"
                ),
            ),
            (
                rule("max-life = \"0s\""),
                "7:12: rules.r.max-life: a ticket has to live for some time; to refuse it, deny it".into(),
            ),
            (
                rule("max-life = \"4000d\""),
                "7:12: rules.r.max-life: 4000d is more than 3660d; expected a time such as \"1h\"".into(),
            ),
            (
                "[rules.r]\neffect = \"deny\"\nservices = [\"*\"]\nmax-life = \"1h\"\n".into(),
                "7:12: rules.r.max-life: only a rule that allows can say how long a ticket may live".into(),
            ),
        ] {
            assert_eq!(parse(&tail).unwrap_err(), [format!("realm.toml:{message}")], "{tail}");
        }
    }

    #[test]
    fn what_the_database_and_the_file_cannot_both_say_is_told_with_file_line_and_key() {
        let config = parse(
            "[roles.staff]\n[rules.r]\neffect = \"allow\"\nroles = [\"staff\",\n  \"ghosts\"]\nservices = \"*\"\n",
        )
        .unwrap();
        let told = config.access.conflicts(Access::NONE);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("realm.toml:8:3: rules.r.roles: the rule r in realm.toml names the role ghosts, which")
        );

        let rule = |json: &str| serde_json::from_str::<Rule>(json).unwrap();
        let database = Access::new(
            ["staff", "ghosts"].map(|role| Role::plain(role.parse().unwrap())),
            [
                rule(r#"{"name":"r","effect":"deny","services":["*"]}"#),
                rule(r#"{"name":"s","effect":"deny","services":["*"],"roles":["nobody"]}"#),
            ],
        );
        let starts = [
            "realm.toml:4:8: roles.staff: the role staff is in realm.toml, [roles.staff], and in the database",
            "realm.toml:5:8: rules.r: the rule r is in realm.toml, [rules.r], and in the database",
            "the rule s in the database names the role nobody, which is declared neither",
        ];
        let told = config.access.conflicts(&database);
        assert_eq!(told.len(), starts.len(), "{told:#?}");
        for (told, start) in told.iter().zip(starts) {
            assert!(told.starts_with(start), "{told}");
        }
    }
}
