//! What is read as an amount, and what is refused.

use proptest::prelude::*;

use super::super::format::Sizes;
use super::*;

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn amount(text: &str, format: &str, currency: &str) -> Result<String, ReadError> {
    let format = format.parse().unwrap();
    read(text, format, currency.parse().unwrap()).map(|found| found.amount.to_string())
}

#[test]
fn amounts_are_read_as_shops_print_them() {
    let cases = [
        ("€1,249.95", "1,234.56", "EUR", "1249.95"),
        ("1.249,95 €", "1.234,56", "EUR", "1249.95"),
        ("CHF 1'234.50", "1'234.56", "CHF", "1234.50"),
        ("CHF 1’234.50", "1'234.56", "CHF", "1234.50"),
        ("1\u{a0}234,56\u{a0}zł", "1 234,56", "PLN", "1234.56"),
        ("1\u{202f}234,56 €", "1 234,56", "EUR", "1234.56"),
        ("₹1,23,456.00", "1,23,456.00", "INR", "123456.00"),
        ("₹999.00", "1,23,456.00", "INR", "999.00"),
        ("¥1,234", "1,234", "JPY", "1234"),
        ("¥1,234", "1,234.56", "JPY", "1234"),
        ("JPY 1,234.00", "1,234.56", "JPY", "1234.00"),
        ("-5.00", "1,234.56", "USD", "-5.00"),
        ("(5.00)", "1,234.56", "USD", "-5.00"),
        ("($1,005.00)", "1,234.56", "USD", "-1005.00"),
        ("\u{2212}5.00", "1,234.56", "USD", "-5.00"),
        ("-$5.00", "1,234.56", "USD", "-5.00"),
        ("$-5.00", "1,234.56", "USD", "-5.00"),
        ("− 5,00 €", "1.234,56", "EUR", "-5.00"),
        ("+5.00", "1,234.56", "USD", "5.00"),
        ("US$12.50", "1,234.56", "USD", "12.50"),
        ("C$ 12.50", "1,234.56", "CAD", "12.50"),
        ("$12.50 CAD", "1,234.56", "CAD", "12.50"),
        ("1249.95", "1,234.56", "USD", "1249.95"),
        ("1249", "1,234.56", "USD", "1249"),
        ("1.234", "1.234,56", "EUR", "1234"),
        ("1.234", "1,234.56", "KWD", "1.234"),
        ("50.–", "1'234.56", "CHF", "50"),
        ("1.250,- kr", "1.234,56", "DKK", "1250"),
        ("0.50", "1,234.56", "USD", "0.50"),
        ("\u{200f}12.50\u{200e}", "1,234.56", "USD", "12.50"),
        ("12.5", "1,234.56", "USD", "12.5"),
    ];
    for (text, format, currency, expected) in cases {
        assert_eq!(
            amount(text, format, currency).as_deref(),
            Ok(expected),
            "{text}"
        );
    }
}

#[test]
fn what_is_not_certain_is_refused() {
    let refused = [
        ("1.234", "1,234.56"),
        ("1.23456", "1,234.56"),
        ("1,2345.00", "1,234.56"),
        ("12,34.00", "1,234.56"),
        ("1,23,456.00", "1,234.56"),
        ("1,234,56", "1,234.56"),
        ("1.234,56", "1,234.56"),
        ("1,234.56", "1.234,56"),
        ("1.23", "1.234,56"),
        ("12,345", "1.234,56"),
        ("1,23", "1,234.56"),
        ("0,123", "1,234.56"),
        ("007.00", "1,234.56"),
        ("1234,567.00", "1,234.56"),
        ("1,,234.00", "1,234.56"),
        ("1.234.567,00", "1,234.56"),
        ("1 234.00", "1,234.56"),
        ("100,000.00", "1,23,456.00"),
        ("1,234", "1234.56"),
        ("5.00 10.00", "1,234.56"),
        ("-(5.00)", "1,234.56"),
        ("(-5.00)", "1,234.56"),
        ("--5.00", "1,234.56"),
        ("5.00-", "1,234.56"),
        (".50", "1,234.56"),
        ("5.", "1,234.56"),
        ("free", "1,234.56"),
        ("", "1,234.56"),
        ("１２３", "1,234.56"),
        ("Total: 5.00", "1,234.56"),
        ("5.00 incl. VAT", "1,234.56"),
        ("5.00 %", "1,234.56"),
    ];
    for (text, format) in refused {
        assert!(amount(text, format, "USD").is_err(), "{text} in {format}");
    }
    assert!(amount("1,234.50", "1,234", "JPY").is_err());
    assert!(amount(&"1".repeat(65), "1234.56", "USD").is_err());
    assert!(amount(&"9".repeat(60), "1234.56", "USD").is_err());
}

#[test]
fn a_refusal_says_what_was_found_and_what_was_expected() {
    let message = |text| amount(text, "1,234.56", "USD").unwrap_err().to_string();
    assert_eq!(message("1.234"), "\"1.234\" has 3 decimals where USD has 2");
    assert_eq!(
        message("1.234,56"),
        "\"1.234,56\" is not written like 1,234.56"
    );
    assert_eq!(
        message("free"),
        "\"free\" where an amount like 1,234.56 was expected"
    );
    assert!(message("Total: 5.00").starts_with("\"Total:\" beside the amount in \"Total: 5.00\""));
}

