//! The operator's listener: health and counters, on loopback.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::ledger::Ledger;

/// How long an operator's client may take over a request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What the pages are made from.
#[derive(Debug)]
pub struct Admin {
    /// What has happened since the start.
    pub counters: Arc<Counters>,
    /// Asked for its counts, so that its health shows.
    pub ledger: Ledger,
}

/// Serves the operator's pages until `shutdown`; not at all without a listener.
pub async fn serve(listener: Option<TcpListener>, admin: Arc<Admin>, shutdown: CancellationToken) {
    let Some(listener) = listener else { return };
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let Ok((stream, _peer)) = accepted else {
            // Out of descriptors, most likely; the next one may succeed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        let service = service_fn(move |request| answer(Arc::clone(&admin), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        tracker.spawn(async move {
            if let Err(error) = connection.await {
                warn!(%error, "a connection to the admin listener broke off");
            }
        });
    }
}

async fn answer(
    admin: Arc<Admin>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET {
        return Ok(page(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "GET only\n".into(),
        ));
    }
    Ok(match request.uri().path() {
        "/healthz" => admin.health().await,
        "/metrics" => admin.metrics().await,
        _ => page(
            StatusCode::NOT_FOUND,
            "text/plain",
            "here are /healthz and /metrics\n".into(),
        ),
    })
}

impl Admin {
    /// 200 while orders can be entered, 503 otherwise.
    async fn health(&self) -> Response<Full<Bytes>> {
        let (status, word, ledger) = match self.ledger.counts().await {
            Ok(_) => (StatusCode::OK, "ok", "ok".to_owned()),
            Err(error) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "degraded",
                error.to_string(),
            ),
        };
        let count = |event| self.counters.get(event);
        let health = serde_json::json!({
            "status": word,
            "time": Time::now().to_string(),
            "ledger": ledger,
            "orders_spooled": count(Event::OrderSpooled),
            "orders_logged": count(Event::OrderLogged),
            "rules_unreadable": count(Event::RuleUnreadable),
            "postbacks_unclear": count(Event::PostbackUnclear),
        });
        page(status, "application/json", format!("{health}\n"))
    }

    /// The Prometheus text format, version 0.0.4.
    async fn metrics(&self) -> Response<Full<Bytes>> {
        let mut text = String::new();
        for event in Event::ALL {
            let (name, count) = (event.name(), self.counters.get(*event));
            // Writing to a String cannot fail.
            let _infallible = writeln!(text, "# TYPE refgate_{name}_total counter");
            let _infallible = writeln!(text, "refgate_{name}_total {count}");
        }
        if let Ok(counts) = self.ledger.counts().await {
            let _infallible = writeln!(text, "# TYPE refgate_postbacks gauge");
            for (state, count) in counts.postbacks {
                let _infallible = writeln!(text, "refgate_postbacks{{state=\"{state}\"}} {count}");
            }
        }
        page(StatusCode::OK, "text/plain; version=0.0.4", text)
    }
}

fn page(status: StatusCode, media_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
