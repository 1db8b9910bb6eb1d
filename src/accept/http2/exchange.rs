//! Handlers and bodies polled, responses written.

use std::task::{Context, Poll};

use http::StatusCode;
use tokio::time::Instant;
use tracing::debug;

use super::fault::Code;
use super::frame::{self, LARGEST};
use super::stream::{Piece, Work};
use super::streams::Ended;
use super::tunnel::Tunnel;
use super::{Connection, Service};
use crate::message::{Body, Response};

impl<S: Service> Connection<S> {
    /// Polls what was woken in this slot.
    pub(super) fn poll_stream(&mut self, at: usize) {
        let Some(slot) = self.streams.slot(at) else {
            return;
        };
        let Some(stream) = &mut slot.stream else {
            return;
        };
        match &mut stream.work {
            Work::Asking(_) => {
                let mut cx = Context::from_waker(slot.post.waker());
                let Some(future) = slot.future.as_mut().as_pin_mut() else {
                    return;
                };
                let polled = future.poll(&mut cx);
                for head in slot.interim.take(&mut cx) {
                    // Another protocol is not switched to by 101 here (RFC 9113 §8.6).
                    if head.status.is_informational()
                        && head.status != StatusCode::SWITCHING_PROTOCOLS
                    {
                        self.link.head(stream.id, false, &head, None);
                    }
                }
                self.settle(at);
                if let Poll::Ready(response) = polled {
                    self.answer(at, response);
                }
            }
            Work::Answering(_) => {
                self.settle(at);
                self.queue(at);
            }
            Work::Tunnel(_) => self.poll_tunnel(at),
        }
    }

    /// Lets a stream send when it is its turn.
    pub(super) fn queue(&mut self, at: usize) {
        if let Some(stream) = self.streams.get(at)
            && !stream.queued
        {
            stream.queued = true;
            self.link.turn.push_back(at);
        }
    }

    /// Gives back to the client what was taken of a request's body.
    pub(super) fn settle(&mut self, at: usize) {
        let Some(slot) = self.streams.slot(at) else {
            return;
        };
        let Some(stream) = &mut slot.stream else {
            return;
        };
        let Some(upload) = &mut stream.upload else {
            return;
        };
        let taken = upload.taken(&mut Context::from_waker(slot.post.waker()));
        self.link.give(taken.bytes);
        if !stream.heard {
            self.link.open(stream.id, taken.window);
        }
    }

    /// Writes a response's head and goes over to its body.
    fn answer(&mut self, at: usize, response: Response<S::Body>) {
        let Some(slot) = self.streams.slot(at) else {
            return;
        };
        slot.future.as_mut().set(None);
        let Some(stream) = &mut slot.stream else {
            return;
        };
        let Response { head, body, tunnel } = response;
        let near = match &mut stream.work {
            Work::Asking(near) => near.take(),
            Work::Answering(_) | Work::Tunnel(_) => None,
        };
        let tunnel = match (tunnel, near) {
            (None, _) => None,
            (Some(tunnel), Some(near)) if head.status.is_success() => {
                Some(Box::new(Tunnel::new(near, tunnel)))
            }
            (Some(_), _) => return self.broken(at, Code::Internal),
        };
        if head.status.is_informational() {
            return self.broken(at, Code::Internal);
        }
        let bare = stream.bare
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        let end = tunnel.is_none() && (bare || body.is_end());
        let length = if bare || tunnel.is_some() {
            None
        } else {
            body.left()
        };
        self.link.head(stream.id, end, &head, length);
        match tunnel {
            Some(tunnel) => {
                stream.work = Work::Tunnel(tunnel);
                self.poll_tunnel(at);
            }
            None if end => {
                drop(body);
                self.said(at);
            }
            None => {
                stream.work = Work::Answering(body);
                self.queue(at);
            }
        }
    }

