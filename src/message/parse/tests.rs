//! Heads, byte by byte.
#![expect(clippy::string_slice, reason = "ASCII")]

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    bytes: 256,
    fields: 4,
};

fn asked(text: &str) -> Result<Option<(String, usize)>, Fault> {
    let parsed = request(text.as_bytes(), LIMITS)?;
    Ok(parsed.map(|(head, taken)| {
        let mut out = format!("{} {:?} {:?}\n", head.method, head.target, head.version);
        for (name, value) in head.fields.iter() {
            let (name, value) = (
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value),
            );
            out.push_str(&format!("{name}={value}\n"));
        }
        (out, taken)
    }))
}

#[test]
fn a_head_is_read_as_it_came() {
    let text = "\r\nGET /a?\"<>|b HTTP/1.1\r\nHost: a\r\nX-Y:\t b c \t\r\nempty:\r\n\r\nrest";
    let expected = "GET \"/a?\\\"<>|b\" HTTP/1.1\nHost=a\nX-Y=b c\nempty=\n";
    assert_eq!(asked(text), Ok(Some((expected.to_owned(), text.len() - 4))));
    for end in 1..text.len() - 5 {
        assert_eq!(asked(&text[..end]), Ok(None), "{:?}", &text[..end]);
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    for (text, fault) in [
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", Fault::Line),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", Fault::Field),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", Fault::Field),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Fault::Field),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", Fault::Field),
        ("GET / HTTP/1.1\r\nHost\r\n\r\n", Fault::Field),
        ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Fault::Field),
        ("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", Fault::Field),
        ("GET / HTTP/1.1\r\n A: b\r\n\r\n", Fault::Field),
        ("GET  / HTTP/1.1\r\n\r\n", Fault::Line),
        ("GET /  HTTP/1.1\r\n\r\n", Fault::Line),
        ("GET / HTTP/1.1 \r\n\r\n", Fault::Line),
        (" GET / HTTP/1.1\r\n\r\n", Fault::Line),
        ("GET\t/ HTTP/1.1\r\n\r\n", Fault::Line),
        ("GET /\r\n\r\n", Fault::Line),
        ("G@T / HTTP/1.1\r\n\r\n", Fault::Line),
        ("GET / http/1.1\r\n\r\n", Fault::Line),
        ("GET / HTTP/1.1x\r\n\r\n", Fault::Line),
        ("GET / HTTP/2.0\r\n\r\n", Fault::Version),
        ("GET / HTTP/0.9\r\n\r\n", Fault::Version),
        (
            "A / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n",
            Fault::Large,
        ),
    ] {
        assert_eq!(asked(text), Err(fault), "{text:?}");
    }
}

#[test]
fn a_head_beyond_its_limit_is_refused_before_it_is_whole() {
    let long = format!("GET /{}", "a".repeat(300));
    assert_eq!(asked(&long), Err(Fault::LongLine));
    let large = format!("GET / HTTP/1.1\r\na: {}", "a".repeat(300));
    assert_eq!(asked(&large), Err(Fault::Large));
}

#[test]
fn what_begins_no_request_is_refused_before_it_is_whole() {
    for text in ["\x16\x03\x01\x02", " ", "G@T", "\rG", "GET\t", "\r\n{"] {
        assert_eq!(asked(text), Err(Fault::Line), "{text:?}");
    }
}

#[test]
fn a_status_line_keeps_its_own_phrase() {
    let phrase = |text: &str| {
        response(text.as_bytes(), LIMITS).map(|parsed| {
            let (head, _) = parsed.unwrap();
            (
                head.status.as_u16(),
                String::from_utf8_lossy(head.reason()).into_owned(),
                head.reason.is_some(),
            )
        })
    };
    for (text, code, reason, own) in [
        ("HTTP/1.1 200 OK\r\n\r\n", 200, "OK", false),
        ("HTTP/1.1 200 Fine\r\n\r\n", 200, "Fine", true),
        ("HTTP/1.1 200 \r\n\r\n", 200, "", true),
        ("HTTP/1.1 404\r\n\r\n", 404, "", true),
        ("HTTP/1.0 599 \r\n\r\n", 599, "", false),
    ] {
        assert_eq!(phrase(text), Ok((code, reason.to_owned(), own)), "{text:?}");
    }
    for text in [
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
    ] {
        assert_eq!(phrase(text), Err(Fault::Line), "{text:?}");
    }
}

#[test]
fn trailers_are_fields() {
    assert_eq!(
        trailers(b"\r\nGET", LIMITS),
        Ok(Some((Fields::default(), 2)))
    );
    let (fields, taken) = trailers(b"A: b\r\n\r\nGET", LIMITS).unwrap().unwrap();
    assert_eq!((fields.get("a"), taken), (Some(&b"b"[..]), 8));
    assert_eq!(trailers(b"\r", LIMITS), Ok(None));
    assert_eq!(trailers(b"\n", LIMITS), Err(Fault::Field));
}

proptest! {
    #[test]
    fn what_was_decided_of_a_beginning_stays_decided(
        pieces in proptest::collection::vec(prop_oneof![
            Just("GET "), Just("/"), Just(" HTTP/1.1"), Just("\r\n"), Just("\r\n"), Just("\r"), Just("\n"),
            Just("A: b"), Just(":"), Just(" "), Just("\t"), Just("\0"), Just("x"), Just("HTTP/1.1 200 OK"),
        ], 0..16),
    ) {
        let text = pieces.concat();
        let mut decided = (Ok(None), Ok(None));
        for end in 0..=text.len() {
            let bytes = &text.as_bytes()[..end];
            let request = asked(&text[..end]);
            let of_response = |parsed: Option<(ResponseHead, usize)>| parsed.map(|(head, length)| (head.fields, length));
            let response = response(bytes, LIMITS).map(of_response);
            if decided.0 != Ok(None) {
                prop_assert_eq!(&request, &decided.0);
            }
            if decided.1 != Ok(None) {
                prop_assert_eq!(&response, &decided.1);
            }
            decided = (request, response);
        }
    }
}
