//! HTTP/1.1 towards the client, byte for byte: a service of a few lines behind real sockets.
#![expect(
    clippy::as_conversions,
    clippy::string_slice,
    reason = "known numbers and ASCII"
)]

mod answer;
mod body;
mod end;
mod pieces;
mod refuse;
mod server;
mod tunnel;

/// A request that nobody can misread.
fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n")
}

/// A POST with these fields and what follows them.
fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n{body}")
}
