//! What waits to be written: frames in one buffer, large data beside it.
//!
//! Everything that a round of polling brings forth goes out with one call. A
//! connection that has nothing to write owns no buffer: the thread keeps one.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite as _;

use crate::wire::Stream;

/// Bodies are asked for more until so much waits.
const ROOM: usize = 128 * 1024;

/// Data up to here is copied behind its frame's head: cheaper than a slice of its own.
const COPIED: usize = 4 * 1024;

/// Frames that wait and are no DATA, so that no window bounds them; above it the client is
/// not read from.
const CONTROL: usize = 64 * 1024;

/// Slices of one call.
const SLICES: usize = 32;

/// A buffer larger than this is not kept.
const KEPT: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A queue of bytes.
#[derive(Debug, Default)]
pub(super) struct Output {
    text: Vec<u8>,
    /// How much of the text is written.
    at: usize,
    /// Data, each with the place in the text before which it stands.
    data: VecDeque<(usize, Bytes)>,
    /// Bytes of data.
    held: usize,
    /// Bytes of frames that wait and are no DATA, or a few more.
    control: usize,
    /// What is written may still stand in the TLS layer.
    unflushed: bool,
}

impl Output {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.text.len() && self.data.is_empty()
    }

    /// Whether bodies should be asked for more.
    pub(super) fn has_room(&self) -> bool {
        self.text.len() - self.at + self.held < ROOM
    }

    /// Whether the client may be heard before it takes what it made us say.
    pub(super) const fn is_calm(&self) -> bool {
        self.control < CONTROL
    }

    /// The end of the queue, to write the head of a DATA frame to.
    pub(super) fn frame(&mut self) -> &mut Vec<u8> {
        if self.text.capacity() == 0 {
            self.text = SPARE.take();
        }
        &mut self.text
    }

    /// Puts in a frame that is no DATA.
    pub(super) fn control(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.text.len();
        write(self.frame());
        self.control += self.text.len() - before;
    }

    /// Puts in data, whose frame's head is written.
    pub(super) fn data(&mut self, data: Bytes) {
        if data.len() <= COPIED {
            self.frame().extend_from_slice(&data);
            return;
        }
        self.held += data.len();
        self.data.push_back((self.text.len(), data));
    }

    /// Writes once; how many bytes went. Ready with 0 when all is written and flushed.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.is_empty() {
            if self.unflushed {
                ready!(Pin::new(stream).poll_flush(cx))?;
                self.unflushed = false;
            }
            return Poll::Ready(Ok(0));
        }
        let written = if self.data.is_empty() {
            let text = self.text.get(self.at..).unwrap_or_default();
            ready!(Pin::new(&mut *stream).poll_write(cx, text))?
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.slices(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            ready!(Pin::new(&mut *stream).poll_write_vectored(cx, slices))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed = matches!(stream, Stream::Tls(_));
        self.advance(written);
        Poll::Ready(Ok(written))
    }

    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let mut count = 0;
        let mut put = |part: &'a [u8]| match slices.get_mut(count) {
            Some(slice) if !part.is_empty() => {
                *slice = IoSlice::new(part);
                count += 1;
            }
            _ => {}
        };
        let mut at = self.at;
        for (place, data) in &self.data {
            put(self.text.get(at..*place).unwrap_or_default());
            put(data);
            at = *place;
        }
        put(self.text.get(at..).unwrap_or_default());
        count
    }

    fn advance(&mut self, mut written: usize) {
        while let Some((place, data)) = self.data.front_mut() {
            let text = (*place - self.at).min(written);
            self.at += text;
            written -= text;
            if self.at < *place || written == 0 {
                break;
            }
            let taken = data.len().min(written);
            data.advance(taken);
            self.held -= taken;
            written -= taken;
            if !data.is_empty() {
                break;
            }
            self.data.pop_front();
        }
        self.at += written;
        self.control = self.control.min(self.text.len() - self.at);
        self.tidy();
    }

    fn tidy(&mut self) {
        if self.is_empty() {
            self.at = 0;
            let mut text = std::mem::take(&mut self.text);
            if text.capacity() <= KEPT {
                text.clear();
                SPARE.set(text);
            }
            if self.data.capacity() > 0 {
                self.data = VecDeque::new();
            }
        } else if self.at > KEPT {
            self.text.drain(..self.at);
            for (place, _) in &mut self.data {
                *place -= self.at;
            }
            self.at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_go_out_in_their_order(
            pieces in prop::collection::vec((any::<bool>(), 1..10_000_usize), 0..40),
            steps in prop::collection::vec(1..60_000_usize, 1..40),
        ) {
            let mut output = Output::default();
            let mut expected = Vec::new();
            for (number, (data, length)) in pieces.into_iter().enumerate() {
                let piece = vec![u8::try_from(number).unwrap(); length];
                expected.extend_from_slice(&piece);
                if data {
                    output.data(piece.into());
                } else {
                    output.frame().extend_from_slice(&piece);
                }
            }
            let mut got = Vec::new();
            for step in steps.iter().cycle() {
                if output.is_empty() {
                    break;
                }
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = output.slices(&mut slices);
                let ready = slices[..count].iter().map(|part| &**part).collect::<Vec<_>>().concat();
                let written = ready.len().min(*step);
                got.extend_from_slice(&ready[..written]);
                output.advance(written);
            }
            prop_assert_eq!(got, expected);
            prop_assert_eq!((output.held, output.at, output.text.capacity()), (0, 0, 0));
        }
    }
}
