//! Entering: a candidate becomes a new order by one statement, or one more sighting of one that is known.

use std::borrow::Cow;
use std::sync::Arc;

use super::send::{Change, note};
use super::session::Session;
use super::writer::Pace;
use crate::ledger::error::Error;
use crate::ledger::row::{
    self, Columns as _, OrderRow, money_words, standing_words, to_json, to_word,
};
use crate::ledger::story::Entered;
use crate::ledger::{ALIASES, SIGHTINGS};
use crate::order::{Candidate, NewPostback, Order, OrderId, Sighting, fold};
use crate::postback::State;

/// What the postbacks of an order wait for when its amount could not be read.
const UNREADABLE: &str = "unreadable";

/// Enters an order that goes by none of these ids yet, with all that belongs to it; otherwise does nothing. Who makes
/// the same order at this moment is waited for. An id that is taken meanwhile fails it: it is run again then.
const FIRST: &str = "WITH entered AS (
  INSERT INTO orders (namespace, number, at, store, rule, amount, currency, working, standing, doubt, why,
    network, click, visit, seen)
  SELECT $1::text, $2::text, $4::bigint, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text,
    $12::text, $13::text, $14::text, $15::text, 1
  WHERE NOT EXISTS (SELECT 1 FROM aliases WHERE namespace = $1::text AND number = ANY ($3::text[]))
  ON CONFLICT (namespace, number) DO NOTHING RETURNING id
), ids AS (
  INSERT INTO aliases (namespace, number, order_id)
  SELECT $1::text, ids.number, entered.id FROM entered CROSS JOIN unnest($3::text[]) AS ids (number)
), seen AS (
  INSERT INTO sightings (order_id, at, rule, body, notes)
  SELECT id, $16::bigint, $6::text, $17::text, $18::text FROM entered
), owed AS (
  INSERT INTO postbacks (order_id, destination, event, sequence, captured, amount, currency, state, doubt,
    cause, at, due)
  SELECT entered.id, p.destination, p.event, p.sequence, p.captured, p.amount, p.currency, p.state, p.doubt,
    p.cause, $4::bigint, p.due
  FROM entered CROSS JOIN unnest($19::text[], $20::text[], $21::bigint[], $22::text[], $23::text[], $24::text[],
    $25::text[], $26::text[], $27::text[], $28::bigint[]) WITH ORDINALITY
    AS p (destination, event, sequence, captured, amount, currency, state, doubt, cause, due, place)
  ORDER BY p.place RETURNING id, state, cause
), changes AS (
  INSERT INTO transitions (order_id, postback_id, at, became, cause)
  SELECT entered.id, change.postback, $4::bigint, change.became, change.cause
  FROM entered CROSS JOIN (
    SELECT NULL::bigint AS postback, $10::text AS became, $12::text AS cause
    UNION ALL SELECT id, state, cause FROM owed) AS change
  ORDER BY change.postback NULLS FIRST
)
SELECT id FROM entered";

pub(super) async fn enter(
    db: &Session,
    candidate: &Candidate,
    pace: Pace,
) -> Result<Option<Entered>, Error> {
    if pace == Pace::Together {
        return first(db, candidate).await;
    }
    if let Some(id) = known(db, candidate).await? {
        return again(db, id, candidate).await.map(Some);
    }
    match first(db, candidate).await? {
        Some(entered) => Ok(Some(entered)),
        // Another replica has entered it at this moment; whoever looks again finds it.
        None => Err(Error::Contended(Arc::new(std::io::Error::from(
            std::io::ErrorKind::AlreadyExists,
        )))),
    }
}

/// The order that goes by the candidate's id, or by another of its ids: the first of them that is known.
async fn known(db: &Session, candidate: &Candidate) -> Result<Option<i64>, Error> {
    let key = &candidate.order.key;
    let ids: Vec<&str> = std::iter::once(&key.id)
        .chain(candidate.order.aliases.iter().take(ALIASES))
        .map(OrderId::as_str)
        .collect();
    let sql = "SELECT number, order_id FROM aliases WHERE namespace = $1 AND number = ANY ($2)";
    let rows = db.rows(sql, &[&key.namespace.as_str(), &ids]).await?;
    let mut found: Vec<(Option<usize>, i64)> = Vec::with_capacity(rows.len());
    for row in &rows {
        let number = row.text("number")?;
        let place = ids.iter().position(|id| *id == number);
        found.push((place, row.number("order_id")?));
    }
    Ok(found.into_iter().min().map(|(_place, id)| id))
}

