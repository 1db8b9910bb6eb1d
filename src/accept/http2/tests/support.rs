//! A client that says every frame itself.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::super::fault::Code;
use super::super::frame::{self, Head, flag, kind};
use super::super::hpack::{Decoder, Field, integer};
use super::server::Server;

/// Longer than anything takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) head: Head,
    pub(super) payload: Vec<u8>,
}

/// What happens to a request or a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A response came on the stream.
    Answer(u32, String),
    /// The stream was reset.
    Reset(u32, Code),
    /// The connection ended with GOAWAY.
    Goaway(Code),
}

pub(super) struct Client {
    pub(super) stream: TcpStream,
    decoder: Decoder,
}

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The fields of a GET.
pub(super) fn get(path: &str) -> Vec<(&str, &str)> {
    request("GET", path)
}

pub(super) fn request<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (":method", method),
        (":scheme", "https"),
        (":path", path),
        (":authority", "shop.test"),
    ]
}

/// Literals without indexing, without Huffman.
pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for part in [name, value] {
            integer(&mut out, 0, 7, part.len());
            out.extend_from_slice(part.as_bytes());
        }
    }
    out
}

impl Client {
    /// Connected, and nothing said.
    pub(super) fn mute(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            decoder: Decoder::new(),
        }
    }

    /// The preface is said, with these settings, and the server's settings are read.
    pub(super) fn with(server: &Server, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::mute(server);
        let mut out = PREFACE.to_vec();
        frame::settings(&mut out, settings);
        frame::settings_ack(&mut out);
        client.say(&out);
        client.until(|got| got.head.kind == kind::SETTINGS && got.head.has(flag::ACK));
        client
    }

    pub(super) fn new(server: &Server) -> Self {
        Self::with(server, &[])
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(super) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.say(&bytes(kind, flags, stream, payload));
    }

    /// A request whose head is all of it.
    pub(super) fn ask(&mut self, stream: u32, fields: &[(&str, &str)]) {
        let flags = flag::END_HEADERS | flag::END_STREAM;
        self.frame(kind::HEADERS, flags, stream, &block(fields));
    }

    /// A request that goes on.
    pub(super) fn begin(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.frame(kind::HEADERS, flag::END_HEADERS, stream, &block(fields));
    }

    pub(super) fn data(&mut self, stream: u32, data: &[u8], end: bool) {
        let flags = if end { flag::END_STREAM } else { 0 };
        self.frame(kind::DATA, flags, stream, data);
    }

    pub(super) fn window(&mut self, stream: u32, by: u32) {
        self.frame(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    }

    pub(super) fn ping(&mut self, payload: [u8; 8]) {
        self.frame(kind::PING, 0, 0, &payload);
    }

    /// The next frame; none at the end of the connection.
    pub(super) fn next(&mut self) -> Option<Got> {
        let mut head = [0; frame::HEAD];
        let mut have = 0;
        while have < head.len() {
            match self.stream.read(&mut head[have..]) {
                Ok(0) if have == 0 => return None,
                Ok(length) if length > 0 => have += length,
                broken => panic!("a frame ends early: {broken:?}"),
            }
        }
        let head = Head::parse(&head).unwrap();
        let mut payload = vec![0; head.length];
        self.stream.read_exact(&mut payload).unwrap();
        Some(Got { head, payload })
    }

    /// The first frame for which this holds.
    pub(super) fn until(&mut self, mut holds: impl FnMut(&Got) -> bool) -> Got {
        loop {
            let got = self.next().expect("the connection goes on");
            if holds(&got) {
                return got;
            }
        }
    }

    /// The fields of a HEADERS frame. Every one has to be read, in their order.
    pub(super) fn fields(&mut self, got: &Got) -> Vec<(String, String)> {
        assert_eq!(got.head.kind, kind::HEADERS);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut fields = Vec::new();
        let put = |field: Field<'_>| fields.push((text(field.text), text(field.value)));
        assert_eq!(self.decoder.decode(&got.payload, put), Ok(()));
        fields
    }

    /// The whole response on this stream: its head's fields and its content.
    pub(super) fn response(&mut self, stream: u32) -> (Vec<(String, String)>, Vec<u8>) {
        let mut got =
            self.until(|got| got.head.stream == stream && got.head.kind != kind::WINDOW_UPDATE);
        let fields = self.fields(&got);
        let mut content = Vec::new();
        while !got.head.has(flag::END_STREAM) {
            got =
                self.until(|got| got.head.stream == stream && got.head.kind != kind::WINDOW_UPDATE);
            assert_ne!(got.head.kind, kind::RST_STREAM, "{got:?}");
            if got.head.kind == kind::DATA {
                content.extend_from_slice(&got.payload);
            }
        }
        (fields, content)
    }

    /// What happens next to any stream, or to the connection.
    pub(super) fn fate(&mut self) -> Fate {
        let got = self.until(|got| {
            matches!(
                got.head.kind,
                kind::HEADERS | kind::RST_STREAM | kind::GOAWAY
            )
        });
        match got.head.kind {
            kind::HEADERS => {
                let fields = self.fields(&got);
                Fate::Answer(got.head.stream, fields[0].1.clone())
            }
            kind::RST_STREAM => Fate::Reset(got.head.stream, code(&got.payload)),
            _ => Fate::Goaway(code(&got.payload[4..])),
        }
    }

    /// Whether the connection ends without a further frame.
    pub(super) fn is_over(&mut self) -> bool {
        self.next().is_none()
    }

    /// Whether the connection still answers.
    pub(super) fn is_alive(&mut self) -> bool {
        self.ping(*b"question");
        self.until(|got| got.head.kind == kind::PING).payload == b"question"
    }
}

pub(super) fn bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let head = Head {
        length: payload.len(),
        kind,
        flags,
        stream,
    };
    [&head.bytes()[..], payload].concat()
}

fn code(payload: &[u8]) -> Code {
    const ALL: [Code; 12] = [
        Code::NoError,
        Code::Protocol,
        Code::Internal,
        Code::FlowControl,
        Code::SettingsTimeout,
        Code::StreamClosed,
        Code::FrameSize,
        Code::RefusedStream,
        Code::Cancel,
        Code::Compression,
        Code::Connect,
        Code::EnhanceYourCalm,
    ];
    let number = u32::from_be_bytes(payload[..4].try_into().unwrap());
    let named = ALL.into_iter().find(|code| code.number() == number);
    named.unwrap_or_else(|| panic!("code {number}"))
}
