//! Whether a sibling's host may stand in some bytes of a page, told at a glance.
//!
//! Of a page in which none does no tag need be read. An address gets a token only if, its character
//! references decoded, `//` and the host stand in it one behind the other. Either they stand so in the
//! page, or a character of them is written as a reference: with a number, or with one of
//! few names. So what says no here has no link that would get one (tests/any.rs).

use memchr::memchr_iter;
use memchr::memmem::Finder;

/// Longest host in bytes (RFC 1035 §2.3.4).
const HOST_LIMIT: usize = 255;

/// Most digits of a number that are looked at; one with more may be anything.
const DIGIT_LIMIT: usize = 32;

/// Most bytes that say so, with the one behind them: `//` and a host.
pub(super) const LENGTH_LIMIT: usize = HOST_LIMIT + 3;

/// All references by name that stand for a character of a host or for `/` (WHATWG HTML §13.5).
pub(super) const NAMES: [&[u8]; 10] = [
    b"UnderBar",
    b"colon",
    b"fjlig",
    b"lbrack",
    b"lowbar",
    b"lsqb",
    b"period",
    b"rbrack",
    b"rsqb",
    b"sol",
];

/// Whether a host may stand there that `may_be` a sibling's. One that the bytes end in does not
/// count: whether it is one shows with the byte behind it.
pub(super) fn is_in(bytes: &[u8], slashes: &Finder<'_>, may_be: impl Fn(&str) -> bool) -> bool {
    let behind = |at| bytes.get(at..).unwrap_or_default();
    slashes
        .find_iter(bytes)
        .filter_map(|at| host(behind(at + 2)))
        .any(may_be)
        || memchr_iter(b'&', bytes).any(|at| is_reference(behind(at + 1)))
}

/// The host that stands first in these bytes, as it is written.
fn host(bytes: &[u8]) -> Option<&str> {
    let length = match bytes.first()? {
        b'[' => {
            1 + bytes
                .iter()
                .take(HOST_LIMIT)
                .position(|byte| *byte == b']')?
        }
        _ => {
            let mut most = bytes.iter().take(HOST_LIMIT + 1);
            most.position(|byte| !is_of_name(*byte))?
        }
    };
    // With nothing behind it may go on.
    let (host, _) = bytes
        .split_at_checked(length)
        .filter(|(_, rest)| !rest.is_empty())?;
    std::str::from_utf8(host)
        .ok()
        .filter(|host| !host.is_empty())
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// Whether what follows an `&` stands for a character of a host or for `/`.
fn is_reference(bytes: &[u8]) -> bool {
    match bytes {
        [b'#', b'x' | b'X', digits @ ..] => is_number(digits, 16),
        [b'#', digits @ ..] => is_number(digits, 10),
        [b'U' | b'c' | b'f' | b'l' | b'p' | b'r' | b's', ..] => {
            NAMES.iter().any(|name| bytes.starts_with(name))
        }
        _ => false,
    }
}

fn is_number(digits: &[u8], radix: u32) -> bool {
    let values = digits
        .iter()
        .map_while(|digit| char::from(*digit).to_digit(radix));
    let (mut number, mut count) = (0_u32, 0);
    for value in values.take(DIGIT_LIMIT) {
        number = number.saturating_mul(radix).saturating_add(value);
        count += 1;
    }
    let is_part = |byte| is_of_name(byte) || matches!(byte, b'/' | b':' | b'[' | b']');
    count == DIGIT_LIMIT || count > 0 && u8::try_from(number).is_ok_and(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> bool {
        let may_be = |host: &str| host.eq_ignore_ascii_case("b.test") || host == "[::1]";
        is_in(text.as_bytes(), &Finder::new(b"//"), may_be)
    }

    #[test]
    fn a_host_is_found_as_it_is_written() {
        for text in [
            "//b.test/",
            "https://B.TEST'",
            "//b.test:1",
            "//b.test&",
            "///b.test//b.test ",
            "//[::1]/",
            "//c.test //b.test>",
        ] {
            assert!(names(text), "{text}");
        }
        let long = format!("//{}b.test/", "a".repeat(300));
        for text in [
            "",
            "//",
            "//b.test",
            "/b.test/",
            "//b.tests/",
            "//ab.test/",
            "//b.tes",
            "b.test/",
            "//%62.test/",
            "//[::1",
            "//[::1]",
            "//@b.test/",
            "//b.test\u{e9}b.test",
            &long,
        ] {
            assert_eq!(names(text), text.contains("b.test\u{e9}"), "{text}");
        }
    }

    #[test]
    fn every_reference_to_a_character_of_a_host_is_found() {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-._:/[]".contains(letter);
        let mut found = 0;
        for (reference, meant) in &htmlize::ENTITIES {
            let text = String::from_utf8(reference.to_vec()).unwrap();
            let meant = std::str::from_utf8(meant).unwrap();
            if meant.contains(is_part) {
                assert!(names(&text), "{text}");
                found += 1;
            }
        }
        assert_eq!(found, NAMES.len());
        for code in 0..0x180 {
            let meant = char::from_u32(code).unwrap();
            let zeros = "0".repeat(50);
            for text in [
                format!("&#{code};"),
                format!("&#x{code:x}"),
                format!("&#X000{code:X}z"),
                format!("&#{zeros}{code}"),
            ] {
                assert_eq!(names(&text), is_part(meant) || text.len() > 50, "{text}");
            }
        }
        for text in [
            "&",
            "&#",
            "&#x",
            "&#;",
            "&amp;",
            "&lt;",
            "&copy;",
            "&#8217;",
            "&#99999999999;",
            "&Sol;",
        ] {
            assert!(!names(text), "{text}");
        }
    }
}
