//! AES with ciphertext stealing, CBC-CS3 with a zero initial vector: the mode of RFC 3962 §5 and RFC 8009 §5.

use cts::cipher::array::{Array, ArraySize};
use cts::cipher::consts::{U16, U32};
use cts::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, InnerIvInit as _, KeyInit, KeySizeUser};
use cts::{CbcCs3, Decrypt as _, Encrypt as _};

use super::zero_padded;

/// The octets of a block, and so of a confounder.
pub(super) const BLOCK: usize = 16;

/// AES of one key length, with the key schedule of each direction as a type of its own.
pub(super) trait Aes: 'static {
    /// The octets of a key.
    type KeySize: ArraySize;
    type Encrypt: BlockCipherEncrypt<BlockSize = U16> + KeyInit + KeySizeUser<KeySize = Self::KeySize> + Send + Sync;
    type Decrypt: BlockCipherDecrypt<BlockSize = U16> + KeyInit + KeySizeUser<KeySize = Self::KeySize> + Send + Sync;

    /// The schedule for encryption; `key` has as many octets as it needs.
    fn encryption_schedule(key: &[u8]) -> Self::Encrypt {
        zero_padded(key, Self::Encrypt::new)
    }
}

/// AES with keys of 128 bits.
pub(super) struct Aes128;

impl Aes for Aes128 {
    type KeySize = U16;
    type Encrypt = aes::Aes128Enc;
    type Decrypt = aes::Aes128Dec;
}

/// AES with keys of 256 bits.
pub(super) struct Aes256;

impl Aes for Aes256 {
    type KeySize = U32;
    type Encrypt = aes::Aes256Enc;
    type Decrypt = aes::Aes256Dec;
}

/// Encrypts in place. `text` has at least one block, because every message begins with a confounder.
#[allow(
    clippy::expect_used,
    reason = "every caller has put a confounder in front; silence here would send plaintext"
)]
pub(super) fn encrypt(schedule: &impl BlockCipherEncrypt<BlockSize = U16>, text: &mut [u8]) {
    if let Some(block) = lone_block(text) {
        schedule.encrypt_block(block);
        return;
    }
    CbcCs3::inner_iv_init(schedule, &[0; BLOCK].into())
        .encrypt(text)
        .expect("a confounder is a whole block");
}

/// Decrypts in place, or gives `None` when `text` is shorter than one block.
pub(super) fn decrypt(schedule: &impl BlockCipherDecrypt<BlockSize = U16>, text: &mut [u8]) -> Option<()> {
    if let Some(block) = lone_block(text) {
        schedule.decrypt_block(block);
        return Some(());
    }
    CbcCs3::inner_iv_init(schedule, &[0; BLOCK].into()).decrypt(text).ok()
}

/// A text of exactly one block is simply encrypted (RFC 3962 §5); version 0.7 of `cts` would do it twice.
fn lone_block(text: &mut [u8]) -> Option<&mut Array<u8, U16>> {
    text.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::super::hex::hex;
    use super::*;

    fn decryption_schedule<A: Aes>(key: &[u8]) -> A::Decrypt {
        A::Decrypt::new_from_slice(key).unwrap()
    }

    /// RFC 3962 appendix B: how much of the text is encrypted, and what comes out.
    #[test]
    fn ciphertexts_are_those_of_rfc_3962() {
        let text = b"I would like the General Gau's Chicken, please, and wonton soup.";
        let table = [
            (17, "c6353568f2bf8cb4d8a580362da7ff7f97"),
            (31, "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5"),
            (32, "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584"),
            (
                47,
                "97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e\
                 39312523a78662d5be7fcbcc98ebf5",
            ),
            (
                48,
                "97687268d6ecccc0c07b25e25ecfe5849dad8bbb96c4cdc03bc103e1a194bbd8\
                 39312523a78662d5be7fcbcc98ebf5a8",
            ),
            (
                64,
                "97687268d6ecccc0c07b25e25ecfe58439312523a78662d5be7fcbcc98ebf5a8\
                 4807efe836ee89a526730dbc2f7bc8409dad8bbb96c4cdc03bc103e1a194bbd8",
            ),
        ];
        let key = b"chicken teriyaki";
        for (len, ciphertext) in table {
            let mut buffer = text[..len].to_vec();
            encrypt(&Aes128::encryption_schedule(key), &mut buffer);
            assert_eq!(buffer, hex(ciphertext), "{len} octets");
            decrypt(&decryption_schedule::<Aes128>(key), &mut buffer).unwrap();
            assert_eq!(buffer, &text[..len], "{len} octets");
        }
    }

    /// FIPS 197 appendix B: one block is one call of the cipher.
    #[test]
    fn a_lone_block_is_encrypted_once() {
        let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
        let mut block = hex("3243f6a8885a308d313198a2e0370734");
        encrypt(&Aes128::encryption_schedule(&key), &mut block);
        assert_eq!(block, hex("3925841d02dc09fbdc118597196a0b32"));
        decrypt(&decryption_schedule::<Aes128>(&key), &mut block).unwrap();
        assert_eq!(block, hex("3243f6a8885a308d313198a2e0370734"));
    }

    #[test]
    fn less_than_a_block_does_not_decrypt() {
        for len in 0..BLOCK {
            assert_eq!(
                decrypt(&decryption_schedule::<Aes256>(&[1; 32]), &mut vec![0; len]),
                None,
                "{len} octets"
            );
        }
        assert!(decrypt(&decryption_schedule::<Aes256>(&[1; 32]), &mut [0; BLOCK]).is_some());
    }

    #[test]
    fn schedules_are_wiped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<<Aes128 as Aes>::Encrypt>();
        wiped::<<Aes128 as Aes>::Decrypt>();
        wiped::<<Aes256 as Aes>::Encrypt>();
        wiped::<<Aes256 as Aes>::Decrypt>();
    }
}
