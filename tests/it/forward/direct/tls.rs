//! TLS to the shop: whose word is taken, and that nothing else is different.

mod shop;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use refgate::forward::{Error, Fault};
use refgate::message::{Body as _, incoming};
use refgate::store::tls::{self, Tls, Trust};
use tokio_rustls::rustls::HandshakeKind;

use super::{Direct, data, get, post, whole, with_body};
use crate::forward::OK;
use crate::support::arrival::Ends;
use crate::support::wire::PATIENCE;
use shop::{Authority, answering, head, say};

#[test]
fn a_shop_that_proves_itself_is_spoken_to() {
    let authority = Authority::new();
    let shop = authority.shop("shop.test", |stream, _| answering(stream), 1);
    let direct = shop.client("shop.test", authority.trust());
    for _ in 0..3 {
        assert_eq!(direct.text(get("/")), "ok");
        // Session tickets may come meanwhile: the connection is as good as before.
        direct.hear();
    }
    let met = shop.met();
    assert_eq!(met.name.as_deref(), Some("shop.test"));
    assert_eq!(met.alpn.as_deref(), Some(&b"http/1.1"[..]));
    drop(direct);
}

#[test]
fn bodies_pass_both_ways() {
    let authority = Authority::new();
    let long: &'static str = "0123456789abcdef".repeat(65_536).leak();
    let shop = authority.shop(
        "shop.test",
        move |stream, _| {
            assert!(head(stream).contains("\r\nContent-Length: 1048576\r\n"));
            let mut body = vec![0; long.len()];
            stream.read_exact(&mut body).unwrap();
            assert!(body == long.as_bytes());
            say(
                stream,
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{long}",
                    long.len()
                ),
            );
            answering(stream);
        },
        1,
    );
    let direct = shop.client("shop.test", authority.trust());
    assert!(direct.text(post("/", long)) == long);
    assert_eq!(direct.text(get("/")), "ok");
    drop(direct);
}

#[test]
fn a_shop_that_does_not_prove_itself_is_not_spoken_to() {
    let authority = Authority::new();
    let other = Authority::new();
    for (name, trust, words) in [
        ("other.test", authority.trust(), "not valid for name"),
        ("127.0.0.1", authority.trust(), "not valid for name"),
        ("shop.test", other.trust(), "invalid peer certificate"),
        ("shop.test", Trust::Machine, "UnknownIssuer"),
    ] {
        let shop = authority.shop("shop.test", |_, _| {}, 1);
        if trust == Trust::Machine && tls::client(&trust).is_err() {
            // A machine that trusts nobody.
            drop(TcpStream::connect(shop.addr).unwrap());
            continue;
        }
        let direct = shop.client(name, trust);
        let failed = direct.run(direct.send(post("/", "body"))).unwrap_err();
        let Error::Tls(error) = failed.error else {
            panic!("{:?}", failed.error);
        };
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(failed.unsent.unwrap().body.left(), Some(4));
    }
}

