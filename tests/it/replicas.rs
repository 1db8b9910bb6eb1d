//! Several replicas on one PostgreSQL database, by the front door; and the shop while the database is away.
//! Without a server each test says that it did not run.

use std::time::{Duration, Instant};

use refgate::event::Event;
use refgate::ledger::Settings;
use refgate::order::{FoundBy, Standing};
use refgate::postback::State;
use tempfile::TempDir;

use crate::support::front::{Front, assert_same, eventually, with};
use crate::support::postgres;
use crate::support::proxy::{Running, run};
use crate::support::relay::{Relay, Way};
use crate::support::shop::{HTML, Shop, ordinary, page, path, thanks};
use crate::support::wire::Wire;

const THANKS: &str = "/checkout/thank-you/7";

/// A short hold: nobody waits here for a database that is away.
const PIECE: &str = "timeouts: { hold: 500ms, drain: 10s }";

/// A database of its own; none without a server.
fn database() -> Option<(TempDir, Settings)> {
    postgres::server()?;
    let dir = tempfile::tempdir().unwrap();
    let url = postgres::of(dir.path()).unwrap();
    Some((dir, postgres::settings(&url)))
}

/// The same, by a relay.
fn relayed(way: Way) -> Option<(TempDir, Relay, Settings)> {
    postgres::server()?;
    let dir = tempfile::tempdir().unwrap();
    let url = postgres::of(dir.path()).unwrap();
    let (user, rest) = url.split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let relay = Relay::to(server.to_owned(), way);
    let url = format!("{user}@{}/{name}", relay.addr);
    Some((dir, relay, postgres::settings(&url)))
}

/// One more process of the same configuration, with a spool of its own.
fn replica(front: &Front) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = front.settings.clone();
    settings.record.spool = folder.path().join("spool");
    run(settings, folder)
}

fn waiting(front: &Front) -> usize {
    front.spool().waiting().unwrap()
}

/// Buys; the page is the shop's, and comes in time.
fn buy(front: &Front, cookie: &str) {
    let request = with(cookie, THANKS);
    let begun = Instant::now();
    let through = front.ask(&request);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_same(&through, &front.direct(&request));
}

/// The order is in the ledger once, and the network was told once.
fn once(front: &Front) {
    front.settled("7", State::Accepted);
    assert_eq!(front.orders().len(), 1);
    assert_eq!(front.calls(1).len(), 1);
}

#[test]
fn what_three_replicas_see_is_one_order_and_one_postback() {
    let Some((_dir, ledger)) = database() else {
        return;
    };
    let front = Front::on(ledger, "", ordinary());
    let others = [replica(&front), replica(&front)];
    let cookie = front.click();
    let request = with(&cookie, THANKS);
    // The cookie is everybody's: the keys are the same.
    let mut wires: Vec<Wire> = others.iter().map(Running::connect).collect();
    wires.push(front.connect());
    for wire in &mut wires {
        wire.say(&request);
    }
    let shops = front.direct(&request);
    for mut wire in wires {
        assert_same(&wire.message(false), &shops);
    }
    assert_eq!(front.story("7").unwrap().seen, 3);
    once(&front);
    let entered = |counters: &refgate::event::Counters| counters.get(Event::OrderEntered);
    let new = entered(&others[0].counters) + entered(&others[1].counters);
    assert_eq!(new + front.count(Event::OrderEntered), 1);
}

/// The US store remembers sessions at its checkout; an order is what comes back from the payment page.
const RETURNS: &str = "stores:
  us:
    hosts: [us.test]
    scheme: http
    insecure_http: true
    upstream: http://SHOP
    currency: USD
    number_format: '1,234.56'
    max_amount: 5000
    consent: not_needed
    session_cookie: sid
    checkout: [/checkout/pay]
rules:
  - name: paid
    when: { method: POST, path: '/pay/return/{order_id}' }
    read: { order_id: { path: order_id }, subtotal: { css: '#totals .subtotal td' } }
    then: order
    amount: subtotal
";

