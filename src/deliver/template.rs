//! The postback URL as the operator pasted it from the network, filled in one pass.
//!
//! - The networks' own words `AFFILIATE_ID`, `AMOUNT`, `ORDER_ID`, `TRANSACTION_ID` count as a whole
//!   query value or a whole path segment. As a key they are text (`AMOUNT=AMOUNT`); in the middle of a
//!   value they are refused, because the network would be sent the bare word (domain.md §1).
//! - `{name}` counts anywhere in path and query; a name is one of [`OWN`] or a captured parameter.
//! - Values are percent-encoded and never read again: a value `ORDER_ID` or `{amount}` stays what it is.
//!
//! Scheme, host and port are fixed text, so that no value decides whom we speak to.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::click::Values;
use crate::clock::Time;
use crate::money::Money;
use crate::name::StoreName;
use crate::order::OrderId;

mod parse;

pub use parse::Error;

/// Longest template in bytes.
pub const LIMIT: usize = 2048;

/// Longest filled URL in bytes.
pub const URL_LIMIT: usize = 8192;

/// The names that are not captured parameters: what is known of the order.
pub const OWN: [&str; 7] = [
    "amount",
    "amount_minor",
    "currency",
    "order_id",
    "store",
    "time",
    "click_time",
];

/// Everything but RFC 3986 §2.3 "unreserved" is encoded: right in a path segment and in a query value.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A parsed template. [`Display`](fmt::Display) gives it back as pasted, secrets included.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Fill {
        /// Whose value.
        name: String,
        /// As written: `AMOUNT`, `{amount}`.
        source: String,
        /// Whether its place may stay empty.
        optional: bool,
    },
}

/// Why a template could not be filled. Nothing may be sent then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// There is no value for a name, or an empty one.
    #[error("no value for {0} of the postback URL")]
    Missing(String),
    /// A value would make the path another one.
    #[error("a value of the postback URL makes a path segment '.' or '..'")]
    Dots,
    /// More than [`URL_LIMIT`] bytes when filled.
    #[error("a filled postback URL longer than {URL_LIMIT} bytes")]
    Long,
}

/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub struct Fill<'a> {
    /// What the click carried.
    pub values: &'a Values,
    /// In the destination's currency.
    pub amount: Option<Money>,
    /// The order's id.
    pub order_id: &'a OrderId,
    /// Where the order was first seen.
    pub store: Option<&'a StoreName>,
    /// When the order was first seen.
    pub time: Time,
    /// When the link was followed.
    pub click_time: Option<Time>,
}

impl Template {
    /// The names used, in order, each once: `affiliate_id`, `amount`, `order_id`.
    pub fn words(&self) -> Vec<&str> {
        let mut words = Vec::new();
        for part in &self.parts {
            if let Part::Fill { name, .. } = part
                && !words.contains(&name.as_str())
            {
                words.push(name.as_str());
            }
        }
        words
    }

    /// Whether it is sent over TLS.
    pub fn is_https(&self) -> bool {
        let Some(Part::Text(origin)) = self.parts.first() else {
            return false;
        };
        let scheme = origin.split(':').next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
    }

    /// The host that is asked, without its port.
    pub fn host(&self) -> Option<&str> {
        let Some(Part::Text(origin)) = self.parts.first() else {
            return None;
        };
        let (_, rest) = origin.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        match host.split_once(']') {
            Some((address, _)) => address.strip_prefix('['),
            None => host.split(':').next(),
        }
    }

    /// Settles what each name means, given the parameters that the network's clicks carry.
    ///
    /// `AFFILIATE_ID` is the parameter `affiliate_id`, `TRANSACTION_ID` is `transaction_id`. A network
    /// that captures exactly one parameter, under another name than these (`ref`), means that one by
    /// either word: the store's engineer is free to name it (domain.md §1).
    ///
    /// # Errors
    /// A name that is neither in [`OWN`] nor captured, or both words for the one parameter.
    pub fn bind(mut self, captured: &[&str]) -> Result<Self, Error> {
        let alone = match captured {
            [one] if !is_conventional(one) => Some(*one),
            _ => None,
        };
        let mut stood_for: Option<String> = None;
        for part in &mut self.parts {
            let Part::Fill { name, source, .. } = part else {
                continue;
            };
            if OWN.contains(&name.as_str()) || captured.contains(&name.as_str()) {
                continue;
            }
            let Some(alone) = alone.filter(|_| !source.starts_with('{')) else {
                return Err(unknown(name, captured));
            };
            if stood_for.as_ref().is_some_and(|word| word != source) {
                return Err(Error::Both(alone.to_owned()));
            }
            stood_for = Some(source.clone());
            alone.clone_into(name);
        }
        Ok(self)
    }

    /// The same, with the places of these parameters left empty where a click came without them.
    #[must_use]
    pub fn allowing(mut self, absent: &[&str]) -> Self {
        for part in &mut self.parts {
            if let Part::Fill { name, optional, .. } = part {
                *optional = absent.contains(&name.as_str());
            }
        }
        self
    }

    /// The URL to send.
    ///
    /// # Errors
    /// A value that is needed and missing or empty, that makes a dot segment, or too much of it all.
    pub fn render(&self, fill: &Fill<'_>) -> Result<String, FillError> {
        let mut url = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => url.push_str(text),
                Part::Fill {
                    name,
                    source,
                    optional,
                } => {
                    let value = value(name, fill).unwrap_or_default();
                    if value.is_empty() && !optional {
                        return Err(FillError::Missing(source.clone()));
                    }
                    url.extend(utf8_percent_encode(&value, RESERVED));
                }
            }
            if url.len() > URL_LIMIT {
                return Err(FillError::Long);
            }
        }
        if has_dot_segment(&url) {
            return Err(FillError::Dots);
        }
        Ok(url)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(text)?,
                Part::Fill { source, .. } => f.write_str(source)?,
            }
        }
        Ok(())
    }
}

/// The names only: the text may hold a secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.words()).finish()
    }
}

/// Whether a path segment is `.` or `..`, which URL parsers remove (also when percent-encoded).
fn has_dot_segment(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        matches!(dots.as_str(), "." | "..")
    })
}

fn is_conventional(name: &str) -> bool {
    matches!(name, "affiliate_id" | "transaction_id")
}

fn unknown(name: &str, captured: &[&str]) -> Error {
    let known = captured.iter().chain(&OWN);
    let known: Vec<_> = known.map(|name| format!("{{{name}}}")).collect();
    let known = known.join(", ");
    let name = name.to_owned();
    Error::Unknown { name, known }
}

fn value(name: &str, fill: &Fill<'_>) -> Option<String> {
    match name {
        "amount" => fill.amount.map(Money::plain),
        "amount_minor" => fill.amount.and_then(minor),
        "currency" => fill.amount.map(|amount| amount.currency.to_string()),
        "order_id" => Some(fill.order_id.to_string()),
        "store" => fill.store.map(ToString::to_string),
        "time" => Some(fill.time.to_string()),
        "click_time" => fill.click_time.map(|time| time.to_string()),
        parameter => fill.values.get(parameter).cloned(),
    }
}

/// `78.36 USD` → `7836`.
fn minor(amount: Money) -> Option<String> {
    let digits = amount.plain().replace('.', "");
    Some(digits.parse::<i128>().ok()?.to_string())
}

#[cfg(test)]
mod tests;
