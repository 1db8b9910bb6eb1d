//! Extended CONNECT: bytes both ways (RFC 8441).

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::super::fault::Code;
use super::super::frame::{flag, kind};
use super::server::{Content, Server, never, ok, plain, seen};
use super::support::{Client, Fate, get};
use crate::message::{Request, Response, Tunnel};

const PATH: &str = "/chat";

fn connect<'a>() -> Vec<(&'a str, &'a str)> {
    vec![
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", PATH),
        (":authority", "shop.test"),
    ]
}

/// Opens a tunnel whose far end does as `far` says, in a task beside it.
fn server<T: Future<Output = ()> + Send + 'static>(
    limit: Duration,
    far: impl Fn(DuplexStream) -> T + Clone + Send + 'static,
) -> Server {
    Server::start(move |request| {
        let far = far.clone();
        Box::pin(async move { answer(&request, limit, far).unwrap_or_else(|| plain(request)) })
    })
}

fn answer<T: Future<Output = ()> + Send + 'static>(
    request: &Request,
    limit: Duration,
    far: impl Fn(DuplexStream) -> T,
) -> Option<Response<Content>> {
    request.head.protocol.as_ref()?;
    let (near, other) = tokio::io::duplex(1_000);
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with the runtime of its connection"
    )]
    tokio::spawn(far(other));
    let mut response = ok(Content::Frames([].into()));
    response.tunnel = Some(Tunnel {
        far: Box::new(near),
        limit,
    });
    Some(response)
}

const LONG: Duration = Duration::from_secs(20);

async fn echo(mut far: DuplexStream) {
    let mut buffer = [0; 500];
    loop {
        match far.read(&mut buffer).await.unwrap() {
            0 => break,
            length => far.write_all(&buffer[..length]).await.unwrap(),
        }
    }
    far.write_all(b"bye").await.unwrap();
}

#[test]
fn bytes_go_both_ways_and_each_end_is_passed_on() {
    let server = server(LONG, echo);
    let mut client = Client::new(&server);
    client.begin(1, &connect());
    // Before the answer.
    client.data(1, b"early ", false);
    assert_eq!(client.fate(), Fate::Answer(1, "200".to_owned()));
    let big = vec![b'x'; 5_000];
    client.data(1, &big, false);
    let mut got = Vec::new();
    while got.len() < 5_006 {
        got.extend(client.until(|got| got.head.kind == kind::DATA).payload);
    }
    assert_eq!(got, [&b"early "[..], &big].concat());
    // Others go on beside it.
    client.ask(3, &get("/1"));
    assert_eq!(client.response(3).1.len(), 1);
    client.data(1, b"", true);
    let (mut rest, mut ended) = (Vec::<u8>::new(), false);
    while !ended {
        let got = client.until(|got| got.head.stream == 1 && got.head.kind == kind::DATA);
        rest.extend(&got.payload);
        ended = got.head.has(flag::END_STREAM);
    }
    assert_eq!(rest, b"bye");
    assert!(client.is_alive());
}

#[test]
fn the_far_end_s_end_leaves_the_other_way_open() {
    let (tell, told) = seen();
    let server = server(LONG, move |mut far| {
        let tell = tell.clone();
        async move {
            far.write_all(b"only this").await.unwrap();
            far.shutdown().await.unwrap();
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            tell.send(all).unwrap();
        }
    });
    let mut client = Client::new(&server);
    client.begin(1, &connect());
    let (fields, content) = client.response(1);
    assert_eq!((fields.len(), content), (1, b"only this".to_vec()));
    client.data(1, b"still ", false);
    client.data(1, b"open", true);
    assert_eq!(told.recv().unwrap(), b"still open");
    assert!(client.is_alive());
}

#[test]
fn a_tunnel_obeys_the_windows() {
    let server = server(LONG, echo);
    let mut client = Client::with(&server, &[(4, 4)]);
    client.begin(1, &connect());
    client.data(1, b"0123456789", false);
    let got = client.until(|got| got.head.kind == kind::DATA);
    assert_eq!(got.payload, b"0123");
    assert!(client.is_alive());
    client.window(1, 100);
    let got = client.until(|got| got.head.kind == kind::DATA);
    assert_eq!(got.payload, b"456789");
}

#[test]
fn a_silent_tunnel_is_closed() {
    let server = server(Duration::from_millis(200), |far| async move {
        let _far = far;
        match never().await {}
    });
    let mut client = Client::new(&server);
    client.begin(1, &connect());
    assert_eq!(client.fate(), Fate::Answer(1, "200".to_owned()));
    assert_eq!(client.fate(), Fate::Reset(1, Code::Cancel));
    assert!(client.is_alive());
}

#[test]
fn a_tunnel_does_not_hold_up_a_drain() {
    let server = server(LONG, echo);
    let mut client = Client::new(&server);
    client.begin(1, &connect());
    assert_eq!(client.fate(), Fate::Answer(1, "200".to_owned()));
    server.shutdown.cancel();
    assert_eq!(client.fate(), Fate::Goaway(Code::NoError));
    assert!(client.is_over());
}

#[test]
fn a_refused_one_is_an_ordinary_answer() {
    let server = Server::start(|_| {
        Box::pin(async {
            let mut response = ok(Content::Sized(2));
            response.head.status = StatusCode::FORBIDDEN;
            response
        })
    });
    let mut client = Client::new(&server);
    client.begin(1, &connect());
    client.data(1, b"early", false);
    assert_eq!(client.response(1).1.len(), 2);
    assert_eq!(client.fate(), Fate::Reset(1, Code::NoError));
    assert!(client.is_alive());
}

#[test]
fn a_tunnel_that_nobody_asked_for_is_an_error_of_ours() {
    let server = Server::start(|_| {
        Box::pin(async {
            let mut response = ok(Content::Sized(2));
            let (far, _) = tokio::io::duplex(10);
            response.head.status = StatusCode::SWITCHING_PROTOCOLS;
            response.tunnel = Some(Tunnel {
                far: Box::new(far),
                limit: LONG,
            });
            response
        })
    });
    let mut client = Client::new(&server);
    client.ask(1, &get("/"));
    assert_eq!(client.fate(), Fate::Reset(1, Code::Internal));
}
