//! `refgate import`: what the spool holds goes into the ledger.

use std::io;

use serde::Serialize;

use super::say::{Error, inert, json};
use crate::cause::Causes;
use crate::ledger::{Entered, Ledger};
use crate::record::spool::{self, Imported, Spool};

/// What an import did, as JSON.
#[derive(Serialize)]
struct Report {
    entered: Vec<Line>,
    kept: Vec<Line>,
    more: bool,
}

#[derive(Serialize)]
struct Line {
    file: String,
    what: String,
}

/// Imports every file of the spool.
///
/// # Errors
/// A file was not imported, each being told first; the spool's, or the output's.
pub async fn run(
    spool: &Spool,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let imported = spool::import(spool, ledger).await.map_err(Error::Spool)?;
    let report = report(&imported);
    if as_json {
        json(out, &report)?;
    } else {
        tell(&report, out)?;
    }
    match report.kept.len() {
        0 => Ok(()),
        kept => Err(Error::Kept(kept)),
    }
}

fn report(imported: &Imported) -> Report {
    let entered = imported.entered.iter().map(|(path, entered)| {
        let what = match entered {
            Entered::New(order) => format!("order {} entered", order.key),
            Entered::Completed(order) => format!("order {} completed", order.key),
            Entered::Again(order) => format!("order {} was known", order.key),
            Entered::NoPlace(order) => {
                let id = &order.key;
                format!("order {id} not entered: too many orders go by its id")
            }
            Entered::Known(order, known) => {
                let (key, since, how) = (&order.key, known.since, known.source.as_str());
                format!("order {key} is known since {since} ({how}): no new order")
            }
        };
        Line {
            file: path.display().to_string(),
            what,
        }
    });
    let kept = imported.kept.iter().map(|(path, fault)| Line {
        file: path.display().to_string(),
        what: Causes(fault).to_string(),
    });
    Report {
        entered: entered.collect(),
        kept: kept.collect(),
        more: imported.more,
    }
}

fn tell(report: &Report, out: &mut dyn io::Write) -> Result<(), Error> {
    for Line { file, what } in report.entered.iter().chain(&report.kept) {
        writeln!(out, "{}: {}", inert(file), inert(what))?;
    }
    let (entered, kept) = (report.entered.len(), report.kept.len());
    writeln!(out, "{entered} imported, {kept} kept")?;
    if report.more {
        writeln!(out, "there are more: run it again")?;
    }
    Ok(())
}
