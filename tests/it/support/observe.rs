//! Rules to try, from a configuration's text; bodies in every content coding.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use refgate::observe::Rules;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::config::Folder;

/// The rules of a configuration that must be without fault.
pub(crate) fn rules(text: &str) -> Rules {
    let loaded = Folder::with(text).loaded();
    Rules::new(loaded.settings.observe, &loaded.settings.stores)
}

/// A configuration with one store, `shop.example`, and these rules.
pub(crate) fn shop(currency: &str, number_format: &str, rules: &str) -> String {
    let common = include_str!("../../pages/proxy.yaml");
    format!(
        "{common}
stores:
  shop:
    hosts: [shop.example]
    scheme: https
    upstream: http://127.0.0.1:8081
    currency: {currency}
    number_format: \"{number_format}\"
    max_amount: 100000
rules:{rules}"
    )
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// As some servers understand `deflate`: without the zlib envelope.
pub(crate) fn raw_deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(body: &[u8]) -> Vec<u8> {
    compress_to_vec(body, CompressionLevel::Fastest)
}

/// Stored meta-blocks (RFC 7932 §9.2), for bodies up to 65,536 bytes: no encoder is needed.
pub(crate) fn brotli(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() - 1).unwrap();
    assert!(length < 1 << 16);
    // From the lowest bit: WBITS 16, not last, four nibbles of length, uncompressed.
    let head = (length << 4) | (1 << 20);
    let mut coded = head.to_le_bytes()[..3].to_vec();
    coded.extend_from_slice(body);
    coded.push(3); // last and empty
    coded
}
