//! One attempt at a postback: commit it, send it, judge what came, settle it.

use std::sync::Arc;

use reqwest::Url;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::backoff::Next;
use super::breaker::Change;
use super::course;
use super::send::Post;
use super::settle::{settle, settlement};
use super::template::{Fill, FillError};
use super::verdict::{self, Judged};
use super::webhook;
use super::{Dedupe, Deliver, Destination, Way};
use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::Event;
use crate::ledger::{self, Settlement, Story};
use crate::name::NetworkName;
use crate::order::Doubt;
use crate::postback::{AttemptId, Mode, Postback, State, Verdict};
use crate::secret::{Secret, mask};

/// What stands in place of a URL where nothing was sent.
const NO_URL: &str = "(nothing was sent)";

/// Why a postback that is due is not sent: a matter of the configuration, not of the network.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error("no network or webhook of that name is configured")]
    NoDestination,
    #[error("the network is configured with `mode: shadow`")]
    Shadow,
    #[error(
        "an earlier attempt may have been counted, and the network does not deduplicate by order"
    )]
    MayCount,
    #[error(transparent)]
    Fill(#[from] FillError),
    #[error("the filled postback URL is none")]
    Url,
    #[error("the order cannot be looked up")]
    Order(#[from] ledger::Error),
}

/// What is to be sent.
struct Ready<'a> {
    destination: &'a Destination,
    url: Url,
    /// The URL, secrets masked.
    shown: String,
    /// What is posted to it, if it is a webhook.
    post: Option<Post>,
}

/// Sends a claimed postback once.
pub(super) async fn attempt(deliver: Deliver, way: Arc<Way>, postback: Postback) {
    match prepare(&deliver, &way, &postback).await {
        Ok(ready) => send(&deliver, &way, &postback, ready).await,
        Err(obstacle) => hold(&deliver, &postback, &obstacle).await,
    }
}

async fn prepare<'a>(
    deliver: &Deliver,
    way: &'a Way,
    postback: &Postback,
) -> Result<Ready<'a>, Obstacle> {
    let destinations = &way.settings.destinations;
    let destination = destinations
        .get(&postback.destination)
        .ok_or(Obstacle::NoDestination)?;
    if destination.mode == Mode::Shadow {
        return Err(Obstacle::Shadow);
    }
    // It may have come here while the configuration said otherwise.
    if destination.dedupe != Dedupe::Order && repeats_a_doubt(deliver, postback).await {
        return Err(Obstacle::MayCount);
    }
    let words = destination.template.words();
    // Few templates name what the order alone knows; a webhook is told of it.
    let key = destination.webhook.as_ref();
    let story = if key.is_some() || words.contains(&"store") || words.contains(&"click_time") {
        story_of(deliver, postback).await?
    } else {
        None
    };
    let click = story
        .as_ref()
        .and_then(|story| story.click_of(&postback.destination));
    let url = destination.template.render(&Fill {
        values: &postback.values,
        amount: postback.amount,
        order_id: &postback.order.id,
        store: story.as_ref().map(|story| &story.order.store),
        time: postback.at,
        click_time: click.map(|click| click.at),
    })?;
    let post = key
        .zip(story.as_ref())
        .map(|(key, story)| webhook::post(key, postback, story, Time::now()));
    Ok(Ready {
        destination,
        post,
        // Before it is parsed: a parser encodes some characters, and an encoded secret is not found.
        shown: mask(&url, &destination.secrets),
        url: Url::parse(&url).map_err(|_checked_with_the_template| Obstacle::Url)?,
    })
}

async fn story_of(deliver: &Deliver, postback: &Postback) -> Result<Option<Story>, ledger::Error> {
    let stories = deliver.ledger.story(postback.order.id.to_string()).await?;
    let mut same = stories.into_iter();
    Ok(same.find(|story| story.order.key == postback.order))
}

async fn send(deliver: &Deliver, way: &Way, postback: &Postback, ready: Ready<'_>) {
    let Ready {
        destination,
        url,
        shown,
        post,
    } = ready;
    let Some(id) = begin(deliver, postback, &shown).await else {
        return;
    };
    info!(
        order.id = %postback.order.id,
        network = %postback.destination,
        url = shown,
        "postback sent"
    );
    deliver.counters.add(Event::PostbackSent);
    let ended = way.sender.send(url, post).await;
    let judged = match destination.webhook {
        Some(_) => webhook::judge(ended),
        None => verdict::judge(&destination.answers, ended),
    };
    let judged = tidied(judged, &destination.secrets);
    listen(deliver, way, &postback.destination, &judged);
    deliver
        .pause_after_rejections(destination, postback, &judged)
        .await;
    let heard = heard(deliver, postback, id).await;
    let clock = (Time::now(), jitter());
    let next = course::after(&way.settings, postback, (&judged, heard), clock);
    announce(deliver, postback, &judged, &next);
    settle(deliver, settlement(postback, id, judged, next)).await;
}

/// What the attempt's end says of the network itself.
fn listen(deliver: &Deliver, way: &Way, network: &NetworkName, judged: &Judged) {
    let sign = course::sign(judged, Time::now());
    let moment = (Instant::now(), jitter());
    let changed = deliver.lanes.heard(&way.settings, network, sign, moment);
    match changed {
        Some(Change::Rests(wait)) => {
            deliver.counters.add(Event::NetworkRests);
            deliver.rests(network, wait, &judged.words);
        }
        Some(Change::Answers) => {
            let alarms = deliver.counters.alarms();
            alarms.clear(Alarm::DestinationRests, network.as_str(), Time::now());
        }
        None => {}
    }
}

