//! The binary of the version before, on a ledger that was taken back for it.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use refgate::ledger::{Ledger, Role, Story};
use refgate::order::Doubt;
use refgate::postback::State;
use rustix::process::{Pid, Signal, kill_process};

use super::{filled, settings, stories};
use crate::ledger::known::demo;
use crate::support::front::eventually;
use crate::support::postgres;
use crate::support::sale::open;
use crate::support::shop::{HTML, Shop, response};

/// The binary, with its configuration.
struct Before {
    binary: String,
    config: PathBuf,
}

impl Before {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&self.config).args(words);
        command
    }

    fn says(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let bytes = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(output.status.success(), "{words:?}: {text}");
        text
    }

    /// It shows every order and postback.
    fn shows(&self, told: &[Story]) {
        let orders = self.says(&["orders", "--limit", "1000"]);
        self.says(&["postbacks", "list"]);
        for story in told {
            let id = story.order.key.id.to_string();
            assert!(orders.contains(&id), "{id} is not in {orders}");
            let words = self.says(&["explain", &id]);
            assert!(words.contains(&format!("/{id}")), "{words}");
        }
    }

    /// It runs until `done`, and ends in order.
    fn runs(&self, done: impl FnMut() -> Option<()>) {
        let log = self.config.with_file_name("log");
        let file = File::create(&log).unwrap();
        let mut run = self.command(&["run"]);
        run.stdout(file.try_clone().unwrap()).stderr(file);
        let mut running = run.spawn().unwrap();
        let done = eventually(done);
        kill_process(Pid::from_child(&running), Signal::TERM).unwrap();
        let ended = running.wait().unwrap();
        let log = std::fs::read_to_string(log).unwrap();
        let is_well = ended.success() && !log.contains("panic");
        assert!(done.is_some() && is_well, "{log}");
    }
}

/// Where an order's postbacks stand.
fn states(story: &Story) -> Vec<(State, Option<Doubt>)> {
    let postbacks = story.postbacks.iter().map(|told| &told.postback);
    postbacks.map(|one| (one.state, one.doubt)).collect()
}

/// `REFGATE_BEFORE` is a binary of version 2 (PostgreSQL: 1), built from the last commit that had it: 6116cd5.
#[tokio::test]
#[ignore = "needs a refgate of the version before: REFGATE_BEFORE"]
async fn it_runs_on_what_this_one_wrote() {
    let binary = postgres::variable("REFGATE_BEFORE").expect("REFGATE_BEFORE names no binary");
    let (dir, told) = filled().await;
    let settings = settings(dir.path());
    Ledger::step_back(&settings, true).await.unwrap();
    let network = Shop::new(|_request| response("200 OK", HTML, "success=true;"));
    let ledger = match postgres::of(dir.path()) {
        Some(url) => format!("url: '{url}'"),
        None => format!("path: '{}'", dir.path().join("refgate.db").display()),
    };
    let config = CONFIG
        .replace("NETWORK", &network.addr().to_string())
        .replace("LEDGER", &ledger)
        .replace("DIR", &dir.path().display().to_string());
    let file = dir.path().join("before.yaml");
    std::fs::write(&file, config).unwrap();
    let before = Before {
        binary,
        config: file,
    };
    before.shows(&told);
    before.runs(|| {
        let asked = network.asked();
        let sent = |id: &str| {
            let told = format!("adv_unique1={id} ");
            asked.iter().any(|it| it.start.contains(&told))
        };
        (sent("due") && sent("webhook")).then_some(())
    });
    before.shows(&told);

    let ledger = open(dir.path(), Role::Run).unwrap();
    let after = stories(&ledger).await;
    assert_eq!(after.len(), told.len());
    for (was, is) in told.iter().zip(&after) {
        let id = was.order.key.id.as_str();
        assert_eq!(is.sightings, was.sightings, "{id}");
        assert_eq!(is.order, was.order, "{id}");
        let expected = match id {
            _ if was.order.key.namespace != demo() => continue,
            "due" => vec![(State::Accepted, None)],
            // It knows no such destination.
            "webhook" => vec![(State::Accepted, None), (State::Held, None)],
            "sending" => vec![(State::Unclear, None)],
            _ => states(was),
        };
        assert_eq!(states(is), expected, "{id}");
    }
    assert_eq!(ledger.pauses().await.unwrap().len(), 1);
    assert_eq!(ledger.known("9001".to_owned()).await.unwrap().len(), 1);
}

/// What the version before is configured by.
const CONFIG: &str = "
listen: 127.0.0.1:0
stores:
  us: { hosts: [us.test], scheme: http, insecure_http: true, upstream: 'http://127.0.0.1:9', currency: USD, number_format: '1,234.56', max_amount: 5000, consent: not_needed, orders: demo }
cookie: { key_file: DIR/refgate.key }
networks:
  aspire:
    click: { affiliate_id: { pattern: '[0-9]{1,12}' } }
    postback: http://NETWORK/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID
    currency: USD
    dedupe: none
    send: true
    answers:
      - { status: 200, body: '^success=true', means: accepted }
rules:
  - name: thank-you
    when: { path: '/checkout/thank-you/{order_id}' }
    read: { order_id: { css: '#order-number' }, total: { css: '#total' } }
    then: order
    amount: total
ledger: { LEDGER }
spool: DIR/spool
";
