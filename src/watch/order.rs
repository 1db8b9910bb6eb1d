//! From a whole copy to the ledger: read, judge, record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use tracing::{Instrument, Span, error, warn};

use super::pump::{Cut, End, Ending, Pump};
use super::{Body, Looks, Watched, Watcher, relay};
use crate::alarm::Alarm;
use crate::clock::Time;
use crate::event::Event;
use crate::forward;
use crate::message::{Body as _, Response};
use crate::observe::pool::ReadError;
use crate::observe::{Copy, Fault, Matched, Reading};
use crate::order::{Candidate, Doubt, Evidence, FoundBy, OrderKey, Sighting, Suspicion};
use crate::record;
use crate::record::guard::Look;
use crate::session::Mark;
use crate::store::Store;
use crate::visit::Visit;

type Answer = oneshot::Sender<Result<Response<Body>, forward::Error>>;

/// An exchange whose response a rule means.
struct Confirmation {
    matched: Matched,
    store: Arc<Store>,
    visit: Option<Visit>,
    session: Vec<Mark>,
    looks: Looks,
    request: String,
}

impl Watcher {
    /// Passes the response on, and enters what the rules read from it.
    pub(super) async fn watch(
        self: Arc<Self>,
        response: Response<forward::Body>,
        watched: Watched,
        (answer, place): (Answer, Option<OwnedSemaphorePermit>),
    ) {
        let Watched {
            watch,
            visit,
            session,
            looks,
            request,
            is_old,
        } = watched;
        let store = Arc::clone(watch.store());
        let meant = || watch.response(response.head.status, &response.head.fields);
        let meant = catch_unwind(AssertUnwindSafe(meant)).unwrap_or_else(|_panic| {
            self.lost(&store.name, &request, "asking the rules panicked");
            None
        });
        let Some(matched) = meant else {
            // Nobody may be there any more; the body is dropped then, which ends it at the shop.
            drop(answer.send(Ok(response.map(Body::Plain))));
            return;
        };
        let confirmation = Confirmation {
            matched,
            store,
            visit,
            session,
            looks,
            request,
        };
        if response.body.is_end() {
            self.hold(confirmation, Some(Bytes::new())).await;
            drop(answer.send(Ok(response.map(Body::Plain))));
            return;
        }
        let Response { head, body, tunnel } = response;
        let (shopper, relay) = relay::relay(body.left());
        // He may have gone already: the pump finds out with its first piece.
        let relayed = Response {
            head,
            body: Body::Watched(relay),
            tunnel,
        };
        drop(answer.send(Ok(relayed)));
        let copy = Copy::new(confirmation.matched.body_limit());
        let ending = Ending::of(&body, is_old);
        let pump = Pump::new(shopper, copy, ending, self.patience.clone(), place);
        match pump.run(body).await {
            End::Whole(mut whole) => {
                self.hold(confirmation, whole.body.take()).await;
                whole.release().await;
            }
            End::Cut(Cut::Shop) => {
                self.counters.add(Event::ShopTruncated);
                warn!(store = %confirmation.store.name, request = confirmation.request,
                    "the shop broke off in a watched response: if there was an order in it, it is lost");
            }
            End::Cut(Cut::Abandoned) => {
                self.cut_off(&confirmation.store, &confirmation.request);
            }
        }
    }

    /// Enters the order, and waits for it as long as `hold` allows; it goes on after that.
    async fn hold(self: &Arc<Self>, confirmation: Confirmation, body: Option<Bytes>) {
        let (store, request) = (
            confirmation.store.name.clone(),
            confirmation.request.clone(),
        );
        let (this, since) = (Arc::clone(self), Instant::now());
        let entering = async move { this.enter(confirmation, body, since).await };
        let entered = self.tracker.spawn(entering.instrument(Span::current()));
        match tokio::time::timeout(self.record.hold, entered).await {
            Ok(Ok(())) => {}
            Ok(Err(panic)) => {
                self.lost(&store, &request, &format!("entering it panicked ({panic})"));
            }
            Err(_elapsed) => {
                self.counters.add(Event::HoldEnded);
                warn!(%store, request, hold = ?self.record.hold,
                    "the order was not entered in time; the page went out");
            }
        }
    }

