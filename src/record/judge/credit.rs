//! Whose an order is, and why that is sure or in doubt.

use std::time::Duration;

use super::Held;
use crate::click::Click;
use crate::clock::Time;
use crate::order::{Doubt, Evidence, FoundBy, Proof, Sighting};
use crate::record::Settings;
use crate::visit::Visit;

/// Whose an order is, and whether that is sure.
pub(super) struct Credit {
    /// The clicks that it is owed to, whoever decides first.
    pub(super) clicks: Vec<Click>,
    /// What shows that their visit bought; none if it is not shown, or does not count.
    pub(super) proof: Option<Proof>,
    /// Why whoever is owed it must wait.
    pub(super) doubt: Option<Held>,
    /// All of it in words.
    pub(super) words: String,
}

impl Credit {
    fn nobodys(words: String) -> Self {
        Self {
            clicks: Vec::new(),
            proof: None,
            doubt: None,
            words,
        }
    }

    pub(super) fn of(
        sighting: &Sighting,
        evidence: &Evidence,
        settings: &Settings,
        now: Time,
    ) -> Self {
        let Some(visit) = &sighting.visit else {
            let words = match sighting.found_by {
                FoundBy::SharedSession => {
                    "no click came with it, and its session was seen with two visits, or with one and without"
                }
                FoundBy::Request | FoundBy::Session => "no click came with it",
            };
            return Self::nobodys(words.to_owned());
        };
        // A network that is not configured any more cannot be told, so its clicks take nobody's place.
        let told = |click: &&Click| settings.destinations.contains_key(&click.network);
        let known = Visit {
            clicks: visit.clicks.iter().filter(told).cloned().collect(),
            ..visit.clone()
        };
        let unknown = visit.clicks.len() - known.clicks.len();
        let ignored = match unknown {
            0 => String::new(),
            clicks => format!("; {clicks} of networks that are not configured"),
        };
        let owed = known.owed(settings.attribution, settings.window, now);
        let Some(newest) = owed.iter().max_by_key(|click| click.at) else {
            let window = days(settings.window);
            return Self::nobodys(format!("no click within {window}{ignored}"));
        };
        if let Some(floor) = evidence.too_low(&sighting.key.id) {
            return Self::nobodys(format!(
                "it is older than the installation: its id is not above {floor}, the rule's id_floor"
            ));
        }
        let step = known.step_after(newest, now).map(Proof::Checkout);
        let proof = step.or_else(|| evidence.proof(&sighting.key.id));
        let doubt = match proof {
            None => Some((Doubt::Unproven, unproven(&known, newest))),
            Some(_) => too_young(newest, settings.min_click_age, now),
        };
        let suspicion = evidence.suspicion.as_ref();
        let doubt = suspicion
            .map(|it| (it.doubt, it.words.clone()))
            .or_else(|| blocked(&owed, settings))
            .or(doubt);
        let clicks: Vec<String> = owed.iter().map(|click| words_of(click)).collect();
        let found = match sighting.found_by {
            FoundBy::Session => ", found by the shop's session",
            FoundBy::Request | FoundBy::SharedSession => "",
        };
        let shown = proof.map_or_else(String::new, |proof| format!("; {proof}"));
        Self {
            words: format!("owed to {}{found}{ignored}{shown}", clicks.join(" and to ")),
            clicks: owed.into_iter().cloned().collect(),
            proof: proof.filter(|_| doubt.is_none()),
            doubt,
        }
    }
}

/// Why nothing shows that the visit bought.
fn unproven(visit: &Visit, newest: &Click) -> String {
    match visit.checkout {
        None => "no checkout seen".to_owned(),
        Some(step) if step < newest.at => {
            format!("no checkout seen since the click, the last step was at {step}")
        }
        Some(step) => format!("no checkout seen lately, the last step was at {step}"),
    }
}

/// The partner of a click that the operator blocks.
fn blocked(owed: &[&Click], settings: &Settings) -> Option<Held> {
    let words = owed.iter().find_map(|click| {
        let destination = settings.destinations.get(&click.network)?;
        let value = click
            .values
            .values()
            .find(|value| destination.blocked.contains(value))?;
        Some(format!("{value} is blocked at {}", click.network))
    });
    words.map(|words| (Doubt::Blocked, words))
}

fn too_young(click: &Click, least: Duration, now: Time) -> Option<Held> {
    let age = now.since(click.at);
    let words = || {
        let (age, least) = (age.as_secs_f64(), least.as_secs_f64());
        format!(
            "the click is {age:.1} seconds older than the order, less than min_click_age, {least} seconds"
        )
    };
    (age < least).then(|| (Doubt::TooYoung, words()))
}

fn words_of(click: &Click) -> String {
    let Click { network, at, .. } = click;
    format!("{network}'s click at {at} ({})", values(click))
}

fn values(click: &Click) -> String {
    let pairs: Vec<_> = click
        .values
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(", ")
}

fn days(span: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match span.as_secs() {
        seconds if seconds >= DAY && seconds.is_multiple_of(DAY) => {
            format!("{} days", seconds / DAY)
        }
        seconds => format!("{seconds} seconds"),
    }
}
