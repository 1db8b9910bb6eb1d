//! Both directions, as they come.

use std::sync::{Mutex, mpsc};

use refgate::forward::{Error, Fault};
use refgate::message::body::next;
use refgate::message::incoming::{self, Broken};
use refgate::message::{Body as _, Fields, Frame, Incoming, Interim};

use super::{Direct, bare, data, get, passed, post, ready, whole, with_body};
use crate::forward::OK;
use crate::support::message::Framing;
use crate::support::origin::Origin;
use crate::support::wire::PATIENCE;

const CHUNKED: &[(&str, &str)] = &[("Transfer-Encoding", "chunked")];

/// A shop that answers, and the requests that it got.
fn noting() -> (Origin, mpsc::Receiver<crate::support::message::Message>) {
    let (asked, receiver) = mpsc::channel();
    let shop = Origin::new(move |wire, _| {
        while !wire.is_over() {
            asked.send(wire.message(false)).unwrap();
            wire.say(OK);
        }
    });
    (shop, receiver)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_request_is_framed_as_its_body_is() {
    let (shop, asked) = noting();
    let direct = Direct::to(shop.addr);
    let long: &'static str = "long ".repeat(5000).leak();
    let length = |text: &'static str| vec![("Content-Length", text)];
    let table = [
        (bare("POST", "/without"), vec![], "", Framing::None),
        (
            with_body("POST", "/0", &length("0"), Incoming::empty()),
            length("0"),
            "",
            Framing::Length,
        ),
        (post("/x", "text"), length("4"), "text", Framing::Length),
        (
            with_body("POST", "/2", &length("25000"), ready(Some(25_000), &[long])),
            length("25000"),
            long,
            Framing::Length,
        ),
        // Several readers could see several lengths.
        (
            with_body(
                "POST",
                "/twice",
                &[("Content-Length", "4"), ("Content-Length", "4")],
                ready(Some(4), &["te", "xt"]),
            ),
            length("4"),
            "text",
            Framing::Length,
        ),
        (
            with_body("DELETE", "/", CHUNKED, ready(None, &["a", "bc"])),
            CHUNKED.to_vec(),
            "abc",
            Framing::Chunked,
        ),
        (
            with_body("PUT", "/empty", CHUNKED, ready(None, &[])),
            CHUNKED.to_vec(),
            "",
            Framing::Chunked,
        ),
        (
            with_body("PUT", "/long", CHUNKED, ready(None, &[long, "!"])),
            CHUNKED.to_vec(),
            &*format!("{long}!").leak(),
            Framing::Chunked,
        ),
        (
            with_body(
                "POST",
                "/both",
                &[("Content-Length", "3"), ("Transfer-Encoding", "chunked")],
                ready(None, &["text"]),
            ),
            CHUNKED.to_vec(),
            "text",
            Framing::Chunked,
        ),
        // As it comes by HTTP/2, without a length.
        (
            with_body("POST", "/h2", &[], ready(None, &["text"])),
            CHUNKED.to_vec(),
            "text",
            Framing::Chunked,
        ),
        (
            with_body("GET", "/h2", &[], ready(None, &[])),
            vec![],
            "",
            Framing::None,
        ),
    ];
    for (request, fields, text, framing) in table {
        let start = format!("{} {:?} HTTP/1.1", request.head.method, request.head.target);
        assert_eq!(direct.text(request), "ok", "{start}");
        let got = asked.recv_timeout(PATIENCE).unwrap();
        assert_eq!(got.start, start.replace('"', ""));
        let want: Vec<_> = [("Host", "shop.test")].into_iter().chain(fields).collect();
        let want: Fields = want.into_iter().collect();
        assert_eq!(got.fields.into_iter().collect::<Fields>(), want, "{start}");
        let whole = (got.framing, got.complete, got.body == text.as_bytes());
        assert_eq!(whole, (framing, true, true), "{start}");
    }
    assert_eq!(shop.connections(), 1);
}

#[test]
fn a_body_goes_on_as_it_comes_while_its_answer_comes_back() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            let chunk = wire.exactly(10);
            wire.say(chunk);
        }
        wire.until(b"0\r\n\r\n");
        wire.say("0\r\n\r\n");
        wire.message(false);
        wire.say(OK);
    });
    let direct = Direct::to(shop.addr);
    direct.run(async {
        let (feed, body) = incoming::pipe(None);
        let request = with_body("POST", "/", CHUNKED, body);
        let mut response = direct.send(request).await.unwrap();
        for word in ["first", "later", "third"] {
            feed.push(data(word));
            let frame = next(&mut response.body).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), word);
        }
        feed.end();
        assert!(next(&mut response.body).await.is_none());
        assert_eq!(
            whole(direct.send(get("/")).await.unwrap()).await.body,
            b"ok"
        );
    });
    assert_eq!(shop.connections(), 1);
}

