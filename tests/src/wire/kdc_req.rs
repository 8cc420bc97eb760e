//! KDC-REQ (RFC 4120 §5.4.1): any field can be left out or wrong.

use super::ap::typed_octets;
use super::der::{Element, application, bits, integer, octets, sequence, string, tagged, time};
use super::reply::padata;
use super::{now, random};

/// KDC options, bit 0 at the top.
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod option {
    pub const FORWARDABLE: u32 = 1 << 30;
    pub const FORWARDED: u32 = 1 << 29;
    pub const PROXIABLE: u32 = 1 << 28;
    pub const PROXY: u32 = 1 << 27;
    pub const ALLOW_POSTDATE: u32 = 1 << 26;
    pub const POSTDATED: u32 = 1 << 25;
    pub const RENEWABLE: u32 = 1 << 23;
    pub const CANONICALIZE: u32 = 1 << 16;
    pub const RENEWABLE_OK: u32 = 1 << 4;
    pub const ENC_TKT_IN_SKEY: u32 = 1 << 3;
    pub const RENEW: u32 = 1 << 1;
    pub const VALIDATE: u32 = 1;
}

/// `PrincipalName`: whatever components, even none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// 1 a principal, 2 a service with an instance, 10 an enterprise name.
    pub name_type: i64,
    /// The components, any octets.
    pub components: Vec<Vec<u8>>,
}

impl Name {
    /// `a/b` as two components, of type 1.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name_type: 1,
            components: name.split('/').map(|part| part.as_bytes().to_vec()).collect(),
        }
    }

    /// As `PrincipalName`.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let components: Vec<_> = self.components.iter().map(|component| string(component)).collect();
        sequence(&[tagged(0, &integer(self.name_type)), tagged(1, &sequence(&components))])
    }
}

/// A request. What is `None` is not sent.
#[derive(Clone)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct KdcReq {
    pub pvno: i64,
    pub msg_type: i64,
    pub padata: Vec<(i64, Vec<u8>)>,
    pub options: u32,
    pub cname: Option<Name>,
    pub realm: Option<Vec<u8>>,
    pub sname: Option<Name>,
    pub from: Option<i64>,
    pub till: i64,
    pub rtime: Option<i64>,
    pub nonce: u32,
    pub etypes: Vec<i64>,
    /// Type (2 is IPv4) and address.
    pub addresses: Option<Vec<(i64, Vec<u8>)>>,
    /// `EncryptedData`, encoded.
    pub authorization_data: Option<Vec<u8>>,
    /// Encoded.
    pub additional_tickets: Vec<Vec<u8>>,
}

impl KdcReq {
    /// An AS-REQ of `EXAMPLE.COM` for a TGT that a KDC has nothing to say against.
    #[must_use]
    pub fn initial(client: &str) -> Self {
        Self {
            pvno: 5,
            msg_type: 10,
            padata: Vec::new(),
            options: 0,
            cname: Some(Name::new(client)),
            realm: Some(b"EXAMPLE.COM".to_vec()),
            sname: Some(Name::new("krbtgt/EXAMPLE.COM")),
            from: None,
            till: now() + 3600,
            rtime: None,
            // 31 bits: MIT refuses more.
            nonce: u32::from_be_bytes(random()) >> 1,
            etypes: vec![18],
            addresses: None,
            authorization_data: None,
            additional_tickets: Vec::new(),
        }
    }

    /// A TGS-REQ of `EXAMPLE.COM` for a ticket to `service`, still without its header ticket.
    #[must_use]
    pub fn ticket(service: &str) -> Self {
        Self {
            msg_type: 12,
            cname: None,
            sname: Some(Name::new(service)),
            ..Self::initial("")
        }
    }

    /// With these options besides.
    #[must_use]
    pub fn with_options(mut self, options: u32) -> Self {
        self.options |= options;
        self
    }

    /// `KDC-REQ-BODY`, which the checksums cover.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let mut parts = vec![tagged(0, &bits(self.options))];
        parts.extend(self.cname.iter().map(|name| tagged(1, &name.to_der())));
        parts.extend(self.realm.iter().map(|realm| tagged(2, &string(realm))));
        parts.extend(self.sname.iter().map(|name| tagged(3, &name.to_der())));
        parts.extend(self.from.iter().map(|from| tagged(4, &time(*from))));
        parts.push(tagged(5, &time(self.till)));
        parts.extend(self.rtime.iter().map(|rtime| tagged(6, &time(*rtime))));
        parts.push(tagged(7, &integer(self.nonce.into())));
        let etypes: Vec<_> = self.etypes.iter().map(|etype| integer(*etype)).collect();
        parts.push(tagged(8, &sequence(&etypes)));
        parts.extend(
            self.addresses
                .iter()
                .map(|addresses| tagged(9, &host_addresses(addresses))),
        );
        parts.extend(self.authorization_data.iter().map(|data| tagged(10, data)));
        if !self.additional_tickets.is_empty() {
            parts.push(tagged(11, &sequence(&self.additional_tickets)));
        }
        sequence(&parts)
    }

    /// The whole request.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        self.around(&self.body())
    }

    /// The whole request around a body that is already encoded.
    #[must_use]
    pub fn around(&self, body: &[u8]) -> Vec<u8> {
        let mut parts = vec![tagged(1, &integer(self.pvno)), tagged(2, &integer(self.msg_type))];
        if !self.padata.is_empty() {
            parts.push(tagged(3, &pa_data(&self.padata)));
        }
        parts.push(tagged(4, body));
        application(self.msg_type.try_into().unwrap(), &sequence(&parts))
    }
}

/// The padata of a request that somebody else made.
#[must_use]
#[track_caller]
pub fn padata_of(request: &[u8]) -> Vec<(i64, Vec<u8>)> {
    Element::parse(request).optional(3).map(padata).unwrap_or_default()
}

/// `SEQUENCE OF PA-DATA`.
pub(super) fn pa_data(padata: &[(i64, Vec<u8>)]) -> Vec<u8> {
    let encoded: Vec<_> = padata
        .iter()
        .map(|(kind, value)| sequence(&[tagged(1, &integer(*kind)), tagged(2, &octets(value))]))
        .collect();
    sequence(&encoded)
}

pub(super) fn host_addresses(addresses: &[(i64, Vec<u8>)]) -> Vec<u8> {
    let encoded: Vec<_> = addresses
        .iter()
        .map(|(kind, address)| typed_octets(*kind, address))
        .collect();
    sequence(&encoded)
}
