//! What passes through a store: answers, how long they took, bytes; for the metrics. And, for alarms,
//! whether it sells, and whether its cookie is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::kept::Kept;
use super::sales::Sales;
use crate::shards::Shards;

/// Kinds of status, by their first digit.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Upper bounds of the buckets of how long an answer took, in microseconds; above the last one
/// there is one bucket more.
pub const BOUNDS: [u64; 12] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// What has passed since the start; every thread counts by itself.
#[derive(Debug, Default)]
pub struct Traffic {
    counts: Shards<Counts>,
    /// Who passes the checkout, and which orders are seen.
    pub sales: Sales,
    /// Who comes back with the cookie that he was given.
    pub kept: Kept,
}

#[derive(Debug, Default)]
struct Counts {
    classes: [AtomicU64; CLASSES.len()],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
    bytes: AtomicU64,
}

/// What had passed when it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Answers, by [`CLASSES`].
    pub classes: [u64; CLASSES.len()],
    /// Answers, by the first of [`BOUNDS`] that is not below how long they took.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// How long all of them took together.
    pub took: Duration,
    /// Bytes of bodies that were handed to clients.
    pub bytes: u64,
}

impl Traffic {
    /// An answer's head is there, so long after its request's.
    pub fn answered(&self, status: u16, took: Duration) {
        let counts = self.counts.own();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = usize::from(status / 100).saturating_sub(1);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        let counted = [counts.classes.get(class), counts.buckets.get(bucket)];
        for count in counted.into_iter().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
        }
        counts.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// So many bytes of a body went to a client.
    pub fn sent(&self, bytes: u64) {
        self.counts.own().bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What has passed until now.
    pub fn passed(&self) -> Passed {
        let mut passed = Passed::default();
        for counts in self.counts.all() {
            add(&mut passed.classes, &counts.classes);
            add(&mut passed.buckets, &counts.buckets);
            passed.took += Duration::from_micros(counts.micros.load(Ordering::Relaxed));
            passed.bytes += counts.bytes.load(Ordering::Relaxed);
        }
        passed
    }
}

fn add<const N: usize>(sums: &mut [u64; N], counts: &[AtomicU64; N]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_status_and_by_time() {
        let traffic = Traffic::default();
        std::thread::scope(|scope| {
            for (status, micros) in [
                (200, 0),
                (204, 1_000),
                (302, 1_001),
                (404, 10_000_000),
                (502, 10_000_001),
                (101, 30),
                (999, 30),
            ] {
                let traffic = &traffic;
                scope.spawn(move || {
                    traffic.answered(status, Duration::from_micros(micros));
                    traffic.sent(micros);
                });
            }
        });
        let passed = traffic.passed();
        assert_eq!(passed.classes, [1, 2, 1, 1, 1]);
        assert_eq!(passed.buckets, [4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(passed.took, Duration::from_micros(20_002_062));
        assert_eq!(passed.bytes, 20_002_062);
    }
}
