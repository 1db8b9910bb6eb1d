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

/// `text` with every occurrence of every secret masked, also as it looks percent-encoded.
pub fn mask(text: &str, secrets: &[Secret]) -> String {
    let mut masked = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.0.is_empty()) {
        masked = masked.replace(&secret.0, MASK);
        let encoded =
            percent_encoding::utf8_percent_encode(&secret.0, percent_encoding::NON_ALPHANUMERIC);
        masked = masked.replace(&encoded.to_string(), MASK);
    }
    masked
}
