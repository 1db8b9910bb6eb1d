//! Whether a store sells as it does otherwise: who passes the checkout, and which orders are seen.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted since the start.
#[derive(Debug, Default)]
pub struct Sales {
    checkouts: AtomicU64,
    orders: AtomicU64,
}

impl Sales {
    /// Somebody passes the checkout.
    pub fn at_checkout(&self) {
        self.checkouts.fetch_add(1, Ordering::Relaxed);
    }

    /// An order is seen, new or not.
    pub fn ordered(&self) {
        self.orders.fetch_add(1, Ordering::Relaxed);
    }

    /// How often each has happened: the checkout, an order.
    pub fn totals(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.checkouts), count(&self.orders))
    }
}
