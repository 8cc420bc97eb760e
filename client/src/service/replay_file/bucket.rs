use core::time::Duration;

use tessera_common::ap::ReplayTag;
use tessera_common::time::KerberosTime;

use super::header::Header;

/// Octets of a bucket: a part of a page, so that nothing that is written crosses from one page to another.
pub(super) const BUCKET_LEN: usize = 1024;
/// Octets of a slot: the tag, the time of the claim (i64), and a check (u64).
pub(super) const SLOT_LEN: usize = 32;
/// Slots in a bucket.
pub(super) const SLOTS: usize = BUCKET_LEN / SLOT_LEN;

// A claim that waited for others has a time that is older by as much as it waited; what it asks for must still be there.
const GRACE: Duration = Duration::from_secs(5);

/// What a bucket says of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is in there.
    Seen,
    /// It is not.
    Absent {
        /// How many slots are of use now.
        free: usize,
        /// The first of them: its number.
        first: Option<usize>,
        /// A slot that is of use if there is no other: its claim is of a time that the clock has not come to yet.
        ahead: Option<usize>,
    },
    /// A slot holds what nobody wrote.
    Damaged,
}

enum Slot {
    Free,
    Claimed { tag: [u8; 16], at: KerberosTime },
}

/// Looks for `tag` in a bucket.
///
/// A tag that is there is found, however old it is. A slot is free when it was never used, or when its claim is older than
/// the window: an authenticator of then is refused for its time. The same is true of a claim that is further ahead than the
/// window: the clock was wrong then, or is now; such a slot is taken only when nothing else is left.
pub(super) fn find(bucket: &[u8; BUCKET_LEN], tag: ReplayTag, header: &Header, now: KerberosTime) -> Finding {
    let window = header.window();
    let (mut free, mut first, mut ahead) = (0, None, None);
    let (slots, _) = bucket.as_chunks::<SLOT_LEN>();
    for (number, slot) in slots.iter().enumerate() {
        let Some(slot) = parse(slot, header) else {
            return Finding::Damaged;
        };
        match slot {
            Slot::Claimed { tag: claimed, .. } if claimed == tag.0 => return Finding::Seen,
            Slot::Claimed { at, .. } if at > now.plus(window).plus(GRACE) => ahead = ahead.or(Some(number)),
            Slot::Claimed { at, .. } if now <= at.plus(window).plus(GRACE) => {}
            Slot::Free | Slot::Claimed { .. } => {
                free += 1;
                first = first.or(Some(number));
            }
        }
    }
    Finding::Absent { free, first, ahead }
}

/// The slot of a claim.
pub(super) fn slot(tag: ReplayTag, at: KerberosTime, header: &Header) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    let fields = tag
        .0
        .into_iter()
        .chain(at.seconds().to_le_bytes())
        .chain(check(&tag.0, at.seconds(), header).to_le_bytes());
    slot.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    slot
}

fn parse(octets: &[u8; SLOT_LEN], header: &Header) -> Option<Slot> {
    let (tag, rest) = octets.split_first_chunk::<16>()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let written = u64::from_le_bytes(*rest.first_chunk::<8>()?);
    let at = i64::from_le_bytes(*at);
    if written == check(tag, at, header) {
        return Some(Slot::Claimed {
            tag: *tag,
            at: KerberosTime(at),
        });
    }
    (*octets == [0; SLOT_LEN]).then_some(Slot::Free)
}

// Tells damage, not malice: who can write to the file can forget what is in it, too. Any one field that is not what was
// written shows, and this costs next to nothing.
const fn check(tag: &[u8; 16], at: i64, header: &Header) -> u64 {
    let tag = u128::from_le_bytes(*tag);
    (tag as u64) ^ ((tag >> 64) as u64).rotate_left(17) ^ at.cast_unsigned().rotate_left(41) ^ header.seed.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    const WINDOW: u32 = 600;

    fn header() -> Header {
        Header::new(100, Duration::from_secs(WINDOW.into()), &mut SystemRandom)
    }

    fn tag(n: u8) -> ReplayTag {
        ReplayTag([n; 16])
    }

    fn with_one(header: &Header, at: i64) -> [u8; BUCKET_LEN] {
        let mut bucket = [0; BUCKET_LEN];
        bucket[..SLOT_LEN].copy_from_slice(&slot(tag(1), KerberosTime(at), header));
        bucket
    }

    #[test]
    fn a_slot_is_free_again_when_its_claim_is_older_than_the_window() {
        let (header, window) = (header(), i64::from(WINDOW));
        // How much later than the claim it is; whether the slot is of use, and whether as the last resort.
        for (later, free, last_resort) in [
            (0, false, false),
            (window, false, false),
            (window + 5, false, false),
            (window + 6, true, false),
            (window * 100, true, false),
            (-1, false, false),
            (-window - 5, false, false),
            (-window - 6, false, true),
        ] {
            let bucket = with_one(&header, 10_000);
            let Finding::Absent {
                free: count,
                first,
                ahead,
            } = find(&bucket, tag(2), &header, KerberosTime(10_000 + later))
            else {
                panic!("{later}");
            };
            assert_eq!((count == SLOTS, first == Some(0)), (free, free), "{later}");
            assert_eq!(ahead, last_resort.then_some(0), "{later}");
        }
    }

    #[test]
    fn a_tag_that_is_still_there_is_found_at_any_time() {
        let header = header();
        for now in [0, 9_000, 10_000, 11_000, 1_000_000] {
            assert_eq!(
                find(&with_one(&header, 10_000), tag(1), &header, KerberosTime(now)),
                Finding::Seen
            );
        }
    }

    #[test]
    fn any_bit_turned_in_a_slot_is_damage() {
        let header = header();
        for bit in 0..SLOT_LEN * 8 {
            let mut bucket = with_one(&header, 10_000);
            bucket[bit / 8] ^= 1 << (bit % 8);
            let found = find(&bucket, tag(2), &header, KerberosTime(10_000));
            assert_eq!(found, Finding::Damaged, "bit {bit}");
        }
        let zero = find(&[0; BUCKET_LEN], ReplayTag([0; 16]), &header, KerberosTime(0));
        assert!(matches!(zero, Finding::Absent { free: SLOTS, .. }));
    }
}
