//! A text that an extractor found, and how an amount in it is to be read.

use regex::Regex;

use crate::money::{self, Currency, Decimal, Found, NumberFormat, ReadError};

/// Most texts that one source may find.
pub(crate) const TEXT_LIMIT: usize = 1000;

/// What a text is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// People: numbers are in the store's format.
    Printed,
    /// Programs: numbers are plain, or in the store's format.
    Data,
    /// A JSON number.
    Number,
}

/// A text, as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

impl Text {
    /// What programs wrote.
    pub(crate) fn data(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            kind: Kind::Data,
        }
    }

    /// The part that the pattern means: group 1, or the whole match.
    pub(crate) fn matched(&self, pattern: Option<&Regex>) -> Option<Self> {
        let text = match pattern {
            Some(pattern) => find(pattern, &self.text).next()?,
            None => self.text.as_str(),
        };
        let text = text.trim();
        (!text.is_empty()).then(|| Self {
            text: text.to_owned(),
            kind: self.kind,
        })
    }

    /// The amount that it says.
    pub(crate) fn amount(
        &self,
        format: NumberFormat,
        currency: Currency,
        minor_units: bool,
    ) -> Result<Found, ReadError> {
        let plain = |amount: Decimal| Found { amount, mark: None };
        if minor_units {
            return money::read_minor(&self.text, currency).map(plain);
        }
        match self.kind {
            Kind::Printed => money::read(&self.text, format, currency),
            Kind::Data => money::read_data(&self.text, format, currency),
            Kind::Number => money::read_number(&self.text).map(plain),
        }
    }
}

/// Every match of `pattern`: group 1 (where there is one), or the whole.
pub(crate) fn find<'t>(pattern: &Regex, text: &'t str) -> impl Iterator<Item = &'t str> {
    pattern.captures_iter(text).filter_map(|captures| {
        let group = if captures.len() > 1 { 1 } else { 0 };
        captures.get(group).map(|found| found.as_str())
    })
}
