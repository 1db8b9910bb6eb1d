//! How much is under way: many requests on one connection, and nobody in another's way.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use tokio::sync::Barrier;

use super::{before, post};
use crate::forward::get;
use crate::support::front::eventually;
use crate::support::http2::{Asked, Shop, head, ok, pour};
use crate::support::proxy::Running;
use crate::support::wire::{PATIENCE, Wire};

/// More than the kernel's buffers hold between client and proxy.
const MUCH: usize = 48 << 20;

/// Asks for something small on connections of their own, until `moved` stands still meanwhile.
fn stands_still(proxy: &Running, moved: &AtomicUsize) -> usize {
    let still = eventually(|| {
        let before = moved.load(Ordering::SeqCst);
        for _ in 0..20 {
            let mut client = proxy.connect();
            client.say(get("/small"));
            assert_eq!(client.message(false).text(), "ok");
        }
        (before > 0 && moved.load(Ordering::SeqCst) == before).then_some(before)
    });
    still.expect("it never stands still")
}

#[test]
fn a_slow_shopper_holds_up_the_shop_and_nobody_else() {
    let poured = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&poured);
    let shop = Shop::new(move |mut asked: Asked| {
        let poured = Arc::clone(&counting);
        async move {
            if asked.head.uri.path() == "/small" {
                return asked.say("ok");
            }
            let length = MUCH.to_string();
            let fields = [("content-length", length.as_str())];
            let mut send = asked.answer.send_response(ok(&fields), false).unwrap();
            let piece = Bytes::from(vec![b'x'; 64 * 1024]);
            for _ in 0..MUCH / piece.len() {
                // Two of the three go away in the end.
                if pour(&mut send, piece.clone(), false).await.is_err() {
                    return;
                }
                poured.fetch_add(piece.len(), Ordering::SeqCst);
            }
            send.send_data(Bytes::new(), true).unwrap();
        }
    });
    let proxy = before(shop.addr);
    let mut clients: Vec<Wire> = (0..3).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.say(get("/much"));
        assert!(client.head().starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    let still = stands_still(&proxy, &poured);
    assert!(still < 2 * MUCH, "{still} bytes are under way");
    assert_eq!(shop.connections(), 1);
    let mut first = clients.remove(0);
    drop(clients);
    assert!(first.exactly(MUCH).iter().all(|byte| *byte == b'x'));
}

#[test]
fn a_slow_shop_holds_up_the_shopper() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let shop = Shop::new(move |mut asked: Asked| {
        let gate = Arc::clone(&gate);
        async move {
            if asked.head.uri.path() == "/small" {
                return asked.say("ok");
            }
            while gate.lock().unwrap().try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            let (body, _) = asked.whole().await.unwrap();
            asked.say(body.len().to_string());
        }
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    let sent = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&sent);
    let sending = std::thread::spawn(move || {
        client.say(format!(
            "POST /much HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {MUCH}\r\n\r\n"
        ));
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..MUCH / piece.len() {
            client.say(&piece);
            counting.fetch_add(piece.len(), Ordering::SeqCst);
        }
        client.message(false).text()
    });
    let still = stands_still(&proxy, &sent);
    assert!(still < MUCH / 2, "{still} bytes are under way");
    go.send(()).unwrap();
    assert_eq!(sending.join().unwrap(), MUCH.to_string());
}

/// So many requests, which the shop answers when it has them all.
fn at_once(count: usize, change: impl FnOnce(&mut h2::server::Builder)) -> usize {
    let all = Arc::new(Barrier::new(count));
    let shop = Shop::with(change, None, move |asked: Asked| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            asked.say("ok");
        }
    });
    let proxy = before(shop.addr);
    let mut clients: Vec<Wire> = (0..count).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.say(get("/"));
    }
    for client in &mut clients {
        assert_eq!(client.message(false).text(), "ok");
    }
    shop.connections()
}

#[test]
fn requests_share_a_connection() {
    assert_eq!(at_once(50, |_| {}), 1);
}

