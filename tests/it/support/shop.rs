//! A raw shop that keeps what it was asked, and the answers that it gives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::message::Message;
use super::origin::Origin;
use super::wire::Wire;

/// A shop on a raw socket.
pub(crate) struct Shop {
    origin: Origin,
    asked: Arc<Mutex<Vec<Message>>>,
}

impl Shop {
    /// Answers every request with these bytes; those that begin `HTTP/1.0`, or say so, end the connection.
    pub(crate) fn new(answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::playing(move |wire, request| {
            let bytes = answer(request);
            // Whoever asked may be gone.
            wire.try_say(&bytes);
            let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).to_lowercase();
            !head.starts_with("http/1.0") && !head.contains("connection: close")
        })
    }

    /// Does as `play` says with each request; false ends the connection.
    pub(crate) fn playing(
        play: impl Fn(&mut Wire, &Message) -> bool + Send + Sync + 'static,
    ) -> Self {
        let asked: Arc<Mutex<Vec<Message>>> = Arc::default();
        let noting = Arc::clone(&asked);
        let origin = Origin::new(move |wire, _| {
            while !wire.is_over() {
                let request = wire.message(false);
                noting.lock().unwrap().push(request.clone());
                if !play(wire, &request) {
                    return;
                }
            }
        });
        Self { origin, asked }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.origin.addr
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Message> {
        self.asked.lock().unwrap().clone()
    }
}

/// The path of a request.
pub(crate) fn path(request: &Message) -> &str {
    let target = request.start.split(' ').nth(1).unwrap();
    target.split('?').next().unwrap()
}

/// A response with a length.
pub(crate) fn page(fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    response("200 OK", fields, body)
}

/// A response with a length, of any status.
pub(crate) fn response(status: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A response in chunks of `size` bytes.
pub(crate) fn chunked(fields: &str, body: impl AsRef<[u8]>, size: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n");
    let mut bytes = head.into_bytes();
    for piece in body.as_ref().chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

pub(crate) const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n";

/// A confirmation of order `number` over 1,124.96.
pub(crate) fn thanks(number: &str) -> String {
    format!(
        "<!doctype html><title>Shop</title><h1>Thank you for your order</h1>\
         <p>No. <b id=\"order-number\">{number}</b></p><table id=\"totals\">\
         <tr class=\"subtotal\"><td>$1,249.95</td></tr>\
         <tr class=\"discount\"><td>$124.99</td></tr>\
         <tr class=\"total\"><td>$1,224.90</td></tr></table>"
    )
}

/// A shop whose thank-you pages confirm the order in their path, and whose other pages are plain.
pub(crate) fn ordinary() -> Shop {
    Shop::new(ordinarily)
}

/// What such a shop answers.
pub(crate) fn ordinarily(request: &Message) -> Vec<u8> {
    match path(request).strip_prefix("/checkout/thank-you/") {
        Some(number) => page(HTML, thanks(number)),
        None => page(HTML, "<!doctype html><title>Shop</title>"),
    }
}
