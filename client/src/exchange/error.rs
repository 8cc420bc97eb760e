use core::fmt;

use tessera_common::crypto::{CryptoError, EncType};
use tessera_common::error_code::ErrorCode;
use tessera_common::name::{NameError, Principal, Realm};
use tessera_common::time::Timestamp;
use tessera_common::wire::{DecodeError, KrbError, pa_type};

/// Why an exchange ended without what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The KDC said no. Nobody vouches for a KRB-ERROR: whoever sits on the path can make one.
    Refused(Box<Refusal>),
    /// The answer is no message of the kind that was expected.
    Malformed(DecodeError),
    /// The answer is well-formed, but not an answer to what was asked: the KDC erred, or somebody altered it.
    Reply(ReplyFault),
    /// The key does not open the KDC's reply, or the KDC did not take the proof made with it: a wrong password, or a keytab
    /// that is not of the current key version.
    WrongKey,
    /// The KDC has no key for this client with an enctype that this client takes.
    NoCommonEncType {
        /// The enctypes that the KDC named.
        offered: Vec<i32>,
    },
    /// A KRB-ERROR without the FAST that the request had. It may be what it seems, most often a complaint about the armor; or
    /// the KDC does not speak FAST, or somebody on the path wants the client to go on without.
    Unarmored {
        /// Whose ticket the armor is.
        armor: Principal,
        /// What the error says; nobody vouches for it.
        refusal: Box<Refusal>,
    },
    /// The KDC refers the client to a realm for which its armor is not good.
    ArmorRealm {
        /// Where the referral led.
        realm: Realm,
    },
    /// The KDC wants a pre-authentication that this client does not have, or is not allowed to use.
    NoCommonPreauth {
        /// The types that the KDC named.
        offered: Vec<i32>,
        /// Whether the client had armor. Without it, [`pa_type::FX_FAST`] among the types says that armor would help.
        armored: bool,
    },
    /// The string-to-key parameters that came with the KDC's answer are weaker than this client takes, or not parameters.
    StringToKey {
        /// For this enctype.
        etype: EncType,
    },
    /// Referred through [`super::MAX_REFERRALS`] realms, or back to one that was asked before.
    ReferralLoop {
        /// Where the last referral led.
        realm: Realm,
    },
    /// Called when the exchange was over, or with a key that it did not ask for.
    OutOfTurn,
}

impl ExchangeError {
    /// The KDC's code, if it was the KDC that said no.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) | Self::Unarmored { refusal, .. } => Some(refusal.code),
            _ => None,
        }
    }
}

/// A KRB-ERROR that ended an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// The KDC's own words, cut to 256 characters, without control characters.
    pub text: Option<String>,
    /// The client that it concerns, where the KDC said so and it is a name.
    pub client: Option<Principal>,
    /// The service that it concerns, likewise.
    pub server: Option<Principal>,
    /// The KDC's clock.
    pub stime: Timestamp,
    /// Data for a program, as an RFC or the code gives it a meaning.
    pub data: Option<Vec<u8>>,
}

impl From<KrbError> for Refusal {
    fn from(error: KrbError) -> Self {
        let principal = |name: &tessera_common::wire::PrincipalName, realm: &tessera_common::wire::KerberosString| {
            Some(Principal::new(name.to_name().ok()?, realm.to_realm().ok()?))
        };
        let text = error.e_text.as_ref().map(|text| {
            let text = String::from_utf8_lossy(text.as_bytes());
            text.chars().filter(|c| !c.is_control()).take(256).collect::<String>()
        });
        Self {
            code: ErrorCode(error.error_code),
            text: text.filter(|text| !text.is_empty()),
            client: match (&error.cname, &error.crealm) {
                (Some(cname), Some(crealm)) => principal(cname, crealm),
                _ => None,
            },
            server: principal(&error.sname, &error.realm),
            stime: Timestamp::new(error.stime, error.susec.0),
            data: error.e_data.map(|data| data.0),
        }
    }
}

