//! `refgate shadow-report`: what would have been told, against what the network counted.

use std::path::Path;

use clap::Parser as _;
use refgate::cause::Causes;
use refgate::cli::say::Error;
use refgate::cli::shadow_report::{self, Args};
use refgate::ledger::{Ledger, Role};
use refgate::order::{Doubt, Standing};

use crate::support::config::{Folder, shipped};
use crate::support::sale::{candidate, later, sqlite as open};

#[derive(Debug, clap::Parser)]
struct Typed {
    #[command(flatten)]
    args: Args,
}

async fn typed(ledger: &Ledger, words: &[&str], json: bool) -> Result<String, Error> {
    let settings = Folder::with(&shipped()).loaded().settings;
    let words = std::iter::once("refgate").chain(words.iter().copied());
    let args = Typed::try_parse_from(words).unwrap().args;
    let mut out = Vec::new();
    shadow_report::run(&args, &settings, ledger, json, &mut out).await?;
    Ok(String::from_utf8(out).unwrap())
}

/// Orders held in shadow, of two partners; one that is held for another reason too, and one that is organic.
async fn ledger(dir: &Path) -> Ledger {
    let ledger = open(dir, Role::Run).unwrap();
    for (id, amount, partner, seconds) in [
        ("1001", "25.00", "7", 0),
        ("1002", "30.00", "7", 10),
        ("1003", "1000.50", "8", 20),
        ("1004", "9000.00", "8", 30),
        ("1005", "10.00", "8", 40),
    ] {
        let mut sale = candidate(id, Some(amount));
        (sale.order.at, sale.sighting.at) = (later(seconds), later(seconds));
        let click = sale.order.click.as_mut().unwrap();
        click.values = [("affiliate_id".to_owned(), partner.to_owned())].into();
        let doubt = match id {
            "1004" => Doubt::OverMaxAmount,
            _ => Doubt::Shadow,
        };
        sale.postbacks[0].held = Some((doubt, "so".to_owned()));
        ledger.enter(sale).await.unwrap();
    }
    let mut organic = candidate("1006", Some("5.00"));
    (organic.order.standing, organic.order.click) = (Standing::Organic, None);
    organic.order.why = "no click came with it".to_owned();
    organic.postbacks.clear();
    ledger.enter(organic).await.unwrap();
    ledger
}

#[tokio::test]
async fn it_sums_what_the_shadow_alone_held_by_partner() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    let said = typed(&ledger, &[], false).await.unwrap();
    assert_eq!(
        said,
        "aspire would have been told 4 times: 1065.50 USD
PARTNER  ORDERS  WORTH
7        2       55.00 USD
8        2       1010.50 USD

"
    );
    let (since, until) = (later(10).to_string(), later(40).to_string());
    let some = typed(&ledger, &["--since", &since, "--until", &until], false).await;
    assert!(
        some.unwrap()
            .starts_with("aspire would have been told 2 times: 1030.50 USD\n")
    );
    let none = typed(&ledger, &["--network", "other"], false)
        .await
        .unwrap();
    assert_eq!(none, "nothing was held in shadow\n");
}

#[tokio::test]
async fn it_says_what_only_one_side_has_and_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    let file = dir.path().join("network.csv");
    let text = "\u{feff}Date,Order ID,\"Sale, USD\"
1,1001,25.00
1,1002,$29.00
1,1004,\"9,000.00\"
1,1005,10
1,1005,10
1,=HYPERLINK(1),3
1,1006,5.00
1,,7
";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let words = [
        "--network",
        "aspire",
        "--against",
        file,
        "--order-column",
        "Order ID",
        "--amount-column",
        "Sale, USD",
    ];
    let said = typed(&ledger, &words, false).await.unwrap();
    let (_, compared) = said.split_once("\n\n").unwrap();
    let lines: Vec<Vec<&str>> = compared
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for expected in [
        "Against its own count: 1 the same, 1 only here, 3 only there, 2 differ",
        "1 rows of the file have no order id",
        "1003 only here 1000.50",
        "1004 only there 9000.00 credited: last click, of aspire",
        "1006 only there 5.00 organic: no click came with it",
        "1002 differs 30.00 29.00 the amount",
        "1005 differs 10.00 20 2 rows there",
    ] {
        assert!(
            lines.contains(&expected.split_whitespace().collect()),
            "{expected}:\n{compared}"
        );
    }
    assert!(compared.contains("never seen"), "{compared}");
    let json = typed(&ledger, &words, true).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["all"]["postbacks"], 4);
    assert_eq!(json[0]["against"]["differing"][0]["there"], "29.00");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_says_why_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path()).await;
    let file = dir.path().join("network.csv");
    for (text, said) in [
        (
            "id;amount\n1;2\n",
            "no column of it is known to be the order's id, of id, amount: name it with --order-column",
        ),
        (
            "order_id;amount\n1;2\n1001;many\n",
            "line 3: \"many\" is no amount like 1,234.56",
        ),
        (
            "order_id,amount\n1\n",
            "line 2 has 1 cells where the first line names 2 columns",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let words = ["--network", "aspire", "--against", file.to_str().unwrap()];
        let error = typed(&ledger, &words, false).await.unwrap_err();
        let words = Causes(&error).to_string();
        assert!(
            words.contains(said) && words.contains("network.csv"),
            "{words}"
        );
    }
    let words = ["--network", "asipre", "--against", "none.csv"];
    let error = typed(&ledger, &words, false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no network or webhook is called asipre; there are aspire"
    );
}
