//! A connection is used again only where nobody can be mistaken about it.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use refgate::message::Body as _;
use refgate::message::body::next;

use super::{Direct, bare, data, get, post, whole, with_body};
use crate::forward::OK;
use crate::support::arrival::Ends;
use crate::support::origin::Origin;
use crate::support::wire::PATIENCE;
use refgate::message::incoming;

#[test]
fn one_connection_serves_every_kind_of_exchange() {
    let shop = Origin::new(|wire, _| {
        for answer in [
            OK,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ] {
            wire.message(false);
            wire.say(answer);
        }
        wire.message(false);
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        wire.message(false);
        wire.say(OK);
        wire.is_over();
    });
    let direct = Direct::to(shop.addr);
    for n in 0..8 {
        let request = if n % 2 == 0 {
            get("/")
        } else {
            post("/", "body")
        };
        let want = if n < 5 { "ok" } else { "" };
        assert_eq!(direct.text(request), want, "{n}");
    }
    assert_eq!(direct.text(bare("HEAD", "/")), "");
    assert_eq!(direct.text(get("/")), "ok");
    assert_eq!(shop.connections(), 1);
}

#[test]
fn a_doubtful_connection_is_not_used_again() {
    for (answer, ends) in [
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
            false,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            false,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nok", true),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            false,
        ),
        // What comes behind the response is no answer to anything.
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n",
            false,
        ),
    ] {
        let shop = Origin::new(move |wire, number| {
            wire.message(false);
            wire.say(if number == 0 { answer } else { OK });
            if number == 0 && ends {
                return;
            }
            assert!(wire.is_over());
        });
        let direct = Direct::to(shop.addr);
        for _ in 0..2 {
            assert_eq!(direct.text(get("/")), "ok", "{answer}");
        }
        assert_eq!(shop.connections(), 2, "{answer}");
        assert_eq!(direct.retried(), 0);
    }
}

#[test]
fn an_answer_to_head_that_has_a_body_all_the_same_ends_the_connection() {
    let shop = Origin::new(|wire, _| {
        wire.message(false);
        wire.say(OK);
        assert!(wire.is_over());
    });
    let direct = Direct::to(shop.addr);
    assert_eq!(direct.text(bare("HEAD", "/")), "");
    assert_eq!(direct.text(get("/")), "ok");
    assert_eq!(shop.connections(), 2);
}

/// Bytes, or the end, come while the connection lies unused.
#[test]
fn what_comes_unasked_ends_an_unused_connection() {
    for unasked in [
        "",
        "H",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    ] {
        let (go, wait) = mpsc::channel::<()>();
        let (done, said) = mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let shop = Origin::new(move |wire, number| {
            wire.message(false);
            wire.say(OK);
            if number == 0 {
                wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                if unasked.is_empty() {
                    wire.finish();
                } else {
                    wire.say(unasked);
                }
                Ends::of(wire.stream()).wait_for_arrival();
                done.send(()).unwrap();
            }
            assert!(wire.is_over());
        });
        let direct = Direct::to(shop.addr);
        assert_eq!(direct.text(post("/", "one")), "ok");
        go.send(()).unwrap();
        said.recv_timeout(PATIENCE).unwrap();
        direct.hear();
        assert_eq!(direct.text(post("/", "two")), "ok", "{unasked:?}");
        assert_eq!((shop.connections(), direct.retried()), (2, 0));
    }
}

#[test]
fn a_connection_is_back_with_the_last_byte() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let shop = Origin::new(move |wire, _| {
        wire.message(false);
        wire.say(OK);
        wire.message(false);
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi");
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        wire.say("ne");
        wire.message(false);
        wire.say(OK);
        wire.is_over();
    });
    let direct = Direct::to(shop.addr);
    direct.run(async {
        // Nothing of this body is ever asked for.
        let first = direct.send(get("/1")).await.unwrap();
        assert_eq!(first.body.left(), Some(2));
        let mut second = direct.send(get("/2")).await.unwrap();
        assert_eq!(second.body.left(), Some(4));
        let mut text = Vec::new();
        while text.len() < 4 {
            let frame = next(&mut second.body).await.unwrap().unwrap();
            text.extend_from_slice(&frame.into_data().unwrap());
            go.send(()).ok();
        }
        assert_eq!(
            (text.as_slice(), second.body.is_end()),
            (&b"fine"[..], true)
        );
        let third = direct.send(get("/3")).await.unwrap();
        assert_eq!(whole(third).await.body, b"ok");
    });
    assert_eq!(shop.connections(), 1);
}

#[test]
fn a_body_that_nobody_wants_ends_the_connection() {
    let (over, ended) = mpsc::channel();
    let shop = Origin::new(move |wire, _| {
        wire.message(false);
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi");
        over.send(wire.is_over()).unwrap();
    });
    let direct = Direct::to(shop.addr);
    direct.run(async { drop(direct.send(get("/")).await.unwrap()) });
    assert!(ended.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn an_early_answer_ends_the_connection_of_an_upload() {
    let shop = Origin::new(|wire, number| {
        if number == 0 {
            wire.head();
            assert_eq!(wire.exactly(2), b"pa");
        } else {
            wire.message(false);
        }
        wire.say(OK);
        assert!(wire.is_over());
    });
    let direct = Direct::to(shop.addr);
    let (feed, body) = incoming::pipe(Some(100));
    feed.push(data("pa"));
    let request = with_body("POST", "/", &[("Content-Length", "100")], body);
    assert_eq!(direct.text(request), "ok");
    assert_eq!(direct.text(get("/")), "ok");
    assert_eq!(shop.connections(), 2);
    drop(feed);
}

#[test]
fn an_unused_connection_is_closed_in_time() {
    for (ours, fields) in [(50, ""), (60_000, "Keep-Alive: timeout=0\r\n")] {
        let (closed, wait) = mpsc::channel();
        let shop = Origin::new(move |wire, _| {
            wire.message(false);
            wire.say(format!(
                "HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok"
            ));
            assert!(wire.is_over());
            closed.send(()).unwrap();
        });
        let direct = Direct::with(shop.addr, |settings| {
            settings.pool_idle = Duration::from_millis(ours);
        });
        assert_eq!(direct.text(get("/")), "ok");
        if ours < 1000 {
            // The sweep runs while the runtime does.
            direct.run(async {
                while wait.try_recv().is_err() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        assert_eq!(direct.text(get("/")), "ok");
        assert_eq!(shop.connections(), 2);
    }
}
