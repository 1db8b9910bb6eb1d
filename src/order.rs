//! An order: what is known of a sale, folded from its sightings. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::IntoDeserializer as _;
pub use serde::de::value::Error as WordError;
use serde::{Deserialize, Serialize};

use crate::click::Click;
use crate::clock::Time;
use crate::money::Money;
use crate::name::{Namespace, NetworkName, RuleName, StoreName};
use crate::session::Mark;
use crate::visit::{Visit, VisitId};

mod aside;
mod fold;
mod proof;

pub use fold::{Fold, fold};
pub use proof::{Evidence, FloorError, IdFloor, Proof, Suspicion};

/// How long an order that came without a click is open for the same shopper's visit.
pub const OPEN: Duration = Duration::from_secs(30 * 60);

/// Longest order id in bytes.
pub const ID_LIMIT: usize = 128;

/// An order's id as the shopper sees it: trimmed, not empty, at most
/// [`ID_LIMIT`] bytes, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderId(String);

/// Why a text is no order id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing but white space.
    #[error("an empty order id")]
    Empty,
    /// More than [`ID_LIMIT`] bytes.
    #[error("an order id longer than {ID_LIMIT} bytes")]
    Long,
    /// A control character within it.
    #[error("a control character in an order id")]
    Control,
}

impl OrderId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OrderId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > ID_LIMIT {
            return Err(IdError::Long);
        }
        if text.chars().any(char::is_control) {
            return Err(IdError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for OrderId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<OrderId> for String {
    fn from(id: OrderId) -> Self {
        id.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What makes an order one: its id within a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderKey {
    /// Where the id is unique.
    pub namespace: Namespace,
    /// The id.
    pub id: OrderId,
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.id)
    }
}

/// A field as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name in the rule.
    pub name: String,
    /// The text, as on the page, bounded.
    pub text: String,
    /// Where it was found: `css #order strong`, `path {order}`.
    pub origin: String,
}

/// What one rule read from one exchange. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When the confirmation was read.
    pub at: Time,
    /// The store it was seen in.
    pub store: StoreName,
    /// The rule that read it.
    pub rule: RuleName,
    /// Method and path of the request, without the query.
    pub request: String,
    /// The order.
    pub key: OrderKey,
    /// Other ids of the same order.
    pub aliases: Vec<OrderId>,
    /// Every field read.
    pub fields: Vec<Field>,
    /// What the order is worth to the affiliate, where the rule could tell.
    pub amount: Option<Money>,
    /// How the amount came about: `total 119.00 - tax 19.00 = 100.00`.
    pub working: Option<String>,
    /// What the rule could not read, in words.
    pub faults: Vec<String>,
    /// Whose it is, if that is known.
    pub visit: Option<Visit>,
    /// What the visit was found by.
    #[serde(default)]
    pub found_by: FoundBy,
}

/// What a sighting's visit was found by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// The request itself: our cookie in it, or its link.
    #[default]
    Request,
    /// The shop's session, which was seen with that visit at a checkout route.
    Session,
    /// Nothing: the shop's session was seen with two visits, or with one and without.
    SharedSession,
}

/// Why an order is held: shown, not guessed, not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The rule matched but a field could not be read.
    Unreadable,
    /// Two differing values for one field, or one whose sign contradicts the rule.
    Differs,
    /// The page's currency contradicts the store's.
    CurrencyContradicts,
    /// The destination's currency is another one and no rate is configured.
    NoRate,
    /// Above the store's `max_amount`.
    OverMaxAmount,
    /// Zero or less.
    NotPositive,
    /// Nothing shows that this visit bought.
    Unproven,
    /// The click came too shortly before the order.
    TooYoung,
    /// More order ids from one visitor than shoppers have.
    TooMany,
    /// The visit was seen from many networks: it is in many hands.
    ManyNetworks,
    /// Another order goes by its id.
    IdReused,
    /// The operator blocks the click's partner, or the address that it was bought from.
    Blocked,
    /// The destination only watches (`mode: shadow`), or had not gone live when the order was seen.
    #[serde(alias = "dry_run")]
    Shadow,
    /// The operator took it back while it was due.
    Operator,
}

impl fmt::Display for Doubt {
    /// Its word in the ledger: `over_max_amount`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for Doubt {
    type Err = WordError;

