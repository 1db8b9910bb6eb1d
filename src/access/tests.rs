//! Lines as they come out.

use std::sync::{Mutex, PoisonError};

use http::StatusCode;

use super::*;
use crate::message::Fields;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a log that `write` writes into ends up with.
fn lines(format: Format, write: impl FnOnce(&Log)) -> String {
    let kept = Kept::default();
    let log = Log::new(format, kept.clone());
    write(&log);
    assert_eq!(log.dropped().dropped_lines(), 0);
    drop(log);
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn head(method: &str, target: &[u8]) -> RequestHead {
    RequestHead {
        method: method.parse().unwrap(),
        target: Target::new(target.to_vec()),
        authority: None,
        protocol: None,
        version: Version::HTTP_11,
        fields: Fields::default(),
    }
}

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const NOW: Time = Time::from_millis(1_795_392_655_250);

/// Answers a request with so many bytes.
fn answer(log: &Log, head: &RequestHead, bytes: u64, complete: bool) {
    let mut entry = log.begin(CLIENT, head, NOW);
    entry.routed("shop.test", &"us".parse().unwrap());
    entry.asks(&Target::from("/cart?a=1"));
    entry.named("0af7");
    entry.answered(&ResponseHead::new(StatusCode::OK));
    entry.ended(bytes, complete);
}

#[test]
fn a_common_line_is_as_others_read_it() {
    let head = head("GET", b"/cart?a=1&affiliate_id=1");
    let text = lines(Format::Common, |log| answer(log, &head, 8, true));
    let expected = "192.0.2.7 - - [23/Nov/2026:00:10:55 +0000] \"GET /cart?a=1 HTTP/1.1\" 200 8\n";
    assert_eq!(text, expected);
}

#[test]
fn a_json_line_tells_more() {
    let head = head("GET", b"/cart?a=1&affiliate_id=1");
    let text = lines(Format::Json, |log| answer(log, &head, 8, true));
    let (text, micros) = text.rsplit_once(",\"duration_us\":").unwrap();
    let expected = "{\"time\":\"2026-11-23T00:10:55.25Z\",\"client\":\"192.0.2.7\",\"store\":\"us\",\
                    \"host\":\"shop.test\",\"method\":\"GET\",\"target\":\"/cart?a=1\",\
                    \"request_id\":\"0af7\",\"version\":\"1.1\",\"status\":200,\"bytes\":8,\
                    \"complete\":true";
    assert_eq!(text, expected);
    micros.strip_suffix("}\n").unwrap().parse::<u64>().unwrap();
}

#[test]
fn an_answer_without_a_body_is_complete() {
    // Method, bytes, complete as told, complete as logged.
    let cases = [
        ("GET", 3, false, false),
        ("GET", 8, true, true),
        ("HEAD", 0, false, true),
    ];
    for (method, bytes, told, complete) in cases {
        let head = head(method, b"/");
        let text = lines(Format::Json, |log| answer(log, &head, bytes, told));
        let expected = format!("\"bytes\":{bytes},\"complete\":{complete},");
        assert!(text.contains(&expected), "{method} {told}: {text}");
    }
}

#[test]
fn a_client_that_goes_away_before_the_response_is_told_too() {
    let head = head("POST", b"/");
    let begin = |log: &Log| drop(log.begin(CLIENT, &head, NOW));
    let text = lines(Format::Common, begin);
    assert!(text.ends_with("\"POST / HTTP/1.1\" 499 0\n"), "{text}");
    let text = lines(Format::Json, begin);
    assert!(
        text.contains("\"status\":499,\"bytes\":0,\"complete\":false"),
        "{text}"
    );
    assert!(!text.contains("store"), "{text}");
}

#[test]
fn nothing_of_a_target_acts_in_a_line() {
    let target = b"/\"\\\x1b[2J\r\n\xff\xe2\x80\xae<\xc3\xbc>";
    let head = head("GET", target);
    let begin = |log: &Log| drop(log.begin(CLIENT, &head, NOW));
    let text = lines(Format::Common, begin);
    let expected = r#""GET /\"\\\x1b[2J\x0d\x0a\xff\xe2\x80\xae<\xc3\xbc> HTTP/1.1""#;
    assert!(text.contains(expected), "{text}");
    let text = lines(Format::Json, begin);
    assert!(text.contains(r"\u001b[2J\u000d\u000a"), "{text}");
    assert_eq!(text.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["target"], String::from_utf8_lossy(target).as_ref());
}

#[test]
fn both_formats_share_one_writer() {
    let head = head("GET", b"/");
    let text = lines(Format::Common, |log| {
        drop(log.begin(CLIENT, &head, NOW));
        drop(log.with(Format::Json).begin(CLIENT, &head, NOW));
    });
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("192.0.2.7"));
    assert!(lines.next().unwrap().starts_with('{'));
}

#[test]
fn lines_that_nobody_reads_are_dropped_and_counted() {
    /// Never done with its first line, until the gate opens.
    struct Stuck(std::sync::mpsc::Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().ok();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (open, gate) = std::sync::mpsc::channel();
    let log = Log::new(Format::Common, Stuck(gate));
    let head = head("GET", b"/");
    // What the writer's buffer holds, what waits, and more.
    for _ in 0..2 * WAITING {
        drop(log.begin(CLIENT, &head, NOW));
    }
    assert!(log.dropped().dropped_lines() > 0);
    drop(open);
}
