//! Any address: the `url` crate says whose it is.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// Whether the `url` crate takes `url`, on this page, to a sibling.
fn leads_to_sibling(url: &url::Url) -> bool {
    let known: HashSet<&str> = [
        "https://store.ca",
        "https://www.store.ca:8443",
        "http://plain.test",
        "https://[::1]",
    ]
    .into();
    known.contains(url.origin().ascii_serialization().as_str())
}

fn check(url: &str) -> Result<bool, TestCaseError> {
    let Some(decorated) = decorated(url) else {
        return Ok(false);
    };
    let page = url::Url::parse("https://store.us/page?a#b").unwrap();
    let (before, after) = (page.join(url).unwrap(), page.join(&decorated).unwrap());
    prop_assert!(leads_to_sibling(&after), "{} {}", url, after);
    prop_assert_eq!(before.origin(), after.origin());
    prop_assert_eq!(before.path(), after.path());
    prop_assert_eq!(before.fragment(), after.fragment());
    prop_assert_eq!(
        (before.username(), before.password()),
        (after.username(), after.password())
    );
    let mut pairs: Vec<_> = before.query_pairs().collect();
    pairs.push(("refgate".into(), "T-1_~.x".into()));
    prop_assert_eq!(pairs, after.query_pairs().collect::<Vec<_>>());
    // The sibling cuts the piece out again, and has the query that was meant.
    let pieces = after.query().unwrap_or_default().split('&');
    let kept: Vec<_> = pieces.filter(|piece| *piece != "refgate=T-1_~.x").collect();
    let rest = (!kept.is_empty()).then(|| kept.join("&"));
    prop_assert_eq!(rest.as_deref(), before.query());
    Ok(true)
}

const PIECES: &[&str] = &[
    "https:",
    "http:",
    "HTTPS:",
    "//",
    "/",
    "\\",
    "store.ca",
    "STORE.ca",
    "www.store.ca",
    "plain.test",
    "evil.com",
    "[::1]",
    ":443",
    ":8443",
    ":80",
    ":",
    "@",
    ".",
    "..",
    "%2e",
    "%00",
    "?",
    "#",
    "&",
    "&&",
    "=",
    "a",
    "é",
    "о",
    " ",
    "\t",
    "\n",
    "\0",
    ";",
    "refgate=1",
    "a=1",
    "+",
    "'",
    "\"",
    "<",
    "|",
    "^",
    "[",
    "]",
    "{",
    "`",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nothing_but_the_query_changes(tail in proptest::collection::vec(proptest::sample::select(PIECES), 0..8),
        port in proptest::sample::select(&["", ":443"])) {
        check(&format!("https://store.ca{port}/{}", tail.concat()))?;
        check(&format!("//store.ca{port}?{}", tail.concat()))?;
    }

    #[test]
    fn whatever_goes_in_only_siblings_get_a_token(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..10), any in "\\PC{0,40}",
        before in 0..3_usize,
    ) {
        check(&any)?;
        check(&pieces.concat())?;
        check(&format!("{}{}", ["https://", "//", "https://store.ca"][before], pieces.concat()))?;
        check(&format!("{}{any}", ["https://", "//", "https://store.ca"][before]))?;
    }

    #[test]
    fn whose_address_it_is_all_readers_agree(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..10), any in "\\PC{0,40}",
    ) {
        for url in [pieces.concat(), format!("//{any}"), format!("https://{}{any}", pieces.concat())] {
            let mut asked = None;
            let mut all = |origin: &Origin<'_>| {
                asked = Some((origin.scheme.to_string(), origin.host.to_owned(), origin.port));
                Some(Arc::from("T"))
            };
            if let Some(decorated) = decorate(&url, Scheme::Https, "refgate", &mut all)
                && let Ok(read) = url::Url::parse("https://store.us/").unwrap().join(&decorated)
                && let Some(url::Host::Domain(host)) = read.host()
            {
                let read = (read.scheme().to_owned(), host.to_owned(), read.port_or_known_default().unwrap());
                prop_assert_eq!(asked, Some(read), "{}", url);
            }
        }
    }
}
