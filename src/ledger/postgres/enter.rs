//! Entering: one more sighting of an order that is known. New ones: [`first`](super::first); which of the two:
//! [`place`](super::place).

use std::borrow::Cow;
use std::sync::Arc;

use super::connection::Connection;
use super::first::New;
use super::send::{Change, note};
use crate::ledger::error::Error;
use crate::ledger::row::{self, Columns as _, OrderRow, money_words, standing_words, to_json};
use crate::ledger::stand::Stand;
use crate::ledger::story::{Again, Entered};
use crate::ledger::{ALIASES, SIGHTINGS};
use crate::name::NetworkName;
use crate::order::{Candidate, Doubt, NewPostback, Order, OrderId, SALE, Sighting, Standing, fold};
use crate::postback::State;

/// What the postbacks of an order wait for when its amount could not be read.
const UNREADABLE: &str = "unreadable";

/// An order with its aliases.
pub(super) async fn order(db: &Connection, id: i64) -> Result<OrderRow, Error> {
    let sql = format!("SELECT {} FROM orders WHERE id = $1", row::ORDER);
    let found = db.row(&sql, &[&id]).await?;
    with_aliases(db, found).await
}

/// Another replica did something to the order at this moment: whoever looks again finds what.
pub(super) fn moved() -> Error {
    let kind = std::io::ErrorKind::AlreadyExists;
    Error::Contended(Arc::new(std::io::Error::from(kind)))
}

/// What an alias refers to is there, unless it is retired at this moment.
async fn with_aliases(
    db: &Connection,
    row: Option<tokio_postgres::Row>,
) -> Result<OrderRow, Error> {
    let row = row.ok_or_else(moved)?;
    let mut found = row::order(&row)?;
    let sql = "SELECT number FROM aliases WHERE order_id = $1 AND number <> $2
        ORDER BY number COLLATE \"C\"";
    let main = found.order.key.id.as_str();
    let rows = db.rows(sql, &[&found.id, &main]).await?;
    let aliases = rows.iter().map(|row| row::order_id(row));
    found.order.aliases = aliases.collect::<Result<_, _>>()?;
    Ok(found)
}

/// Counts the sighting first: from then on the order is this transaction's.
pub(super) async fn again(db: &Connection, id: i64, new: &New) -> Result<Again, Error> {
    let candidate = &new.candidate;
    let sql = format!(
        "UPDATE orders SET seen = seen + 1 WHERE id = $1 RETURNING {}",
        row::ORDER
    );
    let found = db.row(&sql, &[&id]).await?;
    let known = with_aliases(db, found).await?;
    let owed = match known.order.standing {
        Standing::Held(Doubt::Unreadable) => owed(db, known.id).await?,
        // There is nothing to complete.
        _ => Vec::new(),
    };
    let mut fold = fold((&known.order, &known.shopper), &owed, candidate);
    if fold.aside.is_none() && !fold.no_place {
        fold.order.aliases = keep_aliases(db, &known, candidate, &mut fold.notes).await?;
    }
    if known.seen <= i64::from(SIGHTINGS) {
        keep_sighting(db, known.id, new, &fold.notes).await?;
    }
    if let Some(aside) = fold.aside {
        return Ok(Again::Another(aside));
    }
    if fold.no_place {
        return Ok(Again::no_place(candidate));
    }
    if fold.completed.is_none() && !fold.credited {
        return Ok(Again::This(Entered::Again(fold.order).into()));
    }
    complete_order(db, &known, &fold.order, &candidate.sighting).await?;
    for postback in fold.completed.iter().flatten() {
        complete_postback(db, &known, postback, &candidate.sighting).await?;
    }
    if fold.credited {
        credit(db, &known, &fold.order, new).await?;
    }
    for postback in &fold.told {
        insert_postback(db, &known, (postback, "{}"), &candidate.sighting).await?;
    }
    Ok(Again::This(Entered::Completed(fold.order).into()))
}

/// The sales of an order that is credited after all.
async fn credit(
    db: &Connection,
    known: &OrderRow,
    order: &Order,
    New {
        candidate, texts, ..
    }: &New,
) -> Result<(), Error> {
    let told = candidate.postbacks.iter().zip(&texts.captured);
    for (postback, captured) in told.filter(|(postback, _)| postback.event == SALE) {
        insert_postback(db, known, (postback, captured), &candidate.sighting).await?;
    }
    let sql = "UPDATE orders SET network = $2, click = $3, visit = $4, proof = $5, open_until = NULL, shopper = NULL
        WHERE id = $1";
    let network = order.click.as_ref().map(|click| click.network.as_str());
    let visit = order.visit.map(|visit| visit.to_string());
    db.run(
        sql,
        &[&known.id, &network, &texts.click, &visit, &texts.proof],
    )
    .await?;
    Ok(())
}

/// Those who have a postback of an order.
async fn owed(db: &Connection, id: i64) -> Result<Vec<NetworkName>, Error> {
    let sql = "SELECT destination FROM postbacks
        WHERE order_id = $1 AND event = $2 AND sequence = 0 ORDER BY id";
    let rows = db.rows(sql, &[&id, &SALE]).await?;
    rows.iter().map(|row| row::destination(row)).collect()
}

