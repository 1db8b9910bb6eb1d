//! What the operator may switch on: lines, ids, what messages say of us; and what is counted.

use std::io::{BufRead as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use refgate::event::Event;
use rustix::process::Signal;

use crate::support::daemon::{Daemon, Start};
use crate::support::front::{Front, get};
use crate::support::message::Message;
use crate::support::shop::{HTML, Shop, chunked, ordinary, page};
use crate::support::tls::{Authority, Client};
use crate::support::wire::{PATIENCE, Wire};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn header(message: &Message, name: &str) -> String {
    let values = message.all(name);
    assert!(values.len() < 2, "{values:?}");
    values
        .concat()
        .iter()
        .map(|byte| char::from(*byte))
        .collect()
}

#[test]
fn what_is_not_asked_for_is_not_added() {
    let front = Front::of(ordinary());
    let fields = format!("traceparent: {TRACE}\r\nX-Request-ID: mine\r\nVia: 1.1 before\r\n");
    let answer = front.ask(get("/", &fields));
    assert_eq!(header(&answer, "via"), "");
    let asked = &front.shop.asked()[0];
    assert_eq!(header(asked, "traceparent"), TRACE);
    assert_eq!(header(asked, "x-request-id"), "mine");
    assert_eq!(header(asked, "via"), "1.1 before");
}

#[test]
fn via_and_a_request_id_are_added_where_they_are_wanted() {
    let front = Front::with("forwarding: { via: true, request_id: true }", ordinary());
    let answer = front.ask(get(
        "/",
        "X-Request-ID: mine\r\nX_Request_ID: too\r\nVia: 1.1 before\r\n",
    ));
    assert_eq!(header(&answer, "via"), "1.1 refgate");
    let old = front.ask("GET / HTTP/1.0\r\nHost: us.test\r\n\r\n");
    assert_eq!(header(&old, "via"), "1.1 refgate", "the shop spoke 1.1");
    // A watched page says it too.
    let thanks = front.ask(get("/checkout/thank-you/1", ""));
    assert_eq!(header(&thanks, "via"), "1.1 refgate");
    // An answer of our own came through nobody.
    let own = front.ask("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert_eq!((own.status(), header(&own, "via").as_str()), (421, ""));

    let asked = front.shop.asked();
    assert_eq!(asked[0].all("via"), [&b"1.1 before"[..], b"1.1 refgate"]);
    assert_eq!(header(&asked[1], "via"), "1.0 refgate");
    let ids: Vec<String> = asked
        .iter()
        .map(|asked| header(asked, "x-request-id"))
        .collect();
    for id in &ids {
        assert!(
            id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{id}"
        );
    }
    assert_ne!(ids[0], ids[1]);
    assert!(asked[0].all("x_request_id").is_empty());
}

#[test]
fn the_id_of_a_trusted_proxy_is_kept() {
    let piece = "forwarding: { request_id: true }\ntrusted_proxies: 127.0.0.1";
    let front = Front::with(piece, ordinary());
    front.ask(get("/", "X-Request-ID: mine\r\n"));
    assert_eq!(header(&front.shop.asked()[0], "x-request-id"), "mine");
}

/// The binary before `shop`.
fn daemon(shop: &Shop, more: &str) -> Daemon {
    Start::default().run(&config(shop, more), 1)
}

fn config(shop: &Shop, more: &str) -> String {
    let base = include_str!("support/front.yaml")
        .replace("SHOP", &shop.addr().to_string())
        .replace("NETWORK", "127.0.0.1:1");
    format!("{base}\n{more}\n")
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn each_request_has_one_line_when_its_answer_has_ended() {
    let shop = Shop::new(|request| match crate::support::shop::path(request) {
        "/pieces" => chunked(HTML, "x".repeat(1000), 100),
        _ => page(HTML, "twelve bytes"),
    });
    let more = "access_log: json\nforwarding: { request_id: true }\ntrusted_proxies: [127.0.0.0/8, 10.0.0.0/8]";
    let mut daemon = daemon(&shop, more);
    let mut lines = daemon.stdout().lines();
    let mut line =
        || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let mut client = daemon.connect();
    client.say(get(
        "/a?affiliate_id=123456&b=1",
        "X-Forwarded-For: 198.51.100.4, 192.0.2.7, 10.1.1.1\r\nCookie: secret=1\r\n",
    ));
    assert_eq!(client.message(false).status(), 200);
    let told = line();
    for (key, value) in [
        ("client", "192.0.2.7"),
        ("store", "us"),
        ("host", "us.test"),
        ("method", "GET"),
        ("target", "/a?b=1"),
        ("version", "1.1"),
    ] {
        assert_eq!(told[key], value, "{told}");
    }
    assert_eq!(
        (&told["status"], &told["bytes"], &told["complete"]),
        (&200.into(), &12.into(), &true.into())
    );
    assert!(told["duration_us"].as_u64().unwrap() > 0);
    let id = header(&shop.asked()[0], "x-request-id");
    assert_eq!(told["request_id"], id);
    assert!(!told.to_string().contains("secret"), "{told}");

    client.say(get("/pieces", ""));
    assert_eq!(client.message(false).body.len(), 1000);
    let told = line();
    assert_eq!(
        (&told["bytes"], &told["complete"]),
        (&1000.into(), &true.into())
    );
    client.say("HEAD /a HTTP/1.1\r\nHost: us.test\r\n\r\n");
    client.message(true);
    let told = line();
    assert_eq!(
        (&told["bytes"], &told["complete"]),
        (&0.into(), &true.into())
    );
    // A watched page, and one of our own.
    client.say(get("/checkout/thank-you/1", ""));
    client.message(false);
    assert_eq!(line()["bytes"], 12);
    client.say("GET /x HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert_eq!(client.message(false).status(), 421);
    let told = line();
    assert_eq!((&told["status"], told.get("store")), (&421.into(), None));

    // Another format, from the next request on.
    daemon.rewrite(&config(&shop, "access_log: common"));
    daemon.signal(Signal::HUP);
    daemon.says("reloaded");
    client.say(get("/b\"\\", ""));
    client.message(false);
    let told = lines.next().unwrap().unwrap();
    assert!(told.starts_with("127.0.0.1 - - ["), "{told}");
    assert!(
        told.ends_with("] \"GET /b\\\"\\\\ HTTP/1.1\" 200 12"),
        "{told}"
    );
    daemon.rewrite(&config(&shop, "access_log: off"));
    daemon.signal(Signal::HUP);
    daemon.says("reloaded");
    client.say(get("/c", ""));
    client.message(false);
    drop(client);
    assert_eq!(daemon.end(), Some(0));
    assert!(lines.next().is_none());
}

#[test]
fn a_client_that_goes_away_has_a_line_too() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let shop = Shop::playing(move |wire, _| {
        asked.send(()).unwrap();
        // Until we are hung up on.
        !wire.is_over()
    });
    let mut daemon = daemon(&shop, "access_log: common");
    let mut lines = daemon.stdout().lines();
    let mut client = daemon.connect();
    client.say(get("/slow", ""));
    is_asked.recv_timeout(PATIENCE).unwrap();
    drop(client);
    let told = lines.next().unwrap().unwrap();
    assert!(told.ends_with("\"GET /slow HTTP/1.1\" 499 0"), "{told}");
}

#[test]
fn what_passes_is_counted_by_store() {
    let shop = Shop::new(|_| page(HTML, "twelve bytes"));
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = admin.local_addr().unwrap();
    let text = config(&shop, &format!("admin: {address}"));
    let daemon = Start::default().socket(admin).run(&text, 1);
    let mut client = daemon.connect();
    for _ in 0..3 {
        client.say(get("/", ""));
        client.message(false);
    }
    client.say("GET / HTTP/1.1\r\nHost: ca.test\r\n\r\n");
    client.message(false);
    client.say("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
    client.message(false);
    let mut operator = Wire::to(address);
    operator.say("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let metrics = operator.message(false).text();
    for line in [
        "refgate_responses_total{store=\"us\",status=\"2xx\"} 3",
        "refgate_responses_total{store=\"ca\",status=\"2xx\"} 1",
        "refgate_responses_total{store=\"safe\",status=\"2xx\"} 0",
        "refgate_response_seconds_count{store=\"us\"} 3",
        "refgate_response_bytes_total{store=\"us\"} 36",
        "refgate_requests_total 5",
        "refgate_unknown_host_total 1",
    ] {
        assert!(
            metrics.contains(&format!("\n{line}\n")),
            "{line}:\n{metrics}"
        );
    }
    assert!(!metrics.contains("other.test"), "{metrics}");
}

/// A version 2 header for a client at 192.0.2.7.
fn introduction() -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
    [
        &head[..],
        &[192, 0, 2, 7, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb],
    ]
    .concat()
}

const PROXIED: &str = "listen: { address: 127.0.0.1:0, proxy_protocol: true }\ntrusted_proxies: ";

#[test]
fn a_load_balancer_says_who_asks() {
    let front = Front::with(&format!("{PROXIED}127.0.0.1"), ordinary());
    let line = b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n".to_vec();
    for header in [line, introduction()] {
        let mut client = front.connect();
        client.say(&header[..9]);
        client.say(&header[9..]);
        for _ in 0..2 {
            client.say(get(
                "/",
                "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n",
            ));
            assert_eq!(client.message(false).status(), 200);
        }
    }
    // Of the balancer's own: it checks whether we live.
    let own = front.ask(format!("PROXY UNKNOWN\r\n{}", get("/", "")));
    assert_eq!(own.status(), 200);
    let asked = front.shop.asked();
    let told: Vec<String> = asked
        .iter()
        .map(|asked| header(asked, "x-forwarded-for"))
        .collect();
    // What the client claims by HTTP is not the balancer's word.
    assert_eq!(
        told,
        [
            "192.0.2.7",
            "192.0.2.7",
            "192.0.2.7",
            "192.0.2.7",
            "127.0.0.1"
        ]
    );
    assert_eq!(header(&asked[0], "x-forwarded-proto"), "http");
    // Nobody says how shoppers reach the balancer but the configuration.
    let safe = get("/", "").replace("us.test", "safe.test");
    front.ask([introduction(), safe.into_bytes()].concat());
    assert_eq!(header(&front.shop.asked()[5], "x-forwarded-proto"), "https");
}

#[test]
fn a_connection_that_is_not_introduced_is_closed() {
    let is_closed = |front: &Front, bytes: &[u8]| {
        let mut client = front.connect();
        client.say(bytes);
        assert!(client.is_over());
    };
    let front = Front::with(&format!("{PROXIED}127.0.0.1"), ordinary());
    is_closed(&front, get("/", "").as_bytes());
    is_closed(&front, b"PROXY TCP4 192.0.2.7\r\n");
    front.counted(Event::ProxyHeaderRefused, 2);
    // From where nobody's word is taken.
    let front = Front::with(&format!("{PROXIED}10.0.0.0/8"), ordinary());
    is_closed(&front, &introduction());
    front.counted(Event::ProxyHeaderRefused, 1);
    assert!(front.shop.asked().is_empty());

    // And where none is expected, it is no HTTP.
    let front = Front::of(ordinary());
    let answer = front.ask(format!("PROXY UNKNOWN\r\n{}", get("/", "")));
    assert_eq!(answer.status(), 400);
}

#[test]
fn the_introduction_comes_before_tls() {
    let shop = ordinary();
    let authority = Authority::new();
    let sign = move |folder: &Path| {
        authority.sign(&["safe.test"]).write(folder, "shop");
    };
    let text = config(
        &shop,
        "trusted_proxies: 127.0.0.1\ntls:\n  certificates: [{ certificate: shop.crt, key: shop.key }]",
    );
    let text = text.replace(
        "listen: 127.0.0.1:0",
        "listen: { address: 127.0.0.1:0, tls: true, proxy_protocol: true }",
    );
    let daemon = Start::default().before(sign).run(&text, 1);
    let mut socket = TcpStream::connect(daemon.addresses[0]).unwrap();
    socket.write_all(&introduction()).unwrap();
    let mut opened = Client::any().open_on(socket, "safe.test").unwrap();
    opened
        .wire
        .say(get("/", "").replace("us.test", "safe.test"));
    assert_eq!(opened.wire.message(false).status(), 200);
    let asked = &shop.asked()[0];
    assert_eq!(header(asked, "x-forwarded-for"), "192.0.2.7");
    assert_eq!(header(asked, "x-forwarded-proto"), "https");
    assert!(
        Client::any()
            .open(daemon.addresses[0], "safe.test")
            .is_err()
    );
}

#[test]
fn an_answer_of_our_own_leaves_no_parameter_in_the_log() {
    let shop = ordinary();
    let mut daemon = daemon(&shop, "access_log: json\ncookie: { parameter: redirect }");
    let mut lines = daemon.stdout().lines();
    let mut client = daemon.connect();
    let token = format!("/a?b=1&refgate={}", "nonsense".repeat(20));
    for target in ["/a?affiliate_id=123456&b=1", &token] {
        client.say(get(target, ""));
        assert_eq!(client.message(false).status(), 302);
        let line: serde_json::Value =
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["target"], "/a?b=1", "{line}");
    }
}
