//! Proxy: the request path on one page.
//!
//! refuse → find the store → capture → forward, or watch → answer. Whatever
//! goes wrong is judged here, once: by whose fault it is.

mod account;
mod answer;
mod body;
mod hand_over;
mod redirect;
mod target;
mod visitor;

use std::sync::Arc;
use std::time::Instant;

use http::Method;
use tracing::{debug, error, warn};

use crate::accept::Peer;
use crate::access;
use crate::acme::Tokens;
use crate::capture::{self, Captured};
use crate::event::{Counters, Event};
use crate::exclude;
use crate::forward::options::Options;
use crate::forward::{self, Resend, headers};
use crate::message::{Body as _, Request, RequestHead, Response, Target};
use crate::store::{Scheme, Store, Stores, hosts};
use crate::watch::{self, Watcher};

use account::Account;
use hand_over::{Handing, Onward};

pub use body::{Body, Error};

/// What every worker's request path goes by.
#[derive(Debug)]
pub struct Settings {
    /// The stores, by host.
    pub stores: Stores,
    /// How clicks are recognised.
    pub capture: capture::Settings,
    /// How the shop is spoken to.
    pub forward: Arc<forward::Settings>,
    /// What is added to requests and responses.
    pub options: Options,
    /// Where each request has its line, if anywhere.
    pub access: Option<access::Log>,
    /// Who is no shopper.
    pub exclude: exclude::Settings,
    /// What a certificate authority asks for.
    pub tokens: Arc<Tokens>,
}

