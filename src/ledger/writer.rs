//! The writer: one thread owns the connection, and commits in groups.
//!
//! Work queues up while a commit waits for the disk. What is queued then runs
//! in one transaction, each piece in a savepoint of its own, and one sync
//! answers all of it: nobody is told "done" before the commit returned.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::error::Error;
use super::owner::Lock;

/// Work that waits for the writer; more waits with its sender.
const QUEUE: usize = 1024;

/// Most pieces of work in one commit.
const GROUP: usize = 256;

/// Runs a piece of work, or refuses it; what is left to do is to tell its
/// sender how the commit went. An error: it failed, and its sender knows.
type Work = Box<dyn FnOnce(Result<&Connection, Error>) -> Result<Tell, Error> + Send>;
type Tell = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Whether work changes the ledger. A group that only reads takes no write lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

struct Job {
    kind: Kind,
    work: Work,
}

/// The way to the writer. Dropping it waits until what is queued is committed.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread. The lock, if any, lives as long as the connection.
    ///
    /// # Errors
    /// The system starts no thread.
    pub(super) fn start(connection: Connection, lock: Option<Lock>) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&commits);
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                watched(|| run(connection, queue, &counted));
                drop(lock);
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            commits,
        })
    }

    /// Commits so far that changed something.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Whether the thread has ended, unasked.
    pub(super) fn is_closed(&self) -> bool {
        self.jobs.as_ref().is_none_or(mpsc::Sender::is_closed)
    }

    /// Runs `work` on the writer's thread. Its changes are durable when this
    /// returns `Ok`, and undone when it returns an error. `after` runs when they are durable,
    /// also if nobody waits any more.
    ///
    /// Dropping the future does not stop work that is queued.
    pub(super) async fn call<T, W, A>(&self, kind: Kind, work: W, after: A) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |connection| match connection.and_then(work) {
            Ok(value) => Ok(Box::new(move |committed: Result<(), Error>| {
                if committed.is_ok() {
                    after(&value);
                }
                answer_to(reply, committed.map(|()| value));
            })),
            Err(error) => {
                answer_to(reply, Err(error.clone()));
                Err(error)
            }
        });
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(Job { kind, work })
            .await
            .map_err(|_ended| Error::Closed)?;
        answer.await.map_err(|_ended| Error::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic was told when it happened.
            drop(thread.join());
        }
    }
}

fn answer_to<T>(reply: oneshot::Sender<Result<T, Error>>, answer: Result<T, Error>) {
    // A caller that went away needs no answer; its work is done all the same.
    drop(reply.send(answer));
}

/// Runs the writer; should it panic, that is told at once: no order is entered from then on.
pub(super) fn watched(run: impl FnOnce()) {
    // What it owns is gone with it, so nothing half changed is seen again.
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        tracing::error!(
            "the ledger's writer panicked: orders go into the spool and no postback is sent until a restart"
        );
    }
}

fn run(mut connection: Connection, mut queue: mpsc::Receiver<Job>, commits: &AtomicU64) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.blocking_recv_many(&mut group, GROUP) > 0 {
        let jobs = std::mem::take(&mut group);
        if commit_together(&mut connection, jobs) {
            commits.fetch_add(1, Ordering::Relaxed);
        }
    }
    if let Err((_connection, error)) = connection.close() {
        tracing::warn!(%error, "closing the ledger");
    }
}

/// True if something was changed and committed.
fn commit_together(connection: &mut Connection, jobs: Vec<Job>) -> bool {
    let writes = jobs.iter().any(|job| job.kind == Kind::Write);
    let behavior = if writes {
        TransactionBehavior::Immediate
    } else {
        TransactionBehavior::Deferred
    };
    let before = connection.total_changes();
    let mut group = match connection.transaction_with_behavior(behavior) {
        Ok(group) => group,
        Err(error) => {
            refuse(jobs, &error.into());
            return false;
        }
    };
    let mut tells = Vec::with_capacity(jobs.len());
    let mut done = Ok(());
    let mut jobs = jobs.into_iter();
    for job in jobs.by_ref() {
        match run_one(&mut group, job.work) {
            Ok(tell) => tells.push(tell),
            // SQLite undid the whole transaction (disk full, failing disk): what ran before is undone too.
            Err(error) if group.is_autocommit() => {
                done = Err(error);
                break;
            }
            Err(_told) => {}
        }
    }
    let changed = group.total_changes() > before;
    let done = done.and_then(|()| group.commit().map_err(Error::from));
    if let Err(error) = &done {
        refuse(jobs, error);
    }
    for tell in tells {
        tell(done.clone());
    }
    changed && done.is_ok()
}

/// Runs a piece of work so that its changes are undone if it fails.
fn run_one(group: &mut Transaction<'_>, work: Work) -> Result<Tell, Error> {
    let savepoint = match group.savepoint() {
        Ok(savepoint) => savepoint,
        Err(error) => return work(Err(error.into())),
    };
    let tell = work(Ok(&savepoint))?;
    match savepoint.commit() {
        Ok(()) => Ok(tell),
        Err(error) => {
            let error = Error::from(error);
            tell(Err(error.clone()));
            Err(error)
        }
    }
}

fn refuse(jobs: impl IntoIterator<Item = Job>, error: &Error) {
    for job in jobs {
        // It answers its sender itself.
        drop((job.work)(Err(error.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    // One test: `tracing` remembers per place of the code whether the first who came there listened.
    #[tokio::test]
    async fn a_panic_is_told_at_once_and_by_every_call_after_it() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = Log(Arc::clone(&log));
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || written.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || watched(|| panic!("a fault of ours")));
        let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        assert!(text.contains("ERROR"), "{text}");
        assert!(text.contains("the ledger's writer panicked"), "{text}");

        let connection = Connection::open_in_memory().unwrap();
        let writer = Writer::start(connection, None).unwrap();
        let panics = |_: &Connection| -> Result<(), Error> { panic!("a fault of ours") };
        let first = writer.call(Kind::Write, panics, |_| {}).await;
        assert!(matches!(first, Err(Error::Closed)), "{first:?}");
        let second = writer.call(Kind::Read, |_| Ok(()), |()| {}).await;
        let second = second.unwrap_err();
        assert!(second.to_string().contains("restart"), "{second}");
    }

    #[derive(Clone)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
