//! `refgate reconcile`: the ledger against a network's report, and what the report answers.

use std::io;
use std::path::PathBuf;

use super::compare::{Claim, Scope, compare};
use super::report::{self, Layout, Report};
use super::say::Error;
use super::steer::Hand;
use crate::clock::Time;
use crate::config::Settings;
use crate::ledger::Ledger;
use crate::money::Currency;
use crate::name::NetworkName;
use crate::postback::{Postback, State};
use settle::{Asked, Settling};
use tell::{Form, Telling};

pub mod settle;
mod tell;

/// Against which report, of which network and time.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The network's report as CSV, with its column names in the first line
    pub report: PathBuf,
    /// Whose report it is
    #[arg(long)]
    pub network: NetworkName,
    /// What the report should have of the orders seen at or after this time [default: from its first row's time]
    #[arg(long, value_name = "TIME")]
    pub since: Option<Time>,
    /// And before this time, like 2026-12-01T00:00:00Z [default: to its last row's time]
    #[arg(long, value_name = "TIME")]
    pub until: Option<Time>,
    /// How it is laid out.
    #[command(flatten)]
    pub layout: Layout,
    /// Answer in CSV, a finding a row
    #[arg(long, conflicts_with_all = ["settle", "resend"])]
    pub csv: bool,
    /// What is to be settled by it.
    #[command(flatten)]
    pub asked: Asked,
}

/// The states that the report should bear out, or answers.
const EXPECTED: [State; 3] = [State::Accepted, State::Duplicate, State::Unclear];

/// Which time the report is compared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    since: Option<Time>,
    until: Time,
}

/// Compares, tells, and settles what is asked for.
///
/// # Errors
/// [`Error::Differs`] if anything is found and not settled; the report cannot be used; the ledger's, or the output's.
pub async fn run(
    args: &Args,
    (settings, ledger): (&Settings, &Ledger),
    hand: &Hand,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let form = match (args.csv, as_json) {
        (true, true) => return Err(Error::TwoForms),
        (true, false) => Form::Csv,
        (false, true) => Form::Json,
        (false, false) => Form::Words,
    };
    if args.asked.yes && args.asked.reason.is_none() {
        return Err(Error::NoReason);
    }
    let network = &args.network;
    let currency = currency_of(network, settings)?;
    let report = report::read(&args.report, &args.layout, currency)?;
    let period = period(args, &report, hand.now)?;
    let scope = Scope {
        network,
        since: period.since,
        until: Some(period.until),
        affiliate: &args.layout.affiliate_value,
        states: &EXPECTED,
        claim: |postback| Some(claim(postback)),
    };
    let mut settling = Settling::new(args, &report);
    let mut telling = Telling::begin(form, out)?;
    let mut take = |finding| {
        settling.take(&finding);
        telling.take(finding)
    };
    let agreed = compare(&report, &scope, ledger, &mut take).await?;
    let found = telling.end(&report, (network, period), agreed)?;
    let settled = settling.run(ledger, hand, form, out).await?;
    match found.saturating_sub(settled) {
        0 => Ok(()),
        left => Err(Error::Differs(left)),
    }
}

/// What a postback's state says of whether the network has it.
const fn claim(postback: &Postback) -> Claim {
    match postback.state {
        State::Accepted | State::Duplicate => Claim::Counted,
        State::Unclear => Claim::Open,
        State::Due | State::Sending | State::Rejected | State::Dead | State::Held => {
            Claim::Uncounted
        }
    }
}

/// As it is stated, or else as the report's rows show.
fn period(args: &Args, report: &Report, now: Time) -> Result<Period, Error> {
    if args.since.is_none() && args.until.is_none() && report.dates.is_none() {
        return Err(Error::NoPeriod);
    }
    Ok(Period {
        since: args.since.or(report.dates.map(|dates| dates.begins)),
        until: args
            .until
            .or(report.dates.map(|dates| dates.ends))
            .unwrap_or(now),
    })
}

/// In which currency a network counts. A webhook counts nothing: its amounts are the stores'.
///
/// # Errors
/// There is no such network.
pub(super) fn currency_of(network: &NetworkName, settings: &Settings) -> Result<Currency, Error> {
    super::pause::known(network, &settings.deliver)?;
    let destination = settings.record.destinations.get(network);
    let destination = destination.ok_or_else(|| Error::NoCurrency(network.clone()))?;
    Ok(destination.currency)
}
