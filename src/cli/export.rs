//! `refgate postbacks export` and `refgate orders export`: all that a filter means, oldest first, as rows for another
//! program. `refgate postbacks import` understands the postbacks' rows.

use std::io;

use serde_json::Value;

use super::orders;
use super::rows::{Format, Rows, money, text};
use super::say::Error;

use crate::click::partner;
use crate::ledger::{LIST, Ledger};
use crate::order::{Order, Standing};
use crate::postback::Postback;
use crate::steering::which::Filter;

/// Which postbacks, and how they are written.
#[derive(Clone, Debug, clap::Args)]
pub struct Postbacks {
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// How they are written [default: csv, with --json json]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
}

/// Which orders, and how they are written.
#[derive(Clone, Debug, clap::Args)]
pub struct Orders {
    /// Which.
    #[command(flatten)]
    pub filter: orders::Filter,
    /// How they are written [default: csv, with --json json]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
}

/// As it is asked for, or else as `--json` says.
fn format(asked: Option<Format>, as_json: bool) -> Format {
    let usual = if as_json { Format::Json } else { Format::Csv };
    asked.unwrap_or(usual)
}

/// Writes postbacks.
///
/// # Errors
/// The ledger's, or the output's.
pub async fn postbacks(
    args: &Postbacks,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let mut rows = Rows::begin(out, format(args.format, as_json), &POSTBACK)?;
    let mut after = Some(0);
    while let Some(last) = after {
        let filter = args.filter.postbacks();
        let page = ledger.postbacks_after(filter, last, LIST).await?;
        for postback in &page.rows {
            rows.row(&postback_row(postback))?;
        }
        after = page.next;
    }
    rows.close()
}

/// Writes orders.
///
/// # Errors
/// The ledger's, or the output's.
pub async fn orders(
    args: &Orders,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let mut rows = Rows::begin(out, format(args.format, as_json), &ORDER)?;
    let mut after = Some(0);
    while let Some(last) = after {
        let page = ledger.orders_after(args.filter.orders(), last, LIST);
        let page = page.await?;
        for order in &page.rows {
            rows.row(&order_row(order))?;
        }
        after = page.next;
    }
    rows.close()
}

/// The last two are empty, for whoever decides.
const POSTBACK: [&str; 18] = [
    "id",
    "namespace",
    "order",
    "destination",
    "event",
    "sequence",
    "amount",
    "currency",
    "affiliate",
    "values",
    "state",
    "doubt",
    "cause",
    "at",
    "due",
    "attempts",
    "action",
    "reason",
];

fn postback_row(postback: &Postback) -> [Value; 18] {
    let [amount, currency] = money(postback.amount);
    let values = postback.values.iter();
    let values = values.map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    [
        postback.id.into(),
        text(Some(&postback.order.namespace)),
        text(Some(&postback.order.id)),
        text(Some(&postback.destination)),
        text(Some(&postback.event)),
        postback.sequence.into(),
        amount,
        currency,
        text(Some(partner(&postback.values))),
        Value::Object(values.collect()),
        text(Some(postback.state)),
        text(postback.doubt),
        text(postback.cause.as_ref()),
        text(Some(postback.at)),
        text(postback.due),
        postback.attempts.into(),
        Value::Null,
        Value::Null,
    ]
}

const ORDER: [&str; 15] = [
    "namespace",
    "order",
    "aliases",
    "at",
    "store",
    "rule",
    "amount",
    "currency",
    "working",
    "standing",
    "doubt",
    "network",
    "affiliate",
    "clicked",
    "why",
];

fn order_row(order: &Order) -> [Value; 15] {
    let [amount, currency] = money(order.amount);
    let click = order.click.as_ref();
    let doubt = match order.standing {
        Standing::Held(doubt) => Some(doubt),
        Standing::Credited | Standing::Organic => None,
    };
    let aliases: Vec<String> = order.aliases.iter().map(ToString::to_string).collect();
    [
        text(Some(&order.key.namespace)),
        text(Some(&order.key.id)),
        text(Some(aliases.join(" "))),
        text(Some(order.at)),
        text(Some(&order.store)),
        text(Some(&order.rule)),
        amount,
        currency,
        text(order.working.as_ref()),
        text(Some(order.standing.word())),
        text(doubt),
        text(click.map(|click| &click.network)),
        text(click.map(|click| partner(&click.values))),
        text(click.map(|click| click.at)),
        text(Some(&order.why)),
    ]
}