#[test]
fn a_session_noted_by_one_replica_is_known_to_the_others() {
    let Some((_dir, ledger)) = database() else {
        return;
    };
    let shop = Shop::new(|request| match path(request).strip_prefix("/pay/return/") {
        Some(id) => page(HTML, thanks(id)),
        None => page(HTML, "<!doctype html><title>Shop</title>"),
    });
    let front = Front::on(ledger, RETURNS, shop);
    let other = replica(&front);
    let sid = "sid=q8Zk2mJ4xTt0bN1vQwE7rY5u";
    let at_the_checkout = |cookie: &str| {
        let mut wire = other.connect();
        wire.say(with(&format!("{sid}; {cookie}"), "/checkout/pay"));
        wire.message(false);
    };
    let back = |id: &str| {
        let request = format!(
            "POST /pay/return/{id} HTTP/1.1\r\nHost: us.test\r\nCookie: {sid}\r\n\
             Origin: https://pay.example\r\nContent-Length: 0\r\n\r\n"
        );
        assert_same(&front.ask(&request), &front.direct(&request));
        front.story(id).unwrap()
    };
    let cookie = front.click();
    at_the_checkout(&cookie);
    let remembered = || other.counters.get(Event::SessionRemembered);
    assert!(eventually(|| (remembered() == 1).then_some(())).is_some());
    let story = back("7");
    assert_eq!(story.sightings[0].sighting.found_by, FoundBy::Session);
    assert_eq!(story.order.click, front.visit(&cookie).clicks.pop());
    once(&front);

    // Shared there is shared here.
    at_the_checkout(&front.cookie_of(Duration::from_secs(60)));
    assert!(eventually(|| (other.counters.get(Event::SessionShared) == 1).then_some(())).is_some());
    let story = back("8");
    assert_eq!(story.sightings[0].sighting.found_by, FoundBy::SharedSession);
    assert_eq!(story.order.standing, Standing::Organic);
}

#[test]
fn while_the_database_is_away_the_shop_goes_on_and_orders_are_spooled() {
    let Some((_dir, relay, ledger)) = relayed(Way::Pass) else {
        return;
    };
    let front = Front::on(ledger, PIECE, ordinary());
    let cookie = front.click();
    relay.set(Way::Cut);
    front.counted(Event::LedgerAway, 1);
    buy(&front, &cookie);
    front.counted(Event::OrderSpooled, 1);
    buy(&front, &cookie);
    front.counted(Event::OrderSpooled, 2);
    assert_eq!(waiting(&front), 2);
    assert_eq!(front.network.calls(), []);
    // The operator is told of it all the same.
    let (words, done) = front.try_explain("7", false);
    assert_eq!(words.matches("in the spool").count(), 2, "{words}");
    done.unwrap_err();

    relay.set(Way::Pass);
    once(&front);
    assert!(eventually(|| (waiting(&front) == 0).then_some(())).is_some());
    assert_eq!(front.story("7").unwrap().seen, 2);
    // And it goes on as before.
    buy(&front, &cookie);
    assert_eq!(front.story("7").unwrap().seen, 3);
    assert_eq!(front.count(Event::OrderSpooled), 2);
}

#[test]
fn a_database_that_stalls_is_as_one_that_is_away() {
    let Some((_dir, relay, ledger)) = relayed(Way::Pass) else {
        return;
    };
    let front = Front::on(ledger, PIECE, ordinary());
    let cookie = front.click();
    relay.set(Way::Stall);
    buy(&front, &cookie);
    front.counted(Event::OrderSpooled, 1);
    assert_eq!(waiting(&front), 1);
    // Its connections are given up after a while.
    front.counted(Event::LedgerAway, 1);
    relay.set(Way::Pass);
    once(&front);
    assert!(eventually(|| (waiting(&front) == 0).then_some(())).is_some());
}

#[test]
fn a_start_without_the_database_serves_and_spools() {
    let Some((_dir, relay, ledger)) = relayed(Way::Cut) else {
        return;
    };
    let front = Front::on(ledger, PIECE, ordinary());
    front.counted(Event::LedgerAway, 1);
    buy(&front, &front.click());
    front.counted(Event::OrderSpooled, 1);
    relay.set(Way::Pass);
    // The tables are made by the first connection.
    front.counted(Event::OrderEntered, 1);
    once(&front);
    assert!(eventually(|| (waiting(&front) == 0).then_some(())).is_some());
}
