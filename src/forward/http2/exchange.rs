//! One request and its response on one stream, driven by whoever waits for them.

mod begin;
mod head;
mod receiving;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;
use http::StatusCode;
use tokio::time::Instant;

use super::asked::Asked;
use super::fields::fields;
use super::link::Lease;
use super::switch::Switch;
use super::tunnel::Far;
use super::upload::Upload;
use crate::forward::clock::Clock;
use crate::forward::headers::may_trail;
use crate::forward::upload::{PATIENCE, Stage};
use crate::forward::{Body, Error, Fault, Resend, Settings};
use crate::message::{Frame, Interim, Response, ResponseHead, Tunnel, parse};

use receiving::Receiving;

pub(super) use begin::{Begin, Begun};

/// A request and its response under way. Dropped before both are whole, the stream is reset.
#[derive(Debug)]
pub(in crate::forward) struct Exchange {
    send: SendStream<Bytes>,
    response: ResponseFuture,
    /// The body, once the head has come.
    receive: Option<Receiving>,
    asked: Asked,
    upload: Upload,
    interim: Interim,
    settings: Arc<Settings>,
    lease: Lease,
    clock: Clock,
    /// Since when the shop has sent nothing that was due.
    since: Option<Instant>,
    /// Whether anything of the response has come.
    heard: bool,
    interims: u32,
    /// Bytes still to come, where the head told it.
    left: Option<u64>,
    /// Bytes that were handed on, and whose room in the window is not given back yet.
    held: usize,
    /// Whether both the body and its trailers have come.
    whole: bool,
    /// What is to be told with the next frame.
    failed: Option<Error>,
}

impl Exchange {
    /// The final response's head. Interim ones are passed on meanwhile.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, Error>> {
        loop {
            let stage = self.drive(cx)?;
            match self.read_head(cx)? {
                Poll::Ready(Some(head)) => return Poll::Ready(Ok(head)),
                // The body may go on now.
                Poll::Ready(None) => {}
                Poll::Pending => ready!(self.wait_for_head(stage, cx))?,
            }
        }
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Result<Stage, Error> {
        let driven = self.upload.drive(&mut self.send, cx);
        let stage = driven.map_err(Error::ClientBroke)?;
        self.settle();
        Ok(stage)
    }

    /// Notes whether the stream lacks nothing but its end.
    fn settle(&mut self) {
        if let Some(receive) = &mut self.receive {
            receive.settled = self.left == Some(0) && self.upload.is_over();
        }
    }

    /// Ready where something can go on, or nothing will.
    fn wait_for_head(&mut self, stage: Stage, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let (since, limit) = match stage {
            Stage::Held => (self.upload.since(), PATIENCE),
            Stage::Client | Stage::Shop => (self.upload.since(), self.settings.body_timeout),
            // From the request's last byte.
            Stage::Over => (
                *self.since.get_or_insert_with(Instant::now),
                self.settings.response_timeout,
            ),
        };
        ready!(self.clock.poll(since + limit, cx));
        Poll::Ready(match stage {
            Stage::Held => {
                self.upload.open();
                self.interim.send(ResponseHead::new(StatusCode::CONTINUE));
                Ok(())
            }
            Stage::Client => Err(Error::ClientTimeout(limit)),
            Stage::Shop => Err(Error::UploadTimeout(io::ErrorKind::TimedOut.into())),
            Stage::Over => Err(Error::ResponseTimeout(limit)),
        })
    }

    /// Sends on, while nobody has room for a frame.
    pub(in crate::forward) fn advance(&mut self, cx: &mut Context<'_>) {
        if self.failed.is_none() {
            self.failed = self.drive(cx).err();
        }
    }

