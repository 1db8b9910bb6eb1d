//! What caches may keep: nothing of an answer to a request that carried our parameter.

use std::collections::BTreeSet;

use crate::support::front::{Front, assert_same, cookie, get, with};
use crate::support::shop::{HTML, Shop, page, path, response};

/// A shop that lets everybody cache everything, in every status.
fn generous() -> Shop {
    const CACHING: &str = "Cache-Control: public, max-age=600, s-maxage=600\r\n\
        CDN-Cache-Control: max-age=600\r\nSurrogate-Control: max-age=600\r\n\
        ETag: \"v1\"\r\nVary: Accept-Encoding\r\n";
    Shop::new(|request| {
        let fields = format!("{HTML}{CACHING}");
        match path(request) {
            "/moved" => response("301 Moved", &format!("Location: /\r\n{CACHING}"), ""),
            "/none" => response("404 Not Found", &fields, "none"),
            "/fails" => response("500 Oops", &fields, "oops"),
            "/private" => page("Cache-Control: no-store\r\n", "mine"),
            _ if request.get("if-none-match").is_some() => {
                format!("HTTP/1.1 304 Not Modified\r\n{CACHING}\r\n").into_bytes()
            }
            _ => page(&fields, "page"),
        }
    })
}

#[test]
fn no_cache_keeps_an_answer_to_a_request_with_the_parameter() {
    let front = Front::of(generous());
    let private = "private, no-cache";
    let known = front.click();
    for (path, fields, expected) in [
        ("/", "", private),
        ("/none", "", private),
        ("/fails", "", private),
        ("/moved", "", "no-store"),
        ("/private", "", "private, no-cache, no-store"),
        ("/", "If-None-Match: \"v1\"\r\n", private),
        // Without a new cookie the answer is as personal.
        ("/", "Sec-Fetch-Dest: image\r\n", private),
        ("/", &format!("Cookie: {known}\r\n"), private),
        (
            "/",
            &format!("Cookie: {known}\r\nIf-None-Match: \"v1\"\r\n"),
            private,
        ),
    ] {
        for value in ["123456", "nonsense"] {
            let answer = front.ask(get(&format!("{path}?affiliate_id={value}"), fields));
            let caching = answer.all("cache-control");
            assert_eq!(caching, [expected.as_bytes()], "{path} {fields} {value}");
            for name in ["cdn-cache-control", "surrogate-control"] {
                assert_eq!(answer.get(name), None, "{path} {fields} {value}");
            }
            // The rest of the head and the body are the shop's.
            let (mut ours, mut shops) = (answer, front.direct(get(path, fields)));
            for name in [
                "set-cookie",
                "cache-control",
                "expires",
                "cdn-cache-control",
                "surrogate-control",
            ] {
                ours.without(name);
                shops.without(name);
            }
            assert_same(&ours, &shops);
        }
    }
}

#[test]
fn an_answer_to_any_other_request_is_the_shops() {
    let front = Front::of(generous());
    let known = front.click();
    for target in [
        "/",
        "/moved",
        "/none",
        "/fails",
        "/private",
        "/?a=affiliate_id",
    ] {
        let answer = front.same(get(target, ""));
        assert_eq!(cookie(&answer), None);
        let seen = front.ask(with(&known, target));
        assert_same(&seen, &answer);
    }
    let fresh = front.same(get("/", "If-None-Match: \"v1\"\r\n"));
    assert_eq!((fresh.status(), fresh.body.len()), (304, 0));
}

#[test]
fn a_landing_on_a_page_that_has_not_changed_sets_the_cookie() {
    let front = Front::of(generous());
    let answer = front.ask(get("/?affiliate_id=123456", "If-None-Match: \"v1\"\r\n"));
    assert_eq!((answer.status(), answer.body.len()), (304, 0));
    assert!(cookie(&answer).is_some());
    assert_eq!(answer.get("etag").unwrap(), b"\"v1\"");
}

