//! Custody: whether the ledger is the one that it was, and whose it is.
//!
//! A ledger that is new where one was, or older than it was, may owe what it does not know to have been sent. So nothing
//! is sent by it (`meta.unaccepted`, which all who run on it obey) until somebody says that it is right as it stands. And a
//! ledger knows for which hosts it is run, or by which name: a configuration that has neither in common is refused.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::known::Deed;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::witness::{Facts, Seen, Told, Witness};
use super::{Engine, Ledger, Role, Settings};
use crate::clock::Time;
use crate::name::ConfigName;

/// The witness' name in the spool's folder.
const WITNESS: &str = "ledger.witness";

/// The verb of an acceptance in the table `actions`.
pub(super) const ACCEPTED: &str = "accept-ledger";

/// Who runs on a ledger, and what he has seen of it before.
#[derive(Clone, Debug, Default)]
pub struct Custody {
    pub(super) witness: Option<Arc<Witness>>,
    pub(super) whose: Option<Whose>,
}

impl Custody {
    /// Of a configuration's ledger; what was seen of it stands in the spool's folder. Reads the disk.
    pub fn new(whose: Whose, spool: &Path) -> Self {
        let witness = Witness::at(spool.join(WITNESS));
        Self {
            witness: Some(Arc::new(witness)),
            whose: Some(whose),
        }
    }

    /// Why the ledger is not the one that was seen, if it is not.
    pub(super) fn doubt(&self, now: &Now) -> Option<String> {
        match self.witness.as_ref()?.told() {
            Told::Nothing => None,
            Told::Seen(seen) => differs(&seen, now),
            Told::Unreadable(why) => {
                Some(format!("what was seen of it before cannot be read ({why})"))
            }
        }
    }

    /// Why the ledger is not this configuration's, if it is not.
    pub(super) fn is_foreign(&self, recorded: &Recorded) -> Option<String> {
        self.whose.as_ref()?.is_foreign(recorded)
    }

    /// What is to be looked for in the ledger: the attempt and the order that were seen last.
    pub(super) fn sought(&self) -> Facts {
        match self.witness.as_ref().map(|witness| witness.told()) {
            Some(Told::Seen(seen)) => seen.facts,
            _ => Facts::default(),
        }
    }
}

/// The configuration that a ledger belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// Its name, where it has one.
    pub name: Option<ConfigName>,
    /// The hosts of its stores.
    pub hosts: BTreeSet<String>,
}

/// Which configuration a ledger was run on for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) name: Option<String>,
    pub(super) hosts: BTreeSet<String>,
}

impl Recorded {
    pub(super) fn read(name: Option<String>, hosts: Option<&str>) -> Result<Self, Error> {
        let hosts = hosts.map(|text| super::row::from_json("meta.hosts", text));
        Ok(Self {
            name,
            hosts: hosts.transpose()?.unwrap_or_default(),
        })
    }
}

impl Whose {
    /// The hosts as `meta` has them.
    pub(super) fn hosts_json(&self) -> Result<String, Error> {
        super::row::to_json("meta.hosts", &self.hosts)
    }

    fn is_foreign(&self, recorded: &Recorded) -> Option<String> {
        let theirs = recorded.name.as_deref();
        let list = |hosts: &BTreeSet<String>| {
            let shown: Vec<&str> = hosts.iter().take(5).map(String::as_str).collect();
            let more = if hosts.len() > 5 { ", …" } else { "" };
            format!("{}{more}", shown.join(", "))
        };
        match (&self.name, theirs) {
            (Some(own), Some(theirs)) if own.as_str() == theirs => None,
            (Some(own), Some(theirs)) => Some(format!(
                "it belongs to the configuration `{theirs}`, and this one says `name: {own}`"
            )),
            (None, Some(theirs)) => Some(format!(
                "it belongs to the configuration `{theirs}`, and this one has no name: where it is that one, it says `name: {theirs}`"
            )),
            (_, None) if recorded.hosts.is_empty() || !self.hosts.is_disjoint(&recorded.hosts) => {
                None
            }
            (_, None) => Some(format!(
                "it belongs to the stores at {}, and this configuration has none of these hosts but {}",
                list(&recorded.hosts),
                list(&self.hosts)
            )),
        }
    }
}

/// Nothing is sent by a ledger until it is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unaccepted {
    /// Since when.
    pub at: Time,
    /// What was found.
    pub why: String,
}

/// What a ledger shows, compared with what was sought in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) facts: Facts,
    /// When it was made, in milliseconds.
    pub(super) created: i64,
    /// Whether the attempt that was seen last is not in it.
    pub(super) attempt_gone: bool,
    /// Whether the order that was seen last is not in it.
    pub(super) order_gone: bool,
}

