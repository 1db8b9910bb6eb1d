//! The ledger fails half way: what was done by then is told and on record, and running it again does the rest.

use std::fmt::Write as _;

use clap::Parser as _;
use refgate::cause::Causes;
use refgate::cli::say::Error;
use refgate::cli::{known, reconcile};
use refgate::clock::Time;
use refgate::ledger::{Ledger, PostbackFilter, Role};
use refgate::postback::State;
use rusqlite::Connection;
use serde_json::Value;

use super::{hand, run};
use crate::support::config::{Folder, shipped};
use crate::support::sale::{NOW, candidate, sqlite as open};

/// Unclear postbacks: more than two commits' worth.
const ALL: usize = 250;

/// The one at which the ledger fails.
const FAILS: &str = "CREATE TRIGGER fails BEFORE UPDATE ON postbacks WHEN OLD.id = 150
    BEGIN SELECT RAISE(ABORT, 'the disk says no'); END";

struct Desk {
    dir: tempfile::TempDir,
    ledger: Ledger,
    file: Connection,
}

impl Desk {
    /// Postbacks 1 to [`ALL`] of orders `1` to [`ALL`], all of them unclear.
    async fn of(fails: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path(), Role::Run).unwrap();
        for id in 1..=ALL {
            let sale = candidate(&id.to_string(), Some("25.00"));
            ledger.enter(sale).await.unwrap();
        }
        let file = Connection::open(dir.path().join("refgate.db")).unwrap();
        file.execute_batch("UPDATE postbacks SET state = 'unclear', due = NULL")
            .unwrap();
        file.execute_batch(fails).unwrap();
        Self { dir, ledger, file }
    }

    fn mended(&self) {
        self.file.execute_batch("DROP TRIGGER fails").unwrap();
    }

    /// What a command says, and what it ends with.
    async fn typed(&self, line: &str, json: bool) -> (String, Result<(), String>) {
        let mut out = Vec::new();
        let done = run(&self.ledger, line, json, &mut out).await;
        (String::from_utf8(out).unwrap(), in_words(done))
    }

    fn written(&self, text: &str) -> String {
        let path = self.dir.path().join("file");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// What `reconcile` says of a report that has the first 120 orders, and refuses the others.
    async fn reconciled(&self) -> (String, Result<(), String>) {
        let mut report = "Order ID,Sale Amount,Status\n".to_owned();
        for id in 1..=ALL {
            let status = if id > 120 { "rejected" } else { "approved" };
            writeln!(report, "{id},25.00,{status}").unwrap();
        }
        let settings = Folder::with(&shipped()).loaded().settings;
        let file = self.written(&report);
        let words =
            format!("refgate --network aspire --settle --yes --reason month {PERIOD} {file}");
        let args = Report::try_parse_from(words.split_whitespace()).unwrap();
        let (mut out, hand) = (Vec::new(), hand());
        let given = (&settings, &self.ledger);
        let done = reconcile::run(&args.args, given, &hand, false, &mut out).await;
        (String::from_utf8(out).unwrap(), in_words(done))
    }

    async fn count(&self, state: State) -> usize {
        let found = self.ledger.postbacks(PostbackFilter::in_state(state), 1000);
        found.await.unwrap().len()
    }

    /// What is kept of the last run.
    fn record(&self) -> String {
        let sql = "SELECT reason FROM actions ORDER BY id DESC LIMIT 1";
        self.file.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// The week around.
const PERIOD: &str = "--since 2026-11-22T00:00:00Z --until 2026-11-29T00:00:00Z";

#[derive(Debug, clap::Parser)]
struct Report {
    #[command(flatten)]
    args: reconcile::Args,
}

fn in_words(done: Result<(), Error>) -> Result<(), String> {
    done.map_err(|error| Causes(&error).to_string())
}

#[tokio::test]
async fn what_was_steered_is_told_and_the_rest_is_done_by_running_it_again() {
    let desk = Desk::of(FAILS).await;
    let line = "postbacks cancel --state unclear --reason stock --yes";
    let (told, ended) = desk.typed(line, false).await;
    assert!(
        told.contains("100 postbacks cancelled: 2500.00 USD"),
        "{told}"
    );
    let ended = ended.unwrap_err();
    for words in [
        "the ledger failed after 100 of 250 postbacks",
        "running it again does the rest: ",
        "the disk says no",
    ] {
        assert!(ended.contains(words), "{words} is not in {ended}");
    }
    assert_eq!(desk.count(State::Dead).await, 100);
    // Those of the first commit are not meant any more, and the next one fails: nothing comes of that.
    let (told, ended) = desk.typed(line, false).await;
    assert_eq!(told, "");
    let ended = ended.unwrap_err();
    assert!(
        ended.contains("the disk says no") && !ended.contains("after"),
        "{ended}"
    );
    desk.mended();
    let (told, ended) = desk.typed(line, false).await;
    assert!(told.contains("150 postbacks cancelled"), "{told}");
    assert_eq!(ended, Ok(()));
    assert_eq!(desk.count(State::Dead).await, ALL);
}

#[tokio::test]
async fn what_is_sent_again_may_be_meant_once_more_and_that_is_said() {
    let desk = Desk::of(FAILS).await;
    let (json, ended) = desk
        .typed("postbacks resend --state unclear --yes", true)
        .await;
    let ended = ended.unwrap_err();
    assert!(ended.contains("would be sent once more"), "{ended}");
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(told["count"], 100);
    assert_eq!(told["stopped"]["left"], 150);
    let why = told["stopped"]["why"].as_str().unwrap();
    assert!(why.contains("the disk says no"), "{why}");
    assert_eq!(desk.count(State::Due).await, 100);
}

#[tokio::test]
async fn an_import_tells_and_records_how_far_it_came() {
    let desk = Desk::of(FAILS).await;
    let mut file = "id,action,reason\n".to_owned();
    for id in 1..=ALL {
        let action = if id > 120 { "reject" } else { "accept" };
        writeln!(file, "{id},{action},month").unwrap();
    }
    let line = format!("postbacks import {} --yes", desk.written(&file));
    let (told, ended) = desk.typed(&line, false).await;
    assert!(told.contains("120 postbacks accepted (month)"), "{told}");
    assert!(told.contains("0 postbacks rejected (month)"), "{told}");
    let ended = ended.unwrap_err();
    let words = "the ledger failed after 120 of 250 postbacks";
    assert!(ended.contains(words), "{ended}");
    assert_eq!(desk.record(), "120 accepted, 130 not come to");
    assert_eq!(desk.count(State::Accepted).await, 120);
    desk.mended();
    let (told, ended) = desk.typed(&line, false).await;
    assert!(told.contains("130 postbacks rejected (month)"), "{told}");
    let ended = ended.unwrap_err();
    assert_eq!(ended, "not applied: 120 of 250 decisions", "they are done");
    assert_eq!(desk.record(), "130 rejected");
}

#[tokio::test]
async fn a_reconciliation_tells_and_records_how_far_it_came() {
    let desk = Desk::of(FAILS).await;
    let (told, ended) = desk.reconciled().await;
    let counts = "120 accepted, 0 rejected, 0 resent, 130 not come to";
    assert!(told.contains(&format!("Settled: {counts}.")), "{told}");
    let ended = ended.unwrap_err();
    let words = "the ledger failed after 120 of 250 postbacks";
    assert!(ended.contains(words), "{ended}");
    assert_eq!(desk.record(), format!("{counts}: month"));
    desk.mended();
    let (told, ended) = desk.reconciled().await;
    assert!(
        told.contains("Settled: 0 accepted, 130 rejected, 0 resent."),
        "{told}"
    );
    assert_eq!(ended, Ok(()));
    assert_eq!(desk.count(State::Accepted).await, 120);
    assert_eq!(desk.count(State::Rejected).await, 130);
}

#[tokio::test]
async fn what_is_done_and_not_on_record_is_told_too() {
    let fails = "CREATE TRIGGER fails BEFORE INSERT ON actions
        BEGIN SELECT RAISE(ABORT, 'the disk says no'); END";
    let desk = Desk::of(fails).await;
    let (told, ended) = desk.reconciled().await;
    assert!(
        told.contains("Settled: 120 accepted, 130 rejected, 0 resent."),
        "{told}"
    );
    let ended = ended.unwrap_err();
    let words = "it is done, but the ledger does not keep a record of it: ";
    assert!(ended.contains(words), "{ended}");
}

#[tokio::test]
async fn ids_that_were_learned_are_told_and_the_rest_is_learned_by_running_it_again() {
    let desk = Desk::of(
        "CREATE TRIGGER fails BEFORE INSERT ON known_orders WHEN (SELECT count(*) FROM known_orders) = 600
        BEGIN SELECT RAISE(ABORT, 'the disk says no'); END",
    )
    .await;
    let ids: Vec<String> = (10_000..10_700).map(|id: u32| id.to_string()).collect();
    let file = desk.written(&ids.join("\n"));
    let settings = Folder::with(&shipped()).loaded().settings;
    let words = ["refgate", "--namespace", "demo", &file];
    let args = Known::try_parse_from(words).unwrap().args;
    let learn = async || {
        let import = known::Import {
            stores: &settings.stores,
            actor: "alice".parse().unwrap(),
            now: Time::now().max(NOW),
        };
        let mut out = Vec::new();
        let done = known::run(&args, &import, &desk.ledger, false, &mut out).await;
        (String::from_utf8(out).unwrap(), in_words(done))
    };
    let (told, ended) = learn().await;
    assert!(
        told.contains("500 orders of demo are known from now on"),
        "{told}"
    );
    assert!(
        told.contains("The rest of the file was not come to"),
        "{told}"
    );
    assert!(ended.unwrap_err().contains("the disk says no"));
    assert!(
        desk.record().contains("500 new, 0 known, 0 in the ledger"),
        "{}",
        desk.record()
    );
    assert!(
        desk.record().contains("not to its end"),
        "{}",
        desk.record()
    );
    desk.mended();
    let (told, ended) = learn().await;
    assert!(
        told.contains("200 orders of demo are known from now on; 500 were"),
        "{told}"
    );
    assert_eq!(ended, Ok(()));
}

#[derive(Debug, clap::Parser)]
struct Known {
    #[command(flatten)]
    args: known::Args,
}
