//! The request's body on its way to the shop.
//!
//! It says when its last byte was taken, ends when the client is silent for too
//! long, and waits where the client waits: with `Expect: 100-continue` the body
//! is not polled (hyper's server answers 100 when it is) before the shop itself
//! has sent a 100, or [`PATIENCE`] is over. A shop that answers at once gets no
//! body, and the client's connection is closed after the answer (RFC 9110
//! §10.1.1).

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::stall::Stall;
use super::{Error, RequestBody};

/// How long a shop that knows nothing of `Expect` keeps the client waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// The request's body, watched.
#[derive(Debug)]
pub(super) struct Upload<B> {
    body: B,
    /// Dropped with the last byte.
    sent: Option<oneshot::Sender<Infallible>>,
    gate: Option<Waiting>,
    stall: Stall,
}

/// The shop's side of the wait; dropped, it says that the body is not wanted.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Mutex<Option<oneshot::Sender<()>>>>);

#[derive(Debug)]
struct Waiting {
    go: oneshot::Receiver<()>,
    patience: Pin<Box<Sleep>>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the client's body broke off")]
    Broke(#[source] Box<dyn StdError + Send + Sync>),
    #[error("the client sent nothing for {0:?}")]
    Silent(Duration),
    #[error("the shop did not want the body")]
    Unwanted,
}

/// Watches the request's body; the receiver resolves when it was taken whole, and is none where
/// there is no body.
pub(super) fn wrap<B: RequestBody>(
    request: Request<B>,
    limit: Duration,
) -> (Request<Upload<B>>, Option<oneshot::Receiver<Infallible>>) {
    let mut taken = None;
    let request = request.map(|body| {
        let sent = (!body.is_end_stream()).then(|| {
            let (sent, receiver) = oneshot::channel();
            taken = Some(receiver);
            sent
        });
        Upload {
            body,
            sent,
            gate: None,
            stall: Stall::new(limit),
        }
    });
    (request, taken)
}

/// Makes the body wait for the shop's 100 where the client waits for it.
pub(super) fn gate<B: RequestBody>(request: &mut Request<Upload<B>>) -> Option<Gate> {
    let expected = request.headers().get(header::EXPECT)?;
    if request.body().is_end_stream() || !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return None;
    }
    let (open, go) = oneshot::channel();
    let gate = Gate(Arc::new(Mutex::new(Some(open))));
    request.body_mut().gate = Some(Waiting {
        go,
        patience: Box::pin(tokio::time::sleep(PATIENCE)),
    });
    let opening = gate.clone();
    hyper::ext::on_informational(request, move |response| {
        if response.status() == StatusCode::CONTINUE {
            let mut open = opening.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = open.take() {
                // The body may be gone already; then nobody waits.
                open.send(()).ok();
            }
        }
    });
    Some(gate)
}

/// Whose fault a request that was (partly) written came to nothing by.
pub(super) fn judge(error: hyper::Error) -> Error {
    let cause = StdError::source(&error);
    if let Some(fault) = cause.and_then(|cause| cause.downcast_ref::<Fault>()) {
        return match *fault {
            Fault::Silent(limit) => Error::ClientTimeout(limit),
            Fault::Broke(_) => Error::ClientBroke(error),
            Fault::Unwanted => Error::Broken(error),
        };
    }
    let timed_out = cause
        .and_then(|cause| cause.downcast_ref::<io::Error>())
        .is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut);
    if timed_out {
        return Error::UploadTimeout(error);
    }
    Error::Broken(error)
}

impl<B: RequestBody> Body for Upload<B> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        if let Some(gate) = &mut this.gate {
            match ready!(gate.poll(cx)) {
                Ok(()) => this.gate = None,
                Err(fault) => return Poll::Ready(Some(Err(fault))),
            }
        }
        let frame = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let limit = ready!(this.stall.poll(cx));
                return Poll::Ready(Some(Err(Fault::Silent(limit))));
            }
        };
        this.stall.moved();
        if frame.is_none() || this.body.is_end_stream() {
            this.sent = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| Fault::Broke(error.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Waiting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        match Pin::new(&mut self.go).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_dropped)) => Poll::Ready(Err(Fault::Unwanted)),
            Poll::Pending => self.patience.as_mut().poll(cx).map(Ok),
        }
    }
}
