use core::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tessera_common::flags::KdcOptions;
use tessera_common::kpasswd::{ChangeError, FramingError, NewPassword, Outcome, PasswordChange, ResultCode};
use tessera_common::name::Name;

use crate::client::Client;
use crate::error::Error;
use crate::exchange::{AsRequest, RequestedTimes, When};
use crate::login::{Asking, Login, Secret};
use crate::net::{Courier, Patience, Preference};
use crate::prompt::{Password, Prompter};
use crate::settings::SettingsError;
use crate::system::{self, SystemRandom, local_addresses};

// As long as it takes to type a new password twice.
const TICKET_LIFETIME: Duration = Duration::from_secs(300);
const TRIES: usize = 3;

/// Why a password was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordError {
    /// The password server said no.
    Refused {
        /// Who said so.
        server: SocketAddr,
        /// What it said.
        outcome: Outcome,
    },
    /// The password server's answer could not be used.
    Answer {
        /// Who answered.
        server: SocketAddr,
        /// What is wrong with the answer.
        why: ChangeError,
    },
    /// The request is too long to be sent.
    TooLong(FramingError),
    /// The new password was typed in two ways.
    Mismatch,
    /// The new password is empty.
    Empty,
}

impl PasswordError {
    /// Whether another new password may do.
    #[must_use]
    pub fn is_about_the_new_password(&self) -> bool {
        match self {
            Self::Mismatch | Self::Empty => true,
            Self::Refused { outcome, .. } => outcome.code == ResultCode::SOFTERROR,
            Self::Answer { .. } | Self::TooLong(_) => false,
        }
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { outcome, .. } if outcome.code == ResultCode::SOFTERROR => {
                // The words before the colon are those of MIT's programs.
                let said = outcome.to_string();
                let text = said.split_once(": ").map_or("", |(_, text)| text);
                let separator = if text.is_empty() { "" } else { ": " };
                write!(f, "Password change rejected{separator}{text}")
            }
            Self::Refused { server, outcome } => write!(f, "password server {server}: {outcome}"),
            Self::Answer { server, why } => write!(f, "password server {server}: {why}"),
            Self::TooLong(why) => write!(f, "{why}"),
            Self::Mismatch => f.write_str("Password mismatch"),
            Self::Empty => f.write_str("New password cannot be zero length"),
        }
    }
}

impl core::error::Error for PasswordError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Answer { why, .. } => Some(why),
            Self::TooLong(why) => Some(why),
            Self::Refused { .. } | Self::Mismatch | Self::Empty => None,
        }
    }
}

impl Client {
    /// Logs in to the password service, for [`Client::change_password`]: the ticket is short-lived, and got with the password
    /// itself, even one that has expired. `request` is from [`Client::login_request`], with armor where there is some.
    ///
    /// # Errors
    /// As [`Client::login`].
    pub fn login_to_change_password(&self, request: AsRequest, mut secret: Secret<'_>) -> Result<Login, Error> {
        self.log_in_to_password_service(request, &mut secret)
    }

    /// Changes the client's own password (RFC 3244). `login` is from [`Client::login_to_change_password`].
    ///
    /// # Errors
    /// [`Error::Password`] when the server refuses, [`Error::NoAnswer`] when none answers, [`Error::NoServer`] when krb5.conf
    /// names none.
    pub fn change_password(&self, login: &Login, new: &Password) -> Result<(), Error> {
        let ticket = &login.reply.credential;
        let realm = &ticket.server.realm;
        let servers = self
            .settings
            .config
            .password_servers(realm)
            .map_err(SettingsError::Config)?;
        if servers.is_empty() {
            let files = self.settings.files.clone();
            return Err(Error::NoServer {
                realm: realm.clone(),
                key: "kpasswd_server",
                files,
            });
        }
        let own = local_addresses().unwrap_or_default().into_iter().next();
        let own = own.unwrap_or_else(|| IpAddr::from(Ipv4Addr::LOCALHOST).into());
        let now = login.reply.clock_offset.apply(system::now());
        let new = NewPassword::own(new.octets());
        let (change, request) =
            PasswordChange::begin(ticket, &new, own, now, &mut SystemRandom).map_err(PasswordError::TooLong)?;
        let answer = patient(&self.courier)
            .ask(&servers, &request, Preference::Tcp, None)
            .map_err(|why| Error::NoAnswer {
                realm: realm.clone(),
                why,
            })?;
        let server = answer.from;
        let outcome = match change.read_reply(&answer.octets) {
            Err(ChangeError::Refused {
                outcome: Some(outcome), ..
            }) => outcome,
            other => other.map_err(|why| PasswordError::Answer { server, why })?,
        };
        match outcome.code {
            ResultCode::SUCCESS => Ok(()),
            _ => Err(PasswordError::Refused { server, outcome }.into()),
        }
    }

    // The dialogue after KDC_ERR_KEY_EXPIRED: a new password, then the login that was wanted.
    pub(crate) fn log_in_with_new_password(&self, request: AsRequest, asking: Asking<'_>) -> Result<Login, Error> {
        let Asking { prompter, password } = asking;
        let mut secret = Secret::Ask(Asking {
            prompter: &mut *prompter,
            password,
        });
        let login = self.log_in_to_password_service(request.clone(), &mut secret)?;
        drop(secret);
        let mut banner = "Password expired.  You must change it now.".to_owned();
        let mut tries = 1;
        let new = loop {
            prompter.tell(&banner);
            let changed =
                ask_for_new_password(prompter).and_then(|new| self.change_password(&login, &new).map(|()| new));
            match changed {
                Ok(new) => break new,
                Err(Error::Password(why)) if why.is_about_the_new_password() && tries < TRIES => {
                    banner = format!("{why}.  Please try again.");
                    tries += 1;
                }
                Err(why) => return Err(why),
            }
        };
        self.authenticate(request, &mut Secret::Password(new))
    }

    fn log_in_to_password_service(&self, request: AsRequest, secret: &mut Secret<'_>) -> Result<Login, Error> {
        let service = Name::new(["kadmin", "changepw"]);
        let service = service.map_err(|why| Error::Name {
            text: "kadmin/changepw".into(),
            why,
        })?;
        let lasting = KdcOptions::FORWARDABLE
            | KdcOptions::PROXIABLE
            | KdcOptions::RENEWABLE
            | KdcOptions::RENEWABLE_OK
            | KdcOptions::ALLOW_POSTDATE
            | KdcOptions::POSTDATED;
        let request = AsRequest {
            service: Some(service),
            options: request.options.without(lasting),
            times: RequestedTimes {
                till: When::After(TICKET_LIFETIME),
                ..RequestedTimes::default()
            },
            addresses: Vec::new(),
            ..request
        };
        self.authenticate(request, secret)
    }
}

/// Asks for a new password, twice.
///
/// # Errors
/// [`PasswordError::Mismatch`], [`PasswordError::Empty`], [`Error::Prompt`].
pub fn ask_for_new_password(prompter: &mut dyn Prompter) -> Result<Password, Error> {
    let new = prompter.ask("Enter new password")?;
    let again = prompter.ask("Enter it again")?;
    if new != again {
        return Err(PasswordError::Mismatch.into());
    }
    if new.is_empty() {
        return Err(PasswordError::Empty.into());
    }
    Ok(new)
}

// A request that is sent twice is a replay to most servers: datagrams only where streams fail, and once.
fn patient(courier: &Courier) -> Courier {
    let patience = Patience {
        stagger: Duration::from_secs(10),
        rounds: vec![Duration::from_secs(10)],
        stream: Duration::from_secs(30),
    };
    Courier {
        patience,
        ..courier.clone()
    }
}
