//! Certificates from an authority (ACME, RFC 8555): obtained, kept, renewed early.
//!
//! - One certificate for each host, so that one whose name service is wrong does not keep the
//!   others from theirs.
//! - A host has none until its first one is there: its handshakes are refused meanwhile. A
//!   self-signed one would teach shoppers to click warnings away.
//! - What cannot be obtained is told and tried again, ever more slowly; the certificate in use
//!   stays in use.
//!
//! Everything happens on the control runtime. The request path knows the answers to HTTP-01
//! challenges ([`Tokens`]), handshakes the certificates of TLS-ALPN-01 (RFC 8737).

mod cache;
mod due;
mod http;
mod obtain;
mod tokens;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier, NewAccount};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::accept::tls::{Certificate, Certificates};
use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::{Counters, Event};

use cache::Cache;
use obtain::{Answers, Error};

pub use cache::Error as CacheError;
pub use tokens::Tokens;

/// The directory of Let's Encrypt.
pub const PRODUCTION: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Its directory for trying out: the same, trusted by nobody.
pub const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// What one certificate may take, from the order to the chain.
const LIMIT: Duration = Duration::from_secs(300);

/// Whom to ask, for what, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The authority's directory, an `https` URL.
    pub directory: String,
    /// Whom the authority may write to: `mailto:…`.
    pub contact: Option<String>,
    /// The hosts, each of which gets a certificate.
    pub hosts: Vec<String>,
    /// The folder for the account and the certificates.
    pub cache: PathBuf,
    /// How the authority sees that the hosts are ours.
    pub challenge: Challenge,
    /// PEM: who signs the authority's own TLS, in place of the machine's roots.
    pub ca: Option<PathBuf>,
}

/// How an authority sees that a host is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// It asks for a page by plain HTTP, port 80 (RFC 8555 §8.3).
    Http01,
    /// It makes a handshake, port 443 (RFC 8737).
    TlsAlpn01,
}

/// Obtains certificates.
pub struct Acme {
    settings: Settings,
    cache: Cache,
    hosts: Vec<Host>,
    account: Option<Account>,
    answers: Answers,
    counters: Arc<Counters>,
}

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acme")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What is known of one host.
#[derive(Clone)]
struct Host {
    name: String,
    certificate: Option<Certificate>,
    /// When it is to be renewed.
    due: Time,
    /// When it is looked at.
    next: Time,
    /// In a row.
    failures: u32,
}

impl Acme {
    /// Takes what the cache holds into use.
    ///
    /// # Errors
    /// The cache's folder cannot be made.
    pub fn open(
        settings: Settings,
        answers: (Arc<Certificates>, Arc<Tokens>),
        counters: Arc<Counters>,
        now: Time,
    ) -> Result<Self, CacheError> {
        let cache = Cache::open(&settings.cache, &settings.directory)?;
        let (certificates, tokens) = answers;
        let mut hosts = Vec::new();
        for name in &settings.hosts {
            let certificate = kept(&cache, name);
            certificates.install(name, certificate.clone());
            hosts.push(Host::new(name, certificate, now));
        }
        Ok(Self {
            answers: Answers {
                certificates,
                tokens,
                challenge: settings.challenge,
            },
            settings,
            cache,
            hosts,
            account: None,
            counters,
        })
    }

