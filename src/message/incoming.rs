//! A request's body, between the connection that reads it and whoever takes it.
//!
//! The connection holds the [`Feed`], the taker the [`Incoming`]. They may live in
//! one task or in two. Where they share one, the connection looks at its feed again
//! after it has polled the taker: a task is not woken by itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Body, Frame};

/// Why a request's body has no clean end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The client went away, or cancelled the request.
    #[error("the client went away")]
    Gone,
    /// Its framing is not valid (RFC 9112 §7, RFC 9113 §8.1.1).
    #[error("the body's framing is not valid")]
    Invalid,
}

/// A request's body, as it comes from the client.
#[derive(Debug)]
pub struct Incoming {
    /// None: there is nothing more of it.
    shared: Option<Arc<Shared>>,
    /// Bytes still to come, where the head says how many.
    left: Option<u64>,
}

/// Where the connection puts what it read.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

/// What the taker of a body does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// It waits for the next frame.
    Waits,
    /// It wants no more; what still comes is the connection's to discard.
    Gone,
}

type Shared = Mutex<State>;

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Frame>,
    end: Option<Result<(), Broken>>,
    /// Bytes that the taker has taken since the feeder asked.
    taken: usize,
    waits: bool,
    gone: bool,
    taker: Option<Waker>,
    feeder: Option<Waker>,
}

/// A body of `length` bytes, or of unknown length, and where to feed it.
pub fn pipe(length: Option<u64>) -> (Feed, Incoming) {
    let shared = Arc::<Shared>::default();
    let feed = Feed {
        shared: Arc::clone(&shared),
    };
    let body = Incoming {
        shared: Some(shared),
        left: length,
    };
    (feed, body)
}

/// Nothing panics while it holds the lock.
fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Small data is joined to data that waits, so that what waits takes about the memory
    /// that its bytes do, however small the pieces in which a client sends it.
    fn add(&mut self, frame: Frame) {
        const SMALL: usize = 1024;
        if let Frame::Data(more) = &frame
            && more.len() < SMALL
            && let Some(Frame::Data(last)) = self.frames.back_mut()
            && last.len() < 16 * SMALL
        {
            match std::mem::take(last).try_into_mut() {
                Ok(mut joined) => {
                    joined.extend_from_slice(more);
                    *last = joined.freeze();
                    return;
                }
                Err(shared) => *last = shared,
            }
        }
        self.frames.push_back(frame);
    }

    fn wake_feeder(&mut self, by: Option<&Waker>) {
        wake(&mut self.feeder, by);
    }
}

fn length(frame: &Frame) -> usize {
    match frame {
        Frame::Data(data) => data.len(),
        Frame::Trailers(_) => 0,
    }
}

/// Wakes a task other than the one that does it.
fn wake(waiting: &mut Option<Waker>, by: Option<&Waker>) {
    let own = |waker: &Waker| by.is_some_and(|by| waker.will_wake(by));
    if waiting.as_ref().is_some_and(|waker| !own(waker))
        && let Some(waker) = waiting.take()
    {
        waker.wake();
    }
}

fn remember(waiting: &mut Option<Waker>, waker: &Waker) {
    match waiting {
        Some(known) => known.clone_from(waker),
        None => *waiting = Some(waker.clone()),
    }
}

impl Incoming {
    /// No body.
    pub const fn empty() -> Self {
        Self {
            shared: None,
            left: Some(0),
        }
    }
}

impl Body for Incoming {
    type Error = Broken;

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Broken>>> {
        let Some(shared) = &self.shared else {
            return Poll::Ready(None);
        };
        let mut state = lock(shared);
        if let Some(frame) = state.frames.pop_front() {
            let length = length(&frame);
            state.taken += length;
            let length = u64::try_from(length).unwrap_or(u64::MAX);
            self.left = self.left.map(|left| left.saturating_sub(length));
            state.wake_feeder(Some(cx.waker()));
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(end) = state.end {
            drop(state);
            self.shared = None;
            return Poll::Ready(end.err().map(Err));
        }
        remember(&mut state.taker, cx.waker());
        if !state.waits {
            state.waits = true;
            state.wake_feeder(Some(cx.waker()));
        }
        Poll::Pending
    }

    fn left(&self) -> Option<u64> {
        self.left
    }

    /// A body whose length is known may still have trailers.
    fn is_end(&self) -> bool {
        let Some(shared) = &self.shared else {
            return true;
        };
        let state = lock(shared);
        state.frames.is_empty() && state.end == Some(Ok(()))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            let mut state = lock(shared);
            state.gone = true;
            // What nobody will take makes room all the same.
            for frame in std::mem::take(&mut state.frames) {
                state.taken += length(&frame);
            }
            state.wake_feeder(None);
        }
    }
}

