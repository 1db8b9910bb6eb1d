//! Responses made up at random: read as hyper's client reads them, and the same in whatever
//! pieces they come; bytes that are none: refused, or at least never more than they frame.

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Answer, Direct, bare, whole};

/// A response, and whether it answers HEAD.
#[derive(Clone, Debug)]
struct Made {
    bytes: Vec<u8>,
    head: bool,
}

fn response() -> impl Strategy<Value = Made> {
    let name = select(vec![
        "X-A",
        "x-a",
        "Set-Cookie",
        "Date",
        "X_b",
        "!#$%&'*+.^`|~",
        "Vary",
    ]);
    let value = "[ -~\t]{0,20}".prop_map(|value| value.trim_matches([' ', '\t']).to_owned());
    let fields = proptest::collection::vec((name, value), 0..6);
    let status = select(vec![
        "200 OK",
        "200 Fine",
        "201 ",
        "404 Not Found",
        "599 Odd",
        "204 No Content",
        "304 Not Modified",
    ]);
    let pieces = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..5);
    let early = proptest::collection::vec(select(vec!["100 Continue", "103 Early Hints"]), 0..3);
    let framing = select(vec!["length", "chunks", "close", "old"]);
    (early, status, fields, pieces, framing, any::<bool>()).prop_map(
        |(early, status, fields, pieces, framing, head)| {
            let mut bytes = Vec::new();
            for early in early {
                bytes.extend_from_slice(
                    format!("HTTP/1.1 {early}\r\nLink: </a>\r\n\r\n").as_bytes(),
                );
            }
            let version = if framing == "old" { "1.0" } else { "1.1" };
            bytes.extend_from_slice(format!("HTTP/{version} {status}\r\n").as_bytes());
            for (name, value) in &fields {
                bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            let bodiless = status.starts_with("204") || status.starts_with("304") || head;
            // RFC 9110 §8.6: a 204 has no length.
            let framing = match framing {
                "length" if status.starts_with("204") => "close",
                framing => framing,
            };
            bytes.extend_from_slice(&framed(framing, &pieces, bodiless));
            Made { bytes, head }
        },
    )
}

/// The framing fields, the empty line, and the body.
fn framed(framing: &str, pieces: &[Vec<u8>], bodiless: bool) -> Vec<u8> {
    let whole = pieces.concat();
    let mut bytes = match framing {
        "length" => format!("Content-Length: {}\r\n\r\n", whole.len()),
        "chunks" => "Transfer-Encoding: chunked\r\n\r\n".to_owned(),
        _ => "\r\n".to_owned(),
    }
    .into_bytes();
    if bodiless {
        return bytes;
    }
    if framing != "chunks" {
        bytes.extend_from_slice(&whole);
        return bytes;
    }
    for piece in pieces {
        bytes.extend_from_slice(format!("{:X};a=\"b\"\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Bytes near a response.
fn nonsense() -> impl Strategy<Value = Made> {
    let special = select(b"\r\n\t :;,0123456789aAfF\0\x7f\xffHTchunked".to_vec());
    let edit = (any::<Index>(), 0..3_u8, special);
    let edits = proptest::collection::vec(edit, 1..5);
    (response(), edits).prop_map(|(mut made, edits)| {
        for (at, what, byte) in edits {
            let at = at.index(made.bytes.len());
            match what {
                0 => made.bytes[at] = byte,
                1 => made.bytes.insert(at, byte),
                _ => {
                    made.bytes.remove(at);
                }
            }
            if made.bytes.is_empty() {
                made.bytes.push(byte);
            }
        }
        made
    })
}

/// Answers one request by these bytes, so many at a time, and closes.
async fn shop(listener: &TcpListener, bytes: &[u8], piece: usize) {
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut asked).await.unwrap() > 0);
    }
    for piece in bytes.chunks(piece) {
        // Whoever asked may have had enough.
        if stream.write_all(piece).await.is_err() {
            return;
        }
        // The other side reads now.
        tokio::task::yield_now().await;
    }
    stream.shutdown().await.ok();
}

fn method(made: &Made) -> &'static str {
    if made.head { "HEAD" } else { "GET" }
}

/// As the client reads it; an error where it has no head.
fn ours(made: &Made, piece: usize) -> Result<Answer, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let direct = Direct::to(listener.local_addr().unwrap());
    direct.run(async {
        let listener = TcpListener::from_std(listener).unwrap();
        let asking = async {
            let sent = direct.send(bare(method(made), "/")).await;
            match sent {
                Ok(response) => Ok(whole(response).await),
                Err(failed) => Err(failed.error.to_string()),
            }
        };
        tokio::join!(asking, shop(&listener, &made.bytes, piece)).0
    })
}

/// As hyper reads it, without what is of the connection; none where there is anything wrong.
fn hypers(made: &Made) -> Option<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asking = async {
            let stream = TcpStream::connect(addr).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .unwrap();
            let request = http::Request::builder()
                .method(method(made))
                .uri("/")
                .header("host", "shop.test")
                .body(Empty::<Bytes>::new())
                .unwrap();
            let exchange = async {
                let response = sender.send_request(request).await.ok()?;
                let (head, mut body) = response.into_parts();
                let mut bytes = Vec::new();
                while let Some(frame) = body.frame().await {
                    if let Ok(data) = frame.ok()?.into_data() {
                        bytes.extend_from_slice(&data);
                    }
                }
                drop(sender);
                Some(Answer {
                    status: head.status.as_u16(),
                    fields: end_to_end(&head.headers),
                    body: bytes,
                    trailers: Vec::new(),
                    broken: None,
                })
            };
            let (answer, _) = tokio::join!(exchange, connection);
            answer
        };
        tokio::join!(asking, shop(&listener, &made.bytes, usize::MAX)).0
    })
}

fn end_to_end(headers: &HeaderMap) -> Vec<(String, String)> {
    let own = ["connection", "keep-alive", "transfer-encoding"];
    let fields = headers.iter();
    let fields = fields.filter(|(name, _)| !own.contains(&name.as_str()));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    fields
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect()
}

/// In an order and a spelling that both have.
fn sorted(mut answer: Answer) -> Answer {
    for (name, _) in &mut answer.fields {
        name.make_ascii_lowercase();
    }
    answer.fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    answer
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_response_is_read_as_hyper_reads_it(made in response(), piece in 1_usize..600) {
        let ours = sorted(ours(&made, piece).unwrap());
        prop_assert_eq!(ours, sorted(hypers(&made).unwrap()));
    }

    #[test]
    fn what_is_wrong_is_wrong_in_whatever_pieces(made in nonsense(), piece in 1_usize..40) {
        let one = ours(&made, usize::MAX);
        let other = ours(&made, piece);
        prop_assert_eq!(&one, &other);
        let Ok(one) = one else { return Ok(()) };
        prop_assert!(one.body.len() <= made.bytes.len());
        let stated = one.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if let Some((_, length)) = stated && !made.head && one.status != 304 {
            let length: usize = length.parse().unwrap();
            prop_assert!(one.body.len() <= length);
            prop_assert_eq!(one.broken.is_none(), one.body.len() == length);
        }
        // Where neither finds a fault, both have read the same.
        if one.broken.is_none() && let Some(oracle) = hypers(&made) {
            prop_assert_eq!(one.status, oracle.status);
            prop_assert_eq!(one.body, oracle.body);
        }
    }
}
