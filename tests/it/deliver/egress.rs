//! The way out: a proxy, an address, a name that nobody knows.

use std::net::SocketAddr;
use std::sync::Arc;

use refgate::demo::network::Manner;
use refgate::ledger::Told;
use refgate::postback::{State, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::{verdict, words};
use crate::support::office::{ASPIRE, Office};

/// Where a proxy of the tests' listens.
async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// One request's head.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Delivers to an `https` network by way of a proxy that answers CONNECT with `answer`; what the proxy was asked.
async fn tunnelled(answer: &'static [u8]) -> (Told, String) {
    let mut office = Office::open(ASPIRE).await;
    let (proxy, address) = listener().await;
    office.settings.egress.proxy = Some(format!("http://{address}").parse().unwrap());
    let url = ASPIRE.replace("http://ADDRESS", "https://network.test");
    office.destination().template = url.parse().unwrap();
    let asked = async {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let asked = head(&mut stream).await;
        stream.write_all(answer).await.unwrap();
        asked
    };
    let (asked, told) = tokio::join!(asked, office.deliver(&[State::Due]));
    assert_eq!(office.network.calls().len(), 0);
    (told, asked)
}

#[tokio::test]
async fn a_proxy_that_refuses_means_not_sent() {
    let cases: [(&[u8], &str); 5] = [
        (
            b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n",
            "proxy authorization required",
        ),
        (b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", "tunnel"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "tunnel"),
        (b"", "tunnel"),
        // The tunnel's other end is gone before any TLS.
        (b"HTTP/1.1 200 OK\r\n\r\n", "tls handshake"),
    ];
    for (answer, said) in cases {
        let (told, asked) = tunnelled(answer).await;
        assert!(asked.starts_with("CONNECT network.test:443 "), "{asked}");
        assert_eq!(verdict(&told), Verdict::NotProcessed, "{answer:?}");
        let words = words(&told);
        assert!(
            words.starts_with("not sent: ") && words.contains(said),
            "{words}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_is_away_means_not_sent() {
    let mut office = Office::open(ASPIRE).await;
    let (proxy, address) = listener().await;
    drop(proxy);
    office.settings.egress.proxy = Some(format!("http://{address}").parse().unwrap());
    let told = office.deliver(&[State::Due]).await;
    assert_eq!(verdict(&told), Verdict::NotProcessed);
    assert!(words(&told).contains("refused"), "{}", words(&told));
    assert_eq!(office.network.calls().len(), 0);
}

#[tokio::test]
async fn a_postback_goes_through_the_proxy_with_its_credentials() {
    let mut office = Office::open(ASPIRE).await;
    let (proxy, address) = listener().await;
    let url = format!("http://me:open%20sesame@{address}");
    office.settings.egress.proxy = Some(url.parse().unwrap());
    let passing = async {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let asked = head(&mut stream).await;
        let line = asked.lines().next().unwrap().to_owned();
        // As a proxy does, it sends on the path alone.
        let url = line
            .split(' ')
            .nth(1)
            .unwrap()
            .strip_prefix("http://")
            .unwrap();
        let (network, path) = url.split_once('/').unwrap();
        let mut onward = TcpStream::connect(network).await.unwrap();
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {network}\r\n\r\n");
        onward.write_all(request.as_bytes()).await.unwrap();
        copy_bidirectional(&mut stream, &mut onward).await.unwrap();
        asked.to_ascii_lowercase()
    };
    let (asked, told) = tokio::join!(passing, office.deliver(&[State::Accepted]));
    // "me:open sesame"
    let credentials = "proxy-authorization: basic bwu6b3blbibzzxnhbwu=\r\n";
    assert!(asked.contains(credentials), "{asked}");
    assert_eq!(told.attempts.len(), 1);
    assert_eq!(office.network.calls().len(), 1);
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_of_a_plain_request_means_not_sent() {
    let mut office = Office::open(ASPIRE).await;
    let (proxy, address) = listener().await;
    office.settings.egress.proxy = Some(format!("http://{address}").parse().unwrap());
    let refusing = async {
        let (mut stream, _) = proxy.accept().await.unwrap();
        head(&mut stream).await;
        let answer = b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    };
    let ((), told) = tokio::join!(refusing, office.deliver(&[State::Due]));
    assert_eq!(verdict(&told), Verdict::NotProcessed);
    assert!(words(&told).contains("407"), "{}", words(&told));
}

#[tokio::test]
async fn without_a_proxy_a_407_is_the_networks() {
    let office = Office::open(ASPIRE).await;
    office.network.always(Manner::Busy(407, None));
    let told = office.deliver(&[State::Unclear]).await;
    assert_eq!(told.attempts[0].outcome.as_ref().unwrap().status, Some(407));
}

#[tokio::test]
async fn a_network_within_the_tunnel_must_prove_who_it_is() {
    let mut office = Office::open(ASPIRE).await;
    let (proxy, address) = listener().await;
    office.settings.egress.proxy = Some(format!("http://{address}").parse().unwrap());
    let url = ASPIRE.replace("http://ADDRESS", "https://localhost");
    office.destination().template = url.parse().unwrap();
    let cert = include_bytes!("../support/tls/self-signed.cert.der").as_slice();
    let key = include_bytes!("../support/tls/self-signed.key.der").as_slice();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], key.try_into().unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let lying = async {
        let (mut stream, _) = proxy.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        acceptor.accept(stream).await.is_err()
    };
    let (refused, told) = tokio::join!(lying, office.deliver(&[State::Due]));
    assert!(refused, "the handshake ended");
    assert_eq!(verdict(&told), Verdict::NotProcessed);
    assert!(words(&told).contains("certificate"), "{}", words(&told));
}

#[tokio::test]
async fn a_postback_leaves_from_the_address_that_is_named() {
    let mut office = Office::open(ASPIRE).await;
    let (network, address) = listener().await;
    let url = ASPIRE.replace("ADDRESS", &address.to_string());
    office.destination().template = url.parse().unwrap();
    office.settings.egress.from = Some("127.0.0.2".parse().unwrap());
    let answering = async {
        let (mut stream, peer) = network.accept().await.unwrap();
        head(&mut stream).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nsuccess=true;";
        stream.write_all(answer).await.unwrap();
        peer
    };
    let (peer, _) = tokio::join!(answering, office.deliver(&[State::Accepted]));
    assert_eq!(peer.ip().to_string(), "127.0.0.2");
}

#[tokio::test]
async fn an_address_that_is_not_here_means_not_sent() {
    let mut office = Office::open(ASPIRE).await;
    // Kept for documents (RFC 5737): no machine has it.
    office.settings.egress.from = Some("192.0.2.1".parse().unwrap());
    let told = office.deliver(&[State::Due]).await;
    assert_eq!(verdict(&told), Verdict::NotProcessed);
    assert_eq!(office.network.calls().len(), 0);
}

#[tokio::test]
async fn a_name_that_nobody_knows_means_not_sent() {
    let mut office = Office::open(ASPIRE).await;
    // Never to be given to anybody (RFC 6761 §6.4).
    let url = ASPIRE.replace("ADDRESS", "network.invalid");
    office.destination().template = url.parse().unwrap();
    let told = office.deliver(&[State::Due]).await;
    assert_eq!(verdict(&told), Verdict::NotProcessed);
    assert!(words(&told).starts_with("not sent: "), "{}", words(&told));
}