/// Commits the attempt; none if that was not possible: then nothing may be sent.
async fn begin(deliver: &Deliver, postback: &Postback, shown: &str) -> Option<AttemptId> {
    let begun = deliver
        .ledger
        .begin(postback.id, shown.to_owned(), Time::now());
    match begun.await {
        Ok(id) => Some(id),
        // Somebody else was faster, or the operator took it back.
        Err(ledger::Error::NotPossible { .. }) => None,
        Err(fault) => {
            error!(
                order.id = %postback.order.id,
                network = %postback.destination,
                error = %Causes(&fault),
                "the ledger takes no attempt, so the postback waits"
            );
            None
        }
    }
}

/// What an attempt means whose sender is gone: it may have been counted.
pub(super) async fn interrupted(
    deliver: &Deliver,
    postback: &Postback,
    id: AttemptId,
    now: Time,
) -> Result<(), ledger::Error> {
    let way = deliver.way.get();
    let (judged, next) = course::interrupted(&way.settings, postback, (now, jitter()));
    announce(deliver, postback, &judged, &next);
    let settlement = settlement(postback, id, judged, next);
    match deliver.ledger.settle(settlement).await {
        // A sender that was only slow has settled it meanwhile.
        Err(ledger::Error::NotOpen(_)) => Ok(()),
        other => other,
    }
}

/// Keeps a postback from being tried again and again: the operator is asked.
async fn hold(deliver: &Deliver, postback: &Postback, obstacle: &Obstacle) {
    if let Obstacle::Order(fault) = obstacle {
        // The ledger's trouble passes: its lease ends, and it is taken again.
        error!(order.id = %postback.order.id, error = %Causes(fault), "a postback waits for the ledger");
        return;
    }
    let Some(id) = begin(deliver, postback, NO_URL).await else {
        return;
    };
    let judged = Judged::not_sent(format!("not sent: {obstacle}"));
    let next = Next {
        state: State::Held,
        due: None,
        cause: judged.words.clone(),
    };
    announce(deliver, postback, &judged, &next);
    let settlement = Settlement {
        doubt: matches!(obstacle, Obstacle::Shadow).then_some(Doubt::Shadow),
        ..settlement(postback, id, judged, next)
    };
    settle(deliver, settlement).await;
}

fn tidied(judged: Judged, secrets: &[Secret]) -> Judged {
    let words = verdict::tidy(&judged.words, secrets);
    Judged { words, ..judged }
}

/// Whether an attempt before this one may have been counted. If nobody can tell, it may.
async fn heard(deliver: &Deliver, postback: &Postback, this: AttemptId) -> bool {
    if postback.attempts == 0 {
        return false;
    }
    let Ok(told) = deliver.ledger.postback(postback.id).await else {
        return true;
    };
    course::heard(&told.attempts, this)
}

/// Whether an attempt since the operator last asked for one may have been counted.
async fn repeats_a_doubt(deliver: &Deliver, postback: &Postback) -> bool {
    if course::since_resend(postback) == 0 {
        return false;
    }
    let Ok(told) = deliver.ledger.postback(postback.id).await else {
        return true;
    };
    course::repeats_a_doubt(postback, &told.attempts)
}

/// 0 to 1000; without randomness the middle.
fn jitter() -> u16 {
    let mut bytes = [0; 2];
    if getrandom::fill(&mut bytes).is_err() {
        return 500;
    }
    u16::from_ne_bytes(bytes) % 1001
}

/// Logs and counts what came of an attempt, the one place that does.
fn announce(deliver: &Deliver, postback: &Postback, judged: &Judged, next: &Next) {
    deliver.counters.add(event(next.state));
    let needs_somebody = matches!(
        next.state,
        State::Rejected | State::Unclear | State::Dead | State::Held
    ) || (next.state == State::Duplicate && next.cause != judged.words);
    let said = match judged.status {
        Some(_) => "network answered",
        None => "network did not answer",
    };
    macro_rules! log {
        ($level:ident) => {
            $level!(
                order.id = %postback.order.id,
                network = %postback.destination,
                status = judged.status,
                verdict = word(judged.verdict),
                words = judged.words,
                state = %next.state,
                cause = next.cause,
                due = next.due.map(tracing::field::display),
                "{said}"
            )
        };
    }
    if needs_somebody {
        log!(warn);
    } else {
        log!(info);
    }
}

const fn event(state: State) -> Event {
    match state {
        State::Accepted => Event::PostbackAccepted,
        State::Duplicate => Event::PostbackDuplicate,
        State::Rejected => Event::PostbackRejected,
        State::Unclear => Event::PostbackUnclear,
        State::Due | State::Sending => Event::PostbackDelayed,
        State::Dead => Event::PostbackDead,
        State::Held => Event::PostbackHeld,
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Duplicate => "duplicate",
        Verdict::Rejected => "rejected",
        Verdict::NotProcessed => "not_processed",
        Verdict::Unclear => "unclear",
    }
}
