use core::fmt;
use std::sync::Arc;

use tessera_common::ap;
use tessera_common::credential::Credential;
use tessera_common::crypto::EncType;
use tessera_common::flags::TicketFlags;
use tessera_common::gss::ContextFlags;
use tessera_common::name::Principal;
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

/// Who is calling: a client that proved itself, and what its realm says of it. Cheap to clone.
///
/// Who may do what is for the service to decide: by the principal, by its id, or by the roles.
#[derive(Clone)]
pub struct Caller(Arc<Details>);

struct Details {
    peer: ap::Accepted,
    flags: ContextFlags,
    delegated: Option<Credential>,
}

/// How a caller was authenticated when it logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factors<'a> {
    /// It proved that it knows its key before it got anything.
    pub pre_authenticated: bool,
    /// It used a device that was made for it.
    pub hardware: bool,
    /// The ticket for this service comes from the login itself, and not from a ticket-granting ticket: the caller's key was used for it
    /// just then.
    pub initial: bool,
    /// The kinds of proof in the KDC's words (RFC 8129), where it vouches for them.
    pub indicators: &'a [String],
}

impl Caller {
    pub(super) fn new(peer: ap::Accepted, flags: ContextFlags, delegated: Option<Credential>) -> Self {
        Self(Arc::new(Details { peer, flags, delegated }))
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        self.0.peer.client()
    }

    /// Which service it called: the owner of the key that the ticket was under.
    #[must_use]
    pub fn service(&self) -> &Principal {
        self.0.peer.service()
    }

    /// What its name may change and this does not: whoever is given the same name later has another. `None`: its KDC gives
    /// none.
    #[must_use]
    pub fn id(&self) -> Option<[u8; 16]> {
        self.0.peer.vouched().principal_id()
    }

    /// Its roles in the realm when the ticket was issued, sorted. None where the KDC vouches for none.
    #[must_use]
    pub fn roles(&self) -> &[RoleName] {
        self.0.peer.vouched().roles()
    }

    /// Whether it has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.0.peer.vouched().has_role(role)
    }

    /// How it was authenticated.
    #[must_use]
    pub fn factors(&self) -> Factors<'_> {
        let flags = self.ticket_flags();
        Factors {
            pre_authenticated: flags.contains(TicketFlags::PRE_AUTHENT),
            hardware: flags.contains(TicketFlags::HW_AUTHENT),
            initial: flags.contains(TicketFlags::INITIAL),
            indicators: self.0.peer.vouched().indicators(),
        }
    }

    /// When it logged in.
    #[must_use]
    pub fn authtime(&self) -> KerberosTime {
        self.0.peer.authtime()
    }

    /// From when on the ticket is good.
    #[must_use]
    pub fn starttime(&self) -> KerberosTime {
        self.0.peer.starttime()
    }

    /// Until when the ticket is good: nothing that goes on on its strength should last longer.
    #[must_use]
    pub fn endtime(&self) -> KerberosTime {
        self.0.peer.endtime()
    }

    /// Until when it can be renewed.
    #[must_use]
    pub fn renew_till(&self) -> Option<KerberosTime> {
        self.0.peer.renew_till()
    }

    /// The enctype that the ticket was under.
    #[must_use]
    pub fn ticket_enctype(&self) -> EncType {
        self.0.peer.ticket().etype()
    }

    /// The enctype of the session key.
    #[must_use]
    pub fn session_enctype(&self) -> EncType {
        self.0.peer.session_key().etype()
    }

    /// The ticket's flags.
    #[must_use]
    pub fn ticket_flags(&self) -> TicketFlags {
        self.0.peer.flags()
    }

    /// What the client asked of the context.
    #[must_use]
    pub fn context_flags(&self) -> ContextFlags {
        self.0.flags
    }

    /// Whether the client's channel is known to end here: both ends have the same bindings.
    #[must_use]
    pub fn channel_bound(&self) -> bool {
        self.0.flags.contains(ContextFlags::CHANNEL_BOUND)
    }

    /// The forwarded ticket-granting ticket that it handed over, to act in its name with.
    #[must_use]
    pub fn delegated(&self) -> Option<&Credential> {
        self.0.delegated.as_ref()
    }

    /// The ticket and the authenticator, for who needs more of them.
    #[must_use]
    pub fn accepted(&self) -> &ap::Accepted {
        &self.0.peer
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("principal", self.principal())
            .field("service", self.service())
            .field("roles", &self.roles())
            .finish_non_exhaustive()
    }
}
