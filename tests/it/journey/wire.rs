//! However the confirmation comes over the wire, it is the same page and the same order.

use refgate::order::Standing;

use super::THANKS;
use crate::support::front::{Front, assert_same, get, with};
use crate::support::message::Framing;
use crate::support::observe::{brotli, deflate, gzip, zstd};
use crate::support::shop::{HTML, Shop, chunked, page, path, thanks};

fn id(request: &crate::support::message::Message) -> String {
    path(request).rsplit('/').next().unwrap().to_owned()
}

#[test]
fn every_framing_and_coding_is_the_same_order() {
    type Wrap = fn(&str) -> Vec<u8>;
    let wraps: [(&str, Wrap); 9] = [
        ("length", |body| page(HTML, body)),
        ("chunks", |body| chunked(HTML, body, 7)),
        ("bytes", |body| chunked(HTML, body, 1)),
        ("close", |body| {
            format!("HTTP/1.1 200 OK\r\n{HTML}Connection: close\r\n\r\n{body}").into_bytes()
        }),
        ("old", |body| {
            format!("HTTP/1.0 200 OK\r\n{HTML}\r\n{body}").into_bytes()
        }),
        ("gzip", |body| coded("gzip", gzip(body.as_bytes()))),
        ("deflate", |body| coded("deflate", deflate(body.as_bytes()))),
        ("br", |body| coded("br", brotli(body.as_bytes()))),
        ("zstd", |body| {
            let fields = format!("{HTML}Content-Encoding: zstd\r\n");
            chunked(&fields, zstd(body.as_bytes()), 11)
        }),
    ];
    let front = Front::of(Shop::new(move |request| {
        let id = id(request);
        let (_, wrap) = wraps[id.parse::<usize>().unwrap()];
        wrap(&thanks(&id))
    }));
    let cookie = front.click_at("/checkout/thank-you/0");
    for (number, (name, _)) in wraps.iter().enumerate() {
        let target = format!("/checkout/thank-you/{number}");
        let fields = format!("Cookie: {cookie}\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n");
        let through = front.same(get(&target, &fields));
        assert!(through.complete, "{name}");
        let story = front.story(&number.to_string()).unwrap();
        assert_eq!(
            story.order.standing,
            Standing::Credited,
            "{name}: {:?}",
            story.order.why
        );
        assert_eq!(
            story.order.amount.unwrap().to_string(),
            "1124.96 USD",
            "{name}"
        );
    }
}

fn coded(coding: &str, body: Vec<u8>) -> Vec<u8> {
    page(&format!("{HTML}Content-Encoding: {coding}\r\n"), body)
}

/// A shop that sends the response in two writes, cut where the id says; on loopback the app mostly
/// reads them one by one (each cut for certain: `observe::copy`).
fn cutting(response: fn(&str) -> Vec<u8>) -> Shop {
    Shop::playing(move |wire, request| {
        let id = id(request);
        let bytes = response(&id);
        let at: usize = id.parse::<usize>().unwrap() % bytes.len();
        wire.say(&bytes[..at]);
        wire.try_say(&bytes[at..]);
        true
    })
}

/// At every third byte: each is an order on disk, and the whole run is short.
fn cut_all_over(response: fn(&str) -> Vec<u8>) {
    let front = Front::of(cutting(response));
    let cookie = front.cookie_of(std::time::Duration::from_secs(60));
    let mut client = front.connect();
    let length = response("10000").len();
    // Ids of five digits, so that all are of one length; each is also its cut.
    let first = 10_000 - 10_000 % length + length;
    for number in (first..first + length).step_by(3) {
        client.say(with(&cookie, &format!("/checkout/thank-you/{number}")));
        let page = client.message(false);
        assert!(page.complete, "cut at {}", number - first);
    }
    let orders = front.orders();
    assert_eq!(orders.len(), length.div_ceil(3));
    for order in orders {
        assert_eq!(order.standing, Standing::Credited, "{order:?}");
        assert_eq!(order.amount.unwrap().to_string(), "1124.96 USD");
    }
}

#[test]
fn a_page_cut_anywhere_is_the_same_order() {
    cut_all_over(|id| page(HTML, thanks(id)));
}

#[test]
fn a_zipped_page_in_chunks_cut_anywhere_is_the_same_order() {
    cut_all_over(|id| {
        let fields = format!("{HTML}Content-Encoding: gzip\r\n");
        chunked(&fields, gzip_of_one_length(id), 100)
    });
}

/// Stored, so that its length does not hang on the id.
fn gzip_of_one_length(id: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(thanks(id).as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn trailers_and_a_chunk_that_ends_with_the_page_are_passed_on() {
    let front = Front::of(Shop::new(|request| {
        let mut bytes = chunked(
            &format!("{HTML}Trailer: x-sum\r\n"),
            thanks(&id(request)),
            5000,
        );
        bytes.truncate(bytes.len() - 2);
        bytes.extend_from_slice(b"x-sum: 7\r\n\r\n");
        bytes
    }));
    let request = get(THANKS, "TE: trailers\r\n");
    let (through, direct) = (front.ask(&request), front.direct(&request));
    assert_same(&through, &direct);
    assert_eq!(through.framing, Framing::Chunked);
    assert_eq!(through.trailers, direct.trailers);
    assert_eq!(front.orders().len(), 1);
}

#[test]
fn a_body_with_trailers_is_whole_for_an_older_client_too() {
    let front = Front::of(Shop::new(|request| {
        let mut answer = chunked(HTML, thanks(&id(request)), 50);
        answer.truncate(answer.len() - 2);
        answer.extend_from_slice(b"X-Late: yes\r\n\r\n");
        answer
    }));
    let cookie = front.click_at("/checkout/thank-you/0");
    for (id, version) in [("1", "1.0"), ("2", "1.1")] {
        let request = with(&cookie, &format!("/checkout/thank-you/{id}"));
        let request = request.replace("HTTP/1.1", &format!("HTTP/{version}"));
        let answer = front.ask(request);
        assert!(answer.complete, "{version}");
        assert_eq!(answer.text(), thanks(id), "{version}");
        assert!(front.story(id).is_some(), "{version}");
    }
}
