//! Names of roles: what a realm's principals are to its services.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most octets that a role's name may have.
pub const MAX_ROLE_OCTETS: usize = 64;

/// A role's name: 1 to [`MAX_ROLE_OCTETS`] octets of `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or digit. It needs no
/// escape in any file, shell or log, and there is one way to write it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleName(Box<str>);

/// The text is no role's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleNameError;

impl RoleName {
    /// Checks a role's name.
    ///
    /// # Errors
    /// [`RoleNameError`] when it is none.
    pub fn new(text: &str) -> Result<Self, RoleNameError> {
        if is_role_name(text) {
            Ok(Self(text.into()))
        } else {
            Err(RoleNameError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a role's name. Other things of a realm that operators name are named by the same rule.
#[must_use]
pub fn is_role_name(text: &str) -> bool {
    let within =
        |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'.' | b'_' | b'-');
    let begins_well = text
        .bytes()
        .next()
        .is_some_and(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit());
    begins_well && text.len() <= MAX_ROLE_OCTETS && text.bytes().all(within)
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RoleName {
    type Err = RoleNameError;

    fn from_str(text: &str) -> Result<Self, RoleNameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for RoleName {
    type Error = RoleNameError;

    fn try_from(text: String) -> Result<Self, RoleNameError> {
        Self::new(&text)
    }
}

impl From<RoleName> for String {
    fn from(name: RoleName) -> Self {
        name.0.into()
    }
}

impl Borrow<str> for RoleName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a name here is 1 to {MAX_ROLE_OCTETS} of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
        )
    }
}

impl core::error::Error for RoleNameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roles_name_needs_no_escapes_anywhere() {
        let longest = "a".repeat(MAX_ROLE_OCTETS);
        for (text, good) in [
            ("staff", true),
            ("0day", true),
            ("a.b_c-d", true),
            (longest.as_str(), true),
            ("", false),
            ("-staff", false),
            (".staff", false),
            ("_staff", false),
            ("Staff", false),
            ("sta ff", false),
            ("sta/ff", false),
            ("štáb", false),
            ("a\0", false),
        ] {
            assert_eq!(RoleName::new(text).is_ok(), good, "{text:?}");
        }
        assert!(RoleName::new(&format!("{longest}a")).is_err());
    }

    #[test]
    fn a_roles_name_is_a_text_in_json() {
        let name: RoleName = serde_json::from_str("\"staff\"").unwrap();
        assert_eq!(name.to_string(), "staff");
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"staff\"");
        assert!(serde_json::from_str::<RoleName>("\"Staff\"").is_err());
    }
}