    async fn enter(&self, confirmation: Confirmation, body: Option<Bytes>, since: Instant) {
        let Confirmation {
            matched,
            store,
            visit,
            session,
            looks,
            request,
        } = confirmation;
        self.counters.add(Event::RuleMatched);
        let kept = body.is_some();
        let readings = match self.read(matched, body).await {
            Ok(readings) => readings,
            Err(error) => {
                self.lost(&store.name, &request, &error.to_string());
                return;
            }
        };
        let mut faults = readings.iter().flat_map(|reading| &reading.faults);
        if !kept || faults.any(Fault::is_over_limit) {
            self.counters.add(Event::BodyOverCap);
        }
        let now = Time::now();
        // Without an order there is nothing to credit.
        let orders = readings.iter().any(|reading| reading.order_id.is_some());
        let session = if orders { session } else { Vec::new() };
        if orders {
            store.traffic.sales.ordered();
        }
        let (visit, found_by) = self.whose(visit, session, (since, now)).await;
        let seen = Seen {
            store: &store,
            visit: &visit,
            found_by,
            looks: &looks,
            request: &request,
            now,
        };
        // Side by side: one order that waits for the ledger keeps no other from its spool.
        let candidates = readings.into_iter().filter_map(|it| self.judge(it, &seen));
        let recording: Vec<_> = candidates
            .map(|candidate| {
                let recorder = self.recorder.clone();
                let recording = async move { recorder.record(candidate, since).await };
                self.tracker.spawn(recording.instrument(Span::current()))
            })
            .collect();
        for recorded in recording {
            if let Err(panic) = recorded.await {
                self.lost(
                    &store.name,
                    &request,
                    &format!("recording it panicked ({panic})"),
                );
            }
        }
    }

    async fn read(&self, matched: Matched, body: Option<Bytes>) -> Result<Vec<Reading>, ReadError> {
        let _waiting = self
            .waiting
            .try_acquire()
            .map_err(|_full| ReadError::Overloaded)?;
        let _place = self.places.acquire().await;
        self.pool.read(matched, body).await
    }

    /// A page that also counts the order by the network's own means.
    fn doubled(&self, host: &str, seen: &Seen<'_>) {
        let subject = format!("{}/{host}", seen.store.name);
        let words = format!(
            "{} also loads a pixel or script from {host}: every order may be counted twice",
            seen.request
        );
        let alarms = self.counters.alarms();
        alarms.raise(Alarm::PixelOnPage, &subject, &words, seen.now);
    }

    /// What a reading makes of its order; nothing if there is no order in it.
    fn judge(&self, reading: Reading, seen: &Seen<'_>) -> Option<Candidate> {
        let faults: Vec<String> = reading.faults.iter().map(ToString::to_string).collect();
        if !faults.is_empty() {
            self.counters.add(Event::RuleUnreadable);
            seen.complain(&reading, &faults);
            let subject = format!("{}/{}", seen.store.name, reading.rule);
            let words = format!(
                "a rule matched {} and could not read everything: {}",
                seen.request,
                faults.join("; ")
            );
            let alarms = self.counters.alarms();
            alarms.raise(Alarm::RuleUnreadable, &subject, &words, seen.now);
        }
        if let Some(host) = &reading.pixel {
            self.doubled(host, seen);
        }
        let (doubt, evidence) = (reading.doubt, reading.evidence.clone());
        let mut sighting = seen.sighting(reading, faults)?;
        let suspicion = self.suspicion(&mut sighting, seen);
        let evidence = Evidence {
            shopper: seen.looks.marks.clone(),
            suspicion,
            ..evidence
        };
        Some(record::judge(
            sighting,
            (doubt, &evidence),
            seen.store,
            &self.record,
            seen.now,
        ))
    }

