use core::fmt;

use super::outcome::ResultCode;

const HEADER: usize = 6;
// The first octets of an AP-REP, [APPLICATION 15], and of a KRB-ERROR, [APPLICATION 30].
const AP_REP_TAG: u8 = 0x6f;
const KRB_ERROR_TAG: u8 = 0x7e;

/// The version of a request. A reply is of version 1, whatever the request was; some servers write `0xff80` all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1: the client's own password, as the KRB-PRIV's whole data.
    Change,
    /// `0xff80`: [`crate::wire::ChangePasswdData`], and perhaps somebody else's password. The AP-REQ has a subkey, which
    /// the KRB-PRIVs are under.
    Set,
}

impl Version {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Change => 1,
            Self::Set => 0xff80,
        }
    }

    const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Change),
            0xff80 => Some(Self::Set),
            _ => None,
        }
    }
}

/// Why octets are no request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FramingError {
    /// Shorter than the six octets that everything begins with.
    Truncated,
    /// The length inside is not the number of octets.
    Length {
        /// The length inside.
        said: u16,
        /// The number of octets.
        is: usize,
    },
    /// A version that nobody speaks.
    Version(u16),
    /// The AP-REQ or AP-REP would go past the end, or leave nothing for what comes after it.
    ApLength(u16),
    /// A reply or an error, where a request is expected.
    NotARequest,
    /// The parts are together longer than 65,535 octets, the most that the length can say.
    TooLong,
}

impl FramingError {
    /// What a server answers, if anything. Nothing goes back to what is not surely a request: two servers would otherwise
    /// answer each other's errors for ever (CVE-2002-2443).
    #[must_use]
    pub const fn answer(self) -> Option<ResultCode> {
        match self {
            Self::Version(_) => Some(ResultCode::BAD_VERSION),
            Self::ApLength(_) => Some(ResultCode::MALFORMED),
            Self::Truncated | Self::Length { .. } | Self::NotARequest | Self::TooLong => None,
        }
    }
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the password message is shorter than its header"),
            Self::Length { said, is } => write!(f, "the password message says {said} octets and has {is}"),
            Self::Version(version) => write!(f, "password protocol version {version:#06x} is neither 1 nor 0xff80"),
            Self::ApLength(length) => write!(
                f,
                "an AP message of {length} octets does not fit into the password message"
            ),
            Self::NotARequest => f.write_str("a password reply or error where a request is expected"),
            Self::TooLong => f.write_str("the password message is longer than 65535 octets"),
        }
    }
}

impl core::error::Error for FramingError {}

/// A request, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What the client speaks.
    pub version: Version,
    /// The AP-REQ, for `kadmin/changepw`.
    pub ap_req: &'a [u8],
    /// The KRB-PRIV with the new password.
    pub krb_priv: &'a [u8],
}

impl<'a> Request<'a> {
    /// Takes a request apart.
    ///
    /// # Errors
    /// [`FramingError`]; see [`FramingError::answer`] for what to do about it.
    pub fn decode(octets: &'a [u8]) -> Result<Self, FramingError> {
        let frame = Frame::decode(octets).map_err(|e| {
            if is_krb_error(octets) {
                FramingError::NotARequest
            } else {
                e
            }
        })?;
        if frame.ap.is_empty() || frame.ap.first() == Some(&AP_REP_TAG) {
            return Err(FramingError::NotARequest);
        }
        let version = Version::from_number(frame.version).ok_or(FramingError::Version(frame.version))?;
        if frame.rest.is_empty() {
            return Err(FramingError::ApLength(
                u16::try_from(frame.ap.len()).unwrap_or(u16::MAX),
            ));
        }
        Ok(Self {
            version,
            ap_req: frame.ap,
            krb_priv: frame.rest,
        })
    }

    /// Puts a request together.
    ///
    /// # Errors
    /// [`FramingError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, FramingError> {
        Frame {
            version: self.version.number(),
            ap: self.ap_req,
            rest: self.krb_priv,
        }
        .encode()
    }
}

/// A reply, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// From a server that proved itself: the outcome is in the KRB-PRIV.
    Sealed {
        /// The AP-REP.
        ap_rep: &'a [u8],
        /// The KRB-PRIV with the [`super::Outcome`].
        krb_priv: &'a [u8],
    },
    /// A KRB-ERROR, from whomever: its e-data may be an [`super::Outcome`], but never a success.
    Error(&'a [u8]),
}

