//! One shop on several machines: who is asked, and what shoppers see when nobody is left.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use refgate::event::Event;
use refgate::store::upstreams::State;

use crate::support::front::{Front, eventually, get};
use crate::support::http2;
use crate::support::message::Message;
use crate::support::shop::{Shop, ordinary, page, path, response};
use crate::support::wire::{PATIENCE, Wire};

/// An address where nobody listens; it is kept from others.
fn dead() -> (SocketAddr, socket2::Socket) {
    let kept = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    kept.bind(&any.into()).unwrap();
    let address = kept.local_addr().unwrap().as_socket().unwrap();
    (address, kept)
}

/// One store before these upstreams; `more` are further keys of it.
fn store(upstreams: &str, more: &str) -> String {
    format!(
        "stores:\n  us:\n    hosts: [us.test]\n    scheme: http\n    insecure_http: true\n    \
         upstream: {upstreams}\n    currency: USD\n    number_format: '1,234.56'\n    \
         max_amount: 5000\n    consent: not_needed\n    orders: test\n    checkout: /checkout\n    {more}\n"
    )
}

/// One store before the front's shop and these others; `more` are further keys of it.
fn front(others: &[SocketAddr], shop_first: bool, more: &str, shop: Shop) -> Front {
    let mut upstreams: Vec<String> = others.iter().map(ToString::to_string).collect();
    upstreams.insert(if shop_first { 0 } else { others.len() }, "SHOP".to_owned());
    let upstreams: Vec<String> = upstreams
        .iter()
        .map(|one| format!("http://{one}"))
        .collect();
    let upstreams = format!("[{}]", upstreams.join(", "));
    Front::with(&store(&upstreams, more), shop)
}

fn named(name: &'static str) -> Shop {
    Shop::new(move |_| page("", name))
}

#[test]
fn each_upstream_is_asked_in_turn() {
    let other = named("other");
    let front = front(&[other.addr()], true, "", named("first"));
    let answers: Vec<String> = (0..4).map(|_| front.ask(get("/", "")).text()).collect();
    assert_eq!(answers, ["first", "other", "first", "other"]);
}

#[test]
fn the_least_busy_upstream_is_asked() {
    let (asked, is_asked) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let slow = Shop::new(move |_| {
        asked.send(()).unwrap();
        gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        page("", "slow")
    });
    let other = named("other");
    let front = front(&[other.addr()], true, "balance: least_busy", slow);
    let mut busy = front.connect();
    busy.say(get("/", ""));
    is_asked.recv_timeout(PATIENCE).unwrap();
    for _ in 0..3 {
        assert_eq!(front.ask(get("/", "")).text(), "other");
    }
    go.send(()).unwrap();
    assert_eq!(busy.message(false).text(), "slow");
}

#[test]
fn where_connecting_fails_the_request_goes_to_another_whole() {
    let (gone, _kept) = dead();
    let front = front(&[gone], false, "", ordinary());
    for _ in 0..6 {
        let body = "x".repeat(100_000);
        let request =
            format!("POST /any HTTP/1.1\r\nHost: us.test\r\nContent-Length: 100000\r\n\r\n{body}");
        assert_eq!(front.ask(request).status(), 200);
    }
    assert!(
        front
            .shop
            .asked()
            .iter()
            .all(|asked| asked.body.len() == 100_000)
    );
    // Three failures, and it rests; on a slow machine its rest may be over meanwhile.
    assert!(front.count(Event::UpstreamFailed) >= 3);

    // A watched page too, and its order.
    let cookie = front.click();
    let thanks = get("/checkout/thank-you/1001", &format!("Cookie: {cookie}\r\n"));
    assert_eq!(front.ask(thanks).status(), 200);
    assert!(front.story("1001").is_some());
}

#[test]
fn a_request_that_may_have_reached_a_shop_goes_to_no_other() {
    let breaks = Shop::playing(|_, _| false);
    let other = named("other");
    let front = front(&[other.addr()], true, "", breaks);
    let order = "POST /checkout/place HTTP/1.1\r\nHost: us.test\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(front.ask(order).status(), 502);
    assert_eq!(front.shop.asked().len(), 1);
    assert!(other.asked().is_empty());
}

const PAGE: &str = "<!doctype html><title>Bald zurück</title>";

