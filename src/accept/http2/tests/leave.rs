//! How a connection ends, and when.

use std::time::{Duration, Instant};

use super::super::fault::Code;
use super::super::frame::{flag, kind};
use super::server::{Server, plain, seen, settings, shared};
use super::support::{Client, Fate, PREFACE, block, bytes, get, request};

const SHORT: Duration = Duration::from_millis(300);

fn last(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().unwrap())
}

#[test]
fn an_idle_connection_is_told_and_closed_after_its_time() {
    let mut settings = settings();
    settings.idle_timeout = SHORT;
    let server = Server::with(settings, |request| Box::pin(async { plain(request) }));
    let mut client = Client::new(&server);
    client.ask(1, &get("/1"));
    client.response(1);
    let idle = Instant::now();
    // Pings do not make it busy.
    assert!(client.is_alive());
    let got = client.until(|got| got.head.kind == kind::GOAWAY);
    assert_eq!((last(&got.payload), &got.payload[4..]), (1, &[0; 4][..]));
    assert!(idle.elapsed() >= SHORT - Duration::from_millis(50));
    assert!(client.is_over());
    assert_eq!(server.refused(), 0);
}

#[test]
fn a_request_under_way_is_no_idle_connection() {
    let mut settings = settings();
    settings.idle_timeout = Duration::from_millis(50);
    settings.head_timeout = Duration::from_millis(50);
    let server = Server::with(settings, |request| {
        Box::pin(async {
            tokio::time::sleep(SHORT).await;
            plain(request)
        })
    });
    let mut client = Client::new(&server);
    client.ask(1, &get("/1"));
    assert_eq!(client.response(1).1.len(), 1);
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let mut settings = settings();
    settings.head_timeout = SHORT;
    let server = Server::with(settings, |request| Box::pin(async { plain(request) }));
    let begun = bytes(kind::HEADERS, 0, 1, &block(&get("/")));
    let hello = [PREFACE, &bytes(kind::SETTINGS, 0, 0, &[])].concat();
    for (what, said, code) in [
        ("nothing", vec![], Code::SettingsTimeout),
        (
            "half a preface",
            PREFACE[..9].to_vec(),
            Code::SettingsTimeout,
        ),
        ("no SETTINGS", PREFACE.to_vec(), Code::SettingsTimeout),
        (
            "half a frame",
            [&hello[..], &begun[..20]].concat(),
            Code::EnhanceYourCalm,
        ),
        (
            "half a block",
            [&hello[..], &begun].concat(),
            Code::EnhanceYourCalm,
        ),
    ] {
        let mut client = Client::mute(&server);
        client.say(&said);
        assert_eq!(client.fate(), Fate::Goaway(code), "{what}");
        assert!(client.is_over(), "{what}");
    }
    assert_eq!(server.refused(), 1);
    // Whoever has said everything may take its time.
    let mut client = Client::new(&server);
    std::thread::park_timeout(2 * SHORT);
    assert!(client.is_alive());
}

#[test]
fn a_drain_finishes_what_was_asked_and_closes_the_idle_at_once() {
    let (asked, wait) = seen();
    let (go, gone) = seen::<()>();
    let gone = shared(gone);
    let server = Server::start(move |request| {
        let (asked, gone) = (asked.clone(), gone.clone());
        Box::pin(async move {
            if request.head.target.as_str() == Some("/slow") {
                asked.send(()).unwrap();
                while gone.lock().unwrap().try_recv().is_err() {
                    tokio::task::yield_now().await;
                }
            }
            plain(request)
        })
    });
    let mut idle = Client::new(&server);
    let mut busy = Client::new(&server);
    busy.ask(1, &get("/slow"));
    wait.recv().unwrap();
    server.shutdown.cancel();
    assert_eq!(idle.fate(), Fate::Goaway(Code::NoError));
    assert!(idle.is_over());

    let got = busy.until(|got| got.head.kind == kind::GOAWAY);
    assert_eq!(last(&got.payload), 0x7fff_ffff);
    let ping = busy.until(|got| got.head.kind == kind::PING);
    assert!(!ping.head.has(flag::ACK));
    // It has not heard of it yet.
    busy.ask(3, &get("/1"));
    assert_eq!(busy.response(3).1.len(), 1);
    busy.frame(kind::PING, flag::ACK, 0, &ping.payload);
    let got = busy.until(|got| got.head.kind == kind::GOAWAY);
    assert_eq!(last(&got.payload), 3);
    // Now it has: nobody looks at this one.
    busy.ask(5, &get("/1"));
    busy.begin(7, &request("POST", "/"));
    busy.data(7, b"x", true);
    assert!(busy.is_alive());
    go.send(()).unwrap();
    assert_eq!(busy.response(1).1, b"hello");
    assert!(busy.is_over());
}

#[test]
fn a_drain_without_an_answer_to_its_ping_ends_all_the_same() {
    let (asked, wait) = seen();
    let server = Server::start(move |request| {
        let asked = asked.clone();
        Box::pin(async move {
            asked.send(()).unwrap();
            super::server::text_of(super::server::read(request.body).await)
        })
    });
    let mut client = Client::new(&server);
    client.begin(1, &request("POST", "/"));
    wait.recv().unwrap();
    server.shutdown.cancel();
    client.until(|got| got.head.kind == kind::GOAWAY);
    client.data(1, b"x", true);
    assert_eq!(client.response(1).1, b"x");
    let got = client.until(|got| got.head.kind == kind::GOAWAY);
    assert_eq!(last(&got.payload), 1);
    assert!(client.is_over());
}

#[test]
fn a_client_that_says_goodbye_gets_its_answers() {
    let server = Server::plain();
    let mut client = Client::new(&server);
    client.begin(1, &request("POST", "/"));
    client.frame(kind::GOAWAY, 0, 0, &[0; 8]);
    client.data(1, b"x", true);
    assert_eq!(client.response(1).1, b"x");
    assert_eq!(client.fate(), Fate::Goaway(Code::NoError));
    assert!(client.is_over());
}

#[test]
fn a_connection_that_has_let_go_of_its_memory_answers() {
    let server = Server::plain();
    let mut client = Client::new(&server);
    for stream in [1, 3] {
        client.ask(stream, &get("/70000"));
        assert_eq!(
            client.until(|got| got.head.stream == stream).head.kind,
            kind::HEADERS
        );
        client.frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        // Longer than it keeps any.
        std::thread::park_timeout(Duration::from_millis(1_300));
    }
    client.window(0, 100_000);
    client.ask(5, &get("/1000"));
    assert_eq!(client.response(5).1.len(), 1_000);
}
