//! Steering as the operator types it: by numbers at once, by a filter shown first; the review queue.

use refgate::ledger::{Ledger, PostbackFilter, Role};
use refgate::order::{Doubt, Standing};
use refgate::postback::State;
use serde_json::Value;

use super::{ledger, said, typed};
use crate::support::sale::{LEASE, NOW, aspire, candidate, settlement, sqlite as open, usd};

async fn json(ledger: &Ledger, line: &str) -> Value {
    serde_json::from_str(&typed(ledger, line, true).await.unwrap()).unwrap()
}

async fn refused(ledger: &Ledger, line: &str) -> String {
    typed(ledger, line, false).await.unwrap_err().to_string()
}

async fn in_state(ledger: &Ledger, state: State) -> usize {
    let filter = PostbackFilter::in_state(state);
    ledger.postbacks(filter, 999).await.unwrap().len()
}

/// A ledger with 30 orders in two currencies that wait for a proof, and one whose amount is unknown.
async fn queue(dir: &std::path::Path) -> Ledger {
    let ledger = open(dir, Role::Run).unwrap();
    for number in 0..31 {
        let amount = (number > 0).then_some("25.00");
        let mut sale = candidate(&format!("n{number}"), amount);
        sale.order.standing = Standing::Held(Doubt::Unproven);
        let postback = &mut sale.postbacks[0];
        postback.held = Some((Doubt::Unproven, "no checkout seen".to_owned()));
        if number > 20 {
            let mut money = usd("10.00");
            money.currency = "EUR".parse().unwrap();
            postback.amount = Some(money);
        }
        ledger.enter(sale).await.unwrap();
    }
    ledger
}

#[tokio::test]
async fn a_filter_only_shows_what_it_would_do_until_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = queue(dir.path()).await;
    let shown = said(&ledger, "held release --doubt unproven --reason asked").await;
    for part in [
        "31 postbacks would be released: 100.00 EUR, 500.00 USD, 1 of unknown amount",
        "demo/n30",
        "and 11 more",
        "1 of them cannot be: their amount is unknown",
        "Nothing was done. With --yes it is.",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    assert_eq!(
        shown.lines().filter(|line| line.contains("demo/")).count(),
        20
    );
    let told = json(&ledger, "held release --doubt unproven --reason asked").await;
    assert_eq!((&told["done"], &told["count"]), (&false.into(), &31.into()));
    assert_eq!(told["totals"][0]["amount"], "100.00");
    assert_eq!(told["postbacks"].as_array().unwrap().len(), 31);
    assert_eq!(in_state(&ledger, State::Held).await, 31);

    let mut out = Vec::new();
    let line = "held release --doubt unproven --yes --reason asked";
    let failed = super::run(&ledger, line, false, &mut out)
        .await
        .unwrap_err();
    assert_eq!(failed.to_string(), "not released: 1 of 31 postbacks");
    let text = String::from_utf8(out).unwrap();
    for part in [
        "Postback 2 was held, and is due now.",
        "and 10 more",
        "30 postbacks released: 100.00 EUR, 500.00 USD",
        "Not released: postback 1 has no amount",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert_eq!(in_state(&ledger, State::Due).await, 30);
    assert_eq!(in_state(&ledger, State::Held).await, 1);
    let nothing = said(&ledger, "held refuse --doubt differs --yes --reason x").await;
    assert_eq!(nothing, "no postbacks\n");
}

#[tokio::test]
async fn the_review_queue_tells_why_how_old_how_much_and_whose() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = queue(dir.path()).await;
    let list = said(&ledger, "held list --limit 2").await;
    let words: Vec<&str> = list.lines().nth(1).unwrap().split_whitespace().collect();
    #[rustfmt::skip]
    let expected = [
        "31", "demo/n30", "aspire", "10.00", "EUR", "affiliate_id=123456", "0", "s", "unproven", "no", "checkout", "seen",
    ];
    assert_eq!(words, expected);
    assert_eq!(list.lines().count(), 3);
    let show = said(&ledger, "held show 2").await;
    for part in [
        "Held for 0 s, unproven: no checkout seen",
        "Order demo/n1: held, 25.00 USD",
        "Click of aspire",
        "refgate held release 2 --reason …",
    ] {
        assert!(show.contains(part), "{part:?} is not in\n{show}");
    }
    let refusal = said(&ledger, "held refuse 2 3 --reason a-test --actor bob").await;
    assert!(
        refusal.contains("2 postbacks refused: 50.00 USD"),
        "{refusal}"
    );
    let story = said(&ledger, "explain n1").await;
    for part in [
        "Order demo/n1: organic, 25.00 USD",
        "because  refused by bob: a-test; before: last click, of aspire",
        "postback 2  held → dead: refused: a-test (by bob)",
        "order  held → organic: refused: a-test (by bob)",
    ] {
        assert!(story.contains(part), "{part:?} is not in\n{story}");
    }
    let words = refused(&ledger, "held release 2 --reason asked").await;
    assert_eq!(words, "postback 2 is dead: only what is held can be");
    let words = refused(&ledger, "held show 2").await;
    assert!(words.starts_with("postback 2 is dead, not held"), "{words}");
    let held = json(&ledger, "held show 4").await;
    assert_eq!(held["postback"]["doubt"], "unproven");
    assert_eq!(held["story"]["order"]["key"]["id"], "n3");
    assert_eq!(
        json(&ledger, "held list --limit 99")
            .await
            .as_array()
            .unwrap()
            .len(),
        29
    );
    assert_eq!(
        said(&ledger, "held list --doubt no_rate").await,
        "nothing is held\n"
    );
}

