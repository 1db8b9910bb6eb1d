//! Back from a payment page by POST from another site: our cookie does not come, the shop's session does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use refgate::clock::Time;
use refgate::event::Event;
use refgate::name::GroupName;
use refgate::order::{Doubt, FoundBy, Standing};
use refgate::postback::State;
use refgate::seal::Keys;
use refgate::session::Marker;
use rusqlite::Connection;

use crate::support::front::{Front, assert_same, cookie, eventually, from, get, with};
use crate::support::log::Log;
use crate::support::shop::{HTML, Shop, page, path, response, thanks};

/// A shopper's session at the shop.
const SESSION: &str = "q8Zk2mJ4xTt0bN1vQwE7rY5u";
const OTHER: &str = "h3Lr9sWc6yPa1dKf8gMn2jXz";
/// One that does not count.
const SHORT: &str = "n4Vd9sK2";

/// A shop that answers the POST from the payment page with the confirmation, and sets its own cookies.
fn shop() -> Shop {
    Shop::new(|request| match path(request).strip_prefix("/pay/return/") {
        Some(id) if request.start.starts_with("POST") => {
            let fields = format!("{HTML}Set-Cookie: sid={SESSION}; SameSite=None; Secure\r\n");
            page(&fields, thanks(id))
        }
        _ => response("200 OK", HTML, "<!doctype html><title>Shop</title>"),
    })
}

/// The shop whose sessions are remembered for so long, with one rule for what comes back from the payment page.
fn remembering(memory: &str) -> Front {
    remembering_at("us.test", memory)
}

/// The same, of a shop with these hosts.
fn remembering_at(hosts: &str, memory: &str) -> Front {
    let store = |name: &str, host: &str, more: &str| {
        format!(
            "  {name}: {{ hosts: [{host}], scheme: http, insecure_http: true, upstream: 'http://SHOP', currency: USD, \
             number_format: \"1,234.56\", max_amount: 5000, consent: not_needed, orders: test{more} }}\n"
        )
    };
    let more = format!(
        ", session_cookie: sid, checkout: [\"/checkout/*\", /cart], session_memory: {memory}"
    );
    let piece = format!(
        "stores:\n{}{}rules:\n  - name: paid\n    when: {{ method: POST, path: \"/pay/return/{{order_id}}\" }}\n    read:\n      \
         order_id: {{ css: \"#order-number\" }}\n      subtotal: {{ css: \"#totals .subtotal td\" }}\n      \
         discount: {{ css: \"#totals .discount td\" }}\n    then: order\n    amount: subtotal - discount\n",
        store("us", hosts, &more),
        store("plain", "plain.test", ", checkout: /elsewhere")
    );
    Front::with(&piece, shop())
}

/// The POST by which the payment page sends the shopper back, with these cookies.
fn back(id: &str, cookies: &str) -> String {
    format!(
        "POST /pay/return/{id} HTTP/1.1\r\nHost: us.test\r\n{cookies}Origin: https://pay.example\r\n\
         Sec-Fetch-Site: cross-site\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 7\r\n\r\nstate=1"
    )
}

fn by_session(id: &str, session: &str) -> String {
    back(id, &format!("Cookie: lang=en; sid={session}\r\n"))
}

/// Asks for a page with our cookie and the session; once it is written down.
fn checkout(front: &Front, ours: &str, session: &str, target: &str) {
    let before = front.count(Event::SessionRemembered);
    front.ask(with(&format!("sid={session}; {ours}"), target));
    front.counted(Event::SessionRemembered, before + 1);
}

fn standing(front: &Front, id: &str) -> (Standing, FoundBy, String) {
    let story = front.story(id).unwrap();
    let found_by = story.sightings[0].sighting.found_by;
    (story.order.standing, found_by, story.order.why)
}

fn organic(front: &Front, id: &str) {
    let (standing, _, why) = standing(front, id);
    assert_eq!(standing, Standing::Organic, "{id}: {why}");
}

