//! Flow control, both ways.

use super::super::fault::Code;
use super::super::frame::{flag, kind};
use super::super::settings::STREAM_WINDOW;
use super::server::{Content, Server, never, ok, plain, read, seen, settings, shared};
use super::support::{Client, Fate, PATIENCE, get, request};
use crate::message::Frame;
use std::time::Duration;

#[test]
fn nothing_is_sent_beyond_a_window() {
    let server = Server::plain();
    // A stream's window of 10.
    let mut client = Client::with(&server, &[(4, 10)]);
    client.ask(1, &get("/25"));
    assert_eq!(client.fate(), Fate::Answer(1, "200".to_owned()));
    let sent = |client: &mut Client| {
        let got = client.until(|got| got.head.kind == kind::DATA);
        (got.payload.len(), got.head.has(flag::END_STREAM))
    };
    assert_eq!(sent(&mut client), (10, false));
    assert!(client.is_alive());
    client.window(1, 1);
    assert_eq!(sent(&mut client), (1, false));
    // By the setting: 5 more, and then so many less that it is below zero.
    client.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 15]);
    assert_eq!(sent(&mut client), (5, false));
    client.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    client.window(1, 15);
    assert!(client.is_alive());
    client.window(1, 9);
    assert_eq!(sent(&mut client), (9, true));

    // The connection's window, which all streams share.
    let mut client = Client::with(&server, &[(4, 1_000_000)]);
    client.ask(1, &get("/100000"));
    let mut came = 0;
    while came < 65_535 {
        let got = client.until(|got| got.head.kind == kind::DATA);
        came += got.payload.len();
    }
    assert_eq!(came, 65_535);
    client.ask(3, &get("/10"));
    assert_eq!(
        client
            .until(|got| got.head.kind == kind::HEADERS)
            .head
            .stream,
        3
    );
    assert!(client.is_alive());
    client.window(0, 34_465 + 10);
    client.until(|got| got.head.stream == 1 && got.head.has(flag::END_STREAM));
}

#[test]
fn a_body_whose_stream_is_blocked_is_not_asked_for_more() {
    let (tell, told) = seen();
    let server = Server::start(move |_| {
        let tell = tell.clone();
        Box::pin(async move {
            let frames = std::iter::repeat_with(move || {
                tell.send(()).ok();
                Frame::Data(vec![7; 1_000].into())
            });
            ok(Content::Lazy(Box::new(frames)))
        })
    });
    let mut client = Client::new(&server);
    client.ask(1, &get("/"));
    let mut came = 0;
    while came < 65_535 {
        came += client
            .until(|got| got.head.kind == kind::DATA)
            .payload
            .len();
    }
    assert!(client.is_alive());
    let asked = told.try_iter().count();
    assert_eq!(asked, 66);
}

/// A client that first sends and then makes room for the answer.
#[test]
fn a_body_is_taken_while_its_answer_is_blocked() {
    let server =
        Server::start(move |request| Box::pin(async move { ok(Content::Both(request.body, 100)) }));
    let mut client = Client::with(&server, &[(4, 10)]);
    client.begin(1, &request("POST", "/"));
    client.until(|got| got.head.kind == kind::DATA);
    // More than its stream's window lets through before it is renewed.
    let mut room = STREAM_WINDOW;
    for _ in 0..20 {
        while room < 16_384 {
            let more =
                client.until(|got| got.head.kind == kind::WINDOW_UPDATE && got.head.stream == 1);
            let more = <[u8; 4]>::try_from(more.payload.as_slice()).unwrap();
            room += u32::from_be_bytes(more);
        }
        client.data(1, &[0; 16_384], false);
        room -= 16_384;
    }
    client.window(1, 90);
    let rest = client.until(|got| got.head.kind == kind::DATA);
    assert_eq!(rest.payload.len(), 90);
}

#[test]
fn a_small_page_passes_a_large_download() {
    let server = Server::plain();
    let mut client = Client::with(&server, &[(4, 0x7fff_ffff)]);
    client.window(0, 0x7fff_0000);
    client.ask(1, &get("/50000000"));
    client.until(|got| got.head.kind == kind::DATA);
    client.ask(3, &get("/100"));
    let mut before = 0;
    client.until(|got| {
        before += usize::from(got.head.stream == 1);
        got.head.stream == 3 && got.head.has(flag::END_STREAM)
    });
    // What the sockets hold, and a round; the whole are 3,000 frames.
    assert!(before < 1_500, "{before} frames were before it");
    client.frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
}

#[test]
fn two_downloads_share_the_connection() {
    let server = Server::plain();
    let mut client = Client::with(&server, &[(4, 0x7fff_ffff)]);
    client.ask(1, &get("/1000000"));
    client.ask(3, &get("/1000000"));
    let (mut came, mut order) = (0, Vec::new());
    while came < 65_535 {
        let got = client.until(|got| got.head.kind == kind::DATA);
        came += got.payload.len();
    }
    client.window(0, 1_000_000);
    while came < 1_000_000 {
        let got = client.until(|got| got.head.kind == kind::DATA);
        came += got.payload.len();
        order.push(got.head.stream);
    }
    let turns = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(turns > order.len() / 2, "{order:?}");
}

