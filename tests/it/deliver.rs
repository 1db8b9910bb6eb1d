//! Deliver, as a network and the operator see it.

use std::sync::Arc;
use std::time::Duration;

use refgate::clock::Time;
use refgate::demo::network::Manner;
use refgate::event::Event;
use refgate::ledger::Told;
use refgate::postback::{Mode, State, Verdict};
use refgate::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::log::Log;
use crate::support::office::{ASPIRE, Office};
use crate::support::sale;

mod backlog;
mod course;
mod egress;
mod lanes;
mod pauses;
mod steering;

fn verdict(told: &Told) -> Verdict {
    told.attempts
        .last()
        .unwrap()
        .outcome
        .as_ref()
        .unwrap()
        .verdict
}

fn words(told: &Told) -> &str {
    &told
        .attempts
        .last()
        .unwrap()
        .outcome
        .as_ref()
        .unwrap()
        .words
}

#[tokio::test]
async fn an_order_becomes_one_call_and_one_conversion() {
    let office = Office::open(ASPIRE).await;
    let told = office.deliver(&[State::Accepted]).await;
    assert_eq!(words(&told), "success=true;");
    let calls = office.network.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        calls[0].target,
        "/aff_lsr?offer_id=1&aff_id=123456&amount=1249.95&adv_unique1=A-1"
    );
    let agent = (
        "user-agent".to_owned(),
        concat!("refgate/", env!("CARGO_PKG_VERSION")).to_owned(),
    );
    assert!(calls[0].headers.contains(&agent));
    assert_eq!(office.network.conversions().len(), 1);
    assert_eq!(office.counters.get(Event::PostbackSent), 1);
    assert_eq!(office.counters.get(Event::PostbackAccepted), 1);
}

#[tokio::test]
async fn every_kind_of_answer_has_its_end() {
    use {Manner as M, State as S, Verdict as V};
    let cases = [
        (M::Close, V::Unclear, S::Unclear, "connection"),
        (M::Reset, V::Unclear, S::Unclear, "reset"),
        (M::Cut, V::Unclear, S::Unclear, "answer cut off"),
        (
            M::Flood,
            V::Unclear,
            S::Unclear,
            "answer larger than the limit, status 200: success=true;",
        ),
        (
            M::Say("<html>Hi".to_owned()),
            V::Unclear,
            S::Unclear,
            "no rule for this answer, status 200: <html>Hi",
        ),
        (M::Busy(500, None), V::Unclear, S::Unclear, "status 500"),
        (M::Busy(404, None), V::Unclear, S::Unclear, "status 404"),
        (M::Busy(503, None), V::NotProcessed, S::Due, "status 503"),
        (M::Busy(429, None), V::NotProcessed, S::Due, "status 429"),
    ];
    for (manner, meant, state, said) in cases {
        let office = Office::open(ASPIRE).await;
        office.network.always(manner.clone());
        let told = office.deliver(&[state]).await;
        assert_eq!(verdict(&told), meant, "{manner:?}");
        assert_eq!(told.postback.due.is_some(), state == S::Due, "{manner:?}");
        assert_eq!(office.network.calls().len(), 1, "{manner:?}");
        assert!(words(&told).contains(said), "{manner:?}: {}", words(&told));
        assert!(words(&told).len() < 1000, "{manner:?}");
    }
}

#[tokio::test]
async fn a_network_that_never_answers_leaves_it_unclear() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.timeout = Duration::from_millis(300);
    office.network.always(Manner::Hang);
    let told = office.deliver(&[State::Unclear]).await;
    assert_eq!(words(&told), "no answer within 300ms");
    assert_eq!(office.network.calls().len(), 1);
}

#[tokio::test]
async fn an_answer_that_never_ends_is_cut_off_in_time() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.timeout = Duration::from_millis(300);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = ASPIRE.replace("ADDRESS", &listener.local_addr().unwrap().to_string());
    office.destination().template = url.parse().unwrap();
    let dripping = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let begin = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nsuccess=true;";
        stream.write_all(begin).await.unwrap();
        // Until the caller goes away.
        while stream.read_u8().await.is_ok() {}
    };
    let ((), told) = tokio::join!(dripping, office.deliver(&[State::Unclear]));
    let said = "answer cut off (no end of the answer within 300ms), status 200: success=true;";
    assert_eq!(words(&told), said);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let office = Office::open(ASPIRE).await;
    let (other, address) = office.network().await;
    let to = format!("http://{address}/aff_lsr?offer_id=1&aff_id=1&amount=1");
    office.network.always(Manner::Redirect(to));
    let told = office.deliver(&[State::Unclear]).await;
    assert_eq!(told.attempts[0].outcome.as_ref().unwrap().status, Some(302));
    assert_eq!(other.calls().len(), 0);
}

