//! Ledger: durable, once per order. Only this module knows the disk.
//!
//! # Invariants
//!
//! 1. What [`Ledger::enter`], [`Ledger::begin`], [`Ledger::settle`] and [`Ledger::steer`] did is
//!    committed and synced when they return `Ok`, and not there when they return an error. One error says that
//!    it cannot tell ([`Error::InDoubt`], PostgreSQL's alone): then it is there as a whole or not at all.
//! 2. An id, or another id of the same order, means one order within its namespace, for ever.
//! 3. One postback per (order, destination, event, sequence).
//! 4. At most one open attempt per postback; only a `due` postback is begun, so of two who
//!    hold the same postback one sends; and none once [`Ledger::pause`] of its destination has returned.
//! 5. An attempt is on disk before its first byte leaves, and ends once; only one that was taken for
//!    interrupted may still learn its answer.
//! 6. Nothing is ever deleted but sessions whose time is over, and orders that are older than the retention and settled;
//!    these go on deduplicating by keyed hashes of their ids. Until then every change of state is kept with its time and cause.
//! 7. One process owns an SQLite ledger for running; commands may read and write beside it. A PostgreSQL ledger
//!    is run on by any number of replicas, to which 2 to 5 hold together.
//!
//! # On disk
//!
//! One SQLite file (`application_id` [`APPLICATION`], `user_version` [`SCHEMA`], tables in
//! `ledger/schema.sql`, `ledger/sessions.sql` and `ledger/steering.sql`) in WAL mode, so `-wal` and `-shm` stand beside it, and
//! `.lock`, which the owner locks and writes its process id into:
//!
//! ```text
//! meta         key → value            ledger_id, created_at, runs …: which ledger it is, and how old
//! orders       (namespace, number)    first sighting, amount, standing, click
//! aliases      (namespace, number)    → order: every id that it goes by
//! sightings    order                  JSON as read; the first SIGHTINGS are kept, all are counted
//! postbacks    (order, destination, event, sequence)   state, due, lease
//! attempts     postback               url (masked), answer, verdict; open while without a verdict
//! transitions  order, postback        was, became, when, why
//! remembered   (store, visitor, field)
//! sessions     mark                   the visit that a shop's session came with, or none; until
//! actions      at, actor, verb        what was done by hand, beside a postback's own transitions
//! pauses       destination            nothing is sent to it until somebody says so
//! known_orders (namespace, mark)      imported, or older than the retention
//! ```
//!
//! # Writing
//!
//! One thread owns the connection (`ledger/writer.rs`). What queues up while a commit waits for
//! the disk is committed together, with `synchronous=FULL`: the WAL is synced before anybody
//! is answered. A commit that fails answers everyone in it with the error. A piece of work that fails
//! undoes its group, which is run again one by one; one that is refused must have changed nothing.
//!
//! # On PostgreSQL
//!
//! The same tables in a schema `refgate` (`ledger/postgres/schema.sql`), the same verbs (`ledger/postgres.rs`). Leases
//! end by time alone, the database's. A database that cannot be reached refuses work at once; it is the caller's to
//! keep it ([`Ledger::away`] says when to come again). So does an SQLite file that is locked, or on a full or failing
//! disk, when a run begins, until it can be opened.
//!
//! It does not judge: what an order is worth and to whom it is owed is `record`'s, what an answer means is `deliver`'s.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Time;
use crate::name::NetworkName;
use crate::order::{Candidate, Order};
use crate::postback::{AttemptId, Postback, PostbackId};
use crate::session::Mark;
use witness::{Begun, Witness};

mod books;
mod check;
mod custody;
mod error;
mod filter;
mod follow;
mod known;
mod owner;
mod pause;
pub mod postgres;
mod retire;
mod rival;
mod row;
mod session;
mod settings;
mod sqlite;
mod stand;
mod state;
mod steer;
mod story;
mod tally;
mod texts;
mod version;
mod witness;
mod writer;

