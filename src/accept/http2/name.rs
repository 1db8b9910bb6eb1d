//! What a field's name means to HTTP/2 (RFC 9113 §8.2, §8.3).

/// A name, as far as HTTP/2 makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// `:method`
    Method,
    /// `:scheme`
    Scheme,
    /// `:path`
    Path,
    /// `:authority`
    Authority,
    /// `:protocol` (RFC 8441 §4)
    Protocol,
    /// Another one that begins with a colon; a request has none (RFC 9113 §8.3).
    Pseudo,
    /// A connection-specific one, which HTTP/2 forbids (RFC 9113 §8.2.2).
    Connection,
    /// No token, or with a capital (RFC 9113 §8.2.1).
    Invalid,
    /// `te`
    Te,
    /// `content-length`
    ContentLength,
    /// `cookie`
    Cookie,
    /// Any other.
    Plain,
}

impl Name {
    /// What `name` means.
    pub(super) const fn of(name: &[u8]) -> Self {
        match name {
            b":method" => Self::Method,
            b":scheme" => Self::Scheme,
            b":path" => Self::Path,
            b":authority" => Self::Authority,
            b":protocol" => Self::Protocol,
            [b':', ..] => Self::Pseudo,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => Self::Connection,
            b"te" => Self::Te,
            b"content-length" => Self::ContentLength,
            b"cookie" => Self::Cookie,
            _ if is_lower_token(name) => Self::Plain,
            _ => Self::Invalid,
        }
    }
}

impl Name {
    /// Whether it begins with a colon.
    pub(super) const fn is_pseudo(self) -> bool {
        matches!(
            self,
            Self::Method
                | Self::Scheme
                | Self::Path
                | Self::Authority
                | Self::Protocol
                | Self::Pseudo
        )
    }
}

const fn is_lower_token(mut name: &[u8]) -> bool {
    if name.is_empty() {
        return false;
    }
    while let [first, rest @ ..] = name {
        if !is_lower_token_byte(*first) {
            return false;
        }
        name = rest;
    }
    true
}

/// A token's byte (RFC 9110 §5.6.2) that is no capital.
const fn is_lower_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// A byte as an index, for constants.
#[expect(
    clippy::as_conversions,
    reason = "lossless, and `From` is not for constants"
)]
pub(super) const fn index(byte: u8) -> usize {
    byte as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for (name, expected) in [
            (&b"accept"[..], Name::Plain),
            (b"x-1_!~", Name::Plain),
            (b"Accept", Name::Invalid),
            (b"", Name::Invalid),
            (b"a b", Name::Invalid),
            (b"a:", Name::Invalid),
            (b"a\n", Name::Invalid),
            (b"a\xe4", Name::Invalid),
            (b":method", Name::Method),
            (b":Method", Name::Pseudo),
            (b":", Name::Pseudo),
            (b":status", Name::Pseudo),
            (b"upgrade", Name::Connection),
            (b"upgrade-insecure-requests", Name::Plain),
            (b"te", Name::Te),
            (b"content-length", Name::ContentLength),
            (b"cookie", Name::Cookie),
        ] {
            assert_eq!(Name::of(name), expected, "{name:?}");
        }
    }
}
