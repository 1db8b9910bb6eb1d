//! Steering by the listener: what the commands do, with the answers that programs read.

use refgate::admin::{Admin, View};
use refgate::ledger::{BATCH, LIST, Pause, PostbackFilter, Story};
use refgate::order::Doubt;
use refgate::postback::{PostbackId, State};
use serde_json::{Value, json};

use super::{ask, asking, served, spool};
use crate::support::office::{ASPIRE, Office};
use crate::support::sale::{aspire, candidate};

/// An office whose operator comes by the listener.
struct Desk(Office);

impl Desk {
    async fn open() -> Self {
        Self(Office::open(ASPIRE).await)
    }

    fn admin(&self) -> Admin {
        let Self(office) = self;
        let admin = Admin::new(
            Default::default(),
            office.ledger.clone(),
            spool(office.dir.path()),
        );
        admin.showing(View {
            deliver: Some(office.ready()),
            ..View::default()
        })
    }

    async fn ask(&self, line: &str, body: &Value) -> (u16, Value) {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let answer = ask(self.admin(), line, &body).await;
        assert!(!answer.contains(['\u{1b}', '\u{202e}']), "{answer:?}");
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let value = serde_json::from_str(body);
        (status, value.unwrap_or_else(|_plain| json!(body)))
    }

    async fn story(&self, id: &str) -> Story {
        let stories = self.0.ledger.story(id.to_owned()).await.unwrap();
        stories.into_iter().next().unwrap()
    }

    async fn state(&self, id: PostbackId) -> State {
        self.0.ledger.postback(id).await.unwrap().postback.state
    }

    async fn pauses(&self) -> Vec<Pause> {
        self.0.ledger.pauses().await.unwrap()
    }
}

