//! What of a candidate is kept as JSON: the same in every engine; made before anything is written,
//! because a group of the ledger's has no savepoints.

use crate::ledger::error::Error;
use crate::ledger::row::to_json;
use crate::order::{Candidate, NewPostback};

/// A candidate's JSON.
pub(super) struct Texts {
    pub(super) sighting: String,
    pub(super) click: Option<String>,
    pub(super) proof: Option<String>,
    pub(super) shopper: Option<String>,
    /// What was captured, of each postback.
    pub(super) captured: Vec<String>,
}

impl Texts {
    pub(super) fn of(candidate: &Candidate) -> Result<Self, Error> {
        let Candidate {
            order, sighting, ..
        } = candidate;
        let click = order.click.as_ref();
        let proof = order.proof.map(|proof| to_json("orders.proof", &proof));
        let captured = |postback: &NewPostback| {
            let click = order.click_of(Some(sighting), &postback.destination);
            let values = click.map(|click| &click.values);
            values.map_or_else(|| Ok("{}".to_owned()), |values| to_json("captured", values))
        };
        Ok(Self {
            sighting: to_json("sightings.body", sighting)?,
            click: click
                .map(|click| to_json("orders.click", click))
                .transpose()?,
            proof: proof.transpose()?,
            shopper: match order.open_until {
                Some(_) => Some(to_json("orders.shopper", &candidate.shopper)?),
                None => None,
            },
            captured: candidate
                .postbacks
                .iter()
                .map(captured)
                .collect::<Result<_, _>>()?,
        })
    }
}
