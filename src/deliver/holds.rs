//! Holds that end by the operator's rule: what has been held for long enough is released or refused.

use std::time::Duration;

use tokio::task::JoinSet;
use tracing::info;

use super::{Deliver, is_over, tell};
use crate::actor::{Actor, Reason};
use crate::clock::Time;
use crate::ledger::{Action, Follows, PostbackFilter, Steer, Which};
use crate::order::Doubt;
use crate::postback::State;

/// How often it is looked for what has been held for long enough.
const LOOK: Duration = Duration::from_secs(60);

/// When what is held goes on by itself. Without a rule it waits for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// The operator's rules, at most one for a doubt.
    pub rules: Vec<HoldRule>,
    /// What follows of a release or a refusal, also of one by hand.
    pub follows: Follows,
}

/// What becomes of that which has been held for one reason for so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRule {
    /// Why it is held.
    pub doubt: Doubt,
    /// For how long.
    pub after: Duration,
    /// Released or refused.
    pub action: Action,
    /// The rule as the record names it.
    pub words: Reason,
}

impl Deliver {
    /// Sets the rules to work, now and then, beside what is sent.
    pub(super) fn look_at_holds(
        &self,
        looked: &mut Option<Time>,
        sends: &mut JoinSet<()>,
        now: Time,
    ) {
        if is_over(*looked, LOOK, now) && !self.way.get().settings.holds.rules.is_empty() {
            *looked = Some(now);
            sends.spawn(expire(self.clone(), now));
        }
    }
}

/// Does what the rules say at `now`. Several replicas may do so at once: each postback is moved once.
pub(super) async fn expire(deliver: Deliver, now: Time) {
    let way = deliver.way.get();
    let holds = &way.settings.holds;
    for rule in &holds.rules {
        let filter = PostbackFilter {
            doubt: Some(rule.doubt),
            held_before: Some(now.minus(rule.after)),
            ..PostbackFilter::in_state(State::Held)
        };
        let steer = Steer {
            which: Which::All(filter),
            action: rule.action,
            from: vec![State::Held],
            reason: rule.words.clone(),
            actor: Actor::refgate(),
            follows: holds.follows.clone(),
        };
        let (steered, fault) = match deliver.ledger.steer(steer, now).await {
            Ok(steered) => (steered, None),
            Err(stopped) => (stopped.steered, Some(stopped.source)),
        };
        let count = steered.iter().filter(|one| one.done.is_ok()).count();
        if count > 0 {
            let done = rule.action.done();
            info!(count, done, rule = %rule.words, "what was held goes on by the operator's rule");
        }
        if let Some(fault) = fault {
            tell(&fault, "the ledger does not let what is held go on");
        }
    }
}
