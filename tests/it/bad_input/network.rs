//! A network that hangs, floods, sends elsewhere, lies or breaks off: no page waits for it, and
//! nothing is taken for accepted.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use refgate::demo::network::Manner;
use refgate::event::Event;
use refgate::postback::State;

use crate::support::front::{Front, with};
use crate::support::shop::ordinary;

const QUICK: &str = "deliver: { timeout: 500ms, schedule: [1h] }";

#[test]
fn however_a_network_answers_the_page_is_the_shops_and_the_state_is_right() {
    let elsewhere = "/aff_lsr?offer_id=1&aff_id=9&amount=9".to_owned();
    let say = |words: &str| Manner::Say(words.to_owned());
    let manners = [
        (Manner::Hang, State::Unclear),
        (Manner::Flood, State::Unclear),
        (Manner::Redirect(elsewhere), State::Unclear),
        (Manner::Reset, State::Unclear),
        (Manner::Close, State::Unclear),
        (Manner::Cut, State::Unclear),
        (say(""), State::Unclear),
        (say("OK"), State::Unclear),
        (say("<html>Sign in: success=maybe</html>"), State::Unclear),
        (say("\u{feff}\0\u{7f}\u{1f600}"), State::Unclear),
        (
            say("success=false; err_msg=Invalid aff_id;"),
            State::Rejected,
        ),
        (
            say("success=false; err_msg=Duplicate conversion;"),
            State::Duplicate,
        ),
        (Manner::Busy(503, Some("999999999".to_owned())), State::Due),
        (Manner::Busy(429, Some("soon".to_owned())), State::Due),
        (Manner::Busy(500, None), State::Unclear),
        (Manner::Busy(404, None), State::Unclear),
    ];
    let front = Front::with(QUICK, ordinary());
    let cookie = front.click();
    for (number, (manner, state)) in manners.iter().enumerate() {
        front.network.next([manner.clone()]);
        let id = number.to_string();
        front.same(with(&cookie, &format!("/checkout/thank-you/{id}")));
        front.attempted(&id);
        let told = front.settled(&id, *state);
        assert_eq!(told.attempts.len(), 1, "{manner:?}");
        assert!(told.attempts[0].outcome.is_some(), "{manner:?}");
    }
    // One call each: nothing was followed or repeated.
    assert_eq!(front.network.calls().len(), manners.len());
    assert_eq!(front.count(Event::PostbackAccepted), 0);
    assert_eq!(front.count(Event::PostbackUnclear), 12);
    front.ask(with(&cookie, "/checkout/thank-you/1000"));
    front.settled("1000", State::Accepted);
}

#[test]
fn pages_do_not_wait_for_a_network_that_hangs() {
    let front = Front::with("deliver: { timeout: 2s, concurrency: 2 }", ordinary());
    front.network.always(Manner::Hang);
    let cookie = front.click();
    let begun = Instant::now();
    for id in 0..20 {
        front.ask(with(&cookie, &format!("/checkout/thank-you/{id}")));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(front.count(Event::OrderEntered), 20);
    assert_eq!(
        front.network.calls().len(),
        front.calls(2).len(),
        "more than two at once"
    );
    assert_eq!(front.count(Event::HoldEnded), 0);
}

#[test]
fn a_network_that_is_not_there_is_tried_again_later() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = port.local_addr().unwrap();
    drop(port);
    let piece = format!(
        "{QUICK}
networks:
  aspire:
    click: {{ affiliate_id: '[0-9]{{1,12}}' }}
    postback: http://{nowhere}/aff_lsr?aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID
    currency: USD
    answers: [{{ status: 200, body: success=true, means: accepted }}]
"
    );
    let front = Front::with(&piece, ordinary());
    front.same(with(&front.click(), "/checkout/thank-you/7"));
    front.counted(Event::PostbackDelayed, 1);
    let told = front.settled("7", State::Due);
    assert_eq!(told.attempts.len(), 1);
    assert!(told.postback.due.is_some());
}
