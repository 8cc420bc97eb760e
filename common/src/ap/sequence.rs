use core::fmt;

/// A sequence number: of 32 bits in KRB-SAFE and KRB-PRIV, of 64 in the tokens of RFC 4121. After the last comes 0.
pub trait SequenceNumber: Copy + Eq + fmt::Debug + fmt::Display + sealed::Wrapping {}

impl SequenceNumber for u32 {}
impl SequenceNumber for u64 {}

mod sealed {
    pub trait Wrapping: Sized {
        /// The number after this one.
        fn following(self) -> Self;
        /// How far this number is from `first`, going up.
        fn after(self, first: Self) -> u64;
        /// The distance from which on a number counts as behind, and not ahead: half of all numbers.
        const HALF: u64;
    }

    impl Wrapping for u32 {
        const HALF: u64 = 1 << 31;

        fn following(self) -> Self {
            self.wrapping_add(1)
        }

        fn after(self, first: Self) -> u64 {
            self.wrapping_sub(first).into()
        }
    }

    impl Wrapping for u64 {
        const HALF: Self = 1 << 63;

        fn following(self) -> Self {
            self.wrapping_add(1)
        }

        fn after(self, first: Self) -> u64 {
            self.wrapping_sub(first)
        }
    }
}

/// Which sequence numbers may still come from the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceWindow<N = u32> {
    // The number after the highest that came.
    next: N,
    order: Order,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Order {
    Strict,
    // Bit n: whether `next - 1 - n` came.
    Loose(u64),
}

/// Why a sequence number is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceError<N = u32> {
    /// Not the next one.
    OutOfOrder {
        /// The next one.
        expected: N,
        /// The one that came.
        found: N,
    },
    /// It came before.
    Repeated(N),
    /// So far behind that nobody knows whether it came before.
    TooOld(N),
}

impl<N: SequenceNumber> fmt::Display for SequenceError<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder { expected, found } => write!(f, "message {found} came where {expected} was due"),
            Self::Repeated(found) => write!(f, "message {found} came a second time"),
            Self::TooOld(found) => write!(f, "message {found} came too late"),
        }
    }
}

impl<N: SequenceNumber> core::error::Error for SequenceError<N> {}

impl SequenceWindow {
    /// How far behind the highest number a message may come with [`SequenceWindow::datagrams`].
    pub const WIDTH: u32 = 64;
}

impl<N: SequenceNumber> SequenceWindow<N> {
    /// For a stream: `first`, then each number in its turn.
    #[must_use]
    pub const fn in_order(first: N) -> Self {
        Self {
            next: first,
            order: Order::Strict,
        }
    }

    /// For datagrams: from `first` on, with losses and within [`SequenceWindow::WIDTH`] in any order, each number once.
    #[must_use]
    pub const fn datagrams(first: N) -> Self {
        // What is before the first counts as come.
        Self {
            next: first,
            order: Order::Loose(u64::MAX),
        }
    }

    /// Takes `found`, or says why not and stays as it was.
    ///
    /// # Errors
    /// [`SequenceError`].
    pub fn take(&mut self, found: N) -> Result<(), SequenceError<N>> {
        let Order::Loose(came) = &mut self.order else {
            if found != self.next {
                return Err(SequenceError::OutOfOrder {
                    expected: self.next,
                    found,
                });
            }
            self.next = self.next.following();
            return Ok(());
        };
        let ahead = found.after(self.next);
        if ahead < N::HALF {
            *came = shifted(*came, ahead.saturating_add(1)).unwrap_or(0) | 1;
            self.next = found.following();
            return Ok(());
        }
        // At least 1 behind `next`.
        let behind = self.next.after(found.following());
        let bit = shifted(1, behind).ok_or(SequenceError::TooOld(found))?;
        if *came & bit != 0 {
            return Err(SequenceError::Repeated(found));
        }
        *came |= bit;
        Ok(())
    }
}

fn shifted(bits: u64, by: u64) -> Option<u64> {
    bits.checked_shl(u32::try_from(by).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_takes_each_number_in_its_turn() {
        let mut window = SequenceWindow::in_order(u32::MAX - 1);
        for n in [u32::MAX - 1, u32::MAX, 0, 1] {
            for wrong in [n.wrapping_sub(1), n.wrapping_add(1), n ^ 0x8000_0000] {
                assert_eq!(
                    window.take(wrong),
                    Err(SequenceError::OutOfOrder {
                        expected: n,
                        found: wrong
                    })
                );
            }
            assert_eq!(window.take(n), Ok(()));
        }
    }

    #[test]
    fn datagrams_come_in_any_order_but_once() {
        for first in [0, 1000, u32::MAX - 30, u32::MAX] {
            let at = |n: u32| first.wrapping_add(n);
            let mut window = SequenceWindow::datagrams(first);
            for n in [3, 0, 2, 64, 1, 5] {
                assert_eq!(window.take(at(n)), Ok(()), "{first}+{n}");
                assert_eq!(window.take(at(n)), Err(SequenceError::Repeated(at(n))), "{first}+{n}");
            }
            assert_eq!(window.take(at(0)), Err(SequenceError::TooOld(first)));
            assert_eq!(window.take(at(1)), Err(SequenceError::Repeated(at(1))));
            assert_eq!(window.take(at(4)), Ok(()));
            assert_eq!(window.take(at(1000)), Ok(()));
            assert_eq!(window.take(at(936)), Err(SequenceError::TooOld(at(936))));
            assert_eq!(window.take(at(937)), Ok(()));
        }
    }

    #[test]
    fn numbers_of_64_bits_go_on_where_those_of_32_would_begin_anew() {
        for first in [u64::from(u32::MAX), u64::MAX - 1, 1 << 63] {
            let mut stream = SequenceWindow::in_order(first);
            let mut datagrams = SequenceWindow::datagrams(first);
            for n in 0..200 {
                let number = first.wrapping_add(n);
                // What is the same in 32 bits only is another number.
                let other = number ^ (1 << 32);
                assert!(stream.take(other).is_err(), "{first}+{n}");
                assert_eq!(stream.take(number), Ok(()), "{first}+{n}");
                assert_eq!(datagrams.take(number), Ok(()), "{first}+{n}");
                assert_eq!(
                    datagrams.take(number),
                    Err(SequenceError::Repeated(number)),
                    "{first}+{n}"
                );
            }
            let late = first.wrapping_add(135);
            assert_eq!(datagrams.take(late), Err(SequenceError::TooOld(late)));
            let gone = first.wrapping_sub(1 << 32);
            assert_eq!(datagrams.take(gone), Err(SequenceError::TooOld(gone)));
        }
    }

    #[test]
    fn nothing_before_the_first_is_taken() {
        let mut window = SequenceWindow::datagrams(100_u32);
        for n in [99, 98, 36] {
            assert_eq!(window.take(n), Err(SequenceError::Repeated(n)));
        }
        assert_eq!(window.take(35), Err(SequenceError::TooOld(35)));
        assert_eq!(window.take(101), Ok(()));
        assert_eq!(window.take(99), Err(SequenceError::Repeated(99)));
        assert_eq!(window.take(100), Ok(()));
    }
}
