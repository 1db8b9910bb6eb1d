//! The client to the shop by itself, against a raw shop.

mod fail;
mod framing;
mod http2;
mod model;
mod resend;
mod reuse;
mod stream;
mod switch;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use refgate::event::{Counters, Event};
use refgate::forward::{Body, Client, Error, Failed, Resend, Settings};
use refgate::message::body::next;
use refgate::message::{
    Fields, Frame, Incoming, Interim, Request, RequestHead, Response, ResponseHead, Target,
    incoming,
};
use refgate::store::{Protocol, Upstream};
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use crate::support::wire::PATIENCE;

/// Long enough never to matter.
const LONG: Duration = Duration::from_secs(60);

fn settings() -> Settings {
    Settings {
        trusted_proxies: Vec::new(),
        connect_timeout: LONG,
        response_timeout: LONG,
        body_timeout: LONG,
        pool_idle: LONG,
        pool_size: 8,
        tunnel_timeout: LONG,
    }
}

/// A client on a runtime of its own.
struct Direct {
    client: Client,
    upstream: Upstream,
    counters: Arc<Counters>,
    runtime: Runtime,
}

/// What came back, whole.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
    /// Why the body broke off.
    broken: Option<String>,
}

impl Direct {
    fn to(shop: SocketAddr) -> Self {
        Self::with(shop, |_| {})
    }

    fn with(shop: SocketAddr, change: impl FnOnce(&mut Settings)) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut settings = settings();
        change(&mut settings);
        let counters = Arc::new(Counters::default());
        let _entered = runtime.enter();
        let client = Client::new(
            Arc::new(settings),
            Arc::clone(&counters),
            &TaskTracker::new(),
        );
        Self {
            client,
            upstream: Upstream {
                host: shop.ip().to_string(),
                port: shop.port(),
                tls: None,
                protocol: Protocol::default(),
            },
            counters,
            runtime,
        }
    }

    fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, future)
                .await
                .expect("it hangs")
        })
    }

    async fn send(&self, request: Request) -> Result<Response<Body>, Failed> {
        self.client
            .send(&self.upstream, request, Resend::Never)
            .await
    }

    /// Sends, and reads the response to its end.
    fn ask(&self, request: Request) -> Result<Answer, Error> {
        self.run(async {
            let response = self.send(request).await.map_err(|failed| failed.error)?;
            Ok(whole(response).await)
        })
    }

    /// Sends, and reads the response's text, which is complete.
    fn text(&self, request: Request) -> String {
        let answer = self.ask(request).unwrap();
        assert_eq!(answer.broken, None);
        String::from_utf8(answer.body).unwrap()
    }

    /// Lets the runtime hear of what has come to its sockets.
    fn hear(&self) {
        self.run(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
    }

    fn retried(&self) -> u64 {
        self.counters.get(Event::ForwardRetried)
    }
}

async fn whole(response: Response<Body>) -> Answer {
    let mut answer = Answer {
        status: response.head.status.as_u16(),
        fields: lines(&response.head.fields),
        body: Vec::new(),
        trailers: Vec::new(),
        broken: None,
    };
    let mut body = response.body;
    while let Some(frame) = next(&mut body).await {
        match frame {
            Ok(Frame::Data(data)) => answer.body.extend_from_slice(&data),
            Ok(Frame::Trailers(trailers)) => answer.trailers = lines(&trailers),
            Err(error) => answer.broken = Some(error.to_string()),
        }
    }
    answer
}

fn lines(fields: &Fields) -> Vec<(String, String)> {
    let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let line = |(name, value)| (text(name), text(value));
    fields.iter().map(line).collect()
}

/// A request without a body.
fn bare(method: &str, target: &str) -> Request {
    with_body(method, target, &[], Incoming::empty())
}

fn get(target: &str) -> Request {
    bare("GET", target)
}

fn with_body(method: &str, target: &str, more: &[(&str, &str)], body: Incoming) -> Request {
    let mut fields: Fields = [("Host", "shop.test")].into_iter().collect();
    for (name, value) in more {
        fields.append(name.as_bytes(), value.as_bytes());
    }
    Request {
        head: Box::new(RequestHead {
            method: method.parse().unwrap(),
            target: Target::from(target),
            authority: None,
            protocol: None,
            version: Version::HTTP_11,
            fields,
        }),
        body,
        interim: Interim::open(),
    }
}

/// A request with a body that is there already.
fn post(target: &str, text: &'static str) -> Request {
    let length = text.len().to_string();
    let body = ready(Some(text.len()), &[text]);
    with_body("POST", target, &[("Content-Length", &length)], body)
}

/// A body that has come whole.
fn ready(length: Option<usize>, pieces: &[&'static str]) -> Incoming {
    let length = length.map(|length| u64::try_from(length).unwrap());
    let (feed, body) = incoming::pipe(length);
    for piece in pieces {
        feed.push(data(piece));
    }
    feed.end();
    body
}

fn data(text: &'static str) -> Frame {
    Frame::Data(Bytes::from_static(text.as_bytes()))
}

/// The interim responses that came so far.
fn passed(interim: &Interim) -> Vec<ResponseHead> {
    interim.take(&mut Context::from_waker(Waker::noop()))
}
