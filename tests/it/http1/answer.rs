//! How a response stands on the wire.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::StatusCode;
use refgate::message::{Interim, Request, Response, ResponseHead};
use tokio::sync::mpsc;

use super::get;
use super::server::{
    Answer, Pieces, Server, Torn, Working, at_once, data, exchange, frames, text, trailers,
};
use crate::support::wire::Wire;

/// A server that answers everything with this.
fn always(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
    Server::new(move |request| at_once(answer(&request)))
}

fn with(mut answer: Answer, fields: &[(&str, &str)]) -> Answer {
    answer.head.fields = fields.iter().copied().collect();
    answer
}

fn status(code: u16, answer: Answer) -> Answer {
    let mut answer = answer;
    answer.head.status = StatusCode::from_u16(code).unwrap();
    answer
}

/// The whole of what comes for a GET that wants the connection closed.
fn closing(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> String {
    let server = always(answer);
    exchange(&server, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_head_has_the_services_fields_as_they_are_and_our_framing() {
    let fields = [
        ("X-ODD", "1"),
        ("set-cookie", "a"),
        ("Set-Cookie", "b"),
        ("Date", "now"),
    ];
    let got = closing(move |_| with(text("ok"), &fields));
    assert_eq!(
        got,
        "HTTP/1.1 200 OK\r\nX-ODD: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\nDate: now\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    );
    let got = closing(|_| with(text("ok"), &[("content-length", "2"), ("A", "b")]));
    assert_eq!(
        got,
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nA: b\r\nConnection: close\r\n\r\nok"
    );
    let own = |_: &Request| {
        let mut answer = text("");
        answer.head.reason = Some(b"Sure Thing".as_slice().into());
        answer
    };
    assert_eq!(
        closing(own),
        "HTTP/1.1 200 Sure Thing\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let odd = closing(|_| status(299, text("")));
    assert!(odd.starts_with("HTTP/1.1 299 \r\n"), "{odd}");
}

#[test]
fn fields_that_are_the_connections_are_ours_to_write() {
    let server = always(|_| {
        let fields = [
            ("Keep-Alive", "timeout=5"),
            ("Connection", "keep-alive"),
            ("Transfer-Encoding", "gzip"),
        ];
        with(text("ok"), &fields)
    });
    let mut client = server.connect();
    for _ in 0..2 {
        client.say(get("/"));
        assert_eq!(
            client.head(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        );
        assert_eq!(client.exactly(2), b"ok");
    }
    let server = always(|_| with(text("ok"), &[("Connection", "close")]));
    let got = exchange(&server, get("/"));
    assert_eq!(
        got,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    );
}

#[test]
fn a_length_that_is_none_is_not_written() {
    for fields in [
        &[("Content-Length", "2"), ("Content-Length", "2")][..],
        &[("Content-Length", "x")],
    ] {
        let fields = fields.to_vec();
        let got = closing(move |_| with(text("ok"), &fields));
        assert_eq!(
            got,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        );
    }
}

#[test]
fn a_body_of_unknown_length_goes_in_chunks() {
    let large = "y".repeat(100_000);
    let piece = Bytes::from(large.clone());
    let got = closing(move |_| {
        frames(
            false,
            [
                data("a"),
                data("0123456789abcdef"),
                data(piece.clone()),
                data("z"),
            ],
        )
    });
    assert_eq!(
        got,
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n10\r\n0123456789abcdef\r\n186a0\r\n{large}\r\n1\r\nz\r\n0\r\n\r\n"
        )
    );
    let last = closing({
        let large = Bytes::from(large);
        move |_| frames(false, [data(large.clone())])
    });
    assert!(last.ends_with("yy\r\n0\r\n\r\n"));
    assert!(closing(|_| frames(false, [])).ends_with("\r\n\r\n0\r\n\r\n"));
}

#[test]
fn trailers_go_to_who_takes_them() {
    for (size, te, want) in [
        (2, "TE: deflate, trailers\r\n", "0\r\nx-sum: 7\r\n\r\n"),
        (9_000, "TE: trailers\r\n", "0\r\nx-sum: 7\r\n\r\n"),
        (2, "", "0\r\n\r\n"),
        (9_000, "", "0\r\n\r\n"),
    ] {
        let server =
            always(move |_| frames(false, [data(vec![b'x'; size]), trailers(&[("x-sum", "7")])]));
        let got = exchange(
            &server,
            format!("GET / HTTP/1.1\r\nConnection: close\r\n{te}\r\n"),
        );
        assert!(got.ends_with(&format!("xx\r\n{want}")), "{size} {te:?}");
    }
    // A length leaves no place for them.
    let got = closing(|_| frames(true, [data("ok"), trailers(&[("x-sum", "7")])]));
    assert!(got.ends_with("\r\n\r\nok"), "{got}");
}

#[test]
fn where_there_is_no_body_there_is_none_and_the_length_stays() {
    let head = "HEAD / HTTP/1.1\r\n\r\n";
    for (code, fields, request, want) in [
        (
            200,
            &[("Content-Length", "1234")][..],
            head,
            "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
        ),
        (200, &[], head, "HTTP/1.1 200 OK\r\n\r\n"),
        (
            304,
            &[("Content-Length", "9")],
            "GET / HTTP/1.1\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        ),
        (
            304,
            &[],
            "GET / HTTP/1.1\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\n\r\n",
        ),
        (
            204,
            &[("Content-Length", "0")],
            "GET / HTTP/1.1\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
    ] {
        let server = always(move |_| status(code, with(text("not to be seen"), fields)));
        let mut client = server.connect();
        for _ in 0..2 {
            client.say(request);
            assert_eq!(String::from_utf8(client.head()).unwrap(), want);
        }
    }
}

#[test]
fn an_old_client_gets_no_chunks_and_says_whether_it_stays() {
    let server = always(|request| match request.head.target.as_bytes() {
        b"/known" => text("ok"),
        _ => frames(false, [data("to "), data("the end")]),
    });
    let ask = |target: &str, field: &str| format!("GET {target} HTTP/1.0\r\n{field}\r\n");
    let stay = "Connection: Keep-Alive\r\n";
    assert_eq!(
        exchange(&server, ask("/known", "")),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    );
    assert_eq!(
        exchange(&server, ask("/", stay)),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end"
    );
    let mut client = server.connect();
    for _ in 0..2 {
        client.say(ask("/known", stay));
        let head = client.head();
        assert_eq!(
            head,
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n"
        );
        assert_eq!(client.exactly(2), b"ok");
    }
}

/// A server whose bodies the test feeds, one for each request.
fn fed(
    left: Option<u64>,
) -> (
    Server,
    std::sync::mpsc::Receiver<mpsc::Sender<Result<refgate::message::Frame, Torn>>>,
) {
    let (bodies, taken) = std::sync::mpsc::channel();
    let server = Server::new(move |_| {
        let (send, frames) = mpsc::channel(8);
        bodies.send(send).unwrap();
        at_once(Response::new(StatusCode::OK, Pieces::Later(frames, left)))
    });
    (server, taken)
}

#[test]
fn a_head_does_not_wait_for_its_body_nor_a_piece_for_the_next() {
    for left in [None, Some(6)] {
        let (server, bodies) = fed(left);
        let mut client = server.connect();
        for _ in 0..2 {
            client.say(get("/"));
            assert!(client.head().starts_with(b"HTTP/1.1 200 OK\r\n"));
            let body = bodies.recv().unwrap();
            for piece in ["abc", "def"] {
                body.blocking_send(Ok(data(piece))).unwrap();
                let want = match left {
                    None => format!("3\r\n{piece}\r\n"),
                    Some(_) => piece.to_owned(),
                };
                assert_eq!(client.exactly(want.len()), want.as_bytes());
            }
            drop(body);
            if left.is_none() {
                assert_eq!(client.exactly(5), b"0\r\n\r\n");
            }
        }
    }
}

#[test]
fn a_body_that_breaks_off_breaks_off_for_the_client() {
    for (left, want) in [(Some(9), "some"), (None, "4\r\nsome\r\n")] {
        let (server, bodies) = fed(left);
        let mut client = server.connect();
        client.say(get("/"));
        client.head();
        let body = bodies.recv().unwrap();
        body.blocking_send(Ok(data("some"))).unwrap();
        body.blocking_send(Err(Torn)).unwrap();
        assert_eq!(String::from_utf8(client.rest()).unwrap(), want);
    }
    let (server, bodies) = fed(None);
    let mut client = server.connect();
    client.say("GET / HTTP/1.0\r\n\r\n");
    client.head();
    let body = bodies.recv().unwrap();
    body.blocking_send(Ok(data("some"))).unwrap();
    body.blocking_send(Err(Torn)).unwrap();
    assert!(client.ends_by_reset());
}

#[test]
fn a_body_that_is_not_as_long_as_its_head_says_ends_the_connection() {
    for (pieces, want) in [(vec!["too ", "long"], "too l"), (vec!["shor"], "shor")] {
        let server = always(move |_| {
            let all = pieces.iter().map(|piece| data(*piece));
            with(frames(false, all), &[("Content-Length", "5")])
        });
        let got = exchange(&server, get("/") + &get("/"));
        let body = got.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(body, want);
    }
}

#[test]
fn interim_responses_go_before_the_final_one_and_at_once() {
    let (ready, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let server = Server::new(move |request| {
        let wait = wait.lock().unwrap().take();
        Box::pin(async move {
            hint(&request.interim, "</a>");
            if let Some(wait) = wait {
                wait.await.unwrap();
            }
            hint(&request.interim, "</b>");
            text("ok")
        }) as Working
    });
    let hinted = |client: &mut Wire, link: &str| {
        let want = format!("HTTP/1.1 103 Early Hints\r\nLink: {link}\r\n\r\n");
        assert_eq!(String::from_utf8(client.head()).unwrap(), want);
    };
    let mut client = server.connect();
    client.say(get("/"));
    hinted(&mut client, "</a>");
    ready.send(()).unwrap();
    hinted(&mut client, "</b>");
    assert_eq!(client.message(false).text(), "ok");
    client.say(get("/"));
    hinted(&mut client, "</a>");
    hinted(&mut client, "</b>");
    assert_eq!(client.message(false).text(), "ok");
    // HTTP/1.0 knows none.
    let got = exchange(&server, "GET / HTTP/1.0\r\n\r\n");
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
}

#[test]
fn an_interim_response_of_an_earlier_request_is_nobodys() {
    let kept: Arc<Mutex<Vec<Interim>>> = Arc::default();
    let keeping = Arc::clone(&kept);
    let server = Server::new(move |request| {
        keeping.lock().unwrap().push(request.interim);
        Box::pin(async { text("ok") }) as Working
    });
    let mut client = server.connect();
    for late in [false, true, false, true] {
        client.say(get("/"));
        assert_eq!(client.message(false).text(), "ok");
        let interim = kept.lock().unwrap().pop().unwrap();
        hint(&interim, "</late>");
        if late {
            // Held while the next request is answered, too.
            kept.lock().unwrap().insert(0, interim);
        }
    }
    assert!(kept.lock().unwrap().len() == 2);
    client.say(get("/"));
    assert_eq!(client.message(false).text(), "ok");
}

fn hint(interim: &Interim, link: &str) {
    let mut head = ResponseHead::new(StatusCode::EARLY_HINTS);
    head.fields.append(b"Link", link.as_bytes());
    interim.send(head);
}

#[test]
fn large_bodies_arrive_whole_at_a_client_that_is_slow() {
    let piece: Bytes = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    for known in [true, false] {
        let all = piece.clone();
        let server = always(move |_| {
            let small = (0..2_000).map(|n| data(vec![b'a' + (n % 26) as u8; n % 4_000 + 1]));
            let large = std::iter::repeat_n(all.clone(), 5).map(data);
            frames(known, large.chain(small))
        });
        let mut client = server.connect();
        for _ in 0..2 {
            client.say(get("/"));
            let got = client.message(false);
            assert!(got.complete);
            assert!(got.body.len() > 5 * piece.len());
            for part in got.body.chunks(piece.len()).take(5) {
                assert!(part == piece.as_ref());
            }
        }
    }
}
