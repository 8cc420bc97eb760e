use crate::Random;
use crate::crypto::{EncType, Key};
use crate::wire::{HostAddress, addr_type};

/// Which side of an AP exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The client, that sent the AP-REQ.
    Initiator,
    /// The service, that got it.
    Acceptor,
}

impl Role {
    /// The other side.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Initiator => Self::Acceptor,
            Self::Acceptor => Self::Initiator,
        }
    }

    /// The directional address of this side (RFC 4120 §7.5.3): it tells who sent a message without telling from where, so
    /// that address translation does no harm and no message can be turned back on its sender.
    #[must_use]
    pub fn address(self) -> HostAddress {
        let direction: u32 = match self {
            Self::Initiator => 0,
            Self::Acceptor => 1,
        };
        HostAddress {
            addr_type: addr_type::DIRECTIONAL,
            address: direction.to_be_bytes().as_slice().into(),
        }
    }
}

/// What a service adds in its AP-REP.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    subkey: Option<Key>,
    seq_number: Option<u32>,
}

impl Answer {
    /// Nothing: the client's subkey, or else the session key, stays in use.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// A key and a sequence number of the service's own, as a new session should have.
    #[must_use]
    pub fn fresh(etype: EncType, random: &mut dyn Random) -> Self {
        Self {
            subkey: Some(Key::random(etype, random)),
            seq_number: Some(first_seq_number(random)),
        }
    }

    /// With this key for the session.
    #[must_use]
    pub fn with_subkey(mut self, subkey: Key) -> Self {
        self.subkey = Some(subkey);
        self
    }

    /// With this as the number of the service's first message.
    #[must_use]
    pub const fn with_seq_number(mut self, first: u32) -> Self {
        self.seq_number = Some(first);
        self
    }

    pub(super) const fn subkey(&self) -> Option<&Key> {
        self.subkey.as_ref()
    }

    pub(super) const fn seq_number(&self) -> Option<u32> {
        self.seq_number
    }
}

/// A sequence number to begin with: 30 random bits, since some programs read larger ones as negative numbers and count on
/// from there (RFC 4120 §5.5.1).
pub fn first_seq_number(random: &mut dyn Random) -> u32 {
    let mut octets = [0; 4];
    random.fill(&mut octets);
    u32::from_be_bytes(octets) & 0x3fff_ffff
}

/// What the two sides of an AP exchange have agreed on.
#[derive(Clone, Debug)]
pub struct Agreement {
    role: Role,
    session_key: Key,
    initiator_subkey: Option<Key>,
    acceptor_subkey: Option<Key>,
    send_seq: u32,
    receive_seq: u32,
}

impl Agreement {
    pub(super) fn new(role: Role, session_key: &Key, initiator_subkey: Option<&Key>) -> Self {
        Self {
            role,
            session_key: session_key.clone(),
            initiator_subkey: initiator_subkey.cloned(),
            acceptor_subkey: None,
            send_seq: 0,
            receive_seq: 0,
        }
    }

    pub(super) fn with_acceptor_subkey(mut self, subkey: Option<Key>) -> Self {
        self.acceptor_subkey = subkey;
        self
    }

    pub(super) const fn with_seq_numbers(mut self, send: u32, receive: u32) -> Self {
        self.send_seq = send;
        self.receive_seq = receive;
        self
    }

    /// Which side this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The key for everything that follows: the service's subkey, or else the client's, or else the session key.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.acceptor_subkey.as_ref().unwrap_or_else(|| self.initiator_key())
    }

    /// The key that stands as soon as the client has sent its AP-REQ: its subkey, or else the session key.
    #[must_use]
    pub fn initiator_key(&self) -> &Key {
        self.initiator_subkey.as_ref().unwrap_or(&self.session_key)
    }

    /// The service's choice of a key, if it made one.
    #[must_use]
    pub const fn acceptor_subkey(&self) -> Option<&Key> {
        self.acceptor_subkey.as_ref()
    }

    /// The ticket's session key.
    #[must_use]
    pub const fn session_key(&self) -> &Key {
        &self.session_key
    }

    /// The number of the first message that this side sends; 0 when it named none.
    #[must_use]
    pub const fn send_seq(&self) -> u32 {
        self.send_seq
    }

    /// The number of the first message that the other side sends; 0 when it named none.
    #[must_use]
    pub const fn receive_seq(&self) -> u32 {
        self.receive_seq
    }
}
