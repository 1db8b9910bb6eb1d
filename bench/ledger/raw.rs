//! The same rows into the same tables by SQLite alone: no threads, no words of ours, texts that are ready.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use refgate::clock::Time;
use refgate::ledger::{Ledger, Role, Settings};
use rusqlite::{Connection, params};

use super::orders::{Numbers, candidate};
use super::spent::{Mark, Spent};

/// The texts of an order's rows. They are those of [`candidate`], so that both write the same bytes.
pub(crate) struct Texts {
    pub(crate) click: String,
    pub(crate) captured: String,
    pub(crate) visit: String,
    body: String,
    pub(crate) at: i64,
}

/// What the number stands for in [`Texts`].
const NUMBER: &str = "000000000";

impl Texts {
    pub(crate) fn new() -> Self {
        let candidate = candidate(NUMBER);
        let click = candidate.order.click.as_ref().unwrap();
        Self {
            click: serde_json::to_string(click).unwrap(),
            captured: serde_json::to_string(&click.values).unwrap(),
            visit: candidate.order.visit.unwrap().to_string(),
            body: serde_json::to_string(&candidate.sighting).unwrap(),
            at: Time::now().millis(),
        }
    }

    pub(crate) fn body(&self, number: &str) -> String {
        self.body.replace(NUMBER, number)
    }
}

/// Makes the tables, and gives the connection that a ledger has.
pub(crate) fn open(path: &Path) -> Connection {
    drop(Ledger::open(&Settings::Sqlite(path.into()), Role::Run, Time::now()).unwrap());
    let db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
        .unwrap();
    db.set_prepared_statement_cache_capacity(32);
    db
}

/// Enters `count` orders, `group` in a transaction.
pub(crate) fn enter(
    db: &Connection,
    (run, numbers): (u64, Numbers),
    count: u64,
    group: u64,
) -> Spent {
    let texts = Texts::new();
    let mark = Mark::now();
    for begin in (0..count).step_by(usize::try_from(group).unwrap()) {
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        for place in begin..count.min(begin + group) {
            let number = numbers.number(run, place);
            order(db, &texts, &number);
        }
        db.execute_batch("COMMIT").unwrap();
    }
    mark.spent()
}

fn order(db: &Connection, texts: &Texts, number: &str) {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        db.prepare_cached(sql).unwrap().execute(values).unwrap();
        db.last_insert_rowid()
    };
    let order = run(
        "INSERT INTO orders (namespace, number, at, store, rule, amount, currency, working, standing, why, network,
           click, visit, seen)
         VALUES ('us', ?1, ?2, 'us', 'thank-you', '1249.95', 'USD', 'total 1249.95 = 1249.95', 'credited',
           'last click, of aspire', 'aspire', ?3, ?4, 1)",
        params![number, texts.at, texts.click, texts.visit],
    );
    run(
        "INSERT INTO aliases (namespace, number, order_id) VALUES ('us', ?1, ?2)",
        params![number, order],
    );
    run(
        "INSERT INTO sightings (order_id, at, rule, body, notes) VALUES (?1, ?2, 'thank-you', ?3, '[]')",
        params![order, texts.at, texts.body(number)],
    );
    run(
        "INSERT INTO transitions (order_id, at, became, cause) VALUES (?1, ?2, 'credited', 'last click, of aspire')",
        params![order, texts.at],
    );
    let postback = run(
        "INSERT INTO postbacks (order_id, destination, event, sequence, captured, amount, currency, state, at, due)
         VALUES (?1, 'aspire', 'sale', 0, ?2, '1249.95', 'USD', 'due', ?3, ?3)",
        params![order, texts.captured, texts.at],
    );
    run(
        "INSERT INTO transitions (order_id, postback_id, at, became) VALUES (?1, ?2, ?3, 'due')",
        params![order, postback, texts.at],
    );
}

/// Appends `commits` times `bytes`, synced each time: what no ledger that syncs can be faster than.
pub(crate) fn floor(path: &Path, commits: u64, bytes: usize) -> Spent {
    let mut file = File::create(path).unwrap();
    let block = vec![7_u8; bytes];
    let mark = Mark::now();
    for _ in 0..commits {
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
    }
    let spent = mark.spent();
    drop(file);
    fs::remove_file(path).unwrap();
    spent
}
