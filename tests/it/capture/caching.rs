//! What caches may keep: nothing of an answer to a request that carried our parameter.

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
