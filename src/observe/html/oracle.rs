//! The same queries read with `lol_html`, and pages in which both must find the same.
//!
//! Left out are the cases where the reader follows the standard and `lol_html` does not:
//! references in an attribute that a selector compares, `:not(…)` of more than one test,
//! `<svg/>`, and a raw text element whose tag ends in `=>`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use lol_html::html_content::{Element, TextChunk, TextType};
use lol_html::{ElementContentHandlers, HtmlRewriter, MemorySettings, Settings};
use proptest::prelude::*;

use super::*;

/// What `lol_html` finds.
fn oracle(page: &str, queries: &[Query]) -> Vec<Matches> {
    let captures: Vec<_> = queries
        .iter()
        .map(|query| {
            Rc::new(RefCell::new(Found {
                is_script: query.part == Part::Script,
                ..Found::default()
            }))
        })
        .collect();
    let mut settings = Settings::new()
        .with_memory_settings(MemorySettings::new())
        .with_strict(false);
    for (query, capture) in queries.iter().zip(&captures) {
        let selector = query.selector.to_string().parse().unwrap();
        let handlers = handlers(&query.part, capture);
        settings = settings.append_element_content_handler((Cow::Owned(selector), handlers));
    }
    let mut rewriter = HtmlRewriter::new(settings, |_bytes: &[u8]| {});
    rewriter.write(page.as_bytes()).unwrap();
    rewriter.end().unwrap();
    captures
        .iter()
        .map(|capture| capture.take().finish())
        .collect()
}

fn handlers(part: &Part, capture: &Rc<RefCell<Found>>) -> ElementContentHandlers<'static> {
    let opener = Rc::clone(capture);
    if let Part::Attribute(name) = part {
        let name = name.clone();
        return ElementContentHandlers::default().element(move |element: &mut Element<'_, '_>| {
            let mut found = opener.borrow_mut();
            found.elements += 1;
            if let Some(value) = element.get_attribute(&name) {
                let value = htmlize::unescape_attribute(value).into_owned();
                found.texts.push(value);
            }
            Ok(())
        });
    }
    let texts = Rc::clone(capture);
    ElementContentHandlers::default()
        .element(move |element: &mut Element<'_, '_>| {
            let at = opener.borrow_mut().open();
            let (closer, own) = (Rc::clone(&opener), element.tag_name());
            match element.end_tag_handlers() {
                Some(handlers) => handlers.push(Box::new(move |end| {
                    let mut found = closer.borrow_mut();
                    found.close(at);
                    found.is_cut |= end.name() != own;
                    Ok(())
                })),
                None => closer.borrow_mut().close(at),
            }
            Ok(())
        })
        .text(move |chunk: &mut TextChunk<'_>| {
            texts.borrow_mut().text(chunk);
            Ok(())
        })
}

#[derive(Default)]
struct Found {
    is_script: bool,
    elements: usize,
    texts: Vec<String>,
    open: Vec<usize>,
    is_cut: bool,
    node: String,
}

impl Found {
    fn open(&mut self) -> usize {
        self.elements += 1;
        self.texts.push(String::new());
        self.open.push(self.texts.len() - 1);
        self.texts.len() - 1
    }

    fn close(&mut self, at: usize) {
        self.end_node(TextType::Data);
        self.open.retain(|open| *open != at);
    }

    fn text(&mut self, chunk: &TextChunk<'_>) {
        let kind = chunk.text_type();
        let wanted = match kind {
            TextType::ScriptData => self.is_script,
            TextType::Data | TextType::RCData | TextType::PlainText => !self.is_script,
            TextType::RawText | TextType::CDataSection => false,
        };
        if wanted {
            self.node.push_str(chunk.as_str());
            if chunk.last_in_text_node() {
                self.end_node(kind);
            }
        }
    }

    fn end_node(&mut self, kind: TextType) {
        let raw = std::mem::take(&mut self.node);
        let text = match kind {
            TextType::Data | TextType::RCData if !self.is_script => htmlize::unescape(raw),
            _ => Cow::Owned(raw),
        };
        for at in &self.open {
            self.texts[*at].push_str(&text);
        }
    }

    fn finish(mut self) -> Matches {
        self.end_node(TextType::Data);
        let shown = |text: String| match self.is_script {
            true => text,
            false => collapsed(&text),
        };
        Matches {
            is_cut: self.is_cut || !self.open.is_empty(),
            elements: self.elements,
            texts: self.texts.into_iter().map(shown).collect(),
        }
    }
}

fn differs(page: &str, queries: &[Query]) -> Option<String> {
    let (ours, theirs) = (
        Queries::new(queries).read(page).unwrap(),
        oracle(page, queries),
    );
    (ours != theirs).then(|| format!("{page:?}\n ours   {ours:?}\n theirs {theirs:?}"))
}

fn queries(selectors: &[&str]) -> Vec<Query> {
    let parts = [Part::Text, Part::Script, Part::Attribute("title".into())];
    let queries = selectors.iter().flat_map(|selector| {
        parts.iter().map(|part| Query {
            selector: selector.parse().unwrap(),
            part: part.clone(),
        })
    });
    queries.collect()
}

#[test]
fn both_read_the_saved_pages_alike() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages");
    let queries = queries(&[
        "*",
        "body div",
        "#totals td",
        "td:nth-of-type(2)",
        "p > *",
        "[class]",
        "script",
    ]);
    let mut read = 0;
    let mut folders = vec![std::path::PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(page) = std::fs::read_to_string(&path) {
                let differs = differs(&page, &queries);
                assert_eq!(differs, None, "{}", path.display());
                read += 1;
            }
        }
    }
    assert!(read > 3, "{read} pages");
}

