//! The operator's own webhooks: told of what the rules say, whoever an order is owed to, and beside the networks.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use refgate::ledger::Told;
use refgate::order::Standing;
use refgate::postback::State;
use serde_json::{Value, json};

use super::THANKS;
use crate::support::front::{Front, eventually, get, with};
use crate::support::message::Message;
use crate::support::shop::{HTML, Shop, ordinarily, ordinary, page, path, thanks};

const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver that answers each request with the next status, and the last one for ever.
fn receiver(statuses: &'static [u16]) -> Shop {
    let count = AtomicUsize::new(0);
    Shop::new(move |_request| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let status = statuses[number.min(statuses.len() - 1)];
        format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n").into_bytes()
    })
}

/// One webhook at the receiver, with quick repeats.
fn config(receiver: &Shop, more: &str) -> String {
    let address = receiver.addr();
    format!(
        "deliver: {{ schedule: [10ms, 10ms, 10ms, 10ms] }}
webhooks:
  crm: {{ url: 'http://{address}/orders?token=hushhush', secret: whsec_{SECRET}{more} }}
"
    )
}

/// Waits until the order's postback to `name` of this event is in `state`.
fn settled(front: &Front, id: &str, (name, event): (&str, &str), state: State) -> Told {
    let told = eventually(|| {
        let story = front.story(id)?;
        story.postbacks.into_iter().find(|told| {
            let postback = &told.postback;
            postback.destination.as_str() == name
                && postback.event == event
                && postback.state == state
        })
    });
    told.unwrap_or_else(|| panic!("never {state}: {:?}", front.story(id).unwrap().postbacks))
}

fn field(request: &Message, name: &str) -> String {
    let [value] = &request.all(name)[..] else {
        panic!("{name}: {request:?}")
    };
    String::from_utf8(value.clone()).unwrap()
}

/// What a posted event says, if its signature is right.
fn read(request: &Message) -> Value {
    assert_eq!(request.start, "POST /orders?token=hushhush HTTP/1.1");
    assert_eq!(field(request, "content-type"), "application/json");
    let key = hmac::Key::new(HMAC_SHA256, &STANDARD.decode(SECRET).unwrap());
    let (id, sent) = (
        field(request, "webhook-id"),
        field(request, "webhook-timestamp"),
    );
    let signed = [format!("{id}.{sent}.").as_bytes(), &request.body].concat();
    let signature = field(request, "webhook-signature");
    let tag = STANDARD
        .decode(signature.strip_prefix("v1,").unwrap())
        .unwrap();
    hmac::verify(&key, &signed, &tag).unwrap();
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn a_webhook_is_told_beside_the_network_with_a_signature() {
    let receiver = receiver(&[200]);
    let front = Front::with(&config(&receiver, ""), ordinary());
    front.ask(with(&front.click(), THANKS));
    let told = settled(&front, "100017", ("crm", "credited"), State::Accepted);
    settled(&front, "100017", ("aspire", "sale"), State::Accepted);
    assert!(
        told.attempts[0].url.ends_with("/orders?token=***"),
        "{told:?}"
    );
    let asked = receiver.asked();
    assert_eq!(asked.len(), 1);
    let said = read(&asked[0]);
    let order = front.story("100017").unwrap().order;
    let click = order.click.unwrap();
    assert_eq!(
        said,
        json!({
            "type": "order.credited",
            "timestamp": order.at.to_string(),
            "data": {
                "order_id": "100017", "namespace": "test", "store": "us", "time": order.at.to_string(),
                "amount": "1124.96", "currency": "USD", "standing": "credited", "why": order.why,
                "network": "aspire", "click": { "affiliate_id": "123456" },
                "click_time": click.at.to_string(), "sequence": 0,
            },
        })
    );
    // By default of nothing else.
    front.ask(get("/checkout/thank-you/5", ""));
    assert_eq!(front.story("5").unwrap().postbacks, []);
}

#[test]
fn a_receiver_that_fails_gets_the_same_event_again_and_holds_up_nobody() {
    // Two that nobody can tell the outcome of, one refusal to be mended, then it takes it.
    let receiver = receiver(&[500, 302, 404, 204]);
    let front = Front::with(&config(&receiver, ""), ordinary());
    front.ask(with(&front.click(), THANKS));
    let told = settled(&front, "100017", ("crm", "credited"), State::Accepted);
    assert_eq!(told.attempts.len(), 4);
    let network = settled(&front, "100017", ("aspire", "sale"), State::Accepted);
    assert_eq!(network.attempts.len(), 1);
    let asked = receiver.asked();
    let events: Vec<_> = asked
        .iter()
        .map(|one| (field(one, "webhook-id"), read(one)))
        .collect();
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| *event == events[0]), "{events:?}");
    front.ask(with(&front.click(), "/checkout/thank-you/2"));
    settled(&front, "2", ("crm", "credited"), State::Accepted);
    assert_ne!(
        field(receiver.asked().last().unwrap(), "webhook-id"),
        events[0].0
    );
}

