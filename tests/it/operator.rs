//! The operator's commands over the ledger.

mod brought;
mod decisions;
mod halfway;
mod meanwhile;
mod reconcile;
mod shadow;
mod steering;

use std::path::Path;
use std::time::Duration;

use clap::Parser as _;
use refgate::cli::say::Error;
use refgate::cli::steer::Hand;
use refgate::cli::{affiliates, explain, held, import, orders, postbacks};
use refgate::click::Came;
use refgate::ledger::{Ledger, Role};
use refgate::order::{FoundBy, NewPostback};
use refgate::postback::State;
use refgate::record::spool::Spool;
use refgate::seal::Keys;

use crate::support::sale::{LEASE, NOW, aspire, candidate, click, settlement, sqlite as open};

/// The commands as an operator types them.
#[derive(Debug, clap::Parser)]
enum Typed {
    Affiliates(affiliates::Args),
    Orders(orders::Args),
    Explain(explain::Args),
    Postbacks(postbacks::Args),
    Held(held::Args),
}

fn parsed(line: &str) -> Result<Typed, clap::Error> {
    Typed::try_parse_from(std::iter::once("refgate").chain(line.split(' ')))
}

async fn typed(ledger: &Ledger, line: &str, json: bool) -> Result<String, Error> {
    let mut out = Vec::new();
    run(ledger, line, json, &mut out).await?;
    Ok(String::from_utf8(out).unwrap())
}

async fn run(ledger: &Ledger, line: &str, json: bool, out: &mut Vec<u8>) -> Result<(), Error> {
    match parsed(line).unwrap() {
        Typed::Affiliates(args) => affiliates::run(&args, ledger, json, out).await?,
        Typed::Orders(args) => orders::run(&args, ledger, json, out).await?,
        Typed::Explain(args) => {
            let empty = tempfile::tempdir().unwrap();
            explain::run(&args, (Ok(ledger), &spool(empty.path())), json, out).await?;
        }
        Typed::Postbacks(args) => {
            postbacks::run(&args, ledger, &hand(), json, out).await?;
        }
        Typed::Held(args) => held::run(&args, ledger, &hand(), json, out).await?,
    }
    Ok(())
}

fn spool(dir: &Path) -> Spool {
    let keys = Keys::parse(["ab".repeat(64).as_str()]).unwrap();
    Spool::new(dir.join("spool"), keys)
}

/// Whoever typed it.
fn hand() -> Hand {
    let env = |name: &str| (name == "USER").then(|| "alice".to_owned());
    Hand {
        now: NOW,
        ..Hand::of(&env)
    }
}

async fn said(ledger: &Ledger, line: &str) -> String {
    typed(ledger, line, false).await.unwrap()
}

/// A ledger with an accepted order, an unclear one and a held one.
async fn ledger(dir: &Path) -> Ledger {
    let ledger = open(dir, Role::Run).unwrap();
    for (id, amount) in [
        ("1001", Some("25.00")),
        ("1002", Some("30.00")),
        ("1003", None),
    ] {
        ledger.enter(candidate(id, amount)).await.unwrap();
    }
    let claimed = ledger.claim(&aspire(), NOW, LEASE, 9).await.unwrap();
    for (postback, state) in claimed.iter().zip([State::Accepted, State::Unclear]) {
        let url = "https://network.example/?aff=123456&token=***".to_owned();
        let attempt = ledger.begin(postback.id, url, NOW).await.unwrap();
        ledger
            .settle(settlement(postback, attempt, state))
            .await
            .unwrap();
    }
    ledger
}

#[tokio::test]
async fn explain_tells_the_whole_story() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    for amount in ["25.00", "19.00", "25.00"] {
        let again = candidate("1001", Some(amount));
        ledger.enter(again).await.unwrap();
    }
    let story = said(&ledger, "explain 1001").await;
    for part in [
        "Order demo/1001: credited, 25.00 USD",
        "because  last click, of aspire",
        "by rule thank-you",
        "worth    total 25.00 = 25.00",
        "Click of aspire at 2026-11-22T23:50:00Z, 600 seconds before the order",
        "affiliate_id = 123456",
        "came  not kept with it\n",
        "Seen 4 times, 4 kept",
        "GET /checkout/thank-you/1001",
        "order_id = 1001  (css #order)",
        "and 2 more that say the same, the last at 2026-11-23T00:00:00Z",
        "note: amount 19.00 USD here, 25.00 USD was first and stands",
        "Postback 1: accepted, 25.00 USD to aspire (sale of order demo/1001)",
        "https://network.example/?aff=123456&token=***",
        "success=true;",
        "postback 1  due → sending",
    ] {
        assert!(story.contains(part), "{part:?} is not in\n{story}");
    }
    let error = typed(&ledger, "explain 9999", false).await.unwrap_err();
    assert_eq!(error.to_string(), "no order goes by \"9999\"");
}

