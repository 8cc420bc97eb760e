use core::fmt;

use zeroize::Zeroizing;

use super::framing::Version;
use crate::name::{Name, NameError, Principal, Realm, name_type};
use crate::wire::{self, ChangePasswdData, DecodeError, KerberosString, PrincipalName};

/// What a client asks for: a new password, for itself or for somebody else. The password is wiped when dropped and never
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPassword {
    password: Zeroizing<Vec<u8>>,
    target_name: Option<Name>,
    target_realm: Option<Realm>,
}

/// Why the data of a request is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewPasswordError {
    /// Not a ChangePasswdData.
    Malformed(DecodeError),
    /// A target that is no name.
    Target(NameError),
}

impl fmt::Display for NewPasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the ChangePasswdData is malformed: {why}"),
            Self::Target(why) => write!(f, "the target of the password change is no principal: {why}"),
        }
    }
}

impl core::error::Error for NewPasswordError {}

impl NewPassword {
    /// For the client itself.
    #[must_use]
    pub fn own(password: &[u8]) -> Self {
        Self {
            password: Zeroizing::new(password.to_vec()),
            target_name: None,
            target_realm: None,
        }
    }

    /// For `target`; goes with [`Version::Set`] only.
    #[must_use]
    pub fn of(target: &Principal, password: &[u8]) -> Self {
        Self {
            password: Zeroizing::new(password.to_vec()),
            target_name: Some(target.name.clone()),
            target_realm: Some(target.realm.clone()),
        }
    }

    /// The new password: what it is worth is for the realm's policy.
    #[must_use]
    pub fn password(&self) -> &[u8] {
        &self.password
    }

    /// Whose password: `client`'s own unless the request says otherwise.
    #[must_use]
    pub fn target(&self, client: &Principal) -> Principal {
        Principal {
            name: self.target_name.as_ref().unwrap_or(&client.name).clone(),
            realm: self.target_realm.as_ref().unwrap_or(&client.realm).clone(),
        }
    }

    /// Reads the data of a request's KRB-PRIV.
    ///
    /// # Errors
    /// [`NewPasswordError`]; never with version 1, where every string of octets is a password.
    pub fn decode(version: Version, data: &[u8]) -> Result<Self, NewPasswordError> {
        match version {
            Version::Change => Ok(Self::own(data)),
            Version::Set => {
                let wire: ChangePasswdData = wire::decode(data).map_err(NewPasswordError::Malformed)?;
                let target_name = wire.targname.as_ref().map(PrincipalName::to_name).transpose();
                let target_realm = wire.targrealm.as_ref().map(KerberosString::to_realm).transpose();
                Ok(Self {
                    password: Zeroizing::new(wire.newpasswd.to_vec()),
                    target_name: target_name.map_err(NewPasswordError::Target)?,
                    target_realm: target_realm.map_err(NewPasswordError::Target)?,
                })
            }
        }
    }

    /// The data for a request's KRB-PRIV, of version 1 when it is the client's own password and of `0xff80` otherwise.
    #[must_use]
    pub fn encode(&self) -> (Version, Zeroizing<Vec<u8>>) {
        if self.target_name.is_none() && self.target_realm.is_none() {
            return (Version::Change, self.password.clone());
        }
        let wire = ChangePasswdData {
            newpasswd: self.password.as_slice().into(),
            targname: self
                .target_name
                .as_ref()
                .map(|name| PrincipalName::new(name_type::PRINCIPAL, name)),
            targrealm: self.target_realm.as_ref().map(KerberosString::from),
        };
        (Version::Set, Zeroizing::new(wire::encode(&wire)))
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewPassword")
            .field("password", &"[redacted]")
            .field("target_name", &self.target_name)
            .field("target_realm", &self.target_realm)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Principal {
        "alice@EXAMPLE.COM".parse().unwrap()
    }

    #[test]
    fn version_1_is_the_password_and_nothing_else() {
        for password in [&b"secret"[..], b"", b"\x30\x00", "žluťoučký".as_bytes()] {
            let new = NewPassword::decode(Version::Change, password).unwrap();
            assert_eq!(new.password(), password);
            assert_eq!(new.target(&alice()), alice());
            assert_eq!(new.encode(), (Version::Change, Zeroizing::new(password.to_vec())));
        }
    }

    #[test]
    fn an_absent_target_is_the_client() {
        let wire = |targname: Option<&str>, targrealm: Option<&str>| {
            let name = targname.map(|n| PrincipalName::new(1, &n.parse().unwrap()));
            wire::encode(&ChangePasswdData {
                newpasswd: b"pw".as_slice().into(),
                targname: name,
                targrealm: targrealm.map(KerberosString::from),
            })
        };
        for (name, realm, target) in [
            (None, None, "alice@EXAMPLE.COM"),
            (Some("host/www"), None, "host/www@EXAMPLE.COM"),
            (Some("bob"), Some("OTHER"), "bob@OTHER"),
            (None, Some("OTHER"), "alice@OTHER"),
        ] {
            let new = NewPassword::decode(Version::Set, &wire(name, realm)).unwrap();
            assert_eq!(new.target(&alice()).to_string(), target);
        }
    }

    #[test]
    fn what_was_written_reads_back() {
        let new = NewPassword::of(&"host/www@EXAMPLE.COM".parse().unwrap(), b"secret");
        let (version, data) = new.encode();
        assert_eq!(version, Version::Set);
        assert_eq!(NewPassword::decode(version, &data), Ok(new));
    }

    #[test]
    fn targets_that_are_no_names_are_refused() {
        let bad = ChangePasswdData {
            newpasswd: b"pw".as_slice().into(),
            targname: Some(PrincipalName {
                name_type: 1,
                name_string: vec![],
            }),
            targrealm: None,
        };
        let error = NewPassword::decode(Version::Set, &wire::encode(&bad)).unwrap_err();
        assert_eq!(error, NewPasswordError::Target(NameError::Empty));
        assert!(matches!(
            NewPassword::decode(Version::Set, b"secret"),
            Err(NewPasswordError::Malformed(_))
        ));
    }

    #[test]
    fn the_password_is_not_printed() {
        let new = NewPassword::of(&alice(), b"hunter2");
        assert!(!format!("{new:?}").contains("hunter2"));
        let wire: ChangePasswdData = wire::decode(&new.encode().1).unwrap();
        assert!(!format!("{wire:?}").contains("hunter2"));
    }
}