#[test]
fn who_comes_back_without_our_cookie_is_found_by_the_shops_session() {
    let front = remembering("2h");
    let ours = front.click();
    checkout(&front, &ours, SESSION, "/checkout/pay");
    let request = by_session("100017", SESSION);
    // The shop's bytes and its cookies are unchanged.
    let through = front.same(&request);
    assert_eq!(through.all("set-cookie").len(), 1);
    let asked = front.shop.asked();
    let cookies: Vec<_> = asked.iter().filter_map(|it| it.get("cookie")).collect();
    assert_eq!(cookies[0], format!("sid={SESSION}").as_bytes());
    assert_eq!(cookies[1], format!("lang=en; sid={SESSION}").as_bytes());

    front.settled("100017", State::Accepted);
    let story = front.story("100017").unwrap();
    let visit = front.visit(&ours);
    assert_eq!(story.order.standing, Standing::Credited);
    assert_eq!(story.order.click.as_ref(), Some(&visit.clicks[0]));
    assert_eq!(story.order.visit, Some(visit.id));
    let (_, found_by, why) = standing(&front, "100017");
    assert_eq!(found_by, FoundBy::Session);
    assert!(why.contains("found by the shop's session"), "{why}");
    assert_eq!(front.count(Event::SessionFound), 1);
    // Seen again, with our cookie or without: one order, one postback.
    front.ask(&request);
    front.ask(back("100017", &format!("Cookie: {ours}\r\n")));
    front.ask(with(&ours, "/other"));
    assert_eq!(front.story("100017").unwrap().postbacks.len(), 1);
    assert_eq!(front.calls(1).len(), 1);
}

#[test]
fn without_a_checkout_seen_or_by_another_session_it_is_organic() {
    let front = remembering("2h");
    let ours = front.click();
    // Not at the checkout, not with a visit, not in a store that remembers.
    front.ask(with(&format!("sid={SESSION}; {ours}"), "/other"));
    front.ask(with(&format!("sid={SESSION}"), "/checkout/pay"));
    let fields = format!("Cookie: sid={SESSION}; {ours}\r\n");
    front.ask(from("plain.test", "/checkout/pay", &fields));
    front.ask(by_session("1", SESSION));
    organic(&front, "1");
    checkout(&front, &ours, SESSION, "/cart");
    front.ask(by_session("2", OTHER));
    organic(&front, "2");
    front.ask(back("3", ""));
    organic(&front, "3");
    // Twice is none; so is another spelling, and the value within another cookie.
    for (id, cookies) in [
        ("4", format!("Cookie: sid={SESSION}; sid={SESSION}\r\n")),
        (
            "5",
            format!("Cookie: sid={SESSION}\r\nCookie: sid={OTHER}\r\n"),
        ),
        ("6", format!("Cookie: SID={SESSION}; xsid={SESSION}\r\n")),
        ("7", format!("Cookie: a=sid={SESSION}\r\n")),
    ] {
        front.ask(back(id, &cookies));
        organic(&front, id);
    }
    front.ask(by_session("8", SESSION));
    assert_eq!(standing(&front, "8").0, Standing::Credited);
    assert_eq!(front.count(Event::SessionFound), 1);
}

#[test]
fn a_session_with_two_visits_is_of_no_use_and_an_alarm() {
    let front = remembering("2h");
    let (first, second) = (front.click(), front.click());
    checkout(&front, &first, SESSION, "/checkout/pay");
    checkout(&front, &second, SESSION, "/checkout/pay");
    assert_eq!(front.count(Event::SessionShared), 1);
    // Nor by the first one's word again.
    let newer = cookie(&front.ask(with(&first, "/?affiliate_id=77"))).unwrap();
    checkout(&front, &newer, SESSION, "/checkout/pay");
    front.ask(by_session("1", SESSION));
    organic(&front, "1");
    let (_, found_by, why) = standing(&front, "1");
    assert_eq!(found_by, FoundBy::SharedSession);
    assert!(
        why.contains("its session was seen with two visits"),
        "{why}"
    );
    assert_eq!(front.count(Event::SessionShared), 1, "once an entry");
    // Others are not concerned.
    checkout(&front, &first, OTHER, "/checkout/pay");
    front.ask(by_session("2", OTHER));
    assert_eq!(standing(&front, "2").0, Standing::Credited);
}

