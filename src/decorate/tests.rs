//! Pages in, pages out: whole, in pieces, by gzip.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};

use super::*;
use crate::hand_over::url::{Minted, Origin};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

mod any;
mod markup;
mod oracle;
mod stream;

const TOKEN: &str = "T";

fn siblings() -> impl Siblings + Send + 'static {
    Minted::new(
        |host: &str| host.eq_ignore_ascii_case("b.test"),
        |origin: &Origin<'_>| (origin.host == "b.test").then(|| TOKEN.to_owned()),
    )
}

fn decorator(coding: Coding) -> Decorator {
    Decorator::new(coding, Scheme::Https, "rg", siblings())
}

/// What comes out when these chunks go in.
fn run(coding: Coding, chunks: &[&[u8]]) -> (Vec<u8>, Result<(), Broken>) {
    run_by(&mut decorator(coding), chunks)
}

fn run_by(decorator: &mut Decorator, chunks: &[&[u8]]) -> (Vec<u8>, Result<(), Broken>) {
    let mut out = Vec::new();
    for chunk in chunks.iter().map(Some).chain([None]) {
        match chunk {
            Some(chunk) => decorator.write(Bytes::copy_from_slice(chunk)),
            None => decorator.end(),
        }
        loop {
            match decorator.read() {
                Ok(Some(bytes)) => {
                    assert!(!bytes.is_empty());
                    out.extend_from_slice(&bytes);
                }
                Ok(None) => break,
                Err(broken) => return (out, Err(broken)),
            }
        }
    }
    (out, Ok(()))
}

fn decorated(page: &[u8]) -> Vec<u8> {
    let (out, result) = run(Coding::Identity, &[page]);
    assert_eq!(result, Ok(()));
    out
}

fn text(page: &str) -> String {
    String::from_utf8(decorated(page.as_bytes())).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

/// What can be read of gzip that breaks off.
fn gunzip_part(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes);
    let mut byte = [0];
    while decoder.read(&mut byte).is_ok_and(|read| read == 1) {
        out.push(byte[0]);
    }
    out
}
