//! Texts that a page must or must not have, as a person reads it.

use std::cell::OnceCell;

use memchr::memmem::{self, Finder};

use super::charset::is_html;

/// A text that is looked for in pages.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) text: String,
    whole: Finder<'static>,
    /// With every run of white space as one space.
    spaced: String,
    /// Its runs of letters and digits: where one is missing, so is the text.
    words: Vec<Finder<'static>>,
}

impl Guard {
    pub(super) fn new(text: &str) -> Self {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        Self {
            text: text.to_owned(),
            whole: Finder::new(text).into_owned(),
            spaced: spaced(text),
            words: words.map(|word| Finder::new(word).into_owned()).collect(),
        }
    }
}

/// A page in which texts are looked for.
pub(super) struct Seen<'p> {
    page: &'p str,
    is_html: bool,
    /// As a person reads it.
    as_seen: OnceCell<String>,
    /// Whether a letter or digit may be written as a character reference.
    hides: OnceCell<bool>,
}

impl<'p> Seen<'p> {
    pub(super) fn new(page: &'p str, content_type: &str) -> Self {
        Self {
            page,
            is_html: is_html(content_type),
            as_seen: OnceCell::new(),
            hides: OnceCell::new(),
        }
    }

    /// Whether the page has a text.
    ///
    /// A text of an HTML page counts as there also if it is what a person would read:
    /// `We&#39;ve`, `Payment&nbsp;failed`, or broken over two lines.
    pub(super) fn has(&self, guard: &Guard) -> bool {
        let page = self.page.as_bytes();
        if guard.whole.find(page).is_some() {
            return true;
        }
        if !self.is_html {
            return false;
        }
        let is_missing = |word: &Finder<'_>| word.find(page).is_none();
        if guard.words.iter().any(is_missing) && !self.hides_letters() {
            return false;
        }
        let as_seen = || spaced(&htmlize::unescape(self.page));
        self.as_seen.get_or_init(as_seen).contains(&guard.spaced)
    }

    fn hides_letters(&self) -> bool {
        *self.hides.get_or_init(|| hides_letters(self.page))
    }
}

/// Whether a page has a character reference that stands for an ASCII letter or digit: one by
/// number, or `&fjlig;`. All other names stand for other characters.
fn hides_letters(page: &str) -> bool {
    let bytes = page.as_bytes();
    let is_letter = |at: usize| {
        let reference = bytes.get(at..).unwrap_or_default();
        let digits = reference.get(2..).unwrap_or_default();
        let length = digits.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let reference = match length {
            Some(length) if length > LONGEST => return true,
            Some(length) => reference.get(..length + 2).unwrap_or_default(),
            None => reference,
        };
        let decoded = htmlize::unescape_bytes_in(reference, htmlize::Context::General);
        decoded.first().is_some_and(u8::is_ascii_alphanumeric)
    };
    memmem::find_iter(bytes, "&#").any(is_letter) || memmem::find(bytes, b"&fjlig").is_some()
}

/// Digits of a reference that are looked at; more of them may hide anything.
const LONGEST: usize = 32;

/// Every run of white space (no-break spaces too) as one space, also at the ends.
fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_whitespace() {
            true if spaced.ends_with(' ') => {}
            true => spaced.push(' '),
            false => spaced.push(c),
        }
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(page: &str, text: &str) -> bool {
        Seen::new(page, "text/html").has(&Guard::new(text))
    }

    #[test]
    fn a_text_is_there_as_written_or_as_read() {
        for (page, text) in [
            ("<p>Payment failed</p>", "Payment failed"),
            ("Payment&nbsp;failed", "Payment failed"),
            ("Payment\n  failed", "Payment failed"),
            ("We&#39;ve", "We've"),
            ("P&#97;yment", "Payment"),
            ("P&#x61yment", "Payment"),
            (
                "P&#0000000000000000000000000000000000000097;yment",
                "Payment",
            ),
            ("&fjlig;ord", "fjord"),
            ("&#80", "P"),
            ("a &amp; b", "a & b"),
            ("x-- ", "--  "),
        ] {
            assert!(has(page, text), "{page}");
        }
        for (page, text) in [
            ("Payment &#8217; taken", "Payment failed"),
            ("Paym<b>ent</b> failed", "Payment failed"),
            ("&#; &#x; &# failed", "Payment failed"),
            ("payment failed", "Payment failed"),
            ("P&amp;#97;yment", "Payment"),
        ] {
            assert!(!has(page, text), "{page}");
        }
        let plain = Seen::new("Payment&nbsp;failed", "text/plain");
        assert!(!plain.has(&Guard::new("Payment failed")));
    }

    proptest::proptest! {
        /// The short cut over missing words never misses a text.
        #[test]
        fn what_a_person_reads_is_found(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..12),
            text in proptest::sample::select(&["ab", "a b", "fj a", "1 b", "a'b", " a"][..]),
        ) {
            let page = pieces.concat();
            let as_seen = spaced(&htmlize::unescape(page.as_str()));
            let expected = page.contains(text) || as_seen.contains(&spaced(text));
            proptest::prop_assert_eq!(has(&page, text), expected, "{}", page);
        }
    }

    const PIECES: &[&str] = &[
        "a",
        "b",
        "1",
        " ",
        "\n",
        "&nbsp;",
        "&#97;",
        "&#x62",
        "&#49;",
        "&#39;",
        "&apos;",
        "&fjlig;",
        "&#",
        "&",
        ";",
        "fj",
        "&#32;",
        "&#00000000000000000000000000000000000000000097;",
    ];
}
