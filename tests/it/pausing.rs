//! `refgate pause`, `go` and `status`, beside the one that runs.

use std::net::{SocketAddr, TcpListener};
use std::process::Output;

use refgate::ledger::Role;
use refgate::postback::State;

use crate::support::daemon::{Daemon, Start};
use crate::support::front::{eventually, get, with};
use crate::support::sale::sqlite;
use crate::support::shop::{Shop, ordinary};
use crate::support::wire::Wire;

/// A store, and a network that is not there.
fn config(shop: SocketAddr, admin: SocketAddr) -> String {
    format!(
        "listen: 127.0.0.1:0
admin: {admin}
workers: 1
stores:
  us:
    hosts: [us.test]
    scheme: http
    insecure_http: true
    upstream: http://{shop}
    currency: USD
    number_format: '1,234.56'
    max_amount: 5000
    consent: not_needed
networks:
  aspire:
    click: {{ affiliate_id: '[0-9]{{1,12}}' }}
    postback: http://127.0.0.1:1/aff_lsr?aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID
    currency: USD
    answers: [{{ status: 200, body: success=true, means: accepted }}]
rules:
  - name: thank-you
    when: {{ method: GET, path: '/checkout/thank-you/{{order_id}}', status: 200, content_type: text/html }}
    read:
      order_id: {{ css: '#order-number' }}
      amount: {{ css: '#totals .subtotal td' }}
    then: order
    trust_any_view: true
cookie: {{ min_click_age: 0s }}
deliver: {{ schedule: [10ms, 10ms] }}
"
    )
}

fn start(shop: &Shop) -> (Daemon, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = listener.local_addr().unwrap();
    let text = config(shop.addr(), admin);
    (Start::default().socket(listener).run(&text, 1), admin)
}

fn words(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .concat()
}

fn told(daemon: &Daemon, command: &[&str]) -> String {
    let output = daemon.command(command);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    words(&output)
}

fn asked(admin: SocketAddr, path: &str) -> String {
    let mut wire = Wire::to(admin);
    wire.say(format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n"));
    wire.message(false).text()
}

/// Attempts at the one postback, and where it stands.
fn stands(daemon: &Daemon) -> (State, u32) {
    let ledger = sqlite(daemon.folder.path(), Role::Tool).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let found = runtime.unwrap().block_on(ledger.postback(1));
    found.map_or((State::Due, 0), |told| {
        (told.postback.state, told.postback.attempts)
    })
}

/// The list says that one postback is due, and since when nothing is sent.
fn assert_paused(status: &str) {
    let mut lines = status
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        lines.next().unwrap(),
        ["NAME", "MODE", "DUE", "HELD", "UNCLEAR", "PAUSED"]
    );
    assert_eq!(
        lines.next().unwrap()[..6],
        ["aspire", "live", "1", "0", "0", "since"],
        "{status}"
    );
}

#[test]
fn a_pause_without_a_proper_reason_is_refused() {
    let (daemon, _admin) = start(&ordinary());
    for (reason, expected) in [
        (
            "a wrong offer \u{1b}[31m",
            "a control character in a reason",
        ),
        (" ", "an empty reason"),
    ] {
        let output = daemon.command(&["pause", "aspire", "--reason", reason]);
        let said = words(&output);
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn pausing_needs_no_reload_and_is_seen_everywhere() {
    let shop = ordinary();
    let (daemon, admin) = start(&shop);
    let reason = "a wrong offer id";
    let said = told(
        &daemon,
        &["pause", "aspire", "--actor", "anna", "--reason", reason],
    );
    assert!(
        said.contains("nothing is sent to it until `refgate go aspire`"),
        "{said}"
    );
    let again = told(
        &daemon,
        &["pause", "aspire", "--actor", "bob", "--reason", "so"],
    );
    assert!(
        again.contains("is paused already, since 20")
            && again.contains("by anna: a wrong offer id."),
        "{again}"
    );

    let mut client = daemon.connect();
    client.say(get("/?affiliate_id=123456", ""));
    let cookie = crate::support::front::cookie(&client.message(false)).unwrap();
    client.say(with(&cookie, "/checkout/thank-you/7"));
    assert_eq!(client.message(false).status(), 200);
    assert_paused(&told(&daemon, &["status"]));
    let explained = told(&daemon, &["explain", "7"]);
    assert!(
        explained.contains("  paused   since 20") && explained.contains(" by anna: a wrong"),
        "{explained}"
    );
    assert!(asked(admin, "/metrics").contains("\nrefgate_network_paused{network=\"aspire\"} 1\n"));
    assert!(asked(admin, "/healthz").contains("\"paused\":[\"aspire\"]"));
    assert_eq!(stands(&daemon), (State::Due, 0));

    let gone = told(&daemon, &["go", "aspire", "--actor", "bob"]);
    assert!(gone.contains("is sent to again"), "{gone}");
    assert_eq!(told(&daemon, &["go", "aspire"]), "aspire is not paused.\n");
    let dead = eventually(|| Some(stands(&daemon)).filter(|(state, _)| *state == State::Dead));
    assert_eq!(dead, Some((State::Dead, 3)), "the network is not there");
    assert!(asked(admin, "/metrics").contains("\nrefgate_network_paused{network=\"aspire\"} 0\n"));
    for command in [
        &["pause", "asipre", "--reason", "so"][..],
        &["go", "asipre"],
    ] {
        let output = daemon.command(command);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            words(&output).contains("no network or webhook is called asipre; there are aspire")
        );
    }
    assert_eq!(daemon.end(), Some(0));
}
