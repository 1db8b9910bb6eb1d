//! Another configuration, while shoppers are served.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

use refgate::ledger::Role;
use rustix::process::Signal;

use crate::support::daemon::{Daemon, Start};
use crate::support::front::get;
use crate::support::sale::{candidate, sqlite as open};
use crate::support::shop::{Shop, page};
use crate::support::tls::{Authority, Client};
use crate::support::wire::PATIENCE;

/// A configuration for one store; `more` stands behind it.
fn config(shop: SocketAddr, more: &str) -> String {
    format!(
        "listen: 127.0.0.1:0
workers: 2
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
{more}
"
    )
}

/// A shop that answers with its name.
fn named(name: &'static str) -> Shop {
    Shop::new(move |_| page("", name))
}

fn run(text: &str) -> Daemon {
    Start::default().run(text, 1)
}

/// With an admin listener; where it is.
fn run_with_admin(text: impl Fn(SocketAddr) -> String) -> (Daemon, SocketAddr) {
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = admin.local_addr().unwrap();
    let daemon = Start::default().socket(admin).run(&text(address), 1);
    (daemon, address)
}

#[test]
fn a_hangup_swaps_the_configuration_and_cuts_nobody_off() {
    // Holds its answer to /slow, and echoes what comes behind a switch.
    let (asked, is_asked) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let old = Shop::playing(move |wire, request| {
        if request.start.contains("/switch") {
            wire.say(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
            );
            while !wire.is_over() {
                let bytes = wire.ahead_or_one(100);
                wire.say(bytes);
            }
            return false;
        }
        if request.start.contains("/slow") {
            asked.send(()).unwrap();
            gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        wire.say(page("", "old"));
        true
    });
    let new = named("new");
    let mut daemon = run(&config(old.addr(), ""));

    let mut kept = daemon.connect();
    kept.say(get("/", ""));
    assert_eq!(kept.message(false).text(), "old");
    let mut tunnel = daemon.connect();
    tunnel.say(get("/switch", "Connection: Upgrade\r\nUpgrade: echo\r\n"));
    assert_eq!(tunnel.message(false).status(), 101);
    let mut slow = daemon.connect();
    slow.say(get("/slow", ""));
    is_asked.recv_timeout(PATIENCE).unwrap();

    daemon.rewrite(&config(new.addr(), "timeouts: { body: 50s }"));
    daemon.signal(Signal::HUP);
    daemon.says("reloaded: stores 1, rules 0");

    kept.say(get("/", ""));
    assert_eq!(kept.message(false).text(), "new", "the same connection");
    tunnel.say("still here");
    assert_eq!(tunnel.exactly(10), b"still here");
    go.send(()).unwrap();
    assert_eq!(slow.message(false).text(), "old", "it began before");
    drop(tunnel);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_file_with_faults_changes_nothing_and_says_so() {
    let shop = named("old");
    let text = |admin: SocketAddr| config(shop.addr(), &format!("admin: {admin}"));
    let (mut daemon, admin) = run_with_admin(text);
    let ask = |daemon: &Daemon| {
        let mut client = daemon.connect();
        client.say(get("/", ""));
        client.message(false).text()
    };

    daemon.rewrite(
        &text(admin).replace("currency: USD\n    number", "currency: dollars\n    number"),
    );
    let told = daemon.command(&["reload"]);
    let words = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(1));
    assert!(
        words.contains("the configuration before stays in force"),
        "{words}"
    );
    assert!(
        words.contains("stores.us.currency: found \"dollars\""),
        "{words}"
    );
    daemon.says("stores.us.currency: found");
    assert_eq!(ask(&daemon), "old");

    // A fault that the asker itself meets first.
    daemon.rewrite("admin: [");
    let told = daemon.command(&["reload"]);
    assert_eq!(told.status.code(), Some(64));
    assert_eq!(ask(&daemon), "old");

    daemon.rewrite(&text(admin));
    let told = daemon.command(&["reload"]);
    let words = String::from_utf8(told.stdout).unwrap();
    assert_eq!(
        (told.status.code(), words.as_str()),
        (Some(0), "reloaded: stores 1, rules 0, warnings 1\n")
    );

    // Once for each: counted, and by nobody's browser.
    let mut client = crate::support::wire::Wire::to(admin);
    client.say("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let metrics = client.message(false).text();
    for line in ["refgate_reloads_total 1", "refgate_reloads_refused_total 1"] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{metrics}");
    }
    let mut browser = crate::support::wire::Wire::to(admin);
    browser.say("POST /reload HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(browser.message(false).status(), 403);
}

#[test]
fn what_only_a_restart_can_change_is_refused_by_name() {
    let (old, new) = (named("old"), named("new"));
    let mut daemon = run(&config(old.addr(), ""));
    let text = config(
        new.addr(),
        "limits: { readers: 3, connections: 100 }\nledger: { path: other.db }",
    );
    daemon.rewrite(&text.replace("workers: 2", "workers: 3"));
    daemon.signal(Signal::HUP);
    let words = daemon.says("not reloaded");
    let keys = "only a restart can change workers, limits.connections, limits.readers, ledger";
    assert!(words.contains(keys), "{words}");
    let mut client = daemon.connect();
    client.say(get("/", ""));
    assert_eq!(client.message(false).text(), "old");

    daemon.rewrite(&config(new.addr(), "cookie: { key_file: other.key }"));
    daemon.signal(Signal::HUP);
    let words = daemon.says("not reloaded");
    assert!(words.contains("there is no key file"), "{words}");
    assert!(!daemon.folder.path().join("other.key").exists());
}

#[test]
fn a_network_with_postbacks_to_be_sent_cannot_be_left_out() {
    let shop = named("shop");
    let sell = |folder: &Path| {
        let ledger = open(folder, Role::Run).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime
            .block_on(ledger.enter(candidate("1001", Some("25.00"))))
            .unwrap();
    };
    // Nobody listens there, so it stays due.
    let mut daemon = Start::default()
        .before(sell)
        .run(&config(shop.addr(), ""), 1);
    daemon.says("network did not answer");
    daemon.rewrite(&config(shop.addr(), "").replace("aspire:", "other:"));
    daemon.signal(Signal::HUP);
    let words = daemon.says("not reloaded");
    assert!(
        words.contains("the network `aspire` is left out"),
        "{words}"
    );
}

#[test]
fn a_file_that_is_watched_is_read_when_it_has_changed() {
    let (old, new) = (named("old"), named("new"));
    let mut daemon = run(&config(old.addr(), "reload: { watch: true }"));
    let mut client = daemon.connect();
    client.say(get("/", ""));
    assert_eq!(client.message(false).text(), "old");
    daemon.rewrite(&config(new.addr(), "reload: { watch: true }"));
    daemon.says("reloaded");
    client.say(get("/", ""));
    assert_eq!(client.message(false).text(), "new");
}

#[test]
fn other_certificates_are_shown_from_the_next_handshake_on() {
    let shop = named("shop");
    let authority = Authority::new();
    let (first, second) = (authority.sign(&["us.test"]), authority.sign(&["us.test"]));
    let text = |name: &str| {
        let tls =
            format!("tls: {{ certificates: [{{ certificate: {name}.crt, key: {name}.key }}] }}");
        let text = config(shop.addr(), &tls);
        text.replace(
            "listen: 127.0.0.1:0",
            "listen: { address: 127.0.0.1:0, tls: true }",
        )
    };
    let leaves = [first.leaf.clone(), second.leaf.clone()];
    let write = move |folder: &Path| {
        first.write(folder, "first");
        second.write(folder, "second");
    };
    let mut daemon = Start::default().before(write).run(&text("first"), 1);
    let mut kept = Client::any().open(daemon.addresses[0], "us.test").unwrap();
    assert!(kept.leaf == leaves[0]);

    // A fault keeps all as it is.
    daemon.rewrite(&text("third"));
    daemon.signal(Signal::HUP);
    daemon.says("not reloaded");
    let same = Client::any().open(daemon.addresses[0], "us.test").unwrap();
    assert!(same.leaf == leaves[0]);

    daemon.rewrite(&text("second"));
    daemon.signal(Signal::HUP);
    daemon.says("reloaded: stores");
    let next = Client::any().open(daemon.addresses[0], "us.test").unwrap();
    assert!(next.leaf == leaves[1]);
    kept.wire.say(get("/", ""));
    assert_eq!(kept.wire.message(false).text(), "shop");
}
