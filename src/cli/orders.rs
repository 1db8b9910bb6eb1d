//! `refgate orders`: the orders, newest first.

use std::io;

use super::say::{Error, json, table};
use super::{export, known};
use crate::clock::Time;
use crate::ledger::{Ledger, OrderFilter};
use crate::name::{Namespace, StoreName};
use crate::order::{Order, STANDINGS, Standing};

/// Which orders to list, or which to know.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What else to do with orders.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// Which orders; everything stated must hold.
#[derive(Clone, Debug, clap::Args)]
pub struct Filter {
    /// Only of this order namespace (`orders:` of a store)
    #[arg(long)]
    pub namespace: Option<Namespace>,
    /// Only those first seen in this store
    #[arg(long)]
    pub store: Option<StoreName>,
    /// Only credited, organic or held ones
    #[arg(long, value_parser = STANDINGS)]
    pub standing: Option<String>,
    /// Only those first seen then or later, like 2026-11-23T00:00:00Z
    #[arg(long)]
    pub since: Option<Time>,
    /// Only those first seen before then
    #[arg(long)]
    pub until: Option<Time>,
}

impl Filter {
    /// As the ledger takes it.
    pub fn orders(&self) -> OrderFilter {
        let stated = self.standing.as_deref();
        OrderFilter {
            namespace: self.namespace.clone(),
            store: self.store.clone(),
            standing: STANDINGS.into_iter().find(|word| stated == Some(*word)),
            since: self.since,
            until: self.until,
        }
    }
}

/// What is done with orders beside listing them.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Have ids be known: a confirmation of such an order is no new one, and pays nobody
    ///
    /// For orders that are older than refgate, or are made without it. Importing them again changes nothing.
    ImportKnown(known::Args),
    /// Write them for another program, oldest first
    Export(export::Orders),
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
    if let Some(Command::Export(args)) = &args.command {
        return export::orders(args, ledger, as_json, out).await;
    }
    let orders = ledger.orders(args.filter.orders(), args.limit).await?;
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
