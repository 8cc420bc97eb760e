//! The protocol of administration (docs/admin-protocol.md) by hand: frames of JSON, and over a network each in a Wrap token of
//! RFC 4121, made with a ticket of `aes256-cts-hmac-sha1-96`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use super::ap::{ApReq, AuthenticatorChecksum};
use super::crypto::Key;
use super::der::Element;
use super::session::Session;
use super::{Reply, random, socket};

/// The flags of a context (RFC 4121 §4.1.1.1).
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod context {
    pub const MUTUAL: u32 = 2;
    pub const REPLAY: u32 = 4;
    pub const SEQUENCE: u32 = 8;
    pub const CONF: u32 = 16;
    pub const INTEG: u32 = 32;
    /// What an honest client asks for.
    pub const USUAL: u32 = MUTUAL | REPLAY | SEQUENCE | CONF | INTEG;
}

/// The key's OID with its tag and length, and the token that is an AP-REQ.
const KRB5: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
const AP_REQ: [u8; 2] = [1, 0];
const AP_REP: [u8; 2] = [2, 0];
const ERROR: [u8; 2] = [3, 0];

/// The protocol's version.
pub const PROTOCOL: u64 = 4;

/// A first token, and what its answer is opened with.
#[derive(Clone, Debug)]
pub struct FirstToken {
    /// The token.
    pub octets: Vec<u8>,
    ap_req: (i64, i64),
    session_key: Key,
    subkey: Key,
    seq_number: u32,
}

impl FirstToken {
    /// One that nothing is wrong with but perhaps its flags.
    #[must_use]
    pub fn new(session: &Session, flags: u32) -> Self {
        Self::altered(session, flags, |_| {})
    }

    /// One whose AP-REQ is altered.
    #[must_use]
    pub fn altered(session: &Session, flags: u32, alter: impl Fn(&mut ApReq)) -> Self {
        let mut ap_req = ApReq::new(&session.ticket, &session.key, "EXAMPLE.COM", &session.client);
        let (subkey, seq_number) = (Key::random(), u32::from_be_bytes(random()) >> 2);
        ap_req.subkey = Some(subkey.clone());
        ap_req.seq_number = Some(seq_number);
        if flags & context::MUTUAL != 0 {
            ap_req.options = 1 << 29;
        }
        let fields = [&16_u32.to_le_bytes()[..], &[0; 16], &flags.to_le_bytes()].concat();
        ap_req.checksum = AuthenticatorChecksum::Raw(0x8003, fields);
        alter(&mut ap_req);
        Self {
            octets: framed(&[&AP_REQ[..], &ap_req.to_der(b"")].concat()),
            ap_req: (ap_req.ctime, ap_req.cusec),
            session_key: session.key.clone(),
            subkey,
            seq_number,
        }
    }
}

/// A token of the mechanism that begins a context.
#[must_use]
pub fn framed(inner: &[u8]) -> Vec<u8> {
    super::der::element(0x60, &[&KRB5[..], inner].concat())
}

/// What the daemon answers to a first token.
pub enum Answer {
    /// It takes it.
    Welcome(Box<Conversation>),
    /// A KRB-ERROR of this code.
    Error(i64),
    /// It hangs up.
    Nothing,
}

/// A sealed conversation.
pub struct Conversation {
    /// The connection.
    pub stream: TcpStream,
    key: Key,
    flags: u8,
    /// The number of the next token from here.
    pub send: u64,
    receive: u64,
}

