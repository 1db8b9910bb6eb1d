//! What breaks a rule of RFC 9113 by its value, and how a connection begins.

use super::super::fault::Code;
use super::super::frame::{flag, kind};
use super::rules::{ALL, check, data, goaway, open, reset, service, update};
use super::server::Server;
use super::support::{Client, Fate, PREFACE, block, bytes, get, request};

fn setting(name: u16, value: u32) -> Vec<u8> {
    let payload = [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    bytes(kind::SETTINGS, 0, 0, &payload)
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
fn what_is_malformed_is_so_again_by_its_index() {
    let server = Server::start(service);
    let mut client = Client::new(&server);
    // Into the table, as literals: a value and a name that may not be.
    let bad = [
        &[0x40, 1, b'x', 2, b' ', b'y'][..],
        &[0x40, 1, b'X', 1, b'y'],
    ]
    .concat();
    let first = [block(&get("/1")), bad].concat();
    client.frame(kind::HEADERS, ALL, 1, &first);
    assert_eq!(client.fate(), reset(Code::Protocol));
    for (stream, index) in [(3, 62), (5, 63)] {
        let again = [block(&get("/1")), vec![0x80 | index]].concat();
        client.frame(kind::HEADERS, ALL, stream, &again);
        assert_eq!(client.fate(), Fate::Reset(stream, Code::Protocol));
    }
    client.ask(7, &get("/1"));
    assert_eq!(client.fate(), Fate::Answer(7, "200".to_owned()));
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
        ("no preface", hello),
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
