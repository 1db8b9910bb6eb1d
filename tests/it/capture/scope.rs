//! Where the cookie counts: for a host alone, a domain, a group of stores.

use refgate::visit::Visit;

use crate::support::front::{Front, from};
use crate::support::message::Message;
use crate::support::sealed::{Seal, ago, visit};
use crate::support::shop::ordinary;

/// Two stores of a domain, one of a host alone under it, another group, and plain HTTP.
const STORES: &str = r#"
  domain: { hosts: [us.test, www.us.test], cookie_domain: us.test, MORE }
  sibling: { hosts: shop.us.test, cookie_domain: US.test, MORE }
  alone: { hosts: blog.us.test, MORE }
  wide: { hosts: [a.pay.test, b.pay.test], same_site: none, MORE }
  other: { hosts: other.test, group: other, MORE }
  twin: { hosts: twin.test, group: other, MORE }
  plain: { hosts: [plain.test, www.plain.test], scheme: http, insecure_http: true, cookie_domain: plain.test, MORE }
  bare: { hosts: [bare.test, www.bare.test], scheme: http, insecure_http: true, MORE }
"#;

fn front() -> Front {
    let more = "upstream: 'http://SHOP', currency: USD, number_format: '1,234.56', max_amount: 5000, consent: not_needed, checkout: [/cart, /checkout], orders: test";
    let stores = STORES.replace("MORE", more);
    Front::with(&format!("stores:{stores}"), ordinary())
}

/// Asks `host` for a page with our parameter, and these cookies.
fn land(front: &Front, host: &str, partner: &str, cookies: &str) -> Message {
    let fields = match cookies {
        "" => String::new(),
        cookies => format!("Cookie: {cookies}\r\n"),
    };
    front.ask(from(host, &format!("/?affiliate_id={partner}"), &fields))
}

fn set(answer: &Message) -> Vec<String> {
    let fields = answer.all("set-cookie").into_iter();
    fields
        .map(|field| String::from_utf8(field).unwrap())
        .collect()
}

/// The one cookie that is set, as it is sent back.
fn kept(answer: &Message) -> String {
    let set = set(answer);
    let kept: Vec<_> = set
        .iter()
        .filter(|one| !one.contains("Max-Age=0"))
        .collect();
    assert_eq!(kept.len(), 1, "{set:?}");
    kept[0].split(';').next().unwrap().to_owned()
}

/// Whom an order at `host` with these cookies is credited to.
fn credited(front: &Front, host: &str, id: usize, cookies: &str) -> Option<String> {
    let fields = format!("Cookie: {cookies}\r\n");
    front.ask(from(host, &format!("/checkout/thank-you/{id}"), &fields));
    let asked = front.shop.asked();
    assert_eq!(asked.last().unwrap().get("cookie"), None, "{host}");
    let click = front.story(&id.to_string()).unwrap().order.click?;
    Some(click.values["affiliate_id"].clone())
}

#[test]
fn the_attributes_say_for_whom_it_is() {
    let front = front();
    let usual = "Max-Age=2592000; HttpOnly; SameSite=Lax";
    let domain = format!("__Secure-refgate; Path=/; Domain=us.test; {usual}; Secure");
    for (host, expected) in [
        ("us.test", domain.clone()),
        ("www.us.test", domain.clone()),
        ("shop.us.test", domain),
        (
            "blog.us.test",
            format!("__Host-refgate; Path=/; {usual}; Secure"),
        ),
        (
            "a.pay.test",
            "__Host-refgate; Path=/; Max-Age=2592000; HttpOnly; SameSite=None; Secure".to_owned(),
        ),
        (
            "www.plain.test",
            format!("refgate; Path=/; Domain=plain.test; {usual}"),
        ),
        ("bare.test", format!("refgate; Path=/; {usual}")),
    ] {
        let set = set(&land(&front, host, "1", ""));
        assert_eq!(set.len(), 1, "{set:?}");
        let (name, rest) = set[0].split_once('=').unwrap();
        let (_, attributes) = rest.split_once(';').unwrap();
        assert_eq!(format!("{name};{attributes}"), expected, "{host}");
    }
}

