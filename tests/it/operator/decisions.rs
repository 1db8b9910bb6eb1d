//! `postbacks export` and `import`: what is written is understood, and every line is done or named.

use std::path::PathBuf;

use refgate::ledger::{Ledger, Role};
use refgate::order::{Doubt, Standing};
use refgate::postback::State;
use serde_json::Value;

use super::{ledger, run, said, typed};
use crate::support::sale::{candidate, sqlite as open};

/// A ledger of three (accepted, unclear, held), and a folder for files.
struct Desk {
    dir: tempfile::TempDir,
    ledger: Ledger,
}

impl Desk {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            ledger: ledger(dir.path()).await,
            dir,
        }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("decisions");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What `import` says of a file; the exit's words, if it fails.
    async fn import(&self, text: &str, words: &str) -> (String, Option<String>) {
        let path = self.file(text);
        let line = format!("postbacks import {} {words}", path.display());
        let mut out = Vec::new();
        let done = run(&self.ledger, line.trim(), false, &mut out).await;
        let exit = done.err().map(|error| error.to_string());
        (String::from_utf8(out).unwrap(), exit)
    }

    async fn state(&self, id: i64) -> State {
        self.ledger.postback(id).await.unwrap().postback.state
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn postbacks_and_orders_are_written_oldest_first_as_csv_and_as_json() {
    let desk = Desk::new().await;
    let csv = said(&desk.ledger, "postbacks export").await;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[0],
        "id,namespace,order,destination,event,sequence,amount,currency,affiliate,values,state,doubt,cause,at,due,attempts,action,reason"
    );
    assert_eq!(
        lines[1],
        "1,\"demo\",\"1001\",\"aspire\",\"sale\",0,\"25.00\",\"USD\",\"123456\",\"{\"\"affiliate_id\"\":\"\"123456\"\"}\",\"accepted\",,,\"2026-11-23T00:00:00Z\",,1,,"
    );
    let some = said(
        &desk.ledger,
        "postbacks export --state unclear --format json",
    )
    .await;
    let some = json(&some);
    assert_eq!(some.as_array().unwrap().len(), 1);
    assert_eq!(
        (&some[0]["id"], &some[0]["order"]),
        (&2.into(), &"1002".into())
    );
    assert_eq!(some[0]["values"]["affiliate_id"], "123456");
    assert_eq!(some[0]["action"], Value::Null);
    let none = typed(&desk.ledger, "postbacks export --state dead", true).await;
    assert_eq!(json(&none.unwrap()), Value::Array(Vec::new()));

    let csv = said(&desk.ledger, "orders export --standing held").await;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "namespace,order,aliases,at,store,rule,amount,currency,working,standing,doubt,network,affiliate,clicked,why"
    );
    assert_eq!(
        lines[1],
        "\"demo\",\"1003\",\"\",\"2026-11-23T00:00:00Z\",\"us\",\"thank-you\",,,,\"held\",\"unreadable\",\"aspire\",\"123456\",\"2026-11-22T23:50:00Z\",\"last click, of aspire\""
    );
    let all = typed(&desk.ledger, "orders export", true).await.unwrap();
    assert_eq!(json(&all)[2]["doubt"], "unreadable");
}

