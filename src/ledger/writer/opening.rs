//! Opening the file: where that was not possible at the start, work is refused at once until it is.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::{GROUP, Job, tell_all};
use crate::ledger::error::Error;

/// From one try to open the file to the next.
const AGAIN: Duration = Duration::from_millis(500);

/// How the thread comes by its connection.
pub(in crate::ledger) struct Opening {
    /// The connection, or why there is none yet.
    pub(in crate::ledger) first: Result<Connection, Error>,
    /// Tries anew, soon done.
    pub(in crate::ledger) again: Again,
}

type Again = Box<dyn FnMut() -> Result<Connection, Error> + Send>;

/// The connection, when there is one: until then whatever is asked is refused. None if nobody can ask any more.
pub(super) async fn opened(
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

pub(super) fn away_by(fault: &Error) -> Error {
    Error::Away(Arc::new(fault.clone()))
}
