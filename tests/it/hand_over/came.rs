//! How a click came to the store that has it: kept with it, and told with the order.

use std::time::Duration;

use refgate::click::{By, Came, Click, Leg};
use refgate::clock::Time;
use refgate::visit::{Visit, VisitId};
use serde_json::{Value, json};

use super::{HOUR, PERSON, follow, front, is_credited, leading, led, text, token};
use crate::support::front::{Front, cookie, from, get};
use crate::support::message::Message;
use crate::support::shop::{HTML, Shop, ordinarily, ordinary, path, response};

/// The cookie of somebody who has followed an affiliate's link to `us.test`.
fn landed(front: &Front) -> String {
    cookie(&front.ask(get("/?affiliate_id=77", ""))).expect("no cookie")
}

/// Buys at `host` with the cookie that an answer sets; the way of the order's click, as it is kept, and as it is shown.
fn bought(front: &Front, (host, id): (&str, usize), answer: &Message) -> (Value, String) {
    let brought = cookie(answer).unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    assert!(is_credited(front, host, id, &brought));
    let stories: Value = serde_json::from_str(&front.explain(&id.to_string(), true)).unwrap();
    let shown = front.explain(&id.to_string(), false);
    let line = shown.lines().find_map(|line| line.strip_prefix("  came  "));
    let came = stories[0]["order"]["click"]["came"].clone();
    (came, line.expect(&shown).to_owned())
}

#[test]
fn an_order_tells_by_which_stores_its_click_came_and_how() {
    let front = front("", "", leading());
    let here = landed(&front);
    let to = text(
        &front.ask(led("us.test", &here, "http://ca.test/")),
        "location",
    );
    let there = follow(&front, &to, "");
    let (kept, shown) = bought(&front, ("ca.test", 1), &there);
    assert_eq!(kept, json!(["landing us", "redirect ca"]));
    assert_eq!(shown, "landed at us; by redirect to ca");

    // Where it was first, it has only landed.
    assert!(is_credited(&front, "us.test", 2, &here));
    assert!(front.explain("2", false).contains("  came  landed at us\n"));

    // Back again, it is the click that is known already.
    let known = cookie(&there).unwrap();
    let to = text(
        &front.ask(led("ca.test", &known, "http://us.test/")),
        "location",
    );
    let back = follow(&front, &to, &format!("Cookie: {here}\r\n"));
    assert_eq!(cookie(&back), None, "nothing is new");
    let (kept, shown) = bought(&front, ("us.test", 3), &follow(&front, &to, ""));
    assert_eq!(kept, json!(["landing us", "redirect ca", "redirect us"]));
    assert_eq!(shown, "landed at us; by redirect to ca; by redirect to us");
}

#[test]
fn a_link_of_a_page_is_told_from_a_redirect() {
    let shop = Shop::new(|request| match path(request) {
        "/links" => response("200 OK", HTML, "<a href='http://ca.test/'>Canada</a>"),
        _ => ordinarily(request),
    });
    let front = front("", "", shop);
    let known = format!("Cookie: {}\r\n", landed(&front));
    let page = front.ask(get("/links", &known)).text();
    let there = format!("http://ca.test/?refgate={}", token(&page));
    let (kept, shown) = bought(&front, ("ca.test", 1), &follow(&front, &there, ""));
    assert_eq!(kept, json!(["landing us", "link ca"]));
    assert_eq!(shown, "landed at us; by a link or form to ca");
}

#[test]
fn what_another_store_answered_is_told() {
    let front = front("redirects: false, links: false, ask: us", "", ordinary());
    let known = landed(&front);
    let question = front.ask(from("ca.test", "/p", PERSON));
    let marker = String::from_utf8(question.all("set-cookie").remove(0)).unwrap();
    let marker = marker.split(';').next().unwrap().to_owned();
    let there = text(&question, "location");
    let answer = follow(&front, &there, &format!("{PERSON}Cookie: {known}\r\n"));
    let fields = format!("{PERSON}Cookie: {marker}\r\n");
    let home = follow(&front, &text(&answer, "location"), &fields);
    let (kept, shown) = bought(&front, ("ca.test", 1), &home);
    assert_eq!(kept, json!(["landing us", "ask ca"]));
    assert_eq!(shown, "landed at us; asked for by ca");
}

#[test]
fn a_click_from_before_this_was_kept_says_so() {
    let front = front("", "", leading());
    let known = front.cookie_of(HOUR);
    assert!(is_credited(&front, "us.test", 1, &known));
    assert!(
        front
            .explain("1", false)
            .contains("  came  not kept with it\n")
    );
    let to = text(
        &front.ask(led("us.test", &known, "http://ca.test/")),
        "location",
    );
    let (kept, _) = bought(&front, ("ca.test", 2), &follow(&front, &to, ""));
    assert_eq!(kept, json!(["redirect ca"]));
}

/// Seven clicks that fill a cookie as browsers take it, together with their ways.
fn full() -> Visit {
    let mut came = Came::landed("l".repeat(20).parse().unwrap(), false);
    let store = "s".repeat(20).parse().unwrap();
    came.on(Leg {
        by: By::Redirect,
        store,
        late: false,
    });
    let click = |number: u64| Click {
        network: format!("network-{number}").parse().unwrap(),
        values: [("affiliate_id".to_owned(), "9".repeat(200))].into(),
        at: Time::now().minus(Duration::from_secs(1_000 - number)),
        came: came.clone(),
    };
    let mut visit = Visit::new(VisitId(7), click(0));
    visit.clicks.extend((1..7).map(click));
    visit
}

#[test]
fn ways_give_way_in_a_full_cookie_and_in_a_full_token_and_no_click_does() {
    let front = front("", "", leading());
    let full = full();
    let fields = format!(
        "Cookie: {}\r\nX-To: http://ca.test/\r\n",
        front.sealed(&full)
    );
    let answer = front.ask(from("us.test", "/?affiliate_id=77", &fields));
    let set = cookie(&answer).unwrap();
    assert!(set.len() < 3_600, "{}", set.len());
    let kept = front.visit(&set).clicks;
    let before = full.clicks.iter();
    assert_eq!(kept.len(), 8);
    assert!(before.zip(&kept).all(|(one, kept)| one.is(kept)));
    assert!(kept[0].came.is_empty(), "the oldest first");
    assert_eq!(kept[7].came, Came::landed("us".parse().unwrap(), false));

    let to = text(&answer, "location");
    assert!(to.len() < 3_100, "{}", to.len());
    let there = cookie(&follow(&front, &to, "")).unwrap();
    let there = front.visit(&there).clicks;
    let brought = Vec::<String>::from(there[0].came.clone());
    assert_eq!(
        (there.len(), brought),
        (1, vec!["landing us".to_owned(), "redirect ca".to_owned()])
    );
}
