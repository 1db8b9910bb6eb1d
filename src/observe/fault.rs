//! What a rule could not read, in the operator's words.

use std::sync::Arc;

use crate::money::{Currency, CurrencyError, Decimal, Mark, ReadError};
use crate::name::RuleName;
use crate::order::{Doubt, IdError};

use super::decode::DecodeError;
use super::html::HtmlError;
use super::rule::WorkError;

/// Longest field text in bytes.
pub const FIELD_LIMIT: usize = 1024;

/// What a rule that matched could not read.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; field, origin and found are what they name"
)]
pub enum Fault {
    /// There is no body to read.
    #[error(transparent)]
    Body(#[from] Arc<BodyError>),
    /// The HTML parser gave up.
    #[error("{field}: {source}")]
    Html {
        field: String,
        source: Arc<HtmlError>,
    },
    /// No JSON where JSON was expected.
    #[error("{field}: {origin} found no JSON")]
    Json {
        field: String,
        origin: String,
        source: Arc<serde_json::Error>,
    },
    /// Nothing there.
    #[error("{field}: {origin} matched nothing")]
    Nothing { field: String, origin: String },
    /// The page ends within it: it broke off, or an end tag is missing.
    #[error("{field}: {origin} matched an element without an end tag of its own")]
    Cut { field: String, origin: String },
    /// Elements, but none with such a text.
    #[error("{field}: {origin} matched {count}, but none with a text")]
    Empty {
        field: String,
        origin: String,
        count: usize,
    },
    /// Texts, but none that the pattern matches.
    #[error("{field}: {origin} found {found:?}, which the pattern {pattern:?} does not match")]
    Pattern {
        field: String,
        origin: String,
        found: String,
        pattern: String,
    },
    /// A JSON array or object.
    #[error("{field}: {origin} found {kind} instead of a text or number")]
    Kind {
        field: String,
        origin: String,
        kind: &'static str,
    },
    /// More elements than are looked at.
    #[error("{field}: {origin} matched more than {limit}")]
    TooMany {
        field: String,
        origin: String,
        limit: usize,
    },
    /// Fewer than `pick` asks for.
    #[error("{field}: {origin} matched {count}, so there is no number {wanted}")]
    Nth {
        field: String,
        origin: String,
        count: usize,
        wanted: u16,
    },
    /// Two differing values for one field.
    #[error("{field}: {origin} matched {count} with differing texts {one:?} and {other:?}")]
    Differs {
        field: String,
        origin: String,
        count: usize,
        one: String,
        other: String,
    },
    /// A text beyond [`FIELD_LIMIT`].
    #[error("{field}: {origin} found a text longer than {FIELD_LIMIT} bytes")]
    Long { field: String, origin: String },
    /// A text with bytes that are no characters of its charset.
    #[error("{field}: {origin} found {found:?}, with bytes that its charset does not have")]
    Charset {
        field: String,
        origin: String,
        found: String,
    },
    /// A text that is no order id.
    #[error("{field}: {origin} found no order id")]
    Id {
        field: String,
        origin: String,
        source: IdError,
    },
    /// A text that is no amount.
    #[error("{field}: {origin} found no amount: {source}")]
    Amount {
        field: String,
        origin: String,
        source: ReadError,
    },
    /// A text that is no currency.
    #[error("{field}: {origin} found {found:?}, which is no currency")]
    Currency {
        field: String,
        origin: String,
        found: String,
        source: CurrencyError,
    },
    /// The page says another currency than the store has.
    #[error("the page is in {found} but the store in {store}")]
    Contradicts { found: Currency, store: Currency },
    /// A sign that cannot stand for the currency.
    #[error("{field}: {mark} does not stand for {currency}")]
    Mark {
        field: String,
        mark: Mark,
        currency: Currency,
    },
    /// Two rules, two orders or two amounts.
    #[error("the rules {one} and {other} read different orders or amounts from one answer")]
    Rules { one: RuleName, other: RuleName },
    /// What the rule takes away is below zero on the page.
    #[error("{field}: {value} on the page, so that taking it away adds: is its sign right?")]
    Backwards { field: String, value: Decimal },
    /// The arithmetic.
    #[error("the amount cannot be worked out: {0}")]
    Work(#[from] WorkError),
    /// Anybody can ask for a path: nothing shows that the shop knows the order.
    #[error(
        "an order id from the request counts only together with something read from the response"
    )]
    RequestOnly,
}

/// Why there is no body to read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body was larger than `body_limit`, so no copy of it was kept.
    #[error("the body is larger than {limit} bytes, so it was not kept")]
    OverLimit {
        /// `body_limit`.
        limit: usize,
    },
    /// The content coding, or the decoded size.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Fault {
    /// Whether the body was larger than a limit, as sent or decoded.
    pub fn is_over_limit(&self) -> bool {
        let Self::Body(error) = self else {
            return false;
        };
        matches!(
            **error,
            BodyError::OverLimit { .. } | BodyError::Decode(DecodeError::Large { .. })
        )
    }

    /// Why the order is held for it.
    pub(crate) const fn doubt(&self) -> Doubt {
        match self {
            Self::Differs { .. } | Self::Rules { .. } | Self::Backwards { .. } => Doubt::Differs,
            Self::Contradicts { .. } | Self::Mark { .. } => Doubt::CurrencyContradicts,
            _ => Doubt::Unreadable,
        }
    }
}

/// The beginning of a text, for a message.
pub(crate) fn short(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut short: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}
