//! HTTP/2 seen from the client's side: real sockets, frames in, frames out.

mod abuse;
mod exchange;
mod interop;
mod leave;
mod rules;
mod support;
mod tunnel;
mod windows;
