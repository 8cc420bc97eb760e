//! What administrators do, as far as their rights tell it apart.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Request, Settings};

/// What an administrator does. The names, in kebab-case, are those of `principal explain --act`, and stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Act {
    /// Lists or exports principals: those that one may see.
    List,
    /// Sees a principal.
    Show,
    /// Asks what a principal would get, or may do.
    Explain,
    /// Sees roles, rules and policies.
    ShowAccess,
    /// Sees what happened: events of those whom one may see.
    Events,
    /// Sees sessions: of those whom one may see.
    Sessions,
    /// Sees what a principal did.
    Usage,
    /// Sets a principal's password.
    Password,
    /// Says whether a principal has to change its password first.
    MustChangePassword,
    /// Lets a principal in again that was locked, or that wrong passwords have shut out.
    Unlock,
    /// Has a principal's keys, perhaps new ones.
    Keytab,
    /// Gives a principal new random keys.
    Rotate,
    /// Makes a principal.
    Add,
    /// Makes many: each of them is an [`Act::Add`] besides.
    Import,
    /// Sets a principal's times, limits and attributes.
    Set,
    /// Gives a principal roles, or takes some away.
    Grant,
    /// Locks a principal.
    Lock,
    /// Gives a principal another name.
    Rename,
    /// Gives a principal one more name, or takes one away.
    Alias,
    /// Removes a principal.
    Remove,
    /// Declares roles, rules and policies, or a whole realm.
    Declare,
    /// Has a changed realm.toml applied.
    Reload,
    /// Changes the master key.
    RotateMasterKey,
}

/// The text is no [`Act`]'s name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActError(String);

impl Act {
    /// Every act.
    pub const ALL: [Self; 23] = [
        Self::List,
        Self::Show,
        Self::Explain,
        Self::ShowAccess,
        Self::Events,
        Self::Sessions,
        Self::Usage,
        Self::Password,
        Self::MustChangePassword,
        Self::Unlock,
        Self::Keytab,
        Self::Rotate,
        Self::Add,
        Self::Import,
        Self::Set,
        Self::Grant,
        Self::Lock,
        Self::Rename,
        Self::Alias,
        Self::Remove,
        Self::Declare,
        Self::Reload,
        Self::RotateMasterKey,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Show => "show",
            Self::Explain => "explain",
            Self::ShowAccess => "show-access",
            Self::Events => "events",
            Self::Sessions => "sessions",
            Self::Usage => "usage",
            Self::Password => "password",
            Self::MustChangePassword => "must-change-password",
            Self::Unlock => "unlock",
            Self::Keytab => "keytab",
            Self::Rotate => "rotate",
            Self::Add => "add",
            Self::Import => "import",
            Self::Set => "set",
            Self::Grant => "grant",
            Self::Lock => "lock",
            Self::Rename => "rename",
            Self::Alias => "alias",
            Self::Remove => "remove",
            Self::Declare => "declare",
            Self::Reload => "reload",
            Self::RotateMasterKey => "rotate-master-key",
        }
    }

    /// Whether it is done to one principal, and not to the realm as a whole.
    #[must_use]
    pub const fn is_to_a_principal(self) -> bool {
        match self {
            Self::Show
            | Self::Explain
            | Self::Usage
            | Self::Password
            | Self::MustChangePassword
            | Self::Unlock
            | Self::Keytab
            | Self::Rotate
            | Self::Add
            | Self::Set
            | Self::Grant
            | Self::Lock
            | Self::Rename
            | Self::Alias
            | Self::Remove => true,
            Self::List
            | Self::ShowAccess
            | Self::Events
            | Self::Sessions
            | Self::Import
            | Self::Declare
            | Self::Reload
            | Self::RotateMasterKey => false,
        }
    }
}

