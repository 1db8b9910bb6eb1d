//! Two networks, one order: who of them is told of it.

use refgate::demo::network::Call;
use refgate::ledger::Story;
use refgate::order::{Doubt, Standing};
use refgate::postback::State;
use refgate::visit::Visit;

use super::THANKS;
use crate::support::front::{Front, cookie, eventually, get, with};
use crate::support::shop::{HTML, Shop, ordinarily, ordinary, page, path, thanks};

/// `aspire` and `other` at one address, told apart by their offers, and which click wins; `more` is
/// what else is said of `other`.
fn two(attribution: &str, more: &str) -> String {
    let network = |name: &str, parameter: &str, offer: u8| {
        format!(
            "  {name}:
    click: {{ {parameter}: '[0-9]{{1,12}}' }}
    postback: http://NETWORK/aff_lsr?offer_id=1&net={offer}&aff_id={{{parameter}}}&amount=AMOUNT&adv_unique1=ORDER_ID&at={{click_time}}
    answers: [{{ status: 200, body: success=true, means: accepted }}]
"
        )
    };
    let (aspire, other) = (
        network("aspire", "affiliate_id", 1),
        network("other", "ref", 2),
    );
    let more = match more {
        "" => "    currency: USD",
        more => more,
    };
    format!(
        "cookie: {{ attribution: {attribution} }}\nnetworks:\n{aspire}    currency: USD\n{other}{more}\n"
    )
}

/// Follows a link of aspire's, then one of other's.
fn clicks(front: &Front) -> String {
    let first = cookie(&front.ask(get("/?affiliate_id=1", ""))).unwrap();
    let visit = front.visit(&first);
    // A later millisecond, by the same clock that the app goes by.
    eventually(|| (refgate::clock::Time::now() > visit.clicks[0].at).then_some(())).unwrap();
    cookie(&front.ask(with(&first, "/?ref=2"))).unwrap()
}

/// Waits until every postback of the order is accepted.
fn all_accepted(front: &Front, id: &str, count: usize) -> Story {
    let told = eventually(|| {
        let story = front.story(id)?;
        let accepted = |told: &refgate::ledger::Told| told.postback.state == State::Accepted;
        let all = story.postbacks.len() == count && story.postbacks.iter().all(accepted);
        all.then_some(story)
    });
    told.unwrap_or_else(|| panic!("{:?}", front.story(id)))
}

fn told(call: &Call) -> (&str, &str, &str) {
    let of = |name| call.parameter(name).unwrap();
    (of("net"), of("aff_id"), of("adv_unique1"))
}

fn time_of<'v>(visit: &'v Visit, network: &str) -> &'v refgate::clock::Time {
    let mut clicks = visit.clicks.iter();
    let click = clicks.find(|click| click.network.as_str() == network);
    &click.unwrap().at
}

#[test]
fn one_network_is_told_by_default_and_with_first_click() {
    for (attribution, offer, partner) in [("last_click", "2", "2"), ("first_click", "1", "1")] {
        let front = Front::with(&two(attribution, ""), ordinary());
        let cookie = clicks(&front);
        for _ in 0..2 {
            front.ask(with(&cookie, THANKS));
        }
        let story = all_accepted(&front, "100017", 1);
        assert_eq!(story.seen, 2);
        // Of what came after it, the next order's is the only one.
        front.ask(with(&cookie, "/checkout/thank-you/2"));
        all_accepted(&front, "2", 1);
        let calls = front.network.calls();
        let told: Vec<_> = calls.iter().map(told).collect();
        assert_eq!(told, [(offer, partner, "100017"), (offer, partner, "2")]);
    }
}

