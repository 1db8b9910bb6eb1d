//! The ledger in PostgreSQL, for several replicas: the verbs, each one piece of work for the writer, or a look.
//!
//! One thread has a runtime of its own with two connections: one writes in groups, one looks. So the workers, the
//! control runtime and the commands ask in the same way, and none of them holds up a commit.
//!
//! Leases end by time alone, the database's: whose sender is gone is known when its lease is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::join;
use tokio::runtime;
use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};

use super::Role;
use super::custody::Custody;
use super::error::Error;
use super::filter::{OrderFilter, PostbackFilter};
use super::known::{Deed, KnownOrder, Learned};
use super::session::{Known, SWEPT, Session, Written};
use super::story::{Counts, Durability, Entered, Settlement, Story, Told};
use super::version::SteppedBack;
use crate::clock::Time;
use crate::name::{Namespace, NetworkName};
use crate::order::{Candidate, Order, OrderId};
use crate::postback::{AttemptId, Postback, PostbackId, State};
use crate::session::Mark;
use clock::Clock;
use connection::Connection;
use first::New;
use reader::Look;
use work::{Entry, Job, Pace, Work};
use writer::Writer;

mod back;
mod books;
mod clock;
mod connection;
mod custody;
mod enter;
mod find;
mod first;
mod keep;
mod known;
mod owed;
mod pauses;
mod place;
mod reader;
mod retire;
mod rivals;
mod schema;
mod send;
mod server;
mod sessions;
mod steer;
mod tables;
mod tls;
mod work;
mod writer;

pub use schema::SCHEMA;
pub use server::{Server, UrlError};

/// Work, and looks, that wait; more waits with its sender.
const QUEUE: usize = 1024;

#[derive(Debug)]
pub(super) struct Postgres {
    jobs: Option<mpsc::Sender<Job>>,
    looks: Option<mpsc::Sender<Look>>,
    /// One piece of work at a time remembers sessions: two in one commit would lock theirs in no order.
    remembering: Mutex<()>,
    thread: Option<JoinHandle<()>>,
    clock: Clock,
    commits: Arc<AtomicU64>,
    server: Arc<Server>,
    away: watch::Receiver<Option<Error>>,
}

