//! Rejections in a row: when a network refuses one order after the other with the same words, what is wrong is not
//! the orders (a token, an offer id), and every further one would be a sale lost. Pure.

use std::collections::{BTreeSet, HashMap};

use crate::click::partner;
use crate::name::NetworkName;
use crate::order::OrderKey;
use crate::postback::{Postback, Verdict};

/// How many times longer a run must be that is one partner's alone: the network may have ended with him.
const ONE_PARTNER: usize = 4;

/// The runs of each destination, in this process.
#[derive(Debug, Default)]
pub(super) struct Rejections(HashMap<NetworkName, Run>);

/// Rejections with the same words, nothing accepted between them.
#[derive(Debug, Default)]
struct Run {
    words: String,
    orders: Vec<OrderKey>,
    partners: BTreeSet<String>,
}

impl Rejections {
    /// Takes an answer into account; the words of a run that has become long enough to pause the destination,
    /// where `after` so many do. It begins anew then.
    pub(super) fn heard(
        &mut self,
        postback: &Postback,
        (verdict, words): (Verdict, &str),
        after: u32,
    ) -> Option<String> {
        let name = &postback.destination;
        match verdict {
            Verdict::Rejected => {}
            Verdict::Accepted | Verdict::Duplicate => {
                self.0.remove(name);
                return None;
            }
            // These say nothing of what the network makes of an order.
            Verdict::NotProcessed | Verdict::Unclear => return None,
        }
        let words = general(words, postback);
        let run = self.0.entry(name.clone()).or_default();
        if run.words != words {
            *run = Run {
                words,
                ..Run::default()
            };
        }
        if !run.orders.contains(&postback.order) {
            run.orders.push(postback.order.clone());
        }
        run.partners.insert(partner(&postback.values));
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let needed = match run.partners.len() {
            0 | 1 => after.saturating_mul(ONE_PARTNER),
            _ => after,
        };
        if run.orders.len() < needed {
            return None;
        }
        let (orders, words) = (run.orders.len(), std::mem::take(&mut run.words));
        self.0.remove(name);
        Some(format!(
            "{orders} orders in a row were rejected with the same words: {words}"
        ))
    }
}

/// The words without what is this order's own.
fn general(words: &str, postback: &Postback) -> String {
    let mut own: Vec<&str> = postback.values.values().map(String::as_str).collect();
    own.push(postback.order.id.as_str());
    let amount = postback.amount.map(|money| money.amount.to_string());
    own.extend(amount.as_deref());
    // The longest first: one may be within another.
    own.sort_by_key(|own| std::cmp::Reverse(own.len()));
    let own = own.into_iter().filter(|own| own.len() > 1);
    own.fold(words.to_owned(), |words, own| words.replace(own, "…"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::postback::State;

    fn postback(order: &str, partner: &str) -> Postback {
        Postback {
            id: 1,
            order: OrderKey {
                namespace: "demo".parse().unwrap(),
                id: order.parse().unwrap(),
            },
            destination: "aspire".parse().unwrap(),
            event: "sale".to_owned(),
            sequence: 0,
            values: [("affiliate_id".to_owned(), partner.to_owned())].into(),
            amount: None,
            state: State::Sending,
            doubt: None,
            cause: None,
            at: Time::from_millis(0),
            due: None,
            attempts: 1,
            spent: 0,
        }
    }

    /// Whether the last of these rejections pauses, and none before it. `+` is an accepted one between.
    fn pauses(answers: &[(&str, &str, &str)]) -> bool {
        let mut rejections = Rejections::default();
        let mut said = Vec::new();
        for (order, partner, words) in answers {
            let verdict = match *words {
                "+" => Verdict::Accepted,
                "?" => Verdict::Unclear,
                _ => Verdict::Rejected,
            };
            said.push(rejections.heard(&postback(order, partner), (verdict, words), 3));
        }
        let last = said.pop().unwrap();
        assert!(said.iter().all(Option::is_none), "{said:?}");
        last.is_some()
    }

    #[test]
    fn a_run_of_the_same_words_pauses() {
        let bad = "bad token";
        assert!(pauses(&[("1", "7", bad), ("2", "8", bad), ("3", "7", bad)]));
        assert!(pauses(&[
            ("1", "7", bad),
            ("2", "8", "?"),
            ("2", "8", bad),
            ("3", "7", bad)
        ]));
        // What is the order's own makes no other words.
        let of = |order: &str| format!("order {order} refused");
        let (one, two, three) = (of("A-17"), of("A-18"), of("A-19"));
        assert!(pauses(&[
            ("A-17", "71", &one),
            ("A-18", "72", &two),
            ("A-19", "72", &three)
        ]));
    }

    #[test]
    fn what_is_no_run_pauses_nothing() {
        let bad = "bad token";
        assert!(!pauses(&[
            ("1", "7", bad),
            ("2", "8", "+"),
            ("2", "8", bad),
            ("3", "7", bad)
        ]));
        assert!(!pauses(&[
            ("1", "7", bad),
            ("2", "8", "no offer"),
            ("3", "7", bad)
        ]));
        // The same order, sent again and again.
        assert!(!pauses(&[
            ("1", "7", bad),
            ("1", "7", bad),
            ("2", "8", bad)
        ]));
    }

    #[test]
    fn one_partners_rejections_must_be_many_more() {
        let orders: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
        let answers: Vec<_> = orders
            .iter()
            .map(|order| (&**order, "7", "no such affiliate"))
            .collect();
        assert!(!pauses(&answers[..11]));
        assert!(pauses(&answers));
    }
}
