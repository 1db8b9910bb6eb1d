//! Frames as they come in.

use bytes::{Buf as _, Bytes, BytesMut};
use tracing::debug;

use super::fault::{Code, Fault, protocol, size};
use super::frame::{self, Head, flag, kind};
use super::headers::Block;
use super::hpack::Decoder;
use super::past::End;
use super::{Connection, Service};
use crate::accept::Settings;
use crate::message::Fields;
use crate::message::parse::Limits;

/// What a client says first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Fields of a request (431 above it).
const FIELDS: usize = 256;

/// What has come in and is not done with.
pub(super) struct Intake {
    stage: Stage,
    /// A DATA frame under way.
    data: Option<Data>,
    /// A header block under way: nothing else may come (RFC 9113 §4.3).
    pub(super) block: Option<Block>,
    pub(super) decoder: Decoder,
    pub(super) limits: Limits,
    /// Bytes that are known to be missing.
    expected: usize,
    /// A part of a frame is there.
    partial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Preface,
    /// The first frame is SETTINGS.
    Greeting,
    Frames,
}

/// The rest of a DATA frame.
#[derive(Clone, Copy, Debug)]
struct Data {
    stream: u32,
    /// The slot of its stream; none if nobody wants it.
    at: Option<usize>,
    left: usize,
    padding: usize,
    end: bool,
}

impl Intake {
    pub(super) const fn new(settings: &Settings) -> Self {
        Self {
            stage: Stage::Preface,
            data: None,
            block: None,
            decoder: Decoder::new(),
            limits: Limits {
                bytes: settings.head_limit,
                fields: FIELDS,
            },
            expected: 0,
            partial: false,
        }
    }

    /// Bytes that are known to come.
    pub(super) const fn expected(&self) -> usize {
        self.expected
    }

    /// Whether a head is not there in full: of the connection, of a request, or, where nothing
    /// else goes on, of anything.
    pub(super) fn owes_head(&self, quiet: bool) -> bool {
        self.stage != Stage::Frames || self.block.is_some() || (quiet && self.partial)
    }

    /// Whether it is a request's head.
    pub(super) const fn owes_request(&self) -> bool {
        self.block.is_some()
    }

    /// Whether the client has said nothing valid yet.
    pub(super) fn is_silent(&self) -> bool {
        self.stage != Stage::Frames
    }

    /// Passes over the preface, if all of it is there.
    fn preface(&mut self, bytes: &mut BytesMut) -> Result<(), Fault> {
        let length = bytes.len().min(PREFACE.len());
        if bytes.get(..length) != PREFACE.get(..length) {
            return Err(protocol("this is no HTTP/2 preface"));
        }
        if length == PREFACE.len() {
            bytes.advance(length);
            self.stage = Stage::Greeting;
        }
        Ok(())
    }

    /// What a frame's head alone can be wrong about.
    fn check(&mut self, head: Head) -> Result<(), Fault> {
        if head.length > frame::LARGEST {
            return Err(size("a frame is too large"));
        }
        if self.stage == Stage::Greeting {
            if head.kind != kind::SETTINGS || head.has(flag::ACK) {
                return Err(protocol("the first frame is not SETTINGS"));
            }
            self.stage = Stage::Frames;
        }
        match &self.block {
            Some(block) if head.kind != kind::CONTINUATION || head.stream != block.stream => {
                Err(protocol("a header block was interrupted"))
            }
            None if head.kind == kind::CONTINUATION => {
                Err(protocol("CONTINUATION continues nothing"))
            }
            _ => Ok(()),
        }
    }
}

impl<S: Service> Connection<S> {
    /// Does what the bytes that were read say.
    pub(super) fn receive(&mut self) {
        let mut bytes = std::mem::take(&mut self.wire.rest);
        let received = self.frames(&mut bytes);
        self.intake.partial = !bytes.is_empty();
        if !bytes.is_empty() {
            self.wire.rest = bytes;
        }
        if let Err(fault) = received {
            self.fail(fault);
        }
    }

    fn frames(&mut self, bytes: &mut BytesMut) -> Result<(), Fault> {
        if self.intake.stage == Stage::Preface {
            self.intake.preface(bytes)?;
            if self.intake.stage == Stage::Preface {
                return Ok(());
            }
        }
        while self.leaving.hears() {
            if let Some(data) = self.intake.data {
                self.intake.data = self.data(data, bytes)?;
                if self.intake.data.is_some() {
                    break;
                }
            }
            let Some(head) = Head::parse(bytes) else {
                self.intake.expected = 0;
                break;
            };
            self.intake.check(head)?;
            let needed = match head.kind {
                kind::DATA => usize::from(head.has(flag::PADDED)).min(head.length),
                _ => head.length,
            };
            let Some(payload) = bytes.get(frame::HEAD..frame::HEAD + needed) else {
                self.intake.expected = frame::HEAD + needed - bytes.len();
                break;
            };
            let done = if head.kind == kind::DATA {
                self.data_head(head, payload)
            } else {
                self.frame(head, payload)
            };
            bytes.advance(frame::HEAD + needed);
            self.bear(done)?;
        }
        Ok(())
    }

    /// A fault of a stream ends only that.
    fn bear(&mut self, done: Result<(), Fault>) -> Result<(), Fault> {
        match done {
            Err(Fault::Stream(id, code)) => self.refuse(id, code),
            done => done,
        }
    }