pub use books::{Named, NamedOrder, Page};
pub use check::{Backup, Compacted};
pub use custody::{Custody, Unaccepted, Whose};
pub use error::{Cause, Error, Owner};
pub use filter::{OrderFilter, PostbackFilter};
pub use follow::{Follows, Webhook};
pub use known::{Deed, IDS, KnownOrder, Learned, Source};
pub use pause::Pause;
pub use retire::{RETIRED, Retired, Retiring};
pub use session::{Known, Session, Written};
pub use settings::Settings;
pub use steer::{Action, BATCH, Moved, Refusal, Steer, Steered, Stopped, Which};
pub use story::{
    Counts, Durability, Entered, Seen, Settlement, Story, Told, Transition, Unsettled,
};
pub use version::{Renamed, SteppedBack};

/// The schema this refgate writes.
pub const SCHEMA: i64 = 3;

/// Marks the file as a ledger: `rfgt`.
pub const APPLICATION: i64 = 0x7266_6774;

/// Sightings kept of one order; further ones are counted only.
pub const SIGHTINGS: u32 = 50;

/// Other ids kept of one order.
pub const ALIASES: usize = 16;

/// Longest list that a verb returns.
pub const LIST: usize = 10_000;

/// What a process wants of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To run on it: makes it where there is none, brings its schema up to date, and is alone in this role.
    Run,
    /// To look into it, or to steer or import, beside the one that runs.
    Tool,
}

/// A handle to the ledger; clones share it. Dropping the last one waits until
/// what is queued is committed, and lets the ledger go.
#[derive(Clone, Debug)]
pub struct Ledger {
    engine: Arc<Engine>,
    due: Arc<Notify>,
    witness: Option<Arc<Witness>>,
    tally: tally::Tally,
}

