//! What observing costs: asking whether a request is watched, and reading a
//! watched page of 32 KiB.
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where it cannot be set up"
)]

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode};
use refgate::message::Fields;
use refgate::observe::rule::{Direction, Pick, Proof, Read, Rule, Source, Then, When};
use refgate::observe::{Decision, Matched, RequestHead, Rules, Settings};
use refgate::store::{Protocol, Scheme, Store, Stores, Upstream};

fn store() -> Store {
    Store {
        name: "shop".parse().unwrap(),
        hosts: vec!["shop.example".into()],
        scheme: Scheme::Https,
        upstreams: Upstream {
            host: "127.0.0.1".into(),
            port: 8081,
            tls: None,
            protocol: Protocol::default(),
        }
        .into(),
        currency: "USD".parse().unwrap(),
        number_format: "1,234.56".parse().unwrap(),
        max_amount: "5000".parse().unwrap(),
        consent: refgate::consent::Consent::NotNeeded,
        orders: "shop".parse().unwrap(),
        group: Default::default(),
        scope: Default::default(),
        traffic: std::sync::Arc::default(),
    }
}

fn css(field: &str, selector: &str) -> Read {
    Read {
        field: field.into(),
        source: Source::Css {
            selector: selector.parse().unwrap(),
            attribute: None,
        },
        pick: Pick::Only,
        pattern: None,
        optional: field == "discount",
        minor_units: false,
    }
}

fn rules() -> Rules {
    let rule = Rule {
        name: "thank-you".parse().unwrap(),
        stores: Vec::new(),
        on: Direction::Response,
        when: When {
            hosts: Vec::new(),
            methods: vec![Method::GET],
            path: "/checkout/thank-you/{order_id}".parse().unwrap(),
            query: Vec::new(),
            status: vec![(200, 299)],
            content_types: vec!["text/html".into()],
            contains: vec!["Thank you for your order".into()],
            lacks: vec!["Payment failed".into()],
        },
        read: vec![
            css("order_id", "#order-number"),
            css("subtotal", "#totals .subtotal td"),
            css("discount", "#totals .discount td"),
        ],
        then: Then::Order {
            amount: "subtotal - discount".parse().unwrap(),
        },
        proof: Proof::default(),
    };
    let settings = Settings {
        rules: vec![rule],
        pixels: Default::default(),
        body_limit: 2 << 20,
        decoded_limit: 8 << 20,
        read_timeout: Duration::from_secs(1),
        abandoned_timeout: Duration::from_secs(1),
        readers: 1,
    };
    Rules::new(settings, &Stores::new([store()]))
}

/// A page of 32 KiB with the order at its end.
fn page() -> Vec<u8> {
    const SIZE: usize = 32 * 1024;
    let end = "<h1>Thank you for your order</h1><p id=order-number>10017</p><table id=totals>\
               <tr class=subtotal><th>Subtotal</th><td>$1,249.95</td></tr>\
               <tr class=discount><th>Discount</th><td>$49.95</td></tr></table></body></html>";
    let item = "<div class=\"row line\"><a href=\"/catalogue/item\">Fountain pen &amp; ink</a>\
                <span class=\"price\">$14.00</span></div>\n";
    let mut page = "<!doctype html><html><body>".to_owned();
    while page.len() + item.len() + end.len() < SIZE {
        page.push_str(item);
    }
    page.push_str(&" ".repeat(SIZE - page.len() - end.len()));
    page.push_str(end);
    page.into_bytes()
}

fn head<'a>(path: &'a str, headers: &'a Fields) -> RequestHead<'a> {
    RequestHead {
        host: "shop.example",
        method: &Method::GET,
        path,
        query: None,
        fields: headers,
    }
}

fn matched(rules: &Rules, coding: &'static str) -> Matched {
    let none = Fields::default();
    let watch = match rules.request(&head("/checkout/thank-you/1", &none)) {
        Decision::Watched(watch) => Some(watch),
        Decision::Unwatched | Decision::Ambiguous => None,
    };
    let mut headers = Fields::default();
    headers.append(b"content-type", b"text/html");
    headers.append(b"content-encoding", coding.as_bytes());
    watch.unwrap().response(StatusCode::OK, &headers).unwrap()
}

fn ask(bench: &mut Criterion) {
    let rules = rules();
    let none = Fields::default();
    for (name, path) in [
        ("ask: another path", "/static/css/style.css"),
        ("ask: another path, ambiguous", "/static//css/style.css"),
        ("ask: a watched path", "/checkout/thank-you/10017"),
    ] {
        bench.bench_function(name, |bench| {
            bench.iter(|| rules.request(black_box(&head(path, &none))));
        });
    }
}

fn read(bench: &mut Criterion) {
    let rules = rules();
    let plain = page();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&plain).unwrap();
    let zipped = encoder.finish().unwrap();
    let mut group = bench.benchmark_group("read: 32 KiB page");
    group.throughput(Throughput::Bytes(32 * 1024));
    for (coding, body) in [("identity", plain), ("gzip", zipped)] {
        let matched = matched(&rules, coding);
        let readings = matched.read(Some(&body));
        assert_eq!(
            readings.first().unwrap().working.as_deref(),
            Some("subtotal 1249.95 - discount 49.95 = 1200.00")
        );
        group.bench_function(coding, |bench| {
            bench.iter(|| matched.read(Some(black_box(&body))));
        });
    }
    group.finish();
}

criterion_group!(benches, ask, read);
criterion_main!(benches);
