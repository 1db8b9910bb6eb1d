//! A shop that is asked by HTTP/2: nothing else is different.

mod flow;
mod pass;
mod resend;
mod speak;
mod switch;
mod watched;

use std::net::SocketAddr;

use crate::support::proxy::{Running, Setup};

/// A proxy whose shop speaks HTTP/2.
fn before(shop: SocketAddr) -> Running {
    with(shop, |_| {})
}

fn with(shop: SocketAddr, change: impl FnOnce(&mut Setup)) -> Running {
    Setup::new(shop).http2(None).with(change).start()
}

/// A request with a body that is all there.
fn post(target: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {length}\r\n\r\n{body}")
}
