//! Looking after the ledger while it is run on: whether it is sound, a copy of it, its free space.

use std::path::PathBuf;

use serde::Serialize;

use super::error::Error;
use super::{Engine, Ledger};

/// Faults of one kind that are named; further ones are counted.
pub(super) const NAMED: usize = 100;

/// What must never be found, in words, with the statement that finds it: the same in both engines.
pub(super) const NEVER: [(&str, &str); 13] = [
    (
        "an order that its own id does not lead to",
        "SELECT namespace || '/' || number AS what FROM orders WHERE NOT EXISTS (SELECT 1 FROM aliases
           WHERE aliases.namespace = orders.namespace AND aliases.number = orders.number
             AND aliases.order_id = orders.id)",
    ),
    (
        "an id that leads to an order of another namespace",
        "SELECT aliases.namespace || '/' || aliases.number AS what FROM aliases
           JOIN orders ON orders.id = aliases.order_id WHERE aliases.namespace <> orders.namespace",
    ),
    (
        "an order that was seen less often than its sightings are kept, or never",
        "SELECT namespace || '/' || number AS what FROM orders
           WHERE seen < (SELECT count(*) FROM sightings WHERE order_id = orders.id)
             OR NOT EXISTS (SELECT 1 FROM sightings WHERE order_id = orders.id)",
    ),
    (
        "an order whose standing is not what it last became",
        "SELECT namespace || '/' || number AS what FROM orders
           WHERE standing <> coalesce((SELECT became FROM transitions
             WHERE order_id = orders.id AND postback_id IS NULL ORDER BY id DESC LIMIT 1), '')",
    ),
    (
        "a postback whose state is not what it last became",
        "SELECT CAST(id AS TEXT) AS what FROM postbacks
           WHERE state <> coalesce((SELECT became FROM transitions WHERE order_id = postbacks.order_id
             AND postback_id = postbacks.id ORDER BY id DESC LIMIT 1), '')",
    ),
    (
        "a postback that is being sent without an open attempt",
        "SELECT CAST(id AS TEXT) AS what FROM postbacks WHERE state = 'sending'
           AND NOT EXISTS (SELECT 1 FROM attempts WHERE postback_id = postbacks.id AND ended IS NULL)",
    ),
    (
        "an open attempt at a postback that is not being sent",
        "SELECT CAST(attempts.id AS TEXT) AS what FROM attempts
           JOIN postbacks ON postbacks.id = attempts.postback_id
           WHERE attempts.ended IS NULL AND postbacks.state <> 'sending'",
    ),
    (
        "a postback with two open attempts",
        "SELECT CAST(postback_id AS TEXT) AS what FROM attempts WHERE ended IS NULL
           GROUP BY postback_id HAVING count(*) > 1",
    ),
    (
        "a postback that does not count its attempts as they are",
        "SELECT CAST(id AS TEXT) AS what FROM postbacks WHERE spent > attempts
           OR attempts <> (SELECT count(*) FROM attempts WHERE postback_id = postbacks.id)",
    ),
    (
        "a sighting or a change that belongs to no order",
        "SELECT CAST(order_id AS TEXT) AS what FROM sightings
           WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.id = sightings.order_id)
         UNION SELECT CAST(order_id AS TEXT) AS what FROM transitions
           WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.id = transitions.order_id)",
    ),
    (
        "a change of a postback that is not its order's",
        "SELECT CAST(transitions.id AS TEXT) AS what FROM transitions
           WHERE postback_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM postbacks
             WHERE postbacks.id = transitions.postback_id AND postbacks.order_id = transitions.order_id)",
    ),
    (
        "a known order whose mark is none",
        "SELECT namespace || '/' || mark AS what FROM known_orders WHERE length(mark) <> 64",
    ),
    (
        "a want in `meta`",
        "SELECT wanted.word AS what FROM (SELECT 'ledger_id' AS word UNION ALL SELECT 'created_at'
           UNION ALL SELECT 'accepted_at' UNION ALL SELECT 'known_key') AS wanted
           WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = wanted.word AND value <> '')",
    ),
];

/// The faults of one kind in words: each named, up to [`NAMED`].
pub(super) fn name(words: &str, mut found: Vec<String>) -> Vec<String> {
    let more = found.len() > NAMED;
    found.truncate(NAMED);
    let named = found.iter().map(|what| format!("{words}: {what}"));
    let rest = more.then(|| format!("{words}: and more than {NAMED}"));
    named.chain(rest).collect()
}

/// A copy of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Where it is.
    pub file: PathBuf,
    /// How large it is.
    pub bytes: u64,
    /// How many orders are in it.
    pub orders: u64,
}

/// What became of the ledger's free space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// How large the file was, in bytes; 0 where the engine does not say.
    pub before: u64,
    /// How large it is.
    pub after: u64,
    /// What is free in it, and would only be given back while nobody runs on it.
    pub free: u64,
    /// The most pages that were moved in one commit: an order waits for one of them at most. None: nobody ran on it.
    pub step: Option<u32>,
}

impl Ledger {
    /// Every fault of the ledger in words; none if it is sound. Reads all of it, beside whoever runs on it: no order
    /// waits. Its future stays on the thread that asks.
    ///
    /// # Errors
    /// The database's.
    pub async fn check(&self) -> Result<Vec<String>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.check().await,
            Engine::Postgres(postgres) => postgres.check().await,
        }
    }

    /// Copies the ledger, as it is at one moment, into a new file that only its owner reads, and looks whether the copy
    /// is sound. No order waits for it.
    ///
    /// # Errors
    /// The file is there already, or cannot be written; [`Error::Copy`]; [`Error::OwnTools`] on PostgreSQL.
    pub async fn backup(&self, file: PathBuf) -> Result<Backup, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.backup(file).await,
            Engine::Postgres(postgres) => Err(postgres.own_backup(&file)),
        }
    }

    /// Gives back free space. Where somebody runs on the ledger, in steps so small that no order waits for long.
    ///
    /// # Errors
    /// The database's.
    pub async fn compact(&self) -> Result<Compacted, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.compact().await,
            Engine::Postgres(postgres) => postgres.compact().await,
        }
    }
}
