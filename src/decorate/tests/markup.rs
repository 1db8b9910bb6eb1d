//! What is decorated, and what stays.

use super::*;

const DECORATED: &[(&str, &str)] = &[
    (
        "<a href=\"https://b.test/\">",
        "<a href=\"https://b.test/?rg=T\">",
    ),
    (
        "<a href='//b.test/?a=1&amp;b#c'>",
        "<a href='//b.test/?a=1&amp;b&amp;rg=T#c'>",
    ),
    ("<a href=//b.test>", "<a href=//b.test?rg=T>"),
    ("<a href=//b.test/>", "<a href=//b.test/?rg=T>"),
    (
        "<A x  HREF = \"//B.test/?a&b\" y=z CLASS>",
        "<A x  HREF = \"//B.test/?a&b&amp;rg=T\" y=z CLASS>",
    ),
    (
        "<a href=\" //b.test/\n\">",
        "<a href=\" //b.test/?rg=T\n\">",
    ),
    (
        "<a href='&#x2f;&sol;b.test&#47;&#35;&quot;'>",
        "<a href='&#x2f;&sol;b.test&#47;?rg=T&#35;&quot;'>",
    ),
    (
        "<a href=//b.test/?a&amp>",
        "<a href=//b.test/?a&amp&amp;rg=T>",
    ),
    (
        "<a href=//b.test/?a&copy#d>",
        "<a href=//b.test/?a&copy&amp;rg=T#d>",
    ),
    (
        "<a href=//b.test/ href=//b.test/>",
        "<a href=//b.test/?rg=T href=//b.test/>",
    ),
    (
        "<a ping=//b.test/ rel='external nofollow' href=//b.test/>",
        "<a ping=//b.test/ rel='external nofollow' href=//b.test/?rg=T>",
    ),
    (
        "<map><area href=//b.test/></map>",
        "<map><area href=//b.test/?rg=T></map>",
    ),
    ("<a href=//b.test/é?ü>", "<a href=//b.test/é?ü&amp;rg=T>"),
    (
        "<form method=POST action=//b.test/?a></form>",
        "<form method=POST action=//b.test/?a&amp;rg=T></form>",
    ),
    (
        "<form action='//b.test/'><input name=q>",
        "<form action='//b.test/'><input type=\"hidden\" name=\"rg\" value=\"T\"><input name=q>",
    ),
    (
        "<form method=nonsense action=//b.test/ >",
        "<form method=nonsense action=//b.test/ ><input type=\"hidden\" name=\"rg\" value=\"T\">",
    ),
    (
        "<button formmethod=post formaction=//b.test/>",
        "<button formmethod=post formaction=//b.test/?rg=T>",
    ),
    (
        "<form method=post><input formaction=//b.test/></form>",
        "<form method=post><input formaction=//b.test/?rg=T></form>",
    ),
    (
        "<meta http-equiv=Refresh content=\"0; URL='//b.test/?a' \">",
        "<meta http-equiv=Refresh content=\"0; URL='//b.test/?a&amp;rg=T' \">",
    ),
    (
        "<meta content='5;url=//b.test/#x ' http-equiv=refresh>",
        "<meta content='5;url=//b.test/?rg=T#x ' http-equiv=refresh>",
    ),
    (
        "<meta http-equiv=refresh content=0;//b.test/&quest;a>",
        "<meta http-equiv=refresh content=0;//b.test/&quest;a&amp;rg=T>",
    ),
    (
        "<template><p></template><a href=//b.test/>",
        "<template><p></template><a href=//b.test/?rg=T>",
    ),
    (
        "<table><form action=//b.test/><tr></table></form><form method=post action=//b.test/>",
        "<table><form action=//b.test/><input type=\"hidden\" name=\"rg\" value=\"T\"><tr></table></form><form method=post action=//b.test/?rg=T>",
    ),
];

