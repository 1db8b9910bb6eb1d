//! A shop's bytes as the answer to a request: what comes through is what hyper's client reads from
//! the same bytes; where they break off, so does the response.
#![no_main]

use std::cell::LazyCell;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use refgate::event::Counters;
use refgate::forward::{Client, Resend, Settings};
use refgate::message::body::next;
use refgate::message::{Fields, Frame, Incoming, Interim, Request, RequestHead};
use refgate::store::{Protocol, Upstream};
use refgate_fuzz::{first_line, has_other_minor, is_huge, lower, pairs};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(45);

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A response as a client saw it.
#[derive(Debug)]
struct Seen {
    status: u16,
    fields: Pairs,
    /// None: it broke off.
    body: Option<(Vec<u8>, Pairs)>,
}

struct World {
    runtime: Runtime,
    shop: TcpListener,
    client: Client,
    upstream: Upstream,
}

thread_local! {
    static WORLD: LazyCell<World> = const { LazyCell::new(world) };
}

// The first line says what is asked: `GET`, `HEAD`, or `UPGRADE`; the shop's bytes are behind it.
fuzz_target!(|bytes: &[u8]| {
    let (asked, bytes) = first_line(bytes);
    let asked = match asked {
        b"HEAD" => Asked::Head,
        b"UPGRADE" => Asked::Upgrade,
        _ => Asked::Get,
    };
    WORLD.with(|world| {
        world.runtime.block_on(async {
            let both = async {
                let ours = ours(world, asked, bytes).await;
                let theirs = theirs(asked, bytes).await;
                compared(asked, bytes, ours, theirs);
            };
            tokio::time::timeout(LONG, both)
                .await
                .expect("it does not hang");
        });
    });
});

#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Get,
    Head,
    Upgrade,
}

impl Asked {
    fn method(self) -> Method {
        match self {
            Self::Head => Method::HEAD,
            Self::Get | Self::Upgrade => Method::GET,
        }
    }
}

fn world() -> World {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _here = runtime.enter();
    let shop = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let upstream = Upstream {
        host: "127.0.0.1".to_owned(),
        port: shop.local_addr().unwrap().port(),
        tls: None,
        protocol: Protocol::default(),
    };
    let settings = Settings {
        trusted_proxies: Vec::new(),
        connect_timeout: 2 * LONG,
        response_timeout: 2 * LONG,
        body_timeout: 2 * LONG,
        pool_idle: LONG,
        // Each input has a connection of its own.
        pool_size: 0,
        tunnel_timeout: 2 * LONG,
    };
    let client = Client::new(
        Arc::new(settings),
        Arc::new(Counters::default()),
        &TaskTracker::new(),
    );
    drop(_here);
    World {
        runtime,
        shop,
        client,
        upstream,
    }
}

async fn ours(world: &World, asked: Asked, bytes: &[u8]) -> Option<Seen> {
    let mut fields: Fields = [("Host", "a")].into_iter().collect();
    if asked == Asked::Upgrade {
        fields.append(b"Connection", b"upgrade");
        fields.append(b"Upgrade", b"websocket");
    }
    let request = Request {
        head: Box::new(RequestHead {
            method: asked.method(),
            target: "/".into(),
            authority: None,
            protocol: None,
            version: Version::HTTP_11,
            fields,
        }),
        body: Incoming::empty(),
        interim: Interim::open(),
    };
    let shop = async {
        let (mut socket, _) = world.shop.accept().await.unwrap();
        let mut head = [0; 1024];
        let length = socket.read(&mut head).await.unwrap();
        assert!(head[..length].ends_with(b"\r\n\r\n"), "a request in one go");
        let _sent = socket.write_all(bytes).await;
        let _sent = socket.shutdown().await;
        socket
    };
    let asking = world.client.send(&world.upstream, request, Resend::Never);
    // The socket stays open until the answer is read.
    let (_socket, response) = tokio::join!(shop, asking);
    let mut response = response.ok()?;
    let fields = pairs(&response.head.fields);
    let status = response.head.status.as_u16();
    if let Some(mut tunnel) = response.tunnel {
        let mut rest = Vec::new();
        tunnel.far.read_to_end(&mut rest).await.unwrap();
        return Some(Seen {
            status,
            fields,
            body: Some((rest, Vec::new())),
        });
    }
    let (mut whole, mut trailers) = (Vec::new(), Vec::new());
    let body = loop {
        match next(&mut response.body).await {
            Some(Ok(Frame::Data(data))) => whole.extend_from_slice(&data),
            Some(Ok(Frame::Trailers(fields))) => trailers = pairs(&fields),
            Some(Err(_broken)) => break None,
            None => break Some((whole, trailers)),
        }
    };
    Some(Seen {
        status,
        fields,
        body,
    })
}

