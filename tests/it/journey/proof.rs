//! Who has bought, and who only looked: what is credited, what is held, and the words for it.

use std::time::Duration;

use refgate::clock::Time;
use refgate::event::Event;
use refgate::order::{Doubt, Order, Proof, Standing};
use refgate::postback::State;
use refgate::visit::Visit;

use crate::support::front::{Front, cookie, from, get, with};
use crate::support::message::Message;
use crate::support::shop::{HTML, Shop, ordinary, page, path, thanks};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The rule of the thank-you page, which needs a proof; `more` is what else it says.
fn rules(more: &str) -> String {
    format!(
        "rules:\n  - name: thank-you\n    when: {{ path: '/checkout/thank-you/{{id}}', contains: Thank you }}\n    \
         read:\n      order_id: {{ css: '#order-number' }}\n      amount: {{ css: '#totals .subtotal td' }}\n    \
         then: order\n{more}"
    )
}

fn front() -> Front {
    Front::with(&rules(""), ordinary())
}

fn thank_you(id: u32) -> String {
    format!("/checkout/thank-you/{id}")
}

/// Looks at an order's confirmation with a cookie; the order.
fn seen(front: &Front, cookie: &str, id: u32) -> Order {
    front.ask(with(cookie, &thank_you(id)));
    front.story(&id.to_string()).unwrap().order
}

fn held(order: &Order, doubt: Doubt, words: &str) {
    assert_eq!(order.standing, Standing::Held(doubt), "{}", order.why);
    assert!(order.why.contains(words), "{}", order.why);
    assert_eq!(order.proof, None);
}

/// A cookie with a click so long ago, and a checkout step.
fn visited(front: &Front, click: Duration, step: Option<Duration>) -> String {
    let visit = front.visit(&front.cookie_of(click));
    front.sealed(&Visit {
        checkout: step.map(|before| Time::now().minus(before)),
        ..visit
    })
}

fn post(target: &str, cookie: &str, fields: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: us.test\r\nCookie: {cookie}\r\n{fields}Content-Length: 2\r\n\r\nok"
    )
}

#[test]
fn who_passes_the_checkout_after_his_click_has_bought() {
    let front = front();
    let landed = front.click();
    assert_eq!(front.visit(&landed).checkout, None);
    let stepped = cookie(&front.ask(with(&landed, "/cart"))).expect("the step is kept");
    let (before, after) = (front.visit(&landed), front.visit(&stepped));
    assert_eq!((after.id, after.clicks), (before.id, before.clicks));
    assert_eq!(front.count(Event::CheckoutSeen), 1);
    let order = seen(&front, &stepped, 1);
    assert_eq!(order.standing, Standing::Credited, "{}", order.why);
    let step = after.checkout.unwrap();
    assert_eq!(order.proof, Some(Proof::Checkout(step)));
    let words = format!("checkout step at {step}");
    assert!(order.why.contains(&words), "{}", order.why);
    front.settled("1", State::Accepted);
}

#[test]
fn who_only_looks_at_a_confirmation_is_not_credited() {
    let front = front();
    // Typed in, shared by link, made by phone: there is a click, but no checkout.
    let landed = front.click();
    held(
        &seen(&front, &landed, 1),
        Doubt::Unproven,
        "no checkout seen",
    );
    // Nor does looking at one prove that the next was bought.
    let again = front.ask(with(&landed, &thank_you(2)));
    assert_eq!(cookie(&again), None);
    held(
        &seen(&front, &landed, 3),
        Doubt::Unproven,
        "no checkout seen",
    );
    assert!(front.network.calls().is_empty());
    let told = front.story("1").unwrap().postbacks;
    assert_eq!(told[0].postback.state, State::Held);
}

#[test]
fn a_step_counts_after_its_click_and_for_a_day() {
    let front = front();
    for (id, click, step, words) in [
        (1, 2 * HOUR, Some(HOUR), None),
        (2, 48 * HOUR, Some(23 * HOUR), None),
        (
            3,
            48 * HOUR,
            Some(25 * HOUR),
            Some("no checkout seen lately"),
        ),
        (
            4,
            HOUR,
            Some(2 * HOUR),
            Some("no checkout seen since the click"),
        ),
        (5, HOUR, None, Some("no checkout seen")),
    ] {
        let order = seen(&front, &visited(&front, click, step), id);
        match words {
            None => assert_eq!(order.standing, Standing::Credited, "{id}: {}", order.why),
            Some(words) => held(&order, Doubt::Unproven, words),
        }
    }
}

