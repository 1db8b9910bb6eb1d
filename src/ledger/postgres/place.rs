//! Where a candidate belongs: which order it is one more sighting of, if it is no new one.

use super::connection::Connection;
use super::enter::{again, moved, order};
use super::first::{New, first_of};
use super::known;
use crate::ledger::error::Error;
use crate::ledger::row::{self, Columns as _};
use crate::ledger::story::{Again, Entered};
use crate::name::Namespace;
use crate::order::OrderId;

/// By itself, after those that are new.
pub(super) async fn enter(db: &Connection, new: &New) -> Result<Entered, Error> {
    let Some(claiming) = new.candidate.claiming() else {
        return claim(db, new, None).await;
    };
    // It claims no id: an order that has it is this one all the same.
    claim(db, &New::of(claiming)?, Some(new)).await
}

/// Enters a candidate where its id is claimed; `aside` is where it stands instead as long as nothing has it.
async fn claim(db: &Connection, new: &New, aside: Option<&New>) -> Result<Entered, Error> {
    let stands = stands(db, new).await?;
    if let Some(own) = own_aside(db, new, &stands).await?
        && let Again::This(entered) = again(db, own, new).await?
    {
        return Ok(*entered);
    }
    if let Some(id) = stands.known {
        return match again(db, id, new).await? {
            Again::This(entered) => Ok(*entered),
            Again::Another(aside) => beside(db, &New::of(*aside)?).await,
        };
    }
    match (known::of(db, new).await?, aside) {
        (Some(known), _) => Ok(Entered::Known(new.candidate.order.clone(), known)),
        (None, Some(aside)) => beside(db, aside).await,
        (None, None) => made(db, new).await,
    }
}

/// Enters a candidate that stands aside, in the first place that is free or its own.
async fn beside(db: &Connection, new: &New) -> Result<Entered, Error> {
    let mut next: Option<New> = None;
    loop {
        let new = next.as_ref().unwrap_or(new);
        let Some(id) = stands(db, new).await?.known else {
            return match known::of(db, new).await? {
                Some(known) => Ok(Entered::Known(new.candidate.order.clone(), known)),
                None => made(db, new).await,
            };
        };
        match again(db, id, new).await? {
            Again::This(entered) => return Ok(*entered),
            Again::Another(another) => next = Some(New::of(*another)?),
        }
    }
}

async fn made(db: &Connection, new: &New) -> Result<Entered, Error> {
    // Another replica has entered it at this moment; whoever looks again finds it.
    first_of(db, new).await?.ok_or_else(moved)
}

/// The orders that go by a candidate's ids.
#[derive(Default)]
struct Stands {
    /// The one in its namespace, by the first of its ids that is known.
    known: Option<i64>,
    /// Those that claim no id there.
    aside: Vec<(Namespace, i64)>,
}

async fn stands(db: &Connection, new: &New) -> Result<Stands, Error> {
    let own = &new.candidate.order.key.namespace;
    let ids: Vec<&str> = new.ids.iter().map(OrderId::as_str).collect();
    let sql = "SELECT namespace, number, order_id FROM aliases WHERE number = ANY ($1)";
    let mut stands = Stands::default();
    let mut known = Vec::new();
    for row in &db.rows(sql, &[&ids]).await? {
        let (number, order) = (row.text("number")?, row.number("order_id")?);
        let namespace: Namespace = row
            .text("namespace")?
            .parse()
            .map_err(|error| row::unreadable("aliases.namespace", error))?;
        if namespace == *own {
            known.push((ids.iter().position(|id| *id == number), order));
        } else if namespace.is_aside_of(own) {
            stands.aside.push((namespace, order));
        }
    }
    stands.aside.sort();
    stands.known = known.into_iter().min().map(|(_place, id)| id);
    Ok(stands)
}

/// The order of the candidate's buyer that claims no id, unless the one that has it is his too.
async fn own_aside(db: &Connection, new: &New, stands: &Stands) -> Result<Option<i64>, Error> {
    let candidate = &new.candidate;
    if candidate.order.visit.is_none() || stands.aside.is_empty() {
        return Ok(None);
    }
    if let Some(known) = stands.known
        && candidate
            .order
            .is_same_buyers(&order(db, known).await?.order)
    {
        return Ok(None);
    }
    for (_namespace, id) in &stands.aside {
        if candidate.order.is_same_buyers(&order(db, *id).await?.order) {
            return Ok(Some(*id));
        }
    }
    Ok(None)
}
