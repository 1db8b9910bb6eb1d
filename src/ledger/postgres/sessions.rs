//! Sessions: with which visit each was seen, by whichever replica, until its time is over.

use std::collections::{BTreeMap, BTreeSet};

use super::connection::Connection;
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::row::{self, Columns as _};
use crate::ledger::session::{BY_THE_WAY, Known, Session, Written};
use crate::session::Mark;
use crate::visit::Visit;

/// What is known by each mark.
type Rows = BTreeMap<String, Kept>;

/// A row, as it is there or is to be written.
struct Kept {
    visit: Option<String>,
    until: i64,
    /// Since when it is so, if it is to be written.
    written: Option<i64>,
}

/// Of two replicas that hear of one session, the second sees what the first wrote: both lock all of its marks.
pub(super) async fn remember(db: &Connection, sessions: &[Session]) -> Result<Vec<Written>, Error> {
    let Some(now) = sessions.iter().map(|session| session.at).max() else {
        return Ok(Vec::new());
    };
    let mut rows = locked(db, sessions).await?;
    let mut written = Vec::with_capacity(sessions.len());
    for session in sessions {
        let known = known(&rows, &session.marks, session.at)?;
        let (outcome, visit) = session.written(known);
        let text = visit
            .as_ref()
            .map(|visit| row::to_json("sessions.visit", visit));
        let text = text.transpose()?;
        for mark in session.written_under(visit.as_ref()) {
            let kept = Kept {
                visit: text.clone(),
                until: session.until.millis(),
                written: Some(session.at.millis()),
            };
            rows.insert(mark.to_string(), kept);
        }
        written.push(outcome);
    }
    write(db, &rows).await?;
    sweep(db, now, BY_THE_WAY).await?;
    Ok(written)
}

/// The rows of all of these sessions, which are this transaction's from now on. One that is not there yet cannot be
/// locked: so it is made, with a time that is over, and written with the rest or swept.
///
/// Whoever takes several locks takes them in one order, here by one statement: replicas whose keys stand in another
/// order, as while keys are changed, would otherwise wait for each other in a circle.
async fn locked(db: &Connection, sessions: &[Session]) -> Result<Rows, Error> {
    let marks = sessions.iter().flat_map(|session| &session.marks);
    let marks: BTreeSet<String> = marks.map(Mark::to_string).collect();
    let marks: Vec<String> = marks.into_iter().collect();
    let sql = "INSERT INTO sessions (mark, at, until)
        SELECT one.mark, 0, 0 FROM unnest($1::text[]) AS one (mark) ORDER BY one.mark
        ON CONFLICT (mark) DO UPDATE SET mark = excluded.mark RETURNING mark, visit, until";
    read(&db.rows(sql, &[&marks]).await?)
}

fn read(rows: &[tokio_postgres::Row]) -> Result<Rows, Error> {
    let read = |row: &tokio_postgres::Row| {
        let kept = Kept {
            visit: row.maybe_text("visit")?,
            until: row.number("until")?,
            written: None,
        };
        Ok((row.text("mark")?, kept))
    };
    rows.iter().map(read).collect()
}

/// What is known of a session by all of its marks together.
fn known(rows: &Rows, marks: &[Mark], now: Time) -> Result<Known, Error> {
    let mut known = Known::Nothing;
    let kept = marks.iter().filter_map(|mark| rows.get(&mark.to_string()));
    for kept in kept.filter(|kept| kept.until > now.millis()) {
        let visit = kept.visit.as_deref();
        let visit = visit.map(|text| row::from_json::<Visit>("sessions.visit", text));
        known = known.and(visit.transpose()?);
    }
    Ok(known)
}

async fn write(db: &Connection, rows: &Rows) -> Result<(), Error> {
    let (mut marks, mut visits) = (Vec::new(), Vec::new());
    let (mut times, mut untils) = (Vec::new(), Vec::new());
    for (mark, kept) in rows {
        let Some(at) = kept.written else { continue };
        marks.push(mark.as_str());
        visits.push(kept.visit.as_deref());
        times.push(at);
        untils.push(kept.until);
    }
    let sql = "INSERT INTO sessions (mark, visit, at, until)
        SELECT new.mark, new.visit, new.at, new.until
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS new (mark, visit, at, until)
        ORDER BY new.mark
        ON CONFLICT (mark) DO UPDATE SET visit = excluded.visit, at = excluded.at, until = excluded.until";
    db.run(sql, &[&marks, &visits, &times, &untils]).await?;
    Ok(())
}

/// What is known at `now` of the session that has these marks.
pub(super) async fn find(db: &Connection, marks: &[Mark], now: Time) -> Result<Known, Error> {
    let sql = "SELECT mark, visit, until FROM sessions WHERE mark = ANY ($1)";
    let texts: Vec<String> = marks.iter().map(Mark::to_string).collect();
    known(&read(&db.rows(sql, &[&texts]).await?)?, marks, now)
}

/// Removes up to `limit` whose time is over; how many there were. What another replica writes, or sweeps, is passed over.
pub(super) async fn sweep(db: &Connection, now: Time, limit: u64) -> Result<u64, Error> {
    let sql = "DELETE FROM sessions WHERE mark IN
        (SELECT mark FROM sessions WHERE until <= $1 ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.run(sql, &[&now.millis(), &limit]).await
}

/// Closes up to `limit` orders whose time to be credited is over, and forgets who looked; how many there were.
pub(super) async fn close(db: &Connection, now: Time, limit: u64) -> Result<u64, Error> {
    let sql = "UPDATE orders SET open_until = NULL, shopper = NULL WHERE id IN
        (SELECT id FROM orders WHERE open_until < $1 ORDER BY open_until LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.run(sql, &[&now.millis(), &limit]).await
}