impl Request {
    /// What is done by it. Every request is an act, so that none goes by unasked for a right.
    #[must_use]
    pub fn act(&self) -> Act {
        match self {
            Self::List { .. } | Self::Export => Act::List,
            Self::Show { .. } => Act::Show,
            Self::Explain { .. } | Self::ExplainAct { .. } => Act::Explain,
            Self::ListRoles
            | Self::ListRules
            | Self::ListPolicies
            | Self::ShowRule { .. }
            | Self::ShowPolicy { .. } => Act::ShowAccess,
            Self::Events { .. } => Act::Events,
            Self::Sessions { .. } => Act::Sessions,
            Self::Usage { .. } => Act::Usage,
            Self::Add(_) => Act::Add,
            Self::Import { .. } => Act::Import,
            Self::Set { roles, .. } if !roles.is_empty() => Act::Grant,
            Self::Set { settings, .. } if says_nothing_but_must_change(settings) => Act::MustChangePassword,
            Self::Set { .. } => Act::Set,
            Self::Password { .. } => Act::Password,
            Self::Rotate { .. } => Act::Rotate,
            Self::Keytab { .. } => Act::Keytab,
            Self::Lock { .. } => Act::Lock,
            Self::Unlock { .. } => Act::Unlock,
            Self::Rename { .. } => Act::Rename,
            Self::Alias { .. } | Self::Unalias { .. } => Act::Alias,
            Self::Remove { .. } => Act::Remove,
            Self::AddRole { .. }
            | Self::SetRole { .. }
            | Self::RemoveRole { .. }
            | Self::AddRule { .. }
            | Self::SetRule { .. }
            | Self::RemoveRule { .. }
            | Self::AddPolicy { .. }
            | Self::SetPolicy { .. }
            | Self::RemovePolicy { .. }
            | Self::Apply { .. } => Act::Declare,
            Self::Reload => Act::Reload,
            Self::RotateMasterKey => Act::RotateMasterKey,
        }
    }
}

fn says_nothing_but_must_change(settings: &Settings) -> bool {
    let rest = Settings {
        must_change_password: None,
        ..settings.clone()
    };
    settings.must_change_password.is_some() && rest == Settings::default()
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Act {
    type Err = ActError;

    fn from_str(text: &str) -> Result<Self, ActError> {
        let named = Self::ALL.into_iter().find(|act| act.name() == text);
        named.ok_or_else(|| ActError(text.to_owned()))
    }
}

impl TryFrom<String> for Act {
    type Error = ActError;

    fn try_from(text: String) -> Result<Self, ActError> {
        text.parse()
    }
}

impl From<Act> for &'static str {
    fn from(act: Act) -> Self {
        act.name()
    }
}

impl fmt::Display for ActError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Act::ALL.map(Act::name).join(", ");
        write!(f, "{:?} is nothing that administrators do; there are {known}", self.0)
    }
}

impl core::error::Error for ActError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{RoleChanges, YesNo};

    #[test]
    fn an_act_goes_by_one_name_everywhere() {
        for act in Act::ALL {
            assert_eq!(act.name().parse(), Ok(act));
            assert_eq!(serde_json::to_string(&act).unwrap(), format!("\"{act}\""));
            assert_eq!(serde_json::from_str::<Act>(&format!("\"{act}\"")).unwrap(), act);
        }
        for text in ["", "Show", "delete", "list "] {
            let error = text.parse::<Act>().unwrap_err().to_string();
            assert!(error.contains("there are list, show, "), "{error}");
        }
    }

    #[test]
    fn what_is_set_tells_what_is_done() {
        let must = Settings {
            must_change_password: Some(YesNo::Yes),
            ..Settings::default()
        };
        let more = Settings {
            preauth: Some(YesNo::No),
            ..must.clone()
        };
        let staff = RoleChanges {
            add: vec!["staff".parse().unwrap()],
            ..RoleChanges::default()
        };
        for (settings, roles, act) in [
            (must.clone(), RoleChanges::default(), Act::MustChangePassword),
            (more, RoleChanges::default(), Act::Set),
            (Settings::default(), RoleChanges::default(), Act::Set),
            (must, staff.clone(), Act::Grant),
            (Settings::default(), staff, Act::Grant),
        ] {
            let request = Request::Set {
                name: "a".into(),
                settings,
                roles,
                revision: None,
            };
            assert_eq!(request.act(), act);
        }
    }
}
