//! Under a supervisor: sockets that it passes, what it is told.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::process::Signal;

use crate::support::daemon::Start;
use crate::support::front::get;
use crate::support::shop::{Shop, page};
use crate::support::wire::PATIENCE;

fn config(listen: &str, shop: &Shop) -> String {
    let shop = shop.addr();
    include_str!("support/front.yaml")
        .replace("listen: 127.0.0.1:0", &format!("listen: {listen}"))
        .replace("SHOP", &shop.to_string())
        .replace("NETWORK", "127.0.0.1:1")
}

#[test]
fn a_socket_that_was_passed_is_served_by_every_worker() {
    let shop = Shop::new(|_| page("", "here"));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // It has come before there was anybody to take it.
    let mut early = crate::support::wire::Wire::to(address);
    early.say(get("/", ""));
    let text = config(&address.to_string(), &shop);
    let daemon = Start::default().socket(socket).run(&text, 1);
    assert_eq!(daemon.addresses, [address]);
    assert_eq!(early.message(false).text(), "here");
    for _ in 0..20 {
        let mut client = daemon.connect();
        client.say(get("/", ""));
        assert_eq!(client.message(false).text(), "here");
    }
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_socket_for_an_address_that_is_not_listened_on_is_refused() {
    let shop = Shop::new(|_| page("", "here"));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut daemon = Start::default()
        .socket(socket)
        .run(&config("127.0.0.1:0", &shop), 0);
    daemon.says(&format!("a socket for {address} was passed"));
}

#[test]
fn the_supervisor_is_told_of_start_reload_and_end() {
    let shop = Shop::new(|_| page("", "here"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut bytes = [0; 128];
        let length = supervisor.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let start = Start::default().env("NOTIFY_SOCKET", path.display().to_string());
    let daemon = start.run(&config("127.0.0.1:0", &shop), 1);
    assert_eq!(told(), "READY=1");
    daemon.signal(Signal::HUP);
    assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told(), "READY=1");
    daemon.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
}

#[test]
fn every_address_that_is_listed_is_served() {
    let shop = Shop::new(|_| page("", "here"));
    let text = config("[127.0.0.1:0, \"[::1]:0\", 127.0.0.2:0]", &shop);
    let daemon = Start::default().run(&text, 3);
    for address in &daemon.addresses {
        let mut client = crate::support::wire::Wire::to(*address);
        client.say(get("/", ""));
        assert_eq!(client.message(false).text(), "here", "{address}");
    }
    let asked = shop.asked();
    let told = asked
        .iter()
        .map(|asked| asked.get("x-forwarded-for").unwrap());
    assert_eq!(
        told.collect::<Vec<_>>(),
        [&b"127.0.0.1"[..], b"::1", b"127.0.0.1"]
    );
    assert_eq!(daemon.end(), Some(0));
}

/// A shop that holds every answer until it is let go; what it says when it is asked.
fn held() -> (Shop, Receiver<()>, Sender<()>) {
    let (asked, is_asked) = channel();
    let (go, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let shop = Shop::playing(move |wire, _| {
        asked.send(()).unwrap();
        // Never let go: until we are hung up on.
        if gate.lock().unwrap().recv_timeout(PATIENCE).is_err() {
            return false;
        }
        wire.say(page("", "at last"));
        true
    });
    (shop, is_asked, go)
}

#[test]
fn an_interrupt_lets_requests_finish() {
    let (shop, asked, go) = held();
    let mut daemon = Start::default().run(&config("127.0.0.1:0", &shop), 1);
    let mut client = daemon.connect();
    client.say(get("/", ""));
    asked.recv_timeout(PATIENCE).unwrap();
    let mut idle = daemon.connect();
    daemon.signal(Signal::INT);
    daemon.says("ending");
    assert!(idle.is_over(), "nothing was asked there");
    go.send(()).unwrap();
    let answer = client.message(false);
    assert_eq!(answer.text(), "at last");
    assert!(client.is_over());
    assert_eq!(daemon.wait(), Some(0));
}

#[test]
fn the_end_does_not_wait_longer_than_it_may() {
    let (shop, asked, go) = held();
    let text = config("127.0.0.1:0", &shop).replace("drain: 10s", "drain: 100ms");
    let mut daemon = Start::default().run(&text, 1);
    let mut client = daemon.connect();
    client.say(get("/", ""));
    asked.recv_timeout(PATIENCE).unwrap();
    daemon.signal(Signal::TERM);
    daemon.says("cut off what did not finish in time");
    assert_eq!(daemon.wait(), Some(0));
    assert!(client.is_over());
    drop(go);
}

#[test]
fn who_asks_twice_does_not_wait() {
    let (shop, asked, go) = held();
    let mut daemon = Start::default().run(&config("127.0.0.1:0", &shop), 1);
    let mut client = daemon.connect();
    client.say(get("/", ""));
    asked.recv_timeout(PATIENCE).unwrap();
    daemon.signal(Signal::TERM);
    daemon.says("ending");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait(), Some(1));
    drop(go);
}
