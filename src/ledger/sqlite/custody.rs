//! Whether the file is the ledger that it was, and whose it is.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::open::{meta, put};
use super::{Sqlite, known};
use crate::clock::Time;
use crate::ledger::custody::{Custody, Now, Recorded, Unaccepted, Whose};
use crate::ledger::error::Error;
use crate::ledger::known::{Deed, Marker};
use crate::ledger::row;
use crate::ledger::witness::{Begun, Facts};
use crate::order::OrderKey;

/// Refuses another configuration's file, before anything of it is changed.
pub(super) fn refuse_foreign(db: &Connection, custody: &Custody) -> Result<(), Error> {
    match custody.is_foreign(&recorded(db)?) {
        Some(why) => Err(Error::NotOurs { why }),
        None => Ok(()),
    }
}

/// Takes a file into custody: its owner is written down, and it is held if it is not the one that was seen.
pub(super) fn take(db: &mut Connection, custody: &Custody, now: Time) -> Result<(), Error> {
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(whose) = &custody.whose {
        record(&step, whose)?;
    }
    let marker = known::marker(&step)?;
    let stands = stands(&step, &marker, &custody.sought())?;
    if let Some(why) = custody.doubt(&stands)
        && unaccepted(&step)?.is_none()
    {
        let held = row::to_json("meta.unaccepted", &Unaccepted { at: now, why })?;
        put(&step, "unaccepted", &held)?;
    }
    Ok(step.commit()?)
}

/// Has the witness go by the file as it stands, unless it is held. Before anything is sent by it.
pub(super) fn trust(db: &Connection, custody: &Custody, now: Time) -> Result<(), Error> {
    let Some(witness) = &custody.witness else {
        return Ok(());
    };
    if unaccepted(db)?.is_some() {
        witness.doubt();
        return Ok(());
    }
    let stands = stands(db, &known::marker(db)?, &Facts::default())?;
    witness.trust(stands.facts, now);
    witness.write();
    Ok(())
}

impl Sqlite {
    pub(in crate::ledger) async fn unaccepted(&self) -> Result<Option<Unaccepted>, Error> {
        self.look(unaccepted).await
    }

    pub(in crate::ledger) async fn stands(&self, sought: Facts) -> Result<(Now, Recorded), Error> {
        let key = self.key.clone();
        self.look(move |db| Ok((stands(db, key.of(db)?, &sought)?, recorded(db)?)))
            .await
    }

    pub(in crate::ledger) async fn accept(
        &self,
        whose: Option<Whose>,
        deed: Deed,
        now: Time,
    ) -> Result<(), Error> {
        self.write(move |db| accept(db, whose.as_ref(), &deed, now))
            .await
    }

    pub(in crate::ledger) async fn belong(&self, whose: Whose) -> Result<(), Error> {
        self.write(move |db| {
            let custody = Custody {
                whose: Some(whose.clone()),
                witness: None,
            };
            refuse_foreign(db, &custody)?;
            record(db, &whose)
        })
        .await
    }
}

pub(super) fn unaccepted(db: &Connection) -> Result<Option<Unaccepted>, Error> {
    let text = meta(db, "unaccepted")?;
    text.map(|text| row::from_json("meta.unaccepted", &text))
        .transpose()
}

fn accept(db: &Connection, whose: Option<&Whose>, deed: &Deed, now: Time) -> Result<(), Error> {
    let held = unaccepted(db)?;
    db.execute("DELETE FROM meta WHERE key = 'unaccepted'", [])?;
    // Later than any before, and than the ledger itself, whatever the clock says.
    let before = number(db, "accepted_at")?.max(number(db, "created_at")?);
    let at = now.millis().max(before.saturating_add(1));
    put(db, "accepted_at", &at.to_string())?;
    if let Some(whose) = whose {
        db.execute("DELETE FROM meta WHERE key = 'name'", [])?;
        record(db, whose)?;
    }
    let deed = Deed {
        subject: held.map(|held| held.why),
        ..deed.clone()
    };
    known::record(db, &deed, now)
}

fn record(db: &Connection, whose: &Whose) -> Result<(), Error> {
    if let Some(name) = &whose.name {
        put(db, "name", name.as_str())?;
    }
    put(db, "hosts", &whose.hosts_json()?)
}

fn recorded(db: &Connection) -> Result<Recorded, Error> {
    let hosts = meta(db, "hosts")?;
    Recorded::read(meta(db, "name")?, hosts.as_deref())
}

fn number(db: &Connection, key: &str) -> Result<i64, Error> {
    let text = meta(db, key)?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn stands(db: &Connection, marker: &Marker, sought: &Facts) -> Result<Now, Error> {
    let changes: Option<i64> =
        db.query_row("SELECT max(id) FROM transitions", [], |row| row.get(0))?;
    let facts = Facts {
        ledger: meta(db, "ledger_id")?.unwrap_or_default(),
        accepted: number(db, "accepted_at")?,
        runs: number(db, "runs")?,
        changes: changes.unwrap_or(0).max(number(db, "retired_changes")?),
        attempt: newest_attempt(db)?,
        order: newest_order(db)?,
    };
    Ok(Now {
        attempt_gone: match sought.attempt {
            None => false,
            Some(begun) => {
                begun.id > number(db, "retired_attempts")? && attempt(db, begun.id)? != Some(begun)
            }
        },
        order_gone: match &sought.order {
            None => false,
            Some(key) => is_gone(db, marker, key)?,
        },
        created: number(db, "created_at")?,
        facts,
    })
}

fn newest_attempt(db: &Connection) -> Result<Option<Begun>, Error> {
    let sql = "SELECT id, postback_id, begun FROM attempts ORDER BY id DESC LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row([], begun).optional()?)
}

fn attempt(db: &Connection, id: i64) -> Result<Option<Begun>, Error> {
    let sql = "SELECT id, postback_id, begun FROM attempts WHERE id = ?1";
    Ok(db.prepare_cached(sql)?.query_row([id], begun).optional()?)
}

fn begun(row: &Row<'_>) -> rusqlite::Result<Begun> {
    Ok(Begun {
        id: row.get(0)?,
        postback: row.get(1)?,
        at: Time::from_millis(row.get(2)?),
    })
}

fn newest_order(db: &Connection) -> Result<Option<OrderKey>, Error> {
    let sql = "SELECT namespace, number FROM orders ORDER BY id DESC LIMIT 1";
    db.prepare_cached(sql)?
        .query_row([], |row| Ok(row::order_key(row)))
        .optional()?
        .transpose()
}

fn is_gone(db: &Connection, marker: &Marker, key: &OrderKey) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM aliases WHERE namespace = ?1 AND number = ?2";
    let ids = params![key.namespace.as_str(), key.id.as_str()];
    if db.prepare_cached(sql)?.exists(ids)? {
        return Ok(false);
    }
    Ok(known::by(db, marker, &key.namespace, key.id.as_str())?.is_none())
}
