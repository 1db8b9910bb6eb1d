//! Under a supervisor: sockets that it passes, what it is told.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

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