#[test]
fn a_shop_that_signs_its_own_certificate_is_known_by_it() {
    let authority = Authority::new();
    let shop = authority.itself(|stream, _| answering(stream));
    let direct = shop.client("self.test", authority.trust());
    assert_eq!(direct.text(get("/")), "ok");
    drop(direct);
    let other = Authority::new();
    for (name, trust, words) in [
        ("other.test", authority.trust(), "not valid for name"),
        ("self.test", other.trust(), "invalid peer certificate"),
    ] {
        let shop = authority.itself(|_, _| {});
        let direct = shop.client(name, trust);
        let failed = direct.run(direct.send(get("/"))).unwrap_err();
        let Error::Tls(error) = failed.error else {
            panic!("{:?}", failed.error);
        };
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn who_asks_for_no_proof_gets_none() {
    let authority = Authority::new();
    let shop = authority.shop("shop.test", |stream, _| answering(stream), 1);
    let direct = shop.client("other.test", Trust::Anyone);
    assert_eq!(direct.text(get("/")), "ok");
    drop(direct);
}

#[test]
fn a_session_is_resumed() {
    let authority = Authority::new();
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let shop = authority.shop(
        "shop.test",
        move |stream, _| {
            head(stream);
            say(stream, close);
        },
        2,
    );
    let direct = shop.client("shop.test", authority.trust());
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        assert_eq!(direct.text(get("/")), "ok");
        assert_eq!(shop.met().kind, Some(kind));
    }
}

#[test]
fn an_end_counts_only_where_the_shop_says_so() {
    let authority = Authority::new();
    for clean in [true, false] {
        let shop = authority.shop(
            "shop.test",
            move |stream, _| {
                head(stream);
                say(stream, "HTTP/1.1 200 OK\r\n\r\nto the end");
                if clean {
                    stream.conn.send_close_notify();
                    stream.flush().unwrap();
                }
            },
            1,
        );
        let direct = shop.client("shop.test", authority.trust());
        let answer = direct.ask(get("/")).unwrap();
        assert_eq!(answer.body, b"to the end");
        assert_eq!(answer.broken.is_none(), clean, "{:?}", answer.broken);
    }
}

#[test]
fn what_comes_behind_a_response_ends_the_connection() {
    let authority = Authority::new();
    for at_once in [true, false] {
        let (said, heard) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let shop = authority.shop(
            "shop.test",
            move |stream, number| {
                head(stream);
                // In a record of its own.
                stream.conn.writer().write_all(OK.as_bytes()).unwrap();
                if number == 0 {
                    if !at_once {
                        stream.flush().unwrap();
                        wait.recv_timeout(PATIENCE).unwrap();
                    }
                    let poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
                    stream.conn.writer().write_all(poison).unwrap();
                }
                stream.flush().unwrap();
                if number == 0 && !at_once {
                    Ends::of(&stream.sock).wait_for_arrival();
                }
                said.send(()).unwrap();
                assert_eq!(head(stream), "");
            },
            2,
        );
        let direct = shop.client("shop.test", authority.trust());
        assert_eq!(direct.text(get("/")), "ok");
        go.send(()).ok();
        heard.recv_timeout(PATIENCE).unwrap();
        direct.hear();
        assert_eq!(direct.text(get("/")), "ok");
        drop(direct);
    }
}

#[test]
fn a_shop_that_never_ends_its_handshake_is_too_slow() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut direct = Direct::with(listener.local_addr().unwrap(), |settings| {
        settings.connect_timeout = Duration::from_millis(60);
    });
    let client = tls::client(&Trust::Anyone).unwrap();
    let tls = Tls::new("shop.test", Trust::Anyone, client).unwrap();
    direct.upstream.tls = Some(Arc::new(tls));
    let failed = direct.run(direct.send(get("/"))).unwrap_err();
    assert!(matches!(failed.error, Error::ConnectTimeout(_)));
    assert!(failed.unsent.is_some());
}

#[test]
fn a_shop_that_speaks_no_tls_is_an_error_of_its_own() {
    let shop = crate::support::origin::Origin::new(|wire, _| {
        wire.say("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let mut direct = Direct::to(shop.addr);
    let client = tls::client(&Trust::Anyone).unwrap();
    let tls = Tls::new("shop.test", Trust::Anyone, client).unwrap();
    direct.upstream.tls = Some(Arc::new(tls));
    let error = direct.ask(get("/")).unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

#[test]
fn an_upload_goes_on_as_it_comes() {
    let authority = Authority::new();
    let shop = authority.shop(
        "shop.test",
        |stream, _| {
            head(stream);
            let mut word = [0; 5];
            say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n");
            for _ in 0..3 {
                stream.read_exact(&mut word).unwrap();
                say(stream, word);
            }
            answering(stream);
        },
        1,
    );
    let direct = shop.client("shop.test", authority.trust());
    direct.run(async {
        let (feed, body) = incoming::pipe(Some(15));
        let request = with_body("POST", "/", &[("Content-Length", "15")], body);
        let mut response = direct.send(request).await.unwrap();
        for word in ["first", "later", "third"] {
            feed.push(data(word));
            let frame = refgate::message::body::next(&mut response.body).await;
            assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), word);
        }
        assert!(response.body.is_end());
        feed.end();
        let response = direct.send(get("/")).await.unwrap();
        assert_eq!(whole(response).await.body, b"ok");
    });
    drop(direct);
}

/// A request on a connection that ended: TLS cannot say that nothing of it was sent.
#[test]
fn what_tls_has_taken_is_not_sent_again() {
    let authority = Authority::new();
    let shop = authority.shop(
        "shop.test",
        |stream, _| {
            head(stream);
            say(stream, OK);
            assert!(head(stream).starts_with("POST "));
        },
        1,
    );
    let direct = shop.client("shop.test", authority.trust());
    assert_eq!(direct.text(get("/")), "ok");
    let error = direct.ask(post("/", "order")).unwrap_err();
    assert!(matches!(error, Error::Broken(Fault::End | Fault::Io(_))));
    assert_eq!(direct.retried(), 0);
}
