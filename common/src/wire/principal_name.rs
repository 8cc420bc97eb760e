use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::KerberosString;
use crate::name::{Name, NameError, Realm, name_type};

/// RFC 4120 §5.2.2.
///
/// ```asn1
/// PrincipalName ::= SEQUENCE {
///         name-type    [0] Int32,
///         name-string  [1] SEQUENCE OF KerberosString
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq, Hash)]
pub struct PrincipalName {
    /// A hint; see [`crate::name::name_type`].
    #[rasn(tag(explicit(0)))]
    pub name_type: i32,
    /// The components.
    #[rasn(tag(explicit(1)))]
    pub name_string: Vec<KerberosString>,
}

impl PrincipalName {
    /// A checked name in its wire form.
    #[must_use]
    pub fn new(name_type: i32, name: &Name) -> Self {
        Self {
            name_type,
            name_string: name.components().map(KerberosString::from).collect(),
        }
    }

    /// `WELLKNOWN/ANONYMOUS` (RFC 8062 §3): nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name_type: name_type::WELLKNOWN,
            name_string: ["WELLKNOWN", "ANONYMOUS"].map(KerberosString::from).to_vec(),
        }
    }

    /// The checked name. The type is dropped: it is a hint only.
    ///
    /// # Errors
    /// [`NameError`] when it is no name: empty, too long, with control characters, no UTF-8.
    pub fn to_name(&self) -> Result<Name, NameError> {
        if self.name_string.iter().any(|part| part.as_str().is_none()) {
            return Err(NameError::NotUtf8);
        }
        Name::of(self.name_string.iter().filter_map(KerberosString::as_str))
    }
}

impl KerberosString {
    /// The realm of nobody in particular, `WELLKNOWN:ANONYMOUS` (RFC 8062 §3).
    #[must_use]
    pub fn anonymous_realm() -> Self {
        "WELLKNOWN:ANONYMOUS".into()
    }

    /// The checked realm.
    ///
    /// # Errors
    /// [`NameError`] when it is none: empty, too long, with control characters, no UTF-8.
    pub fn to_realm(&self) -> Result<Realm, NameError> {
        Realm::new(self.as_str().ok_or(NameError::NotUtf8)?)
    }
}

impl From<&Realm> for KerberosString {
    fn from(realm: &Realm) -> Self {
        realm.as_str().into()
    }
}
