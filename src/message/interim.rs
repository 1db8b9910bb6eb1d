//! Interim responses (1xx; RFC 9110 §15.2) on their way to the client.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use super::ResponseHead;

/// Interim responses that wait to be written; more are left out, as RFC 9110 §15.2 allows
/// a client to ignore each of them.
const WAITING: usize = 8;

/// The way that interim responses take, beside the one final response.
#[derive(Clone, Debug, Default)]
pub struct Interim(Option<Arc<Mutex<State>>>);

#[derive(Debug, Default)]
struct State {
    heads: Vec<ResponseHead>,
    writer: Option<Waker>,
}

impl Interim {
    /// To a client that understands them.
    pub fn open() -> Self {
        Self(Some(Arc::default()))
    }

    /// Makes it ready for another request of the same writer: in the same memory, where
    /// nobody else holds it any more.
    pub fn renew(&mut self) {
        match self.0.as_mut().and_then(Arc::get_mut) {
            Some(state) => {
                let state = state.get_mut().unwrap_or_else(PoisonError::into_inner);
                state.heads.clear();
            }
            None => *self = Self::open(),
        }
    }

    /// To an HTTP/1.0 client: there is no way (RFC 9110 §15.2).
    pub const fn closed() -> Self {
        Self(None)
    }

    /// Sends one on its way. After the final response nobody takes it any more.
    pub fn send(&self, head: ResponseHead) {
        let Some(state) = &self.0 else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.heads.len() < WAITING {
            state.heads.push(head);
        }
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
    }

    /// Takes those that wait; the task of `cx` is woken when there are more.
    pub fn take(&self, cx: &mut Context<'_>) -> Vec<ResponseHead> {
        let Some(state) = &self.0 else {
            return Vec::new();
        };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut state.writer {
            Some(writer) => writer.clone_from(cx.waker()),
            None => state.writer = Some(cx.waker().clone()),
        }
        std::mem::take(&mut state.heads)
    }
}
