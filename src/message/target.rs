//! What a request asks for, byte for byte.

use std::fmt;

use memchr::memchr;

/// A request target: origin form (`/path?query`), absolute form, or `*` (RFC 9112 §3.2).
///
/// Any byte above space but DEL may stand in it: what the shop makes of `"<>` or
/// of bytes beyond ASCII is the shop's business.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    form: Form,
    /// Where the first `?` is, or the end.
    mark: usize,
}

#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// Text in UTF-8, as nearly all are.
    Text(String),
    Bytes(Vec<u8>),
}

impl Target {
    /// The target of these bytes; the caller has seen to it that none is a space or a control.
    pub fn new(bytes: Vec<u8>) -> Self {
        let mark = memchr(b'?', &bytes).unwrap_or(bytes.len());
        let form = match String::from_utf8(bytes) {
            Ok(text) => Form::Text(text),
            Err(error) => Form::Bytes(error.into_bytes()),
        };
        Self { form, mark }
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.form {
            Form::Text(text) => text.as_bytes(),
            Form::Bytes(bytes) => bytes,
        }
    }

    /// All of it, where it is text in UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match &self.form {
            Form::Text(text) => Some(text),
            Form::Bytes(_) => None,
        }
    }

    /// The part before the first `?`, where all of it is text in UTF-8.
    pub fn path(&self) -> Option<&str> {
        self.as_str()?.get(..self.mark)
    }

    /// The part behind the first `?`, where there is one and all of it is text in UTF-8.
    pub fn query(&self) -> Option<&str> {
        self.as_str()?.get(self.mark + 1..)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}

impl From<&str> for Target {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_parted_at_its_first_question_mark() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a?", "/a", Some("")),
            ("/ä?b?c", "/ä", Some("b?c")),
            ("*", "*", None),
        ] {
            let target = Target::from(target);
            assert_eq!((target.path(), target.query()), (Some(path), query));
        }
        let bytes = Target::new(b"/\xff?a".to_vec());
        assert_eq!(bytes.as_bytes(), b"/\xff?a");
        assert_eq!(
            (bytes.as_str(), bytes.path(), bytes.query()),
            (None, None, None)
        );
    }
}
