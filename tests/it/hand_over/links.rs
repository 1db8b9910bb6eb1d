//! A page's links, forms and refreshes to a sibling store carry the visitor's clicks.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use refgate::event::Event;

use super::{HOUR, STORES, follow, front, is_credited, kept, text, token, without_tokens};
use crate::support::front::{Front, cookie, from, get};
use crate::support::message::{Framing, Message};
use crate::support::shop::{HTML, Shop, chunked, page, path, response};
use crate::support::tls::{Authority, Client};

/// What leads to a sibling, and much that does not.
const PAGE: &str = r#"<!doctype html>
<link rel=canonical href="http://ca.test/"><meta property=og:url content="http://ca.test/">
<meta http-equiv=refresh content="600; url=http://ca.test/later">
<script>location = "http://ca.test/"</script>
<!-- <a href="http://ca.test/">no</a> -->
<p>Café – 1&nbsp;234<a href="/here">here</a> <A CLASS=x HREF='http://ca.test/a?b=1&amp;c#d'>Canada</a>
<a href=//ca.test/bare>bare</a> <a href="http://far.test/">far</a> <a href="http://ca.test@evil.test/">evil</a>
<a href="http://us.test/">us</a> <a href="http://ca.test/a.pdf">file</a> <img src="http://ca.test/i.png">
<form method=post action="http://ca.test/post"><input name=q></form>
<template><a href="http://ca.test/">no</a></template>
<area href="http://ca.test/area">
"#;

/// Validators and digests, and what tells caches to keep it.
const VOUCHED: &str = "ETag: \"v1\"\r\nLast-Modified: Wed, 21 Oct 2026 07:28:00 GMT\r\n\
    Accept-Ranges: bytes\r\nContent-MD5: x\r\nDigest: sha-256=x\r\nContent-Digest: sha-256=:x=:\r\n\
    Repr-Digest: sha-256=:x=:\r\nCache-Control: public, max-age=600\r\nCDN-Cache-Control: max-age=9\r\n\
    X-Shop: 1\r\nSet-Cookie: a=1\r\n";

