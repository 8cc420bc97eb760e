use core::fmt;
use core::net::Ipv6Addr;

/// Where a KDC or a password service is: a host and a port, for both UDP and TCP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Server {
    /// Reads `host`, `host:port`, `[address]:port` or an address; without a port, `default_port` is taken.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn parse(text: &str, default_port: u16) -> Result<Self, &'static str> {
        if text.starts_with("https://") {
            return Err("KDCs behind an HTTPS proxy are not supported; name the KDC itself");
        }
        if text.starts_with('/') {
            return Err("KDCs behind a local socket are not supported; name a host");
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self {
                host: text.to_owned(),
                port: default_port,
            });
        }
        let (host, rest) = match text.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or("a \"[\" without \"]\"")?,
            None => text.split_at(text.find([':', ' ', '\t']).unwrap_or(text.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => {
                let digits = port.split([' ', '\t']).next().unwrap_or_default();
                digits
                    .parse()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or("the port is a number from 1 to 65535")?
            }
            None => default_port,
        };
        let is_number = host.bytes().all(|b| b.is_ascii_digit());
        if host.is_empty() || is_number {
            return Err("it has no host; write host, host:port or [address]:port");
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_addresses_and_ports_are_read() {
        for (text, written) in [
            ("kdc.example.com", "kdc.example.com:88"),
            ("kdc.example.com:8888", "kdc.example.com:8888"),
            ("127.0.0.1", "127.0.0.1:88"),
            ("127.0.0.1:8888", "127.0.0.1:8888"),
            ("[::1]", "[::1]:88"),
            ("[2001:db8::1]:8888", "[2001:db8::1]:8888"),
            ("2001:db8::1", "[2001:db8::1]:88"),
            ("kdc:88 # first", "kdc:88"),
            ("kdc first", "kdc:88"),
        ] {
            let server = Server::parse(text, 88).unwrap();
            assert_eq!(server.to_string(), written);
            assert_eq!(Server::parse(written, 1).as_ref(), Ok(&server));
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in [
            "",
            ":88",
            "88",
            "kdc:",
            "kdc:0",
            "kdc:65536",
            "kdc:x",
            "[::1",
            "https://kdc/KdcProxy",
            "/run/kdc",
        ] {
            assert!(Server::parse(text, 88).is_err(), "{text}");
        }
    }
}