/// An order with its aliases.
pub(super) async fn order(db: &Session, id: i64) -> Result<OrderRow, Error> {
    let sql = format!("SELECT {} FROM orders WHERE id = $1", row::ORDER);
    let found = db.row(&sql, &[&id]).await?;
    with_aliases(db, found).await
}

/// What an alias refers to is there: no order is ever deleted.
async fn with_aliases(db: &Session, row: Option<tokio_postgres::Row>) -> Result<OrderRow, Error> {
    let row = row.ok_or_else(|| {
        Error::Database(Arc::new(std::io::Error::from(std::io::ErrorKind::NotFound)))
    })?;
    let mut found = row::order(&row)?;
    let sql = "SELECT number FROM aliases WHERE order_id = $1 AND number <> $2
        ORDER BY number COLLATE \"C\"";
    let main = found.order.key.id.as_str();
    let rows = db.rows(sql, &[&found.id, &main]).await?;
    let aliases = rows.iter().map(|row| row::order_id(row));
    found.order.aliases = aliases.collect::<Result<_, _>>()?;
    Ok(found)
}

/// None if the order is known.
async fn first(db: &Session, candidate: &Candidate) -> Result<Option<Entered>, Error> {
    let Candidate {
        order, sighting, ..
    } = candidate;
    let (aliases, notes) = first_aliases(order);
    let mut ids: Vec<&str> = aliases.iter().map(OrderId::as_str).collect();
    ids.push(order.key.id.as_str());
    // Whoever takes several locks takes them in one order.
    ids.sort_unstable();
    let (amount, currency) = money_words(order.amount);
    let (standing, doubt) = standing_words(&order.standing)?;
    let click = order.click.as_ref();
    let click_json = click
        .map(|click| to_json("orders.click", click))
        .transpose()?;
    let owed = Owed::of(candidate)?;
    let entered = db
        .row(
            FIRST,
            &[
                &order.key.namespace.as_str(),
                &order.key.id.as_str(),
                &ids,
                &order.at.millis(),
                &order.store.as_str(),
                &order.rule.as_str(),
                &amount,
                &currency,
                &order.working.as_deref().map(clean),
                &standing,
                &doubt,
                &clean(&order.why),
                &click.map(|click| click.network.as_str()),
                &click_json,
                &order.visit.map(|visit| visit.to_string()),
                &sighting.at.millis(),
                &to_json("sightings.body", sighting)?,
                &to_json("sightings.notes", &notes)?,
                &owed.destinations,
                &owed.events,
                &owed.sequences,
                &owed.captured,
                &owed.amounts,
                &owed.currencies,
                &owed.states,
                &owed.doubts,
                &owed.causes,
                &owed.dues,
            ],
        )
        .await?;
    Ok(entered.map(|_row| {
        Entered::New(Order {
            aliases,
            ..order.clone()
        })
    }))
}

/// The other ids of a new order, as many as are kept.
fn first_aliases(order: &Order) -> (Vec<OrderId>, Vec<String>) {
    let (mut kept, mut notes) = (Vec::new(), Vec::new());
    for alias in &order.aliases {
        if *alias == order.key.id || kept.contains(alias) {
            continue;
        }
        if kept.len() >= ALIASES {
            notes.push(format!("{ALIASES} other ids are kept, {alias} is not"));
            break;
        }
        kept.push(alias.clone());
    }
    kept.sort();
    (kept, notes)
}

/// The postbacks of a new order, column by column.
#[derive(Default)]
struct Owed<'a> {
    destinations: Vec<&'a str>,
    events: Vec<Cow<'a, str>>,
    sequences: Vec<i64>,
    captured: Vec<String>,
    amounts: Vec<Option<String>>,
    currencies: Vec<Option<String>>,
    states: Vec<&'static str>,
    doubts: Vec<Option<String>>,
    causes: Vec<Option<Cow<'a, str>>>,
    dues: Vec<Option<i64>>,
}

