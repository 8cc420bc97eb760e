//! Why an AP-REQ is refused: the whole story for the operator, and the little of it that the peer is told.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use super::service_keys::ServiceKey;
use crate::crypto::EncType;
use crate::error_code::ErrorCode;
use crate::listed::Listed;
use crate::name::{Name, NameError, Principal, Realm, name_type};
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{self, DecodeError, HostAddress, KerberosString, Microseconds, PrincipalName};

/// A part of an AP-REQ, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The AP-REQ itself.
    ApReq,
    /// The ticket: its cleartext, or what was encrypted in the service's key.
    Ticket,
    /// The authenticator, once decrypted.
    Authenticator,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApReq => "AP-REQ",
            Self::Ticket => "ticket",
            Self::Authenticator => "authenticator",
        })
    }
}

/// A key that a ticket asks for, and what there is instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWanted {
    /// The service that the ticket names.
    pub service: Principal,
    /// The key version that the ticket names.
    pub kvno: Option<u32>,
    /// The enctype's number that the ticket names.
    pub etype: i32,
    /// Every key that the keytab has for that service.
    pub held: Vec<HeldKey>,
}

/// A key that a service has, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldKey {
    /// Its version.
    pub kvno: u32,
    /// Its enctype.
    pub etype: EncType,
}

impl From<&ServiceKey<'_>> for HeldKey {
    fn from(ServiceKey { kvno, key, .. }: &ServiceKey<'_>) -> Self {
        Self {
            kvno: *kvno,
            etype: key.etype(),
        }
    }
}

/// `kvno 3 aes256-cts-hmac-sha1-96`.
impl fmt::Display for HeldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kvno {} {}", self.kvno, self.etype)
    }
}

impl KeyWanted {
    fn holds_kvno(&self) -> bool {
        self.kvno
            .is_none_or(|wanted| self.held.iter().any(|key| key.kvno == wanted))
    }
}

/// `HTTP/www@EXAMPLE.COM kvno 3 aes256-cts-hmac-sha1-96`.
impl fmt::Display for KeyWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.service)?;
        if let Some(kvno) = self.kvno {
            write!(f, " kvno {kvno}")?;
        }
        match EncType::from_number(self.etype) {
            Some(etype) => write!(f, " {etype}"),
            None => write!(f, " enctype {}", self.etype),
        }
    }
}

/// Why an AP-REQ is refused. This is for the service's own log: it names principals, key versions and times.
///
/// A peer gets [`ApError::code`] alone, in the KRB-ERROR that [`ApError::to_krb_error`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApError {
    /// Something else than an AP-REQ.
    NotApReq,
    /// A part is no DER, or of another type.
    Malformed(Part, DecodeError),
    /// A part is of another protocol version than 5.
    Version(Part, i32),
    /// A part has a name that is none.
    Name(Part, NameError),
    /// The ticket is for a service that is not accepted here.
    NotUs {
        /// The service that the ticket names.
        service: Principal,
        /// Those that are accepted here; empty, when every service of the keytab is.
        accepted: Vec<Principal>,
    },
    /// No key of the version and enctype that the ticket names.
    NoKey(KeyWanted),
    /// A key of that version and enctype, but the ticket is not under it.
    TicketIntegrity(KeyWanted),
    /// The authenticator is not under the ticket's session key, or was altered.
    AuthenticatorIntegrity,
    /// A session key or subkey of an enctype that is not used here, or of the wrong length for it.
    KeyType(Part, i32),
    /// The authenticator is another client's than the ticket.
    Mismatch {
        /// Who the ticket is for.
        ticket: Principal,
        /// Who the authenticator says it is from.
        authenticator: Principal,
    },
    /// The client's clock and this one are further apart than is allowed.
    Skew {
        /// The authenticator's time.
        client: Timestamp,
        /// The time here.
        now: KerberosTime,
        /// The most that is allowed.
        allowed: Duration,
    },
    /// The ticket begins later, by more than the skew.
    NotYetValid {
        /// The ticket's start.
        starttime: KerberosTime,
        /// The time here.
        now: KerberosTime,
    },
    /// The ticket is postdated and no KDC has validated it yet.
    Invalid,
    /// The ticket ended earlier, by more than the skew.
    Expired {
        /// The ticket's end.
        endtime: KerberosTime,
        /// The time here.
        now: KerberosTime,
    },
    /// The ticket is bound to addresses, and the sender's is none of them.
    Address {
        /// The sender's.
        from: IpAddr,
        /// The ticket's.
        allowed: Vec<HostAddress>,
    },
    /// A ticket under a TGT's session key, where no TGT was given.
    NoTgt,
    /// A ticket under a long-term key, where only user-to-user is served.
    UserToUserRequired,
    /// The ticket came through other realms, and no KDC says that it checked the path.
    Transited {
        /// The client.
        client: Principal,
        /// The service's realm.
        realm: Realm,
    },
    /// This very authenticator was seen before.
    Replay {
        /// Who the ticket is for.
        client: Principal,
    },
    /// The replay cache has no room left, so nothing new can be told from a replay.
    ReplayCacheFull,
    /// The replay cache cannot be used, so nothing can be told from a replay.
    ReplayCacheUnavailable,
}

