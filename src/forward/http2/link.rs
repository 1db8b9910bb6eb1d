//! One connection to a shop, as those who share it see it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use tokio::time::Instant;

/// Streams on one connection at once, however many the shop would take.
pub(super) const MOST: u32 = 128;

/// Streams that are whole but for their end, which is waited for so that they are not reset.
const ENDING: usize = 64;

/// A connection.
#[derive(Debug)]
pub(super) struct Link(Mutex<State>);

#[derive(Debug)]
struct State {
    /// None: it takes no more streams.
    sender: Option<SendRequest<Bytes>>,
    /// Streams under way.
    streams: u32,
    /// Since when the number of streams is what it is.
    since: Instant,
    /// Whether it has had a stream before.
    used: bool,
    /// Whether a stream was begun since the driver asked.
    asked: bool,
    /// Whether the shop is silent on it.
    doubted: bool,
    ending: Vec<RecvStream>,
}

/// The right to one stream.
#[derive(Debug)]
pub(super) struct Lease {
    link: Arc<Link>,
    pub(super) sender: SendRequest<Bytes>,
    /// Whether the connection has had a stream before.
    pub(super) reused: bool,
}

impl Link {
    pub(super) fn new(sender: SendRequest<Bytes>) -> Self {
        Self(Mutex::new(State {
            sender: Some(sender),
            streams: 0,
            since: Instant::now(),
            used: false,
            asked: false,
            doubted: false,
            ending: Vec::new(),
        }))
    }

    /// A stream of it, if it takes one more.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let mut state = self.lock();
        let sender = state.sender.as_ref()?;
        let most = sender.current_max_send_streams();
        let most = u32::try_from(most).unwrap_or(MOST).min(MOST);
        if state.doubted || state.streams >= most {
            return None;
        }
        let sender = sender.clone();
        state.streams += 1;
        state.asked = true;
        let reused = std::mem::replace(&mut state.used, true);
        Some(Lease {
            link: Arc::clone(self),
            sender,
            reused,
        })
    }

    /// No more streams: with the last one it ends.
    pub(super) fn retire(&self) {
        self.lock().sender = None;
    }

    /// Whether it takes streams at all.
    pub(super) fn is_open(&self) -> bool {
        self.lock().sender.is_some()
    }

    /// Takes in what the driver has heard: a GOAWAY, and the ends of streams.
    pub(super) fn settle(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut state = self.lock();
        let gone = |sender: &mut SendRequest<Bytes>| {
            matches!(sender.poll_ready(&mut cx), Poll::Ready(Err(_)))
        };
        if state.sender.as_mut().is_some_and(gone) {
            state.sender = None;
        }
        let still = |stream: &mut RecvStream| stream.poll_data(&mut cx).is_pending();
        state.ending.retain_mut(still);
    }

    /// Waits for a stream's end in its reader's place, who has all that it wants.
    pub(super) fn see_off(&self, stream: RecvStream) {
        let mut state = self.lock();
        if state.ending.len() < ENDING {
            state.ending.push(stream);
        }
    }

    /// Whether an answer is due: a stream is under way, or was since this was last asked.
    pub(super) fn take_asked(&self) -> bool {
        let mut state = self.lock();
        let asked = std::mem::take(&mut state.asked);
        asked || state.streams > 0
    }

    /// While the shop is silent on it, streams begin elsewhere.
    pub(super) fn doubt(&self, doubted: bool) {
        self.lock().doubted = doubted;
    }

    /// When it has been unused for `idle`, if it is unused.
    pub(super) fn idle_end(&self, idle: Duration) -> Option<Instant> {
        let state = self.lock();
        let unused = state.streams == 0 && state.sender.is_some();
        unused.then(|| state.since + idle)
    }

    /// Streams that did not end in time are reset.
    pub(super) fn forget_ending(&self) {
        self.lock().ending.clear();
    }

    /// Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.link.lock();
        state.streams = state.streams.saturating_sub(1);
        state.since = Instant::now();
    }
}
