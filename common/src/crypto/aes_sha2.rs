//! `aes128-cts-hmac-sha256-128` and `aes256-cts-hmac-sha384-192` (RFC 8009).

use cts::cipher::KeyInit as _;
use cts::cipher::array::{Array, ArraySize};
use cts::cipher::consts::{U16, U24, U32, U48};
use cts::cipher::typenum::Unsigned as _;
use hmac::{EagerHash, Hmac, Mac as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::aes_cts::{self, Aes, Aes128, Aes256, BLOCK};
use super::sealing::{Checksum, Open, PseudoRandom, Seal};
use super::{CryptoError, KeyUsage, constant_time_eq, zero_padded};

/// One of the two enctypes.
pub(super) trait Profile: 'static {
    type Aes: Aes;
    type Hash: EagerHash<Core: Send + Sync>;
    /// The octets of a MAC, and of the keys that compute one.
    type MacLen: ArraySize;
    /// The octets that the pseudo-random function gives.
    type PrfLen: ArraySize;
}

/// `aes128-cts-hmac-sha256-128`.
pub(super) struct Aes128Sha256;

impl Profile for Aes128Sha256 {
    type Aes = Aes128;
    type Hash = sha2::Sha256;
    type MacLen = U16;
    type PrfLen = U32;
}

/// `aes256-cts-hmac-sha384-192`.
pub(super) struct Aes256Sha384;

impl Profile for Aes256Sha384 {
    type Aes = Aes256;
    type Hash = sha2::Sha384;
    type MacLen = U24;
    type PrfLen = U48;
}

/// The cipher state that a message begins with; the MAC covers it (RFC 8009 §5).
const INITIAL_STATE: [u8; BLOCK] = [0; BLOCK];

/// Encrypts, then adds the MAC of the ciphertext.
pub(super) struct Sealer<P: Profile> {
    ke: <P::Aes as Aes>::Encrypt,
    ki: Hmac<P::Hash>,
}

impl<P: Profile> Sealer<P> {
    pub(super) fn new(key: &[u8], usage: KeyUsage) -> Self {
        let base = hmac_key::<P>(key);
        Self {
            ke: encryption_key::<P, _>(&base, usage, <P::Aes as Aes>::Encrypt::new),
            ki: mac_key::<P>(&base, usage, 0x55),
        }
    }
}

impl<P: Profile> Seal for Sealer<P> {
    fn seal(&self, confounder: [u8; BLOCK], plaintext: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(BLOCK + plaintext.len() + P::MacLen::USIZE);
        text.extend_from_slice(&confounder);
        text.extend_from_slice(plaintext);
        aes_cts::encrypt(&self.ke, &mut text);
        let mac = mac::<P>(&self.ki, &[&INITIAL_STATE, &text]);
        text.extend_from_slice(&mac);
        text
    }
}

/// Checks the MAC of the ciphertext, then decrypts.
pub(super) struct Opener<P: Profile> {
    ke: <P::Aes as Aes>::Decrypt,
    ki: Hmac<P::Hash>,
}

impl<P: Profile> Opener<P> {
    pub(super) fn new(key: &[u8], usage: KeyUsage) -> Self {
        let base = hmac_key::<P>(key);
        Self {
            ke: encryption_key::<P, _>(&base, usage, <P::Aes as Aes>::Decrypt::new),
            ki: mac_key::<P>(&base, usage, 0x55),
        }
    }
}

impl<P: Profile> Open for Opener<P> {
    fn open(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let text_len = ciphertext
            .len()
            .checked_sub(P::MacLen::USIZE)
            .filter(|&len| len >= BLOCK);
        let (text, received) = text_len
            .and_then(|len| ciphertext.split_at_checked(len))
            .ok_or(CryptoError::Truncated)?;
        if !constant_time_eq(&mac::<P>(&self.ki, &[&INITIAL_STATE, text]), received) {
            return Err(CryptoError::Integrity);
        }
        let mut text = Zeroizing::new(text.to_vec());
        aes_cts::decrypt(&self.ke, &mut text).ok_or(CryptoError::Truncated)?;
        text.drain(..BLOCK);
        Ok(text)
    }
}

/// `hmac-sha256-128-aes128` and `hmac-sha384-192-aes256` (RFC 8009 §6).
pub(super) struct Checksummer<P: Profile> {
    kc: Hmac<P::Hash>,
}

impl<P: Profile> Checksummer<P> {
    pub(super) fn new(key: &[u8], usage: KeyUsage) -> Self {
        let base = hmac_key::<P>(key);
        Self {
            kc: mac_key::<P>(&base, usage, 0x99),
        }
    }
}

impl<P: Profile> Checksum for Checksummer<P> {
    fn checksum(&self, data: &[u8]) -> Vec<u8> {
        mac::<P>(&self.kc, &[data]).to_vec()
    }
}

/// The pseudo-random function (RFC 8009 §5).
pub(super) struct Prf<P: Profile>(Hmac<P::Hash>);

