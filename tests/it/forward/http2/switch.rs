//! WebSocket to a shop behind HTTP/2.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::Request;
use refgate::accept::Listener;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{before, with};
use crate::support::http2::{Asked, Shop, head, ok, pour};
use crate::support::proxy::any;
use crate::support::tls::{Authority, Client};
use crate::support::wire::PATIENCE;

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

/// A shopper's connection by TLS, on which HTTP/2 is spoken.
async fn shopper(proxy: SocketAddr) -> SendRequest<Bytes> {
    let client = Client::with(ALL_VERSIONS, &["h2"]);
    let socket = TcpStream::connect(proxy).await.unwrap();
    let host = ServerName::try_from("shop.test").unwrap();
    let tls = TlsConnector::from(client.config());
    let stream = tls.connect(host, socket).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the runtime")]
    tokio::spawn(connection);
    send
}

/// So many bytes of what comes.
async fn exactly(body: &mut RecvStream, length: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < length {
        let data = body.data().await.unwrap().unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        got.extend_from_slice(&data);
    }
    assert_eq!(got.len(), length);
    got
}

#[test]
fn a_shopper_by_http2_speaks_with_a_shop_by_http2() {
    let shop = echo();
    let folder = tempfile::tempdir().unwrap();
    let signed = Authority::new().sign(&["shop.test"]);
    let proxy = with(shop.addr, |setup| {
        let tls = true;
        setup.accept.listen = vec![Listener {
            tls,
            ..Listener::plain(any())
        }];
        setup.accept.tls.certificates = vec![signed.write(folder.path(), "shop")];
    });
    let speaking = async {
        let mut send = shopper(proxy.addr).await;
        // What the server announces has come before an answer.
        let plain = Request::get("https://shop.test/plain").body(()).unwrap();
        let (answer, _) = send.send_request(plain, true).unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!(exactly(answer.body_mut(), 8).await, b"GET None");
        assert!(send.is_extended_connect_protocol_enabled());

        let connect = Request::connect("https://shop.test/socket")
            .extension(h2::ext::Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .body(())
            .unwrap();
        let (answer, mut up) = send.send_request(connect, false).unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
        let down = answer.body_mut();
        assert_eq!(exactly(down, 5).await, b"early");
        let much = Bytes::from("0123456789abcdef".repeat(20_000));
        let (sent, got) = tokio::join!(
            pour(&mut up, much.clone(), false),
            exactly(down, much.len())
        );
        sent.unwrap();
        assert!(got == much);
        up.send_data(Bytes::new(), true).unwrap();
        assert_eq!(exactly(down, 3).await, b"bye");
        while let Some(data) = down.data().await {
            assert_eq!(data.unwrap(), "");
        }
    };
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, speaking).await.unwrap();
    });
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
