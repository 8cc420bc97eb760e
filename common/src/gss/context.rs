use core::time::Duration;

use super::context_error::ContextError;
use super::context_flags::ContextFlags;
use crate::ap::{Agreement, Role, SequenceWindow};
use crate::crypto::Key;
use crate::name::Principal;
use crate::time::KerberosTime;

/// A context that both ends have agreed on: it protects messages under keys that nobody else has.
///
/// Messages have numbers, and each end counts its own; [`Context::wrap`] and [`Context::mic`] count together.
#[derive(Debug)]
pub struct Context {
    role: Role,
    flags: ContextFlags,
    initiator: Principal,
    acceptor: Principal,
    endtime: KerberosTime,
    grace: Duration,
    pub(super) initiator_key: Key,
    pub(super) acceptor_subkey: Option<Key>,
    send: u64,
    receive: Option<SequenceWindow<u64>>,
}

/// What a context is made of.
pub(super) struct Established<'a> {
    pub(super) agreed: &'a Agreement,
    pub(super) flags: ContextFlags,
    pub(super) initiator: Principal,
    pub(super) acceptor: Principal,
    pub(super) endtime: KerberosTime,
    /// How long after its end a context still serves.
    pub(super) grace: Duration,
}

impl Context {
    pub(super) fn new(established: Established<'_>) -> Self {
        let Established {
            agreed,
            flags,
            initiator,
            acceptor,
            endtime,
            grace,
        } = established;
        Self {
            role: agreed.role(),
            flags,
            initiator,
            acceptor,
            endtime,
            grace,
            initiator_key: agreed.initiator_key().clone(),
            acceptor_subkey: agreed.acceptor_subkey().cloned(),
            send: agreed.send_seq().into(),
            receive: window(flags, agreed.receive_seq().into()),
        }
    }

    /// What the context does. Confidentiality and integrity are there even if the initiator did not ask for them.
    #[must_use]
    pub const fn flags(&self) -> ContextFlags {
        self.flags
    }

    /// Which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The client.
    #[must_use]
    pub const fn initiator(&self) -> &Principal {
        &self.initiator
    }

    /// The service.
    #[must_use]
    pub const fn acceptor(&self) -> &Principal {
        &self.acceptor
    }

    /// Until when the context serves: the ticket's end. An acceptor's serves on for the skew that it allows.
    #[must_use]
    pub const fn endtime(&self) -> KerberosTime {
        self.endtime
    }

    /// The key of all messages.
    pub(super) fn key(&self) -> &Key {
        self.acceptor_subkey.as_ref().unwrap_or(&self.initiator_key)
    }

    pub(super) fn check_current(&self, now: KerberosTime) -> Result<(), ContextError> {
        if now > self.endtime.plus(self.grace) {
            return Err(ContextError::Expired {
                endtime: self.endtime,
                now,
            });
        }
        Ok(())
    }

    /// The number of the next message from here.
    pub(super) const fn next_number(&mut self) -> u64 {
        let number = self.send;
        self.send = number.wrapping_add(1);
        number
    }

    /// Takes the number of a message whose MAC is right.
    pub(super) fn take_number(&mut self, found: u64) -> Result<(), ContextError> {
        match &mut self.receive {
            Some(window) => window.take(found).map_err(ContextError::Sequence),
            None => Ok(()),
        }
    }
}

/// RFC 2743 §1.2.3: what is checked of numbers depends on what the initiator asked for.
fn window(flags: ContextFlags, first: u64) -> Option<SequenceWindow<u64>> {
    if flags.contains(ContextFlags::SEQUENCE) {
        Some(SequenceWindow::in_order(first))
    } else if flags.contains(ContextFlags::REPLAY) {
        Some(SequenceWindow::datagrams(first))
    } else {
        None
    }
}
