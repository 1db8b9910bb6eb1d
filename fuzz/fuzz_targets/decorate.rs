//! A page that is decorated: nothing but tokens is put in, the same in whatever pieces it comes and
//! however little of it is read; and `lol_html` finds the same links.
#![no_main]

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lol_html::html_content::Element;
use lol_html::{AsciiCompatibleEncoding, ElementContentHandlers, HtmlRewriter, Settings};
use memchr::memmem;
use refgate::decorate::{Coding, Decorator};
use refgate::hand_over::url::{self, Minted, Origin, Siblings};
use refgate::store::Scheme;
use refgate_fuzz::cuts;

const TOKEN: &str = "TTTTTTTTTT";
const NAMED: &[u8] = b"//b.test/ ";

fuzz_target!(|page: &[u8]| {
    if memmem::find(page, TOKEN.as_bytes()).is_some() {
        return;
    }
    let whole = decorated(&[page], sibling());
    assert_eq!(undecorated(&whole), page);
    for cut in cuts(page) {
        let (one, two) = page.split_at(cut);
        assert_eq!(
            shown(&decorated(&[one, two], sibling())),
            shown(&whole),
            "cut at {cut}"
        );
    }
    // A page that names a sibling is read from there on.
    let read = decorated(&[&[NAMED, page].concat()], sibling());
    assert_eq!(shown(&read[NAMED.len()..]), shown(&whole));
    let text = page.to_ascii_lowercase();
    let has = |part: &[u8]| memmem::find(&text, part).is_some();
    // Where the standard is not followed, what is more than a link, and byte order marks, which are
    // read as such even in a value.
    let left: [&[u8]; 11] = [
        b"<svg/",
        b"<math/",
        b"=>",
        b"form",
        b"button",
        b"input",
        b"meta",
        b"template",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
    ];
    if !left.into_iter().any(has) {
        assert_eq!(links(page), links_by_lol_html(page));
    }
});

fn shown(page: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(page)
}

fn sibling() -> impl Siblings + Send + 'static {
    Minted::new(
        |host: &str| host.eq_ignore_ascii_case("b.test"),
        |origin: &Origin<'_>| (origin.host == "b.test").then(|| TOKEN.to_owned()),
    )
}

fn decorated(pieces: &[&[u8]], siblings: impl Siblings + Send + 'static) -> Vec<u8> {
    let mut decorator = Decorator::new(Coding::Identity, Scheme::Https, "rg", siblings);
    let mut out = Vec::new();
    for piece in pieces {
        decorator.write(Bytes::copy_from_slice(piece));
        while let Some(bytes) = decorator.read().unwrap() {
            out.extend_from_slice(&bytes);
        }
    }
    decorator.end();
    while let Some(bytes) = decorator.read().unwrap() {
        out.extend_from_slice(&bytes);
    }
    assert!(!decorator.has_panicked());
    out
}

fn undecorated(page: &[u8]) -> Vec<u8> {
    let mut page = page.to_vec();
    for before in [
        "<input type=\"hidden\" name=\"rg\" value=\"",
        "&amp;rg=",
        "?rg=",
    ] {
        let after = if before.starts_with('<') { "\">" } else { "" };
        let text = [before, TOKEN, after].concat();
        while let Some(at) = memmem::find(&page, text.as_bytes()) {
            page.drain(at..at + text.len());
        }
    }
    page
}

/// Whom the links lead to, one after the other.
type Links = Arc<Mutex<Vec<(Scheme, String, u16)>>>;

fn recorder(links: &Links) -> impl FnMut(&Origin<'_>) -> Option<Arc<str>> + Send + 'static {
    let links = Arc::clone(links);
    move |origin| {
        let link = (origin.scheme, origin.host.to_owned(), origin.port);
        links.lock().unwrap().push(link);
        None
    }
}

fn taken(links: &Links) -> Vec<(Scheme, String, u16)> {
    std::mem::take(&mut *links.lock().unwrap())
}

fn links(page: &[u8]) -> Vec<(Scheme, String, u16)> {
    let links = Links::default();
    // With a reason to be read at once.
    decorated(&[&[NAMED, page].concat()], recorder(&links));
    taken(&links)
}

fn links_by_lol_html(page: &[u8]) -> Vec<(Scheme, String, u16)> {
    let links = Links::default();
    let mut recorder = recorder(&links);
    let handlers =
        ElementContentHandlers::default().element(move |element: &mut Element<'_, '_>| {
            let is_html = element.namespace_uri() == "http://www.w3.org/1999/xhtml";
            if is_html && !element.has_attribute("download") {
                let value = element.get_attribute("href").unwrap_or_default();
                let value = htmlize::unescape_attribute(value);
                url::decorate(value.trim_ascii(), Scheme::Https, "rg", &mut recorder);
            }
            Ok(())
        });
    let selector = "a[href],area[href]".parse().unwrap();
    let encoding = encoding_rs::WINDOWS_1252;
    let settings = Settings::new()
        .append_element_content_handler((Cow::Owned(selector), handlers))
        .with_encoding(AsciiCompatibleEncoding::new(encoding).unwrap())
        .with_strict(false);
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    rewriter.write(page).unwrap();
    rewriter.end().unwrap();
    taken(&links)
}
