use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::certificate::{SignatureHash, signature_hash};
use crate::crypto::{constant_time_eq, md5};

/// What ties a context to the channel that it is made in, so that its tokens are no good in another (RFC 2743 §1.1.6). Only
/// a hash of it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelBindings {
    hash: [u8; 16],
}

/// What an acceptor that was given bindings makes of the initiator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BindingPolicy {
    /// Bindings that are sent must be the right ones; an initiator that sends none is let in, unless it says in the
    /// authenticator that it always sends them (KERB_AP_OPTIONS_CBT, MS-KILE §3.2.5.8). As MIT's library has it.
    #[default]
    IfPresent,
    /// The right bindings must be sent.
    Require,
    /// Bindings are not looked at.
    Ignore,
}

/// One end's address in [`ChannelBindings::new`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindingAddress<'a> {
    /// Its type, as in RFC 2744 §3.11: 0 for none, 2 for IPv4.
    pub addr_type: u32,
    /// Its octets.
    pub address: &'a [u8],
}

impl ChannelBindings {
    /// RFC 4121 §4.1.1.2: MD5 over both addresses and the application's data, each behind its length, numbers with the
    /// lowest octet first. MD5 is the protocol's; what is bound should itself be a strong hash or a secret.
    #[must_use]
    pub fn new(initiator: BindingAddress<'_>, acceptor: BindingAddress<'_>, application: &[u8]) -> Self {
        let mut octets = Vec::with_capacity(20 + initiator.address.len() + acceptor.address.len() + application.len());
        for end in [initiator, acceptor] {
            octets.extend_from_slice(&end.addr_type.to_le_bytes());
            push_counted(&mut octets, end.address);
        }
        push_counted(&mut octets, application);
        Self {
            hash: md5::digest(&octets),
        }
    }

    /// Of the application's data alone, without addresses: what all programs of today send.
    #[must_use]
    pub fn of_application(data: &[u8]) -> Self {
        Self::new(BindingAddress::default(), BindingAddress::default(), data)
    }

    /// RFC 5929 §4, `tls-server-end-point`: the hash of the TLS server's certificate, by the hash of the certificate's
    /// signature, or SHA-256 where that one is MD5 or SHA-1.
    ///
    /// `None` when the octets are no certificate, and when its signature has no hash of its own: for Ed25519 and Ed448 the
    /// RFC defines nothing, and programs differ in what they make of it.
    /// A service whose policy is [`BindingPolicy::Require`] needs another certificate.
    #[must_use]
    pub fn tls_server_end_point(certificate_der: &[u8]) -> Option<Self> {
        let mut data = b"tls-server-end-point:".to_vec();
        match signature_hash(certificate_der)? {
            SignatureHash::Sha256 => data.extend_from_slice(&Sha256::digest(certificate_der)),
            SignatureHash::Sha384 => data.extend_from_slice(&Sha384::digest(certificate_der)),
            SignatureHash::Sha512 => data.extend_from_slice(&Sha512::digest(certificate_der)),
        }
        Some(Self::of_application(&data))
    }

    /// What travels in an authenticator's checksum.
    pub(super) const fn hash(&self) -> [u8; 16] {
        self.hash
    }

    /// Whether these are the bindings that came.
    pub(super) fn matches(&self, sent: &[u8; 16]) -> bool {
        constant_time_eq(&self.hash, sent)
    }
}

fn push_counted(octets: &mut Vec<u8>, part: &[u8]) {
    // No address and no application data reaches 4 GB.
    octets.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
    octets.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gss::tests::octets;

    // OpenSSL's, for www.example.com, signed with ECDSA and SHA-384.
    const CERTIFICATE: &str = "\
        308201893082012fa0030201020214578d5b2af9b3538c42bb21fd7750d4a10b326af5300a06082a8648ce3d040303301a31\
        18301606035504030c0f7777772e6578616d706c652e636f6d301e170d3236313132353033353733325a170d333631313232\
        3033353733325a301a3118301606035504030c0f7777772e6578616d706c652e636f6d3059301306072a8648ce3d02010608\
        2a8648ce3d0301070342000434ba84ad5c31e071450294ea4609844f3eb8eb125da36c372ec506f0199cbd8ad70d4d2ac813\
        ba60f9fe9fccf67b9d52034ed03f3d882e7f75d097c357c71cf9a3533051301d0603551d0e041604146175c5aa181607ea7a\
        8d72c64d90a72655daf13d301f0603551d230418301680146175c5aa181607ea7a8d72c64d90a72655daf13d300f0603551d\
        130101ff040530030101ff300a06082a8648ce3d040303034800304502205faeaa8d69e50cbdd3f2f67acd5f3f09472d30a4\
        058146616b8c6d7f6eaf8e4a0221009c164756c27e66e645fa404f72304cd7fde48c055d29ad10da3b867dc5becafe\
        ";

    // What follows was computed by Python's hashlib.

    #[test]
    fn a_certificate_is_bound_by_the_hash_of_its_signature() {
        let bindings = ChannelBindings::tls_server_end_point(&octets(CERTIFICATE)).unwrap();
        assert_eq!(bindings.hash().as_slice(), octets("7426845fa6a412fb910bf8668c6a0160"));
        assert_eq!(ChannelBindings::tls_server_end_point(b"none"), None);
    }

    #[test]
    fn every_field_counts() {
        let none = BindingAddress::default();
        let ipv4 = |address| BindingAddress { addr_type: 2, address };
        for (initiator, acceptor, data, hash) in [
            (none, none, &b""[..], "441018525208457705bf09a8ee3c1093"),
            (none, none, b"tls-unique:x", "2978456c38d0e1767101f3aba588a9f8"),
            (ipv4(&[192, 0, 2, 1]), none, b"x", "84601269a55da4ee4eef42e8ca8d3d56"),
            (none, ipv4(&[192, 0, 2, 1]), b"x", "6aa09caa7642c0c837c9103e0cb15dc1"),
        ] {
            let bindings = ChannelBindings::new(initiator, acceptor, data);
            assert_eq!(bindings.hash().as_slice(), octets(hash), "{data:?}");
        }
    }
}
