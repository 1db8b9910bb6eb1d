//! The writer: one connection, which commits in groups.
//!
//! Work queues up while a commit is under way. What is queued then runs in one transaction: the orders that are new by
//! one statement a table, and the first statements of everything else, sent without waiting for each other. What these
//! cannot do is done piece by piece after them.
//! Where anything fails the transaction is undone: run again if others only stood in the way, otherwise each piece
//! by itself, so that a bad one fails alone.
//!
//! While the database is away work is refused at once, and connecting is tried again and again beside it.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, join3};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::clock::Clock;
use super::connection::{Connection, is_aftermath};
use super::first::first;
use super::schema::{self, Known};
use super::server::Server;
use super::work::{Job, Local, Pace};
use crate::clock::Time;
use crate::ledger::Role;
use crate::ledger::error::Error;

/// Most pieces of work in one commit.
const GROUP: usize = 256;

/// How often work is run again in whose way others stood.
const TRIES: u32 = 6;

/// How long a commit may take with all that is in it. Beyond that the database is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long connecting and making ready may take.
pub(super) const CONNECTING: Duration = Duration::from_secs(10);

/// Waits between tries to connect: doubled up to the longest.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(8);

/// How often the clocks are compared, by which an idle connection is also found out that leads nowhere.
const COMPARING: Duration = Duration::from_secs(30);

/// Everything that the writer goes by.
pub(super) struct Writer {
    pub(super) server: Arc<Server>,
    pub(super) role: Role,
    pub(super) clock: Clock,
    pub(super) commits: Arc<AtomicU64>,
    /// Why the database is away, while it is.
    pub(super) away: watch::Sender<Option<Error>>,
    pub(super) known: Known,
}

/// The connection, or what is done for one.
enum Link<'a> {
    /// With the moment at which the clocks are compared next.
    Here(Connection, Instant),
    Connecting(Local<'a, Result<(Connection, Known), Error>>),
    Resting(Instant),
}

/// What the writer was woken by.
enum Woken {
    Jobs(usize),
    Connected(Result<(Connection, Known), Error>),
    Ended,
    Compare,
    Rested,
}

impl Writer {
    /// Connects and makes ready.
    pub(super) async fn connect(&self, now: Time) -> Result<(Connection, Known), Error> {
        let known = self.known.clone();
        connect(&self.server, (self.role, now), known, &self.clock).await
    }

    /// Does what is queued until nobody can queue any more. `connection` is the first connection, if there is one.
    pub(super) async fn run(
        mut self,
        connection: Result<(Connection, Known), Error>,
        mut queue: mpsc::Receiver<Job>,
    ) {
        let mut wait = SHORTEST;
        let (mut link, mut fault) = self.linked(connection, &mut wait);
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let woken = tokio::select! {
                jobs = queue.recv_many(&mut group, GROUP) => Woken::Jobs(jobs),
                woken = link.wake() => woken,
            };
            match (woken, &link) {
                (Woken::Jobs(0), _) => break,
                (Woken::Jobs(_), Link::Here(connection, _)) => {
                    let mut jobs = mem::take(&mut group);
                    // Replicas that take locks in one order wait for each other in no circle.
                    jobs.sort_by(|a, b| a.key().cmp(b.key()));
                    let Err(error) = self.commit(connection, jobs).await else {
                        continue;
                    };
                    (link, fault) = self.linked(Err(error), &mut wait);
                }
                (Woken::Jobs(_), _) => {
                    for job in mem::take(&mut group) {
                        job.tell(Err(fault.clone()));
                    }
                }
                (Woken::Connected(connected), _) => {
                    (link, fault) = self.linked(connected, &mut wait);
                }
                (Woken::Ended, _) => {
                    let ended = Error::from(std::io::Error::from(std::io::ErrorKind::NotConnected));
                    (link, fault) = self.linked(Err(ended), &mut wait);
                }
                (Woken::Compare, Link::Here(connection, _)) => {
                    match compare(connection, &self.clock).await {
                        Ok(()) => link.compared(),
                        Err(error) => (link, fault) = self.linked(Err(error), &mut wait),
                    }
                }
                (Woken::Compare | Woken::Rested, _) => {
                    let (server, clock) = (Arc::clone(&self.server), self.clock.clone());
                    let (role, known) = (self.role, self.known.clone());
                    link = Link::Connecting(Box::pin(async move {
                        connect(&server, (role, Time::now()), known, &clock).await
                    }));
                }
            }
        }
        if let Link::Here(connection, _) = link {
            connection.close().await;
        }
    }

    /// Takes a new connection into use, or rests before the next try; what refused work is told meanwhile.
    fn linked<'a>(
        &mut self,
        connected: Result<(Connection, Known), Error>,
        wait: &mut Duration,
    ) -> (Link<'a>, Error) {
        match connected {
            Ok((connection, known)) => {
                *wait = SHORTEST;
                self.known = known;
                self.away.send_replace(None);
                (
                    Link::Here(connection, Instant::now() + COMPARING),
                    Error::Closed,
                )
            }
            Err(error) => {
                self.away.send_replace(Some(error.clone()));
                let until = Instant::now() + *wait;
                *wait = wait.saturating_mul(2).min(LONGEST);
                // A new piece of work was not under way when the connection broke.
                let fault = match error {
                    Error::InDoubt(cause) => Error::Away(cause),
                    other => other,
                };
                (Link::Resting(until), fault)
            }
        }
    }

    /// Commits a group and answers everybody in it. An error: the connection is of no use any more.
    async fn commit(&self, connection: &Connection, jobs: Vec<Job>) -> Result<(), Error> {
        let mut jobs = jobs;
        let Err(error) = self.attempt(connection, &mut jobs).await else {
            return Ok(());
        };
        if error.ends_connection() || jobs.len() == 1 {
            return tell_all(jobs, error);
        }
        let mut broken = Ok(());
        for job in jobs {
            let mut alone = vec![job];
            broken = match broken {
                Err(error) => tell_all(alone, error),
                Ok(()) => match self.attempt(connection, &mut alone).await {
                    Ok(()) => Ok(()),
                    Err(error) => tell_all(alone, error),
                },
            };
        }
        broken
    }

    /// Tries until it is not others that stand in the way. With an error the jobs are not answered.
    async fn attempt(&self, connection: &Connection, jobs: &mut Vec<Job>) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            let error = match timeout(PATIENCE, transact(connection, jobs)).await {
                Ok(Ok(())) => {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    for job in mem::take(jobs) {
                        job.tell(Ok(()));
                    }
                    return Ok(());
                }
                Ok(Err(error)) => error,
                Err(_elapsed) => return Err(connection.too_slow(PATIENCE)),
            };
            if error.ends_connection() {
                return Err(error);
            }
            connection.script("ROLLBACK").await?;
            if !matches!(error, Error::Contended(_)) || tries >= TRIES {
                return Err(error);
            }
            sleep(pause(tries)).await;
            tries += 1;
        }
    }
}