impl<P: Profile> Prf<P> {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(hmac_key::<P>(key))
    }
}

impl<P: Profile> PseudoRandom for Prf<P> {
    fn fill(&self, input: &[&[u8]], out: &mut [u8]) {
        let mut hmac = begin_kdf::<P>(&self.0);
        hmac.update(b"prf\0");
        for part in input {
            hmac.update(part);
        }
        end_kdf::<P, P::PrfLen, _>(hmac, |block| {
            out.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
        });
    }
}

/// The last step of string-to-key (RFC 8009 §4).
pub(super) fn finish_string_to_key<P: Profile>(seed: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut hmac = begin_kdf::<P>(&hmac_key::<P>(seed));
    hmac.update(b"kerberos\0");
    end_kdf::<P, <P::Aes as Aes>::KeySize, _>(hmac, |key| Zeroizing::new(key.to_vec()))
}

/// Hands `work` the key for encryption of one usage (RFC 8009 §5).
fn encryption_key<P: Profile, R>(
    base: &Hmac<P::Hash>,
    usage: KeyUsage,
    work: impl FnOnce(&Array<u8, <P::Aes as Aes>::KeySize>) -> R,
) -> R {
    usage_key::<P, _, R>(base, usage, 0xaa, work)
}

/// The MAC's key for one usage, of integrity (0x55) or of checksums (0x99) (RFC 8009 §5).
fn mac_key<P: Profile>(base: &Hmac<P::Hash>, usage: KeyUsage, purpose: u8) -> Hmac<P::Hash> {
    usage_key::<P, P::MacLen, _>(base, usage, purpose, |key| hmac_key::<P>(key))
}

fn usage_key<P: Profile, N: ArraySize, R>(
    base: &Hmac<P::Hash>,
    usage: KeyUsage,
    purpose: u8,
    work: impl FnOnce(&Array<u8, N>) -> R,
) -> R {
    let mut hmac = begin_kdf::<P>(base);
    hmac.update(&usage.0.to_be_bytes());
    hmac.update(&[purpose, 0]);
    end_kdf::<P, N, R>(hmac, work)
}

/// KDF-HMAC-SHA2 (RFC 8009 §3). The label, a zero octet and the context are for the caller to put between.
fn begin_kdf<P: Profile>(key: &Hmac<P::Hash>) -> Hmac<P::Hash> {
    key.clone().chain_update(1_u32.to_be_bytes())
}

/// Hands `work` the `N` octets that were derived, never more than one HMAC gives, and wipes them afterwards.
fn end_kdf<P: Profile, N: ArraySize, R>(hmac: Hmac<P::Hash>, work: impl FnOnce(&Array<u8, N>) -> R) -> R {
    let mut block = hmac.chain_update((N::U32 * 8).to_be_bytes()).finalize().into_bytes();
    let result = zero_padded(block.get(..N::USIZE).unwrap_or_default(), work);
    block.as_mut_slice().zeroize();
    result
}

fn hmac_key<P: Profile>(key: &[u8]) -> Hmac<P::Hash> {
    zero_padded(key, Hmac::new)
}

fn mac<P: Profile>(key: &Hmac<P::Hash>, parts: &[&[u8]]) -> Array<u8, P::MacLen> {
    let mut hmac = key.clone();
    for part in parts {
        hmac.update(part);
    }
    let mut cut = Array::default();
    cut.iter_mut()
        .zip(hmac.finalize().into_bytes())
        .for_each(|(to, from)| *to = from);
    cut
}

#[cfg(test)]
mod tests {
    use super::super::hex::hex;
    use super::*;

    const SHORT: &str = "3705d96080c17728a0e800eab6e0d23c";
    const LONG: &str = "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52";
    const PLAINTEXT: &str = "000102030405060708090a0b0c0d0e0f1011121314";
    const USAGE: KeyUsage = KeyUsage(2);

    /// RFC 8009 appendix A, key derivation.
    #[test]
    fn derived_keys_are_those_of_rfc_8009() {
        let base = hmac_key::<Aes128Sha256>(&hex(SHORT));
        let key = |purpose| usage_key::<Aes128Sha256, U16, _>(&base, USAGE, purpose, |key| key.to_vec());
        assert_eq!(key(0x99), hex("b31a018a48f54776f403e9a396325dc3"));
        assert_eq!(key(0xaa), hex("9b197dd1e8c5609d6e67c3e37c62c72e"));
        assert_eq!(key(0x55), hex("9fda0e56ab2d85e1569a688696c26a6c"));

        let base = hmac_key::<Aes256Sha384>(&hex(LONG));
        let key = |purpose| usage_key::<Aes256Sha384, U24, _>(&base, USAGE, purpose, |key| key.to_vec());
        assert_eq!(key(0x99), hex("ef5718be86cc84963d8bbb5031e9f5c4ba41f28faf69e73d"));
        assert_eq!(key(0x55), hex("69b16514e3cd8e56b82010d5c73012b622c4d00ffc23ed1f"));
        assert_eq!(
            encryption_key::<Aes256Sha384, _>(&base, USAGE, |key| key.to_vec()),
            hex("56ab22bee63d82d7bc5227f6773f8ea7a5eb1c825160c38312980c442e5c7e49")
        );
    }

