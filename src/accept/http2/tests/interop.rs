//! Against a client that others wrote: it must understand us, and we it.

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::server::{Content, Server, ok, plain};
use super::support::{Client, PATIENCE};
use crate::message::{Fields, Frame, ResponseHead};

/// Runs `talk` with a client that is connected to `server`.
fn with<T: Future<Output = ()>>(
    server: &Server,
    talk: impl FnOnce(h2::client::SendRequest<Bytes>) -> T,
) {
    run(async {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        over(stream, talk).await;
    });
}

fn run(talk: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, talk).await.unwrap();
    });
}

async fn over<T: Future<Output = ()>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    talk: impl FnOnce(h2::client::SendRequest<Bytes>) -> T,
) {
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::select! {
        ended = connection => panic!("the connection ended: {ended:?}"),
        () = talk(send) => {}
    }
}

fn request(method: &str, path: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(format!("http://shop.test{path}"))
        .header("user-agent", "h2")
        .header("cookie", "a=1")
        .header("x-path", path)
        .body(())
        .unwrap()
}

async fn content(mut body: h2::RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    all
}

async fn get_every_size(mut send: h2::client::SendRequest<Bytes>) {
    for size in [0, 1, 1000, 16_384, 65_535, 65_536, 300_000, 3_000_000] {
        send = send.ready().await.unwrap();
        let path = format!("/{size}");
        let (response, _) = send.send_request(request("GET", &path), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let length = &response.headers()["content-length"];
        assert_eq!(length.to_str().unwrap(), size.to_string());
        let mut expected = super::server::pattern(0, size);
        expected.reverse();
        assert!(content(response.into_body()).await == expected, "{size}");
    }
}

#[test]
fn gets_of_every_size_come_whole() {
    let server = Server::plain();
    with(&server, get_every_size);
}

#[test]
fn so_they_do_over_tls() {
    let server = Server::over_tls(|request| Box::pin(async { plain(request) }));
    run(async {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let stream = super::tls::connector().connect(name, stream).await.unwrap();
        over(stream, get_every_size).await;
    });
}

#[test]
fn uploads_of_every_size_come_back() {
    let server = Server::plain();
    with(&server, |mut send| async move {
        for size in [0_usize, 1, 5000, 65_535, 1_500_000] {
            send = send.ready().await.unwrap();
            let (response, mut body) = send.send_request(request("POST", "/"), false).unwrap();
            let data = Bytes::from(super::server::pattern(7, size));
            let upload = async {
                body.reserve_capacity(size);
                let mut rest = data.clone();
                while !rest.is_empty() {
                    let ready = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                    let ready = ready.unwrap().unwrap().min(rest.len());
                    body.send_data(rest.split_to(ready), false).unwrap();
                }
                body.send_data(Bytes::new(), true).unwrap();
            };
            let download = async {
                let response = response.await.unwrap();
                content(response.into_body()).await
            };
            let ((), got) = tokio::join!(upload, download);
            assert!(got == data, "{size}");
        }
    });
}

#[test]
fn a_hundred_at_once_get_their_own() {
    let server = Server::plain();
    with(&server, |send| async move {
        let mut all = Vec::new();
        for size in 0..100_usize {
            let mut send = send.clone().ready().await.unwrap();
            // Together less than a window: they are read in another order.
            let path = format!("/{}", size * 13);
            let (response, _) = send.send_request(request("GET", &path), true).unwrap();
            all.push((size * 13, response));
        }
        for (size, response) in all.into_iter().rev() {
            let body = response.await.unwrap().into_body();
            assert_eq!(content(body).await.len(), size);
        }
    });
}

#[test]
fn interim_heads_and_trailers_are_understood() {
    let server = Server::start(|request| {
        Box::pin(async move {
            let mut hints = ResponseHead::new(StatusCode::EARLY_HINTS);
            hints.fields.append(b"Link", b"</a.css>");
            request.interim.send(hints);
            let trailers: Fields = [("X-Sum", "7")].into_iter().collect();
            let frames = [Frame::Data("body".into()), Frame::Trailers(trailers)];
            ok(Content::Frames(frames.into()))
        })
    });
    with(&server, |mut send| async move {
        let (mut response, _) = send.send_request(request("GET", "/"), true).unwrap();
        let hints = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        let hints = hints.unwrap().unwrap();
        assert_eq!(hints.status(), StatusCode::EARLY_HINTS);
        assert_eq!(hints.headers()["link"], "</a.css>");
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "body");
        let trailers = body.trailers().await.unwrap().unwrap();
        assert_eq!(trailers["x-sum"], "7");
    });
}

#[test]
fn a_long_head_is_understood() {
    let server = Server::start(|request| {
        Box::pin(async move {
            let mut response = plain(request);
            let long = "v".repeat(40_000);
            response.head.fields.append(b"X-Long", long.as_bytes());
            response
        })
    });
    with(&server, |mut send| async move {
        let (response, _) = send.send_request(request("GET", "/3"), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.headers()["x-long"].len(), 40_000);
        assert_eq!(content(response.into_body()).await.len(), 3);
    });
    // And by one that keeps no table of ours.
    let mut client = Client::with(&server, &[(1, 0)]);
    client.ask(1, &super::support::get("/3"));
    let got = client.until(|got| got.head.stream == 1);
    assert_eq!(got.payload[0], 0x20);
}
