//! After a 101: bytes both ways, until both sides have ended.
//!
//! A tunnel may be silent for hours, so it owns no buffer while it is: what is read
//! stands in one of the thread's, and is kept only where the other side does not
//! take it at once.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;
use tracing::debug;

use crate::message::{Duplex, Tunnel};

/// Read at once.
const BUFFER: usize = 32 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Joins the client and the far end. One side's end is passed on and the other way stays open;
/// after the tunnel's limit without a byte either way, both are closed.
pub(super) async fn run(mut near: impl Duplex, tunnel: Tunnel) {
    let Tunnel { mut far, limit } = tunnel;
    let (mut up, mut down) = (Way::default(), Way::default());
    let mut last = Instant::now();
    let mut sleep = Box::pin(tokio::time::sleep(limit));
    let both = poll_fn(|cx| -> Poll<io::Result<()>> {
        let mut moved = false;
        let ups = up.poll(&mut near, &mut far, &mut moved, cx)?;
        let downs = down.poll(&mut far, &mut near, &mut moved, cx)?;
        if ups.is_ready() && downs.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if moved {
            last = Instant::now();
        }
        while sleep.as_mut().poll(cx).is_ready() {
            let Some(until) = last.checked_add(limit) else {
                return Poll::Pending;
            };
            if until <= sleep.deadline() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            sleep.as_mut().reset(until);
        }
        Poll::Pending
    });
    if let Err(error) = both.await {
        debug!(%error, "a tunnel broke off");
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// Read, and not taken from `at` on.
    kept: Vec<u8>,
    at: usize,
    /// Written, and perhaps not flushed.
    unflushed: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Open,
    /// One side has ended, the other is not told yet.
    Ending,
    Ended,
}

impl Way {
    /// Ready when `from` has ended and `to` knows. Notes in `moved` whether a byte moved.
    fn poll<F: Duplex, T: Duplex>(
        &mut self,
        from: &mut F,
        to: &mut T,
        moved: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while self.at < self.kept.len() {
                let rest = self.kept.get(self.at..).unwrap_or_default();
                let written = ready!(Pin::new(&mut *to).poll_write(cx, rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.at += written;
                self.unflushed = true;
                *moved = true;
            }
            self.give_back();
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Ending => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Ended;
                }
                State::Open => match self.read(from, cx) {
                    Poll::Ready(result) => result?,
                    Poll::Pending => {
                        if self.unflushed {
                            ready!(Pin::new(to).poll_flush(cx))?;
                            self.unflushed = false;
                        }
                        return Poll::Pending;
                    }
                },
            }
        }
    }

    fn read<F: Duplex>(&mut self, from: &mut F, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = SPARE.take();
        buffer.clear();
        buffer.reserve(BUFFER);
        match tokio_util::io::poll_read_buf(Pin::new(from), cx, &mut buffer) {
            Poll::Ready(Ok(1..)) => self.kept = buffer,
            Poll::Ready(Ok(0)) => self.state = State::Ending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                SPARE.set(buffer);
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn give_back(&mut self) {
        if self.kept.capacity() > 0 {
            self.at = 0;
            SPARE.set(std::mem::take(&mut self.kept));
        }
    }
}
