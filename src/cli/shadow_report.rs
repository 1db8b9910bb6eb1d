//! `refgate shadow-report`: what networks in shadow would have been told, against what they counted themselves.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::say::{Error, inert, json, table};
use crate::click::partner;
use crate::clock::Time;
use crate::config::Settings;
use crate::ledger::{LIST, Ledger};
use crate::money::{Currency, Decimal, Money, NumberFormat};
use crate::name::NetworkName;
use crate::order::Doubt;
use crate::postback::{Postback, PostbackId};
use tracked::{Columns, Comparison};

pub mod tracked;

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
    /// Its column with the order's id
    #[arg(long, value_name = "COLUMN", default_value = "order_id")]
    pub order_column: String,
    /// Its column with the amount, in the network's currency
    #[arg(long, value_name = "COLUMN", default_value = "amount")]
    pub amount_column: String,
    /// How its amounts are written
    #[arg(long, value_name = "EXAMPLE", default_value = "1,234.56")]
    pub number_format: NumberFormat,
    /// What stands between its columns
    #[arg(long, value_name = "CHARACTER", default_value = ",")]
    pub delimiter: char,
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
        let counted = tracked::read(path, &columns(args, network, settings)?)?;
        let ours = shadowed.iter().filter(|one| one.destination == *network);
        let comparison = Comparison::of(ours, &counted, ledger).await?;
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

fn columns(args: &Args, network: &NetworkName, settings: &Settings) -> Result<Columns, Error> {
    super::pause::known(network, &settings.deliver)?;
    let delimiter = u8::try_from(args.delimiter);
    // A webhook counts nothing: its amounts are the stores'.
    let destination = settings.record.destinations.get(network);
    let no_currency = || Error::NoCurrency(network.clone());
    let currency: Currency = destination.ok_or_else(no_currency)?.currency;
    Ok(Columns {
        order: args.order_column.clone(),
        amount: args.amount_column.clone(),
        format: args.number_format,
        delimiter: delimiter.map_err(|_wide| Error::Delimiter(args.delimiter))?,
        currency,
    })
}

/// Every postback that only the shadow holds, the oldest first.
async fn shadowed(args: &Args, ledger: &Ledger) -> Result<Vec<Postback>, Error> {
    let meant = |one: &Postback| {
        one.doubt == Some(Doubt::Shadow)
            && args
                .network
                .as_ref()
                .is_none_or(|name| one.destination == *name)
            && args.since.is_none_or(|since| one.at >= since)
            && args.until.is_none_or(|until| one.at < until)
    };
    let (mut all, mut last): (Vec<Postback>, PostbackId) = (Vec::new(), 0);
    loop {
        let page = ledger.held(last, LIST).await?;
        let Some(newest) = page.last() else {
            return Ok(all);
        };
        last = newest.id;
        all.extend(page.into_iter().filter(meant));
    }
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
            one.amount.to_string(),
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
            one.amount.to_string(),
            known,
        ]);
    }
    for one in differing {
        let times = if one.times > 1 {
            format!("{} rows there", one.times)
        } else {
            String::new()
        };
        rows.push([
            one.order.clone(),
            "differs".to_owned(),
            one.here.to_string(),
            one.there.to_string(),
            times,
        ]);
    }
    if !rows.is_empty() {
        table(out, ["ORDER", "", "HERE", "THERE", ""], &rows)?;
    }
    Ok(())
}
