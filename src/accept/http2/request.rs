//! A header block as a request, or as its trailers: what RFC 9113 §8 asks of both.
//!
//! Whatever breaks a rule is malformed as a whole (§8.1.1). The block is read to its end
//! all the same, or the next one could not be read.

use http::{Method, Version};

use super::hpack::{self, Decoder, Field};
use super::name::Name;
use crate::message::parse::Limits;
use crate::message::{Fields, RequestHead, Target};

/// What a field counts beyond its bytes (RFC 9113 §6.5.2).
const OVERHEAD: usize = 32;

/// Room for a usual request's fields, so that they grow no buffer.
const USUAL: (usize, usize) = (900, 20);

/// What a block is.
#[derive(Debug)]
pub(super) enum Verdict<T> {
    /// What it should be.
    Good(T),
    /// It breaks a rule.
    Malformed(&'static str),
    /// Longer than the limit, or with more fields (431).
    Large,
}

/// A request as it was asked.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its head.
    pub(super) head: Box<RequestHead>,
    /// Its `content-length`.
    pub(super) length: Option<u64>,
}

/// Reads the block that opens a stream.
///
/// # Errors
/// The block cannot be read: the connection's end.
pub(super) fn head(
    decoder: &mut Decoder,
    block: &[u8],
    limits: Limits,
) -> Result<Verdict<Asked>, hpack::Fault> {
    let mut draft = Draft::new(limits);
    decoder.decode(block, |field| draft.head(field))?;
    if let Some(verdict) = draft.bad() {
        return Ok(verdict);
    }
    Ok(match draft.request() {
        Ok(asked) => Verdict::Good(asked),
        Err(why) => Verdict::Malformed(why),
    })
}

/// Reads the block behind a request's data.
///
/// # Errors
/// The block cannot be read: the connection's end.
pub(super) fn trailers(
    decoder: &mut Decoder,
    block: &[u8],
    limits: Limits,
) -> Result<Verdict<Fields>, hpack::Fault> {
    let mut draft = Draft::new(limits);
    decoder.decode(block, |field| draft.trailer(field))?;
    Ok(draft.bad().unwrap_or(Verdict::Good(draft.fields)))
}

/// Reads a block that nobody wants.
///
/// # Errors
/// The block cannot be read: the connection's end.
pub(super) fn nothing(decoder: &mut Decoder, block: &[u8]) -> Result<(), hpack::Fault> {
    decoder.decode(block, |_| {})
}

/// What is known of a request so far.
struct Draft {
    method: Option<Method>,
    scheme: bool,
    path: Option<Vec<u8>>,
    authority: Option<Vec<u8>>,
    protocol: Option<Vec<u8>>,
    fields: Fields,
    /// Its crumbs, joined (RFC 9113 §8.2.3).
    cookie: Option<Vec<u8>>,
    length: Option<u64>,
    /// A field came that is no pseudo field: none of those may follow (RFC 9113 §8.3).
    regular: bool,
    count: usize,
    size: usize,
    limits: Limits,
    fault: Option<&'static str>,
}

impl Draft {
    fn new(limits: Limits) -> Self {
        let (bytes, lines) = USUAL;
        Self {
            method: None,
            scheme: false,
            path: None,
            authority: None,
            protocol: None,
            fields: Fields::with_capacity(bytes, lines),
            cookie: None,
            length: None,
            regular: false,
            count: 0,
            size: 0,
            limits,
            fault: None,
        }
    }

    fn head(&mut self, field: Field<'_>) {
        if !self.counts(field) {
            return;
        }
        let put = if !field.sound {
            Err("a field is not valid, or not allowed")
        } else if field.name.is_pseudo() {
            self.pseudo(field)
        } else {
            self.regular = true;
            self.field(field)
        };
        self.note(put);
    }

    fn trailer(&mut self, field: Field<'_>) {
        if !self.counts(field) {
            return;
        }
        // What frames or routes a message has no place behind it (RFC 9110 §6.5.1).
        let put = match field.name {
            Name::Plain if field.sound && field.text != b"host" => {
                self.fields.append(field.text, field.value);
                Ok(())
            }
            _ => Err("a trailer is not valid, or not allowed"),
        };
        self.note(put);
    }

    fn note(&mut self, put: Result<(), &'static str>) {
        if let Err(why) = put {
            self.fault.get_or_insert(why);
        }
    }

    /// Counts a field; whether it is still to be looked at.
    fn counts(&mut self, field: Field<'_>) -> bool {
        let size = field.text.len() + field.value.len() + OVERHEAD;
        self.size = self.size.saturating_add(size);
        self.count += 1;
        self.fault.is_none() && !self.is_large()
    }

    const fn is_large(&self) -> bool {
        self.size > self.limits.bytes || self.count > self.limits.fields
    }

    fn bad<T>(&self) -> Option<Verdict<T>> {
        if self.is_large() {
            return Some(Verdict::Large);
        }
        self.fault.map(Verdict::Malformed)
    }

    fn pseudo(&mut self, field: Field<'_>) -> Result<(), &'static str> {
        if self.regular {
            return Err("a pseudo field behind another field");
        }
        let twice = match field.name {
            Name::Method => {
                let method = Method::from_bytes(field.value).map_err(|_no_token| "no method")?;
                self.method.replace(method).is_some()
            }
            Name::Scheme => std::mem::replace(&mut self.scheme, true),
            Name::Path => self.path.replace(field.value.to_vec()).is_some(),
            Name::Authority => self.authority.replace(field.value.to_vec()).is_some(),
            Name::Protocol => self.protocol.replace(field.value.to_vec()).is_some(),
            _ => return Err("an unknown pseudo field"),
        };
        if twice {
            return Err("a pseudo field came twice");
        }
        Ok(())
    }

    fn field(&mut self, field: Field<'_>) -> Result<(), &'static str> {
        match field.name {
            Name::Cookie => {
                match &mut self.cookie {
                    Some(cookie) => {
                        cookie.extend_from_slice(b"; ");
                        cookie.extend_from_slice(field.value);
                    }
                    none => *none = Some(field.value.to_vec()),
                }
                return Ok(());
            }
            Name::ContentLength => {
                let length = digits(field.value).ok_or("content-length is too large")?;
                if self.length.replace(length).is_some() {
                    return Err("content-length came twice");
                }
            }
            _ => {}
        }
        self.fields.append(field.text, field.value);
        Ok(())
    }

    /// What RFC 9113 §8.3.1, §8.5 and RFC 8441 §4 ask of the whole.
    fn request(mut self) -> Result<Asked, &'static str> {
        let method = self.method.ok_or("no :method")?;
        let tunnel = method == Method::CONNECT && self.protocol.is_none();
        let target = if tunnel {
            if self.scheme || self.path.is_some() {
                return Err("CONNECT with a :scheme or a :path");
            }
            self.authority.clone()
        } else {
            if !self.scheme {
                return Err("no :scheme");
            }
            self.path
        };
        let target = target.ok_or("no :path, or no :authority of CONNECT")?;
        if target == b"*" && method != Method::OPTIONS {
            return Err(":path is no path");
        }
        if self.protocol.is_some() && (method != Method::CONNECT || self.authority.is_none()) {
            return Err(":protocol without CONNECT or :authority");
        }
        if let Some(cookie) = self.cookie {
            self.fields.append(b"cookie", &cookie);
        }
        let head = Box::new(RequestHead {
            method,
            target: Target::new(target),
            authority: self.authority,
            protocol: self.protocol,
            version: Version::HTTP_2,
            fields: self.fields,
        });
        Ok(Asked {
            head,
            length: self.length,
        })
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
