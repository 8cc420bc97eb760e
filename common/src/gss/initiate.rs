use core::fmt;
use core::time::Duration;

use super::bindings::ChannelBindings;
use super::checksum::{self, MAX_DELEGATED};
use super::context::{Context, Established};
use super::context_flags::ContextFlags;
use super::token::{FrameError, frame, oid, tok_id, unframe};
use crate::Random;
use crate::ap::{self, Agreement, Initiated, ReplyError, krb_cred};
use crate::credential::Credential;
use crate::name::Principal;
use crate::time::{KerberosTime, Timestamp};

/// A client's side of a new context. Asks for everything but delegation: mutual authentication, protection from repeated
/// and reordered messages, confidentiality and integrity.
#[derive(Clone, Debug)]
pub struct Initiator<'a> {
    credential: &'a Credential,
    flags: ContextFlags,
    bindings: Option<ChannelBindings>,
    forwarded: Option<&'a Credential>,
}

const ASKED_FOR: ContextFlags = ContextFlags(
    ContextFlags::MUTUAL.0
        | ContextFlags::REPLAY.0
        | ContextFlags::SEQUENCE.0
        | ContextFlags::CONF.0
        | ContextFlags::INTEG.0,
);

impl<'a> Initiator<'a> {
    /// With the service that `credential` is a ticket for.
    #[must_use]
    pub const fn new(credential: &'a Credential) -> Self {
        Self {
            credential,
            flags: ASKED_FOR,
            bindings: None,
            forwarded: None,
        }
    }

    /// Hands the service `forwarded`, a forwarded TGT, to act for the client with (RFC 4121 §4.1.1). It goes as a KRB-CRED
    /// under the session key. One that would be longer than 65,535 octets stays here, and the context has no
    /// [`ContextFlags::DELEG`].
    #[must_use]
    pub const fn delegating(mut self, forwarded: &'a Credential) -> Self {
        self.forwarded = Some(forwarded);
        self
    }

    /// Ties the context to the channel that it is made in.
    #[must_use]
    pub const fn with_bindings(mut self, bindings: ChannelBindings) -> Self {
        self.bindings = Some(bindings);
        self
    }

    /// Asks for these, too: [`ContextFlags::IDENTIFY`], for one. What [`Initiator::start`], [`Initiator::start_one_way`] and
    /// [`Initiator::delegating`] decide is not changed by it, and DCE's style is not offered.
    #[must_use]
    pub const fn with(mut self, flags: ContextFlags) -> Self {
        self.flags = self.flags.with(flags);
        self
    }

    /// Does not ask for these: without [`ContextFlags::SEQUENCE`], messages may come in another order, and without
    /// [`ContextFlags::REPLAY`] besides, any number of times.
    #[must_use]
    pub const fn without(mut self, flags: ContextFlags) -> Self {
        self.flags = self.flags.without(flags);
        self
    }

    /// The first token, to which the service answers.
    pub fn start(mut self, now: Timestamp, random: &mut dyn Random) -> (Vec<u8>, AwaitingReply) {
        self.flags = self.flags.with(ContextFlags::MUTUAL);
        let (token, flags, request) = self.request(now, random);
        let awaiting = AwaitingReply {
            request,
            flags,
            initiator: self.credential.client.clone(),
            acceptor: self.credential.server.clone(),
            endtime: self.credential.times.endtime,
        };
        (token, awaiting)
    }

    /// The only token, where the service has no way to answer. It is then not proved to be itself before it sends something
    /// that is protected.
    pub fn start_one_way(mut self, now: Timestamp, random: &mut dyn Random) -> (Vec<u8>, Context) {
        self.flags = self.flags.without(ContextFlags::MUTUAL);
        let (token, flags, request) = self.request(now, random);
        let context = established(
            &request.agreement_without_reply(),
            flags,
            self.credential.client.clone(),
            self.credential.server.clone(),
            self.credential.times.endtime,
        );
        (token, context)
    }

