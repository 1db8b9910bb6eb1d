//! Entering: a candidate becomes a new order, or one more sighting of one. Which of the two: [`place`](super::place).

use rusqlite::{Connection, OptionalExtension, params};

use super::send::{Change, note};
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::row::{self, OrderRow, money_words, standing_words, to_json};
use crate::ledger::stand::Stand;
use crate::ledger::story::{Again, Entered};
use crate::ledger::texts::Texts;
use crate::ledger::{ALIASES, SIGHTINGS};
use crate::name::NetworkName;
use crate::order::{Candidate, Doubt, NewPostback, Order, OrderId, SALE, Sighting, Standing, fold};
use crate::postback::State;

/// What the postbacks of an order wait for when its amount could not be read.
const UNREADABLE: &str = "unreadable";

/// An order with its aliases.
pub(super) fn order(db: &Connection, id: i64) -> Result<OrderRow, Error> {
    let sql = format!("SELECT {} FROM orders WHERE id = ?1", row::ORDER);
    let mut found = db
        .prepare_cached(&sql)?
        .query_row([id], |row| Ok(row::order(row)))??;
    let sql = "SELECT number FROM aliases WHERE order_id = ?1 AND number <> ?2 ORDER BY number";
    let mut aliases = db.prepare_cached(sql)?;
    let main = found.order.key.id.as_str();
    found.order.aliases = aliases
        .query_and_then(params![id, main], |row| row::order_id(row))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

pub(super) fn first(
    db: &Connection,
    candidate: &Candidate,
    texts: &Texts,
) -> Result<Entered, Error> {
    let Candidate {
        order,
        sighting,
        postbacks,
        ..
    } = candidate;
    let (amount, currency) = money_words(order.amount);
    let (standing, doubt) = standing_words(&order.standing)?;
    let click = order.click.as_ref();
    db.prepare_cached(
        "INSERT INTO orders (namespace, number, at, store, rule, amount, currency, working,
           standing, doubt, why, network, click, visit, proof, open_until, shopper, seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 1)",
    )?
    .execute(params![
        order.key.namespace.as_str(),
        order.key.id.as_str(),
        order.at.millis(),
        order.store.as_str(),
        order.rule.as_str(),
        amount,
        currency,
        order.working,
        standing,
        doubt,
        order.why,
        click.map(|click| click.network.as_str()),
        texts.click,
        order.visit.map(|visit| visit.to_string()),
        texts.proof,
        order.open_until.map(Time::millis),
        texts.shopper,
    ])?;
    let id = db.last_insert_rowid();
    let mut entered = Order {
        aliases: Vec::new(),
        ..order.clone()
    };
    let mut notes = Vec::new();
    keep_alias(db, id, order, &order.key.id)?;
    entered.aliases = keep_aliases(db, id, &entered, candidate, &mut notes)?;
    keep_sighting(db, id, (sighting, texts), &notes)?;
    let entry = Change {
        order: id,
        postback: None,
        at: order.at,
        was: None,
        became: standing,
        cause: Some(&order.why),
    };
    note(db, &entry)?;
    for (postback, captured) in postbacks.iter().zip(&texts.captured) {
        insert_postback(db, (id, order), sighting.at, (postback, captured))?;
    }
    Ok(Entered::New(entered))
}

pub(super) fn again(
    db: &Connection,
    known: &OrderRow,
    candidate: &Candidate,
    texts: &Texts,
) -> Result<Again, Error> {
    let owed = match known.order.standing {
        Standing::Held(Doubt::Unreadable) => owed(db, known.id)?,
        // There is nothing to complete.
        _ => Vec::new(),
    };
    let mut fold = fold((&known.order, &known.shopper), &owed, candidate);
    if fold.aside.is_none() && !fold.no_place {
        fold.order.aliases = keep_aliases(db, known.id, &known.order, candidate, &mut fold.notes)?;
    }
    if known.seen < i64::from(SIGHTINGS) {
        keep_sighting(db, known.id, (&candidate.sighting, texts), &fold.notes)?;
    }
    db.prepare_cached("UPDATE orders SET seen = seen + 1 WHERE id = ?1")?
        .execute([known.id])?;
    if let Some(aside) = fold.aside {
        return Ok(Again::Another(aside));
    }
    if fold.no_place {
        return Ok(Again::no_place(candidate));
    }
    if fold.completed.is_none() && !fold.credited {
        return Ok(Again::This(Entered::Again(fold.order).into()));
    }
    complete_order(db, known, &fold.order, &candidate.sighting)?;
    for postback in fold.completed.iter().flatten() {
        complete_postback(db, known, postback, &candidate.sighting)?;
    }
    if fold.credited {
        credit(db, (known.id, &fold.order), candidate, texts)?;
    }
    for postback in &fold.told {
        let of_nobody = (postback, "{}");
        insert_postback(
            db,
            (known.id, &fold.order),
            candidate.sighting.at,
            of_nobody,
        )?;
    }
    Ok(Again::This(Entered::Completed(fold.order).into()))
}

/// The sales of an order that is credited after all.
fn credit(
    db: &Connection,
    order: (i64, &Order),
    candidate: &Candidate,
    texts: &Texts,
) -> Result<(), Error> {
    let at = candidate.sighting.at;
    let told = candidate.postbacks.iter().zip(&texts.captured);
    for (postback, captured) in told.filter(|(postback, _)| postback.event == SALE) {
        insert_postback(db, order, at, (postback, captured))?;
    }
    let sql = "UPDATE orders SET network = ?2, click = ?3, visit = ?4, proof = ?5, open_until = NULL, shopper = NULL
        WHERE id = ?1";
    let (id, order) = order;
    let network = order.click.as_ref().map(|click| click.network.as_str());
    let visit = order.visit.map(|visit| visit.to_string());
    db.prepare_cached(sql)?
        .execute(params![id, network, texts.click, visit, texts.proof])?;
    Ok(())
}

