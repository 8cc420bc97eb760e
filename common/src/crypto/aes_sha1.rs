//! `aes128-cts-hmac-sha1-96` and `aes256-cts-hmac-sha1-96`: RFC 3962 in the simplified profile of RFC 3961 §5.3.

use core::marker::PhantomData;

use cts::cipher::array::Array;
use cts::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha1::{Digest as _, Sha1};
use zeroize::{Zeroize as _, Zeroizing};

use super::aes_cts::{self, Aes, BLOCK};
use super::nfold::nfold;
use super::sealing::{Checksum, Open, PseudoRandom, Seal};
use super::{CryptoError, KeyUsage, constant_time_eq, zero_padded};

/// HMAC-SHA1 cut to 96 bits.
const MAC_LEN: usize = 12;

/// Encrypts: MAC over confounder and plaintext, ciphertext of the same, side by side (RFC 3961 §5.3).
pub(super) struct Sealer<A: Aes> {
    ke: A::Encrypt,
    ki: Hmac<Sha1>,
}

impl<A: Aes> Sealer<A> {
    pub(super) fn new(key: &[u8], usage: KeyUsage) -> Self {
        let base = A::encryption_schedule(key);
        Self {
            ke: derive::<A, _>(&base, &usage_constant(usage, Purpose::Encryption), A::Encrypt::new),
            ki: derive_mac_key::<A>(&base, usage, Purpose::Integrity),
        }
    }
}

impl<A: Aes> Seal for Sealer<A> {
    fn seal(&self, confounder: [u8; BLOCK], plaintext: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(BLOCK + plaintext.len() + MAC_LEN);
        text.extend_from_slice(&confounder);
        text.extend_from_slice(plaintext);
        let mac = mac(&self.ki, &text);
        aes_cts::encrypt(&self.ke, &mut text);
        text.extend_from_slice(&mac);
        text
    }
}

/// Decrypts, then checks the MAC of what came out.
pub(super) struct Opener<A: Aes> {
    ke: A::Decrypt,
    ki: Hmac<Sha1>,
}

impl<A: Aes> Opener<A> {
    pub(super) fn new(key: &[u8], usage: KeyUsage) -> Self {
        let base = A::encryption_schedule(key);
        Self {
            ke: derive::<A, _>(&base, &usage_constant(usage, Purpose::Encryption), A::Decrypt::new),
            ki: derive_mac_key::<A>(&base, usage, Purpose::Integrity),
        }
    }
}

impl<A: Aes> Open for Opener<A> {
    fn open(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (text, received) = ciphertext.split_last_chunk::<MAC_LEN>().ok_or(CryptoError::Truncated)?;
        let mut text = Zeroizing::new(text.to_vec());
        aes_cts::decrypt(&self.ke, &mut text).ok_or(CryptoError::Truncated)?;
        if !constant_time_eq(&mac(&self.ki, &text), received) {
            return Err(CryptoError::Integrity);
        }
        text.drain(..BLOCK);
        Ok(text)
    }
}

/// `hmac-sha1-96-aes128` and `hmac-sha1-96-aes256` (RFC 3962 §7).
pub(super) struct Checksummer<A> {
    kc: Hmac<Sha1>,
    aes: PhantomData<fn() -> A>,
}

impl<A: Aes> Checksummer<A> {
    pub(super) fn new(key: &[u8], usage: KeyUsage) -> Self {
        let base = A::encryption_schedule(key);
        Self {
            kc: derive_mac_key::<A>(&base, usage, Purpose::Checksum),
            aes: PhantomData,
        }
    }
}

impl<A> Checksum for Checksummer<A> {
    fn checksum(&self, data: &[u8]) -> Vec<u8> {
        mac(&self.kc, data).to_vec()
    }
}

/// The pseudo-random function of RFC 3961 §5.3: one block, SHA-1 of the input encrypted under DK(key, "prf").
pub(super) struct Prf<A: Aes>(A::Encrypt);

impl<A: Aes> Prf<A> {
    pub(super) fn new(key: &[u8]) -> Self {
        const CONSTANT: [u8; BLOCK] = nfold(b"prf");
        Self(derive::<A, _>(&A::encryption_schedule(key), &CONSTANT, A::Encrypt::new))
    }
}

impl<A: Aes> PseudoRandom for Prf<A> {
    fn fill(&self, input: &[&[u8]], out: &mut [u8]) {
        let mut hash = Sha1::new();
        for part in input {
            hash.update(part);
        }
        let mut block = Array::default();
        block.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        self.0.encrypt_block(&mut block);
        out.iter_mut().zip(&block).for_each(|(to, from)| *to = *from);
        block.as_mut_slice().zeroize();
    }
}

/// The last step of string-to-key (RFC 3962 §4): DK(`seed`, "kerberos").
pub(super) fn finish_string_to_key<A: Aes>(seed: &[u8]) -> Zeroizing<Vec<u8>> {
    const CONSTANT: [u8; BLOCK] = nfold(b"kerberos");
    derive::<A, _>(&A::encryption_schedule(seed), &CONSTANT, |key| {
        Zeroizing::new(key.to_vec())
    })
}

