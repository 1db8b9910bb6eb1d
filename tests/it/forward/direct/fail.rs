//! Time-outs, each under its own name.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use refgate::forward::Error;
use refgate::message::incoming;

use super::{Direct, data, get, post, with_body};
use crate::forward::OK;
use crate::support::origin::Origin;
use crate::support::wire::PATIENCE;

const SHORT: Duration = Duration::from_millis(60);

fn silent() -> Origin {
    Origin::new(|wire, _| {
        wire.head();
        wire.rest();
    })
}

#[test]
fn a_shop_that_does_not_answer() {
    let shop = Origin::new(|wire, number| {
        if number == 0 {
            wire.message(false);
            wire.say(OK);
        }
        // The head alone does not count before it is whole.
        wire.head();
        wire.try_say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200");
        assert!(wire.is_over());
    });
    let direct = Direct::with(shop.addr, |settings| settings.response_timeout = SHORT);
    assert_eq!(direct.text(get("/")), "ok");
    for _ in 0..2 {
        let error = direct.ask(get("/")).unwrap_err();
        assert!(matches!(error, Error::ResponseTimeout(SHORT)), "{error:?}");
    }
    assert_eq!(shop.connections(), 2);
}

#[test]
fn a_client_that_stops_within_its_body() {
    let shop = silent();
    let direct = Direct::with(shop.addr, |settings| settings.body_timeout = SHORT);
    let (feed, body) = incoming::pipe(Some(6));
    feed.push(data("xx"));
    let request = with_body("POST", "/", &[("Content-Length", "6")], body);
    let error = direct.ask(request).unwrap_err();
    assert!(matches!(error, Error::ClientTimeout(SHORT)), "{error:?}");
    drop(feed);
}

#[test]
fn a_slow_upload_is_not_the_shops_fault() {
    let shop = Origin::always(OK);
    let direct = Direct::with(shop.addr, |settings| settings.response_timeout = 5 * SHORT);
    let (feed, body) = incoming::pipe(Some(8));
    let request = with_body("POST", "/", &[("Content-Length", "8")], body);
    direct.run(async {
        let client = async {
            for _ in 0..8 {
                tokio::time::sleep(SHORT).await;
                feed.push(data("x"));
            }
        };
        let (response, ()) = tokio::join!(biased; direct.send(request), client);
        assert_eq!(response.unwrap().head.status, 200);
    });
}

#[test]
fn a_shop_that_takes_no_body() {
    let (told, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let shop = Origin::new(move |wire, _| {
        wire.head();
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
    });
    let direct = Direct::with(shop.addr, |settings| settings.body_timeout = 5 * SHORT);
    let (feed, body) = incoming::pipe(Some(64 << 20));
    for _ in 0..64 {
        feed.push(data("x".repeat(1 << 20).leak()));
    }
    let request = with_body("POST", "/", &[("Content-Length", "67108864")], body);
    let error = direct.ask(request).unwrap_err();
    assert!(matches!(error, Error::UploadTimeout(_)), "{error:?}");
    told.send(()).unwrap();
    drop(feed);
}

#[test]
fn a_shop_that_stops_within_its_body() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nsome",
        "HTTP/1.1 200 OK\r\n\r\nsome",
    ] {
        let shop = Origin::new(move |wire, _| {
            wire.message(false);
            wire.say(answer);
            assert!(wire.is_over());
        });
        let direct = Direct::with(shop.addr, |settings| settings.body_timeout = SHORT);
        let answer = direct.ask(post("/", "body")).unwrap();
        assert_eq!(answer.body, b"some");
        let words = Error::BodyTimeout(SHORT).to_string();
        assert_eq!(answer.broken, Some(words));
    }
}

/// One timer serves all waits of a connection, whatever their lengths and their order.
#[test]
fn limits_of_different_lengths_do_not_mix() {
    let shop = Origin::new(|wire, _| {
        wire.message(false);
        wire.say(OK);
        wire.message(false);
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome");
        assert!(wire.is_over());
    });
    let direct = Direct::with(shop.addr, |settings| {
        settings.response_timeout = Duration::from_secs(15);
        settings.body_timeout = SHORT;
    });
    assert_eq!(direct.text(get("/")), "ok");
    let answer = direct.ask(get("/")).unwrap();
    let words = Error::BodyTimeout(SHORT).to_string();
    assert_eq!(answer.broken, Some(words));
    assert_eq!(shop.connections(), 1);
}
