//! Whether the database's is the ledger that it was, and whose it is.

use super::connection::Connection;
use super::enter::clean;
use super::schema::meta;
use super::tables::put;
use super::work::Pace;
use super::{Postgres, known};
use crate::clock::Time;
use crate::ledger::custody::{Custody, Now, Recorded, Unaccepted, Whose};
use crate::ledger::error::Error;
use crate::ledger::known::Deed;
use crate::ledger::row::{self, Columns as _};
use crate::ledger::witness::{Begun, Facts};
use crate::order::OrderKey;

/// Refuses another configuration's ledger, before anything of it is changed.
pub(super) async fn refuse_foreign(db: &Connection, custody: &Custody) -> Result<(), Error> {
    match custody.is_foreign(&recorded(db).await?) {
        Some(why) => Err(Error::NotOurs { why }),
        None => Ok(()),
    }
}

/// Takes the ledger into custody at each connection: its owner is written down, and it is held if it is not the one that
/// was seen. Several replicas may find that; the first one's words stand.
pub(super) async fn take(db: &Connection, custody: &Custody, now: Time) -> Result<(), Error> {
    if let Some(whose) = &custody.whose {
        record(db, whose).await?;
    }
    let stands = stands(db, &custody.sought()).await?;
    if let Some(why) = custody.doubt(&stands) {
        let held = row::to_json("meta.unaccepted", &Unaccepted { at: now, why })?;
        let sql =
            "INSERT INTO meta (key, value) VALUES ('unaccepted', $1) ON CONFLICT (key) DO NOTHING";
        db.run(sql, &[&clean(&held)]).await?;
    }
    Ok(())
}

/// Has the witness go by the ledger as it stands, unless it is held. Before anything is sent by it.
pub(super) async fn trust(db: &Connection, custody: &Custody, now: Time) -> Result<(), Error> {
    let Some(witness) = &custody.witness else {
        return Ok(());
    };
    if unaccepted(db).await?.is_some() {
        witness.doubt();
        return Ok(());
    }
    witness.trust(stands(db, &Facts::default()).await?.facts, now);
    witness.write();
    Ok(())
}

impl Postgres {
    pub(in crate::ledger) async fn unaccepted(&self) -> Result<Option<Unaccepted>, Error> {
        self.look(async |db: &Connection| unaccepted(db).await)
            .await
    }

    pub(in crate::ledger) async fn stands(&self, sought: Facts) -> Result<(Now, Recorded), Error> {
        self.look(async move |db: &Connection| {
            Ok((stands(db, &sought).await?, recorded(db).await?))
        })
        .await
    }

    pub(in crate::ledger) async fn accept(
        &self,
        whose: Option<Whose>,
        deed: Deed,
        now: Time,
    ) -> Result<(), Error> {
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => accept(db, whose.as_ref(), &deed, now).await.map(Some),
        };
        self.write("z".to_owned(), work, |&()| {}).await
    }

    pub(in crate::ledger) async fn belong(&self, whose: Whose) -> Result<(), Error> {
        let custody = Custody {
            whose: Some(whose.clone()),
            witness: None,
        };
        let work = async move |db: &Connection, pace| {
            if pace == Pace::Together {
                return Ok(None);
            }
            refuse_foreign(db, &custody).await?;
            record(db, &whose).await.map(Some)
        };
        self.write("z".to_owned(), work, |&()| {}).await
    }
}

pub(super) async fn unaccepted(db: &Connection) -> Result<Option<Unaccepted>, Error> {
    let text = meta(db, "unaccepted").await?;
    text.map(|text| row::from_json("meta.unaccepted", &text))
        .transpose()
}

