//! Streams that are over: what still comes for one tells whether the client errs (RFC 9113 §5.1).

use std::collections::VecDeque;

/// How many are remembered, of each kind.
const REMEMBERED: usize = 128;

/// How a stream that is over has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By our `RST_STREAM`: what the client sent before it heard of it is passed over.
    Ours,
    /// By the client's, or when both had said everything.
    Theirs,
    /// So long ago that nobody knows, or it was passed over by a higher one (RFC 9113 §5.1.1).
    Unknown,
}

/// The streams that ended last. Nothing is allocated for a connection whose streams
/// come to their own end one after the other.
#[derive(Debug, Default)]
pub(super) struct Past {
    ours: VecDeque<u32>,
    last: [u32; 16],
    at: usize,
}

impl Past {
    /// We ended it, and the client had not said everything.
    pub(super) fn reset(&mut self, stream: u32) {
        if self.ours.len() == REMEMBERED {
            self.ours.pop_front();
        }
        self.ours.push_back(stream);
    }

    /// It ended, and the client knows.
    pub(super) fn ended(&mut self, stream: u32) {
        if let Some(slot) = self.last.get_mut(self.at) {
            *slot = stream;
        }
        self.at = (self.at + 1) % self.last.len();
    }

    /// How this one ended. Streams after the highest are not asked for.
    pub(super) fn end(&self, stream: u32) -> End {
        if self.ours.contains(&stream) {
            End::Ours
        } else if self.last.contains(&stream) {
            End::Theirs
        } else {
            End::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered() {
        let mut past = Past::default();
        for stream in 1..=200 {
            past.reset(stream);
            past.ended(1000 + stream);
        }
        let end = |stream| past.end(stream);
        assert_eq!([72, 73, 200].map(end), [End::Unknown, End::Ours, End::Ours]);
        assert_eq!(
            [1184, 1185, 1200].map(end),
            [End::Unknown, End::Theirs, End::Theirs]
        );
    }
}
