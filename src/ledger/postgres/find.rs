//! Finding: what the operator asks.

use futures_util::future::join_all;
use tokio_postgres::types::ToSql;

use super::connection::Connection;
use super::enter;
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::filter::{Given, OrderFilter, PostbackFilter};
use crate::ledger::row::{self, Columns as _};
use crate::ledger::story::{Counts, Seen, Story, Told, Unsettled};
use crate::ledger::{LIST, SIGHTINGS};
use crate::order::Order;
use crate::postback::{Postback, PostbackId, State};

/// Attempts and changes shown of one thing; the newest.
const HISTORY: usize = 1000;

/// Orders that are asked for without waiting for each other.
const TOGETHER: usize = 200;

pub(super) async fn unsettled(db: &Connection) -> Result<Vec<Unsettled>, Error> {
    let rows = db.rows(Unsettled::SQL, &[]).await?;
    rows.iter().map(|row| Unsettled::read(row)).collect()
}

pub(super) async fn orders(
    db: &Connection,
    filter: OrderFilter,
    limit: usize,
) -> Result<Vec<Order>, Error> {
    let mut asked = Asked::of_orders(filter);
    let last = asked.value(bounded(limit));
    let clause = &asked.clause;
    let sql = format!("SELECT id FROM orders{clause} ORDER BY at DESC, id DESC LIMIT ${last}");
    let ids = db.rows(&sql, &given(&asked.values)).await?;
    let ids = ids.iter().map(|row| row.number("id"));
    read(db, &ids.collect::<Result<Vec<_>, _>>()?).await
}

/// The orders of these rows, in their order.
pub(super) async fn read(db: &Connection, ids: &[i64]) -> Result<Vec<Order>, Error> {
    let mut orders = Vec::with_capacity(ids.len());
    for ids in ids.chunks(TOGETHER) {
        let found = join_all(ids.iter().map(|id| enter::order(db, *id))).await;
        for found in found {
            orders.push(found?.order);
        }
    }
    Ok(orders)
}

pub(super) async fn postbacks(
    db: &Connection,
    filter: PostbackFilter,
    limit: usize,
) -> Result<Vec<Postback>, Error> {
    let mut asked = Asked::of_postbacks(&filter)?;
    let last = asked.value(bounded(limit));
    let (columns, clause) = (row::POSTBACK, &asked.clause);
    let sql = format!("SELECT {columns}{clause} ORDER BY postbacks.id DESC LIMIT ${last}");
    let rows = db.rows(&sql, &given(&asked.values)).await?;
    rows.iter().map(|row| row::postback(row)).collect()
}

type Param = Box<dyn ToSql + Sync>;

/// What is asked of a list, as far as it is stated. A condition has `?` where its value belongs.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) clause: String,
    pub(super) values: Vec<Param>,
}

impl Asked {
    pub(super) fn of_orders(filter: OrderFilter) -> Self {
        let mut asked = Self::default();
        let namespace = filter.namespace;
        asked.is(
            "namespace = ?",
            namespace.map(|name| name.as_str().to_owned()),
        );
        let store = filter.store;
        asked.is("store = ?", store.map(|name| name.as_str().to_owned()));
        asked.is("standing = ?", filter.standing.map(str::to_owned));
        asked.is("at >= ?", filter.since.map(Time::millis));
        asked.is("at < ?", filter.until.map(Time::millis));
        asked
    }

    pub(super) fn of_postbacks(filter: &PostbackFilter) -> Result<Self, Error> {
        let mut asked = Self::default();
        for list in filter.lists() {
            asked.stated(Some(list));
        }
        for (condition, given) in filter.conditions()? {
            match given {
                Given::Text(text) => asked.is(condition, Some(text)),
                Given::Number(number) => asked.is(condition, Some(number)),
            }
        }
        Ok(asked)
    }

    /// One more value without a condition of its own; its place.
    pub(super) fn value(&mut self, value: impl ToSql + Sync + 'static) -> usize {
        self.values.push(Box::new(value));
        self.values.len()
    }

    pub(super) fn is(&mut self, condition: &str, value: Option<impl ToSql + Sync + 'static>) {
        let Some(value) = value else { return };
        let place = self.value(value);
        self.stated(Some(condition.replace('?', &format!("${place}"))));
    }

    /// A condition without a value.
    fn stated(&mut self, condition: Option<String>) {
        let Some(condition) = condition else { return };
        let word = if self.clause.is_empty() {
            " WHERE "
        } else {
            " AND "
        };
        self.clause.push_str(word);
        self.clause.push_str(&condition);
    }
}

pub(super) fn given(values: &[Param]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(AsRef::as_ref).collect()
}

