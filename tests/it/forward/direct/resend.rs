//! A request goes out once more only where that can do no harm.

use std::io::ErrorKind;
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use refgate::forward::{Error, Fault, Resend};
use refgate::message::{Body as _, Request};
use socket2::SockRef;

use super::{Direct, get, post, whole};
use crate::forward::OK;
use crate::support::arrival::Ends;
use crate::support::origin::Origin;
use crate::support::wire::{PATIENCE, Wire};

/// A shop that answers, and then reads another request on that connection and does this instead.
/// Later connections answer each request.
fn closing(instead: &'static str) -> Origin {
    Origin::new(move |wire, number| {
        wire.message(false);
        wire.say(OK);
        if number == 0 {
            wire.message(false);
            wire.say(instead);
            return;
        }
        while !wire.is_over() {
            wire.message(false);
            wire.say(OK);
        }
    })
}

fn ask(direct: &Direct, request: Request, resend: Resend) -> Result<String, Error> {
    direct.run(async {
        let sent = direct.client.send(&direct.upstream, request, resend).await;
        let answer = whole(sent.map_err(|failed| failed.error)?).await;
        Ok(String::from_utf8(answer.body).unwrap())
    })
}

#[test]
fn a_safe_request_goes_out_once_more_on_a_new_connection() {
    let shop = closing("");
    let direct = Direct::to(shop.addr);
    assert_eq!(ask(&direct, get("/1"), Resend::Safe).unwrap(), "ok");
    assert_eq!(ask(&direct, get("/2"), Resend::Safe).unwrap(), "ok");
    assert_eq!((shop.connections(), direct.retried()), (2, 1));
    drop(direct);
    let seen = String::from_utf8(shop.seen().concat()).unwrap();
    assert_eq!(
        seen.matches("GET /2 HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            .count(),
        2
    );
}

#[test]
fn what_may_have_been_acted_on_is_not_sent_again() {
    for (request, resend) in [
        (get("/2"), Resend::Never),
        (post("/2", "order"), Resend::Never),
        // Said by mistake: it has a body.
        (post("/2", "order"), Resend::Safe),
    ] {
        let shop = closing("");
        let direct = Direct::to(shop.addr);
        assert_eq!(direct.text(get("/1")), "ok");
        let error = ask(&direct, request, resend).unwrap_err();
        assert!(matches!(error, Error::Broken(Fault::End | Fault::Io(_))));
        assert_eq!((shop.connections(), direct.retried()), (1, 0));
    }
}

#[test]
fn an_answer_that_has_begun_is_not_asked_for_again() {
    for begun in ["H", "HTTP/1.1 103 Early Hints\r\n\r\n", "nonsense\n"] {
        let shop = closing(begun);
        let direct = Direct::to(shop.addr);
        assert_eq!(ask(&direct, get("/1"), Resend::Safe).unwrap(), "ok");
        let error = ask(&direct, get("/2"), Resend::Safe).unwrap_err();
        assert!(matches!(error, Error::Broken(_)), "{begun}");
        assert_eq!((shop.connections(), direct.retried()), (1, 0));
    }
}

#[test]
fn a_new_connection_that_ends_is_an_answer() {
    let shop = Origin::new(|wire, _| {
        wire.message(false);
    });
    let direct = Direct::to(shop.addr);
    let error = ask(&direct, get("/"), Resend::Safe).unwrap_err();
    assert!(matches!(error, Error::Broken(Fault::End)));
    assert_eq!((shop.connections(), direct.retried()), (1, 0));
}

#[test]
fn what_was_never_written_goes_out_on_a_new_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let (done, reset) = mpsc::channel::<()>();
    let shop = std::thread::spawn(move || {
        let mut wire = Wire::new(listener.accept().unwrap().0);
        wire.message(false);
        wire.say(OK);
        wait.recv_timeout(PATIENCE).unwrap();
        let socket = SockRef::from(wire.stream());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        let ends = Ends::of(wire.stream());
        drop(wire);
        ends.wait_for_reset();
        done.send(()).unwrap();
        let mut wire = Wire::new(listener.accept().unwrap().0);
        let message = wire.message(false);
        wire.say(OK);
        message
    });
    let direct = Direct::to(addr);
    assert_eq!(direct.text(post("/1", "one")), "ok");
    go.send(()).unwrap();
    reset.recv_timeout(PATIENCE).unwrap();
    // Without a turn of the runtime between: only the write itself can tell.
    assert_eq!(direct.text(post("/2", "two")), "ok");
    assert_eq!(direct.retried(), 1);
    let seen = shop.join().unwrap();
    assert_eq!(
        (seen.start.as_str(), seen.text().as_str()),
        ("POST /2 HTTP/1.1", "two")
    );
}

#[test]
fn a_shop_that_cannot_be_reached_gives_the_request_back() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = port.local_addr().unwrap();
    drop(port);
    let direct = Direct::to(addr);
    let failed = direct.run(direct.send(post("/", "body"))).unwrap_err();
    let Error::Connect(error) = failed.error else {
        panic!("{:?}", failed.error);
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let request = failed.unsent.unwrap();
    assert_eq!(
        (request.body.left(), request.head.fields.len()),
        (Some(4), 2)
    );

    // It is as good as new.
    let shop = Origin::always(OK);
    let other = Direct::to(shop.addr);
    assert_eq!(other.text(*request), "ok");
}

#[test]
fn a_shop_that_has_gone_gives_back_what_it_did_not_get() {
    // The listener is closed with the first connection still open, which is reset then.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let shop = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut wire = Wire::new(stream);
        wire.message(false);
        wire.say(OK);
        wire.stream().shutdown(Shutdown::Both).unwrap();
        Ends::of(wire.stream()).wait_for_arrival();
    });
    let direct = Direct::to(addr);
    assert_eq!(direct.text(get("/")), "ok");
    shop.join().unwrap();
    direct.hear();
    let failed = direct.run(direct.send(post("/", "body"))).unwrap_err();
    assert!(matches!(failed.error, Error::Connect(_)));
    assert_eq!(failed.unsent.unwrap().body.left(), Some(4));
}
