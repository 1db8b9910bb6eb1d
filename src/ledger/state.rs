//! What the app and the operator's pages ask of the ledger itself: whether it takes orders, how much is in it.

use tokio::sync::watch;

use super::error::Error;
use super::story::{Counts, Durability};
use super::{Engine, Ledger};
use crate::clock::Time;

impl Ledger {
    /// Commits a mark, on the way that an order takes: `Ok` while orders can be entered.
    ///
    /// # Errors
    /// Those of [`Self::enter`].
    pub async fn probe(&self, now: Time) -> Result<(), Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.probe(now).await,
            Engine::Postgres(postgres) => postgres.probe(now).await,
        }
    }

    /// How many orders and postbacks there are. Read beside the writer: no order waits for it.
    ///
    /// # Errors
    /// The database's.
    pub async fn counts(&self) -> Result<Counts, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.counts().await,
            Engine::Postgres(postgres) => postgres.counts().await,
        }
    }

    /// The settings that durability rests on, read back.
    ///
    /// # Errors
    /// The database's.
    pub async fn durability(&self) -> Result<Durability, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.durability().await,
            Engine::Postgres(postgres) => postgres.durability().await,
        }
    }

    /// Why the database is away, while it is: not to be reached, or, where it is a file, not to be opened since the start.
    pub fn away(&self) -> watch::Receiver<Option<Error>> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.away(),
            Engine::Postgres(postgres) => postgres.away(),
        }
    }

    /// Commits so far that changed something: fewer than entries, when they come together.
    pub fn commits(&self) -> u64 {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.commits(),
            Engine::Postgres(postgres) => postgres.commits(),
        }
    }

    /// Runs a pragma on the writer's own connection: how tests fill its disk.
    #[cfg(test)]
    pub(crate) async fn pragma(&self, pragma: &'static str) -> Result<(), Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.pragma(pragma).await,
            Engine::Postgres(_) => Err(Error::Closed),
        }
    }
}
