//! Sending: due → leased → sending → settled.
//!
//! Several replicas claim from one ledger. A row that one of them is about to take is passed over by the others
//! (`SKIP LOCKED`, which `CockroachDB` and `YugabyteDB` have too).

use super::clock::Clock;
use super::connection::Connection;
use super::enter::clean;
use super::find;
use super::work::Pace;
use crate::clock::Time;
use crate::ledger::LIST;
use crate::ledger::error::Error;
use crate::ledger::row::{self, Columns as _, to_word};
use crate::ledger::story::Settlement;
use crate::name::NetworkName;
use crate::postback::{AttemptId, Postback, PostbackId, State};

pub(super) async fn claim(
    db: &Connection,
    clock: &Clock,
    destination: &NetworkName,
    (now, until): (Time, Time),
    limit: usize,
) -> Result<Vec<Postback>, Error> {
    let sql = "UPDATE postbacks SET lease = $2 WHERE id IN (
          SELECT id FROM postbacks
          WHERE state = 'due' AND destination = $5 AND due <= $1
            AND (lease IS NULL OR lease <= $3)
            AND NOT EXISTS (SELECT 1 FROM pauses WHERE destination = $5)
            AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unaccepted')
          ORDER BY due, id LIMIT $4 FOR UPDATE SKIP LOCKED)
        RETURNING id";
    let (until, theirs) = (clock.theirs(until).millis(), clock.theirs(now).millis());
    let limit = find::bounded(limit);
    let destination = destination.as_str();
    let params: super::connection::Params<'_> =
        &[&now.millis(), &until, &theirs, &limit, &destination];
    let claimed = db.rows(sql, params).await?;
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = claimed
        .iter()
        .map(|row| row.number("id"))
        .collect::<Result<_, _>>()?;
    let sql = format!(
        "SELECT {} WHERE postbacks.id = ANY ($1) ORDER BY due, postbacks.id",
        row::POSTBACK
    );
    let rows = db.rows(&sql, &[&ids]).await?;
    rows.iter().map(|row| row::postback(row)).collect()
}

/// Only what is claimed and due is begun, by one statement: of two who hold the same postback one sends.
pub(super) async fn begin(
    db: &Connection,
    id: PostbackId,
    (url, now): (&str, Time),
    pace: Pace,
) -> Result<Option<AttemptId>, Error> {
    let sql = "WITH begun AS (
          UPDATE postbacks SET state = 'sending', due = NULL, attempts = attempts + 1
          WHERE id = $1 AND state = 'due' AND lease IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM pauses WHERE destination = postbacks.destination)
            AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unaccepted')
          RETURNING id, order_id
        ), change AS (
          INSERT INTO transitions (order_id, postback_id, at, was, became)
          SELECT order_id, id, $2::bigint, 'due', 'sending' FROM begun
        )
        INSERT INTO attempts (postback_id, begun, url) SELECT id, $2::bigint, $3::text FROM begun RETURNING id";
    let begun = db.row(sql, &[&id, &now.millis(), &clean(url)]).await?;
    match (begun, pace) {
        (Some(row), _) => row.number("id").map(Some),
        (None, Pace::Together) => Ok(None),
        (None, Pace::Alone) => {
            let state = find::told(db, id).await?.postback.state;
            Err(Error::NotPossible { id, state })
        }
    }
}

pub(super) async fn settle(
    db: &Connection,
    end: &Settlement,
    pace: Pace,
) -> Result<Option<()>, Error> {
    if end.state == State::Sending {
        return Err(Error::NotPossible {
            id: end.postback,
            state: State::Sending,
        });
    }
    let sql = "WITH ended AS (
          UPDATE attempts SET ended = $3::bigint, status = $4::bigint, words = $5::text, verdict = $6::text
          WHERE id = $1 AND postback_id = $2 AND ended IS NULL RETURNING postback_id
        ), moved AS (
          UPDATE postbacks SET state = $7::text, due = $8::bigint, cause = $9::text, doubt = $10::text, lease = NULL
          FROM ended WHERE postbacks.id = ended.postback_id RETURNING postbacks.id, postbacks.order_id
        )
        INSERT INTO transitions (order_id, postback_id, at, was, became, cause)
        SELECT order_id, id, $3::bigint, 'sending', $7::text, $9::text FROM moved RETURNING id";
    let outcome = &end.outcome;
    let due = (end.state == State::Due).then(|| end.due.unwrap_or(outcome.at).millis());
    let settled = db
        .row(
            sql,
            &[
                &end.attempt,
                &end.postback,
                &outcome.at.millis(),
                &outcome.status.map(i64::from),
                &clean(&outcome.words),
                &to_word("attempts.verdict", &outcome.verdict)?,
                &end.state.as_str(),
                &due,
                &end.cause.as_deref().map(clean),
                &end.doubt_word()?,
            ],
        )
        .await?;
    match (settled, pace) {
        (Some(_row), _) => Ok(Some(())),
        (None, Pace::Together) => Ok(None),
        (None, Pace::Alone) => settle_late(db, end).await.map(Some),
    }
}

