//! One frame of the journal: what a group of concurrent writers changed, whole or not at all.
//!
//! ```text
//! mark        4 octets
//! length      4 octets: of the payload
//! previous    4 octets: the checksum of the frame before, over segments too
//! checksum    4 octets: CRC32C of length, previous and payload, seeded with the checksum of the segment's head
//! payload     first sequence number (8 octets), how many changes (4 octets), then batches to the end
//! ```
//! The seed keeps a frame from being valid in another file; `previous` keeps it from being valid in another history.

use std::ops::ControlFlow;

use super::super::batch_encoding::{Batch, read_batch};
use super::super::octets::{DecodeError, Reader};

/// No text has an octet such as the first two.
const MARK: [u8; 4] = [0xff, 0xfe, b'T', b'F'];
const HEADER_OCTETS: usize = 16;
const PAYLOAD_HEADER_OCTETS: usize = 12;

/// The most octets of a payload.
pub(super) const MAX_PAYLOAD_OCTETS: usize = 64 << 20;

/// A frame whose checksum fits.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Frame<'a> {
    /// Of its first change.
    pub(in crate::store) first: u64,
    /// Of its last change.
    pub(in crate::store) last: u64,
    /// Its checksum.
    pub(in crate::store) chain: u32,
    /// Where it begins.
    pub(in crate::store) offset: usize,
    /// How many octets it has.
    pub(in crate::store) len: usize,
    previous: u32,
    batches: &'a [u8],
}

impl Frame<'_> {
    /// What was changed, each batch with the sequence number of its first change.
    pub(in crate::store) fn batches(&self) -> Result<Vec<(u64, Batch)>, DecodeError> {
        let mut reader = Reader::new(self.batches);
        let mut next = self.first;
        let mut batches = Vec::new();
        while !reader.is_empty() {
            let batch = read_batch(&mut reader)?;
            let first = next;
            next += batch.changes.len() as u64;
            batches.push((first, batch));
        }
        if next != self.last + 1 {
            return Err(DecodeError::Malformed("another number of changes than announced"));
        }
        Ok(batches)
    }
}

/// Appends a frame of `changes` changes from sequence number `first` on; gives its checksum.
pub(super) fn put_frame(out: &mut Vec<u8>, seed: u32, previous: u32, first: u64, changes: u32, batches: &[u8]) -> u32 {
    let len = u32::try_from(PAYLOAD_HEADER_OCTETS + batches.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    let payload_header = [&first.to_le_bytes()[..], &changes.to_le_bytes()].concat();
    let checksum = [&len[..], &previous.to_le_bytes(), &payload_header, batches]
        .iter()
        .fold(seed, |checksum, part| crc32c::crc32c_append(checksum, part));
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&len);
    out.extend_from_slice(&previous.to_le_bytes());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&payload_header);
    out.extend_from_slice(batches);
    checksum
}

/// How far a segment is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Extent {
    /// The last change in it, or before it.
    pub(in crate::store) last: u64,
    /// The checksum of the frame with that change.
    pub(in crate::store) chain: u32,
    /// Where its last good frame ends.
    pub(in crate::store) end: usize,
    /// What is wrong with what follows; `None` when nothing follows.
    pub(in crate::store) bad: Option<Bad>,
}

/// What follows the last good frame of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Bad {
    /// The start of a frame that was never finished, as a crash leaves it.
    Torn,
    /// A bad frame, and a good one at this offset: not what a crash leaves.
    Damaged { next_good: usize },
}

/// Reads the frames of a segment that starts after change `last` and its `chain`, as long as they are good and `visit`
/// wants more. `octets` is the whole file, `start` the end of its head, `seed` the head's checksum.
pub(in crate::store) fn read_frames<'a, B>(
    octets: &'a [u8],
    (start, seed): (usize, u32),
    (last, chain): (u64, u32),
    mut visit: impl FnMut(Frame<'a>) -> ControlFlow<B>,
) -> ControlFlow<B, Extent> {
    let mut extent = Extent {
        last,
        chain,
        end: start,
        bad: None,
    };
    while extent.end < octets.len() {
        let frame = frame_at(octets, extent.end, seed);
        let Some(frame) = frame.filter(|frame| frame.previous == extent.chain && frame.first == extent.last + 1) else {
            let next_good = (extent.end..octets.len()).find(|at| frame_at(octets, *at, seed).is_some());
            extent.bad = Some(next_good.map_or(Bad::Torn, |next_good| Bad::Damaged { next_good }));
            break;
        };
        visit(frame)?;
        extent = Extent {
            last: frame.last,
            chain: frame.chain,
            end: extent.end + frame.len,
            bad: None,
        };
    }
    ControlFlow::Continue(extent)
}

