//! Content codings: from the bytes on the wire to the body, bounded.
//!
//! Reads a whole copy, never a stream: a body that breaks off is a fault, not
//! a shorter page.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use brotli_decompressor::Decompressor;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

/// Most codings on top of each other.
const CODINGS_LIMIT: usize = 3;

/// Largest zstd window in bytes: what RFC 9659 §3 allows in HTTP.
const WINDOW_LIMIT: u64 = 8 * 1024 * 1024;

/// Why a body could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A coding that is none of ours.
    #[error("the content coding {0:?} is not known")]
    Unknown(String),
    /// More than [`CODINGS_LIMIT`] codings.
    #[error("more than {CODINGS_LIMIT} content codings on top of each other")]
    Stacked,
    /// The body grows beyond the limit when decoded.
    #[error("the decoded body is larger than {limit} bytes")]
    Large {
        /// `decoded_limit`.
        limit: usize,
    },
    /// The bytes are not what the coding says, or they break off.
    #[error("the body is not {coding}, or it breaks off")]
    Broken {
        /// The coding.
        coding: &'static str,
        /// What the decoder says.
        source: io::Error,
    },
}

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Undoes the codings of `Content-Encoding` (RFC 9110 §8.4), last one first.
///
/// # Errors
///
/// An unknown coding, bytes that it did not make, more than `limit` bytes.
pub(crate) fn decode<'b>(
    body: &'b [u8],
    content_encoding: &str,
    limit: usize,
) -> Result<Cow<'b, [u8]>, DecodeError> {
    let mut codings = Vec::new();
    for name in content_encoding.split(',').map(str::trim) {
        codings.extend(coding(name)?);
    }
    if codings.len() > CODINGS_LIMIT {
        return Err(DecodeError::Stacked);
    }
    let mut body = Cow::Borrowed(body);
    while let Some(coding) = codings.pop() {
        body = Cow::Owned(undo(coding, &body, limit)?);
    }
    if body.len() > limit {
        return Err(DecodeError::Large { limit });
    }
    Ok(body)
}

/// Whether a body in this coding of `Accept-Encoding` (also with a weight: `br;q=0.5`) can be decoded.
pub fn is_decoded(accepted: &str) -> bool {
    let name = accepted.split(';').next().unwrap_or("").trim();
    !name.is_empty() && coding(name).is_ok()
}

fn coding(name: &str) -> Result<Option<Coding>, DecodeError> {
    Ok(Some(match name.to_ascii_lowercase().as_str() {
        "" | "identity" => return Ok(None),
        "gzip" | "x-gzip" => Coding::Gzip,
        "deflate" => Coding::Deflate,
        "br" => Coding::Brotli,
        "zstd" => Coding::Zstd,
        _ => return Err(DecodeError::Unknown(name.chars().take(32).collect())),
    }))
}

fn undo(coding: Coding, body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    // A HEAD-like empty body carries no coding at all.
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let mut sink = Sink {
        bytes: Vec::new(),
        limit,
    };
    let done = match coding {
        Coding::Gzip => gunzip(body, &mut sink),
        Coding::Deflate => inflate(body, &mut sink),
        Coding::Brotli => sink.fill(&mut Decompressor::new(body, 4096)),
        Coding::Zstd => unzstd(body, &mut sink),
    };
    if sink.is_over() {
        return Err(DecodeError::Large { limit });
    }
    match done {
        Ok(()) => Ok(sink.bytes),
        Err(source) => Err(DecodeError::Broken {
            coding: coding.name(),
            source,
        }),
    }
}

/// Decoded bytes, at most one more than the limit.
struct Sink {
    bytes: Vec<u8>,
    limit: usize,
}

impl Sink {
    fn fill(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        let room = self
            .limit
            .saturating_add(1)
            .saturating_sub(self.bytes.len());
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        reader.take(room).read_to_end(&mut self.bytes)?;
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.bytes.len() > self.limit
    }
}

/// All members (RFC 1952 §2.2); what follows and is no member is padding, as browsers take it.
fn gunzip(body: &[u8], sink: &mut Sink) -> io::Result<()> {
    let mut rest = body;
    loop {
        let mut decoder = GzDecoder::new(rest);
        sink.fill(&mut decoder)?;
        rest = decoder.into_inner();
        if sink.is_over() || !rest.starts_with(&[0x1f, 0x8b]) {
            return Ok(());
        }
    }
}

/// `deflate` is zlib (RFC 9110 §8.4.1.2), but some shops send it raw.
fn inflate(body: &[u8], sink: &mut Sink) -> io::Result<()> {
    let is_zlib = match body {
        [first, second, ..] => {
            let check = u16::from_be_bytes([*first, *second]);
            first & 0x0f == 8 && check % 31 == 0
        }
        _ => false,
    };
    if is_zlib {
        sink.fill(&mut ZlibDecoder::new(body))
    } else {
        sink.fill(&mut DeflateDecoder::new(body))
    }
}

