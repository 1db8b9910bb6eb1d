//! Which fields end at this hop, and which ones tell the shop who asks. Pure.
//!
//! Every field but the ones named here passes byte for byte. One pass over the
//! fields removes what is of one connection and notes what else there is to do;
//! most messages need nothing more.

mod hop;

use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use http::Version;

use crate::message::Fields;
use crate::store::Scheme;
use hop::{Kind, Named, may_matter};

pub(super) use hop::may_trail;

const FOR: &str = "x-forwarded-for";
const HOST: &str = "x-forwarded-host";
const PROTO: &str = "x-forwarded-proto";

/// Who asks, as the shop is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The TCP peer.
    pub addr: IpAddr,
    /// Whether its own `X-Forwarded-*` fields are believed.
    pub trusted: bool,
    /// How it speaks to us, or to the trusted proxy if that does not say.
    pub scheme: Scheme,
    /// What it asked for, as it wrote it.
    pub host: &'a [u8],
    /// What it speaks.
    pub version: Version,
}

/// What the shop said of its message and its connection, in fields that end here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// How long it keeps the connection open (`Keep-Alive: timeout=N`), where it says so.
    pub kept: Option<Duration>,
    /// Whether it ends the connection (`Connection: close`).
    pub close: bool,
    /// How it has coded the body.
    pub coding: Coding,
    /// How long it says that the body is.
    pub length: Length,
}

/// A message's `Transfer-Encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// There is none.
    #[default]
    None,
    /// `chunked`, once.
    Chunked,
    /// Anything else.
    Other,
}

/// A message's `Content-Length`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// There is none.
    #[default]
    None,
    /// The one length that every line and every list member agrees on.
    Known(u64),
    /// They differ, or one is no number below 2^64.
    Invalid,
}

/// What a request's own fields say of its body, and whether it asks for another protocol.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stated {
    pub(super) upgrade: bool,
    pub(super) coded: bool,
    pub(super) length: Length,
    /// How many lines the length has.
    pub(super) lengths: u32,
}

impl Stated {
    pub(super) fn of(fields: &Fields) -> Self {
        let mut stated = Self::default();
        for (name, value) in fields.some(hop::may_frame) {
            match Kind::of(name) {
                Kind::Upgrade => stated.upgrade = true,
                Kind::Coding => stated.coded = true,
                Kind::Length => {
                    stated.length = stated.length.and(value);
                    stated.lengths += 1;
                }
                _ => {}
            }
        }
        stated
    }
}

/// Makes a client's fields those of our own request to the shop.
///
/// `Transfer-Encoding` stays: the caller has refused any but `chunked`.
pub fn to_shop(fields: &mut Fields, asker: &Asker<'_>) {
    let mut named = Named::default();
    let (mut upgrade, mut body, mut trailers) = (false, false, false);
    fields.retain_some(may_matter, |name, value| match Kind::of(name) {
        Kind::Plain => true,
        Kind::Connection => {
            named.read(value);
            false
        }
        Kind::Te => {
            trailers |= hop::has(value, b"trailers");
            false
        }
        Kind::KeepAlive | Kind::Settings => false,
        Kind::Upgrade => {
            upgrade = true;
            true
        }
        Kind::Coding => {
            body = true;
            true
        }
        Kind::Length => {
            body |= value != b"0";
            true
        }
        // RFC 9110 §10.1.1: an HTTP/1.0 client cannot mean it, and would not understand the 100.
        Kind::Expect => asker.version >= Version::HTTP_11,
        // `X_Forwarded_For` reads as `X-Forwarded-For` to CGI, WSGI and PHP: nobody sends it in good faith.
        Kind::Forwarded => asker.trusted && !name.contains(&b'_'),
    });
    named.remove(fields);
    // A request with a body is answered as a plain one.
    let may = named.upgrade && !body && asker.version == Version::HTTP_11;
    let upgrade = upgrade && keep_upgrade(fields, may);
    match (upgrade, trailers) {
        (false, false) => {}
        (true, false) => fields.append(b"Connection", b"Upgrade"),
        (false, true) => fields.append(b"Connection", b"TE"),
        (true, true) => fields.append(b"Connection", b"Upgrade, TE"),
    }
    if trailers {
        fields.append(b"TE", b"trailers");
    }
    forwarded(fields, asker);
}

