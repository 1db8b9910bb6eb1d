//! What the commands over the ledger share: their errors, and how they say things.
//!
//! Texts from pages and from networks are strangers' texts: [`inert`] before they
//! reach a terminal.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

use crate::ledger;
use crate::name::NetworkName;

pub use crate::inert::inert;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// Nothing goes by that id.
    #[error("no order goes by {0:?}")]
    NoOrder(String),
    /// Postbacks are in states from which that is not done, or cannot be sent.
    #[error("{0}")]
    NotSteered(String),
    /// The ledger failed on the way; what was done by then was told.
    #[error(
        "the ledger failed after {count} of {of} postbacks. What was done stays done, and {again}"
    )]
    Halted {
        /// How many it came to.
        count: usize,
        /// Of how many.
        of: usize,
        /// What comes of running it again.
        again: &'static str,
        /// Why.
        source: ledger::Error,
    },
    /// All of it was done and told, but it is not among the actions that the ledger keeps.
    #[error("it is done, but the ledger does not keep a record of it")]
    Unrecorded(#[source] ledger::Error),
    /// Neither numbers nor a filter: nothing is done with all of them by mistake.
    #[error("which postbacks? name their numbers, or state a filter like `--state held`")]
    WhichPostbacks,
    /// Both.
    #[error("postbacks are named by their numbers or by a filter, not by both")]
    NumbersAndFilter,
    /// No such destination is configured.
    #[error("no network or webhook is called {0}; there are {1}")]
    NoDestination(NetworkName, String),
    /// It has no currency to compare with: a webhook, which counts nothing.
    #[error("{0} is a webhook, and counts nothing")]
    NoCurrency(NetworkName),
    /// A network's report cannot be used.
    #[error("cannot use {}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// Why.
        source: super::report::Fault,
    },
    /// A file of decisions cannot be used.
    #[error("cannot use {}", path.display())]
    Decisions {
        /// The file.
        path: PathBuf,
        /// Why.
        source: super::decisions::Fault,
    },
    /// It is not said for which time a report should be whole.
    #[error("of which time is the report? state --since and --until, or name its --date-column")]
    NoPeriod,
    /// Money is at stake, and nobody said why.
    #[error("--yes needs a --reason, which is kept with each change")]
    NoReason,
    /// Yes, and nothing that is to be done.
    #[error("--yes to what? say --settle, --resend or both")]
    YesToWhat,
    /// One answer in two forms.
    #[error("--csv and --json are two forms of one answer")]
    TwoForms,
    /// A report and the ledger differ; how was told.
    #[error("the report and the ledger differ: {0} findings")]
    Differs(u64),
    /// Files of the spool were not imported; each was told.
    #[error("not imported: {0} of the spool's files")]
    Kept(usize),
    /// Orders wait in the spool, in a form that the refgate before this one may not read.
    #[error(
        "{0} orders wait in the spool, and the refgate before this one may not read them: `refgate import` enters them"
    )]
    Spooled(usize),
    /// The spool's directory cannot be read.
    #[error("cannot read the spool")]
    Spool(#[source] io::Error),
    /// A file that is to be read cannot be, or is not what it should be.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ledger is not sound, or not accepted; each fault was told.
    #[error("the ledger has {0} faults")]
    Unsound(usize),
    /// Lines of a file hold no id; the first of them were told, the others' ids are imported.
    #[error("lines without an order id: {0}; the ids of all others are imported")]
    NoIds(u64),
    /// It is not said whose ids a file holds.
    #[error("whose orders are these? {0}")]
    WhoseIds(&'static str),
    /// The answer does not become JSON.
    #[error("the answer cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// Nobody reads what is written.
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}

/// Writes a value as JSON, indented, its strings inert too.
///
/// # Errors
/// It does not become JSON, or cannot be written.
pub fn json(out: &mut dyn io::Write, value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value)?;
    let safe = crate::inert::json(&text);
    writeln!(out, "{safe}")?;
    Ok(())
}

/// Writes rows in columns as wide as they must be.
///
/// # Errors
/// It cannot be written.
pub fn table<const N: usize>(
    out: &mut dyn io::Write,
    head: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned))
        .chain(
            rows.iter()
                .map(|row| row.each_ref().map(|cell| inert(cell))),
        )
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_value() {
        let text = "a\u{1b}\u{9b}\u{202e}\u{e0041}\n\"".to_owned();
        let mut out = Vec::new();
        json(&mut out, &text).unwrap();
        let written = String::from_utf8(out).unwrap();
        assert!(written.is_ascii(), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
