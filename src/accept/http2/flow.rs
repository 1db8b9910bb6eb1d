//! Flow control: how much each side may send (RFC 9113 §5.2, §6.9).

/// A window before anybody changed it (RFC 9113 §6.9.2).
pub(super) const INITIAL: u32 = 65_535;

/// No window is larger (RFC 9113 §6.9.1).
pub(super) const LARGEST: u32 = 0x7fff_ffff;

/// A window was made larger than any may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// The other side sent more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overdrawn;

/// What we may send. A change of the setting can take it below zero (RFC 9113 §6.9.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Window(i64);

impl Window {
    pub(super) fn new(size: u32) -> Self {
        Self(i64::from(size))
    }

    /// Bytes that may be sent now.
    pub(super) fn left(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// So many bytes were sent.
    pub(super) fn take(&mut self, sent: usize) {
        self.0 -= i64::try_from(sent).unwrap_or(i64::MAX);
    }

    /// The other side takes more.
    ///
    /// # Errors
    /// More than 2^31-1 in all.
    pub(super) fn grow(&mut self, by: u32) -> Result<(), Overflow> {
        self.shift(i64::from(by))
    }

    /// The setting under it has changed by so much.
    ///
    /// # Errors
    /// More than 2^31-1 in all.
    pub(super) fn shift(&mut self, by: i64) -> Result<(), Overflow> {
        self.0 += by;
        if self.0 > i64::from(LARGEST) {
            return Err(Overflow);
        }
        Ok(())
    }
}

/// What the other side may send us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    left: u32,
    /// Taken by whoever wanted it, and not given back yet.
    owed: u32,
    /// Given back in portions of this size.
    portion: u32,
}

impl Credit {
    pub(super) const fn new(size: u32) -> Self {
        Self {
            left: size,
            owed: 0,
            portion: size / 2,
        }
    }

    /// So many bytes came.
    ///
    /// # Errors
    /// They were not the other side's to send.
    pub(super) fn take(&mut self, length: usize) -> Result<(), Overdrawn> {
        let length = u32::try_from(length).map_err(|_large| Overdrawn)?;
        self.left = self.left.checked_sub(length).ok_or(Overdrawn)?;
        Ok(())
    }

    /// So many of them are held no longer. What to give back, once it is worth a frame.
    pub(super) fn give(&mut self, length: usize) -> Option<u32> {
        self.owed += u32::try_from(length).unwrap_or(u32::MAX - self.owed);
        if self.owed < self.portion {
            return None;
        }
        let portion = std::mem::take(&mut self.owed);
        self.left += portion;
        Some(portion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_window_goes_below_zero_and_never_above_the_largest() {
        let mut window = Window::new(10);
        window.take(4);
        assert_eq!(window.left(), 6);
        assert_eq!(window.shift(-10), Ok(()));
        assert_eq!(window.left(), 0);
        assert_eq!(window.grow(4), Ok(()));
        assert_eq!(window.left(), 0);
        assert_eq!(window.grow(1), Ok(()));
        assert_eq!(window.left(), 1);
        assert_eq!(window.grow(LARGEST - 1), Ok(()));
        assert_eq!(window.grow(1), Err(Overflow));
    }

    #[test]
    fn a_receive_window_comes_back_in_portions() {
        let mut credit = Credit::new(100);
        assert_eq!(credit.take(60), Ok(()));
        assert_eq!(credit.take(41), Err(Overdrawn));
        assert_eq!(credit.give(49), None);
        assert_eq!(credit.take(41), Err(Overdrawn));
        assert_eq!(credit.give(1), Some(50));
        assert_eq!(credit.take(90), Ok(()));
        assert_eq!(credit.take(1), Err(Overdrawn));
    }
}
