//! Rows as words: each column read by its own parser; what cannot be read names its column.

use std::str::FromStr;
use std::sync::Arc;

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::story::Transition;
use crate::money::Money;
use crate::name::NetworkName;
use crate::order::{Doubt, Order, OrderId, OrderKey, Standing};
use crate::postback::{Attempt, Outcome, Postback, State, Verdict};

/// A word that no state, standing or doubt has.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no word of this refgate's")]
struct Unknown(String);

/// The columns that [`order`] reads.
pub(super) const ORDER: &str = "orders.namespace, orders.number, orders.at, orders.store, \
    orders.rule, orders.amount, orders.currency, orders.working, orders.standing, orders.doubt, \
    orders.why, orders.click, orders.visit, orders.id, orders.seen";

/// An order's row, without its aliases.
pub(super) struct OrderRow {
    pub(super) id: i64,
    pub(super) seen: i64,
    pub(super) order: Order,
}

pub(super) fn order(row: &Row<'_>) -> Result<OrderRow, Error> {
    let standing: String = row.get("standing")?;
    let standing = match (standing.as_str(), doubt(row, "orders.doubt")?) {
        ("credited", _) => Standing::Credited,
        ("organic", _) => Standing::Organic,
        ("held", Some(doubt)) => Standing::Held(doubt),
        _ => return Err(unreadable("orders.standing", Unknown(standing))),
    };
    let click: Option<String> = row.get("click")?;
    let visit: Option<String> = row.get("visit")?;
    let order = Order {
        key: OrderKey {
            namespace: parse(row, "namespace", "orders.namespace")?,
            id: parse(row, "number", "orders.number")?,
        },
        aliases: Vec::new(),
        at: Time::from_millis(row.get("at")?),
        store: parse(row, "store", "orders.store")?,
        rule: parse(row, "rule", "orders.rule")?,
        amount: money(row)?,
        working: row.get("working")?,
        standing,
        why: row.get("why")?,
        click: click
            .map(|text| from_json("orders.click", &text))
            .transpose()?,
        visit: visit
            .map(|text| parse_text("orders.visit", &text))
            .transpose()?,
    };
    Ok(OrderRow {
        id: row.get("id")?,
        seen: row.get("seen")?,
        order,
    })
}

/// The columns and tables that [`postback`] reads.
pub(super) const POSTBACK: &str = "postbacks.id, orders.namespace, orders.number, \
    postbacks.destination, postbacks.event, postbacks.sequence, postbacks.captured, \
    postbacks.amount, postbacks.currency, postbacks.state, postbacks.doubt, postbacks.cause, \
    postbacks.at, postbacks.due, postbacks.attempts, postbacks.spent \
    FROM postbacks JOIN orders ON orders.id = postbacks.order_id";

pub(super) fn postback(row: &Row<'_>) -> Result<Postback, Error> {
    let captured: String = row.get("captured")?;
    let due: Option<i64> = row.get("due")?;
    Ok(Postback {
        id: row.get("id")?,
        order: OrderKey {
            namespace: parse(row, "namespace", "orders.namespace")?,
            id: parse(row, "number", "orders.number")?,
        },
        destination: destination(row)?,
        event: row.get("event")?,
        sequence: row.get("sequence")?,
        values: from_json("postbacks.captured", &captured)?,
        amount: money(row)?,
        state: state(row)?,
        doubt: doubt(row, "postbacks.doubt")?,
        cause: row.get("cause")?,
        at: Time::from_millis(row.get("at")?),
        due: due.map(Time::from_millis),
        attempts: row.get("attempts")?,
        spent: row.get("spent")?,
    })
}

/// The columns that [`attempt`] reads.
pub(super) const ATTEMPT: &str = "id, postback_id, begun, url, ended, status, words, verdict";

pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt, Error> {
    let ended: Option<i64> = row.get("ended")?;
    let outcome = match ended {
        None => None,
        Some(at) => Some(Outcome {
            at: Time::from_millis(at),
            status: row.get("status")?,
            words: row.get::<_, Option<String>>("words")?.unwrap_or_default(),
            verdict: word::<Verdict>("attempts.verdict", row.get("verdict")?)?,
        }),
    };
    Ok(Attempt {
        id: row.get("id")?,
        postback: row.get("postback_id")?,
        begun: Time::from_millis(row.get("begun")?),
        url: row.get("url")?,
        outcome,
    })
}

pub(super) fn transition(row: &Row<'_>) -> Result<Transition, Error> {
    Ok(Transition {
        postback: row.get("postback_id")?,
        at: Time::from_millis(row.get("at")?),
        was: row.get("was")?,
        became: row.get("became")?,
        cause: row.get("cause")?,
    })
}

pub(super) fn order_id(row: &Row<'_>) -> Result<OrderId, Error> {
    parse(row, "number", "aliases.number")
}

pub(super) fn destination(row: &Row<'_>) -> Result<NetworkName, Error> {
    parse(row, "destination", "postbacks.destination")
}

pub(super) fn state(row: &Row<'_>) -> Result<State, Error> {
    let word: String = row.get("state")?;
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

fn doubt(row: &Row<'_>, column: &'static str) -> Result<Option<Doubt>, Error> {
    let text: Option<String> = row.get("doubt")?;
    text.map(|text| word(column, text)).transpose()
}

fn money(row: &Row<'_>) -> Result<Option<Money>, Error> {
    let amount: Option<String> = row.get("amount")?;
    let currency: Option<String> = row.get("currency")?;
    let (Some(amount), Some(currency)) = (amount, currency) else {
        return Ok(None);
    };
    Ok(Some(Money {
        amount: parse_text("amount", &amount)?,
        currency: parse_text("currency", &currency)?,
    }))
}

fn parse<T>(row: &Row<'_>, name: &str, column: &'static str) -> Result<T, Error>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(name)?;
    parse_text(column, &text)
}

fn parse_text<T>(column: &'static str, text: &str) -> Result<T, Error>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| unreadable(column, error))
}

fn unreadable<E>(column: &'static str, source: E) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    Error::Row {
        column,
        source: Arc::new(source),
    }
}
