//! What stands now, and since when.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::{Alarm, Level};
use crate::clock::Time;
use crate::inert::inert;

/// Most subjects of one alarm; what comes beyond them stands under [`OTHERS`].
const SUBJECTS: usize = 64;

/// The subject of an alarm that stands for too many.
const OTHERS: &str = "others";

/// Longest words and subject, in characters.
const LENGTH: usize = 500;

/// Every alarm that stands. One per process.
#[derive(Debug, Default)]
pub struct Alarms {
    standing: Mutex<BTreeMap<(Alarm, String), Since>>,
    changed: Notify,
}

/// What is kept of one.
#[derive(Clone, Debug)]
struct Since {
    words: String,
    since: Time,
    last: Time,
    times: u64,
}

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub alarm: Alarm,
    /// For what; empty where there is only one.
    pub subject: String,
    /// What was found, inert.
    pub words: String,
    /// When it began.
    pub since: Time,
    /// When it was last seen.
    pub last: Time,
    /// How often it was raised since it began.
    pub times: u64,
}

/// As `/alarms` and the webhook write it.
#[derive(Debug, Serialize)]
struct Written<'a> {
    alarm: &'static str,
    level: &'static str,
    subject: &'a str,
    since: String,
    last: String,
    times: u64,
    words: &'a str,
    help: &'static str,
    manual: &'static str,
}

impl Serialize for Standing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alarm = self.alarm;
        let written = Written {
            alarm: alarm.name(),
            level: alarm.level().word(),
            subject: &self.subject,
            since: self.since.to_string(),
            last: self.last.to_string(),
            times: self.times,
            words: &self.words,
            help: alarm.help(),
            manual: alarm.manual(),
        };
        written.serialize(serializer)
    }
}

impl Alarms {
    /// It has happened, once more. Logged when it begins.
    pub fn raise(&self, alarm: Alarm, subject: &str, words: &str, now: Time) {
        self.note((alarm, subject), words, now, 1);
    }

    /// It stands at this look, for just these subjects, each with its words; for others it is over.
    pub fn found(&self, alarm: Alarm, found: &[(String, String)], now: Time) {
        for (subject, words) in found {
            self.note((alarm, subject), words, now, 0);
        }
        let is_found = |subject: &str| found.iter().any(|(found, _)| bounded(found) == subject);
        let over = |known: Alarm, subject: &str, _: &Since| known == alarm && !is_found(subject);
        self.end(over, now);
    }

    /// Its condition is gone for the subject.
    pub fn clear(&self, alarm: Alarm, subject: &str, now: Time) {
        let subject = bounded(subject);
        self.end(|known, other, _| known == alarm && other == subject, now);
    }

    /// Its condition is gone for every subject.
    pub fn clear_all(&self, alarm: Alarm, now: Time) {
        self.end(|known, _, _| known == alarm, now);
    }

    /// Ends those that end by themselves.
    pub fn expire(&self, now: Time) {
        // After the clock was set back, silence counts from now on.
        for since in self.lock().values_mut() {
            since.last = since.last.min(now);
        }
        let over = |alarm: Alarm, _: &str, since: &Since| {
            let silence = alarm.lasts().silence();
            silence.is_some_and(|silence| now.since(since.last) >= silence)
        };
        self.end(over, now);
    }

    /// What stands, by kind and subject.
    pub fn standing(&self) -> Vec<Standing> {
        let lock = self.lock();
        let standing = lock.iter().map(|((alarm, subject), since)| Standing {
            alarm: *alarm,
            subject: subject.clone(),
            words: since.words.clone(),
            since: since.since,
            last: since.last,
            times: since.times,
        });
        standing.collect()
    }

    /// Waits until one begins or is over. Cancel-safe; arm it before looking at what stands.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    fn note(&self, (alarm, subject): (Alarm, &str), words: &str, now: Time, times: u64) {
        let (mut subject, words) = (bounded(subject), bounded(words));
        let mut lock = self.lock();
        let known = lock.range((alarm, String::new())..);
        let known = known.take_while(|((other, _), _)| *other == alarm).count();
        if known >= SUBJECTS && !lock.contains_key(&(alarm, subject.clone())) {
            OTHERS.clone_into(&mut subject);
        }
        if let Some(since) = lock.get_mut(&(alarm, subject.clone())) {
            since.words = words;
            since.last = now;
            since.times = since.times.saturating_add(times);
            return;
        }
        let line = words.clone();
        let since = Since {
            words,
            since: now,
            last: now,
            times: 1,
        };
        lock.insert((alarm, subject.clone()), since);
        drop(lock);
        let (name, manual) = (alarm.name(), alarm.manual());
        match alarm.level() {
            Level::Urgent => error!(alarm = name, subject, manual, "alarm: {line}"),
            Level::Warning => warn!(alarm = name, subject, manual, "alarm: {line}"),
        }
        self.changed.notify_waiters();
    }

    fn end(&self, over: impl Fn(Alarm, &str, &Since) -> bool, now: Time) {
        let mut lock = self.lock();
        if lock.is_empty() {
            return;
        }
        let ended: Vec<_> = lock
            .extract_if(.., |(alarm, subject), since| over(*alarm, subject, since))
            .collect();
        drop(lock);
        for ((alarm, subject), since) in &ended {
            let (name, seconds) = (alarm.name(), now.since(since.since).as_secs());
            let times = since.times;
            info!(
                alarm = name,
                subject, seconds, times, "an alarm is over: {}", since.words
            );
        }
        if !ended.is_empty() {
            self.changed.notify_waiters();
        }
    }

    /// What is behind the lock is whole at any moment.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Alarm, String), Since>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not longer than [`LENGTH`], and without effect where it is shown.