#[test]
fn the_requests_own_visit_wins() {
    let front = remembering("2h");
    let (session, own) = (front.click(), front.click());
    checkout(&front, &session, SESSION, "/checkout/pay");
    front.ask(back("1", &format!("Cookie: {own}; sid={SESSION}\r\n")));
    let story = front.story("1").unwrap();
    assert_eq!(story.order.visit, Some(front.visit(&own).id));
    assert_eq!(standing(&front, "1").1, FoundBy::Request);
    assert_eq!(front.count(Event::SessionFound), 0);
}

#[test]
fn the_same_pair_is_written_once_and_a_newer_click_again() {
    let front = remembering("2h");
    let ours = front.click();
    checkout(&front, &ours, SESSION, "/checkout/pay");
    for target in ["/checkout/pay", "/cart", "/checkout/done"] {
        front.ask(with(&format!("{ours}; sid={SESSION}"), target));
    }
    let newer = cookie(&front.ask(with(&ours, "/?affiliate_id=77"))).unwrap();
    checkout(&front, &newer, SESSION, "/cart");
    assert_eq!(front.count(Event::SessionRemembered), 2);
    front.ask(by_session("1", SESSION));
    let click = front.story("1").unwrap().order.click.unwrap();
    assert_eq!(click.values["affiliate_id"], "77");
}

#[test]
fn a_link_to_the_checkout_is_remembered_but_no_step() {
    let front = remembering("2h");
    let fields = format!("Cookie: sid={SESSION}\r\n");
    front.ask(get("/checkout/pay?affiliate_id=123456", &fields));
    front.counted(Event::SessionRemembered, 1);
    front.ask(by_session("1", SESSION));
    let (held, found_by, why) = standing(&front, "1");
    assert_eq!(
        held,
        Standing::Held(Doubt::Unproven),
        "the link itself is no step"
    );
    assert_eq!(found_by, FoundBy::Session);
    assert!(why.contains("no checkout seen"), "{why}");
    let ours = front.click_at("/checkout/pay");
    checkout(&front, &ours, OTHER, "/checkout/pay");
    front.ask(by_session("2", OTHER));
    assert_eq!(standing(&front, "2").0, Standing::Credited);
}

#[test]
fn it_is_forgotten_when_its_time_is_over() {
    let mut front = remembering("300ms");
    let ours = front.click();
    checkout(&front, &ours, SESSION, "/checkout/pay");
    let over = Time::now().plus(Duration::from_millis(300));
    eventually(|| (Time::now() > over).then_some(())).unwrap();
    front.ask(by_session("1", SESSION));
    organic(&front, "1");
    assert_eq!(rows(&front), 1);
    front.restart();
    eventually(|| (rows(&front) == 0).then_some(())).expect("it is swept");
}

/// Starts the app anew with these keys, each of one byte repeated.
fn keyed(front: &mut Front, digits: &[&str]) {
    let texts: Vec<String> = digits.iter().map(|pair| pair.repeat(64)).collect();
    let keys = Keys::parse(texts.iter().map(String::as_str)).unwrap();
    for checkout in front.settings.record.returns.values_mut() {
        checkout.marker = Marker::new(&keys, &GroupName::default(), &"test".parse().unwrap());
    }
    front.settings.capture.keys = keys;
    front.restart();
}

/// How many sessions are in the ledger.
fn rows(front: &Front) -> i64 {
    let db = Connection::open(front.ledger_file()).unwrap();
    let count = db.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0));
    count.unwrap()
}

