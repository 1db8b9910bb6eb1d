//! A request's path and query, decoded; paths that two programs may read
//! differently are told apart.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::message::Fields;

/// Fields by which some shops let a request name another path or method.
const OVERRIDES: [&str; 5] = [
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// The values of the fields that override path or method.
pub(crate) fn overrides(fields: &Fields) -> impl Iterator<Item = Cow<'_, str>> {
    OVERRIDES
        .iter()
        .filter_map(|name| fields.get(name))
        .map(String::from_utf8_lossy)
}

/// A path without its first slash, if it needs no second look: nothing is encoded
/// in it and no segment is empty or begins with a dot.
pub(crate) fn plain(path: &str) -> Option<&str> {
    let inner = path.strip_prefix('/')?;
    let mut before = b'/';
    for byte in inner.bytes() {
        let doubtful = matches!(byte, b'%' | b'\\' | b';') || byte.is_ascii_control();
        if doubtful || (before == b'/' && matches!(byte, b'/' | b'.')) {
            return None;
        }
        before = byte;
    }
    Some(inner)
}

/// The decoded segments, or nothing if the path is ambiguous: dot segments,
/// empty segments, an encoded or other slash, `;`, control characters, escapes
/// that are wrong or would decode again.
pub(crate) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let inner = path.strip_prefix('/')?;
    let last = inner.split('/').count();
    let decoded = inner.split('/').enumerate().map(|(at, raw)| {
        let is_last = at + 1 == last;
        segment(raw).filter(|text| is_last || !text.is_empty())
    });
    decoded.collect()
}

fn segment(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return is_plain(raw).then_some(Cow::Borrowed(raw));
    }
    if !escapes(raw).all(|is_escape| is_escape) {
        return None;
    }
    let text = percent_decode_str(raw).decode_utf8().ok()?;
    let decodes_again = escapes(&text).any(|is_escape| is_escape);
    let plain = is_plain(&text) && !text.contains('/') && !decodes_again;
    plain.then_some(text)
}

fn is_plain(text: &str) -> bool {
    let strange = |c: char| matches!(c, '\\' | ';') || c.is_control();
    !matches!(text, "." | "..") && !text.contains(strange)
}

/// For each percent sign, whether two hexadecimal digits follow.
fn escapes(text: &str) -> impl Iterator<Item = bool> {
    text.split('%').skip(1).map(|after| {
        let mut digits = after.bytes().take(2);
        let is_hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        is_hex(digits.next()) && is_hex(digits.next())
    })
}

/// How a lenient shop might read an ambiguous path: decoded up to three times,
/// every slash a slash, parameters cut, dots resolved, empty segments dropped.
pub(crate) fn guess(path: &str) -> Vec<String> {
    let mut text = path.to_owned();
    for _ in 0..3 {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            break;
        }
        text = decoded;
    }
    // An override may carry a whole URL or a query.
    let text = text.split_once("://").map_or(text.as_str(), |(_, rest)| {
        rest.split_once('/').map_or("", |(_host, path)| path)
    });
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let mut segments: Vec<String> = Vec::new();
    for part in text.split(['/', '\\']) {
        match part.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    segments
}

/// The parameters of a query, decoded as forms are; one whose bytes are no
/// text is left out.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
        Some(decoded.into_owned())
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_paths_are_decoded() {
        let cases = [
            ("/", vec![""]),
            ("/a/b", vec!["a", "b"]),
            ("/a/b/", vec!["a", "b", ""]),
            ("/kasse/best%C3%A4tigt", vec!["kasse", "bestätigt"]),
            ("/a%20b/100%25", vec!["a b", "100%"]),
            ("/.well-known/x..y", vec![".well-known", "x..y"]),
        ];
        for (path, expected) in cases {
            assert_eq!(segments(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn a_plain_path_is_a_clear_one() {
        assert_eq!(plain("/"), Some(""));
        assert_eq!(plain("/a/b"), Some("a/b"));
        for path in [
            "a", "/a%20/b", "/a//b", "//a", "/a/..", "/./a", "/a;b", "/a\\b",
        ] {
            assert_eq!(plain(path), None, "{path}");
        }
    }

    #[test]
    fn ambiguous_paths_are_none() {
        let ambiguous = [
            "",
            "a",
            "/a/./b",
            "/a/../b",
            "/a/%2e%2E/b",
            "/a/%2e/b",
            "/a/.%2e",
            "//a",
            "/a//b",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a;v=1/b",
            "/a%3bb",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%00",
            "/a%0d",
            "/%ff",
            "/a%252fb",
            "/a%252e%252e",
        ];
        for path in ambiguous {
            assert_eq!(segments(path), None, "{path}");
        }
    }

    #[test]
    fn a_guess_reads_as_the_most_lenient_shop() {
        let guesses = [
            "/shop//thanks/5",
            "/shop/./thanks/5",
            "/x/../shop/thanks/5",
            "/shop%2fthanks%2f5",
            "/shop;a=b/thanks;c/5",
            "\\shop\\thanks\\5",
            "/shop%252fthanks/5",
            "/shop/thanks/5/",
            "http://other/shop/thanks/5?x",
            "/%2e%2e/shop/thanks/5",
        ];
        for path in guesses {
            assert_eq!(guess(path), ["shop", "thanks", "5"], "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded_as_forms() {
        let expected = [("a", "1 2"), ("a", "3"), ("b c", ""), ("d", "x=y")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parameters("a=1+2&a=3&&b%20c&d=x=y&bad=%ff"), expected);
    }
}
