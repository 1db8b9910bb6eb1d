//! The operator's webhook: each alarm when it begins, while it stands, and when it is over.
//!
//! It goes by what stands, not by a queue: whatever could not be told is told at the next try, as it
//! stands then, and what is kept is bounded by the alarms. Nothing waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, redirect, retry};
use serde_json::json;

use super::looking::Looking;
use crate::alarm::{Alarm, Settings, Standing, Webhook};
use crate::cause::Causes;
use crate::clock::Time;
use crate::current::Current;
use crate::event::Counters;
use crate::secret::{Secret, mask};

/// For one POST and its answer's head.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Waits after one that failed; the last one again and again.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
];

/// Whether something is to be told again is looked at so often.
const LOOK: Duration = Duration::from_secs(30);

/// Tells what stands in `counters` by the settings' webhook.
pub(super) struct Telling {
    settings: Arc<Current<Settings>>,
    counters: Arc<Counters>,
}

/// What was told, by alarm and subject, and when.
type Told = BTreeMap<(Alarm, String), (Standing, Time)>;

/// Something to tell.
#[derive(Debug)]
struct News {
    kind: &'static str,
    standing: Standing,
}

/// Why it was not taken.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("it cannot be asked")]
    Send(#[from] reqwest::Error),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("the secret is not base64")]
    Secret(#[from] base64::DecodeError),
    #[error("the system gives no random bytes")]
    Random(#[from] getrandom::Error),
}

impl Telling {
    /// What `looking` finds, and everybody else.
    pub(super) fn of(looking: &Looking) -> Self {
        Self {
            settings: Arc::clone(&looking.settings),
            counters: Arc::clone(&looking.counters),
        }
    }

    /// Tells again and again; never ends.
    pub(super) async fn run(self) {
        let mut told = Told::new();
        let mut failures = 0_usize;
        loop {
            let settings = self.settings.get();
            // Armed before looking.
            let changed = self.counters.alarms().changed();
            let wait = match &settings.webhook {
                None => {
                    told.clear();
                    LOOK
                }
                Some(webhook) => match self.tell(webhook, &mut told).await {
                    Ok(()) => {
                        failures = 0;
                        LOOK
                    }
                    Err(error) => {
                        self.fails(webhook, &error);
                        failures = failures.saturating_add(1);
                        let wait = AGAIN.get(failures - 1).or(AGAIN.last());
                        // What changes meanwhile waits as well.
                        tokio::time::sleep(wait.copied().unwrap_or(LOOK)).await;
                        continue;
                    }
                },
            };
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Tells all that is new. What is told is noted one by one, so that nothing of it is told twice.
    async fn tell(&self, webhook: &Webhook, told: &mut Told) -> Result<(), Error> {
        let now = Time::now();
        let standing = self.counters.alarms().standing();
        let news = news(standing, told, webhook.repeat, now);
        if news.is_empty() {
            return Ok(());
        }
        let client = client(webhook)?;
        for News { kind, standing } in news {
            post(&client, webhook, (kind, &standing), now).await?;
            self.counters.alarms().clear(Alarm::WebhookFails, "", now);
            let key = (standing.alarm, standing.subject.clone());
            match kind {
                OVER => told.remove(&key),
                _ => told.insert(key, (standing, now)),
            };
        }
        Ok(())
    }

    fn fails(&self, webhook: &Webhook, error: &Error) {
        let words = match error {
            // The address may hold a secret.
            Error::Send(_) => mask(
                &Causes(error).to_string(),
                std::slice::from_ref(&webhook.url),
            ),
            other => Causes(other).to_string(),
        };
        let words = format!("the webhook for alarms does not take what it is told: {words}");
        let alarms = self.counters.alarms();
        alarms.raise(Alarm::WebhookFails, "", &words, Time::now());
    }
}

const BEGINS: &str = "alarm.raised";
const STANDS: &str = "alarm.standing";
const OVER: &str = "alarm.cleared";

/// What is to be told; its own failure is for the log and the metrics alone.
fn news(standing: Vec<Standing>, told: &Told, repeat: Duration, now: Time) -> Vec<News> {
    let standing: Vec<Standing> = standing
        .into_iter()
        .filter(|one| one.alarm != Alarm::WebhookFails)
        .collect();
    let stands = |(alarm, subject): &(Alarm, String)| {
        let same = |one: &Standing| one.alarm == *alarm && one.subject == *subject;
        standing.iter().any(same)
    };
    let over = told.iter().filter(|(key, _)| !stands(key));
    let over: Vec<News> = over
        .map(|(_, (standing, _))| News {
            kind: OVER,
            standing: standing.clone(),
        })
        .collect();
    let kind = |one: &Standing| match told.get(&(one.alarm, one.subject.clone())) {
        // It was over for a moment.
        Some((before, _)) if before.since != one.since => Some(BEGINS),
        Some((_, at)) if now.since(*at) >= repeat => Some(STANDS),
        Some(_) => None,
        None => Some(BEGINS),
    };
    let new = standing.iter().filter_map(|one| {
        let standing = one.clone();
        kind(one).map(|kind| News { kind, standing })
    });
    over.into_iter().chain(new).collect()
}

fn client(webhook: &Webhook) -> Result<Client, reqwest::Error> {
    let mut client = Client::builder()
        .user_agent(concat!("refgate/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(TIMEOUT);
    // Only https needs the machine's root certificates.
    if !webhook.url.reveal().starts_with("https:") {
        client = client.tls_certs_only([]);
    }
    client.build()
}

/// One POST in the form of Standard Webhooks (standardwebhooks.com), signed if there is a secret.
async fn post(
    client: &Client,
    webhook: &Webhook,
    (kind, standing): (&str, &Standing),
    now: Time,
) -> Result<(), Error> {
    let body = json!({ "type": kind, "timestamp": now.to_string(), "data": standing });
    let body = body.to_string();
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let id = format!("msg_{:032x}", u128::from_be_bytes(random));
    let seconds = (now.millis() / 1000).to_string();
    let mut request = client
        .post(webhook.url.reveal())
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", &seconds);
    if let Some(secret) = &webhook.secret {
        let signature = sign(secret, &format!("{id}.{seconds}.{body}"))?;
        request = request.header("webhook-signature", signature);
    }
    let response = request.body(body).send().await;
    let status = response.map_err(reqwest::Error::without_url)?.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(Error::Status(status.as_u16())),
    }
}

/// HMAC-SHA-256 with the secret's bytes, as `v1,BASE64`.
fn sign(secret: &Secret, text: &str) -> Result<String, base64::DecodeError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret.reveal())?);
    let tag = hmac::sign(&key, text.as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Alarms;

    const NOW: Time = Time::from_millis(1_795_392_000_000);

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // The example of the specification's own libraries.
        let secret = Secret::new("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let text = format!("{id}.1614265330.{{\"test\": 2432232314}}");
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(&secret, &text).unwrap(), expected);
    }

    #[test]
    fn each_is_told_when_it_begins_stands_and_is_over() {
        let (alarms, mut told) = (Alarms::default(), Told::new());
        let hour = Duration::from_secs(3600);
        let mut kinds = |alarms: &Alarms, now: Time| -> Vec<(&str, Alarm)> {
            let news = news(alarms.standing(), &told, hour, now);
            for one in &news {
                let key = (one.standing.alarm, one.standing.subject.clone());
                match one.kind {
                    OVER => told.remove(&key),
                    _ => told.insert(key, (one.standing.clone(), now)),
                };
            }
            let kinds = news.iter().map(|one| (one.kind, one.standing.alarm));
            kinds.collect()
        };
        let (disk, later) = (Alarm::DiskFull, NOW.plus(hour / 2));
        alarms.raise(disk, "/var", "full", NOW);
        alarms.raise(Alarm::WebhookFails, "", "no answer", NOW);
        assert_eq!(kinds(&alarms, NOW), [(BEGINS, disk)]);
        alarms.raise(disk, "/var", "fuller", later);
        assert_eq!(kinds(&alarms, later), []);
        assert_eq!(kinds(&alarms, NOW.plus(hour)), [(STANDS, disk)]);
        alarms.clear(disk, "/var", later);
        alarms.raise(disk, "/var", "full again", later);
        assert_eq!(kinds(&alarms, NOW.plus(hour)), [(BEGINS, disk)]);
        alarms.clear_all(disk, later);
        assert_eq!(kinds(&alarms, NOW.plus(hour)), [(OVER, disk)]);
        assert_eq!(kinds(&alarms, NOW.plus(2 * hour)), []);
    }
}