/// Those who have a postback of an order.
fn owed(db: &Connection, id: i64) -> Result<Vec<NetworkName>, Error> {
    let sql = "SELECT destination FROM postbacks
        WHERE order_id = ?1 AND event = ?2 AND sequence = 0 ORDER BY id";
    db.prepare_cached(sql)?
        .query_and_then(params![id, SALE], |row| row::destination(row))?
        .collect()
}

/// Keeps the candidate's other ids, as long as there is room and no other order goes by them.
fn keep_aliases(
    db: &Connection,
    id: i64,
    order: &Order,
    candidate: &Candidate,
    notes: &mut Vec<String>,
) -> Result<Vec<OrderId>, Error> {
    let mut kept = order.aliases.clone();
    let seen = std::iter::once(&candidate.order.key.id).chain(&candidate.order.aliases);
    for alias in seen {
        if *alias == order.key.id || kept.contains(alias) {
            continue;
        }
        if kept.len() >= ALIASES {
            notes.push(format!("{ALIASES} other ids are kept, {alias} is not"));
            break;
        }
        if keep_alias(db, id, order, alias)? {
            kept.push(alias.clone());
        } else {
            notes.push(format!("another order goes by {alias} too"));
        }
    }
    kept.sort();
    Ok(kept)
}

/// False if another order goes by that id.
fn keep_alias(db: &Connection, id: i64, order: &Order, alias: &OrderId) -> Result<bool, Error> {
    let sql = "INSERT OR IGNORE INTO aliases (namespace, number, order_id) VALUES (?1, ?2, ?3)";
    let namespace = order.key.namespace.as_str();
    let kept = db
        .prepare_cached(sql)?
        .execute(params![namespace, alias.as_str(), id])?;
    Ok(kept == 1)
}

fn keep_sighting(
    db: &Connection,
    id: i64,
    (sighting, texts): (&Sighting, &Texts),
    notes: &[String],
) -> Result<(), Error> {
    let sql = "INSERT INTO sightings (order_id, at, rule, body, notes) VALUES (?1, ?2, ?3, ?4, ?5)";
    let notes = to_json("sightings.notes", &notes)?;
    let (at, rule) = (sighting.at.millis(), sighting.rule.as_str());
    db.prepare_cached(sql)?
        .execute(params![id, at, rule, texts.sighting, notes])?;
    Ok(())
}

fn insert_postback(
    db: &Connection,
    (id, order): (i64, &Order),
    at: Time,
    (postback, captured): (&NewPostback, &str),
) -> Result<(), Error> {
    let (amount, currency) = money_words(postback.amount);
    let stand = Stand::of(postback, order.at, at)?;
    db.prepare_cached(
        "INSERT INTO postbacks (order_id, destination, event, sequence, captured, amount,
           currency, state, doubt, cause, at, due)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        id,
        postback.destination.as_str(),
        postback.event,
        postback.sequence,
        captured,
        amount,
        currency,
        stand.state.as_str(),
        stand.doubt,
        stand.cause,
        at.millis(),
        stand.due,
    ])?;
    let entry = Change {
        order: id,
        postback: Some(db.last_insert_rowid()),
        at,
        was: None,
        became: stand.state.as_str(),
        cause: stand.cause.as_deref(),
    };
    note(db, &entry)
}

fn complete_order(
    db: &Connection,
    known: &OrderRow,
    order: &Order,
    sighting: &Sighting,
) -> Result<(), Error> {
    let (amount, currency) = money_words(order.amount);
    let (was, _doubt) = standing_words(&known.order.standing)?;
    let (standing, doubt) = standing_words(&order.standing)?;
    db.prepare_cached(
        "UPDATE orders SET amount = ?2, currency = ?3, working = ?4, standing = ?5, doubt = ?6,
           why = ?7 WHERE id = ?1",
    )?
    .execute(params![
        known.id,
        amount,
        currency,
        order.working,
        standing,
        doubt,
        order.why
    ])?;
    let entry = Change {
        order: known.id,
        postback: None,
        at: sighting.at,
        was: Some(was),
        became: standing,
        cause: Some(&order.why),
    };
    note(db, &entry)
}

fn complete_postback(
    db: &Connection,
    known: &OrderRow,
    postback: &NewPostback,
    sighting: &Sighting,
) -> Result<(), Error> {
    let (amount, currency) = money_words(postback.amount);
    let stand = Stand::of(postback, known.order.at, sighting.at)?;
    let waiting: Option<i64> = db
        .prepare_cached(
            "UPDATE postbacks SET amount = ?5, currency = ?6, state = ?7, doubt = ?8, cause = ?9,
               due = ?10
             WHERE order_id = ?1 AND destination = ?2 AND event = ?3 AND sequence = ?4
               AND state = 'held' AND doubt = ?11 RETURNING id",
        )?
        .query_row(
            params![
                known.id,
                postback.destination.as_str(),
                postback.event,
                postback.sequence,
                amount,
                currency,
                stand.state.as_str(),
                stand.doubt,
                stand.cause,
                stand.due,
                UNREADABLE,
            ],
            |row| row.get(0),
        )
        .optional()?;
    let Some(id) = waiting else { return Ok(()) };
    let entry = Change {
        order: known.id,
        postback: Some(id),
        at: sighting.at,
        was: Some(State::Held.as_str()),
        became: stand.state.as_str(),
        cause: stand.cause.as_deref(),
    };
    note(db, &entry)
}