#[test]
fn the_link_that_leads_to_the_checkout_is_no_step_of_it() {
    let front = front();
    // An extension follows a link at the checkout, for a visitor who has no click.
    let landed = front.click_at("/checkout");
    assert_eq!(front.visit(&landed).checkout, None);
    held(
        &seen(&front, &landed, 1),
        Doubt::Unproven,
        "no checkout seen",
    );
    let stepped = cookie(&front.ask(post("/checkout", &landed, ""))).unwrap();
    assert_eq!(seen(&front, &stepped, 2).standing, Standing::Credited);
    // The same for one who has a cookie already, of another click.
    let known = visited(&front, HOUR, None);
    let landed = front.ask(with(&known, "/checkout?affiliate_id=77"));
    let landed = cookie(&landed).unwrap();
    assert_eq!(front.visit(&landed).checkout, None);
}

#[test]
fn a_step_is_what_the_shopper_does_himself() {
    let front = front();
    let landed = front.click();
    let steps = |request: String| cookie(&front.ask(request)).is_some();
    let get = |fields: &str| get("/cart", &format!("Cookie: {landed}\r\n{fields}"));
    for fields in [
        "Sec-Fetch-Dest: image\r\n",
        "Sec-Fetch-Dest: style\r\n",
        "Sec-Purpose: prefetch\r\nSec-Fetch-Dest: empty\r\n",
    ] {
        assert!(!steps(get(fields)), "{fields}");
    }
    let head = get("").replace("GET ", "HEAD ");
    assert!(!steps(head));
    assert!(!steps(with(&landed, "/elsewhere")));
    assert!(!steps(with(&landed, "//cart")));
    assert!(!steps(with("a=1", "/cart")), "nobody's");
    assert_eq!(front.count(Event::CheckoutSeen), 0);
    // A script of the page speaks with the shop.
    let fetched =
        "Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n";
    assert!(steps(post("/cart", &landed, fetched)));
    assert!(steps(get("")));
}

#[test]
fn the_cookie_is_set_once_in_a_while_and_kept_by_no_shared_cache() {
    let shop = Shop::new(|request| {
        let caching = "Cache-Control: public, max-age=600\r\n";
        page(&format!("{HTML}{caching}"), path(request))
    });
    let front = Front::with(&rules(""), shop);
    let ask = |step: Option<Duration>| front.ask(with(&visited(&front, HOUR, step), "/cart"));
    let private = |answer: &Message| answer.all("cache-control") == [b"private, no-cache"];
    for step in [None, Some(5 * MINUTE), Some(2 * HOUR)] {
        let answer = ask(step);
        assert!(cookie(&answer).is_some() && private(&answer), "{step:?}");
        assert_eq!(answer.body, b"/cart");
    }
    for step in [Duration::ZERO, 4 * MINUTE] {
        let answer = ask(Some(step));
        assert_eq!(cookie(&answer), None, "{step:?}");
        assert_eq!(answer.get("cache-control").unwrap(), b"public, max-age=600");
    }
}

#[test]
fn a_click_shortly_after_a_checkout_step_takes_nobodys_place() {
    let front = front();
    for (step, partner) in [
        (Some(MINUTE), "123456"),
        (Some(29 * MINUTE), "123456"),
        (Some(31 * MINUTE), "666"),
        (None, "666"),
    ] {
        let ours = visited(&front, HOUR, step);
        let fields = format!("Cookie: {ours}\r\nSec-Fetch-Site: cross-site\r\n");
        let answer = front.ask(get("/?affiliate_id=666", &fields));
        let ours = cookie(&answer).unwrap_or(ours);
        let visit = front.visit(&ours);
        assert_eq!(visit.clicks[0].values["affiliate_id"], partner, "{step:?}");
    }
}

#[test]
fn a_click_seconds_before_the_order_holds_it() {
    let front = Front::with(
        &format!("{}cookie: {{ min_click_age: 30s }}\n", rules("")),
        ordinary(),
    );
    let young = Duration::from_secs(9);
    let order = seen(&front, &visited(&front, young, Some(young)), 1);
    held(
        &order,
        Doubt::TooYoung,
        "less than min_click_age, 30 seconds",
    );
    let old = Duration::from_secs(31);
    let order = seen(&front, &visited(&front, old, Some(young)), 2);
    assert_eq!(order.standing, Standing::Credited, "{}", order.why);
}

