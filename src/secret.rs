//! Texts that must not be seen: tokens in postback URLs, keys.

use std::fmt;

/// What stands in every output in place of a secret.
pub const MASK: &str = "***";

/// A text that no output shows; [`reveal`](Self::reveal) is the only way to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from every output.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// A secret this long is found in any case of its letters; a shorter one could be a word.
const LONG: usize = 8;

/// `text` with every occurrence of every secret masked.
///
/// As it is, and as others may echo it: percent-encoded (once or twice, whole or in part), with character references of HTML, with escapes of
/// JSON, in the other case.
pub fn mask(text: &str, secrets: &[Secret]) -> String {
    let mut masked = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.0.is_empty()) {
        masked = masked.replace(&secret.0, MASK);
        masked = mask_echoes(&masked, &secret.0);
    }
    masked
}

fn mask_echoes(text: &str, secret: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match echoed(rest.as_bytes(), secret) {
            Some(length) => {
                masked.push_str(MASK);
                rest = rest.get(length..).unwrap_or_default();
            }
            None => {
                masked.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    masked
}

/// How much of the beginning of `text` is an echo of the secret, if it is one.
fn echoed(text: &[u8], secret: &str) -> Option<usize> {
    let in_any_case = secret.len() >= LONG;
    let mut wanted = secret.as_bytes();
    let mut at = 0;
    while let Some(&next) = wanted.first() {
        let rest = text.get(at..)?;
        let is_next = |byte: u8| byte == next || (in_any_case && byte.eq_ignore_ascii_case(&next));
        let escapes = escapes(rest).into_iter().flatten();
        let mut fitting = escapes.filter_map(|(unit, length)| match unit {
            Unit::Byte(byte) => is_next(byte).then_some((length, 1)),
            Unit::Char(c) => {
                let taken = wanted.starts_with(c.encode_utf8(&mut [0; 4]).as_bytes());
                taken.then_some((length, c.len_utf8()))
            }
        });
        let plain = *rest.first()?;
        let (length, taken) = match fitting.next() {
            Some(fitting) => fitting,
            None if is_next(plain) || (next == b' ' && plain == b'+') => (1, 1),
            None => return None,
        };
        at += length;
        wanted = wanted.get(taken..).unwrap_or_default();
    }
    // Within a character nothing ends.
    std::str::from_utf8(text.get(..at)?).is_ok().then_some(at)
}

/// What an escape stands for.
enum Unit {
    Byte(u8),
    Char(char),
}

/// What the escapes that `text` begins with may stand for, each with its length.
fn escapes(text: &[u8]) -> [Option<(Unit, usize)>; 2] {
    let byte = |digits: &[u8], length| {
        let byte = u8::try_from(hex(digits)?).ok()?;
        Some((Unit::Byte(byte), length))
    };
    match text {
        [b'%', rest @ ..] => [
            // Encoded twice: the percent sign is encoded itself.
            rest.strip_prefix(b"25")
                .and_then(|rest| byte(rest.get(..2)?, 5)),
            rest.get(..2).and_then(|digits| byte(digits, 3)),
        ],
        [b'\\', b'u', digits @ ..] => {
            let code = digits.get(..4).and_then(hex);
            let c = code.and_then(char::from_u32);
            [c.map(|c| (Unit::Char(c), 6)), None]
        }
        [b'\\', escaped, ..] => [Some((Unit::Byte(*escaped), 2)), None],
        [b'&', ..] => [reference(text), None],
        _ => [None, None],
    }
}

/// A character reference of HTML.
fn reference(text: &[u8]) -> Option<(Unit, usize)> {
    let end = text.iter().take(12).position(|byte| *byte == b';')? + 1;
    let reference = std::str::from_utf8(text.get(..end)?).ok()?;
    let unescaped = htmlize::unescape(reference);
    let mut chars = unescaped.chars();
    let c = chars.next()?;
    chars.next().is_none().then_some((Unit::Char(c), end))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "s3cr&t/\"tök en%41";

    #[test]
    fn a_secret_is_masked_however_it_is_echoed() {
        let secrets = [Secret::new(TOKEN)];
        for echo in [
            TOKEN,
            "s3cr%26t%2F%22t%C3%B6k%20en%2541",
            "s3cr%26t%2f%22t%c3%b6k%20en%2541",
            "s3cr%26t/%22t\u{f6}k+en%2541",
            "%73%33%63%72%26%74%2F%22%74%C3%B6%6B%20%65%6E%25%34%31",
            "s3cr%2526t%252F%2522t%25C3%25B6k%2520en%252541",
            "s3cr&amp;t/&quot;t\u{f6}k en%41",
            "s3cr&#38;t&#x2F;&#34;t&ouml;k en%41",
            "s3cr\\u0026t\\/\\\"t\\u00f6k en%41",
            "S3CR&T/\"T\u{f6}K EN%41",
        ] {
            let masked = mask(&format!("before{echo}<br>"), &secrets);
            assert_eq!(masked, "before***<br>", "{echo}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let secrets = [Secret::new("abc"), Secret::new("")];
        for text in [
            "",
            "ab",
            "ABC",
            "ab%6",
            "a%20bc &amp; \\u00",
            "%",
            "&",
            "grün%ff",
        ] {
            assert_eq!(mask(text, &secrets), text);
        }
        assert_eq!(mask("abcabc%61bc", &secrets), "*********");
    }
}
