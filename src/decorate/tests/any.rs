//! Any page, in any pieces.

use proptest::prelude::*;

use std::sync::Arc;

use super::*;

const PIECES: &[&str] = &[
    "<a href=\"https://b.test/\">",
    "<a href='//b.test/?a&amp;b'>",
    "<a href=//b.test/#x>",
    "<a href=",
    "//b.test/",
    ">",
    "<form action=//b.test/>",
    "<form method=post action='//b.test/'>",
    "</form>",
    "<button formaction=//b.test/>",
    "<template>",
    "</template>",
    "<script>",
    "</script>",
    "<!--",
    "-->",
    "<svg>",
    "</svg>",
    "<p>",
    "</p>",
    "</a>",
    "<div",
    "<table>",
    "</table>",
    "<select>",
    "<textarea>",
    "</textarea>",
    "\"",
    "'",
    "=",
    "&amp;",
    " ",
    "x",
    "<",
    "é",
    "\0",
    "\r\n",
    "<meta http-equiv=refresh content='0;url=//b.test/'>",
    "<title>",
    "</title>",
    "<![CDATA[",
    "]]>",
    "<plaintext>",
    "/>",
    // Hosts as references, whole and nearly.
    "<a href='&#47;/&#98;.test'>",
    "<a href='//b&period;test/'>",
    "<a href='https:&sol;&sol;&#x042;&#x0000000000000000000000000000000000002e;test/'>",
    "//B.Test/",
    "&#x2F;",
    "&#0046",
    "&#98;",
    "&period;",
    "&sol;",
    "&lt;",
    "b",
    ".",
    "test",
    "/",
    "//b.tests/",
    "https:",
    "<a href='",
    "<form action='",
    " download",
    " method=post ",
    "<style>",
    "</style>",
    "</script ",
    "<!-->",
    "--!>",
    "<!doctype html>",
    "<?x",
    "</ x",
    "<math>",
    "<mi>",
    "</mi>",
    "</math>",
    "<foreignObject>",
    "</foreignObject>",
    "<font color=x>",
    "<noscript>",
    "</noscript>",
];

fn page() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// `bytes` cut into pieces of these lengths, again and again.
fn cut<'b>(bytes: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let (mut chunks, mut rest) = (Vec::new(), bytes);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, behind) = rest.split_at((*length).min(rest.len()));
        chunks.push(chunk);
        rest = behind;
    }
    chunks
}

/// The page without what decorating puts in.
fn undecorated(page: &[u8]) -> Vec<u8> {
    let mut page = page.to_vec();
    for text in [
        "<input type=\"hidden\" name=\"rg\" value=\"T\">",
        "&amp;rg=T",
        "?rg=T",
    ] {
        let finder = memchr::memmem::Finder::new(text);
        while let Some(at) = finder.find(&page) {
            page.drain(at..at + text.len());
        }
    }
    page
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn nothing_but_tokens_is_put_in_however_it_is_cut(
        page in page(), lengths in proptest::collection::vec(1..9_usize, 1..6),
    ) {
        let whole = decorated(&page);
        prop_assert_eq!(&undecorated(&whole), &page);
        let (pieces, result) = run(Coding::Identity, &cut(&page, &lengths));
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(String::from_utf8_lossy(&pieces), String::from_utf8_lossy(&whole));
    }

    #[test]
    fn the_same_is_put_in_as_by_another_reader(page in page()) {
        // `lol_html` takes `<svg/>` for an open element, and a raw text's tag that ends in `=>` for none.
        let text = String::from_utf8_lossy(&page);
        prop_assume!(!text.contains("<svg/") && !text.contains("<math/") && !text.contains("=>"));
        if let Some(expected) = oracle::decorated(&page) {
            let found = decorated(&page);
            prop_assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected));
        }
    }

    /// What passes a page at a glance is right in that.
    #[test]
    fn a_page_that_is_only_glanced_at_is_decorated_as_one_that_is_read(
        page in page(), lengths in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let read = |origin: &Origin<'_>| (origin.host == "b.test").then(|| Arc::from(TOKEN));
        let mut reading = Decorator::new(Coding::Identity, Scheme::Https, "rg", read);
        let (glanced, _) = run(Coding::Identity, &cut(&page, &lengths));
        // A reader that is set on every piece: everything may be a sibling, and one is named.
        let named = [b"//c.test/ ".as_slice(), &page].concat();
        let pieces = cut(&named, &[named.len()]);
        let (whole, _) = run_by(&mut reading, &pieces);
        prop_assert_eq!(
            String::from_utf8_lossy(&glanced), String::from_utf8_lossy(&whole[10..])
        );
    }

    #[test]
    fn without_a_sibling_a_page_stays(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), page in page(),
        lengths in proptest::collection::vec(1..50_usize, 1..6),
    ) {
        for page in [bytes, page] {
            let nobody = |_: &Origin<'_>| None;
            let mut decorator = Decorator::new(Coding::Identity, Scheme::Https, "rg", nobody);
            let (out, result) = run_by(&mut decorator, &cut(&page, &lengths));
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!(out, page);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn gzip_is_undone_and_done_again(
        page in page(), times in 1..40_usize, members in 1..4_usize,
        lengths in proptest::collection::vec(1..900_usize, 1..6),
    ) {
        prop_assume!(!page.is_empty());
        let page = page.repeat(times);
        let sent: Vec<u8> = page.chunks(page.len() / members + 1).flat_map(gzip).collect();
        let (out, result) = run(Coding::Gzip, &cut(&sent, &lengths));
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(gunzip(&out), decorated(&page));
    }
}
