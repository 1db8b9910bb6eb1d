//! `refgate status`: of every destination, whether it is told, and how much waits for it.

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;

use super::pause::words;
use super::say::{Error, json, table};
use crate::config::Settings;
use crate::ledger::{Ledger, Pause, Unsettled};
use crate::name::NetworkName;
use crate::postback::Mode;

/// One destination.
#[derive(Debug, Serialize)]
struct Line {
    name: NetworkName,
    /// `live`, `shadow`; none if it is not configured any more.
    mode: Option<&'static str>,
    due: u64,
    held: u64,
    unclear: u64,
    paused: Option<Pause>,
}

/// Tells it.
///
/// # Errors
/// The ledger's, or the output's.
pub async fn run(
    settings: &Settings,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let lines = lines(
        settings,
        &ledger.unsettled().await?,
        &ledger.pauses().await?,
    );
    if as_json {
        return json(out, &lines);
    }
    let rows: Vec<_> = lines.iter().map(row).collect();
    let head = ["NAME", "MODE", "DUE", "HELD", "UNCLEAR", "PAUSED"];
    table(out, head, &rows)?;
    Ok(())
}

/// Also those that are not configured any more, if something waits for them.
fn lines(settings: &Settings, unsettled: &[Unsettled], pauses: &[Pause]) -> Vec<Line> {
    let destinations = &settings.deliver.destinations;
    let names: BTreeSet<&NetworkName> = destinations
        .keys()
        .chain(unsettled.iter().map(|unsettled| &unsettled.destination))
        .chain(pauses.iter().map(|pause| &pause.destination))
        .collect();
    let line = |name: &NetworkName| {
        let open = unsettled
            .iter()
            .find(|unsettled| unsettled.destination == *name);
        let mode = destinations.get(name).map(|destination| destination.mode);
        Line {
            name: name.clone(),
            mode: mode.map(|mode| match mode {
                Mode::Live => "live",
                Mode::Shadow => "shadow",
            }),
            due: open.map_or(0, |open| open.due),
            held: open.map_or(0, |open| open.held),
            unclear: open.map_or(0, |open| open.unclear),
            paused: pauses.iter().find(|one| one.destination == *name).cloned(),
        }
    };
    names.into_iter().map(line).collect()
}

fn row(line: &Line) -> [String; 6] {
    [
        line.name.to_string(),
        line.mode.unwrap_or("not configured").to_owned(),
        line.due.to_string(),
        line.held.to_string(),
        line.unclear.to_string(),
        line.paused.as_ref().map_or_else(|| "no".to_owned(), words),
    ]
}
