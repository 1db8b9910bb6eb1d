//! `webhooks:`: what is refused, and what the report says.

use refgate::config::report;

use crate::support::config::{Folder, shipped_with};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn the_report_says_what_a_webhook_is_told_of() {
    let text = shipped_with(
        "webhooks:
  crm: { url: 'https://crm.test/in?token=${TOKEN}', secret_file: crm.secret, on: [credited, organic], rate: 10/s }
  books: { url: https://books.test/, secret: '${SECRET}', dedupe: none, pause_after: 0 }",
    );
    let folder = Folder::with(&text)
        .file("crm.secret", &format!("{SECRET}\n"))
        .var("TOKEN", "open-sesame")
        .var("SECRET", SECRET);
    let loaded = folder.loaded();
    assert_eq!(loaded.warnings, []);
    let report = report::text(&loaded);
    for words in [
        "  crm, a webhook of your own, of orders that are credited, organic:\n      POST https://crm.test/in?token=***, signed\n",
        "      at most 8 at once, 10 a second\n      5 rejections in a row with the same words pause it, until `refgate go`\n      an unclear one is sent again: it knows repeats by webhook-id\n",
        "  books, a webhook of your own, of orders that are credited:\n",
        "      no run of rejections pauses it\n      an unclear one waits for you\n",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
    let shown = format!("{:?}{report}", loaded.settings);
    assert!(
        !shown.contains("sesame") && !shown.contains("MfKQ"),
        "{shown}"
    );
}

#[test]
fn what_is_no_webhook_is_refused() {
    let whole = format!("url: https://crm.test/, secret: {SECRET}");
    for (name, keys, said) in [
        ("crm", "secret: abc".to_owned(), "webhooks.crm.url: missing"),
        (
            "crm",
            "url: https://crm.test/".to_owned(),
            "webhooks.crm.secret: missing",
        ),
        (
            "crm",
            "url: https://crm.test/, secret: short".to_owned(),
            "openssl rand -base64 32",
        ),
        (
            "crm",
            "url: 'https://crm.test/?a=AFFILIATE_ID', secret: short".to_owned(),
            "webhooks.crm.url",
        ),
        ("crm", format!("{whole}, on: accepted"), "webhooks.crm.on"),
        ("crm", format!("{whole}, mode: shadow"), "mode"),
        ("aspire", whole, "another name: a network has this one"),
    ] {
        let text = shipped_with(&format!("webhooks:\n  {name}: {{ {keys} }}"));
        let faults = Folder::with(&text).faults();
        assert!(faults.contains(said), "{said}:\n{faults}");
        assert!(!faults.contains("MfKQ"), "{faults}");
    }
}
