//! Which version's ledger may be used by which refgate.
//!
//! A version only adds to the one before: tables, columns that may be empty, indexes. So a refgate that is one version
//! older can write in it, if what is new need not be obeyed: whoever brings a ledger up to date writes into `meta`, as
//! `compatible_from`, the oldest version whose refgate may use it from then on. Where that is the new version itself,
//! `refgate ledger downgrade` is the way back: it says what the older one will not obey.

use serde::Serialize;

use super::error::Error;
use super::postgres::Postgres;
use super::row::{self, Columns, unreadable};
use super::sqlite::Sqlite;
use super::{Ledger, Settings};
use crate::order::Doubt;

/// What a step back came to, or would come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SteppedBack {
    /// The version that it was.
    pub from: i64,
    /// The version that it is.
    pub to: i64,
    /// Orders that are known without their row: to the older refgate they are new ones.
    pub known_orders: u64,
    /// Destinations that rest on somebody's word: the older refgate sends to them.
    pub pauses: u64,
    /// Due postbacks to webhooks: the older refgate knows none, and holds them.
    pub webhooks: u64,
    /// Doubts that the older refgate has no word for. They are themselves again when the ledger is brought up to date.
    pub doubts: Vec<Renamed>,
}

/// Rows whose word is another one for the version before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Renamed {
    /// Of which table: `orders` or `postbacks`.
    pub of: String,
    /// The doubt by which they are held.
    pub was: String,
    /// The one that the older refgate reads.
    pub becomes: &'static str,
    /// How many.
    pub count: u64,
}

/// A doubt in the words of version 2 (PostgreSQL: 1), which had eight. What it has none for waits as `unproven`: by itself
/// nothing becomes of that there, and why it waits stands beside it in words.
const fn before(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Unreadable => "unreadable",
        Doubt::Differs => "differs",
        Doubt::CurrencyContradicts => "currency_contradicts",
        Doubt::NoRate => "no_rate",
        Doubt::OverMaxAmount => "over_max_amount",
        Doubt::NotPositive => "not_positive",
        Doubt::Shadow => "dry_run",
        Doubt::Unproven
        | Doubt::TooYoung
        | Doubt::TooMany
        | Doubt::ManyNetworks
        | Doubt::Blocked
        | Doubt::IdReused
        | Doubt::Operator => "unproven",
    }
}

/// The statements of the step back and of the way up again, for both engines.
pub(super) mod sql {
    /// What [`super::renamed`] reads.
    pub(in crate::ledger) const HELD: &str = "SELECT 'orders' AS kind, doubt, count(*) AS count
        FROM orders WHERE standing = 'held' GROUP BY doubt
        UNION ALL SELECT 'postbacks' AS kind, doubt, count(*) AS count
        FROM postbacks WHERE state = 'held' AND doubt IS NOT NULL GROUP BY doubt ORDER BY kind, doubt";

    /// Due postbacks of other events than a network's.
    pub(in crate::ledger) const WEBHOOKS: &str =
        "SELECT count(*) AS count FROM postbacks WHERE state = 'due' AND event <> 'sale'";

    /// Where the words stand meanwhile.
    pub(in crate::ledger) const KEPT: &str = "CREATE TABLE IF NOT EXISTS stepped_back (
        kind TEXT NOT NULL, id BIGINT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL, PRIMARY KEY (kind, id))";

    /// Another word for a doubt of orders, of postbacks: with the new one and the old one.
    pub(in crate::ledger) const RENAME: [(&str, [&str; 2]); 2] = [
        (
            "orders",
            [
                "INSERT INTO stepped_back (kind, became, was, id)
                 SELECT 'orders', CAST($1 AS TEXT), doubt, id FROM orders WHERE standing = 'held' AND doubt = $2",
                "UPDATE orders SET doubt = $1 WHERE standing = 'held' AND doubt = $2",
            ],
        ),
        (
            "postbacks",
            [
                "INSERT INTO stepped_back (kind, became, was, id)
                 SELECT 'postbacks', CAST($1 AS TEXT), doubt, id FROM postbacks WHERE state = 'held' AND doubt = $2",
                "UPDATE postbacks SET doubt = $1 WHERE state = 'held' AND doubt = $2",
            ],
        ),
    ];

    /// What the older refgate left as it was has its own word again; what it called a dry run is a shadow.
    pub(in crate::ledger) const RESTORE: &str = "UPDATE orders SET doubt = (SELECT was FROM stepped_back
          WHERE kind = 'orders' AND stepped_back.id = orders.id) WHERE standing = 'held' AND id IN
          (SELECT id FROM stepped_back WHERE kind = 'orders' AND became = orders.doubt);
        UPDATE postbacks SET doubt = (SELECT was FROM stepped_back
          WHERE kind = 'postbacks' AND stepped_back.id = postbacks.id) WHERE state = 'held' AND id IN
          (SELECT id FROM stepped_back WHERE kind = 'postbacks' AND became = postbacks.doubt);
        DROP TABLE stepped_back;
        UPDATE orders SET doubt = 'shadow' WHERE standing = 'held' AND doubt = 'dry_run';
        UPDATE postbacks SET doubt = 'shadow' WHERE state = 'held' AND doubt = 'dry_run'";
}

/// A row of [`sql::HELD`]; nothing where the version before has that word.
pub(super) fn renamed(row: &dyn Columns) -> Result<Option<Renamed>, Error> {
    let was = row.text("doubt")?;
    let doubt: Doubt = was.parse().map_err(|error| unreadable("doubt", error))?;
    let becomes = before(doubt);
    if was == becomes {
        return Ok(None);
    }
    Ok(Some(Renamed {
        of: row.text("kind")?,
        was,
        becomes,
        count: row::count(row)?,
    }))
}

impl Ledger {
    /// Takes a ledger back by one version, for the refgate before this one. What this version added stays in it, and is
    /// found again when it is brought up to date. Unless it is `sure`, it only says what would be done.
    ///
    /// # Errors
    /// [`Error::InUse`] while one runs on an SQLite file; [`Error::OlderSchema`] if it is back already;
    /// [`Error::Unaccepted`], as the older one would send by it; the database's.
    pub async fn step_back(settings: &Settings, sure: bool) -> Result<SteppedBack, Error> {
        match settings {
            Settings::Sqlite(path) => Sqlite::step_back(path, sure),
            Settings::Postgres(server) => Postgres::step_back(server, sure).await,
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
