//! What templates become, and what they refuse.

use super::*;
use proptest::prelude::*;
use reqwest::Url;

const ASPIRE: &str = "https://aspireiq.go2cloud.org/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID";

fn render(template: &str, values: &[(&str, &str)], order: &str) -> Result<String, FillError> {
    let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
    let template: Template = template.parse::<Template>().unwrap().bind(&names).unwrap();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let amount = Some(Money {
        amount: "1249.95".parse().unwrap(),
        currency: "USD".parse().unwrap(),
    });
    template.render(&Fill {
        values: &values.iter().map(owned).collect(),
        amount,
        order_id: &order.parse().unwrap(),
        store: Some(&"us".parse().unwrap()),
        time: Time::from_millis(1_795_392_655_250),
        click_time: None,
    })
}

#[test]
fn templates_fill() {
    let id = ("affiliate_id", "123456");
    let filled = [
        (
            ASPIRE,
            "https://aspireiq.go2cloud.org/aff_lsr?offer_id=1&aff_id=123456&amount=1249.95&adv_unique1=A-1",
        ),
        // CJ: keys and longer words are text.
        (
            "https://www.emjcd.com/u?METHOD=S2S&AMOUNT=AMOUNT&CURRENCY={currency}&X=SALE_AMOUNT",
            "https://www.emjcd.com/u?METHOD=S2S&AMOUNT=1249.95&CURRENCY=USD&X=SALE_AMOUNT",
        ),
        // Partnerize: pairs in path segments.
        (
            "https://prf.hn/c/clickref:{affiliate_id}/conversionref:{order_id}/[value:{amount}]",
            "https://prf.hn/c/clickref:123456/conversionref:A-1/[value:1249.95]",
        ),
        ("http://n/AFFILIATE_ID/ORDER_ID", "http://n/123456/A-1"),
        (
            "http://n/?c={amount_minor}&s={store}&t={time}&b=%7Bx%7D",
            "http://n/?c=124995&s=us&t=2026-11-23T00%3A10%3A55.25Z&b=%7Bx%7D",
        ),
    ];
    for (template, url) in filled {
        assert_eq!(render(template, &[id], "A-1").unwrap(), url);
        let parsed: Template = template.parse().unwrap();
        assert_eq!(parsed.to_string(), template);
    }
}

#[test]
fn values_are_encoded_and_never_expanded_again() {
    let template = "http://n/{ref}?a={ref}&o=ORDER_ID&amount=AMOUNT";
    let cases = [
        ("1&amount=1", "1%26amount%3D1"),
        ("a\r\nX: y", "a%0D%0AX%3A%20y"),
        ("ORDER_ID", "ORDER_ID"),
        ("{amount}", "%7Bamount%7D"),
        ("../x?#%", "..%2Fx%3F%23%25"),
        ("é", "%C3%A9"),
    ];
    for (value, encoded) in cases {
        let url = render(template, &[("ref", value)], "AMOUNT").unwrap();
        let expected = format!("http://n/{encoded}?a={encoded}&o=AMOUNT&amount=1249.95");
        assert_eq!(url, expected);
        assert_eq!(Url::parse(&url).unwrap().as_str(), url, "sent as rendered");
    }
}

#[test]
fn what_cannot_be_filled_is_not_sent() {
    let missing = |word: &str| Err(FillError::Missing(word.to_owned()));
    let id = ("affiliate_id", "");
    assert_eq!(render(ASPIRE, &[id], "1"), missing("AFFILIATE_ID"));
    let click_time = render("http://n/?t={click_time}", &[], "1");
    assert_eq!(click_time, missing("{click_time}"));
    let dots = render("http://n/a/{ref}/b", &[("ref", "..")], "1");
    assert_eq!(dots, Err(FillError::Dots));
    let long = "x".repeat(URL_LIMIT);
    let long = render("http://n/?a={ref}", &[("ref", &long)], "1");
    assert_eq!(long, Err(FillError::Long));
}

