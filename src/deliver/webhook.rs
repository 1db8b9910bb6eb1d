//! The operator's own webhook: a signed POST, by Standard Webhooks 1.0.0 (standardwebhooks.com).
//!
//! The receiver tells repeats by `webhook-id`, which every attempt at one event carries.

use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::send::{Ended, Post};
use super::verdict::Judged;
use crate::clock::Time;
use crate::ledger::Story;
use crate::order::Standing;
use crate::postback::{Postback, Verdict};

/// How the specification marks a secret; not everybody does.
const PREFIX: &str = "whsec_";

/// What signs. Shown nowhere.
#[derive(Clone, Debug)]
pub struct Key(hmac::Key);

/// A text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not base64 of 24 to 64 bytes")]
pub struct KeyError;

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PREFIX).unwrap_or(text.trim());
        let secret = STANDARD.decode(encoded).map_err(|_fault| KeyError)?;
        if !(24..=64).contains(&secret.len()) {
            return Err(KeyError);
        }
        Ok(Self(hmac::Key::new(HMAC_SHA256, &secret)))
    }
}

/// What is sent of an event at `now`: only the time, and with it the signature, differs from one attempt to the next.
pub(super) fn post(key: &Key, postback: &Postback, story: &Story, now: Time) -> Post {
    let body = body(postback, story).to_string();
    let (id, sent) = (id(postback), (now.millis() / 1000).to_string());
    let tag = hmac::sign(&key.0, format!("{id}.{sent}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(tag));
    Post {
        fields: vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", sent),
            ("webhook-signature", signature),
        ],
        body,
    }
}

/// The same for every attempt at one event of one order, also from a ledger that was lost and made anew. Hexadecimal,
/// so that it has no full stop: it is signed beside others.
fn id(postback: &Postback) -> String {
    let sequence = postback.sequence.to_string();
    let parts = [
        postback.order.namespace.as_str(),
        postback.order.id.as_str(),
        postback.destination.as_str(),
        &postback.event,
        &sequence,
    ];
    // None of them has a NUL.
    let hash = digest::digest(&digest::SHA256, parts.join("\0").as_bytes());
    let half = hash.as_ref().iter().take(16);
    let digits: String = half.map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{digits}")
}

/// What the ledger has of it that no later sighting changes.
fn body(postback: &Postback, story: &Story) -> Value {
    let (order, standing) = (&story.order, &postback.event);
    // What was refused or cancelled keeps the click, and is owed to nobody.
    let owed = standing != Standing::Organic.word();
    let click = order.click.as_ref().filter(|_| owed);
    let entries = story.history.iter().filter(|one| one.postback.is_none());
    let mut entries = entries.filter(|one| one.became == *standing);
    // One for each time that it came to stand so.
    let entry = usize::try_from(postback.sequence);
    let entry = entry.ok().and_then(|sequence| entries.nth(sequence));
    let amount = postback.amount;
    json!({
        "type": format!("order.{standing}"),
        "timestamp": postback.at.to_string(),
        "data": {
            "order_id": order.key.id.as_str(),
            "namespace": order.key.namespace.as_str(),
            "store": order.store.as_str(),
            "time": order.at.to_string(),
            "amount": amount.map(|amount| amount.amount.to_string()),
            "currency": amount.map(|amount| amount.currency.to_string()),
            "standing": standing,
            "why": entry.and_then(|entry| entry.cause.as_deref()),
            "network": click.map(|click| click.network.as_str()),
            "click": click.map(|click| &click.values),
            "click_time": click.map(|click| click.at.to_string()),
            "sequence": postback.sequence,
        },
    })
}

/// What the answer's status says: 2xx and 409 (it has it already) that it is told, 410 that it wants no more of it;
/// any other 4xx that it did nothing with it, so that it is sent again when the receiver is mended.
pub(super) fn judge(ended: Ended) -> Judged {
    let answered = match ended {
        Ended::Answered(answered) => answered,
        other => return super::verdict::judge(&[], other),
    };
    let verdict = match answered.status {
        200..=299 | 409 => Verdict::Accepted,
        410 => Verdict::Rejected,
        400..=499 | 503 => Verdict::NotProcessed,
        _ => Verdict::Unclear,
    };
    let body = String::from_utf8_lossy(&answered.body);
    Judged {
        verdict,
        status: Some(answered.status),
        words: format!("status {}: {}", answered.status, body.trim()),
        retry_after: answered.retry_after,
        cut: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's libraries have this one: "Webhook signature" of standard-webhooks' own tests.
    #[test]
    fn the_signature_is_the_specifications() {
        let key: Key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let content = br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        let tag = STANDARD.encode(hmac::sign(&key.0, content));
        assert_eq!(tag, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_long_enough_and_never_shown() {
        for text in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_with blanks and 24 bytes",
        ] {
            assert_eq!(text.parse::<Key>().unwrap_err(), KeyError, "{text}");
        }
        let key: Key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n".parse().unwrap();
        assert!(!format!("{key:?}").contains("MfKQ"), "{key:?}");
    }
}
