//! Keys out of passwords: RFC 3962 §4, RFC 8009 §4.

use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

use super::aes_cts::{Aes128, Aes256};
use super::aes_sha2::{Aes128Sha256, Aes256Sha384};
use super::{CryptoError, EncType, Key, aes_sha1, aes_sha2};

/// The most PBKDF2 rounds that a peer may ask for: 2^22. At that many a key takes four seconds at most (one with SHA-384 on
/// a slow core), so a hostile KDC cannot keep a client busy for long; it is above what is recommended for stored passwords
/// and 128 times the larger default.
pub const MAX_ROUNDS: u32 = 1 << 22;

/// The string-to-key of `etype`: `password` and `salt` as octets, `params` as in ETYPE-INFO2 (four octets, big-endian
/// rounds), or the enctype's default. Costs 1 ms (SHA-1) to 27 ms (aes256 with SHA-2) of CPU.
///
/// # Errors
/// [`CryptoError::StringToKeyParams`] when `params` are not four octets or ask for more rounds than [`MAX_ROUNDS`]. Zero
/// means 2^32 rounds (RFC 3962 §4), which is more.
pub fn string_to_key(etype: EncType, password: &[u8], salt: &[u8], params: Option<&[u8]>) -> Result<Key, CryptoError> {
    let rounds = rounds(etype, params)?;
    let mut seed = Zeroizing::new(vec![0; etype.key_len()]);
    match etype {
        EncType::Aes128CtsHmacSha1_96 | EncType::Aes256CtsHmacSha1_96 => {
            pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut seed);
        }
        EncType::Aes128CtsHmacSha256_128 => {
            pbkdf2_hmac::<Sha256>(password, &named_salt(etype, salt), rounds, &mut seed);
        }
        EncType::Aes256CtsHmacSha384_192 => {
            pbkdf2_hmac::<Sha384>(password, &named_salt(etype, salt), rounds, &mut seed);
        }
    }
    let octets = match etype {
        EncType::Aes128CtsHmacSha1_96 => aes_sha1::finish_string_to_key::<Aes128>(&seed),
        EncType::Aes256CtsHmacSha1_96 => aes_sha1::finish_string_to_key::<Aes256>(&seed),
        EncType::Aes128CtsHmacSha256_128 => aes_sha2::finish_string_to_key::<Aes128Sha256>(&seed),
        EncType::Aes256CtsHmacSha384_192 => aes_sha2::finish_string_to_key::<Aes256Sha384>(&seed),
    };
    Key::new(etype, &octets)
}

fn rounds(etype: EncType, params: Option<&[u8]>) -> Result<u32, CryptoError> {
    let Some(params) = params else {
        return Ok(etype.default_rounds());
    };
    let rounds = params
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| CryptoError::StringToKeyParams)?;
    if (1..=MAX_ROUNDS).contains(&rounds) {
        Ok(rounds)
    } else {
        Err(CryptoError::StringToKeyParams)
    }
}

/// The enctype's name, a zero octet, and the salt (RFC 8009 §4).
fn named_salt(etype: EncType, salt: &[u8]) -> Vec<u8> {
    [etype.name().as_bytes(), &[0], salt].concat()
}

#[cfg(test)]
mod tests {
    use EncType::*;

    use super::super::hex::hex;
    use super::*;

    /// Rounds, password, salt, the 128-bit key and the 256-bit key.
    type Rfc3962 = (u32, &'static [u8], &'static [u8], &'static str, &'static str);

