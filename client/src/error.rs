use core::fmt;
use std::net::SocketAddr;

use tessera_common::error_code::ErrorCode;
use tessera_common::name::{NameError, Principal, Realm};
use tessera_common::time::Timestamp;
use tessera_common::wire::pa_type;

use crate::cache::CacheError;
use crate::exchange::{ClockOffset, ExchangeError, Refusal};
use crate::keytab_file::KeytabError;
use crate::net::NoAnswer;
use crate::password::PasswordError;
use crate::prompt::PromptError;
use crate::settings::SettingsError;

/// Why a client did not get what it wanted. The text says who refused what to whom, and what to do about it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// krb5.conf or the environment.
    Settings(SettingsError),
    /// A credential cache.
    Cache(CacheError),
    /// A keytab.
    Keytab(KeytabError),
    /// A name that is none.
    Name {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: NameError,
    },
    /// No password could be had.
    Prompt(PromptError),
    /// krb5.conf names no server for this realm.
    NoServer {
        /// Which realm.
        realm: Realm,
        /// What is missing: `kdc` or `kpasswd_server`.
        key: &'static str,
        /// The files where it was looked for.
        files: String,
    },
    /// No server of this realm answers.
    NoAnswer {
        /// Which realm.
        realm: Realm,
        /// What became of the request at each address.
        why: NoAnswer,
    },
    /// A KDC's answer was no, or could not be used.
    Kdc(Box<KdcError>),
    /// There is no armor for a login that was to have some.
    Armor {
        /// The cache or the keytab that it was to come from.
        from: String,
        /// Why it does not.
        why: Box<Self>,
    },
    /// A password was not changed.
    Password(PasswordError),
    /// The keytab has no key for this principal.
    NoKey {
        /// Which.
        principal: Principal,
    },
    /// The cache has no ticket that could be used for this.
    NoTicket {
        /// The ticket that is missing or over.
        wanted: Principal,
        /// Whose cache it is.
        client: Principal,
        /// Whether there is one that is over.
        expired: bool,
    },
    /// A ticket-granting ticket was to be forwarded, and may not be.
    NotForwardable {
        /// Whose it is.
        client: Principal,
    },
}

/// A KDC's answer that ended an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KdcError {
    /// Who answered.
    pub kdc: SocketAddr,
    /// For whom it was asked.
    pub client: Principal,
    /// What it was asked for.
    pub service: Principal,
    /// Whether the client's key came from a password.
    pub by_password: bool,
    /// Our time when the answer came.
    pub at: Timestamp,
    /// The answer.
    pub source: ExchangeError,
}

impl Error {
    /// The KDC's code, if it was a KDC that said no.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Kdc(error) => error.source.code(),
            _ => None,
        }
    }

    /// Whether the KDC itself, and nobody who only says so, wants the password changed.
    pub(crate) fn wants_new_password(&self) -> bool {
        let source = match self {
            Self::Kdc(error) => &error.source,
            _ => return false,
        };
        matches!(source, ExchangeError::Refused(refusal) if refusal.code == ErrorCode::KDC_ERR_KEY_EXPIRED)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(why) => write!(f, "{why}"),
            Self::Cache(why @ CacheError::NotFound(_)) => write!(f, "{why}; log in with kinit"),
            Self::Cache(why) => write!(f, "{why}"),
            Self::Keytab(why) => write!(f, "{why}"),
            Self::Name { text, why } => write!(f, "\"{text}\" is no principal: {why}"),
            Self::Prompt(why) => write!(f, "{why}"),
            Self::NoServer { realm, key, files } => write!(
                f,
                "Cannot find KDC for realm \"{realm}\": add `{key} = HOST:PORT` to {realm} in [realms] of {files}"
            ),
            Self::NoAnswer { realm, why } => write!(f, "Cannot contact any KDC for realm '{realm}': {why}"),
            Self::Kdc(error) => write!(f, "{error}"),
            Self::Armor { from, why } => write!(f, "no FAST armor from {from}: {why}"),
            Self::Password(why) => write!(f, "{why}"),
            Self::NoKey { principal } => write!(
                f,
                "Keytab contains no suitable keys for {principal}; klist -k shows whose keys a keytab has"
            ),
            Self::NoTicket {
                wanted,
                client,
                expired: true,
            } => {
                write!(f, "Ticket expired: {wanted} of {client}; log in again with kinit")
            }
            Self::NoTicket {
                wanted,
                client,
                expired: false,
            } => {
                write!(
                    f,
                    "Matching credential not found: the cache of {client} has no ticket for {wanted}"
                )?;
                if wanted.name.tgs_realm() == Some(client.realm.as_str()) {
                    f.write_str("; log in with kinit")?;
                }
                Ok(())
            }
            Self::NotForwardable { client } => write!(
                f,
                "the ticket-granting ticket of {client} is not forwardable; log in again with kinit -f"
            ),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Settings(source) => Some(source),
            Self::Cache(source) => Some(source),
            Self::Keytab(source) => Some(source),
            Self::Name { why, .. } => Some(why),
            Self::Prompt(source) => Some(source),
            Self::NoAnswer { why, .. } => Some(why),
            Self::Kdc(source) => Some(source),
            Self::Armor { why, .. } => Some(why),
            Self::Password(source) => Some(source),
            Self::NoServer { .. } | Self::NoKey { .. } | Self::NoTicket { .. } | Self::NotForwardable { .. } => None,
        }
    }
}