async fn accept(
    db: &Connection,
    whose: Option<&Whose>,
    deed: &Deed,
    now: Time,
) -> Result<(), Error> {
    let held = unaccepted(db).await?;
    db.run("DELETE FROM meta WHERE key = 'unaccepted'", &[])
        .await?;
    // Later than any before, and than the ledger itself, whatever the clock says.
    let before = number(db, "accepted_at").await?;
    let before = before.max(number(db, "created_at").await?);
    let at = now.millis().max(before.saturating_add(1));
    put(db, "accepted_at", &at.to_string()).await?;
    if let Some(whose) = whose {
        db.run("DELETE FROM meta WHERE key = 'name'", &[]).await?;
        record(db, whose).await?;
    }
    let deed = Deed {
        subject: held.map(|held| held.why),
        ..deed.clone()
    };
    known::record(db, &deed, now).await
}

/// Written only where it is another one: each replica does so at each connection.
async fn record(db: &Connection, whose: &Whose) -> Result<(), Error> {
    let recorded = recorded(db).await?;
    if let Some(name) = &whose.name
        && recorded.name.as_deref() != Some(name.as_str())
    {
        put(db, "name", name.as_str()).await?;
    }
    if recorded.hosts != whose.hosts {
        put(db, "hosts", &clean(&whose.hosts_json()?)).await?;
    }
    Ok(())
}

async fn recorded(db: &Connection) -> Result<Recorded, Error> {
    let hosts = meta(db, "hosts").await?;
    Recorded::read(meta(db, "name").await?, hosts.as_deref())
}

async fn number(db: &Connection, key: &str) -> Result<i64, Error> {
    let text = meta(db, key).await?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

async fn stands(db: &Connection, sought: &Facts) -> Result<Now, Error> {
    let sql = "SELECT coalesce(max(id), 0) AS id FROM transitions";
    let changes = db.row(sql, &[]).await?;
    let changes = changes.map_or(Ok(0), |row| row.number("id"))?;
    let facts = Facts {
        ledger: meta(db, "ledger_id").await?.unwrap_or_default(),
        accepted: number(db, "accepted_at").await?,
        runs: number(db, "runs").await?,
        changes: changes.max(number(db, "retired_changes").await?),
        attempt: newest_attempt(db).await?,
        order: newest_order(db).await?,
    };
    Ok(Now {
        attempt_gone: match sought.attempt {
            None => false,
            Some(begun) => {
                begun.id > number(db, "retired_attempts").await?
                    && attempt(db, begun.id).await? != Some(begun)
            }
        },
        order_gone: match &sought.order {
            None => false,
            Some(key) => is_gone(db, key).await?,
        },
        created: number(db, "created_at").await?,
        facts,
    })
}

async fn newest_attempt(db: &Connection) -> Result<Option<Begun>, Error> {
    let sql = "SELECT id, postback_id, begun FROM attempts ORDER BY id DESC LIMIT 1";
    db.row(sql, &[]).await?.map(|row| begun(&row)).transpose()
}

async fn attempt(db: &Connection, id: i64) -> Result<Option<Begun>, Error> {
    let sql = "SELECT id, postback_id, begun FROM attempts WHERE id = $1";
    db.row(sql, &[&id])
        .await?
        .map(|row| begun(&row))
        .transpose()
}

fn begun(row: &tokio_postgres::Row) -> Result<Begun, Error> {
    Ok(Begun {
        id: row.number("id")?,
        postback: row.number("postback_id")?,
        at: Time::from_millis(row.number("begun")?),
    })
}

async fn newest_order(db: &Connection) -> Result<Option<OrderKey>, Error> {
    let sql = "SELECT namespace, number FROM orders ORDER BY id DESC LIMIT 1";
    let row = db.row(sql, &[]).await?;
    row.map(|row| row::order_key(&row)).transpose()
}

async fn is_gone(db: &Connection, key: &OrderKey) -> Result<bool, Error> {
    let sql = "SELECT number FROM aliases WHERE namespace = $1 AND number = $2";
    let (namespace, id) = (key.namespace.as_str(), key.id.as_str());
    if db.row(sql, &[&namespace, &id]).await?.is_some() {
        return Ok(false);
    }
    let mark = db.marker()?.mark(&key.namespace, id);
    Ok(known::by(db, &key.namespace, &[mark]).await?.is_none())
}
