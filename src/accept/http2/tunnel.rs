//! Behind a 2xx to an extended CONNECT: bytes both ways (RFC 8441 §5).

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::message::{self, Body as _, Duplex, Frame, Incoming};

/// Read from the far end at once.
const READ: usize = 16 * 1024;

thread_local! {
    /// A tunnel that is silent owns no buffer.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// A stream joined to the shop's connection.
pub(super) struct Tunnel {
    far: Box<dyn Duplex>,
    near: Incoming,
    /// From the client, not written yet.
    up: Bytes,
    /// The client's end was passed on.
    up_ended: bool,
    /// The far end's end was passed on.
    pub(super) down_ended: bool,
    limit: Duration,
    moved: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel")
            .field("up_ended", &self.up_ended)
            .field("down_ended", &self.down_ended)
            .finish_non_exhaustive()
    }
}

impl Tunnel {
    /// Between the data of a stream and the far end.
    pub(super) fn new(near: Incoming, tunnel: message::Tunnel) -> Self {
        let now = Instant::now();
        Self {
            far: tunnel.far,
            near,
            up: Bytes::new(),
            up_ended: false,
            down_ended: false,
            limit: tunnel.limit,
            moved: now,
            sleep: Box::pin(tokio::time::sleep_until(now + tunnel.limit)),
        }
    }

    /// Whether both ways have ended.
    pub(super) const fn is_over(&self) -> bool {
        self.up_ended && self.down_ended
    }

    /// Passes on what the client sent, and its end. Ready when that is done.
    ///
    /// # Errors
    /// The far end takes no more.
    pub(super) fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.up_ended {
            if self.up.is_empty() {
                let Poll::Ready(frame) = self.near.poll_frame(cx) else {
                    ready!(Pin::new(&mut self.far).poll_flush(cx))?;
                    return Poll::Pending;
                };
                match frame {
                    Some(Ok(Frame::Data(data))) => self.up = data,
                    Some(Ok(Frame::Trailers(_))) => {}
                    Some(Err(broken)) => return Poll::Ready(Err(io::Error::other(broken))),
                    None => {
                        ready!(Pin::new(&mut self.far).poll_shutdown(cx))?;
                        self.up_ended = true;
                    }
                }
                continue;
            }
            let written = ready!(Pin::new(&mut self.far).poll_write(cx, &self.up))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.up.advance(written);
            self.moved = Instant::now();
        }
        Poll::Ready(Ok(()))
    }

    /// What comes from the far end; nothing at its end.
    ///
    /// # Errors
    /// The far end broke off.
    pub(super) fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.down_ended {
            return Poll::Pending;
        }
        let far = Pin::new(&mut self.far);
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(far.poll_read(cx, &mut buffer))?;
            Poll::Ready(io::Result::Ok(Bytes::copy_from_slice(buffer.filled())))
        });
        let bytes = ready!(read)?;
        self.moved = Instant::now();
        Poll::Ready(Ok(bytes))
    }

    /// Ready when nothing has moved for too long.
    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.moved + self.limit;
        while self.sleep.as_mut().poll(cx).is_ready() {
            if deadline <= self.sleep.deadline() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
