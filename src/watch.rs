//! Watch: one exchange that a rule may mean, from the shop's answer to the ledger.
//!
//! It runs in a task of its own, so that an order is not lost when the shopper
//! goes away while the shop places it: then the answer is read to its end,
//! within bounds. Otherwise the shopper sets the pace; what he gets are the
//! shop's own bytes, at once. Only the end of the message waits for the ledger,
//! at most `hold`. Whatever fails on the way, the message goes out whole.

mod lost;
mod order;
mod pump;
mod relay;
mod returns;

use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, Version};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span, debug};

use crate::capture::navigation;
use crate::event::{Counters, Event};
use crate::forward::{self, Client, Resend};
use crate::message::{Fields, Request, RequestHead as Head, Response};
use crate::observe::decode::is_decoded;
use crate::observe::{self, Decision, Pool, RequestHead, Rules};
use crate::record::{self, Recorder};
use crate::session::Mark;
use crate::store::Store;
use crate::visit::Visit;
use pump::Patience;

pub use relay::{Error, Relay};

/// What every watched exchange needs. One per process.
#[derive(Debug)]
pub struct Watcher {
    rules: Rules,
    pool: Pool,
    /// One permit for each copy that the pool takes: more wait here instead of being refused.
    places: Arc<Semaphore>,
    /// One for each copy that is read or waits for it.
    waiting: Arc<Semaphore>,
    recorder: Recorder,
    record: record::Settings,
    patience: Patience,
    counters: Arc<Counters>,
    tracker: TaskTracker,
}

/// Copies in memory that are read or wait for it.
const WAITING: usize = 1024;

/// Exchanges that go on without their shopper at once: enough for a bad network
/// in a busy hour, too few to hurt a shop by asking and hanging up.
const ABANDONED: usize = 128;

/// A request that a rule means, with whose it is.
#[derive(Debug)]
pub struct Watched {
    watch: observe::Watch,
    visit: Option<Visit>,
    /// By what its session is found, where it has no visit.
    session: Vec<Mark>,
    looks: Looks,
    /// Method and path, for the sighting.
    request: String,
    /// The client speaks HTTP/1.0: only the connection's end tells it the body's.
    is_old: bool,
}

/// Who looks; nothing of one who has refused to be remembered.
#[derive(Debug, Default)]
struct Looks {
    /// As keyed hashes.
    marks: Vec<Mark>,
    /// Where he is.
    address: Option<IpAddr>,
}

/// Whose exchange it is.
#[derive(Debug)]
pub enum Whose {
    /// A shopper's; with his visit, if there is one, and his address.
    Shopper(Option<Visit>, IpAddr),
    /// That of a shopper who has refused to be remembered: the order is nobody's.
    Unwilling,
    /// That of one who is excluded: it is not watched.
    Excluded,
}

/// What the shopper gets: watched to the end, or left alone after all.
#[derive(Debug)]
pub enum Body {
    /// The response's head was not the one a rule means.
    Plain(forward::Body),
    /// By way of the watching task.
    Watched(Relay),
}

impl Watcher {
    /// Reads with `pool`, records with `recorder`, runs its tasks on `tracker`.
    pub fn new(
        (settings, rules): (&observe::Settings, Rules),
        pool: Pool,
        (record, recorder): (record::Settings, Recorder),
        counters: Arc<Counters>,
        tracker: TaskTracker,
    ) -> Self {
        Self {
            rules,
            pool,
            places: Arc::new(Semaphore::new(settings.readers.max(1))),
            waiting: Arc::new(Semaphore::new(WAITING)),
            recorder,
            record,
            patience: Patience {
                timeout: settings.abandoned_timeout,
                places: Arc::new(Semaphore::new(ABANDONED)),
            },
            counters,
            tracker,
        }
    }

    /// One that goes by other rules and settings; what is under way counts for both.
    #[must_use]
    pub fn with(
        &self,
        (settings, rules): (&observe::Settings, Rules),
        (record, recorder): (record::Settings, Recorder),
    ) -> Self {
        Self {
            rules,
            pool: self.pool.with(settings.read_timeout),
            places: Arc::clone(&self.places),
            waiting: Arc::clone(&self.waiting),
            recorder,
            record,
            patience: Patience {
                timeout: settings.abandoned_timeout,
                places: Arc::clone(&self.patience.places),
            },
            counters: Arc::clone(&self.counters),
            tracker: self.tracker.clone(),
        }
    }

