use core::fmt;

use super::der::{ENUMERATED, Fields, GENERAL_STRING, OCTET_STRING, content, context};
use super::mech::{MAX_MECHS, Mech, MechTypeList};
use crate::gss::token::{frame, unframe};
use crate::gss::{FrameError, oid};
use crate::tlv::{OID, SEQUENCE, value};

/// The largest token that is looked at, in octets: what Windows' `MaxTokenSize` can be set to, which is the size of the
/// largest AP-REQ that it makes, privileges and all.
pub const MAX_TOKEN: usize = 64 * 1024;

/// Why octets are no token of the negotiation. It holds no octet of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// No octets.
    Empty,
    /// More than [`MAX_TOKEN`] octets: this many.
    TooLarge(usize),
    /// Cut short, not DER, with octets behind the end, or neither of the two messages.
    Framing,
    /// A field is of another type than RFC 4178 says, or stands where it may not.
    Malformed(&'static str),
    /// No mechanism is offered.
    NoMechs,
    /// More than [`MAX_MECHS`] mechanisms are offered.
    TooManyMechs,
    /// Framed as RFC 2743 §3.1 says, but for this mechanism.
    OtherMech(Mech),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the token is empty"),
            Self::TooLarge(octets) => write!(f, "the token has {octets} octets, more than {MAX_TOKEN}"),
            Self::Framing => f.write_str("the token is cut short, or no SPNEGO"),
            Self::Malformed(field) => write!(f, "the token's {field} is malformed"),
            Self::NoMechs => f.write_str("the token offers no mechanism"),
            Self::TooManyMechs => write!(f, "the token offers more than {MAX_MECHS} mechanisms"),
            Self::OtherMech(mech) => write!(f, "the token is of the mechanism {mech}"),
        }
    }
}

impl core::error::Error for TokenError {}

/// RFC 4178 §4.2: a message of the negotiation.
///
/// ```asn1
/// NegotiationToken ::= CHOICE {
///         negTokenInit    [0] NegTokenInit,
///         negTokenResp    [1] NegTokenResp
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NegToken<'a> {
    /// The first one.
    Init(NegTokenInit<'a>),
    /// Every other.
    Resp(NegTokenResp<'a>),
}

impl<'a> NegToken<'a> {
    /// Reads a token that is all of `octets`: a NegTokenInit in the framing of RFC 2743 §3.1, a NegTokenResp without it, or
    /// with it, as peers of long ago sent it.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn decode(octets: &'a [u8]) -> Result<Self, TokenError> {
        let framed = unframed(octets)?;
        let message = match framed {
            Some((Mech::Spnego, message)) => message,
            Some((other, _)) => return Err(TokenError::OtherMech(other)),
            None => octets,
        };
        if let Some(message) = content(message, context(1)) {
            return NegTokenResp::decode(message).map(Self::Resp);
        }
        let message = content(message, context(0)).filter(|_| framed.is_some());
        NegTokenInit::decode(message.ok_or(TokenError::Framing)?).map(Self::Init)
    }
}

/// What stands in the framing of RFC 2743 §3.1, and for which mechanism. `Ok(None)`: there is no framing.
pub(super) fn unframed(octets: &[u8]) -> Result<Option<(Mech, &[u8])>, TokenError> {
    if octets.is_empty() {
        return Err(TokenError::Empty);
    }
    if octets.len() > MAX_TOKEN {
        return Err(TokenError::TooLarge(octets.len()));
    }
    match unframe(octets) {
        Ok(framed) => Ok(Some((Mech::from_oid(framed.mechanism), framed.inner))),
        Err(FrameError::Tag) => Ok(None),
        Err(_) => Err(TokenError::Framing),
    }
}

/// RFC 4178 §4.2.1, and MS-SPNG §2.2.1 where it differs.
///
/// ```asn1
/// NegTokenInit ::= SEQUENCE {
///         mechTypes       [0] MechTypeList,
///         reqFlags        [1] ContextFlags  OPTIONAL,
///         mechToken       [2] OCTET STRING  OPTIONAL,
///         mechListMIC     [3] OCTET STRING  OPTIONAL,
///         ...
/// }
/// NegTokenInit2 ::= SEQUENCE {
///         mechTypes       [0] MechTypeList OPTIONAL,
///         reqFlags        [1] ContextFlags OPTIONAL,
///         mechToken       [2] OCTET STRING OPTIONAL,
///         negHints        [3] NegHints OPTIONAL,
///         mechListMIC     [4] OCTET STRING OPTIONAL,
///         ...
/// }
/// ```
///
/// The two are told apart by what stands under `[3]`. `reqFlags` is neither read nor written: RFC 4178 asks to leave it
/// alone, as nothing protects it. Fields of later versions are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegTokenInit<'a> {
    /// What the initiator offers.
    pub mech_types: MechTypeList,
    /// The first token of the mechanism that it likes best.
    pub mech_token: Option<&'a [u8]>,
    /// What a server of Windows says when it speaks first.
    pub hints: Option<NegHints<'a>>,
    /// A MIC over [`MechTypeList::octets`].
    pub mech_list_mic: Option<&'a [u8]>,
}

impl<'a> NegTokenInit<'a> {
    fn decode(octets: &'a [u8]) -> Result<Self, TokenError> {
        let fields = Fields::all_of(octets, SEQUENCE).and_then(Fields::numbered);
        let [mech_types, _req_flags, mech_token, third, fourth] =
            fields.ok_or(TokenError::Malformed("NegTokenInit"))?;
        let hints = third.filter(|octets| octets.first() == Some(&SEQUENCE));
        let mic = match (third, fourth) {
            (Some(mic), None) if hints.is_none() => Some(mic),
            (Some(_), Some(_)) if hints.is_none() => return Err(TokenError::Malformed("mechListMIC")),
            (_, fourth) => fourth,
        };
        Ok(Self {
            mech_types: MechTypeList::decode(mech_types.ok_or(TokenError::NoMechs)?)?,
            mech_token: octet_string(mech_token, "mechToken")?,
            hints: hints.map(NegHints::decode).transpose()?,
            mech_list_mic: octet_string(mic, "mechListMIC")?,
        })
    }

