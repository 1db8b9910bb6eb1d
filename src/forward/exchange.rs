//! One request and its response on one connection, driven by whoever waits for them.
//!
//! Both directions go on at once: a shop may answer before it has read the
//! request, and its answer is passed on while the client still sends.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{StatusCode, Version};
use tokio::time::Instant;
use tracing::debug;

use super::headers::{Coding, Length, Told, from_shop};
use super::inflow::Inflow;
use super::pool::{Connection, Shelf};
use super::request::Upgrade;
use super::upload::{self, PATIENCE, Stage, Upload};
use super::{Body, Error, Fault};
use crate::message::parse::{self, Limits};
use crate::message::{Fields, Frame, Interim, Response, ResponseHead, Tunnel};

/// Of a response's head.
const HEAD: Limits = Limits {
    bytes: 64 * 1024,
    fields: 256,
};

/// Interim responses to one request; a shop that sends more will send them for ever.
const INTERIMS: u32 = 32;

/// A request and its response under way.
#[derive(Debug)]
pub(super) struct Exchange {
    connection: Connection,
    shelf: Arc<Shelf>,
    upload: Upload,
    interim: Interim,
    inflow: Inflow,
    /// How long the connection may lie unused afterwards; none: not at all.
    keep: Option<Duration>,
    /// Since when the shop has sent nothing that was due.
    since: Option<Instant>,
    /// Whether a byte of the response has come.
    heard: bool,
    interims: u32,
    /// What the shop's end was broken by while the request was sent.
    broken: Option<io::Error>,
    /// What is to be told with the next frame.
    failed: Option<Error>,
}

impl Exchange {
    pub(super) fn new(
        connection: Connection,
        shelf: Arc<Shelf>,
        upload: Upload,
        interim: Interim,
    ) -> Box<Self> {
        Box::new(Self {
            connection,
            shelf,
            upload,
            interim,
            inflow: Inflow::none(),
            keep: None,
            since: None,
            heard: false,
            interims: 0,
            broken: None,
            failed: None,
        })
    }

    /// Where its connection goes afterwards, and where interim responses go.
    pub(super) fn ways(&self) -> (Arc<Shelf>, Interim) {
        (Arc::clone(&self.shelf), self.interim.clone())
    }

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

    /// Sends on. What broke at the client ends everything; at the shop, its answer may be there.
    fn drive(&mut self, cx: &mut Context<'_>) -> Result<Stage, Error> {
        match self.upload.drive(&mut self.connection.wire.stream, cx) {
            Ok(stage) => Ok(stage),
            Err(upload::Fault::Client(broken)) => Err(Error::ClientBroke(broken)),
            Err(upload::Fault::Shop(error)) if self.upload.is_unsent() => {
                Err(self.lost(Fault::Io(error)))
            }
            Err(upload::Fault::Shop(error)) => {
                self.upload.stop();
                self.broken = Some(error);
                Ok(Stage::Over)
            }
        }
    }

