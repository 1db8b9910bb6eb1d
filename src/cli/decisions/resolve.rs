//! Which postback a decision means, and whether it can be done with it.

use std::collections::HashMap;

use super::Refused;
use super::read::Decision;
use crate::actor::Reason;
use crate::cli::say::{Error, inert};
use crate::ledger::{Action, IDS, LIST, Ledger, Named, PostbackFilter};
use crate::money::Money;
use crate::name::NetworkName;
use crate::postback::{Postback, PostbackId, State};
use crate::steering;

/// Decisions that are looked up at once.
pub(super) const TOGETHER: usize = IDS;

/// A decision that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) line: u64,
    pub(super) id: PostbackId,
    pub(super) action: Action,
    pub(super) reason: Reason,
    pub(super) amount: Option<Money>,
    /// Where it stood when it was looked up.
    pub(super) state: State,
}

/// Decisions that are being looked up.
pub(super) struct Resolving<'a> {
    ledger: &'a Ledger,
    ready: Vec<Ready>,
    refused: Vec<Refused>,
    /// In which line a postback stands.
    lines: HashMap<PostbackId, u64>,
}

/// What the ledger has of some decisions.
struct Found {
    numbers: HashMap<PostbackId, Postback>,
    orders: HashMap<(NetworkName, String), Named>,
}

impl<'a> Resolving<'a> {
    pub(super) fn new(ledger: &'a Ledger, refused: Vec<Refused>) -> Self {
        Self {
            ledger,
            ready: Vec::new(),
            refused,
            lines: HashMap::new(),
        }
    }

    /// Looks some up, at most [`TOGETHER`].
    pub(super) async fn take(&mut self, decisions: &[Decision]) -> Result<(), Error> {
        let found = self.find(decisions).await?;
        for decision in decisions {
            match self.judge(decision, &found) {
                Ok(ready) => self.ready.push(ready),
                Err(why) => {
                    let line = decision.line;
                    self.refused.push(Refused { line, why });
                }
            }
        }
        Ok(())
    }

    pub(super) fn end(self) -> (Vec<Ready>, Vec<Refused>) {
        (self.ready, self.refused)
    }

    async fn find(&self, decisions: &[Decision]) -> Result<Found, Error> {
        let numbers: Vec<_> = decisions.iter().filter_map(|one| one.id).collect();
        let postbacks = match numbers.as_slice() {
            [] => Vec::new(),
            _ => {
                let filter = PostbackFilter {
                    numbers,
                    ..PostbackFilter::default()
                };
                self.ledger.postbacks(filter, LIST).await?
            }
        };
        let mut asked: HashMap<&NetworkName, Vec<String>> = HashMap::new();
        for decision in decisions.iter().filter(|one| one.id.is_none()) {
            if let (Some(to), Some(order)) = (&decision.destination, &decision.order) {
                asked.entry(to).or_default().push(order.clone());
            }
        }
        let mut orders = HashMap::new();
        for (to, ids) in asked {
            let named = self.ledger.named(to, ids.clone()).await?;
            orders.extend(ids.into_iter().map(|id| (to.clone(), id)).zip(named));
        }
        let numbers = postbacks.into_iter().map(|one| (one.id, one)).collect();
        Ok(Found { numbers, orders })
    }

    fn judge(&mut self, decision: &Decision, found: &Found) -> Result<Ready, String> {
        let postback = match decision.id {
            Some(id) => by_number(decision, id, found)?,
            None => by_order(decision, found)?,
        };
        let (id, line) = (postback.id, decision.line);
        if let Some(was) = decision.state.filter(|was| *was != postback.state) {
            let state = postback.state;
            return Err(format!(
                "postback {id} was {was} when this was written, and is {state} now"
            ));
        }
        if let Some(refusal) = decision.action.refuses(postback) {
            return Err(steering::words(decision.action, refusal));
        }
        if let Some(before) = self.lines.insert(id, line) {
            self.lines.insert(id, before);
            return Err(format!("postback {id} stands in line {before} already"));
        }
        Ok(Ready {
            line,
            id,
            action: decision.action,
            reason: decision.reason.clone(),
            amount: postback.amount,
            state: postback.state,
        })
    }
}

/// What else the line says of it must be so.
fn by_number<'f>(
    decision: &Decision,
    id: PostbackId,
    found: &'f Found,
) -> Result<&'f Postback, String> {
    let postback = found.numbers.get(&id);
    let postback = postback.ok_or_else(|| format!("there is no postback {id}"))?;
    let key = &postback.order;
    // The file may have it as it is shown, and a spreadsheet without what it began or ended with.
    let same = |order: &String| *order == key.id.as_str() || *order == inert(key.id.as_str());
    let order = decision.order.as_ref().is_none_or(same);
    let namespace = decision.namespace.as_ref();
    if !order || namespace.is_some_and(|name| *name != key.namespace) {
        return Err(format!("postback {id} is of order {key}, not of this one"));
    }
    let to = &postback.destination;
    if decision.destination.as_ref().is_some_and(|name| name != to) {
        return Err(format!("postback {id} is to {to}"));
    }
    Ok(postback)
}

fn by_order<'f>(decision: &Decision, found: &'f Found) -> Result<&'f Postback, String> {
    let (Some(to), Some(order)) = (&decision.destination, &decision.order) else {
        return Err("to which network? fill in `destination`, or state --destination".to_owned());
    };
    let named = found.orders.get(&(to.clone(), order.clone()));
    let orders = named
        .map(|named| named.orders.as_slice())
        .unwrap_or_default();
    let namespace = decision.namespace.as_ref();
    let meant = orders
        .iter()
        .filter(|one| namespace.is_none_or(|name| *name == one.key.namespace));
    let postbacks: Vec<&Postback> = meant.flat_map(|order| &order.postbacks).collect();
    match (postbacks.as_slice(), orders) {
        ([one], _) => Ok(one),
        ([], []) => Err(format!("no order goes by {order:?}")),
        ([], _) => Err(format!("order {order:?} has no postback to {to}")),
        (several, _) => Err(format!(
            "{} postbacks to {to} go by {order:?}: fill in `id`, or `namespace`",
            several.len()
        )),
    }
}