#[test]
fn a_sign_tells_what_the_currency_may_be() {
    let format = "1,234.56".parse().unwrap();
    let allows = |text: &str, currency: &str| {
        let currency = currency.parse().unwrap();
        read(text, format, usd())
            .unwrap()
            .mark
            .unwrap()
            .allows(currency)
    };
    assert!(allows("$5.00", "USD") && allows("$5.00", "CAD") && !allows("$5.00", "EUR"));
    assert!(allows("kr 5.00", "SEK") && allows("kr 5.00", "DKK"));
    assert!(allows("¥5.00", "JPY") && allows("¥5.00", "CNY"));
    assert!(allows("$5.00 CAD", "CAD") && !allows("$5.00 CAD", "USD"));
    assert!(!allows("€5.00 USD", "USD") && !allows("€5.00 USD", "EUR"));
    assert_eq!(read("5.00", format, usd()).unwrap().mark, None);
}

#[test]
fn data_is_read_with_a_dot_unless_the_store_reads_it_differently() {
    let read = |text: &str, format: &str| {
        read_data(text, format.parse().unwrap(), usd()).map(|found| found.amount.to_string())
    };
    assert_eq!(read("1249.95", "1.234,56").as_deref(), Ok("1249.95"));
    assert_eq!(read("68.9000", "1,234.56").as_deref(), Ok("68.9000"));
    assert_eq!(read("17.333333", "1.234,56").as_deref(), Ok("17.333333"));
    assert_eq!(read("1.249,95 $", "1.234,56").as_deref(), Ok("1249.95"));
    assert_eq!(read("25", "1.234,56").as_deref(), Ok("25"));
    let error = read("1.234", "1.234,56").unwrap_err();
    assert!(matches!(error, ReadError::Ambiguous { .. }), "{error}");
}

#[test]
fn json_numbers_keep_every_digit() {
    let read = |text| read_number(text).map(|number| number.to_string());
    assert_eq!(read("0.1").as_deref(), Ok("0.1"));
    assert_eq!(read("68.9000").as_deref(), Ok("68.9000"));
    assert_eq!(read("-12").as_deref(), Ok("-12"));
    assert_eq!(read("1.25e2").as_deref(), Ok("125.00"));
    assert_eq!(read("1E-2").as_deref(), Ok("0.01"));
    assert_eq!(read("1e+3").as_deref(), Ok("1000"));
    let refused = [
        "",
        "-",
        ".5",
        "5.",
        "1e",
        "1e400",
        "1e-400",
        "0x1",
        "1_000",
        "1,5",
        "+1",
        " 1",
        "NaN",
        "12345678901234567890123456789.5",
    ];
    for text in refused {
        assert!(read_number(text).is_err(), "{text}");
    }
}

#[test]
fn minor_units_follow_the_currency() {
    let read = |text, currency: &str| {
        read_minor(text, currency.parse().unwrap()).map(|amount| amount.to_string())
    };
    assert_eq!(read("7836", "USD").as_deref(), Ok("78.36"));
    assert_eq!(read("7836", "JPY").as_deref(), Ok("7836"));
    assert_eq!(read("7836", "KWD").as_deref(), Ok("7.836"));
    assert_eq!(read("-5", "USD").as_deref(), Ok("-0.05"));
    for text in ["78.36", "", "-", "1e3", "7,836", "9999999999999999999"] {
        assert!(read(text, "USD").is_err(), "{text}");
    }
}

/// Writes an amount as a store with this format does.
fn print(amount: Decimal, format: NumberFormat) -> String {
    let plain = amount.abs().to_string();
    let (whole, decimals) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if let Some(group) = format.group
            && at > 0
            && match group.sizes {
                Sizes::Thousands => left % 3 == 0,
                Sizes::Indian => left == 3 || (left > 3 && left % 2 == 1),
            }
        {
            text.push(group.separator);
        }
        text.push(digit);
    }
    if let Some(point) = format.decimal {
        text.push(point);
        text.push_str(decimals);
    }
    if amount.is_sign_negative() {
        format!("-{text}")
    } else {
        text
    }
}

const FORMATS: [&str; 10] = [
    "1,234.56",
    "1.234,56",
    "1'234.56",
    "1 234,56",
    "1 234.56",
    "1,23,456.00",
    "1234.56",
    "1234,56",
    "1,234",
    "1.234",
];

proptest! {
    #[test]
    fn what_is_printed_is_read_back(cents in -99_999_999_999_i64..99_999_999_999, at in 0..FORMATS.len()) {
        let format: NumberFormat = FORMATS[at].parse().unwrap();
        let (scale, currency) = match format.decimal {
            Some(_) => (2, "USD"),
            None => (0, "JPY"),
        };
        let amount = Decimal::new(cents, scale);
        let text = print(amount, format);
        let found = read(&text, format, currency.parse().unwrap()).unwrap();
        prop_assert_eq!(found.amount, amount, "{}", text);
    }

    /// Reading in the wrong format gives the same amount or none, never another one.
    #[test]
    fn a_wrong_format_never_gives_another_amount(cents in 0..99_999_999_999_i64, a in 0..8_usize, b in 0..8_usize) {
        let (one, other): (NumberFormat, NumberFormat) = (FORMATS[a].parse().unwrap(), FORMATS[b].parse().unwrap());
        let amount = Decimal::new(cents, 2);
        if let Ok(found) = read(&print(amount, one), other, usd()) {
            prop_assert_eq!(found.amount, amount);
        }
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,40}", at in 0..FORMATS.len()) {
        let format = FORMATS[at].parse().unwrap();
        drop(read(&text, format, usd()));
        drop(read_data(&text, format, usd()));
        drop(read_number(&text));
        drop(read_minor(&text, usd()));
    }
}
