//! Confirmations that cannot be read: the page is the shop's, the operator is told.

use refgate::event::Event;
use refgate::order::{Doubt, Standing};
use refgate::postback::State;

use crate::support::front::{Front, assert_same, get, with};
use crate::support::observe::gzip;
use crate::support::shop::{HTML, Shop, chunked, page, response, thanks};

const THANKS: &str = "/checkout/thank-you/7";

/// What came of a confirmation's request.
struct Seen {
    front: Front,
}

/// A shop that always answers `answer`, asked for a confirmation by a visitor with a click.
fn confirm(answer: impl Into<Vec<u8>>) -> Seen {
    confirm_with("", answer.into())
}

fn confirm_with(piece: &str, answer: Vec<u8>) -> Seen {
    let front = Front::with(piece, Shop::new(move |_| answer.clone()));
    let known = front.cookie_of(std::time::Duration::from_secs(60));
    let through = front.same(with(&known, THANKS));
    assert!(through.complete);
    Seen { front }
}

impl Seen {
    /// No order came of it, and this was counted.
    fn nothing_but(self, event: Event) {
        assert_eq!(self.front.orders(), []);
        assert_eq!(self.front.count(event), 1, "{}", event.name());
    }

    /// The order is entered and held, its postback waits for the operator.
    fn held(self, doubt: Doubt) {
        let story = self.front.story("7").expect("no order");
        assert_eq!(
            story.order.standing,
            Standing::Held(doubt),
            "{}",
            story.order.why
        );
        assert_eq!(story.postbacks.len(), 1);
        assert_eq!(story.postbacks[0].postback.state, State::Held);
        assert_eq!(self.front.count(Event::OrderHeld), 1);
        assert_eq!(self.front.count(Event::PostbackSent), 0);
    }
}

#[test]
fn a_selector_that_matches_nothing_or_twice() {
    let without_id = thanks("7").replace("order-number", "number");
    confirm(page(HTML, without_id)).nothing_but(Event::RuleUnreadable);

    let without_amount = thanks("7").replace("subtotal", "sub-total");
    let seen = confirm(page(HTML, without_amount));
    assert_eq!(seen.front.count(Event::RuleUnreadable), 1);
    seen.held(Doubt::Unreadable);

    let twice = thanks("7") + "<div id=totals><p class=subtotal><td>$9.00</td></div>";
    let seen = confirm(page(HTML, twice));
    assert_eq!(seen.front.count(Event::RuleUnreadable), 1);
    seen.held(Doubt::Differs);

    let two_ids = thanks("7") + "<p id=order-number>8</p>";
    let seen = confirm(page(HTML, two_ids));
    assert_eq!(seen.front.count(Event::RuleUnreadable), 1);
    assert_eq!(seen.front.count(Event::PostbackSent), 0);
    for order in seen.front.orders() {
        assert!(matches!(order.standing, Standing::Held(_)), "{order:?}");
    }
}

#[test]
fn amounts_that_are_none_are_held() {
    for (amount, doubt) in [
        ("free", Doubt::Unreadable),
        ("$", Doubt::Unreadable),
        ("1.249,95", Doubt::Unreadable),
        ("$1,249.95.00", Doubt::Unreadable),
        ("$99,999.00", Doubt::OverMaxAmount),
        ("$124.99", Doubt::NotPositive),
        ("$1.00", Doubt::NotPositive),
        ("-$1,249.95", Doubt::NotPositive),
        ("\u{20ac}1,249.95", Doubt::CurrencyContradicts),
        ("CA$1,249.95", Doubt::CurrencyContradicts),
        (
            "$79,228,162,514,264,337,593,543,950,335.00",
            Doubt::Unreadable,
        ),
        (
            "$99,999,999,999,999,999,999,999,999,999,999,999.00",
            Doubt::Unreadable,
        ),
    ] {
        let body = thanks("7").replace("$1,249.95", amount);
        let seen = confirm(page(HTML, body));
        let standing = seen.front.story("7").map(|story| story.order.standing);
        assert_eq!(standing, Some(Standing::Held(doubt)), "{amount}");
        seen.held(doubt);
    }
}

#[test]
fn html_that_is_none() {
    let body = "<!doctype html><h1>Thank you for your order</h1><p id='order-number>7<table <<<!--";
    confirm(page(HTML, body)).nothing_but(Event::RuleUnreadable);
    let deep = "<div>".repeat(100_000) + "Thank you for your order" + &thanks("7");
    let seen = confirm(page(HTML, deep));
    // Either read or told; never in silence.
    let told = seen.front.count(Event::RuleUnreadable) + seen.front.count(Event::OrderEntered);
    assert!(told >= 1);
    let wide = format!("<p {}>Thank you for your order", "a=b ".repeat(200_000));
    confirm(page(HTML, wide)).nothing_but(Event::RuleUnreadable);
}

#[test]
fn ids_that_are_none() {
    for id in [
        "",
        " ",
        "no number",
        "&#0;",
        "<script>7</script>",
        &"7".repeat(2_000),
    ] {
        let seen = confirm(page(HTML, thanks(id)));
        assert_eq!(seen.front.orders(), [], "{id}");
        assert_eq!(seen.front.count(Event::RuleUnreadable), 1, "{id}");
    }
}

