//! Which bytes may stand where in a head, looked at many at a time.

/// Without optional white space: space and tab only (RFC 9110 §5.6.3).
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether it is a token (RFC 9110 §5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && token(text) == text.len()
}

/// How many bytes of a token stand in front.
pub(super) fn token(bytes: &[u8]) -> usize {
    let other = |byte: &u8| !TOKEN.get(usize::from(*byte)).is_some_and(|token| *token);
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(word) = rest.first_chunk() else {
            return at + rest.iter().position(other).unwrap_or(rest.len());
        };
        let usual = usual(u64::from_le_bytes(*word));
        at += usual;
        // A rare one goes on with the token, most others end it.
        match bytes.get(at) {
            Some(byte) if usual < 8 && other(byte) => return at,
            Some(_) if usual < 8 => at += 1,
            _ => {}
        }
    }
}

/// How many of the eight bytes in front are letters, digits or hyphens.
fn usual(word: u64) -> usize {
    // The top bit of each byte is kept out of the sums, so that none overflows into the next.
    let low = word & each(0x7f);
    let lower = low | each(0x20);
    let within = |word: u64, first: u8, last: u8| {
        word.wrapping_add(each(0x80 - first)) & !word.wrapping_add(each(0x7f - last))
    };
    let letter = within(lower, b'a', b'z');
    let digit = within(low, b'0', b'9');
    let hyphen = within(low, b'-', b'-');
    let other = (!(letter | digit | hyphen) | word) & each(0x80);
    usize::try_from(other.trailing_zeros() / 8).unwrap_or_default()
}

/// A word of eight times this byte.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// By byte: whether it may stand in a token.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let (mut at, mut byte) = (0, 0_u8);
    while byte < 0x7f {
        let (_, from) = table.split_at_mut(at);
        if let [token, ..] = from {
            *token = byte.is_ascii_alphanumeric() || is_special(byte);
        }
        (at, byte) = (at + 1, byte + 1);
    }
    table
};

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// How many bytes stand in front of the first one that is less than `LIMIT`, at most 0x80, or DEL.
pub(super) fn low<const LIMIT: u8>(bytes: &[u8]) -> usize {
    const BRIEF: usize = 16;
    const BLOCK: usize = 64;
    // Many at a time, where the value is a long one.
    let mut at = 0;
    if bytes
        .first_chunk::<BRIEF>()
        .is_some_and(|brief| !has_low::<LIMIT>(brief))
    {
        at = BRIEF;
        while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>)
            && !has_low::<LIMIT>(block)
        {
            at += BLOCK;
        }
    }
    let (words, rest) = bytes.get(at..).unwrap_or_default().as_chunks();
    for word in words {
        // Eight at a time: the top bit of a byte becomes one where the byte is found. Bits above
        // the lowest of them may be wrong, that one never is.
        let word = u64::from_le_bytes(*word);
        let other = word ^ each(0x7f);
        let less = word.wrapping_sub(each(LIMIT)) & !word;
        let del = other.wrapping_sub(each(1)) & !other;
        let found = (less | del) & each(0x80);
        if found != 0 {
            return at + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
        at += 8;
    }
    let low = |byte: &u8| *byte < LIMIT || *byte == 0x7f;
    at + rest.iter().position(low).unwrap_or(rest.len())
}

/// Whether a byte is less than `LIMIT`, or DEL; without an early end, so that it is done many
/// bytes at a time.
fn has_low<const LIMIT: u8>(bytes: &[u8]) -> bool {
    let low = |byte: u8| u8::from(byte < LIMIT) | u8::from(byte == 0x7f);
    bytes.iter().fold(0, |found, byte| found | low(*byte)) != 0
}

/// Whether it may stand in a field value or a reason phrase: no control but tab (RFC 9110 §5.5).
pub fn is_text(text: &[u8]) -> bool {
    // Without an early end, so that it is done many bytes at a time.
    let bad = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    !text.iter().fold(false, |found, byte| found | bad(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_what_rfc_9110_says() {
        for byte in 0..=u8::MAX {
            let special = b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(
                is_token(&[byte]),
                byte.is_ascii_alphanumeric() || special,
                "{byte}"
            );
        }
        assert!(!is_token(b""));
    }

    /// Bytes about every bound.
    const TELLING: [u8; 10] = [0, 9, 0x1f, 0x20, 0x21, 0x2d, 0x7e, 0x7f, 0x80, 0xff];

    #[test]
    fn the_first_low_byte_is_found_in_a_text_of_any_length() {
        for length in 0..200 {
            for at in 0..length {
                for byte in TELLING {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let found = |limit| {
                        if byte < limit || byte == 0x7f {
                            at
                        } else {
                            length
                        }
                    };
                    assert_eq!(
                        low::<0x20>(&text),
                        found(0x20),
                        "{byte} at {at} of {length}"
                    );
                    assert_eq!(
                        low::<0x21>(&text),
                        found(0x21),
                        "{byte} at {at} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn neighbours_do_not_hide_what_ends_a_token() {
        for one in 0..=u8::MAX {
            for other in 0..=u8::MAX {
                for at in 0..7 {
                    let mut word = [b'a'; 8];
                    word[at..at + 2].copy_from_slice(&[one, other]);
                    let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
                    let first = word.iter().position(|byte| !is_usual(byte));
                    assert_eq!(
                        usual(u64::from_le_bytes(word)),
                        first.unwrap_or(8),
                        "{word:?}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_token_ends_before_its_first_other_byte(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x2a_u8..0x7f, b'a'..=b'z'], 0..40),
        ) {
            for start in 0..=bytes.len() {
                let bytes = &bytes[start..];
                let other = bytes.iter().position(|byte| !is_token(&[*byte]));
                prop_assert_eq!(token(bytes), other.unwrap_or(bytes.len()));
            }
        }

        #[test]
        fn the_first_low_byte_is_found_wherever_it_stands(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x1f_u8..0x24, 0x7e_u8..0x82, 0x40_u8..0x60, 0x40_u8..0x60], 0..140),
        ) {
            for start in 0..=bytes.len() {
                let bytes = &bytes[start..];
                let found = |limit| {
                    let found = bytes.iter().position(|byte| *byte < limit || *byte == 0x7f);
                    found.unwrap_or(bytes.len())
                };
                prop_assert_eq!(low::<0x20>(bytes), found(0x20));
                prop_assert_eq!(low::<0x21>(bytes), found(0x21));
            }
        }
    }
}
