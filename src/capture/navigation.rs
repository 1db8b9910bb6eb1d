//! What a request's fields tell of how it came about (Fetch Metadata; domain.md §5).

use http::Method;

use crate::message::Fields;
use crate::visit::Arrival;

/// Whether the request is a person opening a page: GET, for a document, not ahead of time.
///
/// Old browsers send no `Sec-Fetch-*`: absent counts as a document.
pub fn is_document(method: &Method, fields: &Fields) -> bool {
    let document = fields
        .text("sec-fetch-dest")
        .is_none_or(|dest| dest == "document");
    method == Method::GET && document && !is_speculative(fields)
}

/// Whether the page is fetched ahead of time (`Sec-Purpose`, and its forerunners).
pub fn is_speculative(fields: &Fields) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .iter()
        .filter_map(|name| fields.text(name))
        .any(|purpose| purpose.contains("prefetch") || purpose.contains("preview"))
}

/// How the link was followed. A reload repeats the `Sec-Fetch-Site` of the
/// first time; `Cache-Control` gives it away.
pub fn arrival(fields: &Fields, host: &str) -> Arrival {
    let reload = fields
        .text("cache-control")
        .is_some_and(|value| value.contains("max-age=0") || value.contains("no-cache"));
    let cross_site = match fields.text("sec-fetch-site") {
        Some(site) => site == "cross-site",
        None => fields
            .text("referer")
            .is_some_and(|from| is_elsewhere(from, host)),
    };
    match (reload, cross_site) {
        (true, _) => Arrival::Reload,
        (false, true) => Arrival::CrossSite,
        (false, false) => Arrival::Other,
    }
}

fn is_elsewhere(referer: &str, host: &str) -> bool {
    let authority = referer.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or("");
    !authority.is_empty() && !authority.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Fields {
        fields
            .iter()
            .copied()
            .chain([("host", "shop.example")])
            .collect()
    }

    #[test]
    fn only_a_person_opening_a_page_is_a_document() {
        for (method, fields, expected) in [
            (Method::GET, &[][..], true),
            (Method::HEAD, &[], false),
            (Method::POST, &[("sec-fetch-dest", "document")], false),
            (Method::GET, &[("sec-fetch-dest", "document")], true),
            (Method::GET, &[("sec-fetch-dest", "iframe")], false),
            (Method::GET, &[("sec-fetch-dest", "image")], false),
            (Method::GET, &[("sec-fetch-dest", "empty")], false),
            (Method::GET, &[("sec-purpose", "prefetch;prerender")], false),
            (Method::GET, &[("purpose", "prefetch")], false),
            (Method::GET, &[("x-moz", "prefetch")], false),
            (Method::GET, &[("x-purpose", "preview")], false),
        ] {
            assert_eq!(
                is_document(&method, &headers(fields)),
                expected,
                "{method} {fields:?}"
            );
        }
    }

    #[test]
    fn a_click_comes_from_another_site_and_is_no_reload() {
        for (fields, expected) in [
            (&[("sec-fetch-site", "cross-site")][..], Arrival::CrossSite),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("cache-control", "max-age=0"),
                ],
                Arrival::Reload,
            ),
            (&[("sec-fetch-site", "none")], Arrival::Other),
            (&[("sec-fetch-site", "same-origin")], Arrival::Other),
            (
                &[("referer", "https://blog.example/post")],
                Arrival::CrossSite,
            ),
            (
                &[("referer", "https://Shop.example/?affiliate_id=1")],
                Arrival::Other,
            ),
            (
                &[("referer", "https://shop.example@evil.example/")],
                Arrival::CrossSite,
            ),
            (&[("referer", "nonsense")], Arrival::Other),
            (&[], Arrival::Other),
        ] {
            assert_eq!(
                arrival(&headers(fields), "shop.example"),
                expected,
                "{fields:?}"
            );
        }
    }
}
