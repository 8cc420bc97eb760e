//! A file of events that is compressed: zstd frames (RFC 8878) that can be read each by itself, and before each, in a frame that
//! every decompressor skips, what a reader needs to know whether to read it.
//!
//! ```text
//! skippable frame: magic 0x184D2A5E, length          8 octets, little-endian as all that follows
//!   "TEV1"                                           4
//!   length of the zstd frame, of its content         4, 4
//!   lines                                            4
//!   first and last number of an event                8, 8
//!   earliest and latest time, in µs since 1970       8, 8
//!   kinds, a bit each in the order of EventKind::ALL 4
//!   length of the Bloom filter, the filter           4, …
//!   CRC-32C of all from "TEV1" on                    4
//! zstd frame, with its checksum: whole lines
//! ```

use core::hash::{BuildHasher, Hasher};

use hashbrown::HashSet;
use tessera_common::accounting::{EventKind, EventTime};
use tessera_common::time::{KerberosTime, Timestamp};

use super::line::{Facts, Sort, each};

const SKIPPABLE: u32 = 0x184D_2A5E;
const MAGIC: [u8; 4] = *b"TEV1";
/// Octets of the skippable frame's own head.
pub(super) const HEAD: usize = 8;
/// Octets before the filter.
const FIXED: usize = 56;
/// The largest filter.
const MOST_FILTER: usize = 1 << 16;
/// The largest index, without its head: a reader takes no more into memory.
pub(super) const MOST_INDEX: usize = FIXED + MOST_FILTER + 4;
/// The most octets of lines in one frame, which a reader has in memory at once.
pub(super) const MOST_CONTENT: usize = 1 << 22;
/// Bits for each key: one frame in a hundred is read in vain.
const BITS_PER_KEY: usize = 10;
/// Bits that are set for each.
const PROBES: u64 = 7;

/// What is known of a frame of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Index {
    /// Octets of the zstd frame.
    pub(super) compressed: u32,
    /// Octets of its content.
    pub(super) content: u32,
    pub(super) lines: u32,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) earliest: EventTime,
    pub(super) latest: EventTime,
    kinds: u32,
    filter: Vec<u8>,
}

/// Why an index cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadIndex;

impl Index {
    /// Of these lines, each with its end. Those that are no events can be found by nothing.
    pub(super) fn of(lines: &[u8]) -> Self {
        let mut index = Self {
            compressed: 0,
            content: u32::try_from(lines.len()).unwrap_or(u32::MAX),
            lines: 0,
            first_seq: u64::MAX,
            last_seq: 0,
            earliest: EventTime(Timestamp::new(KerberosTime::MAX, 999_999)),
            latest: EventTime(Timestamp::new(KerberosTime::MIN, 0)),
            kinds: 0,
            filter: Vec::new(),
        };
        let mut keys = HashSet::with_hasher(Hashed::default());
        // Times as they are written are in the order of what they say.
        let (mut earliest, mut latest): (Option<&[u8]>, Option<&[u8]>) = (None, None);
        for line in each(lines) {
            index.lines += 1;
            let Some(facts) = Facts::of(line) else { continue };
            index.first_seq = index.first_seq.min(facts.seq);
            index.last_seq = index.last_seq.max(facts.seq);
            earliest = Some(earliest.map_or(facts.time, |time| time.min(facts.time)));
            latest = Some(latest.map_or(facts.time, |time| time.max(facts.time)));
            index.kinds |= bit(facts.kind);
            keys.extend(facts.keys().map(|key| hash(key.sort, key.text)));
        }
        if let (Some(first), Some(last)) = (earliest, latest) {
            let read = |text| core::str::from_utf8(text).ok()?.parse().ok();
            // Where one of them is no time, any may be among the lines.
            index.earliest = read(first).unwrap_or(EventTime(Timestamp::new(KerberosTime::MIN, 0)));
            index.latest = read(last).unwrap_or(EventTime(Timestamp::new(KerberosTime::MAX, 999_999)));
        }
        index.filter = vec![0; (keys.len() * BITS_PER_KEY).div_ceil(8).min(MOST_FILTER)];
        for key in keys {
            for (octet, bit) in places(index.filter.len(), key) {
                if let Some(octet) = index.filter.get_mut(octet) {
                    *octet |= bit;
                }
            }
        }
        index
    }

