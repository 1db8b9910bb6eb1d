//! Bytes on their way to the shop, in as few calls of the kernel as may be.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite;

use crate::wire::Stream;

/// What is gathered before it is written.
const ROOM: usize = 16 * 1024;

/// Data up to this size is copied behind what waits: cheaper than a second part of a write.
const COPIED: usize = 4 * 1024;

/// A longer buffer is not kept.
const SPARE: usize = 64 * 1024;

thread_local! {
    /// The buffer that heads are written into: most are sent at once, so that one is enough.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What waits to be written: bytes of ours, then data as it came, then the end of its chunk.
#[derive(Debug, Default)]
pub(super) struct Out {
    front: Vec<u8>,
    /// So much of the front has been written.
    at: usize,
    data: Bytes,
    tail: &'static [u8],
}

impl Out {
    /// Whether more may be put in.
    pub(super) fn has_room(&self) -> bool {
        self.data.is_empty() && self.tail.is_empty() && self.front.len() < ROOM
    }

    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Where bytes of ours go; only while there is room.
    pub(super) fn front(&mut self) -> &mut Vec<u8> {
        if self.front.capacity() == 0 {
            self.front = BUFFER.take();
        }
        &mut self.front
    }

    /// Puts data behind the front, and `tail` behind that; only while there is room.
    pub(super) fn push(&mut self, data: Bytes, tail: &'static [u8]) {
        if data.len() <= COPIED {
            let front = self.front();
            front.extend_from_slice(&data);
            front.extend_from_slice(tail);
        } else {
            self.data = data;
            self.tail = tail;
        }
    }

    /// Writes once; ready when something was written.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let front = self.front.get(self.at..).unwrap_or_default();
        let stream = Pin::new(stream);
        let written = if self.data.is_empty() && self.tail.is_empty() {
            ready!(stream.poll_write(cx, front))?
        } else {
            let parts = [front, &self.data, self.tail].map(IoSlice::new);
            ready!(stream.poll_write_vectored(cx, &parts))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.written(written);
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, length: usize) {
        let of_front = length.min(self.front.len() - self.at);
        self.at += of_front;
        let length = length - of_front;
        let of_data = length.min(self.data.len());
        self.data.advance(of_data);
        let of_tail = length - of_data;
        self.tail = self.tail.get(of_tail..).unwrap_or_default();
        if self.at == self.front.len() {
            self.at = 0;
            self.front.clear();
            if self.front.capacity() <= SPARE {
                BUFFER.set(std::mem::take(&mut self.front));
            }
        }
    }
}
