//! `refgate orders`: the orders, newest first.

use std::io;

use super::known;
use super::say::{Error, json, table};
use crate::clock::Time;
use crate::ledger::{Ledger, OrderFilter};
use crate::name::{Namespace, StoreName};
use crate::order::{Order, Standing};

/// Which orders to list, or which to know.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What else to do with orders.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Only of this order namespace (`orders:` of a store)
    #[arg(long)]
    pub namespace: Option<Namespace>,
    /// Only those first seen in this store
    #[arg(long)]
    pub store: Option<StoreName>,
    /// Only credited, organic or held ones
    #[arg(long, value_parser = ["credited", "organic", "held"])]
    pub standing: Option<String>,
    /// Only those first seen then or later, like 2026-11-23T00:00:00Z
    #[arg(long)]
    pub since: Option<Time>,
    /// Only those first seen before then
    #[arg(long)]
    pub until: Option<Time>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// What is done with orders beside listing them.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Have ids be known: a confirmation of such an order is no new one, and pays nobody
    ///
    /// For orders that are older than refgate, or are made without it. Importing them again changes nothing.
    ImportKnown(known::Args),
}

/// Lists orders.
///
/// # Errors
/// The ledger's, or the output's.
pub async fn run(
    args: &Args,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let standing = args.standing.as_deref();
    let filter = OrderFilter {
        namespace: args.namespace.clone(),
        store: args.store.clone(),
        standing: ["credited", "organic", "held"]
            .into_iter()
            .find(|word| standing == Some(*word)),
        since: args.since,
        until: args.until,
    };
    let orders = ledger.orders(filter, args.limit).await?;
    if as_json {
        return json(out, &orders);
    }
    if orders.is_empty() {
        writeln!(out, "no orders")?;
        return Ok(());
    }
    let rows: Vec<_> = orders.iter().map(row).collect();
    table(
        out,
        ["ORDER", "SEEN", "STORE", "AMOUNT", "STANDING", "WHY"],
        &rows,
    )?;
    Ok(())
}

fn row(order: &Order) -> [String; 6] {
    [
        order.key.to_string(),
        order.at.to_string(),
        order.store.to_string(),
        order
            .amount
            .map_or_else(|| "unknown".to_owned(), |amount| amount.to_string()),
        standing(&order.standing).to_owned(),
        order.why.clone(),
    ]
}

/// A standing's word.
pub(super) const fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Credited => "credited",
        Standing::Organic => "organic",
        Standing::Held(_) => "held",
    }
}
