//! Proxy: the request path on one page.
//!
//! refuse → find the store → forward → answer. Whatever goes wrong is judged
//! here, once: by whose fault it is.

mod answer;
mod body;
mod target;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use tracing::{debug, warn};

use crate::accept::Peer;
use crate::event::{Counters, Event};
use crate::forward::{self, headers};
use crate::store::{Store, Stores};

pub use body::Body;

/// One worker's request path.
#[derive(Debug)]
pub struct Service {
    settings: Arc<forward::Settings>,
    stores: Arc<Stores>,
    counters: Arc<Counters>,
    client: forward::Client,
}

impl Service {
    /// The path of one worker; `client` is that worker's own.
    pub const fn new(
        settings: Arc<forward::Settings>,
        stores: Arc<Stores>,
        counters: Arc<Counters>,
        client: forward::Client,
    ) -> Self {
        Self {
            settings,
            stores,
            counters,
            client,
        }
    }

    /// Answers one request. Dropping the future cancels the request at the shop.
    pub async fn handle(self: Arc<Self>, peer: Peer, request: Request<Incoming>) -> Response<Body> {
        self.counters.add(Event::Request);
        let (mut head, body) = request.into_parts();
        let host = match target::settle(&mut head) {
            Ok(host) => host,
            Err(refusal) => return self.refuse(&refusal),
        };
        let Some(store) = self.stores.find(target::name(&host)) else {
            self.counters.add(Event::UnknownHost);
            debug!("a request for a host that no store has");
            return answer::unknown_host();
        };
        let asker = self.asker(peer, store, &host, head.version);
        headers::to_shop(&mut head.headers, &asker);
        match self
            .client
            .send(&store.upstream, Request::from_parts(head, body))
            .await
        {
            Ok(response) => self.pass(response),
            Err(error) => self.fail(store, &error),
        }
    }

    fn asker<'a>(
        &self,
        peer: Peer,
        store: &Store,
        host: &'a HeaderValue,
        version: http::Version,
    ) -> headers::Asker<'a> {
        let addr: IpAddr = peer.addr.ip();
        let trusted = self.settings.trusts(addr);
        headers::Asker {
            addr,
            trusted,
            scheme: if trusted { store.scheme } else { peer.scheme },
            host,
            version,
        }
    }

    /// The shop's response, unchanged, to the client as it comes.
    fn pass(&self, response: Response<forward::Body>) -> Response<Body> {
        let announced = announced(&response);
        response.map(|shop| match announced {
            Some(length) => Body::announced(length),
            None => Body::shop(shop, Arc::clone(&self.counters)),
        })
    }

    fn refuse(&self, refusal: &target::Refusal) -> Response<Body> {
        self.counters.add(Event::RequestRefused);
        debug!(%refusal, "refused a request");
        answer::refused(refusal)
    }

    fn fail(&self, store: &Store, error: &forward::Error) -> Response<Body> {
        let failure = answer::failure(error);
        self.counters.add(failure.event);
        if failure.status.is_server_error() {
            let cause = std::error::Error::source(error).map(tracing::field::display);
            warn!(store = %store.name, cause, "{error}");
        } else {
            debug!(store = %store.name, "{error}");
        }
        failure.response()
    }
}

/// The length that a 304 speaks of without having it; hyper would leave it out.
fn announced(response: &Response<forward::Body>) -> Option<u64> {
    if response.status() != StatusCode::NOT_MODIFIED || !response.body().is_end_stream() {
        return None;
    }
    let length = response.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}
