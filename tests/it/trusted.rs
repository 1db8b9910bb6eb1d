//! A network must prove who it is before it is told: the real binary, with one authority that it trusts.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::date_time_ymd;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use tokio_rustls::rustls;

use crate::support::daemon::{Daemon, Start};
use crate::support::front::{cookie, eventually, get, with};
use crate::support::shop::{Shop, ordinary};
use crate::support::tls::{Authority, Signed};

/// A network that takes everything, once it is believed.
struct Network {
    address: SocketAddr,
    told: Arc<AtomicUsize>,
}

impl Network {
    fn new(signed: &Signed) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (told, config) = (Arc::new(AtomicUsize::new(0)), config(signed));
        let count = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(tls, stream);
                let mut request = [0; 4096];
                if !matches!(stream.read(&mut request), Ok(1..)) {
                    continue; // Whoever does not believe it says nothing.
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nsuccess=true;";
                stream.write_all(answer).unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        });
        Self { address, told }
    }
}

fn config(signed: &Signed) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(signed.chain.as_bytes());
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth();
    Arc::new(config.with_single_cert(chain, key).unwrap())
}

/// The configuration, with a network more for each of these.
fn text(shop: &Shop, networks: &[(&str, Network)]) -> String {
    let mut text = String::from("cookie: { min_click_age: 0s }\nnetworks:\n");
    for (name, network) in networks {
        let port = network.address.port();
        text += &format!(
            "  {name}: {{ click: {{ {name}_id: '[0-9]+' }}, currency: USD, \
             postback: 'https://localhost:{port}/?a={{{name}_id}}&amount=AMOUNT&o=ORDER_ID', \
             answers: [{{ status: 200, body: '^success=true', means: accepted }}] }}\n"
        );
    }
    include_str!("support/front.yaml")
        .replace("SHOP", &shop.addr().to_string())
        .replace("NETWORK", "127.0.0.1:1")
        .replace("networks:\n", &text)
}

/// Buys by the link of a network, and tells what became of its postback's first attempt: its state and its verdict.
fn bought(daemon: &Daemon, network: &str, order: usize) -> (String, String) {
    let mut visitor = daemon.connect();
    visitor.say(get(&format!("/?{network}_id=123456"), ""));
    let cookie = cookie(&visitor.message(false)).unwrap();
    visitor.say(with(&cookie, &format!("/checkout/thank-you/{order}")));
    visitor.message(false);
    let ended = || {
        let output = daemon.command(&["explain", &order.to_string(), "--json"]);
        let story: Value = serde_json::from_slice(&output.stdout).ok()?;
        let told = &story[0]["postbacks"][0];
        let verdict = told["attempts"][0]["outcome"]["verdict"].as_str()?;
        let state = told["postback"]["state"].as_str()?;
        Some((state.to_owned(), verdict.to_owned()))
    };
    eventually(ended).expect("no attempt has ended")
}

#[test]
fn only_a_network_that_proves_who_it_is_is_told() {
    let authority = Authority::new();
    let over = |names: &[&str]| {
        authority.sign_as(names, |params| {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        })
    };
    let networks = [
        ("good", authority.sign(&["localhost"])),
        ("expired", over(&["localhost"])),
        ("other_host", authority.sign(&["network.test"])),
        ("unknown", Authority::new().sign(&["localhost"])),
    ];
    let networks = networks.map(|(name, signed)| (name, Network::new(&signed)));
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    let shop = ordinary();
    let daemon = Start::default()
        .env("SSL_CERT_FILE", roots.display().to_string())
        .run(&text(&shop, &networks), 1);
    for (order, (name, network)) in networks.iter().enumerate() {
        let (state, verdict) = bought(&daemon, name, order + 1);
        let told = network.told.load(Ordering::SeqCst);
        let expected = match *name {
            "good" => ("accepted", "accepted", 1),
            _ => ("due", "not_processed", 0),
        };
        assert_eq!((state.as_str(), verdict.as_str(), told), expected, "{name}");
    }
}