#[test]
fn a_domains_cookie_counts_in_every_store_that_names_it() {
    let front = front();
    let shared = kept(&land(&front, "www.us.test", "1", ""));
    for (id, host, expected) in [
        (1, "us.test", Some("1")),
        (2, "www.us.test", Some("1")),
        (3, "shop.us.test", Some("1")),
        // Browsers send it there too, but the store has a cookie of its own.
        (4, "blog.us.test", None),
        (5, "other.test", None),
        (6, "www.plain.test", None),
    ] {
        let credited = credited(&front, host, id, &shared);
        assert_eq!(credited.as_deref(), expected, "{host}");
    }
    let alone = kept(&land(&front, "blog.us.test", "2", ""));
    // Left from before the domain was named.
    assert_eq!(credited(&front, "us.test", 7, &alone).as_deref(), Some("2"));
    let both = format!("{alone}; {shared}");
    assert_eq!(
        credited(&front, "blog.us.test", 8, &both).as_deref(),
        Some("2")
    );
    // The newest click decides, whichever cookie it is in.
    assert_eq!(credited(&front, "us.test", 9, &both).as_deref(), Some("2"));
}

#[test]
fn stores_of_a_group_share_visits_and_no_others() {
    let front = front();
    // As a browser would never send them: the hosts' names stand in for one host in two groups.
    let all = kept(&land(&front, "blog.us.test", "1", ""));
    let other = kept(&land(&front, "other.test", "2", ""));
    for (id, host, cookie, expected) in [
        (1, "other.test", &all, None),
        (2, "blog.us.test", &other, None),
        (3, "twin.test", &other, Some("2")),
        (4, "a.pay.test", &all, Some("1")),
    ] {
        let credited = credited(&front, host, id, cookie);
        assert_eq!(credited.as_deref(), expected, "{host}");
    }
}

/// Cookies as browsers keep them, sealed with the app's keys: two of each name, and others'.
struct Kept {
    host: [String; 2],
    secure: [String; 2],
    bare: [String; 2],
    foreign: String,
}

impl Kept {
    fn new(front: &Front) -> Self {
        let sealed = |name: &'static str, group: &'static str, id: u128| {
            let mut seal = Seal::new(&front.settings.capture.keys, name);
            seal.group = group;
            format!("{name}={}", seal.value(&visit(id, ago(60))))
        };
        Self {
            host: [1, 2].map(|id| sealed("__Host-refgate", "all", id)),
            secure: [3, 4].map(|id| sealed("__Secure-refgate", "all", id)),
            bare: [5, 6].map(|id| sealed("refgate", "all", id)),
            foreign: sealed("__Secure-refgate", "other", 7),
        }
    }
}

const FORGED: &str = "__Host-refgate=forged; __Secure-refgate=forged; refgate=forged";

/// At a host, with these cookies, partner 999's link is followed: these are deleted (their domains,
/// none for a host's own), and whether the visit goes on.
fn leftovers(front: &Front, at: &str, sent: &str, expected: &[&str], goes_on: bool) {
    let set = set(&land(front, at, "999", sent));
    let (new, deleted) = set.split_last().unwrap();
    let name = name_of(new);
    let secure = if name == "refgate" { "" } else { "; Secure" };
    let deletion = |domain: &&str| match (name, *domain) {
        ("refgate", "") => "refgate=; Path=/; Max-Age=0".to_owned(),
        (_, "") => "__Host-refgate=; Path=/; Max-Age=0; Secure".to_owned(),
        (_, domain) => {
            let name = name.replace("__Host-", "__Secure-");
            format!("{name}=; Path=/; Domain={domain}; Max-Age=0{secure}")
        }
    };
    let expected: Vec<String> = expected.iter().map(deletion).collect();
    assert_eq!(deleted, expected, "{at} {sent}");
    let seal = Seal::new(&front.settings.capture.keys, name);
    let (_, rest) = new.split_once('=').unwrap();
    let visit: Visit = seal.open(rest.split(';').next().unwrap()).unwrap();
    assert_eq!(visit.clicks[0].values["affiliate_id"], "999");
    assert_eq!((1..7).contains(&visit.id.0), goes_on, "{at} {sent}");
}

