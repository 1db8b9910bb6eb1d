//! Bytes that pass, with insertions at known places.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use lol_html::OutputSink;

/// What passes, shared by who finds the places and who passes the bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Splice(Arc<Mutex<Passing>>);

#[derive(Debug, Default)]
struct Passing {
    /// How many bytes of the page have passed.
    at: usize,
    /// What goes in before which byte of the page, in the page's order.
    insertions: VecDeque<(usize, String)>,
    out: Vec<u8>,
}

impl Splice {
    fn with<T>(&self, act: impl FnOnce(&mut Passing) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `text` goes in before the byte `at` of the page, which has not passed yet.
    pub(super) fn insert(&self, at: usize, text: String) {
        self.with(|passing| passing.insertions.push_back((at, text)));
    }

    /// These bytes of the page are next.
    pub(super) fn pass(&self, bytes: &[u8]) {
        self.with(|passing| passing.pass(bytes));
    }

    /// What has passed since it was last asked.
    pub(super) fn take(&self) -> Vec<u8> {
        self.with(|passing| mem::take(&mut passing.out))
    }
}

impl Passing {
    fn pass(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((at, text)) = self
            .insertions
            .pop_front_if(|(at, _)| at.saturating_sub(self.at) <= rest.len())
        {
            if let Some((before, behind)) = rest.split_at_checked(at.saturating_sub(self.at)) {
                self.out.extend_from_slice(before);
                self.at += before.len();
                rest = behind;
            }
            self.out.extend_from_slice(text.as_bytes());
        }
        self.out.extend_from_slice(rest);
        self.at += rest.len();
    }
}

impl OutputSink for Splice {
    fn handle_chunk(&mut self, chunk: &[u8]) {
        self.pass(chunk);
    }
}
