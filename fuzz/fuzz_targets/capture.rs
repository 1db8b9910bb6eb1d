//! What a browser sends of ours: query parameters and cookies, sealed and forged. The shop's own
//! bytes stay as they came.
#![no_main]

use std::cell::LazyCell;
use std::net::{IpAddr, Ipv4Addr};

use http::Method;
use libfuzzer_sys::fuzz_target;
use refgate::capture::{By, CookieName, Head, Place, Settings, cookies, query};
use refgate::clock::Time;
use refgate::event::Counters;
use refgate::message::Fields;
use refgate::message::parse::is_text;
use refgate::store::Stores;
use refgate::visit::{SKEW, VisitId};
use refgate_fuzz::settings::settings;
use refgate_fuzz::{first_line, text};

thread_local! {
    static SETTINGS: LazyCell<(Settings, Stores)> = const { LazyCell::new(|| {
        let settings = settings();
        (settings.capture, settings.stores)
    }) };
}

/// The cookie's name in a store of `https`, those that it may have had, and the marker's.
const NAMES: [&str; 5] = [
    "__Host-refgate",
    "__Secure-refgate",
    "refgate",
    "refgate-asked",
    "__Host-refgate-asked",
];

// Lines: the target; the `Cookie` field; what is behind is sealed and stands in a cookie of ours.
fuzz_target!(|bytes: &[u8]| {
    let (target, rest) = first_line(bytes);
    let (cookie, sealed) = first_line(rest);
    if let Some(target) = text(target) {
        parameters(target);
    }
    kept(cookie);
    SETTINGS.with(|settings| whole(&settings.0, &settings.1, target, cookie, sealed));
});

/// Ours are cut out of a target, and nothing else.
fn parameters(target: &str) {
    let is_ours = |name: &str, _value: &str| ["affiliate_id", "ref"].into_iter().find(|own| *own == name);
    let apart = query::take_apart(target, is_ours);
    assert_eq!(apart.ours.is_empty(), apart.rest.is_none());
    let rest = apart.rest.as_deref().unwrap_or(target);
    let again = query::take_apart(rest, is_ours);
    assert!(again.ours.is_empty(), "{rest:?}");
    if rest.contains('?') {
        // One of ours behind all others is cut out again.
        let with = format!("{rest}&%72ef=1");
        assert_eq!(
            query::take_apart(&with, is_ours).rest.as_deref(),
            Some(rest)
        );
    }
    let path = target.split('?').next();
    assert_eq!(rest.split('?').next(), path);
}

/// Ours are taken out of the cookies; the others are the same pieces in the same order.
fn kept(cookie: &[u8]) {
    if !is_text(cookie) {
        return;
    }
    let name = CookieName::new("refgate");
    let mut fields: Fields = [("Cookie", cookie)].into_iter().collect();
    let ours = cookies::take(&mut fields, &name);
    let found = ours.values(&fields, NAMES[0]);
    let is_ours = |piece: &&[u8]| {
        let name = piece
            .split(|byte| *byte == b'=')
            .next()
            .unwrap()
            .trim_ascii();
        NAMES.iter().any(|own| own.as_bytes() == name)
    };
    let pieces: Vec<&[u8]> = cookie.split(|byte| *byte == b';').collect();
    let (own, others): (Vec<&[u8]>, Vec<&[u8]>) = pieces.iter().partition(|piece| is_ours(piece));
    let rest = fields.get("cookie");
    if own.is_empty() {
        assert_eq!((rest, found), (Some(cookie), cookies::Values::default()));
        return;
    }
    let expected = others.join(&b';');
    let expected = Some(expected.trim_ascii_start()).filter(|rest| !rest.is_empty());
    assert_eq!(rest, expected);
    assert!(found.values.len() + found.refused <= own.len());
    let mut again = fields.clone();
    let none = cookies::take(&mut again, &name);
    assert_eq!(none.values(&again, NAMES[0]), cookies::Values::default());
    assert_eq!(again, fields);
}

/// All of it together: no text within the seal makes more than no visit.
fn whole(settings: &Settings, stores: &Stores, target: &[u8], cookie: &[u8], sealed: &[u8]) {
    let store = stores.find("shop.example").unwrap();
    let mut fields = Fields::default();
    if is_text(cookie) {
        fields.append(b"Cookie", cookie);
    }
    if let Some(within) = text(sealed) {
        let value = settings.keys.seal(NAMES[0], within);
        assert_eq!(
            settings.keys.open(NAMES[0], &value).as_deref(),
            Some(within)
        );
        assert_eq!(settings.keys.open(NAMES[1], &value), None);
        let field = format!("{}={value}", NAMES[0]);
        fields.append(b"Cookie", field.as_bytes());
    }
    let mut head = Head {
        method: &Method::GET,
        target: text(target).unwrap_or("/?affiliate_id=1"),
        host: "shop.example",
        fields: &mut fields,
    };
    let now = Time::from_millis(1_700_000_000_000);
    let fresh = || Some(VisitId(7));
    let counters = Counters::default();
    let by = By {
        place: Place { stores, store },
        now,
        fresh: &fresh,
        is_excluded: &|_| false,
        client: &|_| IpAddr::V4(Ipv4Addr::LOCALHOST),
        is_checkout: &|_| true,
        counters: &counters,
    };
    let captured = settings.capture(&mut head, by);
    let Some(visit) = settings.visit((&captured.visitor, &fields), store, now, &counters) else {
        return;
    };
    assert!(!visit.clicks.is_empty());
    for click in &visit.clicks {
        assert!(now.since(click.at) <= settings.window);
        assert!(click.at.since(now) <= SKEW);
    }
}
