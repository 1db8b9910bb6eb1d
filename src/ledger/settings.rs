//! Where the ledger is kept: by one process, or by several.

use std::fmt;
use std::path::PathBuf;

use super::postgres;

/// Where the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// In this SQLite file, for one process.
    Sqlite(PathBuf),
    /// In a PostgreSQL database, for several replicas.
    Postgres(postgres::Server),
}

impl fmt::Display for Settings {
    /// The file, or the database's URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(server) => server.fmt(f),
        }
    }
}
