//! What happened, counted.
//!
//! Every event that an operator may have to explain has a name here. The place
//! where it happens logs it once, with its details, and counts it here; the
//! admin listener prints the counts. What lasts is an alarm, which stands beside the counts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::alarm::Alarms;
use crate::shards::Shards;

macro_rules! events {
    ($(#[doc = $help:literal] $event:ident = $name:literal;)+) => {
        /// One kind of thing that happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event { $(#[doc = $help] $event,)+ }

        impl Event {
            /// Every kind, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$event),+];

            /// The name in metrics: `refgate_NAME_total`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$event => $name,)+ }
            }

            /// What it is, in a sentence.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$event => $help,)+ }
            }
        }

        /// How often each event has happened on one thread.
        #[derive(Debug, Default)]
        #[expect(non_snake_case, reason = "one field per variant, made by the macro")]
        struct Counts { $($event: AtomicU64,)+ }

        impl Counts {
            const fn slot(&self, event: Event) -> &AtomicU64 {
                match event { $(Event::$event => &self.$event,)+ }
            }
        }
    };
}

events! {
    /// A request was accepted.
    Request = "requests";
    /// A request's framing, host or head was refused with a 4xx of our own.
    RequestRefused = "requests_refused";
    /// A connection to a listener with `proxy_protocol` had no valid header, or not from a trusted peer.
    ProxyHeaderRefused = "proxy_headers_refused";
    /// A request named a host that no store has (421).
    UnknownHost = "unknown_host";
    /// A TLS handshake failed or took too long.
    HandshakeFailed = "tls_handshakes_failed";
    /// A certificate was taken into use in place of another, or as a host's first.
    CertificateChanged = "certificates_changed";
    /// A certificate could not be read when its file changed, or not be obtained.
    CertificateFailed = "certificates_failed";
    /// The shop could not be reached or broke off before its head (502).
    ShopUnreachable = "shop_unreachable";
    /// The shop took too long (504).
    ShopTimeout = "shop_timeout";
    /// The shop's body broke off after its head.
    ShopTruncated = "shop_truncated";
    /// A request was sent again on another connection, no byte having been acted on.
    ForwardRetried = "forward_retried";
    /// Connecting to an upstream failed; the request went to another one, if one was left.
    UpstreamFailed = "upstreams_failed";
    /// A health check of an upstream failed.
    CheckFailed = "health_checks_failed";
    /// An affiliate's link was followed.
    ClickCaptured = "clicks_captured";
    /// A parameter was there but its value was refused (pattern, length, repeated, empty).
    ClickRefused = "clicks_refused";
    /// A click came along from another store, by a token.
    ClickHandedOver = "clicks_handed_over";
    /// A token was not taken: altered, for another host, too old, or not asked for.
    TokenRefused = "tokens_refused";
    /// A visitor was sent to another store to be asked about.
    StoreAsked = "stores_asked";
    /// Visitors did not come back from another store: nobody is sent there for an hour.
    HopsFail = "hops_fail";
    /// A click was captured on the page after the landing: consent came late, or the landing was fetched ahead of time.
    ClickLate = "clicks_captured_late";
    /// A link was followed by one who has not agreed to be remembered, or not yet; no click was captured.
    ClickWithoutConsent = "clicks_without_consent";
    /// A link was followed by one who is excluded; no click was captured.
    ClickExcluded = "clicks_excluded";
    /// Clicks were forgotten because consent for them was refused or is gone.
    ConsentWithdrawn = "consents_withdrawn";
    /// A cookie of ours could not be opened (tampered, foreign, another key).
    CookieRefused = "cookies_refused";
    /// A cookie of ours opened, but every click in it was older than the window, or from the future.
    CookieExpired = "cookies_expired";
    /// A visit could not be sealed into its cookie: what is new in it is not kept.
    CookieLost = "cookies_lost";
    /// A visitor with a click was at the checkout; his cookie says so.
    CheckoutSeen = "checkout_steps";
    /// Capturing panicked; the request went on untouched.
    CaptureFailed = "capture_failed";
    /// Decorating panicked; the page broke off, or went on as it was.
    DecoratorFailed = "decorator_failed";
    /// A rule meant the request of one who is excluded; nothing was read.
    ExchangeExcluded = "exchanges_excluded";
    /// A shopper's session and visit were written down at a checkout route.
    SessionRemembered = "sessions_remembered";
    /// A session cookie's value at a checkout route was too short or too plain to count.
    SessionRefused = "sessions_refused";
    /// A session could not be written down, or not be asked for: too many, or the ledger failed.
    SessionLost = "sessions_lost";
    /// One session came with two visits: nothing is credited by it.
    SessionShared = "sessions_shared";
    /// A confirmation without a visit was found one by its session.
    SessionFound = "sessions_found";
    /// A response matched a rule and was read.
    RuleMatched = "rules_matched";
    /// A path was ambiguous, so no rule was tried.
    PathAmbiguous = "paths_ambiguous";
    /// A rule matched but could not read everything it needs.
    RuleUnreadable = "rules_unreadable";
    /// A watched body was larger than its cap, encoded or decoded, or took too long.
    BodyOverCap = "bodies_over_cap";
    /// A watched exchange without its shopper was not read to its end.
    ExchangeCutOff = "exchanges_cut_off";
    /// A confirmation could not be read, or a fault of ours came while its order was recorded.
    ObserverFailed = "observer_failed";
    /// A new order was entered.
    OrderEntered = "orders_entered";
    /// An order that is already known was seen again.
    OrderSeenAgain = "orders_seen_again";
    /// A confirmation named a known order with another amount, later, from another visit: it was entered aside, as a second one of that id, or had no place there.
    IdReused = "ids_reused";
    /// A confirmation was of an order that is known without its row: imported, or older than the retention. No new order.
    OrderKnown = "orders_known";
    /// An order older than the retention lost its rows; its ids are still known.
    OrderRetired = "orders_retired";
    /// An order was entered in the state held.
    OrderHeld = "orders_held";
    /// The order was not durable when `hold` ended; the page went out all the same.
    HoldEnded = "hold_ended";
    /// The ledger refused or failed an entry.
    LedgerFailed = "ledger_failed";
    /// The ledger's database went away: orders go into the spool until it is back.
    LedgerAway = "ledger_away";
    /// An order was written to the spool instead of the ledger.
    OrderSpooled = "orders_spooled";
    /// An order could be written neither to the ledger nor to the spool, only to the log.
    OrderLogged = "orders_logged";
    /// A postback was sent.
    PostbackSent = "postbacks_sent";
    /// The network accepted a postback.
    PostbackAccepted = "postbacks_accepted";
    /// The network has this conversion already.
    PostbackDuplicate = "postbacks_duplicate";
    /// The network refused a postback.
    PostbackRejected = "postbacks_rejected";
    /// Nobody knows whether the network counted a postback.
    PostbackUnclear = "postbacks_unclear";
    /// A postback will be tried again.
    PostbackDelayed = "postbacks_delayed";
    /// A postback was given up.
    PostbackDead = "postbacks_dead";
    /// A postback that was due could not be sent as the configuration stands; the operator is asked.
    PostbackHeld = "postbacks_held";
    /// A network was taken for down: nothing is sent to it for a while.
    NetworkRests = "network_rests";
    /// A network or webhook was paused, because it rejected several orders in a row with the same words.
    NetworkPaused = "network_pauses";
    /// Another configuration came into force.
    Reloaded = "reloads";
    /// Another configuration was asked for and refused; the one before stays in force.
    ReloadRefused = "reloads_refused";
}

/// How often each event has happened since the start, and what stands of it as an alarm.
#[derive(Debug, Default)]
pub struct Counters {
    counts: Shards<Counts>,
    alarms: Alarms,
}

impl Counters {
    /// Counts one more.
    pub fn add(&self, event: Event) {
        self.counts
            .own()
            .slot(event)
            .fetch_add(1, Ordering::Relaxed);
    }

    /// How often `event` has happened since the start.
    pub fn get(&self, event: Event) -> u64 {
        let each = self.counts.all().map(|counts| counts.slot(event));
        each.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The alarms: whoever counts what happened raises what lasts.
    pub const fn alarms(&self) -> &Alarms {
        &self.alarms
    }
}