fn bounded(text: &str) -> String {
    let mut cut: String = text.chars().take(LENGTH).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    inert(&cut)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_millis(1_795_392_000_000);

    fn names(alarms: &Alarms) -> Vec<(Alarm, String, u64)> {
        let standing = alarms.standing().into_iter();
        standing
            .map(|one| (one.alarm, one.subject, one.times))
            .collect()
    }

    #[test]
    fn one_stands_from_its_first_time_until_it_is_cleared() {
        let alarms = Alarms::default();
        let later = NOW.plus(Duration::from_secs(5));
        alarms.raise(Alarm::LedgerFails, "", "disk full", NOW);
        alarms.raise(Alarm::LedgerFails, "", "still full", later);
        let [one] = &alarms.standing()[..] else {
            panic!("{:?}", alarms.standing())
        };
        assert_eq!((one.since, one.last, one.times), (NOW, later, 2));
        assert_eq!(one.words, "still full");
        alarms.clear(Alarm::LedgerFails, "other", later);
        alarms.clear(Alarm::OrdersSpooled, "", later);
        assert_eq!(alarms.standing().len(), 1);
        alarms.clear(Alarm::LedgerFails, "", later);
        assert_eq!(alarms.standing(), []);
    }

    #[test]
    fn a_look_ends_what_it_does_not_find() {
        let alarms = Alarms::default();
        let found = |subjects: &[&str]| {
            let found = subjects
                .iter()
                .map(|it| ((*it).to_owned(), "down".to_owned()));
            alarms.found(Alarm::DestinationRests, &found.collect::<Vec<_>>(), NOW);
        };
        alarms.raise(Alarm::DiskFull, "/var", "full", NOW);
        found(&["one", "two"]);
        found(&["two", "three"]);
        let rests = Alarm::DestinationRests;
        assert_eq!(
            names(&alarms),
            [
                (rests, "three".to_owned(), 1),
                (rests, "two".to_owned(), 1),
                (Alarm::DiskFull, "/var".to_owned(), 1),
            ]
        );
        found(&[]);
        assert_eq!(alarms.standing().len(), 1);
    }

    #[test]
    fn what_nobody_can_clear_ends_after_a_silence() {
        let alarms = Alarms::default();
        let later = |minutes: u64| NOW.plus(Duration::from_secs(60 * minutes));
        alarms.raise(Alarm::RuleUnreadable, "us", "no total", NOW);
        alarms.raise(Alarm::LedgerFails, "", "full", NOW);
        alarms.raise(Alarm::RuleUnreadable, "us", "no total", later(59));
        alarms.expire(later(118));
        assert_eq!(alarms.standing().len(), 2);
        // The clock is set back, and the silence begins anew.
        alarms.expire(NOW);
        alarms.expire(later(59));
        assert_eq!(alarms.standing().len(), 2);
        alarms.expire(later(60));
        assert_eq!(names(&alarms), [(Alarm::LedgerFails, String::new(), 1)]);
    }

    #[test]
    fn subjects_and_words_are_bounded_and_inert() {
        let alarms = Alarms::default();
        for number in 0..3 * SUBJECTS {
            let subject = format!("host-{number:04}");
            alarms.raise(Alarm::PixelOnPage, &subject, "x", NOW);
        }
        let standing = alarms.standing();
        assert_eq!(standing.len(), SUBJECTS + 1);
        let others = standing.iter().find(|one| one.subject == OTHERS).unwrap();
        assert_eq!(others.times, 2 * u64::try_from(SUBJECTS).unwrap());
        let alarms = Alarms::default();
        let words = format!("a\u{1b}[2J\n{}", "b".repeat(1000));
        alarms.raise(Alarm::HopsFail, "us\u{202e}", &words, NOW);
        let [one] = &alarms.standing()[..] else {
            panic!()
        };
        assert_eq!(one.subject, "us\\u{202e}");
        assert!(one.words.starts_with("a\\u{1b}[2J\\nb"), "{}", one.words);
        assert!(one.words.len() < 2 * LENGTH);
    }
}