/// Keeps the candidate's other ids, as long as there is room and no other order goes by them.
async fn keep_aliases(
    db: &Connection,
    known: &OrderRow,
    candidate: &Candidate,
    notes: &mut Vec<String>,
) -> Result<Vec<OrderId>, Error> {
    let order = &known.order;
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
        let sql = "INSERT INTO aliases (namespace, number, order_id) VALUES ($1, $2, $3)
            ON CONFLICT DO NOTHING";
        let namespace = order.key.namespace.as_str();
        let inserted = db
            .run(sql, &[&namespace, &alias.as_str(), &known.id])
            .await?;
        if inserted == 1 {
            kept.push(alias.clone());
        } else {
            notes.push(format!("another order goes by {alias} too"));
        }
    }
    kept.sort();
    Ok(kept)
}

async fn keep_sighting(db: &Connection, id: i64, new: &New, notes: &[String]) -> Result<(), Error> {
    let sql = "INSERT INTO sightings (order_id, at, rule, body, notes) VALUES ($1, $2, $3, $4, $5)";
    let sighting = &new.candidate.sighting;
    let notes = to_json("sightings.notes", &notes)?;
    let (at, rule) = (sighting.at.millis(), sighting.rule.as_str());
    db.run(sql, &[&id, &at, &rule, &new.texts.sighting, &notes])
        .await?;
    Ok(())
}

async fn complete_order(
    db: &Connection,
    known: &OrderRow,
    order: &Order,
    sighting: &Sighting,
) -> Result<(), Error> {
    let (amount, currency) = money_words(order.amount);
    let (was, _doubt) = standing_words(&known.order.standing)?;
    let (standing, doubt) = standing_words(&order.standing)?;
    let sql = "UPDATE orders SET amount = $2, currency = $3, working = $4, standing = $5, doubt = $6, why = $7
        WHERE id = $1";
    let working = order.working.as_deref().map(clean);
    let why = clean(&order.why);
    db.run(
        sql,
        &[
            &known.id, &amount, &currency, &working, &standing, &doubt, &why,
        ],
    )
    .await?;
    let entry = Change {
        order: known.id,
        postback: None,
        at: sighting.at,
        was: Some(was),
        became: standing,
        cause: Some(&order.why),
    };
    note(db, &entry).await
}

async fn complete_postback(
    db: &Connection,
    known: &OrderRow,
    postback: &NewPostback,
    sighting: &Sighting,
) -> Result<(), Error> {
    let (amount, currency) = money_words(postback.amount);
    let stand = Stand::of(postback, known.order.at, sighting.at)?;
    let sql = "UPDATE postbacks SET amount = $5, currency = $6, state = $7, doubt = $8, cause = $9, due = $10
        WHERE order_id = $1 AND destination = $2 AND event = $3 AND sequence = $4
          AND state = 'held' AND doubt = $11 RETURNING id";
    let waiting = db
        .row(
            sql,
            &[
                &known.id,
                &postback.destination.as_str(),
                &clean(&postback.event),
                &i64::from(postback.sequence),
                &amount,
                &currency,
                &stand.state.as_str(),
                &stand.doubt,
                &stand.cause.as_deref().map(clean),
                &stand.due,
                &UNREADABLE,
            ],
        )
        .await?;
    let Some(row) = waiting else { return Ok(()) };
    let entry = Change {
        order: known.id,
        postback: Some(row.number("id")?),
        at: sighting.at,
        was: Some(State::Held.as_str()),
        became: stand.state.as_str(),
        cause: stand.cause.as_deref(),
    };
    note(db, &entry).await
}

/// One more who is told of an order that is known, with what was captured.
async fn insert_postback(
    db: &Connection,
    known: &OrderRow,
    (postback, captured): (&NewPostback, &str),
    sighting: &Sighting,
) -> Result<(), Error> {
    let (amount, currency) = money_words(postback.amount);
    let stand = Stand::of(postback, known.order.at, sighting.at)?;
    let sql = "INSERT INTO postbacks (order_id, destination, event, sequence, captured, amount, currency, state,
          doubt, cause, at, due)
        VALUES ($1, $2, $3, $4, $12, $5, $6, $7, $8, $9, $10, $11) RETURNING id";
    let inserted = db
        .row(
            sql,
            &[
                &known.id,
                &postback.destination.as_str(),
                &clean(&postback.event),
                &i64::from(postback.sequence),
                &amount,
                &currency,
                &stand.state.as_str(),
                &stand.doubt,
                &stand.cause.as_deref().map(clean),
                &sighting.at.millis(),
                &stand.due,
                &captured,
            ],
        )
        .await?;
    let entry = Change {
        order: known.id,
        postback: inserted.map(|row| row.number("id")).transpose()?,
        at: sighting.at,
        was: None,
        became: stand.state.as_str(),
        cause: stand.cause.as_deref(),
    };
    note(db, &entry).await
}

/// A text as PostgreSQL takes it: it has no NUL. Ids and names have none either, and JSON writes it in letters.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}
