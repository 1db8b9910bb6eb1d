//! What the report says of consent and of who is excluded, and what is warned of.

use refgate::config::report;

use crate::support::config::{Folder, shipped, shipped_with};

fn reported(consent: &str) -> String {
    let text = shipped().replacen("consent: not_needed ", &format!("consent: {consent} "), 1);
    report::text(&Folder::with(&text).loaded())
}

#[test]
fn the_report_says_how_each_stores_consent_is_seen() {
    for (consent, words) in [
        (
            "onetrust",
            "a click is remembered once OneTrust's cookie OptanonConsent has the group C0004 on; Sec-GPC refuses",
        ),
        (
            "{ preset: onetrust, group: AFF, cookie: Mine }",
            "OneTrust's cookie Mine has the group AFF on",
        ),
        (
            "cookiebot",
            "Cookiebot's cookie CookieConsent has marketing on",
        ),
        (
            "cookieyes",
            "CookieYes's cookie cookieyes-consent has advertisement on",
        ),
        ("complianz", "Complianz's cookie cmplz_marketing says allow"),
        (
            "{ preset: tcf, purposes: [1, 4] }",
            "the TCF string in euconsent-v2 has the purposes 1, 4 on",
        ),
        (
            "{ cookie: choice, pattern: 'a=1', refused: 'a=0' }",
            "the cookie choice matches a=1; matching a=0 refuses; Sec-GPC refuses",
        ),
    ] {
        let report = reported(consent);
        assert!(report.contains(words), "{words}:\n{report}");
        // The other store's.
        assert!(report.contains("consent is not needed"), "{report}");
    }
}

const NETWORKS: &str = "
networks:
  one:
    click: { a: '[0-9]+' }
    postback: http://n.example/p?a={a}&amount=AMOUNT&o=ORDER_ID
    currency: USD
    rates: { CAD: 0.73 }
    consent: not_needed
    answers: [{ body: ok, means: accepted }]
  two:
    click: { b: '[0-9]+' }
    postback: http://n.example/p?b={b}&amount=AMOUNT&o=ORDER_ID
    currency: USD
    rates: { CAD: 0.73 }
    consent: { not_needed_if: { sn: 1, kind: cashback } }
    answers: [{ body: ok, means: accepted }]
exclude:
  user_agents: '^Check/'
  cookies: [staff, role=test]
  networks: [192.0.2.0/24]
  paths: ['/admin/**']
";

#[test]
fn the_report_says_who_needs_no_consent_and_who_is_excluded() {
    let report = report::text(&Folder::with(&shipped_with(NETWORKS)).loaded());
    for words in [
        "which says which partner it is; it needs no consent\n",
        "which says which partner it is; one with kind=cashback and sn=1 needs no consent\n",
        "no clicks and no orders of: robots that say so; programs whose User-Agent matches ^Check/; \
         browsers with the cookie staff; browsers with the cookie role=test; clients in 192.0.2.0/24; \
         requests for /admin/**\n",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
    let nobody = Folder::with(&shipped_with("exclude: { bots: false }")).loaded();
    assert!(report::text(&nobody).contains("nobody is excluded, not even robots"));
}

#[test]
fn a_redirect_that_loses_late_consent_is_warned_of() {
    let redirecting = shipped().replace("parameter: strip", "parameter: redirect");
    assert_eq!(Folder::with(&redirecting).loaded().warnings, []);
    let asking = redirecting.replacen("consent: not_needed ", "consent: tcf ", 1);
    let warnings = Folder::with(&asking).loaded().warnings;
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    let warning = warning.to_string();
    assert!(
        warning.contains("cookie: with `parameter: redirect` a visitor of the store `us`"),
        "{warning}"
    );
}
