//! `refgate reconcile`: the ledger against a network's report, and what the report answers.

use std::path::Path;

use clap::Parser as _;
use refgate::cause::Causes;
use refgate::cli::reconcile::{self, Args};
use refgate::cli::say::Error;
use refgate::ledger::{Ledger, Role};
use refgate::order::{Doubt, Standing};
use refgate::postback::State;
use serde_json::Value;

use super::hand;
use crate::support::config::{Folder, shipped};
use crate::support::sale::{LEASE, NOW, aspire, candidate, later, open, settlement, sqlite};

/// Two days.
const DAYS: u64 = 2 * 24 * 60 * 60;

#[derive(Debug, clap::Parser)]
struct Typed {
    #[command(flatten)]
    args: Args,
}

/// A shop's days: a ledger, and the network's report beside it.
struct Books {
    dir: tempfile::TempDir,
    ledger: Ledger,
}

impl Books {
    /// Orders, entered two days after `NOW`, whose postbacks stand in these states.
    async fn of(orders: &[(&str, &str, State)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let books = Self {
            ledger: open(dir.path(), Role::Run).unwrap(),
            dir,
        };
        for (id, amount, state) in orders {
            books.enter(id, amount, *state).await;
        }
        books
    }

    async fn enter(&self, id: &str, amount: &str, state: State) {
        let mut sale = candidate(id, Some(amount));
        (sale.order.at, sale.sighting.at) = (later(DAYS), later(DAYS));
        if state == State::Held {
            sale.order.standing = Standing::Held(Doubt::Unproven);
            sale.postbacks[0].held = Some((Doubt::Unproven, "so".to_owned()));
        }
        self.ledger.enter(sale).await.unwrap();
        if matches!(state, State::Held | State::Due) {
            return;
        }
        let claimed = self.ledger.claim(&aspire(), later(DAYS), LEASE, 9).await;
        let postback = claimed.unwrap().remove(0);
        let url = "https://network.example/".to_owned();
        let attempt = self.ledger.begin(postback.id, url, NOW).await.unwrap();
        let end = settlement(&postback, attempt, state);
        self.ledger.settle(end).await.unwrap();
    }

    /// What `reconcile` says of a report; the exit's words, if it fails.
    async fn told(&self, report: &str, words: &str, json: bool) -> (String, Option<String>) {
        let path = self.dir.path().join("report.csv");
        std::fs::write(&path, report).unwrap();
        let (out, done) = typed(&self.ledger, &path, words, json).await;
        (out, done.err().map(|error| Causes(&error).to_string()))
    }

    async fn said(&self, report: &str, words: &str) -> String {
        self.told(report, &format!("{PERIOD} {words}"), false)
            .await
            .0
    }

    async fn json(&self, report: &str, words: &str) -> Value {
        let (text, _) = self.told(report, &format!("{PERIOD} {words}"), true).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    async fn state(&self, id: &str) -> State {
        let stories = self.ledger.story(id.to_owned()).await.unwrap();
        stories[0].postbacks[0].postback.state
    }
}

/// The week around.
const PERIOD: &str = "--since 2026-11-22T00:00:00Z --until 2026-11-29T00:00:00Z";

async fn typed(
    ledger: &Ledger,
    report: &Path,
    words: &str,
    json: bool,
) -> (String, Result<(), Error>) {
    let settings = Folder::with(&shipped()).loaded().settings;
    let head = ["refgate", "--network", "aspire", report.to_str().unwrap()];
    let words = head.into_iter().chain(words.split_whitespace());
    let args = Typed::try_parse_from(words).unwrap().args;
    let mut out = Vec::new();
    let done = reconcile::run(&args, (&settings, ledger), &hand(), json, &mut out).await;
    (String::from_utf8(out).unwrap(), done)
}

fn squeezed(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

const ORDERS: [(&str, &str, State); 9] = [
    ("same", "25.00", State::Accepted),
    ("split", "30.00", State::Duplicate),
    ("missing", "40.00", State::Accepted),
    ("doubled", "50.00", State::Accepted),
    ("differs", "60.00", State::Accepted),
    ("reversed", "70.00", State::Accepted),
    ("open", "80.00", State::Unclear),
    ("gone", "90.00", State::Unclear),
    ("rejected", "10.00", State::Rejected),
];

const REPORT: &str = "\
Order ID,Sale Amount,Affiliate ID,Status
same,25.00,123456,approved
split,10.00,123456,approved
split,20.00,123456,pending
doubled,50.00,123456,approved
doubled,50.00,123456,approved
differs,59.99,7,approved
reversed,70.00,123456,rejected
open,80.00,123456,pending
theirs,5.00,9,approved
rejected,10.00,123456,rejected
";

#[tokio::test]
async fn it_tells_what_is_missing_doubled_unknown_and_differing() {
    let books = Books::of(&ORDERS).await;
    let (said, exit) = books.told(REPORT, PERIOD, false).await;
    let said = squeezed(&said);
    for part in [
        "aspire, from 2026-11-22T00:00:00Z to 2026-11-29T00:00:00Z: 8 orders in 10 rows of the report",
        "2 the same, 1 counted by neither",
        "1 missing, 40.00 USD: the network answered",
        "missing 3 accepted 40.00 USD",
        "1 doubled, 50.00 USD: ",
        "doubled 4 accepted 50.00 USD 100.00 USD 5 2 rows there",
        "1 unknown, 5.00 USD: ",
        "theirs 5.00 USD 10 never seen",
        "2 differing, 130.00 USD: ",
        "differs 5 accepted 60.00 USD 59.99 USD 7 the amount; the affiliate: 123456 here, 7 there",
        "reversed 6 accepted 70.00 USD 8 accepted here, not counted there",
        "1 answered, 80.00 USD: ",
        "open 7 unclear 80.00 USD 80.00 USD 9 the network counts it",
        "1 unanswered, 90.00 USD: ",
        "gone 8 unclear 90.00 USD",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert_eq!(
        exit.unwrap(),
        "the report and the ledger differ: 7 findings"
    );

    let json = books.json(REPORT, "").await;
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 7);
    let doubled = findings
        .iter()
        .find(|one| one["kind"] == "doubled")
        .unwrap();
    assert_eq!(doubled["there_amount"], "100.00");
    assert_eq!((&doubled["rows"], &doubled["line"]), (&2.into(), &5.into()));
    assert_eq!(json["summary"]["same"], 2);
    assert_eq!(json["summary"]["findings"]["missing"]["count"], 1);
    assert_eq!(
        json["summary"]["findings"]["missing"]["worth"]["USD"],
        "40.00"
    );

    let csv = books.said(REPORT, "--csv").await;
    let mut rows = csv.lines();
    assert!(
        rows.next()
            .unwrap()
            .starts_with("kind,order,postback,state,entered,")
    );
    let missing = rows.find(|row| row.starts_with("\"missing\"")).unwrap();
    assert_eq!(
        missing,
        "\"missing\",\"missing\",3,\"accepted\",\"2026-11-25T00:00:00Z\",\"40.00\",\"USD\",\"123456\",,,,0,,,false,\"\""
    );
}

#[tokio::test]
async fn its_rows_are_decided_on_in_a_spreadsheet() {
    let books = Books::of(&ORDERS).await;
    let csv = books.said(REPORT, "--csv").await;
    let rows = csv.lines().map(|row| match row.split(',').next() {
        Some("kind") => format!("{row},action,reason"),
        Some("\"answered\"") => format!("{row},accept,November"),
        Some("\"differing\"") => format!("{row},reject,November"),
        _ => format!("{row},,"),
    });
    let path = books.dir.path().join("found.csv");
    std::fs::write(&path, rows.collect::<Vec<_>>().join("\n")).unwrap();
    let line = format!("postbacks import {} --yes", path.display());
    let told = super::said(&books.ledger, &line).await;
    assert!(
        told.contains("1 postback accepted (November): 80.00 USD"),
        "{told}"
    );
    assert!(
        told.contains("2 postbacks rejected (November): 130.00 USD"),
        "{told}"
    );
    assert_eq!(books.state("open").await, State::Accepted);
    assert_eq!(books.state("reversed").await, State::Rejected);
}

#[tokio::test]
async fn what_agrees_exits_with_nothing_to_say() {
    let books = Books::of(&ORDERS[..2]).await;
    let report = "order,amount\nsame,$25\nsplit,10\nsplit,20\n";
    let (said, exit) = books.told(report, PERIOD, false).await;
    assert_eq!(exit, None, "{said}");
    assert!(said.contains("it has no affiliates: these are not compared"));
    let json = books.json(report, "").await;
    assert_eq!(json["findings"], Value::Array(Vec::new()));

    // A third of a cent never reaches the network.
    books.enter("third", "33.333", State::Accepted).await;
    let report = format!("{report}third,33.33\n");
    assert_eq!(books.told(&report, PERIOD, false).await.1, None);
}

#[tokio::test]
async fn what_the_network_should_not_have_is_told_with_its_state() {
    let books = Books::of(&[
        ("r", "3.00", State::Rejected),
        ("d", "1.00", State::Due),
        ("h", "2.00", State::Held),
    ])
    .await;
    let mut organic = candidate("o", Some("5.00"));
    (organic.order.standing, organic.order.click) = (Standing::Organic, None);
    organic.order.why = "no click came with it".to_owned();
    organic.postbacks.clear();
    books.ledger.enter(organic).await.unwrap();
    let ids = vec!["old".parse().unwrap()];
    let namespace = "demo".parse().unwrap();
    books.ledger.learn(namespace, ids, NOW).await.unwrap();
    let report = "order,amount\nd,1.00\nh,2.00\nr,3.00\no,5.00\nold,6.00\n1.00E+12,6.00\n";
    let said = squeezed(&books.said(report, "").await);
    for part in [
        "d 2 due 1.00 USD 1.00 USD 2 due here, counted there",
        "h 3 held 2.00 USD 2.00 USD 3 held here, counted there",
        "r 1 rejected 3.00 USD 3.00 USD 4 rejected here, counted there",
        "o 5.00 USD 5 organic: no click came with it",
        "old 6.00 USD 6 known without its row since 2026-11-23T00:00:00Z (imported)",
        "1.00E+12 6.00 USD 7 never seen; a spreadsheet has rewritten this id",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
}

#[tokio::test]
async fn an_order_is_found_by_any_of_its_ids_and_of_any_time() {
    let books = Books::of(&[]).await;
    let mut sale = candidate("long-token", Some("25.00"));
    sale.order.aliases = vec!["1001".parse().unwrap()];
    books.ledger.enter(sale).await.unwrap();
    let claimed = books.ledger.claim(&aspire(), NOW, LEASE, 9).await.unwrap();
    let attempt = books.ledger.begin(claimed[0].id, "x".to_owned(), NOW).await;
    let end = settlement(&claimed[0], attempt.unwrap(), State::Accepted);
    books.ledger.settle(end).await.unwrap();
    // It was entered before the period, in which it is listed under its other id.
    let words = "--since 2026-11-24T00:00:00Z --until 2026-11-25T00:00:00Z";
    let (said, exit) = books.told("order,amount\n1001,25.00\n", words, false).await;
    assert_eq!(exit, None, "{said}");
    // A period in which nothing is missing.
    let (said, exit) = books.told("order,amount\n", words, false).await;
    assert_eq!(exit, None, "{said}");
    let (said, exit) = books.told("order,amount\n", PERIOD, false).await;
    assert!(exit.is_some() && said.contains("1 missing"), "{said}");
}

#[tokio::test]
async fn it_settles_what_the_report_answers_when_it_is_told_to() {
    let books = Books::of(&ORDERS).await;
    books.enter("no", "15.00", State::Unclear).await;
    let report = format!("{REPORT}no,15.00,123456,rejected\n");
    let said = books.said(&report, "--settle --resend --force").await;
    assert!(
        said.contains("Would be settled: 1 accepted, 1 rejected, 1 resent. Nothing was done."),
        "{said}"
    );
    for id in ["open", "gone", "no"] {
        assert_eq!(books.state(id).await, State::Unclear);
    }
    let (_, exit) = books.told(&report, "--settle --yes", false).await;
    assert_eq!(
        exit.unwrap(),
        "--yes needs a --reason, which is kept with each change"
    );

    let words = "--settle --yes --reason november --actor bob";
    let said = books.said(&report, words).await;
    assert!(
        said.contains("Settled: 1 accepted, 1 rejected, 0 resent."),
        "{said}"
    );
    assert_eq!(books.state("open").await, State::Accepted);
    assert_eq!(books.state("no").await, State::Rejected);
    assert_eq!(books.state("gone").await, State::Unclear);
    let story = books
        .ledger
        .story("open".to_owned())
        .await
        .unwrap()
        .remove(0);
    let last = story.history.last().unwrap();
    assert_eq!(last.cause.as_deref(), Some("the network has it: november"));
    assert_eq!(last.actor.as_ref().unwrap().as_str(), "bob");

    // Nobody here knows `theirs`: it may be the one that is gone, with its id written otherwise.
    let json = books.json(&report, "--resend --yes --reason asked").await;
    let settled = &json["settled"];
    assert_eq!(
        (&settled["resent"], &settled["withheld"]),
        (&serde_json::json!([]), &1.into())
    );
    assert_eq!(books.state("gone").await, State::Unclear);
    let json = books
        .json(&report, "--resend --force --yes --reason asked")
        .await;
    assert_eq!(json["settled"]["done"], true);
    assert_eq!(json["settled"]["resent"], serde_json::json!([8]));
    assert_eq!(books.state("gone").await, State::Due);
}

#[tokio::test]
async fn what_the_report_may_not_cover_is_not_sent_again() {
    let books = Books::of(&[("gone", "90.00", State::Unclear)]).await;
    let near = "--since 2026-11-24T12:00:00Z --until 2026-11-29T00:00:00Z";
    let empty = "order,amount\n";
    let ends = "order,amount,date\nx,1.00,2026-11-23\nx,1.00,2026-11-25 12:00\n";
    let begins = "order,amount,date\nx,1.00,2026-11-24 12:00\nx,1.00,2026-11-28\n";
    for (report, period) in [
        (empty, near),
        (
            empty,
            "--since 2026-11-22T00:00:00Z --until 2026-11-25T12:00:00Z",
        ),
        (ends, PERIOD),
        (ends, ""),
        (begins, PERIOD),
    ] {
        let words = format!("{period} --resend --force --yes --reason x");
        let (said, exit) = books.told(report, &words, false).await;
        assert!(
            said.contains("1 not in the report are not sent again"),
            "{said}"
        );
        assert!(said.contains("Settled: 0 accepted, 0 rejected, 0 resent."));
        assert!(exit.is_some());
        assert_eq!(books.state("gone").await, State::Unclear);
    }
    let (_, exit) = books.told(empty, "", false).await;
    assert!(exit.unwrap().starts_with("of which time is the report?"));
}

#[tokio::test]
async fn nothing_is_sent_again_while_a_row_may_be_its_own() {
    for (rows, sent) in [
        ("1.00123E+11,25.00,1,2026-11-24\n", false),
        (",25.00,1,2026-11-24\n", false),
        (",25.00,,\nTotal,25.00,,\n", true),
        ("", true),
    ] {
        let books = Books::of(&[
            ("100123456789", "25.00", State::Unclear),
            ("same", "30.00", State::Accepted),
        ])
        .await;
        let report = format!(
            "order,amount,aff_id,date\nsame,30.00,123456,2026-11-23\n{rows}same,,123456,2026-11-28\n"
        );
        let said = books.said(&report, "--resend --yes --reason x").await;
        let state = books.state("100123456789").await;
        assert_eq!(
            state,
            if sent { State::Due } else { State::Unclear },
            "{rows}"
        );
        let told = "1 not in the report are not sent again: 1 rows of it have no order id";
        assert_eq!(said.contains(told), !sent, "{rows}: {said}");
    }
}

#[tokio::test]
async fn another_affiliates_row_answers_nothing() {
    let books = Books::of(&[("open", "80.00", State::Unclear)]).await;
    let report = "order,amount,aff_id\nopen,80.00,9\n";
    let said = books
        .said(report, "--settle --resend --yes --reason x")
        .await;
    assert!(
        said.contains("the affiliate: 123456 here, 9 there"),
        "{said}"
    );
    assert_eq!(books.state("open").await, State::Unclear);
}

#[tokio::test]
async fn a_report_that_cannot_be_read_as_a_whole_settles_nothing() {
    let books = Books::of(&[("open", "80.00", State::Unclear)]).await;
    for (report, words) in [
        (
            "order,amount\nopen,80.00\nx,many\n",
            "line 3: \"many\" is no amount",
        ),
        (
            "order,status\nopen,approved\nx,odd\n",
            "statuses that are not known: \"odd\"",
        ),
        ("order,amount\nopen,80.00\nx\n", "line 3 has 1 cells"),
    ] {
        let all = format!("{PERIOD} --settle --yes --reason x");
        let (said, exit) = books.told(report, &all, false).await;
        assert_eq!(said, "");
        let exit = exit.unwrap();
        assert!(
            exit.contains(words) && exit.contains("report.csv"),
            "{exit}"
        );
        assert_eq!(books.state("open").await, State::Unclear);
    }
}

#[tokio::test]
async fn one_id_of_two_namespaces_is_two_orders() {
    let books = Books::of(&[("1001", "25.00", State::Accepted)]).await;
    let mut other = candidate("1001", Some("30.00"));
    (other.order.at, other.sighting.at) = (later(DAYS), later(DAYS));
    other.sighting.key.namespace = "other".parse().unwrap();
    other.order.key = other.sighting.key.clone();
    books.ledger.enter(other).await.unwrap();
    let claimed = books.ledger.claim(&aspire(), later(DAYS), LEASE, 9).await;
    let second = claimed.unwrap().remove(0);
    let attempt = books.ledger.begin(second.id, "x".to_owned(), NOW).await;
    let end = settlement(&second, attempt.unwrap(), State::Unclear);
    books.ledger.settle(end).await.unwrap();

    // Nobody can say which of them the one row is, so none is settled by it.
    let one = "order,amount,status\n1001,30.00,approved\n";
    let said = squeezed(&books.said(one, "--settle").await);
    let words = "2 orders here go by this id, 1 rows there; the amount";
    assert!(said.contains(words), "{said}");
    assert!(said.contains("Would be settled: 0 accepted"), "{said}");
    let refused = "order,amount,status\n1001,30.00,rejected\n";
    let said = squeezed(&books.said(refused, "--settle").await);
    let words = "2 orders here go by this id, 1 rows there, not counted";
    assert!(said.contains(words), "{said}");
    assert!(said.contains("0 accepted, 0 rejected"), "{said}");
    // A row that the network refused, as its second, is none of them.
    let both = format!("{one}1001,25.00,pending\n1001,25.00,duplicate\n");
    let (said, _) = books
        .told(&both, &format!("{PERIOD} --settle"), false)
        .await;
    assert!(said.contains("Would be settled: 1 accepted"), "{said}");
    assert!(
        !said.contains("doubled") && !said.contains("differing"),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_asked_for_by_halves_is_refused() {
    let books = Books::of(&[]).await;
    let report = "order,amount\n";
    let (_, exit) = books
        .told(report, &format!("{PERIOD} --yes --reason x"), false)
        .await;
    assert_eq!(
        exit.unwrap(),
        "--yes to what? say --settle, --resend or both"
    );
    let (_, exit) = books.told(report, &format!("{PERIOD} --csv"), true).await;
    assert_eq!(
        exit.unwrap(),
        "--csv and --json are two forms of one answer"
    );
    let words = [
        "refgate",
        "--network",
        "aspire",
        "r.csv",
        "--csv",
        "--resend",
    ];
    assert!(Typed::try_parse_from(words).is_err());
}

#[tokio::test]
async fn the_exit_code_says_whether_anything_differs() {
    let folder = Folder::with(&shipped());
    let home = folder.path("");
    let ledger = sqlite(&home, Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    drop(ledger);
    let refgate = |report: &str| {
        std::fs::write(folder.path("report.csv"), report).unwrap();
        let mut refgate = std::process::Command::new(env!("CARGO_BIN_EXE_refgate"));
        let words = ["reconcile", "report.csv", "--network", "aspire", "--until"];
        let output = refgate
            .current_dir(&home)
            .args(words)
            .arg("2026-12-01T00:00:00Z")
            .output();
        output.unwrap().status.code()
    };
    assert_eq!(refgate("order,amount\n"), Some(0));
    assert_eq!(
        refgate("order,amount\n1001,25.00\n"),
        Some(2),
        "it is only due"
    );
    assert_eq!(refgate("order,amount\n1001,many\n"), Some(1));
}
