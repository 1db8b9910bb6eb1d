//! Page by page, and by the ids of a list.

use super::Postgres;
use super::connection::Connection;
use super::enter::clean;
use super::find::{self, Asked, bounded, given};
use super::known;
use crate::ledger::books::{self, NAMED, Named, Page};
use crate::ledger::error::Error;
use crate::ledger::filter::{OrderFilter, PostbackFilter};
use crate::ledger::row::{self, Columns as _};
use crate::name::NetworkName;
use crate::order::Order;
use crate::postback::{Postback, PostbackId};

impl Postgres {
    pub(in crate::ledger) async fn postbacks_after(
        &self,
        filter: PostbackFilter,
        after: PostbackId,
        limit: usize,
    ) -> Result<Page<Postback>, Error> {
        let work = async move |db: &Connection| {
            let page = postbacks(db, &books::paged(&filter), after, limit).await?;
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
        self.look(async move |db: &Connection| orders(db, filter, after, limit).await)
            .await
    }

    pub(in crate::ledger) async fn named(
        &self,
        destination: NetworkName,
        ids: Vec<String>,
    ) -> Result<Vec<Named>, Error> {
        let work = async move |db: &Connection| {
            // No id has a NUL, so it finds nothing either way.
            let ids: Vec<String> = ids.iter().map(|id| clean(id).into_owned()).collect();
            let mut named = named(db, &destination, &ids).await?;
            for (id, named) in ids.iter().zip(&mut named) {
                if named.orders.is_empty() {
                    named.known = known::find(db, id).await?;
                }
            }
            Ok(named)
        };
        self.look(work).await
    }
}

async fn postbacks(
    db: &Connection,
    filter: &PostbackFilter,
    after: PostbackId,
    limit: usize,
) -> Result<Page<Postback>, Error> {
    let mut asked = Asked::of_postbacks(filter)?;
    asked.is("postbacks.id > ?", Some(after));
    let last = asked.value(bounded(limit));
    let (columns, clause) = (row::POSTBACK, &asked.clause);
    let sql = format!("SELECT {columns}{clause} ORDER BY postbacks.id LIMIT ${last}");
    let rows = db.rows(&sql, &given(&asked.values)).await?;
    let rows = rows.iter().map(|row| row::postback(row));
    let rows: Vec<Postback> = rows.collect::<Result<_, _>>()?;
    let last = rows.last().map(|postback| postback.id);
    Ok(Page::of(rows, bounded(limit), last))
}

async fn orders(
    db: &Connection,
    filter: OrderFilter,
    after: i64,
    limit: usize,
) -> Result<Page<Order>, Error> {
    let mut asked = Asked::of_orders(filter);
    asked.is("id > ?", Some(after));
    let last = asked.value(bounded(limit));
    let clause = &asked.clause;
    let sql = format!("SELECT id FROM orders{clause} ORDER BY id LIMIT ${last}");
    let rows = db.rows(&sql, &given(&asked.values)).await?;
    let ids = rows.iter().map(|row| row.number("id"));
    let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
    let orders = find::read(db, &ids).await?;
    Ok(Page::of(orders, bounded(limit), ids.last().copied()))
}

async fn named(
    db: &Connection,
    destination: &NetworkName,
    ids: &[String],
) -> Result<Vec<Named>, Error> {
    let sql = format!(
        "SELECT {NAMED} WHERE aliases.number = ANY ($1) ORDER BY aliases.namespace COLLATE \"C\""
    );
    let rows = db.rows(&sql, &[&ids]).await?;
    let orders = rows.iter().map(|row| books::named_order(row));
    let orders = orders.collect::<Result<_, _>>()?;
    let sql = format!(
        "SELECT {} WHERE postbacks.destination = $2 AND postbacks.order_id IN
           (SELECT order_id FROM aliases WHERE number = ANY ($1)) ORDER BY postbacks.id",
        row::POSTBACK
    );
    let rows = db.rows(&sql, &[&ids, &destination.as_str()]).await?;
    let postbacks = rows.iter().map(|row| row::postback(row));
    let postbacks = postbacks.collect::<Result<_, _>>()?;
    Ok(books::assembled(ids, orders, postbacks))
}
