//! From a saved file to an exchange.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::super::fault::short;
use super::{Exchange, Given};
use crate::message::Fields;
use crate::message::parse::{is_text, is_token};

/// Why a file is no saved exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// No request line where one was expected.
    #[error("{0:?} where a request line like \"GET /path HTTP/1.1\" was expected")]
    RequestLine(String),
    /// No response follows the request.
    #[error("no status line like \"HTTP/1.1 200 OK\"")]
    NoResponse,
    /// No status in the status line.
    #[error("{0:?} where a status line like \"HTTP/1.1 200 OK\" was expected")]
    StatusLine(String),
    /// A line of a head that is no field.
    #[error("{0:?} where a field like \"content-type: text/html\" was expected")]
    Field(String),
    /// The host stands neither in the file nor beside it.
    #[error("no host: name one of the store's")]
    NoHost,
    /// The content type is no field value.
    #[error("{0:?} is no content type")]
    ContentType(String),
}

/// Whether a file holds heads, not only a body.
pub fn is_exchange(file: &[u8]) -> bool {
    let (line, _) = line(file);
    let text = unquoted(&line);
    text.starts_with("HTTP/") || request_line(text).is_some()
}

/// A page (or JSON) without any head.
///
/// # Errors
///
/// When `given` names no host, or no usable type.
pub fn page(body: Bytes, given: &Given) -> Result<Exchange, SavedError> {
    let is_json =
        body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[");
    let guessed = if is_json {
        "application/json"
    } else {
        "text/html"
    };
    let content_type = given.content_type.as_deref().unwrap_or(guessed);
    let mut fields = Fields::default();
    typed(&mut fields, content_type)?;
    Head::default().answered(StatusCode::OK, fields, body, given)
}

/// An exchange: request line and fields, an empty line, status line and fields,
/// an empty line, the body. `body` is the body where it stands in a file of its own.
///
/// # Errors
///
/// The line that is not as it should be.
pub fn exchange(file: &Bytes, body: Option<Bytes>, given: &Given) -> Result<Exchange, SavedError> {
    let (first, mut rest) = line(file);
    let first = unquoted(&first);
    let mut head = Head::default();
    if first.starts_with("HTTP/") {
        rest = file;
    } else {
        let (method, target) =
            request_line(first).ok_or_else(|| SavedError::RequestLine(short(first)))?;
        head.method = Some(method);
        head.target = Some(target.to_owned());
        head.fields = fields(&mut rest)?;
    }
    let (status, answered) = response(&mut rest)?;
    let body = body.unwrap_or_else(|| {
        let is_chunked = answered.contains("transfer-encoding");
        let unchunked = if is_chunked { unchunked(rest) } else { None };
        unchunked.unwrap_or_else(|| file.slice_ref(rest))
    });
    head.answered(status, answered, body, given)
}

/// The first response that is not an interim one (RFC 9110 §15.2). What stands
/// before it is the request's body.
fn response(rest: &mut &[u8]) -> Result<(StatusCode, Fields), SavedError> {
    while !rest.is_empty() {
        let (text, after) = line(rest);
        *rest = after;
        let text = unquoted(&text);
        if !text.starts_with("HTTP/") {
            continue;
        }
        let status = text
            .split_whitespace()
            .nth(1)
            .and_then(|code| code.parse().ok());
        let status: StatusCode = status.ok_or_else(|| SavedError::StatusLine(short(text)))?;
        let fields = fields(rest)?;
        if !status.is_informational() {
            return Ok((status, fields));
        }
    }
    Err(SavedError::NoResponse)
}

/// The request's part, as far as the file has it.
#[derive(Default)]
struct Head {
    method: Option<Method>,
    target: Option<String>,
    fields: Fields,
}

impl Head {
    fn answered(
        self,
        status: StatusCode,
        mut fields: Fields,
        body: Bytes,
        given: &Given,
    ) -> Result<Exchange, SavedError> {
        if let Some(content_type) = &given.content_type {
            typed(&mut fields, content_type)?;
        }
        // Tools save the body decoded more often than not.
        if is_decoded(&fields, &body) {
            fields.remove("content-encoding");
        }
        let target = given
            .path
            .clone()
            .or(self.target)
            .unwrap_or_else(|| "/".to_owned());
        let (authority, target) = split_target(&target);
        let named = self.fields.text("host");
        let host = given.host.as_deref().or(authority).or(named);
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Ok(Exchange {
            host: without_port(host.ok_or(SavedError::NoHost)?).to_owned(),
            method: given.method.clone().or(self.method).unwrap_or(Method::GET),
            path: path.to_owned(),
            query,
            request_fields: self.fields,
            status: given.status.unwrap_or(status),
            fields,
            body,
        })
    }
}

fn typed(fields: &mut Fields, content_type: &str) -> Result<(), SavedError> {
    if !is_text(content_type.as_bytes()) {
        return Err(SavedError::ContentType(content_type.to_owned()));
    }
    fields.set("content-type", content_type.as_bytes());
    Ok(())
}

/// Whether the head says gzip but the body is not: every coding but brotli
/// begins with bytes of its own, and pages and JSON with `<`, `{` or `[`.
fn is_decoded(fields: &Fields, body: &[u8]) -> bool {
    let starts = [b"<".as_slice(), b"{", b"[", b"\xef\xbb\xbf"];
    let body = body.trim_ascii_start();
    fields.contains("content-encoding") && starts.iter().any(|start| body.starts_with(start))
}

/// `http://host/path` → its host and path; `/path` as it is.
fn split_target(target: &str) -> (Option<&str>, &str) {
    let Some((_scheme, rest)) = target
        .split_once("://")
        .filter(|_| !target.starts_with('/'))
    else {
        return (None, target);
    };
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    (Some(authority), if path.is_empty() { "/" } else { path })
}

fn without_port(host: &str) -> &str {
    if let Some((address, _port)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        return address;
    }
    host.split(':').next().unwrap_or(host)
}

fn request_line(text: &str) -> Option<(Method, &str)> {
    let mut words = text.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_request = version.starts_with("HTTP/") && words.next().is_none();
    let is_upper = method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_request || !is_upper || target.is_empty() {
        return None;
    }
    Some((method.parse().ok()?, target))
}

/// Fields up to and with the empty line.
fn fields(rest: &mut &[u8]) -> Result<Fields, SavedError> {
    let mut fields = Fields::default();
    while !rest.is_empty() {
        let (text, after) = line(rest);
        *rest = after;
        let text = unquoted(&text);
        if text.is_empty() {
            break;
        }
        let error = || SavedError::Field(short(text));
        let (name, value) = text.split_once(':').ok_or_else(error)?;
        let value = value.trim();
        if !is_token(name.as_bytes()) || !is_text(value.as_bytes()) {
            return Err(error());
        }
        fields.append(name.as_bytes(), value.as_bytes());
    }
    Ok(fields)
}

/// A line without its end, and what follows.
fn line(rest: &[u8]) -> (String, &[u8]) {
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let line = parts.next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let after = parts.next().unwrap_or_default();
    (String::from_utf8_lossy(line).into_owned(), after)
}

/// A line without the `> ` or `< ` that tools put before it.
fn unquoted(line: &str) -> &str {
    match line.strip_prefix("> ").or_else(|| line.strip_prefix("< ")) {
        Some(text) => text,
        None if matches!(line, ">" | "<") => "",
        None => line,
    }
}

/// The body of chunks (RFC 9112 §7.1), if that is what this is: many tools save it joined.
fn unchunked(mut rest: &[u8]) -> Option<Bytes> {
    let mut body = Vec::new();
    loop {
        let (size, after) = line(rest);
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body.into());
        }
        let (chunk, after) = after.split_at_checked(size)?;
        body.extend_from_slice(chunk);
        let (end, after) = line(after);
        if !end.is_empty() {
            return None;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Exchange, SavedError> {
        exchange(&Bytes::from(text.to_owned()), None, &Given::default())
    }

    #[test]
    fn an_exchange_is_read_with_both_heads() {
        let crlf = "POST /api/orders?a=1 HTTP/1.1\r\nHost: Shop.example:8080\r\ncontent-length: 3\r\n\r\n\
                    a=b\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Type: text/html\r\n\r\n<p>\r\n";
        let lf = crlf.replace("\r\n", "\n");
        for (text, body) in [(crlf, "<p>\r\n"), (lf.as_str(), "<p>\n")] {
            let exchange = parse(text).unwrap();
            assert_eq!(exchange.host, "Shop.example");
            assert_eq!(exchange.method, Method::POST);
            assert_eq!(
                (exchange.path.as_str(), exchange.query.as_deref()),
                ("/api/orders", Some("a=1"))
            );
            assert_eq!(exchange.status, StatusCode::CREATED);
            assert_eq!(exchange.fields.text("content-type"), Some("text/html"));
            assert_eq!(exchange.body, body);
            assert!(is_exchange(text.as_bytes()));
        }
    }

    #[test]
    fn what_curl_prints_is_read() {
        let verbose =
            "> GET /thanks/ HTTP/1.1\n> Host: shop.example\n>\n< HTTP/1.1 200 OK\n< A: b\n<\n<p>";
        let exchange = parse(verbose).unwrap();
        assert_eq!(
            (exchange.path.as_str(), &exchange.body[..]),
            ("/thanks/", b"<p>".as_slice())
        );
        let given = Given {
            host: Some("shop.example".into()),
            path: Some("/thanks/?x".into()),
            ..Given::default()
        };
        let response = Bytes::from("HTTP/2 200 \ncontent-encoding: gzip\n\n<p>");
        let exchange = super::exchange(&response, None, &given).unwrap();
        assert_eq!(
            (exchange.path.as_str(), exchange.query.as_deref()),
            ("/thanks/", Some("x"))
        );
        assert!(!exchange.fields.contains("content-encoding"));
    }

    #[test]
    fn chunks_are_joined_unless_they_are_already() {
        let head = "GET / HTTP/1.1\nHost: a\n\nHTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n";
        let body = |text: &str| parse(&format!("{head}{text}")).unwrap().body;
        assert_eq!(body("3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), "abcd");
        assert_eq!(body("<p>joined"), "<p>joined");
        assert_eq!(body("ff\r\nshort"), "ff\r\nshort");
    }

    #[test]
    fn a_page_needs_a_host_and_has_a_type() {
        let given = Given {
            host: Some("shop.example".into()),
            ..Given::default()
        };
        let media_type = |body: &'static str| page(Bytes::from(body), &given).unwrap().media_type();
        assert_eq!(media_type(" <p>"), "text/html");
        assert_eq!(media_type(" {}"), "application/json");
        assert_eq!(
            page(Bytes::new(), &Given::default()).unwrap_err(),
            SavedError::NoHost
        );
        assert!(!is_exchange(b"<p>GET / HTTP/1.1"));
        assert!(!is_exchange(b""));
    }

    #[test]
    fn what_is_no_exchange_is_told() {
        let cases = [
            ("hello", SavedError::RequestLine("hello".into())),
            ("GET / HTTP/1.1\nHost: a\n\n", SavedError::NoResponse),
            (
                "GET / HTTP/1.1\nbroken\n\n",
                SavedError::Field("broken".into()),
            ),
            (
                "HTTP/1.1 abc\n\n",
                SavedError::StatusLine("HTTP/1.1 abc".into()),
            ),
            ("GET / HTTP/1.1\n\nHTTP/1.1 200 OK\n\n", SavedError::NoHost),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
    }
}
