//! The Prometheus text format, version 0.0.4.
//!
//! Every label's values are bounded by the configuration (stores, upstreams, networks) or by the code
//! (statuses, states): a stranger cannot make a series.

use std::fmt::{Display, Write as _};
use std::time::{Duration, Instant};

use crate::alarm::{Alarm, Standing};
use crate::deliver::{self, Deliver};
use crate::ledger::Pause;
use crate::name::NetworkName;
use crate::store::Store;
use crate::store::traffic::{BOUNDS, CLASSES, Passed};
use crate::store::upstreams::State;

/// What a series is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The page under way.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Begins a metric; `help` must have neither line ends nor backslashes.
    pub(super) fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP refgate_{name} {help}"));
        self.line(format_args!("# TYPE refgate_{name} {kind}"));
    }

    /// A value of the metric; `labels` with their braces, or empty.
    pub(super) fn sample(&mut self, name: &str, labels: impl Display, value: impl Display) {
        self.line(format_args!("refgate_{name}{labels} {value}"));
    }

    /// A metric with one value.
    pub(super) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.sample(name, "", value);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _infallible = writeln!(self.0, "{line}");
    }
}

/// Whether each alarm stands; for how many subjects does not matter here.
pub(super) fn alarms(page: &mut Page, standing: &[Standing]) {
    let help = "1 while the alarm stands; /alarms says for what, and since when.";
    page.metric("alarm", Kind::Gauge, help);
    for alarm in Alarm::ALL {
        let stands = standing.iter().any(|one| one.alarm == *alarm);
        let labels = format_args!("{{alarm=\"{}\"}}", alarm.name());
        page.sample("alarm", labels, u8::from(stands));
    }
}

/// What passes through the stores.
pub(super) fn traffic<'a>(page: &mut Page, stores: impl Iterator<Item = &'a Store>) {
    let passed: Vec<(&str, Passed)> = stores
        .map(|store| (store.name.as_str(), store.traffic.passed()))
        .collect();
    page.metric(
        "responses_total",
        Kind::Counter,
        "Answers to shoppers, by the first digit of their status.",
    );
    for (store, passed) in &passed {
        for (class, count) in CLASSES.iter().zip(passed.classes) {
            let labels = format_args!("{{store=\"{store}\",status=\"{class}\"}}");
            page.sample("responses_total", labels, count);
        }
    }
    let help = "From the whole head of a request to the head of its answer.";
    page.metric("response_seconds", Kind::Histogram, help);
    for (store, passed) in &passed {
        histogram(page, store, passed);
    }
    page.metric(
        "response_bytes_total",
        Kind::Counter,
        "Bytes of bodies that were handed to shoppers' connections.",
    );
    for (store, passed) in &passed {
        let labels = format_args!("{{store=\"{store}\"}}");
        page.sample("response_bytes_total", labels, passed.bytes);
    }
}

fn histogram(page: &mut Page, store: &str, passed: &Passed) {
    let mut below = 0;
    for (bound, count) in BOUNDS.iter().zip(passed.buckets) {
        below += count;
        let bound = seconds(Duration::from_micros(*bound));
        let labels = format_args!("{{store=\"{store}\",le=\"{bound}\"}}");
        page.sample("response_seconds_bucket", labels, below);
    }
    let all: u64 = passed.buckets.iter().sum();
    let labels = format_args!("{{store=\"{store}\",le=\"+Inf\"}}");
    page.sample("response_seconds_bucket", labels, all);
    let labels = format!("{{store=\"{store}\"}}");
    page.sample("response_seconds_sum", &labels, seconds(passed.took));
    page.sample("response_seconds_count", &labels, all);
}

/// A duration in seconds, without the zeros at its end.
fn seconds(duration: Duration) -> String {
    let (whole, micros) = (duration.as_secs(), duration.subsec_micros());
    let text = format!("{whole}.{micros:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Whether each upstream is asked.
pub(super) fn upstreams<'a>(
    page: &mut Page,
    stores: impl Iterator<Item = &'a Store>,
    now: Instant,
) {
    const STATES: [(State, &str); 3] = [
        (State::Up, "up"),
        (State::Resting, "resting"),
        (State::Down, "down"),
    ];
    let help = "1 for the state that an upstream is in: up, resting (connecting to it failed), down (its health checks fail).";
    page.metric("upstream_state", Kind::Gauge, help);
    for store in stores {
        for member in store.upstreams.members() {
            let (store, upstream, own) = (&store.name, &member.upstream, member.state(now));
            for (state, word) in STATES {
                let labels =
                    format_args!("{{store=\"{store}\",upstream=\"{upstream}\",state=\"{word}\"}}");
                page.sample("upstream_state", labels, u8::from(state == own));
            }
        }
    }
}

/// Whether each network is sent to, and how much.
pub(super) fn networks(page: &mut Page, standings: &[(NetworkName, deliver::Standing)]) {
    const STATES: [(deliver::State, &str); 3] = [
        (deliver::State::Up, "up"),
        (deliver::State::Resting, "resting"),
        (deliver::State::Trying, "trying"),
    ];
    let help = "1 for the state that a network is in: up, resting (it failed, nothing is sent to it), trying (it has rested, little is sent to it).";
    page.metric("network_state", Kind::Gauge, help);
    for (network, standing) in standings {
        for (state, word) in STATES {
            let labels = format_args!("{{network=\"{network}\",state=\"{word}\"}}");
            page.sample("network_state", labels, u8::from(state == standing.state));
        }
    }
    let help = "Postbacks that are being sent.";
    page.metric("postbacks_under_way", Kind::Gauge, help);
    for (network, standing) in standings {
        let labels = format_args!("{{network=\"{network}\"}}");
        page.sample("postbacks_under_way", labels, standing.under_way);
    }
}

/// Whether each destination is paused, in the whole ledger.
pub(super) fn pauses(page: &mut Page, deliver: Option<&Deliver>, pauses: &[Pause]) {
    let help =
        "1 for a network or webhook that is paused: nothing is sent to it until `refgate go`.";
    page.metric("network_paused", Kind::Gauge, help);
    for (network, _standing) in deliver.iter().flat_map(|deliver| deliver.standings()) {
        let paused = pauses.iter().any(|pause| pause.destination == network);
        let labels = format_args!("{{network=\"{network}\"}}");
        page.sample("network_paused", labels, u8::from(paused));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_in_seconds() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (2_500, "0.0025"),
            (100_000, "0.1"),
            (10_000_000, "10"),
            (61_000_010, "61.00001"),
        ] {
            assert_eq!(seconds(Duration::from_micros(micros)), text);
        }
    }
}