#[test]
fn an_upload_waits_for_its_taker() {
    let kept = shared(Vec::new());
    let keep = kept;
    let server = Server::start(move |request| {
        let keep = keep.clone();
        Box::pin(async move {
            if request.head.target.as_str() == Some("/keep") {
                keep.lock().unwrap().push(request.body);
                match never().await {}
            }
            plain(request)
        })
    });
    let mut client = Client::new(&server);
    client.begin(1, &request("POST", "/keep"));
    for _ in 0..16 {
        client.data(1, &[7; 16_384], false);
    }
    // The window of the stream is used up, that of the connection is not.
    assert!(client.is_alive());
    client.begin(3, &request("POST", "/"));
    client.data(3, b"passes", true);
    assert_eq!(client.response(3).1, b"passes");
    client.data(1, &[7], false);
    assert_eq!(client.fate(), Fate::Reset(1, Code::FlowControl));

    // Four streams use up that of the connection.
    let mut client = Client::new(&server);
    for stream in [1, 3, 5, 7] {
        client.begin(stream, &request("POST", "/keep"));
        for _ in 0..16 {
            client.data(stream, &[7; 16_384], false);
        }
    }
    client.begin(9, &request("POST", "/keep"));
    client.data(9, &[7], false);
    assert_eq!(client.fate(), Fate::Goaway(Code::FlowControl));
}

#[test]
fn what_is_taken_opens_both_windows() {
    let server = Server::start(|request| {
        Box::pin(async move {
            read(request.body).await.unwrap();
            ok(Content::Sized(1))
        })
    });
    let mut client = Client::new(&server);
    client.begin(1, &request("POST", "/"));
    let (mut stream, mut connection) = (262_144_u32, 1_048_576_u32);
    for _ in 0..400 {
        while stream < 16_384 || connection < 16_384 {
            let got = client.until(|got| got.head.kind == kind::WINDOW_UPDATE);
            let by = u32::from_be_bytes(got.payload.try_into().unwrap());
            if got.head.stream == 0 {
                connection += by;
            } else {
                stream += by;
            }
        }
        client.data(1, &[7; 16_384], false);
        (stream, connection) = (stream - 16_384, connection - 16_384);
    }
    client.data(1, &[], true);
    assert_eq!(client.response(1).1.len(), 1);
}

#[test]
fn what_nobody_takes_opens_the_connection_s_window_again() {
    let server = Server::start(|request| {
        Box::pin(async move {
            drop(request.body);
            match request.head.target.as_str() {
                Some("/wait") => match never().await {},
                _ => ok(Content::Sized(1)),
            }
        })
    });
    let mut client = Client::new(&server);
    // Its taker has gone; it was answered; it was cancelled: 256 KiB each, 8 times.
    for turn in 0..8 {
        for (place, path) in [(0, "/wait"), (1, "/"), (2, "/wait")] {
            let stream = 2 * (3 * turn + place) + 1;
            client.begin(stream, &request("POST", path));
            for _ in 0..8 {
                client.data(stream, &[7; 16_384], false);
            }
            if place == 2 {
                client.frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
            }
            assert!(client.is_alive());
        }
    }
}

#[test]
fn a_stream_whose_window_stays_shut_is_given_up() {
    let mut settings = settings();
    settings.stall_timeout = Duration::from_millis(300);
    let server = Server::with(settings, |request| Box::pin(async { plain(request) }));
    let mut client = Client::with(&server, &[(4, 5)]);
    client.ask(1, &get("/10"));
    client.ask(3, &get("/2"));
    assert_eq!(client.fate(), Fate::Answer(1, "200".to_owned()));
    assert_eq!(client.fate(), Fate::Answer(3, "200".to_owned()));
    assert_eq!(client.fate(), Fate::Reset(1, Code::Cancel));
    assert!(client.is_alive());
}

#[test]
fn a_client_that_takes_nothing_is_dropped() {
    let (gone, over) = seen();
    let mut settings = settings();
    settings.stall_timeout = Duration::from_millis(300);
    let server = Server::with(settings, move |request| {
        let guard = super::server::Guard(gone.clone());
        Box::pin(async move {
            match request.head.target.as_str() {
                Some("/wait") => {
                    let _guard = guard;
                    match never().await {}
                }
                _ => plain(request),
            }
        })
    });
    let mut client = Client::with(&server, &[(4, 0x7fff_ffff)]);
    client.window(0, 0x7fff_0000);
    client.ask(1, &get("/wait"));
    client.ask(3, &get("/500000000"));
    over.recv_timeout(PATIENCE).unwrap();
}
