//! After a 101: bytes both ways, and nobody waits for the end.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use http::StatusCode;
use refgate::message::Tunnel;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::server::{Server, Working, text};
use crate::support::wire::{PATIENCE, Wire};

const ASK: &str = "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// A server that switches; the other end of each tunnel is the test's.
fn switching(limit: Duration) -> (Server, mpsc::Receiver<DuplexStream>) {
    let (ends, taken) = mpsc::channel();
    let ends = Mutex::new(ends);
    let server = Server::new(move |_| {
        let (far, shop) = tokio::io::duplex(1024);
        ends.lock().unwrap().send(shop).unwrap();
        Box::pin(async move {
            let mut answer = text("");
            answer.head.status = StatusCode::SWITCHING_PROTOCOLS;
            answer.head.fields = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
                .into_iter()
                .collect();
            let far = Box::new(far);
            answer.tunnel = Some(Tunnel { far, limit });
            answer
        }) as Working
    });
    (server, taken)
}

fn block<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let work = async { tokio::time::timeout(PATIENCE, work).await.unwrap() };
    runtime.unwrap().block_on(work)
}

fn switch(server: &Server, ahead: &str) -> Wire {
    let mut client = server.connect();
    client.say(format!("{ASK}{ahead}"));
    assert_eq!(String::from_utf8(client.head()).unwrap(), SWITCHED);
    client
}

#[test]
fn bytes_go_both_ways_and_each_end_is_passed_on() {
    let (server, ends) = switching(PATIENCE);
    let mut client = switch(&server, "ahead");
    let mut shop = ends.recv_timeout(PATIENCE).unwrap();
    let mut five = [0; 5];
    block(shop.read_exact(&mut five)).unwrap();
    assert_eq!(&five, b"ahead");
    block(shop.write_all(&[0x81, 2, b'h', b'i', 0, 255])).unwrap();
    assert_eq!(client.exactly(6), [0x81, 2, b'h', b'i', 0, 255]);

    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let sent = large.clone();
    let pushing = std::thread::spawn(move || {
        client.say(&sent);
        client.finish();
        client
    });
    let mut came = Vec::new();
    block(shop.read_to_end(&mut came)).unwrap();
    assert!(came == large);
    let mut client = pushing.join().unwrap();
    let pulling = std::thread::spawn(move || client.rest());
    block(async {
        shop.write_all(&large).await.unwrap();
        shop.shutdown().await.unwrap();
    });
    assert!(pulling.join().unwrap() == large);
}

#[test]
fn a_silent_one_is_closed() {
    let (server, ends) = switching(Duration::from_millis(100));
    let mut client = switch(&server, "");
    let mut shop = ends.recv_timeout(PATIENCE).unwrap();
    assert!(client.is_over());
    assert_eq!(block(shop.read(&mut [0])).unwrap(), 0);
}

#[test]
fn an_open_one_does_not_hold_up_the_end() {
    let (server, ends) = switching(PATIENCE);
    let client = switch(&server, "");
    let shop = ends.recv_timeout(PATIENCE).unwrap();
    assert_eq!(server.stop(), 0);
    drop((client, shop));
}
