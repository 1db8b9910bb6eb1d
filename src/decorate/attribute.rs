//! An attribute's value, as it is written and as it is meant.

use std::borrow::Cow;

use crate::html::attributes::Attributes;
use crate::html::tokens::Tag;

/// The value as it is written of the tag's first attribute of this name, of which browsers ignore
/// others; `name` is in lower case.
pub(super) fn written<'p>(tag: &Tag<'p>, name: &str) -> Option<&'p [u8]> {
    find(tag, name).map(|(_, value)| value)
}

fn find<'p>(tag: &Tag<'p>, name: &str) -> Option<(usize, &'p [u8])> {
    Attributes::new(tag.attributes())
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|attribute| (tag.behind() + attribute.value_at, attribute.value))
}

/// Whether there is something in these bytes, of a tag or a value, that can be an address with a host;
/// in most there is not.
#[inline]
pub(super) fn may_lead_away(bytes: &[u8]) -> bool {
    let mut before = 0;
    bytes.iter().any(|byte| {
        let is_double = (before, *byte) == (b'/', b'/');
        before = *byte;
        is_double || *byte == b'&'
    })
}

/// A value with its character references.
///
/// Its characters are the bytes of the page, one each, whatever its charset is. What matters in an
/// address is ASCII.
#[derive(Debug)]
pub(super) struct Value {
    raw: String,
    /// Where in the bytes it begins.
    at: usize,
}

impl Value {
    /// That of the tag's first attribute of this name, if it may lead away.
    pub(super) fn of(tag: &Tag<'_>, name: &str) -> Option<Self> {
        let (at, value) = find(tag, name)?;
        may_lead_away(value).then(|| Self::new(value.iter().copied().map(char::from).collect(), at))
    }

    pub(super) const fn new(raw: String, at: usize) -> Self {
        Self { raw, at }
    }

    /// The value with its character references decoded.
    pub(super) fn decoded(&self) -> Cow<'_, str> {
        match self.raw.contains('&') {
            true => htmlize::unescape_attribute(&self.raw),
            false => Cow::Borrowed(&self.raw),
        }
    }

    /// Where in the bytes that stands which is at `at` in the decoded value.
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
