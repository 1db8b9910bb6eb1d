//! The attributes of a tag, and where the tag ends (WHATWG HTML §13.2.5.32 to §13.2.5.40).

use std::borrow::Cow;

use memchr::memchr;

use super::scan;

/// An attribute as it stands in a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'p> {
    pub(crate) name: &'p [u8],
    /// With its character references; empty if there is none.
    pub(crate) value: &'p [u8],
    /// Where the value begins, counted from the end of the tag's name.
    pub(crate) value_at: usize,
}

impl<'p> Attribute<'p> {
    /// The value with its character references decoded.
    pub(crate) fn decoded(self) -> Cow<'p, str> {
        let value = String::from_utf8_lossy(self.value);
        match memchr(b'&', self.value) {
            Some(_) => htmlize::unescape_attribute(value),
            None => value,
        }
    }
}

/// The attributes in what follows the name of a tag, up to its `>`.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'p> {
    bytes: &'p [u8],
    at: usize,
    ending: Ending,
}

/// How the tag ends, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The last byte belongs to nothing that could make it self-closing.
    Plain,
    /// A slash stood last.
    Slash,
    /// `>` or `/>`, and where the `>` is.
    Closed { at: usize, slash: bool },
}

impl<'p> Attributes<'p> {
    pub(crate) const fn new(bytes: &'p [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            ending: Ending::Plain,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes bytes as long as they are `wanted`.
    fn pass(&mut self, wanted: impl Fn(u8) -> bool) -> &'p [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !wanted(*byte));
        let passed = rest.get(..length.unwrap_or(rest.len()));
        let passed = passed.unwrap_or_default();
        self.at += passed.len();
        passed
    }

    /// White space and slashes before a name.
    fn pass_gap(&mut self) {
        let gap = self.pass(|byte| is_space(byte) || byte == b'/');
        if !gap.is_empty() {
            self.ending = match gap.last() {
                Some(b'/') => Ending::Slash,
                _ => Ending::Plain,
            };
        }
    }

    /// What follows the equals sign, and where; nothing where the page ends in it.
    fn value(&mut self) -> Option<(usize, &'p [u8])> {
        self.pass(is_space);
        let from = self.at;
        match self.peek()? {
            b'>' => Some((from, &[])),
            quote @ (b'"' | b'\'') => {
                let rest = self.bytes.get(from + 1..).unwrap_or_default();
                let length = memchr(quote, rest)?;
                self.at += length + 2;
                Some((from + 1, rest.get(..length)?))
            }
            _ => Some((from, self.pass(|byte| !is_space(byte) && byte != b'>'))),
        }
    }
}

impl<'p> Iterator for Attributes<'p> {
    type Item = Attribute<'p>;

    fn next(&mut self) -> Option<Attribute<'p>> {
        if matches!(self.ending, Ending::Closed { .. }) {
            return None;
        }
        self.pass_gap();
        if self.peek()? == b'>' {
            let slash = self.ending == Ending::Slash;
            self.ending = Ending::Closed { at: self.at, slash };
            return None;
        }
        self.ending = Ending::Plain;
        // An equals sign that stands first is part of the name.
        let from = self.at;
        self.at += 1;
        self.pass(|byte| !is_space(byte) && !matches!(byte, b'=' | b'/' | b'>'));
        let name = self.bytes.get(from..self.at)?;
        self.pass(is_space);
        let (value_at, value) = match self.peek()? {
            b'=' => {
                self.at += 1;
                self.value()?
            }
            _ => (self.at, &[][..]),
        };
        Some(Attribute {
            name,
            value,
            value_at,
        })
    }
}

/// Where the tag ends whose name ends at `from`: the place of its `>`, if the page has it.
#[inline]
pub(crate) fn end_behind(page: &[u8], from: usize) -> Option<usize> {
    match scan::close(page, from)? {
        (at, b'>') => Some(at),
        (at, quote) => end_of_usual(page, from, at, quote),
    }
}

/// Where the tag at `open` ends, whose name begins at `name`, without a look at the name if it
/// can be helped; `head` are its first eight bytes.
#[inline]
pub(crate) fn end(page: &[u8], open: usize, name: usize, head: u64) -> Option<usize> {
    // Without a quote before it there is no place where `>` does not end the tag.
    match scan::close_behind(page, open, head)? {
        (at, b'>') => Some(at),
        (at, quote) => {
            let (length, _) = scan::name(page, name)?;
            match name + length {
                behind if page.get(behind) == Some(&b'>') => Some(behind),
                behind if behind < at => end_of_usual(page, behind, at, quote),
                behind => end_behind(page, behind),
            }
        }
    }
}

