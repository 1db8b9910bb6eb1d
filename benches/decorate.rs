//! What decorating costs: a page of 32 KiB with links to a sibling store.
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where it cannot be set up"
)]

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use refgate::decorate::{Coding, Decorator};
use refgate::hand_over::url::Origin;
use refgate::store::Scheme;

const SIZE: usize = 32 * 1024;

/// What a token is long.
const TOKEN: &str =
    "AGJ0c3RvcmUuY2EBAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk";

/// A page of 32 KiB with `links` links to the sibling among those to the store itself.
fn page(links: usize) -> Vec<u8> {
    let end = "</body></html>";
    let link = "<a href=\"https://store.ca/catalogue/item?a=1&amp;b=2\">Canada</a>\n";
    let item = "<div class=\"row line\"><a href=\"/catalogue/item\">Fountain pen &amp; ink</a>\
                <span class=\"price\">$14.00</span></div>\n";
    let mut page = "<!doctype html><html><body>".to_owned();
    page.push_str(&link.repeat(links));
    while page.len() + item.len() + end.len() < SIZE {
        page.push_str(item);
    }
    page.push_str(&" ".repeat(SIZE - page.len() - end.len()));
    page.push_str(end);
    page.into_bytes()
}

/// The whole page, in chunks as they come from a socket; the length of what comes out.
fn decorate(coding: Coding, body: &Bytes) -> usize {
    let token: Arc<str> = TOKEN.into();
    let siblings =
        move |origin: &Origin<'_>| (origin.host == "store.ca").then(|| Arc::clone(&token));
    let mut decorator = Decorator::new(coding, Scheme::Https, "refgate", siblings);
    let (mut rest, mut length) = (body.clone(), 0);
    loop {
        while let Some(out) = decorator.read().unwrap() {
            length += out.len();
        }
        if rest.is_empty() {
            return length;
        }
        decorator.write(rest.split_to(rest.len().min(16 * 1024)));
        if rest.is_empty() {
            decorator.end();
        }
    }
}

fn pages(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("decorate: 32 KiB page");
    group.throughput(Throughput::Bytes(32 * 1024));
    for links in [0, 10, 200] {
        let plain = page(links);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&plain).unwrap();
        let zipped = encoder.finish().unwrap();
        for (name, coding, body) in [
            ("identity", Coding::Identity, plain),
            ("gzip", Coding::Gzip, zipped),
        ] {
            let body = Bytes::from(body);
            let length = decorate(coding, &body);
            assert!(links == 0 || length > body.len());
            group.bench_function(format!("{name}, {links} links"), |bench| {
                bench.iter(|| decorate(coding, black_box(&body)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pages);
criterion_main!(benches);
