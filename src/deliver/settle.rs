//! Keeping how an attempt ended: the answer is known to us alone.

use std::time::Duration;

use tracing::error;

use super::Deliver;
use super::backoff::Next;
use super::verdict::Judged;
use crate::cause::Causes;
use crate::clock::Time;
use crate::ledger::{self, Settlement};
use crate::postback::{AttemptId, Outcome, Postback};

/// Waits before settling is tried again: the answer is known to us alone, and a full or locked disk may recover.
const SETTLE_AGAIN: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];

/// The wait after these while the ledger's database is away.
const AWAY_AGAIN: Duration = Duration::from_secs(5);

/// An attempt's end, and what becomes of its postback.
pub(super) fn settlement(
    postback: &Postback,
    attempt: AttemptId,
    judged: Judged,
    next: Next,
) -> Settlement {
    Settlement {
        postback: postback.id,
        attempt,
        outcome: Outcome {
            at: Time::now(),
            status: judged.status,
            words: judged.words,
            verdict: judged.verdict,
        },
        state: next.state,
        due: next.due,
        doubt: None,
        cause: Some(next.cause),
    }
}

/// Keeps the outcome; while the ledger's database is away, for as long as this process lives. If the ledger never
/// takes it, the attempt stays open and is found as interrupted: in doubt, never repeated by mistake.
pub(super) async fn settle(deliver: &Deliver, settlement: Settlement) {
    let mut waits = SETTLE_AGAIN.into_iter();
    let mut in_doubt = false;
    loop {
        let Err(fault) = deliver.ledger.settle(settlement.clone()).await else {
            return;
        };
        if in_doubt && matches!(fault, ledger::Error::NotOpen(_)) {
            // It was done the time before.
            return;
        }
        in_doubt |= matches!(fault, ledger::Error::InDoubt(_));
        let lasting = matches!(
            fault,
            ledger::Error::NotOpen(_) | ledger::Error::NotPossible { .. } | ledger::Error::Closed
        );
        let away = matches!(fault, ledger::Error::Away(_) | ledger::Error::InDoubt(_));
        let wait = waits.next();
        // Told often enough.
        if away && wait.is_none() {
            tokio::time::sleep(AWAY_AGAIN).await;
            continue;
        }
        let wait = wait.filter(|_| !lasting);
        error!(
            postback = settlement.postback,
            state = %settlement.state,
            error = %Causes(&fault),
            again = wait.is_some(),
            "the ledger does not take a network's answer"
        );
        let Some(wait) = wait else { return };
        tokio::time::sleep(wait).await;
    }
}
