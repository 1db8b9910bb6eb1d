//! A body's content coding: bounded whatever the bytes are, and undone to what it was made from.
#![no_main]

use std::cell::LazyCell;
use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use libfuzzer_sys::fuzz_target;
use refgate::observe::Rules;
use refgate::observe::saved::{self, Given};
use refgate_fuzz::first_line;
use refgate_fuzz::settings::settings;

/// Small, so that both sides of it are met.
const LIMIT: usize = 64 * 1024;

thread_local! {
    static RULES: LazyCell<Rules> = const { LazyCell::new(|| {
        let mut settings = settings();
        settings.observe.decoded_limit = LIMIT;
        Rules::new(settings.observe, &settings.stores)
    }) };
}

// The first line is the Content-Encoding, then come the body's bytes.
fuzz_target!(|bytes: &[u8]| {
    let (coding, body) = first_line(bytes);
    told(coding, body);
    let plain = told(b"identity", body);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(body).unwrap();
    assert_eq!(told(b"gzip", &gzip.finish().unwrap()), plain);
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(body).unwrap();
    assert_eq!(told(b"deflate", &zlib.finish().unwrap()), plain);
    let mut bare = DeflateEncoder::new(Vec::new(), Compression::none());
    bare.write_all(body).unwrap();
    let bare = bare.finish().unwrap();
    assert_eq!(told(b"deflate", &bare), plain);
});

/// What the rules say of a page with this coding and body.
fn told(coding: &[u8], body: &[u8]) -> String {
    let mut file = b"GET /text?step=done HTTP/1.1\n\nHTTP/1.1 200 OK\nContent-Type: text/html\nContent-Encoding: ".to_vec();
    file.extend_from_slice(coding);
    file.extend_from_slice(b"\n\n");
    let given = Given {
        host: Some("shop.example".to_owned()),
        ..Given::default()
    };
    let body = Bytes::copy_from_slice(body);
    match saved::exchange(&Bytes::from(file), Some(body), &given) {
        Ok(exchange) => RULES.with(|rules| format!("{:?}", rules.read(&exchange))),
        Err(error) => error.to_string(),
    }
}