#[test]
fn a_confirmations_first_view_proves_and_its_later_ones_do_not() {
    let front = |mark: &str| {
        let rules = rules(&format!("    first_view: {mark}\n"));
        let shop = Shop::new(|request| {
            let id = path(request).rsplit('/').next().unwrap().to_owned();
            let first = request.start.contains("first=1");
            let fields = if first { "X-New: yes\r\n" } else { "" };
            let mark = if first {
                "<i class=new></i>It&rsquo;s new"
            } else {
                ""
            };
            page(&format!("{HTML}{fields}"), thanks(&id) + mark)
        });
        Front::with(&rules, shop)
    };
    for mark in [
        "{ css: i.new }",
        "{ contains: [\"It\u{2019}s new\"] }",
        "{ header: X-New }",
        "{ regex: 'class=new' }",
        "{ header: X-New, pattern: '^yes$' }",
    ] {
        let front = front(mark);
        let landed = front.click();
        front.ask(with(&landed, &format!("{}?first=1", thank_you(1))));
        let order = front.story("1").unwrap().order;
        assert_eq!(order.standing, Standing::Credited, "{mark}: {}", order.why);
        assert_eq!(order.proof, Some(Proof::FirstView));
        held(
            &seen(&front, &landed, 2),
            Doubt::Unproven,
            "no checkout seen",
        );
    }
}

#[test]
fn orders_older_than_the_installation_are_nobodys_and_newer_ones_are_new() {
    let front = Front::with(&rules("    id_floor: 0100\n"), ordinary());
    let landed = front.click();
    for id in [9, 99, 100] {
        let order = seen(&front, &landed, id);
        assert_eq!(order.standing, Standing::Organic, "{id}: {}", order.why);
        assert!(
            order.why.contains("older than the installation"),
            "{}",
            order.why
        );
    }
    // Whoever looks: a step does not make it newer.
    let stepped = visited(&front, HOUR, Some(MINUTE));
    assert_eq!(seen(&front, &stepped, 98).standing, Standing::Organic);
    let order = seen(&front, &landed, 101);
    assert_eq!(order.standing, Standing::Credited, "{}", order.why);
    assert_eq!(order.proof, Some(Proof::AboveFloor));
}

#[test]
fn an_operator_may_trust_any_view_and_a_step_says_more() {
    let front = Front::with(&rules("    trust_any_view: true\n"), ordinary());
    assert_eq!(seen(&front, &front.click(), 1).proof, Some(Proof::Trusted));
    let proof = seen(&front, &visited(&front, HOUR, Some(MINUTE)), 2).proof;
    assert!(matches!(proof, Some(Proof::Checkout(_))), "{proof:?}");
}

#[test]
fn another_store_has_its_own_checkout() {
    let front = front();
    let ours = visited(&front, HOUR, None);
    let there = front.ask(from("ca.test", "/checkout", &format!("Cookie: {ours}\r\n")));
    assert!(
        cookie(&there).is_some(),
        "cookies of http hosts are alike here"
    );
    held(&seen(&front, &ours, 1), Doubt::Unproven, "no checkout seen");
}

#[test]
fn two_rules_that_read_two_amounts_from_one_page_hold_the_order() {
    let rule = |name: &str, row: &str, id: &str| {
        format!(
            "  - name: {name}\n    when: {{ path: '/checkout/thank-you/{{id}}', contains: Thank you }}\n    \
             read:\n      order_id: {{ css: {id} }}\n      amount: {{ css: '#totals .{row} td' }}\n    then: order\n"
        )
    };
    for (row, id, doubt) in [
        ("subtotal", "'#order-number'", None),
        ("total", "'#order-number'", Some(Doubt::Differs)),
        ("subtotal", "h1", Some(Doubt::Differs)),
    ] {
        let rules = format!(
            "rules:\n{}{}",
            rule("one", "subtotal", "'#order-number'"),
            rule("two", row, id)
        );
        let front = Front::with(&rules, ordinary());
        let order = seen(&front, &visited(&front, HOUR, Some(MINUTE)), 1);
        match doubt {
            None => assert_eq!(order.standing, Standing::Credited, "{}", order.why),
            Some(doubt) => {
                assert_eq!(order.standing, Standing::Held(doubt), "{}", order.why);
                assert!(order.why.contains("rules one and two"), "{}", order.why);
            }
        }
    }
}
