//! A small pool of threads that read copies, so that reading holds nobody up.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::reading::Reading;
use super::watch::Matched;

/// How many copies may wait for each thread.
const WAITING: usize = 16;

/// Threads that read copies. They end when the pool is dropped.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Full: the copy is not read and the caller is told, at once.
    jobs: SyncSender<Job>,
    timeout: Duration,
}

/// Why a copy was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// As many copies wait as may.
    #[error("as many confirmations wait to be read as may")]
    Overloaded,
    /// The reader panicked; the pool lives on.
    #[error("reading panicked: {0}")]
    Panicked(String),
    /// It took longer than `read_timeout`.
    #[error("reading took longer than {0:?}")]
    TimedOut(Duration),
    /// The threads are gone.
    #[error("the threads that read are gone")]
    Closed,
}

type Outcome<T> = Result<T, Box<dyn Any + Send>>;

struct Job(Box<dyn FnOnce() + Send>);

impl Pool {
    /// Starts `readers` threads (at least one); a read takes at most `timeout`.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn new(readers: usize, timeout: Duration) -> io::Result<Self> {
        let readers = readers.max(1);
        let (jobs, queue) = sync_channel(readers.saturating_mul(WAITING));
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..readers {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name(format!("observe-{number}"))
                .spawn(move || work(&queue))?;
        }
        Ok(Self { jobs, timeout })
    }

    /// The same threads, with another limit for a read.
    #[must_use]
    pub fn with(&self, timeout: Duration) -> Self {
        let jobs = self.jobs.clone();
        Self { jobs, timeout }
    }

    /// What the rules read from the exchange; see [`Matched::read`].
    ///
    /// # Errors
    ///
    /// When nobody can read it now, or reading failed or took too long.
    pub async fn read(
        &self,
        matched: Matched,
        body: Option<Bytes>,
    ) -> Result<Vec<Reading>, ReadError> {
        self.run(move || matched.read(body.as_deref())).await
    }

    async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let (answer, answered) = oneshot::channel::<Outcome<T>>();
        let job = Job(Box::new(move || {
            // Whoever asked may have given up while this waited.
            if !answer.is_closed() {
                drop(answer.send(catch_unwind(AssertUnwindSafe(read))));
            }
        }));
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => ReadError::Overloaded,
            TrySendError::Disconnected(_) => ReadError::Closed,
        })?;
        match tokio::time::timeout(self.timeout, answered).await {
            Err(_elapsed) => Err(ReadError::TimedOut(self.timeout)),
            Ok(Err(_gone)) => Err(ReadError::Closed),
            Ok(Ok(Err(panic))) => Err(ReadError::Panicked(words(panic.as_ref()))),
            Ok(Ok(Ok(value))) => Ok(value),
        }
    }
}

/// Until the pool is gone. One thread waits at the queue, the others for it.
fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job(job)) = job else {
            return;
        };
        job();
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let formatted = || panic.downcast_ref::<String>().cloned();
    literal.or_else(formatted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    }

    #[test]
    fn a_panic_kills_no_thread() {
        let pool = Pool::new(1, Duration::from_secs(60)).unwrap();
        runtime().block_on(async {
            for round in 0..3 {
                let failed = pool
                    .run(move || {
                        if round < 9 {
                            panic!("round {round}")
                        }
                    })
                    .await;
                let error = failed.unwrap_err().to_string();
                assert_eq!(error, format!("reading panicked: round {round}"));
                assert_eq!(pool.run(move || round).await.unwrap(), round);
            }
        });
    }

    #[test]
    fn a_slow_read_is_given_up_and_a_full_queue_refuses() {
        let (release, held) = mpsc::channel::<()>();
        let pool = Pool::new(1, Duration::from_millis(20)).unwrap();
        runtime().block_on(async {
            let slow = pool.run(move || held.recv()).await;
            assert!(matches!(slow, Err(ReadError::TimedOut(_))));
            for _ in 0..WAITING {
                let queued = pool.run(|| ()).await;
                assert!(matches!(queued, Err(ReadError::TimedOut(_))));
            }
            assert!(matches!(pool.run(|| ()).await, Err(ReadError::Overloaded)));
        });
        drop(release);
        let pool = Pool {
            timeout: Duration::from_secs(60),
            ..pool
        };
        // The queue empties now; until it has, it refuses.
        let recovered = (0..1_000_000).any(|_| {
            let ran = runtime().block_on(pool.run(|| 7));
            thread::yield_now();
            matches!(ran, Ok(7))
        });
        assert!(recovered);
    }
}
