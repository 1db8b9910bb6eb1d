//! A visitor who comes back with the cookie of an earlier version is still known.

use std::fs;
use std::time::Duration;

use http::Method;
use refgate::capture::{By, Head, Place, Settings};
use refgate::clock::Time;
use refgate::event::Counters;
use refgate::message::Fields;
use refgate::seal::Keys;
use refgate::visit::{Visit, VisitId};

use crate::support::proxy::base;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cookie-v1.txt");

/// When the fixture was made.
const THEN: Time = Time::from_millis(1_795_400_000_000);

fn settings() -> Settings {
    let key = "5a".repeat(64);
    let settings = base().0.capture;
    Settings {
        keys: Keys::parse([key.as_str()]).unwrap(),
        window: Duration::from_secs(30 * 86_400),
        ..settings
    }
}

/// The visit, and the cookie that was set, of a request to the store `shop.test`.
fn visit(target: &str, cookie: Option<&str>, now: Time) -> (Option<Visit>, Option<String>) {
    let mut headers = Fields::default();
    if let Some(cookie) = cookie {
        headers.append(b"cookie", cookie.as_bytes());
    }
    let stores = base().0.stores;
    let mut head = Head {
        method: &Method::GET,
        target,
        host: "shop.test",
        fields: &mut headers,
    };
    let store = stores.find("shop.test").unwrap();
    let fresh = || Some(VisitId(7));
    let (settings, counters) = (settings(), Counters::default());
    let by = By {
        place: Place {
            stores: &stores,
            store,
        },
        now,
        fresh: &fresh,
        is_excluded: &|_| false,
        client: &|_| [127, 0, 0, 1].into(),
        is_checkout: &|_| false,
        counters: &counters,
    };
    let captured = settings.capture(&mut head, by);
    let seen = (&captured.visitor, &headers);
    let visit = settings.visit(seen, store, now, &counters).cloned();
    let set = captured.answer.set_cookies.first();
    let set = set.map(|value| value.split(';').next().unwrap().to_owned());
    (visit, set)
}

#[test]
fn a_cookie_of_version_1_still_opens() {
    let cookie = fs::read_to_string(FIXTURE).unwrap();
    let now = THEN.plus(Duration::from_secs(86_400));
    let (known, set) = visit("/", Some(cookie.trim()), now);
    let known = known.expect("the cookie was refused");
    assert_eq!(known.id, VisitId(7));
    let click = &known.clicks[0];
    assert_eq!((click.network.as_str(), click.at), ("aspire", THEN));
    assert_eq!(click.values["affiliate_id"], "123456");
    assert_eq!(set, None, "a visit without a click changes nothing");

    let late = THEN.plus(Duration::from_secs(31 * 86_400));
    assert_eq!(visit("/", Some(cookie.trim()), late).0, None);
}

#[test]
#[ignore = "makes the fixture, once per version of the cookie"]
fn make_the_fixture() {
    let (_, set) = visit("/?affiliate_id=123456", None, THEN);
    fs::write(FIXTURE, set.unwrap() + "\n").unwrap();
}
