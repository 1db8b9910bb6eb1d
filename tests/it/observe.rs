//! From a response to what rules read of it: whatever the shop sends, in
//! whatever pieces, and whatever is wrong with it.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use refgate::observe::rule::Source;
use refgate::observe::saved::Exchange;
use refgate::observe::{Copy, Matched, Pool, Reading, Rules, Watch};
use refgate::order::{Doubt, OrderId};

use crate::support::config::Folder;
use crate::support::observe::{
    PAGE, RULE, brotli, deflate, exchange, german, gzip, raw_deflate, rules, shop, zstd,
};

fn coded(coding: &str, body: Vec<u8>) -> Exchange {
    let mut exchange = exchange(body);
    exchange.fields.set("content-encoding", coding.as_bytes());
    exchange
}

/// The only reading there is.
fn read(rules: &Rules, exchange: &Exchange) -> Reading {
    let mut readings = rules.read(exchange);
    assert_eq!(readings.len(), 1, "{readings:?}");
    readings.remove(0)
}

fn reading_of(page: &str) -> Reading {
    read(&german(), &exchange(page.to_owned()))
}

fn order(reading: &Reading) -> (Option<&str>, Option<String>) {
    let id = reading.order_id.as_ref().map(OrderId::as_str);
    (id, reading.amount.map(|amount| amount.to_string()))
}

