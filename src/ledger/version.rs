//! Which version's ledger may be used by which refgate.
//!
//! A version only adds to the one before: tables, columns that may be empty, indexes. So a refgate that is one version
//! older can write in it, if what is new need not be obeyed: whoever brings a ledger up to date writes into `meta`, as
//! `compatible_from`, the oldest version whose refgate may use it from then on. Where that is the new version itself,
//! `refgate ledger downgrade` is the way back: it says what the older one will not obey.

use serde::Serialize;

use super::error::Error;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Ledger, Settings};

/// What a step back came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SteppedBack {
    /// The version that it was.
    pub from: i64,
    /// The version that it is.
    pub to: i64,
    /// Orders that are known without their row: to the older refgate they are new ones.
    pub known_orders: u64,
    /// Destinations that rest on somebody's word: the older refgate sends to them.
    pub pauses: u64,
}

impl Ledger {
    /// Takes a ledger back by one version, for the refgate before this one. What this version added stays in it, and is
    /// found again when it is brought up to date.
    ///
    /// # Errors
    /// [`Error::InUse`] while one runs on an SQLite file; [`Error::OlderSchema`] if it is back already; the database's.
    pub async fn step_back(settings: &Settings) -> Result<SteppedBack, Error> {
        match settings {
            Settings::Sqlite(path) => Sqlite::step_back(path),
            Settings::Postgres(server) => Postgres::step_back(server).await,
        }
    }
}

/// Whether a refgate that writes version `own` may use a ledger of version `found`, whose `meta` says `compatible_from`.
pub(super) fn is_readable(found: i64, own: i64, compatible_from: Option<&str>) -> bool {
    let from = compatible_from.and_then(|text| text.parse().ok());
    found <= own || (found == own + 1 && from.is_some_and(|from: i64| from <= own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_newer_is_readable_where_it_says_so() {
        assert!(is_readable(2, 3, None) && is_readable(3, 3, None));
        assert!(is_readable(4, 3, Some("3")) && is_readable(4, 3, Some("2")));
        assert!(!is_readable(4, 3, Some("4")) && !is_readable(4, 3, None));
        assert!(!is_readable(5, 3, Some("3")), "two versions");
        assert!(!is_readable(4, 3, Some("x")));
    }
}