    /// Whether an event of this kind may be among the lines.
    pub(super) const fn may_have_kind(&self, kind: EventKind) -> bool {
        self.kinds & bit(kind) != 0
    }

    /// Whether an event with this key may be.
    pub(super) fn may_have(&self, sort: Sort, text: &[u8]) -> bool {
        !self.filter.is_empty()
            && places(self.filter.len(), hash(sort, text))
                .all(|(octet, bit)| self.filter.get(octet).is_some_and(|octet| octet & bit != 0))
    }

    /// With its skippable frame around it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let filter = u32::try_from(self.filter.len()).unwrap_or(0);
        let length = u32::try_from(FIXED + self.filter.len() + 4).unwrap_or(0);
        let mut out = Vec::with_capacity(HEAD + FIXED + self.filter.len() + 4);
        out.extend(SKIPPABLE.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(MAGIC);
        out.extend(self.compressed.to_le_bytes());
        out.extend(self.content.to_le_bytes());
        out.extend(self.lines.to_le_bytes());
        out.extend(self.first_seq.to_le_bytes());
        out.extend(self.last_seq.to_le_bytes());
        out.extend(micros(self.earliest).to_le_bytes());
        out.extend(micros(self.latest).to_le_bytes());
        out.extend(self.kinds.to_le_bytes());
        out.extend(filter.to_le_bytes());
        out.extend(&self.filter);
        let sum = crc32c::crc32c(out.get(HEAD..).unwrap_or_default());
        out.extend(sum.to_le_bytes());
        out
    }

