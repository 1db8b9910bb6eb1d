//! `refgate orders import-known`: ids of orders that are not to be new ones, from a file as long as it may be.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::by::By;
use super::say::{Error, inert, json};
use super::steer;
use crate::actor::Actor;
use crate::clock::Time;
use crate::ledger::{Deed, IDS, Learned, Ledger};
use crate::name::{Namespace, StoreName};
use crate::order::OrderId;
use crate::store::Stores;

/// Longest line in bytes.
const LINE: u64 = 64 * 1024;

/// Faults shown of one file.
const SHOWN: usize = 20;

/// Which ids, and whose.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file: one id a line, or CSV with --column
    pub file: PathBuf,
    /// The column of a CSV file in which the ids stand, as its first line names it
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// The store whose orders they are
    #[arg(long, conflicts_with = "namespace")]
    pub store: Option<StoreName>,
    /// The order namespace (`orders:` of a store) that they are unique in
    #[arg(long)]
    pub namespace: Option<Namespace>,
    /// Who is recorded.
    #[command(flatten)]
    pub by: By,
}

/// Whose ids a file may hold, and who imports them when.
#[derive(Debug)]
pub struct Import<'a> {
    /// The stores of the configuration.
    pub stores: &'a Stores,
    /// Who does it.
    pub actor: Actor,
    /// The time.
    pub now: Time,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Report {
    #[serde(flatten)]
    learned: Learned,
    refused: u64,
    faults: Vec<String>,
    /// Whether an error came before the file's end.
    halted: bool,
}

/// Imports a file's ids.
///
/// # Errors
/// The file cannot be read, or lines of it hold no id; the ledger's, or the output's.
pub async fn run(
    args: &Args,
    import: &Import<'_>,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let namespace = namespace(args, import.stores)?;
    let mut report = Report::default();
    let learning = learn(args, (&namespace, import.now), ledger, &mut report).await;
    let halted = match learning {
        Err(error) if report.learned == Learned::default() => return Err(error),
        learning => learning.err(),
    };
    let Learned { new, known, orders } = report.learned;
    let deed = Deed {
        actor: import.actor.clone(),
        verb: "import-known",
        subject: Some(namespace.to_string()),
        reason: Some(format!(
            "{new} new, {known} known, {orders} in the ledger, from {}{}",
            file_name(&args.file),
            if halted.is_some() {
                ", not to its end"
            } else {
                ""
            }
        )),
    };
    report.halted = halted.is_some();
    let ended = steer::record(deed, halted, ledger, import.now).await;
    if as_json {
        json(out, &report)?;
    } else {
        tell(&report, &namespace, out)?;
    }
    ended?;
    match report.refused {
        0 => Ok(()),
        refused => Err(Error::NoIds(refused)),
    }
}

/// Has the ids of the file be known, some at a time. What it did until an error stands in the report.
async fn learn(
    args: &Args,
    (namespace, now): (&Namespace, Time),
    ledger: &Ledger,
    report: &mut Report,
) -> Result<(), Error> {
    let read = |source| Error::File {
        path: args.file.clone(),
        source,
    };
    let file = File::open(&args.file).map_err(read)?;
    let mut lines = Lines::new(BufReader::new(file), args.column.as_deref()).map_err(read)?;
    let mut more = true;
    while more {
        let mut ids = Vec::new();
        more = lines.ids(&mut ids, report).map_err(read)?;
        if !ids.is_empty() {
            report.learned += ledger.learn(namespace.clone(), ids, now).await?;
        }
    }
    Ok(())
}

fn tell(report: &Report, namespace: &Namespace, out: &mut dyn io::Write) -> Result<(), Error> {
    for fault in &report.faults {
        writeln!(out, "{fault}")?;
    }
    let Learned { new, known, orders } = report.learned;
    writeln!(
        out,
        "{new} orders of {namespace} are known from now on; {known} were, {orders} are orders of the ledger"
    )?;
    if report.halted {
        writeln!(
            out,
            "The rest of the file was not come to: run it again, which changes nothing of what is known."
        )?;
    }
    Ok(())
}

/// What is named, or the only one that there is.
fn namespace(args: &Args, stores: &Stores) -> Result<Namespace, Error> {
    if let Some(namespace) = &args.namespace {
        return Ok(namespace.clone());
    }
    let mut namespaces: Vec<&Namespace> = stores
        .all()
        .iter()
        .filter(|store| args.store.as_ref().is_none_or(|name| *name == store.name))
        .map(|store| &store.orders)
        .collect();
    namespaces.sort();
    namespaces.dedup();
    match namespaces.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Error::WhoseIds("there is no such store")),
        _ => Err(Error::WhoseIds(
            "the stores count their orders apart: say --store or --namespace",
        )),
    }
}

