//! `refgate affiliates`: what each affiliate brought, and by how many visits; so that who buys by his own link is seen.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::Serialize;

use super::say::{Error, json, table};
use crate::click::partner;
use crate::clock::Time;
use crate::ledger::{LIST, Ledger, OrderFilter};
use crate::name::{NetworkName, StoreName};
use crate::order::{Order, Standing};
use crate::visit::VisitId;

/// An order so soon after its click was not looked for long.
const SOON: Duration = Duration::from_secs(5 * 60);

/// Whose figures.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only those of this network
    #[arg(long)]
    pub network: Option<NetworkName>,
    /// Only orders first seen in this store
    #[arg(long)]
    pub store: Option<StoreName>,
    /// Only orders first seen then or later, like 2026-11-23T00:00:00Z
    #[arg(long)]
    pub since: Option<Time>,
    /// Only orders first seen before then
    #[arg(long)]
    pub until: Option<Time>,
    /// At most so many, those with the most orders first
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// One affiliate's figures, over the orders that are owed to a click of his, or would be.
#[derive(Debug, Serialize)]
struct Line {
    network: NetworkName,
    affiliate: String,
    orders: u64,
    credited: u64,
    /// By reason.
    held: BTreeMap<String, u64>,
    /// Taken back, so that they are nobody's.
    organic: u64,
    /// Visits that made these orders: browsers, as far as they keep cookies.
    visits: u64,
    /// The most orders of one visit.
    most_of_one_visit: u64,
    /// From the click to the order, in seconds: half of them took less.
    median_seconds: u64,
    /// Orders within five minutes after their click.
    soon: u64,
    /// What the credited ones are worth, by currency.
    credited_worth: BTreeMap<String, Decimal>,
}

/// What is added up of one affiliate.
#[derive(Debug, Default)]
struct Sum {
    credited: u64,
    held: BTreeMap<String, u64>,
    organic: u64,
    visits: HashMap<VisitId, u64>,
    seconds: Vec<u64>,
    worth: BTreeMap<String, Decimal>,
}

/// Tells them.
///
/// # Errors
/// The ledger's, or the output's.
pub async fn run(
    args: &Args,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let mut lines = lines(args, ledger).await?;
    let left_off = lines.len().saturating_sub(args.limit);
    lines.truncate(args.limit);
    if as_json {
        return json(out, &lines);
    }
    if lines.is_empty() {
        writeln!(out, "no orders of any affiliate's")?;
        return Ok(());
    }
    let rows: Vec<_> = lines.iter().map(row).collect();
    let head = [
        "AFFILIATE",
        "NETWORK",
        "ORDERS",
        "CREDITED",
        "HELD",
        "VISITS",
        "MOST",
        "MEDIAN",
        "SOON",
        "CREDITED WORTH",
    ];
    table(out, head, &rows)?;
    if left_off > 0 {
        writeln!(out, "… and {left_off} more: --limit")?;
    }
    Ok(())
}

/// A line an affiliate, those with the most orders first.
async fn lines(args: &Args, ledger: &Ledger) -> Result<Vec<Line>, Error> {
    let mut sums: HashMap<(NetworkName, String), Sum> = HashMap::new();
    let mut after = Some(0);
    while let Some(last) = after {
        let filter = OrderFilter {
            store: args.store.clone(),
            since: args.since,
            until: args.until,
            ..OrderFilter::default()
        };
        let page = ledger.orders_after(filter, last, LIST).await?;
        for order in &page.rows {
            let Some(click) = &order.click else { continue };
            if args.network.as_ref().is_none_or(|it| *it == click.network) {
                let whose = (click.network.clone(), partner(&click.values));
                sums.entry(whose).or_default().add(order, click.at);
            }
        }
        after = page.next;
    }
    let mut lines: Vec<Line> = sums.into_iter().map(line).collect();
    lines.sort_by(|one, other| {
        let of = |line: &Line| (line.network.clone(), line.affiliate.clone());
        let most_first = other.orders.cmp(&one.orders);
        most_first.then_with(|| of(one).cmp(&of(other)))
    });
    Ok(lines)
}

impl Sum {
    fn add(&mut self, order: &Order, clicked: Time) {
        match order.standing {
            Standing::Credited => {
                self.credited += 1;
                if let Some(money) = order.amount {
                    let worth = self.worth.entry(money.currency.to_string()).or_default();
                    *worth = worth.checked_add(money.amount).unwrap_or(Decimal::MAX);
                }
            }
            Standing::Held(doubt) => *self.held.entry(doubt.to_string()).or_default() += 1,
            Standing::Organic => self.organic += 1,
        }
        if let Some(visit) = order.visit {
            *self.visits.entry(visit).or_default() += 1;
        }
        self.seconds.push(order.at.since(clicked).as_secs());
    }
}

fn line(((network, affiliate), sum): ((NetworkName, String), Sum)) -> Line {
    let mut seconds = sum.seconds;
    seconds.sort_unstable();
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
    let soon = seconds.partition_point(|took| *took < SOON.as_secs());
    Line {
        network,
        affiliate,
        orders: count(seconds.len()),
        credited: sum.credited,
        held: sum.held,
        organic: sum.organic,
        visits: count(sum.visits.len()),
        most_of_one_visit: sum.visits.values().copied().max().unwrap_or_default(),
        median_seconds: median,
        soon: count(soon),
        credited_worth: sum.worth,
    }
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

fn row(line: &Line) -> [String; 10] {
    let worth = line.credited_worth.iter();
    let worth: Vec<_> = worth
        .map(|(currency, sum)| format!("{sum} {currency}"))
        .collect();
    [
        line.affiliate.clone(),
        line.network.to_string(),
        line.orders.to_string(),
        line.credited.to_string(),
        line.held.values().sum::<u64>().to_string(),
        line.visits.to_string(),
        line.most_of_one_visit.to_string(),
        took(line.median_seconds),
        line.soon.to_string(),
        worth.join(", "),
    ]
}

/// Seconds as a person says them: `50s`, `12m`, `30h`, `9d`.
fn took(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
