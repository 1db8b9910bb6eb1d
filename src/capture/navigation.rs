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

/// Whether a browser says that a person opens a page: one that sends no `Sec-Fetch-*` does not.
pub fn is_navigation(method: &Method, fields: &Fields) -> bool {
    let says = |name, value| fields.text(name).is_some_and(|text| text == value);
    let navigates = says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
    navigates && is_document(method, fields)
}

/// Whether the answer may be a page for a person to look at, by whatever method it is asked for.
pub fn is_page(fields: &Fields) -> bool {
    let dest = fields.text("sec-fetch-dest");
    dest.is_none_or(|dest| dest == "document")
}

/// Whether the request may be a shopper's own step.
///
/// He opens a page or a frame, sends a form, or a script of the page does it for him. No picture,
/// style or script is one, and nothing fetched ahead of time.
pub fn is_step(method: &Method, fields: &Fields) -> bool {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH];
    let steps = ["document", "empty", "iframe", "frame"];
    let dest = fields.text("sec-fetch-dest");
    methods.contains(method)
        && dest.is_none_or(|dest| steps.contains(&dest))
        && !is_speculative(fields)
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

/// Whether the browser sends all of the site's cookies: what asks is the site itself, or the
/// visitor by typing.
pub fn is_from_within(fields: &Fields, host: &str) -> bool {
    match fields.text("sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "same-site" | "none"),
        None => page_before(fields, host).is_some(),
    }
}

/// Whether the browser says that a page of this very origin leads here.
pub fn is_from_here(fields: &Fields) -> bool {
    fields.text("sec-fetch-site") == Some("same-origin")
}

/// Path and query of the page that the request came from, if that is one of this host.
///
/// Browsers that send `Sec-Fetch-Site` must say there that it is of the same origin.
pub fn page_before<'f>(fields: &'f Fields, host: &str) -> Option<&'f str> {
    let site = fields.text("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return None;
    }
    let referer = fields.text("referer")?;
    let authority = authority(referer);
    let page = referer.split_once("://")?.1.get(authority.len()..)?;
    (authority.eq_ignore_ascii_case(host) && page.starts_with('/')).then_some(page)
}

fn is_elsewhere(referer: &str, host: &str) -> bool {
    let authority = authority(referer);
    !authority.is_empty() && !authority.eq_ignore_ascii_case(host)
}

fn authority(referer: &str) -> &str {
    let authority = referer.split_once("://").map_or("", |(_, rest)| rest);
    authority.split(['/', '?', '#']).next().unwrap_or("")
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
    fn a_step_is_what_the_shopper_does_himself() {
        for (method, fields, expected) in [
            (Method::GET, &[][..], true),
            (Method::POST, &[("sec-fetch-dest", "document")], true),
            (Method::POST, &[("sec-fetch-dest", "empty")], true),
            (Method::PATCH, &[("sec-fetch-dest", "empty")], true),
            (Method::GET, &[("sec-fetch-dest", "iframe")], true),
            (Method::HEAD, &[], false),
            (Method::OPTIONS, &[("sec-fetch-dest", "empty")], false),
            (Method::GET, &[("sec-fetch-dest", "image")], false),
            (Method::GET, &[("sec-fetch-dest", "script")], false),
            (Method::GET, &[("sec-purpose", "prefetch;prerender")], false),
        ] {
            let is = is_step(&method, &headers(fields));
            assert_eq!(is, expected, "{method} {fields:?}");
        }
    }

    #[test]
    fn the_page_before_is_one_of_this_very_host() {
        let page = "https://Shop.example/p?affiliate_id=1";
        let same = ("sec-fetch-site", "same-origin");
        for (fields, expected) in [
            (&[("referer", page)][..], Some("/p?affiliate_id=1")),
            (&[("referer", page), same], Some("/p?affiliate_id=1")),
            (&[("referer", page), ("sec-fetch-site", "cross-site")], None),
            (&[("referer", page), ("sec-fetch-site", "same-site")], None),
            (&[("referer", page), ("sec-fetch-site", "none")], None),
            (
                &[
                    ("referer", "https://www.shop.example/?affiliate_id=1"),
                    same,
                ],
                None,
            ),
            (
                &[("referer", "https://shop.example:8443/?affiliate_id=1")],
                None,
            ),
            (
                &[("referer", "https://shop.example@evil.example/?a=1")],
                None,
            ),
            (&[("referer", "https://shop.example?affiliate_id=1")], None),
            (&[("referer", "shop.example/?affiliate_id=1")], None),
            (&[same], None),
        ] {
            let fields = headers(fields);
            assert_eq!(page_before(&fields, "shop.example"), expected, "{fields:?}");
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
