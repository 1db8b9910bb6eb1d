//! What is decorated and what is not.

use super::*;

mod any;

fn siblings() -> impl Siblings {
    |origin: &Origin<'_>| {
        let is_sibling = [
            (Scheme::Https, "store.ca", 443),
            (Scheme::Https, "www.store.ca", 8443),
            (Scheme::Http, "plain.test", 80),
            (Scheme::Https, "[::1]", 443),
        ]
        .contains(&(origin.scheme, origin.host, origin.port));
        is_sibling.then(|| Arc::from("T-1_~.x"))
    }
}

fn decorated(url: &str) -> Option<String> {
    decorate(url, Scheme::Https, "refgate", &mut siblings())
}

#[test]
fn the_token_goes_to_the_end_of_the_query() {
    for (url, expected) in [
        ("https://store.ca", "https://store.ca?refgate=T-1_~.x"),
        ("https://store.ca/", "https://store.ca/?refgate=T-1_~.x"),
        ("//store.ca/a", "//store.ca/a?refgate=T-1_~.x"),
        (
            "HTTPS://Store.CA:443/a",
            "HTTPS://Store.CA:443/a?refgate=T-1_~.x",
        ),
        (
            "https://store.ca/?a=1",
            "https://store.ca/?a=1&refgate=T-1_~.x",
        ),
        ("https://store.ca/?", "https://store.ca/?&refgate=T-1_~.x"),
        ("https://store.ca?a&", "https://store.ca?a&&refgate=T-1_~.x"),
        (
            "https://store.ca/#a?b",
            "https://store.ca/?refgate=T-1_~.x#a?b",
        ),
        ("https://store.ca#", "https://store.ca?refgate=T-1_~.x#"),
        (
            "https://store.ca/?a=é b#c d",
            "https://store.ca/?a=é b&refgate=T-1_~.x#c d",
        ),
        (
            "https://www.store.ca:8443/x.html",
            "https://www.store.ca:8443/x.html?refgate=T-1_~.x",
        ),
        (
            "http://plain.test/a.php/b.",
            "http://plain.test/a.php/b.?refgate=T-1_~.x",
        ),
        ("https://[::1]/", "https://[::1]/?refgate=T-1_~.x"),
        (
            "https://store.ca/?u=https://evil.com@x",
            "https://store.ca/?u=https://evil.com@x&refgate=T-1_~.x",
        ),
        (
            "https://store.ca//evil.com",
            "https://store.ca//evil.com?refgate=T-1_~.x",
        ),
    ] {
        assert_eq!(decorated(url).as_deref(), Some(expected), "{url}");
    }
}

/// Addresses that are not those of a sibling, or not to all readers.
const DOUBTFUL: &[&str] = &[
    "",
    "/",
    "a",
    "?a",
    "#a",
    "/a//store.ca",
    "store.ca",
    "store.ca/a",
    // Other schemes, and what only some read as this one.
    "ftp://store.ca/",
    "wss://store.ca/",
    "javascript://store.ca/%0aalert(1)",
    "mailto:a@store.ca",
    "https:store.ca",
    "https:/store.ca",
    "https:///store.ca",
    "///store.ca",
    "https:////store.ca/",
    "http://store.ca/",
    "https://plain.test/",
    "view-source:https://store.ca/",
    // Others' hosts.
    "//evil",
    "\\evil",
    "/\\evil",
    "\\\\store.ca",
    "https:\\\\store.ca/",
    "https://store.ca\\@evil.com",
    "https://store.us.evil.com",
    "https://store.ca.evil.com/",
    "https://store.ca@evil.com",
    "https://store.ca:443@evil.com/",
    "https://evil.com#@store.ca",
    "https://evil.com?@store.ca",
    "https://evil.com/store.ca",
    "https://a@store.ca/",
    "https://@store.ca/",
    "https://:@store.ca/",
    "https://xstore.ca/",
    "https://x.store.ca/",
    "https://www.store.ca/",
    "https://-store.ca/",
    // Hosts that are written otherwise.
    "https://store.ca./",
    "https://.store.ca/",
    "https://store..ca/",
    "https://store%2eca/",
    "https://store.c%61/",
    "https://stоre.ca/",
    "https://ｓtore.ca/",
    "https://store。ca/",
    "https://store.ca\u{ad}/",
    "https:// store.ca/",
    "https://store.ca /",
    "https://[::1/",
    "https://::1/",
    "https://[::1]x/",
    "https://[]/",
    "https://[::%31]/",
    // Ports.
    "https://store.ca:/",
    "https://store.ca:0443/",
    "https://store.ca:+443/",
    "https://store.ca:8443/",
    "https://store.ca:65979/",
    "https://store.ca:443:443/",
    "https://:443/",
    "https://[::1]:/",
    // White space and control characters.
    " https://store.ca/",
    "https://store.ca/ ",
    "\thttps://store.ca/",
    "https://store.ca/\r\nSet-Cookie: a",
    "htt\tps://store.ca/",
    "https:/\n/store.ca/",
    "https://sto\tre.ca/",
    "https://store.ca/a\tb",
    "https://store.ca/a\\b",
    "https://store.ca/\0",
    "https://store.ca/?a=\u{7f}",
];