#[test]
fn it_may_be_told_of_organic_and_held_orders_and_of_what_becomes_of_these() {
    let receiver = receiver(&[200]);
    // A page whose total comes only with the second view.
    let views = AtomicUsize::new(0);
    let shop = Shop::new(move |request| {
        if path(request) != "/checkout/thank-you/9" {
            return ordinarily(request);
        }
        let html = thanks("9");
        match views.fetch_add(1, Ordering::Relaxed) {
            0 => page(HTML, html.replace("subtotal", "later")),
            _ => page(HTML, html),
        }
    });
    let more = ", on: [credited, organic, held]";
    let front = Front::with(&config(&receiver, more), shop);
    front.ask(get("/checkout/thank-you/5", ""));
    settled(&front, "5", ("crm", "organic"), State::Accepted);
    let organic = read(&receiver.asked()[0]);
    assert_eq!(organic["type"], "order.organic");
    assert_eq!(
        (&organic["data"]["network"], &organic["data"]["click"]),
        (&Value::Null, &Value::Null)
    );

    let cookie = front.click();
    front.ask(with(&cookie, "/checkout/thank-you/9"));
    settled(&front, "9", ("crm", "held"), State::Accepted);
    let held = read(&receiver.asked()[1]);
    assert_eq!(
        (&held["type"], &held["data"]["amount"]),
        (&json!("order.held"), &Value::Null)
    );
    assert!(
        held["data"]["why"]
            .as_str()
            .unwrap()
            .contains("could not be read"),
        "{held}"
    );
    front.ask(with(&cookie, "/checkout/thank-you/9"));
    settled(&front, "9", ("crm", "credited"), State::Accepted);
    settled(&front, "9", ("aspire", "sale"), State::Accepted);
    let credited = read(&receiver.asked()[2]);
    assert_eq!(
        (&credited["type"], &credited["data"]["amount"]),
        (&json!("order.credited"), &json!("1124.96"))
    );
    assert_eq!(front.story("9").unwrap().order.standing, Standing::Credited);
    assert_eq!(receiver.asked().len(), 3);
}

#[test]
fn without_deduplication_an_unclear_one_waits_for_the_operator() {
    let receiver = receiver(&[500]);
    let front = Front::with(&config(&receiver, ", dedupe: none"), ordinary());
    front.ask(with(&front.click(), THANKS));
    let told = settled(&front, "100017", ("crm", "credited"), State::Unclear);
    assert_eq!(told.attempts.len(), 1);
    settled(&front, "100017", ("aspire", "sale"), State::Accepted);
}

#[test]
fn what_becomes_of_a_held_order_by_the_operators_word_is_told_too() {
    let receiver = receiver(&[200]);
    let young = "cookie: { min_click_age: 1h }\n";
    let more = config(&receiver, ", on: [credited, organic, held]");
    let front = Front::with(&format!("{young}{more}"), ordinary());
    let cookie = front.click();
    for id in ["7", "8"] {
        front.ask(with(&cookie, &format!("/checkout/thank-you/{id}")));
        settled(&front, id, ("crm", "held"), State::Accepted);
    }
    let number = |id: &str| {
        let told = settled(&front, id, ("aspire", "sale"), State::Held);
        told.postback.id
    };
    let (good, bad) = (number("7"), number("8"));
    front.held(&format!("held release {good} --reason known"));
    settled(&front, "7", ("crm", "credited"), State::Accepted);
    front.held(&format!("held refuse {bad} --reason made-up"));
    settled(&front, "8", ("crm", "organic"), State::Accepted);
    settled(&front, "7", ("aspire", "sale"), State::Accepted);
    let told: Vec<_> = receiver.asked().iter().skip(2).map(read).collect();
    let said: Vec<_> = told
        .iter()
        .map(|event| {
            let data = &event["data"];
            let of = |key: &str| data[key].clone();
            (
                event["type"].clone(),
                of("order_id"),
                of("network"),
                of("why"),
            )
        })
        .collect();
    let words = |words: [&str; 3]| words.map(|word| json!(word));
    let [credited, id, why] = words(["order.credited", "7", "released: known"]);
    let [organic, other, because] = words(["order.organic", "8", "refused: made-up"]);
    assert_eq!(
        said,
        [
            (credited, id, json!("aspire"), why),
            (organic, other, Value::Null, because),
        ]
    );
    assert_eq!(
        told[0]["data"]["click"],
        json!({ "affiliate_id": "123456" })
    );
    assert_eq!(told[1]["data"]["click"], Value::Null);
}
