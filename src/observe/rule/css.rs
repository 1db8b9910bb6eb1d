//! A CSS selector of the subset that can be matched while a page streams by.

use std::fmt;
use std::str::FromStr;

use lol_html::Selector;
use lol_html::errors::SelectorError;

/// Longest selector in bytes.
const LIMIT: usize = 1024;

/// A CSS selector of the documented subset, checked when parsed.
///
/// The subset: `*`, `tag`, `.class`, `#id`, `[attribute]` with `= ~= ^= $= *= |=`
/// and the flags `i` and `s`, `:first-child`, `:nth-child(n)`, `:first-of-type`,
/// `:nth-of-type(n)`, `:not(…)`, descendants (`a b`), children (`a > b`) and
/// lists (`a, b`).
#[derive(Clone, Debug)]
pub struct Css {
    text: String,
    selector: Selector,
}

/// Why a text is no selector of the subset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CssError {
    /// More than [`LIMIT`] bytes.
    #[error("a selector longer than {LIMIT} bytes")]
    Long,
    /// `+` or `~`.
    #[error(
        "{0:?} in a selector: siblings cannot be selected; use `a b`, `a > b`, :nth-child(n) or pick"
    )]
    Sibling(char),
    /// A pseudo-class outside of the subset.
    #[error(
        "a pseudo-class that cannot be matched: only :first-child, :nth-child(n), \
         :first-of-type, :nth-of-type(n) and :not(…) can; for the last one use `pick: last`"
    )]
    Pseudo,
    /// Anything else that the parser says.
    #[error("not a CSS selector")]
    Syntax(#[source] SelectorError),
}

impl FromStr for Css {
    type Err = CssError;

    fn from_str(text: &str) -> Result<Self, CssError> {
        if text.len() > LIMIT {
            return Err(CssError::Long);
        }
        let text = text.trim();
        let selector = text.parse::<Selector>().map_err(|error| match error {
            SelectorError::UnsupportedCombinator(c) => CssError::Sibling(c),
            SelectorError::UnsupportedPseudoClassOrElement | SelectorError::UnsupportedSyntax => {
                CssError::Pseudo
            }
            other => CssError::Syntax(other),
        })?;
        Ok(Self {
            text: text.to_owned(),
            selector,
        })
    }
}

impl Css {
    /// The selector for the HTML reader.
    pub(crate) fn selector(&self) -> &Selector {
        &self.selector
    }
}

impl PartialEq for Css {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Css {}

impl fmt::Display for Css {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_subset_is_taken() {
        let taken = [
            "*",
            "#order-number",
            ".woocommerce-order-overview__order strong",
            "#totals .subtotal > td",
            "[data-testid=order-id]",
            "p[class~=\"lead\" i]",
            "li:nth-child(2n+1)",
            "tr:first-of-type td:nth-of-type(2)",
            "p:not(.failed)",
            "script[type='application/json'], script#data",
        ];
        for text in taken {
            assert_eq!(text.parse::<Css>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_matched_is_refused_with_words() {
        let refused = [
            ("h1 + p", CssError::Sibling('+')),
            ("h1 ~ p", CssError::Sibling('~')),
            ("tr:last-child", CssError::Pseudo),
            ("tr:nth-last-child(2)", CssError::Pseudo),
            ("div:has(p)", CssError::Pseudo),
            ("a:hover", CssError::Pseudo),
            ("p::before", CssError::Pseudo),
            ("p:empty", CssError::Pseudo),
        ];
        for (text, error) in refused {
            assert_eq!(text.parse::<Css>(), Err(error), "{text}");
        }
        for text in ["", "div >", "#", "[", "p..x", "a,"] {
            let error = text.parse::<Css>().unwrap_err();
            assert!(matches!(error, CssError::Syntax(_)), "{text}: {error:?}");
        }
        assert_eq!("a".repeat(1025).parse::<Css>(), Err(CssError::Long));
    }
}