    /// Obtains and renews until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // An order that is left in the middle is begun anew at the next start.
        tokio::select! {
            () = self.work() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn work(&mut self) {
        while let Some(next) = self.hosts.iter().map(|host| host.next).min() {
            tokio::time::sleep(next.since(Time::now())).await;
            for at in 0..self.hosts.len() {
                self.look(at).await;
            }
        }
    }

    /// Looks at one host, if it is time.
    async fn look(&mut self, at: usize) {
        let Some(mut host) = self.hosts.get(at).cloned() else {
            return;
        };
        if Time::now() < host.next {
            return;
        }
        if host.certificate.is_some() && Time::now() < host.due {
            self.ask(&mut host).await;
        }
        if Time::now() >= host.due {
            self.renew(&mut host).await;
        }
        if let Some(place) = self.hosts.get_mut(at) {
            *place = host;
        }
    }

    /// Whether the authority wants it renewed earlier than we do (RFC 9773).
    async fn ask(&mut self, host: &mut Host) {
        let suggested = tokio::time::timeout(LIMIT, self.suggested(host));
        let retry = match suggested.await {
            Ok(Ok((window, retry))) => {
                host.due = host.due.min(due::within(window, random()));
                retry
            }
            // Many authorities have no such thing.
            Ok(Err(error)) => {
                debug!(host = host.name, error = %Causes(&error), "no renewal information");
                due::ASK_AGAIN
            }
            Err(_elapsed) => due::ASK_AGAIN,
        };
        host.next = host.due.min(due::ask_again(Time::now(), retry));
    }

    async fn suggested(&mut self, host: &Host) -> Result<((Time, Time), Duration), Error> {
        let id = host.id().ok_or(Error::NoIdentifier)?;
        let (info, retry) = self.account().await?.renewal_info(&id).await?;
        let window = info.suggested_window;
        let time = |moment: time::OffsetDateTime| {
            Time::from_millis(moment.unix_timestamp().saturating_mul(1000))
        };
        Ok(((time(window.start), time(window.end)), retry))
    }

    async fn renew(&mut self, host: &mut Host) {
        // Another process may have been here.
        let known = host.certificate.as_ref().map(|known| known.valid_until);
        let kept = kept(&self.cache, &host.name);
        if let Some(kept) = kept.filter(|kept| Some(kept.valid_until) > known) {
            self.install(host, kept);
            return;
        }
        let obtained = tokio::time::timeout(LIMIT, self.obtain_or_register(host)).await;
        match obtained.unwrap_or(Err(Error::Late)) {
            Ok(certificate) => {
                info!(host = host.name, until = %certificate.valid_until, "obtained a certificate");
                self.counters.add(Event::CertificateChanged);
                let alarms = self.counters.alarms();
                alarms.clear(Alarm::CertificateFails, &host.name, Time::now());
                self.install(host, certificate);
            }
            Err(error) => {
                host.failures = host.failures.saturating_add(1);
                host.next = Time::now().plus(due::pause(host.failures));
                self.counters.add(Event::CertificateFailed);
                error!(
                    host = host.name,
                    again = %host.next,
                    error = %Causes(&error),
                    "could not obtain a certificate"
                );
                let words = format!("could not obtain a certificate: {}", Causes(&error));
                let alarms = self.counters.alarms();
                alarms.raise(Alarm::CertificateFails, &host.name, &words, Time::now());
            }
        }
    }

    fn install(&self, host: &mut Host, certificate: Certificate) {
        let certificates = &self.answers.certificates;
        certificates.install(&host.name, Some(certificate.clone()));
        let now = Time::now();
        host.due = due::of_new(&certificate, now);
        // A new one needs no second opinion.
        host.next = host.due.min(due::ask_again(now, due::ASK_AGAIN));
        host.certificate = Some(certificate);
        host.failures = 0;
    }

    /// Once more with a new account where the authority has forgotten the one that we have.
    async fn obtain_or_register(&mut self, host: &Host) -> Result<Certificate, Error> {
        match self.obtain(host).await {
            Err(error) if error.is_about_account() => {
                warn!(error = %Causes(&error), "the account is gone: another is made");
                self.account = None;
                self.cache.forget_account();
                self.obtain(host).await
            }
            done => done,
        }
    }

    async fn obtain(&mut self, host: &Host) -> Result<Certificate, Error> {
        let replaces = host.id();
        let account = self.account().await?.clone();
        let pem = obtain::obtain(&account, &host.name, replaces, &self.answers).await?;
        let certificate = Certificate::parse(pem.as_bytes(), pem.as_bytes())?;
        self.cache.keep(&host.name, &pem)?;
        Ok(certificate)
    }

    /// The account at the authority; made where there is none.
    async fn account(&mut self) -> Result<&Account, Error> {
        let account = match self.account.take() {
            Some(account) => account,
            None => self.open_account().await?,
        };
        Ok(self.account.insert(account))
    }

    async fn open_account(&self) -> Result<Account, Error> {
        let builder = Account::builder_with_http(Box::new(http::Http::new(&self.settings)?));
        if let Some(credentials) = self.cache.account()? {
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact: Vec<&str> = self.settings.contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = self.settings.directory.clone();
        let (account, credentials) = builder.create(&new, directory, None).await?;
        self.cache.keep_account(&credentials)?;
        info!(
            account = account.id(),
            "made an account at the certificate authority"
        );
        Ok(account)
    }
}

impl Host {
    fn new(name: &str, certificate: Option<Certificate>, now: Time) -> Self {
        let due = certificate.as_ref().map_or(now, due::of);
        Self {
            name: name.to_owned(),
            certificate,
            due,
            next: now,
            failures: 0,
        }
    }

    /// What the authority calls the certificate (RFC 9773 §4.1).
    fn id(&self) -> Option<CertificateIdentifier<'static>> {
        CertificateIdentifier::try_from(self.certificate.as_ref()?.leaf()?).ok()
    }
}

/// What the cache holds for a host, if it can be used.
fn kept(cache: &Cache, host: &str) -> Option<Certificate> {
    let pem = match cache.certificate(host) {
        Ok(pem) => pem?,
        Err(error) => {
            warn!(host, error = %Causes(&error), "a kept certificate cannot be read");
            return None;
        }
    };
    match Certificate::parse(&pem, &pem) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            let file = cache.path(host);
            warn!(host, file = %file.display(), error = %Causes(&error), "a kept certificate cannot be used");
            None
        }
    }
}

/// Good enough to spread renewals by.
fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}
