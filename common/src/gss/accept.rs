use core::net::IpAddr;

use super::accept_error::{AcceptError, Refusal};
use super::bindings::{BindingPolicy, ChannelBindings};
use super::checksum::{self, InitiatorFields};
use super::context::{Context, Established};
use super::context_flags::ContextFlags;
use super::token::{frame, oid, tok_id, unframe};
use crate::Random;
use crate::ap::{self, Answer, ApRequest, MessageError, ReplayCache, ServiceKeys, krb_cred};
use crate::credential::Credential;
use crate::time::Timestamp;
use crate::wire::{self, AuthorizationData, AuthorizationDataElement, ad_type};

// What of the initiator's flags is the context's. Whether something was delegated and whether the bindings are the same is
// for the acceptor to find.
const TAKEN: ContextFlags = ContextFlags(
    ContextFlags::MUTUAL.0
        | ContextFlags::REPLAY.0
        | ContextFlags::SEQUENCE.0
        | ContextFlags::CONF.0
        | ContextFlags::INTEG.0
        | ContextFlags::IDENTIFY.0
        | ContextFlags::EXTENDED_ERROR.0,
);

// The first octet of an AP-REQ, which stands in a token without a frame where DCE's style is spoken.
const AP_REQ_TAG: u8 = 0x6e;

// KERB_AP_OPTIONS_CBT, in AD-AP-OPTIONS.
const AP_OPTIONS_CBT: u32 = 0x4000;

// How deep IF-RELEVANT is looked into.
const MAX_DEPTH: u32 = 4;

/// A service's side of new contexts. Made once, used for every client.
#[derive(Clone, Debug)]
pub struct Acceptor {
    ap: ap::Acceptor,
    bindings: Option<ChannelBindings>,
    policy: BindingPolicy,
}

impl Acceptor {
    /// For the services, and by the rules, of `ap`.
    #[must_use]
    pub const fn new(ap: ap::Acceptor) -> Self {
        Self {
            ap,
            bindings: None,
            policy: BindingPolicy::IfPresent,
        }
    }

    /// With the bindings of the channel that clients come through, and what is made of theirs. Without bindings of one's own,
    /// [`BindingPolicy::Require`] lets nobody in, and the others everybody.
    #[must_use]
    pub const fn with_bindings(mut self, bindings: Option<ChannelBindings>, policy: BindingPolicy) -> Self {
        self.bindings = bindings;
        self.policy = policy;
        self
    }