impl<'a> Reply<'a> {
    /// Takes a reply apart: framed, or a KRB-ERROR as it is.
    ///
    /// # Errors
    /// [`FramingError`].
    pub fn decode(octets: &'a [u8]) -> Result<Self, FramingError> {
        let frame = match Frame::decode(octets) {
            Err(_) if is_krb_error(octets) => return Ok(Self::Error(octets)),
            other => other?,
        };
        if Version::from_number(frame.version).is_none() {
            return Err(FramingError::Version(frame.version));
        }
        if frame.rest.is_empty() {
            return Err(FramingError::ApLength(
                u16::try_from(frame.ap.len()).unwrap_or(u16::MAX),
            ));
        }
        if frame.ap.is_empty() {
            return Ok(Self::Error(frame.rest));
        }
        Ok(Self::Sealed {
            ap_rep: frame.ap,
            krb_priv: frame.rest,
        })
    }

    /// Puts together the reply to a request of version `to`. Errors are framed for version 1 and stand alone for `0xff80`,
    /// as clients of each expect.
    ///
    /// # Errors
    /// [`FramingError::TooLong`].
    pub fn encode(&self, to: Version) -> Result<Vec<u8>, FramingError> {
        let version = Version::Change.number();
        match (*self, to) {
            (Self::Sealed { ap_rep, krb_priv }, _) => Frame {
                version,
                ap: ap_rep,
                rest: krb_priv,
            }
            .encode(),
            (Self::Error(krb_error), Version::Change) => Frame {
                version,
                ap: &[],
                rest: krb_error,
            }
            .encode(),
            (Self::Error(krb_error), Version::Set) => Ok(krb_error.to_vec()),
        }
    }
}

// Asked only of what is no frame: the length of a frame may begin with the same octet.
fn is_krb_error(octets: &[u8]) -> bool {
    octets.first() == Some(&KRB_ERROR_TAG)
}

