//! Several rules that read one exchange must say the same of it.

use super::fault::Fault;
use super::reading::Reading;
use crate::order::{Doubt, OrderId};

/// Puts every order in doubt, where two rules read another order, or another amount of it, from one
/// exchange: a page may hold what imitates a confirmation, and nobody can tell which it is.
pub(super) fn agree(readings: &mut [Reading]) {
    let differ = readings.iter().enumerate().find_map(|(at, one)| {
        let mut others = readings.iter().skip(at + 1);
        let other = others.find(|other| differs(one, other))?;
        Some((one.rule.clone(), other.rule.clone()))
    });
    let Some((one, other)) = differ else {
        return;
    };
    for reading in readings.iter_mut().filter(|it| it.order_id.is_some()) {
        reading.faults.push(Fault::Rules {
            one: one.clone(),
            other: other.clone(),
        });
        reading.doubt = Some(Doubt::Differs);
    }
}

fn differs(one: &Reading, other: &Reading) -> bool {
    let (Some(first), Some(second)) = (&one.order_id, &other.order_id) else {
        return false;
    };
    let goes_by = |reading: &Reading, id: &OrderId| {
        reading.order_id.as_ref() == Some(id) || reading.aliases.contains(id)
    };
    let is_same = goes_by(one, second) || goes_by(other, first);
    let amounts = one.amount.zip(other.amount);
    !is_same || amounts.is_some_and(|(one, other)| one != other)
}
