//! A realm's declaration as a file: TOML with the keys of realm.toml and of `principal set`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use tessera_common::admin::{Declaration, DeclaredPrincipal, DeclaredRole, Limit, PolicyBody, RuleChanges, Settings};
use tessera_common::role::RoleName;

use super::AdminError;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<BTreeMap<RoleName, FileRole>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<BTreeMap<String, PolicyBody>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<BTreeMap<String, FileRule>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principals: Option<BTreeMap<String, FilePrincipal>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileRole {
    #[serde(default, deserialize_with = "one_or_list", skip_serializing_if = "Vec::is_empty")]
    rights: Vec<String>,
}

// As in realm.toml, where a list of one may go without its brackets, and what is not said is left out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileRule {
    effect: String,
    #[serde(default, deserialize_with = "one_or_list", skip_serializing_if = "Vec::is_empty")]
    roles: Vec<RoleName>,
    #[serde(deserialize_with = "one_or_list")]
    services: Vec<String>,
    #[serde(default, deserialize_with = "one_or_list", skip_serializing_if = "Vec::is_empty")]
    from: Vec<String>,
    #[serde(default, deserialize_with = "one_or_list", skip_serializing_if = "Vec::is_empty")]
    hours: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_life: Option<Limit>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FilePrincipal {
    #[serde(default, deserialize_with = "one_or_list", skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "one_or_list", skip_serializing_if = "Vec::is_empty")]
    roles: Vec<RoleName>,
    // Takes what is left, and refuses what it does not know.
    #[serde(flatten)]
    settings: toml::Table,
}

/// Reads a declaration; `-` is the standard input.
///
/// # Errors
/// [`AdminError::DeclarationFile`], [`AdminError::DeclarationWrong`].
pub(super) fn read(file: &Path) -> Result<Declaration, AdminError> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let text = text.map_err(|why| AdminError::DeclarationFile {
        file: file.to_owned(),
        why,
    })?;
    parse(&text).map_err(|what| AdminError::DeclarationWrong {
        file: file.to_owned(),
        what,
    })
}

fn parse(text: &str) -> Result<Declaration, String> {
    let file: File = toml::from_str(text).map_err(|why| {
        let before = why.span().and_then(|span| text.get(..span.start));
        match before {
            Some(before) => format!("{}: {}", before.matches('\n').count() + 1, why.message()),
            None => why.message().to_owned(),
        }
    })?;
    let principals = file.principals.map(|principals| {
        let read = principals.into_iter().map(|(name, principal)| {
            let declared = principal.into_declared();
            declared
                .map_err(|why| format!(" principals.{name:?}: {why}"))
                .map(|declared| (name, declared))
        });
        read.collect::<Result<_, _>>()
    });
    Ok(Declaration {
        roles: file.roles.map(|roles| {
            let roles = roles.into_iter();
            roles
                .map(|(name, FileRole { rights })| (name, DeclaredRole { rights }))
                .collect()
        }),
        policies: file.policies,
        rules: file.rules.map(|rules| {
            rules
                .into_iter()
                .map(|(name, rule)| (name, rule.into_parts()))
                .collect()
        }),
        principals: principals.transpose()?,
    })
}

/// Writes some of a declaration. Several of these, one after the other, are a file, as long as no thing comes twice.
///
/// # Errors
/// When a name or value cannot be written as TOML; there is none such.
pub(super) fn write(declaration: Declaration) -> Result<String, toml::ser::Error> {
    let principals = declaration.principals.map(|principals| {
        let written = principals.into_iter().map(|(name, principal)| {
            let settings = toml::Table::try_from(&principal.settings)?;
            let principal = FilePrincipal {
                aliases: principal.aliases,
                roles: principal.roles,
                settings,
            };
            Ok::<_, toml::ser::Error>((name, principal))
        });
        written.collect::<Result<_, _>>()
    });
    let file = File {
        roles: declaration.roles.map(|roles| {
            let roles = roles.into_iter();
            roles
                .map(|(name, DeclaredRole { rights })| (name, FileRole { rights }))
                .collect()
        }),
        policies: declaration.policies,
        rules: declaration.rules.map(|rules| {
            rules
                .into_iter()
                .map(|(name, rule)| (name, FileRule::of(rule)))
                .collect()
        }),
        principals: principals.transpose()?,
    };
    toml::to_string(&file)
}

