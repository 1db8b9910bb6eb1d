//! Rules to try, from a configuration's text; bodies in every content coding.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::{Method, StatusCode};
use refgate::message::Fields;
use refgate::observe::Rules;
use refgate::observe::saved::Exchange;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::config::Folder;

/// A confirmation whose texts are split by comments, nodes and references.
pub(crate) const PAGE: &str = "<!doctype html><html><head><title>Danke</title></head><body>\n\
    <h1>Thank you for your order</h1>\n\
    <p id=\"order-number\">No. <!-- -->R<!-- -->100<b>17</b></p>\n\
    <table id=totals><tr class=subtotal><th>Zwischensumme<td>1.249,95&nbsp;<span>&euro;</span></td></tr>\n\
    <tr class=discount><th>Rabatt</th><td>49,95&nbsp;&#8364;</td></tr></table></body></html>";

/// What reads it.
pub(crate) const RULE: &str = r##"
  - name: thank-you
    when:
      path: /checkout/thank-you/{token}
      content_type: text/html
      contains: ["Thank you for your order"]
      lacks: ["Payment failed"]
    read:
      order_id: { css: "#order-number", pattern: 'R[0-9]+' }
      subtotal: { css: "#totals .subtotal td" }
      discount: { css: "#totals .discount td", optional: true }
    then: order
    amount: subtotal - discount
"##;

/// The rules of a German shop.
pub(crate) fn german() -> Rules {
    rules(&shop("EUR", "1.234,56", RULE))
}

/// A watched exchange with this body.
pub(crate) fn exchange(body: impl Into<Bytes>) -> Exchange {
    let mut headers = Fields::default();
    headers.append(b"content-type", b"text/html; charset=utf-8");
    Exchange {
        host: "shop.example".into(),
        method: Method::GET,
        path: "/checkout/thank-you/5".into(),
        query: None,
        request_fields: Fields::default(),
        status: StatusCode::OK,
        fields: headers,
        body: body.into(),
    }
}

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
    consent: not_needed
    checkout: /checkout
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