const NAMES: &[&str] = &[
    "p",
    "P",
    "div",
    "b",
    "td",
    "tr",
    "li",
    "ul",
    "br",
    "input",
    "span",
    "svg",
    "math",
    "mi",
    "desc",
    "title",
    "foreignObject",
    "annotation-xml",
    "font",
    "script",
    "style",
    "textarea",
    "noscript",
    "template",
    "a",
    "blockquote",
    "x-y",
    "x\u{e9}",
    "h1",
    "option",
];

const TEXTS: &[&str] = &[
    "a", " ", "\n", "1.249,95", "&amp;", "&nbsp;", "&eacute", "&#x20AC;", "&#", "&", "<", "< p>",
    "</", "<!", "<?", ">", "\"", "'", "=", "/", "-", "--", "-->", "]]>", "é", "\u{a0}", "\0", "<p",
    "</p", "<b a=", "<b a='",
];

const OTHERS: &[&str] = &[
    "<!-- c -->",
    "<!-->",
    "<!--->",
    "<!---->",
    "<!-- a --!>",
    "<!-- <p> -- > -->",
    "<!--",
    "<!doctype html>",
    "<!DOCTYPE a PUBLIC \"x>\">",
    "<![CDATA[ <p> ]]>",
    "<![CDATA[",
    "<?php <p> ?>",
    "</>",
    "</ p>",
    "<!p>",
    "<script>a<b</script>",
    "<script><!--<script></script>--></script>",
    "<script><!--",
    "<style><p></style>",
    "<title>&lt;<b></title>",
    "<textarea></p></textarea >",
    "<noscript><p></noscript>",
    "<plaintext>",
    "<svg><title><p></title></svg>",
    "<math><mi><p></mi></math>",
    "<svg><style><p></style></svg>",
    "<math><annotation-xml encoding=text/html><div></div></annotation-xml></math>",
    "<svg><font color=a>",
    "<svg><p/><g/></svg>",
    "<p/>",
    "<br/>",
];

const ATTRIBUTES: &[&str] = &[
    "id=s",
    "ID=t",
    "id='s'",
    "id=\"s t\"",
    "id",
    "id=",
    "class=a",
    "class='a b'",
    "class=\"b\tA\"",
    "class=ab",
    "title=x",
    "title='&amp;<p>'",
    "title=\"&euro\"",
    "title=&lt;",
    "data-v=\"a-b\"",
    "DATA-V=A",
    "type=Text",
    "/",
    "=x",
    "'",
    "\"",
    "a'b",
    "x=y/",
    "a=b c",
    "lang=en-US",
];

const COMPOUNDS: &[&str] = &[
    "*",
    "p",
    "div",
    "b",
    "td",
    "li",
    "svg",
    "title",
    "script",
    "br",
    "blockquote",
    "x-y",
    "#s",
    "#t",
    ".a",
    ".b",
    "p.a",
    "div#s",
    ".a.b",
    "[id]",
    "[class]",
    "[title]",
    "[data-v=a-b]",
    "[data-v=A i]",
    "[data-v|=a]",
    "[class~=b]",
    "[class^=a]",
    "[class$=b]",
    "[class*=b]",
    "[type=text]",
    "[type=text s]",
    "[lang|=EN]",
    "[id='']",
    "[id*='']",
    ":first-child",
    ":nth-child(2)",
    ":nth-child(2n+1)",
    ":nth-child(-n+2)",
    ":first-of-type",
    "b:nth-of-type(2)",
    ":nth-of-type(2n)",
    "p:not(.a)",
    ":not(p, #s)",
    ":not(:first-child)",
    ":not([class])",
];

fn some(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(of).prop_map(str::to_owned)
}

fn fragment() -> impl Strategy<Value = String> {
    let attributes = proptest::collection::vec(some(ATTRIBUTES), 0..4);
    let start = (some(NAMES), attributes, some(&["", "", " ", "/", " /"])).prop_map(
        |(name, attributes, end)| {
            let is_foreign = ["svg", "math"].contains(&name.as_str());
            let attributes = attributes
                .iter()
                .map(|attribute| format!(" {attribute}"))
                .collect::<String>();
            let tag = format!("<{name}{attributes}{end}>");
            // See above: `=>`, and `<svg/>`.
            match is_foreign || tag.ends_with("=>") || tag.ends_with("= >") {
                true => format!("<{name}>"),
                false => tag,
            }
        },
    );
    let end = (some(NAMES), some(&["", "", "", " ", " a=b", "/"]))
        .prop_map(|(name, end)| format!("</{name}{end}>"));
    prop_oneof![4 => start, 4 => end, 3 => some(TEXTS), 1 => some(OTHERS)]
}

fn selector() -> impl Strategy<Value = String> {
    let step = (some(COMPOUNDS), some(&[" ", " > ", ", "]));
    proptest::collection::vec(step, 1..4).prop_map(|steps| {
        let mut text = String::new();
        for (compound, relation) in steps {
            if !text.is_empty() {
                text.push_str(&relation);
            }
            text.push_str(&compound);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn both_read_any_page_alike(
        fragments in proptest::collection::vec(fragment(), 0..24),
        selectors in proptest::collection::vec(selector(), 1..4),
    ) {
        let selectors: Vec<&str> = selectors.iter().map(String::as_str).collect();
        let differs = differs(&fragments.concat(), &queries(&selectors));
        prop_assert!(differs.is_none(), "{}", differs.unwrap());
    }

    #[test]
    fn any_text_is_read_to_its_end(page in "[<>/!?a-zA-Z\\-\"'= \\[\\]&;#\u{e9}]{0,60}", selector in selector()) {
        let selector = selector.parse().unwrap();
        let query = Query { selector, part: Part::Text };
        prop_assert!(Queries::new(&[query]).read(&page).is_ok());
    }
}