#[tokio::test]
async fn numbers_are_steered_at_once_and_it_is_on_record_by_whom_and_why() {
    let desk = Desk::open().await;
    let (one, other) = (desk.0.sell("1001").await, desk.0.sell("1002").await);
    let hold = json!({"numbers": [one], "reason": "asked them"});
    let (status, report) = desk.ask("POST /postbacks/hold", &hold).await;
    assert_eq!(
        (status, &report["done"], &report["count"]),
        (200, &json!(true), &json!(1))
    );
    assert_eq!(report["postbacks"][0]["was"], "due");
    assert_eq!(desk.state(one).await, State::Held);
    assert_eq!(desk.state(other).await, State::Due);
    let story = desk.story("1001").await;
    let last = story.history.last().unwrap();
    assert_eq!(last.actor.as_ref().unwrap().as_str(), "alice");
    assert_eq!(last.cause.as_deref(), Some("held: asked them"));
    // What cannot be done is told, and nothing else happened.
    let (status, report) = desk.ask("POST /postbacks/hold", &hold).await;
    assert_eq!((status, &report["count"]), (409, &json!(0)));
    let why = report["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains("there is nothing to do"), "{why}");
    let both = json!({"numbers": [one, other], "reason": "as it was"});
    let (status, report) = desk.ask("POST /postbacks/release", &both).await;
    assert_eq!((status, &report["count"]), (200, &json!(1)));
    assert_eq!(report["refused"][0]["id"], json!(other));
    assert_eq!(desk.state(one).await, State::Due);
}

#[tokio::test]
async fn a_filter_shows_what_it_would_do_until_it_is_meant() {
    let desk = Desk::open().await;
    for id in ["1001", "1002"] {
        desk.0.sell(id).await;
    }
    let mut cancel = json!({"filter": {"state": ["due", "held"], "affiliate": "affiliate_id=123456"}, "reason": "sent back"});
    let (status, report) = desk.ask("POST /postbacks/cancel", &cancel).await;
    assert_eq!(
        (status, &report["done"], &report["count"]),
        (200, &json!(false), &json!(2))
    );
    assert_eq!(report["totals"][0]["amount"], "2499.90");
    assert_eq!(
        desk.story("1001").await.postbacks[0].postback.state,
        State::Due
    );
    cancel["yes"] = json!(true);
    let (_status, report) = desk.ask("POST /postbacks/cancel", &cancel).await;
    assert_eq!(
        (&report["done"], &report["count"]),
        (&json!(true), &json!(2))
    );
    for id in ["1001", "1002"] {
        assert_eq!(
            desk.story(id).await.postbacks[0].postback.state,
            State::Dead
        );
    }
}

#[tokio::test]
async fn what_is_begun_is_done_whole_though_nobody_waits_for_the_answer() {
    let desk = Desk::open().await;
    for id in 0..2 * BATCH + 1 {
        let sale = candidate(&id.to_string(), Some("25.00"));
        desk.0.ledger.enter(sale).await.unwrap();
    }
    let hold = json!({"filter": {"state": "due"}, "reason": "all", "yes": true}).to_string();
    let in_state = async |state| {
        let filter = PostbackFilter {
            states: vec![state],
            ..PostbackFilter::default()
        };
        desk.0.ledger.postbacks(filter, LIST).await.unwrap().len()
    };
    served(desk.admin(), async |address| {
        let line = "POST /postbacks/hold";
        let stream = asking(address, line, &hold).await;
        while in_state(State::Held).await == 0 {
            tokio::task::yield_now().await;
        }
        drop(stream);
        let all = async {
            while in_state(State::Due).await > 0 {
                tokio::task::yield_now().await;
            }
        };
        let patience = std::time::Duration::from_secs(20);
        tokio::time::timeout(patience, all).await.unwrap();
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_means_nothing_is_refused_and_does_nothing() {
    let desk = Desk::open().await;
    let id = desk.0.sell("1001").await;
    for (line, body, status, words) in [
        (
            "POST /postbacks/cancel",
            json!({"numbers": [id]}),
            400,
            "reason",
        ),
        (
            "POST /postbacks/cancel",
            json!({"numbers": [id], "reason": " "}),
            400,
            "an empty reason",
        ),
        (
            "POST /postbacks/cancel",
            json!({"reason": "all"}),
            400,
            "which postbacks?",
        ),
        (
            "POST /postbacks/cancel",
            json!({"numbers": [id], "filter": {"state": "due"}, "reason": "all"}),
            400,
            "either",
        ),
        (
            "POST /postbacks/cancel",
            json!({"filter": {"status": "due"}, "yes": true, "reason": "all"}),
            400,
            "there are state, destination",
        ),
        (
            "POST /postbacks/cancel",
            json!({"number": [id], "reason": "x"}),
            400,
            "number",
        ),
        ("POST /postbacks/cancel", Value::Null, 400, "the body"),
        (
            "POST /postbacks/steal",
            json!({"numbers": [id], "reason": "x"}),
            404,
            "POST",
        ),
        ("GET /postbacks/cancel", Value::Null, 405, "POST only"),
        ("POST /held", Value::Null, 405, "GET only"),
        (
            "GET /postbacks?state=due&limit=x",
            Value::Null,
            400,
            "limit",
        ),
        ("GET /postbacks?since=yesterday", Value::Null, 400, "since"),
        (
            "GET /postbacks?store=us&store=ca",
            Value::Null,
            400,
            "stated twice",
        ),
        (
            "POST /pause/aspir",
            json!({"reason": "x"}),
            404,
            "there are aspire",
        ),
        ("POST /pause/aspire", json!({}), 400, "reason"),
        ("POST /go/nobody", Value::Null, 404, "there are aspire"),
    ] {
        let (found, answer) = desk.ask(line, &body).await;
        assert_eq!(found, status, "{line} {body}: {answer}");
        assert!(
            answer.to_string().contains(words),
            "{line} {body}: {answer}"
        );
    }
    let long = json!({"numbers": [id], "reason": "x".repeat(70_000)});
    assert_eq!(desk.ask("POST /postbacks/cancel", &long).await.0, 413);
    assert_eq!(desk.state(id).await, State::Due);
    assert_eq!(desk.pauses().await, []);
}

#[tokio::test]
async fn a_network_is_paused_and_goes_on() {
    let desk = Desk::open().await;
    let (status, pause) = desk
        .ask("POST /pause/aspire", &json!({"reason": "a wrong offer"}))
        .await;
    assert_eq!((status, &pause["actor"]), (200, &json!("alice")));
    let again = desk
        .ask("POST /pause/aspire", &json!({"reason": "once more"}))
        .await;
    assert_eq!(
        (again.0, &again.1["reason"]),
        (200, &json!("a wrong offer"))
    );
    let pauses = desk.pauses().await;
    assert_eq!((pauses.len(), &pauses[0].destination), (1, &aspire()));
    let (status, lifted) = desk.ask("POST /go/aspire", &Value::Null).await;
    assert_eq!((status, &lifted["reason"]), (200, &json!("a wrong offer")));
    assert_eq!(desk.pauses().await, []);
    assert_eq!(
        desk.ask("POST /go/aspire", &Value::Null).await,
        (200, Value::Null)
    );
}

#[tokio::test]
async fn what_is_held_is_listed_and_strangers_words_do_nothing() {
    let desk = Desk::open().await;
    desk.0.sell("1001").await;
    for (id, doubt) in [("1002", Doubt::Unproven), ("1003", Doubt::TooMany)] {
        let mut sale = candidate(id, Some("5.00"));
        sale.postbacks[0].held = Some((doubt, "\u{1b}[2J\u{202e}no".to_owned()));
        desk.0.ledger.enter(sale).await.unwrap();
    }
    let held = desk.ask("GET /held", &Value::Null).await.1;
    assert_eq!(held.as_array().unwrap().len(), 2);
    assert_eq!(
        held[0]["cause"], "\u{1b}[2J\u{202e}no",
        "it is the same value"
    );
    let due = desk.ask("GET /held?state=due", &Value::Null).await;
    assert_eq!(due.0, 400, "{}", due.1);
    let one = desk.ask("GET /held?doubt=too_many", &Value::Null).await.1;
    assert_eq!(one.as_array().unwrap().len(), 1);
    assert_eq!(one[0]["order"]["id"], "1003");
    let listed = desk.ask(
        "GET /postbacks?affiliate=affiliate_id%3D123456&limit=2",
        &Value::Null,
    );
    assert_eq!(listed.await.1.as_array().unwrap().len(), 2);
    let due = desk
        .ask("GET /postbacks?state=due&state=dead", &Value::Null)
        .await
        .1;
    assert_eq!(due.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_done_before_the_ledger_failed_is_told() {
    let desk = Desk::open().await;
    for number in 0..=BATCH {
        let sale = candidate(&format!("n{number}"), Some("25.00"));
        desk.0.ledger.enter(sale).await.unwrap();
    }
    let file = rusqlite::Connection::open(desk.0.dir.path().join("refgate.db")).unwrap();
    file.execute_batch(&format!(
        "CREATE TRIGGER fails BEFORE UPDATE ON postbacks WHEN OLD.id > {BATCH}
        BEGIN SELECT RAISE(ABORT, 'the disk says no'); END"
    ))
    .unwrap();
    let hold = json!({"filter": {"state": "due"}, "reason": "stop", "yes": true});
    let (status, report) = desk.ask("POST /postbacks/hold", &hold).await;
    assert_eq!((status, &report["count"]), (503, &json!(BATCH)));
    assert_eq!(report["stopped"]["left"], 1);
    let why = report["stopped"]["why"].as_str().unwrap();
    assert!(why.contains("the disk says no"), "{why}");
    // Nothing comes of the rest.
    let (status, report) = desk.ask("POST /postbacks/hold", &hold).await;
    assert_eq!((status, report.get("count")), (503, None));
    assert!(
        report["error"]
            .as_str()
            .unwrap()
            .contains("the disk says no")
    );
}

#[tokio::test]
async fn what_somebody_decided_is_sent_again_only_where_that_is_said() {
    let desk = Desk::open().await;
    let (one, other) = (desk.0.sell("1001").await, desk.0.sell("1002").await);
    let cancel = json!({"numbers": [one, other], "reason": "sent back"});
    desk.ask("POST /postbacks/cancel", &cancel).await;
    let mut resend = json!({"filter": {"state": "dead"}, "reason": "so", "yes": true});
    let (status, report) = desk.ask("POST /postbacks/resend", &resend).await;
    assert_eq!(
        (status, &report["count"], &report["left_out"]),
        (200, &json!(0), &json!(2))
    );
    resend["decided"] = json!(true);
    let (_status, report) = desk.ask("POST /postbacks/resend", &resend).await;
    assert_eq!(
        (&report["count"], &report["left_out"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(desk.state(one).await, State::Due);
}
