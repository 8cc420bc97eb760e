//! AS-REP, TGS-REP and KRB-ERROR, taken apart.

use super::crypto::Key;
use super::der::Element;

/// Ticket flags, bit 0 at the top.
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod flag {
    pub const FORWARDABLE: u32 = 1 << 30;
    pub const FORWARDED: u32 = 1 << 29;
    pub const PROXIABLE: u32 = 1 << 28;
    pub const PROXY: u32 = 1 << 27;
    pub const MAY_POSTDATE: u32 = 1 << 26;
    pub const POSTDATED: u32 = 1 << 25;
    pub const INVALID: u32 = 1 << 24;
    pub const RENEWABLE: u32 = 1 << 23;
    pub const INITIAL: u32 = 1 << 22;
    pub const PRE_AUTHENT: u32 = 1 << 21;
    pub const HW_AUTHENT: u32 = 1 << 20;
    pub const TRANSITED_POLICY_CHECKED: u32 = 1 << 19;
    pub const OK_AS_DELEGATE: u32 = 1 << 18;
    pub const ENC_PA_REP: u32 = 1 << 16;
}

/// What a KDC answers.
#[derive(Debug)]
pub enum Reply {
    /// AS-REP or TGS-REP.
    Rep(Rep),
    /// KRB-ERROR.
    Error(KrbError),
}

/// AS-REP or TGS-REP, not yet decrypted.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct Rep {
    pub msg_type: i64,
    pub padata: Vec<(i64, Vec<u8>)>,
    pub crealm: String,
    pub cname: String,
    /// Encoded.
    pub ticket: Vec<u8>,
    pub etype: i64,
    pub kvno: Option<i64>,
    pub cipher: Vec<u8>,
}

/// KRB-ERROR.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct KrbError {
    pub stime: i64,
    pub susec: i64,
    pub code: i64,
    pub crealm: Option<String>,
    pub cname: Option<String>,
    pub realm: String,
    pub sname: String,
    pub e_text: String,
    pub e_data: Option<Vec<u8>>,
}

/// `EncKDCRepPart`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct EncPart {
    /// 25 of AS-REP, 26 of TGS-REP.
    pub application: u8,
    pub etype: i64,
    pub key: Vec<u8>,
    pub last_req: usize,
    pub nonce: i64,
    pub key_expiration: Option<i64>,
    pub flags: u32,
    pub authtime: i64,
    pub starttime: Option<i64>,
    pub endtime: i64,
    pub renew_till: Option<i64>,
    pub srealm: String,
    pub sname: String,
    /// Type and address of each.
    pub caddr: Option<Vec<(i64, Vec<u8>)>>,
    pub encrypted_pa_data: Vec<(i64, Vec<u8>)>,
}

impl Reply {
    /// Takes an answer apart.
    #[must_use]
    #[track_caller]
    pub fn parse(bytes: &[u8]) -> Self {
        let message = Element::parse(bytes);
        match message.tag {
            0x6b | 0x6d => Self::Rep(Rep::parse(message)),
            0x7e => Self::Error(KrbError::parse(message)),
            tag => panic!("neither a reply nor an error: {tag:02x}"),
        }
    }

    /// It must be a reply.
    #[must_use]
    #[track_caller]
    pub fn rep(self) -> Rep {
        match self {
            Self::Rep(rep) => rep,
            Self::Error(error) => panic!("refused: {error:?}"),
        }
    }

    /// It must be an error.
    #[must_use]
    #[track_caller]
    pub fn error(self) -> KrbError {
        match self {
            Self::Error(error) => error,
            Self::Rep(rep) => panic!("a ticket was issued: {rep:?}"),
        }
    }

    /// The error's code; 0 for a reply.
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Self::Error(error) => error.code,
            Self::Rep(_) => 0,
        }
    }
}

