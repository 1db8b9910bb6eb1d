//! How connections end: the client's doing, ours, or time's.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use http::StatusCode;
use refgate::message::Response;
use tokio::sync::oneshot;

use super::server::{Pieces, Server, Working, at_once, data, settings, text};
use super::{get, post};
use crate::support::wire::PATIENCE;

/// Says when it is dropped.
struct Alive(mpsc::Sender<()>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

/// A server whose service never answers; when it was asked, and when it was dropped.
fn endless() -> (Server, mpsc::Receiver<()>, mpsc::Receiver<()>) {
    let (asked, asking) = mpsc::channel();
    let (dropped, dropping) = mpsc::channel();
    let server = Server::new(move |mut request| {
        let alive = Alive(dropped.clone());
        let asked = asked.clone();
        Box::pin(async move {
            super::server::whole(&mut request).await;
            asked.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(alive);
            text("")
        })
    });
    (server, asking, dropping)
}

#[test]
fn a_client_that_goes_away_cancels_its_request() {
    let (server, asked, dropped) = endless();
    for bytes in [
        get("/"),
        get("/") + &get("/second"),
        post("Content-Length: 4\r\n", "milk"),
        post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ] {
        for half in [false, true] {
            let mut client = server.connect();
            client.say(&bytes);
            asked.recv_timeout(PATIENCE).unwrap();
            if half {
                client.finish();
            }
            let kept = half.then_some(client);
            dropped.recv_timeout(PATIENCE).unwrap();
            assert!(kept.is_none_or(|mut client| client.is_over()));
        }
    }
}

#[test]
fn a_client_that_goes_away_within_its_answer_ends_it() {
    let (bodies, taken) = mpsc::channel();
    let server = Server::new(move |_| {
        let (send, frames) = tokio::sync::mpsc::channel(8);
        bodies.send(send).unwrap();
        at_once(Response::new(StatusCode::OK, Pieces::Later(frames, None)))
    });
    let mut client = server.connect();
    client.say(get("/"));
    client.head();
    let body = taken.recv_timeout(PATIENCE).unwrap();
    drop(client);
    // Fails once nobody listens.
    while body.blocking_send(Ok(data("x"))).is_ok() {}
}

#[test]
fn an_idle_connection_lives_longer_than_a_head_may_take_and_not_for_ever() {
    let mut settings = settings();
    settings.head_timeout = Duration::from_millis(100);
    settings.idle_timeout = Duration::from_millis(600);
    let server = Server::with(settings, |_| at_once(text("ok")));
    let mut client = server.connect();
    for _ in 0..2 {
        client.say(get("/"));
        assert_eq!(client.message(false).text(), "ok");
    }
    let idle = std::time::Instant::now();
    assert!(client.is_over());
    assert!(idle.elapsed() >= Duration::from_millis(500));
}

#[test]
fn an_answer_that_takes_long_is_no_idle_connection() {
    let mut settings = settings();
    settings.head_timeout = Duration::from_millis(20);
    settings.idle_timeout = Duration::from_millis(20);
    let server = Server::with(settings, |_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            text("ok")
        }) as Working
    });
    let mut client = server.connect();
    client.say(get("/"));
    assert_eq!(client.message(false).text(), "ok");
}

#[test]
fn told_to_end_it_closes_the_idle_and_finishes_what_is_in_flight() {
    let (asked, asking) = mpsc::channel();
    let (go, wait) = oneshot::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let server = Server::new(move |request| {
        let slow = request.head.target.as_bytes() == b"/slow";
        let wait = if slow {
            wait.lock().unwrap().take()
        } else {
            None
        };
        let asked = asked.clone();
        Box::pin(async move {
            if let Some(wait) = wait {
                asked.send(()).unwrap();
                wait.await.unwrap();
            }
            text("ok")
        }) as Working
    });
    let mut fresh = server.connect();
    let mut idle = server.connect();
    idle.say(get("/"));
    assert_eq!(idle.message(false).text(), "ok");
    let mut busy = server.connect();
    busy.say(get("/slow"));
    asking.recv_timeout(PATIENCE).unwrap();
    server.tell();
    assert!(idle.is_over());
    assert!(fresh.is_over());
    go.send(()).unwrap();
    let got = busy.message(false);
    assert_eq!(got.text(), "ok");
    assert_eq!(got.get("connection").unwrap(), b"close");
    assert!(busy.is_over());
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_dropped() {
    let (dropped, dropping) = mpsc::channel();
    let mut settings = settings();
    settings.stall_timeout = Duration::from_millis(500);
    let server = Server::with(settings, move |_| {
        let (send, frames) = tokio::sync::mpsc::channel(1);
        let alive = Alive(dropped.clone());
        let flood = async move {
            while send.send(Ok(data(vec![b'x'; 65536]))).await.is_ok() {}
            drop(alive);
        };
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "it ends with the connection")]
            tokio::spawn(flood);
            Response::new(StatusCode::OK, Pieces::Later(frames, None))
        }) as Working
    });
    let mut client = server.connect();
    client.say(get("/"));
    client.head();
    dropping.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_request_that_wants_the_connection_closed_is_the_last() {
    let server = Server::new(|_| at_once(text("ok")));
    let mut client = server.connect();
    client.say("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n".to_owned() + &get("/"));
    let got = client.message(false);
    assert_eq!(got.get("connection").unwrap(), b"close");
    assert!(client.is_over());
}