impl ApError {
    /// What the peer may know.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotApReq => ErrorCode::KRB_AP_ERR_MSG_TYPE,
            Self::Malformed(..) | Self::Name(..) | Self::ReplayCacheFull | Self::ReplayCacheUnavailable => {
                ErrorCode::KRB_ERR_GENERIC
            }
            Self::Version(..) => ErrorCode::KRB_AP_ERR_BADVERSION,
            Self::NotUs { .. } => ErrorCode::KRB_AP_ERR_NOT_US,
            Self::NoKey(wanted) if wanted.held.is_empty() => ErrorCode::KRB_AP_ERR_NOKEY,
            Self::NoKey(_) => ErrorCode::KRB_AP_ERR_BADKEYVER,
            Self::TicketIntegrity(_) | Self::AuthenticatorIntegrity => ErrorCode::KRB_AP_ERR_BAD_INTEGRITY,
            Self::KeyType(..) => ErrorCode::KDC_ERR_ETYPE_NOSUPP,
            Self::Mismatch { .. } => ErrorCode::KRB_AP_ERR_BADMATCH,
            Self::Skew { .. } => ErrorCode::KRB_AP_ERR_SKEW,
            Self::NotYetValid { .. } | Self::Invalid => ErrorCode::KRB_AP_ERR_TKT_NYV,
            Self::Expired { .. } => ErrorCode::KRB_AP_ERR_TKT_EXPIRED,
            Self::Address { .. } => ErrorCode::KRB_AP_ERR_BADADDR,
            Self::NoTgt => ErrorCode::KRB_AP_ERR_NO_TGT,
            Self::UserToUserRequired => ErrorCode::KRB_AP_ERR_USER_TO_USER_REQUIRED,
            Self::Transited { .. } => ErrorCode::KRB_AP_PATH_NOT_ACCEPTED,
            Self::Replay { .. } => ErrorCode::KRB_AP_ERR_REPEAT,
        }
    }

    /// A KRB-ERROR from `service` with this error's code, encoded. It has the code and the time, nothing else of what
    /// [`ApError`] knows.
    #[must_use]
    pub fn to_krb_error(&self, service: &Principal, now: Timestamp) -> Vec<u8> {
        krb_error(self.code(), service, now, None)
    }
}

/// A KRB-ERROR that `service` sends, encoded: a code, the time, and perhaps e-data.
pub(crate) fn krb_error(code: ErrorCode, service: &Principal, now: Timestamp, e_data: Option<&[u8]>) -> Vec<u8> {
    wire::encode(&wire::KrbError {
        pvno: wire::PVNO,
        msg_type: wire::msg_type::ERROR,
        ctime: None,
        cusec: None,
        stime: now.time,
        susec: Microseconds(now.usec.min(999_999)),
        error_code: code.0,
        crealm: None,
        cname: None,
        realm: KerberosString::from(&service.realm),
        sname: PrincipalName::new(service_name_type(&service.name), &service.name),
        e_text: None,
        e_data: e_data.map(Into::into),
    })
}

