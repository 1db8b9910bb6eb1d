//! Whose request it is: what capture and the rules are asked, and what follows from that.
//!
//! Whatever panics in here, the request goes on.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::Method;
use tracing::{debug, error};

use super::body::Body;
use super::hand_over::Handing;
use super::{Service, answer, random};
use crate::accept::Peer;
use crate::capture::answer::Answer;
use crate::capture::{By, Captured, Head, Place, Visitor, navigation};
use crate::clock::Time;
use crate::event::Event;
use crate::message::{Fields, RequestHead, Response, Target};
use crate::observe;
use crate::store::{Store, hosts};
use crate::visit::VisitId;
use crate::watch::{self, Whose};

/// Who asks, and for what.
pub(super) struct Request<'a> {
    pub(super) peer: &'a Peer,
    /// With its port.
    pub(super) host: &'a str,
    pub(super) store: &'a Arc<Store>,
}

impl Service {
    /// Whose visitor it is. Our parameter and our cookie are gone from `head`
    /// then; if capturing panics, the request goes on as it is.
    pub(super) fn capture(&self, request: &Request<'_>, head: &mut RequestHead) -> Captured {
        let Some(target) = head.target.as_str() else {
            return Captured::default();
        };
        let mut asked = Head {
            method: &head.method,
            target,
            host: request.host,
            fields: &mut head.fields,
        };
        let (path, query) = (head.target.path(), head.target.query());
        let method = &head.method;
        let capturing = || {
            let is_excluded = |fields: &Fields| self.is_excluded(request.peer, path, fields);
            let client = |fields: &Fields| self.client(request.peer, fields);
            let is_checkout = |fields: &Fields| {
                let asked = path.map(|path| observe::RequestHead {
                    host: hosts::name(request.host),
                    method,
                    path,
                    query,
                    fields,
                });
                asked.is_some_and(|asked| self.watcher.is_checkout(&asked, request.store))
            };
            let by = By {
                is_checkout: &is_checkout,
                ..self.by(request.store, &is_excluded, &client)
            };
            Some(self.settings.capture.capture(&mut asked, by))
        };
        let mut captured = self.guarded(request.store, capturing).unwrap_or_default();
        if let Some(stripped) = captured.target.take() {
            head.target = Target::new(stripped.into_bytes());
        }
        captured
    }

    /// Whether a rule means the request. What switches protocols is no confirmation.
    pub(super) fn look(
        &self,
        request: &Request<'_>,
        head: &mut RequestHead,
        visitor: &Visitor,
    ) -> Option<watch::Watched> {
        if head.protocol.is_some() || head.fields.contains("upgrade") {
            return None;
        }
        let looking = || {
            let capture = &self.settings.capture;
            let known = |fields: &Fields| {
                let asked = (visitor, fields);
                let visit = capture.visit(asked, request.store, Time::now(), &self.counters);
                visit.cloned()
            };
            let whose = |head: &RequestHead| {
                if self.is_excluded(request.peer, head.target.path(), &head.fields) {
                    return Whose::Excluded;
                }
                match known(&head.fields) {
                    None if capture.is_refused(request.store, &head.fields) => Whose::Unwilling,
                    visit => {
                        let peer = request.peer.addr.ip();
                        let client = self.settings.forward.client(peer, &head.fields);
                        Whose::Shopper(visit, client)
                    }
                }
            };
            let host = hosts::name(request.host);
            if let (true, Some(path)) = (self.watcher.notes(), head.target.path()) {
                let asked = observe::RequestHead {
                    host,
                    method: &head.method,
                    path,
                    query: head.target.query(),
                    fields: &head.fields,
                };
                self.watcher.note(&asked, request.store, Time::now, known);
            }
            self.watcher.look(head, host, whose)
        };
        catch_unwind(AssertUnwindSafe(looking)).unwrap_or_else(|_panic| {
            self.counters.add(Event::ObserverFailed);
            error!("asking the rules panicked; the request goes on unwatched");
            None
        })
    }

