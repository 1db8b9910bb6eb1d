//! A file of decisions, line by line: CSV, or JSON as an array of objects. What it is read for is bounded; of a row only
//! what decides is kept.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};

use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::Value;

use super::{Args, action};
use crate::actor::Reason;
use crate::cli::rows::Format;
use crate::cli::sheet::{self, Sheet};
use crate::ledger::Action;
use crate::name::{Namespace, NetworkName};
use crate::order::OrderId;
use crate::postback::{PostbackId, State};

/// What decides, by the columns' names.
const COLUMNS: [&str; 7] = [
    "id",
    "order",
    "namespace",
    "destination",
    "state",
    "action",
    "reason",
];

/// Names that others write for them: `refgate reconcile --csv` has more than one number in a row.
const OTHERS: [(&str, &str); 2] = [("postback", "id"), ("network", "destination")];

/// One line.
#[derive(Debug)]
pub(super) enum Line {
    /// It asks for something.
    Decision(Decision),
    /// It asks for something that cannot be understood: its number, and why.
    Bad(u64, String),
    /// It asks for nothing.
    Nothing,
}

/// What is to be done, and with which postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) line: u64,
    pub(super) action: Action,
    pub(super) reason: Reason,
    pub(super) id: Option<PostbackId>,
    pub(super) order: Option<String>,
    pub(super) namespace: Option<Namespace>,
    pub(super) destination: Option<NetworkName>,
    /// Where it stood when the file was written.
    pub(super) state: Option<State>,
}

/// Why a file is none of decisions.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// It is no sheet.
    #[error(transparent)]
    Sheet(#[from] sheet::Fault),
    /// It is no JSON, or no array of objects.
    #[error("it is no JSON array with an object for each postback")]
    Json(#[from] serde_json::Error),
    /// A column is not there.
    #[error("it has no column `{0}`, only {1}")]
    Column(&'static str, String),
    /// A column is there twice.
    #[error("it has two columns `{0}`")]
    Twice(&'static str),
    /// Too long.
    #[error("it has more than {max} decisions: cut it", max = super::DECISIONS)]
    TooMany,
}

/// What takes the lines.
type Take<'a> = dyn FnMut(Line) -> Result<(), Fault> + 'a;

/// Reads it.
pub(super) fn read(args: &Args, take: &mut Take<'_>) -> Result<(), Fault> {
    match format(args)? {
        Format::Csv => csv(args, take),
        Format::Json => json(args, take),
    }
}

/// As it is stated, or else as the file begins.
pub(super) fn format(args: &Args) -> Result<Format, Fault> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let mut begins = Vec::new();
    File::open(&args.file)?
        .take(4096)
        .read_to_end(&mut begins)?;
    let text = begins.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&begins);
    Ok(match text.trim_ascii_start().first() {
        Some(b'[') => Format::Json,
        _ => Format::Csv,
    })
}

fn csv(args: &Args, take: &mut Take<'_>) -> Result<(), Fault> {
    let mut sheet = Sheet::open(&args.file, None)?;
    let head = sheet.head().join(", ");
    let mut places = [None; COLUMNS.len()];
    for (place, wanted) in places.iter_mut().zip(COLUMNS) {
        *place = column(sheet.head(), wanted)?;
    }
    let [id, order, _, _, _, action, _] = places;
    if id.or(order).is_none() {
        return Err(Fault::Column("id", head));
    }
    if action.is_none() && args.action.is_none() {
        return Err(Fault::Column("action", head));
    }
    while let Some(row) = sheet.row()? {
        if row.is_empty() {
            continue;
        }
        let cells = places.map(|place| place.map_or("", |place| row.cell(place)));
        take(line(args, row.line, cells))?;
    }
    Ok(())
}

fn column(head: &[String], wanted: &'static str) -> Result<Option<usize>, Fault> {
    let named = |meant: &str| {
        let columns = head.iter().enumerate();
        let meant = columns.filter(|(_, name)| name.eq_ignore_ascii_case(meant));
        meant.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let mut found = named(wanted);
    let others = OTHERS.iter().filter(|(_, means)| *means == wanted);
    for (other, _) in others.filter(|_| found.is_empty()).collect::<Vec<_>>() {
        found = named(other);
    }
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(Fault::Twice(wanted)),
    }
}

/// An object of the array.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(alias = "postback")]
    id: Value,
    order: Value,
    namespace: Value,
    #[serde(alias = "network")]
    destination: Value,
    state: Value,
    action: Value,
    reason: Value,
}

