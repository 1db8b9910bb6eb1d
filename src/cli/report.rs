//! What a network counted, from its report as CSV: by the order's id, with every row of it.
//!
//! A report that cannot be read as a whole is not used at all: money is compared with it. What it takes of memory is
//! some 250 bytes an order, and bounded by [`ORDERS`].

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::say::Error;
use super::sheet::{self, Row, Sheet};
use crate::cause::Causes;
use crate::money::{Currency, CurrencyError, Money, NumberFormat, ReadError, read_data};
use crate::order::ID_LIMIT;
use columns::Places;
use date::{DateFormat, Span};
use status::{Meaning, Unknown};

pub mod columns;
pub mod date;
mod listed;
pub mod status;

pub use columns::Layout;
pub use listed::{Affiliate, Listed, Worth};

/// Most orders of one report.
pub const ORDERS: usize = 5_000_000;

/// Faults of rows that are told.
const SHOWN: usize = 20;

/// Where a report says what its rows add up to.
const TOTALS: [&str; 4] = ["total", "totals", "grand total", "total:"];

/// A network's report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What it says of each order, by the order's id as it stands there.
    pub orders: BTreeMap<Box<str>, Listed>,
    /// Rows with an order's id.
    pub rows: u64,
    /// Rows without one.
    pub without_id: u64,
    /// Those of them that are sales all the same: they say whose, or when.
    pub nameless: u64,
    /// Whether it says what the orders are worth.
    pub amounts: bool,
    /// Whether it says whose they are.
    pub affiliates: bool,
    /// From its earliest row to its latest, where every row has a date that can be read.
    pub dates: Option<Span>,
}

/// Why a report cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is no sheet.
    #[error(transparent)]
    Sheet(#[from] sheet::Fault),
    /// No column is called so.
    #[error("it has no column {wanted:?}, only {found}: name yours with {option}")]
    Column {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
        /// By which option.
        option: &'static str,
    },
    /// No column is called as networks call it.
    #[error("no column of it is known to be {what}, of {found}: name it with {option}")]
    NoColumn {
        /// What it is.
        what: &'static str,
        /// What there is.
        found: String,
        /// The option that names it.
        option: &'static str,
    },
    /// More than one is.
    #[error("several columns could be {what}: {names}; say which with {option}")]
    Several {
        /// What it is.
        what: &'static str,
        /// Which.
        names: String,
        /// The option that names it.
        option: &'static str,
    },
    /// No single byte.
    #[error("{0:?} cannot stand between the columns of a CSV file")]
    Delimiter(char),
    /// Rows that cannot be read.
    #[error("{count} rows of it cannot be read\n{}", shown.join("\n"))]
    Rows {
        /// How many.
        count: u64,
        /// The first of them: where, and why.
        shown: Vec<String>,
    },
    /// Statuses that nobody knows.
    #[error(
        "it has statuses that are not known: {0}; say what each means with --counted or --refused"
    )]
    Statuses(String),
    /// Too long.
    #[error("it has more than {ORDERS} orders: take shorter periods")]
    TooLong,
}

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
enum Bad {
    #[error("{text:?} is no amount like {format}; --number-format says how they are written")]
    Amount {
        text: String,
        format: NumberFormat,
        source: ReadError,
    },
    #[error("{text:?} is not {currency}; --currency-column says where the currency stands")]
    Contradicts { text: String, currency: Currency },
    #[error("{text:?} is no currency")]
    Currency { text: String, source: CurrencyError },
    #[error("{0:?} is no date like the example of --date-format")]
    Date(String),
}

/// Reads a report of a network whose amounts are in `currency` where it does not say.
///
/// # Errors
/// It cannot be used.
pub fn read(path: &Path, layout: &Layout, currency: Currency) -> Result<Report, Error> {
    let read = layout
        .delimiter()
        .and_then(|between| Ok(Sheet::open(path, between)?))
        .and_then(|sheet| of(sheet, layout, currency));
    read.map_err(|source| Error::Report {
        path: path.to_owned(),
        source,
    })
}

fn of<R: Read>(mut sheet: Sheet<R>, layout: &Layout, currency: Currency) -> Result<Report, Fault> {
    let places = layout.places(sheet.head())?;
    let mut reading = Reading {
        layout,
        places,
        currency,
        report: Report {
            amounts: places.amount.is_some(),
            affiliates: places.affiliate.is_some(),
            ..Report::default()
        },
        names: HashSet::new(),
        undated: false,
        unknown: Unknown::default(),
        faults: (0, Vec::new()),
    };
    while let Some(row) = sheet.row()? {
        if row.is_empty() {
            continue;
        }
        if let Err(bad) = reading.take(row) {
            let (count, shown) = &mut reading.faults;
            *count += 1;
            if shown.len() < SHOWN {
                shown.push(format!("  line {}: {}", row.line, Causes(&bad)));
            }
        }
        if reading.report.orders.len() > ORDERS {
            return Err(Fault::TooLong);
        }
    }
    reading.end()
}

