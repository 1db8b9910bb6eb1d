//! Reading an amount from text, in the store's own format.
//!
//! What is not certain is refused: a dot where the store's decimals have a comma
//! would make an order a thousand times too large (domain.md §9).

use super::format::{Group, plain};
use super::mark::Mark;
use super::{Currency, Decimal, NumberFormat};

/// Longest text of an amount in bytes.
const LIMIT: usize = 64;

/// An amount as a page prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How much, exact; negative with a minus or in parentheses.
    pub amount: Decimal,
    /// The signs and codes beside it, if there are any.
    pub mark: Option<Mark>,
}

/// Why a text is no amount in the store's format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Longer than [`LIMIT`].
    #[error("a text longer than {LIMIT} bytes where an amount was expected")]
    Long,
    /// No digits at all.
    #[error("{found:?} where an amount like {expected} was expected")]
    NoNumber {
        /// The text.
        found: String,
        /// The store's format.
        expected: NumberFormat,
    },
    /// Something beside the number that is no currency.
    #[error(
        "{beside:?} beside the amount in {found:?}: only a currency's sign or code may stand there; cut it off with a pattern"
    )]
    Beside {
        /// What stands there.
        beside: String,
        /// The whole text.
        found: String,
    },
    /// Digits and separators that are not in the store's format, or not surely.
    #[error("{found:?} is not written like {expected}")]
    Format {
        /// The text.
        found: String,
        /// The store's format.
        expected: NumberFormat,
    },
    /// More decimals than the currency has: grouped digits, perhaps.
    #[error("{found:?} has {decimals} decimals where {currency} has {expected}")]
    Decimals {
        /// The text.
        found: String,
        /// How many there are.
        decimals: usize,
        /// The currency that was expected.
        currency: Currency,
        /// How many it has.
        expected: u32,
    },
    /// The page's number can be read in two ways.
    #[error("{found:?} is {plain} as data but {formatted} as the store writes numbers")]
    Ambiguous {
        /// The text.
        found: String,
        /// With a dot as the decimal point.
        plain: Decimal,
        /// In the store's format.
        formatted: Decimal,
    },
    /// Digits that a decimal cannot hold.
    #[error("{found:?} has too many digits")]
    Large {
        /// The text.
        found: String,
    },
    /// Not an integer where minor units were expected.
    #[error("{found:?} is no whole number of minor units")]
    Minor {
        /// The text.
        found: String,
    },
}

/// Reads an amount that is printed for people: `€1,249.95`, `1.249,95 €`,
/// `CHF 1'234.50`, `(5.00)`, `50.–`.
///
/// The whole number is grouped as `format` says or not at all; there are at
/// most as many decimals as `currency` has.
///
/// # Errors
///
/// What is not written so, or could be read in two ways.
pub fn read(text: &str, format: NumberFormat, currency: Currency) -> Result<Found, ReadError> {
    if text.len() > LIMIT {
        return Err(ReadError::Long);
    }
    let found = text.trim().to_owned();
    let clean: String = text
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(plain)
        .collect();
    let (clean, bracketed) = unbracketed(clean.trim());
    let no_number = || ReadError::NoNumber {
        found: found.clone(),
        expected: format,
    };
    let start = clean
        .find(|c: char| c.is_ascii_digit())
        .ok_or_else(no_number)?;
    let (before, rest) = clean.split_at(start);
    let end = rest
        .rfind(|c: char| c.is_ascii_digit())
        .map_or(0, |at| at + 1);
    let (number, after) = rest.split_at(end);
    let after = strip_dashes(after, format);
    let (before, negative) = unsigned(before);
    if negative && bracketed {
        return Err(no_number());
    }
    let beside = |beside: &str| ReadError::Beside {
        beside: beside.trim().to_owned(),
        found: found.clone(),
    };
    let mark = match (mark(&before).map_err(beside)?, mark(after).map_err(beside)?) {
        (Some(one), Some(other)) => Some(one.and(&other)),
        (one, other) => one.or(other),
    };
    let amount = digits(number, format, currency, &found)?;
    let amount = if negative || bracketed {
        -amount
    } else {
        amount
    };
    Ok(Found { amount, mark })
}

/// Reads an amount from where programs keep data (JSON strings, attributes,
/// scripts, headers): a plain `-1249.9500`, or else as [`read`].
///
/// # Errors
///
/// What neither reading takes, and what the two read differently: `1.234` in a
/// store that writes `1.234,56`.
pub fn read_data(text: &str, format: NumberFormat, currency: Currency) -> Result<Found, ReadError> {
    let formatted = read(text, format, currency);
    let Ok(plain) = read_number(text.trim()) else {
        return formatted;
    };
    match formatted {
        Ok(Found { amount, .. }) if amount != plain => Err(ReadError::Ambiguous {
            found: text.trim().to_owned(),
            plain,
            formatted: amount,
        }),
        _ => Ok(Found {
            amount: plain,
            mark: None,
        }),
    }
}

/// Reads a JSON number, exactly as written: `68.9000`, `1.2e3` (RFC 8259 §6).
///
/// # Errors
///
/// What is no JSON number, and what a decimal cannot hold without loss.
pub fn read_number(text: &str) -> Result<Decimal, ReadError> {
    let large = || ReadError::Large {
        found: text.chars().take(LIMIT).collect(),
    };
    if text.len() > LIMIT {
        return Err(large());
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (text, "0"),
    };
    let exponent: i32 = exponent.parse().map_err(|_not_a_number| large())?;
    let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_number = match digits.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(digits),
    };
    if !is_number {
        return Err(large());
    }
    let number = Decimal::from_str_exact(mantissa).map_err(|_overflow| large())?;
    scaled(number, exponent).ok_or_else(large)
}