    /// RFC 8009 appendix A, encryption: how much of the plaintext, confounder, ciphertext and MAC.
    #[test]
    fn messages_are_those_of_rfc_8009() {
        check_messages::<Aes128Sha256>(
            SHORT,
            [
                (
                    0,
                    "7e5895eaf2672435bad817f545a37148",
                    "ef85fb890bb8472f4dab20394dca781dad877eda39d50c870c0d5a0a8e48c718",
                ),
                (
                    6,
                    "7bca285e2fd4130fb55b1a5c83bc5b24",
                    "84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c",
                ),
                (
                    16,
                    "56ab21713ff62c0a1457200f6fa9948f",
                    "3517d640f50ddc8ad3628722b3569d2ae07493fa8263254080ea65c1008e8fc2\
                     95fb4852e7d83e1e7c48c37eebe6b0d3",
                ),
                (
                    21,
                    "a7a4e29a4728ce10664fb64e49ad3fac",
                    "720f73b18d9859cd6ccb4346115cd336c70f58edc0c4437c5573544c31c813bc\
                     e1e6d072c186b39a413c2f92ca9b8334a287ffcbfc",
                ),
            ],
        );
        check_messages::<Aes256Sha384>(
            LONG,
            [
                (
                    0,
                    "f764e9fa15c276478b2c7d0c4e5f58e4",
                    "41f53fa5bfe7026d91faf9be959195a058707273a96a40f0a01960621ac61274\
                     8b9bbfbe7eb4ce3c",
                ),
                (
                    6,
                    "b80d3251c1f6471494256ffe712d0b9a",
                    "4ed7b37c2bcac8f74f23c1cf07e62bc7b75fb3f637b9f559c7f664f69eab7b60\
                     92237526ea0d1f61cb20d69d10f2",
                ),
                (
                    16,
                    "53bf8a0d105265d4e276428624ce5e63",
                    "bc47ffec7998eb91e8115cf8d19dac4bbbe2e163e87dd37f49beca92027764f6\
                     8cf51f14d798c2273f35df574d1f932e40c4ff255b36a266",
                ),
                (
                    21,
                    "763e65367e864f02f55153c7e3b58af1",
                    "40013e2df58e8751957d2878bcd2d6fe101ccfd556cb1eae79db3c3ee86429f2\
                     b2a602ac86fef6ecb647d6295fae077a1feb517508d2c16b4192e01f62",
                ),
            ],
        );
    }

    fn check_messages<P: Profile>(key: &str, table: [(usize, &str, &str); 4]) {
        let (sealer, opener) = (Sealer::<P>::new(&hex(key), USAGE), Opener::<P>::new(&hex(key), USAGE));
        for (len, confounder, message) in table {
            let plaintext = &hex(PLAINTEXT)[..len];
            let confounder = hex(confounder).try_into().unwrap();
            assert_eq!(sealer.seal(confounder, plaintext), hex(message), "{len} octets");
            assert_eq!(*opener.open(&hex(message)).unwrap(), plaintext, "{len} octets");
        }
    }

    /// RFC 8009 appendix A, checksums.
    #[test]
    fn checksums_are_those_of_rfc_8009() {
        let short = Checksummer::<Aes128Sha256>::new(&hex(SHORT), USAGE);
        assert_eq!(short.checksum(&hex(PLAINTEXT)), hex("d78367186643d67b411cba9139fc1dee"));
        let long = Checksummer::<Aes256Sha384>::new(&hex(LONG), USAGE);
        assert_eq!(
            long.checksum(&hex(PLAINTEXT)),
            hex("45ee791567eefca37f4ac1e0222de80d43c3bfa06699672a")
        );
    }

    /// RFC 8009 appendix A, pseudo-random function.
    #[test]
    fn prf_outputs_are_those_of_rfc_8009() {
        let mut short = [0; 32];
        Prf::<Aes128Sha256>::new(&hex(SHORT)).fill(&[b"test"], &mut short);
        assert_eq!(
            short.as_slice(),
            hex("9d188616f63852fe86915bb840b4a886ff3e6bb0f819b49b893393d393854295")
        );
        let mut long = [0; 48];
        Prf::<Aes256Sha384>::new(&hex(LONG)).fill(&[b"te", b"st"], &mut long);
        assert_eq!(
            long.as_slice(),
            hex("9801f69a368c2bf675e59521e177d9a07f67efe1cfde8d3c8d6f6a0256e3b17d\
                 b3c1b62ad1b8553360d17367eb1514d2")
        );
    }

    /// `Hmac` has no marker of its own: it is nothing but two such states and a buffer.
    #[test]
    fn states_of_the_mac_are_wiped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<<sha2::Sha256 as EagerHash>::Core>();
        wiped::<<sha2::Sha384 as EagerHash>::Core>();
    }
}