// What requests and replies have in common.
struct Frame<'a> {
    version: u16,
    ap: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Frame<'a> {
    fn decode(octets: &'a [u8]) -> Result<Self, FramingError> {
        let (header, body) = octets.split_first_chunk::<HEADER>().ok_or(FramingError::Truncated)?;
        let [length_high, length_low, version_high, version_low, ap_high, ap_low] = *header;
        let said = u16::from_be_bytes([length_high, length_low]);
        if usize::from(said) != octets.len() {
            return Err(FramingError::Length { said, is: octets.len() });
        }
        let ap_length = u16::from_be_bytes([ap_high, ap_low]);
        let (ap, rest) = body
            .split_at_checked(usize::from(ap_length))
            .ok_or(FramingError::ApLength(ap_length))?;
        Ok(Self {
            version: u16::from_be_bytes([version_high, version_low]),
            ap,
            rest,
        })
    }

    fn encode(&self) -> Result<Vec<u8>, FramingError> {
        let length = HEADER + self.ap.len() + self.rest.len();
        let sixteen = |n: usize| {
            u16::try_from(n)
                .map(u16::to_be_bytes)
                .map_err(|_| FramingError::TooLong)
        };
        Ok([
            &sixteen(length)?,
            &self.version.to_be_bytes(),
            &sixteen(self.ap.len())?,
            self.ap,
            self.rest,
        ]
        .concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(version: u16, ap: &[u8], rest: &[u8]) -> Vec<u8> {
        Frame { version, ap, rest }.encode().unwrap()
    }

    #[test]
    fn requests_of_both_versions_come_apart() {
        for (number, version) in [(1, Version::Change), (0xff80, Version::Set)] {
            let octets = request(number, b"\x6eap", b"\x75priv");
            let parts = Request::decode(&octets).unwrap();
            assert_eq!(
                parts,
                Request {
                    version,
                    ap_req: b"\x6eap",
                    krb_priv: b"\x75priv"
                }
            );
            assert_eq!(parts.encode().unwrap(), octets);
        }
    }

    #[test]
    fn every_length_that_is_off_is_refused() {
        let good = request(0xff80, &[0x6e; 40], &[0x75; 60]);
        for cut in 0..good.len() {
            assert!(Request::decode(&good[..cut]).is_err(), "cut to {cut}");
            assert!(Reply::decode(&good[..cut]).is_err(), "cut to {cut}");
        }
        for more in 1..=6 {
            let long = [&good[..], &vec![0x75; more]].concat();
            assert_eq!(
                Request::decode(&long),
                Err(FramingError::Length {
                    said: 106,
                    is: 106 + more
                })
            );
        }
        for said in (0..=u16::MAX).filter(|said| usize::from(*said) != good.len()) {
            let mut wrong = good.clone();
            wrong[..2].copy_from_slice(&said.to_be_bytes());
            if said >> 8 == 0x7e {
                // Looks like a KRB-ERROR.
                assert_eq!(Request::decode(&wrong), Err(FramingError::NotARequest));
                assert_eq!(Reply::decode(&wrong), Ok(Reply::Error(&wrong)));
            } else {
                assert_eq!(Request::decode(&wrong), Err(FramingError::Length { said, is: 106 }));
                assert_eq!(Reply::decode(&wrong), Err(FramingError::Length { said, is: 106 }));
            }
        }
        let long = request(1, &[0x6e; 40], &vec![0x75; 0x7e82 - 46]);
        assert_eq!(long[0], 0x7e);
        assert!(Request::decode(&long).is_ok());
        assert!(matches!(Reply::decode(&long), Ok(Reply::Sealed { .. })));
        for ap in (100..=u16::MAX).chain([0]) {
            let mut wrong = good.clone();
            wrong[4..6].copy_from_slice(&ap.to_be_bytes());
            assert!(Request::decode(&wrong).is_err(), "AP-REQ of {ap}");
        }
    }

    #[test]
    fn versions_that_nobody_speaks_are_named() {
        for version in [0, 2, 0x00ff, 0x80ff, 0xff00, 0xff81, 0xffff] {
            let octets = request(version, b"\x6e", b"\x75");
            assert_eq!(Request::decode(&octets), Err(FramingError::Version(version)));
            assert_eq!(FramingError::Version(version).answer(), Some(ResultCode::BAD_VERSION));
        }
    }

    #[test]
    fn errors_and_replies_get_no_answer() {
        let error = b"\x7e\x10anything";
        for to in [Version::Change, Version::Set] {
            let octets = Reply::Error(error).encode(to).unwrap();
            assert_eq!(Request::decode(&octets), Err(FramingError::NotARequest));
            let octets = Reply::Sealed {
                ap_rep: b"\x6frep",
                krb_priv: b"\x75priv",
            }
            .encode(to)
            .unwrap();
            assert_eq!(Request::decode(&octets), Err(FramingError::NotARequest));
        }
        // A framed error of a version that nobody speaks is an error still.
        assert_eq!(Request::decode(&request(9, b"", error)), Err(FramingError::NotARequest));
        assert_eq!(FramingError::NotARequest.answer(), None);
    }

    #[test]
    fn replies_are_of_version_1_and_errors_to_0xff80_stand_alone() {
        let sealed = Reply::Sealed {
            ap_rep: b"\x6frep",
            krb_priv: b"\x75priv",
        };
        for to in [Version::Change, Version::Set] {
            let octets = sealed.encode(to).unwrap();
            assert_eq!(octets, b"\x00\x0f\x00\x01\x00\x04\x6frep\x75priv");
            assert_eq!(Reply::decode(&octets), Ok(sealed));
        }
        let error = Reply::Error(b"\x7eerror");
        let framed = error.encode(Version::Change).unwrap();
        assert_eq!(framed, b"\x00\x0c\x00\x01\x00\x00\x7eerror");
        assert_eq!(error.encode(Version::Set).unwrap(), b"\x7eerror");
        assert_eq!(Reply::decode(&framed), Ok(error));
        assert_eq!(Reply::decode(b"\x7eerror"), Ok(error));
        // As a Windows server has it.
        assert_eq!(Reply::decode(b"\x00\x0f\xff\x80\x00\x04\x6frep\x75priv"), Ok(sealed));
    }

    #[test]
    fn what_the_length_cannot_say_is_not_sent() {
        let long = vec![0; 0x1_0000];
        assert_eq!(
            Frame {
                version: 1,
                ap: &long,
                rest: b""
            }
            .encode(),
            Err(FramingError::TooLong)
        );
        assert_eq!(
            Frame {
                version: 1,
                ap: b"",
                rest: &long[..0xfffa]
            }
            .encode(),
            Err(FramingError::TooLong)
        );
        assert_eq!(
            Frame {
                version: 1,
                ap: b"",
                rest: &long[..0xfff9]
            }
            .encode()
            .map(|o| o.len()),
            Ok(0xffff)
        );
    }

    proptest! {
        #[test]
        fn octets_of_any_kind_are_taken_or_refused(octets in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Reply::decode(&octets);
            if let Ok(request) = Request::decode(&octets) {
                prop_assert_eq!(request.encode().unwrap(), octets);
            }
        }
    }
}
