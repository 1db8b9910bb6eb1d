//! Sending: due → leased → sending → settled.

use rusqlite::{Connection, OptionalExtension, params};

use super::find;
use crate::actor::Actor;
use crate::clock::Time;
use crate::ledger::LIST;
use crate::ledger::error::Error;
use crate::ledger::row::{self, to_word};
use crate::ledger::story::Settlement;
use crate::name::NetworkName;
use crate::postback::{AttemptId, Postback, PostbackId, State};

pub(super) fn claim(
    db: &Connection,
    destination: &NetworkName,
    (now, until): (Time, Time),
    limit: usize,
) -> Result<Vec<Postback>, Error> {
    let sql = format!(
        "SELECT {} WHERE state = 'due' AND destination = ?3 AND due <= ?1
           AND (lease IS NULL OR lease <= ?1)
           AND NOT EXISTS (SELECT 1 FROM pauses WHERE destination = ?3)
           AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unaccepted')
         ORDER BY due, postbacks.id LIMIT ?2",
        row::POSTBACK
    );
    let limit = find::bounded(limit);
    let claimed: Vec<Postback> = db
        .prepare_cached(&sql)?
        .query_and_then(params![now.millis(), limit, destination.as_str()], |row| {
            row::postback(row)
        })?
        .collect::<Result<_, _>>()?;
    let mut lease = db.prepare_cached("UPDATE postbacks SET lease = ?2 WHERE id = ?1")?;
    for postback in &claimed {
        lease.execute(params![postback.id, until.millis()])?;
    }
    Ok(claimed)
}

pub(super) fn begin(
    db: &Connection,
    id: PostbackId,
    url: &str,
    now: Time,
) -> Result<AttemptId, Error> {
    let order: Option<i64> = db
        .prepare_cached(
            "UPDATE postbacks SET state = 'sending', due = NULL, attempts = attempts + 1
             WHERE id = ?1 AND state = 'due' AND lease IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM pauses WHERE destination = postbacks.destination)
               AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unaccepted')
             RETURNING order_id",
        )?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let Some(order) = order else {
        return Err(not_possible(db, id));
    };
    db.prepare_cached("INSERT INTO attempts (postback_id, begun, url) VALUES (?1, ?2, ?3)")?
        .execute(params![id, now.millis(), url])?;
    let attempt = db.last_insert_rowid();
    let change = Change {
        order,
        postback: Some(id),
        at: now,
        was: Some(State::Due.as_str()),
        became: State::Sending.as_str(),
        cause: None,
    };
    note(db, &change)?;
    Ok(attempt)
}

pub(super) fn settle(db: &Connection, end: &Settlement) -> Result<(), Error> {
    if end.state == State::Sending {
        return Err(Error::NotPossible {
            id: end.postback,
            state: State::Sending,
        });
    }
    let verdict = to_word("attempts.verdict", &end.outcome.verdict)?;
    let outcome = &end.outcome;
    let ended = db
        .prepare_cached(
            "UPDATE attempts SET ended = ?3, status = ?4, words = ?5, verdict = ?6
             WHERE id = ?1 AND postback_id = ?2 AND ended IS NULL",
        )?
        .execute(params![
            end.attempt,
            end.postback,
            outcome.at.millis(),
            outcome.status,
            outcome.words,
            verdict,
        ])?;
    if ended == 0 {
        return settle_late(db, end, &verdict);
    }
    let due = (end.state == State::Due).then(|| end.due.unwrap_or(outcome.at).millis());
    let order: i64 = db
        .prepare_cached(
            "UPDATE postbacks SET state = ?2, due = ?3, cause = ?4, doubt = ?5, lease = NULL
             WHERE id = ?1 RETURNING order_id",
        )?
        .query_row(
            params![
                end.postback,
                end.state.as_str(),
                due,
                end.cause,
                end.doubt_word()?
            ],
            |row| row.get(0),
        )?;
    let change = Change {
        order,
        postback: Some(end.postback),
        at: outcome.at,
        was: Some(State::Sending.as_str()),
        became: end.state.as_str(),
        cause: end.cause.as_deref(),
    };
    note(db, &change)
}

