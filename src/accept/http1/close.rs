//! How a connection ends, so that the client still gets what was said last.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::AsyncWrite as _;
use tracing::debug;

use super::Connection;
use super::refuse::{Refusal, Shape};
use super::writer::Writer;
use crate::wire::Stream;

/// How long, and how often, a client that is still sending is read on.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS: usize = 64;

/// What is the last thing to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// To answer what is no request.
    Refuse(Refusal, Shape),
    /// Nothing: everything is said.
    Close,
    /// The same, and the client may still be sending.
    Linger,
    /// Nothing: the client has gone, or must see that something is missing.
    Cut,
    /// To make it see that where it would take a plain close for the answer's end.
    Reset,
}

impl Connection {
    /// Ends.
    pub(super) async fn end(mut self, last: Last) {
        match last {
            Last::Refuse(refusal, shape) => self.refuse(refusal, shape).await,
            Last::Close => self.close().await,
            Last::Linger => self.linger().await,
            Last::Reset => self.reset(),
            Last::Cut => {}
        }
    }

    async fn refuse(&mut self, refusal: Refusal, shape: Shape) {
        debug!(%refusal, "a request was refused");
        let mut writer = Writer::default();
        refusal.write(shape, writer.head());
        self.clock.set(LINGER);
        let written = poll_fn(|cx| match writer.poll(&mut self.wire.stream, cx) {
            Poll::Ready(written) => Poll::Ready(written.is_ok()),
            Poll::Pending => self.clock.poll(cx).map(|()| false),
        });
        if written.await {
            self.linger().await;
        }
    }

    /// TLS says its end itself, TCP does with its socket.
    async fn close(&mut self) {
        if let Stream::Tls(stream) = &mut self.wire.stream {
            let told = poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_shutdown(cx)));
            if let Poll::Ready(Err(error)) = told.await {
                debug!(%error, "a connection broke while closing");
            }
        }
    }

    /// Reads on a little before closing: bytes left unread make the kernel send RST, and that may
    /// destroy our last answer before the client has read it (RFC 9112 §9.6).
    async fn linger(&mut self) {
        self.clock.set(LINGER);
        let mut reads = None;
        poll_fn(|cx| match self.poll_linger(&mut reads, cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.clock.poll(cx),
        })
        .await;
    }

    /// `reads` are counted from our own end on.
    fn poll_linger(&mut self, reads: &mut Option<usize>, cx: &mut Context<'_>) -> Poll<()> {
        if reads.is_none() {
            if let Err(error) = ready!(Pin::new(&mut self.wire.stream).poll_shutdown(cx)) {
                debug!(%error, "a connection broke while closing");
                return Poll::Ready(());
            }
            *reads = Some(0);
        }
        while let Some(count @ 0..LINGER_READS) = reads {
            *count += 1;
            self.wire.rest = BytesMut::new();
            if let Ok(0) | Err(_) = ready!(self.wire.poll_fill(cx, 0)) {
                break;
            }
        }
        Poll::Ready(())
    }

    /// Closes by RST, so that the end cannot be taken for the end of a body.
    fn reset(&self) {
        let socket = SockRef::from(self.wire.stream.socket());
        if let Err(error) = socket.set_linger(Some(Duration::ZERO)) {
            debug!(%error, "could not reset a connection");
        }
    }
}
