use core::fmt;
use std::io;
use std::path::PathBuf;

use tessera_common::admin::{FrameError, PROTOCOL, Reason, SOCKET, Welcome};
use tessera_common::ap::ReplyError;
use tessera_common::gss::InitiateError;
use tessera_common::keytab::KeytabError;
use tessera_common::name::Principal;

use crate::error::Error;
use crate::prompt::PromptError;

/// Why an administrator did not get what was asked for. The text says whose fault it is and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdminError {
    /// realm.toml cannot be read.
    ConfigUnreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// realm.toml does not say where the state directory is.
    ConfigWrong {
        /// The file.
        file: PathBuf,
        /// Where, if it is at some place.
        line: Option<usize>,
        /// What is wrong.
        what: String,
    },
    /// Nobody to talk to.
    Connect {
        /// Where it was tried.
        socket: PathBuf,
        /// The realm.toml that names it.
        config: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// The host has no address.
    NoSuchHost {
        /// The host.
        host: String,
        /// Why not.
        why: io::Error,
    },
    /// Nobody to talk to at an address.
    Unreachable {
        /// The host and the port.
        server: String,
        /// Why not.
        why: io::Error,
    },
    /// Somebody is there who hangs up before saying anything that makes sense.
    NoHandshake {
        /// The host and the port.
        server: String,
    },
    /// Somebody is there who refuses the ticket, or is not whom it is for.
    Handshake {
        /// The host and the port.
        server: String,
        /// Whom the ticket is for.
        service: Principal,
        /// Why there is no conversation.
        why: InitiateError,
    },
    /// The conversation was as long as its ticket.
    TicketOver,
    /// The cache has no ticket for administration.
    NoTicketInCache {
        /// Its name.
        cache: String,
        /// Whose it is.
        owner: Principal,
    },
    /// The cache is not that of the administrator who is named.
    CacheOfAnother {
        /// Its name.
        cache: String,
        /// Whose it is.
        owner: Principal,
        /// Whose it was to be.
        wanted: Principal,
    },
    /// There is no ticket for administration.
    Login(Box<Error>),
    /// The daemon speaks another version.
    Version(Welcome),
    /// The connection failed, or what came is no message.
    Frame(FrameError),
    /// The daemon ended the conversation without an answer.
    HungUp,
    /// The daemon does not answer.
    Silent,
    /// The daemon gave an answer to something else.
    Unexpected,
    /// The daemon said no.
    Refused {
        /// Whose fault it is.
        reason: Reason,
        /// In its words.
        message: String,
    },
    /// No password was given.
    Prompt(PromptError),
    /// No password could be read from a file.
    PasswordFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: PromptError,
    },
    /// The password is not text.
    PasswordNotUtf8,
    /// The password was not typed the same twice.
    PasswordsDiffer,
    /// The keytab that is there already cannot be read or replaced.
    KeytabFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// What is there already is no keytab.
    NotAKeytab {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: KeytabError,
    },
    /// The keys were made, and could not be written.
    KeytabUnwritten {
        /// The file.
        file: PathBuf,
        /// The principals.
        names: Vec<String>,
        /// Whether new keys are in force.
        rotated: bool,
        /// Why not.
        why: io::Error,
    },
    /// A file of principals cannot be read.
    ImportFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// A declaration cannot be read.
    DeclarationFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// A file is no declaration.
    DeclarationWrong {
        /// The file.
        file: PathBuf,
        /// In which line, and what is wrong.
        what: String,
    },
    /// What the daemon holds cannot be written as a file.
    Unwritable(toml::ser::Error),
    /// An import ended before its end.
    ImportStopped {
        /// The first line whose principal is not known to be added.
        line: usize,
        /// How many were added before.
        added: usize,
        /// What happened.
        why: Box<Self>,
    },
    /// The standard output failed.
    Output(io::Error),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigUnreadable { file, why } if why.kind() == io::ErrorKind::NotFound => write!(
                f,
                "there is no {}; name the realm's configuration with --config",
                file.display()
            ),
            Self::ConfigUnreadable { file, why } => write!(f, "{} cannot be read: {why}", file.display()),
            Self::ConfigWrong { file, line, what } => {
                write!(f, "{}:", file.display())?;
                if let Some(line) = line {
                    write!(f, "{line}:")?;
                }
                write!(f, " {what}; [realm] state names the directory with {SOCKET}")
            }
            Self::Connect { socket, config, why } => match why.kind() {
                io::ErrorKind::NotFound => write!(
                    f,
                    "the daemon is not running: no socket at {}; start it with: kdc --config {}",
                    socket.display(),
                    config.display()
                ),
                io::ErrorKind::ConnectionRefused => write!(
                    f,
                    "the daemon is not running: nobody answers at {}; start it with: kdc --config {}",
                    socket.display(),
                    config.display()
                ),
                io::ErrorKind::PermissionDenied => write!(
                    f,
                    "you may not use {}; run principal as root or as the daemon's user",
                    socket.display()
                ),
                _ => write!(f, "no connection to the daemon at {}: {why}", socket.display()),
            },
            Self::NoSuchHost { host, why } => write!(f, "{host} has no address: {why}; check the name in --server"),
            Self::Unreachable { server, why } => write!(
                f,
                "no connection to {server}: {why}; check --server, and that the daemon's realm.toml has that port in \
                 [listen] admin"
            ),
            Self::NoHandshake { server } => write!(
                f,
                "whoever listens at {server} hung up without an answer: it is no daemon's [listen] admin, or it has no room; \
                 the daemon's log says more"
            ),
            Self::Handshake { server, service, why } => match why {
                InitiateError::Reply(ReplyError::Refused { .. }) => {
                    write!(
                        f,
                        "the daemon at {server} does not take the ticket for {service}: {why}; its log says more"
                    )
                }
                InitiateError::Reply(_) => write!(
                    f,
                    "whoever listens at {server} did not prove to be {service}: {why}; nothing was asked of it"
                ),
                _ => write!(
                    f,
                    "whoever listens at {server} is no daemon's [listen] admin: {why}; nothing was asked of it"
                ),
            },
            Self::TicketOver => f.write_str("the ticket for kadmin/admin is over; log in again"),
            Self::NoTicketInCache { cache, owner } => write!(
                f,
                "{cache} has no ticket for kadmin/admin@{} that is still good; get one with: kinit -S kadmin/admin -c \
                 {cache} {owner}",
                owner.realm
            ),
            Self::CacheOfAnother { cache, owner, wanted } => {
                write!(
                    f,
                    "{cache} has the tickets of {owner}, not of {wanted}; name another cache, or none"
                )
            }
            Self::Login(why) => write!(f, "{why}"),
            Self::Version(welcome) => write!(
                f,
                "{} speaks version {} of the administration protocol, this program version {PROTOCOL}; use the principal \
                 that came with it",
                welcome.program, welcome.protocol
            ),
            Self::Frame(why) => write!(f, "the daemon could not be understood: {why}"),
            Self::HungUp => f.write_str("the daemon hung up without an answer; its log says more"),
            Self::Silent => f.write_str("the daemon does not answer; its log may say why"),
            Self::Unexpected => {
                f.write_str("the daemon gave an answer that does not fit; use the principal that came with it")
            }
            Self::Refused { message, .. } => f.write_str(message),
            Self::Prompt(why) => write!(f, "{why}"),
            Self::PasswordFile { file, why } => write!(f, "{}: {why}", file.display()),
            Self::PasswordNotUtf8 => f.write_str("the password is not UTF-8, so other programs could not type it"),
            Self::PasswordsDiffer => f.write_str("the two passwords are not the same; nothing was changed"),
            Self::KeytabFile { file, why } => write!(f, "the keytab {}: {why}", file.display()),
            Self::NotAKeytab { file, why } => {
                write!(f, "{}: {why}; nothing was written, choose another file", file.display())
            }
            Self::KeytabUnwritten {
                file,
                names,
                rotated,
                why,
            } => {
                write!(f, "the keytab {} could not be written: {why}", file.display())?;
                if *rotated {
                    let names = names.join(" ");
                    write!(
                        f,
                        "; the new keys are in force, get them with: principal keytab {names} --output FILE"
                    )?;
                }
                Ok(())
            }
            Self::ImportFile { file, why } | Self::DeclarationFile { file, why } => {
                write!(f, "{} cannot be read: {why}", file.display())
            }
            Self::DeclarationWrong { file, what } => write!(f, "{}:{what}; nothing was changed", file.display()),
            Self::Unwritable(why) => write!(f, "what the daemon holds cannot be written as TOML: {why}"),
            Self::ImportStopped { line, added, why } => write!(
                f,
                "stopped at line {line}, after {added} were added: {why}; what was added stays, so that the same file can \
                 be imported again"
            ),
            Self::Output(why) => write!(f, "the standard output failed: {why}"),
        }
    }
}

impl core::error::Error for AdminError {}

impl From<Error> for AdminError {
    fn from(why: Error) -> Self {
        Self::Login(Box::new(why))
    }
}

impl From<PromptError> for AdminError {
    fn from(why: PromptError) -> Self {
        Self::Prompt(why)
    }
}