impl Feed {
    /// Ready while the taker waits for a frame, or when it has gone.
    pub fn poll_taker(&self, cx: &mut Context<'_>) -> Poll<Taker> {
        let mut state = lock(&self.shared);
        if state.gone {
            return Poll::Ready(Taker::Gone);
        }
        if state.waits && state.frames.is_empty() {
            return Poll::Ready(Taker::Waits);
        }
        remember(&mut state.feeder, cx.waker());
        Poll::Pending
    }

    /// Bytes that were taken since this was last asked, and wakes the task of `cx` when there are more.
    pub fn taken(&self, cx: &mut Context<'_>) -> usize {
        let mut state = lock(&self.shared);
        remember(&mut state.feeder, cx.waker());
        std::mem::take(&mut state.taken)
    }

    /// Puts a frame behind those that wait. How much waits is the caller's to bound, by
    /// [`Feed::taken`]: what is pushed when the taker has gone counts as taken.
    pub fn push(&self, frame: Frame) {
        self.tell(|state| {
            if state.gone {
                state.taken += length(&frame);
            } else {
                state.add(frame);
            }
        });
    }

    /// The body is whole.
    pub fn end(self) {
        self.finish();
    }

    /// The body is whole; the feed stays to see how it is taken.
    pub fn finish(&self) {
        self.tell(|state| state.end = Some(Ok(())));
    }

    /// The body will never be whole.
    pub fn fail(self, why: Broken) {
        self.tell(|state| state.end = Some(Err(why)));
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.shared);
        change(&mut state);
        state.waits = false;
        let taker = state.taker.take();
        drop(state);
        if let Some(taker) = taker {
            taker.wake();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.tell(|state| {
            state.end.get_or_insert(Err(Broken::Gone));
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn poll(body: &mut Incoming) -> Poll<Option<Result<Frame, Broken>>> {
        body.poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    fn taker(feed: &Feed) -> Poll<Taker> {
        feed.poll_taker(&mut Context::from_waker(Waker::noop()))
    }

    fn data(text: &'static str) -> Frame {
        Frame::Data(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn frames_come_in_order_and_only_what_is_wanted_is_asked_for() {
        let (feed, mut body) = pipe(Some(3));
        assert!(taker(&feed).is_pending());
        assert!(poll(&mut body).is_pending());
        assert_eq!(taker(&feed), Poll::Ready(Taker::Waits));
        feed.push(data("ab"));
        assert!(taker(&feed).is_pending());
        feed.push(data("c"));
        let got = poll(&mut body);
        assert!(matches!(got, Poll::Ready(Some(Ok(Frame::Data(data)))) if data == "ab"));
        assert_eq!(body.left(), Some(1));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!((feed.taken(&mut cx), feed.taken(&mut cx)), (2, 0));
        feed.end();
        assert!(!body.is_end());
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
        assert!(body.is_end());
        assert!(matches!(poll(&mut body), Poll::Ready(None)));
    }

    #[test]
    fn an_end_that_nobody_gave_is_no_clean_one() {
        let (feed, mut body) = pipe(None);
        drop(feed);
        assert!(matches!(
            poll(&mut body),
            Poll::Ready(Some(Err(Broken::Gone)))
        ));
        assert!(matches!(poll(&mut body), Poll::Ready(None)));
        let (feed, mut body) = pipe(None);
        feed.fail(Broken::Invalid);
        assert!(matches!(
            poll(&mut body),
            Poll::Ready(Some(Err(Broken::Invalid)))
        ));
    }

    #[test]
    fn a_taker_that_has_gone_is_seen() {
        let (feed, body) = pipe(None);
        drop(body);
        assert_eq!(taker(&feed), Poll::Ready(Taker::Gone));
        feed.push(data("x"));
    }

    #[test]
    fn small_pieces_that_wait_are_joined() {
        let (feed, mut body) = pipe(None);
        for _ in 0..10_000 {
            feed.push(Frame::Data(Bytes::copy_from_slice(b"abc")));
        }
        let mut cx = Context::from_waker(Waker::noop());
        let (mut frames, mut all) = (0, Vec::new());
        while let Poll::Ready(Some(Ok(Frame::Data(data)))) = poll(&mut body) {
            frames += 1;
            all.extend_from_slice(&data);
        }
        assert_eq!(all, b"abc".repeat(10_000));
        assert!(frames < 4, "{frames}");
        assert_eq!(feed.taken(&mut cx), 30_000);
    }

    #[test]
    fn what_nobody_will_take_counts_as_taken() {
        let (feed, body) = pipe(None);
        let mut cx = Context::from_waker(Waker::noop());
        feed.push(data("abc"));
        drop(body);
        assert_eq!(feed.taken(&mut cx), 3);
        feed.push(data("de"));
        assert_eq!(feed.taken(&mut cx), 2);
    }

    #[test]
    fn no_body_is_at_its_end() {
        let mut body = Incoming::empty();
        assert!(body.is_end());
        assert!(matches!(poll(&mut body), Poll::Ready(None)));
    }
}
