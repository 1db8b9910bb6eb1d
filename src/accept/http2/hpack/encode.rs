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

    /// A field, its name in lower case. Connection-specific ones are left out (RFC 9113 §8.2.2).
    pub(in crate::accept::http2) fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        match place(name) {
            Some(FORBIDDEN) => return,
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

/// The names that responses have, by their length, with their index in the static table.
static PLACES: [&[(&str, u8)]; 28] = {
    let mut places: [&[(&str, u8)]; 28] = [&[]; 28];
    places[3] = &[("age", 21), ("via", 60)];
    places[4] = &[("date", 33), ("etag", 34), ("vary", 59), ("link", 45)];
    places[5] = &[("allow", 22)];
    places[6] = &[("server", 54)];
    places[7] = &[("expires", 36), ("upgrade", FORBIDDEN), ("refresh", 52)];
    places[8] = &[("location", 46)];
    places[10] = &[
        ("set-cookie", 55),
        ("connection", FORBIDDEN),
        ("keep-alive", FORBIDDEN),
    ];
    places[11] = &[("retry-after", 53)];
    places[12] = &[("content-type", 31)];
    places[13] = &[
        ("last-modified", 44),
        ("cache-control", 24),
        ("accept-ranges", 18),
        ("content-range", 30),
    ];
    places[14] = &[("content-length", 28)];
    places[16] = &[
        ("content-encoding", 26),
        ("content-language", 27),
        ("content-location", 29),
        ("proxy-connection", FORBIDDEN),
        ("www-authenticate", 61),
    ];
    places[17] = &[("transfer-encoding", FORBIDDEN)];
    places[18] = &[("proxy-authenticate", 48)];
    places[19] = &[("content-disposition", 25)];
    places[25] = &[("strict-transport-security", 56)];
    places[27] = &[("access-control-allow-origin", 20)];
    places
};

fn place(name: &[u8]) -> Option<u8> {
    let same = |known: &&(&str, u8)| known.0.as_bytes().eq_ignore_ascii_case(name);
    let places = PLACES.get(name.len())?;
    places.iter().find(same).map(|(_, index)| *index)
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
        let read = Decoder::new().decode(block, |_, name, value| {
            fields.push((text(name), text(value)));
        });
        assert_eq!(read, Ok(()), "{block:x?}");
        fields
    }

    #[test]
    fn every_place_is_that_of_its_name() {
        for (length, places) in PLACES.iter().enumerate() {
            for (name, index) in *places {
                assert_eq!(name.len(), length);
                if *index == FORBIDDEN {
                    assert_eq!(Name::of(name.as_bytes()), Name::Connection);
                } else {
                    assert_eq!(FIXED[usize::from(*index) - 1].0, *name);
                }
            }
        }
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