#[test]
fn a_restart_and_a_new_key_before_the_old_one_change_nothing() {
    let mut front = remembering("2h");
    keyed(&mut front, &["11"]);
    let ours = front.click();
    checkout(&front, &ours, SESSION, "/checkout/pay");
    front.restart();
    front.ask(by_session("1", SESSION));
    assert_eq!(standing(&front, "1").0, Standing::Credited);

    keyed(&mut front, &["22", "11"]);
    front.ask(by_session("2", SESSION));
    assert_eq!(standing(&front, "2").0, Standing::Credited);
    // Under the new key it is another row, and the old one's visit is still the first.
    let second = front.click();
    checkout(&front, &second, SESSION, "/checkout/pay");
    assert_eq!(front.count(Event::SessionShared), 1);
    keyed(&mut front, &["11"]);
    front.ask(by_session("3", SESSION));
    assert_eq!(standing(&front, "3").1, FoundBy::SharedSession);
}

#[test]
fn short_and_plain_values_are_never_written() {
    let front = remembering("2h");
    let ours = front.click();
    let plain = [
        "short",
        "12345678901234567890",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "\"\"",
    ];
    for value in plain {
        front.ask(with(&format!("sid={value}; {ours}"), "/checkout/pay"));
    }
    front.counted(Event::SessionRefused, 4);
    // What was to be written is written by now.
    checkout(&front, &ours, SESSION, "/checkout/pay");
    assert_eq!(
        (front.count(Event::SessionRemembered), rows(&front)),
        (1, 1)
    );
    for (id, value) in ["1", "2", "3", "4"].into_iter().zip(plain) {
        front.ask(by_session(id, value));
        organic(&front, id);
    }
}