/// What a shop may say to caches, a line each.
const LINES: [&str; 22] = [
    "Cache-Control: public, max-age=600",
    "cache-control: s-maxage=600",
    "Cache-Control: max-age=31536000, immutable",
    "Cache-Control: max-age=1, stale-while-revalidate=600, stale-if-error=600",
    "CACHE-CONTROL: public",
    "Expires: Fri, 01 Jan 2099 00:00:00 GMT",
    "expires: 99999999",
    "Pragma: public",
    "Surrogate-Control: max-age=600, content=\"ESI/1.0\"",
    "CDN-Cache-Control: max-age=600",
    "Cloudflare-CDN-Cache-Control: max-age=600",
    "Akamai-CDN-cache-control: max-age=600",
    "Edge-Control: !no-store, cache-maxage=1d",
    "X-Accel-Expires: 600",
    "X-LiteSpeed-Cache-Control: public, max-age=600",
    "X-Reverse-Proxy-TTL: 600",
    "Surrogate-Key: page shop",
    "Vary: Accept-Encoding, Cookie",
    "Vary: *",
    "ETag: \"v1\"",
    "Last-Modified: Mon, 01 Jan 2001 00:00:00 GMT",
    "Age: 300",
];

/// What of it is no other cache's business.
const HARMLESS: [&str; 6] = [
    "pragma",
    "surrogate-key",
    "vary",
    "etag",
    "last-modified",
    "age",
];

/// A shop whose page `/STATUS/A-B-…` has the lines A, B, …
fn telling() -> Shop {
    Shop::new(|request| {
        let mut segments = path(request).split('/').skip(1);
        let status = segments.next().unwrap();
        let lines = segments.next().unwrap().split('-');
        let lines = lines.filter_map(|line| LINES.get(line.parse::<usize>().ok()?));
        let mut fields: String = lines.map(|line| format!("{line}\r\n")).collect();
        if status == "302" {
            fields.push_str("Location: /elsewhere\r\n");
        }
        if status == "304" {
            return format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n").into_bytes();
        }
        response(&format!("{status} Said"), &fields, "page")
    })
}

/// Every line alone, every two, and all of them.
fn combinations() -> BTreeSet<String> {
    let every = 0..LINES.len();
    let pairs = every.clone().flat_map(|one| {
        let others = every.clone();
        others.map(move |other| match one == other {
            true => one.to_string(),
            false => format!("{one}-{other}"),
        })
    });
    let all: Vec<String> = every.clone().map(|one| one.to_string()).collect();
    pairs.chain([all.join("-")]).collect()
}

#[test]
fn whatever_the_shop_says_no_cache_keeps_a_personal_answer() {
    let front = Front::of(telling());
    let mut through = front.connect();
    for combination in combinations() {
        for (status, expected) in [
            ("200", "private, no-cache"),
            ("302", "no-store"),
            ("304", "private, no-cache"),
            ("404", "private, no-cache"),
        ] {
            let target = format!("/{status}/{combination}?affiliate_id=123456");
            through.say(get(&target, ""));
            let answer = through.message(false);
            let names = answer
                .fields
                .iter()
                .map(|(name, _)| name.to_ascii_lowercase());
            let names: Vec<String> = names
                .map(|name| String::from_utf8(name).unwrap())
                .filter(|name| !HARMLESS.contains(&name.as_str()))
                .filter(|name| {
                    !["content-length", "location", "set-cookie"].contains(&name.as_str())
                })
                .collect();
            let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            assert_eq!(names, ["cache-control", "expires"].into(), "{target}");
            assert_eq!(
                answer.all("cache-control"),
                [expected.as_bytes()],
                "{target}"
            );
            let past = b"Thu, 01 Jan 1970 00:00:00 GMT";
            assert_eq!(answer.all("expires"), [past], "{target}");
            assert!(cookie(&answer).is_some(), "{target}");
            // What is harmless stays.
            let said = combination
                .split('-')
                .map(|line| LINES[line.parse::<usize>().unwrap()]);
            for line in said {
                let (name, value) = line.split_once(": ").unwrap();
                if HARMLESS.contains(&name.to_ascii_lowercase().as_str()) {
                    let values = answer.all(name);
                    assert!(
                        values.contains(&value.as_bytes().to_vec()),
                        "{target} {line}"
                    );
                }
            }
        }
    }
}

#[test]
fn whatever_the_shop_says_any_other_answer_is_the_shops_byte_for_byte() {
    let front = Front::of(telling());
    let known = front.click_at("/200/0");
    for combination in combinations() {
        let target = format!("/200/{combination}");
        let answer = front.same(get(&target, ""));
        assert_eq!(answer.fields, front.ask(with(&known, &target)).fields);
    }
}
