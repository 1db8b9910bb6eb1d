//! What a network's word on a conversion means: that it counts it, or that it does not.

use std::collections::BTreeSet;

/// Words for it, beside the ones that are known.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Statuses {
    /// A status by which the network counts the conversion, beside `approved`, `pending` and the like; may be given again
    #[arg(long, value_name = "STATUS")]
    pub counted: Vec<String>,
    /// A status by which it does not, beside `rejected`, `reversed` and the like; may be given again
    #[arg(long, value_name = "STATUS")]
    pub refused: Vec<String>,
}

/// Whether the network counts a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It does, finally or for now.
    Counted,
    /// It does not, or not any more.
    Refused,
}

/// TUNE: approved, pending, rejected. Everflow: invalid. Awin: declined, deleted, confirmed. impact.com: reversed,
/// locked. Refersion: denied, unqualified. Daisycon: open, disapproved. Tapfiliate, Scaleo and others: paid, trash.
const COUNTED: [&str; 14] = [
    "approved",
    "pending",
    "accepted",
    "confirmed",
    "locked",
    "paid",
    "unpaid",
    "open",
    "new",
    "active",
    "valid",
    "success",
    "extended",
    "closed",
];
const REFUSED: [&str; 15] = [
    "rejected",
    "declined",
    "denied",
    "disapproved",
    "reversed",
    "refused",
    "invalid",
    "void",
    "voided",
    "cancelled",
    "canceled",
    "deleted",
    "duplicate",
    "unqualified",
    "trash",
];

impl Statuses {
    /// What a word means; none if nobody said so. An empty one is the network's usual case.
    pub fn meaning(&self, word: &str) -> Option<Meaning> {
        let is = |known: &str| known.trim().eq_ignore_ascii_case(word);
        // The operator's word first.
        if self.refused.iter().any(|known| is(known)) {
            return Some(Meaning::Refused);
        }
        if self.counted.iter().any(|known| is(known)) || word.is_empty() {
            return Some(Meaning::Counted);
        }
        if COUNTED.into_iter().any(is) {
            return Some(Meaning::Counted);
        }
        REFUSED.into_iter().any(is).then_some(Meaning::Refused)
    }
}

/// Words that nobody knows, each once and not many.
#[derive(Debug, Default)]
pub(super) struct Unknown(BTreeSet<String>);

impl Unknown {
    /// Most that are told.
    const MOST: usize = 10;

    pub(super) fn add(&mut self, word: &str) {
        if self.0.len() < Self::MOST {
            self.0.insert(word.chars().take(64).collect());
        }
    }

    /// The words, unless there is none.
    pub(super) fn words(self) -> Option<String> {
        let words: Vec<_> = self.0.iter().map(|word| format!("{word:?}")).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}
