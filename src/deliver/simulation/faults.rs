//! What befalls a simulation: time that passes or jumps, a disk that is full, crashes.

use std::time::Duration;

use super::Simulation;
use crate::deliver::lanes::Lanes;

impl Simulation {
    pub(super) fn pass(&mut self, millis: u64) {
        let span = Duration::from_millis(millis);
        self.now = self.now.plus(span);
        self.moment += span;
    }

    /// The clock is set, forwards or back; what measures spans does not see it.
    pub(super) fn jump(&mut self) {
        let span = Duration::from_millis(self.dice.below(200_000));
        self.now = match self.dice.below(2) {
            0 => self.now.plus(span),
            _ => self.now.minus(span),
        };
    }

    /// The disk is full, or has room again.
    pub(super) async fn fill(&mut self, full: bool) {
        self.full = full;
        let pragma = match full {
            true => "PRAGMA max_page_count = 1",
            false => "PRAGMA max_page_count = 1000000",
        };
        self.ledger().pragma(pragma).await.unwrap();
    }

    /// `kill -9`, and the next start, which enters what the spool holds: again and again, if it is killed there too.
    pub(super) async fn crash(&mut self) {
        loop {
            self.flights.clear();
            self.lanes = Lanes::default();
            self.watched.crashed();
            self.ledger = None;
            self.full = false;
            self.open();
            let killed = self.dice.below(4) == 0;
            if self.import(if killed { 1 } else { usize::MAX }).await {
                return;
            }
        }
    }

    /// Enters what the spool holds, up to `most`; whether that was all. A file is removed after its order is entered, so
    /// one may be entered twice.
    async fn import(&mut self, most: usize) -> bool {
        let ledger = self.ledger();
        let mut left = most;
        while let Some(candidate) = self.spool.first().cloned() {
            if left == 0 {
                return false;
            }
            left -= 1;
            ledger.enter(candidate).await.unwrap();
            if self.dice.below(3) > 0 || left > 1 {
                self.spool.remove(0);
            }
        }
        true
    }
}
