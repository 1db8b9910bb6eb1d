//! Steering by the listener, as the commands do it: what is held, and what becomes of it; who is told, and who is not.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as WordError;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{Admin, page};
use crate::actor::{Actor, Reason};
use crate::cause::Causes;
use crate::clock::Time;
use crate::deliver::Deliver;
use crate::ledger::{self, Action, LIST, Pause, PostbackFilter, Steer, Which};
use crate::message::form;
use crate::name::NetworkName;
use crate::postback::{PostbackId, State};
use crate::steering::which::Filter;
use crate::steering::{Outcome, Report, left_out, meant};

/// Postbacks that are listed unless more are asked for.
const LISTED: usize = 50;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Nothing more is sent to a destination.
    Pause(String),
    /// It is sent to again.
    Go(String),
    /// Something with postbacks.
    Steer(Action),
}

/// With which postbacks it is done, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default)]
    numbers: Vec<PostbackId>,
    #[serde(default)]
    filter: BTreeMap<String, Texts>,
    reason: Reason,
    /// With a filter: it is done, and not only shown.
    #[serde(default)]
    yes: bool,
    /// Sent again also where the network has it.
    #[serde(default)]
    force: bool,
    /// By a filter sent again also where somebody decided otherwise.
    #[serde(default)]
    decided: bool,
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

/// Why a destination is paused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    reason: Reason,
}

/// Why something was not done.
enum Fault {
    /// The request means nothing.
    Asked(String),
    /// There is no such destination.
    NoDestination(String),
    Ledger(ledger::Error),
}

impl From<ledger::Error> for Fault {
    fn from(error: ledger::Error) -> Self {
        Self::Ledger(error)
    }
}

impl Verb {
    /// What a path means; nothing if it is none of these.
    pub(super) fn of(path: &str) -> Option<Self> {
        if let Some(word) = path.strip_prefix("/postbacks/") {
            let word: serde::de::value::StrDeserializer<'_, WordError> = word.into_deserializer();
            return Action::deserialize(word).ok().map(Self::Steer);
        }
        let pause = path
            .strip_prefix("/pause/")
            .map(|name| Self::Pause(name.to_owned()));
        pause.or_else(|| {
            path.strip_prefix("/go/")
                .map(|name| Self::Go(name.to_owned()))
        })
    }
}

impl Admin {
    /// Postbacks, newest first, by a query that is a filter.
    pub(super) async fn postbacks(&self, query: &str) -> Response<Full<Bytes>> {
        answer(self.list(query, None).await)
    }

    /// Those that are held.
    pub(super) async fn held(&self, query: &str) -> Response<Full<Bytes>> {
        answer(self.list(query, Some(State::Held)).await)
    }

    async fn list(&self, query: &str, only: Option<State>) -> Result<(StatusCode, String), Fault> {
        let pairs = form::pairs(query);
        let (limits, filters): (Vec<_>, Vec<_>) =
            pairs.iter().partition(|(name, _)| name == "limit");
        let limit = match limits.as_slice() {
            [] => LISTED,
            [(_, limit)] => limit.parse().map_err(|_none| bad_limit())?,
            _ => return Err(bad_limit()),
        };
        let filters = filters.iter();
        let filter = filters.map(|(name, text)| (name.as_str(), text.as_str()));
        let mut filter = Filter::of(filter).map_err(Fault::Asked)?.postbacks();
        if let Some(state) = only {
            if !filter.states.is_empty() {
                return Err(Fault::Asked(format!("state: here is what is {state}")));
            }
            filter.states = vec![state];
        }
        ok(&self.ledger.postbacks(filter, limit.min(LIST)).await?)
    }

    /// Does what somebody says, who is recorded with it.
    pub(super) async fn steer(
        &self,
        verb: Verb,
        body: &[u8],
        actor: Actor,
    ) -> Response<Full<Bytes>> {
        info!(%actor, ?verb, "asked for by the admin listener");
        answer(match verb {
            Verb::Pause(name) => self.pause(&name, body, actor).await,
            Verb::Go(name) => self.go(&name, actor).await,
            Verb::Steer(action) => self.act(action, body, actor).await,
        })
    }

    async fn pause(
        &self,
        name: &str,
        body: &[u8],
        actor: Actor,
    ) -> Result<(StatusCode, String), Fault> {
        let Why { reason } = read(body)?;
        let destination = self.destination(name)?;
        let pause = Pause {
            destination,
            at: Time::now(),
            actor,
            reason: reason.to_string(),
        };
        let stands = self.ledger.pause(pause.clone()).await?;
        ok(&stands.unwrap_or(pause))
    }

