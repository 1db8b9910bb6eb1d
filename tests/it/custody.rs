//! The ledger's custody as an operator has it: the real binary, its commands beside it.

use std::net::TcpListener;
use std::process::Output;

use serde_json::Value;

use crate::support::daemon::{Daemon, Start};
use crate::support::shop::{HTML, Shop, page};
use crate::support::wire::Wire;

fn config(shop: &Shop, more: &str) -> String {
    let base = include_str!("support/front.yaml")
        .replace("SHOP", &shop.addr().to_string())
        .replace("NETWORK", "127.0.0.1:1");
    format!("{base}\n{more}\n")
}

fn shop() -> Shop {
    Shop::new(|_| page(HTML, "twelve bytes"))
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

/// A command's exit code and its words.
fn command(daemon: &Daemon, words: &[&str]) -> (Option<i32>, String) {
    let output = daemon.command(words);
    (output.status.code(), said(&output))
}

fn health(address: std::net::SocketAddr) -> Value {
    let mut operator = Wire::to(address);
    operator.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    serde_json::from_str(&operator.message(false).text()).unwrap()
}

#[test]
fn a_ledger_in_the_place_of_another_waits_for_the_operators_word() {
    let shop = shop();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = admin.local_addr().unwrap();
    let text = config(&shop, &format!("admin: {address}"));
    // What was seen of the ledger that was here.
    let witness = r#"{"at":1795392000000,"facts":{"ledger":"00112233445566778899aabbccddeeff","accepted":1,"runs":3,"changes":9,"attempt":null,"order":null}}"#;
    let before = move |folder: &std::path::Path| {
        std::fs::create_dir(folder.join("spool")).unwrap();
        std::fs::write(folder.join("spool/ledger.witness"), witness).unwrap();
    };
    let mut daemon = Start::default().socket(admin).before(before).run(&text, 1);
    let line = daemon.says("ledger_replaced");
    assert!(line.contains("refgate ledger accept"), "{line}");
    let health_now = health(address);
    assert_eq!(health_now["status"], "ok", "shoppers are served");
    let held = health_now["ledger_not_accepted"].as_str().unwrap();
    assert!(held.contains("another one"), "{held}");

    let (code, words) = command(&daemon, &["ledger", "check"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("not accepted: it is another one"), "{words}");
    let (code, words) = command(&daemon, &["ledger", "accept", "--reason", " "]);
    assert_eq!(code, Some(64), "{words}");
    let accept = ["ledger", "accept", "--reason", "moved", "--actor", "anna"];
    let (code, words) = command(&daemon, &accept);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("Accepted, although it is another one"),
        "{words}"
    );
    daemon.says("the ledger is accepted");
    assert_eq!(health(address)["ledger_not_accepted"], Value::Null);
    let (code, words) = command(&daemon, &accept);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("nothing to accept"), "{words}");

    let ledger = rusqlite::Connection::open(daemon.folder.path().join("refgate.db")).unwrap();
    let sql = "SELECT actor || ' ' || verb || ' ' || reason FROM actions";
    let recorded: String = ledger.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(recorded, "anna accept-ledger moved");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn the_ledger_is_looked_after_while_it_is_run_on() {
    let shop = shop();
    let daemon = Start::default().run(&config(&shop, ""), 1);
    let folder = daemon.folder.path().to_owned();
    let (code, words) = command(&daemon, &["ledger", "check"]);
    assert_eq!((code, words.as_str()), (Some(0), "The ledger is sound.\n"));
    let copy = folder.join("copy.db").display().to_string();
    let (code, words) = command(&daemon, &["ledger", "backup", &copy]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("0 orders, sound"), "{words}");
    let (code, words) = command(&daemon, &["ledger", "backup", &copy]);
    assert_eq!(code, Some(1), "{words}");
    let (code, words) = command(&daemon, &["ledger", "compact"]);
    assert_eq!(code, Some(0), "{words}");
    let (code, words) = command(&daemon, &["ledger", "downgrade", "--yes"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("in use by another refgate"), "{words}");

    std::fs::write(
        folder.join("old.csv"),
        "number,total\n1001,25\n\"1002\",30\n",
    )
    .unwrap();
    let file = folder.join("old.csv").display().to_string();
    let import = [
        "orders",
        "import-known",
        &file,
        "--column",
        "number",
        "--store",
        "us",
    ];
    let (code, words) = command(&daemon, &import);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.starts_with("2 orders of "), "{words}");
    let (code, words) = command(&daemon, &["explain", "1002"]);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("known since") && words.contains("imported"),
        "{words}"
    );
    let (code, words) = command(&daemon, &["orders"]);
    assert_eq!((code, words.as_str()), (Some(0), "no orders\n"));

    let broken = rusqlite::Connection::open(folder.join("refgate.db")).unwrap();
    broken
        .execute_batch("DELETE FROM meta WHERE key = 'created_at'")
        .unwrap();
    let (code, words) = command(&daemon, &["ledger", "check"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("created_at"), "{words}");
}

#[test]
fn staging_does_not_run_on_the_shops_ledger() {
    let shop = shop();
    let text = config(&shop, "");
    let daemon = Start::default().run(&text, 1);
    let folder = daemon.folder.path().to_owned();
    let ledger = folder.join("refgate.db").display().to_string();
    // The same shop by other hosts, on the file of the one that runs: a tool of it may look, and not write.
    let staging = text.replace(".test", ".staging.test");
    let file = folder.join("staging.yaml");
    std::fs::write(
        &file,
        format!("{staging}\nledger: {{ path: \"{ledger}\" }}\n"),
    )
    .unwrap();
    let file = file.display().to_string();
    let ids = folder.join("ids");
    std::fs::write(&ids, "1001\n").unwrap();
    let ids = ids.display().to_string();
    let refgate = |words: &[&str]| {
        let mut refgate = std::process::Command::new(env!("CARGO_BIN_EXE_refgate"));
        let output = refgate
            .args(["--config", &file])
            .args(words)
            .output()
            .unwrap();
        (output.status.code(), said(&output))
    };
    let (code, words) = refgate(&["orders", "import-known", &ids, "--store", "us"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("not this configuration's"), "{words}");
    let (code, words) = refgate(&["ledger", "check"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("staging.test"), "{words}");
    assert_eq!(daemon.end(), Some(0));
}
