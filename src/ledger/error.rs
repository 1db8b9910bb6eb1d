//! What can go wrong with a ledger, told apart by what the operator does about it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::postback::{AttemptId, PostbackId, State};

/// What is beneath an error; shared by everyone whom it answers.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why the ledger did not do what was asked. Clonable: one failed commit
/// answers everyone whose work was in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Another refgate runs on this ledger.
    #[error("the ledger {path} is in use by another refgate ({owner})")]
    InUse {
        /// The ledger.
        path: PathBuf,
        /// Who has it.
        owner: Owner,
    },
    /// A command was asked to look into a ledger that is not there.
    #[error("there is no ledger at {path}")]
    Missing {
        /// Where it should be: the file, or the database's URL without its password.
        path: PathBuf,
    },
    /// The file, its lock file or its directory cannot be used.
    #[error("cannot use {path}")]
    Io {
        /// What cannot be used.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// An SQLite file, or a database's schema `refgate`, but of another program.
    #[error("{path} is a database of another program, not a ledger")]
    Foreign {
        /// The file, or the database's URL without its password.
        path: PathBuf,
    },
    /// A newer refgate wrote it.
    #[error("the ledger has schema {found}, this refgate knows up to {known}: use a newer refgate")]
    NewerSchema {
        /// The file's.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// An older refgate wrote it, and only `run` brings it up to date.
    #[error("the ledger has schema {found}, this refgate needs {known}: `refgate run` updates it")]
    OlderSchema {
        /// The file's.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The database runs without a setting that durability rests on.
    #[error("the ledger's database runs with {setting} = {found}, {wanted} is needed")]
    Weak {
        /// Its name.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// Another process held a lock for longer than is waited for.
    #[error("the ledger is locked by another process")]
    Locked(#[source] Cause),
    /// No room on the disk.
    #[error("the disk is full")]
    Full(#[source] Cause),
    /// The file or its directory cannot be written.
    #[error("the ledger cannot be written")]
    ReadOnly(#[source] Cause),
    /// The file is damaged, or no SQLite file at all.
    #[error("the ledger's file is damaged or no ledger")]
    Corrupt(#[source] Cause),
    /// Anything else that the database reports, among it a failing disk.
    #[error("the ledger's database failed")]
    Database(#[source] Cause),
    /// PostgreSQL cannot be reached, or takes too long; or an SQLite file could not be opened yet. Nothing was done.
    #[error("the ledger's database is away")]
    Away(#[source] Cause),
    /// PostgreSQL went away, or took too long, while it committed: what was asked may be done.
    #[error("the ledger's database went away while it committed: what was asked may be done")]
    InDoubt(#[source] Cause),
    /// Other replicas changed the same rows, again and again. Nothing was done.
    #[error("other replicas kept changing the same rows of the ledger")]
    Contended(#[source] Cause),
    /// PostgreSQL knows refgate's user, password or database not, or does not let it in.
    #[error("the ledger's database refuses refgate")]
    Denied(#[source] Cause),
    /// The database holds another ledger than this process began with.
    #[error(
        "the database holds another ledger ({found}) than before ({known}): restart refgate if that is meant"
    )]
    Another {
        /// Its `ledger_id`; empty if there is none.
        found: String,
        /// The `ledger_id` that this process began with.
        known: String,
    },
    /// The ledger is run on for another configuration.
    #[error(
        "the ledger is not this configuration's: {why}. Is it meant? Then say `refgate ledger accept --reason …` first"
    )]
    NotOurs {
        /// By what that is seen.
        why: String,
    },
    /// Nothing is sent by the ledger, and an older refgate would not obey that.
    #[error(
        "the ledger is not accepted: {why}. The refgate before this one would send what is due in it: say `refgate ledger accept --reason …` first, if it is right"
    )]
    Unaccepted {
        /// Why not.
        why: String,
    },
    /// What is asked is for the database's own tools.
    #[error("PostgreSQL does that itself: {how}")]
    OwnTools {
        /// The command.
        how: String,
    },
    /// A copy of the ledger is not as the ledger.
    #[error("the copy is not as the ledger: {0}")]
    Copy(String),
    /// A row holds what this refgate cannot read.
    #[error("the ledger's column {column} holds what cannot be read")]
    Row {
        /// Table and column.
        column: &'static str,
        /// Why.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// No such postback.
    #[error("there is no postback {0}")]
    NoPostback(PostbackId),
    /// A postback is not in the state that the step starts from.
    #[error("postback {id} is {state}")]
    NotPossible {
        /// Which.
        id: PostbackId,
        /// Where it stands.
        state: State,
    },
    /// The attempt is not open, so nothing can end it.
    #[error("attempt {0} is not open")]
    NotOpen(AttemptId),
    /// The writer has ended unasked, by a panic; it said so in the log.
    #[error("the ledger's writer has ended: nothing is entered or sent until a restart")]
    Closed,
}

impl Error {
    /// Whether it says that a step was not possible; it changed nothing then.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NoPostback(_) | Self::NotPossible { .. } | Self::NotOpen(_)
        )
    }
}

/// Which process has the ledger, where it could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(pub Option<u32>);

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("process unknown"),
        }
    }
}

impl From<rusqlite::Error> for Error {
    /// By SQLite's result code (sqlite.org/rescode.html).
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let source: Cause = Arc::new(error);
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(source),
            Some(ErrorCode::DiskFull) => Self::Full(source),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly(source)
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(source),
            _ => Self::Database(source),
        }
    }
}