const LEFT: &[&str] = &[
    "<a href=/a>",
    "<a href=a>",
    "<a href>",
    "<a name=//b.test/>",
    "<a href=//c.test/>",
    "<a href=\"//b.test/\t?a\">",
    "<a download href=//b.test/>",
    "<a href=//b.test/a.pdf>",
    "<a href='//b.test/?rg=1'>",
    "<a href=a href=//b.test/>",
    "<a data-href=//b.test/>",
    "<svg><a href=//b.test/></svg>",
    "<b href=//b.test/>",
    "<link rel=canonical href=//b.test/>",
    "<link rel=alternate hreflang=en href=//b.test/>",
    "<meta property=og:url content=//b.test/>",
    "<meta http-equiv=x content='0;url=//b.test/'>",
    "<base href=//b.test/>",
    "<meta name=refresh content='0;url=//b.test/'>",
    "<meta http-equiv=refresh content=5>",
    "<meta http-equiv=refresh>",
    "<iframe src=//b.test/></iframe><img src=//b.test/ srcset='//b.test/ 2x'>",
    "<object data=//b.test/>",
    "<script>\"<a href=//b.test/>\"</script>",
    "<script type=application/ld+json>{\"url\":\"https://b.test/\"}</script>",
    "<script src=//b.test/></script>",
    "<!-- <a href=//b.test/> -->",
    "<style><a href=//b.test/></style>",
    "<textarea><a href=//b.test/></textarea>",
    "<title><a href=//b.test/></title>",
    "<noscript><a href=//b.test/></noscript>",
    "<template><a href=//b.test/><template></template><form action=//b.test/></form></template>",
    "<form><input name=a></form>",
    "<form method=post action=/a></form>",
    "<form method=dialog action=//b.test/></form>",
    "<form method=post action><button formaction=/a></form>",
    "<button formaction=//b.test/>",
    "<form><button formaction=//b.test/></form>",
    "<button formmethod=get formaction=//b.test/>",
    "<form method=post><button form=x formaction=//b.test/></form>",
    "<form id=a><form action=//b.test/></form>",
    "<a href=//b.test/",
    "<a href='//b.test/>",
    "https://b.test/",
    "",
    "\u{feff}<p>",
];

#[test]
fn links_and_forms_to_a_sibling_get_the_token() {
    for (page, expected) in DECORATED {
        assert_eq!(text(page), *expected);
    }
}

#[test]
fn all_else_stays() {
    for page in LEFT {
        assert_eq!(text(page), *page);
    }
    for page in [
        &b"<a title=\xff\xfe\0 href=//c.test/\xe9>\x80\x81"[..],
        b"<a href=\xef\xbb\xbf//b.test/>",
        b"<a href='\xff\xfe/\0/\0b\0.\0t\0e\0s\0t\0'>",
    ] {
        assert_eq!(decorated(page), page);
    }
}

#[test]
fn bytes_of_any_charset_pass() {
    let page = b"<a href='//b.test/\xe9\xff?\x81=\xa0' title='\xff'>\xc3\x28</a>";
    let expected = b"<a href='//b.test/\xe9\xff?\x81=\xa0&amp;rg=T' title='\xff'>\xc3\x28</a>";
    assert_eq!(decorated(page), expected);
}

#[test]
fn what_can_be_decorated_is_told_by_the_head() {
    for (content_type, encoding, coding) in [
        ("text/html", "", Some(Coding::Identity)),
        (
            "Text/HTML ; Charset=\"UTF-8\"",
            "identity",
            Some(Coding::Identity),
        ),
        (
            "text/html; charset=shift_jis; x",
            "X-GZIP",
            Some(Coding::Gzip),
        ),
        ("text/html;charset=nonsense", " gzip ", Some(Coding::Gzip)),
        ("text/html; charset=utf-16le", "", None),
        ("text/html; charset=iso-2022-jp", "", None),
        ("text/html; a=b; charset=utf-16", "gzip", None),
        ("text/html", "br", None),
        ("text/html", "gzip, gzip", None),
        ("application/xhtml+xml", "", None),
        ("text/plain", "", None),
        ("", "", None),
    ] {
        assert_eq!(
            Coding::of(content_type, encoding),
            coding,
            "{content_type} {encoding}"
        );
    }
}
