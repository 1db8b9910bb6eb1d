//! What the operator's own webhooks are told: by where an order stands, whoever it is owed to.

use crate::ledger::Webhook;
use crate::money::Money;
use crate::order::NewPostback;

/// What each webhook would be told, for every standing: an order's own is known when it is entered.
pub(super) fn quotes(webhooks: &[Webhook], amount: Option<Money>) -> Vec<NewPostback> {
    let of_one = |webhook: &Webhook| {
        let quote = |standing: &&str| NewPostback {
            destination: webhook.name.clone(),
            event: (*standing).to_owned(),
            sequence: 0,
            // As the store has it: no network counts it.
            amount,
            held: None,
            timing: Default::default(),
        };
        webhook.on.iter().map(quote).collect::<Vec<_>>()
    };
    webhooks.iter().flat_map(of_one).collect()
}
