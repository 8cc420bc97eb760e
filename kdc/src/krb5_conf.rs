//! The krb5.conf that the daemon writes for clients, ours and everybody else's.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tessera_common::name::Realm;

/// A krb5.conf with which clients on this machine find the realm at these addresses, and nothing else: no DNS is asked.
#[must_use]
pub fn krb5_conf(realm: &Realm, kerberos: &[SocketAddr], password: &[SocketAddr]) -> String {
    let realm = realm.as_str();
    let domain = realm.to_lowercase();
    let mut text = format!(
        "# Written by kdc at every start. Name this file in KRB5_CONFIG, or copy it to /etc/krb5.conf.\n\
         [libdefaults]\n\
         \tdefault_realm = {realm}\n\
         \tdns_lookup_realm = false\n\
         \tdns_lookup_kdc = false\n\
         \trdns = false\n\
         \tdns_canonicalize_hostname = false\n\
         \n\
         [realms]\n\
         \t{realm} = {{\n"
    );
    for (key, addresses) in [("kdc", kerberos), ("kpasswd_server", password)] {
        for address in addresses {
            let _ = writeln!(text, "\t\t{key} = {}", reachable(*address));
        }
    }
    let _ = write!(
        text,
        "\t}}\n\n[domain_realm]\n\t.{domain} = {realm}\n\t{domain} = {realm}\n"
    );
    text
}

// A wildcard is listened on, not connected to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_find_the_realm_without_dns() {
        let realm = Realm::new("EXAMPLE.COM").unwrap();
        let kerberos = ["127.0.0.1:8888", "[::]:88"].map(|address| address.parse().unwrap());
        let text = krb5_conf(&realm, &kerberos, &["0.0.0.0:464".parse().unwrap()]);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "# Written by kdc at every start. Name this file in KRB5_CONFIG, or copy it to /etc/krb5.conf.",
                "[libdefaults]",
                "default_realm = EXAMPLE.COM",
                "dns_lookup_realm = false",
                "dns_lookup_kdc = false",
                "rdns = false",
                "dns_canonicalize_hostname = false",
                "",
                "[realms]",
                "EXAMPLE.COM = {",
                "kdc = 127.0.0.1:8888",
                "kdc = [::1]:88",
                "kpasswd_server = 127.0.0.1:464",
                "}",
                "",
                "[domain_realm]",
                ".example.com = EXAMPLE.COM",
                "example.com = EXAMPLE.COM",
            ]
        );
    }
}