#[test]
fn another_connection_is_opened_where_the_shop_takes_no_more_streams() {
    let connections = at_once(7, |builder| {
        builder.max_concurrent_streams(3);
    });
    assert_eq!(connections, 3);
}

#[test]
fn a_shopper_who_goes_is_told_to_the_shop() {
    let (told, reasons) = mpsc::channel();
    let shop = Shop::new(move |mut asked: Asked| {
        let told = told.clone();
        async move {
            let path = asked.head.uri.path().to_owned();
            let reason = match path.as_str() {
                "/small" => return asked.say("ok"),
                "/body" => {
                    let mut send = asked.answer.send_response(ok(&[]), false).unwrap();
                    send.send_data(Bytes::from_static(b"begun"), false).unwrap();
                    poll_fn(|cx| send.poll_reset(cx)).await
                }
                _ => poll_fn(|cx| asked.answer.poll_reset(cx)).await,
            };
            told.send((path, reason.unwrap())).unwrap();
        }
    });
    let proxy = before(shop.addr);
    for target in ["/head", "/body"] {
        let mut client = proxy.connect();
        client.say(get(target));
        match target {
            "/body" => drop(client.until(b"begun")),
            _ => assert!(eventually(|| shop.asked().pop()).is_some()),
        }
        drop(client);
        let (path, reason) = reasons.recv_timeout(PATIENCE).unwrap();
        assert_eq!((path.as_str(), reason), (target, h2::Reason::CANCEL));
    }
    let mut client = proxy.connect();
    client.say(get("/small"));
    assert_eq!(client.message(false).text(), "ok");
    assert_eq!(shop.connections(), 1);
}

#[test]
fn a_whole_stream_is_not_reset_because_its_end_comes_later() {
    let (told, ends) = mpsc::channel();
    let shop = Shop::new(move |mut asked: Asked| {
        let told = told.clone();
        async move {
            if asked.head.uri.path() == "/small" {
                return asked.say("ok");
            }
            let length = [("content-length", "2")];
            let mut send = asked.answer.send_response(ok(&length), false).unwrap();
            let (go, gone) = tokio::sync::oneshot::channel();
            told.send(go).unwrap();
            let reset = poll_fn(|cx| send.poll_reset(cx));
            let whole = tokio::select! {
                _ = reset => false,
                answer = gone => answer.map(|whole: mpsc::Sender<bool>| whole.send(true)).is_ok(),
            };
            assert!(whole, "it was reset");
            send.send_data(Bytes::new(), true).unwrap();
        }
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say("HEAD / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    assert_eq!(client.message(true).status(), 200);
    let small = |client: &mut Wire| {
        client.say(get("/small"));
        assert_eq!(client.message(false).text(), "ok");
    };
    (0..10).for_each(|_| small(&mut client));
    let (whole, is_whole) = mpsc::channel();
    ends.recv_timeout(PATIENCE).unwrap().send(whole).unwrap();
    assert!(is_whole.recv_timeout(PATIENCE).unwrap());
    small(&mut client);
    assert_eq!(shop.connections(), 1);
}

#[test]
fn a_head_that_is_too_large_costs_its_request_alone() {
    let shop = Shop::new(async |mut asked: Asked| {
        let large = "x".repeat(30_000);
        let (field, many) = (("x-a", large.as_str()), [("x-a", "1"); 300]);
        let fields = match asked.head.uri.path() {
            "/large" => &[field, field, field][..],
            "/many" => &many,
            _ => return asked.say("ok"),
        };
        asked.answer.send_response(head(200, fields), true).unwrap();
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    for (target, status) in [("/large", 502), ("/many", 502), ("/", 200)] {
        client.say(get(target));
        assert_eq!(client.message(false).status(), status, "{target}");
    }
    assert_eq!(shop.connections(), 1);
    client.say(post("/", "body"));
    assert_eq!(client.message(false).text(), "ok");
}
