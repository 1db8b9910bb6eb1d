//! A request's body: as it comes, when somebody waits for it, and what becomes of one that nobody takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use refgate::message::body;
use tokio::sync::oneshot;

use super::server::{Server, Working, at_once, exchange, mirror, text, whole};
use super::{get, post};
use crate::support::wire::PATIENCE;

#[test]
fn it_reaches_the_service_however_it_is_framed() {
    let server = Server::new(mirror);
    let mut client = server.connect();
    let large = "x".repeat(1_000_000);
    let close = format!("POST \"/\" {large}");
    for (bytes, want) in [
        (post("Content-Length: 4\r\n", "milk"), "POST \"/\" milk"),
        (post("Content-Length: 0\r\n", ""), "POST \"/\" "),
        (post("", ""), "POST \"/\" "),
        (
            get("/").replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nab"),
            "GET \"/\" ab",
        ),
        (
            post(
                "Transfer-Encoding: Chunked\r\n",
                "2;x=\"y\"\r\nab\r\n003\r\ncde\r\n0\r\n\r\n",
            ),
            "POST \"/\" abcde",
        ),
        (
            post(
                "Transfer-Encoding: chunked\r\n",
                "1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n",
            ),
            "POST \"/\" a X-Sum=7",
        ),
        (post("Content-Length: 1000000\r\n", &large), close.as_str()),
        (
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("f4240\r\n{large}\r\n0\r\n\r\n"),
            ),
            close.as_str(),
        ),
    ] {
        client.say(&bytes);
        assert!(
            client.message(false).text() == want,
            "{}",
            &bytes[..200.min(bytes.len())]
        );
    }
}

#[test]
fn many_tiny_chunks_are_one_body() {
    let server = Server::new(mirror);
    let chunks = "1\r\nx\r\n".repeat(200_000);
    let got = exchange(
        &server,
        post(
            "Connection: close\r\nTransfer-Encoding: chunked\r\n",
            &(chunks + "0\r\n\r\n"),
        ),
    );
    assert!(got.ends_with(&"x".repeat(200_000)));
}

#[test]
fn a_broken_one_is_told_and_ends_the_connection() {
    let server = Server::new(mirror);
    for chunks in [
        "zz\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "-1\r\n",
        "ffffffffffffffffff\r\n",
        "1\r\na\r\n0\r\nno field\r\n\r\n",
    ] {
        let got = exchange(&server, post("Transfer-Encoding: chunked\r\n", chunks));
        assert!(got.ends_with(" Invalid"), "{chunks:?}: {got}");
        assert!(got.contains("\r\nConnection: close\r\n"), "{got}");
    }
}

#[test]
fn one_that_the_client_breaks_off_is_told() {
    let server = Server::new(mirror);
    for bytes in [
        post("Content-Length: 9\r\n", "some"),
        post("Transfer-Encoding: chunked\r\n", "9\r\nsome"),
        post("Transfer-Encoding: chunked\r\n", "4\r\nsome\r\n"),
    ] {
        let mut client = server.connect();
        client.say(&bytes);
        client.finish();
        let got = String::from_utf8(client.rest()).unwrap();
        assert!(got.ends_with("some Gone"), "{bytes}: {got}");
    }
}

#[test]
fn it_is_read_no_faster_than_it_is_taken() {
    let (go, wait) = oneshot::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let server = Server::new(move |mut request| {
        let wait = wait.lock().unwrap().take().unwrap();
        Box::pin(async move {
            wait.await.unwrap();
            let (bytes, _, broken) = whole(&mut request).await;
            assert_eq!(broken, None);
            text(bytes.len().to_string())
        })
    });
    let mut client = server.connect();
    let length = 64 << 20;
    client.say(post(&format!("Content-Length: {length}\r\n"), ""));
    // Into the sockets' buffers, and no further.
    client.stream().set_nonblocking(true).unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    let mut idle = 0;
    while idle < 20 {
        match std::io::Write::write(&mut client.stream(), &piece) {
            Ok(length) => (sent, idle) = (sent + length, 0),
            Err(_full) => {
                idle += 1;
                client.stream().set_nonblocking(false).unwrap();
                let brief = Some(Duration::from_millis(10));
                client.stream().set_read_timeout(brief).unwrap();
                client.stream().peek(&mut [0]).unwrap_err();
                client.stream().set_nonblocking(true).unwrap();
            }
        }
        assert!(sent < length, "all of it was read for nobody");
    }
    client.stream().set_nonblocking(false).unwrap();
    client.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    go.send(()).unwrap();
    while sent < length {
        let next = piece.len().min(length - sent);
        client.say(&piece[..next]);
        sent += next;
    }
    assert_eq!(client.message(false).text(), length.to_string());
}

/// Takes nothing of the body.
fn deaf() -> Server {
    Server::new(|request| {
        drop(request);
        at_once(text("no!"))
    })
}

