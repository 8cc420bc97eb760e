//! Networks: where a request may come from.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A network of IPv4 or IPv6 addresses (RFC 4632, RFC 4291 §2.3): `192.0.2.0/24`, `2001:db8::/32`, or one address. An IPv4
/// address inside IPv6 (`::ffff:192.0.2.1`) is the IPv4 address, so `0.0.0.0/0` is all of IPv4, however it comes, and `::/0`
/// all of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    /// Canonical, with no bit set behind the prefix.
    first: IpAddr,
    /// How many bits of an address of that family are the network's.
    prefix: u32,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// What stands before the slash is no address; a host's name is none either.
    Address,
    /// What stands behind the slash is no number of bits that such an address has.
    Prefix,
    /// The address has bits behind the prefix: the network was meant, or the one address.
    HostBits(Network),
}

impl Network {
    /// Whether the address is one of the network's.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => masked_v4(address, self.prefix) == first,
            (IpAddr::V6(first), IpAddr::V6(address)) => masked_v6(address, self.prefix) == first,
            _ => false,
        }
    }

    /// The network of this prefix that an address is in; `None` for a prefix that is longer than the address.
    #[must_use]
    pub fn around(address: IpAddr, prefix: u32) -> Option<Self> {
        let first = match address {
            IpAddr::V4(address) if prefix <= Ipv4Addr::BITS => masked_v4(address, prefix).into(),
            IpAddr::V6(address) if prefix <= Ipv6Addr::BITS => masked_v6(address, prefix).into(),
            _ => return None,
        };
        Some(Self { first, prefix })
    }

    /// The one address that it has; `None` where there are several.
    #[must_use]
    pub fn sole_address(self) -> Option<IpAddr> {
        (self.prefix == self.bits()).then_some(self.first)
    }

    /// The octets of its first address.
    #[must_use]
    pub fn octets(self) -> Vec<u8> {
        match self.first {
            IpAddr::V4(first) => first.octets().to_vec(),
            IpAddr::V6(first) => first.octets().to_vec(),
        }
    }

    const fn bits(self) -> u32 {
        match self.first {
            IpAddr::V4(_) => Ipv4Addr::BITS,
            IpAddr::V6(_) => Ipv6Addr::BITS,
        }
    }
}

fn masked_v4(address: Ipv4Addr, prefix: u32) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - prefix).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

fn masked_v6(address: Ipv6Addr, prefix: u32) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - prefix).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        // How many bits of `::ffff:a.b.c.d` come before the IPv4 address.
        const MAPPED: u32 = 96;
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let address = written.to_canonical();
        let prefix = match prefix {
            None => Self {
                first: address,
                prefix: 0,
            }
            .bits(),
            // "+8" is a number for Rust, and for nobody else.
            Some(prefix) if prefix.bytes().all(|octet| octet.is_ascii_digit()) => {
                let prefix: u32 = prefix.parse().map_err(|_| NetworkError::Prefix)?;
                if written == address {
                    prefix
                } else {
                    prefix.checked_sub(MAPPED).ok_or(NetworkError::Prefix)?
                }
            }
            Some(_) => return Err(NetworkError::Prefix),
        };
        let network = Self::around(address, prefix).ok_or(NetworkError::Prefix)?;
        if network.first == address {
            Ok(network)
        } else {
            Err(NetworkError::HostBits(network))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == self.bits() {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}/{}", self.first, self.prefix)
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("there is no IPv4 or IPv6 address before the slash"),
            Self::Prefix => f.write_str("there is no number of bits that such an address has behind the slash"),
            Self::HostBits(network) => write!(f, "the address has bits behind the prefix; the network is {network}"),
        }
    }
}

impl core::error::Error for NetworkError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_network_has_the_addresses_of_its_prefix() {
        for (network, address, within) in [
            ("192.0.2.0/24", "192.0.2.0", true),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.1.255", false),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
            ("192.0.2.0/24", "::192.0.2.7", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.7/32", "192.0.2.7", true),
            ("192.0.2.6/31", "192.0.2.7", true),
            ("192.0.2.6/31", "192.0.2.8", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::ffff:192.0.2.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("128.0.0.0/1", "127.255.255.255", false),
            ("::ffff:192.0.2.0/120", "192.0.2.7", true),
            ("::ffff:192.0.2.7", "192.0.2.7", true),
            ("2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:db8::1/128", "2001:db8::", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.7", false),
            ("::/0", "::ffff:192.0.2.7", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                within,
                "{network} {address}"
            );
        }
    }

    #[test]
    fn what_is_no_network_says_why() {
        use NetworkError::{Address, Prefix};
        for (text, why) in [
            ("", Address),
            ("www.example.com", Address),
            ("192.0.2", Address),
            ("192.0.2.1:88", Address),
            ("[::1]", Address),
            ("/24", Address),
            (" 192.0.2.1", Address),
            ("192.0.2.0/", Prefix),
            ("192.0.2.0/33", Prefix),
            ("192.0.2.0/+8", Prefix),
            ("192.0.2.0/-1", Prefix),
            ("192.0.2.0/255.255.255.0", Prefix),
            ("192.0.2.0/24/24", Prefix),
            ("192.0.2.0/4294967320", Prefix),
            ("2001:db8::/129", Prefix),
            ("::ffff:192.0.2.0/95", Prefix),
        ] {
            assert_eq!(text.parse::<Network>(), Err(why), "{text}");
        }
        let why = "192.0.2.7/24".parse::<Network>().unwrap_err().to_string();
        assert!(why.ends_with("the network is 192.0.2.0/24"), "{why}");
        let why = "::ffff:192.0.2.7/120".parse::<Network>().unwrap_err().to_string();
        assert!(why.ends_with("the network is 192.0.2.0/24"), "{why}");
    }

    proptest! {
        #[test]
        fn a_network_is_read_as_it_is_written(address: IpAddr, prefix in 0u32..=128) {
            if let Some(network) = Network::around(address.to_canonical(), prefix) {
                prop_assert_eq!(network.to_string().parse(), Ok(network));
                prop_assert!(network.contains(address));
                let json = serde_json::to_string(&network).unwrap();
                prop_assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
            }
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f:./+]{0,24}") {
            let _ = text.parse::<Network>();
        }
    }
}
