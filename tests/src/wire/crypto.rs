//! `aes256-cts-hmac-sha1-96` (RFC 3962), written from the RFCs for these tests alone: plain, and not constant in time.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use cts::{CbcCs3, Decrypt, Encrypt, KeyIvInit};
use hmac::{Hmac, Mac};
use sha1::{Digest, Sha1};

use super::random;

/// Its number.
pub const AES256_CTS_HMAC_SHA1_96: i64 = 18;
/// The number of its checksum, `hmac-sha1-96-aes256`.
pub const HMAC_SHA1_96_AES256: i64 = 16;
const MAC_LENGTH: usize = 12;

/// An `aes256-cts-hmac-sha1-96` key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// Of a password, with the default 4096 rounds.
    #[must_use]
    pub fn from_password(password: &str, salt: &str) -> Self {
        let mut seed = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha1>(password.as_bytes(), salt.as_bytes(), 4096, &mut seed);
        Self(Self(seed).derive(b"kerberos"))
    }

    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(random())
    }

    /// As `EncryptionKey`.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        use super::der::{integer, octets, sequence, tagged};
        sequence(&[
            tagged(0, &integer(AES256_CTS_HMAC_SHA1_96)),
            tagged(1, &octets(&self.0)),
        ])
    }

    /// Encrypts for this key usage.
    #[must_use]
    pub fn encrypt(&self, usage: u32, plain: &[u8]) -> Vec<u8> {
        let mut buffer = [&random::<16>()[..], plain].concat();
        let mac = mac(&self.usage_key(usage, 0x55), &buffer);
        CbcCs3::<Aes256>::new(&self.usage_key(usage, 0xaa).into(), &[0; 16].into())
            .encrypt(&mut buffer)
            .unwrap();
        buffer.extend_from_slice(&mac);
        buffer
    }

    /// Decrypts what was encrypted for this key usage; `None` if the key or the usage is another, or it was altered.
    #[must_use]
    pub fn decrypt(&self, usage: u32, cipher: &[u8]) -> Option<Vec<u8>> {
        let (cipher, expected) = cipher.split_at_checked(cipher.len().checked_sub(MAC_LENGTH)?)?;
        let mut buffer = cipher.to_vec();
        CbcCs3::<Aes256>::new(&self.usage_key(usage, 0xaa).into(), &[0; 16].into())
            .decrypt(&mut buffer)
            .ok()?;
        (mac(&self.usage_key(usage, 0x55), &buffer) == expected).then(|| buffer.split_off(16))
    }

    /// The checksum of `data` for this key usage.
    #[must_use]
    pub fn checksum(&self, usage: u32, data: &[u8]) -> Vec<u8> {
        mac(&self.usage_key(usage, 0x99), data)
    }

    /// KRB-FX-CF2 of RFC 6113 §5.1: what both of these and their peppers are needed for.
    #[must_use]
    pub fn combined(&self, pepper: &str, other: &Self, others_pepper: &str) -> Self {
        let mut out = self.prf_plus(pepper.as_bytes());
        for (octet, of_other) in out.iter_mut().zip(other.prf_plus(others_pepper.as_bytes())) {
            *octet ^= of_other;
        }
        Self(out)
    }

    /// PRF+ of RFC 6113 §5.1, as long as a key.
    fn prf_plus(&self, pepper: &[u8]) -> [u8; 32] {
        let halves: Vec<u8> = [1, 2]
            .iter()
            .flat_map(|count| self.prf(&[&[*count], pepper].concat()))
            .collect();
        halves.try_into().unwrap()
    }

    /// The pseudo-random function of RFC 3962 §6.
    fn prf(&self, input: &[u8]) -> [u8; 16] {
        let mut block = aes::Block::try_from(&Sha1::digest(input)[..16]).unwrap();
        Aes256::new(&self.derive(b"prf").into()).encrypt_block(&mut block);
        block.into()
    }

    fn usage_key(&self, usage: u32, purpose: u8) -> [u8; 32] {
        self.derive(&[&usage.to_be_bytes()[..], &[purpose]].concat())
    }

    /// DK of RFC 3961 §5.1.
    fn derive(&self, constant: &[u8]) -> [u8; 32] {
        let cipher = Aes256::new(&self.0.into());
        let mut block: [u8; 16] = n_fold(constant, 16).try_into().unwrap();
        let mut out = [0; 32];
        for half in out.chunks_mut(16) {
            let mut next = block.into();
            cipher.encrypt_block(&mut next);
            block = next.into();
            half.copy_from_slice(&block);
        }
        out
    }
}