    /// The final head, or none after an interim one.
    fn read_head(&mut self, cx: &mut Context<'_>) -> Result<Poll<Option<ResponseHead>>, Error> {
        loop {
            let wire = &mut self.connection.wire;
            if !wire.rest.is_empty() {
                let parsed = parse::response(&wire.rest, HEAD);
                let parsed = parsed.map_err(|fault| Error::Broken(Fault::Head(fault)))?;
                if let Some((head, taken)) = parsed {
                    wire.skip(taken);
                    return self.heed(head).map(Poll::Ready);
                }
            }
            match wire.poll_fill(cx, 0) {
                Poll::Ready(Ok(0)) => return Err(self.lost(Fault::End)),
                Poll::Ready(Ok(_)) => self.heard = true,
                Poll::Ready(Err(error)) => return Err(self.lost(Fault::Io(error))),
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
    }

    fn heed(&mut self, mut head: ResponseHead) -> Result<Option<ResponseHead>, Error> {
        let switched = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let upgraded = switched && self.upload.asked().upgrade == Upgrade::Plain;
        let told = from_shop(&mut head.fields, upgraded);
        let version = head.version;
        // Ours, not the shop's: an HTTP/1.0 shop does not end the client's connection.
        head.version = Version::HTTP_11;
        if head.status.is_informational() || head.status == StatusCode::NO_CONTENT {
            // RFC 9110 §8.6.
            head.fields.remove("content-length");
        }
        if head.status.is_informational() && !switched {
            self.pass(head)?;
            return Ok(None);
        }
        match self.upload.asked().upgrade {
            Upgrade::No if switched => return Err(Error::Switched),
            // RFC 8441 §5: a 2xx would say that it had switched.
            Upgrade::Extended if head.status.is_success() => {
                return Err(Error::Broken(Fault::Unswitched));
            }
            _ => {}
        }
        self.inflow = Inflow::of(head.status, version, &told, self.upload.asked().head)?;
        self.keep = self.may_keep(version, &told);
        self.since = None;
        Ok(Some(head))
    }

    /// An interim response to the client.
    fn pass(&mut self, head: ResponseHead) -> Result<(), Error> {
        self.interims += 1;
        if self.interims > INTERIMS {
            return Err(Error::Broken(Fault::Interims));
        }
        // A client whose body is on its way has had its 100.
        let opened = head.status == StatusCode::CONTINUE && self.upload.open();
        if opened || head.status != StatusCode::CONTINUE {
            self.interim.send(head);
        }
        Ok(())
    }

    fn may_keep(&self, version: Version, told: &Told) -> Option<Duration> {
        // Two framings, or one that is none: the next reader may see another end than we do.
        let doubtful = match told.coding {
            Coding::None => told.length == Length::Invalid,
            Coding::Chunked => told.length != Length::None,
            Coding::Other => true,
        };
        // An HTTP/1.0 shop does not understand a chunked request.
        if told.close || doubtful || version < Version::HTTP_11 {
            return None;
        }
        let idle = self.shelf.settings.pool_idle;
        // A quarter is left for what is under way when the shop closes it.
        Some(told.kept.map_or(idle, |kept| idle.min(kept * 3 / 4)))
    }

    /// Ready where something can go on, or nothing will.
    fn wait_for_head(&mut self, stage: Stage, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let settings = &self.shelf.settings;
        let (since, limit) = match stage {
            Stage::Held => (self.upload.since(), PATIENCE),
            Stage::Client | Stage::Shop => (self.upload.since(), settings.body_timeout),
            // From the request's last byte; what comes before the head is whole does not count.
            Stage::Over => (
                *self.since.get_or_insert_with(Instant::now),
                settings.response_timeout,
            ),
        };
        ready!(self.connection.clock.poll(since + limit, cx));
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
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) {
        if self.failed.is_none() {
            self.failed = self.drive(cx).err();
        }
    }

    /// The body's next frame; none at its end.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame>, Error>> {
        if let Some(failed) = self.failed.take() {
            return Poll::Ready(Err(failed));
        }
        let stage = self.drive(cx)?;
        loop {
            let frame = self.take()?;
            if frame.is_some() || self.inflow.is_whole() {
                return Poll::Ready(Ok(frame));
            }
            let expected = self.inflow.expected();
            match self.connection.wire.poll_fill(cx, expected) {
                Poll::Ready(Ok(0)) => self.inflow.end().map_err(Error::Truncated)?,
                Poll::Ready(Ok(_)) => self.since = None,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(Error::Truncated(Fault::Io(error))));
                }
                Poll::Pending => return self.wait_for_body(stage, cx).map(Err),
            }
        }
    }

    /// What is there of the body without reading more.
    pub(super) fn take(&mut self) -> Result<Option<Frame>, Error> {
        let frame = self.inflow.next(&mut self.connection.wire);
        frame.map_err(Error::Truncated)
    }

    /// Ready when either way was silent for too long.
    fn wait_for_body(&mut self, stage: Stage, cx: &mut Context<'_>) -> Poll<Error> {
        let limit = self.shelf.settings.body_timeout;
        let shop = *self.since.get_or_insert_with(Instant::now);
        let upload = match stage {
            Stage::Client | Stage::Shop => self.upload.since(),
            Stage::Held | Stage::Over => shop + limit,
        };
        ready!(self.connection.clock.poll(shop.min(upload) + limit, cx));
        Poll::Ready(match stage {
            Stage::Client if upload <= shop => Error::ClientTimeout(limit),
            Stage::Shop if upload <= shop => Error::UploadTimeout(io::ErrorKind::TimedOut.into()),
            _ => Error::BodyTimeout(limit),
        })
    }

    /// The response with this head.
    pub(super) fn into_response(self: Box<Self>, mut head: ResponseHead) -> Response<Body> {
        if head.status != StatusCode::SWITCHING_PROTOCOLS {
            return Response {
                head,
                body: Body::new(self),
                tunnel: None,
            };
        }
        if self.upload.asked().upgrade == Upgrade::Extended {
            head.status = StatusCode::OK;
            head.reason = None;
            // RFC 8441 §5: HTTP/2 has no handshake of its own.
            head.fields.remove("sec-websocket-accept");
        }
        let tunnel = Tunnel {
            limit: self.shelf.settings.tunnel_timeout,
            far: Box::new(self.connection.wire),
        };
        Response {
            head,
            body: Body::empty(),
            tunnel: Some(tunnel),
        }
    }

    /// Ends it: the connection goes back if both messages are whole. The response's trailers.
    pub(super) fn finish(self: Box<Self>) -> Option<Fields> {
        if let Some(keep) = self.keep
            && self.upload.is_sent()
        {
            if self.connection.wire.rest.is_empty() {
                self.shelf.put(self.connection, keep);
            } else {
                debug!("the shop sent more than its response; its connection is not used again");
            }
        }
        self.inflow.into_trailers()
    }

    pub(super) const fn inflow(&self) -> &Inflow {
        &self.inflow
    }

    /// Why there is no head, whichever way it was told first.
    fn lost(&mut self, fault: Fault) -> Error {
        match self.broken.take().map_or(fault, Fault::Io) {
            Fault::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                Error::UploadTimeout(error)
            }
            fault => Error::Broken(fault),
        }
    }

    /// Whether the connection ended (with this error) before a byte of the response.
    pub(super) const fn is_unheard(&self, error: &Error) -> bool {
        !self.heard && matches!(error, Error::Broken(Fault::End | Fault::Io(_)))
    }

    /// The request again.
    pub(super) fn into_upload(self) -> Upload {
        self.upload
    }
}
