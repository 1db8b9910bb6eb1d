//! A small shop as unmodified shops are: sessions, a cart, POST → 303 → GET, prices in a page.
//!
//! One shop serves two stores, each on its own listener, and counts their orders together. It sets
//! cookies of its own (awkward ones too), answers gzip when asked, shows a confirmation only to the
//! session that bought, and the same one again on a reload. It has never heard of affiliates.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, ETAG, IF_NONE_MATCH,
    LOCATION, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod goods;
mod pages;

use goods::Session;
pub use goods::{Bill, Cents, Order, Storefront};

/// Largest form in bytes.
const FORM_LIMIT: usize = 16 * 1024;

/// Connections at once per store; a further one waits.
const CONNECTIONS: usize = 1024;

/// Sessions and orders kept; the oldest go first.
const KEPT: usize = 10_000;

/// Requests kept for [`Shop::requests`].
const REQUESTS: usize = 10_000;

/// The first order's number.
const FIRST_ORDER: u64 = 100_001;

/// A cookie such as shops set and parsers break: quotes, backslashes, commas, spaces. One backslash
/// or quote less on the way back, and the shop says so ([`Shop::mangled`]).
pub const AWKWARD: &str = r#""view=\"grid\", size=\"large\" é=1""#;

/// The shop. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Shop {
    /// Held for a moment only, never over an await.
    books: Arc<Mutex<Books>>,
}

#[derive(Debug, Default)]
struct Books {
    sessions: HashMap<String, Session>,
    /// Session ids, oldest first.
    arrivals: VecDeque<String>,
    orders: VecDeque<Order>,
    placed: u64,
    requests: VecDeque<Seen>,
    mangled: u64,
}

/// A request as the shop saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Every field.
    pub headers: HeaderMap,
}

/// A page, or where to go.
enum Reply {
    Page(StatusCode, String),
    Style,
    Goto(String),
}

impl Shop {
    /// A shop that has sold nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every order, oldest first.
    pub fn orders(&self) -> Vec<Order> {
        self.books(|books| books.orders.iter().cloned().collect())
    }

