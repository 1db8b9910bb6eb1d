//! Where a candidate belongs: which order it is one more sighting of, if it is no new one.

use rusqlite::{Connection, OptionalExtension, params};

use super::enter::{again, first, order};
use super::known;
use crate::ledger::ALIASES;
use crate::ledger::error::Error;
use crate::ledger::known::Marker;
use crate::ledger::row::{self, OrderRow};
use crate::ledger::story::{Again, Entered};
use crate::ledger::texts::Texts;
use crate::name::Namespace;
use crate::order::{Candidate, OrderId};

pub(super) fn enter(
    db: &Connection,
    marker: &Marker,
    (candidate, texts): (&Candidate, &Texts),
) -> Result<Entered, Error> {
    let Some(claiming) = candidate.claiming() else {
        return claim(db, marker, (candidate, texts), None);
    };
    // It claims no id: an order that has it is this one all the same.
    let texts_there = Texts::of(&claiming)?;
    let aside = Some((candidate, texts));
    claim(db, marker, (&claiming, &texts_there), aside)
}

/// Enters a candidate where its id is claimed; `aside` is where it stands instead as long as nothing has it.
fn claim(
    db: &Connection,
    marker: &Marker,
    (candidate, texts): (&Candidate, &Texts),
    aside: Option<(&Candidate, &Texts)>,
) -> Result<Entered, Error> {
    let known = known(db, candidate)?;
    let is_own = |row: &OrderRow| candidate.order.is_same_buyers(&row.order);
    if !known.as_ref().is_some_and(is_own)
        && let Some(own) = own_aside(db, candidate)?
        && let Again::This(entered) = again(db, &own, candidate, texts)?
    {
        return Ok(*entered);
    }
    if let Some(known) = known {
        return match again(db, &known, candidate, texts)? {
            Again::This(entered) => Ok(*entered),
            Again::Another(aside) => beside(db, marker, (&aside, &Texts::of(&aside)?)),
        };
    }
    match (known::of(db, marker, candidate)?, aside) {
        (Some(known), _) => Ok(Entered::Known(candidate.order.clone(), known)),
        (None, Some(aside)) => beside(db, marker, aside),
        (None, None) => first(db, candidate, texts),
    }
}

/// Enters a candidate that stands aside, in the first place that is free or its own.
fn beside(
    db: &Connection,
    marker: &Marker,
    (candidate, texts): (&Candidate, &Texts),
) -> Result<Entered, Error> {
    if let Some(known) = known(db, candidate)? {
        return match again(db, &known, candidate, texts)? {
            Again::This(entered) => Ok(*entered),
            Again::Another(next) => beside(db, marker, (&next, &Texts::of(&next)?)),
        };
    }
    match known::of(db, marker, candidate)? {
        Some(known) => Ok(Entered::Known(candidate.order.clone(), known)),
        None => first(db, candidate, texts),
    }
}

fn ids(candidate: &Candidate) -> impl Iterator<Item = &OrderId> {
    let order = &candidate.order;
    std::iter::once(&order.key.id).chain(order.aliases.iter().take(ALIASES))
}

/// The order that goes by the candidate's id, or by another of its ids, in its namespace.
fn known(db: &Connection, candidate: &Candidate) -> Result<Option<OrderRow>, Error> {
    let namespace = &candidate.order.key.namespace;
    let sql = "SELECT order_id FROM aliases WHERE namespace = ?1 AND number = ?2";
    let mut find = db.prepare_cached(sql)?;
    for id in ids(candidate) {
        let found: Option<i64> = find
            .query_row(params![namespace.as_str(), id.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return order(db, id).map(Some);
        }
    }
    Ok(None)
}

/// The order of the candidate's buyer that goes by one of its ids and claims none.
fn own_aside(db: &Connection, candidate: &Candidate) -> Result<Option<OrderRow>, Error> {
    if candidate.order.visit.is_none() {
        return Ok(None);
    }
    let sql = "SELECT namespace, order_id FROM aliases WHERE number = ?1 ORDER BY namespace";
    let mut find = db.prepare_cached(sql)?;
    for id in ids(candidate) {
        let rows = find.query_and_then([id.as_str()], |row| -> Result<_, Error> {
            let namespace: String = row.get(0)?;
            let namespace: Namespace = namespace
                .parse()
                .map_err(|error| row::unreadable("aliases.namespace", error))?;
            Ok((namespace, row.get(1)?))
        })?;
        for row in rows {
            let (namespace, id) = row?;
            if namespace.is_aside_of(&candidate.order.key.namespace) {
                let found = order(db, id)?;
                if candidate.order.is_same_buyers(&found.order) {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(None)
}
