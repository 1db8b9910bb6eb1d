//! Rows as other programs take them: CSV that no spreadsheet works out, or JSON; the same names in both. Each row is
//! written when it is known, so a list may be as long as it likes.

use std::io::Write;

use serde_json::Value;

use super::say::Error;
use crate::inert;
use crate::money::Money;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated, quoted, with the columns' names in the first line (RFC 4180).
    #[default]
    Csv,
    /// An array with an object a row.
    Json,
}

/// Rows on their way out.
pub struct Rows<'a> {
    out: &'a mut dyn Write,
    format: Format,
    head: &'a [&'a str],
    count: u64,
}

impl<'a> Rows<'a> {
    /// Begins with the columns' names.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(
        out: &'a mut dyn Write,
        format: Format,
        head: &'a [&'a str],
    ) -> Result<Self, Error> {
        match format {
            Format::Csv => writeln!(out, "{}", head.join(","))?,
            Format::Json => write!(out, "[")?,
        }
        Ok(Self {
            out,
            format,
            head,
            count: 0,
        })
    }

    /// Writes a row, a value a column; `null` is an empty cell.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn row(&mut self, values: &[Value]) -> Result<(), Error> {
        match self.format {
            Format::Csv => {
                let cells: Vec<String> = values.iter().map(cell).collect();
                writeln!(self.out, "{}", cells.join(","))?;
            }
            Format::Json => {
                let pairs = self.head.iter().zip(values);
                let pairs = pairs.map(|(name, value)| format!("\"{name}\":{value}"));
                let text = pairs.collect::<Vec<_>>().join(",");
                let between = if self.count > 0 { "," } else { "" };
                write!(self.out, "{between}\n{{{}}}", inert::json(&text))?;
            }
        }
        self.count += 1;
        Ok(())
    }

    /// Ends, and gives back where it was written.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(self) -> Result<&'a mut dyn Write, Error> {
        if self.format == Format::Json {
            let before = if self.count > 0 { "\n" } else { "" };
            write!(self.out, "{before}]")?;
        }
        Ok(self.out)
    }
}

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("count", &self.count).finish()
    }
}

/// A number stands as it is, as does true or false, a text in quotes, anything else as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::String(text) => inert::csv(text),
        other => inert::csv(&other.to_string()),
    }
}

/// A text, or nothing.
pub fn text(text: Option<impl ToString>) -> Value {
    text.map_or(Value::Null, |text| Value::String(text.to_string()))
}

/// An amount's two cells: as a network is told it, and its currency.
pub fn money(money: Option<Money>) -> [Value; 2] {
    [
        text(money.map(Money::plain)),
        text(money.map(|money| money.currency)),
    ]
}