impl fmt::Display for KdcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kdc, client, service, ..
        } = self;
        match &self.source {
            ExchangeError::Refused(refusal) => self.explain(refusal, f),
            ExchangeError::WrongKey if self.by_password => {
                write!(f, "Password incorrect for {client} (kdc {kdc})")
            }
            ExchangeError::WrongKey => {
                write!(
                    f,
                    "kdc {kdc} does not take the key of {client} in this keytab; it may be of an older version: get a new keytab"
                )
            }
            ExchangeError::Unarmored { armor, refusal } => self.explain_unarmored(armor, refusal, f),
            ExchangeError::NoCommonPreauth {
                offered,
                armored: false,
            } if offered.contains(&pa_type::FX_FAST) => {
                write!(
                    f,
                    "kdc {kdc} wants FAST armor for {client}: kinit -T CACHE or --armor-keytab KEYTAB"
                )
            }
            other => write!(f, "kdc {kdc}, asked for {service} by {client}: {other}"),
        }
    }
}

impl KdcError {
    // Most often it is about the armor; in any case nobody vouches for it.
    fn explain_unarmored(&self, armor: &Principal, refusal: &Refusal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kdc, client, .. } = self;
        match refusal.code {
            ErrorCode::KRB_AP_ERR_TKT_EXPIRED => {
                write!(
                    f,
                    "kdc {kdc} says that the FAST armor has expired, a ticket of {armor}; get a new one"
                )
            }
            ErrorCode::KRB_AP_ERR_SKEW => {
                let apart = ClockOffset::between(refusal.stime, self.at).to_parts().0.unsigned_abs();
                write!(
                    f,
                    "Clock skew too great for the FAST armor of {armor}: kdc {kdc} and this machine are {apart} seconds apart; \
                     set the clock"
                )
            }
            // What can be wrong with an AP-REQ, or with whom its ticket is of.
            ErrorCode(1 | 18 | 20 | 26 | 31..=50) => {
                write!(
                    f,
                    "kdc {kdc} does not take the FAST armor of {armor} for {client}: {refusal}"
                )
            }
            _ => write!(
                f,
                "kdc {kdc} refused {client} without the FAST that was asked for, armored by {armor}: {refusal}; it does not \
                 speak FAST, or somebody on the path says no in its name"
            ),
        }
    }

    fn explain(&self, refusal: &Refusal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kdc, client, service, ..
        } = self;
        match refusal.code {
            ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN => {
                write!(
                    f,
                    "kdc {kdc} does not know {client}; check the name, or ask an administrator to add it"
                )
            }
            ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN => {
                write!(
                    f,
                    "kdc {kdc} does not know the service {service}; check the name, or ask an administrator to add it"
                )
            }
            ErrorCode::KDC_ERR_NAME_EXP => {
                write!(
                    f,
                    "kdc {kdc} says that {client} has expired; ask an administrator to prolong it"
                )
            }
            ErrorCode::KDC_ERR_SERVICE_EXP => {
                write!(
                    f,
                    "kdc {kdc} says that the service {service} has expired; ask an administrator to prolong it"
                )
            }
            ErrorCode::KDC_ERR_CLIENT_REVOKED => {
                write!(
                    f,
                    "kdc {kdc} has {client} locked; wait, or ask an administrator to unlock it"
                )
            }
            ErrorCode::KDC_ERR_KEY_EXPIRED => {
                write!(
                    f,
                    "kdc {kdc} says that the password of {client} has expired; change it with kpasswd"
                )
            }
            ErrorCode::KDC_ERR_TGT_REVOKED => {
                write!(
                    f,
                    "kdc {kdc} no longer takes the tickets of {client}; log in again with kinit"
                )
            }
            ErrorCode::KRB_AP_ERR_TKT_EXPIRED => {
                write!(
                    f,
                    "kdc {kdc} says that the ticket of {client} has expired; log in again with kinit"
                )
            }
            ErrorCode::KDC_ERR_MUST_USE_USER2USER => {
                write!(
                    f,
                    "kdc {kdc} gives tickets for {service} only user-to-user; use kvno --u2u with its credential cache"
                )
            }
            ErrorCode::KDC_ERR_CANNOT_POSTDATE => {
                write!(f, "kdc {kdc} does not give {client} a postdated ticket for {service}")
            }
            ErrorCode::KDC_ERR_NEVER_VALID => {
                write!(
                    f,
                    "kdc {kdc} says that this ticket of {client} would end before it begins"
                )
            }
            ErrorCode::KDC_ERR_ETYPE_NOSUPP => write!(
                f,
                "kdc {kdc} has no key of {client} or {service} with an enctype of this client; check default_tkt_enctypes, \
                 default_tgs_enctypes and permitted_enctypes in krb5.conf"
            ),
            ErrorCode::KRB_AP_ERR_SKEW => {
                let apart = ClockOffset::between(refusal.stime, self.at).to_parts().0.unsigned_abs();
                write!(
                    f,
                    "Clock skew too great: kdc {kdc} and this machine are {apart} seconds apart; set the clock"
                )
            }
            _ => write!(f, "kdc {kdc} refused {client} a ticket for {service}: {refusal}"),
        }
    }
}

