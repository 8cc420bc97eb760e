use core::fmt;

use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use super::{KerberosString, Octets, PrincipalName};

/// RFC 3244 §2.
///
/// ```asn1
/// ChangePasswdData ::= SEQUENCE {
///         newpasswd  [0] OCTET STRING,
///         targname   [1] PrincipalName OPTIONAL,
///         targrealm  [2] Realm OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Decode, Encode, PartialEq, Eq)]
pub struct ChangePasswdData {
    /// The new password, UTF-8. Wiped when dropped.
    #[rasn(tag(explicit(0)))]
    pub newpasswd: Octets,
    /// Whose password; absent, the client's own.
    #[rasn(tag(explicit(1)))]
    pub targname: Option<PrincipalName>,
    /// In which realm; absent, the client's.
    #[rasn(tag(explicit(2)))]
    pub targrealm: Option<KerberosString>,
}

impl fmt::Debug for ChangePasswdData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangePasswdData")
            .field("newpasswd", &"[redacted]")
            .field("targname", &self.targname)
            .field("targrealm", &self.targrealm)
            .finish()
    }
}

impl Drop for ChangePasswdData {
    fn drop(&mut self) {
        self.newpasswd.0.zeroize();
    }
}

impl ZeroizeOnDrop for ChangePasswdData {}
