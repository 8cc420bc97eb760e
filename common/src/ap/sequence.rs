use core::fmt;

/// Which sequence numbers may still come from the other side. Numbers are 32 bits and go from the last to 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceWindow {
    // The number after the highest that came.
    next: u32,
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
pub enum SequenceError {
    /// Not the next one.
    OutOfOrder {
        /// The next one.
        expected: u32,
        /// The one that came.
        found: u32,
    },
    /// It came before.
    Repeated(u32),
    /// So far behind that nobody knows whether it came before.
    TooOld(u32),
}

impl fmt::Display for SequenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder { expected, found } => write!(f, "message {found} came where {expected} was due"),
            Self::Repeated(found) => write!(f, "message {found} came a second time"),
            Self::TooOld(found) => write!(f, "message {found} came too late"),
        }
    }
}

impl core::error::Error for SequenceError {}

impl SequenceWindow {
    /// How far behind the highest number a message may come with [`SequenceWindow::datagrams`].
    pub const WIDTH: u32 = 64;

    /// For a stream: `first`, then each number in its turn.
    #[must_use]
    pub const fn in_order(first: u32) -> Self {
        Self {
            next: first,
            order: Order::Strict,
        }
    }

    /// For datagrams: from `first` on, with losses and within [`SequenceWindow::WIDTH`] in any order, each number once.
    #[must_use]
    pub const fn datagrams(first: u32) -> Self {
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
    pub fn take(&mut self, found: u32) -> Result<(), SequenceError> {
        let Order::Loose(came) = &mut self.order else {
            if found != self.next {
                return Err(SequenceError::OutOfOrder {
                    expected: self.next,
                    found,
                });
            }
            self.next = self.next.wrapping_add(1);
            return Ok(());
        };
        let ahead = found.wrapping_sub(self.next);
        if ahead <= u32::MAX / 2 {
            *came = came.checked_shl(ahead.saturating_add(1)).unwrap_or(0) | 1;
            self.next = found.wrapping_add(1);
            return Ok(());
        }
        // At least 1 behind `next`.
        let behind = self.next.wrapping_sub(found) - 1;
        let bit = 1u64.checked_shl(behind).ok_or(SequenceError::TooOld(found))?;
        if *came & bit != 0 {
            return Err(SequenceError::Repeated(found));
        }
        *came |= bit;
        Ok(())
    }
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
    fn nothing_before_the_first_is_taken() {
        let mut window = SequenceWindow::datagrams(100);
        for n in [99, 98, 36] {
            assert_eq!(window.take(n), Err(SequenceError::Repeated(n)));
        }
        assert_eq!(window.take(35), Err(SequenceError::TooOld(35)));
        assert_eq!(window.take(101), Ok(()));
        assert_eq!(window.take(99), Err(SequenceError::Repeated(99)));
        assert_eq!(window.take(100), Ok(()));
    }
}