#[tokio::test]
async fn explain_tells_every_network_that_is_owed_it_and_what_the_visit_was_found_by() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let mut candidate = candidate("1001", Some("25.00"));
    let mut older = click();
    older.network = "other".parse().unwrap();
    older.values = [("ref".to_owned(), "777".to_owned())].into();
    older.at = NOW.minus(Duration::from_secs(900));
    let mut own = click();
    own.came = Came::landed("us".parse().unwrap(), false);
    candidate.order.click = Some(own.clone());
    let clicks = vec![older, own];
    candidate.sighting.visit.as_mut().unwrap().clicks = clicks;
    candidate.sighting.found_by = FoundBy::Session;
    let postback = NewPostback {
        destination: "other".parse().unwrap(),
        ..candidate.postbacks[0].clone()
    };
    candidate.postbacks.push(postback);
    ledger.enter(candidate.clone()).await.unwrap();
    let story = said(&ledger, "explain 1001").await;
    for part in [
        "Click of aspire at 2026-11-22T23:50:00Z, 600 seconds before the order",
        "Click of other at 2026-11-22T23:45:00Z, 900 seconds before the order",
        "ref = 777",
        "came  landed at us; found by the shop's session in us",
        "visit found by the shop's session",
        "to aspire (sale of order demo/1001)",
        "to other (sale of order demo/1001)",
    ] {
        assert!(story.contains(part), "{part:?} is not in\n{story}");
    }
    for (network, name, value) in [
        ("aspire", "affiliate_id", "123456"),
        ("other", "ref", "777"),
    ] {
        let network = network.parse().unwrap();
        let postbacks = ledger.claim(&network, NOW, LEASE, 9).await.unwrap();
        assert_eq!(postbacks[0].values[name], value);
    }

    candidate.sighting.found_by = FoundBy::SharedSession;
    candidate.sighting.visit = None;
    candidate.sighting.key.id = "1002".parse().unwrap();
    candidate.order.key = candidate.sighting.key.clone();
    (candidate.order.click, candidate.order.visit) = (None, None);
    candidate.postbacks.clear();
    ledger.enter(candidate).await.unwrap();
    let story = said(&ledger, "explain 1002").await;
    let words = "no visit by the shop's session: it was seen with two";
    assert!(story.contains(words), "{story}");
}

#[tokio::test]
async fn orders_and_postbacks_are_listed_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    let lines = async |line: &str| said(&ledger, line).await.lines().count() - 1;
    assert_eq!(lines("orders").await, 3);
    assert_eq!(lines("orders --limit 2").await, 2);
    assert_eq!(lines("orders --standing held").await, 1);
    assert_eq!(
        lines("orders --store us --namespace demo --since 2026-11-22T00:00:00Z").await,
        3
    );
    assert_eq!(said(&ledger, "orders --store ca").await, "no orders\n");
    assert_eq!(
        said(&ledger, "orders --since 2027-01-01T00:00:00Z").await,
        "no orders\n"
    );
    assert_eq!(lines("postbacks list").await, 3);
    assert_eq!(
        lines("postbacks list --state unclear --destination aspire").await,
        1
    );
    assert_eq!(
        said(&ledger, "postbacks list --state dead").await,
        "no postbacks\n"
    );
}

#[tokio::test]
async fn a_resend_warns_and_what_is_accepted_needs_force() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    let words = said(&ledger, "postbacks resend 2 --reason asked-them").await;
    assert!(words.contains("was unclear, and is due now"), "{words}");
    assert!(words.contains("paid twice"), "{words}");
    assert!(
        said(&ledger, "explain 1002")
            .await
            .contains("unclear → due: resent: asked-them (by alice)")
    );

    let refused = typed(&ledger, "postbacks resend 1", false)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert!(
        said(&ledger, "postbacks show 1")
            .await
            .contains("Postback 1: accepted")
    );
    assert!(
        said(&ledger, "postbacks resend 1 --force")
            .await
            .contains("paid twice")
    );
    let refused = typed(&ledger, "postbacks resend 1 --force", false)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("it will be sent by itself"),
        "{refused}"
    );
    let refused = typed(&ledger, "postbacks resend 3", false)
        .await
        .unwrap_err();
    assert_eq!(refused.to_string(), "postback 3 has no amount");
    let refused = typed(&ledger, "postbacks resend 99", false)
        .await
        .unwrap_err();
    assert_eq!(refused.to_string(), "there is no postback 99");
}

#[tokio::test]
async fn every_answer_is_also_json() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    let json = async |line: &str| -> serde_json::Value {
        serde_json::from_str(&typed(&ledger, line, true).await.unwrap()).unwrap()
    };
    assert_eq!(json("orders").await[0]["key"]["id"], "1003");
    assert_eq!(json("orders").await[0]["standing"]["doubt"], "unreadable");
    let story = json("explain 1001").await;
    assert_eq!(story[0]["order"]["amount"]["amount"], "25.00");
    assert_eq!(
        story[0]["postbacks"][0]["attempts"][0]["outcome"]["verdict"],
        "accepted"
    );
    assert_eq!(json("postbacks list --state unclear").await[0]["id"], 2);
    assert_eq!(
        json("postbacks show 2").await["postback"]["state"],
        "unclear"
    );
    let resent = json("postbacks resend 2").await;
    assert_eq!(
        (&resent["action"], &resent["done"]),
        (&"resend".into(), &true.into())
    );
    assert_eq!(resent["postbacks"][0]["was"], "unclear");
    assert_eq!(resent["postbacks"][0]["postback"]["state"], "due");
}

