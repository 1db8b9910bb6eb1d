//! Patience: how much work a client may make us do that brings it nothing.
//!
//! Each of these frames is allowed. A flood of them is an attack (RFC 9113 §10.5), and
//! the one on streams that are asked for and cancelled has brought servers down.

use std::time::Duration;

use tokio::time::Instant;

/// Frames that ask for nothing, beyond what the streams and data of the span explain.
const IDLE_FRAMES: u32 = 1_000;

/// Requests given up after they were handed on, beyond those that were answered.
const GIVEN_UP: u32 = 200;

/// Both are counted anew after this.
const SPAN: Duration = Duration::from_secs(30);

/// Bytes of data that explain a frame: a client may open its window after each DATA frame.
const EXPLAINED: usize = 512;

/// The client has used it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent;

/// What is left of it.
#[derive(Debug, Default)]
pub(super) struct Budget {
    frames: u32,
    given_up: u32,
    since: Option<Instant>,
}

impl Budget {
    /// A frame that asks for nothing: PING, SETTINGS, PRIORITY, an empty DATA, a window's
    /// growth, one of unknown type, or one for a stream that is over.
    ///
    /// # Errors
    /// There were too many.
    pub(super) fn frame(&mut self) -> Result<(), Spent> {
        self.frames += 1;
        self.check()
    }

    /// A request that was handed on came to nothing, by the client's doing.
    ///
    /// # Errors
    /// There were too many.
    pub(super) fn gave_up(&mut self) -> Result<(), Spent> {
        self.given_up += 1;
        self.frames += 1;
        self.check()
    }

    /// A request was answered.
    pub(super) const fn answered(&mut self) {
        self.given_up = self.given_up.saturating_sub(1);
        self.frames = self.frames.saturating_sub(8);
    }

    /// So many bytes of data passed, either way.
    pub(super) fn moved(&mut self, length: usize) {
        let explained = u32::try_from(length.div_ceil(EXPLAINED)).unwrap_or(u32::MAX);
        self.frames = self.frames.saturating_sub(explained);
    }

    fn check(&mut self) -> Result<(), Spent> {
        // The clock is read where it matters only.
        let begins = self.since.is_none();
        if !begins && self.frames <= IDLE_FRAMES && self.given_up <= GIVEN_UP {
            return Ok(());
        }
        let now = Instant::now();
        if self.since.is_some_and(|since| now < since + SPAN) {
            return Err(Spent);
        }
        self.since = Some(now);
        if !begins {
            (self.frames, self.given_up) = (0, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(mut spend: impl FnMut() -> Result<(), Spent>) -> usize {
        (0..10_000).take_while(|_| spend().is_ok()).count()
    }

    #[test]
    fn a_flood_is_noticed_and_forgotten() {
        let mut budget = Budget::default();
        assert_eq!(most(|| budget.frame()), 1_000);
        budget.since = Instant::now().checked_sub(SPAN);
        assert_eq!(budget.frame(), Ok(()));
        let mut budget = Budget::default();
        assert_eq!(most(|| budget.gave_up()), 200);
    }

    #[test]
    fn what_is_asked_for_explains_what_comes_with_it() {
        let mut budget = Budget::default();
        let ordinary = || {
            budget.gave_up()?;
            budget.answered();
            for _ in 0..6 {
                budget.frame()?;
            }
            budget.moved(16 * 1024);
            budget.frame()
        };
        assert_eq!(most(ordinary), 10_000);
    }
}