/// Sends a first token over a connection, and reads the answer.
#[must_use]
#[track_caller]
pub fn begin(mut stream: TcpStream, first: &FirstToken) -> Answer {
    socket::send(&mut stream, &first.octets);
    let Some(answer) = socket::receive(&mut stream) else {
        return Answer::Nothing;
    };
    let at = answer.windows(KRB5.len()).position(|part| part == KRB5);
    let (kind, inner) = answer[at.expect("no token of Kerberos") + KRB5.len()..].split_at(2);
    if kind == ERROR {
        let Reply::Error(error) = Reply::parse(inner) else {
            panic!("no KRB-ERROR in an error token")
        };
        return Answer::Error(error.code);
    }
    assert_eq!(kind, AP_REP);
    let sealed = Element::parse(inner).field(2).field(2).content;
    let part = first.session_key.decrypt(12, sealed).expect("the AP-REP does not open");
    let part = Element::parse(&part);
    assert_eq!((part.field(0).time(), part.field(1).integer()), first.ap_req);
    let acceptor = part.optional(2).map(|key| {
        let key = key.field(1).content;
        Key(key.try_into().expect("a key of 32 octets"))
    });
    Answer::Welcome(Box::new(Conversation {
        stream,
        flags: if acceptor.is_some() { 4 } else { 0 },
        key: acceptor.unwrap_or_else(|| first.subkey.clone()),
        send: first.seq_number.into(),
        receive: part
            .optional(3)
            .map_or(0, |number| number.integer().try_into().expect("a sequence number")),
    }))
}

impl Conversation {
    /// Begins one and exchanges greetings; it must be welcome.
    #[track_caller]
    pub fn open(daemon: SocketAddr, session: &Session) -> Self {
        let mut conversation = Self::begun(daemon, session);
        let welcome = conversation.ask(&hello());
        assert_eq!(welcome["realm"], "EXAMPLE.COM", "{welcome}");
        conversation
    }

    /// Begins one; the first token must be taken.
    #[must_use]
    #[track_caller]
    pub fn begun(daemon: SocketAddr, session: &Session) -> Self {
        match begin(socket::connect(daemon), &FirstToken::new(session, context::USUAL)) {
            Answer::Welcome(conversation) => *conversation,
            Answer::Error(code) => panic!("refused with {code}"),
            Answer::Nothing => panic!("hung up"),
        }
    }

    /// The next token from here, with this in it.
    #[must_use]
    pub fn wrap(&mut self, data: &[u8]) -> Vec<u8> {
        let header = self.header(self.flags | 2);
        let sealed = self.key.encrypt(24, &[data, &header].concat());
        [&header[..], &sealed].concat()
    }

    /// The next token from here, signed and not sealed.
    #[must_use]
    pub fn sign(&mut self, data: &[u8]) -> Vec<u8> {
        let mut header = self.header(self.flags);
        let checksum = self.key.checksum(24, &[data, &header].concat());
        header[4..6].copy_from_slice(&u16::try_from(checksum.len()).unwrap().to_be_bytes());
        [&header[..], data, &checksum].concat()
    }

    fn header(&mut self, flags: u8) -> [u8; 16] {
        let number = self.send.to_be_bytes();
        self.send += 1;
        let mut header = [0; 16];
        header[..4].copy_from_slice(&[5, 4, flags, 0xff]);
        header[8..].copy_from_slice(&number);
        header
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        let token = self.wrap(message.to_string().as_bytes());
        socket::send(&mut self.stream, &token);
    }

    /// Receives one; `None` when the connection ends.
    #[must_use]
    #[track_caller]
    pub fn receive(&mut self) -> Option<Value> {
        let token = socket::receive(&mut self.stream)?;
        let (header, sealed) = token.split_at(16);
        assert_eq!(header[..4], [5, 4, self.flags | 3, 0xff], "not sealed by the daemon");
        assert_eq!(header[8..], self.receive.to_be_bytes(), "out of its turn");
        self.receive += 1;
        let plain = self.key.decrypt(22, sealed).expect("the token does not open");
        let (data, inside) = plain.split_at(plain.len() - 16);
        assert_eq!(inside, header, "another header inside");
        Some(serde_json::from_slice(data).unwrap())
    }

    /// Sends a message and receives one.
    #[track_caller]
    pub fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.receive().expect("the daemon hung up")
    }

    /// Whether the daemon ends the connection without another word.
    #[must_use]
    pub fn is_ended(&mut self) -> bool {
        self.stream.read(&mut [0]).is_ok_and(|octets| octets == 0)
            || self.stream.write_all(&[0]).is_err()
            || self.stream.take_error().is_ok_and(|error| error.is_some())
    }
}

/// The client's greeting.
#[must_use]
pub fn hello() -> Value {
    json!({"protocol": PROTOCOL, "program": "a test"})
}
