//! Rights: what a role lets its holders do to the realm itself. One namespace with what roles are to services.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use tessera_common::name::Name;
use tessera_common::role::RoleName;

use super::glob::{Glob, GlobError};

/// The most rights that one role gives.
pub const MOST_RIGHTS: usize = 64;

/// What an administrator may do. Each includes what those before it that it names may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Look: `list`, `show`, `explain`, and what roles, rules and policies there are.
    Viewer,
    /// Look, set passwords, and let those in again whom wrong passwords have shut out.
    Helpdesk,
    /// Look, and have the keys of principals without a password: `keytab`, `rotate`.
    Keytab,
    /// Everything.
    Admin,
}

/// A right over some principals, or over all of them: `helpdesk`, `keytab:host/*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Granted {
    /// The right.
    pub right: Right,
    /// Over principals whose names, aliases among them, all match, each without the realm; `None`: over everybody, and over
    /// roles, rules, policies and the daemon besides.
    pub over: Option<Glob>,
}

/// The text is no right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantedError {
    /// There is no right of this name.
    Unknown(String),
    /// What comes after the colon is no pattern.
    Pattern(GlobError),
}

/// A role, as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// What it lets its holders do to the realm; none: it is for services alone.
    pub rights: Vec<Granted>,
}

impl Right {
    /// Every right, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Helpdesk, Self::Keytab, Self::Admin];

    /// Its name, as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Helpdesk => "helpdesk",
            Self::Keytab => "keytab",
            Self::Admin => "admin",
        }
    }

    /// Whether who has this one may do what `other` lets do: everything includes all, and whoever may do something may look.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Admin, _) | (_, Self::Viewer) | (Self::Helpdesk, Self::Helpdesk) | (Self::Keytab, Self::Keytab)
        )
    }
}

impl Granted {
    /// Whether it is over a principal of all these names, without the realm. Over one of no name at all only a right without a
    /// pattern is.
    #[must_use]
    pub fn is_over<'n>(&self, names: impl IntoIterator<Item = &'n Name>) -> bool {
        let Some(over) = &self.over else {
            return true;
        };
        let mut names = names.into_iter().peekable();
        names.peek().is_some() && names.all(|name| over.matches_chars(name.chars()))
    }
}

impl Role {
    /// A role that is for services alone.
    #[must_use]
    pub const fn plain(name: RoleName) -> Self {
        Self {
            name,
            rights: Vec::new(),
        }
    }
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        Self::plain(name)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.over {
            None => fmt::Display::fmt(&self.right, f),
            Some(over) => write!(f, "{}:{}", self.right, over.as_str()),
        }
    }
}

impl FromStr for Granted {
    type Err = GrantedError;

    fn from_str(text: &str) -> Result<Self, GrantedError> {
        let (name, over) = match text.split_once(':') {
            Some((name, over)) => (name, Some(over)),
            None => (text, None),
        };
        let right = Right::ALL.into_iter().find(|right| right.name() == name);
        Ok(Self {
            right: right.ok_or_else(|| GrantedError::Unknown(name.to_owned()))?,
            over: over.map(str::parse).transpose().map_err(GrantedError::Pattern)?,
        })
    }
}

impl TryFrom<String> for Granted {
    type Error = GrantedError;

    fn try_from(text: String) -> Result<Self, GrantedError> {
        text.parse()
    }
}

impl From<Granted> for String {
    fn from(granted: Granted) -> Self {
        granted.to_string()
    }
}

impl fmt::Display for GrantedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                let known = Right::ALL.map(Right::name).join(", ");
                write!(
                    f,
                    "{name:?} is no right; there are {known}, each alone or with a pattern of names as in \"helpdesk:*/student\""
                )
            }
            Self::Pattern(why) => write!(f, "the pattern after the colon: {why}"),
        }
    }
}

impl core::error::Error for GrantedError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_reads_back_as_it_was_written() {
        for text in ["viewer", "helpdesk:*", "keytab:host/*", "admin:a:b"] {
            let granted: Granted = text.parse().unwrap();
            assert_eq!(granted.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_right_says_which_there_are() {
        for text in ["", "root", "Admin", "viewer ", "keytab:"] {
            assert!(text.parse::<Granted>().is_err(), "{text:?}");
        }
        let error = "root:*".parse::<Granted>().unwrap_err().to_string();
        assert!(
            error.starts_with("\"root\" is no right; there are viewer, helpdesk, keytab, admin"),
            "{error}"
        );
    }
}
