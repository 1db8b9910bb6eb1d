//! Finding: what the operator asks.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::enter;
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::filter::{Given, OrderFilter, PostbackFilter};
use crate::ledger::row;
use crate::ledger::story::{Counts, Seen, Story, Told, Unsettled};
use crate::ledger::{LIST, SIGHTINGS};
use crate::order::Order;
use crate::postback::{Postback, PostbackId, State};

/// Attempts and changes shown of one thing; the newest.
const HISTORY: usize = 1000;

pub(super) fn unsettled(db: &Connection) -> Result<Vec<Unsettled>, Error> {
    db.prepare_cached(Unsettled::SQL)?
        .query_and_then([], |row| Unsettled::read(row))?
        .collect()
}

pub(super) fn orders(
    db: &Connection,
    filter: &OrderFilter,
    limit: usize,
) -> Result<Vec<Order>, Error> {
    let asked = Asked::of_orders(filter);
    let sql = format!(
        "SELECT id FROM orders{} ORDER BY at DESC, id DESC LIMIT ?",
        asked.clause
    );
    let ids: Vec<i64> = db
        .prepare_cached(&sql)?
        .query_and_then(params_from_iter(asked.values(limit)), |row| row.get(0))?
        .collect::<Result<_, rusqlite::Error>>()?;
    ids.into_iter()
        .map(|id| Ok(enter::order(db, id)?.order))
        .collect()
}

pub(super) fn postbacks(
    db: &Connection,
    filter: &PostbackFilter,
    limit: usize,
) -> Result<Vec<Postback>, Error> {
    let asked = Asked::of_postbacks(filter)?;
    let (columns, clause) = (row::POSTBACK, &asked.clause);
    let sql = format!("SELECT {columns}{clause} ORDER BY postbacks.id DESC LIMIT ?");
    db.prepare_cached(&sql)?
        .query_and_then(params_from_iter(asked.values(limit)), |row| {
            row::postback(row)
        })?
        .collect()
}

/// What is asked of a list, as far as it is stated.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) clause: String,
    values: Vec<Value>,
}

impl Asked {
    pub(super) fn of_orders(filter: &OrderFilter) -> Self {
        let mut asked = Self::default();
        let namespace = filter.namespace.as_ref();
        asked.is(
            "namespace = ?",
            namespace.map(|name| name.as_str().to_owned()),
        );
        let store = filter.store.as_ref();
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
            let value = match given {
                Given::Text(text) => Value::from(text),
                Given::Number(number) => Value::from(number),
            };
            asked.is(condition, Some(value));
        }
        Ok(asked)
    }

    pub(super) fn is(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        let Some(value) = value else { return };
        self.stated(Some(condition.to_owned()));
        self.values.push(value.into());
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

    pub(super) fn values(self, limit: usize) -> Vec<Value> {
        let mut values = self.values;
        values.push(bounded(limit).into());
        values
    }
}

/// A list's limit as SQLite takes it.
pub(super) fn bounded(limit: usize) -> i64 {
    i64::try_from(limit.min(LIST)).unwrap_or(i64::MAX)
}

pub(super) fn story(db: &Connection, id: &str) -> Result<Vec<Story>, Error> {
    let sql = "SELECT order_id FROM aliases WHERE number = ?1 ORDER BY namespace LIMIT ?2";
    let ids: Vec<i64> = db
        .prepare_cached(sql)?
        .query_and_then(params![id, bounded(LIST)], |row| row.get(0))?
        .collect::<Result<_, rusqlite::Error>>()?;
    ids.into_iter().map(|id| story_of(db, id)).collect()
}

fn story_of(db: &Connection, id: i64) -> Result<Story, Error> {
    let found = enter::order(db, id)?;
    let sql = "SELECT id FROM postbacks WHERE order_id = ?1 ORDER BY id LIMIT ?2";
    let postbacks: Vec<i64> = db
        .prepare_cached(sql)?
        .query_and_then(params![id, bounded(LIST)], |row| row.get(0))?
        .collect::<Result<_, rusqlite::Error>>()?;
    let sql = "SELECT * FROM (SELECT * FROM transitions WHERE order_id = ?1
        ORDER BY id DESC LIMIT ?2) ORDER BY id";
    let history = db
        .prepare_cached(sql)?
        .query_and_then(params![id, bounded(HISTORY)], |row| row::transition(row))?
        .collect::<Result<_, _>>()?;
    Ok(Story {
        order: found.order,
        seen: u64::try_from(found.seen).unwrap_or(0),
        sightings: sightings(db, id)?,
        postbacks: postbacks
            .into_iter()
            .map(|id| told(db, id))
            .collect::<Result<_, _>>()?,
        history,
    })
}

fn sightings(db: &Connection, order: i64) -> Result<Vec<Seen>, Error> {
    let sql = "SELECT body, notes FROM sightings WHERE order_id = ?1 ORDER BY id LIMIT ?2";
    db.prepare_cached(sql)?
        .query_and_then(params![order, SIGHTINGS], |row| {
            let (body, notes): (String, String) = (row.get("body")?, row.get("notes")?);
            Ok(Seen {
                sighting: row::from_json("sightings.body", &body)?,
                notes: row::from_json("sightings.notes", &notes)?,
            })
        })?
        .collect()
}

/// One postback, if there is one.
pub(super) fn postback(db: &Connection, id: PostbackId) -> Result<Option<Postback>, Error> {
    let sql = format!("SELECT {} WHERE postbacks.id = ?1", row::POSTBACK);
    let found = db
        .prepare_cached(&sql)?
        .query_row([id], |row| Ok(row::postback(row)))
        .optional()?;
    found.transpose()
}

/// One postback with its attempts.
pub(super) fn told(db: &Connection, id: PostbackId) -> Result<Told, Error> {
    let postback = postback(db, id)?.ok_or(Error::NoPostback(id))?;
    let sql = format!(
        "SELECT * FROM (SELECT {} FROM attempts WHERE postback_id = ?1
         ORDER BY id DESC LIMIT ?2) ORDER BY id",
        row::ATTEMPT
    );
    let attempts = db
        .prepare_cached(&sql)?
        .query_and_then(params![id, bounded(HISTORY)], |row| row::attempt(row))?
        .collect::<Result<_, _>>()?;
    Ok(Told { postback, attempts })
}

pub(super) fn counts(db: &Connection) -> Result<Counts, Error> {
    let orders = |standing| {
        tally(
            db,
            "SELECT count(*) FROM orders WHERE standing = ?1",
            standing,
        )
    };
    Ok(Counts {
        credited: orders("credited")?,
        organic: orders("organic")?,
        held: orders("held")?,
        postbacks: count(db, &State::ALL)?,
    })
}

/// How many postbacks are in these states, by the index.
pub(super) fn count(db: &Connection, states: &[State]) -> Result<Vec<(State, u64)>, Error> {
    let sql = "SELECT count(*) FROM postbacks WHERE state = ?1";
    let count = |state: &State| Ok((*state, tally(db, sql, state.as_str())?));
    states.iter().map(count).collect()
}

fn tally(db: &Connection, sql: &str, word: &str) -> Result<u64, Error> {
    let count: i64 = db
        .prepare_cached(sql)?
        .query_row([word], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
