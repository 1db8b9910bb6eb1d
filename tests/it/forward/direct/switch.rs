//! Switching protocols: by an upgrade, and by HTTP/2's extended CONNECT (RFC 8441).

use http::{Method, Version};
use refgate::forward::{Error, Fault};
use refgate::message::{Incoming, Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Direct, get, lines, with_body};
use crate::forward::OK;
use crate::support::origin::Origin;
use crate::support::wire::Wire;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

fn upgrade() -> Request {
    let fields = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    with_body("GET", "/socket", &fields, Incoming::empty())
}

/// As HTTP/2 brings it.
pub(super) fn connect() -> Request {
    let fields = [("sec-websocket-version", "13")];
    let mut request = with_body("GET", "/socket", &fields, Incoming::empty());
    request.head.method = Method::CONNECT;
    request.head.protocol = Some(b"websocket".to_vec());
    request.head.version = Version::HTTP_2;
    request
}

/// Switches, says a word at once, then sends back what comes until the client's end, and a last word.
fn echo(wire: &mut Wire) -> String {
    let head = String::from_utf8(wire.head()).unwrap();
    assert!(head.starts_with("GET /socket HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nConnection: Upgrade\r\n"), "{head}");
    assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
    wire.say(format!("{SWITCH}early"));
    while !wire.is_over() {
        let some = wire.ahead_or_one(65536);
        wire.say(some);
    }
    wire.say("bye");
    head
}

/// Speaks through the tunnel, to its end.
pub(super) async fn speak<B>(response: Response<B>) {
    let mut far = response.tunnel.unwrap().far;
    let mut early = [0; 5];
    far.read_exact(&mut early).await.unwrap();
    assert_eq!(&early, b"early");
    far.write_all(&[0, 255, b'!']).await.unwrap();
    let mut back = [1; 3];
    far.read_exact(&mut back).await.unwrap();
    assert_eq!(back, [0, 255, b'!']);
    far.shutdown().await.unwrap();
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"bye");
}

#[test]
fn an_upgrade_gives_the_shops_end() {
    let shop = Origin::new(|wire, _| {
        echo(wire);
    });
    let direct = Direct::to(shop.addr);
    direct.run(async {
        let response = direct.send(upgrade()).await.unwrap();
        assert_eq!(response.head.status, 101);
        let fields = lines(&response.head.fields);
        let has = |name: &str, value: &str| fields.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("Upgrade", "websocket") && has("Connection", "Upgrade"));
        assert!(has("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        speak(response).await;
    });
}

#[test]
fn an_extended_connect_becomes_an_upgrade() {
    let shop = Origin::new(|wire, _| {
        let head = echo(wire);
        let key = head.split("\r\nSec-WebSocket-Key: ").nth(1).unwrap();
        let key = key.split("\r\n").next().unwrap();
        // 16 bytes in base64: the last letter has four bits more than it needs.
        assert_eq!((key.len(), key.ends_with("==")), (24, true), "{key}");
        assert!(b"AQgw".contains(&key.as_bytes()[21]), "{key}");
        assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
    });
    let direct = Direct::to(shop.addr);
    direct.run(async {
        let response = direct.send(connect()).await.unwrap();
        assert_eq!(response.head.status, 200);
        let protocol = ("Sec-WebSocket-Protocol".to_owned(), "chat".to_owned());
        assert_eq!(lines(&response.head.fields), [protocol]);
        speak(response).await;
    });
}

#[test]
fn a_switch_that_was_refused_is_a_plain_answer() {
    let shop = Origin::new(|wire, _| {
        for answer in [
            OK,
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            OK,
            OK,
        ] {
            wire.message(false);
            wire.say(answer);
        }
        wire.is_over();
    });
    let direct = Direct::to(shop.addr);
    assert_eq!(direct.text(upgrade()), "ok");
    assert_eq!(direct.text(connect()), "no");
    assert_eq!(direct.text(get("/")), "ok");
    assert_eq!(shop.connections(), 1);
    // To HTTP/2 a 200 would say that it had switched.
    let error = direct.ask(connect()).unwrap_err();
    assert!(matches!(error, Error::Broken(Fault::Unswitched)));
}
