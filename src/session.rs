//! A shopper's session at the shop, as it is remembered: a keyed hash of its cookie's value. Pure.
//!
//! The value itself lets anybody in as that shopper, so it is neither kept nor logged. The
//! hash is of use only with the key, and only in the stores that count their orders together.

use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use serde::{Deserialize, Serialize};

use crate::name::{GroupName, Namespace};
use crate::seal::Keys;

/// Shortest and longest value that counts, in bytes. A shorter one may be guessed.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=4096;

/// Fewest different bytes in it: 16 random hexadecimal digits have ten on average.
const DIFFERENT: usize = 8;

/// What the keys are derived for; the number is the form's version.
const PURPOSE: &str = "refgate.session.1";
const SHOPPERS: &str = "refgate.shopper.1";

/// HMAC-SHA-256 of a session cookie's value, or of a client's address and program (RFC 2104).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark([u8; 32]);

/// A text that is no mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no 64 hexadecimal digits")]
pub struct MarkError;

impl TryFrom<String> for Mark {
    type Error = MarkError;

    fn try_from(text: String) -> Result<Self, MarkError> {
        let mut mark = [0; 32];
        let is_whole = text.len() == 64 && text.is_ascii();
        let digits = text.as_bytes().chunks(2);
        for (byte, digits) in mark.iter_mut().zip(digits) {
            let digits = std::str::from_utf8(digits).map_err(|_no_text| MarkError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_no_digits| MarkError)?;
        }
        is_whole.then_some(Self(mark)).ok_or(MarkError)
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.to_string()
    }
}

impl fmt::Display for Mark {
    /// In hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Makes marks of the sessions of one order namespace.
#[derive(Clone)]
pub struct Marker(Vec<hmac::Key>);

impl Marker {
    /// With a key derived from each of `keys`, for the stores of a group that share `namespace`.
    pub fn new(keys: &Keys, group: &GroupName, namespace: &Namespace) -> Self {
        Self::made_for(PURPOSE, keys, group, namespace)
    }

    /// The same, for who looks at a confirmation: see [`Self::shopper`].
    pub fn of_shoppers(keys: &Keys, group: &GroupName, namespace: &Namespace) -> Self {
        Self::made_for(SHOPPERS, keys, group, namespace)
    }

    fn made_for(purpose: &str, keys: &Keys, group: &GroupName, namespace: &Namespace) -> Self {
        let secrets = keys.derived(&format!("{purpose} {group} {namespace}"));
        let keys = secrets
            .into_iter()
            .map(|secret| hmac::Key::new(HMAC_SHA256, &secret));
        Self(keys.collect())
    }

    /// The marks of somebody at this address with this program.
    pub fn shopper(&self, address: IpAddr, program: &[u8]) -> Vec<Mark> {
        self.marks(&[address.to_string().as_bytes(), b"\n", program].concat())
    }

    /// The marks of a session: the first is written, every one may have been. One a key.
    pub fn marks(&self, value: &[u8]) -> Vec<Mark> {
        let mark = |key| {
            let tag = hmac::sign(key, value);
            tag.as_ref().try_into().ok().map(Mark)
        };
        self.0.iter().filter_map(mark).collect()
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Marker({})", self.0.len())
    }
}

/// Whether a value tells one shopper from every other, as far as can be seen.
///
/// It is 16 to 4096 visible ASCII characters, eight different ones among them, at least one a letter.
/// A number, a short or a monotonous text is what many could have.
pub fn is_random(value: &[u8]) -> bool {
    if !LENGTH.contains(&value.len()) || !value.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    let mut seen = [false; 256];
    for byte in value {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let different = seen.iter().filter(|seen| **seen).count();
    different >= DIFFERENT && value.iter().any(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(digits: &[&str]) -> Keys {
        let texts: Vec<String> = digits.iter().map(|pair| pair.repeat(64)).collect();
        Keys::parse(texts.iter().map(String::as_str)).unwrap()
    }

    fn marks(digits: &[&str], namespace: &str, value: &str) -> Vec<Mark> {
        Marker::new(
            &keys(digits),
            &GroupName::default(),
            &namespace.parse().unwrap(),
        )
        .marks(value.as_bytes())
    }

    #[test]
    fn every_key_and_namespace_has_its_own_mark() {
        let old = marks(&["11"], "main", "value");
        let both = marks(&["22", "11"], "main", "value");
        assert_eq!((old.len(), both.len()), (1, 2));
        assert_eq!(both[1], old[0], "found by the older key");
        assert_ne!(both[0], old[0]);
        assert_ne!(marks(&["11"], "other", "value"), old);
        assert_ne!(marks(&["11"], "main", "Value"), old);
        assert_eq!(old[0].to_string().len(), 64);
    }

    #[test]
    fn a_mark_is_kept_as_its_digits() {
        let mark = marks(&["11"], "main", "value")[0];
        let text = serde_json::to_string(&mark).unwrap();
        assert_eq!(text, format!("\"{mark}\""));
        assert_eq!(serde_json::from_str::<Mark>(&text).unwrap(), mark);
        for text in [
            "",
            "00",
            &"0g".repeat(32),
            &"0".repeat(66),
            &"\u{e4}".repeat(32),
        ] {
            assert_eq!(Mark::try_from((*text).to_owned()), Err(MarkError), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let marker = Marker::new(
            &keys(&["11", "22"]),
            &GroupName::default(),
            &"main".parse().unwrap(),
        );
        assert_eq!(format!("{marker:?}"), "Marker(2)");
    }

    #[test]
    fn only_what_looks_random_counts() {
        for value in [
            "9f86d081884c7d65",
            "s%3Aq8Zk2mJ4xTt0b.N1vQwE",
            "0b0f7c1e-8a2d-4d0b-9a53-0d5f6e7a8b9c",
            "k3kq5rhvnbd3g7m2c0lt6d9ja1",
        ] {
            assert!(is_random(value.as_bytes()), "{value}");
        }
        let long = "9f86d081884c7d65".repeat(257);
        for value in [
            "",
            "9f86d081884c7d6",
            "1234567890123456",
            "1763812800-4711-0815",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "00000000-0000-0000-0000-000000000000",
            "9f86d081 884c7d65",
            "9f86d081884c7d65\u{e4}",
            &long,
        ] {
            assert!(!is_random(value.as_bytes()), "{value}");
        }
    }
}
