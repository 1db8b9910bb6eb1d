//! What a piece of work took of this process: time, processor, writes.

use std::fs;
use std::time::{Duration, Instant};

/// Counters at one moment. On Linux only; elsewhere all but the clock stand still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    at: Instant,
    all: Duration,
    ledger: Duration,
    written: u64,
    writes: u64,
}

/// What lies between two marks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) time: Duration,
    /// Processor time of every thread.
    pub(crate) all: Duration,
    /// That of the ledger's own thread.
    pub(crate) ledger: Duration,
    /// Bytes given to the kernel to write.
    pub(crate) written: u64,
    /// In so many calls.
    pub(crate) writes: u64,
}

impl Mark {
    pub(crate) fn now() -> Self {
        let (mut all, mut ledger) = (Duration::ZERO, Duration::ZERO);
        for task in fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten()
        {
            let ran = ran(&task.path().join("schedstat"));
            all += ran;
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            if name.trim() == "ledger" {
                ledger += ran;
            }
        }
        let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
        let of = |word: &str| {
            let line = io.lines().find_map(|line| line.strip_prefix(word));
            line.and_then(|count| count.trim().parse().ok())
                .unwrap_or(0)
        };
        Self {
            at: Instant::now(),
            all,
            ledger,
            written: of("wchar:"),
            writes: of("syscw:"),
        }
    }

    pub(crate) fn spent(self) -> Spent {
        let now = Self::now();
        Spent {
            time: now.at - self.at,
            all: now.all.saturating_sub(self.all),
            ledger: now.ledger.saturating_sub(self.ledger),
            written: now.written - self.written,
            writes: now.writes - self.writes,
        }
    }
}

/// Nanoseconds on a processor, the first number of a `schedstat`.
fn ran(path: &std::path::Path) -> Duration {
    let text = fs::read_to_string(path).unwrap_or_default();
    let first = text.split_whitespace().next();
    Duration::from_nanos(first.and_then(|text| text.parse().ok()).unwrap_or(0))
}