/// Reads a whole number of minor units: `7836` is 78.36 USD, `7836` JPY is 7836 JPY.
///
/// # Errors
///
/// Anything but digits, with or without a minus.
pub fn read_minor(text: &str, currency: Currency) -> Result<Decimal, ReadError> {
    let error = || ReadError::Minor {
        found: text.chars().take(LIMIT).collect(),
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(error());
    }
    let units: i64 = text.parse().map_err(|_overflow| error())?;
    Decimal::try_new(units, currency.exponent()).map_err(|_overflow| error())
}

/// `number × 10^exponent`, if that fits without loss.
fn scaled(number: Decimal, exponent: i32) -> Option<Decimal> {
    if exponent.unsigned_abs() > 28 {
        return number.is_zero().then_some(number);
    }
    let power = Decimal::TEN;
    let factor =
        (0..exponent.unsigned_abs()).try_fold(Decimal::ONE, |f, _| f.checked_mul(power))?;
    if exponent >= 0 {
        return number.checked_mul(factor);
    }
    let quotient = number.checked_div(factor)?;
    (quotient.checked_mul(factor)? == number).then_some(quotient)
}

/// Zero-width marks that right-to-left pages put around numbers.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{FEFF}' | '\u{2060}'
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

fn is_minus(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2212}' | '\u{2010}' | '\u{2011}' | '\u{2012}' | '\u{2013}'
    )
}

/// The text in parentheses, which is how accountants write less than zero.
fn unbracketed(text: &str) -> (&str, bool) {
    match text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
    {
        Some(inner) => (inner.trim(), true),
        None => (text, false),
    }
}

/// What stands before the number, without its sign. A sign stands first or
/// right before the digits: `-€5`, `€ -5`.
fn unsigned(before: &str) -> (String, bool) {
    let before = before.trim();
    let signs = |c: char| is_minus(c) || c == '+';
    let unsigned = before
        .strip_prefix(signs)
        .or_else(|| before.strip_suffix(signs));
    if let Some(rest) = unsigned {
        let minus = before.starts_with(is_minus) || before.ends_with(is_minus);
        return (rest.trim().to_owned(), minus);
    }
    (before.to_owned(), false)
}

/// What follows the number, without the dash that stands for no cents: `50.–`.
fn strip_dashes(after: &str, format: NumberFormat) -> &str {
    let dashes = |c: char| is_minus(c) || c == '\u{2014}';
    let rest = format.decimal.and_then(|point| after.strip_prefix(point));
    match rest {
        Some(rest) if rest.starts_with(dashes) => rest.trim_start_matches(dashes),
        _ => after,
    }
}

fn mark(text: &str) -> Result<Option<Mark>, &str> {
    let mut marks: Option<Mark> = None;
    for word in text.split_whitespace() {
        let mark = Mark::parse(word).ok_or(text)?;
        marks = Some(match marks {
            Some(before) => before.and(&mark),
            None => mark,
        });
    }
    Ok(marks)
}

/// From the first digit to the last: groups, point, decimals.
fn digits(
    number: &str,
    format: NumberFormat,
    currency: Currency,
    found: &str,
) -> Result<Decimal, ReadError> {
    let wrong = || ReadError::Format {
        found: found.to_owned(),
        expected: format,
    };
    let (whole, decimals) = match format.decimal.and_then(|point| number.split_once(point)) {
        Some((whole, decimals)) => (whole, decimals),
        None => (number, ""),
    };
    if !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole = ungrouped(whole, format.group).ok_or_else(wrong)?;
    check_decimals(decimals, currency, found)?;
    let plain = if decimals.is_empty() {
        whole
    } else {
        format!("{whole}.{decimals}")
    };
    Decimal::from_str_exact(&plain).map_err(|_overflow| ReadError::Large {
        found: found.to_owned(),
    })
}

/// The digits of a whole number that is grouped rightly, or not at all.
/// A zero in front of others (`0,123`) shows that the separator means something else.
fn ungrouped(whole: &str, group: Option<Group>) -> Option<String> {
    let parts: Vec<&str> = match group {
        Some(group) => whole.split(group.separator).collect(),
        None => vec![whole],
    };
    let is_digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !parts.iter().all(is_digits) || (whole.starts_with('0') && whole != "0") {
        return None;
    }
    if let (Some(group), [_, _, ..]) = (group, parts.as_slice()) {
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        if !group.sizes.fit(&lengths) {
            return None;
        }
    }
    Some(parts.concat())
}

/// More decimals than the currency has may be a group of thousands, unless they
/// are zeros and not three.
fn check_decimals(decimals: &str, currency: Currency, found: &str) -> Result<(), ReadError> {
    let expected = currency.exponent();
    let fits = u32::try_from(decimals.len()).is_ok_and(|length| length <= expected);
    let zeros = decimals.len() != 3 && decimals.bytes().all(|b| b == b'0');
    if fits || zeros {
        return Ok(());
    }
    Err(ReadError::Decimals {
        found: found.to_owned(),
        decimals: decimals.len(),
        currency,
        expected,
    })
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
