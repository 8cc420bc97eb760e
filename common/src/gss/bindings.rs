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
    /// RFC defines nothing, Chromium sends no bindings, PostgreSQL refuses, OpenSSL names no hash and GnuTLS takes SHA-512.
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
