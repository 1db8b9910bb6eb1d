//! Reports as networks write them.

use clap::Parser as _;
use proptest::prelude::*;

use super::*;
use crate::money::Decimal;

#[derive(Debug, clap::Parser)]
struct Typed {
    #[command(flatten)]
    layout: Layout,
}

fn report(text: &str, words: &[&str]) -> Result<Report, Fault> {
    let words = std::iter::once(&"x").chain(words);
    let layout = Typed::try_parse_from(words).unwrap().layout;
    let sheet = Sheet::read(text.as_bytes(), layout.delimiter()?)?;
    of(sheet, &layout, "USD".parse().unwrap())
}

fn usd(amount: &str) -> Worth {
    Worth::Sum(Money {
        amount: amount.parse().unwrap(),
        currency: "USD".parse().unwrap(),
    })
}

#[test]
fn columns_are_found_by_the_names_that_networks_use() {
    for head in [
        "Order ID,Sale Amount,Affiliate ID,Status,Date",
        "adv_unique1;Stat.sale_amount@USD;Stat.affiliate_id;Stat.status;Stat.datetime",
        "\"Adv Unique 1\"\tsaleAmount\tPartner ID\tConversion Status\tDate / Time",
        "order_id|amount|aff_id|status|created_at",
    ] {
        let between = head.chars().find(|c| ",;\t|".contains(*c)).unwrap();
        let row = |cells: [&str; 5]| cells.join(&between.to_string());
        let rows = [
            row(["1001", "25.00", "7", "approved", "2026-11-23 10:00"]),
            row(["1001", "5.00", "7", "rejected", "2026-11-23 09:00"]),
            row(["", "9999", "", "", ""]),
            row(["Total", "30.00", "", "", ""]),
        ];
        let report = report(&format!("{head}\n{}\n", rows.join("\n")), &[]).unwrap();
        let listed = &report.orders["1001"];
        assert_eq!((listed.counted, listed.refused), (1, 1), "{head}");
        assert_eq!((listed.line, listed.worth), (2, usd("25.00")), "{head}");
        assert_eq!(listed.affiliate.one(), Some("7"), "{head}");
        assert_eq!((report.rows, report.without_id), (2, 2), "{head}");
        assert_eq!(report.nameless, 0, "{head}");
        let dates = report.dates.unwrap();
        assert_eq!(dates.begins.to_string(), "2026-11-23T09:00:00Z");
        assert!(report.amounts && report.affiliates);
    }
}

#[test]
fn columns_may_be_named_and_need_not_be_there() {
    let text = "Ref,Gross,order id\n1,5.00,x\n";
    let report_of = |words: &[&str]| report(text, words);
    let found = report_of(&["--order-column", "ref", "--amount-column", "Gross"]).unwrap();
    assert_eq!(found.orders["1"].worth, usd("5.00"));
    let found = report_of(&[]).unwrap();
    assert_eq!(found.orders["x"].worth, Worth::Unknown);
    assert!(!found.amounts && found.dates.is_none());
    let said = |text: &str, words: &[&str]| report(text, words).unwrap_err().to_string();
    assert_eq!(
        said(text, &["--amount-column", "Net"]),
        "it has no column \"Net\", only Ref, Gross, order id: name yours with --amount-column"
    );
    assert_eq!(
        said("order,Amount,Sale amount\n", &[]),
        "several columns could be the order's amount: Amount, Sale amount; say which with --amount-column"
    );
    assert!(said("a,b\n", &[]).contains("--order-column"));
    assert!(said("a,b\n", &["--delimiter", "€"]).contains("cannot stand between"));
}

