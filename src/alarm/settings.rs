//! How alarms are looked for and told.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::name::StoreName;
use crate::secret::Secret;

/// What the operator wants to be told, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From one look at the conditions to the next.
    pub look: Duration,
    /// Who is told.
    pub webhook: Option<Webhook>,
    /// The stores whose checkout is seen.
    pub checkouts: HashSet<StoreName>,
    /// Within what time an order is expected in a store; by experience in the others.
    pub expect_order_within: HashMap<StoreName, Duration>,
}

/// The operator's own address for alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where they are posted to. It may hold a secret.
    pub url: Secret,
    /// What signs them, if anything does.
    pub secret: Option<Secret>,
    /// How long an alarm stands until it is told again.
    pub repeat: Duration,
}