#[tokio::test]
async fn what_is_exported_is_imported_once_somebody_has_decided() {
    for format in ["csv", "json"] {
        let desk = Desk::new().await;
        let line = format!("postbacks export --format {format}");
        let file = said(&desk.ledger, &line).await;
        let (told, exit) = desk.import(&file, "--yes").await;
        assert_eq!((told.as_str(), exit), ("3 lines ask for nothing\n", None));

        // Decided on: the unclear one is accepted, the held one refused.
        let file = match format {
            "csv" => {
                let mut lines = file.lines().map(str::to_owned).collect::<Vec<_>>();
                let decided = |line: &str, words: &str| {
                    format!("{},{words}", line.strip_suffix(",,").unwrap())
                };
                lines[2] = decided(&lines[2], "accept,\"their report, page 3\"");
                lines[3] = decided(&lines[3], "Refused,a test");
                lines.join("\r\n")
            }
            _ => {
                let mut rows = json(&file);
                rows[1]["action"] = "accept".into();
                rows[1]["reason"] = "their report, page 3".into();
                rows[2]["action"] = "refuse".into();
                rows[2]["reason"] = "a test".into();
                rows.to_string()
            }
        };
        let (told, exit) = desk.import(&file, "").await;
        for part in [
            "1 postback would be accepted (their report, page 3): 30.00 USD",
            "1 postback would be refused (a test)\n",
            "1 lines ask for nothing",
            "Nothing was done. With --yes it is.",
        ] {
            assert!(told.contains(part), "{part:?} is not in\n{told}");
        }
        assert_eq!(exit, None);
        assert_eq!(desk.state(2).await, State::Unclear);

        let (told, exit) = desk.import(&file, "--yes --actor bob").await;
        assert_eq!(exit, None, "{told}");
        assert!(told.contains("1 postback accepted (their report, page 3): 30.00 USD"));
        assert_eq!(desk.state(2).await, State::Accepted);
        assert_eq!(desk.state(3).await, State::Dead);
        let story = said(&desk.ledger, "explain 1002").await;
        let words = "unclear → accepted: the network has it: their report, page 3 (by bob)";
        assert!(story.contains(words), "{story}");

        // Once more: the file is older than the ledger.
        let (told, exit) = desk.import(&file, "--yes").await;
        assert_eq!(exit.unwrap(), "not applied: 2 of 2 decisions");
        let words = "postback 2 was unclear when this was written, and is accepted now";
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn every_line_that_is_not_done_is_named_and_the_others_are_done() {
    let desk = Desk::new().await;
    let text = "\
id,order,state,action,reason
1,,,accept,x
2,9999,,accept,x
,1003,,refuse,x
99,,,accept,x
2,,due,accept,x
2,,odd,accept,x
2,,,explode,x
2,,,accept,
x,,,accept,x
,,,accept,x
2,1002,unclear,cancel,x

2,,,accept,x
3,,,release,x
";
    let (told, exit) = desk.import(text, "--yes").await;
    for part in [
        "line 2: postback 1 is accepted: there is nothing to do",
        "line 3: postback 2 is of order demo/1002, not of this one",
        "line 4: to which network? fill in `destination`, or state --destination",
        "line 5: there is no postback 99",
        "line 6: postback 2 was due when this was written, and is unclear now",
        "line 7: `state` is \"odd\": no state of a postback",
        "line 8: `action` is \"explode\": one of resend, hold,",
        "line 9: no reason: fill in `reason`, or state --reason",
        "line 10: `id` is \"x\": ",
        "line 11: no postback: neither `id` nor `order` is filled in",
        "line 14: postback 2 stands in line 12 already",
        "line 15: postback 3 has no amount",
        "1 postback cancelled (x): 30.00 USD",
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    assert_eq!(exit.unwrap(), "not applied: 12 of 13 decisions");
    assert_eq!(desk.state(2).await, State::Dead);
    assert_eq!(desk.state(3).await, State::Held);
}

#[tokio::test]
async fn a_list_of_orders_gets_one_action_and_one_reason() {
    let desk = Desk::new().await;
    let mut other = candidate("1002", Some("8.00"));
    other.sighting.key.namespace = "other".parse().unwrap();
    other.order.key = other.sighting.key.clone();
    desk.ledger.enter(other).await.unwrap();
    let text = "Order;Namespace\n1001;\n1002;demo\n1002;\n1003;none\n7;\n";
    let words = "--action reject --reason refunded --destination aspire --yes";
    let (told, exit) = desk.import(text, words).await;
    for part in [
        "line 4: 2 postbacks to aspire go by \"1002\": fill in `id`, or `namespace`",
        "line 5: order \"1003\" has no postback to aspire",
        "line 6: no order goes by \"7\"",
        "2 postbacks rejected (refunded): 55.00 USD",
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    assert_eq!(exit.unwrap(), "not applied: 3 of 5 decisions");
    assert_eq!(desk.state(1).await, State::Rejected);
    assert_eq!(desk.state(2).await, State::Rejected);
    let list = said(&desk.ledger, "postbacks list --state rejected").await;
    assert!(
        list.contains("the network does not count it: refunded"),
        "{list}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_used_says_why() {
    let desk = Desk::new().await;
    for (text, words) in [
        ("", "it is empty"),
        (
            "id,reason\n1,x\n",
            "it has no column `action`, only id, reason",
        ),
        (
            "action,reason\nhold,x\n",
            "it has no column `id`, only action, reason",
        ),
        ("id,ID,action\n", "it has two columns `id`"),
        (
            "id,action\n1\n",
            "line 2 has 1 cells where the first line names 2 columns",
        ),
        (
            "[{\"id\": 1,",
            "it is no JSON array with an object for each postback",
        ),
        ("[1]", "it is no JSON array"),
        ("[] []", "it is no JSON array"),
    ] {
        let path = desk.file(text);
        let line = format!("postbacks import {} --yes", path.display());
        let error = typed(&desk.ledger, &line, false).await.unwrap_err();
        let said = refgate::cause::Causes(&error).to_string();
        assert!(
            said.contains(words) && said.contains("cannot use"),
            "{said}"
        );
    }
    let told = desk
        .import("[{\"id\": 2, \"action\": \"accept\"}, {\"id\": 1}]", "")
        .await
        .0;
    assert!(told.contains("entry 1: no reason"), "{told}");
}

#[tokio::test]
async fn ids_that_a_spreadsheet_would_work_out_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let ids = [
        "=HYPERLINK(1)",
        "-5",
        "'=x",
        "'tis",
        "a\"b,c;d\te",
        "0012",
        "1\u{202e}2",
        "＝1",
        "\\u{1b}",
    ];
    let ids = ids.map(|id| id.replace('\t', " "));
    for id in &ids {
        let mut sale = candidate(id, Some("5.00"));
        sale.order.standing = Standing::Held(Doubt::Unproven);
        sale.postbacks[0].held = Some((Doubt::Unproven, "=1+1".to_owned()));
        ledger.enter(sale).await.unwrap();
    }
    for (format, action, state) in [
        ("csv", "release", State::Due),
        ("json", "hold", State::Held),
    ] {
        let line = format!("postbacks export --format {format}");
        let path = dir.path().join("file");
        let text = said(&ledger, &line).await;
        for cell in text.split([',', '\n']) {
            assert!(!cell.starts_with("\"=") && !cell.starts_with('='), "{cell}");
        }
        std::fs::write(&path, text).unwrap();
        let words = format!("--action {action} --reason x --yes");
        let line = format!("postbacks import {} {words}", path.display());
        let told = said(&ledger, &line).await;
        assert!(told.starts_with("9 postbacks "), "{told}");
        for number in 1..10 {
            let told = ledger.postback(number).await.unwrap();
            assert_eq!(told.postback.state, state);
        }
    }
}

#[tokio::test]
async fn the_answer_is_also_json() {
    let desk = Desk::new().await;
    let path = desk.file("id,action,reason\n2,resend,asked\n7,resend,asked\n");
    let line = format!("postbacks import {} --yes", path.display());
    let mut out = Vec::new();
    run(&desk.ledger, &line, true, &mut out).await.unwrap_err();
    let told = json(&String::from_utf8(out).unwrap());
    assert_eq!(told["done"], true);
    assert_eq!(told["actions"][0]["action"], "resend");
    assert_eq!(told["actions"][0]["postbacks"], serde_json::json!([2]));
    assert_eq!(told["actions"][0]["totals"][0]["amount"], "30.00");
    assert_eq!(told["refused"][0]["line"], 3);
    assert_eq!(desk.state(2).await, State::Due);
}