    /// Whether another store is to be asked about the visitor: the answer that sends him there.
    pub(super) fn ask(
        &self,
        request: &Request<'_>,
        head: &mut RequestHead,
        visitor: &Visitor,
    ) -> Option<Response<Body>> {
        let target = head.target.as_str()?;
        let asked = Head {
            method: &head.method,
            target,
            host: request.host,
            fields: &mut head.fields,
        };
        let path = head.target.path();
        let told = self.guarded(request.store, || {
            let is_excluded = |fields: &Fields| self.is_excluded(request.peer, path, fields);
            let client = |fields: &Fields| self.client(request.peer, fields);
            let by = self.by(request.store, &is_excluded, &client);
            self.settings.capture.ask(&asked, visitor, by, random)
        });
        redirected(&told?)
    }

    /// What the answer may carry to sibling stores: the clicks of somebody with a visit, who opens
    /// a page. The request is made such that its links can be decorated.
    pub(super) fn handing(
        &self,
        request: &Request<'_>,
        head: &mut RequestHead,
        visitor: &Visitor,
    ) -> Option<Handing> {
        let (capture, store) = (&self.settings.capture, request.store);
        let hand_over = &capture.hand_over;
        let is_on = store.scope.siblings && (hand_over.redirects || hand_over.links);
        let may_be_page = head.method != Method::HEAD && navigation::is_page(&head.fields);
        if !is_on || visitor.is_stranger(&head.fields) || !may_be_page {
            return None;
        }
        let now = Time::now();
        let known = || capture.to_go_along((visitor, &head.fields), store, now, &self.counters);
        let clicks = self.guarded(store, known)?;
        let settings = Arc::clone(&self.settings);
        let asked = (&head.method, request.host);
        let handing = Handing::new(settings, Arc::clone(store), asked, clicks, now);
        handing.ask(&head.method, &mut head.fields);
        Some(handing)
    }

    fn by<'a>(
        &'a self,
        store: &'a Arc<Store>,
        is_excluded: &'a dyn Fn(&Fields) -> bool,
        client: &'a dyn Fn(&Fields) -> IpAddr,
    ) -> By<'a> {
        By {
            place: Place {
                stores: &self.settings.stores,
                store,
            },
            now: Time::now(),
            fresh: &visit_id,
            is_excluded,
            client,
            is_checkout: &|_| false,
            counters: &self.counters,
        }
    }

    fn client(&self, peer: &Peer, fields: &Fields) -> IpAddr {
        self.settings.forward.client(peer.addr.ip(), fields)
    }

    /// Whether a request is one of no shopper's. Seldom asked: where a click would be captured, or
    /// a rule means it.
    fn is_excluded(&self, peer: &Peer, path: Option<&str>, fields: &Fields) -> bool {
        let client = || self.client(peer, fields);
        let path = path.unwrap_or_default();
        let reason = self.settings.exclude.reason(path, fields, client);
        if let Some(reason) = reason {
            debug!(?reason, "the one who asks is excluded");
        }
        reason.is_some()
    }

    /// What capture has to say; nothing, if it panics.
    fn guarded<T>(&self, store: &Store, asking: impl FnOnce() -> Option<T>) -> Option<T> {
        catch_unwind(AssertUnwindSafe(asking)).unwrap_or_else(|_panic| {
            self.counters.add(Event::CaptureFailed);
            error!(store = %store.name, "capturing panicked; the request goes on as it is");
            None
        })
    }
}

/// Our own answer, where the browser is sent somewhere else.
pub(super) fn redirected(told: &Answer) -> Option<Response<Body>> {
    let mut response = answer::redirect(told.redirect.as_deref()?);
    let head = &mut response.head;
    told.write(head.status, &mut head.fields);
    Some(response)
}

/// 128 random bits; none if the system gives none, and then there is no click.
fn visit_id() -> Option<VisitId> {
    random().map(VisitId)
}
