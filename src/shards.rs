//! Counting on many threads without their meeting at one word of memory.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads beyond so many share a shard again; then they meet, and nothing else.
const COUNT: usize = 16;

/// One of a kind for each thread, added up by whoever asks.
#[derive(Debug, Default)]
pub struct Shards<T>([Line<T>; COUNT]);

/// On cache lines of its own; processors fetch two at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line<T>(T);

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
}

impl<T> Shards<T> {
    /// This thread's.
    pub fn own(&self) -> &T {
        let [first, ..] = &self.0;
        &self.0.get(NUMBER.with(|number| *number)).unwrap_or(first).0
    }

    /// Every one.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|line| &line.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn what_many_threads_count_adds_up() {
        let shards = Shards::<AtomicU64>::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * COUNT {
                scope.spawn(|| shards.own().fetch_add(3, Ordering::Relaxed));
            }
        });
        let sum: u64 = shards.all().map(|one| one.load(Ordering::Relaxed)).sum();
        assert_eq!(sum, 96);
        let used = shards.all().filter(|one| one.load(Ordering::Relaxed) > 0);
        assert!(used.count() > 1);
        assert!(size_of::<Line<u64>>() >= 128);
    }
}