    fn from_str(word: &str) -> Result<Self, WordError> {
        Self::deserialize(word.into_deserializer())
    }
}

/// The words for where an order stands.
pub const STANDINGS: [&str; 3] = ["credited", "organic", "held"];

/// What a network is told of: the only event so far. A webhook's events are [`STANDINGS`].
pub const SALE: &str = "sale";

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "doubt")]
pub enum Standing {
    /// Owed to its click.
    Credited,
    /// Nobody's: no click within the window.
    Organic,
    /// In doubt.
    Held(Doubt),
}

impl Standing {
    /// Its word, of [`STANDINGS`].
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Credited => "credited",
            Self::Organic => "organic",
            Self::Held(_) => "held",
        }
    }

    /// Where an order with these postbacks stands: credited if one of them may go out (or is in shadow), held
    /// if every one must wait, organic if there is none.
    pub fn of<'a>(postbacks: impl IntoIterator<Item = &'a NewPostback>) -> Self {
        let mut standing = Self::Organic;
        for postback in postbacks {
            match (&postback.held, &standing) {
                (None | Some((Doubt::Shadow, _)), _) => return Self::Credited,
                (Some((doubt, _)), Self::Organic) => standing = Self::Held(*doubt),
                _ => {}
            }
        }
        standing
    }
}

/// The fold of an order's sightings. A missing field may be completed by a
/// later sighting; one that is set never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub key: OrderKey,
    /// Other ids of the same order.
    pub aliases: Vec<OrderId>,
    /// When it was first seen.
    pub at: Time,
    /// Where it was first seen.
    pub store: StoreName,
    /// The rule that first saw it.
    pub rule: RuleName,
    /// What it is worth to the affiliate.
    pub amount: Option<Money>,
    /// How the amount came about.
    pub working: Option<String>,
    /// Where it stands.
    pub standing: Standing,
    /// Why it stands there, in words for the operator.
    pub why: String,
    /// The click that it is owed to; of several (`attribution: all`) the newest.
    pub click: Option<Click>,
    /// The visit that bought.
    pub visit: Option<VisitId>,
    /// What shows that it bought; none where nothing does, or nobody is owed the order.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// Until when the same shopper's visit may still be credited with an order that came without one; none: it is closed.
    #[serde(default)]
    pub open_until: Option<Time>,
}

impl Order {
    /// Whether `id` is its id, or another one of it.
    pub fn goes_by(&self, id: &str) -> bool {
        self.key.id.as_str() == id || self.aliases.iter().any(|alias| alias.as_str() == id)
    }

    /// The click by which `network` is owed it: its own, or where several are told one of its
    /// `first` sighting's visit.
    pub fn click_of<'a>(
        &'a self,
        first: Option<&'a Sighting>,
        network: &NetworkName,
    ) -> Option<&'a Click> {
        let of_it = |click: &&Click| click.network == *network;
        let own = self.click.as_ref().filter(of_it);
        own.or_else(|| first?.visit.as_ref()?.clicks.iter().rfind(of_it))
    }
}

/// A sighting with what it would make of its order were it the first one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// What was seen.
    pub sighting: Sighting,
    /// The order as this sighting alone tells it.
    pub order: Order,
    /// Who would be told.
    pub postbacks: Vec<NewPostback>,
    /// What each destination would be told were the order owed to it: completes
    /// an order that is owed to other clicks than this sighting's.
    #[serde(default)]
    pub quotes: Vec<NewPostback>,
    /// Who looked, as keyed hashes: by each of them the same shopper is known again while the order is open.
    #[serde(default)]
    pub shopper: Vec<Mark>,
}

/// One conversion to one destination, not yet in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPostback {
    /// Who is told.
    pub destination: NetworkName,
    /// What happened: `sale`; to a webhook the order's standing.
    pub event: String,
    /// Tells renewals of one order apart; 0 for the sale.
    pub sequence: u32,
    /// In the destination's currency.
    pub amount: Option<Money>,
    /// Why it must wait for the operator, if it must.
    pub held: Option<(Doubt, String)>,
    /// When it may go out, if nothing else holds it.
    #[serde(default)]
    pub timing: Timing,
}

/// When postbacks of one destination may go out: counted from the order, also where the order is completed later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Orders seen before this are not told by themselves.
    pub live_since: Option<Time>,
    /// How long after the order.
    pub send_after: Duration,
}
