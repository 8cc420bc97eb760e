//! Tickets made or altered by somebody who has the key that they are sealed with.

use super::ap::encrypted_data;
use super::crypto::Key;
use super::der::{Element, application, bits, integer, octets, sequence, string, tagged, time};
use super::kdc_req::{Name, host_addresses};
use super::reply::{name, pairs};

/// `EncTicketPart`. What is `None` is left out.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct EncTicketPart {
    pub flags: u32,
    pub key: Key,
    pub crealm: String,
    pub cname: Name,
    pub authtime: i64,
    pub starttime: Option<i64>,
    pub endtime: i64,
    pub renew_till: Option<i64>,
    pub caddr: Option<Vec<(i64, Vec<u8>)>>,
    /// Encoded.
    pub authorization_data: Option<Vec<u8>>,
}

impl EncTicketPart {
    /// What is in a ticket.
    #[must_use]
    #[track_caller]
    pub fn open(ticket: &[u8], key: &Key) -> Self {
        let cipher = Element::parse(ticket).field(3).field(2).content;
        let plain = key.decrypt(2, cipher).expect("the ticket does not open with this key");
        let part = Element::parse(&plain);
        let session_key = part.field(1);
        assert_eq!(
            session_key.field(0).integer(),
            18,
            "the session key is of another enctype"
        );
        Self {
            flags: part.field(0).bits(),
            key: Key(session_key.field(1).content.try_into().unwrap()),
            crealm: part.field(2).text(),
            cname: Name::new(&name(part.field(3))),
            authtime: part.field(5).time(),
            starttime: part.optional(6).map(Element::time),
            endtime: part.field(7).time(),
            renew_till: part.optional(8).map(Element::time),
            caddr: part.optional(9).map(|addresses| pairs(addresses, 0)),
            authorization_data: part.optional(10).map(|data| data.whole.to_vec()),
        }
    }

    /// A ticket to `service` of `EXAMPLE.COM`, sealed with `key`.
    #[must_use]
    pub fn seal(&self, service: &str, key: &Key, kvno: Option<u32>) -> Vec<u8> {
        let parts = [
            tagged(0, &integer(5)),
            tagged(1, &string(b"EXAMPLE.COM")),
            tagged(2, &Name::new(service).to_der()),
            tagged(3, &encrypted_data(&key.encrypt(2, &self.to_der()), kvno)),
        ];
        application(1, &sequence(&parts))
    }

    fn to_der(&self) -> Vec<u8> {
        let transited = sequence(&[tagged(0, &integer(1)), tagged(1, &octets(b""))]);
        let mut parts = vec![
            tagged(0, &bits(self.flags)),
            tagged(1, &self.key.to_der()),
            tagged(2, &string(self.crealm.as_bytes())),
            tagged(3, &self.cname.to_der()),
            tagged(4, &transited),
            tagged(5, &time(self.authtime)),
        ];
        parts.extend(self.starttime.iter().map(|start| tagged(6, &time(*start))));
        parts.push(tagged(7, &time(self.endtime)));
        parts.extend(self.renew_till.iter().map(|till| tagged(8, &time(*till))));
        parts.extend(self.caddr.iter().map(|addresses| tagged(9, &host_addresses(addresses))));
        parts.extend(self.authorization_data.iter().map(|data| tagged(10, data)));
        application(3, &sequence(&parts))
    }
}

/// The types of authorization data in a ticket, those inside IF-RELEVANT (type 1) included.
#[must_use]
#[track_caller]
pub fn authorization_types(data: &[u8]) -> Vec<i64> {
    let mut types = Vec::new();
    for (kind, value) in pairs(Element::parse(data), 0) {
        types.push(kind);
        if kind == 1 {
            types.extend(authorization_types(&value));
        }
    }
    types
}

/// `AuthorizationData` of these elements.
#[must_use]
pub fn authorization_data(elements: &[(i64, Vec<u8>)]) -> Vec<u8> {
    host_addresses(elements)
}
