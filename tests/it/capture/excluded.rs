//! Robots, staff and checks: nothing of theirs is captured or entered, and all is served.

use refgate::event::Event;
use refgate::order::Standing;

use super::consent::LANDING;
use super::target;
use crate::support::front::{Front, cookie, from, get, with};
use crate::support::shop::{ordinary, thanks};

const EXCLUDE: &str = "
trusted_proxies: [127.0.0.1]
exclude:
  user_agents: ['^ShopCheck/', 'internal']
  cookies: [staff, role=test]
  networks: [192.0.2.0/24, '2001:db8::7']
  paths: ['/admin/**', /checkout/thank-you/13]
";

/// Fields of those who are excluded by it.
const THEM: [&str; 8] = [
    "User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)\r\n",
    "User-Agent: ShopCheck/1.0\r\n",
    "User-Agent: an internal check\r\n",
    "Cookie: a=1; staff=x; b=2\r\n",
    "Cookie: role=test\r\n",
    "X-Forwarded-For: 192.0.2.77\r\n",
    "X-Forwarded-For: 10.0.0.1, 192.0.2.77\r\n",
    "X-Forwarded-For: 2001:db8::7\r\n",
];

/// Fields of shoppers.
const SHOPPERS: [&str; 7] = [
    "",
    "User-Agent: curl/8.5.0\r\n",
    "User-Agent: My ShopCheck/1.0\r\n",
    "Cookie: xstaff=1; role=tester; a=staff\r\n",
    "X-Forwarded-For: 192.0.3.77\r\n",
    "X-Forwarded-For: 192.0.2.77, 198.51.100.1\r\n",
    "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) [FBAN/FBIOS;FBAV/440.0]\r\n",
];

#[test]
fn who_is_excluded_makes_no_click_and_no_order() {
    let front = Front::with(EXCLUDE, ordinary());
    let known = front.click();
    for (n, fields) in THEM.iter().enumerate() {
        let answer = front.ask(get("/p?affiliate_id=123456&a=1", fields));
        assert_eq!(cookie(&answer), None, "{fields}");
        assert_eq!(target(&front), "/p?a=1", "{fields}");
        assert_eq!(answer.get("cache-control").unwrap(), b"private, no-cache");
        // Not even an organic one, with a visit or without.
        for (id, cookies) in [(100 + n, ""), (200 + n, known.as_str())] {
            let fields = match fields.strip_prefix("Cookie: ") {
                Some(own) => format!("Cookie: {cookies}; {own}"),
                None => format!("Cookie: {cookies}\r\n{fields}"),
            };
            let page = front.ask(get(&format!("/checkout/thank-you/{id}"), &fields));
            assert_eq!(page.text(), thanks(&id.to_string()), "{fields}");
            assert!(front.story(&id.to_string()).is_none(), "{fields}");
            let asked = front.shop.asked();
            assert!(!format!("{:?}", asked.last().unwrap().sorted()).contains("refgate="));
        }
    }
    let count = u64::try_from(THEM.len()).unwrap();
    assert_eq!(front.count(Event::ClickExcluded), count);
    assert_eq!(front.count(Event::ExchangeExcluded), 2 * count);
    assert_eq!(front.count(Event::ClickCaptured), 1);
    assert_eq!(front.orders().len(), 0);
}

#[test]
fn the_shopper_beside_them_is_credited() {
    let front = Front::with(EXCLUDE, ordinary());
    for (n, fields) in SHOPPERS.iter().enumerate() {
        let answer = front.ask(get(LANDING, fields));
        let known = cookie(&answer).unwrap_or_else(|| panic!("{fields}"));
        let fields = match fields.strip_prefix("Cookie: ") {
            Some(own) => format!("Cookie: {known}; {own}"),
            None => format!("Cookie: {known}\r\n{fields}"),
        };
        let id = (300 + n).to_string();
        front.ask(get(&format!("/checkout/thank-you/{id}"), &fields));
        let standing = front.story(&id).unwrap().order.standing;
        assert_eq!(standing, Standing::Credited, "{fields}");
    }
    assert_eq!(front.count(Event::ExchangeExcluded), 0);
}

#[test]
fn pages_can_be_excluded() {
    let front = Front::with(EXCLUDE, ordinary());
    for path in [
        "/admin",
        "/admin/users",
        "/x/../admin/",
        "//admin/x",
        "/%61dmin/x",
    ] {
        let answer = front.ask(get(&format!("{path}?affiliate_id=1"), ""));
        assert_eq!(cookie(&answer), None, "{path}");
    }
    let known = front.click_at("/administration");
    front.ask(with(&known, "/checkout/thank-you/13"));
    assert!(front.story("13").is_none());
    front.ask(with(&known, "/checkout/thank-you/14"));
    assert_eq!(
        front.story("14").unwrap().order.standing,
        Standing::Credited
    );
}

#[test]
fn robots_count_where_the_operator_says_so() {
    let front = Front::with("exclude: { bots: false }", ordinary());
    let fields = "User-Agent: Googlebot/2.1\r\n";
    assert!(cookie(&front.ask(get(LANDING, fields))).is_some());
    // Whose address nobody who is trusted tells is judged by his own.
    let front = Front::with("exclude: { networks: 192.0.2.0/24 }", ordinary());
    let fields = "X-Forwarded-For: 192.0.2.77\r\n";
    assert!(cookie(&front.ask(get(LANDING, fields))).is_some());
    let front = Front::with("exclude: { networks: 127.0.0.1 }", ordinary());
    assert!(cookie(&front.ask(from("ca.test", LANDING, ""))).is_none());
}