/// Where the ledger is kept.
#[derive(Debug)]
enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Ledger {
    /// Opens the ledger. Blocks on the disk: for the start of the process.
    ///
    /// In [`Role::Run`] every lease of an earlier run on SQLite is ended, so [`Self::interrupted`]
    /// returns each attempt that was open. A PostgreSQL server that cannot be reached is then no error, nor is an
    /// SQLite file that is locked, or on a full or failing disk: see [`Self::away`].
    ///
    /// # Errors
    /// [`Error::InUse`] by another run, [`Error::Missing`] for a tool, a schema of
    /// another version, another program's file, or any fault of the disk.
    pub fn open(settings: &Settings, role: Role, now: Time) -> Result<Self, Error> {
        Self::take(settings, Custody::default(), (role, now))
    }

    /// Enters a sighting: a new order, or one more of an order that is known.
    /// Durable when it returns `Ok`.
    ///
    /// # Errors
    /// Locked, full, read-only, damaged …: nothing of the candidate is in the ledger.
    pub async fn enter(&self, candidate: Candidate) -> Result<Entered, Error> {
        let entered = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.enter(candidate, Arc::clone(&self.due)).await,
            Engine::Postgres(postgres) => postgres.enter(candidate, Arc::clone(&self.due)).await,
        };
        if let (Some(witness), Ok(Entered::New(order))) = (&self.witness, &entered) {
            witness.entered(&order.key, order.at);
        }
        entered
    }

    /// Takes up to `limit` postbacks to `destination` that are due, oldest first, for `lease`:
    /// nobody else is given them until then. None while it is paused.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim(
        &self,
        destination: &NetworkName,
        now: Time,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Postback>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.claim(destination.clone(), now, lease, limit).await,
            Engine::Postgres(postgres) => {
                let span = destination.clone();
                postgres.claim(span, now, lease, limit).await
            }
        }
    }

    /// Opens an attempt, before its first byte leaves: the postback is `sending`.
    /// `url` is kept and shown, so its secrets must be masked.
    ///
    /// # Errors
    /// [`Error::NotPossible`] if the postback is not claimed and `due` any more, or its destination is paused; the database's.
    pub async fn begin(&self, id: PostbackId, url: String, now: Time) -> Result<AttemptId, Error> {
        let begun = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.begin(id, url, now).await,
            Engine::Postgres(postgres) => postgres.begin(id, url, now).await,
        };
        if let (Some(witness), Ok(attempt)) = (&self.witness, &begun) {
            witness.begun(Begun {
                id: *attempt,
                postback: id,
                at: now,
            });
        }
        begun
    }

    /// Ends an attempt and moves its postback.
    ///
    /// One that was taken for interrupted (unclear, without an answer) is ended anew by a late accepted,
    /// rejected or duplicate: its postback is moved if it waits, and never sent again because of it.
    ///
    /// # Errors
    /// [`Error::NotOpen`] if the attempt has ended or is not that postback's,
    /// [`Error::NotPossible`] if the new state is `sending`; the database's.
    pub async fn settle(&self, settlement: Settlement) -> Result<(), Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.settle(settlement, Arc::clone(&self.due)).await,
            Engine::Postgres(postgres) => postgres.settle(settlement, Arc::clone(&self.due)).await,
        }
    }

    /// Open attempts whose lease has ended: their sender is gone, and nobody knows
    /// whether the network counted them. Oldest first, at most [`LIST`].
    ///
    /// # Errors
    /// The database's.
    pub async fn interrupted(&self, now: Time) -> Result<Vec<(Postback, AttemptId)>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.interrupted(now).await,
            Engine::Postgres(postgres) => postgres.interrupted(now).await,
        }
    }

    /// How many postbacks are unclear whose last attempt ended at `before` or earlier: the operator was
    /// asked, and has not acted. Read beside the writer.
    ///
    /// # Errors
    /// The database's.
    pub async fn unclear(&self, before: Time) -> Result<u64, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.unclear(before).await,
            Engine::Postgres(postgres) => postgres.unclear(before).await,
        }
    }

    /// Every destination that [`Self::claim`] will find something of, and when; may be past. Open
    /// attempts and paused destinations do not count.
    ///
    /// # Errors
    /// The database's.
    pub async fn waiting(&self) -> Result<Vec<(NetworkName, Time)>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.waiting().await,
            Engine::Postgres(postgres) => postgres.waiting().await,
        }
    }

    /// Notified after a commit of this process that made something due. What another
    /// process (`postbacks release`, `import`) makes due it does not see: look from time to time.
    pub fn due(&self) -> &Notify {
        &self.due
    }

    /// Orders, newest first, at most `limit` and [`LIST`].
    ///
    /// # Errors
    /// The database's.
    pub async fn orders(&self, filter: OrderFilter, limit: usize) -> Result<Vec<Order>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.orders(filter, limit).await,
            Engine::Postgres(postgres) => postgres.orders(filter, limit).await,
        }
    }

    /// All that is known of the orders that go by `id`, in every namespace.
    ///
    /// # Errors
    /// The database's.
    pub async fn story(&self, id: String) -> Result<Vec<Story>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.story(id).await,
            Engine::Postgres(postgres) => postgres.story(id).await,
        }
    }

    /// Postbacks, newest first, at most `limit` and [`LIST`].
    ///
    /// # Errors
    /// The database's.
    pub async fn postbacks(
        &self,
        filter: PostbackFilter,
        limit: usize,
    ) -> Result<Vec<Postback>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.postbacks(filter, limit).await,
            Engine::Postgres(postgres) => postgres.postbacks(filter, limit).await,
        }
    }

    /// One postback with its attempts.
    ///
    /// # Errors
    /// [`Error::NoPostback`]; the database's.
    pub async fn postback(&self, id: PostbackId) -> Result<Told, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.postback(id).await,
            Engine::Postgres(postgres) => postgres.postback(id).await,
        }
    }

    /// Remembers with which visits sessions came; what became of each, in their order. One that comes with another
    /// visit than before is of use to nobody until its time is over.
    ///
    /// # Errors
    /// The database's: nothing of it is remembered.
    pub async fn remember(&self, sessions: Vec<Session>) -> Result<Vec<Written>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.remember(sessions).await,
            Engine::Postgres(postgres) => postgres.remember(sessions).await,
        }
    }

    /// What is known at `now` of the session that has these marks.
    ///
    /// # Errors
    /// The database's.
    pub async fn session(&self, marks: Vec<Mark>, now: Time) -> Result<Known, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.session(marks, now).await,
            Engine::Postgres(postgres) => postgres.session(marks, now).await,
        }
    }

    /// Removes the sessions whose time is over at `now`; how many they were.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget(&self, now: Time) -> Result<u64, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.forget(now).await,
            Engine::Postgres(postgres) => postgres.forget(now).await,
        }
    }
}
