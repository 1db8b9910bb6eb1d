//! A fault of ours while an order is recorded: the shopper has the shop's page, the order is kept, the operator is told.

use refgate::alarm::Alarm;
use refgate::event::Event;
use refgate::postback::State;

use crate::support::front::{Front, with};
use crate::support::log::panic_at;
use crate::support::shop::{HTML, Shop, ordinarily, ordinary, page, path, thanks};

/// Buys; the page is the shop's, and what went wrong beside it is told.
fn bought(front: &Front, id: &str) {
    let request = with(&front.click(), &format!("/checkout/thank-you/{id}"));
    front.same(&request);
    for (event, count) in [
        (Event::ObserverFailed, 1),
        (Event::OrderSpooled, 1),
        (Event::OrderLogged, 0),
        (Event::HoldEnded, 0),
    ] {
        assert_eq!(front.count(event), count, "{}", event.name());
    }
    let alarms = front.alarms();
    let alarms: Vec<_> = alarms.iter().map(|standing| standing.alarm).collect();
    assert_eq!(alarms, [Alarm::OrdersSpooled]);
}

#[test]
fn an_order_is_kept_whose_recording_panics_before_the_ledger_has_it() {
    let front = Front::of(ordinary());
    panic_at("an order is to be entered", "test/600601");
    bought(&front, "600601");
    // Others are entered as ever, and so is this one, by itself.
    front.ask(with(&front.click(), "/checkout/thank-you/600602"));
    front.settled("600602", State::Accepted);
    front.settled("600601", State::Accepted);
    assert_eq!(front.calls(2).len(), 2);
}

#[test]
fn an_order_is_told_once_whose_recording_panics_when_the_ledger_has_it() {
    let front = Front::of(ordinary());
    panic_at("order seen", "test/600603");
    bought(&front, "600603");
    front.settled("600603", State::Accepted);
    // What was kept beside it is the same order, seen again.
    front.counted(Event::OrderSeenAgain, 1);
    assert_eq!(front.orders().len(), 1);
    assert_eq!(front.calls(1).len(), 1);
}

#[test]
fn where_a_panic_leaves_nothing_to_keep_the_page_is_the_shops_and_the_operator_is_told() {
    let shop = Shop::new(|request| match path(request) {
        "/checkout/thank-you/600604" => page(HTML, thanks("600604").replace("subtotal", "later")),
        _ => ordinarily(request),
    });
    let front = Front::of(shop);
    // While what was read is judged.
    let said = "a rule matched but could not read everything";
    panic_at(said, "600604");
    front.same(with(&front.click(), "/checkout/thank-you/600604"));
    assert_eq!(front.count(Event::ObserverFailed), 1);
    let [alarm] = &front.alarms()[..] else {
        panic!("{:?}", front.alarms())
    };
    assert_eq!(
        (alarm.alarm, &*alarm.subject),
        (Alarm::RuleUnreadable, "us")
    );
    for words in ["GET /checkout/thank-you/600604", "panicked"] {
        assert!(alarm.words.contains(words), "{}", alarm.words);
    }
    front.ask(with(&front.click(), "/checkout/thank-you/600605"));
    front.settled("600605", State::Accepted);
}