fn faults(reading: &Reading) -> Vec<String> {
    reading.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_page_is_read_with_its_working() {
    let reading = reading_of(PAGE);
    assert_eq!(
        order(&reading),
        (Some("R10017"), Some("1200.00 EUR".into()))
    );
    let working = reading.working.as_deref();
    assert_eq!(working, Some("subtotal 1249.95 - discount 49.95 = 1200.00"));
    assert_eq!((reading.faults.len(), reading.doubt), (0, None));
    let field = &reading.fields[0];
    assert_eq!(
        (field.text.as_str(), field.origin.as_str()),
        ("R10017", "css #order-number")
    );
}

#[test]
fn a_page_cut_at_every_byte_in_every_coding_reads_the_same() {
    let page = PAGE.as_bytes();
    let rules = german();
    for (coding, body) in [
        ("identity", page.to_vec()),
        ("gzip", gzip(page)),
        ("deflate", deflate(page)),
        ("deflate", raw_deflate(page)),
        ("br", brotli(page)),
        ("zstd", zstd(page)),
        ("gzip, zstd", zstd(&gzip(page))),
    ] {
        let matched = rules.exchange(&coded(coding, Vec::new())).unwrap();
        let body = Bytes::from(body);
        for cut in 0..=body.len() {
            let mut copy = Copy::new(matched.body_limit());
            copy.push(&body.slice(..cut));
            copy.push(&body.slice(cut..));
            let whole = copy.finish().unwrap();
            let reading = matched.read(Some(&whole)).remove(0);
            let expected = (Some("R10017"), Some("1200.00 EUR".to_owned()));
            assert_eq!(
                order(&reading),
                expected,
                "{coding} cut at {cut}: {reading:?}"
            );
        }
        let mut copy = Copy::new(matched.body_limit());
        for at in 0..body.len() {
            copy.push(&body.slice(at..=at));
        }
        assert_eq!(copy.finish().unwrap(), body);
    }
}

#[test]
fn a_body_that_cannot_be_decoded_makes_no_order_but_an_alarm() {
    let rules = german();
    let bomb = vec![b' '; 9 << 20];
    let cases = [
        (coded("gzip", gzip(&bomb)), "decoded body is larger", true),
        (
            coded("gzip, gzip", gzip(&gzip(&bomb))),
            "decoded body is larger",
            true,
        ),
        (coded("zstd", zstd(&bomb)), "decoded body is larger", true),
        (coded("gzip", PAGE.into()), "is not gzip", false),
        (coded("br", gzip(PAGE.as_bytes())), "is not br", false),
        (
            coded("gzip", gzip(PAGE.as_bytes())[..40].to_vec()),
            "breaks off",
            false,
        ),
        (coded("rot13", PAGE.into()), "\"rot13\" is not known", false),
    ];
    for (exchange, words, is_over_limit) in cases {
        let reading = read(&rules, &exchange);
        assert_eq!(order(&reading), (None, None));
        assert_eq!(reading.doubt, Some(Doubt::Unreadable));
        let fault = &reading.faults[0];
        assert!(fault.to_string().contains(words), "{fault}");
        assert_eq!(fault.is_over_limit(), is_over_limit, "{fault}");
    }
}

#[test]
fn a_body_over_the_limit_makes_no_order_but_an_alarm() {
    let rules = german();
    let matched = rules.exchange(&exchange(PAGE)).unwrap();
    let mut copy = Copy::new(matched.body_limit());
    copy.push(&Bytes::from(vec![b'x'; matched.body_limit()]));
    copy.push(&Bytes::from_static(b"x"));
    let reading = matched.read(copy.finish().as_deref()).remove(0);
    assert_eq!(
        (reading.order_id.is_none(), reading.doubt),
        (true, Some(Doubt::Unreadable))
    );
    assert!(reading.faults[0].is_over_limit());
}

#[test]
fn the_charset_is_the_pages_own() {
    let latin: Vec<u8> = PAGE
        .replace("Zwischensumme", "Summe für Sie")
        .replace("&nbsp;<span>&euro;</span>", "\u{a0}<span>\u{80}</span>")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let mut page = exchange(latin);
    for content_type in [
        "text/html; charset=windows-1252",
        "text/html; charset=ISO-8859-1",
    ] {
        page.fields.set("content-type", content_type.as_bytes());
        let reading = read(&german(), &page);
        assert_eq!(
            order(&reading),
            (Some("R10017"), Some("1200.00 EUR".into())),
            "{reading:?}"
        );
    }
    page.fields.set("content-type", b"text/html; charset=utf-8");
    let reading = read(&german(), &page);
    assert_eq!(order(&reading), (Some("R10017"), None));
    assert_eq!(reading.doubt, Some(Doubt::Unreadable));
    assert!(faults(&reading)[0].contains("bytes that its charset does not have"));
}

#[test]
fn what_matches_nothing_is_unreadable_and_the_id_is_told_all_the_same() {
    let reading = reading_of(&PAGE.replace("class=subtotal", ""));
    assert_eq!(order(&reading), (Some("R10017"), None));
    assert_eq!(reading.doubt, Some(Doubt::Unreadable));
    let expected = [
        "subtotal: css #totals .subtotal td matched nothing",
        "the amount cannot be worked out: no subtotal was read",
    ];
    assert_eq!(faults(&reading), expected);
    let reading = reading_of(&PAGE.replace("R<!-- -->100", "Q<!-- -->100"));
    let expected = "order_id: css #order-number found \"No. Q10017\", \
                    which the pattern \"R[0-9]+\" does not match";
    assert_eq!(faults(&reading), [expected]);
    assert_eq!(order(&reading), (None, Some("1200.00 EUR".into())));
}

#[test]
fn an_optional_field_counts_as_zero_only_if_it_is_absent() {
    let reading = reading_of(&PAGE.replace("class=discount", ""));
    let working = reading.working.as_deref();
    assert_eq!(working, Some("subtotal 1249.95 - discount 0.00 = 1249.95"));
    let reading = reading_of(&PAGE.replace("49,95&nbsp;&#8364;", "49.95"));
    assert_eq!(
        (reading.amount, reading.doubt),
        (None, Some(Doubt::Unreadable))
    );
    assert!(faults(&reading)[0].contains("\"49.95\" is not written like 1.234,56"));
}

#[test]
fn an_optional_field_unlike_its_pattern_is_not_absent() {
    let with = |pattern: &str| {
        let own = format!(".discount td\", pattern: '{pattern}'");
        rules(&shop(
            "EUR",
            "1.234,56",
            &RULE.replace(".discount td\"", &own),
        ))
    };
    let euros = with("^([0-9,]+) €$");
    let amount = |rules: &Rules, page: String| read(rules, &exchange(page)).amount.is_some();
    assert!(amount(&euros, PAGE.to_owned()));
    let dollars = PAGE.replace("49,95&nbsp;&#8364;", "-49,95 USD");
    let reading = read(&euros, &exchange(dollars.clone()));
    let held = (reading.amount, reading.doubt);
    assert_eq!(held, (None, Some(Doubt::Unreadable)));
    assert!(faults(&reading)[0].contains("does not match"));
    assert!(amount(&euros, PAGE.replace("49,95&nbsp;&#8364;", " ")));
    assert!(amount(&euros, PAGE.replace("class=discount", "")));
    // A pattern that matches without its group says that there is none.
    assert!(amount(&with("^([0-9,]+) €$|^"), dollars));
}

#[test]
fn two_differing_values_are_not_chosen_from() {
    let twice = |text: &str| format!("{PAGE}<p id=order-number>{text}</p>");
    let reading = reading_of(&twice("R10017"));
    assert_eq!((order(&reading).0, reading.doubt), (Some("R10017"), None));
    let reading = reading_of(&twice("R10018"));
    assert_eq!(
        (order(&reading).0, reading.doubt),
        (None, Some(Doubt::Differs))
    );
    let expected =
        "order_id: css #order-number matched 2 with differing texts \"R10017\" and \"R10018\"";
    assert_eq!(faults(&reading), [expected]);
    let subtotal = |text: &str| {
        reading_of(&PAGE.replace(
            "</table>",
            &format!("<tr class=subtotal><td>{text}</td></table>"),
        ))
    };
    assert_eq!(subtotal("1249,95 €").doubt, None);
    assert_eq!(subtotal("1249,96 €").doubt, Some(Doubt::Differs));
    assert_eq!(subtotal("1249,96 €").amount, None);
}

#[test]
fn a_page_in_another_currency_is_held_with_that_currency() {
    let reading = reading_of(
        &PAGE
            .replace("&euro;", "&pound;")
            .replace("&#8364;", "&pound;"),
    );
    // Several currencies are written with a pound sign.
    assert_eq!(
        (reading.amount, reading.doubt),
        (None, Some(Doubt::CurrencyContradicts))
    );
    let reading = reading_of(&PAGE.replace("&euro;", "USD").replace("&#8364;", "USD"));
    assert_eq!(order(&reading).1.as_deref(), Some("1200.00 USD"));
    assert_eq!(reading.doubt, Some(Doubt::CurrencyContradicts));
    let reading = reading_of(&PAGE.replace("&euro;", "USD"));
    assert_eq!(
        (reading.amount, reading.doubt),
        (None, Some(Doubt::CurrencyContradicts))
    );
    let expected = [
        "discount: € does not stand for USD",
        "the page is in USD but the store in EUR",
    ];
    assert_eq!(faults(&reading), expected);
}

#[test]
fn a_currency_that_the_page_names_counts_before_signs() {
    let rule = r#"
  - name: api
    when: { path: /api }
    read:
      order_id: { json: $.id }
      currency: { json: $.currency }
      total: { json: $.total }
    then: order
    amount: total
"#;
    let rules = rules(&shop("USD", "1,234.56", rule));
    let read = |body: &'static str| {
        let mut exchange = exchange(body);
        exchange.path = "/api".into();
        let reading = read(&rules, &exchange);
        (order(&reading).1, reading.doubt)
    };
    let usd = r#"{"id":"1","currency":"usd","total":"$10.50"}"#;
    assert_eq!(read(usd), (Some("10.50 USD".into()), None));
    let cad = r#"{"id":"1","currency":"CAD","total":"$10.50"}"#;
    let held = Some(Doubt::CurrencyContradicts);
    assert_eq!(read(cad), (Some("10.50 CAD".into()), held));
    let both = r#"{"id":"1","currency":"USD","total":"€10.50"}"#;
    assert_eq!(read(both), (None, held));
    let yen = r#"{"id":"1","currency":"JPY","total":1050}"#;
    assert_eq!(read(yen), (Some("1050 JPY".into()), held));
    let none = r#"{"id":"1","currency":"dollars","total":1050}"#;
    assert_eq!(
        read(none),
        (Some("1050.00 USD".into()), Some(Doubt::Unreadable))
    );
}

