//! Sessions: with which visit each was seen, until its time is over.

use rusqlite::{Connection, OptionalExtension, params};

use super::row;
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::session::{Known, Session, Written};
use crate::session::Mark;
use crate::visit::Visit;

/// Most that one piece of work sweeps away, so that no order waits for long.
pub(super) const SWEPT: u64 = 1000;

/// Swept by the way, with every piece of work that remembers: more than it adds.
const BY_THE_WAY: u64 = 64;

pub(super) fn remember(db: &Connection, sessions: &[Session]) -> Result<Vec<Written>, Error> {
    let written = sessions.iter().map(|session| remember_one(db, session));
    let written = written.collect::<Result<_, _>>()?;
    if let Some(now) = sessions.iter().map(|session| session.at).max() {
        sweep(db, now, BY_THE_WAY)?;
    }
    Ok(written)
}

fn remember_one(db: &Connection, session: &Session) -> Result<Written, Error> {
    let (written, visit) = match find(db, &session.marks, session.at)? {
        Known::Shared => (Written::SharedBefore, None),
        Known::Visit(visit) if !visit.credits_as(&session.visit) => (Written::Shared, None),
        Known::Visit(visit) => (Written::Remembered, Some(newer(visit, &session.visit))),
        Known::Nothing => (Written::Remembered, Some(session.visit.clone())),
    };
    let visit = visit.map(|visit| row::to_json("sessions.visit", &visit));
    let visit = visit.transpose()?;
    let mut marks = session.marks.iter();
    if let Some(first) = marks.next() {
        write(db, first, visit.as_deref(), session)?;
    }
    if visit.is_none() {
        // Whoever knows the older keys only finds it there.
        for older in marks {
            write(db, older, None, session)?;
        }
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

/// Requests may overtake one another: the visit with the newest click is the visit as it is.
fn newer(known: Visit, now: &Visit) -> Visit {
    let newest = |visit: &Visit| visit.clicks.iter().map(|click| click.at).max();
    if newest(&known) > newest(now) {
        return known;
    }
    now.clone()
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
        let visit: Visit = match found {
            None => continue,
            Some(None) => return Ok(Known::Shared),
            Some(Some(text)) => row::from_json("sessions.visit", &text)?,
        };
        known = match known {
            Known::Visit(other) if !other.credits_as(&visit) => return Ok(Known::Shared),
            Known::Visit(other) => Known::Visit(newer(other, &visit)),
            _ => Known::Visit(visit),
        };
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
