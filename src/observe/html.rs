//! Reads HTML by CSS selector: all selectors of a page in one pass.
//!
//! Text comes as `textContent` has it: joined across nodes and comments, without
//! scripts and styles; character references decoded, white space collapsed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use lol_html::errors::RewritingError;
use lol_html::html_content::{Element, TextChunk, TextType};
use lol_html::{ElementContentHandlers, HtmlRewriter, MemorySettings, Settings};

use super::rule::Css;

/// Most elements that one selector may match.
pub(crate) const MATCH_LIMIT: usize = 1000;

/// Longest text of an element in bytes; the rest is cut.
const TEXT_LIMIT: usize = 8 * 1024;

/// What the parser may use for itself, in bytes.
const MEMORY_LIMIT: usize = 4 * 1024 * 1024;

/// What is wanted of the elements that a selector matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Their text.
    Text,
    /// An attribute of them.
    Attribute(String),
    /// The text of a `<script>`, as it stands.
    Script,
}

/// One selector and what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) selector: Css,
    pub(crate) part: Part,
}

/// What one query found, in document order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matches {
    /// How many elements matched.
    pub(crate) elements: usize,
    /// Their texts; an element without the attribute has none.
    pub(crate) texts: Vec<String>,
    /// Whether one of them has no end tag: its text may be cut, or be more than its own.
    pub(crate) is_cut: bool,
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The parser gave up: memory, or text that it cannot place.
    #[error("the page cannot be read as HTML")]
    Parser(#[source] RewritingError),
}

/// Runs every query over `page`; the answers stand in the order of the queries.
///
/// # Errors
///
/// The parser's limits. Markup is not repaired as browsers do it: an element without
/// an end tag of its own runs on into what follows, so it counts as cut.
pub(crate) fn read(page: &str, queries: &[Query]) -> Result<Vec<Matches>, HtmlError> {
    let captures: Vec<_> = queries
        .iter()
        .map(|query| Rc::new(RefCell::new(Capture::new(query.part == Part::Script))))
        .collect();
    let memory = MemorySettings::new().with_max_allowed_memory_usage(MEMORY_LIMIT);
    let mut settings = Settings::new()
        .with_memory_settings(memory)
        .with_strict(false);
    for (query, capture) in queries.iter().zip(&captures) {
        let selector = Cow::Borrowed(query.selector.selector());
        let handlers = handlers(&query.part, capture);
        settings = settings.append_element_content_handler((selector, handlers));
    }
    let mut rewriter = HtmlRewriter::new(settings, |_bytes: &[u8]| {});
    rewriter.write(page.as_bytes()).map_err(HtmlError::Parser)?;
    rewriter.end().map_err(HtmlError::Parser)?;
    let finished = captures.iter().map(|capture| capture.take().finish());
    Ok(finished.collect())
}

fn handlers(part: &Part, capture: &Rc<RefCell<Capture>>) -> ElementContentHandlers<'static> {
    let opener = Rc::clone(capture);
    if let Part::Attribute(name) = part {
        let name = name.clone();
        return ElementContentHandlers::default().element(move |element: &mut Element<'_, '_>| {
            let value = element.get_attribute(&name);
            opener.borrow_mut().attribute(value);
            Ok(())
        });
    }
    let texts = Rc::clone(capture);
    ElementContentHandlers::default()
        .element(move |element: &mut Element<'_, '_>| {
            let Some(at) = opener.borrow_mut().open() else {
                return Ok(());
            };
            let (closer, own) = (Rc::clone(&opener), element.tag_name());
            match element.end_tag_handlers() {
                Some(handlers) => {
                    handlers.push(Box::new(move |end| {
                        closer.borrow_mut().end(at, end.name() == own);
                        Ok(())
                    }));
                }
                None => closer.borrow_mut().close(at),
            }
            Ok(())
        })
        .text(move |chunk: &mut TextChunk<'_>| {
            texts.borrow_mut().text(chunk);
            Ok(())
        })
}

/// The texts of one query's elements as they come.
#[derive(Default)]
struct Capture {
    wants_script: bool,
    elements: usize,
    texts: HashMap<usize, String>,
    /// Elements whose end has not come.
    open: Vec<usize>,
    /// Whether one ended only because something around it did. The standard lets
    /// `</td>`, `</li>` and others be left out, and then siblings seem to be within it.
    is_run_on: bool,
    /// The text node so far: a reference may be split across its pieces.
    node: String,
}

impl Capture {
    fn new(wants_script: bool) -> Self {
        Self {
            wants_script,
            ..Self::default()
        }
    }

    fn count(&mut self) -> Option<usize> {
        let at = self.elements;
        self.elements += 1;
        (at < MATCH_LIMIT).then_some(at)
    }

    fn attribute(&mut self, value: Option<String>) {
        if let (Some(at), Some(value)) = (self.count(), value) {
            self.texts
                .insert(at, htmlize::unescape_attribute(value).into_owned());
        }
    }

    fn open(&mut self) -> Option<usize> {
        let at = self.count()?;
        self.texts.insert(at, String::new());
        self.open.push(at);
        Some(at)
    }

    fn close(&mut self, at: usize) {
        self.end_node(TextType::Data);
        self.open.retain(|open| *open != at);
    }

    fn end(&mut self, at: usize, by_own_tag: bool) {
        self.close(at);
        self.is_run_on |= !by_own_tag;
    }

    fn text(&mut self, chunk: &TextChunk<'_>) {
        let kind = chunk.text_type();
        let wanted = match kind {
            TextType::ScriptData => self.wants_script,
            TextType::Data | TextType::RCData | TextType::PlainText => !self.wants_script,
            TextType::RawText | TextType::CDataSection => false,
        };
        if !wanted {
            return;
        }
        if self.wants_script || self.node.len() < TEXT_LIMIT {
            self.node.push_str(chunk.as_str());
        }
        if chunk.last_in_text_node() {
            self.end_node(kind);
        }
    }

    /// A text node ended: what it says goes to every open element.
    fn end_node(&mut self, kind: TextType) {
        if self.node.is_empty() {
            return;
        }
        let raw = std::mem::take(&mut self.node);
        let decoded = matches!(kind, TextType::Data | TextType::RCData) && !self.wants_script;
        let text = match decoded {
            true => htmlize::unescape(raw),
            false => Cow::Owned(raw),
        };
        for at in &self.open {
            let Some(whole) = self.texts.get_mut(at) else {
                continue;
            };
            if self.wants_script || whole.len() < TEXT_LIMIT {
                whole.push_str(&text);
            }
        }
    }

    fn finish(mut self) -> Matches {
        self.end_node(TextType::Data);
        let mut texts: Vec<_> = self.texts.into_iter().collect();
        texts.sort_by_key(|(at, _)| *at);
        let wants_script = self.wants_script;
        let texts = texts.into_iter().map(|(_, text)| match wants_script {
            true => text,
            false => collapsed(&text),
        });
        Matches {
            is_cut: self.is_run_on || !self.open.is_empty(),
            elements: self.elements,
            texts: texts.collect(),
        }
    }
}

/// Every run of white space (no-break spaces too) as one space, none at the ends.
pub(crate) fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