pub(super) fn gzipped(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

pub(super) fn gunzipped(bytes: &[u8]) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(bytes)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// The page in every framing and coding.
fn shop() -> Shop {
    Shop::new(|request| {
        let fields = format!("{HTML}{VOUCHED}");
        let gzip = format!("{fields}Content-Encoding: gzip\r\n");
        match path(request) {
            "/chunked" => chunked(&fields, PAGE, 7),
            "/gzip" => page(&gzip, gzipped(PAGE)),
            "/gzip-chunked" => chunked(&gzip, gzipped(PAGE), 11),
            "/close" => format!("HTTP/1.0 200 OK\r\n{fields}\r\n{PAGE}").into_bytes(),
            "/404" => response("404 Not Found", &fields, PAGE),
            "/trailers" => {
                let whole = String::from_utf8(chunked(&fields, PAGE, 100)).unwrap();
                let behind = "0\r\nX-Behind: 1\r\nContent-Digest: sha-256=:x=:\r\n\r\n";
                format!("{}{behind}", whole.strip_suffix("0\r\n\r\n").unwrap()).into_bytes()
            }
            "/cut" => {
                let length = PAGE.len() + 10;
                let head = format!("HTTP/1.1 200 OK\r\n{HTML}Connection: close\r\n");
                format!("{head}Content-Length: {length}\r\n\r\n{PAGE}").into_bytes()
            }
            "/no-transform" => page(
                &format!("{HTML}Cache-Control: max-age=9, No-Transform\r\n"),
                PAGE,
            ),
            "/part" => response(
                "206 Partial Content",
                &format!("{fields}Content-Range: bytes 0-9/99\r\n"),
                PAGE,
            ),
            "/text" => page("Content-Type: text/plain\r\n", PAGE),
            "/json" => page("Content-Type: application/json\r\n", PAGE),
            "/xml" => page("Content-Type: application/xml\r\n", PAGE),
            "/none" => page("X-Shop: 1\r\n", PAGE),
            "/utf-16" => page("Content-Type: text/html; charset=utf-16le\r\n", PAGE),
            "/br" => page(&format!("{HTML}Content-Encoding: br\r\n"), PAGE),
            "/twice" => page(&format!("{HTML}Content-Type: text/plain\r\n"), PAGE),
            "/empty" => page(&fields, ""),
            "/checkout/thank-you/1" | "/checkout/thank-you/2" | "/checkout/thank-you/3" => {
                let id = path(request).rsplit('/').next().unwrap();
                page(HTML, crate::support::shop::thanks(id))
            }
            _ => page(&fields, PAGE),
        }
    })
}

fn known(front: &Front) -> String {
    format!(
        "Cookie: {}\r\nAccept-Encoding: br;q=1, GZIP;q=0.5\r\n",
        front.cookie_of(HOUR)
    )
}

/// The page of an answer, decoded.
fn content(answer: &Message) -> String {
    match answer.get("content-encoding") {
        Some(_) => gunzipped(&answer.body),
        None => answer.text(),
    }
}

/// Nothing but tokens is in the page, and nothing vouches for the shop's bytes.
fn assert_decorated(answer: &Message, what: &str) {
    let text = content(answer);
    // The link, the bare one, the form, the refresh, the area.
    assert_eq!(text.matches("refgate=").count(), 5, "{what}: {text}");
    assert!(
        text.contains("HREF='http://ca.test/a?b=1&amp;c&amp;refgate="),
        "{text}"
    );
    assert_eq!(without_tokens(&text), PAGE, "{what}");
    for name in [
        "etag",
        "last-modified",
        "accept-ranges",
        "content-md5",
        "digest",
        "content-digest",
        "repr-digest",
        "content-length",
        "cdn-cache-control",
    ] {
        assert_eq!(answer.get(name), None, "{what} {name}");
    }
    assert_eq!(
        super::text(answer, "cache-control"),
        "private, no-cache",
        "{what}"
    );
    assert_eq!(super::text(answer, "x-shop"), "1");
    assert_eq!(super::text(answer, "set-cookie"), "a=1");
}

#[test]
fn the_page_is_the_shops_but_for_the_tokens() {
    let front = front("", "", shop());
    for path in [
        "/",
        "/chunked",
        "/gzip",
        "/gzip-chunked",
        "/close",
        "/404",
        "/trailers",
    ] {
        let answer = front.ask(get(path, &known(&front)));
        assert!(answer.complete, "{path}");
        assert_eq!(answer.framing, Framing::Chunked, "{path}");
        assert_decorated(&answer, path);

        let old = get(path, &known(&front)).replace("HTTP/1.1", "HTTP/1.0");
        let answer = front.ask(old);
        assert_eq!(answer.framing, Framing::Close, "{path}");
        assert_decorated(&answer, path);
    }
    let fields = format!("{}Connection: TE\r\nTE: trailers\r\n", known(&front));
    let answer = front.ask(get("/trailers", &fields));
    assert_decorated(&answer, "trailers");
    assert_eq!(answer.trailers, [(b"X-Behind".to_vec(), b"1".to_vec())]);
    // The connection is good for another request.
    let mut client = front.connect();
    for path in ["/", "/gzip", "/chunked"] {
        client.say(get(path, &known(&front)));
        assert_decorated(&client.message(false), path);
    }
}

#[test]
fn the_shop_is_asked_for_a_page_that_can_be_decorated() {
    let front = front("", "", shop());
    let conditional =
        "If-None-Match: \"v1\"\r\nIf-Modified-Since: Wed, 21 Oct 2026 07:28:00 GMT\r\n";
    for (sent, seen) in [
        ("br, gzip;q=0.5, deflate", Some("gzip;q=0.5")),
        ("br", Some("identity")),
        ("*", Some("identity")),
        ("x-gzip, identity;q=0", Some("x-gzip, identity;q=0")),
        ("", Some("identity")),
    ] {
        let fields = format!(
            "Cookie: {}\r\n{conditional}Accept-Encoding: {sent}\r\n",
            front.cookie_of(HOUR)
        );
        front.ask(get("/", &fields));
        let asked = front.shop.asked().pop().unwrap();
        let got = asked
            .get("accept-encoding")
            .map(|value| String::from_utf8(value).unwrap());
        assert_eq!(got.as_deref(), seen, "{sent}");
        assert_eq!(asked.get("if-none-match"), None);
        assert_eq!(asked.get("if-modified-since"), None);
    }
    front.ask(get("/", &format!("Cookie: {}\r\n", front.cookie_of(HOUR))));
    assert_eq!(
        front.shop.asked().pop().unwrap().get("accept-encoding"),
        None
    );
}

#[test]
fn all_other_answers_are_the_shops() {
    let front = front("", "", shop());
    let known = known(&front);
    for path in [
        "/no-transform",
        "/part",
        "/text",
        "/json",
        "/xml",
        "/none",
        "/utf-16",
        "/br",
        "/twice",
        "/empty",
    ] {
        front.same(get(path, &known));
    }
    for fields in ["", "Cookie: a=1; refgate=nonsense\r\n"] {
        front.same(get("/", fields));
    }
    for dest in ["image", "iframe", "empty", "script"] {
        front.same(get("/", &format!("{known}Sec-Fetch-Dest: {dest}\r\n")));
    }
    front.same(get("/", &known).replace("GET", "HEAD"));
    // Nobody to hand over to, or not wanted.
    front.same(from("far.test", "/", &known));
    let off = super::front("links: false", "", shop());
    off.same(get("/", &format!("Cookie: {}\r\n", off.cookie_of(HOUR))));
}

#[test]
fn a_page_that_breaks_off_breaks_off() {
    let front = front("", "", shop());
    let answer = front.ask(get("/cut", &known(&front)));
    assert!(!answer.complete);
    assert_eq!(without_tokens(&answer.text()), PAGE);
    front.counted(Event::ShopTruncated, 1);
}

#[test]
fn what_is_followed_credits() {
    let front = front("", "", shop());
    let page = front.ask(get("/", &known(&front))).text();
    let expected = front.visit(&front.cookie_of(HOUR)).clicks[0].values.clone();
    for (number, (before, target)) in [
        ("HREF='", "http://ca.test/a?b=1&amp;c&amp;refgate="),
        ("href=", "//ca.test/bare?refgate="),
        ("url=", "http://ca.test/later?refgate="),
    ]
    .into_iter()
    .enumerate()
    {
        let (_, behind) = page.split_once(&format!("{before}{target}")).expect(target);
        let token = token(&format!("refgate={behind}")).to_owned();
        let address = format!("{target}{token}").replace("&amp;", "&");
        let address = address.replace("http:", "").replacen("//", "http://", 1);
        let there = follow(&front, &address, "Referer: http://us.test/\r\n");
        assert_eq!(kept(&front, &there).values, expected);
        assert!(is_credited(
            &front,
            "ca.test",
            number + 1,
            &cookie(&there).unwrap()
        ));
    }
    assert_eq!(front.count(Event::ClickHandedOver), 3);
}

#[test]
fn a_form_by_get_sends_the_token_as_a_field() {
    const FORM: &str = "<form action=\"http://ca.test/search?old=1\"><input name=q></form>";
    let front = front("", "", Shop::new(|_| page(HTML, FORM)));
    let page = front.ask(get("/", &known(&front))).text();
    let (before, behind) = page
        .split_once("<input type=\"hidden\" name=\"refgate\" value=\"")
        .unwrap();
    let (token, behind) = behind.split_once("\">").unwrap();
    assert_eq!(format!("{before}{behind}"), FORM);
    let there = follow(
        &front,
        &format!("http://ca.test/search?refgate={token}&q=shoe"),
        "",
    );
    kept(&front, &there);
    assert_eq!(super::seen(&front), "/search?q=shoe");
}

#[test]
fn the_same_by_http_2() {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new()
        .sign(&["us.test"])
        .write(folder.path(), "us");
    let more = format!(
        "listen: {{ address: 127.0.0.1:0, tls: true }}\ntls: {{ certificates: [{{ certificate: {}, key: {} }}] }}",
        files.certificate.display(),
        files.key.display()
    );
    assert!(STORES.contains("us.test"));
    let front = front("", &more, shop());
    let addr = front.connect().stream().peer_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for path in ["/", "/chunked", "/gzip", "/trailers"] {
        let (head, body) = runtime.block_on(by_http2(addr, path, &front.cookie_of(HOUR)));
        let name = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec())
        };
        let answer = Message {
            start: "HTTP/2 200".to_owned(),
            fields: head.iter().map(name).collect(),
            body,
            trailers: Vec::new(),
            framing: Framing::None,
            complete: true,
        };
        assert_decorated(&answer, path);
    }
}

