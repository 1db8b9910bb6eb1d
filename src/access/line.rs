//! A line's text: nothing of a stranger's acts where it is shown.

use std::fmt::Write as _;
use std::time::Duration;

use http::Version;
use time::{Month, OffsetDateTime};

use super::Line;
use crate::clock::Time;
use crate::inert::acts;
use crate::name::StoreName;

/// What stands for a status that there was not: nginx's word for a client that went away, which
/// what reads such logs knows.
const GONE: u16 = 499;

/// `client - - [day/month/year:time zone] "method target version" status bytes`.
pub(super) fn common(line: &Line, out: &mut Vec<u8>) {
    let mut text = String::with_capacity(128);
    let client = line.client.to_canonical();
    // Writing to a String cannot fail.
    let _infallible = write!(text, "{client} - - [");
    clock(line.at, &mut text);
    text.push_str("] \"");
    quoted(line.method.as_str().as_bytes(), &mut text);
    text.push(' ');
    quoted(line.target.as_bytes(), &mut text);
    let status = line.status.unwrap_or(GONE);
    let version = version(line.version);
    let _infallible = write!(text, " HTTP/{version}\" {status} {}", line.bytes);
    out.extend_from_slice(text.as_bytes());
}

/// One object; what is not known is absent.
pub(super) fn json(line: &Line, took: Duration, out: &mut Vec<u8>) {
    let mut text = String::with_capacity(256);
    let client = line.client.to_canonical();
    let _infallible = write!(text, "{{\"time\":\"{}\",\"client\":\"{client}\"", line.at);
    let store = line.store.as_ref().map(StoreName::as_str);
    let words = [
        ("store", store),
        ("host", line.host.as_deref()),
        ("method", Some(line.method.as_str())),
    ];
    for (key, value) in words {
        member(key, value.map(str::as_bytes), &mut text);
    }
    member("target", Some(line.target.as_bytes()), &mut text);
    let request_id = line.request_id.as_deref().map(str::as_bytes);
    member("request_id", request_id, &mut text);
    let (version, bytes) = (version(line.version), line.bytes);
    let status = line.status.unwrap_or(GONE);
    let _infallible = write!(text, ",\"version\":\"{version}\",\"status\":{status}");
    let (complete, micros) = (line.complete, took.as_micros());
    let _infallible = write!(
        text,
        ",\"bytes\":{bytes},\"complete\":{complete},\"duration_us\":{micros}}}"
    );
    out.extend_from_slice(text.as_bytes());
}

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// `10/Oct/2000:13:55:36 +0000`.
fn clock(at: Time, text: &mut String) {
    let moment = OffsetDateTime::from_unix_timestamp(at.millis().div_euclid(1000));
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let month = name(month);
    let _infallible = write!(
        text,
        "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000"
    );
}

const fn name(month: Month) -> &'static str {
    match month {
        Month::January => "Jan",
        Month::February => "Feb",
        Month::March => "Mar",
        Month::April => "Apr",
        Month::May => "May",
        Month::June => "Jun",
        Month::July => "Jul",
        Month::August => "Aug",
        Month::September => "Sep",
        Month::October => "Oct",
        Month::November => "Nov",
        Month::December => "Dec",
    }
}

/// What is printable ASCII as it is; `\xHH` for every other byte, and `\"`, `\\`, as Apache writes them.
fn quoted(bytes: &[u8], text: &mut String) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _infallible = write!(text, "\\x{byte:02x}");
            }
        }
    }
}

/// `,"key":"value"`, if there is a value.
fn member(key: &str, value: Option<&[u8]>, text: &mut String) {
    let Some(value) = value else { return };
    let _infallible = write!(text, ",\"{key}\":\"");
    for c in String::from_utf8_lossy(value).chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            _ if acts(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _infallible = write!(text, "\\u{unit:04x}");
                }
            }
            _ => text.push(c),
        }
    }
    text.push('"');
}
