//! Steering, as the operator says.

use std::sync::Arc;

use rusqlite::{Connection, params};
use tokio::sync::Notify;

use super::send::{Change, note, note_by};
use super::{Sqlite, enter, find};
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::rival;
use crate::ledger::row::{self, to_word};
use crate::ledger::steer::{Moved, Refusal, Steer, Steered};
use crate::ledger::writer::Kind;
use crate::order::SALE;
use crate::postback::{PostbackId, State};

impl Sqlite {
    /// One commit.
    pub(in crate::ledger) async fn steer(
        &self,
        steer: Arc<Steer>,
        batch: Vec<PostbackId>,
        now: Time,
        due: Arc<Notify>,
    ) -> Result<Vec<Steered>, Error> {
        let again = steer.makes_due();
        let work = move |db: &Connection| {
            let steered = batch.iter().map(|id| {
                let done = one(db, &steer, *id, now)?;
                Ok(Steered { id: *id, done })
            });
            steered.collect()
        };
        let after = move |_: &Vec<Steered>| {
            if again {
                due.notify_one();
            }
        };
        self.writer.call(Kind::Write, work, after).await
    }
}

fn one(
    db: &Connection,
    steer: &Steer,
    id: PostbackId,
    now: Time,
) -> Result<Result<Moved, Refusal>, Error> {
    let Some(before) = find::postback(db, id)? else {
        return Ok(Err(Refusal::NoPostback(id)));
    };
    let was = before.state;
    let told = match steer.pays() {
        true => told(db, id)?,
        false => None,
    };
    let postback = match steer.moved(&before, told, now) {
        Ok(postback) => postback,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let doubt = postback
        .doubt
        .map(|doubt| to_word("postbacks.doubt", &doubt));
    let order: i64 = db
        .prepare_cached(
            "UPDATE postbacks SET state = ?2, due = ?3, doubt = ?4, cause = ?5, spent = ?6, lease = NULL
             WHERE id = ?1 RETURNING order_id",
        )?
        .query_row(
            params![
                id,
                postback.state.as_str(),
                postback.due.map(Time::millis),
                doubt.transpose()?,
                postback.cause,
                postback.spent,
            ],
            |row| row.get(0),
        )?;
    let change = Change {
        order,
        postback: Some(id),
        at: now,
        was: Some(was.as_str()),
        became: postback.state.as_str(),
        cause: postback.cause.as_deref(),
    };
    note_by(db, &change, Some(&steer.actor))?;
    if postback.event == SALE {
        turn(db, steer, order, now)?;
    }
    Ok(Ok(Moved { was, postback }))
}

/// A postback that tells of the same sale as this one: of another order of its id.
fn told(db: &Connection, id: PostbackId) -> Result<Option<PostbackId>, Error> {
    let sql = "SELECT order_id FROM postbacks WHERE id = ?1";
    let ours: i64 = db.prepare_cached(sql)?.query_row([id], |row| row.get(0))?;
    let sql = "SELECT DISTINCT theirs.order_id FROM aliases AS ours
        JOIN aliases AS theirs ON theirs.number = ours.number AND theirs.order_id <> ours.order_id
        WHERE ours.order_id = ?1 ORDER BY theirs.order_id";
    let others: Vec<i64> = db
        .prepare_cached(sql)?
        .query_map([ours], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if others.is_empty() {
        return Ok(None);
    }
    let ours = enter::order(db, ours)?.order;
    let sql = "SELECT id, state FROM postbacks WHERE order_id = ?1 AND event = ?2 ORDER BY id";
    let mut sales = db.prepare_cached(sql)?;
    for other in others {
        if !rival::is_one_sale(&ours, &enter::order(db, other)?.order) {
            continue;
        }
        let found = sales.query_and_then(params![other, SALE], |row| -> Result<_, Error> {
            Ok((row.get(0)?, row::state(row)?))
        })?;
        for sale in found {
            let (id, state) = sale?;
            if rival::is_told(state) {
                return Ok(Some(id));
            }
        }
    }
    Ok(None)
}

/// What becomes of the order's standing. What a webhook was told of it does not count.
fn turn(db: &Connection, steer: &Steer, order: i64, now: Time) -> Result<(), Error> {
    let sql = "SELECT standing, (SELECT count(*) FROM postbacks WHERE order_id = orders.id
          AND event = ?2 AND NOT (state = 'dead' AND attempts = 0)) AS alive FROM orders WHERE id = ?1";
    let (standing, alive): (String, i64) = db
        .prepare_cached(sql)?
        .query_row(params![order, SALE], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(became) = steer.turns(&standing, alive) else {
        return Ok(());
    };
    // It is closed: no later sighting finds it open to be credited.
    let sql = "UPDATE orders SET standing = ?2, doubt = NULL, why = ?3 || why, open_until = NULL
        WHERE id = ?1";
    db.prepare_cached(sql)?
        .execute(params![order, became, steer.before_why()])?;
    let cause = steer.cause();
    let change = Change {
        order,
        postback: None,
        at: now,
        was: Some(&standing),
        became,
        cause: Some(&cause),
    };
    note_by(db, &change, Some(&steer.actor))?;
    for webhook in steer.follows.told(became) {
        tell(db, order, (&webhook, became), now)?;
    }
    Ok(())
}

/// Owes a webhook the event that an order has come to this standing, for the first time or once more.
fn tell(
    db: &Connection,
    order: i64,
    (webhook, standing): (&str, &str),
    now: Time,
) -> Result<(), Error> {
    let sql = "INSERT INTO postbacks (order_id, destination, event, sequence, captured, amount, currency, state, at, due)
        SELECT id, ?2, ?3, (SELECT count(*) - 1 FROM transitions
            WHERE order_id = orders.id AND postback_id IS NULL AND became = ?3),
          '{}', amount, currency, 'due', ?4, ?4
        FROM orders WHERE id = ?1";
    db.prepare_cached(sql)?
        .execute(params![order, webhook, standing, now.millis()])?;
    let owed = Change {
        order,
        postback: Some(db.last_insert_rowid()),
        at: now,
        was: None,
        became: State::Due.as_str(),
        cause: None,
    };
    note(db, &owed)
}