    /// Whether a rule means this request, then also `whose` it is. If so its head is made such that the
    /// answer can be read: whole, and in codings that we decode.
    pub fn look(
        &self,
        head: &mut Head,
        host: &str,
        whose: impl FnOnce(&Head) -> Whose,
    ) -> Option<Watched> {
        let path = head.target.path()?;
        let asked = RequestHead {
            host,
            method: &head.method,
            path,
            query: head.target.query(),
            fields: &head.fields,
        };
        let watch = match self.rules.request(&asked) {
            Decision::Unwatched => return None,
            Decision::Ambiguous => {
                self.counters.add(Event::PathAmbiguous);
                debug!("a rule might mean this path, but it can be read in two ways");
                return None;
            }
            Decision::Watched(watch) => watch,
        };
        let mut is_stranger = false;
        let (visit, looks) = match whose(head) {
            Whose::Shopper(visit, address) => {
                is_stranger = visit.is_none() && self.is_surely_stranger(head, watch.store());
                let marks = match is_stranger {
                    true => Vec::new(),
                    false => self.shopper(&head.fields, watch.store(), address),
                };
                let looks = Looks {
                    marks,
                    address: Some(address),
                };
                (visit, Some(looks))
            }
            Whose::Unwilling => (None, None),
            Whose::Excluded => {
                self.counters.add(Event::ExchangeExcluded);
                return None;
            }
        };
        if visit.is_none() && navigation::is_speculative(&head.fields) {
            return None;
        }
        let session = match (&visit, &looks) {
            (None, Some(_)) if !is_stranger => self.session(&head.fields, watch.store()),
            _ => Vec::new(),
        };
        let request = format!("{} {path}", head.method);
        make_readable(&head.method, &mut head.fields);
        Some(Watched {
            watch,
            visit,
            session,
            looks: looks.unwrap_or_default(),
            request,
            is_old: head.version < Version::HTTP_11,
        })
    }

    /// Sends the request and watches the answer. Dropping the future does not
    /// cancel the exchange: its task goes on.
    ///
    /// # Errors
    /// The shop's, as without watching.
    pub async fn exchange(
        self: Arc<Self>,
        client: Arc<Client>,
        store: Arc<Store>,
        request: Request,
        watched: Watched,
    ) -> Option<Result<Response<Body>, forward::Error>> {
        let (mut answer, answered) = oneshot::channel();
        let tracker = self.tracker.clone();
        let task = async move {
            // Some confirmation pages work once: never sent again.
            let sending = client.reach(&store.upstreams, request, Resend::Never);
            let mut sending = std::pin::pin!(sending);
            // Cancel-safe: `sending` is only borrowed.
            let (sent, place) = tokio::select! {
                sent = &mut sending => (sent, None),
                () = answer.closed() => {
                    let places = Arc::clone(&self.patience.places);
                    let Ok(place) = places.try_acquire_owned() else {
                        self.cut_off(&store, &watched.request);
                        return;
                    };
                    (sending.await, Some(place))
                }
            };
            match sent {
                Ok(response) => self.watch(response, watched, (answer, place)).await,
                Err(error) => {
                    // If the shopper has gone, nobody else tells that an order may be lost.
                    if answer.send(Err(error)).is_err() {
                        self.cut_off(&store, &watched.request);
                    }
                }
            }
        };
        tracker.spawn(task.instrument(Span::current()));
        // No answer at all: the task panicked.
        answered.await.ok()
    }
}

/// On a watched route a GET asks for the whole page (other methods may mean
/// what they say by these fields), in a coding that we decode.
fn make_readable(method: &Method, fields: &mut Fields) {
    if method == Method::GET {
        for name in ["if-none-match", "if-modified-since", "range", "if-range"] {
            fields.remove(name);
        }
    }
    if !fields.contains("accept-encoding") {
        return;
    }
    let wanted: Vec<String> = fields
        .get_all("accept-encoding")
        .filter_map(|value| std::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.trim().to_owned())
        .filter(|coding| is_decoded(coding))
        .collect();
    let narrowed = match wanted.is_empty() {
        true => "identity".to_owned(),
        false => wanted.join(", "),
    };
    fields.set("accept-encoding", narrowed.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_get_asks_for_a_whole_page_that_we_can_decode() {
        let narrowed = |method: Method, encodings: &'static str| {
            let asked = [
                ("Accept-Encoding", encodings),
                ("If-None-Match", "\"a\""),
                ("Range", "bytes=0-1"),
            ];
            let mut fields: Fields = asked.into_iter().collect();
            make_readable(&method, &mut fields);
            let encodings = fields.text("accept-encoding").unwrap();
            (encodings.to_owned(), fields.contains("range"))
        };
        for (asked, expected) in [
            ("gzip, deflate, br, zstd", "gzip, deflate, br, zstd"),
            ("gzip;q=1.0, dcb, BR;q=0.5, *;q=0", "gzip;q=1.0, BR;q=0.5"),
            ("compress", "identity"),
            ("*", "identity"),
            ("", "identity"),
        ] {
            assert_eq!(narrowed(Method::GET, asked), (expected.to_owned(), false));
        }
        assert!(narrowed(Method::POST, "br").1);
    }
}