/// Whether an `Upgrade` stays; never to h2c: behind the tunnel, requests would pass unseen.
fn keep_upgrade(fields: &mut Fields, may: bool) -> bool {
    let mut tokens = fields.get_all("upgrade").flat_map(hop::tokens);
    if may && tokens.all(|token| !hop::is_h2c(token)) {
        return true;
    }
    drop(tokens);
    fields.remove("upgrade");
    false
}

/// Makes the shop's fields those of our own response: `Content-Length` stays, once, where all say
/// the same and nothing else frames the body; `Transfer-Encoding` is ours to make anew.
///
/// With a 101 (`switched`) the `Upgrade` stays.
pub fn from_shop(fields: &mut Fields, switched: bool) -> Told {
    let mut named = Named::default();
    let mut told = Told::default();
    let mut lengths: u32 = 0;
    fields.retain_some(may_matter, |name, value| match Kind::of(name) {
        Kind::Plain | Kind::Expect | Kind::Forwarded => true,
        Kind::Connection => {
            named.read(value);
            false
        }
        Kind::KeepAlive => {
            told.kept = told.kept.or_else(|| hop::kept(value));
            false
        }
        Kind::Te | Kind::Settings => false,
        Kind::Upgrade => switched,
        Kind::Coding => {
            told.coding = told.coding.and(value);
            false
        }
        Kind::Length => {
            lengths += 1;
            told.length = told.length.and(value);
            // A list of one and the same is written as one below.
            lengths += u32::from(value.contains(&b','));
            true
        }
    });
    told.close = named.close;
    named.remove(fields);
    if switched {
        fields.append(b"Connection", b"Upgrade");
    }
    match told.length {
        Length::None => {}
        Length::Known(_) if told.coding == Coding::None && lengths == 1 => {}
        Length::Known(length) if told.coding == Coding::None => {
            fields.set("content-length", length.to_string().as_bytes());
        }
        Length::Known(_) | Length::Invalid => {
            fields.remove("content-length");
        }
    }
    told
}

impl Coding {
    /// With another line of it: only `chunked` alone can be undone here and made again towards the client.
    fn and(self, value: &[u8]) -> Self {
        match self {
            Self::None if value.eq_ignore_ascii_case(b"chunked") => Self::Chunked,
            _ => Self::Other,
        }
    }
}

impl Length {
    /// With another line of it (RFC 9110 §8.6).
    fn and(self, value: &[u8]) -> Self {
        let mut agreed = self;
        for member in value.split(|byte| *byte == b',') {
            agreed = match (agreed, hop::number(member.trim_ascii())) {
                (Self::None, Some(length)) => Self::Known(length),
                (Self::Known(before), Some(length)) if before == length => agreed,
                _ => return Self::Invalid,
            };
        }
        agreed
    }
}

fn forwarded(fields: &mut Fields, asker: &Asker<'_>) {
    let scheme: &[u8] = match asker.scheme {
        Scheme::Http => b"http",
        Scheme::Https => b"https",
    };
    let addr = asker.addr.to_canonical();
    // All others of a stranger's are gone.
    if !asker.trusted || !fields.contains(FOR) {
        fields.append_by(FOR.as_bytes(), |out| write_address(addr, out));
    } else {
        let mut chain = fields.get_all(FOR).collect::<Vec<_>>().join(&b", "[..]);
        chain.extend_from_slice(b", ");
        write_address(addr, &mut chain);
        fields.set(FOR, &chain);
    }
    if !asker.trusted || !fields.contains(PROTO) {
        fields.append(PROTO.as_bytes(), scheme);
    }
    if !asker.trusted || !fields.contains(HOST) {
        fields.append(HOST.as_bytes(), asker.host);
    }
}

fn write_address(addr: IpAddr, out: &mut Vec<u8>) {
    let IpAddr::V4(v4) = addr else {
        // Writing to a Vec does not fail.
        write!(out, "{addr}").ok();
        return;
    };
    for (n, octet) in v4.octets().into_iter().enumerate() {
        if n > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

#[cfg(test)]
mod tests;
