//! How a store writes numbers, told by an example.

use std::fmt;
use std::str::FromStr;

/// How a store writes numbers, told by how it writes 1234.56:
/// `1,234.56`, `1.234,56`, `1'234.56`, `1 234,56`, `1,23,456.00`, `1234.56`;
/// without decimals `1,234` or `1234`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    /// What separates the decimals; none for currencies without any.
    pub(super) decimal: Option<char>,
    /// What separates groups of digits, if anything does.
    pub(super) group: Option<Group>,
}

/// How digits are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// `,`, `.`, `'` or a space; other apostrophes and spaces count as these.
    pub(super) separator: char,
    pub(super) sizes: Sizes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    /// By three.
    Thousands,
    /// Three, then by two: lakh and crore.
    Indian,
}

/// Why a text does not show how numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a way to write 1234.56: 1,234.56  1.234,56  1'234.56  1 234,56  1,23,456.00  1234.56, \
     or without decimals 1,234"
)]
pub struct FormatError;

impl FromStr for NumberFormat {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let text: String = text.trim().chars().map(plain).collect();
        if text.is_empty() || text.len() > 32 || !text.ends_with(|c: char| c.is_ascii_digit()) {
            return Err(FormatError);
        }
        let separators: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
        let (decimal, separators, whole) = split_decimals(&separators, &parts);
        if !decimal.is_none_or(|c| matches!(c, '.' | ',')) {
            return Err(FormatError);
        }
        let lengths: Vec<usize> = whole.iter().map(|part| part.len()).collect();
        let group = group(separators, &lengths, decimal)?;
        Ok(Self { decimal, group })
    }
}

/// The last separator is the decimal one unless it is a group's: three digits
/// follow it, at most three stand before the first one, and all are the same.
fn split_decimals<'a>(
    separators: &'a [char],
    parts: &'a [&'a str],
) -> (Option<char>, &'a [char], &'a [&'a str]) {
    let Some((&last, others)) = separators.split_last() else {
        return (None, separators, parts);
    };
    let head = parts.first().map_or(0, |part| part.len());
    let tail = parts.last().map_or(0, |part| part.len());
    let groups = tail == 3 && head <= 3 && others.iter().all(|&other| other == last);
    if groups {
        return (None, separators, parts);
    }
    let whole = parts.split_last().map_or(parts, |(_decimals, whole)| whole);
    (Some(last), others, whole)
}

fn group(
    separators: &[char],
    lengths: &[usize],
    decimal: Option<char>,
) -> Result<Option<Group>, FormatError> {
    let Some(&separator) = separators.first() else {
        return match lengths {
            [0] | [] => Err(FormatError),
            _ => Ok(None),
        };
    };
    let known = matches!(separator, ',' | '.' | '\'' | ' ');
    let same = separators.iter().all(|&other| other == separator);
    if !known || !same || decimal == Some(separator) {
        return Err(FormatError);
    }
    let sizes = [Sizes::Thousands, Sizes::Indian]
        .into_iter()
        .find(|sizes| sizes.fit(lengths))
        .ok_or(FormatError)?;
    Ok(Some(Group { separator, sizes }))
}

impl Sizes {
    /// Whether digits in groups of these lengths, first to last, are grouped so.
    pub(super) fn fit(self, lengths: &[usize]) -> bool {
        let inner = match self {
            Self::Thousands => 3,
            Self::Indian => 2,
        };
        match lengths {
            [head, middle @ .., 3] => {
                (1..=inner).contains(head) && middle.iter().all(|&length| length == inner)
            }
            _ => false,
        }
    }
}

/// One character for all that look alike: every space, every apostrophe.
pub(super) fn plain(c: char) -> char {
    match c {
        '\u{2019}' | '\u{2018}' | '\u{02BC}' | '\u{00B4}' => '\'',
        _ if c.is_whitespace() => ' ',
        other => other,
    }
}

/// The format as an example: `1,234.56`.
impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            None => f.write_str("1234")?,
            Some(Group { separator, sizes }) => match sizes {
                Sizes::Thousands => write!(f, "1{separator}234")?,
                Sizes::Indian => write!(f, "1{separator}23{separator}456")?,
            },
        }
        match self.decimal {
            Some(decimal) => write!(f, "{decimal}56"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_by_an_example() {
        let cases = [
            ("1,234.56", "1,234.56"),
            ("1.234,56", "1.234,56"),
            ("1'234.56", "1'234.56"),
            ("1’234.56", "1'234.56"),
            ("1 234,56", "1 234,56"),
            ("1\u{a0}234,56", "1 234,56"),
            ("1\u{202f}234,56", "1 234,56"),
            ("1,23,456.00", "1,23,456.56"),
            ("1234.56", "1234.56"),
            ("1234,56", "1234,56"),
            ("1,234", "1,234"),
            ("1.234", "1.234"),
            ("1 234 567", "1 234"),
            ("1234", "1234"),
            ("1,234.567", "1,234.56"),
            ("1234.567", "1234.56"),
            ("1 234 567.89", "1 234.56"),
        ];
        for (example, format) in cases {
            assert_eq!(example.parse::<NumberFormat>().unwrap().to_string(), format);
        }
    }

    #[test]
    fn what_shows_no_format_is_refused() {
        let refused = [
            "",
            " ",
            "abc",
            "1,23.4,5",
            "1,234,56.7.8",
            ".50",
            "1_234.56",
            "1,2345.00",
            "1.234.56,",
            "12,34",
            "1,234 56",
            "€1,234.56",
            "1;50",
            "1'50",
            "1,,234.56",
            "1234,567.00",
        ];
        for example in refused {
            let format = example.parse::<NumberFormat>();
            let decimal_only = ["12,34"].contains(&example);
            assert_eq!(format.is_ok(), decimal_only, "{example}: {format:?}");
        }
    }
}