    /// Makes a context of a client's first token; the mechanism needs no other. `from` is the client's address; without one,
    /// a ticket's addresses are not looked at.
    ///
    /// # Errors
    /// [`AcceptError`]: log it, and send the peer [`AcceptError::reply_token`], if the protocol has a place for it.
    pub fn accept(
        &self,
        token: &[u8],
        keys: &(impl ServiceKeys + ?Sized),
        replays: &(impl ReplayCache + ?Sized),
        from: Option<IpAddr>,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<Accepted, AcceptError> {
        let (mechanism, ap_req) = ap_req(token)?;
        let request = ApRequest::decode(ap_req).map_err(Refusal::Ap)?;
        let refused = |why| AcceptError::answering(why, &request, mechanism, now);
        let peer = self.ap.accept_request(&request, keys, replays, from, now.time);
        let peer = peer.map_err(|why| refused(Refusal::Ap(why)))?;
        let asked = self.asked(&peer).map_err(|why| refused(why).of(&peer))?;
        let (token, agreed) = if asked.flags.contains(ContextFlags::MUTUAL) {
            // Of the session key's enctype, though RFC 4537 would allow another.
            let answer = Answer::fresh(peer.session_key().etype(), random);
            let (ap_rep, agreed) = peer.reply(&answer, random);
            (Some(frame(mechanism, &tok_id::AP_REP, &ap_rep)), agreed)
        } else {
            (None, peer.agreement_without_reply())
        };
        let context = Context::new(Established {
            agreed: &agreed,
            flags: asked.flags,
            initiator: peer.client().clone(),
            acceptor: peer.service().clone(),
            endtime: peer.endtime(),
            grace: self.ap.skew(),
        });
        Ok(Accepted {
            token,
            context,
            peer,
            delegated: asked.delegated,
        })
    }

    /// What the client asks for, in the place of its checksum.
    fn asked(&self, peer: &ap::Accepted) -> Result<Asked, Refusal> {
        let (fields, mut flags) = match peer.checksum() {
            // Some SMB clients send no checksum. MIT's library and Windows take it for one with no flags and no bindings.
            None => (None, ContextFlags::empty()),
            Some(checksum) if checksum.cksumtype == checksum::CKSUMTYPE => {
                let fields = InitiatorFields::parse(&checksum.checksum).map_err(Refusal::Checksum)?;
                if fields.flags.contains(ContextFlags::DCE_STYLE) {
                    return Err(Refusal::DceStyle);
                }
                (Some(fields), ContextFlags(fields.flags.0 & TAKEN.0))
            }
            // Samba's client sends an ordinary one over nothing. As with MIT, it is verified, so that no authenticator with a
            // checksum over something else is taken for one of GSS-API, and the flags are guessed.
            Some(_) => {
                peer.verify_checksum(&[]).map_err(Refusal::PlainChecksum)?;
                let guessed = ContextFlags::REPLAY | ContextFlags::SEQUENCE;
                (None, guessed.set(ContextFlags::MUTUAL, peer.mutual_required()))
            }
        };
        let bound = self.check_bindings(fields.and_then(|fields| fields.bindings), peer)?;
        flags = flags.set(ContextFlags::CHANNEL_BOUND, bound);
        let delegated = fields.and_then(|fields| fields.delegated);
        let delegated = delegated.map(|octets| delegated_credential(octets, peer)).transpose()?;
        Ok(Asked {
            flags: flags.set(ContextFlags::DELEG, delegated.is_some()),
            delegated,
        })
    }

    /// Whether the client's bindings are the same as those here, where that may be left open.
    fn check_bindings(&self, sent: Option<[u8; 16]>, peer: &ap::Accepted) -> Result<bool, Refusal> {
        let always_sent = announces_bindings(peer.client_authorization_data(), MAX_DEPTH)?;
        let own = match (self.policy, &self.bindings) {
            (BindingPolicy::Ignore, _) | (BindingPolicy::IfPresent, None) => return Ok(false),
            (BindingPolicy::Require, None) => return Err(Refusal::NoOwnBindings),
            (BindingPolicy::IfPresent | BindingPolicy::Require, Some(own)) => own,
        };
        match sent {
            Some(sent) if own.matches(&sent) => Ok(true),
            Some(_) => Err(Refusal::OtherBindings),
            None if self.policy == BindingPolicy::Require || always_sent => Err(Refusal::NoBindings),
            None => Ok(false),
        }
    }
}

struct Asked {
    flags: ContextFlags,
    delegated: Option<Credential>,
}

/// Takes the frame off a first token. Gives the mechanism's OID, which the answer has again, and the AP-REQ.
fn ap_req(token: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if token.first() == Some(&AP_REQ_TAG) {
        return Err(Refusal::DceStyle);
    }
    let framed = unframe(token).map_err(Refusal::Frame)?;
    if ![oid::KRB5, oid::MICROSOFT_KRB5].contains(&framed.mechanism) {
        return Err(Refusal::Mechanism);
    }
    match framed.inner.split_first_chunk() {
        Some((&tok_id::AP_REQ, ap_req)) => Ok((framed.mechanism, ap_req)),
        _ => Err(Refusal::TokenId),
    }
}

/// The forwarded TGT. RFC 4121 §4.1.1 has it under the session key; some clients take their subkey, and old ones of MIT's no
/// key at all, since it stands inside the authenticator. More than one has never been sent: the first counts, as with MIT.
fn delegated_credential(octets: &[u8], peer: &ap::Accepted) -> Result<Credential, Refusal> {
    let session_key = peer.session_key();
    let keys = [session_key, peer.subkey().unwrap_or(session_key)];
    let opened = match krb_cred::read(krb_cred::Protection::Keys(&keys), octets) {
        Err(MessageError::Cleartext) => krb_cred::read(krb_cred::Protection::Outside, octets),
        other => other,
    };
    let opened = opened.map_err(Refusal::Delegated)?;
    opened.credentials.into_iter().next().ok_or(Refusal::NothingDelegated)
}

/// Whether the client says that it sends bindings wherever there are any (MS-KILE §3.2.5.8): then none are a sign of
/// somebody who took the authenticator from another channel.
fn announces_bindings(elements: &[AuthorizationDataElement], depth: u32) -> Result<bool, Refusal> {
    let mut announced = false;
    for element in elements {
        announced |= match element.ad_type {
            ad_type::AP_OPTIONS => {
                let flags = element.ad_data.first_chunk().filter(|_| element.ad_data.len() == 4);
                let flags = u32::from_le_bytes(*flags.ok_or(Refusal::ApOptions)?);
                flags & AP_OPTIONS_CBT != 0
            }
            ad_type::IF_RELEVANT if depth > 0 => {
                let inside: AuthorizationData = wire::decode(&element.ad_data).map_err(|_| Refusal::ApOptions)?;
                announces_bindings(&inside, depth - 1)?
            }
            _ => false,
        };
    }
    Ok(announced)
}

/// A client that proved itself, and the context with it.
#[derive(Debug)]
pub struct Accepted {
    token: Option<Vec<u8>>,
    context: Context,
    peer: ap::Accepted,
    delegated: Option<Credential>,
}

impl Accepted {
    /// What is to be sent to the client. It can use the context only with it; `None`, if it asked for none.
    #[must_use]
    pub fn token(&self) -> Option<&[u8]> {
        self.token.as_deref()
    }

    /// The context.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The context, to wrap and unwrap with.
    #[must_use]
    pub const fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// Who the client is, and its ticket.
    #[must_use]
    pub const fn peer(&self) -> &ap::Accepted {
        &self.peer
    }

    /// The forwarded TGT that the client sent along. Whose it is, it says itself: nobody but the realm that issued it can
    /// tell whether that is true, and does so when it is used.
    #[must_use]
    pub const fn delegated(&self) -> Option<&Credential> {
        self.delegated.as_ref()
    }

    /// The token to send, the context, the client and its ticket, and the forwarded TGT.
    #[must_use]
    pub fn into_parts(self) -> (Option<Vec<u8>>, Context, ap::Accepted, Option<Credential>) {
        (self.token, self.context, self.peer, self.delegated)
    }
}
