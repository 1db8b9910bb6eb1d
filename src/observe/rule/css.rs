//! A CSS selector of the subset that can be matched in one pass over a page.

mod cursor;
mod parse;
pub(crate) mod selector;

use std::fmt;
use std::str::FromStr;

use selector::Path;

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
    paths: Vec<Path>,
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
    /// Anything else.
    #[error("not a CSS selector: {0}")]
    Syntax(#[from] SyntaxError),
}

/// Where a text stops being a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} {}", Place(*at, *found))]
pub struct SyntaxError {
    expected: &'static str,
    /// The number of the character, from 1.
    at: usize,
    /// What stands there; the text ends there if nothing does.
    found: Option<char>,
}

struct Place(usize, Option<char>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(found) => write!(f, "at character {}, not {found:?}", self.0),
            None => f.write_str("at the end"),
        }
    }
}

impl FromStr for Css {
    type Err = CssError;

    fn from_str(text: &str) -> Result<Self, CssError> {
        if text.len() > LIMIT {
            return Err(CssError::Long);
        }
        let text = text.trim();
        Ok(Self {
            paths: parse::list(text)?,
            text: text.to_owned(),
        })
    }
}

impl Css {
    /// What it says, for the HTML reader: the items of the list.
    pub(crate) fn paths(&self) -> &[Path] {
        &self.paths
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

    #[test]
    fn what_is_no_selector_is_told_with_its_place() {
        let cases = [
            (
                "p..x",
                "expected the name of a class at character 3, not '.'",
            ),
            (
                "div >",
                "expected an element: `tag`, `*`, `.class`, `#id`, `[attribute]` or a pseudo-class at the end",
            ),
            (
                "#1a",
                "expected an id (one that begins with a digit: `[id=\"1a\"]`) at character 2, not '1'",
            ),
            (
                "[a=1]",
                "expected a value: a word, or a text in quotes at character 4, not '1'",
            ),
            ("[a='1]", "expected the closing quote at the end"),
            (
                "[a!=b]",
                "expected `]` or one of `=`, `~=`, `|=`, `^=`, `$=`, `*=` at character 3, not '!'",
            ),
            (
                "é )",
                "expected an element: `tag`, `*`, `.class`, `#id`, `[attribute]` or a pseudo-class at character 3, not ')'",
            ),
            (
                "p:not(a b)",
                "expected `)` or `,`: `:not(…)` takes single elements, not `a b` or `a > b` at character 9, not 'b'",
            ),
            (
                "p:nth-child(x)",
                "expected a number, `2n+1`, `odd` or `even` at character 13, not 'x'",
            ),
            (
                "svg|a",
                "expected no `|`: elements have no namespace here at character 4, not '|'",
            ),
            (
                "a /* b",
                "expected `*/` after a comment at character 3, not '/'",
            ),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Css>().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("not a CSS selector: {expected}"),
                "{text}"
            );
        }
        let nested = format!("{}a{}", ":not(".repeat(17), ")".repeat(17));
        assert!(
            nested
                .parse::<Css>()
                .unwrap_err()
                .to_string()
                .contains("fewer")
        );
    }

    #[test]
    fn spellings_of_one_selector_say_the_same() {
        let same = [
            ("a>b", "a > b"),
            ("a /**/ b,c", "a b , c"),
            ("[A=b]", "[a='b']"),
            ("[ a = \"b\" I ]", "[a=b i]"),
            ("#\\31 a", "#\\000031a"),
            (".md\\:x", ".md\\3a x"),
            ("p:NTH-child( 2N + 1 )", "p:nth-child(odd)"),
            ("p:nth-child(+0n-0)", "p:nth-child(0)"),
            ("p:nth-of-type(-n+1)", "p:nth-of-type( -1n + 1)"),
            (":first-child", ":nth-child(1)"),
            ("[a='x\\\ny']", "[a=xy]"),
        ];
        for (one, other) in same {
            let paths = |text: &str| text.parse::<Css>().unwrap().paths;
            assert_eq!(paths(one), paths(other), "{one}");
        }
    }
}
