use core::fmt;

use super::der::Fields;
use super::token::TokenError;
use crate::gss::oid;
use crate::tlv::{OID, SEQUENCE, value};

/// How many mechanisms a list may name. Windows names four or five.
pub const MAX_MECHS: usize = 32;

/// A mechanism, by its object identifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mech {
    /// Kerberos V5, 1.2.840.113554.1.2.2 (RFC 4121).
    Kerberos,
    /// Kerberos V5 as Windows numbers it, 1.2.840.48018.1.2.2: the same mechanism under an identifier of which 16 bits were
    /// cut off once, and which has stayed (RFC 4178, appendix C).
    MicrosoftKerberos,
    /// Kerberos V5 user-to-user, 1.2.840.113554.1.2.2.3.
    UserToUser,
    /// Kerberos through the acceptor, to a KDC that the initiator cannot reach, 1.3.6.1.5.2.5.
    Iakerb,
    /// SPNEGO itself, 1.3.6.1.5.5.2.
    Spnego,
    /// Microsoft's extension of the negotiation, 1.3.6.1.4.1.311.2.2.30.
    NegoEx,
    /// NTLM, 1.3.6.1.4.1.311.2.2.10.
    Ntlm,
    /// Another one: the content of its OBJECT IDENTIFIER, none of the above.
    Other(Box<[u8]>),
}

const KNOWN: [(Mech, &[u8], &str); 7] = [
    (Mech::Kerberos, oid::KRB5, "Kerberos"),
    (
        Mech::MicrosoftKerberos,
        oid::MICROSOFT_KRB5,
        "Kerberos (Microsoft's number)",
    ),
    (
        Mech::UserToUser,
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x03],
        "Kerberos user-to-user",
    ),
    (Mech::Iakerb, &[0x2b, 0x06, 0x01, 0x05, 0x02, 0x05], "IAKERB"),
    (Mech::Spnego, oid::SPNEGO, "SPNEGO"),
    (
        Mech::NegoEx,
        &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x1e],
        "NegoEx",
    ),
    (
        Mech::Ntlm,
        &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a],
        "NTLM",
    ),
];

impl Mech {
    /// The mechanism whose OBJECT IDENTIFIER has this content.
    #[must_use]
    pub fn from_oid(content: &[u8]) -> Self {
        KNOWN
            .into_iter()
            .find(|(_, oid, _)| *oid == content)
            .map_or_else(|| Self::Other(content.into()), |(mech, ..)| mech)
    }

    /// The content of its OBJECT IDENTIFIER.
    #[must_use]
    pub fn oid(&self) -> &[u8] {
        match self {
            Self::Other(content) => content,
            known => KNOWN
                .iter()
                .find(|(mech, ..)| mech == known)
                .map_or(&[], |(_, oid, _)| oid),
        }
    }

    /// Whether this is the mechanism of [`crate::gss`], under either number.
    #[must_use]
    pub const fn is_kerberos(&self) -> bool {
        matches!(self, Self::Kerberos | Self::MicrosoftKerberos)
    }
}

/// Its name, or the identifier in dotted form.
impl fmt::Display for Mech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match KNOWN.iter().find(|(mech, ..)| mech == self) {
            Some((_, _, name)) => f.write_str(name),
            None => write_dotted(f, self.oid()),
        }
    }
}

fn write_dotted(f: &mut fmt::Formatter<'_>, content: &[u8]) -> fmt::Result {
    let mut arc = 0u64;
    let mut first = true;
    for octet in content {
        arc = arc.wrapping_shl(7) | u64::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            continue;
        }
        if first {
            // X.690 §8.19.4: the first two arcs share a number.
            let root = (arc / 40).min(2);
            write!(f, "{root}.{}", arc - 40 * root)?;
        } else {
            write!(f, ".{arc}")?;
        }
        (first, arc) = (false, 0);
    }
    Ok(())
}

/// RFC 4178 §4.1: the mechanisms that an initiator offers, what it likes best first; at least one, at most [`MAX_MECHS`].
///
/// ```asn1
/// MechType ::= OBJECT IDENTIFIER
/// MechTypeList ::= SEQUENCE OF MechType
/// ```
///
/// The octets are kept as they were received: `mechListMIC` is over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MechTypeList {
    octets: Vec<u8>,
    mechs: Vec<Mech>,
}

impl MechTypeList {
    /// An offer of `first`, then of `others` as far as [`MAX_MECHS`] goes.
    #[must_use]
    pub fn new(first: Mech, others: &[Mech]) -> Self {
        let mut mechs = vec![first];
        mechs.extend(others.iter().take(MAX_MECHS - 1).cloned());
        let content: Vec<u8> = mechs.iter().flat_map(|mech| value(OID, mech.oid())).collect();
        Self {
            octets: value(SEQUENCE, &content),
            mechs,
        }
    }

    /// The list that is all of `octets`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn decode(octets: &[u8]) -> Result<Self, TokenError> {
        let malformed = TokenError::Malformed("mechTypes");
        let mut list = Fields::all_of(octets, SEQUENCE).ok_or_else(|| malformed.clone())?;
        let mut mechs = Vec::new();
        while !list.is_empty() {
            if mechs.len() == MAX_MECHS {
                return Err(TokenError::TooManyMechs);
            }
            let oid = list.value(OID).filter(|oid| !oid.is_empty());
            mechs.push(Mech::from_oid(oid.ok_or_else(|| malformed.clone())?));
        }
        if mechs.is_empty() {
            return Err(TokenError::NoMechs);
        }
        Ok(Self {
            octets: octets.to_vec(),
            mechs,
        })
    }

    /// The list as it was received or will be sent: what `mechListMIC` is over.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What is offered, the best liked first.
    #[must_use]
    pub fn mechs(&self) -> &[Mech] {
        &self.mechs
    }
}
