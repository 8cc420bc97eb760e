//! The MD5 digest, for the one unkeyed checksum that is taken, RSA-MD5 in a TGS-REQ's authenticator, and for the hash of
//! GSS-API's channel bindings.

use ::md5::{Digest as _, Md5};

/// The checksum type RSA-MD5 (RFC 3961 §6.2.6).
pub const CKSUMTYPE: i32 = 7;

/// The digest.
#[must_use]
pub fn digest(data: &[u8]) -> [u8; 16] {
    Md5::digest(data).into()
}

#[cfg(test)]
mod tests {
    use super::super::hex::hex;
    use super::*;

    /// RFC 1321 appendix A.5.
    #[test]
    fn digests_are_those_of_rfc_1321() {
        assert_eq!(digest(b"").as_slice(), hex("d41d8cd98f00b204e9800998ecf8427e"));
        assert_eq!(
            digest(b"message digest").as_slice(),
            hex("f96b697d7cb7938d525a2f31aaf161d0")
        );
    }
}