fn json(args: &Args, take: &mut Take<'_>) -> Result<(), Fault> {
    let mut file = BufReader::new(File::open(&args.file)?);
    if file.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        file.consume(3);
    }
    let (mut refused, mut number) = (None, 0);
    let mut deserializer = serde_json::Deserializer::from_reader(file);
    let read = deserializer.deserialize_seq(Each(&mut |entry: Entry| {
        number += 1;
        let done = take(of(args, number, &entry));
        done.map_err(|fault| refused = Some(fault)).is_ok()
    }));
    match refused {
        Some(fault) => Err(fault),
        None => Ok(read.and_then(|()| deserializer.end())?),
    }
}

/// Hands on the elements of an array one by one, as long as they are taken.
struct Each<'a>(&'a mut dyn FnMut(Entry) -> bool);

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array with an object for each postback")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element()? {
            if !(self.0)(entry) {
                return Err(A::Error::custom("no more of it is taken"));
            }
        }
        Ok(())
    }
}

fn of(args: &Args, number: u64, entry: &Entry) -> Line {
    let Entry {
        id,
        order,
        namespace,
        destination,
        state,
        action,
        reason,
    } = entry;
    let values = [id, order, namespace, destination, state, action, reason];
    let texts = values.map(|value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    });
    line(args, number, texts.each_ref().map(String::as_str))
}

/// The cells of a line, as [`COLUMNS`] names them.
fn line(args: &Args, line: u64, cells: [&str; COLUMNS.len()]) -> Line {
    let [id, order, .., word, _] = cells;
    if word.is_empty() && args.action.is_none() {
        return Line::Nothing;
    }
    if id.is_empty() && order.is_empty() {
        return Line::Bad(
            line,
            "no postback: neither `id` nor `order` is filled in".to_owned(),
        );
    }
    match decision(args, line, cells) {
        Ok(decision) => Line::Decision(decision),
        Err(why) => Line::Bad(line, why),
    }
}

fn decision(args: &Args, line: u64, cells: [&str; COLUMNS.len()]) -> Result<Decision, String> {
    let [id, order, namespace, destination, state, word, reason] = cells;
    let filled = |cell: &'static str, text: &str| {
        let short: String = text.chars().take(64).collect();
        move |why: String| format!("`{cell}` is {short:?}: {why}")
    };
    let action = match (word, args.action) {
        ("", Some(action)) => action,
        _ => action(&word.to_lowercase()).map_err(filled("action", word))?,
    };
    let reason = match reason {
        "" => args
            .reason
            .clone()
            .ok_or("no reason: fill in `reason`, or state --reason")?,
        text => parsed(text).map_err(filled("reason", text))?,
    };
    let asked: Option<OrderId> = maybe(order).map_err(filled("order", order))?;
    let named: Option<NetworkName> =
        maybe(destination).map_err(filled("destination", destination))?;
    let stood = State::from_word(state);
    if stood.is_none() && !state.is_empty() {
        return Err(filled("state", state)("no state of a postback".to_owned()));
    }
    Ok(Decision {
        line,
        action,
        reason,
        id: maybe(id).map_err(filled("id", id))?,
        order: asked.map(String::from),
        namespace: maybe(namespace).map_err(filled("namespace", namespace))?,
        destination: named.or_else(|| args.destination.clone()),
        state: stood,
    })
}

/// Nothing, or a text that is read.
fn maybe<T: std::str::FromStr>(text: &str) -> Result<Option<T>, String>
where
    T::Err: std::fmt::Display,
{
    match text {
        "" => Ok(None),
        text => parsed(text).map(Some),
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}
