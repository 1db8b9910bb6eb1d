//! What breaks a rule of RFC 9113, and what that costs.

use super::super::fault::Code;
use super::super::frame::{flag, kind};
use super::support::{
    Answer, Client, Fate, PREFACE, Server, block, bytes, get, never, plain, request,
};
use crate::message::Request;

const ALL: u8 = flag::END_HEADERS | flag::END_STREAM;

/// `/wait` is never answered.
fn service(request: Request) -> Answer {
    Box::pin(async move {
        if request.head.target.as_str() == Some("/wait") {
            let _body = request.body;
            match never().await {}
        }
        plain(request)
    })
}

fn goaway(code: Code) -> Fate {
    Fate::Goaway(code)
}

fn reset(code: Code) -> Fate {
    Fate::Reset(1, code)
}

/// What is said on a connection that has been greeted, and what comes of it.
type Case = (&'static str, Vec<Vec<u8>>, Fate);

fn check(cases: Vec<Case>) {
    let server = Server::start(service);
    for (what, frames, expected) in cases {
        let mut client = Client::new(&server);
        client.say(&frames.concat());
        let got = client.fate();
        assert_eq!(got, expected, "{what}");
        match got {
            Fate::Goaway(_) => assert!(client.is_over(), "{what}"),
            _ => assert!(client.is_alive(), "{what}"),
        }
    }
}

/// A stream that is open, half-closed by the client, or over.
fn open() -> Vec<u8> {
    bytes(
        kind::HEADERS,
        flag::END_HEADERS,
        1,
        &block(&request("POST", "/wait")),
    )
}

fn half_closed() -> Vec<u8> {
    bytes(kind::HEADERS, ALL, 1, &block(&get("/wait")))
}

fn cancelled() -> Vec<u8> {
    [half_closed(), bytes(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat()
}

fn headers(stream: u32) -> Vec<u8> {
    bytes(kind::HEADERS, ALL, stream, &block(&get("/wait")))
}

fn data(flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    bytes(kind::DATA, flags, stream, payload)
}

fn update(stream: u32, by: u32) -> Vec<u8> {
    bytes(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

fn setting(name: u16, value: u32) -> Vec<u8> {
    let payload = [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    bytes(kind::SETTINGS, 0, 0, &payload)
}

#[test]
fn a_frame_has_its_size() {
    let size = || goaway(Code::FrameSize);
    let at = |kind, stream, length| bytes(kind, 0, stream, &vec![0; length]);
    check(vec![
        ("too large", vec![at(kind::PING, 0, 16_385)], size()),
        ("too large, unknown", vec![at(0xff, 0, 16_385)], size()),
        (
            "too large, DATA",
            vec![open(), at(kind::DATA, 1, 16_385)],
            size(),
        ),
        ("PING of 7", vec![at(kind::PING, 0, 7)], size()),
        ("PING of 9", vec![at(kind::PING, 0, 9)], size()),
        (
            "RST_STREAM of 3",
            vec![open(), at(kind::RST_STREAM, 1, 3)],
            size(),
        ),
        ("SETTINGS of 5", vec![at(kind::SETTINGS, 0, 5)], size()),
        (
            "SETTINGS ACK of 6",
            vec![bytes(kind::SETTINGS, flag::ACK, 0, &[0; 6])],
            size(),
        ),
        (
            "WINDOW_UPDATE of 3",
            vec![at(kind::WINDOW_UPDATE, 0, 3)],
            size(),
        ),
        (
            "WINDOW_UPDATE of 5",
            vec![open(), at(kind::WINDOW_UPDATE, 1, 5)],
            size(),
        ),
        ("GOAWAY of 7", vec![at(kind::GOAWAY, 0, 7)], size()),
        ("PRIORITY of 4", vec![at(kind::PRIORITY, 1, 4)], size()),
        (
            "HEADERS without its priority",
            vec![bytes(kind::HEADERS, ALL | flag::PRIORITY, 1, &[0; 4])],
            size(),
        ),
    ]);
}

#[test]
fn a_frame_stands_on_its_stream() {
    let protocol = || goaway(Code::Protocol);
    let at = |kind, stream, length| bytes(kind, 0, stream, &vec![0; length]);
    check(vec![
        ("DATA on 0", vec![data(0, 0, b"x")], protocol()),
        ("HEADERS on 0", vec![headers(0)], protocol()),
        ("HEADERS on 2", vec![headers(2)], protocol()),
        ("PRIORITY on 0", vec![at(kind::PRIORITY, 0, 5)], protocol()),
        (
            "RST_STREAM on 0",
            vec![at(kind::RST_STREAM, 0, 4)],
            protocol(),
        ),
        ("SETTINGS on 1", vec![at(kind::SETTINGS, 1, 0)], protocol()),
        ("PING on 1", vec![at(kind::PING, 1, 8)], protocol()),
        ("GOAWAY on 1", vec![at(kind::GOAWAY, 1, 8)], protocol()),
        (
            "PUSH_PROMISE",
            vec![open(), at(kind::PUSH_PROMISE, 1, 4)],
            protocol(),
        ),
        ("DATA on an idle one", vec![data(0, 1, b"x")], protocol()),
        (
            "DATA on an even one",
            vec![headers(3), data(0, 2, b"x")],
            protocol(),
        ),
        (
            "RST_STREAM on an idle one",
            vec![at(kind::RST_STREAM, 1, 4)],
            protocol(),
        ),
        (
            "WINDOW_UPDATE on an idle one",
            vec![update(1, 1)],
            protocol(),
        ),
        ("a lower stream", vec![headers(5), headers(3)], protocol()),
        (
            "CONTINUATION on 0",
            vec![at(kind::CONTINUATION, 0, 4)],
            protocol(),
        ),
        (
            "CONTINUATION of nothing",
            vec![open(), at(kind::CONTINUATION, 1, 4)],
            protocol(),
        ),
    ]);
}

#[test]
fn a_header_block_is_not_interrupted() {
    let protocol = || goaway(Code::Protocol);
    let begun = || bytes(kind::HEADERS, flag::END_STREAM, 1, &block(&get("/")));
    check(vec![
        (
            "by DATA",
            vec![open(), bytes(kind::HEADERS, 0, 1, &[]), data(0, 1, b"x")],
            protocol(),
        ),
        (
            "by PING",
            vec![begun(), bytes(kind::PING, 0, 0, &[0; 8])],
            protocol(),
        ),
        (
            "by an unknown frame",
            vec![begun(), bytes(0xfa, 0, 0, &[])],
            protocol(),
        ),
        ("by HEADERS", vec![begun(), headers(1)], protocol()),
        (
            "by another's CONTINUATION",
            vec![begun(), bytes(kind::CONTINUATION, 4, 3, &[])],
            protocol(),
        ),
        (
            "and cannot be read",
            vec![bytes(kind::HEADERS, ALL, 1, &[0x80])],
            goaway(Code::Compression),
        ),
    ]);
}

#[test]
fn a_stream_takes_what_its_state_allows() {
    let closed = || reset(Code::StreamClosed);
    let trailer = || block(&[("x", "y")]);
    check(vec![
        (
            "DATA on a half-closed one",
            vec![half_closed(), data(0, 1, b"x")],
            closed(),
        ),
        (
            "HEADERS on a half-closed one",
            vec![half_closed(), bytes(kind::HEADERS, ALL, 1, &trailer())],
            closed(),
        ),
        (
            "DATA on a cancelled one",
            vec![cancelled(), data(0, 1, b"x")],
            closed(),
        ),
        (
            "HEADERS on a cancelled one",
            vec![cancelled(), headers(1)],
            goaway(Code::StreamClosed),
        ),
        (
            "trailers without an end",
            vec![
                open(),
                bytes(kind::HEADERS, flag::END_HEADERS, 1, &trailer()),
            ],
            reset(Code::Protocol),
        ),
        (
            "a second head",
            vec![open(), headers(1)],
            reset(Code::Protocol),
        ),
        (
            "frames on a cancelled one that may come",
            vec![
                cancelled(),
                update(1, 1),
                bytes(kind::RST_STREAM, 0, 1, &[0; 4]),
                bytes(kind::PRIORITY, 0, 1, &[0; 5]),
                bytes(kind::HEADERS, ALL, 3, &block(&get("/1"))),
            ],
            Fate::Answer(3, "200".to_owned()),
        ),
    ]);
}

#[test]
fn padding_fits_into_its_frame() {
    let padded = flag::PADDED | ALL;
    check(vec![
        (
            "DATA",
            vec![open(), data(flag::PADDED, 1, &[3, 0, 0])],
            goaway(Code::Protocol),
        ),
        (
            "DATA without its length",
            vec![open(), data(flag::PADDED, 1, &[]), headers(3)],
            goaway(Code::Protocol),
        ),
        (
            "HEADERS",
            vec![bytes(kind::HEADERS, padded, 1, &[5, 0x82, 0, 0])],
            goaway(Code::Protocol),
        ),
        (
            "HEADERS without its length",
            vec![bytes(kind::HEADERS, padded, 1, &[])],
            goaway(Code::Protocol),
        ),
    ]);
}

#[test]
fn settings_are_in_their_range() {
    check(vec![
        ("ENABLE_PUSH", vec![setting(2, 2)], goaway(Code::Protocol)),
        (
            "INITIAL_WINDOW_SIZE",
            vec![setting(4, 0x8000_0000)],
            goaway(Code::FlowControl),
        ),
        (
            "MAX_FRAME_SIZE, small",
            vec![setting(5, 16_383)],
            goaway(Code::Protocol),
        ),
        (
            "MAX_FRAME_SIZE, large",
            vec![setting(5, 16_777_216)],
            goaway(Code::Protocol),
        ),
        (
            "what is allowed or unknown",
            vec![
                setting(1, 0),
                setting(2, 1),
                setting(3, 0),
                setting(4, 0x7fff_ffff),
                setting(5, 16_777_215),
                setting(6, 0),
                setting(8, 1),
                setting(0xff, 7),
                bytes(kind::HEADERS, ALL, 1, &block(&get("/1"))),
            ],
            Fate::Answer(1, "200".to_owned()),
        ),
    ]);
}

#[test]
fn windows_grow_by_something_and_not_too_far() {
    let full = 0x7fff_ffff - 65_535;
    check(vec![
        (
            "the connection's by 0",
            vec![update(0, 0)],
            goaway(Code::Protocol),
        ),
        (
            "a stream's by 0",
            vec![open(), update(1, 0)],
            reset(Code::Protocol),
        ),
        (
            "the connection's too far",
            vec![update(0, full), update(0, 1)],
            goaway(Code::FlowControl),
        ),
        (
            "a stream's too far",
            vec![open(), update(1, full), update(1, 1)],
            reset(Code::FlowControl),
        ),
        (
            "a stream's too far by a setting",
            vec![open(), update(1, full), setting(4, 65_536)],
            goaway(Code::FlowControl),
        ),
        (
            "as far as they can",
            vec![
                update(0, full),
                open(),
                update(1, full),
                setting(4, 0),
                setting(4, 65_535),
                bytes(kind::HEADERS, ALL, 3, &block(&get("/1"))),
            ],
            Fate::Answer(3, "200".to_owned()),
        ),
    ]);
}

#[test]
fn a_body_is_as_long_as_its_head_says() {
    let post = |length: &'static str| {
        let mut fields = request("POST", "/wait");
        fields.push(("content-length", length));
        bytes(kind::HEADERS, flag::END_HEADERS, 1, &block(&fields))
    };
    let none = || {
        let mut fields = get("/");
        fields.push(("content-length", "1"));
        bytes(kind::HEADERS, ALL, 1, &block(&fields))
    };
    let protocol = || reset(Code::Protocol);
    check(vec![
        ("more", vec![post("2"), data(0, 1, b"abc")], protocol()),
        (
            "less",
            vec![post("4"), data(flag::END_STREAM, 1, b"abc")],
            protocol(),
        ),
        (
            "less, with trailers",
            vec![
                post("4"),
                data(0, 1, b"abc"),
                bytes(kind::HEADERS, ALL, 1, &block(&[("x", "y")])),
            ],
            protocol(),
        ),
        ("none", vec![none()], protocol()),
        (
            "padding counts for nothing",
            vec![
                post("3"),
                data(flag::PADDED | flag::END_STREAM, 1, b"\x02abc\0\0"),
                bytes(kind::HEADERS, ALL, 3, &block(&get("/1"))),
            ],
            Fate::Answer(3, "200".to_owned()),
        ),
    ]);
}

#[test]
fn a_malformed_request_costs_its_stream() {
    let malformed = |name, value| {
        let mut fields = get("/");
        fields.push((name, value));
        vec![bytes(kind::HEADERS, ALL, 1, &block(&fields))]
    };
    let server = Server::start(service);
    let fields = [
        ("Upper", "x"),
        ("connection", "close"),
        (":path", "/"),
        ("x", "a\nb"),
    ];
    let before = fields.len();
    for (name, value) in fields {
        let mut client = Client::new(&server);
        client.say(&malformed(name, value).concat());
        assert_eq!(client.fate(), reset(Code::Protocol), "{name}");
        client.ask(3, &get("/1"));
        assert_eq!(client.fate(), Fate::Answer(3, "200".to_owned()));
    }
    assert_eq!(server.refused(), u64::try_from(before).unwrap());
}

#[test]
fn a_connection_begins_with_the_preface_and_settings() {
    let server = Server::start(service);
    let hello = bytes(kind::SETTINGS, 0, 0, &[]);
    for (what, said) in [
        (
            "HTTP/1.1",
            b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n".to_vec(),
        ),
        ("a wrong end", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\t".to_vec()),
        (
            "another frame",
            [PREFACE, &bytes(kind::PING, 0, 0, &[0; 8])].concat(),
        ),
        (
            "an acknowledgement",
            [PREFACE, &bytes(kind::SETTINGS, flag::ACK, 0, &[])].concat(),
        ),
        ("no preface", hello.clone()),
    ] {
        let mut client = Client::mute(&server);
        client.say(&said);
        assert_eq!(client.fate(), goaway(Code::Protocol), "{what}");
        assert!(client.is_over(), "{what}");
    }
}

#[test]
fn what_is_unknown_is_passed_over() {
    let server = Server::start(service);
    let mut client = Client::new(&server);
    client.frame(0x10, 0xff, 0, b"PRIORITY_UPDATE");
    client.frame(0xef, 0xff, 1, b"");
    client.frame(kind::PING, flag::ACK | 0xf0, 0, &[0; 8]);
    client.frame(kind::PRIORITY, 0, 7, &[0, 0, 0, 7, 1]);
    client.frame(
        kind::HEADERS,
        ALL | 0xd2 & !flag::PADDED & !flag::PRIORITY,
        9,
        &block(&get("/1")),
    );
    assert_eq!(client.fate(), Fate::Answer(9, "200".to_owned()));
}

#[test]
fn our_settings_are_told_first() {
    let server = Server::start(service);
    let mut client = Client::mute(&server);
    client.say(PREFACE);
    let got = client.next().unwrap();
    assert_eq!((got.head.kind, got.head.flags), (kind::SETTINGS, 0));
    let told: Vec<(u16, u32)> = got
        .payload
        .chunks(6)
        .map(|setting| {
            let (name, value) = setting.split_at(2);
            let name = u16::from_be_bytes(name.try_into().unwrap());
            (name, u32::from_be_bytes(value.try_into().unwrap()))
        })
        .collect();
    assert_eq!(told, [(3, 128), (4, 262_144), (6, 16_384), (8, 1), (9, 1)]);
    let got = client.next().unwrap();
    assert_eq!(got.head.kind, kind::WINDOW_UPDATE);
    assert_eq!(got.payload, (1_048_576_u32 - 65_535).to_be_bytes());
}
