use core::fmt;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use tessera_common::ap::CammacError;
use tessera_common::listed::Listed;
use tessera_common::role::RoleName;

use super::caller::Caller;
use super::keys::KeysError;
use super::refused::Refused;
use crate::keytab_file::KeytabFile;

/// Something that a service's log should have. As text, it is one line, without a time.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A client proved itself.
    Accepted {
        /// Who it is.
        caller: &'a Caller,
        /// Where.
        from: Option<SocketAddr>,
    },
    /// A client did not.
    Refused {
        /// Where it is.
        from: Option<SocketAddr>,
        /// Why.
        why: &'a Refused,
    },
    /// A client proved itself, and may not do what it asked for.
    Forbidden {
        /// Who it is.
        caller: &'a Caller,
        /// The roles of which it needs one.
        needed: &'a [RoleName],
    },
    /// What the KDC vouches for counts for nothing: no roles, no id.
    NotVouched {
        /// Whose ticket.
        caller: &'a Caller,
        /// What is wrong with it.
        problem: &'a CammacError,
    },
    /// The keytab was read again.
    KeytabRead {
        /// Which.
        file: &'a KeytabFile,
        /// How many keys it has for the services that are wanted.
        keys: usize,
    },
    /// The keytab has changed and cannot be used. The keys that were read before stay in force.
    KeytabUnusable {
        /// Which.
        file: &'a KeytabFile,
        /// Why not.
        why: &'a KeysError,
    },
}

/// Where a service's events go.
#[derive(Clone)]
pub(super) struct Log(Arc<dyn Fn(&Event<'_>) + Send + Sync>);

impl Log {
    pub(super) fn to(write: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    pub(super) fn write(&self, event: &Event<'_>) {
        (self.0)(event);
    }
}

impl Default for Log {
    fn default() -> Self {
        // Written at once: the standard error output has no buffer, and other threads write to it, too.
        Self::to(|event| drop(std::io::stderr().write_all(format!("{event}\n").as_bytes())))
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let somewhere = |from: &Option<SocketAddr>| from.map_or_else(|| "a client".to_owned(), |from| from.to_string());
        match self {
            Self::Accepted { caller, from } => {
                write!(
                    f,
                    "{}: accepted {} for {}",
                    somewhere(from),
                    caller.principal(),
                    caller.service()
                )?;
                if !caller.roles().is_empty() {
                    write!(f, ", roles {}", Listed(caller.roles()))?;
                }
                if caller.delegated().is_some() {
                    f.write_str(", delegated")?;
                }
                if caller.channel_bound() {
                    f.write_str(", channel-bound")?;
                }
                Ok(())
            }
            Self::Refused { from, why } => write!(f, "{}: refused: {why}", somewhere(from)),
            Self::Forbidden { caller, needed } => {
                write!(
                    f,
                    "forbidden: {} has none of the roles {}",
                    caller.principal(),
                    Listed(needed)
                )
            }
            Self::NotVouched { caller, problem } => write!(
                f,
                "no roles for {}: what its ticket vouches for does not count: {problem}",
                caller.principal()
            ),
            Self::KeytabRead { file, keys } => {
                write!(f, "the keytab {} was read again: {keys} keys", file.path().display())
            }
            Self::KeytabUnusable { why, .. } => write!(f, "{why}; the keys that were read before stay in force"),
        }
    }
}
