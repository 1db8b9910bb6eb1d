//! What may have been an order and is none: counted, and told as loudly as money is.

use tracing::{error, warn};

use super::Watcher;
use crate::alarm::Alarm;
use crate::clock::Time;
use crate::event::Event;
use crate::name::StoreName;
use crate::store::Store;

impl Watcher {
    /// The shopper has gone, and the exchange cannot go on without him.
    pub(super) fn cut_off(&self, store: &Store, request: &str) {
        self.counters.add(Event::ExchangeCutOff);
        warn!(store = %store.name, request,
            "the shopper went away, and the shop took too long or too many had gone: if there was an order in the answer, it is lost");
    }

    /// Nobody knows whether there was an order in it.
    pub(super) fn lost(&self, store: &StoreName, request: &str, why: &str) {
        self.counters.add(Event::ObserverFailed);
        error!(%store, request, why, "a confirmation could not be read: if there was an order in it, it is lost");
        let words = format!("{request} could not be read, and an order in it is lost: {why}");
        let alarms = self.counters.alarms();
        alarms.raise(Alarm::RuleUnreadable, store.as_str(), &words, Time::now());
    }
}
