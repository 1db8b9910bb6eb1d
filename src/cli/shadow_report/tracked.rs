//! What a network's own tracking counted, from a CSV file, and how that differs from ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use serde::Serialize;

use crate::cli::orders::standing;
use crate::cli::say::Error;
use crate::ledger::{self, Ledger};
use crate::money::{Currency, Decimal, NumberFormat, read_data};
use crate::postback::Postback;

/// Where in the file what stands, and how.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The order's id.
    pub order: String,
    /// The amount.
    pub amount: String,
    /// How it is written.
    pub format: NumberFormat,
    /// In which currency.
    pub currency: Currency,
    /// Between two columns.
    pub delimiter: u8,
}

/// What the network counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By the order's id: the sum, and of how many rows.
    pub orders: BTreeMap<String, (Decimal, u64)>,
    /// Rows without an order id.
    pub without_id: u64,
}

/// Why a file tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read, or is no CSV.
    #[error("it cannot be read as CSV")]
    Csv(#[from] csv::Error),
    /// A column is missing.
    #[error(
        "it has no column {wanted:?}, only {found}: name yours with --order-column and --amount-column"
    )]
    Column {
        /// Which.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// An amount that is none.
    #[error(
        "line {line}, column {column:?}: {text:?} is no amount like {format}; --number-format says how they are written"
    )]
    Amount {
        /// Where.
        line: u64,
        /// The amount's column.
        column: String,
        /// What stands there.
        text: String,
        /// How it should be written.
        format: NumberFormat,
    },
}

/// Reads the file.
///
/// # Errors
/// The first fault in it, with its line.
pub fn read(path: &Path, columns: &Columns) -> Result<Counted, Error> {
    let read = read_file(path, columns);
    read.map_err(|source| Error::Tracked {
        path: path.to_owned(),
        source,
    })
}

fn read_file(path: &Path, columns: &Columns) -> Result<Counted, FileError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(columns.delimiter)
        .trim(csv::Trim::All)
        .from_path(path)?;
    let head = reader.headers()?.clone();
    let (order, amount) = (
        place(&head, &columns.order)?,
        place(&head, &columns.amount)?,
    );
    let mut counted = Counted::default();
    for record in reader.records() {
        let record = record?;
        // Every row has as many columns as the first one.
        let text = |at: usize| record.get(at).unwrap_or_default();
        if text(order).is_empty() {
            counted.without_id += 1;
            continue;
        }
        let read = read_data(text(amount), columns.format, columns.currency);
        let read = read.map_err(|_why| FileError::Amount {
            line: record.position().map_or(0, csv::Position::line),
            column: columns.amount.clone(),
            text: text(amount).chars().take(64).collect(),
            format: columns.format,
        })?;
        let (sum, rows) = counted.orders.entry(text(order).to_owned()).or_default();
        *sum = sum.checked_add(read.amount).unwrap_or(Decimal::MAX);
        *rows += 1;
    }
    Ok(counted)
}

fn place(head: &StringRecord, wanted: &str) -> Result<usize, FileError> {
    // A byte-order mark, as spreadsheets write it.
    let mut names = head.iter().map(|name| name.trim_start_matches('\u{feff}'));
    names
        .position(|name| name == wanted)
        .ok_or_else(|| FileError::Column {
            wanted: wanted.to_owned(),
            found: head.iter().collect::<Vec<_>>().join(", "),
        })
}

/// Ours against theirs.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Orders that both have, at the same amount.
    pub same: u64,
    /// Orders that the network did not count.
    pub only_refgate: Vec<Ours>,
    /// Orders that the network counted and refgate would not have told.
    pub only_network: Vec<Theirs>,
    /// Orders that both have, at different amounts.
    pub differing: Vec<Differs>,
    /// Rows of the file without an order id.
    pub without_id: u64,
}

/// One that only refgate has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Ours {
    /// Its id.
    pub order: String,
    /// What it is worth.
    pub amount: Decimal,
}

/// One that only the network has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Theirs {
    /// Its id there.
    pub order: String,
    /// What it counted.
    pub amount: Decimal,
    /// What refgate knows of an order with that id.
    pub known: String,
}

/// One at two amounts.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// Its id.
    pub order: String,
    /// Ours.
    pub here: Decimal,
    /// Theirs, all rows together.
    pub there: Decimal,
    /// Of how many rows.
    pub times: u64,
}

impl Comparison {
    /// Compares; asks the ledger what is known of the orders that only the network has.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn of(
        ours: impl Iterator<Item = &Postback>,
        counted: &Counted,
        ledger: &Ledger,
    ) -> Result<Self, ledger::Error> {
        let mut comparison = Self {
            without_id: counted.without_id,
            ..Self::default()
        };
        let mut here = BTreeSet::new();
        for postback in ours {
            let order = postback.order.id.to_string();
            let amount = postback.amount.map_or(Decimal::ZERO, |money| money.amount);
            match counted.orders.get(&order) {
                None => comparison.only_refgate.push(Ours {
                    order: order.clone(),
                    amount,
                }),
                Some((there, 1)) if *there == amount => comparison.same += 1,
                Some((there, times)) => comparison.differing.push(Differs {
                    order: order.clone(),
                    here: amount,
                    there: *there,
                    times: *times,
                }),
            }
            here.insert(order);
        }
        for (order, (amount, _rows)) in &counted.orders {
            if !here.contains(order) {
                comparison.only_network.push(Theirs {
                    order: order.clone(),
                    amount: *amount,
                    known: known(order, ledger).await?,
                });
            }
        }
        Ok(comparison)
    }
}

async fn known(order: &str, ledger: &Ledger) -> Result<String, ledger::Error> {
    let stories = ledger.story(order.to_owned()).await?;
    let words = stories.iter().map(|story| {
        let order = &story.order;
        format!("{}: {}", standing(&order.standing), order.why)
    });
    let words: Vec<String> = words.collect();
    Ok(match words.as_slice() {
        [] => "never seen".to_owned(),
        words => words.join("; "),
    })
}
