//! Seen first without a click, then with one: whose the order is, for half an hour and afterwards.

use std::time::Duration;

use refgate::alarm::Alarm;
use refgate::clock::Time;
use refgate::event::Event;
use refgate::order::{Doubt, OPEN, Order, Proof, Standing};
use refgate::postback::State;
use refgate::visit::{Visit, VisitId};
use rusqlite::Connection;

use crate::support::front::{Front, cookie, get};
use crate::support::shop::{HTML, Shop, page, path, thanks};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The placing call is answered with the confirmation, and so is the page; an amount of its own after `X-Amount`.
fn front() -> Front {
    let rules = "rules:\n  - name: done\n    when: { path: '/done/{id}', contains: Thank you }\n    \
        read:\n      order_id: { css: '#order-number' }\n      amount: { css: '#totals .subtotal td' }\n    then: order\n";
    let shop = Shop::new(|request| {
        let id = path(request).rsplit('/').next().unwrap().to_owned();
        let other = request.get("x-amount").is_some();
        let thanks = thanks(&id);
        let thanks = if other {
            thanks.replace("1,249.95", "9.95")
        } else {
            thanks
        };
        page(HTML, thanks)
    });
    Front::with(rules, shop)
}

/// A cookie with a click and a checkout step so long ago.
fn visited(front: &Front, click: Duration, step: Duration) -> String {
    let visit = front.visit(&front.cookie_of(click));
    let checkout = Some(Time::now().minus(step));
    front.sealed(&Visit { checkout, ..visit })
}

fn asks(front: &Front, id: u32, cookie: Option<&str>, more: &str) -> Order {
    let cookie = cookie.map_or_else(String::new, |it| format!("Cookie: {it}\r\n"));
    front.ask(get(&format!("/done/{id}"), &format!("{cookie}{more}")));
    front.story(&id.to_string()).unwrap().order
}

const BROWSER: &str = "User-Agent: A browser\r\n";

#[test]
fn the_same_shopper_with_his_visit_is_credited_after_all() {
    let front = front();
    let ours = visited(&front, HOUR, MINUTE);
    // A placing call without our cookie, then the page with it.
    let first = asks(&front, 1, None, BROWSER);
    assert_eq!(first.standing, Standing::Organic);
    assert_eq!(first.open_until, Some(first.at.plus(OPEN)));
    let after = asks(&front, 1, Some(&ours), BROWSER);
    assert_eq!(after.standing, Standing::Credited, "{}", after.why);
    assert_eq!(after.visit, Some(front.visit(&ours).id));
    assert!(matches!(after.proof, Some(Proof::Checkout(_))));
    assert_eq!((after.at, after.open_until), (first.at, None));
    assert!(after.why.contains("by the same shopper"), "{}", after.why);
    let told = front.settled("1", State::Accepted);
    assert_eq!(told.postback.values["affiliate_id"], "123456");
    // Closed for good: nobody else gets it, and it is told once.
    let thief = visited(&front, HOUR, MINUTE);
    assert_eq!(asks(&front, 1, Some(&thief), BROWSER), after);
    assert_eq!(front.calls(1).len(), 1);
    assert_eq!(shopper(&front, 1), None, "who looked is forgotten");
}

#[test]
fn nobody_else_is_and_nobody_who_came_by_his_click_later() {
    let front = front();
    let ours = visited(&front, HOUR, MINUTE);
    for (id, cookie, more) in [
        // Another program, a step or a click after the order, no step at all, another amount.
        (
            1,
            Some(ours.clone()),
            "User-Agent: Another browser\r\n".to_owned(),
        ),
        (2, None, BROWSER.to_owned()),
        (3, Some(front.cookie_of(HOUR)), BROWSER.to_owned()),
        (4, Some(ours), format!("{BROWSER}X-Amount: 1\r\n")),
    ] {
        asks(&front, id, None, BROWSER);
        let cookie = cookie.unwrap_or_else(|| visited(&front, HOUR, Duration::ZERO));
        let order = asks(&front, id, Some(&cookie), &more);
        assert_eq!(order.standing, Standing::Organic, "{id}: {}", order.why);
        assert_eq!(order.click, None);
        let story = front.story(&id.to_string()).unwrap();
        assert!(story.postbacks.is_empty(), "{id}");
        let notes = story.sightings.last().unwrap().notes.join("; ");
        assert!(notes.contains("entered without one"), "{id}: {notes}");
    }
}