/// A report that is being read.
struct Reading<'a> {
    layout: &'a Layout,
    places: Places,
    currency: Currency,
    report: Report,
    /// The affiliates' ids, each kept once.
    names: HashSet<Arc<str>>,
    /// A row has no date that can be read.
    undated: bool,
    unknown: Unknown,
    faults: (u64, Vec<String>),
}

impl Reading<'_> {
    fn take(&mut self, row: Row<'_>) -> Result<(), Bad> {
        let order = bounded(row.cell(self.places.order));
        let is_total = TOTALS.contains(&order.to_lowercase().as_str());
        if order.is_empty() || is_total {
            self.report.without_id += 1;
            self.report.nameless += u64::from(!is_total && self.is_sale(row));
            return Ok(());
        }
        self.date(row)?;
        let amount = self.amount(row)?;
        let meaning = self.meaning(row);
        let affiliate = self.places.affiliate.map(|at| bounded(row.cell(at)));
        let affiliate = affiliate.filter(|id| !id.is_empty());
        let affiliate = affiliate.map(|id| self.name(&id));
        self.report.rows += 1;
        let listed = self.report.orders.entry(order.into()).or_default();
        if listed.counted + listed.refused == 0 {
            listed.line = row.line;
        }
        listed.affiliate.add(affiliate);
        match meaning {
            Meaning::Refused => listed.refused = listed.refused.saturating_add(1),
            Meaning::Counted => {
                listed.counted = listed.counted.saturating_add(1);
                listed.worth.add(amount);
            }
        }
        Ok(())
    }

    /// Whether it says whose, or when; so does every row of a report that never does.
    fn is_sale(&self, row: Row<'_>) -> bool {
        let Places {
            affiliate, date, ..
        } = self.places;
        let mut told = [affiliate, date].into_iter().flatten().peekable();
        told.peek().is_none() || told.any(|at| !row.cell(at).is_empty())
    }

    fn amount(&self, row: Row<'_>) -> Result<Option<Money>, Bad> {
        let text = self.places.amount.map_or("", |at| row.cell(at));
        if text.is_empty() {
            return Ok(None);
        }
        let code = self.places.currency.map_or("", |at| row.cell(at));
        let short = || text.chars().take(64).collect::<String>();
        let currency = match code {
            "" => self.currency,
            code => code.parse().map_err(|source| Bad::Currency {
                text: code.chars().take(64).collect(),
                source,
            })?,
        };
        let format = self.layout.number_format;
        let found = read_data(text, format, currency).map_err(|source| Bad::Amount {
            text: short(),
            format,
            source,
        })?;
        if found.mark.is_some_and(|mark| !mark.allows(currency)) {
            let text = short();
            return Err(Bad::Contradicts { text, currency });
        }
        let amount = found.amount;
        Ok(Some(Money { amount, currency }))
    }

    fn meaning(&mut self, row: Row<'_>) -> Meaning {
        let word = self.places.status.map_or("", |at| row.cell(at));
        let meaning = self.layout.statuses.meaning(word);
        meaning.unwrap_or_else(|| {
            self.unknown.add(word);
            Meaning::Counted
        })
    }

    /// A date that cannot be read is a fault only if it was asked for.
    fn date(&mut self, row: Row<'_>) -> Result<(), Bad> {
        let Some(at) = self.places.date else {
            self.undated = true;
            return Ok(());
        };
        let text = row.cell(at);
        let format: DateFormat = self.layout.date_format;
        match format.read(text) {
            Some(span) => {
                let dates = self.report.dates.get_or_insert(span);
                dates.begins = dates.begins.min(span.begins);
                dates.ends = dates.ends.max(span.ends);
            }
            None if self.layout.date_column.is_some() => return Err(Bad::Date(bounded(text))),
            None => self.undated = true,
        }
        Ok(())
    }

    fn name(&mut self, id: &str) -> Arc<str> {
        if let Some(name) = self.names.get(id) {
            return Arc::clone(name);
        }
        let name: Arc<str> = id.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn end(mut self) -> Result<Report, Fault> {
        let (count, shown) = self.faults;
        if count > 0 {
            return Err(Fault::Rows { count, shown });
        }
        if let Some(words) = self.unknown.words() {
            return Err(Fault::Statuses(words));
        }
        if self.undated {
            self.report.dates = None;
        }
        Ok(self.report)
    }
}

/// No order of ours has a longer id.
fn bounded(text: &str) -> String {
    match text.char_indices().find(|(at, _)| *at >= ID_LIMIT) {
        None => text.to_owned(),
        Some(_) => text.chars().take(ID_LIMIT).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests;
