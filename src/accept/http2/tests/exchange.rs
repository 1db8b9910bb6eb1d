//! Requests and responses as they should be.

use std::collections::BTreeMap;

use http::StatusCode;

use super::super::frame::{flag, kind};
use super::server::{
    Content, Guard, Server, never, ok, pattern, read, seen, shared, text, text_of,
};
use super::support::{Client, Fate, block, get, request};
use crate::message::{Fields, Frame, RequestHead, ResponseHead};

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn a_get_is_answered_and_another_one_behind_it() {
    let server = Server::plain();
    let mut client = Client::new(&server);
    for stream in [1, 3, 9] {
        client.ask(stream, &get("/1000"));
        let (fields, content) = client.response(stream);
        assert_eq!(field(&fields, ":status"), Some("200"));
        assert_eq!(field(&fields, "content-length"), Some("1000"));
        let mut expected = pattern(0, 1000);
        expected.reverse();
        assert_eq!(content, expected);
    }
    assert!(client.is_alive());
}

/// A request's line with its authority, and its fields.
fn told(head: &RequestHead) -> (String, Vec<String>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let authority = text(head.authority.as_deref().unwrap_or(b"-"));
    let (method, target, version) = (&head.method, &head.target, &head.version);
    let fields = head.fields.iter();
    let fields = fields.map(|(name, value)| format!("{}={}", text(name), text(value)));
    let line = format!("{method} {target:?} {authority} {version:?}");
    (line, fields.collect())
}