fn service_name_type(name: &Name) -> i32 {
    if name.len() == 2 {
        name_type::SRV_INST
    } else {
        name_type::PRINCIPAL
    }
}

impl fmt::Display for ApError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApReq => f.write_str("the peer sent something else than an AP-REQ"),
            Self::Malformed(part, why) => write!(f, "the peer's {part} is malformed: {why}"),
            Self::Version(part, found) => write!(f, "the peer's {part} is of version {found}, not 5"),
            Self::Name(part, why) => write!(f, "the peer's {part} has a bad name: {why}"),
            Self::NotUs { service, accepted } => {
                write!(f, "the ticket is for {service}, accepted here: ")?;
                if accepted.is_empty() {
                    f.write_str("the services of the keytab, and it is not one of them")
                } else {
                    write!(f, "{}", Listed(accepted))
                }
            }
            Self::NoKey(wanted) => write_no_key(f, wanted),
            Self::TicketIntegrity(wanted) => write!(
                f,
                "the ticket for {wanted} cannot be decrypted with the key of that version: \
                 the key was changed without a new version, or the ticket was altered; export the keytab again"
            ),
            Self::AuthenticatorIntegrity => {
                f.write_str("the authenticator cannot be decrypted with the ticket's session key: it was altered")
            }
            Self::KeyType(part, etype) => write!(f, "the {part} has a key of enctype {etype}, which is not used here"),
            Self::Mismatch { ticket, authenticator } => {
                write!(
                    f,
                    "the ticket is for {ticket}, but the authenticator is from {authenticator}"
                )
            }
            Self::Skew { client, now, allowed } => write!(
                f,
                "the client's clock says {}, this one {now}: more than {} seconds apart; set the one that is wrong",
                client.time,
                allowed.as_secs()
            ),
            Self::NotYetValid { starttime, now } => write!(f, "the ticket begins at {starttime}, now it is {now}"),
            Self::Invalid => f.write_str("the ticket is postdated and not validated yet (kinit -v)"),
            Self::Expired { endtime, now } => write!(f, "the ticket ended at {endtime}, now it is {now}"),
            Self::Address { from, allowed } => {
                let known: Vec<IpAddr> = allowed.iter().filter_map(HostAddress::to_ip).collect();
                write!(
                    f,
                    "the ticket may not be used from {from}, only from {}",
                    Listed(&known)
                )
            }
            Self::NoTgt => f.write_str("the ticket is for user-to-user, which is not offered here"),
            Self::UserToUserRequired => {
                f.write_str("the ticket is under a long-term key; only user-to-user is served here")
            }
            Self::Transited { client, realm } => write!(
                f,
                "{client} came to {realm} through other realms, and no KDC says that it checked them \
                 (transited-policy-checked)"
            ),
            Self::Replay { client } => write!(f, "a copy of an earlier AP-REQ of {client}"),
            Self::ReplayCacheFull => f.write_str("the replay cache is full; refusing everybody until entries expire"),
            Self::ReplayCacheUnavailable => f.write_str("the replay cache cannot be used; refusing everybody"),
        }
    }
}

impl core::error::Error for ApError {}

fn write_no_key(f: &mut fmt::Formatter<'_>, wanted: &KeyWanted) -> fmt::Result {
    write!(f, "no key for {wanted}: ")?;
    if wanted.held.is_empty() {
        return write!(f, "the keytab has none of {}", wanted.service);
    }
    write!(f, "the keytab has {}", Listed(&wanted.held))?;
    let newest = wanted.held.iter().map(|key| key.kvno).max();
    f.write_str(if wanted.holds_kvno() {
        "; export the keytab again with that enctype"
    } else if wanted.kvno > newest {
        "; the keytab is older than the ticket: export it again"
    } else {
        "; the ticket is older than the keytab: the client needs a new one"
    })
}
