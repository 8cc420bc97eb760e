//! The frame around a mechanism's first tokens (RFC 2743 §3.1, RFC 4121 §4.1).

use core::fmt;

use crate::tlv::{OID, split_length, value, value_of};

/// OIDs of mechanisms: the contents of their DER, without tag and length.
pub mod oid {
    /// Kerberos V5, 1.2.840.113554.1.2.2 (RFC 4121).
    pub const KRB5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
    /// Kerberos V5 with one digit lost to 16 bits, 1.2.840.48018.1.2.2: Windows offers it first, and means the same.
    pub const MICROSOFT_KRB5: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
    /// SPNEGO, 1.3.6.1.5.5.2 (RFC 4178).
    pub const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
}

/// What a token of the krb5 mechanism begins with, after the frame.
pub(crate) mod tok_id {
    pub(crate) const AP_REQ: [u8; 2] = [1, 0];
    pub(crate) const AP_REP: [u8; 2] = [2, 0];
    pub(crate) const ERROR: [u8; 2] = [3, 0];
    pub(crate) const MIC: [u8; 2] = [4, 4];
    pub(crate) const WRAP: [u8; 2] = [5, 4];
    /// RFC 1964, for enctypes that are not used here.
    pub(crate) const OLD_MIC: [u8; 2] = [1, 1];
    pub(crate) const OLD_WRAP: [u8; 2] = [2, 1];
}

// [APPLICATION 0], constructed.
const FRAME: u8 = 0x60;

/// A token without its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framed<'a> {
    /// The mechanism's OID, contents only.
    pub(crate) mechanism: &'a [u8],
    /// What the mechanism makes of it.
    pub(crate) inner: &'a [u8],
}

/// Why a frame cannot be taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The first octet is that of something else.
    Tag,
    /// A length that is not written as DER says, or that is not that of what follows.
    Length,
    /// No OID where one is due.
    Mechanism,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag => "the token does not begin as one of GSS-API does",
            Self::Length => "the token is cut short, or its lengths contradict one another",
            Self::Mechanism => "the token names no mechanism",
        })
    }
}

impl core::error::Error for FrameError {}

/// Takes the frame off. Lengths are DER's shortest, and fit exactly.
///
/// # Errors
/// [`FrameError`].
pub(crate) fn unframe(token: &[u8]) -> Result<Framed<'_>, FrameError> {
    let (tag, rest) = token.split_first().ok_or(FrameError::Tag)?;
    if *tag != FRAME {
        return Err(FrameError::Tag);
    }
    let (length, rest) = split_length(rest).ok_or(FrameError::Length)?;
    if length != rest.len() {
        return Err(FrameError::Length);
    }
    let (tag, rest) = rest.split_first().ok_or(FrameError::Mechanism)?;
    if *tag != OID {
        return Err(FrameError::Mechanism);
    }
    let (length, rest) = split_length(rest).ok_or(FrameError::Length)?;
    let (mechanism, inner) = rest.split_at_checked(length).ok_or(FrameError::Length)?;
    if mechanism.is_empty() {
        return Err(FrameError::Mechanism);
    }
    Ok(Framed { mechanism, inner })
}

/// Puts `inner`, which begins with `tok_id` if the mechanism has such, into the frame of a mechanism.
pub(crate) fn frame(mechanism: &[u8], tok_id: &[u8], inner: &[u8]) -> Vec<u8> {
    value_of(FRAME, &[&value(OID, mechanism), tok_id, inner])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_framed_comes_out_again() {
        for len in [
            0, 1, 0x70, 0x71, 0x72, 0x73, 0x74, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0x1000, 0xffff, 0x1_0000,
        ] {
            let inner = vec![7; len];
            let token = frame(oid::KRB5, &tok_id::AP_REQ, &inner);
            let framed = unframe(&token).unwrap();
            assert_eq!(framed.mechanism, oid::KRB5);
            assert_eq!(framed.inner, [&[1, 0], &inner[..]].concat());
        }
    }

    #[test]
    fn a_frame_has_the_octets_of_rfc_2743() {
        let token = frame(oid::SPNEGO, &[], b"abc");
        assert_eq!(token, b"\x60\x0b\x06\x06\x2b\x06\x01\x05\x05\x02abc");
        let token = frame(oid::KRB5, &tok_id::AP_REQ, &[9; 0x80]);
        assert_eq!(token[..6], [0x60, 0x81, 0x8d, 0x06, 0x09, 0x2a]);
    }

    #[test]
    fn lengths_that_are_not_der_or_do_not_fit_are_refused() {
        let good = frame(oid::KRB5, &[], &[1; 20]);
        assert_eq!(good[1], 31);
        let with_length = |length: &[u8]| [&[0x60], length, &good[2..]].concat();
        assert!(unframe(&with_length(&[31])).is_ok());
        for length in [
            &[30][..],
            &[32],
            &[0x80],
            &[0x81, 31],
            &[0x82, 0, 31],
            &[0x84, 0, 0, 0, 31],
            &[0x85, 0, 0, 0, 0, 31],
            &[0x88, 0, 0, 0, 0, 0, 0, 0, 31],
            &[0xff],
        ] {
            assert_eq!(unframe(&with_length(length)), Err(FrameError::Length), "{length:x?}");
        }
        // The same for the mechanism's length.
        for (at, octet) in [(2, 0x05), (2, 0x26), (2, 0x46)] {
            let mut other = good.clone();
            other[at] = octet;
            assert_eq!(unframe(&other), Err(FrameError::Mechanism), "{octet:x}");
        }
        for length in [0x80, 0x81, 30, 0x7f] {
            let mut other = good.clone();
            other[3] = length;
            assert_eq!(unframe(&other), Err(FrameError::Length), "{length:x}");
        }
        let empty = [0x60, 2, 6, 0];
        assert_eq!(unframe(&empty), Err(FrameError::Mechanism));
    }

    #[test]
    fn half_a_frame_is_none() {
        let good = frame(oid::KRB5, &tok_id::AP_REP, &[1; 200]);
        for cut in 0..good.len() {
            assert!(unframe(&good[..cut]).is_err(), "{cut}");
        }
        assert_eq!(unframe(&[&good[..], &[0]].concat()), Err(FrameError::Length));
        assert_eq!(unframe(&[]), Err(FrameError::Tag));
        assert_eq!(unframe(b"\x6e\x03\x30\x01\x05"), Err(FrameError::Tag));
    }
}
