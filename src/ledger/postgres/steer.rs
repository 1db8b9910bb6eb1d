//! Steering, as the operator says: a batch by a handful of statements, however many postbacks are in it.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::Postgres;
use super::connection::{Connection, Params};
use super::rivals::Pairs;
use super::work::Pace;
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::row::{self, Columns as _, to_word};
use crate::ledger::steer::{Moved, Refusal, Steer, Steered};
use crate::order::SALE;
use crate::postback::{Postback, PostbackId};

/// Its place in a group: after the orders, which it locks first too.
const KEY: &str = "a~";

/// Owes webhooks the event that orders have come to a standing, for the first time or once more.
const TOLD: &str = "WITH told AS (
    INSERT INTO postbacks (order_id, destination, event, sequence, captured, amount, currency, state, at, due)
    SELECT orders.id, webhook.name, $3::text, (SELECT count(*) - 1 FROM transitions
        WHERE order_id = orders.id AND postback_id IS NULL AND became = $3::text),
      '{}', orders.amount, orders.currency, 'due', $4::bigint, $4::bigint
    FROM orders CROSS JOIN unnest($2::text[]) AS webhook (name) WHERE orders.id = ANY ($1)
    ORDER BY orders.id, webhook.name RETURNING id, order_id
  )
  INSERT INTO transitions (order_id, postback_id, at, became)
  SELECT order_id, id, $4::bigint, 'due' FROM told ORDER BY id";

impl Postgres {
    /// One commit.
    pub(in crate::ledger) async fn steer(
        &self,
        steer: Arc<Steer>,
        batch: Vec<PostbackId>,
        now: Time,
        due: Arc<Notify>,
    ) -> Result<Vec<Steered>, Error> {
        let again = steer.makes_due();
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => all(db, &steer, &batch, now).await.map(Some),
        };
        let after = move |_: &Vec<Steered>| {
            if again {
                due.notify_one();
            }
        };
        self.write(KEY.to_owned(), work, after).await
    }
}

async fn all(
    db: &Connection,
    steer: &Steer,
    batch: &[PostbackId],
    now: Time,
) -> Result<Vec<Steered>, Error> {
    let pairs = match steer.pays() {
        true => Pairs::of(db, batch).await?,
        false => Pairs::NONE,
    };
    let mut before = locked(db, batch, &pairs.others()).await?;
    let mut rivals = pairs.rivals(db).await?;
    let (mut moved, mut due) = (Vec::new(), Vec::new());
    let steered = batch.iter().map(|&id| {
        let done = match before.remove(&id) {
            None => Err(Refusal::NoPostback(id)),
            Some(was) => {
                let moved = steer.moved(&was, rivals.told(id), now);
                moved.map(|postback| Moved {
                    was: was.state,
                    postback,
                })
            }
        };
        if let Ok(one) = &done {
            if steer.pays() {
                rivals.tells(id);
            }
            moved.push(id);
            due.push(one.postback.due.map(Time::millis));
        }
        Steered { id, done }
    });
    let steered: Vec<Steered> = steered.collect();
    if !moved.is_empty() {
        write(db, steer, (&moved, &due), now).await?;
        turn(db, steer, &moved, now).await?;
    }
    Ok(steered)
}

/// The postbacks as they stand, which nobody else changes until the commit, nor those of these `others`. Orders first,
/// as one more sighting locks them.
async fn locked(
    db: &Connection,
    batch: &[PostbackId],
    others: &[i64],
) -> Result<HashMap<PostbackId, Postback>, Error> {
    let sql =
        "SELECT id FROM orders WHERE id IN (SELECT order_id FROM postbacks WHERE id = ANY ($1)) OR id = ANY ($2)
        ORDER BY id FOR NO KEY UPDATE";
    db.rows(sql, &[&batch, &others]).await?;
    let sql = format!(
        "SELECT {} WHERE postbacks.id = ANY ($1) ORDER BY postbacks.id FOR NO KEY UPDATE OF postbacks",
        row::POSTBACK
    );
    let rows = db.rows(&sql, &[&batch]).await?;
    let postbacks = rows.iter().map(|row| {
        let postback = row::postback(row)?;
        Ok((postback.id, postback))
    });
    postbacks.collect()
}

/// The changes are noted first: what a postback was stands in its row until then.
async fn write(
    db: &Connection,
    steer: &Steer,
    (moved, due): (&[PostbackId], &[Option<i64>]),
    now: Time,
) -> Result<(), Error> {
    let (became, cause) = (steer.action.becomes().as_str(), steer.cause());
    let (at, actor) = (now.millis(), steer.actor.as_str());
    let sql = "INSERT INTO transitions (order_id, postback_id, at, was, became, cause, actor)
        SELECT order_id, id, $2::bigint, state, $3::text, $4::text, $5::text
        FROM postbacks WHERE id = ANY ($1) ORDER BY id";
    db.run(sql, &[&moved, &at, &became, &cause, &actor]).await?;
    let doubt = steer
        .doubt()
        .map(|doubt| to_word("postbacks.doubt", &doubt));
    let doubt = doubt.transpose()?;
    let anew = steer.anew();
    let sql =
        "UPDATE postbacks SET state = $2, due = moved.due, doubt = $4, cause = $5, lease = NULL,
          spent = CASE WHEN $6 THEN attempts ELSE spent END
        FROM unnest($1::bigint[], $3::bigint[]) AS moved (id, due) WHERE postbacks.id = moved.id";
    let params: Params<'_> = &[&moved, &became, &due, &doubt, &cause, &anew];
    db.run(sql, params).await?;
    Ok(())
}

/// What becomes of their orders' standing. What a webhook was told of them does not count.
async fn turn(
    db: &Connection,
    steer: &Steer,
    moved: &[PostbackId],
    now: Time,
) -> Result<(), Error> {
    let sql = "SELECT id, standing, (SELECT count(*) FROM postbacks WHERE order_id = orders.id
          AND event = $2 AND NOT (state = 'dead' AND attempts = 0)) AS alive FROM orders
        WHERE id IN (SELECT order_id FROM postbacks WHERE id = ANY ($1) AND event = $2)";
    let (mut turned, mut became) = (Vec::new(), None);
    for row in db.rows(sql, &[&moved, &SALE]).await? {
        let standing = row.text("standing")?;
        if let Some(standing) = steer.turns(&standing, row.number("alive")?) {
            turned.push(row.number("id")?);
            became = Some(standing);
        }
    }
    // One action turns every order that it turns to the same.
    let Some(became) = became else { return Ok(()) };
    let (at, cause, actor) = (now.millis(), steer.cause(), steer.actor.as_str());
    let sql = "INSERT INTO transitions (order_id, at, was, became, cause, actor)
        SELECT id, $2::bigint, standing, $3::text, $4::text, $5::text
        FROM orders WHERE id = ANY ($1) ORDER BY id";
    db.run(sql, &[&turned, &at, &became, &cause, &actor])
        .await?;
    // They are closed: no later sighting finds them open to be credited.
    let sql =
        "UPDATE orders SET standing = $2, doubt = NULL, why = $3::text || why, open_until = NULL
        WHERE id = ANY ($1)";
    db.run(sql, &[&turned, &became, &steer.before_why()])
        .await?;
    let told = steer.follows.told(became);
    if !told.is_empty() {
        let params: Params<'_> = &[&turned, &told, &became, &at];
        db.run(TOLD, params).await?;
    }
    Ok(())
}