    fn request(&self, now: Timestamp, random: &mut dyn Random) -> (Vec<u8>, ContextFlags, Initiated) {
        let delegated = self.forwarded.map(|forwarded| {
            let header = krb_cred::CredHeader {
                timestamp: Some(now),
                ..krb_cred::CredHeader::default()
            };
            let protection = krb_cred::Protection::Keys(&[&self.credential.key]);
            krb_cred::make(protection, &header, core::slice::from_ref(forwarded), random)
        });
        let delegated = delegated.filter(|octets| octets.len() <= MAX_DELEGATED);
        // That both ends have the same bindings is for the acceptor to say.
        let flags = self
            .flags
            .without(ContextFlags::DCE_STYLE | ContextFlags::CHANNEL_BOUND)
            .set(ContextFlags::DELEG, delegated.is_some());
        let checksum = checksum::make(self.bindings.as_ref(), flags, delegated.as_deref());
        let mut request = ap::Initiator::new(self.credential)
            .with_fresh_session(random)
            .with_checksum(checksum);
        if flags.contains(ContextFlags::MUTUAL) {
            request = request.mutual();
        }
        let request = request.request(now, random);
        let token = frame(oid::KRB5, &tok_id::AP_REQ, request.octets());
        (token, flags, request)
    }
}

/// A context whose service has not answered yet. It can do nothing else than read the answer.
#[derive(Debug)]
pub struct AwaitingReply {
    request: Initiated,
    flags: ContextFlags,
    initiator: Principal,
    acceptor: Principal,
    endtime: KerberosTime,
}

impl AwaitingReply {
    /// Reads the service's token, and with it has the context, or knows why there is none.
    ///
    /// # Errors
    /// [`InitiateError`]. Whoever sent an error token proved nothing: the service may still send the right one, but there is
    /// no telling, and the application begins anew.
    pub fn finish(self, token: &[u8]) -> Result<Context, InitiateError> {
        let framed = unframe(token).map_err(InitiateError::Frame)?;
        if ![oid::KRB5, oid::MICROSOFT_KRB5].contains(&framed.mechanism) {
            return Err(InitiateError::Mechanism);
        }
        let (tok_id, inner) = framed.inner.split_first_chunk().ok_or(InitiateError::TokenId)?;
        let agreed = match (*tok_id, self.request.verify_reply(inner)) {
            (tok_id::AP_REP, Err(ReplyError::Refused { .. })) => return Err(InitiateError::TokenId),
            (tok_id::AP_REP, agreed) => agreed.map_err(InitiateError::Reply)?,
            (tok_id::ERROR, Err(refused)) => return Err(InitiateError::Reply(refused)),
            _ => return Err(InitiateError::TokenId),
        };
        Ok(established(
            &agreed,
            self.flags,
            self.initiator,
            self.acceptor,
            self.endtime,
        ))
    }
}

fn established(
    agreed: &Agreement,
    flags: ContextFlags,
    initiator: Principal,
    acceptor: Principal,
    endtime: KerberosTime,
) -> Context {
    Context::new(Established {
        agreed,
        flags,
        initiator,
        acceptor,
        endtime,
        grace: Duration::ZERO,
    })
}

/// Why the service's token makes no context.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitiateError {
    /// No token of GSS-API.
    Frame(FrameError),
    /// A token of another mechanism.
    Mechanism,
    /// A token of this mechanism that is no answer to the first one.
    TokenId,
    /// The service refused, or its AP-REP is not the answer to this request.
    Reply(ReplyError),
}

impl fmt::Display for InitiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(why) => write!(f, "{why}"),
            Self::Mechanism => f.write_str("the service's token is of another mechanism than Kerberos"),
            Self::TokenId => f.write_str("the service's token is neither an AP-REP nor an error"),
            Self::Reply(why) => write!(f, "{why}"),
        }
    }
}

impl core::error::Error for InitiateError {}
