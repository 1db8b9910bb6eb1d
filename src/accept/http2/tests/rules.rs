//! What breaks a rule of RFC 9113, and what that costs.

use super::super::fault::Code;
use super::super::frame::{flag, kind};
use super::server::{Answer, Server, never, plain};
use super::support::{Client, Fate, block, bytes, get, request};
use crate::message::Request;

pub(super) const ALL: u8 = flag::END_HEADERS | flag::END_STREAM;

/// `/wait` is never answered.
pub(super) fn service(request: Request) -> Answer {
    Box::pin(async move {
        if request.head.target.as_str() == Some("/wait") {
            let _body = request.body;
            match never().await {}
        }
        plain(request)
    })
}

pub(super) fn goaway(code: Code) -> Fate {
    Fate::Goaway(code)
}

pub(super) fn reset(code: Code) -> Fate {
    Fate::Reset(1, code)
}

/// What is said on a connection that has been greeted, and what comes of it.
pub(super) type Case = (&'static str, Vec<Vec<u8>>, Fate);

pub(super) fn check(cases: Vec<Case>) {
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
pub(super) fn open() -> Vec<u8> {
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

pub(super) fn headers(stream: u32) -> Vec<u8> {
    bytes(kind::HEADERS, ALL, stream, &block(&get("/wait")))
}

pub(super) fn data(flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    bytes(kind::DATA, flags, stream, payload)
}

pub(super) fn update(stream: u32, by: u32) -> Vec<u8> {
    bytes(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
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
            vec![open(), data(flag::PADDED, 1, &[])],
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
