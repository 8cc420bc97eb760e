//! Password changes (RFC 3244) by hand.

use std::net::SocketAddr;

use super::ap::{ApReq, encrypted_data};
use super::crypto::Key;
use super::der::{Element, application, integer, octets, sequence, string, tagged, time};
use super::kdc_req::{Name, host_addresses};
use super::reply::KrbError;
use super::session::Session;
use super::{fresh_cusec, now, random, socket};

/// A request to be.
#[derive(Clone)]
pub struct PasswordRequest {
    /// 1, or 0xff80 for RFC 3244's own.
    pub version: u16,
    /// Its AP-REQ.
    pub ap_req: ApReq,
    /// What the KRB-PRIV is encrypted with.
    pub key: Key,
    /// What the KRB-PRIV holds.
    pub user_data: Vec<u8>,
    /// The sender's address in the KRB-PRIV: type and address.
    pub s_address: (i64, Vec<u8>),
}

impl PasswordRequest {
    /// A change of one's own password as RFC 3244 §2 has it, with a subkey.
    #[must_use]
    pub fn change(session: &Session, password: &str) -> Self {
        Self::with_data(session, 1, password.as_bytes().to_vec())
    }

    /// The same in version 0xff80; `target` is whose password, by default one's own.
    #[must_use]
    pub fn set(session: &Session, password: &str, target: Option<&str>) -> Self {
        let mut parts = vec![tagged(0, &octets(password.as_bytes()))];
        if let Some(target) = target {
            parts.push(tagged(1, &Name::new(target).to_der()));
            parts.push(tagged(2, &string(b"EXAMPLE.COM")));
        }
        Self::with_data(session, 0xff80, sequence(&parts))
    }

    fn with_data(session: &Session, version: u16, user_data: Vec<u8>) -> Self {
        let mut ap_req = ApReq::new(&session.ticket, &session.key, "EXAMPLE.COM", &session.client);
        let subkey = Key::random();
        ap_req.subkey = Some(subkey.clone());
        ap_req.seq_number = Some(u32::from_be_bytes(random()) >> 2);
        Self {
            version,
            ap_req,
            key: subkey,
            user_data,
            s_address: (2, vec![127, 0, 0, 1]),
        }
    }

    /// The message as a datagram holds it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let ap_req = self.ap_req.to_der(b"");
        let krb_priv = self.krb_priv();
        let short = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
        let total = short(6 + ap_req.len() + krb_priv.len());
        [
            &total[..],
            &self.version.to_be_bytes(),
            &short(ap_req.len()),
            &ap_req,
            &krb_priv,
        ]
        .concat()
    }

    fn krb_priv(&self) -> Vec<u8> {
        let address = host_addresses(std::slice::from_ref(&self.s_address));
        let mut parts = vec![
            tagged(0, &octets(&self.user_data)),
            tagged(1, &time(now())),
            tagged(2, &integer(fresh_cusec())),
        ];
        parts.extend(
            self.ap_req
                .seq_number
                .iter()
                .map(|number| tagged(3, &integer((*number).into()))),
        );
        parts.push(tagged(4, Element::parse(&address).content));
        let sealed = self.key.encrypt(13, &application(28, &sequence(&parts)));
        let outer = [
            tagged(0, &integer(5)),
            tagged(1, &integer(21)),
            tagged(3, &encrypted_data(&sealed, None)),
        ];
        application(21, &sequence(&outer))
    }

    /// Sends it as a datagram and opens the answer.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, server: SocketAddr) -> PasswordReply {
        self.parse(&socket::udp(server, &self.to_bytes()))
    }

    /// Opens the answer to this request.
    #[must_use]
    #[track_caller]
    pub fn parse(&self, answer: &[u8]) -> PasswordReply {
        if answer[0] == 0x7e {
            return PasswordReply::of_error(answer, false);
        }
        let short = |at: usize| u16::from_be_bytes([answer[at], answer[at + 1]]);
        assert_eq!(
            usize::from(short(0)),
            answer.len(),
            "the length in the answer is not its length"
        );
        assert_eq!(short(2), 1, "the answer's version");
        let (ap_rep, rest) = answer[6..].split_at(short(4).into());
        if ap_rep.is_empty() {
            return PasswordReply::of_error(rest, true);
        }
        let ap_rep = Element::parse(ap_rep);
        let sealed = ap_rep.field(2).field(2).content;
        let part = self
            .ap_req
            .session_key
            .decrypt(12, sealed)
            .expect("the AP-REP does not open");
        assert_eq!(Element::parse(&part).field(0).time(), self.ap_req.ctime);
        assert_eq!(Element::parse(&part).field(1).integer(), self.ap_req.cusec);
        let krb_priv = Element::parse(rest).field(3).field(2).content;
        let keys = [
            Some(&self.key),
            self.ap_req.subkey.as_ref(),
            Some(&self.ap_req.session_key),
        ];
        let plain = keys.into_iter().flatten().find_map(|key| key.decrypt(13, krb_priv));
        let plain = plain.expect("the KRB-PRIV of the answer does not open");
        let plain = Element::parse(&plain);
        let (code, text) = result(plain.field(0).content);
        PasswordReply {
            code,
            text,
            framed: true,
            error: None,
            has_s_address: plain.optional(4).is_some(),
        }
    }
}

/// The answer to a password change.
#[derive(Clone, Debug)]
pub struct PasswordReply {
    /// The result code of RFC 3244 §2; of a KRB-ERROR without one, 0xffff.
    pub code: u16,
    /// The text with it.
    pub text: String,
    /// Whether it came in RFC 3244's frame.
    pub framed: bool,
    /// If it is a KRB-ERROR, that.
    pub error: Option<KrbError>,
    /// Whether the KRB-PRIV named the sender's address.
    pub has_s_address: bool,
}

impl PasswordReply {
    fn of_error(bytes: &[u8], framed: bool) -> Self {
        let super::Reply::Error(error) = super::Reply::parse(bytes) else {
            panic!("neither KRB-PRIV nor KRB-ERROR")
        };
        let (code, text) = error.e_data.as_deref().map_or((0xffff, String::new()), result);
        Self {
            code,
            text,
            framed,
            error: Some(error),
            has_s_address: false,
        }
    }
}

fn result(data: &[u8]) -> (u16, String) {
    (
        u16::from_be_bytes([data[0], data[1]]),
        String::from_utf8_lossy(&data[2..]).into_owned(),
    )
}