/// A request that the shop is to be asked.
struct Prepared<'s> {
    store: &'s Arc<Store>,
    /// What the browser is told beside the shop's answer.
    answer: Option<Box<capture::answer::Answer>>,
    /// A rule means it.
    watched: Option<Box<watch::Watched>>,
    /// What the answer may carry over to sibling stores.
    handing: Option<Box<Handing>>,
    /// What a redirect within the store carries on.
    onward: Option<Box<Onward>>,
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
    pub async fn handle(self: Arc<Self>, peer: Peer, mut request: Request) -> Response<Body> {
        self.counters.add(Event::Request);
        let mut account = Account::begin(&self, &peer, &request.head);
        let mut response = match self.prepare(&peer, &mut request.head, &mut account) {
            Err(response) => *response,
            Ok(Prepared {
                store,
                mut answer,
                watched,
                handing,
                onward,
            }) => {
                let mut response = match watched {
                    None => {
                        let resend = resend(&request);
                        let asked = self.client.reach(&store.upstreams, request, resend);
                        self.forwarded(store, asked.await)
                    }
                    // Seldom: what it takes is not to lie in every request's future.
                    Some(watched) => Box::pin(self.watch(store, request, *watched)).await,
                };
                if let Some(handing) = handing {
                    response = handing.hand_over(response, &mut answer, &self.counters);
                }
                if let Some(onward) = onward {
                    onward.carry(&mut response.head);
                }
                if let Some(answer) = answer {
                    let head = &mut response.head;
                    answer.write(head.status, &mut head.fields);
                }
                response
            }
        };
        account.answered(self, &mut response);
        response
    }

    /// All that is done before the shop is asked; the answer, where it is not to be asked.
    fn prepare(
        &self,
        peer: &Peer,
        head: &mut RequestHead,
        account: &mut Account,
    ) -> Result<Prepared<'_>, Box<Response<Body>>> {
        let host = match target::settle(head, self.settings.stores.only_host()) {
            Ok(host) => host,
            Err(refusal) => return Err(Box::new(self.refuse(&refusal))),
        };
        let token = head.target.path();
        if let Some(token) = token.and_then(|path| self.settings.tokens.answer(path)) {
            return Err(Box::new(answer::token(token)));
        }
        let name = hosts::name(&host);
        let stores = &self.settings.stores;
        let Some((number, store)) = stores.number(name).and_then(|n| Some((n, stores.at(n)?)))
        else {
            self.counters.add(Event::UnknownHost);
            debug!("a request for a host that no store has");
            return Err(Box::new(answer::unknown_host()));
        };

        account.routed(number, &host, store);
        if let Some(port) = peer.redirect {
            return Err(Box::new(moved(name, port, &head.target)));
        }

        let request = visitor::Request {
            peer,
            host: &host,
            store,
        };
        let captured = self.capture(&request, head);
        if let Some(response) = visitor::redirected(&captured.answer) {
            // The line is to show no parameter of ours.
            account.asks(&head.target, None);
            return Err(Box::new(response));
        }
        let asker = self.asker(peer, store, &host, head.version);
        headers::to_shop(&mut head.fields, &asker);
        let options = self.settings.options;
        options.sign(&mut head.fields, head.version);
        let id = options.identify(&mut head.fields, asker.trusted, random);
        let watched = self.look(&request, head, &captured.visitor);
        if watched.is_none()
            && let Some(response) = self.ask(&request, head, &captured.visitor)
        {
            return Err(Box::new(response));
        }
        account.asks(&head.target, id.as_deref());
        let handing = self.handing(&request, head, &captured.visitor);
        let Captured { answer, onward, .. } = captured;
        let onward = onward.map(|token| {
            Box::new(Onward::new(
                store,
                &host,
                &self.settings.capture.hand_over.parameter,
                token,
            ))
        });
        Ok(Prepared {
            store,
            answer: answer.changes().then(|| Box::new(answer)),
            watched: watched.map(Box::new),
            handing: handing.map(Box::new),
            onward,
        })
    }

    fn forwarded(
        &self,
        store: &Store,
        answer: Result<Response<forward::Body>, forward::Error>,
    ) -> Response<Body> {
        match answer {
            Ok(response) => self.pass(response, Body::shop),
            Err(error) => self.fail(store, &error),
        }
    }

    async fn watch(
        &self,
        store: &Arc<Store>,
        request: Request,
        watched: watch::Watched,
    ) -> Response<Body> {
        let watcher = Arc::clone(&self.watcher);
        let (client, shop) = (Arc::clone(&self.client), Arc::clone(store));
        match watcher.exchange(client, shop, request, watched).await {
            Some(Ok(response)) => self.pass(response, |body| match body {
                watch::Body::Plain(body) => Body::shop(body),
                watch::Body::Watched(relay) => Body::watched(relay),
            }),
            Some(Err(error)) => self.fail(store, &error),
            None => {
                self.counters.add(Event::ObserverFailed);
                error!(store = %store.name, "the task that watches an exchange panicked");
                answer::lost()
            }
        }
    }

    fn asker<'a>(
        &self,
        peer: &Peer,
        store: &Store,
        host: &'a str,
        version: http::Version,
    ) -> headers::Asker<'a> {
        let addr = peer.addr.ip();
        let trusted = self.settings.forward.trusts(addr);
        // The TLS may have ended in front of us, and nobody says so.
        let told = peer.via.is_none() || peer.scheme == Scheme::Https;
        headers::Asker {
            addr,
            trusted,
            scheme: if trusted || !told {
                store.scheme
            } else {
                peer.scheme
            },
            host: host.as_bytes(),
            version,
        }
    }

    /// The shop's response, to the client as it comes.
    fn pass<B>(&self, mut response: Response<B>, body: impl FnOnce(B) -> Body) -> Response<Body> {
        let head = &mut response.head;
        self.settings.options.sign(&mut head.fields, head.version);
        response.map(body)
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
        let upstreams = &store.upstreams;
        if error.is_unreached() && upstreams.are_a_group() {
            let page = upstreams.plan().unavailable.clone();
            return answer::unavailable(page, upstreams.patience(Instant::now()));
        }
        failure.response()
    }
}

/// The target is in origin form, or `*`.
fn moved(host: &str, port: u16, target: &Target) -> Response<Body> {
    let location = target.as_str();
    match location.and_then(|target| redirect::location(host, port, target)) {
        Some(location) => answer::moved(&location),
        None => answer::refused(&target::Refusal::Target),
    }
}

/// Only what is safe to do twice may be done twice (RFC 9110 §9.2.1).
fn resend(request: &Request) -> Resend {
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE];
    if safe.contains(&request.head.method) && request.body.is_end() {
        Resend::Safe
    } else {
        Resend::Never
    }
}

/// 128 random bits; none if the system gives none.
fn random() -> Option<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(u128::from_be_bytes(bytes))
}