#[test]
fn a_small_one_that_nobody_takes_does_not_cost_the_connection() {
    let server = deaf();
    let mut client = server.connect();
    for bytes in [
        post("Content-Length: 4\r\n", "milk"),
        post("Content-Length: 60000\r\n", &"x".repeat(60_000)),
        post(
            "Transfer-Encoding: chunked\r\n",
            "4\r\nmilk\r\n0\r\nX: y\r\n\r\n",
        ),
        get("/"),
    ] {
        client.say(bytes);
        assert_eq!(client.message(false).text(), "no!");
    }
    // Nor does one that comes only after the answer.
    client.say(post("Content-Length: 4\r\n", ""));
    assert_eq!(client.message(false).text(), "no!");
    client.say("milk".to_owned() + &get("/"));
    assert_eq!(client.message(false).text(), "no!");
}

#[test]
fn a_large_one_that_nobody_takes_costs_the_connection_and_not_the_answer() {
    let server = deaf();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for bytes in [
        post("Content-Length: 1000000\r\n", &"x".repeat(1_000_000)),
        post("Transfer-Encoding: chunked\r\n", &chunk.repeat(15)),
    ] {
        let mut client = server.connect();
        client.say(bytes);
        let got = client.message(false);
        assert_eq!(got.text(), "no!");
        assert!(client.is_over());
    }
    let mut client = server.connect();
    client.say(post("Content-Length: 1000000\r\n", ""));
    assert_eq!(client.message(false).get("connection").unwrap(), b"close");
    assert!(client.is_over());
}

#[test]
fn a_small_one_that_never_comes_costs_the_connection() {
    let server = deaf();
    let mut client = server.connect();
    client.say(post("Content-Length: 4\r\n", "mi"));
    assert_eq!(client.message(false).text(), "no!");
    assert!(client.is_over());
}

#[test]
fn one_that_waits_for_100_is_asked_for_by_the_service_alone() {
    let server = Server::new(|mut request| {
        Box::pin(async move {
            request.interim.send(interim(100));
            let (bytes, _, _) = whole(&mut request).await;
            text(bytes)
        })
    });
    let mut client = server.connect();
    for _ in 0..2 {
        client.say(post("Expect: 100-continue\r\nContent-Length: 4\r\n", ""));
        assert_eq!(client.head(), b"HTTP/1.1 100 Continue\r\n\r\n");
        client.say("milk");
        assert_eq!(client.message(false).text(), "milk");
    }
}

fn interim(status: u16) -> refgate::message::ResponseHead {
    refgate::message::ResponseHead::new(status.try_into().unwrap())
}

#[test]
fn one_that_waits_for_100_in_vain_is_not_waited_for() {
    let server = deaf();
    let mut client = server.connect();
    client.say(post("Expect: 100-continue\r\nContent-Length: 4\r\n", ""));
    let got = client.message(false);
    assert_eq!(got.text(), "no!");
    assert_eq!(got.get("connection").unwrap(), b"close");
    assert!(client.is_over());
    // Who does not wait has nothing to lose.
    let mut client = server.connect();
    client.say(post("Expect: 100-continue\r\nContent-Length: 4\r\n", "milk") + &get("/"));
    for _ in 0..2 {
        assert_eq!(client.message(false).text(), "no!");
    }
}

#[test]
fn both_bodies_flow_at_once() {
    let server = Server::new(|mut request| {
        let (send, frames) = tokio::sync::mpsc::channel(1);
        let pumping = async move {
            while let Some(frame) = body::next(&mut request.body).await {
                let frame = frame.map_err(|_broken| super::server::Torn);
                if send.send(frame).await.is_err() {
                    break;
                }
            }
        };
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "its end is the test's")]
            tokio::spawn(pumping);
            let pieces = super::server::Pieces::Later(frames, None);
            refgate::message::Response::new(http::StatusCode::OK, pieces)
        }) as Working
    });
    let mut client = server.connect();
    client.say(post("Transfer-Encoding: chunked\r\n", ""));
    client.head();
    for word in ["first", "later", "third"] {
        let chunk = format!("5\r\n{word}\r\n");
        client.say(&chunk);
        assert_eq!(client.exactly(10), chunk.as_bytes());
    }
    client.say("0\r\n\r\n");
    assert_eq!(client.exactly(5), b"0\r\n\r\n");
}

#[test]
fn pipelined_requests_are_answered_one_after_the_other_and_in_order() {
    let at_work = Arc::new(AtomicUsize::new(0));
    let (asked, asking) = mpsc::channel();
    let server = Server::new(move |request| {
        let at_work = Arc::clone(&at_work);
        assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0, "two at once");
        let asked = asked.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            asked.send(format!("{:?}", request.head.target)).unwrap();
            let answer = mirror(request).await;
            at_work.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    });
    let mut client = server.connect();
    let mut all = String::new();
    for number in 0..500 {
        all += &get(&format!("/{number}"));
        all += &post("Content-Length: 3\r\n", "abc");
    }
    client.say(all);
    for number in 0..500 {
        let want = format!("\"/{number}\"");
        assert_eq!(client.message(false).text(), format!("GET {want} "));
        assert_eq!(client.message(false).text(), "POST \"/\" abc");
        assert_eq!(asking.recv_timeout(PATIENCE).unwrap(), want);
        assert_eq!(asking.recv_timeout(PATIENCE).unwrap(), "\"/\"");
    }
}
