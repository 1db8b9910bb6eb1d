//! One GET to a network, or POST to a webhook, and how it ended: not sent for certain, broken off, or answered.
//!
//! It follows no redirect, repeats nothing, reads no proxy variable, keeps no cookie and reuses no
//! connection: an error on a kept one would leave in doubt whether the postback arrived, and a
//! doubt costs the operator more than a handshake.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect, retry};
use tokio::time::{Instant, timeout_at};

use super::egress::Egress;
use crate::cause::Causes;

/// Sends postbacks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client,
    /// Whether a proxy stands between.
    proxied: bool,
    timeout: Duration,
    answer_limit: usize,
}

/// What a sender must know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether any URL is `https`: only then the machine's root certificates are needed.
    pub tls: bool,
    /// For DNS, TCP and TLS together; below `timeout`, or a slow connection counts as a doubt.
    pub connect_timeout: Duration,
    /// For the whole attempt.
    pub timeout: Duration,
    /// Largest answer in bytes.
    pub answer_limit: usize,
    /// The way out.
    pub egress: Egress,
}

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Its header fields.
    pub fields: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// How an attempt ended on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// No byte of the request reached the network: no address, no connection, no TLS, no way through the proxy. Why, in words.
    NotSent(String),
    /// The request may have been read, and no head came back. Why, in words.
    Broken(String),
    /// A head came back.
    Answered(Answered),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The body, or as much of it as came.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub end: End,
    /// `Retry-After` as it stands there.
    pub retry_after: Option<String>,
}

/// How an answer's body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Whole,
    /// Too early. Why, in words.
    Cut(String),
    /// It was larger than the limit.
    Long,
}

impl Sender {
    /// A sender.
    ///
    /// # Errors
    /// The machine has no root certificates and `tls` asks for them.
    pub fn new(options: &Options) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder()
            .user_agent(concat!("refgate/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(options.connect_timeout.min(options.timeout));
        if !options.tls {
            client = client.tls_certs_only([]);
        }
        client = options.egress.apply(client)?;
        Ok(Self {
            proxied: options.egress.proxy.is_some(),
            client: client.build()?,
            timeout: options.timeout,
            answer_limit: options.answer_limit,
        })
    }

    /// Sends one GET, or this POST, and reads what comes back, within the limits.
    pub async fn send(&self, url: Url, post: Option<Post>) -> Ended {
        let deadline = Instant::now() + self.timeout;
        let plain = url.scheme() == "http";
        let request = match post {
            None => self.client.get(url),
            Some(post) => {
                let request = self.client.post(url).body(post.body);
                let field = |request: RequestBuilder, (name, value)| request.header(name, value);
                post.fields.into_iter().fold(request, field)
            }
        };
        let response = match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return unanswered(error),
            Err(_elapsed) => return Ended::Broken(self.too_late("no answer")),
        };
        let refused = response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        // Within a tunnel a network would have said it.
        if refused && self.proxied && plain {
            let words = "the proxy does not take the credentials, or wants some (407)";
            return Ended::NotSent(words.to_owned());
        }
        let retry_after = response.headers().get(http::header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok());
        let mut answered = Answered {
            status: response.status().as_u16(),
            retry_after: retry_after.map(str::to_owned),
            body: Vec::new(),
            end: End::Whole,
        };
        let reading = self.read(response, &mut answered.body);
        answered.end = match timeout_at(deadline, reading).await {
            Ok(end) => end,
            Err(_elapsed) => End::Cut(self.too_late("no end of the answer")),
        };
        Ended::Answered(answered)
    }

    async fn read(&self, mut response: Response, body: &mut Vec<u8>) -> End {
        loop {
            let more = match response.chunk().await {
                Ok(Some(more)) => more,
                Ok(None) => return End::Whole,
                Err(error) => return End::Cut(words(error)),
            };
            let room = self.answer_limit.saturating_sub(body.len());
            body.extend(more.iter().take(room));
            if more.len() > room {
                return End::Long;
            }
        }
    }

    fn too_late(&self, what: &str) -> String {
        format!("{what} within {:?}", self.timeout)
    }
}

/// Only an error before the request's first byte proves that it was not sent.
fn unanswered(error: reqwest::Error) -> Ended {
    let not_sent = error.is_connect() || error.is_dns() || error.is_builder();
    let words = words(error);
    if not_sent {
        Ended::NotSent(words)
    } else {
        Ended::Broken(words)
    }
}

/// An error with its causes, without the URL: that may hold a secret.
fn words(error: reqwest::Error) -> String {
    Causes(&error.without_url()).to_string()
}