#[test]
fn what_is_left_of_another_scope_is_deleted_with_the_next_click() {
    let front = front();
    let Kept {
        host: [host, host2],
        secure: [secure, secure2],
        foreign,
        ..
    } = &Kept::new(&front);
    let case = |at, sent: &[&str], expected: &[&str], goes_on| {
        leftovers(&front, at, &sent.join("; "), expected, goes_on);
    };
    // To a domain.
    case("us.test", &[host], &[""], true);
    case("us.test", &[host, host2], &[""], true);
    case("us.test", &[host, secure], &[""], true);
    case("us.test", &[secure], &[], true);
    case("us.test", &[FORGED, secure], &[""], true);
    // Two of domains: one is of another one than now.
    let two = [secure.as_str(), secure2];
    case("www.us.test:443", &two, &["www.us.test"], true);
    case("us.test", &two, &[], true);
    case("us.test", &[secure, foreign], &[], true);
    // To a host alone: a domain that is in use is left alone, and so is another group's.
    let both = ["a.pay.test", "pay.test"];
    case("a.pay.test", &[secure], &both, false);
    case("A.Pay.test", &[secure, host], &both, true);
    case("blog.us.test", &[secure, host], &["blog.us.test"], true);
    case("blog.us.test", &[foreign, FORGED, host], &[], true);
}

#[test]
fn by_plain_http_a_second_cookie_tells_of_another_scope() {
    let front = front();
    let [bare, bare2] = &Kept::new(&front).bare;
    leftovers(&front, "www.plain.test", bare, &[""], true);
    leftovers(&front, "www.bare.test", bare, &[], true);
    let both = format!("{bare}; {bare2}");
    let expected = ["www.bare.test", "bare.test"];
    leftovers(&front, "www.bare.test", &both, &expected, true);
    let expected = ["", "www.plain.test"];
    leftovers(&front, "www.plain.test", &both, &expected, true);
    leftovers(
        &front,
        "www.bare.test",
        &format!("{bare}; {FORGED}"),
        &[],
        true,
    );
}

#[test]
fn where_nothing_is_set_nothing_is_deleted() {
    let front = front();
    let kept = Kept::new(&front);
    let all = [kept.host, kept.secure, kept.bare].concat().join("; ");
    let fields = format!("Cookie: {all}\r\n");
    for host in ["us.test", "blog.us.test", "www.plain.test"] {
        for target in ["/", "/?affiliate_id=x"] {
            assert_eq!(set(&front.ask(from(host, target, &fields))), [""; 0]);
        }
    }
}

fn name_of(set: &str) -> &'static str {
    let names = ["__Host-refgate", "__Secure-refgate", "refgate"];
    let name = set.split('=').next().unwrap();
    names.into_iter().find(|own| *own == name).unwrap()
}

#[test]
fn a_hand_over_is_needed_where_no_cookie_is_shared() {
    let front = front();
    let stores = &front.settings.stores;
    for (from, to, shared) in [
        ("us.test", "us.test", true),
        ("us.test", "www.us.test", true),
        ("www.us.test", "shop.us.test", true),
        ("us.test", "blog.us.test", false),
        ("blog.us.test", "us.test", false),
        ("a.pay.test", "a.pay.test", true),
        ("a.pay.test", "b.pay.test", false),
        ("plain.test", "www.plain.test", true),
        ("bare.test", "www.bare.test", false),
        ("us.test", "plain.test", false),
        ("other.test", "twin.test", false),
    ] {
        let store = |host| stores.find(host).unwrap();
        let found = store(from).shares_cookie(from, store(to), to);
        assert_eq!(found, shared, "{from} {to}");
    }
}
