//! Pauses. No lock stands between them and attempts that begin: see [`release`].

use std::io;
use std::sync::Arc;

use super::connection::{Connection, Params};
use super::enter::clean;
use super::work::Pace;
use super::{Postgres, find};
use crate::actor::Actor;
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::pause::{self, PAUSE, PAUSED, Pause, WENT};
use crate::ledger::story::Unsettled;
use crate::name::NetworkName;

impl Postgres {
    pub(in crate::ledger) async fn pause(&self, pause: Pause) -> Result<Option<Pause>, Error> {
        let destination = pause.destination.clone();
        let key = || format!("p {destination}");
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => begin(db, &pause).await.map(Some),
        };
        let stands = self.write(key(), work, |_| {}).await?;
        let span = destination.clone();
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => release(db, &span).await.map(Some),
        };
        self.write(key(), work, |&()| {}).await?;
        Ok(stands)
    }

    pub(in crate::ledger) async fn go(
        &self,
        destination: NetworkName,
        actor: Actor,
        now: Time,
    ) -> Result<Option<Pause>, Error> {
        let key = format!("p {destination}");
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => end(db, &destination, &actor, now).await.map(Some),
        };
        self.write(key, work, |_| {}).await
    }

    pub(in crate::ledger) async fn pauses(&self) -> Result<Vec<Pause>, Error> {
        self.look(async |db: &Connection| all(db).await).await
    }

    pub(in crate::ledger) async fn unsettled(&self) -> Result<Vec<Unsettled>, Error> {
        self.look(async |db: &Connection| find::unsettled(db).await)
            .await
    }
}

/// The pause that stands already, if there is one: it stays as it is.
async fn begin(db: &Connection, pause: &Pause) -> Result<Option<Pause>, Error> {
    let sql = "INSERT INTO pauses (destination, at, actor, reason) VALUES ($1, $2, $3, $4)
        ON CONFLICT (destination) DO NOTHING";
    let (destination, at) = (pause.destination.as_str(), pause.at.millis());
    let (actor, reason) = (pause.actor.as_str(), clean(&pause.reason));
    let params: Params<'_> = &[&destination, &at, &actor, &reason];
    if db.run(sql, params).await? == 0 {
        // Lifted at this moment: whoever asks again finds nothing in the way.
        let lifted = || Error::Contended(Arc::new(io::Error::from(io::ErrorKind::NotFound)));
        return standing(db, destination)
            .await?
            .ok_or_else(lifted)
            .map(Some);
    }
    act(
        db,
        (pause.at, &pause.actor),
        PAUSED,
        (destination, Some(&reason)),
    )
    .await?;
    Ok(None)
}

/// Takes back what replicas have claimed of a paused destination; to be done when the pause is committed, and by
/// another commit. A statement that begins an attempt and does not see the pause began before that commit, so that its
/// postback was claimed before it, is seen here, and waited for; or it is begun after this, and finds no lease.
async fn release(db: &Connection, destination: &NetworkName) -> Result<(), Error> {
    let sql = "UPDATE postbacks SET lease = NULL
        WHERE state = 'due' AND destination = $1 AND lease IS NOT NULL";
    db.run(sql, &[&destination.as_str()]).await?;
    Ok(())
}

/// The pause that was lifted, if there was one.
async fn end(
    db: &Connection,
    destination: &NetworkName,
    actor: &Actor,
    now: Time,
) -> Result<Option<Pause>, Error> {
    let destination = destination.as_str();
    let sql = format!("DELETE FROM pauses WHERE destination = $1 RETURNING {PAUSE}");
    let Some(row) = db.row(&sql, &[&destination]).await? else {
        return Ok(None);
    };
    act(db, (now, actor), WENT, (destination, None)).await?;
    pause::read(&row).map(Some)
}

async fn all(db: &Connection) -> Result<Vec<Pause>, Error> {
    let sql = format!("SELECT {PAUSE} FROM pauses ORDER BY destination COLLATE \"C\"");
    let rows = db.rows(&sql, &[]).await?;
    rows.iter().map(|row| pause::read(row)).collect()
}

async fn standing(db: &Connection, destination: &str) -> Result<Option<Pause>, Error> {
    let sql = format!("SELECT {PAUSE} FROM pauses WHERE destination = $1");
    let row = db.row(&sql, &[&destination]).await?;
    row.map(|row| pause::read(&row)).transpose()
}

async fn act(
    db: &Connection,
    (at, actor): (Time, &Actor),
    verb: &str,
    (subject, reason): (&str, Option<&str>),
) -> Result<(), Error> {
    let sql = "INSERT INTO actions (at, actor, verb, subject, reason) VALUES ($1, $2, $3, $4, $5)";
    let params: Params<'_> = &[&at.millis(), &actor.as_str(), &verb, &subject, &reason];
    db.run(sql, params).await?;
    Ok(())
}
