//! What no rule may read: card numbers, security codes, passwords, bank accounts. What is read is kept.

/// Words that mean one of these by themselves.
const WORDS: [&str; 27] = [
    "accountnumber",
    "cardno",
    "cardnum",
    "cardnumber",
    "cardpan",
    "cardverificationvalue",
    "ccno",
    "ccnum",
    "ccnumber",
    "ccv",
    "ccv2",
    "creditcardnumber",
    "csc",
    "cvc",
    "cvc2",
    "cvn",
    "cvv",
    "cvv2",
    "iban",
    "kartennummer",
    "passwd",
    "password",
    "passwort",
    "pwd",
    "securitycode",
    "verificationvalue",
    "passphrase",
];

/// Ends of words that do so, where names are written in one.
const ENDS: [&str; 6] = [
    "cardnumber",
    "ccnumber",
    "cvc",
    "cvv",
    "password",
    "passwort",
];

/// Words that do so one after the other.
const PAIRS: [(&str, &str); 15] = [
    ("account", "number"),
    ("card", "code"),
    ("card", "no"),
    ("card", "num"),
    ("card", "number"),
    ("card", "pan"),
    ("cc", "code"),
    ("cc", "no"),
    ("cc", "num"),
    ("cc", "number"),
    ("card", "verification"),
    ("pass", "word"),
    ("payment", "pan"),
    ("security", "code"),
    ("verification", "value"),
];

/// The words of a name, selector, path or pattern by which it is one of these.
///
/// Names are taken apart where they are written apart (`card-number`, `card_number`, `cardNumber`), in any case.
pub(super) fn sensitive(text: &str) -> Option<String> {
    let words = words(text);
    let is_one = |word: &&String| {
        let ends = |end: &&str| word.ends_with(end);
        WORDS.contains(&word.as_str()) || ENDS.iter().any(ends)
    };
    let single = words.iter().find(is_one);
    let pair = words.windows(2).find_map(|pair| match pair {
        [one, other] => PAIRS
            .contains(&(one, other))
            .then(|| format!("{one} {other}")),
        _ => None,
    });
    single.cloned().or(pair)
}

fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        let begins = !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase());
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::sensitive;

    #[test]
    fn what_is_not_to_be_read_is_known_by_its_words() {
        for text in [
            "card_number",
            "#cardNumber",
            "input[name='cc-number']",
            "$.payment.card.number",
            "CVV",
            ".payment .cvc2",
            "$['securityCode']",
            "data-iban",
            "password",
            "passWord",
            "IBAN:\\s*(\\w+)",
            "user.pwd",
            "#ccv",
            "#cardcvv",
            "newpassword",
            "#cardVerificationValue",
            "input[name='credit_card[verification_value]']",
            "$.payment.pan",
        ] {
            assert!(sensitive(text).is_some(), "{text}");
        }
        for text in [
            "order_id",
            ".order-number",
            "#order-total .amount",
            "$.order.number",
            ".product-card .price",
            "$.cart.cards[0].name",
            "discard_number",
            "passenger.number",
            "$.accounts",
            "libancard",
            "Order number: (\\d+)",
            "ccy",
            "",
        ] {
            assert_eq!(sensitive(text), None, "{text}");
        }
    }
}
