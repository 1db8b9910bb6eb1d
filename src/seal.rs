//! The seal on what a browser keeps for us: nobody else can read, change or make it.
//!
//! The `cookie` crate's private jar (AES-256-GCM) does the work. It binds the
//! cookie's name; it knows no purpose, version or time, so those stand inside.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use cookie::{Cookie, CookieJar, Key};

/// A key's length in bytes; written as twice as many hexadecimal digits.
pub const KEY_BYTES: usize = 64;

/// The keys: the first seals, every one opens.
#[derive(Clone)]
pub struct Keys {
    first: Key,
    older: Vec<Key>,
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not even one key.
    #[error("no key")]
    None,
    /// Not [`KEY_BYTES`] bytes in hexadecimal.
    #[error("a key is {KEY_BYTES} bytes in hexadecimal: make one with `refgate key new`")]
    Shape,
}

impl Keys {
    /// Keys from their texts, each [`KEY_BYTES`] bytes in hexadecimal.
    ///
    /// # Errors
    /// None at all, or one of another shape.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, KeyError> {
        let mut keys = texts.into_iter().map(parse_key);
        let first = keys.next().ok_or(KeyError::None)??;
        let older = keys.collect::<Result<_, _>>()?;
        Ok(Self { first, older })
    }

    /// `text` sealed under `name`, as a cookie value.
    pub fn seal(&self, name: &str, text: &str) -> String {
        let mut jar = CookieJar::new();
        jar.private_mut(&self.first)
            .add(Cookie::new(name.to_owned(), text.to_owned()));
        jar.get(name)
            .map(|cookie| cookie.value().to_owned())
            .unwrap_or_default()
    }

    /// What was sealed under `name`; nothing if any byte is not as it was.
    pub fn open(&self, name: &str, sealed: &str) -> Option<String> {
        let jar = CookieJar::new();
        std::iter::once(&self.first)
            .chain(&self.older)
            .find_map(|key| {
                let cookie = Cookie::new(name.to_owned(), sealed.to_owned());
                let opened = jar.private(key).decrypt(cookie)?;
                Some(opened.value().to_owned())
            })
    }

    /// A key of 32 bytes for another purpose, from each of these in their order (HKDF-Expand, RFC 5869 §2.3, of one block:
    /// a key is random already).
    pub fn derived(&self, purpose: &str) -> Vec<[u8; 32]> {
        let block = [purpose.as_bytes(), &[1]].concat();
        let keys = std::iter::once(&self.first).chain(&self.older);
        let derived = keys.filter_map(|key| {
            let key = hmac::Key::new(HMAC_SHA256, key.master());
            hmac::sign(&key, &block).as_ref().try_into().ok()
        });
        derived.collect()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", 1 + self.older.len())
    }
}

fn parse_key(text: &str) -> Result<Key, KeyError> {
    let digits = text.trim();
    if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(KeyError::Shape);
    }
    let bytes: Vec<u8> = digits
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
        .collect();
    Key::try_from(bytes.as_slice()).map_err(|_short| KeyError::Shape)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(digits: &[&str]) -> Keys {
        let texts: Vec<String> = digits.iter().map(|pair| pair.repeat(KEY_BYTES)).collect();
        Keys::parse(texts.iter().map(String::as_str)).unwrap()
    }

    #[test]
    fn a_key_of_another_length_or_alphabet_is_refused() {
        for text in [
            "",
            "ab",
            &"ab".repeat(63),
            &"ab".repeat(65),
            &"äb".repeat(43),
        ] {
            assert_eq!(Keys::parse([text]).unwrap_err(), KeyError::Shape, "{text}");
        }
        assert_eq!(Keys::parse([]).unwrap_err(), KeyError::None);
    }

    #[test]
    fn every_key_opens_and_the_first_seals() {
        let old = keys(&["11"]);
        let both = keys(&["22", "11"]);
        let sealed = old.seal("visit", "text");
        assert_eq!(both.open("visit", &sealed).as_deref(), Some("text"));
        assert_eq!(old.open("visit", &both.seal("visit", "text")), None);
    }

    #[test]
    fn another_name_does_not_open() {
        let keys = keys(&["11"]);
        assert_eq!(keys.open("token", &keys.seal("visit", "text")), None);
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", keys(&["11", "22"])), "Keys(2)");
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_any_other_byte_does_not(
            text in "\\PC{0,200}", at in any::<prop::sample::Index>(), with in "[A-Za-z0-9+/]",
        ) {
            let keys = keys(&["5a"]);
            let sealed = keys.seal("visit", &text);
            let opened = keys.open("visit", &sealed);
            prop_assert_eq!(opened.as_deref(), Some(text.as_str()));
            let at = at.index(sealed.trim_end_matches('=').len() - 1);
            let mut forged = sealed.clone();
            forged.replace_range(at..=at, &with);
            prop_assert_eq!(keys.open("visit", &forged).is_some(), forged == sealed);
        }
    }
}
