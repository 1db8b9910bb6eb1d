//! Answers of our own: small, plain, and without a detail a stranger could use.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::body::Body;
use super::target::Refusal;
use crate::event::Event;
use crate::forward::Error;
use crate::message::Response;

/// What becomes of a request that the shop did not answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) event: Event,
    text: &'static str,
    /// The rest of the request may still be under way.
    close: bool,
}

impl Failure {
    pub(super) fn response(&self) -> Response<Body> {
        plain(self.status, self.text, self.close)
    }
}

/// Whose fault it is.
pub(super) const fn failure(error: &Error) -> Failure {
    let (status, event, text) = fault(error);
    Failure {
        status,
        event,
        text,
        close: status.as_u16() < 500,
    }
}

const fn fault(error: &Error) -> (StatusCode, Event, &'static str) {
    match error {
        Error::NoUpstream
        | Error::Lookup(_)
        | Error::Connect(_)
        | Error::Tls(_)
        | Error::NoHttp2(_) => (
            StatusCode::BAD_GATEWAY,
            Event::ShopUnreachable,
            "The shop cannot be reached.\n",
        ),
        Error::Broken(_)
        | Error::TransferCoding
        | Error::Framing
        | Error::Switched
        | Error::Truncated(_) => (
            StatusCode::BAD_GATEWAY,
            Event::ShopUnreachable,
            "The shop gave no valid answer.\n",
        ),
        Error::NoTunnel => (
            StatusCode::NOT_IMPLEMENTED,
            Event::ShopUnreachable,
            "The shop takes no WebSocket.\n",
        ),
        Error::Unfit(_) => (
            StatusCode::BAD_REQUEST,
            Event::RequestRefused,
            "The request cannot be passed on by HTTP/2.\n",
        ),
        Error::ConnectTimeout(_) => (
            StatusCode::GATEWAY_TIMEOUT,
            Event::ShopTimeout,
            "The shop could not be reached in time.\n",
        ),
        Error::ResponseTimeout(_) | Error::BodyTimeout(_) => (
            StatusCode::GATEWAY_TIMEOUT,
            Event::ShopTimeout,
            "The shop did not answer in time.\n",
        ),
        Error::UploadTimeout(_) => (
            StatusCode::GATEWAY_TIMEOUT,
            Event::ShopTimeout,
            "The shop did not take the request in time.\n",
        ),
        Error::ClientTimeout(_) => (
            StatusCode::REQUEST_TIMEOUT,
            Event::RequestRefused,
            "The request did not come in time.\n",
        ),
        Error::ClientBroke(_) => (
            StatusCode::BAD_REQUEST,
            Event::RequestRefused,
            "The request's body is not valid.\n",
        ),
    }
}

/// A request that is not forwarded. Its framing is not trusted, so the connection ends.
pub(super) fn refused(refusal: &Refusal) -> Response<Body> {
    let mut text = refusal.to_string();
    text.push('\n');
    let status = match refusal {
        Refusal::Connect => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::TransferCoding | Refusal::Protocol => StatusCode::NOT_IMPLEMENTED,
        Refusal::NoHost
        | Refusal::SeveralHosts
        | Refusal::InvalidHost
        | Refusal::HostMismatch
        | Refusal::Target => StatusCode::BAD_REQUEST,
    };
    let mut response = plain(status, "", true);
    response.body = Body::own(text.into());
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
        response.head.fields.append(b"Allow", allowed);
    }
    response
}

/// RFC 9110 §15.5.20: this host is not ours to answer for.
pub(super) fn unknown_host() -> Response<Body> {
    plain(
        StatusCode::MISDIRECTED_REQUEST,
        "No store has this host.\n",
        false,
    )
}

/// RFC 9110 §15.6.4: nobody is there who could be asked, and perhaps somebody is `after` a while.
pub(super) fn unavailable(page: Option<Bytes>, after: Duration) -> Response<Body> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response = plain(status, "The shop cannot be reached.\n", false);
    let fields = &mut response.head.fields;
    if let Some(page) = page {
        fields.set("content-type", b"text/html; charset=utf-8");
        response.body = Body::own(page);
    }
    let after = after.as_secs().max(1).to_string();
    fields.append(b"Retry-After", after.as_bytes());
    response
}

/// Our own mistake; the shop may have acted on the request.
pub(super) fn lost() -> Response<Body> {
    plain(
        StatusCode::BAD_GATEWAY,
        "The shop's answer was lost.\n",
        true,
    )
}

/// The same page, without our parameter.
pub(super) fn redirect(location: &str) -> Response<Body> {
    let mut response = plain(StatusCode::FOUND, "", false);
    response
        .head
        .fields
        .append(b"Location", location.as_bytes());
    response
}

/// What a certificate authority asked for.
pub(super) fn token(token: String) -> Response<Body> {
    let mut response = plain(StatusCode::OK, "", false);
    response.body = Body::own(token.into());
    response
}

/// The same page by https, with the same method and body.
pub(super) fn moved(location: &str) -> Response<Body> {
    let mut response = plain(StatusCode::PERMANENT_REDIRECT, "", false);
    response
        .head
        .fields
        .append(b"Location", location.as_bytes());
    response
}

fn plain(status: StatusCode, text: &'static str, close: bool) -> Response<Body> {
    let body = Body::own(Bytes::from_static(text.as_bytes()));
    let mut response = Response::new(status, body);
    let fields = &mut response.head.fields;
    fields.append(b"Content-Type", b"text/plain; charset=utf-8");
    fields.append(b"Cache-Control", b"no-store");
    if close {
        fields.append(b"Connection", b"close");
    }
    response
}