#[tokio::test]
async fn the_networks_refusal_is_final_and_in_its_words() {
    let template = ASPIRE.replace("offer_id=1", "offer_id=7");
    let office = Office::open(&template).await;
    let told = office.deliver(&[State::Rejected]).await;
    assert_eq!(words(&told), "Invalid offer_id 7.");
    assert_eq!(told.postback.cause.as_deref(), Some("Invalid offer_id 7."));
    assert_eq!(office.counters.get(Event::PostbackRejected), 1);
}

#[tokio::test]
async fn a_duplicate_on_the_first_attempt_is_a_lost_sale() {
    let template = "http://ADDRESS/aff_lsr?offer_id=1&transaction_id=TRANSACTION_ID&amount=AMOUNT";
    let office = Office::open(template).await;
    let id = ("transaction_id", "102656693ac3ca6e0cdafbfe89ab99");
    let first = office.sell_to("A-1", &[id]).await;
    let running = office.start();
    office.wait(first, &[State::Accepted]).await;
    let second = office.sell_to("A-2", &[id]).await;
    let told = office.wait(second, &[State::Duplicate]).await;
    running.end().await;
    assert!(told.postback.cause.unwrap().starts_with("a lost sale"));
}

#[tokio::test]
async fn a_duplicate_after_a_busy_answer_is_a_lost_sale_too() {
    let template = "http://ADDRESS/aff_lsr?offer_id=1&transaction_id=TRANSACTION_ID&amount=AMOUNT";
    let mut office = Office::open(template).await;
    office.settings.schedule = vec![Duration::from_millis(5)];
    let id = ("transaction_id", "102656693ac3ca6e0cdafbfe89ab99");
    let first = office.sell_to("A-1", &[id]).await;
    let running = office.start();
    office.wait(first, &[State::Accepted]).await;
    office.network.next([Manner::Busy(503, None)]);
    let second = office.sell_to("A-2", &[id]).await;
    let told = office.wait(second, &[State::Duplicate]).await;
    running.end().await;
    assert_eq!(told.attempts.len(), 2);
    assert!(told.postback.cause.unwrap().starts_with("a lost sale"));
}

#[tokio::test]
async fn hostile_values_stay_values() {
    let template = "http://ADDRESS/aff_lsr?offer_id=1&aff_id=1&note={note}&amount=AMOUNT";
    let office = Office::open(template).await;
    let hostile = [
        "x&amount=1",
        "x\r\nHost: evil\r\n\r\nGET /aff_lsr?offer_id=1",
        "ORDER_ID",
        "{amount}",
        "héé \u{202e}\0 +%41#?/..",
    ];
    let running = office.start();
    for (index, value) in hostile.into_iter().enumerate() {
        let id = office
            .sell_to(&format!("A-{index}"), &[("note", value)])
            .await;
        office.wait(id, &[State::Accepted]).await;
        let calls = office.network.calls();
        assert_eq!(calls.len(), index + 1);
        assert_eq!(calls[index].parameter("note"), Some(value));
        assert_eq!(calls[index].parameters.len(), 4);
        assert_eq!(calls[index].parameter("amount"), Some("1249.95"));
    }
    running.end().await;
}

#[tokio::test]
async fn nobody_listening_means_not_sent() {
    let mut office = Office::open(ASPIRE).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = ASPIRE.replace("ADDRESS", &closed.local_addr().unwrap().to_string());
    drop(closed);
    office.destination().template = url.parse().unwrap();
    let told = office.deliver(&[State::Due]).await;
    assert_eq!(verdict(&told), Verdict::NotProcessed);
    assert!(words(&told).contains("refused"), "{}", words(&told));
}

#[tokio::test]
async fn a_certificate_nobody_trusts_means_not_sent() {
    let mut office = Office::open(ASPIRE).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = ASPIRE.replace(
        "http://ADDRESS",
        &format!("https://{}", listener.local_addr().unwrap()),
    );
    office.destination().template = url.parse().unwrap();
    let cert = include_bytes!("support/tls/self-signed.cert.der").as_slice();
    let key = include_bytes!("support/tls/self-signed.key.der").as_slice();
    let config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], key.try_into().unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let refused = async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_err()
    };
    let (refused, told) = tokio::join!(refused, office.deliver(&[State::Due]));
    assert!(refused, "the handshake ended");
    assert_eq!(verdict(&told), Verdict::NotProcessed);
    assert!(words(&told).contains("certificate"), "{}", words(&told));
}