#[test]
fn what_is_in_doubt_gets_none() {
    let long = format!("https://store.ca/{}", "a".repeat(LENGTH_LIMIT));
    for url in DOUBTFUL.iter().chain([&long.as_str()]) {
        assert_eq!(decorated(url), None, "{url:?}");
    }
}

#[test]
fn what_a_parameter_would_break_gets_none() {
    for query in [
        "refgate=1",
        "a=1&refgate",
        "%72efgate=1",
        "REFGATE=1",
        "a;refgate=1",
        "a=1&Signature=x",
        "s%69g=x",
        "X-Amz-Signature=1",
        "x-goog-date=1",
        "Expires=1&Policy=a&Key-Pair-Id=b",
        "Expires=1&token=2",
        "hmac=0",
        "client_id=1",
        "redirect_uri=https://a/",
        "response_type=code",
        "code=1&state=2",
        "state=2&a&code=1",
        "SAMLRequest=1",
        "SAMLResponse=a",
        "openid.mode=1",
        "oauth_token=1",
    ] {
        for url in [
            format!("https://store.ca/?{query}"),
            format!("https://store.ca/a?b=c&{query}#d"),
        ] {
            assert_eq!(decorated(&url), None, "{url}");
        }
    }
    for query in [
        "code=1",
        "state=ON",
        "token=1",
        "expires=1",
        "a=refgate",
        "a=sig",
        "design=1",
        "xrefgate=1",
    ] {
        assert!(
            decorated(&format!("https://store.ca/?{query}")).is_some(),
            "{query}"
        );
    }
}

#[test]
fn files_get_none() {
    for path in [
        "/a.pdf",
        "/a.PDF",
        "/b/a.zip?c=d",
        "/a.jpg#b",
        "/a.min.js",
        "/sitemap.xml",
        "/feed",
        "/blog/feed/",
        "/a/RSS",
        "/a.svg;jsessionid=1",
        "/a.webp/",
    ] {
        assert_eq!(
            decorated(&format!("https://store.ca{path}")),
            None,
            "{path}"
        );
    }
    for path in [
        "/a.html", "/a.htm", "/a.php", "/a", "/a.b/c", "/pdf", "/.", "/feeds", "/a.pdf/b", "/v1.5",
    ] {
        assert!(
            decorated(&format!("https://store.ca{path}")).is_some(),
            "{path}"
        );
    }
}

#[test]
fn a_token_is_made_once_for_each_origin_and_only_if_it_is_used() {
    let mut asked = Vec::new();
    let known = |host: &str| host.ends_with(".test");
    let mut minted = Minted::new(known, |origin: &Origin<'_>| {
        asked.push(origin.host.to_owned());
        origin
            .host
            .ends_with(".test")
            .then(|| format!("for {}", origin.host))
    });
    for url in ["//a.test/", "//A.test/?b", "//b.test/", "//a.test:443/"] {
        let text = decorate(url, Scheme::Https, "a b", &mut minted).unwrap();
        assert!(text.contains("a%20b=for%20"), "{text}");
    }
    for url in [
        "/a",
        "//a.test/a.pdf",
        "//a.test/?sig=1",
        "//evil/",
        "//evil/",
    ] {
        let text = decorate(url, Scheme::Https, "a b", &mut minted);
        assert_eq!(text, None, "{url}");
    }
    assert_eq!(asked, ["a.test", "b.test", "evil", "evil"]);
}

#[test]
fn an_address_with_a_user_is_never_anybodys() {
    let mut all = |_: &Origin<'_>| Some(Arc::from("T"));
    for url in [
        "//a@b",
        "https://a@b/",
        "https://a:1@b/",
        "//@b",
        "//a@",
        "//a\\@b",
        "//a%40b",
    ] {
        let decorated = decorate(url, Scheme::Https, "refgate", &mut all);
        assert_eq!(decorated, None, "{url}");
    }
    assert!(decorate("//b", Scheme::Https, "refgate", &mut all).is_some());
}