#[test]
fn with_all_each_network_is_told_once_with_its_own_click() {
    let mut front = Front::with(&two("all", ""), ordinary());
    let cookie = clicks(&front);
    let visit = front.visit(&cookie);
    front.ask(with(&cookie, THANKS));
    let story = all_accepted(&front, "100017", 2);
    assert_eq!(story.order.standing, Standing::Credited);
    let own = story.order.click.as_ref().unwrap();
    assert_eq!(own.network.as_str(), "other", "the newest");
    for words in ["other's click at", "and to aspire's click at"] {
        assert!(story.order.why.contains(words), "{}", story.order.why);
    }
    // A reload, here and after a restart, pays nobody again.
    front.ask(with(&cookie, THANKS));
    front.restart();
    front.ask(with(&cookie, THANKS));
    front.ask(with(&cookie, "/checkout/thank-you/2"));
    all_accepted(&front, "2", 2);
    let calls = front.network.calls();
    let mut each: Vec<_> = calls.iter().map(told).collect();
    each.sort_unstable();
    let expected = [
        ("1", "1", "100017"),
        ("1", "1", "2"),
        ("2", "2", "100017"),
        ("2", "2", "2"),
    ];
    assert_eq!(each, expected);
    for call in &calls {
        let network = match told(call).0 {
            "1" => "aspire",
            _ => "other",
        };
        let at = time_of(&visit, network).to_string();
        assert_eq!(call.parameter("at"), Some(at.as_str()), "{network}");
    }
}

#[test]
fn with_all_a_network_keeps_its_newest_click() {
    let front = Front::with(&two("all", ""), ordinary());
    let before = clicks(&front);
    let after = cookie(&front.ask(with(&before, "/?affiliate_id=7"))).unwrap();
    front.ask(with(&after, THANKS));
    all_accepted(&front, "100017", 2);
    let calls = front.network.calls();
    let mut each: Vec<_> = calls.iter().map(told).collect();
    each.sort_unstable();
    assert_eq!(each, [("1", "7", "100017"), ("2", "2", "100017")]);
}

#[test]
fn of_two_networks_in_one_link_the_later_in_the_configuration_is_the_last() {
    for (attribution, network) in [("last_click", "other"), ("first_click", "aspire")] {
        let front = Front::with(&two(attribution, ""), ordinary());
        for (target, id) in [
            ("/?affiliate_id=1&ref=2", "1"),
            ("/?ref=2&affiliate_id=1", "2"),
        ] {
            let cookie = cookie(&front.ask(get(target, ""))).unwrap();
            let clicks = front.visit(&cookie).clicks;
            assert_eq!(clicks[0].at, clicks[1].at);
            front.ask(with(&cookie, &format!("/checkout/thank-you/{id}")));
            let click = front.story(id).unwrap().order.click.unwrap();
            assert_eq!(click.network.as_str(), network, "{target}");
        }
    }
}

#[test]
fn with_all_what_one_network_waits_for_keeps_no_other() {
    let front = Front::with(&two("all", "    currency: EUR"), ordinary());
    front.ask(with(&clicks(&front), THANKS));
    front.calls(1);
    let story = front.story("100017").unwrap();
    assert_eq!(story.order.standing, Standing::Credited);
    assert!(
        story.order.why.contains("no rate from USD"),
        "{}",
        story.order.why
    );
    let doubts: Vec<_> = story
        .postbacks
        .iter()
        .map(|told| (told.postback.destination.as_str(), told.postback.doubt))
        .collect();
    assert_eq!(doubts, [("other", Some(Doubt::NoRate)), ("aspire", None)]);
}

#[test]
fn with_all_an_unreadable_order_is_completed_for_everyone() {
    let broken = std::sync::atomic::AtomicBool::new(true);
    let front = Front::with(
        &two("all", ""),
        Shop::new(move |request| {
            if !path(request).ends_with("/100017")
                || !broken.swap(false, std::sync::atomic::Ordering::Relaxed)
            {
                return ordinarily(request);
            }
            page(HTML, thanks("100017").replace("$1,249.95", "soon"))
        }),
    );
    let cookie = clicks(&front);
    front.ask(with(&cookie, THANKS));
    let story = front.story("100017").unwrap();
    assert_eq!(story.order.standing, Standing::Held(Doubt::Unreadable));
    assert_eq!(story.postbacks.len(), 2);
    front.ask(with(&cookie, THANKS));
    all_accepted(&front, "100017", 2);
}
