use core::hash::Hasher as _;
use core::time::Duration;

use siphasher::sip::SipHasher13;
use tessera_common::ap::ReplayTag;
use tessera_common::time::KerberosTime;

use super::bucket::{BUCKET_LEN, SLOTS};

const MAGIC: [u8; 8] = *b"tsrply01";
// What the file has that does not know since when it has been closed: it never was.
const OPEN: i64 = i64::MIN;

/// What stands first in the file: how large it is, for how long it remembers, and where it puts what.
///
/// ```text
///  0  magic    8 octets "tsrply01"
///  8  buckets  u32    of 1024 octets each, from offset 1024 on
/// 12  window   u32    seconds for which a claim is remembered
/// 16  closed   i64    when what the file knew was lost; the least number there is: never
/// 24  seed     2 u64  where a tag goes, nobody can tell who has not read this
/// 40  check    u64    SipHash-1-3 of the 40 octets before, without a key
/// ```
///
/// All integers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) buckets: u32,
    pub(super) window: u32,
    pub(super) closed: Option<KerberosTime>,
    pub(super) seed: (u64, u64),
}

impl Header {
    pub(super) const LEN: usize = 48;

    /// A header for at least `capacity` tags.
    pub(super) fn new(capacity: usize, window: Duration, random: &mut dyn tessera_common::Random) -> Self {
        let mut seed = [0; 16];
        random.fill(&mut seed);
        let (first, second) = (
            u128::from_le_bytes(seed) as u64,
            (u128::from_le_bytes(seed) >> 64) as u64,
        );
        // Of two buckets the emptier one is taken, and so one is full only when nearly all are. A fourth is left for that.
        let buckets = (capacity.saturating_add(capacity / 4)).div_ceil(SLOTS).max(2);
        Self {
            buckets: u32::try_from(buckets).unwrap_or(u32::MAX),
            window: u32::try_from(window.as_secs()).unwrap_or(u32::MAX),
            closed: None,
            // A slot that was never written is all zeros, its check too.
            seed: (first | 1, second),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let closed = self.closed.map_or(OPEN, KerberosTime::seconds);
        let mut octets = [0; Self::LEN];
        let fields = MAGIC
            .into_iter()
            .chain(self.buckets.to_le_bytes())
            .chain(self.window.to_le_bytes())
            .chain(closed.to_le_bytes())
            .chain(self.seed.0.to_le_bytes())
            .chain(self.seed.1.to_le_bytes());
        octets.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        let check = check(&octets).to_le_bytes();
        octets
            .iter_mut()
            .rev()
            .zip(check.iter().rev())
            .for_each(|(to, from)| *to = *from);
        octets
    }

    /// None for what is no header, or a damaged one.
    pub(super) fn parse(octets: &[u8; Self::LEN]) -> Option<Self> {
        let (magic, rest) = octets.split_first_chunk::<8>()?;
        let (buckets, rest) = rest.split_first_chunk::<4>()?;
        let (window, rest) = rest.split_first_chunk::<4>()?;
        let (closed, rest) = rest.split_first_chunk::<8>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (second, rest) = rest.split_first_chunk::<8>()?;
        let written = rest.first_chunk::<8>()?;
        let header = Self {
            buckets: u32::from_le_bytes(*buckets),
            window: u32::from_le_bytes(*window),
            closed: Some(i64::from_le_bytes(*closed))
                .filter(|at| *at != OPEN)
                .map(KerberosTime),
            seed: (u64::from_le_bytes(*first), u64::from_le_bytes(*second)),
        };
        let whole = *magic == MAGIC && u64::from_le_bytes(*written) == check(octets) && header.buckets > 0;
        whole.then_some(header)
    }

    pub(super) const fn window(self) -> Duration {
        Duration::from_secs(self.window as u64)
    }

    /// Of a whole file.
    pub(super) const fn file_len(self) -> u64 {
        (self.buckets as u64 + 1) * BUCKET_LEN as u64
    }

    /// The offsets of the two buckets that a tag may be in, which may be the same.
    pub(super) fn places(self, tag: ReplayTag) -> [u64; 2] {
        let mut hasher = SipHasher13::new_with_keys(self.seed.0, self.seed.1);
        hasher.write(&tag.0);
        let hash = hasher.finish();
        [hash >> 32, hash & 0xffff_ffff].map(|half| (half % u64::from(self.buckets) + 1) * BUCKET_LEN as u64)
    }
}

fn check(octets: &[u8; Header::LEN]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(
        octets
            .first_chunk::<{ Header::LEN - 8 }>()
            .map_or(&[], |checked| checked),
    );
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn a_header_reads_as_it_was_written_and_with_any_bit_turned_not_at_all() {
        for closed in [None, Some(KerberosTime(1_700_000_000)), Some(KerberosTime(-1))] {
            let header = Header {
                closed,
                ..Header::new(1000, Duration::from_secs(600), &mut SystemRandom)
            };
            let octets = header.to_bytes();
            assert_eq!(Header::parse(&octets), Some(header));
            for bit in 0..octets.len() * 8 {
                let mut turned = octets;
                turned[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Header::parse(&turned), None, "bit {bit}");
            }
        }
        assert_eq!(Header::parse(&[0; Header::LEN]), None);
    }

    #[test]
    fn both_places_of_a_tag_are_buckets_of_the_file() {
        let header = Header::new(500, Duration::from_secs(600), &mut SystemRandom);
        for n in 0u32..1000 {
            for place in header.places(ReplayTag::of(&n.to_be_bytes())) {
                assert!(place >= BUCKET_LEN as u64 && place + BUCKET_LEN as u64 <= header.file_len());
                assert_eq!(place % BUCKET_LEN as u64, 0);
            }
        }
    }
}
