//! The step back by one version.

use super::connection::Connection;
use super::custody::unaccepted;
use super::schema::SCHEMA;
use super::tables::{locked_version, over, put};
use crate::ledger::error::Error;
use crate::ledger::row;
use crate::ledger::version::{SteppedBack, renamed, sql};

/// Goes back one version, if it is `sure`. Nothing is dropped: what it added stays for when it comes again.
pub(super) async fn step_back(connection: &Connection, sure: bool) -> Result<SteppedBack, Error> {
    connection.script("BEGIN").await?;
    let stepped = async {
        let from = locked_version(connection).await?;
        if let Some(held) = unaccepted(connection).await? {
            return Err(Error::Unaccepted { why: held.why });
        }
        let stepped = foretold(connection, from).await?;
        match sure {
            true => take(connection, &stepped).await?,
            false => connection.script("ROLLBACK").await?,
        }
        Ok(stepped)
    };
    over(connection, stepped.await).await
}

async fn take(connection: &Connection, stepped: &SteppedBack) -> Result<(), Error> {
    connection.script(sql::KEPT).await?;
    for doubt in &stepped.doubts {
        let of_it = sql::RENAME.iter().filter(|(table, _)| *table == doubt.of);
        for statement in of_it.flat_map(|(_, statements)| statements) {
            connection
                .run(statement, &[&doubt.becomes, &doubt.was])
                .await?;
        }
    }
    put(connection, "schema", &stepped.to.to_string()).await?;
    put(connection, "stepped_back_from", &stepped.from.to_string()).await?;
    connection.commit().await
}

async fn foretold(connection: &Connection, from: i64) -> Result<SteppedBack, Error> {
    let rows = connection.rows(sql::HELD, &[]).await?;
    let doubts = rows.iter().map(|row| renamed(row));
    let doubts: Vec<_> = doubts.collect::<Result<_, Error>>()?;
    Ok(SteppedBack {
        from,
        to: SCHEMA - 1,
        known_orders: count(connection, "SELECT count(*) AS count FROM known_orders").await?,
        pauses: count(connection, "SELECT count(*) AS count FROM pauses").await?,
        webhooks: count(connection, sql::WEBHOOKS).await?,
        doubts: doubts.into_iter().flatten().collect(),
    })
}

async fn count(connection: &Connection, sql: &str) -> Result<u64, Error> {
    let row = connection.row(sql, &[]).await?;
    row.map_or(Ok(0), |row| row::count(&row))
}
