//! A new order, with all that belongs to it: one statement, so that many of them are under way together.

use std::borrow::Cow;

use super::connection::Connection;
use super::enter::clean;
use super::known;
use crate::clock::Time;
use crate::ledger::ALIASES;
use crate::ledger::error::Error;
use crate::ledger::row::{money_words, standing_words, to_json};
use crate::ledger::stand::Stand;
use crate::ledger::story::Entered;
use crate::order::{Candidate, Order, OrderId};

/// Enters an order that goes by none of these ids yet, and is not known without its row, with all that belongs to it; otherwise does nothing. Who makes
/// the same order at this moment is waited for. An id that is taken meanwhile fails it: it is run again then.
const FIRST: &str = "WITH entered AS (
  INSERT INTO orders (namespace, number, at, store, rule, amount, currency, working, standing, doubt, why,
    network, click, visit, proof, open_until, shopper, seen)
  SELECT $1::text, $2::text, $4::bigint, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text,
    $12::text, $13::text, $14::text, $15::text, $16::text, $17::bigint, $18::text, 1
  WHERE NOT EXISTS (SELECT 1 FROM aliases WHERE namespace = $1::text AND number = ANY ($3::text[]))
    AND NOT EXISTS (SELECT 1 FROM known_orders WHERE namespace = $1::text AND mark = ANY ($32::text[]))
  ON CONFLICT (namespace, number) DO NOTHING RETURNING id
), ids AS (
  INSERT INTO aliases (namespace, number, order_id)
  SELECT $1::text, ids.number, entered.id FROM entered CROSS JOIN unnest($3::text[]) AS ids (number)
), seen AS (
  INSERT INTO sightings (order_id, at, rule, body, notes)
  SELECT id, $19::bigint, $6::text, $20::text, $21::text FROM entered
), owed AS (
  INSERT INTO postbacks (order_id, destination, event, sequence, captured, amount, currency, state, doubt,
    cause, at, due)
  SELECT entered.id, p.destination, p.event, p.sequence, p.captured, p.amount, p.currency, p.state, p.doubt,
    p.cause, $4::bigint, p.due
  FROM entered CROSS JOIN unnest($22::text[], $23::text[], $24::bigint[], $25::text[], $26::text[], $27::text[],
    $28::text[], $29::text[], $30::text[], $31::bigint[]) WITH ORDINALITY
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

/// None if the order is known, with its row or without.
pub(super) async fn first(
    db: &Connection,
    candidate: &Candidate,
) -> Result<Option<Entered>, Error> {
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
    let [click_json, proof, shopper] = texts(candidate)?;
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
                &proof,
                &order.open_until.map(Time::millis),
                &shopper,
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
                &known::marks(db, candidate)?,
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

/// The JSON of its click, of its proof, and of who looked while it is open.
pub(super) fn texts(candidate: &Candidate) -> Result<[Option<String>; 3], Error> {
    let order = &candidate.order;
    let click = order.click.as_ref();
    let click = click.map(|click| to_json("orders.click", click));
    let proof = order.proof.map(|proof| to_json("orders.proof", &proof));
    let shopper = order.open_until.map(|_open| &candidate.shopper);
    let shopper = shopper.map(|shopper| to_json("orders.shopper", shopper));
    Ok([click.transpose()?, proof.transpose()?, shopper.transpose()?])
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
    causes: Vec<Option<String>>,
    dues: Vec<Option<i64>>,
}

impl<'a> Owed<'a> {
    fn of(candidate: &'a Candidate) -> Result<Self, Error> {
        let order = &candidate.order;
        let mut owed = Self::default();
        for postback in &candidate.postbacks {
            let click = order.click_of(Some(&candidate.sighting), &postback.destination);
            let captured = click.map(|click| &click.values);
            let captured = captured
                .map_or_else(|| Ok("{}".to_owned()), |values| to_json("captured", values))?;
            let (amount, currency) = money_words(postback.amount);
            let stand = Stand::of(postback, order.at, order.at)?;
            owed.destinations.push(postback.destination.as_str());
            owed.events.push(clean(&postback.event));
            owed.sequences.push(i64::from(postback.sequence));
            owed.captured.push(captured);
            owed.amounts.push(amount);
            owed.currencies.push(currency);
            owed.states.push(stand.state.as_str());
            owed.doubts.push(stand.doubt);
            owed.causes
                .push(stand.cause.map(|cause| clean(&cause).into_owned()));
            owed.dues.push(stand.due);
        }
        Ok(owed)
    }
}
