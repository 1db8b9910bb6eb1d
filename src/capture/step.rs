//! Checkout steps: that a visitor was at the checkout is kept in his cookie, beside his clicks.
//!
//! It is what shows later that this visit bought, and not one that only opened a confirmation. Set
//! also on what a page fetches: a checkout may be one page that speaks with the shop by `fetch`, and
//! an answer from the very host that the page is of keeps its cookie as long as the page's own would
//! (domain.md §5).

use tracing::debug;

use super::visiting::Visiting;
use super::{By, Head, cookies, navigation};
use crate::event::Event;

/// Whether a request may be a step of somebody who has a cookie of ours. Nothing is opened for that.
pub(super) fn may_be(head: &Head<'_>, ours: &cookies::Ours, by: By<'_>) -> bool {
    !ours.is_empty(head.fields)
        && navigation::is_step(head.method, head.fields)
        && (by.is_checkout)(head.fields)
}

impl Visiting<'_> {
    /// Notes the request as a checkout step of its visitor, if it is one. The one that makes a click
    /// is none: it leads to the checkout from outside.
    pub(super) fn step(&mut self) {
        let Some(visit) = &mut self.visit else {
            return;
        };
        if !may_be(self.head, self.ours, self.by) {
            return;
        }
        self.by.place.store.traffic.sales.at_checkout();
        if self.clicked || !visit.step(self.by.now) {
            return;
        }
        self.changed = true;
        self.by.counters.add(Event::CheckoutSeen);
        debug!(store = %self.by.place.store.name, visit = %visit.id, "a checkout step");
    }
}