    /// The body's next frame; none at its end. That the next one is asked for says that the one
    /// before was taken: only then the shop may send as much again.
    pub(in crate::forward) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame>, Error>> {
        if let Some(failed) = self.failed.take() {
            return Poll::Ready(Err(failed));
        }
        let stage = self.drive(cx)?;
        let Some(receive) = self.receive.as_mut().and_then(Receiving::stream) else {
            return Poll::Ready(Ok(None));
        };
        let broken = |error| Error::Truncated(Fault::Http2(error));
        let held = std::mem::take(&mut self.held);
        let control = receive.flow_control();
        control.release_capacity(held).map_err(broken)?;
        loop {
            match receive.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) if data.is_empty() => {}
                Poll::Ready(Some(data)) => {
                    let data = data.map_err(broken)?;
                    return Poll::Ready(self.took(data).map(Some));
                }
                Poll::Ready(None) => break,
                Poll::Pending => return self.wait_for_body(stage, cx).map(Err),
            }
        }
        let Poll::Ready(trailers) = receive.poll_trailers(cx) else {
            return self.wait_for_body(stage, cx).map(Err);
        };
        let trailers = trailers.map_err(broken)?;
        if self.left.is_some_and(|left| left > 0) {
            return Poll::Ready(Err(Error::Truncated(Fault::End)));
        }
        self.whole = true;
        let Some(trailers) = trailers else {
            return Poll::Ready(Ok(None));
        };
        let large = || Error::Truncated(Fault::Head(parse::Fault::Large));
        let mut trailers = fields(&trailers).ok_or_else(large)?;
        trailers.retain(|name, _| may_trail(name));
        let trailers = Some(trailers).filter(|trailers| !trailers.is_empty());
        Poll::Ready(Ok(trailers.map(Frame::Trailers)))
    }

    fn took(&mut self, data: Bytes) -> Result<Frame, Error> {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if let Some(left) = &mut self.left {
            let rest = left.checked_sub(length);
            *left = rest.ok_or(Error::Truncated(Fault::Beyond))?;
        }
        self.held = data.len();
        self.since = None;
        self.settle();
        Ok(Frame::Data(data))
    }

    /// Ready when either way was silent for too long.
    fn wait_for_body(&mut self, stage: Stage, cx: &mut Context<'_>) -> Poll<Error> {
        let limit = self.settings.body_timeout;
        let shop = *self.since.get_or_insert_with(Instant::now);
        let upload = match stage {
            Stage::Client | Stage::Shop => self.upload.since(),
            Stage::Held | Stage::Over => shop + limit,
        };
        ready!(self.clock.poll(shop.min(upload) + limit, cx));
        Poll::Ready(match stage {
            Stage::Client if upload <= shop => Error::ClientTimeout(limit),
            Stage::Shop if upload <= shop => Error::UploadTimeout(io::ErrorKind::TimedOut.into()),
            _ => Error::BodyTimeout(limit),
        })
    }

    /// Bytes still to come, where the head told it.
    pub(in crate::forward) const fn left(&self) -> Option<u64> {
        self.left
    }

    /// Whether it is known that nothing more comes.
    pub(in crate::forward) fn is_end(&self) -> bool {
        let ended = || self.receive.as_ref().is_none_or(Receiving::is_end);
        self.failed.is_none() && (self.whole || ended())
    }

    /// The request for another stream, where the shop has not looked at it or the caller allows
    /// it; and whether it is sure that nobody has acted on it.
    pub(super) fn again(self, error: &Error, resend: Resend) -> Option<(Upload, bool)> {
        let Error::Broken(Fault::Http2(error)) = error else {
            return None;
        };
        if self.heard {
            return None;
        }
        // RFC 9113 §8.7. A GOAWAY is told to the streams above its last one only.
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM) || error.is_go_away();
        if error.is_remote() && refused {
            return Some((self.upload.again()?, true));
        }
        let ended = error.is_io() && self.lease.reused;
        let may = ended && resend == Resend::Safe && self.upload.is_bodiless();
        may.then(|| Some((self.upload.again()?, false))).flatten()
    }

    /// The response with this head.
    pub(super) fn into_response(mut self: Box<Self>, head: ResponseHead) -> Response<Body> {
        let consents = head.status.is_success() || head.status == StatusCode::SWITCHING_PROTOCOLS;
        let switched = self.asked.switch != Switch::No && consents;
        if !switched {
            return Response {
                head,
                body: Body::of_stream(self),
                tunnel: None,
            };
        }
        let receive = self.receive.take().and_then(Receiving::into_stream);
        let tunnel = receive.map(|receive| Tunnel {
            limit: self.settings.tunnel_timeout,
            far: Box::new(Far {
                send: self.send,
                receive,
                rest: Bytes::new(),
                _lease: self.lease,
            }),
        });
        Response {
            head,
            body: Body::empty(),
            tunnel,
        }
    }
}
