//! What is looked at now and then for alarms that nobody else would raise, or end.

mod orders;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::accept::tls::Certificates;
use crate::alarm::{self, Alarm, Alarms};
use crate::cause::Causes;
use crate::clock::Time;
use crate::current::Current;
use crate::deliver::{Deliver, State};
use crate::event::Counters;
use crate::ledger::Ledger;
use crate::name::StoreName;
use crate::record::spool::Spool;
use crate::store::Stores;
use orders::Orders;

/// A certificate that ends sooner is spoken of.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// How long the ledger may take to take something.
const PATIENCE: Duration = Duration::from_secs(5);

/// A disk with less room, in bytes, is nearly full.
const ROOM: u64 = 256 << 20;

/// A clock that is off by more since the last look has jumped. NTP makes up for less by running slower or faster.
const JUMP: Duration = Duration::from_secs(30);

/// Looks, and tells [`Alarms`].
pub(super) struct Looking {
    pub(super) settings: Arc<Current<alarm::Settings>>,
    pub(super) counters: Arc<Counters>,
    pub(super) ledger: Ledger,
    pub(super) spool: Spool,
    pub(super) deliver: Deliver,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) stores: Arc<Current<Stores>>,
    /// Where something is written.
    pub(super) folders: Vec<PathBuf>,
}

impl Looking {
    /// Looks again and again; never ends.
    pub(super) async fn run(self) {
        let mut last = None;
        let mut sales = HashMap::new();
        loop {
            let moment = (Time::now(), Instant::now());
            self.look(moment.0, last).await;
            self.stores(&mut sales, moment.0);
            last = Some(moment);
            let look = self.settings.get().look;
            tokio::time::sleep(look).await;
        }
    }

    /// One look; `last` is when the one before was.
    async fn look(&self, now: Time, last: Option<(Time, Instant)>) {
        let alarms = self.counters.alarms();
        if let Some((at, moment)) = last {
            clock(alarms, (at, now), moment.elapsed());
            // The first look is at the start, when the ledger has just been written.
            self.ledger(alarms, now).await;
        }
        self.spool(alarms, now).await;
        self.networks(alarms, now);
        self.certificates(alarms, now);
        self.disks(alarms, now).await;
        alarms.expire(now);
    }

    /// Reads succeed also where the ledger is locked, full or read-only, so only a write tells.
    async fn ledger(&self, alarms: &Alarms, now: Time) {
        let why = match tokio::time::timeout(PATIENCE, self.ledger.probe(now)).await {
            Ok(Ok(())) => return alarms.clear(Alarm::LedgerFails, "", now),
            Ok(Err(error)) => Causes(&error).to_string(),
            Err(_elapsed) => format!("it takes no write within {PATIENCE:?}"),
        };
        let words = format!("the ledger takes no order: {why}");
        alarms.found(Alarm::LedgerFails, &[(String::new(), words)], now);
    }

    async fn spool(&self, alarms: &Alarms, now: Time) {
        let spool = self.spool.clone();
        let waiting = tokio::task::spawn_blocking(move || spool.waiting()).await;
        // A spool that cannot be read was told of where it was to be entered.
        let Ok(Ok(waiting)) = waiting else { return };
        let words = format!(
            "{waiting} orders wait in the spool; they are entered when the ledger takes them, or by `refgate import`"
        );
        let found = (waiting > 0).then(|| (String::new(), words));
        alarms.found(Alarm::OrdersSpooled, found.as_slice(), now);
    }

    /// That a rest begins is told by whoever sends; a reload, or silence, ends it too.
    fn networks(&self, alarms: &Alarms, now: Time) {
        for (name, standing) in self.deliver.standings() {
            if standing.state == State::Up {
                alarms.clear(Alarm::DestinationRests, name.as_str(), now);
            }
        }
    }