    /// How long the index is that this head is of.
    pub(super) fn length(head: [u8; HEAD]) -> Result<usize, BadIndex> {
        let [a, b, c, d, length @ ..] = head;
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| BadIndex)?;
        let right = u32::from_le_bytes([a, b, c, d]) == SKIPPABLE && (FIXED + 4..=MOST_INDEX).contains(&length);
        right.then_some(length).ok_or(BadIndex)
    }

    /// What stands behind the head.
    pub(super) fn decode(octets: &[u8]) -> Result<Self, BadIndex> {
        let (covered, sum) = octets.split_last_chunk::<4>().ok_or(BadIndex)?;
        if crc32c::crc32c(covered) != u32::from_le_bytes(*sum) {
            return Err(BadIndex);
        }
        let mut rest = covered;
        if take::<4>(&mut rest)? != MAGIC {
            return Err(BadIndex);
        }
        let mut small = || take::<4>(&mut rest).map(u32::from_le_bytes);
        let (compressed, content, lines) = (small()?, small()?, small()?);
        let mut large = || take::<8>(&mut rest);
        let (first_seq, last_seq) = (u64::from_le_bytes(large()?), u64::from_le_bytes(large()?));
        let (earliest, latest) = (i64::from_le_bytes(large()?), i64::from_le_bytes(large()?));
        let mut small = || take::<4>(&mut rest).map(u32::from_le_bytes);
        let (kinds, filter) = (small()?, small()?);
        let whole = usize::try_from(filter).is_ok_and(|filter| filter == rest.len())
            && usize::try_from(content).is_ok_and(|content| content <= MOST_CONTENT)
            && usize::try_from(compressed).is_ok_and(|compressed| compressed <= 2 * MOST_CONTENT);
        if !whole {
            return Err(BadIndex);
        }
        Ok(Self {
            compressed,
            content,
            lines,
            first_seq,
            last_seq,
            earliest: from_micros(earliest),
            latest: from_micros(latest),
            kinds,
            filter: rest.to_vec(),
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadIndex> {
    let (taken, behind) = rest.split_first_chunk::<N>().ok_or(BadIndex)?;
    *rest = behind;
    Ok(*taken)
}

const fn bit(kind: EventKind) -> u32 {
    1 << kind as u32
}

// Which bits of a filter of so many octets stand for a key.
fn places(octets: usize, key: u64) -> impl Iterator<Item = (usize, u8)> {
    let bits = octets as u64 * 8;
    let (first, step) = (key >> 32, (key & 0xffff_ffff) | 1);
    (0..PROBES).map(move |probe| {
        // A multiplication in place of a division: the upper half of the product is as evenly spread.
        let spread = first.wrapping_add(probe.wrapping_mul(step)) & 0xffff_ffff;
        let place = (spread * bits) >> 32;
        (usize::try_from(place / 8).unwrap_or(usize::MAX), 1 << (place % 8))
    })
}

// A checksum, as processors have an instruction for it, spread over all bits. Whoever chooses names can make them collide, and
// have a reader read a frame in vain.
fn hash(sort: Sort, text: &[u8]) -> u64 {
    let sum = u64::from(crc32c::crc32c(text)) ^ ((sort as u64) << 32);
    let mixed = sum.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Keys are hashes already.
#[derive(Clone, Copy, Default)]
struct Hashed(u64);

impl BuildHasher for Hashed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

fn micros(time: EventTime) -> i64 {
    let EventTime(Timestamp { time, usec }) = time;
    time.seconds().saturating_mul(1_000_000).saturating_add(usec.into())
}

fn from_micros(micros: i64) -> EventTime {
    let usec = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0);
    EventTime(Timestamp::new(KerberosTime(micros.div_euclid(1_000_000)), usec))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINES: &[u8] = b"{\"seq\":7,\"time\":\"2026-11-23T08:15:00.000120Z\",\"kind\":\"as\",\"peer\":\"192.0.2.1:5000\",\"client\":\"alice\"}\n\
        {\"seq\":9,\"time\":\"2026-11-23T08:14:00.000120Z\",\"kind\":\"tgs\",\"peer\":\"[2001:db8::1]:5\",\"client\":\"bob@R\"}\n\
        rubbish\n";

    fn decoded(encoded: &[u8]) -> Result<Index, BadIndex> {
        let (head, rest) = encoded.split_first_chunk::<HEAD>().unwrap();
        Index::decode(&rest[..Index::length(*head)?])
    }

    #[test]
    fn an_index_says_what_the_lines_have() {
        let mut index = Index::of(LINES);
        index.compressed = 55;
        assert_eq!((index.lines, index.first_seq, index.last_seq), (3, 7, 9));
        assert_eq!(index.earliest.to_string(), "2026-11-23T08:14:00.000120Z");
        assert_eq!(index.latest.to_string(), "2026-11-23T08:15:00.000120Z");
        assert!(index.may_have_kind(EventKind::As) && !index.may_have_kind(EventKind::Lost));
        for (sort, text, has) in [
            (Sort::Name, "alice", true),
            (Sort::Name, "bob", true),
            (Sort::Name, "carol", false),
            (Sort::Id, "alice", false),
            (Sort::Address, "192.0.2.1", true),
            (Sort::Address, "[2001:db8::1]", true),
            (Sort::Address, "192.0.2.2", false),
        ] {
            assert_eq!(index.may_have(sort, text.as_bytes()), has, "{text}");
        }
        assert_eq!(decoded(&index.encode()), Ok(index));
    }

    #[test]
    fn no_damage_of_an_index_goes_unseen() {
        let whole = Index::of(LINES).encode();
        for at in 0..whole.len() {
            let mut turned = whole.clone();
            turned[at] ^= 1;
            let (head, rest) = turned.split_first_chunk::<HEAD>().unwrap();
            let read = Index::length(*head).and_then(|length| Index::decode(rest.get(..length).ok_or(BadIndex)?));
            assert_eq!(read, Err(BadIndex), "octet {at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_among_the_lines_may_be_there(names in prop::collection::vec("[a-z]{1,12}", 1..200)) {
            let lines: String = names.iter().enumerate().map(|(at, name)| format!(
                "{{\"seq\":{},\"time\":\"2026-11-23T08:15:00.000120Z\",\"kind\":\"as\",\"client\":\"{name}\"}}\n", at + 1
            )).collect();
            let index = decoded(&Index::of(lines.as_bytes()).encode()).unwrap();
            for name in names {
                prop_assert!(index.may_have(Sort::Name, name.as_bytes()));
            }
        }

        #[test]
        fn no_octets_panic(octets: Vec<u8>) {
            let _ = Index::decode(&octets);
            if let Some(head) = octets.first_chunk::<HEAD>() {
                let _ = Index::length(*head);
            }
        }
    }
}
