//! Rivals: orders of one id that may be one and the same sale, so that one of them alone is paid.
//!
//! Beside the order that goes by an id others may stand aside. Of one buyer, or with the very same amount, they are one
//! sale, seen twice. Of several networks too: each would pay for it.

use crate::order::Order;
use crate::postback::State;

/// Whether both may be the same sale.
pub(super) fn is_one_sale(one: &Order, other: &Order) -> bool {
    let is_worth_it = one.amount.is_some() && one.amount == other.amount;
    one.key.namespace.claimed() == other.key.namespace.claimed()
        && (is_worth_it || one.is_same_buyers(other))
}

/// Whether the network has it, or may, or will by itself.
pub(super) const fn is_told(state: State) -> bool {
    matches!(
        state,
        State::Due | State::Sending | State::Accepted | State::Duplicate | State::Unclear
    )
}
