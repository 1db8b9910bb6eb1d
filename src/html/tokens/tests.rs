//! Pages taken apart.

use super::*;

/// The pieces of a page in short: text as it stands, tags as `[name]` and `[/name]`, the rest as `[]`.
fn pieces(page: &str, cdata: bool) -> String {
    let mut tokens = Tokens::new(page.as_bytes());
    tokens.has_cdata = cdata;
    let mut shown = String::new();
    loop {
        let markup = tokens.next();
        shown.push_str(page.get(tokens.text.clone()).unwrap());
        let name = String::from_utf8_lossy(tokens.tag.name());
        match markup {
            Markup::Start => shown.push_str(&format!("[{name}]")),
            Markup::End => shown.push_str(&format!("[/{name}]")),
            Markup::Other => shown.push_str("[]"),
            Markup::Nothing => return shown,
        }
        let content = match &*name {
            "title" => Content::Rc,
            "style" => Content::Raw,
            "script" => Content::Script,
            "plaintext" => Content::Plain,
            _ => continue,
        };
        if markup == Markup::Start {
            tokens.enter(content);
        }
    }
}

#[test]
fn a_page_is_taken_apart_as_the_standard_has_it() {
    let cases = [
        ("", ""),
        ("a < b <3 <= c", "a < b <3 <= c"),
        ("<p>a</p >b</P/><br/>", "[p]a[/p]b[/P][br]"),
        ("<a b='>'>c<d e=\">\" f>", "[a]c[d]"),
        ("<x-y\n>a<é>", "[x-y]a<é>"),
        ("<a<b>c", "[a<b]c"),
        // What is no tag.
        ("a<!-- <p> -->b", "a[]b"),
        ("a<!-->b<!--->c<!---->d", "a[]b[]c[]d"),
        ("a<!-- -- > --!>b", "a[]b"),
        ("a<!----->b<!---!>c--->d", "a[]b[]d"),
        ("<!doctype html>a<!DOCTYPE x PUBLIC \">\">b", "[]a[]\">b"),
        ("a<!b c>d<?php <p> ?>e", "a[]d[] ?>e"),
        ("a</>b</ c>d</3>e", "a[]b[]d[]e"),
        ("a<![CDATA[b>c]]>d", "a[]c]]>d"),
        // Where the page ends.
        ("a<", "a<"),
        ("a</", "a</"),
        ("a<b", "a"),
        ("a<b c", "a"),
        ("a<b c='>", "a"),
        ("a</b", "a"),
        ("a</b c='", "a"),
        ("a<!", "a"),
        ("a<!-- b", "a"),
        ("a<!-- b --", "a"),
        ("a<?b", "a"),
        // Text of which only its end tag is one.
        (
            "<title><p>&lt;</titles></TITLE>b",
            "[title]<p>&lt;</titles>[/TITLE]b",
        ),
        ("<style><!--</style>--><p>", "[style]<!--[/style]-->[p]"),
        ("<script>a<b</script c='>'>d", "[script]a<b[/script]d"),
        (
            "<script><!--<script></script></script>a",
            "[script]<!--<script></script>[/script]a",
        ),
        ("<style>a<p>", "[style]a<p>"),
        ("<style>a</style", "[style]a</style"),
        ("<style>a</style ", "[style]a"),
        ("<plaintext>a</plaintext><p>", "[plaintext]a</plaintext><p>"),
    ];
    for (page, expected) in cases {
        assert_eq!(pieces(page, false), expected, "{page}");
    }
    let cases = [
        ("a<![CDATA[b>c]]>d", "a[]d"),
        ("a<![CDATA[]]]>b", "a[]b"),
        ("a<![CDATA[b]]", "a"),
        ("a<![cdata[b]]>", "a[]"),
    ];
    for (page, expected) in cases {
        assert_eq!(pieces(page, true), expected, "{page}");
    }
}

#[test]
fn tags_are_passed_up_to_one_that_matters() {
    let (starts, ends) = (Beginnings::of(["script", "q"]), Beginnings::of(["form"]));
    let telling = |is_end: bool, first, second| match is_end {
        true => ends.has(first, second),
        false => starts.has(first, second),
    };
    let cases = [
        ("<p>a<b c=1></b>", 11),
        ("<p><!-- --><b>", 3),
        ("<p><script>        ", 3),
        ("<p></script><b>        ", 15),
        ("<p><Q><b>        ", 3),
        ("<p></form><b>        ", 3),
        ("<p><form></footer>        ", 9),
        ("<p><section><b>        ", 15),
        ("<p a='>' b=\"<\"><b>        ", 18),
        ("<p><b a='>        ", 3),
        ("<p a=\"1\" =\">\">        ", 12),
    ];
    for (page, expected) in cases {
        let mut tokens = Tokens::new(page.as_bytes());
        let passed = tokens.pass(usize::MAX, telling, |tag| tag.name() == b"section");
        assert_eq!(tokens.at, expected.min(page.len()), "{page}");
        assert_eq!(passed, expected > 0);
    }
    let page = b"<p><b><i>        ";
    let mut tokens = Tokens::new(page);
    tokens.pass(7, telling, |_| true);
    assert_eq!(tokens.at, 6);
}