    /// Whether they sell as they do otherwise, and whether their cookie is kept.
    fn stores(&self, sales: &mut HashMap<StoreName, Orders>, now: Time) {
        let (settings, stores) = (self.settings.get(), self.stores.get());
        let (mut silent, mut lost) = (Vec::new(), Vec::new());
        for store in stores.all() {
            let (name, totals) = (&store.name, store.traffic.sales.totals());
            let fresh = || Orders::new(totals, now);
            let orders = sales.entry(name.clone()).or_insert_with(fresh);
            let expected = settings.expect_order_within.get(name).copied();
            let watched = settings.checkouts.contains(name);
            if let Some(silence) = orders.look(totals, (expected, watched), now) {
                let minutes = silence.as_secs() / 60;
                let words =
                    format!("no order has been seen for {minutes} minutes, and they are expected");
                silent.push((name.to_string(), words));
            }
            for (family, back, of) in store.traffic.kept.lost(now) {
                let words = format!(
                    "of the last {of} visitors who were given our cookie {back} opened another page with it"
                );
                lost.push((format!("{name}/{}", family.name()), words));
            }
        }
        let alarms = self.counters.alarms();
        alarms.found(Alarm::NoOrders, &silent, now);
        alarms.found(Alarm::CookieLost, &lost, now);
    }

    fn certificates(&self, alarms: &Alarms, now: Time) {
        let Some(certificates) = &self.certificates else {
            return;
        };
        let soon = |(_, until): &(String, Time)| *until < now.plus(SOON);
        let words = |(subject, until): (String, Time)| {
            let verb = if until < now { "has ended" } else { "ends" };
            (subject, format!("a certificate {verb} at {until}"))
        };
        let ends = certificates.ends().into_iter().filter(soon).map(words);
        let found: Vec<_> = ends.collect();
        alarms.found(Alarm::CertificateEnds, &found, now);
    }

    async fn disks(&self, alarms: &Alarms, now: Time) {
        let folders = self.folders.clone();
        let asking = move || -> Vec<_> {
            let folders = folders.iter();
            folders.filter_map(|folder| nearly_full(folder)).collect()
        };
        let found = tokio::task::spawn_blocking(asking).await;
        if let Ok(found) = found {
            alarms.found(Alarm::DiskFull, &found, now);
        }
    }
}

/// Compares what the clock says has passed with what has.
fn clock(alarms: &Alarms, (before, now): (Time, Time), passed: Duration) {
    let expected = before.plus(passed);
    let (way, by) = match now < expected {
        true => ("back", expected.since(now)),
        false => ("ahead", now.since(expected)),
    };
    if by > JUMP {
        let words = format!(
            "the machine's clock jumped {} seconds {way}, or the machine slept",
            by.as_secs()
        );
        alarms.raise(Alarm::ClockJumped, "", &words, now);
    }
}

/// A folder whose disk has little room, with what there is to say. One that is not there yet is its parent's disk.
fn nearly_full(folder: &Path) -> Option<(String, String)> {
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    let room = disk.f_bavail.saturating_mul(disk.f_frsize);
    (room < ROOM).then(|| {
        let words = format!(
            "the disk has room for {} MiB more; orders are written there",
            room >> 20
        );
        (folder.display().to_string(), words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_wrong_is_noticed_both_ways() {
        let at = |seconds: i64| Time::from_millis(1_000 * seconds);
        for (now, passed, jumped) in [
            (1_030, 30, None),
            (1_055, 30, None),
            (1_061, 30, Some("31 seconds ahead")),
            (1_000, 31, Some("31 seconds back")),
            (0, 30, Some("1030 seconds back")),
        ] {
            let alarms = Alarms::default();
            clock(&alarms, (at(1_000), at(now)), Duration::from_secs(passed));
            let words = alarms.standing().pop().map(|one| one.words);
            let said = words.as_deref().unwrap_or_default();
            assert_eq!(jumped.is_some(), !said.is_empty(), "{said}");
            assert!(said.contains(jumped.unwrap_or_default()), "{said}");
        }
    }

    #[test]
    fn a_disk_with_room_is_no_alarm() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("not/there");
        assert_eq!(nearly_full(&deep), None);
    }
}