#[test]
fn broken_html_and_json_never_make_an_order_silently() {
    let rule = RULE.replace("css: \"#order-number\", pattern: 'R[0-9]+'", "json: $.id");
    let rules = rules(&shop("EUR", "1.234,56", &rule));
    let reading = read(&rules, &exchange(PAGE));
    assert_eq!(order(&reading).0, None);
    assert_eq!(faults(&reading), ["order_id: json $.id found no JSON"]);
    for end in 0..PAGE.len() {
        let cut = PAGE.get(..end).unwrap();
        for reading in german().read(&exchange(cut.to_owned())) {
            let amount = order(&reading).1;
            let amounts = ["1200.00 EUR", "1249.95 EUR"];
            let whole = amount.is_none_or(|amount| amounts.contains(&amount.as_str()));
            assert!(whole, "{cut}: {reading:?}");
        }
    }
}

#[test]
fn an_id_from_the_request_needs_something_from_the_response() {
    let rule = r#"
  - name: path-only
    when: { path: "/done/{order}" }
    read:
      order_id: { path: order }
      total: { css: .total, optional: true }
      seen: { css: .seen }
    then: order
    amount: total
"#;
    let rules = rules(&shop("EUR", "1.234,56", rule));
    let read = |page: &'static str| {
        let mut exchange = exchange(page);
        exchange.path = "/done/77".into();
        read(&rules, &exchange)
    };
    let reading = read("<p class=total>5,00</p><p class=seen>x</p>");
    assert_eq!((order(&reading).0, reading.doubt), (Some("77"), None));
    let reading = read("<p>no such order</p>");
    assert_eq!(
        (order(&reading).0, reading.doubt),
        (None, Some(Doubt::Unreadable))
    );
    let words = faults(&reading).join("\n");
    assert!(
        words.contains("counts only together with something read from the response"),
        "{words}"
    );
}

