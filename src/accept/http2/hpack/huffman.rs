//! HPACK's Huffman code (RFC 7541 §5.2, Appendix B).
//!
//! The code is canonical: codes of one length are consecutive in the order of their
//! symbols, and longer ones come behind shorter ones. So the lengths say it all, and
//! every table is made of them by the compiler.

use super::super::name::index;

/// Bits of each symbol's code; the last is the end of string.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// The end of string, which is never written (RFC 7541 §5.2).
const END: u16 = 256;

/// Codes up to here are found in one look.
const LOOK: u32 = 8;

/// Codes of one length.
#[derive(Clone, Copy)]
struct Group {
    /// Bits of each.
    length: u32,
    /// The first code, at the top of 32 bits.
    first: u32,
    /// The first code of the next group, at the top of 32 bits; 0 behind the last.
    end: u32,
    /// Where the group begins among the symbols in the order of their codes.
    offset: u16,
}

/// The longest code.
const LONGEST: usize = 30;

/// Symbols in the order of their codes.
static ORDER: [u16; 257] = order();

/// A group for each length; those without a symbol are empty.
static GROUPS: [Group; LONGEST + 1] = groups();

/// By the next eight bits: the symbol and its code's length, or length 0 where it is longer.
static SHORT: [(u8, u8); 256] = short();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn order() -> [u16; 257] {
    let mut order = [0; 257];
    let (mut at, mut length) = (0, 1);
    while length <= LONGEST {
        let mut symbol: u16 = 0;
        let mut each = 0;
        while each < LENGTHS.len() {
            if index(LENGTHS[each]) == length {
                order[at] = symbol;
                at += 1;
            }
            symbol += 1;
            each += 1;
        }
        length += 1;
    }
    order
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn groups() -> [Group; LONGEST + 1] {
    let empty = Group {
        length: 0,
        first: 0,
        end: 0,
        offset: 0,
    };
    let mut groups = [empty; LONGEST + 1];
    let (mut code, mut offset) = (0_u32, 0);
    let (mut length, mut bits) = (1, 1_u32);
    while length <= LONGEST {
        let mut count: u16 = 0;
        let mut each = 0;
        while each < LENGTHS.len() {
            if index(LENGTHS[each]) == length {
                count += 1;
            }
            each += 1;
        }
        let first = code << (32 - bits);
        let mut left = count;
        while left > 0 {
            code += 1;
            left -= 1;
        }
        groups[length] = Group {
            length: bits,
            first,
            // The last group ends where 32 bits do.
            end: if bits == 30 { 0 } else { code << (32 - bits) },
            offset,
        };
        offset += count;
        code <<= 1;
        length += 1;
        bits += 1;
    }
    groups
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn short() -> [(u8, u8); 256] {
    let order = order();
    let mut short = [(0, 0); 256];
    // Codes in ascending order fill the table from its front.
    let (mut entry, mut place) = (0, 0);
    while place < order.len() {
        let symbol = order[place];
        let length = LENGTHS[index_of_wide(symbol)];
        if length > 8 {
            break;
        }
        let [_, low] = symbol.to_be_bytes();
        let mut copies = 1_u16 << (8 - length);
        while copies > 0 {
            short[entry] = (low, length);
            entry += 1;
            copies -= 1;
        }
        place += 1;
    }
    short
}

#[expect(
    clippy::as_conversions,
    reason = "lossless, and `From` is not for constants"
)]
const fn index_of_wide(number: u16) -> usize {
    number as usize
}

/// Decodes `text` behind what is in `out`; whether it was valid.
pub(super) fn decode(mut text: &[u8], out: &mut Vec<u8>) -> bool {
    // The shortest code has five bits.
    out.reserve(text.len().saturating_mul(8) / 5 + 1);
    // Bits to decode, at the top, and how many there are.
    let (mut bits, mut have) = (0_u64, 0_u32);
    loop {
        if have < 32 {
            if let Some((four, rest)) = text.split_first_chunk::<4>() {
                bits |= u64::from(u32::from_be_bytes(*four)) << (32 - have);
                have += 32;
                text = rest;
            } else if let [byte, rest @ ..] = text {
                bits |= u64::from(*byte) << (56 - have);
                have += 8;
                text = rest;
                continue;
            }
        }
        let [next, ..] = bits.to_be_bytes();
        let (symbol, length) = SHORT.get(usize::from(next)).copied().unwrap_or_default();
        let (symbol, length) = match length {
            0 => match long(bits) {
                Some(found) => found,
                None => return is_padding(bits, have),
            },
            length => (symbol, u32::from(length)),
        };
        if length > have {
            return is_padding(bits, have);
        }
        out.push(symbol);
        bits <<= length;
        have -= length;
    }
}