    /// The token's octets, framed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mic_number = if self.hints.is_some() { 4 } else { 3 };
        let mut fields = value(context(0), self.mech_types.octets());
        put_octet_string(&mut fields, 2, self.mech_token);
        if let Some(hints) = &self.hints {
            fields.extend(value(context(3), &hints.encode()));
        }
        put_octet_string(&mut fields, mic_number, self.mech_list_mic);
        frame(oid::SPNEGO, &[], &value(context(0), &value(SEQUENCE, &fields)))
    }
}

/// MS-SPNG §2.2.1. It was to help the initiator find the server's name, which nobody may believe.
///
/// ```asn1
/// NegHints ::= SEQUENCE {
///         hintName        [0] GeneralString OPTIONAL,
///         hintAddress     [1] OCTET STRING OPTIONAL
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegHints<'a> {
    /// `not_defined_in_RFC4178@please_ignore`.
    pub name: Option<&'a [u8]>,
    /// Not used.
    pub address: Option<&'a [u8]>,
}

impl<'a> NegHints<'a> {
    fn decode(octets: &'a [u8]) -> Result<Self, TokenError> {
        let malformed = TokenError::Malformed("negHints");
        let fields = Fields::all_of(octets, SEQUENCE).and_then(Fields::numbered);
        let [name, address] = fields.ok_or_else(|| malformed.clone())?;
        let name = name.map(|name| content(name, GENERAL_STRING).ok_or(malformed));
        Ok(Self {
            name: name.transpose()?,
            address: octet_string(address, "negHints")?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        if let Some(name) = self.name {
            fields.extend(value(context(0), &value(GENERAL_STRING, name)));
        }
        put_octet_string(&mut fields, 1, self.address);
        value(SEQUENCE, &fields)
    }
}

/// How far the negotiation is, in the sender's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegState {
    /// The sender has its context and expects nothing more.
    AcceptCompleted = 0,
    /// The sender waits for another token.
    AcceptIncomplete = 1,
    /// There will be no context.
    Reject = 2,
    /// As [`NegState::AcceptIncomplete`], in the acceptor's first answer: and MICs over the list will have to be exchanged.
    RequestMic = 3,
}

impl NegState {
    const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AcceptCompleted),
            1 => Some(Self::AcceptIncomplete),
            2 => Some(Self::Reject),
            3 => Some(Self::RequestMic),
            _ => None,
        }
    }
}

/// RFC 4178 §4.2.2.
///
/// ```asn1
/// NegTokenResp ::= SEQUENCE {
///         negState        [0] ENUMERATED {
///                 accept-completed    (0),
///                 accept-incomplete   (1),
///                 reject              (2),
///                 request-mic         (3)
///         } OPTIONAL,
///         supportedMech   [1] MechType      OPTIONAL,
///         responseToken   [2] OCTET STRING  OPTIONAL,
///         mechListMIC     [3] OCTET STRING  OPTIONAL,
///         ...
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NegTokenResp<'a> {
    /// How far it is.
    pub neg_state: Option<NegState>,
    /// Which mechanism the acceptor chose; in its first answer only.
    pub supported_mech: Option<Mech>,
    /// A token of that mechanism.
    pub response_token: Option<&'a [u8]>,
    /// A MIC over [`MechTypeList::octets`].
    pub mech_list_mic: Option<&'a [u8]>,
}

impl<'a> NegTokenResp<'a> {
    fn decode(octets: &'a [u8]) -> Result<Self, TokenError> {
        let fields = Fields::all_of(octets, SEQUENCE).and_then(Fields::numbered);
        let [state, mech, token, mic] = fields.ok_or(TokenError::Malformed("NegTokenResp"))?;
        let state = state.map(|state| match content(state, ENUMERATED) {
            Some(&[number]) => NegState::from_number(number).ok_or(TokenError::Malformed("negState")),
            _ => Err(TokenError::Malformed("negState")),
        });
        let mech = mech.map(|mech| {
            let oid = content(mech, OID).filter(|oid| !oid.is_empty());
            oid.map(Mech::from_oid).ok_or(TokenError::Malformed("supportedMech"))
        });
        Ok(Self {
            neg_state: state.transpose()?,
            supported_mech: mech.transpose()?,
            response_token: octet_string(token, "responseToken")?,
            mech_list_mic: octet_string(mic, "mechListMIC")?,
        })
    }

    /// The token's octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        if let Some(state) = self.neg_state {
            fields.extend(value(context(0), &value(ENUMERATED, &[state as u8])));
        }
        if let Some(mech) = &self.supported_mech {
            fields.extend(value(context(1), &value(OID, mech.oid())));
        }
        put_octet_string(&mut fields, 2, self.response_token);
        put_octet_string(&mut fields, 3, self.mech_list_mic);
        value(context(1), &value(SEQUENCE, &fields))
    }
}

fn octet_string<'a>(field: Option<&'a [u8]>, name: &'static str) -> Result<Option<&'a [u8]>, TokenError> {
    let string = field.map(|octets| content(octets, OCTET_STRING).ok_or(TokenError::Malformed(name)));
    string.transpose()
}

fn put_octet_string(fields: &mut Vec<u8>, number: u8, string: Option<&[u8]>) {
    if let Some(string) = string {
        fields.extend(value(context(number), &value(OCTET_STRING, string)));
    }
}