    /// Passes on what came for the far end, and lets it answer.
    fn poll_tunnel(&mut self, at: usize) {
        let Some(slot) = self.streams.slot(at) else {
            return;
        };
        let Some(stream) = &mut slot.stream else {
            return;
        };
        let Work::Tunnel(tunnel) = &mut stream.work else {
            return;
        };
        let mut cx = Context::from_waker(slot.post.waker());
        if let Poll::Ready(Err(error)) = tunnel.poll_up(&mut cx) {
            debug!(%error, "a tunnel broke off");
            return self.broken(at, Code::Connect);
        }
        if tunnel.poll_silence(&mut cx).is_ready() {
            debug!("a tunnel was silent for too long");
            return self.broken(at, Code::Cancel);
        }
        let over = tunnel.is_over();
        self.settle(at);
        if over {
            self.over(at);
        } else {
            self.queue(at);
        }
    }

    /// Sends pieces of bodies, in turn, as long as there is room.
    pub(super) fn send(&mut self) {
        while self.link.output.has_room() {
            let Some(at) = self.link.turn.pop_front() else {
                return;
            };
            self.send_piece(at);
        }
    }

    fn send_piece(&mut self, at: usize) {
        let Some(slot) = self.streams.slot(at) else {
            return;
        };
        let Some(stream) = slot.stream.as_mut().filter(|stream| stream.queued) else {
            return;
        };
        stream.queued = false;
        let mut cx = Context::from_waker(slot.post.waker());
        if stream.ahead.is_empty() {
            let piece = stream.work.poll_piece(&mut cx);
            match piece {
                Poll::Ready(Piece::Data(data)) => stream.ahead = data,
                Poll::Pending => return self.settle(at),
                Poll::Ready(piece) => return self.last(at, piece),
            }
        } else {
            // The client may want to be rid of its own body before it makes room for ours.
            stream.work.advance(&mut cx);
        }
        self.settle(at);
        self.send_data(at);
    }

    /// The piece behind all data.
    fn last(&mut self, at: usize, piece: Piece) {
        let Some(stream) = self.streams.get(at) else {
            return;
        };
        match piece {
            Piece::Broken(code) => return self.broken(at, code),
            Piece::Trailers(fields) if !fields.is_empty() => {
                self.link.trailers(stream.id, &fields);
            }
            Piece::End | Piece::Trailers(_) | Piece::Data(_) => {
                frame::data(self.link.output.frame(), stream.id, 0, true);
            }
        }
        self.said(at);
    }

    /// One DATA frame, as large as both windows allow.
    fn send_data(&mut self, at: usize) {
        let Some(stream) = self.streams.get(at) else {
            return;
        };
        let link = &mut self.link;
        let allowed = stream.window.left().min(link.window.left()).min(LARGEST);
        let length = stream.ahead.len().min(allowed);
        if length == 0 && !stream.ahead.is_empty() {
            let now = *stream.blocked.get_or_insert_with(Instant::now);
            self.clock.block(now);
            return;
        }
        stream.blocked = None;
        let data = stream.ahead.split_to(length);
        let end = stream.ahead.is_empty() && stream.work.is_end();
        frame::data(link.output.frame(), stream.id, length, end);
        link.output.data(data);
        stream.window.take(length);
        link.window.take(length);
        link.budget.moved(length);
        if end {
            self.said(at);
        } else {
            self.queue(at);
        }
    }

    /// We have said everything on this stream.
    fn said(&mut self, at: usize) {
        let Some(stream) = self.streams.get(at) else {
            return;
        };
        if let Work::Tunnel(tunnel) = &mut stream.work {
            tunnel.down_ended = true;
            if !tunnel.is_over() {
                return;
            }
        }
        self.over(at);
    }

    /// Nothing more is to be said on this stream. If the client has not done so, the rest is
    /// not wanted (RFC 9113 §8.1).
    fn over(&mut self, at: usize) {
        let Some(ended) = self.end(at) else {
            return;
        };
        self.link.budget.answered();
        if ended.heard {
            self.link.past.ended(ended.id);
        } else {
            self.link.reset(ended.id, Code::NoError);
        }
    }

    /// Ends a stream before everything was said.
    pub(super) fn broken(&mut self, at: usize, code: Code) {
        if let Some(ended) = self.end(at) {
            self.link.reset(ended.id, code);
        }
    }

    /// Takes a stream out of its slot.
    pub(super) fn end(&mut self, at: usize) -> Option<Ended> {
        let ended = self.streams.end(at)?;
        self.link.give(ended.held);
        Some(ended)
    }
}