#[test]
fn json_that_is_none() {
    let fields = "Content-Type: application/json\r\n";
    let front = Front::of(Shop::new(move |request| {
        response("201 Created", fields, &request.body)
    }));
    let post = |body: &str| {
        let length = body.len();
        front.same(format!(
            "POST /api/orders HTTP/1.1\r\nHost: us.test\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    };
    let bodies = [
        "{\"order\":{\"number\":\"7\"",
        "[]",
        "null",
        "{\"order\":{\"number\":{\"a\":7},\"subtotal\":1}}",
        "{\"order\":{\"number\":null,\"subtotal\":1}}",
        &"[".repeat(100_000),
    ];
    for (number, body) in (1..).zip(bodies) {
        post(body);
        assert_eq!(front.orders(), [], "{number}");
        assert_eq!(front.count(Event::RuleUnreadable), number, "{number}");
    }
    // Two numbers for one key: whichever counts, it is one order.
    post("{\"order\":{\"number\":\"7\",\"subtotal\":1.5e400}}");
    let orders = front.orders();
    assert!(
        matches!(orders[0].standing, Standing::Held(Doubt::Unreadable)),
        "{orders:?}"
    );
}

#[test]
fn charsets_that_are_none() {
    // A charset that nobody knows is read as UTF-8; UTF-16 in a page that says otherwise is not read.
    let odd = "Content-Type: text/html; charset=klingon\r\n";
    let seen = confirm(page(odd, thanks("7")));
    assert_eq!(seen.front.orders().len(), 1);
    let wide: Vec<u8> = thanks("7")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let seen = confirm(page(HTML, wide));
    assert_eq!(seen.front.orders(), []);
    // Bytes that the charset does not have, where the amount stands.
    let bytes = thanks("7").replace("$1,249", "$1,2@49").into_bytes();
    let bytes: Vec<u8> = bytes
        .into_iter()
        .map(|byte| if byte == b'@' { 0xff } else { byte })
        .collect();
    confirm(page(HTML, bytes)).held(Doubt::Unreadable);
}

#[test]
fn codings_that_are_none() {
    let fields = |coding: &str| format!("{HTML}Content-Encoding: {coding}\r\n");
    let zipped = gzip(thanks("7").as_bytes());
    let mut broken = zipped.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 0xff;
    for (coding, body) in [
        ("gzip", thanks("7").into_bytes()),
        ("gzip", zipped[..zipped.len() - 9].to_vec()),
        ("gzip", broken),
        ("br", zipped.clone()),
        ("compress", zipped.clone()),
        (
            "gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip",
            zipped.clone(),
        ),
        ("klingon", thanks("7").into_bytes()),
    ] {
        let seen = confirm(page(&fields(coding), body));
        assert_eq!(seen.front.orders(), [], "{coding}");
        assert_eq!(seen.front.count(Event::RuleUnreadable), 1, "{coding}");
    }
}

const LIMITS: &str = "limits: { body_copy: 64KiB, body_decoded: 1MiB }";

#[test]
fn a_page_beyond_its_cap() {
    let large = thanks("7") + &"x".repeat(100_000);
    confirm_with(LIMITS, page(HTML, &large)).nothing_but(Event::BodyOverCap);
    confirm_with(LIMITS, chunked(HTML, &large, 1_000)).nothing_but(Event::BodyOverCap);
}

#[test]
fn a_page_that_unpacks_beyond_its_cap() {
    let bomb = gzip((thanks("7") + &"\0".repeat(4_000_000)).as_bytes());
    assert!(bomb.len() < 60_000);
    let fields = format!("{HTML}Content-Encoding: gzip\r\n");
    confirm_with(LIMITS, page(&fields, bomb)).nothing_but(Event::BodyOverCap);
}

#[test]
fn a_body_that_never_ends_is_streamed_until_the_shopper_leaves() {
    let shop = Shop::playing(|wire, _| {
        wire.say(format!(
            "HTTP/1.1 200 OK\r\n{HTML}Transfer-Encoding: chunked\r\n\r\n"
        ));
        while wire.try_say("1000\r\n") && wire.try_say([b'x'; 4096]) && wire.try_say("\r\n") {}
        false
    });
    let front = Front::with("timeouts: { abandoned: 100ms, drain: 10s }", shop);
    let mut client = front.connect();
    client.say(get(THANKS, ""));
    // Beyond the copy's limit and every buffer on the way.
    client.exactly(20_000_000);
    drop(client);
    front.counted(Event::ExchangeCutOff, 1);
    assert_eq!(front.orders(), []);
    assert_eq!(front.count(Event::OrderHeld), 0);
}

#[test]
fn a_shop_that_breaks_off_is_shown_to_the_shopper_and_makes_no_order() {
    let body = thanks("7");
    let whole = body.len() + 1;
    let cut_length = format!("HTTP/1.1 200 OK\r\n{HTML}Content-Length: {whole}\r\n\r\n{body}");
    let mut cut_chunks = chunked(HTML, &body, 50);
    cut_chunks.truncate(cut_chunks.len() - 5);
    for answer in [cut_length.into_bytes(), cut_chunks] {
        let front = Front::of(Shop::playing(move |wire, _| {
            wire.say(&answer);
            false
        }));
        let known = front.cookie_of(std::time::Duration::from_secs(60));
        let (through, direct) = (
            front.ask(with(&known, THANKS)),
            front.direct(get(THANKS, "")),
        );
        assert!(!through.complete && !direct.complete);
        assert_same(&through, &direct);
        front.counted(Event::ShopTruncated, 1);
        assert_eq!(front.orders(), []);
    }
}