/// The same, where the first quote behind the name is at `quoted`. Values in quotes are
/// passed as long as attributes stand as they usually do.
fn end_of_usual(page: &[u8], from: usize, quoted: usize, quote: u8) -> Option<usize> {
    let (mut behind, mut at, mut found) = (from, quoted, quote);
    while found != b'>' {
        if !opens(page.get(behind..at)?) {
            return end_of_quoted(page, from);
        }
        behind = scan::find(page, at + 1, found)? + 1;
        (at, found) = match page.get(behind)? {
            b'>' => (behind, b'>'),
            _ => scan::close(page, behind)?,
        };
    }
    Some(at)
}

/// Whether a quote after this begins a value: the usual ` name=`, behind a name or a value in quotes.
#[inline]
fn opens(before: &[u8]) -> bool {
    match before {
        [space, first, name @ .., b'='] if is_space(*space) => {
            let is_usual = |byte: &u8| *byte > b' ' && !matches!(byte, b'=' | b'/');
            is_usual(first) && name.iter().all(is_usual)
        }
        _ => false,
    }
}

fn end_of_quoted(page: &[u8], from: usize) -> Option<usize> {
    let mut attributes = Attributes::new(page.get(from..)?);
    attributes.by_ref().for_each(drop);
    match attributes.ending {
        Ending::Closed { at, .. } => Some(from + at),
        Ending::Plain | Ending::Slash => None,
    }
}

/// Whether a tag with this behind its name closes itself: `<br/>`, but not `<a href=/>`.
pub(crate) fn is_self_closing(bytes: &[u8]) -> bool {
    if !bytes.ends_with(b"/>") {
        return false;
    }
    let mut attributes = Attributes::new(bytes);
    attributes.by_ref().for_each(drop);
    matches!(attributes.ending, Ending::Closed { slash: true, .. })
}

pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\t' | b'\r' | b'\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(text: &str) -> Vec<(String, String)> {
        let owned = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Attributes::new(text.as_bytes())
            .map(|found| (owned(found.name), owned(found.value)))
            .collect()
    }

    #[test]
    fn every_way_of_writing_an_attribute_is_read() {
        let cases: [(&str, &[(&str, &str)]); 16] = [
            ("", &[]),
            (" a", &[]),
            (" a>", &[("a", "")]),
            (" a = 1 b>", &[("a", "1"), ("b", "")]),
            (" a=\"x > y\" b='\"'>", &[("a", "x > y"), ("b", "\"")]),
            (" a=\"1\"b=2>", &[("a", "1"), ("b", "2")]),
            (" a= >", &[("a", "")]),
            (" a=/x/>", &[("a", "/x/")]),
            (" a/b/>", &[("a", ""), ("b", "")]),
            (" =a=b>", &[("=a", "b")]),
            (" ==\">", &[]),
            (" a\"b=c\"d>", &[("a\"b", "c\"d")]),
            (" a=b=c&amp;d>", &[("a", "b=c&amp;d")]),
            ("/ / a>", &[("a", "")]),
            (" a='1", &[]),
            ("\n\ta\r=\x0c1>", &[("a", "1")]),
        ];
        for (text, expected) in cases {
            let found = attributes(text);
            let found: Vec<_> = found
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_tag_ends_at_the_first_bracket_outside_of_quotes() {
        let cases = [
            (">", Some(0)),
            (" a=1>b>", Some(4)),
            (" a='>'>", Some(6)),
            (" a=\">>\" b='>'>x", Some(13)),
            (" a'>'>", Some(3)),
            (" a=b'>'>", Some(5)),
            (" ='>'>", Some(3)),
            (" a=\"1\"'>", Some(7)),
            (" a=\">\" b=x'c'>", Some(13)),
            (" a=\"1\"b='>'>", Some(11)),
            (" a=\"1\" b= c='>'>", Some(13)),
            (" =\">\">", Some(3)),
            (" a=\"1\" ='>'>", Some(9)),
            (" a-b:c_1='>' d=\"\">", Some(17)),
            (" a='>", None),
            (" a=", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(end_behind(text.as_bytes(), 0), expected, "{text}");
            let page = format!("<a{text}");
            assert_eq!(
                end_behind(page.as_bytes(), 2),
                expected.map(|at| at + 2),
                "{text}"
            );
            if let Some(head) = scan::word(page.as_bytes(), 0) {
                let found = end(page.as_bytes(), 0, 1, head);
                assert_eq!(found, expected.map(|at| at + 2), "{text}");
            }
        }
    }

    #[test]
    fn a_slash_in_a_value_closes_nothing() {
        for (text, expected) in [
            ("/", true),
            (" /", true),
            (" a/", true),
            (" a=1 /", true),
            (" a='1'/", true),
            (" a /", true),
            (" a=1/", false),
            (" a= /", false),
            ("/ a", false),
            ("/ ", false),
        ] {
            let behind = format!("{text}>");
            assert_eq!(is_self_closing(behind.as_bytes()), expected, "{text}");
        }
    }
}