/// A client that first sends and then reads.
#[test]
fn a_body_goes_on_while_nobody_takes_its_answer() {
    let (told, wait) = mpsc::channel();
    let long: &'static str = "long".repeat(1 << 20).leak();
    let shop = Origin::new(move |wire, _| {
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nta");
        assert!(wire.exactly(long.len()) == long.as_bytes());
        told.send(()).unwrap();
        wire.say("ke");
        wire.is_over();
    });
    let direct = Direct::to(shop.addr);
    let length = long.len().to_string();
    let (first, rest) = long.split_at(9);
    let body = ready(Some(long.len()), &[first, rest]);
    let request = with_body("POST", "/", &[("Content-Length", &length)], body);
    direct.run(async {
        let mut response = direct.send(request).await.unwrap();
        std::future::poll_fn(|cx| {
            response.body.advance(cx);
            match wait.try_recv() {
                Ok(()) => std::task::Poll::Ready(()),
                // The shop's word is no event of the runtime's.
                Err(_) => {
                    cx.waker().wake_by_ref();
                    std::task::Poll::Pending
                }
            }
        })
        .await;
        assert_eq!(whole(response).await.body, b"take");
    });
}

#[test]
fn trailers_pass_both_ways() {
    let shop = Origin::new(|wire, _| {
        let request = wire.message(false);
        assert_eq!(request.trailers, [(b"x-sum".to_vec(), b"1".to_vec())]);
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n");
        wire.message(false);
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 0\r\n\r\n");
        wire.is_over();
    });
    let direct = Direct::to(shop.addr);
    let (feed, body) = incoming::pipe(None);
    feed.push(data("ab"));
    let trailers = [
        ("x-sum", "1"),
        ("Host", "other.test"),
        ("x-forwarded-for", "::"),
    ];
    feed.push(Frame::Trailers(trailers.into_iter().collect()));
    feed.end();
    let answer = direct.ask(with_body("POST", "/", CHUNKED, body)).unwrap();
    assert_eq!(answer.body, b"ok");
    assert_eq!(answer.trailers, [("X-Sum".to_owned(), "7".to_owned())]);
    let answer = direct.ask(get("/")).unwrap();
    assert_eq!(answer.trailers, [("X-Sum".to_owned(), "0".to_owned())]);
    assert_eq!(shop.connections(), 1);
}

#[test]
fn interim_responses_pass_beside_the_final_one() {
    let shop = Origin::new(|wire, _| {
        wire.message(false);
        wire.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: hop\r\n\r\n");
        wire.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
        wire.say(OK);
        wire.is_over();
    });
    let direct = Direct::to(shop.addr);
    let request = get("/");
    let interim = request.interim.clone();
    assert_eq!(direct.text(request), "ok");
    // Nobody has asked for the 100.
    let heads = passed(&interim);
    let codes: Vec<u16> = heads.iter().map(|head| head.status.as_u16()).collect();
    assert_eq!(codes, [103, 102]);
    let link: Fields = [("Link", "</a>")].into_iter().collect();
    assert_eq!(heads[0].fields, link);
    // An HTTP/1.0 client has no way for them.
    let request = refgate::message::Request {
        interim: Interim::closed(),
        ..get("/")
    };
    let shop = Origin::new(|wire, _| {
        wire.message(false);
        wire.say(format!("HTTP/1.1 103 Early Hints\r\n\r\n{OK}"));
        wire.is_over();
    });
    assert_eq!(Direct::to(shop.addr).text(request), "ok");
}

