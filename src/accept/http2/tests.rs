//! HTTP/2 seen from the client's side: real sockets, frames in, frames out.

mod abuse;
mod arbitrary;
mod exchange;
mod interop;
mod leave;
mod rules;
mod server;
mod support;
mod tls;
mod tunnel;
mod values;
mod windows;