fn file_name(path: &Path) -> String {
    inert(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// The ids of a file, line by line.
struct Lines<R> {
    file: R,
    /// Which field of a line, and what parts the fields; none: the line is the id.
    field: Option<(usize, char)>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(file: R, column: Option<&str>) -> io::Result<Self> {
        let mut lines = Self {
            file,
            field: None,
            number: 0,
        };
        let Some(column) = column else {
            return Ok(lines);
        };
        let invalid = |words: String| io::Error::new(io::ErrorKind::InvalidData, words);
        let head = lines.next()?.unwrap_or_default();
        let parting = [',', ';', '\t'].into_iter();
        let parting = parting.max_by_key(|parting| head.matches(*parting).count());
        let parting = parting.unwrap_or(',');
        let names = fields(&head, parting).unwrap_or_default();
        let place = names.iter().position(|name| name.trim() == column.trim());
        let Some(place) = place else {
            let words = format!("its first line names no column {column:?}");
            return Err(invalid(words));
        };
        lines.field = Some((place, parting));
        Ok(lines)
    }

    /// The next ids, at most [`IDS`]; false at the end.
    fn ids(&mut self, ids: &mut Vec<OrderId>, report: &mut Report) -> io::Result<bool> {
        while ids.len() < IDS {
            let Some(line) = self.next()? else {
                return Ok(false);
            };
            if line.trim().is_empty() {
                continue;
            }
            let text = match self.field {
                None => Some(line),
                Some((place, parting)) => {
                    fields(&line, parting).and_then(|fields| fields.into_iter().nth(place))
                }
            };
            let id = text.ok_or_else(|| "no such column in it".to_owned());
            let id = id.and_then(|text| text.parse().map_err(|fault| format!("{fault}")));
            match id {
                Ok(id) => ids.push(id),
                Err(fault) => {
                    report.refused += 1;
                    if report.faults.len() < SHOWN {
                        report.faults.push(format!("line {}: {fault}", self.number));
                    }
                }
            }
        }
        Ok(true)
    }

    /// The next line without its end; an error if it is longer than [`LINE`] or no UTF-8.
    fn next(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.file.by_ref().take(LINE).read_line(&mut line)?;
        self.number += 1;
        if read == 0 {
            return Ok(None);
        }
        if !line.ends_with('\n') && u64::try_from(read).is_ok_and(|read| read == LINE) {
            let words = format!("line {} is longer than {LINE} bytes", self.number);
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        let first = self.number == 1;
        let line = line.trim_end_matches(['\n', '\r']);
        let line = if first {
            line.trim_start_matches('\u{feff}')
        } else {
            line
        };
        Ok(Some(line.to_owned()))
    }
}

/// The fields of a line of CSV (RFC 4180, each on one line); none if a quote is not closed.
fn fields(line: &str, parting: char) -> Option<Vec<String>> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            letter if letter == parting && !quoted => fields.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    fields.push(field);
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::ID_LIMIT;

    fn ids(text: &str, column: Option<&str>) -> (Vec<String>, Report) {
        let mut lines = Lines::new(text.as_bytes(), column).unwrap();
        let (mut ids, mut report) = (Vec::new(), Report::default());
        while lines.ids(&mut ids, &mut report).unwrap() {}
        let ids = ids.iter().map(|id| id.as_str().to_owned()).collect();
        (ids, report)
    }

    #[test]
    fn a_line_is_an_id() {
        let (found, report) = ids("\u{feff}1001\r\n\n  #1002 \n1003", None);
        assert_eq!(found, ["1001", "#1002", "1003"]);
        assert_eq!(report.refused, 0);
        let (found, report) = ids(
            &format!("{}\n1001\na\u{1b}b\n", "9".repeat(ID_LIMIT + 1)),
            None,
        );
        assert_eq!(found, ["1001"]);
        assert_eq!(report.refused, 2);
        assert_eq!(
            report.faults[1],
            "line 3: a control character in an order id"
        );
    }

    #[test]
    fn a_column_is_found_by_its_name() {
        let text = "Name;\"Order \"\"No\"\"\";Total\nSmith; John;1001;25,00\n";
        assert_eq!(ids(text, Some("Order \"No\"")).0, ["John"]);
        let text = "id,note\n1001,\"a, b\"\n\"1002\",x\n1003,\"open\n";
        let (found, report) = ids(text, Some("id"));
        assert_eq!(
            (found, report.refused),
            (vec!["1001".into(), "1002".into()], 1)
        );
        let error = Lines::new("a,b\n".as_bytes(), Some("c")).err().unwrap();
        assert!(error.to_string().contains("no column \"c\""), "{error}");
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let endless = "1".repeat(usize::try_from(LINE).unwrap() + 9);
        let mut lines = Lines::new(endless.as_bytes(), None).unwrap();
        let error = lines.ids(&mut Vec::new(), &mut Report::default());
        assert!(error.unwrap_err().to_string().contains("longer"), "{LINE}");
    }
}
