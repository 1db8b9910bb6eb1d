//! Which names a head may have: so that asking for one that it has not costs next to nothing.

/// Which names there may be: one bit each, which others share. Most look-ups are for names
/// that are not there, and end with a look at this.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names(u64);

impl Names {
    /// There is a field of this name.
    pub(super) const fn add(&mut self, name: &[u8]) {
        self.0 |= Self::bit(name);
    }

    /// False only where none of this name was added, in any case.
    #[inline]
    pub(super) const fn may_have(self, name: &[u8]) -> bool {
        self.0 & Self::bit(name) != 0
    }

    /// The same for every spelling of a name.
    #[inline]
    const fn bit(name: &[u8]) -> u64 {
        let ([first, .., last] | [first @ last]) = name else {
            return 1;
        };
        let ends = ((*first | 0x20).wrapping_mul(3)) ^ (*last | 0x20).wrapping_mul(5);
        let [length, ..] = name.len().to_le_bytes();
        1 << ((ends ^ length.wrapping_mul(11)) & 63)
    }
}
