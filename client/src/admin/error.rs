use core::fmt;
use std::io;
use std::path::PathBuf;

use tessera_common::admin::{FrameError, PROTOCOL, Reason, SOCKET, Welcome};
use tessera_common::keytab::KeytabError;

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

impl From<PromptError> for AdminError {
    fn from(why: PromptError) -> Self {
        Self::Prompt(why)
    }
}
