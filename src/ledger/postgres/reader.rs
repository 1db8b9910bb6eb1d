//! The reader: a connection of its own for looks, so that no order waits for them. One look at a time, each of
//! them on one state of the database.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::clock::Clock;
use super::connection::Connection;
use super::schema::Known;
use super::server::Server;
use super::work::Local;
use super::writer::connect;
use crate::clock::Time;
use crate::ledger::Role;
use crate::ledger::error::Error;

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long nothing is asked of a database that could not be reached.
const REST: Duration = Duration::from_secs(1);

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A look as the reader sees it.
pub(super) trait Asked: Send {
    /// Looks and answers; returns the error that it was answered with.
    fn look(self: Box<Self>, connection: &Connection) -> Local<'_, Result<(), Error>>;

    /// Answers without a look.
    fn refuse(self: Box<Self>, error: Error);
}

pub(super) type Look = Box<dyn Asked>;

/// A look with the way back to whoever asked.
pub(super) struct Question<T, W> {
    work: W,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, W> Question<T, W> {
    pub(super) fn new(work: W) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work, reply }, answer)
    }
}

impl<T, W> Asked for Question<T, W>
where
    T: Send + 'static,
    W: AsyncFnOnce(&Connection) -> Result<T, Error> + Send + 'static,
{
    fn look(self: Box<Self>, connection: &Connection) -> Local<'_, Result<(), Error>> {
        Box::pin(async move {
            let looked = within(connection, self.work).await;
            let error = looked.as_ref().err().cloned();
            // Whoever went away needs no answer.
            drop(self.reply.send(looked));
            error.map_or(Ok(()), Err)
        })
    }

    fn refuse(self: Box<Self>, error: Error) {
        drop(self.reply.send(Err(error)));
    }
}

/// Looks at one state of the database.
async fn within<T, W>(connection: &Connection, work: W) -> Result<T, Error>
where
    W: AsyncFnOnce(&Connection) -> Result<T, Error>,
{
    let looking = async {
        connection.script(BEGIN).await?;
        let looked = work(connection).await;
        let over = connection.script("ROLLBACK").await;
        looked.and_then(|value| over.map(|()| value))
    };
    match timeout(PATIENCE, looking).await {
        Ok(looked) => looked,
        Err(_elapsed) => Err(connection.too_slow(PATIENCE)),
    }
}

/// Takes looks until nobody can ask any more. Connects when it is first asked.
pub(super) async fn run(server: Arc<Server>, clock: Clock, mut queue: mpsc::Receiver<Look>) {
    let mut known = Known::default();
    let mut open: Option<Connection> = None;
    let mut rest: Option<(Instant, Error)> = None;
    while let Some(look) = queue.recv().await {
        if open.as_ref().is_some_and(Connection::is_over) {
            open = None;
        }
        if let Some((until, error)) = &rest
            && open.is_none()
            && Instant::now() < *until
        {
            look.refuse(error.clone());
            continue;
        }
        if open.is_none() {
            let role = (Role::Tool, Time::now());
            match connect(&server, role, known.clone(), &clock).await {
                Ok((connection, found)) => (open, known) = (Some(connection), found),
                Err(error) => {
                    rest = Some((Instant::now() + REST, error.clone()));
                    look.refuse(error);
                    continue;
                }
            }
        }
        let Some(connection) = &open else { continue };
        if let Err(error) = look.look(connection).await
            && error.ends_connection()
        {
            open = None;
        }
    }
    if let Some(connection) = open {
        connection.close().await;
    }
}
