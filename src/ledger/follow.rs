//! What follows of the operator's word by the configuration: what a release waits for, and which webhooks are told of
//! the standing that an order comes to by it.

use std::collections::HashMap;
use std::time::Duration;

use crate::name::NetworkName;

/// What the configuration says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Follows {
    /// How long after its order each destination is told at the earliest: a release waits for that too.
    pub send_after: HashMap<NetworkName, Duration>,
    /// Who is told of an order's standing.
    pub webhooks: Vec<Webhook>,
}

/// One of the operator's webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its name, which no network has.
    pub name: NetworkName,
    /// Of which orders it is told, of [`crate::order::STANDINGS`]: each is an event of its own.
    pub on: Vec<&'static str>,
}

impl Follows {
    /// The names of the webhooks that are told of an order that comes to this standing.
    pub(super) fn told(&self, standing: &str) -> Vec<String> {
        let told = self
            .webhooks
            .iter()
            .filter(|one| one.on.contains(&standing));
        told.map(|one| one.name.to_string()).collect()
    }
}
