//! What the KDC vouches for in a ticket (RFC 7751), for those who make it and those who rely on it.

use core::fmt;

use crate::crypto::{CryptoError, Key, KeyUsage};
use crate::role::RoleName;
use crate::wire::{
    self, AuthorizationData, AuthorizationDataElement, Cammac, Checksum, DecodeError, Octets, VerifierMac, ad_type,
};

/// What the KDC vouches for in a ticket, beyond its names and times: the contents of its CAMMAC (RFC 7751), once the MAC by
/// the service's own key was verified over them. All of it, or, with a problem to be logged, nothing.
///
/// Without a CAMMAC everything here is empty, and nothing is a problem: the KDC has nothing to say, or is another one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Vouched {
    principal_id: Option<[u8; 16]>,
    roles: Vec<RoleName>,
    indicators: Vec<String>,
    problem: Option<CammacError>,
}

/// Why a ticket's CAMMAC counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CammacError {
    /// There is one that is not inside an IF-RELEVANT: RFC 7751 §3 wants it there, and every KDC puts it there.
    Exposed,
    /// There is more than one, and nothing tells which counts.
    Several,
    /// It cannot be decoded.
    Malformed(DecodeError),
    /// There is no MAC by the service's key.
    NoVerifier,
    /// The MAC is not of the key's own type.
    VerifierType(i32),
    /// The MAC is not by the service's key, or not over these contents.
    Verifier,
    /// The MAC is right, and an element of this type is there twice or not what the type says.
    Element(i32),
}

/// The authorization data type of a principal's immutable id, for local use (RFC 4120 §5.2.6: negative): "TESS", negated. Its
/// data is a version octet, 1, and the id's 16 octets.
pub const AD_PRINCIPAL_ID: i32 = -0x5445_5353;
/// The authorization data type of a principal's roles, likewise: "TESR", negated. Its data is a version octet, 1, and the DER
/// encoding of `SEQUENCE SIZE (1..MAX) OF UTF8String`, the roles' names in the order of their octets, none twice.
pub const AD_ROLES: i32 = -0x5445_5352;

const VERSION: u8 = 1;

impl Vouched {
    /// What the CAMMAC in a ticket's authorization data vouches for; `key` is the one that the ticket is sealed with.
    #[must_use]
    pub fn read(authorization_data: &[AuthorizationDataElement], key: &Key) -> Self {
        let elements = match verified(authorization_data, key) {
            Ok(elements) => elements,
            Err(problem) => return Self::nothing(problem),
        };
        Self::of(&elements).unwrap_or_else(|ad_type| Self::nothing(CammacError::Element(ad_type)))
    }

    fn nothing(problem: CammacError) -> Self {
        Self {
            problem: Some(problem),
            ..Self::default()
        }
    }

    // The error is the type of the element that is wrong.
    fn of(elements: &[AuthorizationDataElement]) -> Result<Self, i32> {
        let mut vouched = Self::default();
        for element in elements {
            let wrong = element.ad_type;
            match element.ad_type {
                AD_PRINCIPAL_ID if vouched.principal_id.is_none() => {
                    vouched.principal_id = Some(principal_id(element).ok_or(wrong)?);
                }
                AD_ROLES if vouched.roles.is_empty() => vouched.roles = roles(element).ok_or(wrong)?,
                AD_PRINCIPAL_ID | AD_ROLES => return Err(wrong),
                ad_type::AUTHENTICATION_INDICATOR => {
                    let indicators: Vec<String> = wire::decode(&element.ad_data).map_err(|_| wrong)?;
                    vouched.indicators.extend(indicators);
                }
                // What else a KDC may vouch for means nothing here.
                _ => {}
            }
        }
        Ok(vouched)
    }

    /// The client's immutable id: a principal that is removed and made anew under the same name has another one, and a renamed
    /// one keeps it. `None`: the KDC gives none.
    #[must_use]
    pub const fn principal_id(&self) -> Option<[u8; 16]> {
        self.principal_id
    }

    /// The client's roles when the ticket was issued, sorted, none twice.
    #[must_use]
    pub fn roles(&self) -> &[RoleName] {
        &self.roles
    }

    /// Whether the client had this role when the ticket was issued.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own.as_str() == role)
    }

    /// By what kinds of proof the client was authenticated (RFC 8129), in the KDC's words.
    #[must_use]
    pub fn indicators(&self) -> &[String] {
        &self.indicators
    }

    /// Why a CAMMAC that is there counts for nothing: for the service's log.
    #[must_use]
    pub const fn problem(&self) -> Option<&CammacError> {
        self.problem.as_ref()
    }
}

