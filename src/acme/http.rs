//! How the authority is asked: by the HTTP client that postbacks go out by.

use std::fs;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use reqwest::Client;

use super::obtain::Error;
use super::{CacheError, Settings};

/// Largest answer in bytes.
const LIMIT: usize = 1024 * 1024;

/// What one request may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The client.
pub(super) struct Http(Client);

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let mut client = Client::builder()
            .https_only(true)
            .no_proxy()
            .timeout(TIMEOUT);
        if let Some(path) = &settings.ca {
            let pem = fs::read(path).map_err(|source| CacheError::File {
                path: path.clone(),
                source,
            })?;
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?);
        }
        Ok(Self(client.build()?))
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>>;

impl HttpClient for Http {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answering {
        let client = self.0.clone();
        let other = |error: reqwest::Error| instant_acme::Error::Other(Box::new(error));
        Box::pin(async move {
            let (head, mut body) = request.into_parts();
            // It has one frame, or none.
            let body = match body.frame().await {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(never)) => match never {},
                None => Bytes::new(),
            };
            let asked = client
                .request(head.method, head.uri.to_string())
                .headers(head.headers)
                .body(body);
            let response = http::Response::from(asked.send().await.map_err(other)?);
            Ok(response.map(|body| Limited::new(body, LIMIT)).into())
        })
    }
}
