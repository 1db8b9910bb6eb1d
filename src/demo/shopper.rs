//! A shopper who follows a link, buys, and says what was seen: for `demo --once` and the tests.
//!
//! It behaves as a browser does where that matters: navigation fields, a cookie jar kept byte for
//! byte, redirects followed by GET, gzip.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue,
    LOCATION, SET_COOKIE,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, StatusCode, Url, redirect, retry};

/// Redirects followed in a row.
const REDIRECTS: usize = 10;

/// Largest page in bytes, decoded.
const PAGE_LIMIT: u64 = 1024 * 1024;

/// Why a purchase came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request failed.
    #[error("a request of the shopper's failed")]
    Request(#[from] reqwest::Error),
    /// A redirect leads to no URL.
    #[error("a redirect from {0} leads nowhere")]
    Location(Url),
    /// Redirects without end.
    #[error("more than {REDIRECTS} redirects")]
    Redirects,
    /// A page that is not what it says, or too large.
    #[error("a page that cannot be read")]
    Page(#[from] std::io::Error),
    /// Something else than a page.
    #[error("{url} was answered with {status}")]
    Status {
        /// What was asked for.
        url: Url,
        /// What came.
        status: StatusCode,
    },
    /// The confirmation lacks what it must have.
    #[error("no {0} on the confirmation")]
    Missing(&'static str),
}

/// One exchange.
#[derive(Clone, Debug)]
pub struct Step {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's fields.
    pub headers: HeaderMap,
}

/// What was bought.
#[derive(Clone, Debug)]
pub struct Bought {
    /// The order's number.
    pub number: String,
    /// As on the page, without the sign: `1,249.95`.
    pub subtotal: String,
    /// The same, if there was a discount.
    pub discount: Option<String>,
    /// Where the confirmation is.
    pub url: Url,
    /// The confirmation.
    pub page: String,
}

/// A shopper in one store.
#[derive(Clone, Debug)]
pub struct Shopper {
    client: Client,
    /// Name and value as they were set.
    jar: Vec<(String, String)>,
    steps: Vec<Step>,
}

impl Shopper {
    /// A shopper without cookies.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new() -> Result<Self, Error> {
        let client = Client::builder()
            .user_agent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36")
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .tls_certs_only([])
            .dns_resolver(Arc::new(Loopback))
            .build()?;
        Ok(Self {
            client,
            jar: Vec::new(),
            steps: Vec::new(),
        })
    }

    /// Every exchange so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The cookies, as the store set them.
    pub fn cookies(&self) -> &[(String, String)] {
        &self.jar
    }

    /// Follows `link`, buys `product` in the store it leads to, with a coupon or without, and reads the confirmation.
    ///
    /// # Errors
    /// Anything but the pages that the demo shop shows.
    pub async fn buy(
        &mut self,
        link: Url,
        product: &str,
        coupon: Option<&str>,
    ) -> Result<Bought, Error> {
        let (landed, _) = self.open(link).await?;
        let at = |path: &str| {
            let url = landed.join(path);
            url.map_err(|_no_url| Error::Location(landed.clone()))
        };
        self.open(at(&format!("/product/{product}"))?).await?;
        self.post(at("/cart")?, &format!("product={product}&buy=now"))
            .await?;
        if let Some(code) = coupon {
            self.post(at("/cart/coupon")?, &format!("code={code}"))
                .await?;
        }
        let (url, page) = self.post(at("/checkout")?, "name=Robin+Demo").await?;
        let within = |before| between(&page, before, "<");
        let number = within("id=\"order-number\">").ok_or(Error::Missing("order number"))?;
        let subtotal = within("<tr class=\"subtotal\"><th>Subtotal</th><td>$");
        let discount = within("<tr class=\"discount\"><th>Discount</th><td>$");
        Ok(Bought {
            number: number.to_owned(),
            subtotal: subtotal.ok_or(Error::Missing("subtotal"))?.to_owned(),
            discount: discount.map(str::to_owned),
            url,
            page: page.clone(),
        })
    }

    /// Opens a page, as by a click or a reload; where it ended, and what was there.
    ///
    /// # Errors
    /// No page comes.
    pub async fn open(&mut self, url: Url) -> Result<(Url, String), Error> {
        self.navigate(Method::GET, url, None).await
    }

    async fn post(&mut self, url: Url, form: &str) -> Result<(Url, String), Error> {
        self.navigate(Method::POST, url, Some(form.to_owned()))
            .await
    }

    async fn navigate(
        &mut self,
        mut method: Method,
        mut url: Url,
        mut form: Option<String>,
    ) -> Result<(Url, String), Error> {
        for _ in 0..REDIRECTS {
            let response = self.ask(&method, &url, form.take()).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            self.keep(&headers);
            self.steps.push(Step {
                method,
                url: url.clone(),
                status,
                headers: headers.clone(),
            });
            if status.is_success() {
                let page = read(response, headers.get(CONTENT_ENCODING)).await?;
                return Ok((url, page));
            }
            if !status.is_redirection() {
                return Err(Error::Status { url, status });
            }
            let to = headers.get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| url.join(to).ok());
            url = to.ok_or(Error::Location(url))?;
            method = Method::GET;
        }
        Err(Error::Redirects)
    }

    async fn ask(
        &self,
        method: &Method,
        url: &Url,
        form: Option<String>,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let mut request = self
            .client
            .request(method.clone(), url.clone())
            .header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .header(ACCEPT_ENCODING, "gzip")
            .header("Sec-Fetch-Dest", "document")
            .header("Sec-Fetch-Mode", "navigate")
            .header(
                "Sec-Fetch-Site",
                if self.steps.is_empty() {
                    "cross-site"
                } else {
                    "same-origin"
                },
            )
            .header("Sec-Fetch-User", "?1");
        let pairs: Vec<_> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !pairs.is_empty()
            && let Ok(cookie) = HeaderValue::from_bytes(pairs.join("; ").as_bytes())
        {
            request = request.header(COOKIE, cookie);
        }
        if let Some(form) = form {
            request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form);
        }
        request.send().await
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let line = String::from_utf8_lossy(line.as_bytes());
            let pair = line.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            self.jar.retain(|(known, _)| known != name);
            self.jar.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Every name under `localhost` is this machine (RFC 6761 §6.3): browsers know it, not every system resolver does.
#[derive(Debug)]
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, name: Name) -> Resolving {
        let local = name.as_str() == "localhost" || name.as_str().ends_with(".localhost");
        Box::pin(std::future::ready(if local {
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let addresses: Addrs = Box::new(std::iter::once(here));
            Ok(addresses)
        } else {
            Err("the demo's shopper stays on this machine".into())
        }))
    }
}

async fn read(
    mut response: reqwest::Response,
    coding: Option<&HeaderValue>,
) -> Result<String, Error> {
    let mut raw = Vec::new();
    let limit = usize::try_from(PAGE_LIMIT).unwrap_or(usize::MAX);
    while let Some(more) = response.chunk().await? {
        raw.extend_from_slice(&more);
        if raw.len() > limit {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidData).into());
        }
    }
    let mut page = String::new();
    if coding.is_some_and(|coding| coding == "gzip") {
        let decoder = flate2::read::GzDecoder::new(raw.as_slice());
        decoder.take(PAGE_LIMIT).read_to_string(&mut page)?;
    } else {
        raw.as_slice().read_to_string(&mut page)?;
    }
    Ok(page)
}

fn between<'a>(page: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(before)?;
    Some(rest.split_once(after)?.0)
}
