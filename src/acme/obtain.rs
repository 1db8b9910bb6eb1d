//! One certificate: order, challenge, key, chain.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Identifier,
    KeyAuthorization, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tracing::debug;

use super::{CacheError, Challenge, Tokens};
use crate::accept::tls::{CertificateError, Certificates};
use crate::cause::Causes;

/// How long an authority may look at a challenge, or make a certificate.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The authority refused something, or gave an answer that makes no sense.
    #[error("the authority cannot be asked, or refuses")]
    Authority(#[from] instant_acme::Error),
    /// The client that asks it cannot be made.
    #[error("no client that could ask the authority")]
    Client(#[from] reqwest::Error),
    /// The host was refused before; why, if it says.
    #[error("the host is not seen to be ours: {0}")]
    Refused(Refusal),
    /// It has other kinds of challenges only.
    #[error("the authority does not offer this kind of challenge")]
    NotOffered,
    /// All of it took too long.
    #[error("no certificate within five minutes")]
    Late,
    /// The certificate of a challenge cannot be made.
    #[error("the certificate for the challenge cannot be made")]
    Make(#[from] rcgen::Error),
    /// The key of a challenge cannot be used.
    #[error("the certificate for the challenge cannot be used")]
    Challenge(#[from] rustls::Error),
    /// What the authority gave cannot be used.
    #[error("the certificate cannot be used")]
    Certificate(#[from] CertificateError),
    /// It cannot be kept.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// It does not say who issued it, so the authority cannot be asked about it.
    #[error("the certificate names no issuer's key")]
    NoIdentifier,
}

/// What an authority says of a host that it refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Its own words.
    #[error("{0}")]
    Said(Problem),
    /// The state of the order or authorization, without a word.
    #[error("{0}")]
    State(&'static str),
}

impl Error {
    /// Whether the authority knows our account no longer (RFC 8555 §6.7).
    pub(super) fn is_about_account(&self) -> bool {
        const GONE: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
        match self {
            Self::Authority(instant_acme::Error::Api(problem)) => {
                problem.r#type.as_deref() == Some(GONE)
            }
            _ => false,
        }
    }
}

/// Where the answers to challenges are lent.
pub(super) struct Answers {
    pub(super) certificates: Arc<Certificates>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) challenge: Challenge,
}

/// A lent answer; it is withdrawn with this.
enum Lent<'a> {
    Page(&'a Tokens, String),
    Certificate(&'a Certificates, &'a str),
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        match self {
            Self::Page(tokens, token) => tokens.withdraw(token),
            Self::Certificate(certificates, host) => certificates.withdraw(host),
        }
    }
}

/// The key and the chain, PEM.
pub(super) async fn obtain(
    account: &Account,
    host: &str,
    replaces: Option<CertificateIdentifier<'static>>,
    answers: &Answers,
) -> Result<String, Error> {
    let mut order = order(account, host, replaces).await?;
    let lent = meet(&mut order, host, answers).await?;
    let status = order.poll_ready(&PATIENCE).await?;
    drop(lent);
    if !matches!(status, OrderStatus::Ready) {
        return Err(Error::Refused(refusal(&mut order).await?));
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(key + &chain)
}

/// Says which certificate it replaces, where the authority understands that: renewals are
/// then free of its limits (RFC 9773 §5).
async fn order(
    account: &Account,
    host: &str,
    replaces: Option<CertificateIdentifier<'static>>,
) -> Result<Order, Error> {
    let identifiers = [Identifier::Dns(host.to_owned())];
    if let Some(replaces) = replaces {
        let order = NewOrder::new(&identifiers).replaces(replaces);
        match account.new_order(&order).await {
            Ok(order) => return Ok(order),
            Err(error) => debug!(host, error = %Causes(&error), "ordered as a new one"),
        }
    }
    Ok(account.new_order(&NewOrder::new(&identifiers)).await?)
}

/// Lends the answer to the host's challenge and says so; nothing to do where the authority has
/// seen lately that the host is ours.
async fn meet<'a>(
    order: &mut Order,
    host: &'a str,
    answers: &'a Answers,
) -> Result<Vec<Lent<'a>>, Error> {
    let kind = match answers.challenge {
        Challenge::Http01 => ChallengeType::Http01,
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    };
    let mut lent = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            _ => return Err(Error::Refused(Refusal::State("it was refused before"))),
        }
        let challenge = authorization.challenge(kind.clone());
        let mut challenge = challenge.ok_or(Error::NotOffered)?;
        let key = challenge.key_authorization();
        lent.push(match answers.challenge {
            Challenge::Http01 => {
                let token = challenge.token.clone();
                answers.tokens.lend(&token, key.as_str());
                Lent::Page(&answers.tokens, token)
            }
            Challenge::TlsAlpn01 => {
                lend(&answers.certificates, host, &key)?;
                Lent::Certificate(&answers.certificates, host)
            }
        });
        challenge.set_ready().await?;
    }
    Ok(lent)
}

/// A self-signed certificate with the digest of the key's authorization in it (RFC 8737 §3).
fn lend(certificates: &Certificates, host: &str, key: &KeyAuthorization) -> Result<(), Error> {
    let mut params = CertificateParams::new([host.to_owned()])?;
    let digest = key.digest();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.der().clone();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    Ok(certificates.lend(host, certificate, &key)?)
}

/// Why an order came to nothing.
async fn refusal(order: &mut Order) -> Result<Refusal, Error> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let state = authorization.refresh().await?;
        let error = state.challenges.iter().find_map(|one| one.error.clone());
        if let Some(problem) = error {
            return Ok(Refusal::Said(problem));
        }
    }
    match &order.state().error {
        Some(problem) => Ok(Refusal::Said(problem.clone())),
        None => Ok(Refusal::State(
            "the order is not ready, and nobody says why",
        )),
    }
}
