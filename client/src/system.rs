//! What this machine has to say: the time, randomness, its addresses, its users, its files.

use std::io;
use std::net::IpAddr;
use std::time::SystemTime;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use tessera_common::Random;
use tessera_common::krb5_conf::{Files, PathTokens};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::HostAddress;

/// The time of day.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "the one place where the client reads the clock; protocol code is handed this"
)]
pub fn now() -> Timestamp {
    Timestamp::from_unix(
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// Local time less UTC, in seconds, at an instant.
#[must_use]
pub fn offset_at(time: KerberosTime) -> i32 {
    use chrono::{Local, Offset as _, TimeZone as _};
    let at = Local.timestamp_opt(time.seconds(), 0);
    at.earliest().map_or(0, |at| at.offset().fix().local_minus_utc())
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        if let Err(e) = getrandom::fill(out) {
            // Going on with octets that somebody may know is worse than any end.
            eprintln!("the system has no randomness: {e}");
            std::process::abort();
        }
    }
}

/// The addresses of this machine's interfaces that are up, without loopback.
///
/// # Errors
/// What the system says.
pub fn local_addresses() -> io::Result<Vec<HostAddress>> {
    let mut addresses: Vec<HostAddress> = Vec::new();
    for interface in getifaddrs()? {
        if !interface.flags.contains(InterfaceFlags::IFF_UP) {
            continue;
        }
        let address = interface.address.and_then(|storage| {
            let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
            v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
        });
        let address = address
            .filter(|address| !address.to_canonical().is_loopback())
            .map(HostAddress::from);
        addresses.extend(address.filter(|address| !addresses.contains(address)));
    }
    Ok(addresses)
}

/// The name of the user who runs this program, if the system has one.
#[must_use]
pub fn user_name() -> Option<String> {
    nix::unistd::User::from_uid(nix::unistd::geteuid())
        .ok()
        .flatten()
        .map(|user| user.name)
}

/// The name of this machine.
///
/// # Errors
/// What the system says.
pub fn host_name() -> io::Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}

/// What stands for the tokens in the paths of krb5.conf.
#[must_use]
pub fn path_tokens() -> PathTokens {
    PathTokens {
        uid: nix::unistd::getuid().as_raw(),
        euid: nix::unistd::geteuid().as_raw(),
        username: user_name(),
        temp: std::env::var("TMPDIR").unwrap_or_else(|_| "/tmp".into()),
    }
}

/// Files of this machine, for krb5.conf.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&mut self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&mut self, directory: &str) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_is_not_all_the_same() {
        let (mut one, mut two) = ([0; 16], [0; 16]);
        SystemRandom.fill(&mut one);
        SystemRandom.fill(&mut two);
        assert_ne!(one, two);
    }

    #[test]
    fn loopback_is_no_address_of_this_machine() {
        let addresses = local_addresses().unwrap();
        assert!(
            addresses
                .iter()
                .filter_map(HostAddress::to_ip)
                .all(|ip| !ip.is_loopback())
        );
    }
}