/// The page in a file, and the key that names it.
fn unavailable() -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), PAGE).unwrap();
    let key = format!("unavailable: {}", file.path().display());
    (file, key)
}

fn is_the_page(answer: &Message) {
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.text(), PAGE);
    assert_eq!(answer.all("content-type"), [b"text/html; charset=utf-8"]);
    assert_eq!(answer.all("cache-control"), [b"no-store"]);
    let after = answer.all("retry-after");
    let after: u64 = std::str::from_utf8(&after[0]).unwrap().parse().unwrap();
    assert!((1..=30).contains(&after), "{after}");
}

#[test]
fn where_none_is_left_shoppers_see_the_operators_page() {
    let (first, _kept) = dead();
    let (second, _kept) = dead();
    let (_file, key) = unavailable();
    let two = format!("[http://{first}, http://{second}]");
    let front = Front::with(&store(&two, &key), ordinary());
    for _ in 0..8 {
        is_the_page(&front.ask(get("/", "")));
    }
    let head = front.ask("HEAD / HTTP/1.1\r\nHost: us.test\r\n\r\n");
    assert_eq!((head.status(), head.body.len()), (503, 0));
    // The connection stays.
    let mut client = front.connect();
    for _ in 0..2 {
        client.say(get("/", ""));
        is_the_page(&client.message(false));
    }

    let front = Front::with(&store(&two, ""), ordinary());
    let plain = front.ask(get("/", ""));
    assert_eq!(
        (plain.status(), plain.text().as_str()),
        (503, "The shop cannot be reached.\n")
    );

    let one = format!("http://{first}");
    let front = Front::with(&store(&one, &key), ordinary());
    is_the_page(&front.ask(get("/", "")));
    let front = Front::with(&store(&one, ""), ordinary());
    assert_eq!(front.ask(get("/", "")).status(), 502);
}

#[test]
fn an_upstream_whose_checks_fail_is_not_asked_until_they_succeed() {
    let well = Arc::new(AtomicBool::new(false));
    let answering = Arc::clone(&well);
    let sick = Shop::new(move |request| {
        let is_check = path(request) == "/up";
        if is_check && !answering.load(Ordering::SeqCst) {
            return response("500 Internal Server Error", "", "");
        }
        page("", "sick")
    });
    let (_file, key) = unavailable();
    let more = format!(
        "health: {{ path: '/up?deep=1', every: 100ms, timeout: 10s, falls: 2, rises: 2 }}\n    {key}"
    );
    let front = front(&[], true, &more, sick);
    // Down after its second check.
    front.counted_at_least(Event::CheckFailed, 2);
    let down = eventually(|| {
        let answer = front.ask(get("/", ""));
        (answer.status() == 503).then_some(answer)
    });
    is_the_page(&down.unwrap());

    let checks = front.shop.asked();
    let check = checks.iter().find(|asked| path(asked) == "/up").unwrap();
    assert_eq!(check.start, "GET /up?deep=1 HTTP/1.1");
    assert_eq!(check.all("host"), [b"us.test"]);
    assert_eq!(check.all("user-agent"), [b"refgate-health"]);

    well.store(true, Ordering::SeqCst);
    let up = eventually(|| (front.ask(get("/", "")).status() == 200).then_some(()));
    assert!(up.is_some());
}

#[test]
fn a_shop_gets_no_request_of_our_own_unless_the_operator_says_so() {
    let other = named("other");
    let front = front(&[other.addr()], true, "", named("first"));
    front.ask(get("/one", ""));
    front.ask(get("/two", ""));
    let asked = [front.shop.asked(), other.asked()].concat();
    let mut paths: Vec<&str> = asked.iter().map(path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/one", "/two"]);
}

#[test]
fn an_upstream_that_comes_back_is_asked_again() {
    let (gone, kept) = dead();
    let front = front(&[gone], false, "", named("first"));
    for _ in 0..3 {
        assert_eq!(front.ask(get("/", "")).text(), "first");
    }
    // Its rest is not waited for: one failure alone is none.
    let answering = comes_back(gone, kept);
    let back = eventually(|| (front.ask(get("/", "")).text() == "back").then_some(()));
    assert!(back.is_some());
    answering.join().unwrap();
}

/// Where nobody listened somebody does now, and answers one request.
fn comes_back(address: SocketAddr, kept: socket2::Socket) -> JoinHandle<()> {
    drop(kept);
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut wire = Wire::new(stream);
        // A test that fails asks nothing.
        if wire.head().ends_with(b"\r\n\r\n") {
            wire.say(page("Connection: close\r\n", "back"));
        }
    })
}