/// What about a reply does not fit the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyFault {
    /// Another nonce.
    Nonce,
    /// Another client than the one asked for.
    Client,
    /// Another service than the one asked for.
    Server,
    /// An enctype that was not asked for.
    EncType(i32),
    /// A beginning, end or renew-till later than asked for.
    Times,
    /// A beginning further from now than clocks may differ.
    ClockSkew,
    /// The KDC's checksum of the request is missing or does not fit: the request, or the reply, was altered on the way.
    RequestChecksum,
    /// The encrypted part does not open under the key of this exchange.
    Integrity,
    /// The request had FAST, the reply has not.
    NoFast,
    /// What FAST protects does not open under the armor key.
    FastIntegrity,
    /// FAST does not vouch for the ticket.
    NotFinished,
    /// The ticket is not the one that FAST vouches for.
    TicketChecksum,
    /// The KDC did not strengthen the reply key where it has to.
    NoStrengthenKey,
    /// The KDC did not prove that it knows the client's key.
    KdcNotVerified,
    /// A name that is none.
    Name(NameError),
    /// A key that does not fit its enctype.
    Key(CryptoError),
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Malformed(why) => write!(f, "the answer is no Kerberos reply: {why}"),
            Self::Reply(fault) => write!(f, "the reply does not fit the request: {fault}"),
            Self::WrongKey => f.write_str("the key does not fit: wrong password, or an outdated keytab"),
            Self::NoCommonEncType { offered } => {
                write!(f, "no enctype in common; the KDC offers {}", EncTypes(offered))
            }
            Self::Unarmored { armor, refusal } => {
                write!(f, "the answer is without the FAST armor of {armor}: {refusal}")
            }
            Self::ArmorRealm { realm } => write!(
                f,
                "referred to the realm {realm}, for which the armor is not good; name the client there, and take armor of it"
            ),
            Self::NoCommonPreauth {
                offered,
                armored: false,
            } if offered.contains(&pa_type::FX_FAST) => write!(
                f,
                "no pre-authentication in common without FAST armor; the KDC offers the types {offered:?}"
            ),
            Self::NoCommonPreauth { offered, .. } => {
                write!(
                    f,
                    "no pre-authentication in common; the KDC offers the types {offered:?}"
                )
            }
            Self::StringToKey { etype } => write!(
                f,
                "the KDC's string-to-key parameters for {etype} are too weak to be used"
            ),
            Self::ReferralLoop { realm } => write!(f, "referred from realm to realm without end, last to {realm}"),
            Self::OutOfTurn => f.write_str("the exchange is over or waits for something else"),
        }
    }
}

impl core::error::Error for ExchangeError {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        match &self.text {
            Some(text) if text != self.code.name().unwrap_or_default() => write!(f, " ({text})"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nonce => f.write_str("its nonce is another"),
            Self::Client => f.write_str("it is for another client"),
            Self::Server => f.write_str("it is for another service"),
            Self::EncType(number) => write!(f, "its enctype {number} was not asked for"),
            Self::Times => f.write_str("its times are later than asked for"),
            Self::ClockSkew => f.write_str("it begins too far from the time of this machine; set the clock"),
            Self::RequestChecksum => f.write_str("the request was altered on its way to the KDC"),
            Self::Integrity => f.write_str("its encrypted part was altered"),
            Self::NoFast => {
                f.write_str("it is without FAST: the KDC does not speak it, or somebody on the path took it away")
            }
            Self::FastIntegrity => f.write_str("what FAST protects of it was altered"),
            Self::NotFinished => f.write_str("FAST does not vouch for its ticket"),
            Self::TicketChecksum => f.write_str("its ticket was altered"),
            Self::NoStrengthenKey => f.write_str("its key was not strengthened as FAST demands"),
            Self::KdcNotVerified => f.write_str("the KDC did not prove that it knows the client's key"),
            Self::Name(why) => write!(f, "{why}"),
            Self::Key(why) => write!(f, "{why}"),
        }
    }
}

impl From<ReplyFault> for ExchangeError {
    fn from(fault: ReplyFault) -> Self {
        Self::Reply(fault)
    }
}

impl From<DecodeError> for ExchangeError {
    fn from(why: DecodeError) -> Self {
        Self::Malformed(why)
    }
}

struct EncTypes<'a>(&'a [i32]);

impl fmt::Display for EncTypes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, number) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            match EncType::from_number(*number) {
                Some(etype) => write!(f, "{separator}{etype}")?,
                None => write!(f, "{separator}enctype {number}")?,
            }
        }
        if self.0.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}
