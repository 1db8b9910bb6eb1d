//! HTTP/2 to the shop (RFC 9113): few connections, each shared by many requests.
//!
//! A connection is kept going by one task of its own; each request is a stream on
//! it, driven by whoever waits for its response, as an exchange by HTTP/1.1 is. What
//! a request may cost the others is bounded: data waits in its stream's window until
//! it was taken, and the windows of all streams together fit into the connection's.
//!
//! A request goes out once more, on another connection, where the shop itself says
//! that it has not looked at it (`REFUSED_STREAM`, or a GOAWAY below it; RFC 9113
//! §8.7) and nothing was sent of its body; or where the caller allows it, as by HTTP/1.1.

mod asked;
mod driver;
mod ear;
mod exchange;
mod fields;
mod link;
mod open;
mod shelf;
mod switch;
mod tunnel;
mod upload;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use h2::Reason;
use tokio_util::task::TaskTracker;

use super::{Body, Error, Failed, Fault, Resend, Settings};
use crate::event::{Counters, Event};
use crate::message::{Request, Response, parse};
use crate::store::Upstream;
use asked::Asked;
use exchange::{Begin, Begun};
use shelf::Shelf;
use upload::Upload;

pub(super) use exchange::Exchange;

/// Connections that end just when a request is to go out, one after the other.
const TRIES: u32 = 3;

/// Every upstream's connections, of one worker.
#[derive(Debug)]
pub(super) struct Links {
    shelves: Mutex<BTreeMap<Upstream, Arc<Shelf>>>,
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    /// The connections' tasks. Nobody waits for them: whoever has a request under way is waited
    /// for, and a tunnel has no end that could be.
    drivers: TaskTracker,
}

impl Links {
    pub(super) fn new(settings: Arc<Settings>, counters: Arc<Counters>) -> Self {
        Self {
            shelves: Mutex::default(),
            settings,
            counters,
            drivers: TaskTracker::new(),
        }
    }

    /// As [`Client::send`](super::Client::send).
    pub(super) async fn send(
        &self,
        upstream: &Upstream,
        request: Request,
        resend: Resend,
    ) -> Result<Response<Body>, Failed> {
        let Request {
            mut head,
            body,
            interim,
        } = request;
        let asked = Asked::of(&mut head, &body, upstream.tls.is_some());
        let mut upload = Upload::new(&head.fields, body, asked.is_bodiless());
        let shelf = self.shelf(upstream);
        let (mut tries, mut shunned, mut sure) = (0, None, true);
        loop {
            let message = asked.message(&head)?;
            let lease = match shelf.lease(upstream, shunned.as_ref()).await {
                Ok(lease) => lease,
                Err(error) => {
                    let body = sure.then(|| upload.into_body()).flatten();
                    let unsent = body.map(|body| {
                        Box::new(Request {
                            head,
                            body,
                            interim,
                        })
                    });
                    return Err(Failed { error, unsent });
                }
            };
            let link = lease.link();
            let begin = Begin {
                lease,
                upload,
                interim: interim.clone(),
                settings: Arc::clone(&self.settings),
            };
            let mut exchange = match begin.send(asked, message)? {
                Begun::Under(exchange) => exchange,
                // Not a byte has gone out: the connection had just ended.
                Begun::Ended(whole, error) => {
                    tries += 1;
                    if tries == TRIES {
                        return Err(error.into());
                    }
                    upload = *whole;
                    continue;
                }
            };
            let error = match poll_fn(|cx| exchange.poll_head(cx)).await {
                Ok(head) => return Ok(exchange.into_response(head)),
                Err(error) => error,
            };
            if shunned.is_some() {
                return Err(error.into());
            }
            let Some((whole, untouched)) = exchange.again(&error, resend) else {
                return Err(error.into());
            };
            self.counters.add(Event::ForwardRetried);
            (upload, sure, shunned) = (whole, untouched, Some(link));
        }
    }

    fn shelf(&self, upstream: &Upstream) -> Arc<Shelf> {
        // Nothing panics while it holds the lock.
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = shelves.get(upstream) {
            return Arc::clone(shelf);
        }
        let shelf = Arc::new(Shelf::new(Arc::clone(&self.settings), self.drivers.clone()));
        shelves.insert(upstream.clone(), Arc::clone(&shelf));
        shelf
    }
}

/// Why there is no head: how the connection or the stream ended.
fn lost(error: h2::Error) -> Error {
    let io = error.get_io().map(io::Error::kind);
    // RFC 9113 §7: ours, not the shop's, where its head was too large.
    let large = error.is_library() && error.reason() == Some(Reason::REFUSED_STREAM);
    match io {
        Some(io::ErrorKind::TimedOut) => Error::UploadTimeout(io::ErrorKind::TimedOut.into()),
        _ if large => Error::Broken(Fault::Head(parse::Fault::Large)),
        _ => Error::Broken(Fault::Http2(error)),
    }
}