/// The symbol of the code at the top of `bits`, which has more than [`LOOK`] bits; none if it is the end.
fn long(bits: u64) -> Option<(u8, u32)> {
    let [a, b, c, d, ..] = bits.to_be_bytes();
    let top = u32::from_be_bytes([a, b, c, d]);
    let longer = GROUPS.iter().filter(|group| group.length > LOOK);
    let group = longer
        .filter(|group| group.first != group.end)
        .find(|group| top < group.end || group.end == 0)?;
    let nth = top.checked_sub(group.first)? >> (32 - group.length);
    let place = usize::from(group.offset).checked_add(usize::try_from(nth).ok()?)?;
    let symbol = *ORDER.get(place)?;
    if symbol == END {
        return None;
    }
    u8::try_from(symbol)
        .ok()
        .map(|symbol| (symbol, group.length))
}

/// Less than a byte of ones (RFC 7541 §5.2).
const fn is_padding(bits: u64, have: u32) -> bool {
    have < 8 && bits.leading_ones() >= have
}

/// Encodes `text` behind what is in `out`.
#[cfg(test)]
pub(in crate::accept::http2) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut have) = (0_u64, 0_u32);
    for byte in text {
        let length = u32::from(LENGTHS[usize::from(*byte)]);
        let group = GROUPS[usize::try_from(length).unwrap()];
        let place = ORDER.iter().position(|symbol| *symbol == u16::from(*byte));
        let nth = u32::try_from(place.unwrap() - usize::from(group.offset)).unwrap();
        let code = (group.first >> (32 - length)) + nth;
        bits |= u64::from(code) << (64 - length - have);
        have += length;
        while have >= 8 {
            out.push(bits.to_be_bytes()[0]);
            bits <<= 8;
            have -= 8;
        }
    }
    if have > 0 {
        out.push(bits.to_be_bytes()[0] | (0xff >> have));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(text, &mut out).then_some(out)
    }

    #[test]
    fn what_the_rfc_encodes_is_decoded() {
        // RFC 7541 Appendix C.4 and C.6.
        for (code, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            ("aec3771a4b", "private"),
            (
                "d07abe941054d444a8200595040b8166e082a62d1bff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (
                "9d29ad171863c78f0b97c8e9ae82ae43d3",
                "https://www.example.com",
            ),
        ] {
            let pairs = code.as_bytes().chunks(2).map(std::str::from_utf8);
            let code: Vec<u8> = pairs
                .map(|pair| u8::from_str_radix(pair.unwrap(), 16).unwrap())
                .collect();
            assert_eq!(decoded(&code).as_deref(), Some(text.as_bytes()), "{text}");
            let mut encoded = Vec::new();
            encode(text.as_bytes(), &mut encoded);
            assert_eq!(encoded, code, "{text}");
        }
    }

    #[test]
    fn padding_is_ones_and_shorter_than_a_byte() {
        for (code, expected) in [
            (&[0x07][..], Some(&b"0"[..])),
            (&[0x00], None),
            (&[0x06], None),
            (&[0xff], None),
            (&[0x07, 0xff], None),
            (&[], Some(b"")),
            // The end of string in full.
            (&[0xff, 0xff, 0xff, 0xff], None),
            (&[0xff, 0xff, 0xff, 0xff, 0xff], None),
        ] {
            assert_eq!(decoded(code).as_deref(), expected, "{code:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut code = Vec::new();
            encode(&text, &mut code);
            prop_assert_eq!(decoded(&code), Some(text));
        }

        #[test]
        fn what_is_decoded_was_encoded_so(code in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(text) = decoded(&code) {
                let mut again = Vec::new();
                encode(&text, &mut again);
                prop_assert_eq!(again, code);
            }
        }
    }
}