    /// RFC 3962 appendix B.
    #[test]
    fn aes_sha1_keys_are_those_of_rfc_3962() {
        let athena = b"ATHENA.MIT.EDUraeburn".as_slice();
        let table: [Rfc3962; 7] = [
            (
                1,
                b"password",
                athena,
                "42263c6e89f4fc28b8df68ee09799f15",
                "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161",
            ),
            (
                2,
                b"password",
                athena,
                "c651bf29e2300ac27fa469d693bdda13",
                "a2e16d16b36069c135d5e9d2e25f896102685618b95914b467c67622225824ff",
            ),
            (
                1200,
                b"password",
                athena,
                "4c01cd46d632d01e6dbe230a01ed642a",
                "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a",
            ),
            (
                5,
                b"password",
                &[0x12, 0x34, 0x56, 0x78, 0x78, 0x56, 0x34, 0x12],
                "e9b23d52273747dd5c35cb55be619d8e",
                "97a4e786be20d81a382d5ebc96d5909cabcdadc87ca48f574504159f16c36e31",
            ),
            (
                1200,
                &[b'X'; 64],
                b"pass phrase equals block size",
                "59d1bb789a828b1aa54ef9c2883f69ed",
                "89adee3608db8bc71f1bfbfe459486b05618b70cbae22092534e56c553ba4b34",
            ),
            (
                1200,
                &[b'X'; 65],
                b"pass phrase exceeds block size",
                "cb8005dc5f90179a7f02104c0018751d",
                "d78c5c9cb872a8c9dad4697f0bb5b2d21496c82beb2caeda2112fceea057401b",
            ),
            (
                50,
                &[0xf0, 0x9d, 0x84, 0x9e],
                b"EXAMPLE.COMpianist",
                "f149c1f2e154a73452d43e7fe62a56e5",
                "4b6d9839f84406df1f09cc166db4b83c571848b784a3d6bdc346589a3e393f9e",
            ),
        ];
        for (rounds, password, salt, short, long) in table {
            let params = rounds.to_be_bytes();
            let key = |etype| string_to_key(etype, password, salt, Some(&params)).unwrap();
            assert_eq!(key(Aes128CtsHmacSha1_96).octets(), hex(short), "{rounds} rounds");
            assert_eq!(key(Aes256CtsHmacSha1_96).octets(), hex(long), "{rounds} rounds");
        }
    }

    /// RFC 8009 appendix A; 32768 rounds are the default.
    #[test]
    fn aes_sha2_keys_are_those_of_rfc_8009() {
        let salt = [
            hex("10df9dd783e5bc8acea1730e74355f61"),
            b"ATHENA.MIT.EDUraeburn".to_vec(),
        ]
        .concat();
        let table = [
            (Aes128CtsHmacSha256_128, "089bca48b105ea6ea77ca5d2f39dc5e7"),
            (
                Aes256CtsHmacSha384_192,
                "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467",
            ),
        ];
        for (etype, key) in table {
            assert_eq!(
                string_to_key(etype, b"password", &salt, None).unwrap().octets(),
                hex(key),
                "{etype}"
            );
            let params = 32768_u32.to_be_bytes();
            assert_eq!(
                string_to_key(etype, b"password", &salt, Some(&params))
                    .unwrap()
                    .octets(),
                hex(key),
                "{etype}"
            );
        }
    }

    #[test]
    fn no_params_mean_4096_rounds_with_sha1() {
        for etype in [Aes128CtsHmacSha1_96, Aes256CtsHmacSha1_96] {
            let asked = string_to_key(etype, b"password", b"salt", Some(&[0, 0, 0x10, 0]));
            assert_eq!(string_to_key(etype, b"password", b"salt", None), asked);
        }
    }

    #[test]
    fn empty_passwords_and_salts_make_keys() {
        for etype in EncType::ALL {
            assert!(string_to_key(etype, b"", b"", Some(&[0, 0, 0, 1])).is_ok());
        }
    }

    #[test]
    fn params_out_of_bounds_are_refused() {
        let one_more = (MAX_ROUNDS + 1).to_be_bytes();
        let table: [&[u8]; 8] = [
            &[],
            &[1],
            &[0, 0, 1],
            &[0, 0, 0, 16, 0],
            &[0; 8],
            &[0, 0, 0, 0],
            &[0xff, 0xff, 0xff, 0xff],
            &one_more,
        ];
        for etype in EncType::ALL {
            for params in table {
                let refused = string_to_key(etype, b"password", b"salt", Some(params));
                assert_eq!(refused, Err(CryptoError::StringToKeyParams), "{etype} {params:?}");
            }
        }
        assert_eq!(
            rounds(Aes256CtsHmacSha1_96, Some(&MAX_ROUNDS.to_be_bytes())),
            Ok(MAX_ROUNDS)
        );
    }
}