fn mac(key: &[u8; 32], data: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes()[..MAC_LENGTH].to_vec()
}

/// n-fold of RFC 3961 §5.1, bit by bit as it is defined there.
fn n_fold(input: &[u8], length: usize) -> Vec<u8> {
    let total = lcm(input.len(), length);
    let bits = input.len() * 8;
    let bit_of_copy = |copy: usize, bit: usize| {
        // Each copy is the one before it, rotated 13 bits to the right.
        let from = (bit + copy * (bits - 13 % bits)) % bits;
        input[from / 8] >> (7 - from % 8) & 1
    };
    let concatenated: Vec<u8> = (0..total)
        .map(|octet| {
            (0..8).fold(0, |value, n| {
                let bit = octet * 8 + n;
                value << 1 | bit_of_copy(bit / bits, bit % bits)
            })
        })
        .collect();
    let mut sum = vec![0_u8; length];
    for chunk in concatenated.chunks(length) {
        add_ones_complement(&mut sum, chunk);
    }
    sum
}

fn add_ones_complement(sum: &mut [u8], addend: &[u8]) {
    let mut carry = 0;
    for (octet, other) in sum.iter_mut().zip(addend).rev() {
        let value = u16::from(*octet) + u16::from(*other) + carry;
        *octet = value.to_be_bytes()[1];
        carry = value >> 8;
    }
    for octet in sum.iter_mut().rev() {
        let value = u16::from(*octet) + carry;
        *octet = value.to_be_bytes()[1];
        carry = value >> 8;
    }
}

fn lcm(a: usize, b: usize) -> usize {
    let gcd = (1..=a.min(b))
        .rev()
        .find(|n| a.is_multiple_of(*n) && b.is_multiple_of(*n))
        .unwrap();
    a / gcd * b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn n_fold_gives_the_vectors_of_rfc_3961() {
        assert_eq!(hex(&n_fold(b"012345", 8)), "be072631276b1955");
        assert_eq!(hex(&n_fold(b"password", 7)), "78a07b6caf85fa");
        assert_eq!(
            hex(&n_fold(b"Rough Consensus, and Running Code", 8)),
            "bb6ed30870b7f0e0"
        );
        assert_eq!(hex(&n_fold(b"kerberos", 16)), "6b65726265726f737b9b5b2b93132b93");
        assert_eq!(
            hex(&n_fold(b"kerberos", 32)),
            "6b65726265726f737b9b5b2b93132b935c9bdcdad95c9899c4cae4dee6d6cae4"
        );
    }

    #[test]
    fn string_to_key_gives_a_vector_of_rfc_3962() {
        // Appendix B has no vector of 4096 rounds; this one, of 1200, runs the same steps.
        let mut seed = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha1>(b"password", b"ATHENA.MIT.EDUraeburn", 1200, &mut seed);
        assert_eq!(
            hex(&Key(seed).derive(b"kerberos")),
            "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a"
        );
    }

    #[test]
    fn combining_keys_gives_the_vector_of_rfc_6113() {
        let [first, second] = ["key1", "key2"].map(|key| Key::from_password(key, key));
        assert_eq!(
            hex(&first.combined("a", &second, "b").0),
            "4d6ca4e629785c1f01baf55e2e548566b9617ae3a96868c337cb93b5e72b1c7b"
        );
    }

    #[test]
    fn decrypting_undoes_encrypting_and_minds_usage_and_tampering() {
        let key = Key::random();
        let mut sealed = key.encrypt(3, b"text");
        assert_eq!(key.decrypt(3, &sealed).as_deref(), Some(&b"text"[..]));
        assert_eq!(key.decrypt(4, &sealed), None);
        sealed[0] ^= 1;
        assert_eq!(key.decrypt(3, &sealed), None);
    }
}
