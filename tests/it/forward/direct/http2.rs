//! Whoever does not speak HTTP/2 is found out before a request goes out.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use refgate::cause::Causes;
use refgate::forward::Error;
use refgate::message::Body as _;
use refgate::store::Protocol;
use refgate::store::tls::{self, Tls, Trust};

use super::switch::{connect, speak};
use super::{Direct, lines, post};
use crate::support::http2::{Asked, Shop, ok, pour, server};
use crate::support::origin::Origin;

/// The error, told with its causes; the request is there again.
fn told(mut direct: Direct, tls: bool) -> String {
    direct.upstream.protocol = Protocol::Http2;
    if tls {
        let client = tls::client(&Trust::Anyone).unwrap();
        let tls = Tls::new("shop.test", Trust::Anyone, client).unwrap();
        direct.upstream.tls = Some(Arc::new(tls));
    }
    let failed = direct.run(direct.send(post("/", "body"))).unwrap_err();
    assert!(failed.error.is_unreached(), "{:?}", failed.error);
    assert_eq!(failed.unsent.unwrap().body.left(), Some(4));
    Causes(&failed.error).to_string()
}

const WORDS: &str = "the shop does not speak HTTP/2, as `upstream_http` says that it does: ";

#[test]
fn a_shop_that_does_not_choose_it() {
    for (alpn, why) in [
        (&["http/1.1"][..], "NoApplicationProtocol"),
        (&[], "it did not choose h2 by ALPN"),
    ] {
        let ok = async |asked: Asked| asked.say("ok");
        let shop = Shop::with(|_| {}, Some(server(alpn)), ok);
        let told = told(Direct::to(shop.addr), true);
        assert!(told.starts_with(WORDS) && told.contains(why), "{told}");
    }
}

#[test]
fn a_shop_that_speaks_something_else() {
    for says in [
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        "220 mail.test\r\n",
        "",
    ] {
        let shop = Origin::new(move |wire, _| {
            wire.until(b"\r\n\r\n");
            wire.say(says);
        });
        let told = told(Direct::to(shop.addr), false);
        assert!(told.starts_with(WORDS), "{told}");
    }
}

#[test]
fn a_shop_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut direct = Direct::with(listener.local_addr().unwrap(), |settings| {
        settings.connect_timeout = Duration::from_millis(60);
    });
    direct.upstream.protocol = Protocol::Http2;
    let failed = direct.run(direct.send(post("/", "body"))).unwrap_err();
    assert!(matches!(failed.error, Error::ConnectTimeout(_)));
    assert!(failed.unsent.is_some());
}

#[test]
fn an_extended_connect_is_passed_on_as_one() {
    let shop = Shop::with(
        |builder| {
            builder.enable_connect_protocol();
        },
        None,
        async |mut asked: Asked| {
            let uri = asked.head.uri.to_string();
            let protocol = asked.head.extensions.get::<h2::ext::Protocol>();
            assert_eq!(protocol.unwrap().as_str(), "websocket");
            let fields = [("x-uri", uri.as_str())];
            let mut send = asked.answer.send_response(ok(&fields), false).unwrap();
            pour(&mut send, Bytes::from_static(b"early"), false)
                .await
                .unwrap();
            while let Some(data) = asked.body.data().await {
                pour(&mut send, data.unwrap(), false).await.unwrap();
            }
            send.send_data(Bytes::from_static(b"bye"), true).unwrap();
        },
    );
    let mut direct = Direct::to(shop.addr);
    direct.upstream.protocol = Protocol::Http2;
    direct.run(async {
        let response = direct.send(connect()).await.unwrap();
        assert_eq!(response.head.status, 200);
        let uri = ("x-uri".to_owned(), "http://shop.test/socket".to_owned());
        assert_eq!(lines(&response.head.fields), [uri]);
        speak(response).await;
    });
}
