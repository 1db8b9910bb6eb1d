//! The seal on what a browser keeps for us.

mod envelope;

/// The keys: the first seals, every one opens.
#[derive(Clone)]
pub struct Keys(Vec<cookie::Key>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
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

/// A key's length in bytes.
pub const KEY_BYTES: usize = 64;

impl Keys {
    /// Keys from their texts, each [`KEY_BYTES`] bytes in hexadecimal.
    ///
    /// # Errors
    /// None at all, or one of another shape.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, KeyError> {
        let keys: Vec<_> = texts.into_iter().map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::None);
        }
        Ok(Self(keys))
    }
}

fn key(text: &str) -> Result<cookie::Key, KeyError> {
    let digits = text.trim().as_bytes();
    if digits.len() != 2 * KEY_BYTES {
        return Err(KeyError::Shape);
    }
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_not_ascii| KeyError::Shape)?;
            u8::from_str_radix(pair, 16).map_err(|_not_hex| KeyError::Shape)
        })
        .collect::<Result<_, _>>()?;
    cookie::Key::try_from(bytes.as_slice()).map_err(|_short| KeyError::Shape)
}
