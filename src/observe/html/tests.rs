//! What is read from pages.

use super::*;

fn read(page: &str, queries: &[Query]) -> Result<Vec<Matches>, HtmlError> {
    Queries::new(queries).read(page)
}

fn texts(page: &str, selector: &str) -> Vec<String> {
    query(page, selector, Part::Text).texts
}

fn query(page: &str, selector: &str, part: Part) -> Matches {
    let selector = selector.parse().unwrap();
    read(page, &[Query { selector, part }]).unwrap().remove(0)
}

#[test]
fn text_is_joined_across_nodes_and_comments() {
    let cases = [
        ("<p>Order <!-- -->R<!-- -->17</p>", "Order R17"),
        ("<p>1.249,95&nbsp;<span>&euro;</span></p>", "1.249,95 €"),
        ("<p>\n  a\t b\u{a0}\n</p>", "a b"),
        ("<p>&amp;euro; &#8364; &#x20AC;</p>", "&euro; € €"),
        ("<p>&am<!-- -->p;</p>", "&amp;"),
        (
            "<p>a<script>var b = 'c'</script><style>d{}</style>e</p>",
            "ae",
        ),
        ("<p>a < b && c</p>", "a < b && c"),
        ("<p></p>", ""),
    ];
    for (page, expected) in cases {
        assert_eq!(texts(page, "p"), [expected], "{page}");
    }
    assert_eq!(texts("<title>A &amp; B</title>", "title"), ["A & B"]);
}

#[test]
fn nested_and_repeated_matches_are_told_in_order() {
    assert_eq!(texts("<b>1</b><b>2</b>", "b"), ["1", "2"]);
    assert_eq!(texts("<div>a<div>b</div>c</div>", "div"), ["abc", "b"]);
    let list = "<ul><li>a</li><li>b</li></ul>";
    assert_eq!(texts(list, "li:nth-child(2)"), ["b"]);
    assert_eq!(texts(list, "ol"), Vec::<String>::new());
}

#[test]
fn an_element_that_the_page_does_not_end_is_cut() {
    let is_cut = |page: &str| query(page, "p", Part::Text).is_cut;
    assert!(is_cut("<p>1.2"));
    assert!(is_cut("<p>1.249,95</"));
    assert!(is_cut("<p>1.249,95</p"));
    assert!(!is_cut("<div><p>1.249,95</p>"));
}

#[test]
fn an_element_without_its_own_end_tag_is_cut() {
    let is_cut = |page: &str| query(page, "#s", Part::Text).is_cut;
    for page in [
        "<table><tr><td id=s>td1<td>$100.00<td>x</tr></table>",
        "<table><tr><td id=s>100 \n<td>200</tr></table>",
        "<table><tr><td id=s>100<td>200</td></tr></table>",
        "<ul><li id=s>a<li>b</ul>",
        "<dl><dd id=s>a<dt>b</dt></dl>",
        "<div><p id=s>a<p>b</p></div>",
        "<div><p id=s>a</div>",
    ] {
        assert!(is_cut(page), "{page}");
    }
    for page in [
        "<ul><li>a<li id=s>b</li></ul>",
        "<div id=s>1<p>2</div>",
        "<TD id=s>100</td>",
        "<td id=s>1<br>2<input></td>",
        "<br id=s>",
    ] {
        assert!(!is_cut(page), "{page}");
    }
}

#[test]
fn attributes_are_read_decoded() {
    let attribute = |page: &str| query(page, "*", Part::Attribute("data-v".into()));
    assert_eq!(attribute("<p data-v='a&amp;b'>").texts, ["a&b"]);
    assert_eq!(attribute("<input DATA-V=5>").texts, ["5"]);
    assert_eq!(attribute("<br data-v=5 />").texts, ["5"]);
    let none = attribute("<p>text</p>");
    assert_eq!((none.elements, none.texts.len()), (1, 0));
}

#[test]
fn scripts_are_read_as_they_stand() {
    let page = "<script id=a>{\"a\": \"&amp; <b>\"}</script><script>x</script>";
    assert_eq!(
        query(page, "#a", Part::Script).texts,
        ["{\"a\": \"&amp; <b>\"}"]
    );
    assert_eq!(query(page, "script", Part::Text).texts, ["", ""]);
}

#[test]
fn several_queries_share_a_pass() {
    let text = |selector: &str| Query {
        selector: selector.parse().unwrap(),
        part: Part::Text,
    };
    let found = read(
        "<p class=a>1</p><p class=b>2</p>",
        &[text("p"), text(".b"), text("i")],
    );
    let texts: Vec<_> = found
        .unwrap()
        .into_iter()
        .map(|found| found.texts)
        .collect();
    assert_eq!(texts, [vec!["1", "2"], vec!["2"], vec![]]);
}

#[test]
fn a_flood_of_matches_is_counted_not_kept() {
    let found = query(&"<b>x</b>".repeat(1500), "b", Part::Text);
    assert_eq!((found.elements, found.texts.len()), (1500, MATCH_LIMIT));
    let long = query(&format!("<b>{}</b>", "x".repeat(100_000)), "b", Part::Text);
    assert!(long.texts[0].len() <= 100_000);
}

#[test]
fn broken_markup_never_panics() {
    for page in [
        "<",
        "<p",
        "<p ",
        "<p a",
        "</",
        "<!",
        "<!--",
        "<p>&#",
        "<p>&#xffffff;",
        "<svg><p>",
    ] {
        drop(texts(page, "p"));
    }
    let deep = "<div>".repeat(50_000);
    drop(read(&deep, &[]));
}
