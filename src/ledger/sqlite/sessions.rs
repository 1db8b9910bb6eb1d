//! Sessions: with which visit each was seen, until its time is over.

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::row;
use crate::ledger::session::{BY_THE_WAY, Known, Session, Written};
use crate::session::Mark;
use crate::visit::Visit;

pub(super) fn remember(db: &Connection, sessions: &[Session]) -> Result<Vec<Written>, Error> {
    let written = sessions.iter().map(|session| remember_one(db, session));
    let written = written.collect::<Result<_, _>>()?;
    if let Some(now) = sessions.iter().map(|session| session.at).max() {
        sweep(db, now, BY_THE_WAY)?;
    }
    Ok(written)
}

fn remember_one(db: &Connection, session: &Session) -> Result<Written, Error> {
    let known = find(db, &session.marks, session.at)?;
    let (written, visit) = session.written(known);
    let text = visit
        .as_ref()
        .map(|visit| row::to_json("sessions.visit", visit));
    let text = text.transpose()?;
    for mark in session.written_under(visit.as_ref()) {
        write(db, mark, text.as_deref(), session)?;
    }
    Ok(written)
}

fn write(
    db: &Connection,
    mark: &Mark,
    visit: Option<&str>,
    session: &Session,
) -> Result<(), Error> {
    let sql = "INSERT INTO sessions (mark, visit, at, until) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (mark) DO UPDATE SET visit = excluded.visit, at = excluded.at, until = excluded.until";
    let (at, until) = (session.at.millis(), session.until.millis());
    db.prepare_cached(sql)?
        .execute(params![mark.to_string(), visit, at, until])?;
    Ok(())
}

/// What is known of it by all of its marks together.
pub(super) fn find(db: &Connection, marks: &[Mark], now: Time) -> Result<Known, Error> {
    let sql = "SELECT visit FROM sessions WHERE mark = ?1 AND until > ?2";
    let mut find = db.prepare_cached(sql)?;
    let mut known = Known::Nothing;
    for mark in marks {
        let found: Option<Option<String>> = find
            .query_row(params![mark.to_string(), now.millis()], |row| row.get(0))
            .optional()?;
        let Some(text) = found else { continue };
        let visit = text.map(|text| row::from_json::<Visit>("sessions.visit", &text));
        known = known.and(visit.transpose()?);
    }
    Ok(known)
}

/// Removes up to `limit` whose time is over; how many there were.
pub(super) fn sweep(db: &Connection, now: Time, limit: u64) -> Result<u64, Error> {
    let sql = "DELETE FROM sessions WHERE mark IN
        (SELECT mark FROM sessions WHERE until <= ?1 ORDER BY until LIMIT ?2)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let gone = db
        .prepare_cached(sql)?
        .execute(params![now.millis(), limit])?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

/// Closes up to `limit` orders whose time to be credited is over, and forgets who looked; how many there were.
pub(super) fn close(db: &Connection, now: Time, limit: u64) -> Result<u64, Error> {
    let sql = "UPDATE orders SET open_until = NULL, shopper = NULL WHERE id IN
        (SELECT id FROM orders WHERE open_until < ?1 ORDER BY open_until LIMIT ?2)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let closed = db
        .prepare_cached(sql)?
        .execute(params![now.millis(), limit])?;
    Ok(u64::try_from(closed).unwrap_or(u64::MAX))
}