// The elements of the one CAMMAC, under a right MAC; none, where there is no CAMMAC.
fn verified(authorization_data: &[AuthorizationDataElement], key: &Key) -> Result<AuthorizationData, CammacError> {
    let Some(cammac) = only_cammac(authorization_data)? else {
        return Ok(AuthorizationData::new());
    };
    let verifier = cammac.svc_verifier.as_ref().ok_or(CammacError::NoVerifier)?;
    let Checksum { cksumtype, checksum } = &verifier.mac;
    // RFC 7751 §3: "the checksum is computed over the DER encoding of the elements".
    let covered = wire::encode(&cammac.elements);
    key.verify_checksum(KeyUsage::CAMMAC, *cksumtype, &covered, checksum)
        .map_err(|why| match why {
            CryptoError::UnsupportedChecksum(found) => CammacError::VerifierType(found),
            _ => CammacError::Verifier,
        })?;
    Ok(cammac.elements)
}

fn only_cammac(authorization_data: &[AuthorizationDataElement]) -> Result<Option<Cammac>, CammacError> {
    let mut found = None;
    for element in authorization_data {
        match element.ad_type {
            ad_type::CAMMAC => return Err(CammacError::Exposed),
            ad_type::IF_RELEVANT => {}
            _ => continue,
        }
        // What is no list of elements may be ignored, as the type says.
        let Ok(nested) = wire::decode::<AuthorizationData>(&element.ad_data) else {
            continue;
        };
        for inner in nested.into_iter().filter(|inner| inner.ad_type == ad_type::CAMMAC) {
            if found.replace(inner.ad_data).is_some() {
                return Err(CammacError::Several);
            }
        }
    }
    found
        .map(|octets| wire::decode(&octets).map_err(CammacError::Malformed))
        .transpose()
}

/// The element that names a principal's immutable id.
#[must_use]
pub fn principal_id_element(id: &[u8; 16]) -> AuthorizationDataElement {
    AuthorizationDataElement {
        ad_type: AD_PRINCIPAL_ID,
        ad_data: Octets(core::iter::once(VERSION).chain(*id).collect()),
    }
}

/// The id in an element of [`AD_PRINCIPAL_ID`]; `None`, it is of another type or version.
#[must_use]
pub fn principal_id(element: &AuthorizationDataElement) -> Option<[u8; 16]> {
    match element.ad_data.split_first()? {
        (&VERSION, id) if element.ad_type == AD_PRINCIPAL_ID => id.try_into().ok(),
        _ => None,
    }
}

/// The element that names a principal's roles, which come sorted and none twice; `None`, it has none.
#[must_use]
pub fn roles_element<'r>(roles: impl Iterator<Item = &'r RoleName>) -> Option<AuthorizationDataElement> {
    let roles: Vec<String> = roles.map(|role| role.as_str().to_owned()).collect();
    if roles.is_empty() {
        return None;
    }
    Some(AuthorizationDataElement {
        ad_type: AD_ROLES,
        ad_data: Octets(core::iter::once(VERSION).chain(wire::encode(&roles)).collect()),
    })
}

// The roles in an element; `None`, it is of another version, or has none, or not in the order in which they have to be.
fn roles(element: &AuthorizationDataElement) -> Option<Vec<RoleName>> {
    let (&VERSION, encoded) = element.ad_data.split_first()? else {
        return None;
    };
    let roles: Vec<String> = wire::decode(encoded).ok()?;
    let roles: Option<Vec<RoleName>> = roles.iter().map(|role| RoleName::new(role).ok()).collect();
    roles.filter(|roles| !roles.is_empty() && roles.is_sorted_by(|one, next| one < next))
}

/// The MAC by which a service sees that the KDC vouches for `elements` (RFC 7751 §3); `key` is the one that the ticket is
/// sealed with, so it needs no name.
#[must_use]
pub fn svc_verifier(key: &Key, elements: &AuthorizationData) -> VerifierMac {
    VerifierMac {
        identifier: None,
        kvno: None,
        enctype: None,
        mac: Checksum::keyed(key, KeyUsage::CAMMAC, &wire::encode(elements)),
    }
}

impl fmt::Display for CammacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed => f.write_str("the ticket's CAMMAC is not inside IF-RELEVANT"),
            Self::Several => f.write_str("the ticket has more than one CAMMAC"),
            Self::Malformed(why) => write!(f, "the ticket's CAMMAC cannot be decoded: {why}"),
            Self::NoVerifier => f.write_str("the ticket's CAMMAC has no MAC by the service's key"),
            Self::VerifierType(cksumtype) => write!(
                f,
                "the MAC of the ticket's CAMMAC is of type {cksumtype}, which is not the service's key's"
            ),
            Self::Verifier => {
                f.write_str("the MAC of the ticket's CAMMAC is not by the service's key over what is in it")
            }
            Self::Element(ad_type) => write!(f, "in the ticket's CAMMAC the element of type {ad_type} is wrong"),
        }
    }
}

impl core::error::Error for CammacError {}
