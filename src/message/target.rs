//! What a request asks for, byte for byte.

use std::fmt;

/// A request target: origin form (`/path?query`), absolute form, or `*` (RFC 9112 §3.2).
///
/// Any byte above space but DEL may stand in it: what the shop makes of `"<>` or
/// of bytes beyond ASCII is the shop's business.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Vec<u8>);

impl Target {
    /// The target of these bytes; the caller has seen to it that none is a space or a control.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// All of it, where it is text in UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The part before the first `?`, where it is text in UTF-8.
    pub fn path(&self) -> Option<&str> {
        let text = self.as_str()?;
        Some(text.split_once('?').map_or(text, |(path, _)| path))
    }

    /// The part behind the first `?`, where there is one and it is text in UTF-8.
    pub fn query(&self) -> Option<&str> {
        self.as_str()?.split_once('?').map(|(_, query)| query)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl From<&str> for Target {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}