/// What is not as it was seen, in words. Who accepts a ledger accepts it against all that was seen of it before.
fn differs(seen: &Seen, now: &Now) -> Option<String> {
    let (before, facts) = (&seen.facts, &now.facts);
    let by_hand = facts.accepted > now.created && facts.accepted != before.accepted;
    if by_hand && facts.accepted > seen.at.millis() {
        return None;
    }
    let last = seen.at;
    if before.ledger != facts.ledger {
        return Some(format!(
            "it is another one than was used until {last}: nobody knows what that one had sent"
        ));
    }
    let older = facts.runs < before.runs || facts.changes < before.changes;
    if now.attempt_gone || facts.accepted < before.accepted {
        return Some(format!(
            "it is older than it was: it does not know what was sent until {last}"
        ));
    }
    if now.order_gone || older {
        return Some(format!(
            "it is older than it was: it does not know what was entered until {last}"
        ));
    }
    None
}

impl Ledger {
    /// Opens the ledger for running, as [`Self::open`] does, in somebody's custody.
    ///
    /// Where it is not the one that was seen, nothing is sent by it: see [`Self::unaccepted`].
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::NotOurs`] if it is another configuration's.
    pub fn run(settings: &Settings, custody: Custody, now: Time) -> Result<Self, Error> {
        Self::take(settings, custody, (Role::Run, now))
    }

    pub(super) fn take(
        settings: &Settings,
        custody: Custody,
        (role, now): (Role, Time),
    ) -> Result<Self, Error> {
        let witness = custody.witness.clone();
        let engine = match settings {
            Settings::Sqlite(path) => Engine::Sqlite(Sqlite::open(path, role, now, &custody)?),
            Settings::Postgres(server) => {
                Engine::Postgres(Postgres::open(server, role, now, custody)?)
            }
        };
        Ok(Self {
            engine: Arc::new(engine),
            due: Arc::default(),
            tally: super::tally::Tally::default(),
            witness,
        })
    }

    /// Why nothing is sent by this ledger, while that is so.
    ///
    /// # Errors
    /// The database's.
    pub async fn unaccepted(&self) -> Result<Option<Unaccepted>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.unaccepted().await,
            Engine::Postgres(postgres) => postgres.unaccepted().await,
        }
    }

    /// Why this ledger is not the one that `custody` has seen, or not its own: what [`Self::accept`] would accept.
    ///
    /// # Errors
    /// The database's.
    pub async fn doubts(&self, custody: &Custody) -> Result<Vec<String>, Error> {
        let (now, recorded) = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.stands(custody.sought()).await?,
            Engine::Postgres(postgres) => postgres.stands(custody.sought()).await?,
        };
        let held = self.unaccepted().await?.map(|held| held.why);
        let seen = custody.doubt(&now).filter(|_| held.is_none());
        let foreign = custody.is_foreign(&recorded);
        Ok([held, seen, foreign].into_iter().flatten().collect())
    }

    /// Refuses what would be written into another configuration's ledger.
    ///
    /// # Errors
    /// [`Error::NotOurs`]; the database's.
    pub async fn refuse_foreign(&self, whose: &Whose) -> Result<(), Error> {
        let (_, recorded) = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.stands(Facts::default()).await?,
            Engine::Postgres(postgres) => postgres.stands(Facts::default()).await?,
        };
        match whose.is_foreign(&recorded) {
            Some(why) => Err(Error::NotOurs { why }),
            None => Ok(()),
        }
    }

    /// Takes the ledger for right as it stands, and for `whose`: what is due in it goes out.
    ///
    /// # Errors
    /// The database's.
    pub async fn accept(&self, whose: Option<Whose>, by: Deed, now: Time) -> Result<(), Error> {
        let deed = Deed {
            verb: ACCEPTED,
            ..by
        };
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.accept(whose, deed, now).await,
            Engine::Postgres(postgres) => postgres.accept(whose, deed, now).await,
        }
    }

    /// Has the ledger belong to this configuration from now on, if it does.
    ///
    /// # Errors
    /// [`Error::NotOurs`]; the database's.
    pub async fn belong(&self, whose: Whose) -> Result<(), Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.belong(whose).await,
            Engine::Postgres(postgres) => postgres.belong(whose).await,
        }
    }

    /// Looks at the ledger for the witness, and whether it is held.
    ///
    /// # Errors
    /// The database's.
    pub async fn watch_over(&self, now: Time) -> Result<Option<Unaccepted>, Error> {
        let held = self.unaccepted().await?;
        let Some(witness) = &self.witness else {
            return Ok(held);
        };
        if held.is_some() {
            witness.doubt();
            return Ok(held);
        }
        let (stands, _) = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.stands(Facts::default()).await?,
            Engine::Postgres(postgres) => postgres.stands(Facts::default()).await?,
        };
        witness.trust(stands.facts, now);
        Ok(None)
    }

    /// Writes what the witness has seen, if it is something new. Blocks on the disk.
    pub fn write_witness(&self) {
        if let Some(witness) = &self.witness {
            witness.write();
        }
    }
}

#[cfg(test)]
mod tests;
