//! Bytes on their way to the client.
//!
//! What is to be written is gathered in a buffer of the thread's and written at
//! once, together with a body's piece that is too large to be copied. Only what the
//! client does not take yet keeps the buffer with the connection.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite as _;

use crate::wire::Stream;

/// Pieces of a body above this are not copied: a second slice costs the kernel less.
const COPIED: usize = 4 * 1024;

/// Gathered before it is written.
const GATHERED: usize = 16 * 1024;

/// A thread's buffer above this is not kept: it was one large head's.
const KEPT: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What stands behind a piece of a body.
pub(super) type Tail = &'static [u8];

/// The unwritten: gathered bytes, then a piece of a body, then what stands behind it.
#[derive(Debug, Default)]
pub(super) struct Writer {
    gathered: Vec<u8>,
    /// So much of the gathered is written.
    at: usize,
    piece: Bytes,
    tail: Tail,
    /// TLS may still hold some of the written back.
    unflushed: bool,
}

impl Writer {
    /// Where to add bytes, behind all that was put in. None: something must be written first.
    pub(super) fn room(&mut self) -> Option<&mut Vec<u8>> {
        let full = !self.tail.is_empty() || !self.piece.is_empty();
        (!full && self.gathered.len() <= GATHERED).then(|| self.head())
    }

    /// Where to add a head, whatever its size: no body's piece is there before it.
    pub(super) fn head(&mut self) -> &mut Vec<u8> {
        if self.gathered.capacity() == 0 {
            self.gathered = SPARE.take();
        }
        &mut self.gathered
    }

    /// Puts a piece of a body and its tail behind what was gathered; there has to be room.
    pub(super) fn put(&mut self, piece: Bytes, tail: Tail) {
        if piece.len() > COPIED {
            self.piece = piece;
            self.tail = tail;
        } else if let Some(gathered) = self.room() {
            gathered.extend_from_slice(&piece);
            gathered.extend_from_slice(tail);
        }
    }

    /// Puts `end` behind the piece that was put last and whose tail it begins with; whether
    /// that could be done.
    pub(super) fn extend_tail(&mut self, end: Tail) -> bool {
        let extended = !self.piece.is_empty() && end.starts_with(self.tail);
        if extended {
            self.tail = end;
        }
        extended
    }

    /// Ready when everything is with the kernel.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn poll(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let front = self.gathered.get(self.at..).unwrap_or_default();
            let written = match (front, self.piece.as_ref(), self.tail) {
                ([], [], []) => break,
                (only, [], []) | ([], only, []) | ([], [], only) => {
                    ready!(Pin::new(&mut *stream).poll_write(cx, only))?
                }
                (front, piece, tail) => {
                    let slices = [front, piece, tail].map(IoSlice::new);
                    ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices))?
                }
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.pass(written);
        }
        self.give_back();
        if self.unflushed {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn pass(&mut self, written: usize) {
        let front = written.min(self.gathered.len() - self.at);
        self.at += front;
        let piece = (written - front).min(self.piece.len());
        self.piece.advance(piece);
        let tail = written - front - piece;
        self.tail = self.tail.get(tail..).unwrap_or_default();
    }

    /// Lets go of the buffer, all of which is written.
    fn give_back(&mut self) {
        self.at = 0;
        self.piece = Bytes::new();
        if self.gathered.capacity() == 0 {
            return;
        }
        let mut spare = std::mem::take(&mut self.gathered);
        if spare.capacity() <= KEPT {
            spare.clear();
            SPARE.set(spare);
        }
    }
}

/// Writes a number as decimal digits.
pub(super) fn decimal(mut number: u64, out: &mut Vec<u8>) {
    /// 2^64 has so many.
    const MOST: usize = 20;
    let mut digits = [b'0'; MOST];
    let mut begin = MOST;
    for digit in digits.iter_mut().rev() {
        // One digit is always below 10.
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        begin -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(begin..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 1, 9, 10, 99, 100, 1_000_000, u64::MAX] {
            let mut out = Vec::new();
            decimal(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