#[tokio::test]
async fn each_action_does_its_own_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    ledger.enter(candidate("1004", Some("5.00"))).await.unwrap();
    for (line, words) in [
        ("postbacks hold 4", "Postback 4 was due, and is held now.\n"),
        (
            "postbacks release 4 --reason ok",
            "Postback 4 was held, and is due now.\n",
        ),
        (
            "postbacks cancel 4 --reason refund",
            "Postback 4 was due, and is dead now.\n",
        ),
        (
            "postbacks accept 2 --reason asked",
            "Postback 2 was unclear, and is accepted now.\n",
        ),
    ] {
        assert_eq!(said(&ledger, line).await, words);
    }
    let list = said(&ledger, "postbacks list").await;
    for cause in ["cancelled: refund", "the network has it: asked"] {
        assert!(list.contains(cause), "{list}");
    }
    for (line, words) in [
        (
            "postbacks hold 1",
            "postback 1 is accepted: only what is due can be",
        ),
        (
            "postbacks cancel 1 --reason x",
            "postback 1 is accepted: the network has answered",
        ),
        (
            "postbacks cancel --reason x",
            "which postbacks? name their numbers, or state a filter like `--state held`",
        ),
        (
            "postbacks hold 1 --state due",
            "postbacks are named by their numbers or by a filter, not by both",
        ),
    ] {
        assert_eq!(refused(&ledger, line).await, words);
    }
    for line in [
        // Whoever pays what was doubted says why.
        "held release 2",
        "held release --doubt unproven --yes",
        "postbacks cancel 4",
        "postbacks accept 4",
        "held refuse 3",
        "postbacks hold 4 --reason ",
    ] {
        assert!(super::parsed(line).is_err(), "{line}");
    }
}

#[tokio::test]
async fn filters_choose_by_state_affiliate_order_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    for (filter, ids) in [
        ("--state unclear --state held", vec![3, 2]),
        ("--affiliate affiliate_id=123456", vec![3, 2, 1]),
        ("--affiliate affiliate_id=1", vec![]),
        ("--order 1002", vec![2]),
        ("--doubt unreadable --store us", vec![3]),
        (
            "--since 2026-11-23T00:00:00Z --until 2026-11-23T00:00:01Z",
            vec![3, 2, 1],
        ),
        ("--until 2026-11-23T00:00:00Z", vec![]),
    ] {
        let found = json(&ledger, &format!("postbacks list {filter}")).await;
        let found: Vec<i64> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_i64().unwrap())
            .collect();
        assert_eq!(found, ids, "{filter}");
    }
    let error = super::parsed("postbacks list --doubt odd").unwrap_err();
    assert!(error.to_string().contains("over_max_amount"), "{error}");
    let error = super::parsed("postbacks list --affiliate 7").unwrap_err();
    assert!(
        error.to_string().contains("like affiliate_id=123456"),
        "{error}"
    );
}

#[tokio::test]
async fn what_somebody_decided_is_not_sent_again_by_a_filter_unless_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    // 1 is accepted by the network, 2 unclear, 3 held as unreadable; 4 is refused by the network.
    ledger
        .enter(candidate("1004", Some("40.00")))
        .await
        .unwrap();
    let claimed = ledger.claim(&aspire(), NOW, LEASE, 9).await.unwrap();
    let url = "https://network.example/".to_owned();
    let attempt = ledger.begin(claimed[0].id, url, NOW).await.unwrap();
    let end = settlement(&claimed[0], attempt, State::Rejected);
    ledger.settle(end).await.unwrap();
    said(&ledger, "postbacks reject 1 --reason refund").await;
    said(&ledger, "postbacks cancel 2 --reason stock").await;

    let line = "postbacks resend --state rejected --state dead";
    let shown = said(&ledger, line).await;
    assert!(
        shown.contains("1 postback would be resent: 40.00 USD"),
        "{shown}"
    );
    let words = "2 postbacks left out, on which somebody decided";
    assert!(shown.contains(words), "{shown}");
    assert!(shown.contains("--decided takes them too."), "{shown}");
    let shown = json(&ledger, line).await;
    assert_eq!(
        (&shown["count"], &shown["left_out"]),
        (&1.into(), &2.into())
    );
    let all = said(&ledger, &format!("{line} --decided")).await;
    assert!(all.contains("3 postbacks would be resent"), "{all}");
    assert!(!all.contains("left out"), "{all}");

    let done = said(&ledger, &format!("{line} --yes")).await;
    assert!(
        done.contains("Postback 4 was rejected, and is due now."),
        "{done}"
    );
    assert!(done.contains(words), "{done}");
    assert_eq!(in_state(&ledger, State::Rejected).await, 1);
    assert_eq!(in_state(&ledger, State::Dead).await, 1);
    // Whoever names it means it.
    said(&ledger, "postbacks resend 2").await;
    // What is sent again is the network's to answer.
    let claimed = ledger.claim(&aspire(), NOW, LEASE, 9).await.unwrap();
    let url = "https://network.example/".to_owned();
    let attempt = ledger.begin(claimed[0].id, url, NOW).await.unwrap();
    let end = settlement(&claimed[0], attempt, State::Rejected);
    ledger.settle(end).await.unwrap();
    let shown = said(&ledger, line).await;
    assert!(shown.contains("1 postback would be resent"), "{shown}");
    assert!(shown.contains("1 postback left out"), "{shown}");
    let done = said(&ledger, &format!("{line} --decided --yes")).await;
    assert!(done.contains("2 postbacks resent"), "{done}");
}
