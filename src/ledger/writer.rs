//! The writer: one thread owns the connection, and commits in groups.
//!
//! Work queues up while a commit waits for the disk. What is queued then runs
//! in one transaction, and one sync answers all of it: nobody is told "done"
//! before the commit returned.
//!
//! A piece has no savepoint of its own, which would copy every page that it changes.
//! Where one fails the transaction is undone, and each piece is run again by itself,
//! so that a bad one fails alone. A step that is refused must have changed nothing.
//!
//! Until the file can be opened, where that was not possible at the start, work is refused at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use super::owner::Lock;

/// Work that waits for the writer; more waits with its sender.
const QUEUE: usize = 1024;

/// Most pieces of work in one commit.
const GROUP: usize = 256;

/// From one try to open the file to the next.
const AGAIN: Duration = Duration::from_millis(500);

/// How the thread comes by its connection.
pub(super) struct Opening {
    /// The connection, or why there is none yet.
    pub(super) first: Result<Connection, Error>,
    /// Tries anew, soon done.
    pub(super) again: Again,
}

type Again = Box<dyn FnMut() -> Result<Connection, Error> + Send>;

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
        let (telling, away) = watch::channel(first.as_ref().err().map(away_by));
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

/// The connection, when there is one: until then whatever is asked is refused. None if nobody can ask any more.
async fn opened(
    mut again: Again,
    queue: &mut mpsc::Receiver<Job>,
    away: &watch::Sender<Option<Error>>,
) -> Option<Connection> {
    let mut group = Vec::with_capacity(GROUP);
    loop {
        let next = Instant::now() + AGAIN;
        // Cancel-safe: what is not received stays queued.
        while let Ok(count) = timeout_at(next, queue.recv_many(&mut group, GROUP)).await {
            if count == 0 {
                return None;
            }
            let fault = away.borrow().clone().unwrap_or(Error::Closed);
            tell_all(&mut group, &Err(fault));
        }
        match again() {
            Ok(connection) => {
                away.send_replace(None);
                return Some(connection);
            }
            Err(fault) => away.send_replace(Some(away_by(&fault))),
        };
    }
}

fn away_by(fault: &Error) -> Error {
    Error::Away(Arc::new(fault.clone()))
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

        let opening = Opening {
            first: Ok(Connection::open_in_memory().unwrap()),
            again: Box::new(|| Err(Error::Closed)),
        };
        let writer = Writer::start(opening, None).unwrap();
        let panics = |_: &Connection| -> Result<(), Error> { panic!("a fault of ours") };
        let first = writer.call(Kind::Write, panics, |_| {}).await;
        assert!(matches!(first, Err(Error::Closed)), "{first:?}");
        let second = writer.call(Kind::Read, |_| Ok(()), |()| {}).await;
        let second = second.unwrap_err();
        assert!(second.to_string().contains("restart"), "{second}");
    }

    /// What comes back to the sender of a job, and the job: it notes `number`, and then ends with `error`, if any.
    fn job(number: i64, error: Option<Error>) -> (Job, oneshot::Receiver<Result<i64, Error>>) {
        let (reply, answer) = oneshot::channel();
        let work = move |db: &Connection| {
            db.execute("INSERT INTO notes VALUES (?1)", [number])?;
            error.clone().map_or(Ok(number), Err)
        };
        let job = Work {
            kind: Kind::Write,
            work,
            after: |_: &i64| {},
            done: None,
            reply,
        };
        (Box::new(job), answer)
    }

    fn noted(connection: &Connection) -> i64 {
        let sum = "SELECT coalesce(sum(number), 0) FROM notes";
        connection.query_row(sum, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_piece_of_work_that_fails_does_so_alone_and_nothing_of_it_stays() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE notes (number INTEGER NOT NULL)")
            .unwrap();
        let commits = AtomicU64::new(0);
        let fault = Error::Row {
            column: "notes.number",
            source: Arc::new(std::io::Error::other("a fault of the row")),
        };
        let (mut jobs, answers): (Vec<_>, Vec<_>) = [None, Some(fault), None]
            .into_iter()
            .zip([1, 10, 100])
            .map(|(error, number)| job(number, error))
            .unzip();
        commit(&mut connection, &mut jobs, &commits);
        let mut answers = answers
            .into_iter()
            .map(|answer| answer.blocking_recv().unwrap());
        assert_eq!(answers.next().unwrap().unwrap(), 1);
        let failed = answers.next().unwrap();
        assert!(matches!(failed, Err(Error::Row { .. })), "{failed:?}");
        assert_eq!(answers.next().unwrap().unwrap(), 100);
        assert_eq!(noted(&connection), 101);
        assert_eq!(commits.load(Ordering::Relaxed), 2);
        assert!(connection.is_autocommit());
    }

    #[test]
    fn work_that_goes_well_is_one_commit() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE notes (number INTEGER NOT NULL)")
            .unwrap();
        let commits = AtomicU64::new(0);
        let (mut jobs, answers): (Vec<_>, Vec<_>) =
            [1, 10, 100].map(|n| job(n, None)).into_iter().unzip();
        commit(&mut connection, &mut jobs, &commits);
        assert!(jobs.is_empty());
        for answer in answers {
            answer.blocking_recv().unwrap().unwrap();
        }
        assert_eq!(
            (noted(&connection), commits.load(Ordering::Relaxed)),
            (111, 1)
        );
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
