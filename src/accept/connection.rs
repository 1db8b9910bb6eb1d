//! One connection: hyper's HTTP/1.1 server on it, its limits, its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::phase::{Answer, Clock, Noted, Phase};
use super::{Peer, Settings};
use crate::event::{Counters, Event};
use crate::wire::Stream;

const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Fields in a request's head (431 above it).
const FIELDS: usize = 256;

/// What a connection gets from its worker.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) counters: Arc<Counters>,
    pub(super) shutdown: CancellationToken,
}

/// How long, and how often, a refused client is read on.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS: usize = 64;

enum End {
    /// The connection came to its own end, or was upgraded.
    Done(hyper::Result<()>),
    /// The client was too slow over a head, or had nothing more to ask.
    Late,
}

pub(super) async fn serve<S, F, B>(stream: Stream, peer: Peer, shared: Shared, service: S)
where
    S: Fn(Peer, Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Shared {
        settings,
        counters,
        shutdown,
    } = shared;
    let phase = Arc::new(Phase::new());
    let noting = Arc::clone(&phase);
    let service = service_fn(move |request: Request<Incoming>| {
        noting.request(&request);
        let phase = Arc::clone(&noting);
        let answer = service(peer, request);
        async move {
            let answer = answer.await.map(|body| Answer { body, phase });
            Ok::<_, Infallible>(answer)
        }
    });
    let io = TokioIo::new(Noted {
        stream,
        phase: Arc::clone(&phase),
    });
    let mut connection = protocol(&settings)
        .serve_connection(io, service)
        .with_upgrades();
    let mut clock = Clock::new(settings.head_timeout, settings.idle_timeout);

    let end = {
        let mut told = pin!(shutdown.cancelled());
        let mut draining = false;
        poll_fn(|cx| {
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(End::Done(result));
            }
            if !draining && told.as_mut().poll(cx).is_ready() {
                draining = true;
                // Ends an idle connection at once, any other after the answer in flight.
                Pin::new(&mut connection).graceful_shutdown();
                cx.waker().wake_by_ref();
            }
            clock.poll(&phase, cx).map(|()| End::Late)
        })
        .await
    };

    let refused = matches!(&end, End::Done(Err(error)) if error.is_parse());
    if refused || matches!(end, End::Late if phase.in_head()) {
        counters.add(Event::RequestRefused);
    }
    if let End::Done(Err(error)) = &end {
        debug!(%error, "a connection ended early");
    }
    // None: upgraded, and so in other hands.
    if let Some(parts) = connection.into_parts() {
        close(parts.io.into_inner().stream, end, &phase).await;
    }
}

async fn close(mut stream: Stream, end: End, phase: &Phase) {
    match end {
        End::Late if phase.in_head() => {
            // A courtesy; one try without waiting.
            poll_fn(|cx| Poll::Ready(Pin::new(&mut stream).poll_write(cx, TOO_SLOW).is_ready()))
                .await;
        }
        // The shop's body broke off, and this client knows its end only by the connection's.
        End::Done(Err(error)) if error.is_user() && phase.is_old() => reset(stream.socket()),
        End::Done(Err(error)) if error.is_parse() => linger(stream).await,
        End::Done(_) if phase.had_body() => linger(stream).await,
        End::Done(_) | End::Late => {}
    }
}

/// Reads on a little before closing: bytes left unread make the kernel send RST, and that may
/// destroy our last answer before the client has read it (RFC 9112 §9.6).
async fn linger(mut stream: Stream) {
    let mut scrap = vec![0; 16 * 1024];
    let reading = async {
        stream.shutdown().await?;
        for _ in 0..LINGER_READS {
            if stream.read(&mut scrap).await? == 0 {
                break;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(LINGER, reading).await {
        debug!(%error, "a connection broke while closing");
    }
}

fn protocol(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_headers(FIELDS)
        .header_read_timeout(None::<Duration>)
        .max_header_size(settings.head_limit)
        .half_close(false);
    builder
}

/// Closes by RST, so that the end cannot be taken for the end of a body.
fn reset(socket: &tokio::net::TcpStream) {
    if let Err(error) = SockRef::from(socket).set_linger(Some(Duration::ZERO)) {
        debug!(%error, "could not reset a connection");
    }
}
