//! Record: the order path on one page. Sighting + visit → order → ledger, or spool.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::money::{Currency, Decimal};
use crate::name::NetworkName;
use crate::visit::Attribution;

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
    /// Who may be told, in which money.
    pub destinations: HashMap<NetworkName, Destination>,
}

/// What record must know of a destination.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What the network counts in.
    pub currency: Currency,
    /// One unit of another currency in the network's: `CAD: 0.73`.
    pub rates: HashMap<Currency, Decimal>,
    /// False: a dry run; postbacks are held.
    pub send: bool,
}
