//! Where the ledger is: a file, or a database whose password nobody sees.

use refgate::config::report;
use refgate::ledger::Settings;
use refgate::secret::mask;

use super::upstream::authority;
use super::{SECRET, warnings};
use crate::support::config::{Folder, shipped_with};

fn with(ledger: &str) -> Folder {
    Folder::with(&shipped_with(&format!("ledger: {{ {ledger} }}"))).file("ca.pem", &authority())
}

#[test]
fn a_url_is_a_secret_wherever_it_comes_from() {
    let url = format!("postgres://shop:{SECRET}@db.test:5433/ledger?sslmode=verify-full");
    let shown = "postgres://shop@db.test:5433/ledger";
    for folder in [
        with("url: \"${LEDGER}\", ca: ca.pem").var("LEDGER", &url),
        with(&format!(
            "url: \"{}\", ca: ca.pem",
            url.replace(SECRET, "${LEDGER}")
        ))
        .var("LEDGER", SECRET),
        with("url_file: ledger.url, ca: ca.pem").file("ledger.url", &url),
        with(&format!("url: \"{url}\", ca: ca.pem")),
    ] {
        let loaded = folder.loaded();
        assert_eq!(loaded.settings.ledger.to_string(), shown);
        assert!(
            matches!(&loaded.settings.ledger, Settings::Postgres(server) if server.is_secure())
        );
        let said = format!("{loaded:?}{}", report::text(&loaded));
        assert!(said.contains(shown) && !said.contains(SECRET), "{said}");
        assert_eq!(mask(SECRET, &loaded.settings.secrets), "***");
    }
    let literal = with(&format!("url: \"{url}\", ca: ca.pem"));
    assert!(warnings(&literal.loaded()).contains("holds a password"));
}

#[test]
fn what_cannot_be_a_ledger_is_told_without_the_url() {
    for (ledger, told) in [
        (
            "url: \"mysql://u:SECRET@db/l\"",
            "does not begin with postgres://",
        ),
        (
            "url: \"postgres://u:SECRET@db/l\"",
            "say sslmode=verify-full",
        ),
        (
            "url: \"postgres://u:SECRET@db/l?sslmode=require\"",
            "say sslmode=verify-full",
        ),
        ("url: \"postgres://u:SECRET@db/l?colour=red\"", "are known"),
        (
            "url: \"postgres://u:SECRET@localhost/l\", path: x.db",
            "one of the two",
        ),
        (
            "url: \"postgres://u:SECRET@localhost/l\", ca: ca.pem",
            "sslmode=verify-full",
        ),
        (
            "url: \"postgres://u:SECRET@db/l?sslmode=verify-full\", ca: no.pem",
            "of no use",
        ),
        ("path: x.db, ca: ca.pem", "it only beside `url`"),
    ] {
        let faults = with(&ledger.replace("SECRET", SECRET)).faults();
        assert!(faults.contains(told), "{ledger}: {faults}");
        assert!(!faults.contains(SECRET), "{faults}");
        let variable = ledger.replace("SECRET", "${PASSWORD}");
        let faults = with(&variable).var("PASSWORD", SECRET).faults();
        assert!(
            faults.contains(told) && !faults.contains(SECRET),
            "{faults}"
        );
    }
}