/// A list's limit as PostgreSQL takes it.
pub(super) fn bounded(limit: usize) -> i64 {
    i64::try_from(limit.min(LIST)).unwrap_or(i64::MAX)
}

pub(super) async fn story(db: &Connection, id: &str) -> Result<Vec<Story>, Error> {
    let sql = "SELECT order_id FROM aliases WHERE number = $1
        ORDER BY namespace COLLATE \"C\" LIMIT $2";
    let mut stories = Vec::new();
    // No id has a NUL, so it finds nothing either way.
    for row in db.rows(sql, &[&enter::clean(id), &bounded(LIST)]).await? {
        stories.push(story_of(db, row.number("order_id")?).await?);
    }
    Ok(stories)
}

async fn story_of(db: &Connection, id: i64) -> Result<Story, Error> {
    let found = enter::order(db, id).await?;
    let sql = "SELECT id FROM postbacks WHERE order_id = $1 ORDER BY id LIMIT $2";
    let mut postbacks = Vec::new();
    for row in db.rows(sql, &[&id, &bounded(LIST)]).await? {
        postbacks.push(told(db, row.number("id")?).await?);
    }
    let sql = "SELECT * FROM (SELECT * FROM transitions WHERE order_id = $1
        ORDER BY id DESC LIMIT $2) AS newest ORDER BY id";
    let history = db.rows(sql, &[&id, &bounded(HISTORY)]).await?;
    let history = history.iter().map(|row| row::transition(row));
    Ok(Story {
        order: found.order,
        seen: u64::try_from(found.seen).unwrap_or(0),
        sightings: sightings(db, id).await?,
        postbacks,
        history: history.collect::<Result<_, _>>()?,
    })
}

async fn sightings(db: &Connection, order: i64) -> Result<Vec<Seen>, Error> {
    let sql = "SELECT body, notes FROM sightings WHERE order_id = $1 ORDER BY id LIMIT $2";
    let rows = db.rows(sql, &[&order, &i64::from(SIGHTINGS)]).await?;
    let seen = rows.iter().map(|row| {
        Ok(Seen {
            sighting: row::from_json("sightings.body", &row.text("body")?)?,
            notes: row::from_json("sightings.notes", &row.text("notes")?)?,
        })
    });
    seen.collect()
}

/// One postback with its attempts.
pub(super) async fn told(db: &Connection, id: PostbackId) -> Result<Told, Error> {
    let sql = format!("SELECT {} WHERE postbacks.id = $1", row::POSTBACK);
    let found = db.row(&sql, &[&id]).await?.ok_or(Error::NoPostback(id))?;
    let sql = format!(
        "SELECT * FROM (SELECT {} FROM attempts WHERE postback_id = $1
         ORDER BY id DESC LIMIT $2) AS newest ORDER BY id",
        row::ATTEMPT
    );
    let attempts = db.rows(&sql, &[&id, &bounded(HISTORY)]).await?;
    let attempts = attempts.iter().map(|row| row::attempt(row));
    Ok(Told {
        postback: row::postback(&found)?,
        attempts: attempts.collect::<Result<_, _>>()?,
    })
}

pub(super) async fn counts(db: &Connection) -> Result<Counts, Error> {
    let orders = tally(
        db,
        "SELECT standing AS word, count(*) AS count FROM orders GROUP BY standing",
    );
    let orders = orders.await?;
    let of = |tally: &[(String, u64)], word: &str| {
        let found = tally.iter().find(|(known, _)| known == word);
        found.map_or(0, |(_, count)| *count)
    };
    Ok(Counts {
        credited: of(&orders, "credited"),
        organic: of(&orders, "organic"),
        held: of(&orders, "held"),
        postbacks: count(db, &State::ALL).await?,
    })
}

/// How many postbacks are in these states, by the index.
pub(super) async fn count(db: &Connection, states: &[State]) -> Result<Vec<(State, u64)>, Error> {
    let sql = "SELECT count(*) AS count FROM postbacks WHERE state = $1";
    let mut counts = Vec::with_capacity(states.len());
    for state in states {
        let row = db.row(sql, &[&state.as_str()]).await?;
        let count = row.map_or(Ok(0), |row| row.number("count"))?;
        counts.push((*state, u64::try_from(count).unwrap_or(0)));
    }
    Ok(counts)
}

async fn tally(db: &Connection, sql: &str) -> Result<Vec<(String, u64)>, Error> {
    let rows = db.rows(sql, &[]).await?;
    let pairs = rows.iter().map(|row| {
        let count = u64::try_from(row.number("count")?).unwrap_or(0);
        Ok((row.text("word")?, count))
    });
    pairs.collect()
}
