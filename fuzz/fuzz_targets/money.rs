//! Amounts as pages print them: what is read is what a plain reading of the same characters gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use refgate::money::{
    Currency, Decimal, Money, NumberFormat, read, read_data, read_minor, read_number,
};
use refgate_fuzz::{first_line, text};

/// How shops write numbers, with their decimal points.
const FORMATS: [(&str, Option<char>); 8] = [
    ("1,234.56", Some('.')),
    ("1.234,56", Some(',')),
    ("1'234.56", Some('.')),
    ("1 234,56", Some(',')),
    ("1,23,456.00", Some('.')),
    ("1234.56", Some('.')),
    ("1,234", None),
    ("1234", None),
];
const CURRENCIES: [&str; 4] = ["USD", "EUR", "JPY", "KWD"];

// Two digits in the first line choose format and currency; the text is behind it.
fuzz_target!(|bytes: &[u8]| {
    let (choice, rest) = first_line(bytes);
    let Some(printed) = text(rest) else { return };
    let digit = |at: usize| usize::from(choice.get(at).copied().unwrap_or(b'0').wrapping_sub(b'0'));
    let (example, point) = FORMATS[digit(0) % FORMATS.len()];
    let format: NumberFormat = example.parse().unwrap();
    let currency: Currency = CURRENCIES[digit(1) % CURRENCIES.len()].parse().unwrap();

    // A format is a stranger's text too: the operator's.
    if let Ok(format) = printed.parse::<NumberFormat>() {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let shown = read(printed, format, currency);
    if let Ok(found) = &shown {
        assert_eq!(found.amount.abs(), plainly(printed, point), "{found:?}");
        let minus = |c: char| matches!(c, '-' | '(' | '\u{2212}' | '\u{2010}'..='\u{2013}');
        assert!(found.amount >= Decimal::ZERO || printed.contains(minus));
        let plain = Money {
            amount: found.amount,
            currency,
        }
        .plain();
        assert_eq!(
            read_number(&plain).unwrap(),
            found.amount,
            "nothing was rounded"
        );
    }
    match (read_data(printed, format, currency), &shown) {
        (Ok(data), Ok(shown)) => assert_eq!(data.amount, shown.amount),
        (Ok(data), Err(_)) => assert_eq!(Ok(data.amount), read_number(printed.trim())),
        (Err(_), _) => {}
    }
    if let Ok(number) = read_number(printed) {
        assert_eq!(read_number(&number.to_string()), Ok(number));
    }
    if let Ok(minor) = read_minor(printed, currency) {
        let plain = Money {
            amount: minor,
            currency,
        }
        .plain();
        assert_eq!(
            plain.replace('.', "").parse::<i64>(),
            printed.parse::<i64>()
        );
    }
});

/// The digits from the first to the last, with the point where the store puts it.
fn plainly(printed: &str, point: Option<char>) -> Decimal {
    let digits = printed.trim_matches(|c: char| !c.is_ascii_digit());
    let kept = digits
        .chars()
        .filter(|c| c.is_ascii_digit() || Some(*c) == point);
    let plain: String = kept
        .map(|c| if c.is_ascii_digit() { c } else { '.' })
        .collect();
    plain.parse().unwrap()
}
