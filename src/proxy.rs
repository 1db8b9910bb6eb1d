//! Proxy: the request path on one page.
//!
//! refuse → find the store → capture → forward, or watch → answer. Whatever
//! goes wrong is judged here, once: by whose fault it is.

mod answer;
mod body;
mod target;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use hyper::body::{Body as _, Incoming};
use tracing::{debug, error, warn};

use crate::accept::Peer;
use crate::capture::{self, Captured, navigation};
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::forward::{self, headers};
use crate::store::upstreams::Tried;
use crate::store::{Store, Stores};
use crate::visit::VisitId;
use crate::watch::{self, Watcher};

pub use body::Body;

/// What every worker's request path goes by.
#[derive(Debug)]
pub struct Settings {
    /// The stores, by host.
    pub stores: Stores,
    /// How clicks are recognised.
    pub capture: capture::Settings,
    /// How the shop is spoken to.
    pub forward: Arc<forward::Settings>,
}

/// One worker's request path.
#[derive(Debug)]
pub struct Service {
    settings: Arc<Settings>,
    watcher: Arc<Watcher>,
    counters: Arc<Counters>,
    client: Arc<forward::Client>,
}

impl Service {
    /// The path of one worker; `client` is that worker's own.
    pub const fn new(
        settings: Arc<Settings>,
        watcher: Arc<Watcher>,
        counters: Arc<Counters>,
        client: Arc<forward::Client>,
    ) -> Self {
        Self {
            settings,
            watcher,
            counters,
            client,
        }
    }

    /// Answers one request. Dropping the future cancels the request at the shop,
    /// unless a rule means it.
    pub async fn handle(self: Arc<Self>, peer: Peer, request: Request<Incoming>) -> Response<Body> {
        self.counters.add(Event::Request);
        let (mut head, body) = request.into_parts();
        let host = match target::settle(&mut head) {
            Ok(host) => host,
            Err(refusal) => return self.refuse(&refusal),
        };
        let name = target::name(&host);
        let Some(store) = self.settings.stores.find(name) else {
            self.counters.add(Event::UnknownHost);
            debug!("a request for a host that no store has");
            return answer::unknown_host();
        };

        let captured = self.capture(&mut head, &host, store);
        if let Some(location) = &captured.answer.redirect {
            let mut response = answer::redirect(location.clone());
            captured
                .answer
                .write(response.status(), response.headers_mut());
            return response;
        }
        let speculative = navigation::is_speculative(&head.headers);
        headers::to_shop(
            &mut head.headers,
            &self.asker(peer, store, &host, head.version),
        );
        let watched = self.look(&mut head, name, speculative, &captured);

        let request = Request::from_parts(head, body);
        let mut response = match watched {
            None => self.forward(store, request).await,
            Some(watched) => self.watch(store, request, watched).await,
        };
        captured
            .answer
            .write(response.status(), response.headers_mut());
        response
    }

    /// Whether a rule means the request. What switches protocols is no confirmation.
    fn look(
        &self,
        head: &mut Parts,
        name: &str,
        speculative: bool,
        captured: &Captured,
    ) -> Option<watch::Watched> {
        if head.headers.contains_key(header::UPGRADE) {
            return None;
        }
        let looking = || {
            let visit = captured.visit.as_ref();
            self.watcher.look(head, name, speculative, visit)
        };
        catch_unwind(AssertUnwindSafe(looking)).unwrap_or_else(|_panic| {
            self.counters.add(Event::ObserverFailed);
            error!("asking the rules panicked; the request goes on unwatched");
            None
        })
    }

    async fn forward(&self, store: &Store, request: Request<Incoming>) -> Response<Body> {
        let Some(member) = store.upstreams.next(&mut Tried::default(), Instant::now) else {
            return answer::lost();
        };
        match self.client.send(&member.upstream, request).await {
            Ok(response) => self.pass(response),
            Err(error) => self.fail(store, &error),
        }
    }

    async fn watch(
        &self,
        store: &Arc<Store>,
        request: Request<Incoming>,
        watched: watch::Watched,
    ) -> Response<Body> {
        let watcher = Arc::clone(&self.watcher);
        let (client, shop) = (Arc::clone(&self.client), Arc::clone(store));
        match watcher.exchange(client, shop, request, watched).await {
            Some(Ok(response)) => {
                let (head, body) = response.into_parts();
                match body {
                    watch::Body::Plain(body) => self.pass(Response::from_parts(head, body)),
                    watch::Body::Watched(relay) => Response::from_parts(head, Body::watched(relay)),
                }
            }
            Some(Err(error)) => self.fail(store, &error),
            None => {
                self.counters.add(Event::ObserverFailed);
                error!(store = %store.name, "the task that watches an exchange panicked");
                answer::lost()
            }
        }
    }

    /// Whose visitor it is. Our parameter and our cookie are gone from `head`
    /// then; if capturing panics, the request goes on as it is.
    fn capture(&self, head: &mut Parts, host: &HeaderValue, store: &Store) -> Captured {
        let target = head.uri.path_and_query().cloned();
        let (Some(target), Ok(host)) = (target, host.to_str()) else {
            return Captured::default();
        };
        let mut asked = capture::Head {
            method: &head.method,
            target: target.as_str(),
            host,
            headers: &mut head.headers,
        };
        let settings = &self.settings.capture;
        let capturing =
            || settings.capture(&mut asked, store, (Time::now(), &visit_id), &self.counters);
        let Ok(mut captured) = catch_unwind(AssertUnwindSafe(capturing)) else {
            self.counters.add(Event::CaptureFailed);
            error!(store = %store.name, "capturing panicked; the request goes on untouched");
            return Captured::default();
        };
        let stripped = captured.target.take().map(PathAndQuery::try_from);
        if let Some(Ok(stripped)) = stripped {
            head.uri = Uri::from(stripped);
        }
        captured
    }

    fn asker<'a>(
        &self,
        peer: Peer,
        store: &Store,
        host: &'a HeaderValue,
        version: http::Version,
    ) -> headers::Asker<'a> {
        let addr: IpAddr = peer.addr.ip();
        let trusted = self.settings.forward.trusts(addr);
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

/// 128 random bits; none if the system gives none, and then there is no click.
fn visit_id() -> Option<VisitId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(VisitId(u128::from_be_bytes(bytes)))
}
