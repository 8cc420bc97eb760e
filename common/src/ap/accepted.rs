use zeroize::Zeroizing;

use super::agreement::{Agreement, Answer, Role};
use super::authenticator::OpenAuthenticator;
use super::message_error::MessageError;
use super::ticket::OpenTicket;
use super::vouched::Vouched;
use crate::Random;
use crate::crypto::{Key, KeyUsage};
use crate::flags::{ApOptions, TicketFlags};
use crate::name::Principal;
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{
    self, ApRep, AuthorizationDataElement, Checksum, EncApRepPart, EncryptedData, HostAddress, Microseconds, UInt32,
};

/// A client that proved itself, with a ticket that is good here and now.
#[derive(Clone, Debug)]
pub struct Accepted {
    service: Principal,
    options: ApOptions,
    ticket: OpenTicket,
    authenticator: OpenAuthenticator,
    vouched: Vouched,
}

impl Accepted {
    pub(super) const fn new(
        service: Principal,
        options: ApOptions,
        ticket: OpenTicket,
        authenticator: OpenAuthenticator,
        vouched: Vouched,
    ) -> Self {
        Self {
            service,
            options,
            ticket,
            authenticator,
            vouched,
        }
    }

    /// Who it is.
    #[must_use]
    pub const fn client(&self) -> &Principal {
        self.ticket.client()
    }

    /// Which of the services the ticket is for: the owner of the key that it was under.
    #[must_use]
    pub const fn service(&self) -> &Principal {
        &self.service
    }

    /// The ticket, opened and checked: for who needs more of it than the accessors here give.
    #[must_use]
    pub const fn ticket(&self) -> &OpenTicket {
        &self.ticket
    }

    /// What the KDC vouches for beside the client's name: its roles and immutable id, and how it was authenticated. A service
    /// logs [`Vouched::problem`], if there is one.
    #[must_use]
    pub const fn vouched(&self) -> &Vouched {
        &self.vouched
    }

    /// The ticket's flags.
    #[must_use]
    pub const fn flags(&self) -> TicketFlags {
        self.ticket.flags()
    }

    /// When the client was authenticated first.
    #[must_use]
    pub const fn authtime(&self) -> KerberosTime {
        self.ticket.authtime()
    }

    /// From when on the ticket is good.
    #[must_use]
    pub fn starttime(&self) -> KerberosTime {
        self.ticket.starttime()
    }

    /// Until when the ticket is good: no session on its strength should last longer.
    #[must_use]
    pub const fn endtime(&self) -> KerberosTime {
        self.ticket.endtime()
    }

    /// Until when the client can have the ticket renewed.
    #[must_use]
    pub const fn renew_till(&self) -> Option<KerberosTime> {
        self.ticket.renew_till()
    }

    /// The addresses that the ticket may be used from; empty, from anywhere.
    #[must_use]
    pub fn addresses(&self) -> &[HostAddress] {
        self.ticket.addresses()
    }

    /// The ticket's authorization data, as it stands there. An element that is not inside IF-RELEVANT and that the service
    /// does not understand is a reason to refuse the client (RFC 4120 §5.2.6).
    #[must_use]
    pub fn authorization_data(&self) -> &[AuthorizationDataElement] {
        self.ticket.authorization_data()
    }

    /// What the client added to it in the authenticator: restrictions of its own, nothing that a KDC vouches for.
    #[must_use]
    pub fn client_authorization_data(&self) -> &[AuthorizationDataElement] {
        self.authenticator.authorization_data()
    }

    /// The ticket's session key.
    #[must_use]
    pub const fn session_key(&self) -> &Key {
        self.ticket.session_key()
    }

    /// The client's choice of a key for this session.
    #[must_use]
    pub const fn subkey(&self) -> Option<&Key> {
        self.authenticator.subkey()
    }

    /// The client's first sequence number.
    #[must_use]
    pub const fn seq_number(&self) -> Option<u32> {
        self.authenticator.seq_number()
    }

    /// The client's time, `ctime` and `cusec`.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.authenticator.time()
    }

    /// What the client asked for.
    #[must_use]
    pub const fn options(&self) -> ApOptions {
        self.options
    }

    /// Whether the client waits for an AP-REP.
    #[must_use]
    pub const fn mutual_required(&self) -> bool {
        self.options.contains(ApOptions::MUTUAL_REQUIRED)
    }

    /// The authenticator's checksum, not verified; [`Accepted::verify_checksum`] does that for all but GSS-API's `0x8003`.
    #[must_use]
    pub const fn checksum(&self) -> Option<&Checksum> {
        self.authenticator.checksum()
    }

    /// Verifies that the client made its checksum over `data`. Only the keyed checksum of the session key is taken.
    ///
    /// # Errors
    /// [`MessageError::NoChecksum`], [`MessageError::ChecksumType`] or [`MessageError::Modified`].
    pub fn verify_checksum(&self, data: &[u8]) -> Result<(), MessageError> {
        let checksum = self.checksum().ok_or(MessageError::NoChecksum)?;
        super::message_error::verify(self.session_key(), KeyUsage::AP_REQ_CHECKSUM, data, checksum)
    }

    /// RFC 4120 §3.2.4: the AP-REP, encoded, and what both sides then agree on.
    #[must_use]
    pub fn reply(&self, answer: &Answer, random: &mut dyn Random) -> (Vec<u8>, Agreement) {
        let time = self.time();
        let part = EncApRepPart {
            ctime: time.time,
            cusec: Microseconds(time.usec),
            subkey: answer.subkey().map(Into::into),
            seq_number: answer.seq_number().map(UInt32),
        };
        let plain = Zeroizing::new(wire::encode(&part));
        let cipher = self.session_key().encrypt(KeyUsage::AP_REP, &plain, random);
        let ap_rep = wire::encode(&ApRep {
            pvno: wire::PVNO,
            msg_type: wire::msg_type::AP_REP,
            enc_part: EncryptedData {
                etype: self.session_key().etype().number(),
                kvno: None,
                cipher: cipher.into(),
            },
        });
        let agreement = Agreement::new(Role::Acceptor, self.session_key(), self.subkey())
            .with_acceptor_subkey(answer.subkey().cloned())
            .with_seq_numbers(answer.seq_number().unwrap_or(0), self.seq_number().unwrap_or(0));
        (ap_rep, agreement)
    }

    /// What both sides agree on when no AP-REP is sent.
    #[must_use]
    pub fn agreement_without_reply(&self) -> Agreement {
        // The RFC does not say where the service's numbers begin then; MIT's begin with the client's.
        let first = self.seq_number().unwrap_or(0);
        Agreement::new(Role::Acceptor, self.session_key(), self.subkey()).with_seq_numbers(first, first)
    }
}
