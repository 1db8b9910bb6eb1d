//! A response on its way: its head, and its body as its framing asks (RFC 9112 §6).

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;

use super::framing::{self, Form};
use super::writer::{Tail, Writer, decimal};
use crate::message::{Body, Fields, Frame, ResponseHead, chunked};
use crate::wire::Stream;

const CRLF: Tail = b"\r\n";
/// Behind the last chunk's data, where no trailers follow.
const LAST: Tail = b"\r\n0\r\n\r\n";

/// Why an answer was not written to its end.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection is broken.
    Connection(io::Error),
    /// The body broke off, or does not have the length that its head told.
    Truncated,
}

/// How the end of an answer's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There is no body.
    Nothing,
    /// So many bytes are to come.
    Length(u64),
    /// The last chunk.
    Chunks,
    /// The connection's end.
    Close,
}

/// A body being written.
#[derive(Debug)]
pub(super) struct Answer<B> {
    /// None: its end was seen.
    body: Option<B>,
    ending: Ending,
    /// The client takes trailers.
    trailers: bool,
    /// To be written when all before is.
    last: Option<Fields>,
    truncated: bool,
}

/// Writes an interim response's head.
pub(super) fn interim(mut head: ResponseHead, out: &mut Vec<u8>) {
    let seen = Seen::look(&head.fields);
    seen.strip(&mut head.fields);
    head.fields.remove("content-length");
    status_line(&head, out);
    head.fields.write(out);
    out.extend_from_slice(b"\r\n");
}

/// Writes a response's head; how its body is to end, and whether the connection stays open
/// behind it, which it may if `keep`.
pub(super) fn head<B: Body>(
    head: &mut ResponseHead,
    body: &B,
    form: Form,
    keep: bool,
    out: &mut Vec<u8>,
) -> (Ending, bool) {
    let seen = Seen::look(&head.fields);
    seen.strip(&mut head.fields);
    let none = head.status.is_informational() || head.status == StatusCode::NO_CONTENT;
    let told = seen.length(&mut head.fields, none);
    let bodiless = none || form.head || head.status == StatusCode::NOT_MODIFIED;
    let ending = match (told, body.left()) {
        _ if bodiless => Ending::Nothing,
        (Some(length), _) | (None, Some(length)) => Ending::Length(length),
        (None, None) if form.old => Ending::Close,
        (None, None) => Ending::Chunks,
    };
    let keep = keep && !seen.close && ending != Ending::Close;
    out.reserve(64 + head.fields.written());
    status_line(head, out);
    head.fields.write(out);
    match ending {
        Ending::Length(length) if told.is_none() => {
            out.extend_from_slice(b"Content-Length: ");
            decimal(length, out);
            out.extend_from_slice(b"\r\n");
        }
        Ending::Chunks => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Ending::Nothing | Ending::Length(_) | Ending::Close => {}
    }
    let connection: &[u8] = match (keep, form.old) {
        _ if head.status == StatusCode::SWITCHING_PROTOCOLS => b"Connection: Upgrade\r\n\r\n",
        (true, false) => b"\r\n",
        (true, true) => b"Connection: keep-alive\r\n\r\n",
        (false, _) => b"Connection: close\r\n\r\n",
    };
    out.extend_from_slice(connection);
    (ending, keep)
}

fn status_line(head: &ResponseHead, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(head.status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.reason());
    out.extend_from_slice(b"\r\n");
}

/// What the service's fields say of framing.
#[derive(Default)]
struct Seen {
    lengths: usize,
    /// Fields that are the connection's, not the answer's.
    hop: bool,
    close: bool,
}

