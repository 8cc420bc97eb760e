//! PRF+ and KRB-FX-CF2 (RFC 6113 §5.1).

use zeroize::Zeroizing;

use super::Key;

/// PRF+ of RFC 6113 §5.1: `len` octets from `key` and `pepper`. The counter is one octet, so there are no more than 255
/// times what [`Key::prf`] gives; 4080 octets are had of every enctype.
#[must_use]
pub fn prf_plus(key: &Key, pepper: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let most = key.etype().prf_len() * usize::from(u8::MAX);
    let mut out = Zeroizing::new(vec![0; len.min(most)]);
    fill(key, pepper, &mut out);
    out
}

/// KRB-FX-CF2 of RFC 6113 §5.1: a key of `a`'s enctype out of two keys and two peppers.
#[must_use]
pub fn cf2(a: &Key, b: &Key, pepper_a: &[u8], pepper_b: &[u8]) -> Key {
    let mut octets = Zeroizing::new([[0; LONGEST_KEY]; 2]);
    let [of_a, of_b] = &mut *octets;
    let of_a = of_a.get_mut(..a.etype().key_len()).unwrap_or_default();
    let of_b = of_b.get_mut(..of_a.len()).unwrap_or_default();
    fill(a, pepper_a, of_a);
    fill(b, pepper_b, of_b);
    of_a.iter_mut().zip(of_b).for_each(|(a, b)| *a ^= *b);
    Key::of_right_length(a.etype(), of_a)
}

const LONGEST_KEY: usize = 32;

/// PRF+ into `out`, as far as its counter goes.
fn fill(key: &Key, pepper: &[u8], out: &mut [u8]) {
    let prf = key.pseudo_random();
    for (counter, part) in (1..=u8::MAX).zip(out.chunks_mut(key.etype().prf_len())) {
        prf.fill(&[&[counter], pepper], part);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::hex::hex;
    use super::super::{EncType, string_to_key};
    use super::*;

    fn key(etype: EncType, password: &[u8]) -> Key {
        string_to_key(etype, password, password, None).unwrap()
    }

    /// RFC 6113 appendix A.
    #[test]
    fn combined_keys_are_those_of_rfc_6113() {
        let table = [
            (EncType::Aes128CtsHmacSha1_96, "97df97e4b798b29eb31ed7280287a92a"),
            (
                EncType::Aes256CtsHmacSha1_96,
                "4d6ca4e629785c1f01baf55e2e548566b9617ae3a96868c337cb93b5e72b1c7b",
            ),
        ];
        for (etype, combined) in table {
            let (a, b) = (key(etype, b"key1"), key(etype, b"key2"));
            assert_eq!(cf2(&a, &b, b"a", b"b").octets(), hex(combined), "{etype}");
        }
    }

    /// `t_cf2.in` has five lines a case: enctype, two passwords that are their own salts, two peppers.
    #[test]
    #[ignore = "needs the reference vectors beside the checkout"]
    fn combined_keys_are_those_of_the_reference_vectors() {
        let directory = std::env::var_os("TESSERA_VECTORS").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
            PathBuf::from,
        );
        let read = |name| {
            let path = directory.join("mit/crypto").join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let (cases, expected) = (read("t_cf2.in"), read("t_cf2.expected"));
        let lines: Vec<&str> = cases.lines().collect();
        let mut compared = 0;
        for (case, expected) in lines.chunks_exact(5).zip(expected.lines()) {
            let Some(etype) = EncType::from_number(case[0].parse().unwrap()) else {
                continue;
            };
            let (a, b) = (key(etype, case[1].as_bytes()), key(etype, case[2].as_bytes()));
            let combined = cf2(&a, &b, case[3].as_bytes(), case[4].as_bytes());
            assert_eq!(combined.octets(), hex(expected), "{etype}");
            compared += 1;
        }
        assert_eq!(compared, 4);
    }

    #[test]
    fn keys_of_two_enctypes_combine_to_one_of_the_first() {
        let a = key(EncType::Aes256CtsHmacSha1_96, b"key1");
        let b = key(EncType::Aes128CtsHmacSha256_128, b"key2");
        assert_eq!(cf2(&a, &b, b"a", b"b").etype(), a.etype());
        assert_eq!(cf2(&b, &a, b"a", b"b").etype(), b.etype());
        assert_ne!(cf2(&a, &b, b"a", b"b"), cf2(&a, &b, b"b", b"a"));
    }

    #[test]
    fn prf_plus_concatenates_counted_prf_outputs() {
        for etype in EncType::ALL {
            let key = key(etype, b"key");
            let blocks = [key.prf(b"\x01pepper").to_vec(), key.prf(b"\x02pepper").to_vec()].concat();
            for len in 0..=blocks.len() {
                assert_eq!(*prf_plus(&key, b"pepper", len), blocks[..len], "{etype}");
            }
        }
    }

    #[test]
    fn prf_plus_ends_where_its_counter_does() {
        for etype in EncType::ALL {
            let key = key(etype, b"key");
            assert_eq!(prf_plus(&key, b"", 4080).len(), 4080, "{etype}");
            assert_eq!(prf_plus(&key, b"", 1 << 20).len(), 255 * key.prf(b"").len(), "{etype}");
        }
    }
}
