//! Hand-over through the whole app: what leads to a sibling store, and what comes of it there.

mod asking;
mod came;
mod confirmation;
mod late;
mod links;
mod redirects;
mod tokens;

use std::time::Duration;

use refgate::click::Click;
use refgate::clock::Time;
use refgate::order::Standing;

use crate::support::front::{Front, cookie, from};
use crate::support::message::Message;
use crate::support::shop::{Shop, ordinarily, path, response};

/// Two stores by http, one by https, one of another group, and the hosts of a domain, which share
/// their cookie.
const STORES: &str = "
  us: { hosts: us.test, scheme: http, insecure_http: true, MORE }
  ca: { hosts: [ca.test, www.ca.test], scheme: http, insecure_http: true, MORE }
  safe: { hosts: safe.test, MORE }
  far: { hosts: far.test, scheme: http, insecure_http: true, group: far, MORE }
  one: { hosts: one.dom.test, scheme: http, insecure_http: true, cookie_domain: dom.test, MORE }
  two: { hosts: two.dom.test, scheme: http, insecure_http: true, cookie_domain: dom.test, MORE }
";

const HOUR: Duration = Duration::from_secs(3_600);

/// A person's browser that opens a page.
const PERSON: &str = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";

/// The app with these values of `hand_over:`, and more top-level keys.
fn front(hand_over: &str, more: &str, shop: Shop) -> Front {
    let of_all = "upstream: 'http://SHOP', currency: USD, number_format: '1,234.56', \
        max_amount: 5000, consent: not_needed, checkout: [/cart, /checkout], orders: test";
    let stores = STORES.replace("MORE", of_all);
    let piece = format!("stores:{stores}\nhand_over: {{ {hand_over} }}\n{more}");
    Front::with(&piece, shop)
}

/// A shop that leads where the request says: `X-To` is the `Location`, `X-Refresh` the `Refresh`,
/// `X-Status` the status; and is an ordinary one otherwise.
fn leading() -> Shop {
    Shop::new(|request| {
        let told = |name: &str| {
            let value = request.get(name)?;
            Some(String::from_utf8(value).unwrap())
        };
        let to = told("x-to").map(|to| format!("Location: {to}\r\n"));
        let refresh = told("x-refresh").map(|to| format!("Refresh: {to}\r\n"));
        if to.is_none() && refresh.is_none() {
            return ordinarily(request);
        }
        let status = told("x-status").unwrap_or_else(|| "302 Found".to_owned());
        let again = to.clone().filter(|_| path(request) == "/twice");
        let fields = [to, refresh, again].map(Option::unwrap_or_default).concat();
        response(
            &status,
            &format!("{fields}Cache-Control: max-age=60\r\n"),
            "",
        )
    })
}

/// A request to `host` with a cookie, that `X-To` leads on.
fn led(host: &str, cookie: &str, to: &str) -> String {
    from(host, "/go", &format!("Cookie: {cookie}\r\nX-To: {to}\r\n"))
}

/// The one field of this name, as text.
fn text(answer: &Message, name: &str) -> String {
    let all = answer.all(name);
    assert_eq!(all.len(), 1, "{name}: {answer:?}");
    String::from_utf8(all[0].clone()).unwrap()
}

/// The token that `text` has as our parameter.
fn token(text: &str) -> &str {
    let (_, behind) = text.split_once("refgate=").expect(text);
    let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    behind.split_at(end.unwrap_or(behind.len())).0
}

/// `text` with every token taken out again, with what parts it from the rest.
fn without_tokens(text: &str) -> String {
    let mut out = text.to_owned();
    while let Some(at) = out.find("refgate=") {
        let end = at + "refgate=".len() + token(&out).len();
        let begin = match out.split_at(at).0 {
            before if before.ends_with("&amp;") => at - "&amp;".len(),
            _ => at - 1,
        };
        out.replace_range(begin..end, "");
    }
    out
}

/// Follows `address`, which is one of `http://HOST/…`, with these fields.
fn follow(front: &Front, address: &str, fields: &str) -> Message {
    let rest = address.strip_prefix("http://").expect(address);
    let whole = rest.split('#').next().unwrap();
    let slash = whole.find('/').unwrap();
    let (host, target) = whole.split_at(slash);
    front.ask(from(host, target, fields))
}

/// The target of the shop's last request.
fn seen(front: &Front) -> String {
    let asked = front.shop.asked();
    let start = &asked.last().unwrap().start;
    start.split(' ').nth(1).unwrap().to_owned()
}

/// The one click of the visit that an answer makes the browser keep.
fn kept(front: &Front, answer: &Message) -> Click {
    let kept = cookie(answer).unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    let clicks = front.visit(&kept).clicks;
    assert_eq!(clicks.len(), 1, "{clicks:?}");
    clicks[0].clone()
}

/// When the one click of the visit in a cookie was.
fn at(front: &Front, cookie: &str) -> Time {
    front.visit(cookie).clicks[0].at
}

/// Whether an order at `host` with this cookie is credited.
fn is_credited(front: &Front, host: &str, id: usize, cookie: &str) -> bool {
    let fields = format!("Cookie: {cookie}\r\n");
    front.ask(from(host, &format!("/checkout/thank-you/{id}"), &fields));
    let story = front.story(&id.to_string()).unwrap();
    story.order.standing == Standing::Credited
}