impl Rep {
    fn parse(message: Element<'_>) -> Self {
        assert_eq!(message.field(0).integer(), 5);
        let enc_part = message.field(6);
        Self {
            msg_type: message.field(1).integer(),
            padata: message.optional(2).map(padata).unwrap_or_default(),
            crealm: message.field(3).text(),
            cname: name(message.field(4)),
            ticket: message.field(5).whole.to_vec(),
            etype: enc_part.field(0).integer(),
            kvno: enc_part.optional(1).map(Element::integer),
            cipher: enc_part.field(2).content.to_vec(),
        }
    }

    /// Its encrypted part, opened with this key for this usage.
    #[must_use]
    #[track_caller]
    pub fn open(&self, key: &Key, usage: u32) -> EncPart {
        EncPart::parse(
            &key.decrypt(usage, &self.cipher)
                .expect("the enc-part does not open with this key"),
        )
    }

    /// Enctype and kvno that the ticket is encrypted in.
    #[must_use]
    pub fn ticket_key(&self) -> (i64, Option<i64>) {
        let enc_part = Element::parse(&self.ticket).field(3);
        (enc_part.field(0).integer(), enc_part.optional(1).map(Element::integer))
    }
}

impl EncPart {
    fn parse(bytes: &[u8]) -> Self {
        let part = Element::parse(bytes);
        Self {
            application: part.tag & 0x1f,
            etype: part.field(0).field(0).integer(),
            key: part.field(0).field(1).content.to_vec(),
            last_req: part.field(1).children().len(),
            nonce: part.field(2).integer(),
            key_expiration: part.optional(3).map(Element::time),
            flags: part.field(4).bits(),
            authtime: part.field(5).time(),
            starttime: part.optional(6).map(Element::time),
            endtime: part.field(7).time(),
            renew_till: part.optional(8).map(Element::time),
            srealm: part.field(9).text(),
            sname: name(part.field(10)),
            caddr: part.optional(11).map(|addresses| pairs(addresses, 0)),
            encrypted_pa_data: part.optional(12).map(padata).unwrap_or_default(),
        }
    }

    /// The session key, which must be an `aes256-cts-hmac-sha1-96` one.
    #[must_use]
    #[track_caller]
    pub fn session_key(&self) -> Key {
        assert_eq!(self.etype, 18);
        Key(self.key.clone().try_into().unwrap())
    }

    /// Whether all of these flags are set.
    #[must_use]
    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }
}

impl KrbError {
    fn parse(message: Element<'_>) -> Self {
        assert_eq!(message.field(0).integer(), 5);
        assert_eq!(message.field(1).integer(), 30);
        Self {
            stime: message.field(4).time(),
            susec: message.field(5).integer(),
            code: message.field(6).integer(),
            crealm: message.optional(7).map(Element::text),
            cname: message.optional(8).map(name),
            realm: message.field(9).text(),
            sname: name(message.field(10)),
            e_text: message.optional(11).map(Element::text).unwrap_or_default(),
            e_data: message.optional(12).map(|data| data.content.to_vec()),
        }
    }

    /// The `METHOD-DATA` in its e-data: type and value of each.
    #[must_use]
    #[track_caller]
    pub fn methods(&self) -> Vec<(i64, Vec<u8>)> {
        padata(Element::parse(self.e_data.as_ref().expect("no e-data")))
    }
}

pub(super) fn name(element: Element<'_>) -> String {
    element
        .field(1)
        .children()
        .into_iter()
        .map(Element::text)
        .collect::<Vec<_>>()
        .join("/")
}

pub(super) fn padata(element: Element<'_>) -> Vec<(i64, Vec<u8>)> {
    pairs(element, 1)
}

pub(super) fn pairs(element: Element<'_>, first: u8) -> Vec<(i64, Vec<u8>)> {
    let pair = |item: &Element<'_>| (item.field(first).integer(), item.field(first + 1).content.to_vec());
    element.children().iter().map(pair).collect()
}