#[test]
fn a_page_of_a_browser_that_would_have_sent_our_cookie_opens_nothing() {
    let front = front();
    let ours = visited(&front, HOUR, MINUTE);
    let here =
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let fetched =
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";
    let led =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    for (id, how, credited) in [(1, here, false), (2, fetched, true), (3, led, true)] {
        let first = asks(&front, id, None, &format!("{BROWSER}{how}"));
        assert_eq!(first.open_until.is_some(), credited, "{id}");
        let after = asks(&front, id, Some(&ours), &format!("{BROWSER}{here}"));
        let is_credited = after.standing == Standing::Credited;
        assert_eq!(is_credited, credited, "{id}: {}", after.why);
    }
}

/// What is kept of who looked.
fn shopper(front: &Front, id: u32) -> Option<String> {
    let db = Connection::open(front.ledger_file()).unwrap();
    let sql = "SELECT shopper FROM orders WHERE number = ?1";
    db.query_row(sql, [id.to_string()], |row| row.get(0))
        .unwrap()
}

/// Puts an order so far back.
fn age(front: &Front, id: u32, by: Duration) {
    let db = Connection::open(front.ledger_file()).unwrap();
    let sql = "UPDATE orders SET at = at - ?2, open_until = open_until - ?2 WHERE number = ?1";
    let by = i64::try_from(by.as_millis()).unwrap();
    db.execute(sql, rusqlite::params![id.to_string(), by])
        .unwrap();
}

#[test]
fn after_half_an_hour_it_is_organic_for_good() {
    let mut front = front();
    for (id, by, credited) in [(1, 29 * MINUTE, true), (2, 31 * MINUTE, false)] {
        asks(&front, id, None, BROWSER);
        age(&front, id, by);
        let ours = visited(&front, 2 * HOUR, HOUR);
        let order = asks(&front, id, Some(&ours), BROWSER);
        assert_eq!(
            order.standing == Standing::Credited,
            credited,
            "{}",
            order.why
        );
    }
    let kept = shopper(&front, 2).expect("not yet swept");
    assert!(
        !kept.contains("127.0.0.1") && !kept.contains("browser"),
        "{kept}"
    );
    front.restart();
    let gone = crate::support::front::eventually(|| shopper(&front, 2).is_none().then_some(()));
    assert!(gone.is_some(), "who looked is forgotten");
}

#[test]
fn an_id_with_another_amount_and_visit_later_is_another_order_held_aside_once() {
    let front = front();
    let (first, second) = (visited(&front, HOUR, MINUTE), front.click());
    let order = asks(&front, 1, Some(&first), BROWSER);
    let sees = |cookie: &str, more: &str| {
        let fields = format!("Cookie: {cookie}\r\n{more}");
        front.ask(get("/done/1", &fields));
    };
    let other = format!("{BROWSER}X-Amount: 1\r\n");
    // So soon it may be the same order, looked at again.
    sees(&second, &other);
    assert_eq!(front.count(Event::IdReused), 0);
    age(&front, 1, HOUR);
    sees(&first, &other);
    assert_eq!(front.count(Event::IdReused), 0, "the buyer himself");
    for _reload in 0..2 {
        sees(&second, &other);
        assert_eq!(front.count(Event::IdReused), 1);
    }
    let mut orders = front.orders();
    orders.sort_by(|a, b| a.key.namespace.cmp(&b.key.namespace));
    let [kept, aside] = orders.as_slice() else {
        panic!("{orders:?}")
    };
    assert_eq!((kept.amount, &kept.click), (order.amount, &order.click));
    assert_eq!(kept.standing, order.standing);
    assert_eq!(aside.key.to_string(), "test.aside/1");
    assert_eq!(aside.standing, Standing::Held(Doubt::IdReused));
    assert_eq!(aside.visit, Some(front.visit(&second).id));
    let alarms = front.alarms();
    assert!(alarms.iter().any(|it| it.alarm == Alarm::IdReused));
    assert_eq!(front.calls(1).len(), 1, "the second one is not told");
}

