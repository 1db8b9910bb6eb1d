//! What is counted and told of an order: in figures, to the log, by alarms.

use tracing::{debug, error, info, warn};

use super::{Recorded, Recorder};
use crate::alarm::Alarm;
use crate::event::Event;
use crate::ledger::Entered;
use crate::order::{Doubt, Order, Standing};

impl Recorder {
    /// What became of an order that the ledger has taken.
    pub(super) fn entered(&self, entered: Entered) -> Recorded {
        let words = Words::of(entered.order());
        let Words {
            id,
            store,
            amount,
            standing,
            affiliate,
        } = &words;
        match &entered {
            Entered::New(order) | Entered::Completed(order) => {
                let new = matches!(entered, Entered::New(_));
                self.counters.add(if new {
                    Event::OrderEntered
                } else {
                    Event::OrderSeenAgain
                });
                if let Standing::Held(doubt) = order.standing {
                    self.counters.add(Event::OrderHeld);
                    let why = &order.why;
                    warn!(order.id = %id, store, amount, standing, affiliate, why, "order held");
                    if new && doubt == Doubt::IdReused {
                        self.reused(order, "is another one of its id, and held");
                    }
                } else if new {
                    info!(order.id = %id, store, amount, standing, affiliate, "order seen");
                } else {
                    info!(order.id = %id, store, amount, standing, affiliate, "order completed");
                }
            }
            Entered::Again(_) => {
                self.counters.add(Event::OrderSeenAgain);
                debug!(order.id = %id, store, amount, standing, affiliate, "order seen again");
            }
            Entered::Known(_, known) => {
                self.counters.add(Event::OrderKnown);
                let (since, how) = (known.since.to_string(), known.source.as_str());
                info!(order.id = %id, store, since, how, "no new order: it is known");
            }
            Entered::NoPlace(order) => {
                let why = &order.why;
                error!(
                    order.id = %id, store, amount, standing, affiliate, why,
                    "order not entered: too many orders go by its id, and there is no place left aside. If it is owed to \
                     somebody, enter it with the network by hand"
                );
                self.reused(
                    order,
                    "is one more of its id than have a place, and only in the log",
                );
            }
        }
        Recorded::Entered(Box::new(entered))
    }

    fn reused(&self, order: &Order, what: &str) {
        self.counters.add(Event::IdReused);
        let Order { key, why, .. } = order;
        let words = format!(
            "order {key} {what}: {why}. If the shop counts anew, give its stores other `orders`, because every such order is held"
        );
        let alarms = self.counters.alarms();
        alarms.raise(Alarm::IdReused, order.store.as_str(), &words, order.at);
    }
}

/// What the log says of an order.
pub(super) struct Words {
    pub(super) id: String,
    pub(super) store: String,
    pub(super) amount: String,
    pub(super) standing: &'static str,
    pub(super) affiliate: String,
}

impl Words {
    pub(super) fn of(order: &Order) -> Self {
        let amount = order
            .amount
            .map_or_else(|| "unknown".to_owned(), |amount| amount.to_string());
        let affiliate = order.click.as_ref().map(|click| {
            let values = click
                .values
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            format!("{}{}", click.network, values.collect::<String>())
        });
        Self {
            id: order.key.to_string(),
            store: order.store.to_string(),
            amount,
            standing: match order.standing {
                Standing::Credited => "credited",
                Standing::Organic => "organic",
                Standing::Held(doubt) => held(doubt),
            },
            affiliate: affiliate.unwrap_or_default(),
        }
    }
}

const fn held(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Unreadable => "held: unreadable",
        Doubt::Differs => "held: differs",
        Doubt::CurrencyContradicts => "held: currency contradicts",
        Doubt::NoRate => "held: no rate",
        Doubt::OverMaxAmount => "held: over max_amount",
        Doubt::NotPositive => "held: not positive",
        Doubt::Unproven => "held: unproven",
        Doubt::TooYoung => "held: click too young",
        Doubt::TooMany => "held: too many orders",
        Doubt::IdReused => "held: id reused",
        Doubt::ManyNetworks => "held: visit in many hands",
        Doubt::Blocked => "held: blocked",
        Doubt::Shadow => "held: shadow",
        Doubt::Operator => "held: by the operator",
    }
}
