//! The ledger as a bookkeeper goes through it: page by page, or by the ids of a list that somebody else wrote. All
//! of it is read beside the writer, so no order waits for it, however long it takes.

use std::collections::HashMap;

use super::error::Error;
use super::filter::{OrderFilter, PostbackFilter};
use super::known::KnownOrder;
use super::row::{self, Columns};
use super::{Engine, Ledger};
use crate::name::NetworkName;
use crate::order::{Order, OrderKey};
use crate::postback::{Postback, PostbackId};

/// A part of a long list, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// This part. It may be empty though more follows.
    pub rows: Vec<T>,
    /// What the next part is asked for by; none: this is the last.
    pub next: Option<i64>,
}

/// What is known of an id that somebody else's list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The orders that go by it, one in a namespace at most.
    pub orders: Vec<NamedOrder>,
    /// Where none does: that it is known without its row.
    pub known: Vec<KnownOrder>,
}

/// An order that goes by an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedOrder {
    /// Its own id.
    pub key: OrderKey,
    /// Its standing's word: `credited`, `organic`, `held`.
    pub standing: String,
    /// Why it stands there.
    pub why: String,
    /// Its postbacks to the destination that was asked for.
    pub postbacks: Vec<Postback>,
}

impl Ledger {
    /// The postbacks that a filter means, in the order of their numbers, those after this number: at most `limit` and
    /// [`super::LIST`] are looked at.
    ///
    /// # Errors
    /// The database's.
    pub async fn postbacks_after(
        &self,
        filter: PostbackFilter,
        after: PostbackId,
        limit: usize,
    ) -> Result<Page<Postback>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.postbacks_after(filter, after, limit).await,
            Engine::Postgres(postgres) => postgres.postbacks_after(filter, after, limit).await,
        }
    }

    /// The orders that a filter means, in the order in which they were entered: at most `limit` and [`super::LIST`],
    /// those after [`Page::next`] of the page before, from the beginning after 0.
    ///
    /// # Errors
    /// The database's.
    pub async fn orders_after(
        &self,
        filter: OrderFilter,
        after: i64,
        limit: usize,
    ) -> Result<Page<Order>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.orders_after(filter, after, limit).await,
            Engine::Postgres(postgres) => postgres.orders_after(filter, after, limit).await,
        }
    }

    /// What is known of each of these ids, in their order, with the postbacks to `destination`.
    /// At most [`super::IDS`] ids at a time.
    ///
    /// # Errors
    /// The database's.
    pub async fn named(
        &self,
        destination: &NetworkName,
        ids: Vec<String>,
    ) -> Result<Vec<Named>, Error> {
        let destination = destination.clone();
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.named(destination, ids).await,
            Engine::Postgres(postgres) => postgres.named(destination, ids).await,
        }
    }
}

impl<T> Page<T> {
    /// `rows` are what was found of at most `limit`, the last of them by this number.
    pub(super) fn of(rows: Vec<T>, limit: i64, last: Option<i64>) -> Self {
        let whole = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
        Self {
            rows,
            next: last.filter(|_| whole),
        }
    }
}

impl Page<Postback> {
    /// Those of a page that a filter means whose states were not asked of the database.
    pub(super) fn within(mut self, filter: &PostbackFilter) -> Self {
        let states = &filter.states;
        self.rows
            .retain(|one| states.is_empty() || states.contains(&one.state));
        self
    }
}

/// As the database is asked page by page: by one state there is an index, which has them in the order of their
/// numbers. Of several it would collect and sort all the rest for every page, so these are chosen afterwards.
pub(super) fn paged(filter: &PostbackFilter) -> PostbackFilter {
    let mut filter = filter.clone();
    if filter.states.len() > 1 {
        filter.states.clear();
    }
    filter
}

/// The columns that [`named_order`] reads.
pub(super) const NAMED: &str = "aliases.number AS asked, orders.namespace, orders.number, orders.standing, orders.why \
    FROM aliases JOIN orders ON orders.id = aliases.order_id";

/// The id that was asked for, and the order that goes by it.
pub(super) fn named_order(row: &dyn Columns) -> Result<(String, NamedOrder), Error> {
    let order = NamedOrder {
        key: row::order_key(row)?,
        standing: row.text("standing")?,
        why: row.text("why")?,
        postbacks: Vec::new(),
    };
    Ok((row.text("asked")?, order))
}

/// Each id with its orders, and these with their postbacks.
pub(super) fn assembled(
    ids: &[String],
    orders: Vec<(String, NamedOrder)>,
    postbacks: Vec<Postback>,
) -> Vec<Named> {
    let mut of_order: HashMap<OrderKey, Vec<Postback>> = HashMap::new();
    for postback in postbacks {
        of_order
            .entry(postback.order.clone())
            .or_default()
            .push(postback);
    }
    let mut named: HashMap<String, Named> = HashMap::new();
    for (asked, mut order) in orders {
        // Two ids of a list may mean one order.
        order.postbacks = of_order.get(&order.key).cloned().unwrap_or_default();
        named.entry(asked).or_default().orders.push(order);
    }
    ids.iter()
        .map(|id| named.get(id).cloned().unwrap_or_default())
        .collect()
}