async fn theirs(asked: Asked, bytes: &[u8]) -> Option<Seen> {
    let (mut shop, client) = tokio::io::duplex(bytes.len() + 4096);
    let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(client))
        .await
        .ok()?;
    let mut request = hyper::Request::builder()
        .method(asked.method())
        .uri("/")
        .header("host", "a");
    if asked == Asked::Upgrade {
        request = request
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
    }
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let shop = async {
        let mut head = [0; 1024];
        let _read = shop.read(&mut head).await;
        let _sent = shop.write_all(bytes).await;
        drop(shop);
    };
    let asking = async {
        let mut response = send.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let fields = of_map(response.headers());
        if status == 101 {
            let upgraded = hyper::upgrade::on(&mut response).await.ok()?;
            let mut rest = Vec::new();
            TokioIo::new(upgraded).read_to_end(&mut rest).await.ok()?;
            return Some(Seen {
                status,
                fields,
                body: Some((rest, Vec::new())),
            });
        }
        let body = response.into_body().collect().await.ok().map(|collected| {
            let trailers = collected.trailers().map(of_map).unwrap_or_default();
            (collected.to_bytes().to_vec(), trailers)
        });
        Some(Seen {
            status,
            fields,
            body,
        })
    };
    let (_, _, seen) = tokio::join!(shop, connection.with_upgrades(), asking);
    seen
}

fn of_map(map: &http::HeaderMap) -> Pairs {
    let pairs = map.iter();
    pairs
        .map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()))
        .collect()
}

fn compared(asked: Asked, bytes: &[u8], ours: Option<Seen>, theirs: Option<Seen>) {
    let (Some(ours), Some(theirs)) = (&ours, &theirs) else {
        assert!(
            ours.as_ref()
                .is_none_or(|ours| is_none_for_hyper(ours, bytes)),
            "hyper takes this for no response: {ours:?}"
        );
        return;
    };
    assert_eq!(ours.status, theirs.status, "{asked:?}");
    let end_to_end = |fields: &Pairs| {
        let mut fields = lower(fields.clone());
        let hop: [&[u8]; 9] = [
            b"connection",
            b"keep-alive",
            b"proxy-connection",
            b"transfer-encoding",
            b"upgrade",
            b"te",
            b"content-length",
            b"trailer",
            b"http2-settings",
        ];
        let named = connection_names(&theirs.fields);
        fields.retain(|(name, _)| !hop.contains(&name.as_slice()) && !named.contains(name));
        fields
    };
    assert_eq!(end_to_end(&ours.fields), end_to_end(&theirs.fields));
    match (&ours.body, &theirs.body) {
        (Some((body, trailers)), Some((other, others))) => {
            assert_eq!(body, other);
            let mut others = lower(others.clone());
            others.retain(|(name, _)| may_trail(name));
            assert_eq!(lower(trailers.clone()), others);
        }
        (Some(body), None) => panic!("hyper takes this body for broken: {body:?}"),
        (None, _) => {}
    }
}

/// Whether a field may come behind a body: none that frames, routes or says who asks (RFC 9110 §6.5.1). hyper's
/// client leaves that to whoever uses it.
fn may_trail(name: &[u8]) -> bool {
    const NEVER: [&[u8]; 21] = [
        b"authorization",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"expect",
        b"forwarded",
        b"host",
        b"http2-settings",
        b"keep-alive",
        b"location",
        b"proxy-connection",
        b"set-cookie",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"vary",
    ];
    // Some servers take both for the same.
    let dashed: Vec<u8> = name
        .iter()
        .map(|byte| if *byte == b'_' { b'-' } else { *byte })
        .collect();
    !NEVER.contains(&name) && !dashed.starts_with(b"x-forwarded-")
}

/// Why hyper refuses a response that comes through here. What its parser (httparse) takes of a head is looked
/// at by `response_head`: what is left is what hyper itself refuses (`proto/h1/role.rs`, `Client::parse`).
fn is_none_for_hyper(response: &Seen, bytes: &[u8]) -> bool {
    let fields = response.fields.iter();
    let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case(b"content-length"));
    // Any head before it may be one that httparse does not know.
    has_other_minor(bytes) || lengths.any(|(_, value)| is_huge(value))
}

/// What `Connection` names, in lower case.
fn connection_names(fields: &Pairs) -> Vec<Vec<u8>> {
    let values = fields.iter().filter(|(name, _)| name == b"connection");
    let names = values.flat_map(|(_, value)| value.split(|byte| *byte == b','));
    names
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .collect()
}
