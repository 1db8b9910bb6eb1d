//! `admin:`: where the operator is served, and who may come.

use std::net::SocketAddr;

use super::addresses::ADDRESS;
use super::reader::Map;
use super::value::Value;
use crate::accept::Listener;
use crate::admin::{Address, Settings, Token};
use crate::secret::Secret;

const EXPECTED: &str = "an address on loopback like 127.0.0.1:8084, or unix: and a path like unix:/run/refgate/admin.sock";

/// Shortest token in bytes: 128 random bits in base64 have 22.
const LENGTH: usize = 22;

const TOKEN: &str =
    "a file with 22 visible ASCII characters or more, as `openssl rand -hex 32` makes them";

/// The longest path of a Unix socket in bytes, with what is put behind it while it is made (unix(7): 108).
const PATH: usize = 96;

/// What is done about a token's file that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokens {
    /// It is a fault: its owner could not come.
    All,
    /// It is passed over: whoever asks by the listener has his own alone.
    Own,
}

/// Reads `admin`, which must be none of `listen`.
pub(super) fn read(root: &Map<'_>, listen: &[Listener], tokens: Tokens) -> Option<Settings> {
    root.or("admin", None, |value| {
        settings(value, listen, tokens).map(Some)
    })
}

fn settings(value: &Value<'_>, listen: &[Listener], which: Tokens) -> Option<Settings> {
    let map = value.map_or_short("admin");
    let address = if value.is_map() {
        let own = map.need("listen", EXPECTED);
        own.and_then(|own| address(&own))
    } else {
        map.get("listen");
        address(value)
    };
    let modes = [("0600", 0o600), ("0660", 0o660)];
    let mode = map.or("mode", 0o600, |value| value.one_of(&modes));
    let hosts = map.get("hosts").map_or_else(Vec::new, |value| {
        let items = value.one_or_many();
        items.iter().filter_map(Value::words).collect()
    });
    let tokens = tokens(&map, which);
    map.finish();
    let address = address?;
    if let Address::Tcp(own) = address {
        let is_fine = taken(value, own, listen) && reachable(value, own, &map, &tokens);
        if !is_fine {
            return None;
        }
    }
    Some(Settings {
        listen: address,
        mode,
        hosts,
        tokens,
    })
}

fn address(value: &Value<'_>) -> Option<Address> {
    let text = value.text()?;
    let Some(path) = text.as_str().strip_prefix("unix:") else {
        let address: SocketAddr = text.make_plain(str::parse, ADDRESS)?;
        return Some(Address::Tcp(address));
    };
    let path = value.cx.resolve(path);
    if text.as_str() == "unix:" || path.as_os_str().len() > PATH {
        text.wrong(None, "unix: and a path of 96 bytes at most");
        return None;
    }
    Some(Address::Unix(path))
}

/// Whether the address is free; a fault if not.
fn taken(value: &Value<'_>, address: SocketAddr, listen: &[Listener]) -> bool {
    let same = |own: SocketAddr| {
        own.port() == address.port() && (own.ip() == address.ip() || own.ip().is_unspecified())
    };
    let is_taken = address.port() != 0 && listen.iter().any(|own| same(own.address));
    if is_taken {
        let found = format!("\"{address}\"");
        value.wrong(&found, "another address than under `listen`");
    }
    !is_taken
}

/// Whether nobody else comes by it than is meant to; a fault if not.
fn reachable(value: &Value<'_>, address: SocketAddr, map: &Map<'_>, tokens: &[Token]) -> bool {
    if address.ip().is_loopback() {
        return true;
    }
    if tokens.is_empty() && !map.has("tokens") {
        let found = format!("\"{address}\"");
        let expected = "a loopback address like 127.0.0.1:8084, or a unix: socket; or `tokens`, as others reach this one";
        value.wrong(&found, expected);
        return false;
    }
    let words = "tokens go over the network as they are: let only your own network reach this address, \
                 or put something in front of it that speaks TLS";
    value.cx.warn(&value.place, words);
    true
}

fn tokens(map: &Map<'_>, which: Tokens) -> Vec<Token> {
    map.know_entry("tokens", &["NAME"]);
    let Some(value) = map.get("tokens") else {
        return Vec::new();
    };
    let entries = value.map();
    let mut tokens: Vec<Token> = Vec::new();
    for (name, value) in entries.named("NAME") {
        let actor = name.parse("who that is: a name of 64 bytes at most");
        let path = value.text();
        let (Some(name), Some(path)) = (actor, path) else {
            continue;
        };
        let text = match super::reader::read_bounded(&value.cx.resolve(path.as_str())) {
            Ok(text) => text.trim().to_owned(),
            Err(_error) if which == Tokens::Own => continue,
            Err(error) => {
                path.wrong(Some(&error), TOKEN);
                continue;
            }
        };
        let is_fine = text.len() >= LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic());
        let token = Secret::new(text);
        if !is_fine {
            path.wrong(None, TOKEN);
        } else if tokens.iter().any(|other| other.token == token) {
            path.wrong(Some(&"it holds another's token"), "a token for each");
        }
        value.cx.keep_secret(token.clone());
        tokens.push(Token { name, token });
    }
    if tokens.is_empty() && which == Tokens::All {
        value.wrong(
            "no token that can be used",
            "names with files: alice: alice.token",
        );
    }
    tokens
}
