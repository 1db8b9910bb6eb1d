//! Wire: the bytes of one connection, plain or inside TLS.
//!
//! A connection that waits owns no buffer. What is read stands in a block of the
//! thread's that many connections share: each takes a slice of it and gives it back
//! by letting go, so that ten thousand idle ones cost their sockets and little more.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// The thread's block.
const BLOCK: usize = 64 * 1024;

/// Room for a read of a few fields; less is left over and a new block begun.
const ROOM: usize = 16 * 1024;

thread_local! {
    static SHARED: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// A connection's bytes, to a client or to a shop.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// The socket beneath.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// A stream and what was read from it and not used yet.
#[derive(Debug)]
pub struct Wire {
    /// Whence and whither.
    pub stream: Stream,
    /// Read, not used yet. To be taken from the front.
    pub rest: BytesMut,
}

impl Wire {
    /// Nothing read yet.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            rest: BytesMut::new(),
        }
    }

    /// Reads once, behind what is there; how many bytes came, 0 at the end of the stream.
    /// `expected` is how many are known to come, 0 if nothing is known.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, expected: usize) -> Poll<io::Result<usize>> {
        /// At once, where much is known to come: fewer calls, and the cache still holds it.
        const MOST: usize = 256 * 1024;
        if expected <= ROOM {
            return self.poll_fill_shared(cx);
        }
        self.rest.reserve(expected.min(MOST));
        poll_read(&mut self.stream, cx, &mut self.rest)
    }

    fn poll_fill_shared(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Nothing may run on this thread meanwhile that wants it too: polling a socket does not.
        let mut shared = SHARED.take().unwrap_or_default();
        // From its front, where nobody holds a part of it: the cache has that.
        if !shared.try_reclaim(BLOCK) && shared.capacity() < ROOM {
            shared.reserve(BLOCK);
        }
        let read = poll_read(&mut self.stream, cx, &mut shared);
        if let Poll::Ready(Ok(length)) = read {
            let came = shared.split_to(length);
            if self.rest.is_empty() {
                self.rest = came;
            } else {
                self.join(&came);
            }
        }
        SHARED.set(Some(shared));
        read
    }

    fn join(&mut self, came: &[u8]) {
        let whole = self.rest.len() + came.len();
        // A slice of the block has no room; growing it in place would take a block of its own.
        if self.rest.capacity() < whole {
            let mut own = BytesMut::with_capacity(whole.next_power_of_two());
            own.extend_from_slice(&self.rest);
            self.rest = own;
        }
        self.rest.extend_from_slice(came);
    }

    /// Takes what is there out of the shared block: it may have to wait long for more, and
    /// a few bytes would keep the whole block from being used again.
    pub fn hold(&mut self) {
        // A slice of the block has no room.
        if self.rest.capacity() == self.rest.len() {
            self.rest = BytesMut::from(self.rest.as_ref());
        }
    }

    /// Whether nothing has come that was not used, not even the stream's end. Asks the kernel
    /// only where the runtime knows of something; registers nobody to be woken.
    pub fn is_quiet(&mut self) -> bool {
        let mut scrap = [0; 1];
        if !self.rest.is_empty() {
            return false;
        }
        match &mut self.stream {
            Stream::Plain(socket) => {
                let read = socket.try_read(&mut scrap);
                read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            // What is TLS's own (session tickets) is taken in.
            Stream::Tls(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                let read = Pin::new(stream).poll_read(&mut cx, &mut ReadBuf::new(&mut scrap));
                read.is_pending()
            }
        }
    }

    /// Passes over `length` bytes; lets go of the buffer with the last of them.
    pub fn skip(&mut self, length: usize) {
        self.rest.advance(length.min(self.rest.len()));
        if self.rest.is_empty() {
            self.rest = BytesMut::new();
        }
    }

    /// Takes the first `length` bytes out.
    pub fn take(&mut self, length: usize) -> bytes::Bytes {
        /// A small slice would keep a whole block from being used again.
        const COPIED: usize = 4 * 1024;
        let length = length.min(self.rest.len());
        if length > COPIED {
            let taken = self.rest.split_to(length).freeze();
            self.skip(0);
            return taken;
        }
        let taken = self.rest.get(..length).unwrap_or_default();
        let taken = bytes::Bytes::copy_from_slice(taken);
        self.skip(length);
        taken
    }
}

fn poll_read(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    // One call of the kernel for each readiness: tokio takes a read that does not fill its
    // buffer for the last one.
    let reading = tokio_util::io::poll_read_buf(Pin::new(stream), cx, buffer);
    Poll::Ready(ready!(reading))
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.rest.len().min(buffer.remaining());
        buffer.put_slice(self.rest.get(..length).unwrap_or_default());
        self.skip(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