#[test]
fn amounts_are_read_as_they_are_written_and_in_their_currency() {
    let text = "order;amount;currency\n1;1.234,56;EUR\n2;\"1.000.234,5 €\";eur\n3;;USD\n1;1,00;EUR\n4;1,00;EUR\n4;1,00;USD\n5;-3,00;\n";
    let found = report(text, &["--number-format", "1.234,56"]).unwrap();
    let worth = |id: &str| {
        found.orders[id]
            .worth
            .money()
            .map(|money| money.to_string())
    };
    assert_eq!(worth("1").unwrap(), "1235.56 EUR");
    assert_eq!(worth("2").unwrap(), "1000234.50 EUR");
    assert_eq!((worth("3"), worth("4")), (None, None));
    assert_eq!(worth("5").unwrap(), "-3.00 USD");
    let said = report("order,amount\n1,5.00\n2,many\n3,€5\n4,1.2.3\n", &[]).unwrap_err();
    let said = said.to_string();
    for words in [
        "3 rows of it cannot be read",
        "line 3: \"many\" is no amount like 1,234.56",
        "line 4: \"€5\" is not USD",
        "line 5: \"1.2.3\"",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let said = report("order,amount,currency\n1,5.00,Dollars\n", &[]).unwrap_err();
    assert!(
        said.to_string().contains("\"Dollars\" is no currency"),
        "{said}"
    );
}

#[test]
fn a_status_that_nobody_knows_is_not_guessed() {
    let text = "order,status\n1,Approved\n2,\n3,REVERSED\n4,hold\n5,odd\n";
    let said = report(text, &[]).unwrap_err().to_string();
    assert!(said.contains("\"hold\", \"odd\""), "{said}");
    let words = [
        "--counted",
        "Hold",
        "--refused",
        "odd",
        "--refused",
        "approved",
    ];
    let found = report(text, &words).unwrap();
    let counted: Vec<u32> = found.orders.values().map(|one| one.counted).collect();
    assert_eq!(counted, [0, 1, 0, 1, 0]);
}

#[test]
fn dates_are_needed_only_where_they_are_asked_for() {
    let text = "order,date\n1,11/23/2026\n2,11/24/2026 10:00 PM\n";
    assert_eq!(report(text, &[]).unwrap().dates, None);
    let said = report(text, &["--date-column", "date"]).unwrap_err();
    assert!(said.to_string().contains("is no date like"), "{said}");
    let dates = report(text, &["--date-format", "12/31/2026"])
        .unwrap()
        .dates;
    assert_eq!(dates.unwrap().ends.to_string(), "2026-11-24T22:00:00.001Z");
    assert_eq!(report("order,date,time\n1,x,y\n", &[]).unwrap().dates, None);
}

#[test]
fn what_is_too_long_for_an_id_is_cut_and_rows_of_several_affiliates_are_seen() {
    let long = "9".repeat(ID_LIMIT * 3);
    let text = format!("order,affiliate id\n{long},1\nx,1\nx,2\nx,2\n\n,\n");
    let found = report(&text, &[]).unwrap();
    let (id, _) = found.orders.first_key_value().unwrap();
    assert_eq!(id.chars().count(), ID_LIMIT + 1);
    assert_eq!(found.orders["x"].affiliate, Affiliate::Several);
    assert_eq!((found.rows, found.without_id), (4, 0));
}

/// How a network may write an amount of so many cents.
fn written(cents: u64, format: &str) -> String {
    let (whole, rest) = ((cents / 100).to_string(), cents % 100);
    let (group, point) = match format {
        "1,234.56" => (",", "."),
        "1.234,56" => (".", ","),
        "1 234,56" => ("\u{a0}", ","),
        _ => ("", "."),
    };
    let places = whole.len();
    let digits = whole.chars().enumerate().map(|(at, digit)| {
        let ends = (places - at) % 3 == 0 && at > 0;
        format!("{}{digit}", if ends { group } else { "" })
    });
    format!("{}{point}{rest:02}", digits.collect::<String>())
}

proptest! {
    #[test]
    fn every_row_is_counted_once_and_to_the_cent(
        rows in prop::collection::vec(("[a-z#=\"';, -]{0,8}", 0_u64..1_000_000_000, any::<bool>()), 1..30),
        format in prop::sample::select(vec!["1,234.56", "1.234,56", "1 234,56", "1234.56"]),
        between in prop::sample::select(vec![",", ";", "\t", "|"]),
        ends in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let mut text = format!("order{between}amount{between}status");
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        let (mut counted, mut without) = (0, 0);
        for (id, cents, refused) in &rows {
            let cells = [id.as_str(), &written(*cents, format), if *refused { "reversed" } else { "paid" }];
            let cells = cells.map(crate::inert::csv);
            text.push_str(&format!("{ends}{}", cells.join(between)));
            if id.trim().is_empty() {
                without += 1;
                continue;
            }
            counted += 1;
            let sum = sums.entry(id.trim().to_owned()).or_default();
            *sum += if *refused { 0 } else { *cents };
        }
        let found = report(&text, &["--number-format", format]).unwrap();
        prop_assert_eq!((found.rows, found.without_id), (counted, without));
        for (id, sum) in sums {
            // Excel's way of writing a text is taken for one, whoever wrote it.
            let listed = found.orders.get(id.as_str());
            let Some(listed) = listed else {
                prop_assert!(id.starts_with("=\""), "{}", id);
                continue;
            };
            let amount = listed.worth.money().map_or(Decimal::ZERO, |money| money.amount);
            prop_assert_eq!(amount, Decimal::new(i64::try_from(sum).unwrap(), 2), "{}", text);
        }
    }
}
