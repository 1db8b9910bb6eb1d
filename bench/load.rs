//! The bench's own client: one request on each connection, which the proxy must close. Full TLS handshakes only.
//!
//! usage: load ADDRESS HOST PATH COUNT THREADS LENGTH [--cookie PAIR] [--tls CERTIFICATE]
//!
//! It ends with an error unless every answer is a 200 with a body of LENGTH bytes and then the end of the connection.
//! Over TLS it offers X25519 alone, as h2load does, so that all proxies do the same key exchange.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

type Fault = Box<dyn Error + Send + Sync>;

struct Order {
    address: SocketAddr,
    request: Vec<u8>,
    length: usize,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

fn main() -> Result<(), Fault> {
    let mut words = std::env::args().skip(1);
    let mut next = |what: &str| words.next().ok_or(format!("{what} is missing"));
    let address = next("ADDRESS")?.parse()?;
    let host = next("HOST")?;
    let path = next("PATH")?;
    let count: usize = next("COUNT")?.parse()?;
    let threads: usize = next("THREADS")?.parse()?;
    let length = next("LENGTH")?.parse()?;
    let mut cookie = String::new();
    let mut tls = None;
    while let Ok(option) = next("an option") {
        match option.as_str() {
            "--cookie" => cookie = format!("Cookie: {}\r\n", next("PAIR")?),
            "--tls" => tls = Some((trusting(&next("CERTIFICATE")?)?, host.clone().try_into()?)),
            _ => return Err(format!("{option}: unknown").into()),
        }
    }
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}Connection: close\r\n\r\n");
    let order = Order {
        address,
        request: request.into_bytes(),
        length,
        tls,
    };
    let taken = AtomicUsize::new(0);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    while taken.fetch_add(1, Ordering::Relaxed) < count {
                        ask(&order)?;
                    }
                    Ok::<(), Fault>(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_panic| Err("a thread has panicked".into()))
        })
    })
}

/// TLS 1.2 or 1.3 with a server that has this certificate, never resumed.
fn trusting(path: &str) -> Result<Arc<ClientConfig>, Fault> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path)?)?;
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn ask(order: &Order) -> Result<(), Fault> {
    let socket = TcpStream::connect(order.address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    match &order.tls {
        None => exchange(socket, order),
        Some((config, name)) => {
            let session = ClientConnection::new(config.clone(), name.clone())?;
            exchange(StreamOwned::new(session, socket), order)
        }
    }
}

fn exchange(mut stream: impl Read + Write, order: &Order) -> Result<(), Fault> {
    stream.write_all(&order.request)?;
    let mut answer = Vec::with_capacity(order.length + 4096);
    stream.read_to_end(&mut answer)?;
    let head = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .ok_or("no head")?;
    let body = answer.len() - head - 4;
    if answer.starts_with(b"HTTP/1.1 200 ") && body == order.length {
        return Ok(());
    }
    let start = answer.get(..head).unwrap_or_default();
    Err(format!("{body} bytes of body: {}", String::from_utf8_lossy(start)).into())
}
