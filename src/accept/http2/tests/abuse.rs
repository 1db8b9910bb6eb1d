//! What a client may make us do or hold without an end, and the bounds to it.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::fault::Code;
use super::super::frame::{flag, kind};
use super::super::hpack::integer;
use super::server::{Answer, Guard, Server, never, plain, seen, settings};
use super::support::{Client, Fate, block, bytes, get, request};
use crate::message::Request;

const ALL: u8 = flag::END_HEADERS | flag::END_STREAM;

fn waits(request: Request) -> Answer {
    Box::pin(async move {
        if request.head.target.as_str() == Some("/wait") {
            let _body = request.body;
            match never().await {}
        }
        plain(request)
    })
}

/// Says `frames` until the server has had enough, at most so often.
fn flood(client: &mut Client, most: usize, frames: impl Fn(u32) -> Vec<u8>) -> Fate {
    let mut said = client.stream.try_clone().unwrap();
    let frames: Vec<Vec<u8>> = (0..u32::try_from(most).unwrap()).map(frames).collect();
    // In a thread of its own: the answers have to be read meanwhile.
    let saying = std::thread::spawn(move || {
        for frame in frames {
            if said.write_all(&frame).is_err() {
                return;
            }
        }
    });
    let got = client.until(|got| got.head.kind == kind::GOAWAY);
    let fate = Fate::Goaway(if got.payload[7] == 0xb {
        Code::EnhanceYourCalm
    } else {
        Code::Internal
    });
    client.stream.shutdown(std::net::Shutdown::Both).ok();
    saying.join().unwrap();
    fate
}

/// What is said, by its number.
type Said = Box<dyn Fn(u32) -> Vec<u8>>;

#[test]
fn a_flood_of_what_asks_for_nothing_ends_the_connection() {
    let server = Server::start(waits);
    let head = || {
        bytes(
            kind::HEADERS,
            flag::END_HEADERS,
            1,
            &block(&request("POST", "/wait")),
        )
    };
    let cases: [(&str, Said); 8] = [
        ("PING", Box::new(|_| bytes(kind::PING, 0, 0, &[0; 8]))),
        (
            "PING ACK",
            Box::new(|_| bytes(kind::PING, flag::ACK, 0, &[0; 8])),
        ),
        ("SETTINGS", Box::new(|_| bytes(kind::SETTINGS, 0, 0, &[]))),
        (
            "PRIORITY",
            Box::new(|_| bytes(kind::PRIORITY, 0, 7, &[0; 5])),
        ),
        ("unknown", Box::new(|_| bytes(0xee, 0, 0, &[]))),
        ("empty DATA", Box::new(|_| bytes(kind::DATA, 0, 1, &[]))),
        (
            "WINDOW_UPDATE",
            Box::new(|_| bytes(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])),
        ),
        (
            "RST_STREAM",
            Box::new(|_| bytes(kind::RST_STREAM, 0, 3, &[0; 4])),
        ),
    ];
    for (what, frame) in cases {
        let mut client = Client::new(&server);
        client.say(&head());
        client.ask(3, &get("/1"));
        let fate = flood(&mut client, 1_100, frame);
        assert_eq!(fate, Fate::Goaway(Code::EnhanceYourCalm), "{what}");
    }
}

