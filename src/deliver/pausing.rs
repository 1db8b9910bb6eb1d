//! Pausing a destination by itself, and telling of it as long as it stands.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{error, info};

use super::rejections::Rejections;
use super::verdict::Judged;
use super::{Deliver, Destination, is_over, tell};
use crate::actor::Actor;
use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::Event;
use crate::ledger::Pause;
use crate::postback::Postback;

/// How often what is paused is looked at.
const LOOK: Duration = Duration::from_secs(15);

/// The rejections that this process has heard. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Rejections>>);

impl Deliver {
    /// Pauses the destination where this answer is the last of a long enough run of rejections. In the ledger, so
    /// that no process sends to it any more, and a restart changes nothing.
    pub(super) async fn pause_after_rejections(
        &self,
        destination: &Destination,
        postback: &Postback,
        judged: &Judged,
    ) {
        let Some(after) = destination.pause_after else {
            return;
        };
        let answer = (judged.verdict, judged.words.as_str());
        let run = {
            let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
            heard.heard(postback, answer, after)
        };
        let Some(reason) = run else { return };
        let (network, now) = (&postback.destination, Time::now());
        let pause = Pause {
            destination: network.clone(),
            at: now,
            actor: Actor::refgate(),
            reason: reason.clone(),
        };
        match self.ledger.pause(pause).await {
            Ok(None) => {
                self.counters.add(Event::NetworkPaused);
                let alarms = self.counters.alarms();
                alarms.raise(Alarm::DestinationPaused, network.as_str(), &reason, now);
            }
            Ok(Some(_stands)) => info!(%network, reason, "a network is paused already"),
            Err(fault) => error!(
                %network, reason, error = %Causes(&fault),
                "a network should be paused, and the ledger does not take it"
            ),
        }
    }

    /// Keeps the alarm of what refgate paused: also where another process did, or an earlier run.
    pub(super) async fn look_at_pauses(&self, looked: &mut Option<Time>, now: Time) {
        if !is_over(*looked, LOOK, now) {
            return;
        }
        *looked = Some(now);
        match self.ledger.pauses().await {
            Ok(pauses) => {
                let own = pauses
                    .into_iter()
                    .filter(|one| one.actor == Actor::refgate());
                let found: Vec<_> = own
                    .map(|one| (one.destination.to_string(), one.reason))
                    .collect();
                let alarms = self.counters.alarms();
                alarms.found(Alarm::DestinationPaused, &found, now);
            }
            Err(fault) => tell(&fault, "the ledger does not say what is paused"),
        }
    }
}