/// Some milliseconds, more with every try and not the same for all replicas.
fn pause(tries: u32) -> Duration {
    let random = getrandom::u32().unwrap_or(0) % 16;
    Duration::from_millis(u64::from(tries * 4 + random))
}

/// One transaction with all of the jobs.
async fn transact(connection: &Connection, jobs: &mut [Job]) -> Result<(), Error> {
    // By their keys orders come first.
    let orders = jobs.partition_point(|job| job.order().is_some());
    let (orders, others) = jobs.split_at_mut(orders);
    // On one connection the server does one after the other, in this order.
    let together = others
        .iter_mut()
        .map(|job| job.run(connection, Pace::Together));
    let (begun, entered, ran) = join3(
        connection.script("BEGIN"),
        enter_new(connection, orders),
        join_all(together),
    )
    .await;
    begun?;
    let mut failed = entered.err();
    let mut rest = Vec::new();
    for (job, ran) in others.iter_mut().zip(ran) {
        match ran {
            Ok(true) => {}
            Ok(false) => rest.push(job),
            Err(error) if failed.as_ref().is_none_or(is_aftermath) => failed = Some(error),
            Err(_aftermath) => {}
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    for job in orders {
        if !job.run(connection, Pace::Together).await? {
            job.run(connection, Pace::Alone).await?;
        }
    }
    for job in rest {
        job.run(connection, Pace::Alone).await?;
    }
    connection.commit().await
}

/// Enters the orders that are new, together. One that goes by an id of one before it, or claims none, is left for later.
async fn enter_new(connection: &Connection, jobs: &mut [Job]) -> Result<(), Error> {
    let (mut ids, mut places, mut group) = (HashSet::new(), Vec::new(), Vec::new());
    for (place, job) in jobs.iter().enumerate() {
        let Some(new) = job.order() else { continue };
        let namespace = &new.candidate.order.key.namespace;
        if namespace.is_aside() {
            continue;
        }
        // All of them, also where the first is there already.
        let taken = new.ids.iter().filter(|id| !ids.insert((namespace, *id)));
        if taken.count() == 0 {
            places.push(place);
            group.push(new);
        }
    }
    let entered = first(connection, &group).await?;
    let mut entered = places.into_iter().zip(entered).peekable();
    for (place, job) in jobs.iter_mut().enumerate() {
        let its = entered.next_if(|(one, _)| *one == place);
        job.entered(its.and_then(|(_, entered)| entered));
    }
    Ok(())
}

/// Answers everybody; returns the error if it ends the connection.
fn tell_all(jobs: Vec<Job>, error: Error) -> Result<(), Error> {
    for job in jobs {
        job.tell(Err(error.clone()));
    }
    if error.ends_connection() {
        Err(error)
    } else {
        Ok(())
    }
}

impl Link<'_> {
    fn compared(&mut self) {
        if let Self::Here(_, next) = self {
            *next = Instant::now() + COMPARING;
        }
    }

    /// What the connection, or the want of one, gives to do.
    async fn wake(&mut self) -> Woken {
        match self {
            Self::Here(connection, compare) => tokio::select! {
                () = connection.ended() => Woken::Ended,
                () = sleep_until(*compare) => Woken::Compare,
            },
            Self::Connecting(connecting) => Woken::Connected(connecting.await),
            Self::Resting(until) => {
                sleep_until(*until).await;
                Woken::Rested
            }
        }
    }
}

/// A connection, made ready.
pub(super) async fn connect(
    server: &Server,
    (role, now): (Role, Time),
    known: Known,
    clock: &Clock,
) -> Result<(Connection, Known), Error> {
    let connecting = async {
        let connection = Connection::connect(server).await?;
        let known = schema::prepare(&connection, server, (role, now), &known).await?;
        clock.set(schema::skew(&connection).await?);
        Ok((connection, known))
    };
    match timeout(CONNECTING, connecting).await {
        Ok(connected) => connected,
        Err(_elapsed) => Err(Error::from(std::io::Error::from(
            std::io::ErrorKind::TimedOut,
        ))),
    }
}

async fn compare(connection: &Connection, clock: &Clock) -> Result<(), Error> {
    match timeout(PATIENCE, schema::skew(connection)).await {
        Ok(skew) => clock.set(skew?),
        Err(_elapsed) => return Err(connection.too_slow(PATIENCE)),
    }
    Ok(())
}
