//! Health checks: what is asked, and what the answers mean. Pure.

use std::time::Duration;

/// A request of our own to each upstream of a store, again and again. Only where the operator
/// names the path: some pages of a shop work once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Path and query of the GET.
    pub path: String,
    /// From one check to the next.
    pub every: Duration,
    /// For the whole of one.
    pub timeout: Duration,
    /// The status that means well.
    pub status: u16,
    /// Checks that must fail in a row before it is not asked any more.
    pub falls: u32,
    /// Checks that must succeed in a row before it is asked again.
    pub rises: u32,
}

/// What the checks of one upstream have come to.
#[derive(Debug)]
pub struct Pulse {
    up: bool,
    /// How many checks in a row have said otherwise.
    against: u32,
}

impl Pulse {
    /// Nothing is known against an upstream at first.
    pub const fn new(up: bool) -> Self {
        Self { up, against: 0 }
    }

    /// A check has ended, well or not. Returns whether it is up, where that has just changed.
    pub fn beat(&mut self, well: bool, health: &Health) -> Option<bool> {
        if well == self.up {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        let enough = if well { health.rises } else { health.falls };
        if self.against < enough {
            return None;
        }
        self.up = well;
        self.against = 0;
        Some(well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_checks_in_a_row_change_anything() {
        let health = Health {
            path: "/".to_owned(),
            every: Duration::ZERO,
            timeout: Duration::ZERO,
            status: 200,
            falls: 3,
            rises: 2,
        };
        let mut pulse = Pulse::new(true);
        // Each check with what it changes.
        let beats = [
            (false, None),
            (false, None),
            (true, None),
            (false, None),
            (false, None),
            (false, Some(false)),
            (false, None),
            (true, None),
            (false, None),
            (true, None),
            (true, Some(true)),
            (true, None),
        ];
        for (number, (well, changed)) in beats.into_iter().enumerate() {
            assert_eq!(pulse.beat(well, &health), changed, "check {number}");
        }
    }
}
