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

#[test]
fn selectors_see_attributes_as_browsers_do() {
    let page =
        "<p class='a&#98;'>1</p><p title='x &amp; y'>2</p><p id=s id=t>3</p><p CLASS=c>4</p>";
    assert_eq!(texts(page, ".ab"), ["1"]);
    assert_eq!(texts(page, "[title='x & y']"), ["2"]);
    assert_eq!(texts(page, "#s"), ["3"]);
    assert_eq!(texts(page, "#t"), Vec::<String>::new());
    assert_eq!(texts(page, "p.c"), ["4"]);
    let page = "<p class='a b'>1</p><p class=a>2</p><b class='a b'>3</b>";
    assert_eq!(texts(page, "p:not(.a.b)"), ["2"]);
    assert_eq!(texts(page, ":not(p.a)"), ["3"]);
    assert_eq!(texts(page, ":not(:not(b, .b))"), ["1", "3"]);
}

#[test]
fn foreign_content_ends_where_it_ends() {
    let page =
        "<svg/><style><p>no</style><td>1</td><svg><title><p>2</p></title><path/></svg><p>3</p>";
    assert_eq!(texts(page, "p"), ["2", "3"]);
    assert_eq!(texts(page, "td"), ["1"]);
    assert_eq!(texts("<div><svg><g/><p>1</p></svg></div>", "div p"), ["1"]);
    assert_eq!(texts("<p><svg><![CDATA[<p>]]></svg>1</p>", "p"), ["1"]);
    assert_eq!(texts("<title a=><p></title>", "title"), ["<p>"]);
}

#[test]
fn elements_around_a_match_are_known_when_they_are_needed() {
    let is_cut = |page: &str| query(page, "#s", Part::Text).is_cut;
    // The end tag of the section ends the match, that of nothing does not.
    assert!(is_cut("<section><p></p><b id=s>1</section>2</b>"));
    assert!(!is_cut("<section><p></p><b id=s>1</nav>2</b></section>"));
    let page = "<section><p id=s>1</section>2</p><p id=s>3</p>";
    assert_eq!(texts(page, "#s"), ["1", "3"]);
    assert_eq!(texts("<i><ul class=a><li>1</i><li>2", ".a li"), ["1"]);
    assert_eq!(texts("<ul class=a><li>1</i><li>2</ul>", ".a > li"), ["12"]);
}

#[test]
fn the_limits_are_errors_that_say_what_was_too_much() {
    let read_all = |page: &str, selector: &str, part: Part| {
        let selector = selector.parse().unwrap();
        read(page, &[Query { selector, part }])
    };
    let deep = |depth: usize| "<div>".repeat(depth);
    assert!(read_all(&deep(DEPTH_LIMIT), "* i", Part::Text).is_ok());
    let error = read_all(&deep(DEPTH_LIMIT + 1), "* i", Part::Text).unwrap_err();
    assert_eq!(error, HtmlError::Deep);
    let svg = read_all(&"<x><svg></x>".repeat(DEPTH_LIMIT + 1), "* i", Part::Text);
    assert_eq!(svg.unwrap_err(), HtmlError::Deep);
    let names = |count: usize| (0..count).map(|n| format!("<x{n}>")).collect::<String>();
    assert!(read_all(&names(NAME_LIMIT - 1), ".x i", Part::Text).is_ok());
    let error = read_all(&names(NAME_LIMIT), "* i", Part::Text).unwrap_err();
    assert_eq!(error, HtmlError::Names);
    // A long text in a thousand elements within one another.
    let text = "x".repeat(64 * 1024);
    let page = format!("{}{text}", deep(MATCH_LIMIT));
    let error = read_all(&page, "div", Part::Text).unwrap_err();
    assert_eq!(error, HtmlError::Texts);
    let page = format!("{}<script>{text}</script>", deep(MATCH_LIMIT));
    let error = read_all(&page, "div", Part::Script).unwrap_err();
    assert_eq!(error, HtmlError::Texts);
}
