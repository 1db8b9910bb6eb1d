//! The network of a simulation: what it was told, and what it says.

use std::collections::HashMap;

use super::setting::Dice;
use crate::deliver::Dedupe;
use crate::deliver::send::{Answered, End, Ended};
use crate::postback::{Postback, PostbackId};

/// What it knows of one postback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// It said yes, or may have counted it.
    pub(super) maybe: bool,
    pub(super) counted: bool,
    /// How often it said yes, and no.
    pub(super) yes: u32,
    pub(super) no: u32,
    /// How often it was told after it may have counted it.
    pub(super) again: u32,
}

#[derive(Debug, Default)]
pub(super) struct Network {
    /// It answers everybody with yes.
    pub(super) is_well: bool,
    pub(super) heard: HashMap<PostbackId, Heard>,
}

impl Network {
    /// Takes a call, or does not, and says something, or does not.
    pub(super) fn call(&mut self, postback: &Postback, dedupe: Dedupe, dice: &mut Dice) -> Ended {
        let manner = if self.is_well { 0 } else { dice.below(12) };
        if manner == 11 {
            return Ended::NotSent("refused".to_owned());
        }
        let heard = self.heard.entry(postback.id).or_default();
        heard.again += u32::from(heard.maybe);
        let lies = dice.below(2) == 0;
        match manner {
            0..=3 => {
                let known = heard.counted && dedupe == Dedupe::Order;
                (heard.maybe, heard.counted) = (true, true);
                heard.yes += 1;
                answer(200, if known { "duplicate" } else { "success=true" })
            }
            4 => {
                heard.maybe = true;
                heard.no += 1;
                answer(200, "success=false")
            }
            5 => answer(503, ""),
            6 => answer(429, ""),
            manner => {
                heard.maybe = true;
                heard.counted |= lies;
                match manner {
                    7 => answer(200, "welcome"),
                    8 => answer(500, "success=true"),
                    9 => cut(),
                    _ => Ended::Broken("reset".to_owned()),
                }
            }
        }
    }
}

fn answer(status: u16, body: &str) -> Ended {
    Ended::Answered(Answered {
        status,
        body: body.into(),
        end: End::Whole,
        retry_after: (status == 503).then(|| "3".to_owned()),
    })
}

fn cut() -> Ended {
    Ended::Answered(Answered {
        status: 200,
        body: b"success=tr".to_vec(),
        end: End::Cut("early".to_owned()),
        retry_after: None,
    })
}