#[test]
fn bad_templates_are_refused_with_words() {
    let cases = [
        ("ftp://n/", "a postback URL begins with https:// or http://"),
        (
            "AMOUNT://n/",
            "a postback URL begins with https:// or http://",
        ),
        (
            "http://{store}/",
            "{…} in the host or port of a postback URL: values may stand in path and query only",
        ),
        (
            "http://n:{amount}/",
            "{…} in the host or port of a postback URL: values may stand in path and query only",
        ),
        (
            "http://AMOUNT.n/",
            "AMOUNT in the host or port of a postback URL: values may stand in path and query only",
        ),
        ("http:///{sub}/", "no host behind the :// of a postback URL"),
        ("https://?a=b", "no host behind the :// of a postback URL"),
        (
            "http://u:p@n/",
            "a user name or password before the host of a postback URL",
        ),
        (
            "http://n/#x",
            "'#' in a postback URL: what follows it is never sent",
        ),
        (
            "http://n\\@m/",
            "'\\\\' in a postback URL: write it percent-encoded",
        ),
        (
            "http://n/a b",
            "' ' in a postback URL: write it percent-encoded",
        ),
    ];
    refuses(&cases);
}

#[test]
fn words_that_would_go_out_bare_are_refused() {
    let cases = [
        (
            "http://n/{",
            "a '{' or '}' without a name: write {order_id}, or %7B and %7D for the characters",
        ),
        (
            "http://n/}a{",
            "a '{' or '}' without a name: write {order_id}, or %7B and %7D for the characters",
        ),
        (
            "http://n/?a=b:AMOUNT",
            "AMOUNT within a longer value would be sent as it is: write {amount}",
        ),
        (
            "http://n/?a={order_id}AMOUNT",
            "AMOUNT within a longer value would be sent as it is: write {amount}",
        ),
        (
            "http://n/ref:ORDER_ID",
            "ORDER_ID within a longer value would be sent as it is: write {order_id}",
        ),
        (
            "http://n/a/%2E./b",
            "a path segment '.' or '..' in a postback URL",
        ),
        ("http://", "no host behind the :// of a postback URL"),
        ("http://n:99999/", "a postback URL that is none"),
    ];
    refuses(&cases);
}

fn refuses(cases: &[(&str, &str)]) {
    for (template, words) in cases {
        let fault = template.parse::<Template>().unwrap_err();
        assert_eq!(fault.to_string(), *words, "{template}");
    }
}

#[test]
fn a_template_has_a_greatest_length() {
    let long = format!("http://n/{}", "a".repeat(LIMIT - 9));
    assert!(long.parse::<Template>().is_ok());
    assert_eq!(format!("{long}a").parse::<Template>(), Err(Error::Long));
}

#[test]
fn names_are_settled_against_what_the_network_captures() {
    let words = |template: &str, captured: &[&str]| {
        let bound = template.parse::<Template>().unwrap().bind(captured)?;
        Ok(bound.words().join(" "))
    };
    assert_eq!(
        words(ASPIRE, &["affiliate_id"]).unwrap(),
        "affiliate_id amount order_id"
    );
    assert_eq!(words(ASPIRE, &["ref"]).unwrap(), "ref amount order_id");
    let fault = words("http://n/?a={afiliate_id}", &["affiliate_id"]).unwrap_err();
    assert!(matches!(fault, Error::Unknown { name, .. } if name == "afiliate_id"));
    // A transaction id never goes out as a partner id.
    let refused = [
        words(ASPIRE, &["transaction_id"]),
        words(ASPIRE, &["ref", "sub"]),
        words(ASPIRE, &[]),
    ];
    for fault in refused {
        assert!(matches!(fault, Err(Error::Unknown { .. })));
    }
    let both = "http://n/?a=AFFILIATE_ID&t=TRANSACTION_ID";
    assert_eq!(words(both, &["ref"]), Err(Error::Both("ref".to_owned())));
}

#[test]
fn debug_shows_no_secret() {
    let template: Template = "http://n/?security_token=hush&o=ORDER_ID".parse().unwrap();
    assert_eq!(format!("{template:?}"), r#"Template(["order_id"])"#);
}

proptest! {
    #[test]
    fn no_value_changes_the_shape_of_the_url(value in "\\PC{1,40}|[\\x00-\\x7f]{1,40}") {
        let url = render("http://n/p/x{ref}?a={ref}&b=1", &[("ref", &value)], "1").unwrap();
        let url = Url::parse(&url).unwrap();
        prop_assert_eq!(url.host_str(), Some("n"));
        prop_assert_eq!(url.path_segments().unwrap().count(), 2);
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        prop_assert_eq!(pairs, vec![("a".to_owned(), value), ("b".to_owned(), "1".to_owned())]);
        prop_assert_eq!(url.fragment(), None);
    }

    #[test]
    fn no_text_panics(text in "http://n/[a-zA-Z{}/?&=:._%@#]{0,40}|\\PC{0,60}") {
        if let Ok(template) = text.parse::<Template>() {
            prop_assert_eq!(template.to_string(), text.trim());
        }
    }
}