/// All frames (RFC 8878 §3.1).
fn unzstd(body: &[u8], sink: &mut Sink) -> io::Result<()> {
    let mut rest = body;
    while !sink.is_over() && !rest.fill_buf()?.is_empty() {
        let mut decoder = StreamingDecoder::new_with_max_window_size(&mut rest, WINDOW_LIMIT)
            .map_err(io::Error::other)?;
        sink.fill(&mut decoder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const LIMIT: usize = 1 << 20;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(body: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(body: &[u8]) -> Vec<u8> {
        compress_to_vec(body, CompressionLevel::Fastest)
    }

    /// A brotli stream of stored meta-blocks (RFC 7932 §9.2): no encoder needed.
    fn brotli(body: &[u8]) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.push(0, 1); // WBITS = 16
        for chunk in body.chunks(1 << 16) {
            bits.push(0, 1); // ISLAST
            bits.push(0, 2); // MNIBBLES = 4
            bits.push(u32::try_from(chunk.len() - 1).unwrap(), 16);
            bits.push(1, 1); // ISUNCOMPRESSED
            bits.align();
            bits.bytes.extend_from_slice(chunk);
        }
        bits.push(3, 2); // ISLAST, ISLASTEMPTY
        bits.align();
        bits.bytes
    }

    #[derive(Default)]
    struct Bits {
        bytes: Vec<u8>,
        pending: u32,
        count: u32,
    }

    impl Bits {
        fn push(&mut self, value: u32, count: u32) {
            self.pending |= value << self.count;
            self.count += count;
            while self.count >= 8 {
                self.bytes.push(u8::try_from(self.pending & 0xff).unwrap());
                self.pending >>= 8;
                self.count -= 8;
            }
        }

        fn align(&mut self) {
            if self.count > 0 {
                self.push(0, 8 - self.count);
            }
        }
    }

    fn page() -> Vec<u8> {
        b"<p>Order 100004: confirmation</p>\n".repeat(3000)
    }

    #[test]
    fn every_coding_is_undone() {
        let page = page();
        let cases = [
            ("", page.clone()),
            ("identity", page.clone()),
            ("gzip", gzip(&page)),
            ("X-GZIP", gzip(&page)),
            ("deflate", zlib(&page)),
            ("deflate", raw(&page)),
            ("br", brotli(&page)),
            ("zstd", zstd(&page)),
            ("gzip, br", brotli(&gzip(&page))),
            ("deflate,identity,zstd", zstd(&zlib(&page))),
            ("gzip", [gzip(&page[..9]), gzip(&page[9..])].concat()),
            ("gzip", [gzip(&page), b"\0\0padding".to_vec()].concat()),
            ("zstd", [zstd(&page[..9]), zstd(&page[9..])].concat()),
        ];
        for (coding, body) in cases {
            let decoded = decode(&body, coding, LIMIT).unwrap();
            assert!(decoded.as_ref() == page, "{coding}");
        }
        assert!(decode(b"", "gzip", LIMIT).unwrap().is_empty());
    }

    #[test]
    fn what_is_accepted_is_what_is_decoded() {
        for accepted in [
            "gzip",
            "X-Gzip",
            "deflate",
            " br ;q=0.5",
            "zstd",
            "identity",
        ] {
            assert!(is_decoded(accepted), "{accepted}");
        }
        for accepted in ["", "*", ";q=1", "compress", "dcb", "dcz"] {
            assert!(!is_decoded(accepted), "{accepted}");
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_a_fault() {
        let page = page();
        for (coding, body) in [
            ("gzip", gzip(&page)),
            ("deflate", zlib(&page)),
            ("deflate", raw(&page)),
            ("br", brotli(&page)),
            ("zstd", zstd(&page)),
        ] {
            for cut in [1, 2, body.len() / 2, body.len() - 1] {
                let error = decode(&body[..cut], coding, LIMIT).err();
                assert!(
                    matches!(error, Some(DecodeError::Broken { .. })),
                    "{coding} cut at {cut} of {}: {error:?}",
                    body.len()
                );
            }
        }
    }

    #[test]
    fn what_is_no_coding_is_a_fault() {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let error = decode(b"<!DOCTYPE html><p>plain", coding, LIMIT).err();
            assert!(
                matches!(error, Some(DecodeError::Broken { .. })),
                "{coding}: {error:?}"
            );
        }
        let unknown = decode(b"x", "compress", LIMIT).err();
        assert!(matches!(unknown, Some(DecodeError::Unknown(_))));
        let stacked = decode(b"x", "gzip, gzip, gzip, gzip", LIMIT).err();
        assert!(matches!(stacked, Some(DecodeError::Stacked)));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 4 << 20];
        for (coding, body) in [
            ("gzip", gzip(&zeros)),
            ("deflate", zlib(&zeros)),
            ("zstd", zstd(&zeros)),
            ("br", brotli(&zeros)),
            ("gzip, gzip", gzip(&gzip(&zeros))),
            ("", zeros.clone()),
        ] {
            let error = decode(&body, coding, LIMIT).err();
            assert!(
                matches!(error, Some(DecodeError::Large { .. })),
                "{coding}: {error:?}"
            );
        }
        let exact = vec![7; LIMIT];
        assert_eq!(decode(&gzip(&exact), "gzip", LIMIT).unwrap().len(), LIMIT);
        assert!(decode(&gzip(&vec![7; LIMIT + 1]), "gzip", LIMIT).is_err());
    }
}
