//! Which values the fields of a request may have (RFC 9113 §8.2.1, §8.2.2, §8.3.1).

use super::name::{Name, index};
use crate::message::parse::{is_text, is_token};

/// Whether a request may have a field of this name with this value.
pub(super) fn is_sound(name: Name, value: &[u8]) -> bool {
    match name {
        Name::Method | Name::Protocol => is_token(value),
        Name::Scheme => is_scheme(value),
        Name::Path => is_path(value),
        Name::Authority => is_authority(value),
        Name::Te => value.eq_ignore_ascii_case(b"trailers"),
        Name::ContentLength => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
        Name::Cookie | Name::Plain => is_value(value),
        Name::Pseudo | Name::Connection | Name::Invalid => false,
    }
}

/// Text that neither begins nor ends with white space.
fn is_value(value: &[u8]) -> bool {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    !value.first().is_some_and(blank) && !value.last().is_some_and(blank) && is_text(value)
}

/// RFC 3986 §3.1.
fn is_scheme(text: &[u8]) -> bool {
    if matches!(text, b"https" | b"http") {
        return true;
    }
    let rest = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(rest)
}

/// A path with or without a query, or `*`; the rest as in HTTP/1.1's request line.
fn is_path(text: &[u8]) -> bool {
    let bad = |byte: u8| byte <= b' ' || byte == 0x7f;
    (text.first() == Some(&b'/') || text == b"*")
        && !text.iter().fold(false, |found, byte| found | bad(*byte))
}

/// A host, with or without a port, of the bytes that RFC 3986 §3.2 allows; no user
/// information (RFC 9113 §8.3.1).
fn is_authority(text: &[u8]) -> bool {
    let good = |byte: &u8| AUTHORITY.get(usize::from(*byte)).is_some_and(|good| *good);
    !text.is_empty() && text.iter().all(good)
}

static AUTHORITY: [bool; 256] = authority();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn authority() -> [bool; 256] {
    let mut good = [false; 256];
    let mut rest: &[u8] = b"-._~%!$&'()*+,;=:[]";
    while let [byte, behind @ ..] = rest {
        good[index(*byte)] = true;
        rest = behind;
    }
    let mut byte = 0;
    while byte < 128 {
        good[index(byte)] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    good
}
