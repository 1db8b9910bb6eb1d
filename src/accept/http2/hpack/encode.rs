//! A header block written (RFC 7541 §6).
//!
//! Names come from the static table where it has them, everything else is written as
//! it is: the fewest instructions. Nothing is put into the dynamic table, so there
//! is none.

use super::TABLE;

/// Writes the blocks of one connection.
#[derive(Debug, Default)]
pub(in crate::accept::http2) struct Encoder {
    /// The client made its table smaller and has not been told yet that we heard (RFC 7541 §4.2).
    untold: bool,
}

impl Encoder {
    /// The client's table has this size now. We leave it empty; but a client that made it
    /// smaller than it was may wait for our word on it.
    pub(in crate::accept::http2) fn resize(&mut self, most: usize) {
        self.untold |= most < TABLE;
    }

    /// Begins a block.
    pub(in crate::accept::http2) fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.untold) {
            out.push(0x20);
        }
    }

    /// The status of a response.
    pub(in crate::accept::http2) fn status(out: &mut Vec<u8>, status: http::StatusCode) {
        let index = match status.as_u16() {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => {
                out.push(8);
                text(out, status.as_str().as_bytes());
                return;
            }
        };
        out.push(0x80 | index);
    }

    /// A field, its name in lower case; whether it was `content-length`. Connection-specific
    /// ones are left out (RFC 9113 §8.2.2).
    pub(in crate::accept::http2) fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> bool {
        // The name's index and its length, the value's length: no more than that.
        out.reserve(name.len() + value.len() + 16);
        let index = index_of(name);
        match index {
            Some(FORBIDDEN) => return false,
            // Without indexing; four bits of the name's index, and more.
            Some(index @ 0..15) => out.push(index),
            Some(index) => out.extend_from_slice(&[15, index - 15]),
            None => {
                out.push(0);
                text_with(out, name.len(), |out| {
                    out.extend(name.iter().map(u8::to_ascii_lowercase));
                });
            }
        }
        text(out, value);
        index == Some(CONTENT_LENGTH)
    }
}

/// A string literal as it is.
fn text(out: &mut Vec<u8>, text: &[u8]) {
    text_with(out, text.len(), |out| out.extend_from_slice(text));
}

fn text_with(out: &mut Vec<u8>, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
    match u8::try_from(length) {
        Ok(short @ 0..0x7f) => out.push(short),
        _ => integer(out, 0, 7, length),
    }
    write(out);
}

/// An integer with a prefix of so many bits (RFC 7541 §5.1), behind the `flags` of its first byte.
pub(in crate::accept::http2) fn integer(out: &mut Vec<u8>, flags: u8, prefix: u32, number: usize) {
    let most = 0xff_u8 >> (8 - prefix);
    let Some(mut rest) = number.checked_sub(usize::from(most)) else {
        out.push(flags | u8::try_from(number).unwrap_or(most));
        return;
    };
    out.push(flags | most);
    while rest >= 0x80 {
        let [low, ..] = rest.to_le_bytes();
        out.push(low | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

/// In the place of an index: HTTP/2 has no such field.
const FORBIDDEN: u8 = 0;

/// The index of `content-length`.
const CONTENT_LENGTH: u8 = 28;

/// A name that responses have, with its index in the static table.
#[derive(Clone, Copy)]
struct Known {
    ends: (u64, u64),
    name: &'static str,
    index: u8,
}

const fn known(name: &'static str, index: u8) -> Known {
    Known {
        ends: ends(name.as_bytes()),
        name,
        index,
    }
}

/// The first and the last bytes of a name in lower case: all of it, up to 16 bytes. What is
/// no letter may be changed as well, but no token becomes a name by that which it is not.
const fn ends(name: &[u8]) -> (u64, u64) {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let (first, last) = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(&[a, b, c, d]), Some(&[e, f, g, h])) =
        (name.first_chunk(), name.last_chunk())
    {
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]), 0)
    } else if let [a, b, c] = *name {
        (u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]), 0)
    } else {
        (0, 0)
    };
    (first | LOWER, last | LOWER)
}

