//! Forward and the pass-through path: what the shop sees, what the client sees.

mod bytes;
mod direct;
mod fail;
mod framing;
mod http2;
mod pool;
mod stream;
mod tunnel;

/// A request without a body.
fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