    /// What is wrong with who looks. Whoever tries ids takes none from those who will buy: his orders stand aside.
    fn suspicion(&self, sighting: &mut Sighting, seen: &Seen<'_>) -> Option<Suspicion> {
        let look = Look {
            order: &sighting.key,
            visit: sighting.visit.as_ref(),
            address: seen.looks.address,
        };
        let guard = self.recorder.guard();
        let suspicion = guard.look(&look, &self.record.guard, seen.now)?;
        let alarm = match suspicion.doubt {
            Doubt::TooMany => Some(Alarm::IdEnumeration),
            Doubt::ManyNetworks => Some(Alarm::VisitShared),
            _ => None,
        };
        if let Some(alarm) = alarm {
            let words = format!("order {}: {}", sighting.key, suspicion.words);
            let store = seen.store.name.as_str();
            self.counters.alarms().raise(alarm, store, &words, seen.now);
        }
        if suspicion.doubt == Doubt::TooMany
            && let Some(aside) = sighting.key.namespace.aside()
        {
            sighting.key.namespace = aside;
        }
        Some(suspicion)
    }
}

/// Where and by whom a confirmation was seen.
struct Seen<'a> {
    store: &'a Store,
    visit: &'a Option<Visit>,
    found_by: FoundBy,
    looks: &'a Looks,
    request: &'a str,
    now: Time,
}

impl Seen<'_> {
    /// Without an id there is no order that could be held: the operator must look himself.
    fn complain(&self, reading: &Reading, faults: &[String]) {
        let (store, rule, request) = (&self.store.name, &reading.rule, self.request);
        let faults = faults.join("; ");
        match &reading.order_id {
            Some(id) => warn!(%store, %rule, request, order.id = %id, faults,
                "a rule matched but could not read everything"),
            None => error!(%store, %rule, request, faults,
                "a rule matched but no order id could be read: if there was an order in it, it is lost"),
        }
    }

    /// A reading without an order id is no sighting.
    fn sighting(&self, reading: Reading, faults: Vec<String>) -> Option<Sighting> {
        let key = OrderKey {
            namespace: self.store.orders.clone(),
            id: reading.order_id?,
        };
        Some(Sighting {
            at: self.now,
            store: self.store.name.clone(),
            rule: reading.rule,
            request: self.request.to_owned(),
            key,
            aliases: reading.aliases,
            fields: reading.fields,
            amount: reading.amount,
            working: reading.working,
            faults,
            visit: self.visit.clone(),
            found_by: self.found_by,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing::subscriber::with_default;

    use super::*;
    use crate::store::{Protocol, Scheme, Upstream};

    /// What is logged of a rule that could not read everything.
    fn logged(order_id: Option<&str>) -> String {
        let store = Store {
            name: "shop".parse().unwrap(),
            hosts: Vec::new(),
            scheme: Scheme::Https,
            upstreams: Upstream {
                host: "127.0.0.1".to_owned(),
                port: 1,
                tls: None,
                protocol: Protocol::default(),
            }
            .into(),
            currency: "USD".parse().unwrap(),
            number_format: "1,234.56".parse().unwrap(),
            max_amount: "5000".parse().unwrap(),
            consent: crate::consent::Consent::NotNeeded,
            orders: "shop".parse().unwrap(),
            group: Default::default(),
            scope: Default::default(),
            traffic: Arc::default(),
        };
        let reading = Reading {
            rule: "thank-you".parse().unwrap(),
            order_id: order_id.map(|id| id.parse().unwrap()),
            aliases: Vec::new(),
            fields: Vec::new(),
            amount: None,
            working: None,
            faults: Vec::new(),
            doubt: None,
            pixel: None,
            evidence: Evidence::default(),
        };
        let seen = Seen {
            store: &store,
            visit: &None,
            found_by: FoundBy::default(),
            looks: &Looks::default(),
            request: "GET /done",
            now: Time::from_millis(0),
        };
        let file = tempfile::tempfile().unwrap();
        let log = file.try_clone().unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Mutex::new(log))
            .finish();
        with_default(subscriber, || {
            seen.complain(&reading, &["the body is too large".to_owned()]);
        });
        let mut file = file;
        std::io::Seek::rewind(&mut file).unwrap();
        std::io::read_to_string(file).unwrap()
    }

    #[test]
    fn an_order_that_may_be_lost_is_an_error() {
        let lost = logged(None);
        assert!(
            lost.contains("ERROR") && lost.contains("it is lost"),
            "{lost}"
        );
        assert!(lost.contains("the body is too large"), "{lost}");
        let held = logged(Some("1001"));
        assert!(held.contains(" WARN ") && held.contains("1001"), "{held}");
    }
}
