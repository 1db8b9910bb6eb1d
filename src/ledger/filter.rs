//! Which orders and postbacks are meant: what the operator states, as conditions that both engines take.

use super::error::Error;
use super::row::{to_json, to_word};
use crate::clock::Time;
use crate::name::{Namespace, NetworkName, StoreName};
use crate::order::{Doubt, OrderId};
use crate::postback::{PostbackId, State};

/// Which orders to list; everything stated must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// In this namespace.
    pub namespace: Option<Namespace>,
    /// First seen in this store.
    pub store: Option<StoreName>,
    /// `credited`, `organic` or `held`.
    pub standing: Option<&'static str>,
    /// First seen at or after.
    pub since: Option<Time>,
    /// First seen before.
    pub until: Option<Time>,
}

/// Which postbacks are meant; everything stated must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostbackFilter {
    /// In one of these states; in any if there is none.
    pub states: Vec<State>,
    /// To this destination.
    pub destination: Option<NetworkName>,
    /// Of an order that was first seen in this store.
    pub store: Option<StoreName>,
    /// Entered at or after.
    pub since: Option<Time>,
    /// Entered before.
    pub until: Option<Time>,
    /// Held for this reason.
    pub doubt: Option<Doubt>,
    /// By a click that carried this value: `affiliate_id`, `123456`.
    pub value: Option<(String, String)>,
    /// Of the orders that go by this id.
    pub order: Option<OrderId>,
    /// Held since this moment or longer.
    pub held_before: Option<Time>,
    /// One of these numbers; of any if there is none.
    pub numbers: Vec<PostbackId>,
    /// Whether somebody decided that it stands as it does: the operator by hand, or a rule of his on what is held.
    pub decided: Option<bool>,
}

/// What a condition is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Text(String),
    Number(i64),
}

/// A condition in SQL, with `?` where its one value belongs.
pub(super) type Condition = (&'static str, Given);

/// The click's values are JSON as `serde_json` writes it, so that a whole pair is found as it stands: within a text
/// every quotation mark has a backslash.
const VALUE: &str = "replace(postbacks.captured, ?, '') <> postbacks.captured";

const ORDER: &str = "postbacks.order_id IN (SELECT order_id FROM aliases WHERE number = ?)";

/// Of its changes the last one has an actor: no answer of a network, and no end of a schedule, has.
const DECIDED: &str = "(SELECT transitions.actor FROM transitions
    WHERE transitions.order_id = postbacks.order_id AND transitions.postback_id = postbacks.id
    ORDER BY transitions.id DESC LIMIT 1)";

const HELD_BEFORE: &str =
    "postbacks.state = 'held' AND (SELECT max(transitions.at) FROM transitions
    WHERE transitions.order_id = postbacks.order_id AND transitions.postback_id = postbacks.id
      AND transitions.became = 'held') <= ?";

impl PostbackFilter {
    /// Those in this state.
    pub fn in_state(state: State) -> Self {
        Self {
            states: vec![state],
            ..Self::default()
        }
    }

    /// The conditions that have no value.
    pub(super) fn lists(&self) -> Vec<String> {
        let states = self.states.iter().map(|state| format!("'{state}'"));
        let numbers = self.numbers.iter().map(PostbackId::to_string);
        [
            ("postbacks.state", states.collect::<Vec<_>>()),
            ("postbacks.id", numbers.collect()),
        ]
        .into_iter()
        .filter(|(_, words)| !words.is_empty())
        .map(|(column, words)| format!("{column} IN ({})", words.join(", ")))
        .chain(self.decided.map(|decided| match decided {
            true => format!("{DECIDED} IS NOT NULL"),
            false => format!("{DECIDED} IS NULL"),
        }))
        .collect()
    }

    pub(super) fn conditions(&self) -> Result<Vec<Condition>, Error> {
        let text = |text: &str| Given::Text(text.to_owned());
        let time = |time: &Time| Given::Number(time.millis());
        let doubt = self.doubt.map(|doubt| to_word("postbacks.doubt", &doubt));
        let doubt = doubt.transpose()?;
        let value = self.value.as_ref().map(pair).transpose()?;
        let stated = [
            (
                "postbacks.destination = ?",
                self.destination.as_ref().map(|name| text(name.as_str())),
            ),
            (
                "orders.store = ?",
                self.store.as_ref().map(|name| text(name.as_str())),
            ),
            ("postbacks.at >= ?", self.since.as_ref().map(time)),
            ("postbacks.at < ?", self.until.as_ref().map(time)),
            ("postbacks.doubt = ?", doubt.map(Given::Text)),
            (VALUE, value.map(Given::Text)),
            (ORDER, self.order.as_ref().map(|id| text(id.as_str()))),
            (HELD_BEFORE, self.held_before.as_ref().map(time)),
        ];
        let given = stated.into_iter();
        Ok(given
            .filter_map(|(sql, value)| Some((sql, value?)))
            .collect())
    }
}

/// `"name":"value"`, as it stands among the click's values.
fn pair((name, value): &(String, String)) -> Result<String, Error> {
    let column = "postbacks.captured";
    Ok(format!(
        "{}:{}",
        to_json(column, name)?,
        to_json(column, value)?
    ))
}
