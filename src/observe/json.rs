//! Reads JSON by RFC 9535 path. Numbers keep the digits that the shop sent.

use serde_json::Value;
use serde_json_path::JsonPath;

use super::text::{Kind, Text};

/// The texts that `path` finds in `document`; `null` is nothing.
///
/// # Errors
///
/// The name of what was found instead of a text or number.
pub(crate) fn texts(document: &Value, path: &JsonPath) -> Result<Vec<Text>, &'static str> {
    let mut texts = Vec::new();
    for node in path.query(document).iter() {
        let (text, kind) = match node {
            Value::Null => continue,
            Value::String(text) => (text.clone(), Kind::Data),
            Value::Number(number) => (number.to_string(), Kind::Number),
            Value::Bool(value) => (value.to_string(), Kind::Data),
            Value::Array(_) => return Err("an array"),
            Value::Object(_) => return Err("an object"),
        };
        texts.push(Text { text, kind });
    }
    Ok(texts)
}

/// A document of UTF-8, with or without a byte order mark.
///
/// # Errors
///
/// Anything but one JSON value; more than 128 levels.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    serde_json::from_slice(bytes.strip_prefix(MARK).unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str, path: &str) -> Result<Vec<String>, &'static str> {
        let document = parse(document.as_bytes()).unwrap();
        let path = JsonPath::parse(path).unwrap();
        let texts = texts(&document, &path)?;
        Ok(texts.into_iter().map(|text| text.text).collect())
    }

    #[test]
    fn digits_stay_as_the_shop_sent_them() {
        let number = |text: &str| read(text, "$").unwrap().remove(0);
        assert_eq!(number("68.9000"), "68.9000");
        assert_eq!(
            number("0.10000000000000000000000001"),
            "0.10000000000000000000000001"
        );
        assert_eq!(number("12345678901234567890"), "12345678901234567890");
        assert_eq!(number("\"68.9000\""), "68.9000");
    }

    #[test]
    fn paths_find_texts_and_nothing_else() {
        let order = r#"{"data":{"order":{"code":"R17","lines":[{"p":1},{"p":2}],"coupon":null}}}"#;
        assert_eq!(read(order, "$.data.order.code").unwrap(), ["R17"]);
        assert_eq!(read(order, "$..p").unwrap(), ["1", "2"]);
        assert!(read(order, "$.data.order.coupon").unwrap().is_empty());
        assert!(read(order, "$.errors").unwrap().is_empty());
        assert_eq!(read(order, "$.data.order"), Err("an object"));
        assert_eq!(read(order, "$.data.order.lines"), Err("an array"));
        let paid = "$.o[?@.state == 'PaymentSettled'].code";
        assert_eq!(
            read(r#"{"o":[{"state":"PaymentSettled","code":"A"}]}"#, paid).unwrap(),
            ["A"]
        );
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(200);
        for text in [
            "",
            "{",
            "a(1)",
            "{} {}",
            "callback({})",
            "{'a':1}",
            deep.as_str(),
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"\xef\xbb\xbf{}").is_ok());
        assert!(parse(b"\"\xff\"").is_err());
    }
}