impl Seen {
    fn look(fields: &Fields) -> Self {
        let mut seen = Self::default();
        for (name, value) in fields.iter() {
            match name.len() {
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    seen.hop = true;
                    seen.close |= framing::has(value, b"close");
                }
                10 if name.eq_ignore_ascii_case(b"keep-alive") => seen.hop = true,
                14 if name.eq_ignore_ascii_case(b"content-length") => seen.lengths += 1,
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => seen.hop = true,
                _ => {}
            }
        }
        seen
    }

    fn strip(&self, fields: &mut Fields) {
        if self.hop {
            fields.remove("connection");
            fields.remove("keep-alive");
            fields.remove("transfer-encoding");
        }
    }

    /// The one length that the fields tell; what is none, or must not be there, is removed.
    fn length(&self, fields: &mut Fields, none: bool) -> Option<u64> {
        if self.lengths == 0 {
            return None;
        }
        let told = fields.get("content-length").and_then(framing::decimal);
        if told.is_none() || self.lengths > 1 || none {
            fields.remove("content-length");
            return None;
        }
        told
    }
}

impl<B: Body> Answer<B> {
    /// To be written behind its head.
    pub(super) fn new(body: B, ending: Ending, trailers: bool) -> Self {
        Self {
            body: (ending != Ending::Nothing).then_some(body),
            ending,
            trailers,
            last: None,
            truncated: false,
        }
    }

    /// Whether only the connection's end tells the body's.
    pub(super) fn ends_by_close(&self) -> bool {
        self.ending == Ending::Close
    }

    /// Ready when all of it is with the kernel. What is there is written at once, and in one
    /// go with what was put into `writer` before.
    ///
    /// # Errors
    /// It will never be whole.
    pub(super) fn poll(
        &mut self,
        writer: &mut Writer,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        loop {
            let waits = self.gather(writer, cx);
            let Poll::Ready(written) = writer.poll(stream, cx) else {
                // The client may want to be rid of its own body before it reads ours.
                if let Some(body) = &mut self.body {
                    body.advance(cx);
                }
                return Poll::Pending;
            };
            written.map_err(Fault::Connection)?;
            if self.truncated {
                return Poll::Ready(Err(Fault::Truncated));
            }
            if waits {
                return Poll::Pending;
            }
            if self.body.is_none() && self.last.is_none() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Puts into `writer` what the body has; whether the body makes us wait.
    fn gather(&mut self, writer: &mut Writer, cx: &mut Context<'_>) -> bool {
        while let Some(room) = writer.room() {
            if let Some(trailers) = self.last.take() {
                chunked::finish(&trailers, room);
            }
            let Some(body) = &mut self.body else {
                return false;
            };
            match body.poll_frame(cx) {
                Poll::Pending => return true,
                Poll::Ready(Some(Ok(Frame::Data(data)))) => self.data(data, writer),
                Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => self.end(trailers, writer),
                Poll::Ready(None) => self.end(Fields::default(), writer),
                Poll::Ready(Some(Err(_broken))) => self.cut(),
            }
        }
        false
    }

    fn data(&mut self, mut data: Bytes, writer: &mut Writer) {
        match &mut self.ending {
            Ending::Nothing => {}
            Ending::Close => writer.put(data, b""),
            Ending::Chunks if data.is_empty() => {}
            Ending::Chunks => {
                if let Some(room) = writer.room() {
                    chunked::begin(data.len(), room);
                }
                writer.put(data, CRLF);
            }
            Ending::Length(left) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let Some(after) = left.checked_sub(length) else {
                    // More than its head told would be read as the next answer.
                    data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    writer.put(data, b"");
                    self.cut();
                    return;
                };
                *left = after;
                writer.put(data, b"");
            }
        }
        if self.body.as_ref().is_some_and(Body::is_end) {
            self.end(Fields::default(), writer);
        }
    }

    fn end(&mut self, trailers: Fields, writer: &mut Writer) {
        match self.ending {
            Ending::Length(1..) => return self.cut(),
            Ending::Nothing | Ending::Length(0) | Ending::Close => {}
            Ending::Chunks if self.trailers && !trailers.is_empty() => self.last = Some(trailers),
            Ending::Chunks if writer.extend_tail(LAST) => {}
            Ending::Chunks => self.last = Some(Fields::default()),
        }
        self.body = None;
    }

    fn cut(&mut self) {
        self.truncated = true;
        self.body = None;
    }
}
