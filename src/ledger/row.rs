//! Rows as words, of both engines: each column read by its own parser; what cannot be read names its column.

use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::known::KnownOrder;
use super::story::Transition;
use crate::clock::Time;
use crate::money::Money;
use crate::name::NetworkName;
use crate::order::{Doubt, Order, OrderId, OrderKey, Standing};
use crate::postback::{Attempt, Outcome, Postback, State, Verdict};
use crate::session::Mark;

/// A row of either engine: whole numbers and texts, by the names of their columns.
pub(super) trait Columns {
    /// A number.
    fn number(&self, name: &'static str) -> Result<i64, Error>;
    /// A number, or nothing.
    fn maybe_number(&self, name: &'static str) -> Result<Option<i64>, Error>;
    /// A text.
    fn text(&self, name: &'static str) -> Result<String, Error>;
    /// A text, or nothing.
    fn maybe_text(&self, name: &'static str) -> Result<Option<String>, Error>;
}

/// A word that no state, standing or doubt has.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no word of this refgate's")]
struct Unknown(String);

/// The columns that [`order`] reads.
pub(super) const ORDER: &str = "orders.namespace, orders.number, orders.at, orders.store, \
    orders.rule, orders.amount, orders.currency, orders.working, orders.standing, orders.doubt, \
    orders.why, orders.click, orders.visit, orders.proof, orders.open_until, orders.shopper, orders.id, \
    orders.seen";

/// An order's row, without its aliases.
pub(super) struct OrderRow {
    pub(super) id: i64,
    pub(super) seen: i64,
    pub(super) order: Order,
    /// Who looked first, while it is open.
    pub(super) shopper: Vec<Mark>,
}

pub(super) fn order(row: &dyn Columns) -> Result<OrderRow, Error> {
    let standing = row.text("standing")?;
    let standing = match (standing.as_str(), doubt(row, "orders.doubt")?) {
        ("credited", _) => Standing::Credited,
        ("organic", _) => Standing::Organic,
        ("held", Some(doubt)) => Standing::Held(doubt),
        _ => return Err(unreadable("orders.standing", Unknown(standing))),
    };
    let click = row.maybe_text("click")?;
    let visit = row.maybe_text("visit")?;
    let proof = row.maybe_text("proof")?;
    let order = Order {
        key: OrderKey {
            namespace: parse(row, "namespace", "orders.namespace")?,
            id: parse(row, "number", "orders.number")?,
        },
        aliases: Vec::new(),
        at: Time::from_millis(row.number("at")?),
        store: parse(row, "store", "orders.store")?,
        rule: parse(row, "rule", "orders.rule")?,
        amount: money(row)?,
        working: row.maybe_text("working")?,
        standing,
        why: row.text("why")?,
        click: click
            .map(|text| from_json("orders.click", &text))
            .transpose()?,
        visit: visit
            .map(|text| parse_text("orders.visit", &text))
            .transpose()?,
        proof: proof
            .map(|text| from_json("orders.proof", &text))
            .transpose()?,
        open_until: row.maybe_number("open_until")?.map(Time::from_millis),
    };
    let shopper = row.maybe_text("shopper")?;
    let shopper = shopper.map(|text| from_json("orders.shopper", &text));
    Ok(OrderRow {
        id: row.number("id")?,
        seen: row.number("seen")?,
        order,
        shopper: shopper.transpose()?.unwrap_or_default(),
    })
}

/// The columns and tables that [`postback`] reads.
pub(super) const POSTBACK: &str = "postbacks.id, orders.namespace, orders.number, \
    postbacks.destination, postbacks.event, postbacks.sequence, postbacks.captured, \
    postbacks.amount, postbacks.currency, postbacks.state, postbacks.doubt, postbacks.cause, \
    postbacks.at, postbacks.due, postbacks.attempts, postbacks.spent \
    FROM postbacks JOIN orders ON orders.id = postbacks.order_id";

pub(super) fn postback(row: &dyn Columns) -> Result<Postback, Error> {
    let captured = row.text("captured")?;
    let due = row.maybe_number("due")?;
    Ok(Postback {
        id: row.number("id")?,
        order: OrderKey {
            namespace: parse(row, "namespace", "orders.namespace")?,
            id: parse(row, "number", "orders.number")?,
        },
        destination: destination(row)?,
        event: row.text("event")?,
        sequence: small("postbacks.sequence", row.number("sequence")?)?,
        values: from_json("postbacks.captured", &captured)?,
        amount: money(row)?,
        state: state(row)?,
        doubt: doubt(row, "postbacks.doubt")?,
        cause: row.maybe_text("cause")?,
        at: Time::from_millis(row.number("at")?),
        due: due.map(Time::from_millis),
        attempts: small("postbacks.attempts", row.number("attempts")?)?,
        spent: small("postbacks.spent", row.number("spent")?)?,
    })
}

/// The columns that [`attempt`] reads.
pub(super) const ATTEMPT: &str = "id, postback_id, begun, url, ended, status, words, verdict";

pub(super) fn attempt(row: &dyn Columns) -> Result<Attempt, Error> {
    let ended = row.maybe_number("ended")?;
    let outcome = match ended {
        None => None,
        Some(at) => Some(Outcome {
            at: Time::from_millis(at),
            status: row
                .maybe_number("status")?
                .map(|status| small("attempts.status", status))
                .transpose()?,
            words: row.maybe_text("words")?.unwrap_or_default(),
            verdict: word::<Verdict>("attempts.verdict", row.text("verdict")?)?,
        }),
    };
    Ok(Attempt {
        id: row.number("id")?,
        postback: row.number("postback_id")?,
        begun: Time::from_millis(row.number("begun")?),
        url: row.text("url")?,
        outcome,
    })
}

pub(super) fn transition(row: &dyn Columns) -> Result<Transition, Error> {
    Ok(Transition {
        postback: row.maybe_number("postback_id")?,
        at: Time::from_millis(row.number("at")?),
        was: row.maybe_text("was")?,
        became: row.text("became")?,
        cause: row.maybe_text("cause")?,
        actor: row
            .maybe_text("actor")?
            .map(|actor| parse_text("transitions.actor", &actor))
            .transpose()?,
    })
}

/// The columns that [`known_order`] reads.
pub(super) const KNOWN: &str = "namespace, at, source";

pub(super) fn known_order(row: &dyn Columns) -> Result<KnownOrder, Error> {
    Ok(KnownOrder {
        namespace: parse(row, "namespace", "known_orders.namespace")?,
        since: Time::from_millis(row.number("at")?),
        source: word("known_orders.source", row.text("source")?)?,
    })
}

pub(super) fn order_id(row: &dyn Columns) -> Result<OrderId, Error> {
    parse(row, "number", "aliases.number")
}

pub(super) fn order_key(row: &dyn Columns) -> Result<OrderKey, Error> {
    Ok(OrderKey {
        namespace: parse(row, "namespace", "orders.namespace")?,
        id: parse(row, "number", "orders.number")?,
    })
}

/// How many there are, as a column `count` says.
pub(super) fn count(row: &dyn Columns) -> Result<u64, Error> {
    let count = row.number("count")?;
    u64::try_from(count).map_err(|error| unreadable("count", error))
}

pub(super) fn destination(row: &dyn Columns) -> Result<NetworkName, Error> {
    parse(row, "destination", "postbacks.destination")
}

pub(super) fn state(row: &dyn Columns) -> Result<State, Error> {
    let word = row.text("state")?;
    State::from_word(&word).ok_or_else(|| unreadable("postbacks.state", Unknown(word)))
}

/// The standing's two columns.
pub(super) fn standing_words(standing: &Standing) -> Result<(&'static str, Option<String>), Error> {
    Ok(match standing {
        Standing::Credited => ("credited", None),
        Standing::Organic => ("organic", None),
        Standing::Held(doubt) => ("held", Some(to_word("orders.doubt", doubt)?)),
    })
}

/// The amount's two columns.
pub(super) fn money_words(money: Option<Money>) -> (Option<String>, Option<String>) {
    match money {
        Some(money) => (
            Some(money.amount.to_string()),
            Some(money.currency.to_string()),
        ),
        None => (None, None),
    }
}

pub(super) fn to_json<T: Serialize>(column: &'static str, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| unreadable(column, error))
}

pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

/// A unit variant's serde name, as the column's text.
pub(super) fn to_word<T: Serialize>(column: &'static str, value: &T) -> Result<String, Error> {
    let json = to_json(column, value)?;
    Ok(json.trim_matches('"').to_owned())
}

fn word<T: DeserializeOwned>(column: &'static str, text: String) -> Result<T, Error> {
    serde_json::from_value(serde_json::Value::String(text))
        .map_err(|error| unreadable(column, error))
}

fn doubt(row: &dyn Columns, column: &'static str) -> Result<Option<Doubt>, Error> {
    let text = row.maybe_text("doubt")?;
    text.map(|text| word(column, text)).transpose()
}

fn money(row: &dyn Columns) -> Result<Option<Money>, Error> {
    let (amount, currency) = (row.maybe_text("amount")?, row.maybe_text("currency")?);
    let (Some(amount), Some(currency)) = (amount, currency) else {
        return Ok(None);
    };
    Ok(Some(Money {
        amount: parse_text("amount", &amount)?,
        currency: parse_text("currency", &currency)?,
    }))
}

fn parse<T>(row: &dyn Columns, name: &'static str, column: &'static str) -> Result<T, Error>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    parse_text(column, &row.text(name)?)
}

fn parse_text<T>(column: &'static str, text: &str) -> Result<T, Error>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| unreadable(column, error))
}

/// A number that must fit into fewer bits than the column has.
fn small<T>(column: &'static str, number: i64) -> Result<T, Error>
where
    T: TryFrom<i64>,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(number).map_err(|error| unreadable(column, error))
}

pub(super) fn unreadable<E>(column: &'static str, source: E) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    Error::Row {
        column,
        source: Arc::new(source),
    }
}
