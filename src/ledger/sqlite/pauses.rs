//! Pauses. A write that begins after a pause was committed sees it: the file has one writer at a time.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Sqlite, find};
use crate::actor::Actor;
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::pause::{self, PAUSE, PAUSED, Pause, WENT};
use crate::ledger::story::Unsettled;
use crate::name::NetworkName;

impl Sqlite {
    pub(in crate::ledger) async fn pause(&self, pause: Pause) -> Result<Option<Pause>, Error> {
        self.write(move |db| begin(db, &pause)).await
    }

    pub(in crate::ledger) async fn go(
        &self,
        destination: NetworkName,
        actor: Actor,
        now: Time,
    ) -> Result<Option<Pause>, Error> {
        self.write(move |db| end(db, &destination, &actor, now))
            .await
    }

    pub(in crate::ledger) async fn pauses(&self) -> Result<Vec<Pause>, Error> {
        self.look(all).await
    }

    pub(in crate::ledger) async fn unsettled(&self) -> Result<Vec<Unsettled>, Error> {
        self.look(find::unsettled).await
    }
}

/// The pause that stands already, if there is one: it stays as it is.
fn begin(db: &Connection, pause: &Pause) -> Result<Option<Pause>, Error> {
    let destination = pause.destination.as_str();
    if let Some(stands) = standing(db, destination)? {
        return Ok(Some(stands));
    }
    let sql = "INSERT INTO pauses (destination, at, actor, reason) VALUES (?1, ?2, ?3, ?4)";
    let (at, actor) = (pause.at.millis(), pause.actor.as_str());
    db.prepare_cached(sql)?
        .execute(params![destination, at, actor, pause.reason])?;
    let sql = "UPDATE postbacks SET lease = NULL
        WHERE state = 'due' AND destination = ?1 AND lease IS NOT NULL";
    db.prepare_cached(sql)?.execute([destination])?;
    act(
        db,
        (pause.at, &pause.actor),
        PAUSED,
        (destination, Some(&pause.reason)),
    )?;
    Ok(None)
}

/// The pause that was lifted, if there was one.
fn end(
    db: &Connection,
    destination: &NetworkName,
    actor: &Actor,
    now: Time,
) -> Result<Option<Pause>, Error> {
    let destination = destination.as_str();
    let Some(stood) = standing(db, destination)? else {
        return Ok(None);
    };
    let sql = "DELETE FROM pauses WHERE destination = ?1";
    db.prepare_cached(sql)?.execute([destination])?;
    act(db, (now, actor), WENT, (destination, None))?;
    Ok(Some(stood))
}

fn all(db: &Connection) -> Result<Vec<Pause>, Error> {
    let sql = format!("SELECT {PAUSE} FROM pauses ORDER BY destination");
    db.prepare_cached(&sql)?
        .query_and_then([], |row| pause::read(row))?
        .collect()
}

fn standing(db: &Connection, destination: &str) -> Result<Option<Pause>, Error> {
    let sql = format!("SELECT {PAUSE} FROM pauses WHERE destination = ?1");
    db.prepare_cached(&sql)?
        .query_row([destination], |row| Ok(pause::read(row)))
        .optional()?
        .transpose()
}

fn act(
    db: &Connection,
    (at, actor): (Time, &Actor),
    verb: &str,
    (subject, reason): (&str, Option<&str>),
) -> Result<(), Error> {
    let sql = "INSERT INTO actions (at, actor, verb, subject, reason) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?
        .execute(params![at.millis(), actor.as_str(), verb, subject, reason])?;
    Ok(())
}
