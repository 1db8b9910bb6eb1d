//! Proxy: the request path on one page.
//!
//! refuse → find the store → capture → forward, or watch → answer. Whatever
//! goes wrong is judged here, once: by whose fault it is.

mod account;
mod answer;
mod body;
mod redirect;
mod target;

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use http::Method;
use tracing::{debug, error, warn};

use crate::accept::Peer;
use crate::access;
use crate::acme::Tokens;
use crate::capture::{self, Captured, Visitor};
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::forward::options::Options;
use crate::forward::{self, Resend, headers};
use crate::message::{Body as _, Request, RequestHead, Response, Target};
use crate::store::{Scheme, Store, Stores};
use crate::visit::VisitId;
use crate::watch::{self, Watcher};

use account::Account;

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
    /// What is added to requests and responses.
    pub options: Options,
    /// Where each request has its line, if anywhere.
    pub access: Option<access::Log>,
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
                answer,
                watched,
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
        let name = target::name(&host);
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

        let captured = self.capture(head, &host, store);
        if let Some(location) = &captured.answer.redirect {
            let mut response = answer::redirect(location);
            let head = &mut response.head;
            captured.answer.write(head.status, &mut head.fields);
            return Err(Box::new(response));
        }
        let asker = self.asker(peer, store, &host, head.version);
        headers::to_shop(&mut head.fields, &asker);
        let options = self.settings.options;
        options.sign(&mut head.fields, head.version);
        let id = options.identify(&mut head.fields, asker.trusted, random);
        account.asks(&head.target, id.as_deref());
        let watched = self.look(head, name, store, &captured.visitor);
        let Captured { answer, .. } = captured;
        Ok(Prepared {
            store,
            answer: answer.changes().then(|| Box::new(answer)),
            watched: watched.map(Box::new),
        })
    }

    /// Whether a rule means the request. What switches protocols is no confirmation.
    fn look(
        &self,
        head: &mut RequestHead,
        name: &str,
        store: &Store,
        visitor: &Visitor,
    ) -> Option<watch::Watched> {
        if head.protocol.is_some() || head.fields.contains("upgrade") {
            return None;
        }
        let looking = || {
            let capture = &self.settings.capture;
            let open =
                |fields: &_| capture.visit((visitor, fields), store, Time::now(), &self.counters);
            let opened = OnceCell::new();
            let visit = |fields: &_| opened.get_or_init(|| open(fields)).clone();
            if !visitor.is_stranger() {
                self.watcher.note(head, store, Time::now, visit);
            }
            self.watcher.look(head, name, visit)
        };
        catch_unwind(AssertUnwindSafe(looking)).unwrap_or_else(|_panic| {
            self.counters.add(Event::ObserverFailed);
            error!("asking the rules panicked; the request goes on unwatched");
            None
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

    /// Whose visitor it is. Our parameter and our cookie are gone from `head`
    /// then; if capturing panics, the request goes on as it is.
    fn capture(&self, head: &mut RequestHead, host: &str, store: &Store) -> Captured {
        let Some(target) = head.target.as_str() else {
            return Captured::default();
        };
        let mut asked = capture::Head {
            method: &head.method,
            target,
            host,
            fields: &mut head.fields,
        };
        let settings = &self.settings.capture;
        let capturing =
            || settings.capture(&mut asked, store, (Time::now(), &visit_id), &self.counters);
        let Ok(mut captured) = catch_unwind(AssertUnwindSafe(capturing)) else {
            self.counters.add(Event::CaptureFailed);
            error!(store = %store.name, "capturing panicked; the request goes on untouched");
            return Captured::default();
        };
        if let Some(stripped) = captured.target.take() {
            head.target = Target::new(stripped.into_bytes());
        }
        captured
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

/// 128 random bits; none if the system gives none, and then there is no click.
fn visit_id() -> Option<VisitId> {
    random().map(VisitId)
}

fn random() -> Option<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(u128::from_be_bytes(bytes))
}
