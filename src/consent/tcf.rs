//! The consent string of IAB's TCF 2: which purposes are on.
//!
//! Its core segment, up to the first dot, is bits in base64url. The version is the first six;
//! purpose n is bit 151+n (domain.md §7).

use super::{Choice, joined};

/// The version that is read.
const VERSION: u8 = 2;

/// What a consent string says of `purposes`: given if all of them are on.
pub(super) fn choice(value: &[u8], purposes: &[u8]) -> Choice {
    let mut segments = value.split(|byte| *byte == b'.');
    let core = segments.next().unwrap_or_default();
    if core.first().copied().and_then(sextet) != Some(VERSION) {
        return Choice::Unknown;
    }
    joined(
        purposes
            .iter()
            .map(|purpose| match bit(core, 151 + usize::from(*purpose)) {
                Some(true) => Choice::Given,
                Some(false) => Choice::Refused,
                None => Choice::Unknown,
            }),
    )
}

/// The bit at this place, from 0, the first being the highest of its character.
fn bit(core: &[u8], at: usize) -> Option<bool> {
    let bits = sextet(*core.get(at / 6)?)?;
    Some(bits & (0b10_0000 >> (at % 6)) != 0)
}

/// The six bits of a character (RFC 4648 §5).
fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As published with a decoder that says of it: purposes 1, 3, 9 and 10.
    const SAMPLE: &str =
        "CLcVDxRMWfGmWAVAHCENAXCkAKDAADnAABRgA5mdfCKZuYJez-NQm0TBMYA4oCAAGQYIAAAAAAEAIAEgAA";

    fn told(value: &str, purposes: &[u8]) -> Choice {
        choice(value.as_bytes(), purposes)
    }

    #[test]
    fn the_purposes_of_a_published_string_are_read() {
        let on: Vec<u8> = (1..=24)
            .filter(|purpose| told(SAMPLE, &[*purpose]) == Choice::Given)
            .collect();
        assert_eq!(on, [1, 3, 9, 10]);
        assert_eq!(told(SAMPLE, &[1, 3]), Choice::Given);
        assert_eq!(told(SAMPLE, &[1, 2]), Choice::Refused);
        let longer = format!("{SAMPLE}.YAAAAAAAAAAA");
        assert_eq!(told(&longer, &[1]), Choice::Given);
    }

    #[test]
    fn what_is_no_string_of_this_version_says_nothing() {
        let short = SAMPLE.get(..20).unwrap();
        let other = format!("B{}", SAMPLE.get(1..).unwrap());
        for value in ["", ".", "C", short, &other, "C===", "\u{20ac}"] {
            assert_eq!(told(value, &[1]), Choice::Unknown, "{value}");
        }
        assert_eq!(told(SAMPLE, &[]), Choice::Unknown);
    }
}