/// DK (RFC 3961 §5.1), which for AES is DR: the folded constant encrypted block after block, each from the one before. It is
/// handed to `work`, and wiped afterwards.
fn derive<A: Aes, R>(base: &A::Encrypt, constant: &[u8; BLOCK], work: impl FnOnce(&Array<u8, A::KeySize>) -> R) -> R {
    let mut derived = Array::default();
    let mut block = Array::from(*constant);
    for part in derived.chunks_mut(BLOCK) {
        base.encrypt_block(&mut block);
        part.iter_mut().zip(&block).for_each(|(to, from)| *to = *from);
    }
    let result = work(&derived);
    block.as_mut_slice().zeroize();
    derived.as_mut_slice().zeroize();
    result
}

fn derive_mac_key<A: Aes>(base: &A::Encrypt, usage: KeyUsage, purpose: Purpose) -> Hmac<Sha1> {
    derive::<A, _>(base, &usage_constant(usage, purpose), |key| zero_padded(key, Hmac::new))
}

#[derive(Clone, Copy)]
enum Purpose {
    Checksum,
    Integrity,
    Encryption,
}

impl Purpose {
    const fn octet(self) -> u8 {
        match self {
            Self::Checksum => 0x99,
            Self::Integrity => 0x55,
            Self::Encryption => 0xaa,
        }
    }
}

/// The well-known constant of a usage (RFC 3961 §5.3), folded to a block.
fn usage_constant(usage: KeyUsage, purpose: Purpose) -> [u8; BLOCK] {
    const fn fold(usage: u32, purpose: Purpose) -> [u8; BLOCK] {
        let [a, b, c, d] = usage.to_be_bytes();
        nfold(&[a, b, c, d, purpose.octet()])
    }

    // Folding costs more than the encryption that follows it, so it is done for all assigned usages at compile time.
    const ASSIGNED: usize = 80;
    static FOLDED: [[[u8; BLOCK]; 3]; ASSIGNED] = {
        let mut table = [[[0; BLOCK]; 3]; ASSIGNED];
        let mut rest = table.as_mut_slice();
        let mut usage = 0;
        while let Some((row, tail)) = rest.split_first_mut() {
            *row = [
                fold(usage, Purpose::Checksum),
                fold(usage, Purpose::Integrity),
                fold(usage, Purpose::Encryption),
            ];
            rest = tail;
            usage += 1;
        }
        table
    };

    let row = usize::try_from(usage.0).ok().and_then(|usage| FOLDED.get(usage));
    row.map_or_else(
        || fold(usage.0, purpose),
        |&[checksum, integrity, encryption]| match purpose {
            Purpose::Checksum => checksum,
            Purpose::Integrity => integrity,
            Purpose::Encryption => encryption,
        },
    )
}

fn mac(key: &Hmac<Sha1>, data: &[u8]) -> [u8; MAC_LEN] {
    let full: [u8; 20] = key.clone().chain_update(data).finalize().into_bytes().into();
    let mut cut = [0; MAC_LEN];
    cut.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    cut
}

#[cfg(test)]
mod tests {
    use super::super::aes_cts::{Aes128, Aes256};
    use super::super::hex::hex;
    use super::*;

    const SHORT: &[u8] = b"sixteen octets..";
    const LONG: &[u8] = b"thirty-two octets for the key...";

    /// RFC 3962 publishes no whole message, checksum or output of the PRF. These were made with MIT Kerberos.
    #[test]
    fn results_are_those_of_another_implementation() {
        let plaintext = b"a ticket";
        let message = hex("b94bb748d4c630f9e244c056cf81da03020c1cda7a6509d363fd78a3aea4ce2977a6ebe2");
        assert_eq!(
            *Opener::<Aes128>::new(SHORT, KeyUsage::TICKET).open(&message).unwrap(),
            plaintext
        );
        let checksummer = Checksummer::<Aes128>::new(SHORT, KeyUsage::TICKET);
        assert_eq!(checksummer.checksum(plaintext), hex("a963c4fd9a057fb4146a0c78"));
        let mut block = [0; 16];
        Prf::<Aes128>::new(SHORT).fill(&[plaintext], &mut block);
        assert_eq!(block.as_slice(), hex("783a342c652624ce5ceb288bc35def95"));

        let message = hex("f7919ccc897f25bd43c7d1620372a80d0e6a0dd14f55fa9a1a817e0eeddac2ed368c4790");
        assert_eq!(
            *Opener::<Aes256>::new(LONG, KeyUsage::TICKET).open(&message).unwrap(),
            plaintext
        );
        let checksummer = Checksummer::<Aes256>::new(LONG, KeyUsage::TICKET);
        assert_eq!(checksummer.checksum(plaintext), hex("1172579108ddb3409cd1c81c"));
        Prf::<Aes256>::new(LONG).fill(&[b"a ", b"ticket"], &mut block);
        assert_eq!(block.as_slice(), hex("aa1cc8cece4596944efc74a443621234"));
    }

    #[test]
    fn folded_constants_are_the_same_from_the_table_and_afresh() {
        let purposes = [
            (Purpose::Checksum, 0x99),
            (Purpose::Integrity, 0x55),
            (Purpose::Encryption, 0xaa),
        ];
        for usage in (0..200).chain([1024, 0x0001_0000, u32::MAX]) {
            for (purpose, octet) in purposes {
                let [a, b, c, d] = usage.to_be_bytes();
                assert_eq!(
                    usage_constant(KeyUsage(usage), purpose),
                    nfold(&[a, b, c, d, octet]),
                    "usage {usage}"
                );
            }
        }
    }

    /// `Hmac` has no marker of its own: it is nothing but two such states and a buffer.
    #[test]
    fn states_of_the_mac_are_wiped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<<Sha1 as hmac::EagerHash>::Core>();
    }
}
