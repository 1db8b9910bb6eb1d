//! The request on its way to the shop: its head, then its body as it comes.
//!
//! Where the client waits for it (`Expect: 100-continue`), the body is not taken
//! before the shop itself has sent a 100, or [`PATIENCE`] is over: whoever takes it
//! tells the client to send it. A shop that answers at once gets no body (RFC 9110
//! §10.1.1).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite as _;
use tokio::time::Instant;

use super::headers::may_trail;
use super::out::Out;
use super::request::{self, Asked, Framing};
use crate::message::incoming::Broken;
use crate::message::{Body as _, Fields, Frame, Incoming, RequestHead, chunked};
use crate::wire::Stream;

/// How long a shop that knows nothing of `Expect` keeps the client waiting.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// A request under way.
#[derive(Debug)]
pub(super) struct Upload {
    asked: Asked,
    out: Out,
    body: Incoming,
    framing: Framing,
    phase: Phase,
    touched: Touched,
    /// Since when nothing has moved.
    since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The body waits for the shop's 100.
    Held,
    /// The body is taken.
    Open,
    /// The body was taken whole; its last bytes wait.
    Taken,
    /// All of it is with the kernel.
    Sent,
    /// It will never be whole.
    Stopped,
}

/// How much of it cannot be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Touched {
    /// Nothing.
    No,
    /// Some of the body was taken.
    Body,
    /// A byte may have been written.
    Wire,
}

/// What the upload waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The shop's 100.
    Held,
    /// The client's next bytes.
    Client,
    /// The shop takes none.
    Shop,
    /// Nothing: it is over.
    Over,
}

/// Why an upload ended early.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client's body has no clean end.
    Client(Broken),
    /// The connection to the shop is broken.
    Shop(io::Error),
}

/// What came of asking for more of the body.
enum Fed {
    Full,
    Held,
    Waits,
    End,
}

impl Upload {
    /// Of this request. The head stays, for another try.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(super) fn new(head: &mut RequestHead, body: Incoming) -> io::Result<Self> {
        let (asked, framing) = request::settle(head, &body);
        let mut out = Out::default();
        request::write(head, out.front())?;
        let none = matches!(framing, Framing::None | Framing::Length(0));
        let phase = if none {
            Phase::Taken
        } else if !body.is_end() && expects(&head.fields) {
            Phase::Held
        } else {
            Phase::Open
        };
        Ok(Self {
            asked,
            out,
            body,
            framing,
            phase,
            touched: Touched::No,
            since: None,
        })
    }

    /// Sends what can be sent; what it waits for then.
    pub(super) fn drive(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Result<Stage, Fault> {
        while self.phase < Phase::Sent {
            let fed = self.fill(cx).map_err(Fault::Client)?;
            while !self.out.is_empty() {
                if matches!(stream, Stream::Tls(_)) {
                    // What TLS has taken may be on its way although it says that it failed.
                    self.touched = Touched::Wire;
                }
                match self.out.poll_write(stream, cx) {
                    Poll::Ready(Ok(())) => {
                        self.touched = Touched::Wire;
                        self.since = None;
                    }
                    Poll::Ready(Err(error)) => return Err(Fault::Shop(error)),
                    Poll::Pending => return Ok(Stage::Shop),
                }
            }
            match Pin::new(&mut *stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Err(Fault::Shop(error)),
                Poll::Pending => return Ok(Stage::Shop),
            }
            match fed {
                Fed::Full => {}
                Fed::Held => return Ok(Stage::Held),
                Fed::Waits => return Ok(Stage::Client),
                Fed::End => self.phase = Phase::Sent,
            }
        }
        Ok(Stage::Over)
    }

    /// Takes frames of the body as long as there is room for them.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<Fed, Broken> {
        while self.phase < Phase::Taken {
            if self.phase == Phase::Held {
                return Ok(Fed::Held);
            }
            if !self.out.has_room() {
                return Ok(Fed::Full);
            }
            let Poll::Ready(frame) = self.body.poll_frame(cx) else {
                return Ok(Fed::Waits);
            };
            self.touched = self.touched.max(Touched::Body);
            self.since = None;
            match frame.transpose()? {
                Some(Frame::Data(data)) => self.push(data)?,
                Some(Frame::Trailers(trailers)) => self.finish(trailers)?,
                None => self.finish(Fields::default())?,
            }
        }
        Ok(Fed::End)
    }

    fn push(&mut self, data: Bytes) -> Result<(), Broken> {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let tail = match &mut self.framing {
            Framing::None => return Err(Broken::Invalid),
            Framing::Length(left) => {
                *left = left.checked_sub(length).ok_or(Broken::Invalid)?;
                if *left == 0 {
                    self.phase = Phase::Taken;
                }
                ""
            }
            Framing::Chunked if self.body.is_end() => {
                self.phase = Phase::Taken;
                "\r\n0\r\n\r\n"
            }
            Framing::Chunked => "\r\n",
        };
        if self.framing == Framing::Chunked {
            chunked::begin(data.len(), self.out.front());
        }
        self.out.push(data, tail.as_bytes());
        Ok(())
    }

    fn finish(&mut self, mut trailers: Fields) -> Result<(), Broken> {
        match self.framing {
            Framing::None | Framing::Length(0) => {}
            Framing::Length(_) => return Err(Broken::Gone),
            Framing::Chunked => {
                trailers.retain(|name, _| may_trail(name));
                chunked::finish(&trailers, self.out.front());
            }
        }
        self.phase = Phase::Taken;
        Ok(())
    }

    /// Lets the body go on; whether it waited for that.
    pub(super) fn open(&mut self) -> bool {
        let held = self.phase == Phase::Held;
        if held {
            self.phase = Phase::Open;
            self.since = None;
        }
        held
    }

    /// No more of it.
    pub(super) fn stop(&mut self) {
        if self.phase < Phase::Sent {
            self.phase = Phase::Stopped;
        }
    }

    /// What the response is judged by.
    pub(super) const fn asked(&self) -> Asked {
        self.asked
    }

    /// Whether the shop has all of it.
    pub(super) fn is_sent(&self) -> bool {
        self.phase == Phase::Sent
    }

    /// Whether not a byte of it can have reached the shop.
    pub(super) fn is_unsent(&self) -> bool {
        self.touched < Touched::Wire
    }

    /// Whether it is a head alone.
    pub(super) fn is_bodiless(&self) -> bool {
        self.framing == Framing::None
    }

    /// The body, where nothing was taken of it.
    pub(super) fn into_body(self) -> Option<Incoming> {
        (self.touched == Touched::No).then_some(self.body)
    }

    /// Since when nothing has moved: from now, if something has.
    pub(super) fn since(&mut self) -> Instant {
        *self.since.get_or_insert_with(Instant::now)
    }
}

fn expects(fields: &Fields) -> bool {
    let expected = fields.get("expect");
    expected.is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"))
}
