//! WebSocket to a shop behind HTTP/2.

use std::time::Duration;

use bytes::Bytes;

use super::{before, with};
use crate::support::http2::{Asked, Shop, head, ok, pour};

const ASK: &str = "GET /socket HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Sends back what comes until the client's end, and a last word.
fn echo() -> Shop {
    Shop::with(
        |builder| {
            builder.enable_connect_protocol();
        },
        None,
        async |mut asked: Asked| {
            let protocol = asked.head.extensions.get::<h2::ext::Protocol>();
            let protocol = protocol.map(|protocol| protocol.as_str().to_owned());
            if protocol.as_deref() != Some("websocket") {
                let line = format!("{} {protocol:?}", asked.head.method);
                return asked.say(line);
            }
            if asked.head.uri.path() == "/closed" {
                let mut send = asked.answer.send_response(head(403, &[]), false).unwrap();
                return send.send_data(Bytes::from_static(b"no"), true).unwrap();
            }
            assert!(!asked.head.headers.contains_key("sec-websocket-key"));
            assert_eq!(asked.head.headers["sec-websocket-version"], "13");
            let fields = [("sec-websocket-protocol", "chat")];
            let mut send = asked.answer.send_response(ok(&fields), false).unwrap();
            pour(&mut send, Bytes::from_static(b"early"), false)
                .await
                .unwrap();
            while let Some(data) = asked.body.data().await {
                // Whoever went away takes nothing more.
                let Ok(data) = data else { return };
                asked
                    .body
                    .flow_control()
                    .release_capacity(data.len())
                    .unwrap();
                pour(&mut send, data, false).await.unwrap();
            }
            send.send_data(Bytes::from_static(b"bye"), true).unwrap();
        },
    )
}

#[test]
fn bytes_go_both_ways_after_the_shops_consent() {
    let shop = echo();
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(format!("{ASK}ahead"));
    let got = client.message(false);
    assert_eq!(got.start, "HTTP/1.1 101 Switching Protocols");
    for (name, value) in [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert_eq!(got.all(name), [value.as_bytes()], "{name}");
    }
    assert_eq!(client.exactly(5), b"early");
    assert_eq!(client.exactly(5), b"ahead");
    let much = "0123456789abcdef".repeat(20_000);
    let mut other = proxy.connect();
    std::thread::scope(|scope| {
        let mut writer = client.stream().try_clone().unwrap();
        let much = &much;
        scope.spawn(move || std::io::Write::write_all(&mut writer, much.as_bytes()).unwrap());
        assert!(client.exactly(much.len()) == much.as_bytes());
    });
    other.say(super::post("/plain", ""));
    assert_eq!(other.message(false).text(), "POST None");
    client.finish();
    assert_eq!(client.rest(), b"bye");
    assert_eq!(shop.connections(), 1);
}

#[test]
fn a_refused_switch_is_a_plain_answer() {
    let shop = echo();
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(ASK.replace("/socket", "/closed"));
    let got = client.message(false);
    assert_eq!((got.status(), got.text().as_str()), (403, "no"));
    client.say(crate::forward::get("/"));
    assert_eq!(client.message(false).text(), "GET None");
}

#[test]
fn other_upgrades_are_passed_over() {
    let shop = echo();
    let proxy = before(shop.addr);
    for asking in [
        ASK.replace("websocket", "irc"),
        ASK.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
    ] {
        let mut client = proxy.connect();
        client.say(asking);
        assert_eq!(client.message(false).text(), "GET None");
    }
}

#[test]
fn a_shop_that_knows_no_extended_connect_takes_no_websocket() {
    let shop = Shop::new(async |asked: Asked| asked.say("ok"));
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(ASK);
    let got = client.message(false);
    let text = "The shop takes no WebSocket.\n";
    assert_eq!((got.status(), got.text().as_str()), (501, text));
    assert!(shop.asked().is_empty());
    let mut client = proxy.connect();
    client.say(crate::forward::get("/"));
    assert_eq!(client.message(false).text(), "ok");
}

#[test]
fn a_silent_tunnel_is_closed_and_an_open_one_does_not_hold_up_the_end() {
    let shop = echo();
    let proxy = with(shop.addr, |setup| {
        setup.forward.tunnel_timeout = Duration::from_millis(200);
    });
    let mut client = proxy.connect();
    client.say(ASK);
    assert_eq!(client.message(false).status(), 101);
    client.rest();
    drop(proxy);

    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(ASK);
    assert_eq!(client.message(false).status(), 101);
    assert_eq!(client.exactly(5), b"early");
    assert_eq!(proxy.stop(), 0);
}
