//! The writer: one thread owns the connection, and commits in groups.
//!
//! Work queues up while a commit waits for the disk. What is queued then runs
//! in one transaction, and one sync answers all of it: nobody is told "done"
//! before the commit returned.
//!
//! A piece has no savepoint of its own, which would copy every page that it changes.
//! Where one fails the transaction is undone, and each piece is run again by itself,
//! so that a bad one fails alone. A step that is refused must have changed nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};

use super::error::Error;
use super::owner::Lock;
use opening::opened;

pub(super) use opening::Opening;

mod opening;

/// Work that waits for the writer; more waits with its sender.
const QUEUE: usize = 1024;

/// Most pieces of work in one commit.
const GROUP: usize = 256;

/// Whether work changes the ledger. A group that only reads takes no write lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

/// Work as the thread sees it.
trait Piece: Send {
    fn kind(&self) -> Kind;

    /// Runs it, perhaps not for the first time: what ran before was undone.
    ///
    /// # Errors
    /// Its own, which its sender will be told.
    fn run(&mut self, db: &Connection) -> Result<(), Error>;

    /// Tells its sender how the commit went.
    fn tell(self: Box<Self>, committed: Result<(), Error>);
}

type Job = Box<dyn Piece>;

/// A piece of work with the way back to its sender.
struct Work<T, W, A> {
    kind: Kind,
    work: W,
    after: A,
    done: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, W, A> Piece for Work<T, W, A>
where
    T: Send,
    W: FnMut(&Connection) -> Result<T, Error> + Send,
    A: FnOnce(&T) + Send,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn run(&mut self, db: &Connection) -> Result<(), Error> {
        let done = (self.work)(db);
        let failed = done.as_ref().err().cloned();
        self.done = Some(done);
        failed.map_or(Ok(()), Err)
    }

    fn tell(self: Box<Self>, committed: Result<(), Error>) {
        let Self {
            after, done, reply, ..
        } = *self;
        let outcome = committed.and_then(|()| done.unwrap_or(Err(Error::Closed)));
        if let Ok(value) = &outcome {
            after(value);
        }
        // A caller that went away needs no answer; its work is done all the same.
        drop(reply.send(outcome));
    }
}

/// The way to the writer. Dropping it waits until what is queued is committed.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
    away: watch::Receiver<Option<Error>>,
}

impl Writer {
    /// Starts the thread. The lock, if any, lives as long as it, and so longer than the connection.
    ///
    /// # Errors
    /// The system starts no thread.
    pub(super) fn start(opening: Opening, lock: Option<Lock>) -> std::io::Result<Self> {
        let (jobs, mut queue) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&commits);
        let Opening { first, again } = opening;
        let (telling, away) = watch::channel(first.as_ref().err().map(opening::away_by));
        let waiting = match &first {
            Ok(_) => None,
            Err(_) => Some(Builder::new_current_thread().enable_time().build()?),
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                watched(|| {
                    let opened = match waiting {
                        None => first.ok(),
                        Some(runtime) => runtime.block_on(opened(again, &mut queue, &telling)),
                    };
                    if let Some(connection) = opened {
                        run(connection, queue, &counted);
                    }
                });
                drop((telling, lock));
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            commits,
            away,
        })
    }

    /// Commits so far that changed something.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Why the file is not open yet, while that is so.
    pub(super) fn away(&self) -> watch::Receiver<Option<Error>> {
        self.away.clone()
    }

    /// Whether there is a file to be looked into beside the thread.
    ///
    /// # Errors
    /// [`Error::Away`]; [`Error::Closed`] if the thread has ended, unasked.
    pub(super) fn is_there(&self) -> Result<(), Error> {
        if self.jobs.as_ref().is_none_or(mpsc::Sender::is_closed) {
            return Err(Error::Closed);
        }
        self.away.borrow().clone().map_or(Ok(()), Err)
    }

    /// Runs `work` on the writer's thread, perhaps several times. Its changes are durable when this
    /// returns `Ok`, and undone when it returns an error. `after` runs when they are durable,
    /// also if nobody waits any more.
    ///
    /// Dropping the future does not stop work that is queued.
    pub(super) async fn call<T, W, A>(&self, kind: Kind, work: W, after: A) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> Result<T, Error> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Work {
            kind,
            work,
            after,
            done: None,
            reply,
        });
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(job).await.map_err(|_ended| Error::Closed)?;
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
        commit(&mut connection, &mut group, commits);
    }
    if let Err((_connection, error)) = connection.close() {
        tracing::warn!(%error, "closing the ledger");
    }
}

/// Commits a group, answers everybody in it and empties it.
fn commit(connection: &mut Connection, group: &mut Vec<Job>, commits: &AtomicU64) {
    match attempt(connection, group, commits) {
        Ok(()) => tell_all(group, &Ok(())),
        Err(Fault::Its(_)) if group.len() > 1 => {
            for mut job in group.drain(..) {
                let done = attempt(connection, std::slice::from_mut(&mut job), commits);
                job.tell(done.map_err(Error::from));
            }
        }
        Err(fault) => tell_all(group, &Err(fault.into())),
    }
}

/// Why a transaction was undone.
enum Fault {
    /// A piece of work failed; its neighbours may do well without it.
    Its(Error),
    /// Locked, full, a failing disk: nobody does.
    Everybodys(Error),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Its(error) | Fault::Everybodys(error) => error,
        }
    }
}

/// One transaction with all of the jobs; counted if something was changed.
fn attempt(
    connection: &mut Connection,
    jobs: &mut [Job],
    commits: &AtomicU64,
) -> Result<(), Fault> {
    let everybodys = |error: rusqlite::Error| Fault::Everybodys(error.into());
    let writes = jobs.iter().any(|job| job.kind() == Kind::Write);
    let behavior = if writes {
        TransactionBehavior::Immediate
    } else {
        TransactionBehavior::Deferred
    };
    let before = connection.total_changes();
    // Dropped, it is undone.
    let group = connection
        .transaction_with_behavior(behavior)
        .map_err(everybodys)?;
    for job in jobs {
        let Err(error) = job.run(&group) else {
            continue;
        };
        // SQLite has undone all of it: disk full, a failing disk.
        if group.is_autocommit() {
            return Err(Fault::Everybodys(error));
        }
        // What changed nothing stays among its neighbours.
        if job.kind() == Kind::Write && !error.is_refusal() {
            return Err(Fault::Its(error));
        }
    }
    let changed = group.total_changes() > before;
    group.commit().map_err(everybodys)?;
    commits.fetch_add(u64::from(changed), Ordering::Relaxed);
    Ok(())
}

fn tell_all(jobs: &mut Vec<Job>, outcome: &Result<(), Error>) {
    for job in jobs.drain(..) {
        job.tell(outcome.clone());
    }
}

#[cfg(test)]
mod tests;
