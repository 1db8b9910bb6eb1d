//! Pauses: destinations to which nothing is sent until somebody says so.

use serde::Serialize;

use super::error::Error;
use super::row::{self, Columns, unreadable};
use super::story::Unsettled;
use super::{Engine, Ledger};
use crate::actor::Actor;
use crate::clock::Time;
use crate::name::NetworkName;

/// One destination rests on somebody's word. Its postbacks stay due; no attempt at one begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Who is not told.
    pub destination: NetworkName,
    /// Since when.
    pub at: Time,
    /// Who said so.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl Ledger {
    /// Begins no attempt to a destination any more, of any process on this ledger, from when this returns until
    /// [`Self::go`]. Attempts that are open go on. One that is paused already stays as it is, and is returned.
    ///
    /// # Errors
    /// The database's.
    pub async fn pause(&self, pause: Pause) -> Result<Option<Pause>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.pause(pause).await,
            Engine::Postgres(postgres) => postgres.pause(pause).await,
        }
    }

    /// Lifts a destination's pause, which is returned; none if it was not paused. What is due goes out.
    ///
    /// # Errors
    /// The database's.
    pub async fn go(
        &self,
        destination: NetworkName,
        actor: Actor,
        now: Time,
    ) -> Result<Option<Pause>, Error> {
        let lifted = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.go(destination, actor, now).await,
            Engine::Postgres(postgres) => postgres.go(destination, actor, now).await,
        };
        if let Ok(Some(_)) = &lifted {
            self.due.notify_one();
        }
        lifted
    }

    /// How much is not told yet, of each destination of which something is not. Read beside the writer.
    ///
    /// # Errors
    /// The database's.
    pub async fn unsettled(&self) -> Result<Vec<Unsettled>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.unsettled().await,
            Engine::Postgres(postgres) => postgres.unsettled().await,
        }
    }

    /// Which destinations are paused, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn pauses(&self) -> Result<Vec<Pause>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.pauses().await,
            Engine::Postgres(postgres) => postgres.pauses().await,
        }
    }
}

/// The verbs as the table `actions` has them.
pub(super) const PAUSED: &str = "pause";
pub(super) const WENT: &str = "go";

/// The columns that [`read`] reads.
pub(super) const PAUSE: &str = "destination, at, actor, reason";

pub(super) fn read(row: &dyn Columns) -> Result<Pause, Error> {
    let actor = row.text("actor")?.parse();
    Ok(Pause {
        destination: row::destination(row)?,
        at: Time::from_millis(row.number("at")?),
        actor: actor.map_err(|error| unreadable("pauses.actor", error))?,
        reason: row.text("reason")?,
    })
}
