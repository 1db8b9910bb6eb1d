//! `refgate shadow-report`: what networks in shadow would have been told, against what they counted themselves.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::reconcile::currency_of;
use super::report::{self, Layout};
use super::say::{Error, inert, json, table};
use crate::click::partner;
use crate::clock::Time;
use crate::config::Settings;
use crate::ledger::{LIST, Ledger, PostbackFilter};
use crate::money::{Decimal, Money};
use crate::name::NetworkName;
use crate::postback::{Postback, State};
use against::{Comparison, is_shadowed};

pub mod against;

/// Of which time, and against what.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only of this network
    #[arg(long)]
    pub network: Option<NetworkName>,
    /// Only of orders seen at or after this time, like 2026-11-23T00:00:00Z
    #[arg(long)]
    pub since: Option<Time>,
    /// Only of orders seen before this time
    #[arg(long)]
    pub until: Option<Time>,
    /// A CSV file of what the network's own tracking counted in that time, with its column names in the first line
    #[arg(long, value_name = "FILE", requires = "network")]
    pub against: Option<PathBuf>,
    /// How it is laid out.
    #[command(flatten)]
    pub layout: Layout,
}

/// What one network would have been told.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which.
    pub network: NetworkName,
    /// All of it.
    pub all: Sum,
    /// By the partner who brought the orders.
    pub partners: BTreeMap<String, Sum>,
    /// Against the network's own count, if a file was given.
    pub against: Option<Comparison>,
}

/// So many postbacks, and what they are worth.
#[derive(Debug, Default, Serialize)]
pub struct Sum {
    /// How many.
    pub postbacks: u64,
    /// Their worth, by currency.
    pub worth: BTreeMap<String, Decimal>,
}

impl Sum {
    fn add(&mut self, amount: Option<Money>) {
        self.postbacks += 1;
        if let Some(money) = amount {
            let worth = self.worth.entry(money.currency.to_string()).or_default();
            *worth = worth.checked_add(money.amount).unwrap_or(Decimal::MAX);
        }
    }

    fn words(&self) -> String {
        let worth = self
            .worth
            .iter()
            .map(|(currency, sum)| format!("{sum} {currency}"));
        worth.collect::<Vec<_>>().join(", ")
    }
}

/// Reports.
///
/// # Errors
/// The file cannot be read; the ledger's, or the output's.
pub async fn run(
    args: &Args,
    settings: &Settings,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let shadowed = shadowed(args, ledger).await?;
    let mut reports = reports(&shadowed);
    if let (Some(path), Some(network)) = (&args.against, &args.network) {
        let currency = currency_of(network, settings)?;
        let counted = report::read(path, &args.layout, currency)?;
        let period = (args.since, args.until);
        let affiliate = &args.layout.affiliate_value;
        let comparison = Comparison::of(&counted, network, period, affiliate, ledger).await?;
        let at = reports.iter().position(|report| report.network == *network);
        match at.and_then(|at| reports.get_mut(at)) {
            Some(report) => report.against = Some(comparison),
            None => reports.push(Report {
                against: Some(comparison),
                ..Report::of(network)
            }),
        }
    }
    if as_json {
        return json(out, &reports);
    }
    if reports.is_empty() {
        writeln!(out, "nothing was held in shadow")?;
    }
    for report in &reports {
        tell(report, out)?;
    }
    Ok(())
}

/// Every postback that only the shadow holds, the oldest first.
async fn shadowed(args: &Args, ledger: &Ledger) -> Result<Vec<Postback>, Error> {
    let filter = PostbackFilter {
        destination: args.network.clone(),
        since: args.since,
        until: args.until,
        ..PostbackFilter::in_state(State::Held)
    };
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(last) = after {
        let page = ledger.postbacks_after(filter.clone(), last, LIST).await?;
        all.extend(page.rows.into_iter().filter(is_shadowed));
        after = page.next;
    }
    Ok(all)
}

fn reports(shadowed: &[Postback]) -> Vec<Report> {
    let mut reports: BTreeMap<&NetworkName, Report> = BTreeMap::new();
    for postback in shadowed {
        let name = &postback.destination;
        let report = reports.entry(name).or_insert_with(|| Report::of(name));
        report.all.add(postback.amount);
        let partner = partner(&postback.values);
        report
            .partners
            .entry(partner)
            .or_default()
            .add(postback.amount);
    }
    reports.into_values().collect()
}

impl Report {
    fn of(network: &NetworkName) -> Self {
        Self {
            network: network.clone(),
            all: Sum::default(),
            partners: BTreeMap::new(),
            against: None,
        }
    }
}

fn tell(report: &Report, out: &mut dyn io::Write) -> Result<(), Error> {
    let (network, all) = (&report.network, &report.all);
    writeln!(
        out,
        "{network} would have been told {} times: {}",
        all.postbacks,
        if all.worth.is_empty() {
            "nothing".to_owned()
        } else {
            all.words()
        }
    )?;
    let row =
        |(partner, sum): (&String, &Sum)| [partner.clone(), sum.postbacks.to_string(), sum.words()];
    let rows: Vec<_> = report.partners.iter().map(row).collect();
    if !rows.is_empty() {
        table(out, ["PARTNER", "ORDERS", "WORTH"], &rows)?;
    }
    if let Some(against) = &report.against {
        writeln!(out)?;
        compared(against, out)?;
    }
    writeln!(out)?;
    Ok(())
}

fn compared(against: &Comparison, out: &mut dyn io::Write) -> Result<(), Error> {
    let Comparison {
        same,
        only_refgate,
        only_network,
        differing,
        without_id,
    } = against;
    writeln!(
        out,
        "Against its own count: {same} the same, {} only here, {} only there, {} differ",
        only_refgate.len(),
        only_network.len(),
        differing.len()
    )?;
    if *without_id > 0 {
        writeln!(out, "{without_id} rows of the file have no order id")?;
    }
    let mut rows = Vec::new();
    for one in only_refgate {
        rows.push([
            one.order.clone(),
            "only here".to_owned(),
            number(one.amount),
            String::new(),
            String::new(),
        ]);
    }
    for one in only_network {
        let known = inert(&one.known);
        rows.push([
            one.order.clone(),
            "only there".to_owned(),
            String::new(),
            number(one.amount),
            known,
        ]);
    }
    for one in differing {
        rows.push([
            one.order.clone(),
            "differs".to_owned(),
            number(one.here),
            number(one.there),
            one.note.clone(),
        ]);
    }
    if !rows.is_empty() {
        table(out, ["ORDER", "", "HERE", "THERE", ""], &rows)?;
    }
    Ok(())
}

fn number(amount: Option<Decimal>) -> String {
    amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string())
}