impl Postgres {
    /// Opens it. In [`Role::Run`] a database that cannot be reached is no error: it is waited for.
    pub(super) fn open(
        server: &Server,
        role: Role,
        now: Time,
        custody: Custody,
    ) -> Result<Self, Error> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (jobs, job_queue) = mpsc::channel(QUEUE);
        let (looks, look_queue) = mpsc::channel(QUEUE);
        let (opened, opening) = std::sync::mpsc::sync_channel(1);
        let (away, watched) = watch::channel(None);
        let (clock, commits) = (Clock::default(), Arc::new(AtomicU64::new(0)));
        let server = Arc::new(server.clone());
        let own = Arc::clone(&server);
        let writer = Writer {
            server: Arc::clone(&server),
            role,
            clock: clock.clone(),
            commits: Arc::clone(&commits),
            away,
            known: schema::Known {
                ledger: None,
                custody,
            },
        };
        let looking = clock.clone();
        let serve = async move || {
            let first = writer.connect(now).await;
            let refused = match &first {
                Err(error) if role == Role::Tool || !is_away(error) => Err(error.clone()),
                _ => Ok(()),
            };
            let go_on = refused.is_ok();
            writer.away.send_replace(first.as_ref().err().cloned());
            // Whoever opens waits for it.
            drop(opened.send(refused));
            if go_on {
                let reading = reader::run(server, looking, look_queue);
                join(writer.run(first, job_queue), reading).await;
            }
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || super::writer::watched(|| runtime.block_on(serve())))?;
        let opened = opening.recv().unwrap_or(Err(Error::Closed));
        let postgres = Self {
            jobs: Some(jobs),
            looks: Some(looks),
            remembering: Mutex::new(()),
            thread: Some(thread),
            clock,
            commits,
            server: own,
            away: watched,
        };
        opened.map(|()| postgres)
    }

    /// No older refgate must run on it yet, and none of this version any more.
    pub(super) async fn step_back(server: &Server, sure: bool) -> Result<SteppedBack, Error> {
        let (connection, _known) = aside(server).await?;
        let stepped = back::step_back(&connection, sure).await;
        connection.close().await;
        stepped
    }

    pub(super) async fn enter(
        &self,
        candidate: Candidate,
        due: Arc<Notify>,
    ) -> Result<Entered, Error> {
        let after = move |entered: &Entered| match entered {
            Entered::New(_) | Entered::Completed(_) => due.notify_one(),
            Entered::Again(_) | Entered::Known(..) | Entered::NoPlace(_) => {}
        };
        let (entry, answer) = Entry::new(New::of(candidate)?, after);
        self.queue(Box::new(entry)).await?;
        answered(answer).await
    }

    pub(super) async fn known(&self, id: String) -> Result<Vec<KnownOrder>, Error> {
        self.look(async move |db: &Connection| known::find(db, &id).await)
            .await
    }

    pub(super) async fn learn(
        &self,
        namespace: Namespace,
        ids: Vec<OrderId>,
        now: Time,
    ) -> Result<Learned, Error> {
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => known::learn(db, (&namespace, &ids), now).await.map(Some),
        };
        self.write("k".to_owned(), work, |_| {}).await
    }

    pub(super) async fn record(&self, deed: Deed, now: Time) -> Result<(), Error> {
        let work =
            async move |db: &Connection, _pace| known::record(db, &deed, now).await.map(Some);
        self.write("z".to_owned(), work, |_| {}).await
    }

    pub(super) async fn claim(
        &self,
        destination: NetworkName,
        now: Time,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Postback>, Error> {
        let (clock, span) = (self.clock.clone(), (now, now.plus(lease)));
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => send::claim(db, &clock, &destination, span, limit)
                .await
                .map(Some),
        };
        self.write("c".to_owned(), work, |_| {}).await
    }

    pub(super) async fn begin(
        &self,
        id: PostbackId,
        url: String,
        now: Time,
    ) -> Result<AttemptId, Error> {
        let work = async move |db: &Connection, pace| send::begin(db, id, (&url, now), pace).await;
        self.write(key_of(id), work, |_| {}).await
    }

    pub(super) async fn settle(&self, end: Settlement, due: Arc<Notify>) -> Result<(), Error> {
        let (key, again) = (key_of(end.postback), end.state == State::Due);
        let after = move |&(): &()| {
            if again {
                due.notify_one();
            }
        };
        let work = async move |db: &Connection, pace| send::settle(db, &end, pace).await;
        self.write(key, work, after).await
    }

    pub(super) async fn remember(&self, sessions: Vec<Session>) -> Result<Vec<Written>, Error> {
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => sessions::remember(db, &sessions).await.map(Some),
        };
        let _turn = self.remembering.lock().await;
        self.write("s".to_owned(), work, |_| {}).await
    }

    pub(super) async fn session(&self, marks: Vec<Mark>, now: Time) -> Result<Known, Error> {
        self.look(async move |db: &Connection| sessions::find(db, &marks, now).await)
            .await
    }

    pub(super) async fn forget(&self, now: Time) -> Result<u64, Error> {
        let mut all = 0;
        loop {
            let work = async move |db: &Connection, _pace| {
                let closed = sessions::close(db, now, SWEPT).await?;
                let swept = sessions::sweep(db, now, SWEPT).await?;
                Ok(Some(closed + swept))
            };
            let gone = self.write("t".to_owned(), work, |_| {}).await?;
            all += gone;
            if gone < SWEPT {
                return Ok(all);
            }
        }
    }

    pub(super) async fn probe(&self, now: Time) -> Result<(), Error> {
        let work = async move |db: &Connection, _pace| schema::probe(db, now).await.map(Some);
        self.write("z".to_owned(), work, |_| {}).await
    }

    pub(super) async fn interrupted(&self, now: Time) -> Result<Vec<(Postback, AttemptId)>, Error> {
        let clock = self.clock.clone();
        self.look(async move |db: &Connection| send::interrupted(db, &clock, now).await)
            .await
    }

    pub(super) async fn unclear(&self, before: Time) -> Result<u64, Error> {
        self.look(async move |db: &Connection| send::unclear(db, before).await)
            .await
    }

    pub(super) async fn waiting(&self) -> Result<Vec<(NetworkName, Time)>, Error> {
        let clock = self.clock.clone();
        self.look(async move |db: &Connection| send::waiting(db, &clock).await)
            .await
    }

    pub(super) async fn orders(
        &self,
        filter: OrderFilter,
        limit: usize,
    ) -> Result<Vec<Order>, Error> {
        self.look(async move |db: &Connection| find::orders(db, filter, limit).await)
            .await
    }

    pub(super) async fn story(&self, id: String) -> Result<Vec<Story>, Error> {
        self.look(async move |db: &Connection| find::story(db, &id).await)
            .await
    }

    pub(super) async fn postbacks(
        &self,
        filter: PostbackFilter,
        limit: usize,
    ) -> Result<Vec<Postback>, Error> {
        self.look(async move |db: &Connection| find::postbacks(db, filter, limit).await)
            .await
    }

    pub(super) async fn postback(&self, id: PostbackId) -> Result<Told, Error> {
        self.look(async move |db: &Connection| find::told(db, id).await)
            .await
    }

    pub(super) async fn counts(&self) -> Result<Counts, Error> {
        self.look(async |db: &Connection| find::counts(db).await)
            .await
    }

    pub(super) async fn count(&self, states: Vec<State>) -> Result<Vec<(State, u64)>, Error> {
        self.look(async move |db: &Connection| find::count(db, &states).await)
            .await
    }

    pub(super) async fn durability(&self) -> Result<Durability, Error> {
        self.look(async |db: &Connection| schema::durability(db).await)
            .await
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Why the database is away, while it is.
    pub(super) fn away(&self) -> watch::Receiver<Option<Error>> {
        self.away.clone()
    }

    /// Runs `work` in a commit: it may be run several times, and is done once. Dropping the future does not stop
    /// work that is queued.
    async fn write<T, W, A>(&self, key: String, work: W, after: A) -> Result<T, Error>
    where
        T: Send + 'static,
        W: AsyncFn(&Connection, Pace) -> Result<Option<T>, Error> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
    {
        let (piece, answer) = Work::new(key, work, after);
        self.queue(Box::new(piece)).await?;
        answered(answer).await
    }

    async fn queue(&self, job: Job) -> Result<(), Error> {
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(job).await.map_err(|_ended| Error::Closed)
    }

    async fn look<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let (look, answer) = reader::Question::new(work);
        let looks = self.looks.as_ref().ok_or(Error::Closed)?;
        looks
            .send(Box::new(look))
            .await
            .map_err(|_ended| Error::Closed)?;
        answered(answer).await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        (self.jobs, self.looks) = (None, None);
        if let Some(thread) = self.thread.take() {
            // A panic was told when it happened.
            drop(thread.join());
        }
    }
}

/// A connection of a tool's own, on the present runtime.
async fn aside(server: &Server) -> Result<(Connection, schema::Known), Error> {
    let (role, clock) = ((Role::Tool, Time::now()), Clock::default());
    writer::connect(server, role, schema::Known::default(), &clock).await
}

async fn answered<T>(answer: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
    answer.await.map_err(|_ended| Error::Closed)?
}

fn key_of(id: PostbackId) -> String {
    format!("b {id:020}")
}

/// Whether the network, or a server that starts, stands in between: that passes. What the database itself refuses does not.
const fn is_away(error: &Error) -> bool {
    matches!(
        error,
        Error::Away(_) | Error::InDoubt(_) | Error::Contended(_) | Error::ReadOnly(_)
    )
}