/// The answer to an attempt that was taken for interrupted. It says more than "unclear", so it
/// stands; and what was waiting for the operator or for a repeat is not sent again.
async fn settle_late(db: &Connection, end: &Settlement) -> Result<(), Error> {
    let outcome = &end.outcome;
    if !end.is_answer() {
        return Err(Error::NotOpen(end.attempt));
    }
    // Ended in doubt and without an answer: so end the interrupted, and no sender ends twice.
    let sql = "UPDATE attempts SET ended = $3, status = $4, words = $5, verdict = $6
        WHERE id = $1 AND postback_id = $2 AND verdict = 'unclear' AND status IS NULL";
    let ended = db
        .run(
            sql,
            &[
                &end.attempt,
                &end.postback,
                &outcome.at.millis(),
                &outcome.status.map(i64::from),
                &clean(&outcome.words),
                &to_word("attempts.verdict", &outcome.verdict)?,
            ],
        )
        .await?;
    if ended == 0 {
        return Err(Error::NotOpen(end.attempt));
    }
    let (order, was) = locked(db, end.postback).await?;
    let late = end.late(was);
    let (waits, became, cause) = (late.is_some(), late.unwrap_or(was), end.late_cause());
    if waits {
        let sql = "UPDATE postbacks SET state = $2, due = NULL, doubt = NULL, cause = $3, lease = NULL WHERE id = $1";
        let params: super::connection::Params<'_> =
            &[&end.postback, &became.as_str(), &clean(&cause)];
        db.run(sql, params).await?;
    }
    let change = Change {
        order,
        postback: Some(end.postback),
        at: outcome.at,
        was: Some(was.as_str()),
        became: became.as_str(),
        cause: Some(&cause),
    };
    note(db, &change).await
}

/// A postback's order and state, which nobody else changes until the commit.
async fn locked(db: &Connection, id: PostbackId) -> Result<(i64, State), Error> {
    let sql = "SELECT order_id, state FROM postbacks WHERE id = $1 FOR UPDATE";
    let row = db.row(sql, &[&id]).await?.ok_or(Error::NoPostback(id))?;
    Ok((row.number("order_id")?, row::state(&row)?))
}

pub(super) async fn interrupted(
    db: &Connection,
    clock: &Clock,
    now: Time,
) -> Result<Vec<(Postback, AttemptId)>, Error> {
    let sql = format!(
        "SELECT attempts.id AS attempt, {} JOIN attempts ON attempts.postback_id = postbacks.id
         WHERE state = 'sending' AND attempts.ended IS NULL AND coalesce(lease, 0) <= $1
         ORDER BY attempts.id LIMIT $2",
        row::POSTBACK
    );
    let theirs = clock.theirs(now).millis();
    let rows = db.rows(&sql, &[&theirs, &find::bounded(LIST)]).await?;
    rows.iter()
        .map(|row| Ok((row::postback(row)?, row.number("attempt")?)))
        .collect()
}

pub(super) async fn unclear(db: &Connection, before: Time) -> Result<u64, Error> {
    let sql = "SELECT count(*) AS count FROM postbacks WHERE state = 'unclear' AND NOT EXISTS
        (SELECT 1 FROM attempts WHERE postback_id = postbacks.id AND ended > $1)";
    let row = db.row(sql, &[&before.millis()]).await?;
    let count = row.map_or(Ok(0), |row| row.number("count"))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// From one destination to the next by the index, however many postbacks each has. What comes before the first
/// that nobody has is leased, and few; a lease behind it ends no sooner than that one is due.
const WAITING: &str = "WITH RECURSIVE waits (destination) AS (
    (SELECT destination FROM postbacks WHERE state = 'due' ORDER BY destination LIMIT 1)
    UNION ALL
    SELECT (SELECT destination FROM postbacks
            WHERE state = 'due' AND destination > waits.destination ORDER BY destination LIMIT 1)
    FROM waits WHERE waits.destination IS NOT NULL
  ), firsts AS (
    SELECT destination, (SELECT due FROM postbacks
        WHERE state = 'due' AND destination = waits.destination AND lease IS NULL
        ORDER BY due, id LIMIT 1) AS free
    FROM waits WHERE destination IS NOT NULL AND destination NOT IN (SELECT destination FROM pauses)
      AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unaccepted')
  )
  SELECT destination, free, (SELECT min(greatest(due, lease - $1)) FROM (
      SELECT due, lease FROM postbacks
      WHERE state = 'due' AND destination = firsts.destination
        AND due <= coalesce(firsts.free, 9223372036854775807)
      ORDER BY due, id LIMIT 1000) AS before WHERE lease IS NOT NULL) AS leased
  FROM firsts";

/// Every destination for which something is due, with the time of its first.
pub(super) async fn waiting(
    db: &Connection,
    clock: &Clock,
) -> Result<Vec<(NetworkName, Time)>, Error> {
    let rows = db.rows(WAITING, &[&clock.skew()]).await?;
    let mut waiting = Vec::with_capacity(rows.len());
    for row in &rows {
        let times = [row.maybe_number("free")?, row.maybe_number("leased")?];
        let first = times.into_iter().flatten().min();
        let destination = row::destination(row)?;
        waiting.extend(first.map(|at| (destination, Time::from_millis(at))));
    }
    Ok(waiting)
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

pub(super) async fn note(db: &Connection, change: &Change<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO transitions (order_id, postback_id, at, was, became, cause)
        VALUES ($1, $2, $3, $4, $5, $6)";
    db.run(
        sql,
        &[
            &change.order,
            &change.postback,
            &change.at.millis(),
            &change.was,
            &change.became,
            &change.cause.map(clean),
        ],
    )
    .await?;
    Ok(())
}