/// Takes as long as an upstream rests after its third failure.
#[test]
fn a_trial_is_for_the_request_that_makes_it() {
    let (gone, kept) = dead();
    // It takes one connection, and no other: on that a request to `/last` is its end.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let last = listener.local_addr().unwrap();
    let ending = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut wire = Wire::new(stream);
        loop {
            let request = wire.message(false);
            if path(&request) == "/last" {
                return;
            }
            wire.say(page("", "first"));
        }
    });
    let piece = store(&format!("[http://{gone}, http://{last}]"), "");
    let piece = format!("workers: 1\ntimeouts: {{ drain: 10s, pool: 60s }}\n{piece}");
    let front = Front::with(&piece, named("unused"));
    // Whose turn it is goes by the choices so far: of a request one, and one more where it failed.
    let mut turn = 0;
    while front.count(Event::UpstreamFailed) < 3 || turn % 2 == 0 {
        let failed = front.count(Event::UpstreamFailed);
        assert_eq!(front.ask(get("/", "")).text(), "first");
        turn += 1 + front.count(Event::UpstreamFailed) - failed;
    }
    let member = &front.settings.stores.all()[0].upstreams.members()[0];
    let rested = eventually(|| (member.state(Instant::now()) == State::Up).then_some(()));
    assert!(rested.is_some());
    let answering = comes_back(gone, kept);

    // It went out whole and may have been heard, so nobody else is asked: it is not the trial either.
    assert_eq!(front.ask(get("/last", "")).status(), 503);
    ending.join().unwrap();
    assert_eq!(front.ask(get("/", "")).text(), "back");
    answering.join().unwrap();
}

#[test]
fn a_request_keeps_only_that_upstream_busy_which_is_asked() {
    let (first, kept) = dead();
    let (second, _kept) = dead();
    let (asked, is_asked) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let slow = Shop::new(move |request| {
        if path(request) == "/slow" {
            asked.send(()).unwrap();
            gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        page("", "slow")
    });
    let front = front(&[first, second], false, "balance: least_busy", slow);
    // The first one fails; of the others it is the third one's turn.
    let mut busy = front.connect();
    busy.say(get("/slow", ""));
    is_asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(front.count(Event::UpstreamFailed), 1);
    // And once more: but it is busy, and the first one is no longer.
    let answering = comes_back(first, kept);
    assert_eq!(front.ask(get("/", "")).text(), "back");
    answering.join().unwrap();
    go.send(()).unwrap();
    assert_eq!(busy.message(false).text(), "slow");
}

#[test]
fn an_upstream_that_is_asked_by_http2_is_checked_by_http2() {
    let well = Arc::new(AtomicBool::new(false));
    let answering = Arc::clone(&well);
    let sick = http2::Shop::new(move |mut asked: http2::Asked| {
        let is_well = answering.load(Ordering::SeqCst);
        async move {
            if asked.head.uri.path() == "/up" && !is_well {
                asked
                    .answer
                    .send_response(http2::head(500, &[]), true)
                    .unwrap();
            } else {
                asked.say("well");
            }
        }
    });
    let more = "upstream_http: '2'\n    \
                health: { path: '/up?deep=1', every: 100ms, timeout: 10s, falls: 2, rises: 2 }";
    let piece = store(&format!("http://{}", sick.addr), more);
    let front = Front::with(&piece, named("unused"));
    front.counted_at_least(Event::CheckFailed, 2);
    let down = eventually(|| (front.ask(get("/", "")).status() == 503).then_some(()));
    assert!(down.is_some());
    let asked = sick.asked();
    let check = asked.iter().find(|(line, _)| line.contains("/up")).unwrap();
    assert_eq!(check.0, "GET http://us.test/up?deep=1");
    assert_eq!(check.1["user-agent"], "refgate-health");

    well.store(true, Ordering::SeqCst);
    let up = eventually(|| (front.ask(get("/", "")).text() == "well").then_some(()));
    assert!(up.is_some());
}
