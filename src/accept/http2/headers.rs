//! Header blocks: requests, and the trailers behind their data (RFC 9113 §6.2, §6.10, §8.1).

use bytes::Bytes;
use http::{Method, StatusCode};
use tracing::debug;

use super::fault::{Code, Fault, protocol, size};
use super::flow::Window;
use super::frame::{self, Head, flag};
use super::past::End;
use super::request::{self, Asked, Verdict};
use super::settings::STREAMS;
use super::stream::{Stream, Upload, Work};
use super::{Connection, Service, hpack};
use crate::message::incoming::pipe;
use crate::message::{Incoming, Request, ResponseHead};

/// A header block that goes on in further frames.
pub(super) struct Block {
    pub(super) stream: u32,
    end: bool,
    bytes: Vec<u8>,
    frames: usize,
}

/// Frames of one block, beyond those that its bytes need.
const FRAMES: usize = 16;

/// The block cannot be read, and none behind it.
impl From<hpack::Fault> for Fault {
    fn from(hpack::Fault(why): hpack::Fault) -> Self {
        Self::Connection(Code::Compression, why)
    }
}

impl<S: Service> Connection<S> {
    /// A HEADERS frame. Priorities are passed over (RFC 9113 §5.3.2).
    pub(super) fn headers(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream.is_multiple_of(2) {
            return Err(protocol("HEADERS on a stream that no client can open"));
        }
        let mut fragment = frame::unpadded(head, payload).ok_or(protocol("too much padding"))?;
        if head.has(flag::PRIORITY) {
            fragment = fragment
                .get(5..)
                .ok_or(size("HEADERS without its priority"))?;
        }
        let end = head.has(flag::END_STREAM);
        if head.has(flag::END_HEADERS) {
            return self.block(head.stream, end, fragment);
        }
        self.intake.block = Some(Block {
            stream: head.stream,
            end,
            bytes: fragment.to_vec(),
            frames: 1,
        });
        Ok(())
    }

    /// A CONTINUATION frame of the block under way.
    pub(super) fn continuation(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let Some(block) = &mut self.intake.block else {
            return Err(protocol("CONTINUATION continues nothing"));
        };
        block.bytes.extend_from_slice(payload);
        block.frames += 1;
        // Twice the limit is read to its end, so that the connection survives the refusal.
        let most = self.intake.limits.bytes.saturating_mul(2) + frame::LARGEST;
        let frames = FRAMES + block.bytes.len() / 1024;
        if block.bytes.len() > most || block.frames > frames {
            self.link.refused();
            let why = "a header block does not end";
            return Err(Fault::Connection(Code::EnhanceYourCalm, why));
        }
        if !head.has(flag::END_HEADERS) {
            return Ok(());
        }
        match self.intake.block.take() {
            Some(block) => self.block(block.stream, block.end, &block.bytes),
            None => Ok(()),
        }
    }

    /// A whole header block.
    fn block(&mut self, id: u32, end: bool, block: &[u8]) -> Result<(), Fault> {
        if let Some(at) = self.streams.find(id) {
            return self.trailers((at, id), end, block);
        }
        if id > self.link.last {
            self.link.last = id;
            return self.open(id, end, block);
        }
        match self.link.past.end(id) {
            End::Ours => {
                request::nothing(&mut self.intake.decoder, block)?;
                Ok(self.link.budget.frame()?)
            }
            End::Theirs => {
                let why = "HEADERS on a stream that is over";
                Err(Fault::Connection(Code::StreamClosed, why))
            }
            End::Unknown => Err(protocol("a stream below the highest was opened")),
        }
    }

    fn trailers(&mut self, stream: (usize, u32), end: bool, block: &[u8]) -> Result<(), Fault> {
        let (at, id) = stream;
        let limits = self.intake.limits;
        let verdict = request::trailers(&mut self.intake.decoder, block, limits)?;
        let fault = |code| Err(Fault::Stream(id, code));
        if self.streams.get(at).is_none_or(|stream| stream.heard) {
            return fault(Code::StreamClosed);
        }
        match verdict {
            Verdict::Good(fields) if end => {
                let heard = self.hear(at, id, fields);
                self.settle(at);
                heard
            }
            Verdict::Good(_) => fault(Code::Protocol),
            Verdict::Malformed(why) => {
                debug!(why, "trailers were refused");
                fault(Code::Protocol)
            }
            Verdict::Large => fault(Code::EnhanceYourCalm),
        }
    }

    /// A block that opens a stream.
    fn open(&mut self, id: u32, end: bool, block: &[u8]) -> Result<(), Fault> {
        if !self.leaving.takes_requests() {
            // The client learns by our GOAWAY that nobody has looked at it.
            self.link.past.reset(id);
            return Ok(request::nothing(&mut self.intake.decoder, block)?);
        }
        if self.streams.len() >= STREAMS {
            request::nothing(&mut self.intake.decoder, block)?;
            self.link.refused();
            return Err(Fault::Stream(id, Code::RefusedStream));
        }
        let limits = self.intake.limits;
        match request::head(&mut self.intake.decoder, block, limits)? {
            Verdict::Good(asked) if end && asked.length.is_some_and(|length| length > 0) => {
                self.link.refused();
                Err(Fault::Stream(id, Code::Protocol))
            }
            Verdict::Good(asked) => {
                self.start(id, end, asked);
                Ok(())
            }
            Verdict::Malformed(why) => {
                debug!(why, "a request was refused");
                self.link.refused();
                Err(Fault::Stream(id, Code::Protocol))
            }
            Verdict::Large => {
                self.link.refused();
                self.too_large(id, end);
                Ok(self.link.budget.frame()?)
            }
        }
    }

    /// Answers 431 (RFC 6585 §5).
    fn too_large(&mut self, id: u32, end: bool) {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let head = ResponseHead::new(status);
        let link = &mut self.link;
        link.head(id, true, &head, Some(0));
        if end {
            link.past.ended(id);
        } else {
            link.reset(id, Code::NoError);
        }
    }

    /// Hands a request to the service.
    fn start(&mut self, id: u32, end: bool, asked: Asked) {
        let extended = asked.head.protocol.is_some();
        let bare = asked.head.method == Method::HEAD;
        let (upload, body) = if end {
            (None, Incoming::empty())
        } else {
            let (feed, body) = pipe(asked.length);
            (Some(Upload::new(feed, asked.length)), body)
        };
        // The data of an extended CONNECT is the tunnel's, not the request's.
        let (near, body) = if extended {
            (Some(body), Incoming::empty())
        } else {
            (None, body)
        };
        let at = self.streams.vacant(&self.rota, id);
        let Some(slot) = self.streams.slot(at) else {
            return;
        };
        slot.interim.renew();
        slot.stream = Some(Stream {
            id,
            heard: end,
            bare,
            work: Work::Asking(near),
            upload,
            window: Window::new(self.link.theirs.window),
            ahead: Bytes::new(),
            queued: false,
            blocked: None,
        });
        let request = Request {
            head: asked.head,
            body,
            interim: slot.interim.clone(),
        };
        let answer = self.service.ask(self.peer, request);
        slot.future.as_mut().set(Some(answer));
        self.due.push(at);
    }
}
