//! Keys of the application's own (RFC 4401, RFC 7802).

use zeroize::Zeroizing;

use super::context::Context;

/// Which of a context's keys the octets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrfKey {
    /// The key that the finished context has: the acceptor's subkey, or else the initiator's.
    Full,
    /// The key that the initiator had before the acceptor answered: its subkey, or else the session key.
    Partial,
}

impl Context {
    /// `len` octets that only the two ends of this context know, the same at both for the same `input`:
    /// `GSS_Pseudo_random`. Any `input` and `len` will do; what is asked for twice is the same twice, and a shorter string
    /// begins a longer one.
    #[must_use]
    pub fn prf(&self, key: PrfKey, input: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
        let key = match key {
            PrfKey::Full => self.key(),
            PrfKey::Partial => &self.initiator_key,
        };
        // RFC 7802 §2: T0 || T1 || …, Tn = pseudo-random(key, n || input), n of 32 bits.
        let mut counted = [&[0; 4], input].concat();
        let mut out = Zeroizing::new(Vec::with_capacity(len));
        let mut n: u32 = 0;
        while out.len() < len {
            counted.splice(..4, n.to_be_bytes());
            let block = key.prf(&counted);
            let missing = block.get(..len - out.len()).unwrap_or(&block);
            out.extend_from_slice(missing);
            n = n.wrapping_add(1);
        }
        out
    }
}