/// Where all orders of an id stand, by their namespaces.
fn standings(front: &Front, id: u32) -> Vec<(String, Standing)> {
    let orders = front.orders().into_iter();
    let of_it = orders.filter(|order| order.key.id.as_str() == id.to_string());
    let mut all: Vec<_> = of_it
        .map(|order| (order.key.namespace.to_string(), order.standing))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn a_buyer_is_held_and_not_lost_where_a_visit_that_was_at_no_checkout_saw_his_order_first() {
    let front = front();
    let of_visit = |id: u128, step: Option<Duration>| {
        let visit = front.visit(&front.cookie_of(HOUR * u32::try_from(id).unwrap()));
        front.sealed(&Visit {
            id: VisitId(id),
            checkout: step.map(|step| Time::now().minus(step)),
            ..visit
        })
    };
    let (idle, ours, theirs) = (
        of_visit(1, None),
        of_visit(2, Some(MINUTE)),
        of_visit(3, Some(MINUTE)),
    );
    let sees = |id: u32, cookie: &str| {
        front.ask(get(
            &format!("/done/{id}"),
            &format!("Cookie: {cookie}\r\n{BROWSER}"),
        ));
    };
    // He looks at it twice.
    for cookie in [&idle, &ours, &ours] {
        sees(1, cookie);
    }
    let (unproven, reused) = (
        Standing::Held(Doubt::Unproven),
        Standing::Held(Doubt::IdReused),
    );
    assert_eq!(
        standings(&front, 1),
        [
            ("test".to_owned(), unproven),
            ("test.aside".to_owned(), reused)
        ]
    );
    assert_eq!(front.count(Event::IdReused), 1);
    // The buyer was first, with a click or without one: whoever shopped there himself and is shown the page has no order.
    sees(2, &ours);
    sees(2, &theirs);
    asks(&front, 3, None, "User-Agent: Another program\r\n");
    sees(3, &theirs);
    let alone = |standing| [("test".to_owned(), standing)];
    assert_eq!(standings(&front, 2), alone(Standing::Credited));
    assert_eq!(standings(&front, 3), alone(Standing::Organic));
    assert_eq!(front.calls(1).len(), 1, "the second one's alone");
}

#[test]
fn an_order_for_which_no_place_is_left_is_loud() {
    let front = front();
    asks(&front, 1, Some(&front.click()), BROWSER);
    age(&front, 1, HOUR);
    let click = |partner| front.ask(get(&format!("/?affiliate_id={partner}"), ""));
    let others: Vec<String> = (0..10).filter_map(|it| cookie(&click(it))).collect();
    for (turn, cookie) in (1..).zip(&others) {
        front.ask(get(
            "/done/1",
            &format!("Cookie: {cookie}\r\nX-Amount: 1\r\n"),
        ));
        assert_eq!(front.count(Event::IdReused), turn);
    }
    assert_eq!(front.orders().len(), 10, "the id's and nine aside");
    let alarms = front.alarms();
    let alarm = alarms
        .iter()
        .find(|it| it.alarm == Alarm::IdReused)
        .unwrap();
    let words = "order test/1 is one more of its id than have a place, and only in the log: ";
    assert!(alarm.words.starts_with(words), "{}", alarm.words);
    // Who has a place is no further order.
    front.ask(get(
        "/done/1",
        &format!("Cookie: {}\r\nX-Amount: 1\r\n", others[8]),
    ));
    assert_eq!(front.count(Event::IdReused), 10);
    let last = front.orders().into_iter().map(|order| order.key.namespace);
    let stories = last.map(|it| it.to_string()).max();
    assert_eq!(stories.as_deref(), Some("test.aside9"));
}
