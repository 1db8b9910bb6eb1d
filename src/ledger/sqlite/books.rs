//! Page by page, and by the ids of a list.

use rusqlite::{Connection, params, params_from_iter};

use super::find::{Asked, bounded};
use super::{Sqlite, enter, known};
use crate::ledger::books::{self, NAMED, Named, Page};
use crate::ledger::error::Error;
use crate::ledger::filter::{OrderFilter, PostbackFilter};
use crate::ledger::row;
use crate::name::NetworkName;
use crate::order::Order;
use crate::postback::{Postback, PostbackId};

/// The ids of a list, which is given as JSON.
const LISTED: &str = "SELECT value FROM json_each(?1)";

impl Sqlite {
    pub(in crate::ledger) async fn postbacks_after(
        &self,
        filter: PostbackFilter,
        after: PostbackId,
        limit: usize,
    ) -> Result<Page<Postback>, Error> {
        let work = move |db: &Connection| {
            let page = postbacks(db, &books::paged(&filter), after, limit)?;
            Ok(page.within(&filter))
        };
        self.look(work).await
    }

    pub(in crate::ledger) async fn orders_after(
        &self,
        filter: OrderFilter,
        after: i64,
        limit: usize,
    ) -> Result<Page<Order>, Error> {
        self.look(move |db| orders(db, &filter, after, limit)).await
    }

    pub(in crate::ledger) async fn named(
        &self,
        destination: NetworkName,
        ids: Vec<String>,
    ) -> Result<Vec<Named>, Error> {
        let key = self.key.clone();
        let work = move |db: &Connection| {
            let mut named = named(db, &destination, &ids)?;
            for (id, named) in ids.iter().zip(&mut named) {
                if named.orders.is_empty() {
                    named.known = known::find(db, key.of(db)?, id)?;
                }
            }
            Ok(named)
        };
        self.look(work).await
    }
}

fn postbacks(
    db: &Connection,
    filter: &PostbackFilter,
    after: PostbackId,
    limit: usize,
) -> Result<Page<Postback>, Error> {
    let mut asked = Asked::of_postbacks(filter)?;
    asked.is("postbacks.id > ?", Some(after));
    let (columns, clause) = (row::POSTBACK, &asked.clause);
    let sql = format!("SELECT {columns}{clause} ORDER BY postbacks.id LIMIT ?");
    let rows: Vec<Postback> = db
        .prepare_cached(&sql)?
        .query_and_then(params_from_iter(asked.values(limit)), |row| {
            row::postback(row)
        })?
        .collect::<Result<_, _>>()?;
    let last = rows.last().map(|postback| postback.id);
    Ok(Page::of(rows, bounded(limit), last))
}

fn orders(
    db: &Connection,
    filter: &OrderFilter,
    after: i64,
    limit: usize,
) -> Result<Page<Order>, Error> {
    let mut asked = Asked::of_orders(filter);
    asked.is("id > ?", Some(after));
    let clause = &asked.clause;
    // The index by time is of no use: what it finds would be sorted anew for every page.
    let sql = format!("SELECT id FROM orders NOT INDEXED{clause} ORDER BY id LIMIT ?");
    let ids: Vec<i64> = db
        .prepare_cached(&sql)?
        .query_and_then(params_from_iter(asked.values(limit)), |row| row.get(0))?
        .collect::<Result<_, rusqlite::Error>>()?;
    let last = ids.last().copied();
    let orders = ids.into_iter().map(|id| Ok(enter::order(db, id)?.order));
    let orders: Vec<Order> = orders.collect::<Result<_, Error>>()?;
    Ok(Page::of(orders, bounded(limit), last))
}

fn named(db: &Connection, destination: &NetworkName, ids: &[String]) -> Result<Vec<Named>, Error> {
    let list = row::to_json("aliases.number", &ids)?;
    let sql =
        format!("SELECT {NAMED} WHERE aliases.number IN ({LISTED}) ORDER BY aliases.namespace");
    let orders = db
        .prepare_cached(&sql)?
        .query_and_then([&list], |row| books::named_order(row))?
        .collect::<Result<_, _>>()?;
    let sql = format!(
        "SELECT {} WHERE postbacks.destination = ?2 AND postbacks.order_id IN
           (SELECT order_id FROM aliases WHERE number IN ({LISTED})) ORDER BY postbacks.id",
        row::POSTBACK
    );
    let postbacks = db
        .prepare_cached(&sql)?
        .query_and_then(params![list, destination.as_str()], |row| {
            row::postback(row)
        })?
        .collect::<Result<_, _>>()?;
    Ok(books::assembled(ids, orders, postbacks))
}
