//! `networks.NAME.answers:` → what an answer of the network means.

use super::pattern;
use super::reader::Map;
use super::value::Value;
use crate::deliver::Answer;
use crate::postback::Verdict;

const MEANS: [(&str, Verdict); 5] = [
    ("accepted", Verdict::Accepted),
    ("duplicate", Verdict::Duplicate),
    ("rejected", Verdict::Rejected),
    ("not_processed", Verdict::NotProcessed),
    ("unclear", Verdict::Unclear),
];

/// Reads the answers of one network.
pub(super) fn read(map: &Map<'_>) -> Vec<Answer> {
    let Some(value) = map.get("answers") else {
        let words = "no `answers`: every postback of this network will be unclear, and nothing is known to be counted";
        map.cx.warn(&map.place, words);
        return Vec::new();
    };
    let items = value.list();
    let answers: Vec<Answer> = items.iter().filter_map(answer).collect();
    let all_read = answers.len() == items.len();
    let accepting = |answer: &Answer| answer.means == Verdict::Accepted;
    if all_read && !answers.iter().any(accepting) {
        map.cx.warn(&value.place, "no answer means accepted");
    }
    answers
}

fn answer(value: &Value<'_>) -> Option<Answer> {
    let map = value.map();
    let status = map.or("status", None, |value| value.count(100..=599).map(Some));
    let status = status.and_then(|status| u16::try_from(status).ok());
    let body = map.or("body", None, |value| pattern::search(value).map(Some));
    let means = map
        .need(
            "means",
            "accepted, duplicate, rejected, not_processed or unclear",
        )
        .and_then(|value| value.one_of(&MEANS));
    let reason = map.or("reason", None, |value| pattern::search(value).map(Some));
    if means == Some(Verdict::Accepted) && !map.has("body") {
        let words =
            "accepted without looking at the body: many networks answer 200 when they refuse";
        map.cx.warn(&map.place, words);
    }
    map.finish();
    Some(Answer {
        status,
        body,
        means: means?,
        reason,
    })
}
