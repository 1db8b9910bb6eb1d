//! From a plain listener to where the store is reached by TLS.

use crate::message::parse::is_text;

/// Where https is, if a URL names no port (RFC 9110 §4.2.2).
const HTTPS: u16 = 443;

/// The same page by https. `host` is a name of ours without port, never what else a client
/// may have sent: so nobody is sent to a place that is not the store's.
///
/// None if the target has bytes that stand in no URL.
pub(super) fn location(host: &str, port: u16, target: &str) -> Option<String> {
    // OPTIONS * is about the server as a whole.
    let target = if target == "*" { "/" } else { target };
    let host = host.to_ascii_lowercase();
    let location = match port {
        HTTPS => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    is_text(location.as_bytes()).then_some(location)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_page_by_https() {
        for (host, port, target, expected) in [
            ("shop.test", 443, "/", "https://shop.test/"),
            ("SHOP.test", 443, "/a?b=/c", "https://shop.test/a?b=/c"),
            ("shop.test", 8443, "/a", "https://shop.test:8443/a"),
            (
                "shop.test",
                443,
                "//evil.test/",
                "https://shop.test//evil.test/",
            ),
            (
                "shop.test",
                443,
                "/@evil.test",
                "https://shop.test/@evil.test",
            ),
            ("shop.test", 443, "*", "https://shop.test/"),
        ] {
            let location = location(host, port, target).unwrap();
            assert_eq!(location, expected);
        }
    }

    #[test]
    fn no_field_is_added_by_a_target() {
        assert_eq!(location("shop.test", 443, "/\r\nSet-Cookie: a=b"), None);
    }
}