#[tokio::test]
async fn import_tells_of_every_file_and_fails_if_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let spool = spool(dir.path());
    let told = async |json: bool| {
        let mut out = Vec::new();
        let done = import::run(&spool, &ledger, json, &mut out).await;
        (String::from_utf8(out).unwrap(), done)
    };
    let (words, done) = told(false).await;
    assert_eq!(words, "0 imported, 0 kept\n");
    done.unwrap();
    let sealed = spool.seal(&candidate("1001", Some("25.00"))).unwrap();
    spool.write(&sealed, NOW).unwrap();
    std::fs::write(
        dir.path().join("spool/torn.order"),
        &sealed.as_bytes()[..99],
    )
    .unwrap();
    let (words, done) = told(false).await;
    assert!(words.contains("order demo/1001 entered"), "{words}");
    assert!(
        words.contains("torn.order: it was not sealed by one of our keys"),
        "{words}"
    );
    assert!(words.ends_with("1 imported, 1 kept\n"), "{words}");
    assert_eq!(
        done.unwrap_err().to_string(),
        "not imported: 1 of the spool's files"
    );
    let (text, done) = told(true).await;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["kept"].as_array().unwrap().len(), 1);
    done.unwrap_err();
}

#[tokio::test]
async fn explain_tells_of_an_order_that_waits_in_the_spool_also_when_the_ledger_fails() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let spool = spool(dir.path());
    let told = async |json: bool| {
        let Typed::Explain(args) = parsed("explain 1001").unwrap() else {
            panic!("another command");
        };
        let mut out = Vec::new();
        let done = explain::run(&args, (Ok(&ledger), &spool), json, &mut out).await;
        (
            String::from_utf8(out).unwrap(),
            done.map_err(|error| error.to_string()),
        )
    };
    for id in ["1001", "1002"] {
        let sealed = spool.seal(&candidate(id, Some("25.00"))).unwrap();
        spool.write(&sealed, NOW).unwrap();
    }
    let (words, done) = told(false).await;
    done.unwrap();
    let waits = "Order demo/1001: in the spool, as the ledger did not take it\n  judged   credited, 25.00 USD\n";
    assert!(words.starts_with(waits), "{words}");
    assert!(words.contains("nothing is sent before"), "{words}");
    assert!(!words.contains("1002"), "{words}");
    let (text, _) = told(true).await;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["spooled"][0]["order"]["key"]["id"], "1001");

    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let (words, _) = told(false).await;
    let story = words.find("Order demo/1001: credited").unwrap();
    assert!(story < words.find(waits).unwrap(), "{words}");

    let other = rusqlite::Connection::open(dir.path().join("refgate.db")).unwrap();
    other
        .execute_batch("ALTER TABLE aliases RENAME TO gone")
        .unwrap();
    let (words, done) = told(false).await;
    assert!(words.starts_with(waits), "{words}");
    assert!(done.unwrap_err().contains("ledger"));
}

#[tokio::test]
async fn what_strangers_wrote_is_inert() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let evil = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}";
    let mut candidate = candidate("1001", Some("25.00"));
    candidate.sighting.fields[0].text = evil.to_owned();
    candidate.sighting.request = format!("GET /{evil}");
    candidate.sighting.faults = vec![evil.to_owned()];
    candidate.order.why = evil.to_owned();
    candidate.order.working = Some(evil.to_owned());
    let click = candidate.order.click.as_mut().unwrap();
    click.values.insert(evil.to_owned(), evil.to_owned());
    ledger.enter(candidate).await.unwrap();
    let postback = ledger
        .claim(&aspire(), NOW, LEASE, 1)
        .await
        .unwrap()
        .remove(0);
    let attempt = ledger
        .begin(postback.id, evil.to_owned(), NOW)
        .await
        .unwrap();
    let mut end = settlement(&postback, attempt, State::Rejected);
    end.outcome.words = evil.to_owned();
    end.cause = Some(evil.to_owned());
    ledger.settle(end).await.unwrap();
    for line in [
        "orders",
        "explain 1001",
        "postbacks list",
        "postbacks show 1",
    ] {
        for json in [false, true] {
            let text = typed(&ledger, line, json).await.unwrap();
            let acts = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
            assert_eq!(
                text.chars().find(acts),
                None,
                "{line}\n{}",
                text.escape_debug()
            );
            assert!(text.contains("owned"), "{line}");
        }
    }
}
