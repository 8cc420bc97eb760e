//! `des3-cbc-hmac-sha1-kd` (RFC 3961 §6.3), of which there is nothing here but how to open what is sealed with it: master keys of
//! other KDCs' databases are of this enctype, and whoever moves from there has to open the keys under them once. No message and no
//! ticket is ever sealed or opened with it, and no principal has such a key.
//!
//! The cipher looks things up in tables, and takes no care to take the same time for every key: it runs on an administrator's
//! machine, on files of his own.

use cts::cipher::KeyInit as _;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::nfold::nfold;
use super::{CryptoError, KeyUsage, constant_time_eq, zero_padded};

/// How many octets a key has.
pub const KEY_OCTETS: usize = 24;
const BLOCK: usize = 8;
const MAC: usize = 20;

/// Checks the MAC and decrypts. Zeros may follow what was sealed, up to the next multiple of 8 octets.
///
/// # Errors
/// [`CryptoError::KeyLength`], [`CryptoError::Truncated`] or [`CryptoError::Integrity`].
pub fn open(key: &[u8], usage: KeyUsage, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let key: &[u8; KEY_OCTETS] = key.try_into().map_err(|_| CryptoError::KeyLength)?;
    let (blocks, mac) = sealed.split_last_chunk::<MAC>().ok_or(CryptoError::Truncated)?;
    let (blocks, []) = blocks.as_chunks::<BLOCK>() else {
        return Err(CryptoError::Truncated);
    };
    if blocks.is_empty() {
        return Err(CryptoError::Truncated);
    }
    let [encryption, integrity] = [0xaa, 0x55].map(|purpose| {
        let [a, b, c, d] = usage.0.to_be_bytes();
        derive(key, &[a, b, c, d, purpose])
    });
    let cipher = Des3::new(&encryption);
    let mut plain = Zeroizing::new(Vec::with_capacity(blocks.len() * BLOCK));
    let mut before = 0;
    for block in blocks {
        let block = u64::from_be_bytes(*block);
        plain.extend_from_slice(&(cipher.decrypt(block) ^ before).to_be_bytes());
        before = block;
    }
    let mut made: Hmac<Sha1> = zero_padded(&*integrity, Hmac::new);
    made.update(&plain);
    if !constant_time_eq(&made.finalize().into_bytes(), mac) {
        return Err(CryptoError::Integrity);
    }
    // The confounder was only to make it different each time.
    Ok(Zeroizing::new(plain.get(BLOCK..).unwrap_or_default().to_vec()))
}

/// RFC 3961 §5.1 and §6.3.1: a key from another, and what it is for.
fn derive(key: &[u8; KEY_OCTETS], constant: &[u8]) -> Zeroizing<[u8; KEY_OCTETS]> {
    let cipher = Des3::new(key);
    let mut block = u64::from_be_bytes(nfold(constant));
    let mut octets = Zeroizing::new([0; KEY_OCTETS]);
    for chunk in octets.as_chunks_mut::<BLOCK>().0 {
        block = cipher.encrypt(block);
        *chunk = block.to_be_bytes();
    }
    let mut derived = Zeroizing::new([0; KEY_OCTETS]);
    // Of the 24 octets the first 21 make three keys; each of 56 bits, which are spread over eight octets. That one of them is
    // one of the sixteen weak ones, which had to be corrected, happens to nobody.
    let parts = derived.as_chunks_mut::<BLOCK>().0.iter_mut();
    for (to, from) in parts.zip(octets.as_chunks::<7>().0) {
        let mut last = 0;
        for (at, (to, from)) in to.iter_mut().zip(from).enumerate() {
            *to = *from;
            last |= (from & 1) << (at + 1);
        }
        let [.., eighth] = to;
        *eighth = last;
        for octet in to {
            *octet = with_parity(*octet);
        }
    }
    derived
}

const fn with_parity(octet: u8) -> u8 {
    let bits = octet & 0xfe;
    bits | (bits.count_ones() as u8 & 1 ^ 1)
}

/// Three ciphers one after another, of which the middle one runs backwards.
struct Des3([Des; 3]);

impl Des3 {
    fn new(key: &[u8; KEY_OCTETS]) -> Self {
        let (keys, _) = key.as_chunks::<BLOCK>();
        let des = |at: usize| Des::new(keys.get(at).copied().unwrap_or_default());
        Self([des(0), des(1), des(2)])
    }

    fn encrypt(&self, block: u64) -> u64 {
        let Self([first, second, third]) = self;
        third.encrypt(second.decrypt(first.encrypt(block)))
    }

    fn decrypt(&self, block: u64) -> u64 {
        let Self([first, second, third]) = self;
        first.decrypt(second.encrypt(third.decrypt(block)))
    }
}

/// The keys of the sixteen rounds of FIPS 46-3, each of 48 bits.
struct Des(Zeroizing<[u64; 16]>);

impl Des {
    fn new(key: [u8; BLOCK]) -> Self {
        const ROTATIONS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];
        let half = (1 << 28) - 1;
        let chosen = permute(u64::from_be_bytes(key), 64, &PC1);
        let (mut left, mut right) = (chosen >> 28, chosen & half);
        let mut rounds = Zeroizing::new([0; 16]);
        for (round, by) in rounds.iter_mut().zip(ROTATIONS) {
            left = (left << by | left >> (28 - by)) & half;
            right = (right << by | right >> (28 - by)) & half;
            *round = permute(left << 28 | right, 56, &PC2);
        }
        Self(rounds)
    }

    fn encrypt(&self, block: u64) -> u64 {
        run(block, self.0.iter())
    }

    fn decrypt(&self, block: u64) -> u64 {
        run(block, self.0.iter().rev())
    }
}

