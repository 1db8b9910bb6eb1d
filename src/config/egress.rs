//! `deliver.proxy:` and `deliver.from:`: the way out of a postback.

use std::net::{IpAddr, UdpSocket};

use super::reader::Map;
use super::value::Value;
use crate::deliver::egress::{Egress, Proxy};

const PROXY: &str = "http://HOST:PORT of a forward proxy, with USER:PASSWORD@ before the host if it wants them, or none";
const FROM: &str = "an IP address of this machine, or any";

/// Reads both.
pub(super) fn read(map: &Map<'_>) -> Egress {
    Egress {
        proxy: map.or("proxy", None, proxy),
        from: map.or("from", None, from),
    }
}

fn proxy(value: &Value<'_>) -> Option<Option<Proxy>> {
    let text = value.text()?.delicate();
    if text.as_str() == "none" {
        return Some(None);
    }
    let proxy: Proxy = text.parse(PROXY)?;
    if let Some(password) = proxy.secret() {
        value.cx.keep_secret(password.clone());
        if text.is_literal() {
            let words = "the proxy's password stands in the file: write it as ${VARIABLE}";
            value.cx.warn(&value.place, words);
        }
    }
    Some(Some(proxy))
}

fn from(value: &Value<'_>) -> Option<Option<IpAddr>> {
    let text = value.text()?;
    if text.as_str() == "any" {
        return Some(None);
    }
    let address: IpAddr = text.make_plain(str::parse, FROM)?;
    // Binding sends nothing. The address may come later, as one that moves between machines does.
    if let Err(error) = UdpSocket::bind((address, 0)) {
        let words = format!("no postback can be sent from {address} now: {error}");
        value.cx.warn(&value.place, words);
    }
    Some(Some(address))
}