impl core::error::Error for KdcError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.source)
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),+) => {
        $(impl From<$type> for Error {
            fn from(why: $type) -> Self {
                Self::$variant(why)
            }
        })+
    };
}

from!(SettingsError => Settings, CacheError => Cache, KeytabError => Keytab, PromptError => Prompt, PasswordError => Password);

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: ErrorCode) -> Box<Refusal> {
        Box::new(Refusal {
            code,
            text: None,
            client: None,
            server: None,
            stime: Timestamp::default(),
            data: None,
        })
    }

    fn error(source: ExchangeError) -> Error {
        Error::Kdc(Box::new(KdcError {
            kdc: SocketAddr::from(([192, 0, 2, 1], 88)),
            client: "alice@R".parse().unwrap(),
            service: "krbtgt/R@R".parse().unwrap(),
            by_password: true,
            at: Timestamp::default(),
            source,
        }))
    }

    fn unarmored(code: ErrorCode) -> Error {
        error(ExchangeError::Unarmored {
            armor: "host/www@R".parse().unwrap(),
            refusal: refusal(code),
        })
    }

    #[test]
    fn a_new_password_is_wanted_where_the_kdc_itself_says_so() {
        let expired = ErrorCode::KDC_ERR_KEY_EXPIRED;
        assert!(error(ExchangeError::Refused(refusal(expired))).wants_new_password());
        assert!(!unarmored(expired).wants_new_password());
        assert!(!error(ExchangeError::Refused(refusal(ErrorCode::KDC_ERR_POLICY))).wants_new_password());
    }

    #[test]
    fn an_answer_without_fast_names_the_armor_and_what_to_do() {
        for (code, expected) in [
            (
                ErrorCode::KRB_AP_ERR_TKT_EXPIRED,
                "kdc 192.0.2.1:88 says that the FAST armor has expired, a ticket of host/www@R; get a new one",
            ),
            (
                ErrorCode::KRB_AP_ERR_SKEW,
                "Clock skew too great for the FAST armor of host/www@R",
            ),
            (
                ErrorCode::KRB_AP_ERR_BADKEYVER,
                "kdc 192.0.2.1:88 does not take the FAST armor of host/www@R for alice@R: KRB_AP_ERR_BADKEYVER",
            ),
            (
                ErrorCode::KDC_ERR_PREAUTH_REQUIRED,
                "does not speak FAST, or somebody on the path says no in its name",
            ),
        ] {
            let said = unarmored(code).to_string();
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn who_could_log_in_with_armor_is_told_how() {
        for (offered, armored, expected) in [
            (
                vec![2, 136],
                false,
                "wants FAST armor for alice@R: kinit -T CACHE or --armor-keytab KEYTAB",
            ),
            (vec![2, 136], true, "no pre-authentication in common"),
            (vec![16], false, "no pre-authentication in common"),
        ] {
            let said = error(ExchangeError::NoCommonPreauth { offered, armored }).to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}