#[test]
fn a_shop_that_sends_interim_responses_for_ever_is_broken() {
    let shop = Origin::new(|wire, _| {
        wire.message(false);
        while wire.try_say("HTTP/1.1 103 Early Hints\r\n\r\n") {}
    });
    let error = Direct::to(shop.addr).ask(get("/")).unwrap_err();
    assert!(matches!(error, Error::Broken(Fault::Interims)));
}

fn expecting(body: Incoming) -> refgate::message::Request {
    let fields = [("Content-Length", "4"), ("Expect", "100-Continue")];
    with_body("POST", "/", &fields, body)
}

#[test]
fn a_body_is_taken_only_when_the_shop_asks() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let shop = Origin::new(move |wire, _| {
        wire.head();
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        wire.say("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n");
        assert_eq!(wire.exactly(4), b"body");
        wire.say(OK);
        wire.is_over();
    });
    let direct = Direct::to(shop.addr);
    direct.run(async {
        let (feed, body) = incoming::pipe(Some(4));
        let request = expecting(body);
        let interim = request.interim.clone();
        let client = async {
            // Ready when the body is wanted, and not before the shop's word.
            let noop = &mut std::task::Context::from_waker(std::task::Waker::noop());
            assert!(feed.poll_taker(noop).is_pending());
            go.send(()).unwrap();
            std::future::poll_fn(|cx| feed.poll_taker(cx)).await;
            let heads = passed(&interim);
            assert_eq!((heads.len(), heads[0].status.as_u16()), (1, 100));
            assert!(heads[0].fields.contains("x"));
            feed.push(data("body"));
            feed.end();
        };
        let (response, ()) = tokio::join!(biased; direct.send(request), client);
        assert_eq!(whole(response.unwrap()).await.body, b"ok");
    });
}

#[test]
fn a_shop_that_knows_no_100_gets_the_body_after_a_while() {
    let shop = Origin::always(OK);
    let direct = Direct::to(shop.addr);
    let request = expecting(ready(Some(4), &["body"]));
    let interim = request.interim.clone();
    assert_eq!(direct.text(request), "ok");
    let heads = passed(&interim);
    assert_eq!((heads.len(), heads[0].status.as_u16()), (1, 100));
    assert_eq!(direct.text(get("/")), "ok");
    assert_eq!(shop.connections(), 1);
}

#[test]
fn a_shop_that_refuses_the_body_never_gets_it() {
    let shop = Origin::new(|wire, number| {
        if number == 0 {
            wire.head();
            wire.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!");
        } else {
            wire.message(false);
            wire.say(OK);
        }
        assert!(wire.is_over(), "a body that nobody asked for");
    });
    let direct = Direct::to(shop.addr);
    let request = expecting(ready(Some(4), &["body"]));
    let interim = request.interim.clone();
    assert_eq!(direct.text(request), "no!");
    assert_eq!(passed(&interim).len(), 0);
    assert_eq!(direct.text(get("/")), "ok");
    assert_eq!(shop.connections(), 2);
}

#[test]
fn a_client_that_breaks_off_ends_the_request() {
    for (why, body) in [
        (Broken::Gone, "4\r\nsome\r\n"),
        (Broken::Invalid, "4\r\nsome\r\n"),
    ] {
        let (over, seen) = mpsc::channel();
        let shop = Origin::new(move |wire, _| {
            wire.head();
            over.send(wire.rest()).unwrap();
        });
        let direct = Direct::to(shop.addr);
        let (feed, incoming) = incoming::pipe(None);
        feed.push(data("some"));
        let failed = direct.run(async {
            let sending = direct.send(with_body("POST", "/", CHUNKED, incoming));
            let breaking = async {
                std::future::poll_fn(|cx| feed.poll_taker(cx)).await;
                feed.fail(why);
            };
            tokio::join!(biased; sending, breaking).0.unwrap_err()
        });
        assert!(matches!(failed.error, Error::ClientBroke(broken) if broken == why));
        assert!(failed.unsent.is_none());
        // Without its last chunk.
        let seen = seen.recv_timeout(PATIENCE).unwrap();
        assert_eq!(seen, body.as_bytes());
    }
}
