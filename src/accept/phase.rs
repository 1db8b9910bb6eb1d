//! What a connection waits for: a request, the rest of a head, or us.
//!
//! hyper's own head time-out runs from the end of the last answer, so it cannot
//! tell a kept-alive connection from a head that trickles in, and it allocates a
//! timer for each request. Here the stream notes what passes, and one timer per
//! connection is set again only where it would ring too late.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::wire::Stream;

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;

/// One connection's state, seen by its stream, its service and its timer.
#[derive(Debug)]
pub(super) struct Phase {
    now: AtomicU8,
    /// Something was written since the timer looked: an answer is still on its way.
    moved: AtomicBool,
    /// The request came as HTTP/1.0, so an answer of unknown length ends with the connection.
    old: AtomicBool,
    /// The last request had a body, which may not have been read to its end.
    body: AtomicBool,
}

impl Phase {
    /// A new connection owes us a head.
    pub(super) const fn new() -> Self {
        Self {
            now: AtomicU8::new(HEAD),
            moved: AtomicBool::new(false),
            old: AtomicBool::new(false),
            body: AtomicBool::new(false),
        }
    }

    /// A whole head has come.
    pub(super) fn request(&self, request: &Request<Incoming>) {
        let old = request.version() < Version::HTTP_11;
        let body = !request.body().is_end_stream();
        self.now.store(BUSY, Ordering::Relaxed);
        self.old.store(old, Ordering::Relaxed);
        self.body.store(body, Ordering::Relaxed);
    }

    /// Whether bytes of the last request may still be coming.
    pub(super) fn had_body(&self) -> bool {
        self.body.load(Ordering::Relaxed)
    }

    /// Whether part of a head has come, and the rest has not.
    pub(super) fn in_head(&self) -> bool {
        self.now.load(Ordering::Relaxed) == HEAD
    }

    /// Whether the last request came as HTTP/1.0.
    pub(super) fn is_old(&self) -> bool {
        self.old.load(Ordering::Relaxed)
    }

    fn read(&self) {
        if self.now.load(Ordering::Relaxed) == IDLE {
            self.now.store(HEAD, Ordering::Relaxed);
        }
    }
}

/// The stream that notes what passes.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) stream: Stream,
    pub(super) phase: Arc<Phase>,
}

impl Noted {
    fn wrote(&self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
        self.phase.moved.store(true, Ordering::Relaxed);
        Poll::Ready(written)
    }
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.phase.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Noted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An answer's body; when it is let go the connection is idle again.
#[derive(Debug)]
pub(super) struct Answer<B> {
    pub(super) body: B,
    pub(super) phase: Arc<Phase>,
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.phase.moved.store(true, Ordering::Relaxed);
        self.phase.now.store(IDLE, Ordering::Relaxed);
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The one timer of a connection.
#[derive(Debug)]
pub(super) struct Clock {
    head: Duration,
    idle: Duration,
    /// What was waited for when the timer last looked, and since when.
    seen: (u8, Instant),
    sleep: Pin<Box<Sleep>>,
}

impl Clock {
    pub(super) fn new(head: Duration, idle: Duration) -> Self {
        let now = Instant::now();
        Self {
            head,
            idle,
            seen: (HEAD, now),
            sleep: Box::pin(tokio::time::sleep_until(now + head)),
        }
    }

    /// Ready when the client was too slow. To be polled after the connection, in the same task.
    pub(super) fn poll(&mut self, phase: &Phase, cx: &mut Context<'_>) -> Poll<()> {
        let state = phase.now.load(Ordering::Relaxed);
        if phase.moved.swap(false, Ordering::Relaxed) || state != self.seen.0 {
            self.seen = (state, Instant::now());
        }
        if state == HEAD && self.deadline() < self.sleep.deadline() {
            let deadline = self.deadline();
            self.sleep.as_mut().reset(deadline);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            let deadline = self.deadline();
            if deadline <= self.sleep.deadline() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn deadline(&self) -> Instant {
        match self.seen {
            (HEAD, since) => since + self.head,
            (IDLE, since) => since + self.idle,
            // Ours to answer: look again later.
            _ => Instant::now() + self.idle,
        }
    }
}