    /// Ends a stream by the client's fault.
    fn refuse(&mut self, id: u32, code: Code) -> Result<(), Fault> {
        debug!(stream = id, ?code, "a stream was refused");
        self.link.reset(id, code);
        let Some(at) = self.streams.find(id) else {
            return Ok(self.link.budget.frame()?);
        };
        if let Some(stream) = self.streams.get(at)
            && !stream.heard
            && let Some(upload) = stream.upload.take()
        {
            self.link.give(upload.held());
            upload.fail();
        }
        self.end(at);
        Ok(self.link.budget.gave_up()?)
    }

    fn frame(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        match head.kind {
            kind::HEADERS => self.headers(head, payload),
            kind::CONTINUATION => self.continuation(head, payload),
            kind::RST_STREAM => self.rst_stream(head, payload),
            kind::SETTINGS => self.settings(head, payload),
            kind::PING => self.ping(head, payload),
            kind::GOAWAY => self.goaway(head, payload),
            kind::WINDOW_UPDATE => self.window_update(head, payload),
            kind::PRIORITY => self.priority(head, payload),
            kind::PUSH_PROMISE => Err(protocol("a client may not push")),
            _ => Ok(self.link.budget.frame()?),
        }
    }

    /// A DATA frame begins (RFC 9113 §6.1).
    fn data_head(&mut self, head: Head, padding: &[u8]) -> Result<(), Fault> {
        if head.stream == 0 || self.link.is_idle(head.stream) {
            return Err(protocol("DATA on a stream that is not open"));
        }
        let beside = padding.len() + padding.first().map_or(0, |length| usize::from(*length));
        let data = head.length.checked_sub(beside);
        let data = data.filter(|_| padding.len() == usize::from(head.has(flag::PADDED)));
        let data = data.ok_or(protocol("more padding than payload"))?;
        if self.link.credit.take(head.length).is_err() {
            let why = "more DATA than the connection's window";
            return Err(Fault::Connection(Code::FlowControl, why));
        }
        self.link.give(beside);
        let end = head.has(flag::END_STREAM);
        if head.length == beside && !end {
            self.link.budget.frame()?;
        }
        let at = self.streams.find(head.stream);
        let begun = self.begin_data(at, head, data);
        self.intake.data = Some(Data {
            stream: head.stream,
            at: at.filter(|_| begun.is_ok()),
            left: data,
            padding: beside - padding.len(),
            end,
        });
        begun
    }

    fn begin_data(&mut self, at: Option<usize>, head: Head, data: usize) -> Result<(), Fault> {
        let fault = |code| Err(Fault::Stream(head.stream, code));
        let Some(stream) = at.and_then(|at| self.streams.get(at)) else {
            return match self.link.past.end(head.stream) {
                End::Ours => Ok(self.link.budget.frame()?),
                End::Theirs | End::Unknown => fault(Code::StreamClosed),
            };
        };
        let upload = match &mut stream.upload {
            Some(upload) if !stream.heard => upload,
            _ => return fault(Code::StreamClosed),
        };
        match upload.begin(head.length, data) {
            Ok(window) => {
                self.link.open(head.stream, window);
                Ok(())
            }
            Err(code) => fault(code),
        }
    }

    /// Takes what is there of a DATA frame; gives what is not.
    fn data(&mut self, mut data: Data, bytes: &mut BytesMut) -> Result<Option<Data>, Fault> {
        let length = data.left.min(bytes.len());
        data.left -= length;
        // It may have ended since.
        let streams = &mut self.streams;
        let slot = data.at.and_then(|at| streams.slot(at));
        let stream = slot.and_then(|slot| slot.stream.as_mut());
        let stream = stream.filter(|stream| stream.id == data.stream);
        self.link.budget.moved(length);
        match stream.and_then(|stream| stream.upload.as_mut()) {
            Some(upload) if length > 0 => upload.push(taken(bytes, length)),
            Some(_) => {}
            None => {
                bytes.advance(length);
                self.link.give(length);
            }
        }
        if data.left == 0 {
            let padding = data.padding.min(bytes.len());
            bytes.advance(padding);
            data.padding -= padding;
        }
        self.intake.expected = data.left + data.padding;
        if self.intake.expected > 0 {
            return Ok(Some(data));
        }
        if let Some(at) = data.at {
            let ended = if data.end {
                self.hear(at, data.stream, Fields::default())
            } else {
                Ok(())
            };
            self.settle(at);
            self.bear(ended)?;
        }
        Ok(None)
    }

    /// The client has said everything on this stream.
    pub(super) fn hear(&mut self, at: usize, id: u32, trailers: Fields) -> Result<(), Fault> {
        let stream = self.streams.get(at).filter(|stream| stream.id == id);
        let Some(stream) = stream else {
            return Ok(());
        };
        stream.heard = true;
        let ended = match &mut stream.upload {
            Some(upload) => upload.end(trailers),
            None => Ok(()),
        };
        ended.map_err(|code| {
            self.link.refused();
            Fault::Stream(id, code)
        })
    }
}

/// Takes bytes out of what was read.
fn taken(bytes: &mut BytesMut, length: usize) -> Bytes {
    /// A small slice would keep a whole block from being used again.
    const COPIED: usize = 4 * 1024;
    if length > COPIED {
        return bytes.split_to(length).freeze();
    }
    let copy = Bytes::copy_from_slice(bytes.get(..length).unwrap_or_default());
    bytes.advance(length);
    copy
}