/// The answer to an attempt that was taken for interrupted. It says more than "unclear", so it
/// stands; and what was waiting for the operator or for a repeat is not sent again.
fn settle_late(db: &Connection, end: &Settlement, verdict: &str) -> Result<(), Error> {
    let outcome = &end.outcome;
    // Ended in doubt and without an answer: so end the interrupted, and no sender ends twice.
    let sql = "UPDATE attempts SET ended = ?3, status = ?4, words = ?5, verdict = ?6
         WHERE id = ?1 AND postback_id = ?2 AND verdict = 'unclear' AND status IS NULL";
    let late = params![
        end.attempt,
        end.postback,
        outcome.at.millis(),
        outcome.status,
        outcome.words,
        verdict,
    ];
    if !end.is_answer() || db.prepare_cached(sql)?.execute(late)? == 0 {
        return Err(Error::NotOpen(end.attempt));
    }
    let was = find::told(db, end.postback)?.postback.state;
    let late = end.late(was);
    let (waits, became, cause) = (late.is_some(), late.unwrap_or(was), end.late_cause());
    let sql =
        "UPDATE postbacks SET state = ?2, due = iif(?4, NULL, due), cause = iif(?4, ?3, cause),
         doubt = iif(?4, NULL, doubt), lease = iif(?4, NULL, lease) WHERE id = ?1 RETURNING order_id";
    let row = params![end.postback, became.as_str(), cause, waits];
    let order: i64 = db.prepare_cached(sql)?.query_row(row, |row| row.get(0))?;
    let change = Change {
        order,
        postback: Some(end.postback),
        at: outcome.at,
        was: Some(was.as_str()),
        became: became.as_str(),
        cause: Some(&cause),
    };
    note(db, &change)
}

pub(super) fn interrupted(db: &Connection, now: Time) -> Result<Vec<(Postback, AttemptId)>, Error> {
    let sql = format!(
        "SELECT attempts.id AS attempt, {} JOIN attempts ON attempts.postback_id = postbacks.id
         WHERE state = 'sending' AND attempts.ended IS NULL AND coalesce(lease, 0) <= ?1
         ORDER BY attempts.id LIMIT ?2",
        row::POSTBACK
    );
    db.prepare_cached(&sql)?
        .query_and_then(params![now.millis(), find::bounded(LIST)], |row| {
            Ok((row::postback(row)?, row.get("attempt")?))
        })?
        .collect()
}

pub(super) fn unclear(db: &Connection, before: Time) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM postbacks WHERE state = 'unclear' AND NOT EXISTS
        (SELECT 1 FROM attempts WHERE postback_id = postbacks.id AND ended > ?1)";
    let count: i64 = db.query_row(sql, [before.millis()], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// From one destination to the next by the index, however many postbacks each has; what is leased is
/// few, and found by its own (`+` keeps the other one away).
const WAITING: &str = "WITH RECURSIVE waits (destination) AS (
      SELECT min(destination) FROM postbacks INDEXED BY postbacks_waiting WHERE state = 'due'
      UNION ALL
      SELECT (SELECT min(destination) FROM postbacks INDEXED BY postbacks_waiting
              WHERE state = 'due' AND destination > waits.destination)
      FROM waits WHERE waits.destination IS NOT NULL)
    SELECT destination,
      (SELECT due FROM postbacks WHERE state = 'due' AND destination = waits.destination
         AND lease IS NULL ORDER BY due LIMIT 1) AS free,
      (SELECT min(max(due, lease)) FROM postbacks WHERE state = 'due'
         AND +destination = waits.destination AND lease IS NOT NULL) AS leased
    FROM waits WHERE destination IS NOT NULL AND destination NOT IN (SELECT destination FROM pauses)
      AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unaccepted')";

pub(super) fn waiting(db: &Connection) -> Result<Vec<(NetworkName, Time)>, Error> {
    let mut waiting = Vec::new();
    let mut found = db.prepare_cached(WAITING)?;
    let mut rows = found.query([])?;
    while let Some(row) = rows.next()? {
        let destination = row::destination(row)?;
        let times: [Option<i64>; 2] = [row.get("free")?, row.get("leased")?];
        let first = times.into_iter().flatten().min();
        waiting.extend(first.map(|at| (destination, Time::from_millis(at))));
    }
    Ok(waiting)
}

fn not_possible(db: &Connection, id: PostbackId) -> Error {
    match find::told(db, id) {
        Ok(told) => Error::NotPossible {
            id,
            state: told.postback.state,
        },
        Err(error) => error,
    }
}

/// A change to be kept.
pub(super) struct Change<'a> {
    pub(super) order: i64,
    pub(super) postback: Option<PostbackId>,
    pub(super) at: Time,
    pub(super) was: Option<&'a str>,
    pub(super) became: &'a str,
    pub(super) cause: Option<&'a str>,
}

pub(super) fn note(db: &Connection, change: &Change<'_>) -> Result<(), Error> {
    note_by(db, change, None)
}

/// Keeps a change that somebody made by hand.
pub(super) fn note_by(
    db: &Connection,
    change: &Change<'_>,
    actor: Option<&Actor>,
) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO transitions (order_id, postback_id, at, was, became, cause, actor)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        change.order,
        change.postback,
        change.at.millis(),
        change.was,
        change.became,
        change.cause,
        actor.map(Actor::as_str),
    ])?;
    Ok(())
}