fn run<'k>(block: u64, rounds: impl Iterator<Item = &'k u64>) -> u64 {
    let half = u64::from(u32::MAX);
    let block = permute(block, 64, &IP);
    let (left, right) = rounds.fold((block >> 32, block & half), |(left, right), key| {
        (right, left ^ substitute(permute(right, 32, &E) ^ key))
    });
    permute(right << 32 | left, 64, &FP)
}

fn substitute(chosen: u64) -> u64 {
    let boxes = S.iter().enumerate().fold(0, |out, (at, table)| {
        let six = chosen >> (42 - 6 * at) & 0x3f;
        let row = six >> 4 & 2 | six & 1;
        let entry = usize::try_from(row << 4 | six >> 1 & 0xf).unwrap_or_default();
        out << 4 | u64::from(table.get(entry).copied().unwrap_or_default())
    });
    permute(boxes, 32, &P)
}

/// The bits of a number of `width` bits that `table` names, in its order; the first bit is number 1 and the highest.
fn permute(bits: u64, width: u32, table: &[u8]) -> u64 {
    table
        .iter()
        .fold(0, |out, at| out << 1 | bits >> (width - u32::from(*at)) & 1)
}

#[rustfmt::skip]
const IP: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];
#[rustfmt::skip]
const FP: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
    36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
];
#[rustfmt::skip]
const E: [u8; 48] = [
    32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17,
    16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
];
#[rustfmt::skip]
const P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];
#[rustfmt::skip]
const PC1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
];
#[rustfmt::skip]
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];
#[rustfmt::skip]
const S: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
        4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
        0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
        13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
        10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
        4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
        9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
        1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
        7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hex::hex;
    use super::*;

    fn key(digits: &str) -> [u8; KEY_OCTETS] {
        hex(digits).try_into().unwrap()
    }

    #[test]
    fn the_cipher_is_the_one_that_the_worlds_tables_describe() {
        // FIPS 81's example, and the all-known one of the textbooks.
        for (key, plain, cipher) in [
            (0x0123_4567_89ab_cdef_u64, 0x4e6f_7720_6973_2074, 0x3fa4_0e8a_984d_4815),
            (0x1334_5779_9bbc_dff1, 0x0123_4567_89ab_cdef, 0x85e8_1354_0f0a_b405),
        ] {
            let des = Des::new(key.to_be_bytes());
            assert_eq!(des.encrypt(plain), cipher);
            assert_eq!(des.decrypt(cipher), plain);
        }
    }

    #[test]
    fn keys_are_derived_as_in_rfc_3961() {
        // RFC 3961 §A.3.
        for (from, constant, derived) in [
            (
                "dce06b1f64c857a11c3db57c51899b2cc1791008ce973b92",
                "0000000155",
                "925179d04591a79b5d3192c4a7e9c289b049c71f6ee604cd",
            ),
            (
                "5e13d31c70ef765746578531cb51c15bf11ca82c97cee9f2",
                "00000001aa",
                "9e58e5a146d9942a101c469845d67a20e3c4259ed913f207",
            ),
        ] {
            assert_eq!(*derive(&key(from), &hex(constant)), key(derived));
        }
    }

    // A master key that Heimdal 7.8's kstash made, a key of krbtgt's that its kadmin sealed under it, and the same key open.
    const MASTER: &str = "07e510b0a4d5762f4cc8e94fc76e29e90e98ad3dadd61976";
    const SEALED: &str = "4D07DB1C6298A896A1FD0335684C6872359B36F04F3CCA5DE6DF4F6F24CFE5BA952E503158E9B26812444CB8994C30825E5D3B5415E70B7624A7F5D3";
    const OPENED: &str = "7F151E64B1E2C6E0AB110D13830F840DC2E0B9D44F9A82F7D70B8BDC2599ECF6";
    const USAGE: KeyUsage = KeyUsage(0x0048_4442);

    #[test]
    fn what_heimdal_sealed_opens() {
        let opened = open(&key(MASTER), USAGE, &hex(SEALED)).unwrap();
        assert_eq!(*opened, hex(OPENED));
    }

    #[test]
    fn what_is_altered_cut_short_or_for_another_use_does_not_open() {
        let (key, sealed) = (key(MASTER), hex(SEALED));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 0x10;
            assert_eq!(open(&key, USAGE, &altered).err(), Some(CryptoError::Integrity), "{at}");
            assert!(open(&key, USAGE, &sealed[..at]).is_err(), "{at}");
        }
        assert_eq!(open(&key, KeyUsage(0), &sealed).err(), Some(CryptoError::Integrity));
        assert_eq!(open(&key[..23], USAGE, &sealed).err(), Some(CryptoError::KeyLength));
        assert_eq!(open(&key, USAGE, &sealed[40..]).err(), Some(CryptoError::Truncated));
    }

    proptest! {
        #[test]
        fn no_octets_open_or_make_it_panic(sealed in prop::collection::vec(any::<u8>(), 0..100), usage: u32) {
            prop_assert!(open(&[1; KEY_OCTETS], KeyUsage(usage), &sealed).is_err());
        }
    }
}