async fn by_http2(
    addr: std::net::SocketAddr,
    path: &str,
    cookie: &str,
) -> (http::HeaderMap, Vec<u8>) {
    let client = Client::with(tokio_rustls::rustls::ALL_VERSIONS, &["h2"]).connector();
    let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
    let socket = client
        .connect("us.test".try_into().unwrap(), socket)
        .await
        .unwrap();
    let (mut send, connection) = h2::client::handshake(socket).await.unwrap();
    let talk = async {
        let request = http::Request::get(format!("https://us.test{path}"))
            .header("cookie", cookie)
            .header("accept-encoding", "gzip, br")
            .body(())
            .unwrap();
        let (answer, _) = send.send_request(request, true).unwrap();
        let (head, mut body) = answer.await.unwrap().into_parts();
        let mut all = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            all.extend_from_slice(&data);
        }
        (head.headers, all)
    };
    tokio::select! {
        ended = connection => panic!("the connection ended: {ended:?}"),
        answer = talk => answer,
    }
}

#[test]
fn a_token_in_a_page_is_as_private_as_the_page() {
    let front = front("", "", shop());
    let first = front.ask(get("/", &known(&front)));
    let second = front.ask(get("/", &known(&front)));
    assert_ne!(
        token(&content(&first)),
        token(&content(&second)),
        "each its own"
    );
    let id = front.visit(&front.cookie_of(HOUR)).id.to_string();
    assert!(!content(&first).contains(&id));
    assert_eq!(text(&first, "expires"), "Thu, 01 Jan 1970 00:00:00 GMT");
}