/// By their length.
static KNOWN: [&[Known]; 28] = {
    let mut all: [&[Known]; 28] = [&[]; 28];
    all[3] = &[known("age", 21), known("via", 60)];
    all[4] = &[
        known("date", 33),
        known("etag", 34),
        known("vary", 59),
        known("link", 45),
    ];
    all[5] = &[known("allow", 22)];
    all[6] = &[known("server", 54)];
    all[7] = &[
        known("expires", 36),
        known("upgrade", FORBIDDEN),
        known("refresh", 52),
    ];
    all[8] = &[known("location", 46)];
    all[10] = &[
        known("set-cookie", 55),
        known("connection", FORBIDDEN),
        known("keep-alive", FORBIDDEN),
    ];
    all[11] = &[known("retry-after", 53)];
    all[12] = &[known("content-type", 31)];
    all[13] = &[
        known("last-modified", 44),
        known("cache-control", 24),
        known("accept-ranges", 18),
        known("content-range", 30),
    ];
    all[14] = &[known("content-length", CONTENT_LENGTH)];
    all[16] = &[
        known("content-encoding", 26),
        known("content-language", 27),
        known("content-location", 29),
        known("proxy-connection", FORBIDDEN),
        known("www-authenticate", 61),
    ];
    all[17] = &[known("transfer-encoding", FORBIDDEN)];
    all[18] = &[known("proxy-authenticate", 48)];
    all[19] = &[known("content-disposition", 25)];
    all[25] = &[known("strict-transport-security", 56)];
    all[27] = &[known("access-control-allow-origin", 20)];
    all
};

/// The index of a token, if it is known.
fn index_of(name: &[u8]) -> Option<u8> {
    let known = KNOWN.get(name.len())?;
    let ends = ends(name);
    let same = known.iter().find(|known| known.ends == ends)?;
    let whole = name.len() <= 16 || same.name.as_bytes().eq_ignore_ascii_case(name);
    whole.then_some(same.index)
}

#[cfg(test)]
mod tests {
    use super::super::super::name::Name;
    use super::super::decode::Decoder;
    use super::super::table::FIXED;
    use super::*;

    fn decoded(block: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let read = Decoder::new().decode(block, |field| {
            fields.push((text(field.text), text(field.value)));
        });
        assert_eq!(read, Ok(()), "{block:x?}");
        fields
    }

    #[test]
    fn every_index_is_that_of_its_name() {
        let mut count = 0;
        for (length, all) in KNOWN.iter().enumerate() {
            for known in *all {
                assert_eq!(known.name.len(), length);
                assert_eq!(
                    index_of(known.name.to_uppercase().as_bytes()),
                    Some(known.index)
                );
                if known.index == FORBIDDEN {
                    assert_eq!(Name::of(known.name.as_bytes()), Name::Connection);
                } else {
                    assert_eq!(FIXED[usize::from(known.index) - 1].0, known.name);
                }
                count += 1;
            }
        }
        assert!(count > 30);
        for name in [
            "a",
            "ag",
            "agf",
            "x-age",
            "dat3",
            "cache-controm",
            "set_cookie",
            "",
        ] {
            assert_eq!(index_of(name.as_bytes()), None, "{name}");
        }
        let middle = "access-control-allow-0rigin".replace("allow", "aliow");
        assert_eq!(index_of(middle.as_bytes()), None);
        assert_eq!(index_of(b"access-control-alloW-origin"), Some(20));
        assert_eq!(index_of(b"access-contrXl-allow-origin"), None);
    }

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let long = "v".repeat(300);
        let mut block = Vec::new();
        let mut encoder = Encoder::default();
        encoder.resize(0);
        encoder.begin(&mut block);
        assert_eq!(block, [0x20]);
        encoder.begin(&mut block);
        assert_eq!(block, [0x20]);
        for status in 200..600 {
            Encoder::status(&mut block, http::StatusCode::from_u16(status).unwrap());
        }
        for (name, value) in [
            ("Age", ""),
            ("X-Own", "Value"),
            ("content-Type", long.as_str()),
            (long.as_str(), "x"),
            ("Connection", "close"),
            ("Transfer-Encoding", "chunked"),
            ("WWW-Authenticate", "Basic"),
        ] {
            Encoder::field(&mut block, name.as_bytes(), value.as_bytes());
        }
        let fields = decoded(&block);
        let (statuses, fields) = fields.split_at(400);
        for (status, (name, value)) in (200..).zip(statuses) {
            assert_eq!((name.as_str(), value), (":status", &format!("{status}")));
        }
        let expected = [
            ("age", ""),
            ("x-own", "Value"),
            ("content-type", &long),
            (&long, "x"),
            ("www-authenticate", "Basic"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields, expected);
    }

    #[test]
    fn an_integer_is_written_as_the_rfc_does() {
        // RFC 7541 Appendix C.1.
        for (prefix, number, expected) in [
            (5, 10, &[10][..]),
            (5, 1337, &[31, 154, 10]),
            (8, 42, &[42]),
            (7, 127, &[127, 0]),
            (7, 126, &[126]),
        ] {
            let mut out = Vec::new();
            integer(&mut out, 0, prefix, number);
            assert_eq!(out, expected, "{number}");
        }
    }
}