    /// One that is not configured any more may go: its postbacks are held then.
    async fn go(&self, name: &str, actor: Actor) -> Result<(StatusCode, String), Fault> {
        let named = name.parse();
        let named: NetworkName = named.map_err(|error| Fault::Asked(format!("{error}")))?;
        let lifted = self.ledger.go(named, actor, Time::now()).await?;
        if lifted.is_none() {
            self.destination(name)?;
        }
        ok(&lifted)
    }

    async fn act(
        &self,
        action: Action,
        body: &[u8],
        actor: Actor,
    ) -> Result<(StatusCode, String), Fault> {
        let ask: Ask = read(body)?;
        let from = match action {
            Action::Resend if ask.force => action.states().to_vec(),
            _ => action.usual(),
        };
        let which = ask.which(action)?;
        let left_out = match &which {
            Which::All(filter) => left_out(filter, &from, &self.ledger).await?,
            Which::These(_) => 0,
        };
        if let (Which::All(filter), false) = (&which, ask.yes) {
            let found = meant(filter.clone(), &from, &self.ledger).await?;
            let report = Report::foretold(action, found);
            return ok(&Report { left_out, ..report });
        }
        let steer = Steer {
            which,
            action,
            from,
            reason: ask.reason,
            actor,
            follows: self
                .view
                .deliver
                .as_ref()
                .map(Deliver::follows)
                .unwrap_or_default(),
        };
        let done = Outcome::of(self.ledger.steer(steer, Time::now()).await).begun()?;
        let report = Report::of(action, &done);
        let status = match (
            &done.stopped,
            done.moved.is_empty(),
            done.refused.is_empty(),
        ) {
            (Some(_), _, _) => StatusCode::SERVICE_UNAVAILABLE,
            (None, true, false) => StatusCode::CONFLICT,
            _ => StatusCode::OK,
        };
        said(status, &Report { left_out, ..report })
    }

    /// The destination of that name; nobody pauses what he has misspelt.
    fn destination(&self, name: &str) -> Result<NetworkName, Fault> {
        let standings = self.view.deliver.iter().flat_map(Deliver::standings);
        let mut names: Vec<NetworkName> = standings.map(|(name, _)| name).collect();
        match names.iter().position(|known| known.as_str() == name) {
            Some(at) => Ok(names.swap_remove(at)),
            None => {
                let names: Vec<&str> = names.iter().map(NetworkName::as_str).collect();
                let names = names.join(", ");
                let words = format!("no network or webhook is called {name:?}; there are {names}");
                Err(Fault::NoDestination(words))
            }
        }
    }
}

impl Ask {
    /// Neither numbers nor a filter: nothing is done with all of them by mistake.
    fn which(&self, action: Action) -> Result<Which, Fault> {
        let mut pairs = Vec::new();
        for (name, texts) in &self.filter {
            match texts {
                Texts::One(text) => pairs.push((name.as_str(), text.as_str())),
                Texts::Many(texts) => {
                    pairs.extend(texts.iter().map(|text| (name.as_str(), text.as_str())));
                }
            }
        }
        let filter = Filter::of(pairs).map_err(Fault::Asked)?;
        match (self.numbers.is_empty(), filter.is_empty()) {
            (false, true) => Ok(Which::These(self.numbers.clone())),
            (true, false) => Ok(Which::All(PostbackFilter {
                decided: (action == Action::Resend && !self.decided).then_some(false),
                ..filter.postbacks()
            })),
            _ => Err(Fault::Asked(
                "which postbacks? either `numbers` or a `filter`".to_owned(),
            )),
        }
    }
}

fn bad_limit() -> Fault {
    Fault::Asked("limit: expected a number, once".to_owned())
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| Fault::Asked(format!("the body: {error}")))
}

fn ok(value: &impl Serialize) -> Result<(StatusCode, String), Fault> {
    said(StatusCode::OK, value)
}

fn said(status: StatusCode, value: &impl Serialize) -> Result<(StatusCode, String), Fault> {
    let text = serde_json::to_string(value);
    let text = text.map_err(|error| Fault::Asked(format!("the answer: {error}")))?;
    Ok((status, text))
}

/// Inert, whatever strangers wrote.
fn answer(done: Result<(StatusCode, String), Fault>) -> Response<Full<Bytes>> {
    let (status, text) = done.unwrap_or_else(|fault| {
        let (status, words) = match fault {
            Fault::Asked(words) => (StatusCode::BAD_REQUEST, words),
            Fault::NoDestination(words) => (StatusCode::NOT_FOUND, words),
            Fault::Ledger(error) => {
                let words = Causes(&error).to_string();
                (StatusCode::SERVICE_UNAVAILABLE, words)
            }
        };
        (status, serde_json::json!({ "error": words }).to_string())
    });
    let safe = crate::inert::json(&text);
    page(status, "application/json", format!("{safe}\n"))
}
