//! n-fold (RFC 3961 §5.1): a string stretched or folded to `N` octets.

/// The greatest common divisor.
const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `input` folded to `N` octets. Constants can be folded at compile time. An empty input gives zeros.
///
/// The copies of `input`, each rotated 13 bits further to the right than the one before it, are laid end to end up to the
/// least common multiple of both lengths; then every `N` octets are added as ones'-complement numbers.
#[allow(
    clippy::indexing_slicing,
    reason = "each index is reduced modulo the length; `get` is not const"
)]
pub(super) const fn nfold<const N: usize>(input: &[u8]) -> [u8; N] {
    let mut folded = [0; N];
    if N == 0 || input.is_empty() {
        return folded;
    }
    let bits = input.len() * 8;
    let total = input.len() / gcd(input.len(), N) * N;

    let mut columns = [0_u32; N];
    let mut i = 0;
    while i < total {
        let rotation = i / input.len() * 13 % bits;
        let start = (i % input.len() * 8 + bits - rotation) % bits;
        let pair = u16::from_be_bytes([input[start / 8], input[(start / 8 + 1) % input.len()]]);
        columns[i % N] += (pair >> (8 - start % 8)) as u32 & 0xff;
        i += 1;
    }

    // The carry out of the first octet comes in again at the last one.
    let mut carry = 0;
    loop {
        let mut j = N;
        while j > 0 {
            j -= 1;
            let sum = columns[j] + carry;
            columns[j] = sum & 0xff;
            carry = sum >> 8;
        }
        if carry == 0 {
            break;
        }
    }

    let mut j = 0;
    while j < N {
        folded[j] = columns[j].to_be_bytes()[3];
        j += 1;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::super::hex::hex;
    use super::*;

    /// RFC 3961 appendix A.1.
    #[test]
    fn folds_are_those_of_rfc_3961() {
        assert_eq!(nfold::<8>(b"012345").as_slice(), hex("be072631276b1955"));
        assert_eq!(nfold::<7>(b"password").as_slice(), hex("78a07b6caf85fa"));
        assert_eq!(
            nfold::<8>(b"Rough Consensus, and Running Code").as_slice(),
            hex("bb6ed30870b7f0e0")
        );
        assert_eq!(
            nfold::<21>(b"password").as_slice(),
            hex("59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e")
        );
        assert_eq!(
            nfold::<24>(b"MASSACHVSETTS INSTITVTE OF TECHNOLOGY").as_slice(),
            hex("db3b0d8f0b061e603282b308a50841229ad798fab9540c1b")
        );
        assert_eq!(
            nfold::<21>(b"Q").as_slice(),
            hex("518a54a215a8452a518a54a215a8452a518a54a215")
        );
        assert_eq!(
            nfold::<21>(b"ba").as_slice(),
            hex("fb25d531ae8974499f52fd92ea9857c4ba24cf297e")
        );
        assert_eq!(nfold::<8>(b"kerberos").as_slice(), hex("6b65726265726f73"));
        assert_eq!(
            nfold::<16>(b"kerberos").as_slice(),
            hex("6b65726265726f737b9b5b2b93132b93")
        );
        assert_eq!(
            nfold::<21>(b"kerberos").as_slice(),
            hex("8372c236344e5f1550cd0747e15d62ca7a5a3bcea4")
        );
        assert_eq!(
            nfold::<32>(b"kerberos").as_slice(),
            hex("6b65726265726f737b9b5b2b93132b935c9bdcdad95c9899c4cae4dee6d6cae4")
        );
    }

    #[test]
    fn a_fold_to_the_same_length_changes_nothing() {
        assert_eq!(nfold(b"0123456789abcdef"), *b"0123456789abcdef");
    }

    #[test]
    fn nothing_folds_to_zeros() {
        assert_eq!(nfold(b""), [0; 16]);
    }
}