#[test]
fn an_alias_from_the_request_counts_only_if_the_response_says_it_too() {
    let with = RULE.replace(
        "      subtotal:",
        "      alias: { css: title }\n      subtotal:",
    );
    let aliases = |path: &str, from_request: bool| {
        let loaded = Folder::with(&shop("EUR", "1.234,56", &with)).loaded();
        let mut settings = loaded.settings;
        if from_request {
            let fields = &mut settings.observe.rules[0].read;
            let alias = fields
                .iter_mut()
                .find(|read| read.field == "alias")
                .unwrap();
            alias.source = Source::Path("token".to_owned());
        }
        let mut exchange = exchange(PAGE);
        exchange.path = format!("/checkout/thank-you/{path}");
        let reading = read(&Rules::new(settings.observe, &settings.stores), &exchange);
        reading
            .aliases
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(aliases("R10018", false), ["Danke"]);
    assert!(aliases("R10018", true).is_empty());
    assert_eq!(aliases("R10017", true), ["R10017"]);
}

#[test]
fn copies_are_read_on_the_pool() {
    fn is_movable<T: Send + 'static>() {}
    is_movable::<Watch>();
    is_movable::<Matched>();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let pool = Pool::new(2, Duration::from_secs(30)).unwrap();
    let matched = german().exchange(&exchange(PAGE)).unwrap();
    let readings = runtime.block_on(pool.read(matched, Some(Bytes::from(PAGE))));
    let readings = readings.unwrap();
    assert_eq!(order(&readings[0]).0, Some("R10017"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever bytes come, under whatever labels, reading ends and makes no order.
    #[test]
    fn noise_makes_no_order(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        coding in "(gzip|deflate|br|zstd|identity|x)?",
        charset in "(utf-8|utf-16|iso-2022-jp|x)",
    ) {
        let mut exchange = coded(&coding, body);
        let media_type = format!("text/html; charset={charset}");
        exchange.fields.set("content-type", media_type.as_bytes());
        for reading in german().read(&exchange) {
            prop_assert_eq!(order(&reading), (None, None));
            prop_assert!(reading.doubt.is_some());
        }
    }

    /// Noise within a page, at any place.
    #[test]
    fn noise_in_a_page_never_panics(at in 0..PAGE.len(), noise in "\\PC{0,8}") {
        let mut page = PAGE.to_owned();
        page.insert_str(at, &noise);
        german().read(&exchange(page));
    }
}
