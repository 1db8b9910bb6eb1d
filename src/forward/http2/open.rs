//! A new connection that speaks HTTP/2, as the shop has confirmed.
//!
//! Inside TLS it is agreed on by ALPN, with nothing else on offer; without TLS the
//! shop is known to speak it (RFC 9113 §3.3). Either way the shop's SETTINGS are waited
//! for before a request goes out: they say how many streams it takes, and whoever
//! speaks something else is found out while nothing is lost yet.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use tokio_rustls::rustls::{self, AlertDescription};

use super::super::{Error, Fault, Settings, dial};
use super::ear::{Ear, Heard};
use super::link::MOST;
use crate::store::Upstream;
use crate::wire::Stream;

/// Of a response's head, in bytes; as by HTTP/1.1.
const HEAD: u32 = 64 * 1024;

/// Data of one stream that may wait for its taker, in bytes.
const WINDOW: u32 = 256 * 1024;

/// Data of one request's body that may wait for the kernel, in bytes.
const OUT: usize = 64 * 1024;

/// A connection on which no request has gone out.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) connection: Connection<Ear, Bytes>,
    pub(super) heard: Heard,
}

/// Connects; the caller bounds the time.
pub(super) async fn open(upstream: &Upstream, settings: &Settings) -> Result<Opened, Error> {
    let stream = match dial::open(upstream, settings).await {
        Err(Error::Tls(error)) if declines(&error) => {
            return Err(Error::NoHttp2(Fault::Io(error)));
        }
        dialed => dialed?,
    };
    if let Stream::Tls(tls) = &stream
        && tls.get_ref().1.alpn_protocol() != Some(dial::HTTP2)
    {
        return Err(Error::NoHttp2(Fault::Unagreed));
    }
    let (ear, heard) = Ear::new(stream);
    let opening = builder().handshake::<_, Bytes>(ear);
    let (sender, connection) = opening.await.map_err(unspoken)?;
    let mut opened = Opened {
        sender,
        connection,
        heard,
    };
    poll_fn(|cx| opened.poll_settings(cx)).await?;
    Ok(opened)
}

impl Opened {
    /// Ready with the shop's first SETTINGS.
    fn poll_settings(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match Pin::new(&mut self.connection).poll(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(unspoken(error))),
            Poll::Ready(Ok(())) => Poll::Ready(Err(Error::NoHttp2(Fault::End))),
            // None are allowed before.
            Poll::Pending if self.sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What is spoken, and how much the shop may make us hold.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(0)
        .initial_window_size(WINDOW)
        // A stream that nobody takes from must not stop the others.
        .initial_connection_window_size(WINDOW.saturating_mul(MOST))
        .max_header_list_size(HEAD)
        .max_send_buffer_size(OUT)
        // Streams of which the shop may not know yet that they were cancelled.
        .max_concurrent_reset_streams(2 * usize::try_from(MOST).unwrap_or(usize::MAX))
        // A shop that breaks the protocol again and again loses its connection.
        .max_local_error_reset_streams(Some(1024));
    builder
}

fn unspoken(error: h2::Error) -> Error {
    Error::NoHttp2(Fault::Http2(error))
}

/// Whether the shop ended TLS because nothing that was offered suits it (RFC 7301 §3.2).
fn declines(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(
        error,
        Some(rustls::Error::AlertReceived(
            AlertDescription::NoApplicationProtocol
        ))
    )
}
