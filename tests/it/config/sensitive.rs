//! What is read is kept, so some things are not read.

use crate::support::config::{Folder, shipped_with};

#[test]
fn no_rule_reads_cards_codes_or_passwords() {
    for (field, source) in [
        ("card_number", "{ css: '#x', optional: true }"),
        (
            "note",
            "{ css: \"input[name='cc-number']\", attribute: value, optional: true }",
        ),
        ("note", "{ css: '#x', attribute: data-cvc, optional: true }"),
        ("note", "{ json: $.payment.card.number, optional: true }"),
        ("note", "{ query: password, optional: true }"),
        ("note", "{ regex: 'IBAN: (\\w+)', optional: true }"),
        ("note", "{ header: X-CVV, optional: true }"),
        (
            "note",
            "{ css: '#x', pattern: 'CVV: ([0-9]+)', optional: true }",
        ),
    ] {
        let text = shipped_with(&format!(
            "rules:
  - name: thank-you
    when: {{ path: '/done/*', contains: Thanks }}
    read:
      order_id: {{ css: '.order-number' }}
      amount: {{ css: .product-card .total }}
      {field}: {source}
    then: order
"
        ));
        let faults = Folder::with(&text).faults();
        let expected = format!("rules[0].read.{field}");
        assert!(faults.contains(&expected), "{source}: {faults}");
        assert!(faults.contains("must not be kept"), "{source}: {faults}");
    }
}