impl<'a> Owed<'a> {
    fn of(candidate: &'a Candidate) -> Result<Self, Error> {
        let order = &candidate.order;
        let mut owed = Self::default();
        for postback in &candidate.postbacks {
            let captured = order.click.as_ref().map(|click| &click.values);
            let captured = captured
                .map_or_else(|| Ok("{}".to_owned()), |values| to_json("captured", values))?;
            let (amount, currency) = money_words(postback.amount);
            let stand = Stand::of(postback, order.at.millis())?;
            owed.destinations.push(postback.destination.as_str());
            owed.events.push(clean(&postback.event));
            owed.sequences.push(i64::from(postback.sequence));
            owed.captured.push(captured);
            owed.amounts.push(amount);
            owed.currencies.push(currency);
            owed.states.push(stand.state.as_str());
            owed.doubts.push(stand.doubt);
            owed.causes.push(stand.cause);
            owed.dues.push(stand.due);
        }
        Ok(owed)
    }
}

/// Counts the sighting first: from then on the order is this transaction's.
async fn again(db: &Session, id: i64, candidate: &Candidate) -> Result<Entered, Error> {
    let sql = format!(
        "UPDATE orders SET seen = seen + 1 WHERE id = $1 RETURNING {}",
        row::ORDER
    );
    let found = db.row(&sql, &[&id]).await?;
    let known = with_aliases(db, found).await?;
    let mut fold = fold(&known.order, candidate);
    fold.order.aliases = keep_aliases(db, &known, candidate, &mut fold.notes).await?;
    if known.seen <= i64::from(SIGHTINGS) {
        keep_sighting(db, known.id, &candidate.sighting, &fold.notes).await?;
    }
    let Some(postbacks) = fold.completed else {
        return Ok(Entered::Again(fold.order));
    };
    complete_order(db, &known, &fold.order, &candidate.sighting).await?;
    for postback in &postbacks {
        complete_postback(db, known.id, postback, &candidate.sighting).await?;
    }
    Ok(Entered::Completed(fold.order))
}

/// Keeps the candidate's other ids, as long as there is room and no other order goes by them.
async fn keep_aliases(
    db: &Session,
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

async fn keep_sighting(
    db: &Session,
    id: i64,
    sighting: &Sighting,
    notes: &[String],
) -> Result<(), Error> {
    let sql = "INSERT INTO sightings (order_id, at, rule, body, notes) VALUES ($1, $2, $3, $4, $5)";
    let body = to_json("sightings.body", sighting)?;
    let notes = to_json("sightings.notes", &notes)?;
    let (at, rule) = (sighting.at.millis(), sighting.rule.as_str());
    db.run(sql, &[&id, &at, &rule, &body, &notes]).await?;
    Ok(())
}

async fn complete_order(
    db: &Session,
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
    db: &Session,
    order: i64,
    postback: &NewPostback,
    sighting: &Sighting,
) -> Result<(), Error> {
    let (amount, currency) = money_words(postback.amount);
    let stand = Stand::of(postback, sighting.at.millis())?;
    let sql = "UPDATE postbacks SET amount = $5, currency = $6, state = $7, doubt = $8, cause = $9, due = $10
        WHERE order_id = $1 AND destination = $2 AND event = $3 AND sequence = $4
          AND state = 'held' AND doubt = $11 RETURNING id";
    let waiting = db
        .row(
            sql,
            &[
                &order,
                &postback.destination.as_str(),
                &clean(&postback.event),
                &i64::from(postback.sequence),
                &amount,
                &currency,
                &stand.state.as_str(),
                &stand.doubt,
                &stand.cause,
                &stand.due,
                &UNREADABLE,
            ],
        )
        .await?;
    let Some(row) = waiting else { return Ok(()) };
    let entry = Change {
        order,
        postback: Some(row.number("id")?),
        at: sighting.at,
        was: Some(State::Held.as_str()),
        became: stand.state.as_str(),
        cause: stand.cause.as_deref(),
    };
    note(db, &entry).await
}

/// How a postback that is entered or completed stands: due at once, or held.
struct Stand<'a> {
    state: State,
    doubt: Option<String>,
    cause: Option<Cow<'a, str>>,
    due: Option<i64>,
}

impl<'a> Stand<'a> {
    fn of(postback: &'a NewPostback, at: i64) -> Result<Self, Error> {
        Ok(match &postback.held {
            None => Self {
                state: State::Due,
                doubt: None,
                cause: None,
                due: Some(at),
            },
            Some((doubt, cause)) => Self {
                state: State::Held,
                doubt: Some(to_word("postbacks.doubt", doubt)?),
                cause: Some(clean(cause)),
                due: None,
            },
        })
    }
}

/// A text as PostgreSQL takes it: it has no NUL. Ids and names have none either, and JSON writes it in letters.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}
