//! What the shop says, and where it ends: strictly.

use refgate::forward::{Error, Fault};
use refgate::message::{chunked, parse};

use super::{Direct, bare, get};
use crate::support::origin::Origin;

/// A shop that says this, whatever it is asked, and closes.
fn saying(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> Origin {
    Origin::new(move |wire, _| {
        wire.message(false);
        // Where it is nonsense, nobody reads it to its end.
        wire.try_say(answer.as_ref());
    })
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn nonsense_is_refused() {
    let head = |fault| Error::Broken(Fault::Head(fault));
    let large = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(257));
    for (answer, want) in [
        (
            "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
            head(parse::Fault::Field),
        ),
        (
            "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
            head(parse::Fault::Field),
        ),
        (
            "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
            head(parse::Fault::Field),
        ),
        (
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            head(parse::Fault::Field),
        ),
        ("HTTP/1.1 200 OK\r\nA: b\n\r\n", head(parse::Fault::Field)),
        ("HTTP/1.1 200 OK\nA: b\n\n", head(parse::Fault::Line)),
        ("HTTP/1.1 2000 OK\r\n\r\n", head(parse::Fault::Line)),
        ("HTTP/2 200 OK\r\n\r\n", head(parse::Fault::Line)),
        ("HTTP/2.0 200 OK\r\n\r\n", head(parse::Fault::Version)),
        ("SSH-2.0-OpenSSH\r\n\r\n", head(parse::Fault::Line)),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", head(parse::Fault::Line)),
        (&large, head(parse::Fault::Large)),
        (&many, head(parse::Fault::Large)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
            Error::Broken(Fault::End),
        ),
        ("", Error::Broken(Fault::End)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            Error::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab",
            Error::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            Error::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            Error::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
            Error::Framing,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", Error::Framing),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na",
            Error::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            Error::TransferCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            Error::TransferCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n",
            Error::TransferCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            Error::TransferCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Error::TransferCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
            Error::TransferCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab",
            Error::TransferCoding,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Error::TransferCoding,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            Error::Switched,
        ),
    ] {
        let shop = saying(answer.to_owned());
        let error = Direct::to(shop.addr).ask(get("/")).unwrap_err();
        let words = format!("{answer:.100?}");
        assert_eq!(format!("{error:?}"), format!("{want:?}"), "{words}");
    }
}

#[test]
fn a_body_is_what_its_framing_says() {
    for (answer, body, fields) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\nContent-Length: 2\r\n\r\nok?",
            "ok",
            "Content-Length: 2, A: b",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\nContent-Length: 9\r\n\r\n2;x=y\r\nok\r\n0\r\n\r\n",
            "ok",
            "",
        ),
        (
            "HTTP/1.1 200 OK\r\nX: y\r\n\r\nto the end",
            "to the end",
            "X: y",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nto the end", "to the end", ""),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "",
            "",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "",
            "Content-Length: 5",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "",
            "",
        ),
    ] {
        let shop = saying(answer);
        let answered = Direct::to(shop.addr).ask(get("/")).unwrap();
        assert_eq!(answered.broken, None, "{answer}");
        assert_eq!(String::from_utf8(answered.body).unwrap(), body, "{answer}");
        let got = answered.fields.iter();
        let got: Vec<String> = got
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(got.join(", "), fields, "{answer}");
    }
}

#[test]
fn an_answer_to_head_keeps_its_length() {
    for (answer, fields) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", "1234"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\n\r\n", ""),
    ] {
        let shop = saying(answer);
        let answered = Direct::to(shop.addr).ask(bare("HEAD", "/")).unwrap();
        let length = answered.fields.first().map_or("", |(_, value)| value);
        assert_eq!((length, answered.body.as_slice()), (fields, &b""[..]));
        assert!(answered.fields.len() < 2);
    }
}

#[test]
fn a_body_that_breaks_off_is_never_whole() {
    let truncated = |fault| Error::Truncated(fault).to_string();
    let chunk = Fault::Chunk(chunked::Fault::Size);
    for (answer, body, broken) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome",
            "some",
            Fault::End,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
            "",
            Fault::End,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
            "some",
            Fault::End,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nsome",
            "some",
            Fault::End,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n",
            "some",
            Fault::End,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\nzz\r\n",
            "some",
            chunk,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsomeXX0\r\n\r\n",
            "some",
            Fault::Chunk(chunked::Fault::End),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad\r\n\r\n",
            "",
            Fault::Chunk(chunked::Fault::Trailers),
        ),
    ] {
        let shop = saying(answer);
        let answered = Direct::to(shop.addr).ask(get("/")).unwrap();
        assert_eq!(String::from_utf8(answered.body).unwrap(), body, "{answer}");
        assert_eq!(answered.broken, Some(truncated(broken)), "{answer}");
    }
}
