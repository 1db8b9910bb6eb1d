//! An attribute's value, as it is written and as it is meant.

use std::borrow::Cow;

use lol_html::send::Element;

/// A value with its character references.
///
/// Its characters are the bytes of the page, one each: the page is read as windows-1252, which has
/// a character for every byte, whatever its charset is. What matters in an address is ASCII.
#[derive(Debug)]
pub(super) struct Value {
    raw: String,
    /// Where in the page it begins.
    at: usize,
}

impl Value {
    /// That of the first attribute of this name (a browser ignores others), if it is written.
    pub(super) fn of(element: &Element<'_, '_>, name: &str) -> Option<Self> {
        let mut attributes = element.attributes().iter();
        let attribute = attributes.find(|attribute| attribute.name() == name)?;
        let bytes = attribute.value_source_location()?.bytes();
        let raw = attribute.value();
        // A byte order mark is read as one even in a value.
        (raw.chars().count() == bytes.len()).then_some(Self {
            raw,
            at: bytes.start,
        })
    }

    /// The value with its character references decoded.
    pub(super) fn decoded(&self) -> Cow<'_, str> {
        match self.raw.contains('&') {
            true => htmlize::unescape_attribute(&self.raw),
            false => Cow::Borrowed(&self.raw),
        }
    }

    /// Whether it can be an address with a host; most are not.
    pub(super) fn may_lead_away(&self) -> bool {
        self.raw.contains("//") || self.raw.contains('&')
    }

    /// Where in the page that stands which is at `at` in the decoded value.
    pub(super) fn place(&self, at: usize) -> Option<usize> {
        let before = self.raw.get(..raw_index(&self.raw, at)?)?;
        Some(self.at + before.chars().count())
    }
}

/// Where in `raw` that stands which is at `at` when its character references are decoded.
///
/// A reference begins with `&` and has no other `&` in it, so what lies between two of them is
/// decoded alone.
fn raw_index(raw: &str, at: usize) -> Option<usize> {
    let (mut rest, mut left) = (raw, at);
    while left > 0 {
        let next = rest.bytes().skip(1).position(|byte| byte == b'&');
        let (part, behind) = rest.split_at_checked(next.map_or(rest.len(), |next| next + 1))?;
        let decoded = htmlize::unescape_attribute(part);
        if left < decoded.len() {
            // Behind the reference: what follows it is as it is written.
            let after = decoded.get(left..)?;
            let is_written = part.ends_with(after);
            return is_written.then(|| raw.len() - behind.len() - after.len());
        }
        if part.is_empty() {
            return None;
        }
        left -= decoded.len();
        rest = behind;
    }
    Some(raw.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: &[&str] = &[
        "&", "&amp;", "&amp", "&am", "p;", "&#35;", "&#x2F;", "&#", "#", "x", "?", "/", "=", ";",
        "é", "&copy", "&copy;", "&notin;", "&fjlig;", "&nbsp", "https:", "&sol;", "&num;", "a",
        "3",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_put_in_is_there_when_decoded(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..10),
            at in 0..40_usize, query in any::<bool>(),
        ) {
            let raw = pieces.concat();
            let mut decoded = htmlize::unescape_attribute(raw.as_str()).into_owned();
            if decoded.is_char_boundary(at) && at <= decoded.len() && let Some(raw_at) = raw_index(&raw, at) {
                let (written, meant) = match query {
                    true => ("&amp;b=1", "&b=1"),
                    false => ("?b=1", "?b=1"),
                };
                // As in an address: at its end, or before the fragment.
                prop_assume!(at == decoded.len() || decoded.get(at..).unwrap().starts_with('#'));
                let mut new = raw.clone();
                new.insert_str(raw_at, written);
                decoded.insert_str(at, meant);
                prop_assert_eq!(htmlize::unescape_attribute(new), decoded, "{}", raw);
            }
        }
    }

    #[test]
    fn places_are_found_behind_references() {
        for (raw, at, raw_at) in [
            ("abc", 0, Some(0)),
            ("abc", 3, Some(3)),
            ("abc", 4, None),
            ("", 1, None),
            ("a&amp;b#c", 3, Some(7)),
            ("a&amp;b&#35;c", 3, Some(7)),
            ("a&#f", 2, Some(2)),
            ("&fjlig;", 1, None),
        ] {
            assert_eq!(raw_index(raw, at), raw_at, "{raw} {at}");
        }
    }
}