    /// The requests seen, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        self.books(|books| books.requests.iter().cloned().collect())
    }

    /// How often [`AWKWARD`] came back as something else.
    pub fn mangled(&self) -> u64 {
        self.books(|books| books.mangled)
    }

    /// Serves one store until `shutdown`.
    pub async fn serve(
        self,
        listener: TcpListener,
        store: Storefront,
        shutdown: CancellationToken,
    ) {
        let store = Arc::new(store);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_ended) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(self.clone().connection(stream, Arc::clone(&store)));
                    }
                }
            }
        }
        connections.shutdown().await;
    }

    async fn connection(self, stream: TcpStream, store: Arc<Storefront>) {
        let service = service_fn(|request| self.answer(request, &store));
        let server = hyper::server::conn::http1::Builder::new();
        // A client that goes away is no fault of the shop's.
        drop(server.serve_connection(TokioIo::new(stream), service).await);
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        store: &Storefront,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, FORM_LIMIT);
        #[expect(clippy::disallowed_methods, reason = "limited in the line above")]
        let collected = body.collect().await;
        let Ok(form) = collected.map(http_body_util::Collected::to_bytes) else {
            let page = pages::nothing(store, "That was too much for a form.");
            return Ok(page_of(StatusCode::PAYLOAD_TOO_LARGE, page, &head.headers));
        };
        let form = crate::message::form::pairs(&String::from_utf8_lossy(&form));
        let cookie = head.headers.get(COOKIE).map(HeaderValue::as_bytes);
        let cookie = String::from_utf8_lossy(cookie.unwrap_or_default()).into_owned();
        let (reply, sid) = self.books(|books| {
            books.note(&head, &cookie);
            let sid = books.session(&cookie);
            let reply = books.reply(&head, &form, &sid, store);
            (reply, sid)
        });
        let mut response = match reply {
            Reply::Page(status, page) => page_of(status, page, &head.headers),
            Reply::Style => return Ok(style(&head.headers)),
            Reply::Goto(location) => see_other(&location),
        };
        set_cookies(response.headers_mut(), &sid, &cookie, store);
        Ok(response)
    }

    fn books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        let books = self.books.lock();
        look(&mut books.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Books {
    fn note(&mut self, head: &http::request::Parts, cookie: &str) {
        if value_of(cookie, "prefs").is_some_and(|value| value != AWKWARD) {
            self.mangled += 1;
        }
        if self.requests.len() >= REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(Seen {
            method: head.method.clone(),
            target: head.uri.to_string(),
            headers: head.headers.clone(),
        });
    }

    /// The id of the visitor's session, a new one if need be.
    fn session(&mut self, cookie: &str) -> String {
        let known = value_of(cookie, "sid").filter(|sid| self.sessions.contains_key(*sid));
        if let Some(sid) = known {
            return sid.to_owned();
        }
        if self.arrivals.len() >= KEPT
            && let Some(oldest) = self.arrivals.pop_front()
        {
            self.sessions.remove(&oldest);
        }
        let sid = random_id();
        self.arrivals.push_back(sid.clone());
        self.sessions.insert(sid.clone(), Session::default());
        sid
    }

    fn reply(
        &mut self,
        head: &http::request::Parts,
        form: &[(String, String)],
        sid: &str,
        store: &Storefront,
    ) -> Reply {
        let session = self.sessions.entry(sid.to_owned()).or_default();
        let ok = |page| Reply::Page(StatusCode::OK, page);
        let get = head.method == Method::GET || head.method == Method::HEAD;
        let field = |name: &str| form.iter().find(|(found, _)| found == name);
        match head.uri.path() {
            "/" if get => ok(pages::home(store)),
            "/style.css" if get => Reply::Style,
            "/cart" if get => ok(pages::cart(store, session)),
            "/checkout" if get && session.is_empty() => Reply::Goto("/cart".to_owned()),
            "/checkout" if get => ok(pages::checkout(store, session)),
            "/cart" if head.method == Method::POST => {
                if let Some((_, product)) = field("product") {
                    session.add(product);
                }
                let now = field("buy").is_some();
                Reply::Goto(if now { "/checkout" } else { "/cart" }.to_owned())
            }
            "/cart/coupon" if head.method == Method::POST => {
                session.redeem(field("code").map_or("", |(_, code)| code));
                Reply::Goto("/checkout".to_owned())
            }
            "/checkout" if head.method == Method::POST => self.place(sid, store),
            path => match path.strip_prefix("/checkout/thank-you/") {
                Some(number) if get => self.thank(number, sid, store),
                _ => match path.strip_prefix("/product/").and_then(goods::find) {
                    Some(product) if get => ok(pages::product(store, product)),
                    _ => missing(store),
                },
            },
        }
    }

    /// Turns the cart into an order.
    fn place(&mut self, sid: &str, store: &Storefront) -> Reply {
        let number = FIRST_ORDER + self.placed;
        let session = self.sessions.entry(sid.to_owned()).or_default();
        let Some(order) = session.order(number, sid, store) else {
            return Reply::Goto("/cart".to_owned());
        };
        self.placed += 1;
        if self.orders.len() >= KEPT {
            self.orders.pop_front();
        }
        self.orders.push_back(order);
        Reply::Goto(format!("/checkout/thank-you/{number}"))
    }

    /// The confirmation, for the session that bought; as often as it likes.
    fn thank(&self, number: &str, sid: &str, store: &Storefront) -> Reply {
        let mut orders = self.orders.iter();
        let order = orders.find(|order| order.number.to_string() == number && order.is_of(sid));
        match order {
            Some(order) => Reply::Page(StatusCode::OK, pages::thanks(store, order)),
            None => missing(store),
        }
    }
}

fn missing(store: &Storefront) -> Reply {
    let page = pages::nothing(store, "There is no such page.");
    Reply::Page(StatusCode::NOT_FOUND, page)
}

/// The value of a cookie, byte for byte as it stands in the field.
fn value_of<'a>(cookie: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = cookie.split("; ").filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

fn random_id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // Every session is then one: a demo shop may live with that.
        bytes = [0; 16];
    }
    format!("{:032x}", u128::from_ne_bytes(bytes))
}

/// The session on every response, the others once.
fn set_cookies(headers: &mut HeaderMap, sid: &str, cookie: &str, store: &Storefront) {
    let mut lines = vec![format!("sid={sid}; Path=/; HttpOnly; SameSite=Lax")];
    if value_of(cookie, "prefs").is_none() {
        lines.push(format!("prefs={AWKWARD}; Path=/; Max-Age=31536000"));
        lines.push(format!(
            "currency={}; Path=/; Expires=Fri, 31 Dec 2060 23:59:59 GMT",
            store.currency
        ));
    }
    for line in lines {
        if let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) {
            headers.append(SET_COOKIE, value);
        }
    }
}

fn see_other(location: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn page_of(status: StatusCode, page: String, asked: &HeaderMap) -> Response<Full<Bytes>> {
    let zipped = takes_gzip(asked).then(|| gzip(page.as_bytes())).flatten();
    let gzipped = zipped.is_some();
    let body = zipped.map_or_else(|| Bytes::from(page), Bytes::from);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(CONTENT_TYPE, html);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if gzipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The one answer that a cache may keep.
fn style(asked: &HeaderMap) -> Response<Full<Bytes>> {
    let tag = HeaderValue::from_static("\"1\"");
    let known = asked.get(IF_NONE_MATCH) == Some(&tag);
    let body = if known { "" } else { pages::STYLE };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/css"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    headers.insert(ETAG, tag);
    response
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    let fields = asked.get_all(ACCEPT_ENCODING).into_iter();
    let codings = fields.filter_map(|field| field.to_str().ok());
    codings.flat_map(|field| field.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && parts.all(|part| part != "q=0")
    })
}

fn gzip(page: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(page).ok()?;
    encoder.finish().ok()
}
