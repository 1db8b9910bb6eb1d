//! What is noted of each request: a line, if there is a log, and what the metrics count.

use std::sync::Arc;
use std::time::Instant;

use super::{Body, Service};
use crate::accept::Peer;
use crate::access::Entry;
use crate::clock::Time;
use crate::message::{RequestHead, Response, Target};
use crate::store::Store;

/// One request's, until its answer's head is there.
#[derive(Debug)]
pub(super) struct Account {
    began: Instant,
    /// Its number among the stores.
    store: Option<usize>,
    /// Where there is a log. Let go, it writes its line.
    entry: Option<Box<Entry>>,
}

/// The same, until the answer's body has ended. It holds its worker's own service, which all of
/// that worker's requests share: nothing here is shared with another thread but the counts.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) service: Arc<Service>,
    store: Option<usize>,
    entry: Option<Box<Entry>>,
    /// Handed to the client's connection.
    pub(super) bytes: u64,
    /// Whether the body was asked for more and had none.
    pub(super) ended: bool,
}

impl Account {
    pub(super) fn begin(service: &Service, peer: &Peer, head: &RequestHead) -> Self {
        let entry = service.settings.access.as_ref().map(|log| {
            let forward = &service.settings.forward;
            let client = forward.client(peer.addr.ip(), &head.fields);
            log.begin(client, head, Time::now())
        });
        Self {
            began: Instant::now(),
            store: None,
            entry,
        }
    }

    /// Where it goes.
    pub(super) fn routed(&mut self, number: usize, host: &str, store: &Store) {
        self.store = Some(number);
        if let Some(entry) = &mut self.entry {
            entry.routed(host, &store.name);
        }
    }

    /// What the shop is asked, and by which id it may know the request.
    pub(super) fn asks(&mut self, target: &Target, request_id: Option<&str>) {
        if let Some(entry) = &mut self.entry {
            entry.asks(target);
            if let Some(id) = request_id {
                entry.named(id);
            }
        }
    }

    /// An answer that is about to go to the client.
    pub(super) fn answered(mut self, service: Arc<Service>, response: &mut Response<Body>) {
        let status = response.head.status.as_u16();
        let stores = &service.settings.stores;
        if let Some(store) = self.store.and_then(|number| stores.at(number)) {
            store.traffic.answered(status, self.began.elapsed());
        }
        if let Some(entry) = &mut self.entry {
            entry.answered(&response.head);
        }
        response.body.tail = Some(Tail {
            service,
            store: self.store,
            entry: self.entry,
            bytes: 0,
            ended: false,
        });
    }
}

impl Tail {
    /// The body is let go; `complete` if it came to its end.
    pub(super) fn end(&mut self, complete: bool) {
        let stores = &self.service.settings.stores;
        let store = self.store.and_then(|number| stores.at(number));
        if let Some(store) = store.filter(|_| self.bytes > 0) {
            store.traffic.sent(self.bytes);
        }
        if let Some(entry) = &mut self.entry {
            entry.ended(self.bytes, complete);
        }
    }
}