fn frame_at(octets: &[u8], at: usize, seed: u32) -> Option<Frame<'_>> {
    let mut reader = Reader::new(octets.get(at..)?);
    if reader.take(MARK.len()).ok()? != MARK {
        return None;
    }
    let len = reader.array::<4>().ok()?;
    let previous = reader.array::<4>().ok()?;
    let checksum = reader.u32().ok()?;
    let payload_len = usize::try_from(u32::from_le_bytes(len))
        .ok()
        .filter(|len| *len <= MAX_PAYLOAD_OCTETS)?;
    let payload = reader.take(payload_len).ok()?;
    let found = [&len[..], &previous, payload]
        .iter()
        .fold(seed, |checksum, part| crc32c::crc32c_append(checksum, part));
    if found != checksum {
        return None;
    }
    let mut reader = Reader::new(payload);
    let first = reader.u64().ok()?;
    let changes = reader.u32().ok().filter(|changes| *changes > 0)?;
    Some(Frame {
        first,
        last: first.checked_add(u64::from(changes) - 1)?,
        chain: checksum,
        offset: at,
        previous: u32::from_le_bytes(previous),
        len: HEADER_OCTETS + payload_len,
        batches: reader.take(reader.len()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: usize = 10;
    const SEED: u32 = 0x1234_5678;

    /// A head of ten octets and frames of 1, 2 and 3 changes, and where each frame ends.
    fn segment() -> (Vec<u8>, Vec<usize>) {
        let mut out = vec![0; START];
        let (mut chain, mut first, mut ends) = (99, 5, vec![START]);
        for changes in 1..=3 {
            chain = put_frame(
                &mut out,
                SEED,
                chain,
                first,
                changes,
                &vec![0xff; 20 * changes as usize],
            );
            first += u64::from(changes);
            ends.push(out.len());
        }
        (out, ends)
    }

    fn extent(octets: &[u8]) -> Extent {
        match read_frames::<()>(octets, (START, SEED), (4, 99), |_| ControlFlow::Continue(())) {
            ControlFlow::Continue(extent) => extent,
            ControlFlow::Break(()) => unreachable!(),
        }
    }

    #[test]
    fn whole_frames_are_read_to_the_end() {
        let (octets, ends) = segment();
        let extent = extent(&octets);
        assert_eq!((extent.last, extent.end, extent.bad), (10, ends[3], None));
    }

    #[test]
    fn a_segment_cut_anywhere_in_its_last_frame_is_torn_after_the_one_before() {
        let (octets, ends) = segment();
        for len in ends[2] + 1..ends[3] {
            let extent = extent(&octets[..len]);
            assert_eq!(
                (extent.last, extent.end, extent.bad),
                (7, ends[2], Some(Bad::Torn)),
                "cut to {len}"
            );
        }
    }

    #[test]
    fn a_last_frame_of_nothing_but_zeros_is_torn() {
        let (mut octets, ends) = segment();
        octets[ends[2]..].fill(0);
        assert_eq!(extent(&octets).bad, Some(Bad::Torn));
    }

    #[test]
    fn an_octet_altered_before_the_last_frame_is_damage_at_its_frame() {
        let (octets, ends) = segment();
        for at in START..ends[2] {
            let mut altered = octets.clone();
            altered[at] ^= 0x10;
            let extent = extent(&altered);
            let frame = if at < ends[1] { 0 } else { 1 };
            assert_eq!(extent.end, ends[frame], "octet {at}");
            assert!(
                matches!(extent.bad, Some(Bad::Damaged { next_good }) if next_good > at),
                "octet {at}: {extent:?}"
            );
        }
    }

    #[test]
    fn a_frame_left_out_is_damage_even_though_all_others_are_whole() {
        let (mut octets, ends) = segment();
        octets.drain(ends[1]..ends[2]);
        assert_eq!(extent(&octets).bad, Some(Bad::Damaged { next_good: ends[1] }));
    }

    #[test]
    fn frames_of_another_file_or_another_history_are_not_taken() {
        let (octets, _) = segment();
        let read = |seed, chain| read_frames::<()>(&octets, (START, seed), (4, chain), |_| ControlFlow::Continue(()));
        for (seed, chain) in [(SEED + 1, 99), (SEED, 98)] {
            let ControlFlow::Continue(extent) = read(seed, chain) else {
                unreachable!()
            };
            assert_eq!(extent.end, START);
            assert!(extent.bad.is_some());
        }
    }

    #[test]
    fn reading_stops_when_it_is_told_to() {
        let (octets, _) = segment();
        let stop = |frame: Frame<'_>| {
            if frame.first == 6 {
                ControlFlow::Break(frame.last)
            } else {
                ControlFlow::Continue(())
            }
        };
        assert_eq!(
            read_frames(&octets, (START, SEED), (4, 99), stop),
            ControlFlow::Break(7)
        );
    }
}