#[test]
fn asking_and_cancelling_without_an_end_ends_the_connection() {
    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    let server = Server::start(move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        waits(request)
    });
    let mut client = Client::new(&server);
    let fate = flood(&mut client, 1_000, |turn| {
        let stream = 2 * turn + 1;
        let ask = bytes(kind::HEADERS, ALL, stream, &block(&get("/wait")));
        [ask, bytes(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    assert_eq!(fate, Fate::Goaway(Code::EnhanceYourCalm));
    assert!(started.load(Ordering::Relaxed) <= 201);
    // The same by making us reset them.
    let mut client = Client::new(&server);
    let fate = flood(&mut client, 1_000, |turn| {
        let stream = 2 * turn + 1;
        let ask = bytes(kind::HEADERS, ALL, stream, &block(&get("/wait")));
        [ask, bytes(kind::WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
    });
    assert_eq!(fate, Fate::Goaway(Code::EnhanceYourCalm));
    assert!(started.load(Ordering::Relaxed) <= 402);
}

#[test]
fn cancelling_now_and_then_is_a_client_s_right() {
    let server = Server::start(waits);
    let mut client = Client::new(&server);
    for turn in 0..300_u32 {
        let stream = 4 * turn + 1;
        client.ask(stream, &get("/wait"));
        client.frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        client.ask(stream + 2, &get("/0"));
        assert_eq!(client.fate(), Fate::Answer(stream + 2, "200".to_owned()));
    }
}

#[test]
fn streams_above_the_limit_are_refused_and_the_others_live() {
    let (gone, over) = seen();
    let server = Server::start(move |request| {
        let guard = Guard(gone.clone());
        Box::pin(async move {
            if request.head.target.as_str() == Some("/wait") {
                let _guard = guard;
                match never().await {}
            }
            plain(request)
        })
    });
    let mut client = Client::new(&server);
    for turn in 0..128 {
        client.ask(2 * turn + 1, &get("/wait"));
    }
    client.ask(257, &get("/1"));
    assert_eq!(client.fate(), Fate::Reset(257, Code::RefusedStream));
    client.frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    over.recv().unwrap();
    client.ask(259, &get("/1"));
    assert_eq!(client.fate(), Fate::Answer(259, "200".to_owned()));
    assert_eq!(server.refused(), 1);
}

#[test]
fn a_head_above_the_limit_is_refused_and_the_next_one_read() {
    let server = Server::with(settings(), waits);
    let mut client = Client::new(&server);
    let long = "v".repeat(9_000);
    let many: Vec<String> = (0..260).map(|turn| format!("x-{turn}")).collect();
    let mut large = get("/1");
    large.extend([("a", long.as_str()), ("b", long.as_str())]);
    let mut numerous = get("/1");
    numerous.extend(many.iter().map(|name| (name.as_str(), "")));
    for (stream, fields) in [(1, large), (3, numerous)] {
        // Its last field goes into the table.
        let mut all = block(&fields);
        all.extend([0x40, 1, b'k', 1, b'v']);
        let (first, rest) = all.split_at(all.len().min(16_000));
        client.frame(kind::HEADERS, flag::END_STREAM, stream, first);
        client.frame(kind::CONTINUATION, flag::END_HEADERS, stream, rest);
        assert_eq!(client.fate(), Fate::Answer(stream, "431".to_owned()));
    }
    let next = [block(&get("/1")), vec![0x80 | 62, 0x80 | 63]].concat();
    client.frame(kind::HEADERS, ALL, 5, &next);
    assert_eq!(client.fate(), Fate::Answer(5, "200".to_owned()));
    // With a body that nobody reads.
    let all = block(&[&request("POST", "/")[..], &[("a", &long), ("b", &long)]].concat());
    let (first, rest) = all.split_at(16_000);
    client.frame(kind::HEADERS, 0, 7, first);
    client.frame(kind::CONTINUATION, flag::END_HEADERS, 7, rest);
    assert_eq!(client.fate(), Fate::Answer(7, "431".to_owned()));
    assert_eq!(client.fate(), Fate::Reset(7, Code::NoError));
    client.data(7, b"late", true);
    assert!(client.is_alive());
    assert_eq!(server.refused(), 3);
}

#[test]
fn a_header_block_without_an_end_ends_the_connection() {
    let server = Server::start(waits);
    for (turns, size) in [(100, 0), (10, 16_000)] {
        let frame = |_| bytes(kind::CONTINUATION, 0, 1, &vec![0; size]);
        let mut client = Client::new(&server);
        client.frame(kind::HEADERS, 0, 1, &block(&get("/1")));
        let fate = flood(&mut client, turns, frame);
        assert_eq!(fate, Fate::Goaway(Code::EnhanceYourCalm));
    }
    assert_eq!(server.refused(), 2);
}

#[test]
fn a_bomb_of_indices_is_large_and_nothing_else() {
    let server = Server::start(waits);
    let mut client = Client::new(&server);
    let mut bomb = block(&get("/1"));
    bomb.extend([0x40, 1, b'x']);
    integer(&mut bomb, 0, 7, 4_000);
    bomb.extend(vec![b'v'; 4_000]);
    bomb.extend(vec![0x80 | 62; 12_000]);
    client.frame(kind::HEADERS, ALL, 1, &bomb);
    assert_eq!(client.fate(), Fate::Answer(1, "431".to_owned()));
    assert!(client.is_alive());
}

#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    let (tell, told) = seen();
    let server = Server::start(move |request| {
        let tell = tell.clone();
        Box::pin(async move {
            tell.send(()).unwrap();
            let mut response = plain(request);
            let long = "v".repeat(8_000);
            response.head.fields.append(b"X-Long", long.as_bytes());
            response
        })
    });
    let mut client = Client::new(&server);
    // No window bounds heads. Nothing is read here: sooner or later the server reads nothing
    // either, and what it holds is bounded.
    let mut stream = 1;
    client.ask(stream, &get("/0"));
    while told.recv_timeout(Duration::from_secs(1)).is_ok() {
        assert!(stream < 20_000, "the server reads without an end");
        stream += 2;
        client.ask(stream, &get("/0"));
    }
    // Once it is read again, everything is answered.
    client.until(|got| got.head.stream == stream && got.head.has(flag::END_STREAM));
}
