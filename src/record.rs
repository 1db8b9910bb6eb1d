//! Record: the order path on one page.
//!
//! ```text
//! Sighting + Visit ── judge (pure) ──► Candidate: order, standing, why, postbacks
//!                                          │
//!                                      Recorder
//!                                          ├─► ledger          durable, once per order
//!                                          ├─► spool           when the ledger fails or is slow; `import` enters it
//!                                          └─► log             when the spool fails too
//! ```
//!
//! The caller reads a page, asks [`judge()`], and gives the candidate to
//! [`Recorder::record`] in a task of its own; the page's end waits for that task at most
//! [`Settings::hold`], while the task goes on until the order is somewhere.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::ledger::Webhook;
use crate::money::{Currency, Decimal};
use crate::name::{NetworkName, StoreName};
use crate::observe::rule::PathPattern;
use crate::order::Timing;
use crate::postback::Mode;
use crate::session::Marker;
use crate::visit::Attribution;

pub mod guard;
mod judge;
mod recorder;
pub mod returns;
pub mod spool;
mod webhooks;

pub use judge::judge;
pub use recorder::{BACKLOG, PATIENCE, Recorded, Recorder};
pub use returns::{Returns, Sessions};

/// How orders are judged and kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long the end of a confirmation waits for the ledger.
    pub hold: Duration,
    /// Where orders go when the ledger fails.
    pub spool: PathBuf,
    /// How long a click is worth something.
    pub window: Duration,
    /// Which click wins.
    pub attribution: Attribution,
    /// How old a click must be at the order; an order that comes sooner is held.
    pub min_click_age: Duration,
    /// The paths of the stores' checkouts.
    pub checkouts: HashMap<StoreName, Vec<PathPattern>>,
    /// What makes the marks of who looks at a confirmation, by store.
    pub shoppers: HashMap<StoreName, Marker>,
    /// The stores whose sessions are remembered there.
    pub returns: HashMap<StoreName, Sessions>,
    /// Who may be told, in which money.
    pub destinations: HashMap<NetworkName, Destination>,
    /// Whose looks at confirmations are too many.
    pub guard: guard::Settings,
    /// Who is told beside them, whoever an order is owed to.
    pub webhooks: Vec<Webhook>,
}

/// What record must know of a destination.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What the network counts in.
    pub currency: Currency,
    /// One unit of another currency in the network's: `CAD: 0.73`.
    pub rates: HashMap<Currency, Decimal>,
    /// Whether it is told; in shadow its postbacks are held.
    pub mode: Mode,
    /// When its postbacks may go out.
    pub timing: Timing,
    /// Values of a click that nobody is told of before the operator has looked: partners who cheat.
    pub blocked: Vec<String>,
}
