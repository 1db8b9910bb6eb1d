//! The order is on disk before the confirmation ends, also where the shopper speaks HTTP/2.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{Method, Request};
use refgate::event::Event;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ALL_VERSIONS;

use super::durable::{ending, lock};
use crate::support::front::Front;
use crate::support::shop::thanks;
use crate::support::tls::{Authority, Client};
use crate::support::wire::PATIENCE;

/// The app, by TLS.
fn front(folder: &std::path::Path) -> Front {
    let files = Authority::new().sign(&["us.test"]).write(folder, "us");
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let piece = format!(
        "listen: {{ address: 127.0.0.1:0, tls: true }}\n\
         tls: {{ certificates: [{{ certificate: {certificate}, key: {key} }}] }}\n"
    );
    Front::with(&piece, ending())
}

/// A connection, kept going by a task of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "it ends with the test's own runtime"
)]
async fn connected(address: SocketAddr) -> SendRequest<Bytes> {
    let client = Client::with(ALL_VERSIONS, &["h2"]).connector();
    let socket = TcpStream::connect(address).await.unwrap();
    let socket = client.connect("us.test".try_into().unwrap(), socket).await;
    let (send, connection) = h2::client::handshake(socket.unwrap()).await.unwrap();
    tokio::spawn(connection);
    send
}

/// Reads an answer to the end of its stream; `came` has what there is of it.
async fn read(answer: ResponseFuture, came: Arc<Mutex<Vec<u8>>>) {
    let mut body = answer.await.unwrap().into_body();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        came.lock().unwrap().extend_from_slice(&data);
    }
}

#[test]
fn only_the_end_of_the_stream_waits_for_a_locked_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let front = front(folder.path());
    let address = front.connect().stream().peer_addr().unwrap();
    let cookie = front.cookie_of(Duration::from_secs(3600));
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let mut send = runtime.block_on(connected(address));
    // With a length, in chunks, until the connection's end, without a body.
    for (id, method, path) in [
        ("1", Method::GET, "/checkout/thank-you/1"),
        ("2", Method::GET, "/checkout/thank-you/2"),
        ("3", Method::GET, "/checkout/thank-you/3"),
        ("4", Method::POST, "/checkout/place"),
    ] {
        let other = lock(&front);
        let request = Request::builder()
            .method(&method)
            .uri(format!("https://us.test{path}"));
        let request = request.header("cookie", &cookie).body(()).unwrap();
        let (answer, _) = send.send_request(request, true).unwrap();
        let came: Arc<Mutex<Vec<u8>>> = Arc::default();
        let mut reading = runtime.spawn(read(answer, Arc::clone(&came)));
        let body = match method {
            Method::GET => thanks(id),
            _ => String::new(),
        };
        // Of the body at most the last byte is kept back.
        let nearly = async {
            while came.lock().unwrap().len() + 1 < body.len() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        runtime
            .block_on(async { timeout(PATIENCE, nearly).await })
            .unwrap();
        let end = async { timeout(Duration::from_millis(150), &mut reading).await };
        assert!(runtime.block_on(end).is_err(), "order {id}: the end came");
        assert!(front.story(id).is_none());
        other.execute_batch("ROLLBACK").unwrap();
        let end = async { timeout(PATIENCE, reading).await };
        runtime.block_on(end).unwrap().unwrap();
        assert_eq!(*came.lock().unwrap(), body.as_bytes(), "order {id}");
        assert!(front.story(id).is_some(), "order {id} after its page");
    }
    assert_eq!(front.count(Event::HoldEnded), 0);
}
