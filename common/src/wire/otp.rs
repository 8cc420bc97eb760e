use core::fmt;

use rasn::types::{Any, ObjectIdentifier, Utf8String};
use rasn::{AsnType, Decode, Decoder as _, Encode};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use super::{EncryptedData, KerberosString, Octets};
use crate::flags::OtpFlags;
use crate::time::KerberosTime;

/// RFC 6560 §4.1. Unlike the rest of Kerberos, the tags of this family are implicit: [`super::decode_implicit`] reads it.
///
/// ```asn1
/// PA-OTP-CHALLENGE ::= SEQUENCE {
///         nonce          [0] OCTET STRING,
///         otp-service    [1] UTF8String OPTIONAL,
///         otp-tokenInfo  [2] SEQUENCE (SIZE(1..MAX)) OF OTP-TOKENINFO,
///         salt           [3] KerberosString OPTIONAL,
///         s2kparams      [4] OCTET STRING OPTIONAL,
///         ...
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct PaOtpChallenge {
    /// Comes back encrypted.
    #[rasn(tag(0))]
    pub nonce: Octets,
    /// Who checks the code.
    #[rasn(tag(1))]
    pub otp_service: Option<Utf8String>,
    /// What tokens will do.
    #[rasn(tag(2))]
    pub otp_token_info: Vec<OtpTokenInfo>,
    /// The salt of the client's key.
    #[rasn(tag(3))]
    pub salt: Option<KerberosString>,
    /// And its string-to-key parameters.
    #[rasn(tag(4))]
    pub s2kparams: Option<Octets>,
}

/// RFC 6560 §4.1.
///
/// ```asn1
/// OTP-TOKENINFO ::= SEQUENCE {
///         flags             [0] OTPFlags,
///         otp-vendor        [1] UTF8String OPTIONAL,
///         otp-challenge     [2] OCTET STRING (SIZE(1..MAX)) OPTIONAL,
///         otp-length        [3] Int32 OPTIONAL,
///         otp-format        [4] OTPFormat OPTIONAL,
///         otp-tokenID       [5] OCTET STRING OPTIONAL,
///         otp-algID         [6] AnyURI OPTIONAL,
///         supportedHashAlg  [7] SEQUENCE OF AlgorithmIdentifier OPTIONAL,
///         iterationCount    [8] Int32 OPTIONAL,
///         ...
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct OtpTokenInfo {
    /// What the client shall collect and send.
    #[rasn(tag(0))]
    pub flags: OtpFlags,
    /// Who made the token.
    #[rasn(tag(1))]
    pub otp_vendor: Option<Utf8String>,
    /// To be given to the token.
    #[rasn(tag(2))]
    pub otp_challenge: Option<Octets>,
    /// How many characters the code has.
    #[rasn(tag(3))]
    pub otp_length: Option<i32>,
    /// 0: decimal, 1: hexadecimal, 2: alphanumeric, 3: binary, 4: base64.
    #[rasn(tag(4))]
    pub otp_format: Option<i32>,
    /// Which token.
    #[rasn(tag(5))]
    pub otp_token_id: Option<Octets>,
    /// Its algorithm, as a URI.
    #[rasn(tag(6))]
    pub otp_alg_id: Option<Utf8String>,
    /// The hashes that will do where the code is not sent but hashed.
    #[rasn(tag(7))]
    pub supported_hash_alg: Option<Vec<AlgorithmIdentifier>>,
    /// How often to hash.
    #[rasn(tag(8))]
    pub iteration_count: Option<i32>,
}

/// `AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }` (RFC 5280 §4.1.1.2).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct AlgorithmIdentifier {
    /// Which algorithm.
    pub algorithm: ObjectIdentifier,
    /// As received.
    pub parameters: Option<Any>,
}

/// RFC 6560 §4.2.
///
/// ```asn1
/// PA-OTP-REQUEST ::= SEQUENCE {
///         flags           [0] OTPFlags,
///         nonce           [1] OCTET STRING OPTIONAL,
///         encData         [2] EncryptedData, -- PA-OTP-ENC-REQUEST or PA-ENC-TS-ENC
///         hashAlg         [3] AlgorithmIdentifier OPTIONAL,
///         iterationCount  [4] Int32 OPTIONAL,
///         otp-value       [5] OCTET STRING OPTIONAL,
///         otp-pin         [6] UTF8String OPTIONAL,
///         otp-challenge   [7] OCTET STRING OPTIONAL,
///         otp-time        [8] KerberosTime OPTIONAL,
///         otp-counter     [9] OCTET STRING OPTIONAL,
///         otp-format      [10] OTPFormat OPTIONAL,
///         otp-tokenID     [11] OCTET STRING OPTIONAL,
///         otp-algID       [12] AnyURI OPTIONAL,
///         otp-vendor      [13] UTF8String OPTIONAL,
///         ...
/// }
/// ```
#[derive(AsnType, Clone, Decode, Encode, PartialEq, Eq)]
pub struct PaOtpRequest {
    /// What was collected.
    #[rasn(tag(0))]
    pub flags: OtpFlags,
    /// The client's nonce, where the code is hashed.
    #[rasn(tag(1))]
    pub nonce: Option<Octets>,
    /// A [`PaOtpEncRequest`] under the client key, key usage 45.
    #[rasn(tag(2))]
    pub enc_data: EncryptedData,
    /// The hash that was used.
    #[rasn(tag(3))]
    pub hash_alg: Option<AlgorithmIdentifier>,
    /// And how often.
    #[rasn(tag(4))]
    pub iteration_count: Option<i32>,
    /// The code. Wiped when dropped.
    #[rasn(tag(5))]
    pub otp_value: Option<Octets>,
    /// The PIN. Wiped when dropped.
    #[rasn(tag(6))]
    pub otp_pin: Option<Utf8String>,
    /// The challenge that the token was given.
    #[rasn(tag(7))]
    pub otp_challenge: Option<Octets>,
    /// The token's time.
    #[rasn(tag(8))]
    pub otp_time: Option<KerberosTime>,
    /// The token's counter.
    #[rasn(tag(9))]
    pub otp_counter: Option<Octets>,
    /// As in [`OtpTokenInfo`].
    #[rasn(tag(10))]
    pub otp_format: Option<i32>,
    /// Which token.
    #[rasn(tag(11))]
    pub otp_token_id: Option<Octets>,
    /// Its algorithm, as a URI.
    #[rasn(tag(12))]
    pub otp_alg_id: Option<Utf8String>,
    /// Who made it.
    #[rasn(tag(13))]
    pub otp_vendor: Option<Utf8String>,
}

impl fmt::Debug for PaOtpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PaOtpRequest {{ flags: {:?}, [redacted] }}", self.flags)
    }
}

impl Drop for PaOtpRequest {
    fn drop(&mut self) {
        if let Some(value) = &mut self.otp_value {
            value.0.zeroize();
        }
        self.otp_pin.zeroize();
    }
}

impl ZeroizeOnDrop for PaOtpRequest {}

/// `PA-OTP-ENC-REQUEST ::= SEQUENCE { nonce [0] OCTET STRING, ... }` (RFC 6560 §4.2).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct PaOtpEncRequest {
    /// The challenge's.
    #[rasn(tag(0))]
    pub nonce: Octets,
}
