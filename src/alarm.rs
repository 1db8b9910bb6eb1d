//! Alarms: what is wrong until it is not any more, and is for a person to look at.
//!
//! One is raised where its condition arises, for a subject (a store, a network, a file), and is over
//! when whoever raised it says so or, for those that nobody can say it of, when it has not come
//! again for a while. The log has one line when it begins and one when it is over; the metrics,
//! `/alarms`, `refgate alarms` and the operator's webhook show what stands. What to do about each is a
//! section of the manual.

mod registry;
mod settings;

use std::time::Duration;

pub use registry::{Alarms, Standing};
pub use settings::{Settings, Webhook};

/// How soon a person should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Orders or payments are at stake now.
    Urgent,
    /// Something is not as it should be, and nothing is lost yet.
    Warning,
}

impl Level {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Warning => "warning",
        }
    }
}

/// How an alarm ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Whoever raised it sees that its condition is gone.
    UntilGone,
    /// When it has not come again for so many minutes: nobody can see more.
    Minutes(u64),
}

impl Lasts {
    /// After how long a silence it is over by itself.
    pub const fn silence(self) -> Option<Duration> {
        match self {
            Self::UntilGone => None,
            Self::Minutes(minutes) => Some(Duration::from_secs(minutes * 60)),
        }
    }
}

macro_rules! alarms {
    ($($(#[doc = $help:literal])+ $alarm:ident = $name:literal, $level:ident, $lasts:expr;)+) => {
        /// One kind of thing that is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Alarm { $($(#[doc = $help])+ $alarm,)+ }

        impl Alarm {
            /// Every kind, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$alarm),+];

            /// The name in metrics, in the configuration and in the manual.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$alarm => $name,)+ }
            }

            /// What it is, in a sentence.
            pub fn help(self) -> &'static str {
                match self { $(Self::$alarm => concat!($($help),+).trim(),)+ }
            }

            /// How soon a person should look.
            pub const fn level(self) -> Level {
                match self { $(Self::$alarm => Level::$level,)+ }
            }

            /// How it ends.
            pub const fn lasts(self) -> Lasts {
                match self { $(Self::$alarm => $lasts,)+ }
            }

            /// Where the manual says what to do.
            pub const fn manual(self) -> &'static str {
                match self { $(Self::$alarm => concat!("docs/alarms.md#", $name),)+ }
            }
        }
    };
}

alarms! {
    /// A rule matched a page and could not read everything that it needs, or the page could not be read at all. Subject: the store and the rule, or the store.
    RuleUnreadable = "rule_unreadable", Urgent, Lasts::Minutes(60);
    /// Shoppers pass the checkout and no order is seen. Subject: the store.
    NoOrders = "no_orders", Urgent, Lasts::UntilGone;
    /// Visitors of affiliates' links do not come back with the cookie that they were given. Subject: the store and the family of browsers.
    CookieLost = "cookie_lost", Urgent, Lasts::UntilGone;
    /// A watched page also carries the network's own pixel or script, so that an order may be counted twice. Subject: the store and the host.
    PixelOnPage = "pixel_on_page", Urgent, Lasts::Minutes(1440);
    /// Postbacks have been unclear for more than an hour.
    PostbacksUnclear = "postbacks_unclear", Urgent, Lasts::UntilGone;
    /// The ledger takes no order: it is away, locked, full or broken.
    LedgerFails = "ledger_fails", Urgent, Lasts::UntilGone;
    /// The ledger is another one than before, or older than it was.
    LedgerReplaced = "ledger_replaced", Urgent, Lasts::UntilGone;
    /// Orders wait in the spool for the ledger.
    OrdersSpooled = "orders_spooled", Warning, Lasts::UntilGone;
    /// An order is in the log alone.
    OrdersLogged = "orders_logged", Urgent, Lasts::Minutes(1440);
    /// Visitors who are sent to a sibling store do not come back. Subject: the store.
    HopsFail = "hops_fail", Warning, Lasts::Minutes(120);
    /// One session of the shop's came with two visits. Subject: the store.
    SessionShared = "session_shared", Warning, Lasts::Minutes(1440);
    /// One visit was seen from many networks. Subject: the store.
    VisitShared = "visit_shared", Urgent, Lasts::Minutes(1440);
    /// Somebody tries order ids one after the other. Subject: the store.
    IdEnumeration = "id_enumeration", Warning, Lasts::Minutes(1440);
    /// One order id was used for two orders: the later one is held, or has no place any more and is only in the log. Subject: the store.
    IdReused = "id_reused", Urgent, Lasts::Minutes(1440);
    /// A network is paused after a run of rejections. Subject: the network.
    DestinationPaused = "destination_paused", Urgent, Lasts::UntilGone;
    /// A network does not answer, and nothing is sent to it for a while. Subject: the network.
    DestinationRests = "destination_rests", Warning, Lasts::UntilGone;
    /// A certificate ends within a week, or has ended. Subject: the file or the host.
    CertificateEnds = "certificate_ends", Urgent, Lasts::UntilGone;
    /// A certificate could not be read when its file changed, or not be obtained. Subject: the file or the host.
    CertificateFails = "certificate_fails", Warning, Lasts::UntilGone;
    /// A disk is nearly full. Subject: the folder.
    DiskFull = "disk_full", Urgent, Lasts::UntilGone;
    /// The machine's clock jumped.
    ClockJumped = "clock_jumped", Warning, Lasts::Minutes(60);
    /// The operator's webhook does not take what it is told.
    WebhookFails = "webhook_fails", Warning, Lasts::UntilGone;
}