impl FileRule {
    fn into_parts(self) -> RuleChanges {
        let said = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        RuleChanges {
            effect: Some(self.effect),
            roles: Some(self.roles).filter(|roles| !roles.is_empty()),
            services: Some(self.services),
            from: said(self.from),
            hours: said(self.hours),
            max_life: self.max_life,
        }
    }

    fn of(parts: RuleChanges) -> Self {
        Self {
            effect: parts.effect.unwrap_or_default(),
            roles: parts.roles.unwrap_or_default(),
            services: parts.services.unwrap_or_default(),
            from: parts.from.unwrap_or_default(),
            hours: parts.hours.unwrap_or_default(),
            max_life: parts.max_life,
        }
    }
}

impl FilePrincipal {
    fn into_declared(self) -> Result<DeclaredPrincipal, String> {
        let read = |table: toml::Table| table.try_into::<Settings>();
        let settings = read(self.settings.clone()).map_err(|why| {
            // Alone, so that the one whose value is wrong can be named.
            let wrong = self.settings.into_iter().find(|(key, value)| {
                let alone = [(key.clone(), value.clone())].into_iter().collect();
                read(alone).is_err()
            });
            match wrong {
                Some((key, _)) if !why.message().starts_with("unknown field") => format!("{key}: {}", why.message()),
                _ => why.message().to_owned(),
            }
        })?;
        Ok(DeclaredPrincipal {
            aliases: self.aliases,
            roles: self.roles,
            settings,
        })
    }
}

fn one_or_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrList<T> {
        One(T),
        List(Vec<T>),
    }
    Ok(match OneOrList::deserialize(deserializer)? {
        OneOrList::One(one) => vec![one],
        OneOrList::List(list) => list,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"[roles.desk]
rights = ["helpdesk:*/student"]

[roles.staff]

[policies.strict]
min-length = 12
max-age = "90d"

[rules.office]
effect = "allow"
roles = ["staff"]
services = ["host/*"]
hours = ["Mon-Fri 08:00-18:00"]
max-life = "1h"

[principals.alice]
aliases = ["al"]
roles = ["staff"]
expires = "2027-01-31T18:00:00Z"
max-life = "4h"
policy = "strict"
preauth = false

[principals."host/www.example.com"]
"#;

    #[test]
    fn a_file_reads_back_as_it_was_written() {
        assert_eq!(write(parse(FILE).unwrap()).unwrap(), FILE);
        assert_eq!(parse("").unwrap(), Declaration::default());
        assert!(
            parse("[principals]")
                .unwrap()
                .principals
                .is_some_and(|all| all.is_empty())
        );
    }

    #[test]
    fn a_list_of_one_may_go_without_its_brackets() {
        let one = "[rules.a]\neffect = \"deny\"\nservices = \"*\"\n[roles.r]\nrights = \"viewer\"\n";
        let declared = parse(one).unwrap();
        assert_eq!(declared.roles.unwrap().values().next().unwrap().rights, ["viewer"]);
        assert_eq!(declared.rules.unwrap()["a"].services, Some(vec!["*".into()]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, why) in [
            ("[roles.Staff]\n", "1: "),
            ("\n[roles.staff]\ncolour = 1\n", "3: unknown field `colour`"),
            ("[rules.a]\nservices = [\"*\"]\n", "missing field `effect`"),
            (
                "[principals.alice]\ncolour = 1\n",
                " principals.\"alice\": unknown field `colour`",
            ),
            (
                "[principals.alice]\nexpires = \"soon\"\n",
                " principals.\"alice\": expires: expected a time",
            ),
            ("[principals.alice]\n[principals.alice]\n", "2: "),
            ("[users.alice]\n", "1: unknown field `users`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
