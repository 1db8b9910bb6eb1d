//! A PROXY header: told the same of every longer text, and of all addresses that are written plainly.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use refgate::accept::proxy_protocol::parse;
use refgate_fuzz::{cuts, text};

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = parse(bytes) else {
        let longer = [bytes, b"\r\n"].concat();
        assert!(parse(&longer).is_err(), "what is wrong stays so");
        return;
    };
    let Some(header) = parsed else { return };
    let whole = bytes.get(..header.length).unwrap();
    for longer in [whole.to_vec(), [whole, b"GET / HTTP/1.1\r\n\r\n"].concat()] {
        assert_eq!(parse(&longer).unwrap(), Some(header));
    }
    for cut in cuts(whole) {
        assert!(matches!(parse(&whole[..cut]), Ok(None)), "{cut}");
    }
    if whole.starts_with(b"PROXY ") {
        assert_eq!(header.client, plainly(text(whole).unwrap()));
    }
});

/// Version 1 by its words.
fn plainly(line: &str) -> Option<SocketAddr> {
    let line = line.strip_suffix("\r\n").unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let ["PROXY", family @ ("TCP4" | "TCP6"), client, _, port, _] = words.as_slice() else {
        assert!(line.starts_with("PROXY UNKNOWN"), "{line:?}");
        return None;
    };
    let client: IpAddr = client.parse().unwrap();
    assert_eq!(client.is_ipv4(), *family == "TCP4");
    Some(SocketAddr::new(
        client.to_canonical(),
        port.parse().unwrap(),
    ))
}