#[tokio::test]
async fn a_connection_closed_within_the_handshake_means_not_sent() {
    let mut office = Office::open(ASPIRE).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = ASPIRE.replace(
        "http://ADDRESS",
        &format!("https://{}", listener.local_addr().unwrap()),
    );
    office.destination().template = url.parse().unwrap();
    let close = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
    };
    let ((), told) = tokio::join!(close, office.deliver(&[State::Due]));
    assert_eq!(verdict(&told), Verdict::NotProcessed);
}

#[tokio::test]
async fn retry_after_moves_the_due_time_within_bounds() {
    let cases = [("120", 120), ("999999999", 3600), ("nonsense", 48)];
    for (asked, least) in cases {
        let office = Office::open(ASPIRE).await;
        office
            .network
            .always(Manner::Busy(503, Some(asked.to_owned())));
        let before = Time::now();
        let told = office.deliver(&[State::Due]).await;
        let wait = told.postback.due.unwrap().since(before);
        let least = Duration::from_secs(least);
        assert!(
            wait >= least && wait < least + Duration::from_secs(30),
            "{asked}: {wait:?}"
        );
    }
}

#[tokio::test]
async fn what_is_never_processed_is_dead_in_the_end() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.schedule = vec![Duration::from_millis(5); 2];
    office.network.always(Manner::Busy(503, None));
    let told = office.deliver(&[State::Dead]).await;
    assert_eq!(told.attempts.len(), 3);
    assert_eq!(office.network.calls().len(), 3);
    assert_eq!(office.counters.get(Event::PostbackDead), 1);
    assert!(
        told.postback
            .cause
            .unwrap()
            .starts_with("given up after 3 attempts")
    );
}

#[tokio::test]
async fn what_the_configuration_forbids_is_held_and_not_sent() {
    let mut shadow = Office::open(ASPIRE).await;
    shadow.destination().mode = Mode::Shadow;
    let mut dropped = Office::open(ASPIRE).await;
    dropped.settings.destinations.clear();
    let unfilled = Office::open("http://ADDRESS/aff_lsr?transaction_id=TRANSACTION_ID").await;
    let cases = [
        (
            shadow,
            "not sent: the network is configured with `mode: shadow`",
        ),
        (
            dropped,
            "not sent: no network or webhook of that name is configured",
        ),
        (
            unfilled,
            "not sent: no value for TRANSACTION_ID of the postback URL",
        ),
    ];
    for (office, cause) in cases {
        let told = office.deliver(&[State::Held]).await;
        assert_eq!(told.postback.cause.as_deref(), Some(cause));
        assert_eq!(office.network.calls().len(), 0);
        assert_eq!(office.counters.get(Event::PostbackSent), 0);
    }
}

#[tokio::test]
async fn secrets_are_sent_but_neither_kept_nor_logged() {
    let office =
        Office::open("http://ADDRESS/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&security_token=hush")
            .await;
    let words_of_it = "success=false; err_msg=bad token hush\r\nERROR forged;";
    office.network.always(Manner::Say(words_of_it.to_owned()));
    let log = Log::default();
    let listening = log.listen();
    let told = office.deliver(&[State::Rejected]).await;
    drop(listening);
    assert_eq!(
        office.network.calls()[0].parameter("security_token"),
        Some("hush")
    );
    assert!(told.attempts[0].url.ends_with("security_token=***"));
    assert_eq!(words(&told), "bad token ***\\r\\nERROR forged");
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("INFO") && lines[0].contains("postback sent"));
    assert!(lines[0].contains("order.id=A-1") && lines[0].contains("network=aspire"));
    assert!(lines[1].contains("WARN") && lines[1].contains("network answered"));
    assert!(lines[1].contains("verdict=\"rejected\"") && lines[1].contains("status=200"));
    assert!(!lines.concat().contains("hush"), "{lines:?}");
}

#[tokio::test]
async fn a_secret_that_a_parser_would_encode_is_masked_too() {
    let mut office = Office::open("http://ADDRESS/aff_lsr?offer_id=1&aff_id=1&k=it's|me").await;
    office.destination().secrets = vec![Secret::new("it's|me")];
    let told = office.deliver(&[State::Accepted]).await;
    assert!(
        told.attempts[0].url.ends_with("&k=***"),
        "{}",
        told.attempts[0].url
    );
    assert_eq!(office.network.calls()[0].parameter("k"), Some("it's|me"));
}

#[tokio::test]
async fn the_orders_store_and_click_time_can_be_told() {
    let office =
        Office::open("http://ADDRESS/aff_lsr?offer_id=1&aff_id=1&s={store}&c={click_time}").await;
    office.deliver(&[State::Accepted]).await;
    let call = &office.network.calls()[0];
    assert_eq!(call.parameter("s"), Some("us"));
    assert_eq!(
        call.parameter("c"),
        Some(sale::click().at.to_string().as_str())
    );
}
