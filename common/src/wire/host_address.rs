use core::net::IpAddr;

use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::Octets;

/// Address types (RFC 4120 §7.5.3).
pub mod addr_type {
    /// Four octets.
    pub const IPV4: i32 = 2;
    /// Only in KRB-SAFE and KRB-PRIV: 0 from the initiator, 1 from the responder.
    pub const DIRECTIONAL: i32 = 3;
    /// Up to 16 octets, filled with spaces.
    pub const NETBIOS: i32 = 20;
    /// Sixteen octets.
    pub const IPV6: i32 = 24;
}

/// RFC 4120 §5.2.5.
///
/// ```asn1
/// HostAddress ::= SEQUENCE {
///         addr-type  [0] Int32,
///         address    [1] OCTET STRING
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq, Hash)]
pub struct HostAddress {
    /// See [`addr_type`].
    #[rasn(tag(explicit(0)))]
    pub addr_type: i32,
    /// The address in network order.
    #[rasn(tag(explicit(1)))]
    pub address: Octets,
}

impl HostAddress {
    /// The IP address that this is, if it is one. An IPv4 address inside IPv6 comes out as IPv4.
    #[must_use]
    pub fn to_ip(&self) -> Option<IpAddr> {
        match self.addr_type {
            addr_type::IPV4 => <[u8; 4]>::try_from(&*self.address).ok().map(IpAddr::from),
            addr_type::IPV6 => <[u8; 16]>::try_from(&*self.address)
                .ok()
                .map(|a| IpAddr::from(a).to_canonical()),
            _ => None,
        }
    }
}

impl From<IpAddr> for HostAddress {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self {
                addr_type: addr_type::IPV4,
                address: v4.octets().as_slice().into(),
            },
            IpAddr::V6(v6) => Self {
                addr_type: addr_type::IPV6,
                address: v6.octets().as_slice().into(),
            },
        }
    }
}
