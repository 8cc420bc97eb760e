//! Who asks for something, and by what right.

use std::net::SocketAddr;

use nix::unistd::Uid;
use tessera_common::admin::SOCKET;
use tessera_common::name::Principal;
use tessera_common::time::KerberosTime;

use super::rights::Rights;
use crate::realm::authentication::Factors;
use crate::realm::principal::PrincipalId;
use crate::store::Author;

/// Whoever asks, with what is known of them for sure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Over the socket in the state directory: root, or the daemon's own user.
    Local {
        /// As the kernel tells it.
        uid: Uid,
    },
    /// Over a network, with a ticket.
    Remote {
        /// The principal that it was issued to.
        id: PrincipalId,
        /// What that is called now.
        name: Principal,
        /// The connection's other end.
        from: SocketAddr,
        /// What was proved to get the ticket.
        factors: Factors,
    },
}

impl Caller {
    /// For the journal, and for the log.
    pub(super) fn author(&self, when: KerberosTime) -> Author {
        let (who, from, factors) = match self {
            Self::Local { uid } => (format!("uid {uid}"), SOCKET.to_owned(), "peer-credentials"),
            Self::Remote {
                name, from, factors, ..
            } => (name.to_string(), from.to_string(), factors.name()),
        };
        Author {
            who,
            from: Some(from),
            factors: Some(factors.to_owned()),
            when,
        }
    }

    /// Whose rights count.
    pub(super) const fn rights(&self) -> Rights {
        match self {
            Self::Local { .. } => Rights::Everything,
            Self::Remote { id, .. } => Rights::Of(*id),
        }
    }
}