#[test]
fn what_a_request_says_is_handed_on() {
    let (tell, heard) = seen();
    let server = Server::start(move |request| {
        let tell = tell.clone();
        Box::pin(async move {
            tell.send(told(&request.head)).unwrap();
            text_of(read(request.body).await)
        })
    });
    let mut client = Client::new(&server);
    let mut fields = request("POST", "/a?b=\"c\"");
    fields.extend([
        ("cookie", "a=1"),
        ("x-own", "Value \t here"),
        ("te", "Trailers"),
        ("cookie", "b=2"),
        ("content-length", "5"),
        ("x-own", ""),
    ]);
    client.begin(1, &fields);
    client.data(1, b"he", false);
    client.data(1, b"llo", true);
    assert_eq!(client.response(1).1, b"hello");
    let (line, fields) = heard.recv().unwrap();
    assert_eq!(line, r#"POST "/a?b=\"c\"" shop.test HTTP/2.0"#);
    let expected = [
        "x-own=Value \t here",
        "te=Trailers",
        "content-length=5",
        "x-own=",
        "cookie=a=1; b=2",
    ];
    assert_eq!(fields, expected);

    let connect = [(":method", "CONNECT"), (":authority", "a.test:443")];
    let mut options = request("OPTIONS", "*");
    options.truncate(3);
    options.push(("host", "b"));
    for (stream, fields, line, last) in [
        (
            3,
            &connect[..],
            r#"CONNECT "a.test:443" a.test:443 HTTP/2.0"#,
            None,
        ),
        (5, &options, r#"OPTIONS "*" - HTTP/2.0"#, Some("host=b")),
    ] {
        client.ask(stream, fields);
        client.response(stream);
        let (said, fields) = heard.recv().unwrap();
        assert_eq!(said, line);
        assert_eq!(fields.last().map(String::as_str), last);
    }
}

#[test]
fn padding_and_priority_and_continuation_are_understood() {
    let server = Server::plain();
    let mut client = Client::new(&server);
    let fields = block(&request("POST", "/"));
    let (first, rest) = fields.split_at(10);
    let (second, third) = rest.split_at(1);
    let padded = [&[4, 0x80, 0, 0, 9, 255], first, &[0; 4]].concat();
    client.frame(kind::HEADERS, flag::PADDED | flag::PRIORITY, 1, &padded);
    client.frame(kind::CONTINUATION, 0, 1, second);
    client.frame(kind::CONTINUATION, flag::END_HEADERS, 1, third);
    client.frame(kind::DATA, flag::PADDED, 1, b"\x03one\0\0\0");
    client.frame(kind::DATA, flag::PADDED, 1, b"\0two");
    client.frame(kind::DATA, flag::PADDED, 1, &[0]);
    client.frame(kind::DATA, flag::PADDED | flag::END_STREAM, 1, b"\x02\0\0");
    assert_eq!(client.response(1).1, b"onetwo");
}

#[test]
fn frames_may_come_byte_by_byte() {
    let server = Server::plain();
    let mut client = Client::mute(&server);
    let mut all = super::support::PREFACE.to_vec();
    all.extend(super::support::bytes(kind::SETTINGS, 0, 0, &[]));
    all.extend(super::support::bytes(
        kind::HEADERS,
        flag::END_HEADERS,
        1,
        &block(&request("POST", "/")),
    ));
    all.extend(super::support::bytes(
        kind::DATA,
        flag::PADDED,
        1,
        b"\x02abc\0\0",
    ));
    all.extend(super::support::bytes(
        kind::DATA,
        flag::END_STREAM,
        1,
        b"def",
    ));
    for byte in all {
        client.say(&[byte]);
    }
    assert_eq!(client.response(1).1, b"abcdef");
}

#[test]
fn heads_without_content_end_the_stream() {
    let server = Server::start(|request| {
        Box::pin(async move {
            let path = request.head.target.as_str().unwrap();
            let status = path.trim_start_matches('/').parse().unwrap();
            let mut response = ok(Content::Sized(7));
            response.head.status = StatusCode::from_u16(status).unwrap();
            response
        })
    });
    let mut client = Client::new(&server);
    for (stream, method, status, length) in [
        (1, "HEAD", "200", None),
        (3, "GET", "204", None),
        (5, "GET", "304", None),
        (7, "GET", "404", Some("7")),
    ] {
        client.ask(stream, &request(method, &format!("/{status}")));
        let got = client.until(|got| got.head.kind == kind::HEADERS);
        let fields = client.fields(&got);
        assert_eq!(
            got.head.has(flag::END_STREAM),
            length.is_none(),
            "{method} {status}"
        );
        assert_eq!(field(&fields, ":status"), Some(status));
        assert_eq!(field(&fields, "content-length"), length);
    }
}

#[test]
fn a_response_s_fields_are_written_in_lower_case_and_without_those_of_a_connection() {
    let server = Server::start(|_| {
        Box::pin(async {
            let mut response = text("x");
            response.head.fields = [
                ("Content-Type", "text/plain"),
                ("Connection", "close"),
                ("Keep-Alive", "timeout=5"),
                ("Transfer-Encoding", "chunked"),
                ("X-Own", "Value"),
                ("Set-Cookie", "a"),
                ("Set-Cookie", "b"),
            ]
            .into_iter()
            .collect();
            response
        })
    });
    let mut client = Client::new(&server);
    client.ask(1, &get("/"));
    let (fields, _) = client.response(1);
    let expected = [
        (":status", "200"),
        ("content-type", "text/plain"),
        ("x-own", "Value"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
    ];
    assert_eq!(
        fields,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn interim_responses_come_before_and_trailers_behind() {
    let server = Server::start(|request| {
        Box::pin(async move {
            for status in [StatusCode::EARLY_HINTS, StatusCode::SWITCHING_PROTOCOLS] {
                request.interim.send(ResponseHead::new(status));
            }
            let trailers: Fields = [("X-Sum", "7")].into_iter().collect();
            let frames = [Frame::Data("body".into()), Frame::Trailers(trailers)];
            ok(Content::Frames(frames.into()))
        })
    });
    let mut client = Client::new(&server);
    client.ask(1, &get("/"));
    let mut came = Vec::new();
    loop {
        let got = client.until(|got| got.head.stream == 1);
        let text = match got.head.kind {
            kind::HEADERS => {
                let (name, value) = client.fields(&got).remove(0);
                format!("{name}={value}")
            }
            _ => String::from_utf8(got.payload).unwrap(),
        };
        came.push((text, got.head.has(flag::END_STREAM)));
        if got.head.has(flag::END_STREAM) {
            break;
        }
    }
    let expected = [
        (":status=103", false),
        (":status=200", false),
        ("body", false),
        ("x-sum=7", true),
    ];
    assert_eq!(came, expected.map(|(text, end)| (text.to_owned(), end)));
}

#[test]
fn a_request_s_trailers_are_handed_on() {
    let (tell, told) = seen();
    let server = Server::start(move |request| {
        let tell = tell.clone();
        Box::pin(async move {
            let mut body = request.body;
            while let Some(frame) = crate::message::body::next(&mut body).await {
                if let Frame::Trailers(fields) = frame.unwrap() {
                    tell.send(fields.get("x-sum").map(<[u8]>::to_vec)).unwrap();
                }
            }
            text("x")
        })
    });
    let mut client = Client::new(&server);
    client.begin(1, &request("POST", "/"));
    client.data(1, b"abc", false);
    client.ask(1, &[("x-sum", "3")]);
    assert_eq!(client.response(1).1, b"x");
    assert_eq!(told.recv().unwrap(), Some(b"3".to_vec()));
}

#[test]
fn a_request_that_is_cancelled_is_dropped_with_all_that_was_done_for_it() {
    let (asked, wait) = seen();
    let (gone, over) = seen();
    let server = Server::start(move |request| {
        let (asked, guard) = (asked.clone(), Guard(gone.clone()));
        Box::pin(async move {
            asked.send(()).unwrap();
            if request.head.target.as_str() == Some("/body") {
                return ok(Content::Never { _guard: guard });
            }
            let _guard = guard;
            match never().await {}
        })
    });
    let mut client = Client::new(&server);
    for (stream, path) in [(1, "/head"), (3, "/body")] {
        client.ask(stream, &get(path));
        wait.recv().unwrap();
        if path == "/body" {
            assert_eq!(client.fate(), Fate::Answer(stream, "200".to_owned()));
        }
        client.frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        over.recv().unwrap();
    }
    // The end of the connection is the end of its requests.
    client.ask(5, &get("/head"));
    wait.recv().unwrap();
    drop(client);
    over.recv().unwrap();
}

#[test]
fn a_body_that_breaks_off_is_seen_to() {
    let server = Server::start(|_| Box::pin(async { ok(Content::Broken) }));
    let mut client = Client::new(&server);
    client.ask(1, &get("/"));
    assert_eq!(client.fate(), Fate::Answer(1, "200".to_owned()));
    assert_eq!(
        client.fate(),
        Fate::Reset(1, super::super::fault::Code::Internal)
    );
    assert!(client.is_alive());
}

#[test]
fn an_answer_before_the_request_s_end_ends_both() {
    let (tell, told) = seen();
    let kept = shared(None);
    let server = Server::start(move |request| {
        let (tell, kept) = (tell.clone(), kept.clone());
        Box::pin(async move {
            *kept.lock().unwrap() = Some(request.body);
            tell.send(()).unwrap();
            ok(Content::Sized(3))
        })
    });
    let mut client = Client::new(&server);
    client.begin(1, &request("POST", "/"));
    assert_eq!(client.fate(), Fate::Answer(1, "200".to_owned()));
    told.recv().unwrap();
    assert_eq!(
        client.fate(),
        Fate::Reset(1, super::super::fault::Code::NoError)
    );
    // What was on its way is passed over.
    client.data(1, b"late", false);
    client.ask(1, &[("x-late", "trailer")]);
    client.ask(3, &get("/"));
    assert_eq!(client.fate(), Fate::Answer(3, "200".to_owned()));
}

#[test]
fn many_streams_go_on_side_by_side() {
    let server = Server::plain();
    let mut client = Client::new(&server);
    let sizes: BTreeMap<u32, usize> = (0..50)
        .map(|at| (2 * at + 1, 100 + 37 * usize::try_from(at).unwrap()))
        .collect();
    for (stream, size) in &sizes {
        client.ask(*stream, &get(&format!("/{size}")));
    }
    let mut came: BTreeMap<u32, usize> = BTreeMap::new();
    let mut ended = 0;
    while ended < sizes.len() {
        let got = client.until(|got| got.head.stream > 0);
        match got.head.kind {
            kind::HEADERS => drop(client.fields(&got)),
            kind::DATA => *came.entry(got.head.stream).or_default() += got.payload.len(),
            _ => panic!("{got:?}"),
        }
        ended += usize::from(got.head.has(flag::END_STREAM));
    }
    assert_eq!(came, sizes);
}