#[test]
fn a_ledger_that_takes_nothing_costs_the_credit_and_no_time() {
    let front = remembering("2h");
    let ours = front.click();
    let other = Connection::open(front.ledger_file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request = with(&format!("sid={SESSION}; {ours}"), "/checkout/pay");
    let direct = front.direct(with(&format!("sid={SESSION}"), "/checkout/pay"));
    let mut through = front.ask(&request);
    // The step is kept in the cookie.
    for name in ["set-cookie", "cache-control", "expires"] {
        through.without(name);
    }
    assert_same(&through, &direct);
    // The ledger's patience ends.
    front.counted(Event::SessionLost, 1);
    assert_eq!(front.count(Event::SessionRemembered), 0);
    other.execute_batch("ROLLBACK").unwrap();
    front.ask(by_session("1", SESSION));
    organic(&front, "1");
    // It is tried again with the next request, though it is the same pair.
    checkout(&front, &ours, SESSION, "/checkout/pay");
    front.ask(by_session("2", SESSION));
    assert_eq!(standing(&front, "2").0, Standing::Credited);
}

/// Asks for a page of the checkout with the session alone, with these fields.
fn step_without_ours(front: &Front, session: &str, fields: &str) {
    front.ask(get("/cart", &format!("Cookie: sid={session}\r\n{fields}")));
}

const FROM_HERE: &str = "Sec-Fetch-Site: same-origin\r\n";

#[test]
fn a_session_that_is_planted_with_somebody_who_has_no_visit_credits_nobody() {
    let front = remembering("2h");
    let thief = front.cookie_of(Duration::from_secs(3600));
    checkout(&front, &thief, SESSION, "/checkout/pay");
    checkout(&front, &thief, OTHER, "/checkout/pay");
    // Cookies of ours might have stayed away: from another site, or by a browser that does not say.
    step_without_ours(&front, OTHER, "Sec-Fetch-Site: cross-site\r\n");
    step_without_ours(&front, OTHER, "");
    step_without_ours(&front, SESSION, FROM_HERE);
    front.counted(Event::SessionShared, 1);
    front.ask(by_session("1", SESSION));
    organic(&front, "1");
    assert_eq!(standing(&front, "1").1, FoundBy::SharedSession);
    // Nor when he goes on with it himself.
    let newer = cookie(&front.ask(with(&thief, "/?affiliate_id=77"))).unwrap();
    checkout(&front, &newer, SESSION, "/checkout/pay");
    front.ask(by_session("2", SESSION));
    organic(&front, "2");
    front.ask(by_session("3", OTHER));
    assert_eq!(standing(&front, "3").0, Standing::Credited);
    assert_eq!(front.count(Event::SessionShared), 1);
}

#[test]
fn a_session_is_not_parted_from_a_click_whose_cookie_may_be_on_its_way() {
    let front = remembering("2h");
    let ours = front.click();
    // Before there was a visit, and in another tab a moment later.
    step_without_ours(&front, SESSION, FROM_HERE);
    checkout(&front, &ours, SESSION, "/checkout/pay");
    step_without_ours(&front, SESSION, FROM_HERE);
    step_without_ours(&front, OTHER, FROM_HERE);
    front.ask(by_session("1", SESSION));
    assert_eq!(standing(&front, "1").0, Standing::Credited);
    assert_eq!(front.count(Event::SessionShared), 0);
    assert_eq!(rows(&front), 1, "nothing is kept of one without a visit");
}

#[test]
fn where_the_shops_cookies_may_come_without_ours_nobody_is_surely_a_stranger() {
    let front = remembering_at("us.test, www.us.test", "2h");
    let ours = front.cookie_of(Duration::from_secs(3600));
    checkout(&front, &ours, SESSION, "/checkout/pay");
    // At the other host the shop's cookie for `us.test` comes along, and ours does not.
    let fields = format!("Cookie: sid={SESSION}\r\n{FROM_HERE}");
    front.ask(from("www.us.test", "/cart", &fields));
    front.ask(by_session("1", SESSION).replace("cross-site", "same-origin"));
    assert_eq!(standing(&front, "1").0, Standing::Credited);
    assert_eq!(front.count(Event::SessionShared), 0);
}

#[test]
fn an_order_of_a_browser_that_surely_has_no_visit_is_nobodys_for_good() {
    let front = remembering("2h");
    let thief = front.cookie_of(Duration::from_secs(3600));
    let stepped = cookie(&front.ask(with(&thief, "/cart"))).unwrap();
    checkout(&front, &stepped, SESSION, "/checkout/pay");
    // By a script of the shop's own page, with the session that was planted, and without our cookie.
    let here = by_session("1", SESSION).replace("cross-site", "same-origin");
    front.ask(&here);
    organic(&front, "1");
    assert_eq!(standing(&front, "1").1, FoundBy::Request);
    // The thief has the session too, and looks.
    front.ask(back("1", &format!("Cookie: sid={SESSION}; {stepped}\r\n")));
    organic(&front, "1");
    assert_eq!(front.count(Event::SessionFound), 0);
}

#[test]
fn the_sessions_value_stands_nowhere() {
    let log = Log::default();
    log.listen_to_all();
    let mut front = remembering("2h");
    front.settings.record.hold = Duration::from_millis(300);
    front.restart();
    let (first, second) = (front.click(), front.click());
    for ours in [&first, &second] {
        checkout(&front, ours, SESSION, "/checkout/pay");
        checkout(&front, ours, OTHER, "/cart");
    }
    front.ask(by_session("1", SESSION));
    front.ask(with(&format!("sid={SHORT}; {first}"), "/cart"));
    // One order goes into the spool.
    let locked = Connection::open(front.ledger_file()).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    front.ask(by_session("2", SESSION));
    front.counted(Event::OrderSpooled, 1);
    locked.execute_batch("ROLLBACK").unwrap();
    let folder = front.ledger_file().parent().unwrap().to_owned();
    let looked = files(&folder, &mut |path, bytes| {
        for value in [SESSION, OTHER, SHORT] {
            let found = bytes.windows(value.len()).any(|it| it == value.as_bytes());
            assert!(!found, "in {}", path.display());
        }
    });
    assert!(looked >= 3, "ledger, its log, the spool");
    front.stop();
    let lines = log.lines().join("\n");
    assert!(lines.contains("came with two visits"), "{lines}");
    for value in [SESSION, OTHER, SHORT] {
        assert!(!lines.contains(value), "in the log: {lines}");
    }
}

/// Looks at every file beneath a folder; how many they are.
fn files(folder: &Path, look: &mut dyn FnMut(&Path, &[u8])) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += files(&path, look);
        } else {
            look(&path, &fs::read(&path).unwrap());
            count += 1;
        }
    }
    count
}
