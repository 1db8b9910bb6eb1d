//! A ledger that goes on while it is compared and decided on: whatever has come of a postback since stands.

use std::io;

use clap::Parser as _;
use refgate::cause::Causes;
use refgate::cli::reconcile;
use refgate::ledger::{Ledger, Role};
use refgate::postback::State;
use rusqlite::Connection;
use serde_json::Value;

use super::{hand, run};
use crate::support::config::{Folder, shipped};
use crate::support::sale::{candidate, sqlite as open};

/// A ledger with postbacks 1, 2 … in these states, of the orders `1`, `2` ….
struct Desk {
    dir: tempfile::TempDir,
    ledger: Ledger,
    file: Connection,
}

impl Desk {
    async fn of(states: &[State]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path(), Role::Run).unwrap();
        let file = Connection::open(dir.path().join("refgate.db")).unwrap();
        for (id, state) in (1..).zip(states) {
            let sale = candidate(&id.to_string(), Some("25.00"));
            ledger.enter(sale).await.unwrap();
            file.execute_batch(&becomes(id, *state)).unwrap();
        }
        Self { dir, ledger, file }
    }

    fn written(&self, text: &str) -> String {
        let path = self.dir.path().join("file");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    async fn state(&self, id: i64) -> State {
        self.ledger.postback(id).await.unwrap().postback.state
    }

    /// What `reconcile` says of a report. When it tells of `order`, this is done to the ledger.
    async fn reconciled(&self, report: &str, (order, done): (&str, &str)) -> Value {
        let settings = Folder::with(&shipped()).loaded().settings;
        let file = self.written(report);
        let words = format!(
            "refgate --network aspire --settle --resend --yes --reason month \
             --since 2026-11-20T00:00:00Z --until 2026-11-29T00:00:00Z {file}"
        );
        let args = Typed::try_parse_from(words.split_whitespace()).unwrap();
        let mut out = Meddling {
            told: Vec::new(),
            order: format!("\"order\":\"{order}\""),
            meddle: Some((&self.file, done)),
        };
        let given = (&settings, &self.ledger);
        let ended = reconcile::run(&args.args, given, &hand(), true, &mut out).await;
        assert!(out.meddle.is_none(), "{order} is not in {:?}", ended.err());
        serde_json::from_slice(&out.told).unwrap()
    }
}

#[derive(Debug, clap::Parser)]
struct Typed {
    #[command(flatten)]
    args: reconcile::Args,
}

/// As somebody else leaves a postback.
fn becomes(id: i64, state: State) -> String {
    format!("UPDATE postbacks SET state = '{state}', due = NULL WHERE id = {id};")
}

/// An answer in the midst of which somebody else changes the ledger: when it has come to an order.
struct Meddling<'a> {
    told: Vec<u8>,
    order: String,
    meddle: Option<(&'a Connection, &'a str)>,
}

impl io::Write for Meddling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.told.extend(bytes);
        if String::from_utf8_lossy(&self.told)
            .replace(' ', "")
            .contains(&self.order)
            && let Some((file, done)) = self.meddle.take()
        {
            file.execute_batch(done).unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_was_answered_while_it_was_compared_is_not_settled_by_a_report() {
    let desk = Desk::of(&[State::Unclear, State::Unclear]).await;
    let report = "Order ID,Sale Amount,Status\n1,25.00,approved\n2,25.00,approved\n";
    let meanwhile = becomes(1, State::Rejected);
    let told = desk.reconciled(report, ("1", &meanwhile)).await;
    assert_eq!(told["settled"]["accepted"], serde_json::json!([2]));
    let refused = told["settled"]["refused"][0].as_str().unwrap();
    assert!(refused.starts_with("postback 1 is rejected"), "{refused}");
    assert_eq!(desk.state(1).await, State::Rejected);
    assert_eq!(desk.state(2).await, State::Accepted);
}

#[tokio::test]
async fn what_became_unclear_while_the_ledger_was_read_is_not_taken_for_left_out() {
    // The report has both; of the first there is something to tell before the ledger's own side is read.
    let desk = Desk::of(&[State::Accepted, State::Dead]).await;
    let report = "Order ID,Sale Amount,Status\n1,24.00,approved\n2,25.00,rejected\n";
    let meanwhile = becomes(2, State::Unclear);
    let told = desk.reconciled(report, ("1", &meanwhile)).await;
    assert_eq!(told["settled"]["resent"], serde_json::json!([]), "{told}");
    assert_eq!(desk.state(2).await, State::Unclear);
    let text = told.to_string();
    assert!(!text.contains("unanswered"), "{text}");
}

#[tokio::test]
async fn what_has_changed_since_an_import_looked_it_up_is_named_and_stands() {
    let desk = Desk::of(&[State::Unclear, State::Unclear, State::Unclear]).await;
    // The third is held by somebody else while the first is decided on.
    let meddles = format!(
        "CREATE TRIGGER meddles AFTER UPDATE ON postbacks WHEN OLD.id = 1 BEGIN {} END",
        becomes(3, State::Held)
    );
    desk.file.execute_batch(&meddles).unwrap();
    let file = "id,action,reason\n1,accept,it has it\n2,cancel,stock\n3,cancel,stock\n";
    let line = format!("postbacks import {} --yes", desk.written(file));
    let mut out = Vec::new();
    let ended = run(&desk.ledger, &line, false, &mut out).await;
    let told = String::from_utf8(out).unwrap();
    assert!(
        told.contains("line 4: postback 3 was unclear when it was looked up, and is held now"),
        "{told}"
    );
    assert!(
        told.contains("1 postback cancelled (stock): 25.00 USD"),
        "{told}"
    );
    let ended = Causes(&ended.unwrap_err()).to_string();
    assert_eq!(ended, "not applied: 1 of 3 decisions");
    for (id, state) in (1..).zip([State::Accepted, State::Dead, State::Held]) {
        assert_eq!(desk.state(id).await, state, "{id}");
    }
}
