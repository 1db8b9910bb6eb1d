//! The step back by one version.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::custody::unaccepted;
use super::open::{connect, number, put};
use crate::ledger::error::Error;
use crate::ledger::version::{SteppedBack, renamed, sql};
use crate::ledger::{Role, SCHEMA};

/// Goes back one version, if it is `sure`. Nothing is dropped: what it added stays for when it comes again.
pub(super) fn step_back(path: &Path, sure: bool) -> Result<SteppedBack, Error> {
    let mut db = connect(path, Role::Tool)?;
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(held) = unaccepted(&step)? {
        return Err(Error::Unaccepted { why: held.why });
    }
    let stepped = foretold(&step)?;
    if !sure {
        return Ok(stepped);
    }
    step.execute_batch(sql::KEPT)?;
    for doubt in &stepped.doubts {
        let of_it = sql::RENAME.iter().filter(|(table, _)| *table == doubt.of);
        for statement in of_it.flat_map(|(_, statements)| statements) {
            step.execute(statement, [doubt.becomes, &doubt.was])?;
        }
    }
    put(&step, "stepped_back_from", &stepped.from.to_string())?;
    step.pragma_update(None, "user_version", stepped.to)?;
    step.commit()?;
    Ok(stepped)
}

fn foretold(db: &Connection) -> Result<SteppedBack, Error> {
    let count = |sql: &str| -> Result<u64, Error> {
        let count: i64 = db.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let mut held = db.prepare(sql::HELD)?;
    let doubts = held.query_and_then([], |row| renamed(row))?;
    let doubts: Vec<_> = doubts.collect::<Result<_, Error>>()?;
    Ok(SteppedBack {
        from: number(db, "user_version")?,
        to: SCHEMA - 1,
        known_orders: count("SELECT count(*) FROM known_orders")?,
        pauses: count("SELECT count(*) FROM pauses")?,
        webhooks: count(sql::WEBHOOKS)?,
        doubts: doubts.into_iter().flatten().collect(),
    })
}
