//! How an attempt ended → what that says of the conversion. Pure.
//!
//! HTTP 200 is no success (domain.md §2): what a network's rules do not recognise is unclear, and
//! only the network's own word is a refusal.

use super::Answer;
use super::send::{Answered, End, Ended};
use crate::inert::acts;
use crate::postback::Verdict;
use crate::secret::{Secret, mask};

/// Longest words kept of an answer, in characters.
pub const WORDS_LIMIT: usize = 500;

/// An attempt's end, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What it means.
    pub verdict: Verdict,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// The network's words, or what went wrong; as they came, see [`tidy`].
    pub words: String,
    /// The answer's `Retry-After`, unread.
    pub retry_after: Option<String>,
    /// Whether the answer did not come to its end.
    pub cut: bool,
}

impl Judged {
    /// No telling, without an answer.
    pub fn unclear(words: impl Into<String>) -> Self {
        Self::unanswered(Verdict::Unclear, words.into())
    }

    /// Certainly not processed, without an answer.
    pub fn not_sent(words: impl Into<String>) -> Self {
        Self::unanswered(Verdict::NotProcessed, words.into())
    }

    const fn unanswered(verdict: Verdict, words: String) -> Self {
        Self {
            verdict,
            status: None,
            words,
            retry_after: None,
            cut: false,
        }
    }
}

/// Judges how an attempt ended by the network's rules, the first that matches.
pub fn judge(answers: &[Answer], ended: Ended) -> Judged {
    match ended {
        Ended::NotSent(words) => Judged::not_sent(format!("not sent: {words}")),
        Ended::Broken(words) => Judged::unclear(words),
        Ended::Answered(answered) => judge_answer(answers, answered),
    }
}

fn judge_answer(answers: &[Answer], answered: Answered) -> Judged {
    let status = answered.status;
    let body = String::from_utf8_lossy(&answered.body);
    let cut = matches!(answered.end, End::Cut(_));
    let (verdict, words) = match answered.end {
        End::Whole => match answers.iter().find(|answer| fits(answer, status, &body)) {
            Some(answer) => (answer.means, reason(answer, &body)),
            None => (
                by_status(status),
                format!("no rule for this answer, status {status}: {body}"),
            ),
        },
        // What is not all there was not read by the rules: the verdict may stand in the missing part.
        End::Cut(words) => (
            by_status(status),
            format!("answer cut off ({words}), status {status}: {body}"),
        ),
        End::Long => (
            by_status(status),
            format!("answer larger than the limit, status {status}: {body}"),
        ),
    };
    Judged {
        verdict,
        status: Some(status),
        words,
        retry_after: answered.retry_after,
        cut,
    }
}

fn fits(answer: &Answer, status: u16, body: &str) -> bool {
    answer.status.is_none_or(|wanted| wanted == status)
        && answer
            .body
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(body))
}

/// 429 and 503 say that the request was not processed (RFC 6585 §4, RFC 9110 §15.6.4); no other status tells.
const fn by_status(status: u16) -> Verdict {
    match status {
        429 | 503 => Verdict::NotProcessed,
        _ => Verdict::Unclear,
    }
}

/// Whether it says that the network is down, or too busy: it was not reached, it did not answer to
/// the end, it says so, or it failed (500, a gateway's 502 and 504). Each further one would be
/// another doubt; that it waits costs nothing. What a rule has recognised is an answer, whatever its status.
pub(super) fn is_down(judged: &Judged) -> bool {
    match judged.verdict {
        Verdict::NotProcessed => true,
        Verdict::Unclear => judged.cut || judged.status.is_none_or(|status| status >= 500),
        Verdict::Accepted | Verdict::Duplicate | Verdict::Rejected => false,
    }
}

fn reason(answer: &Answer, body: &str) -> String {
    let found = answer.reason.as_ref().and_then(|reason| {
        let captures = reason.captures(body)?;
        captures.get(1).or_else(|| captures.get(0))
    });
    found.map_or(body, |found| found.as_str()).trim().to_owned()
}

/// Words fit to be kept and shown: secrets masked, escaped what [`acts`], at most [`WORDS_LIMIT`] characters.
pub fn tidy(words: &str, secrets: &[Secret]) -> String {
    // Masked before it is cut, or a secret on the edge would show its first half.
    let masked = mask(words, secrets);
    let mut tidy = String::new();
    for (count, c) in masked.trim().chars().enumerate() {
        if count == WORDS_LIMIT {
            tidy.push('…');
            break;
        }
        if acts(c) {
            tidy.extend(c.escape_default());
        } else {
            tidy.push(c);
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    fn tune() -> Vec<Answer> {
        let answer = |body: &str, means, reason: Option<&str>| Answer {
            status: Some(200),
            body: Some(Regex::new(body).unwrap()),
            means,
            reason: reason.map(|reason| Regex::new(reason).unwrap()),
        };
        let words = Some("err_msg=([^;]*)");
        vec![
            answer(r"^\s*success=true", Verdict::Accepted, None),
            answer("(?i)success=false.*duplicate", Verdict::Duplicate, words),
            answer("success=false", Verdict::Rejected, words),
        ]
    }

    fn answered(status: u16, body: &str, end: End) -> Ended {
        Ended::Answered(Answered {
            status,
            body: body.into(),
            end,
            retry_after: None,
        })
    }

    #[test]
    fn answers_have_their_verdict() {
        let invalid = "success=false; err_msg=Invalid Trans. ID #1027c887059b47b.;";
        let cases = [
            (
                answered(200, "success=true;", End::Whole),
                Verdict::Accepted,
                "success=true;",
            ),
            (
                answered(200, invalid, End::Whole),
                Verdict::Rejected,
                "Invalid Trans. ID #1027c887059b47b.",
            ),
            (
                answered(
                    200,
                    "success=false; err_msg=Duplicate conversion;",
                    End::Whole,
                ),
                Verdict::Duplicate,
                "Duplicate conversion",
            ),
            (
                answered(200, "OK", End::Whole),
                Verdict::Unclear,
                "no rule for this answer, status 200: OK",
            ),
            (
                answered(200, "", End::Whole),
                Verdict::Unclear,
                "no rule for this answer, status 200: ",
            ),
            (
                answered(302, "", End::Whole),
                Verdict::Unclear,
                "no rule for this answer, status 302: ",
            ),
            (
                answered(400, "success=true;", End::Whole),
                Verdict::Unclear,
                "no rule for this answer, status 400: success=true;",
            ),
            (
                answered(500, "", End::Whole),
                Verdict::Unclear,
                "no rule for this answer, status 500: ",
            ),
            (
                answered(429, "", End::Whole),
                Verdict::NotProcessed,
                "no rule for this answer, status 429: ",
            ),
            (
                answered(503, "busy", End::Whole),
                Verdict::NotProcessed,
                "no rule for this answer, status 503: busy",
            ),
        ];
        judges(cases);
    }

    #[test]
    fn what_is_not_whole_proves_nothing_but_not_being_sent() {
        let cut = || End::Cut("reset".to_owned());
        let cases = [
            (
                answered(200, "success=true;", cut()),
                Verdict::Unclear,
                "answer cut off (reset), status 200: success=true;",
            ),
            (
                answered(200, "success=true;", End::Long),
                Verdict::Unclear,
                "answer larger than the limit, status 200: success=true;",
            ),
            (
                answered(503, "", cut()),
                Verdict::NotProcessed,
                "answer cut off (reset), status 503: ",
            ),
            (
                Ended::NotSent("refused".to_owned()),
                Verdict::NotProcessed,
                "not sent: refused",
            ),
            (Ended::Broken("reset".to_owned()), Verdict::Unclear, "reset"),
        ];
        judges(cases);
    }

    fn judges<const N: usize>(cases: [(Ended, Verdict, &str); N]) {
        for (ended, verdict, words) in cases {
            let judged = judge(&tune(), ended.clone());
            let found = (judged.verdict, judged.words.as_str());
            assert_eq!(found, (verdict, words), "{ended:?}");
        }
    }

    #[test]
    fn the_operators_rule_stands_above_the_status() {
        let rule = Answer {
            status: Some(503),
            body: None,
            means: Verdict::Rejected,
            reason: None,
        };
        let judged = judge(&[rule], answered(503, "closed", End::Whole));
        assert_eq!(judged.verdict, Verdict::Rejected);
    }

    #[test]
    fn words_are_bounded_masked_and_cannot_forge_a_log_line() {
        let secrets = [Secret::new("hush")];
        assert_eq!(
            tidy(" a\r\nb\u{1b}[31m \u{202e}hush ", &secrets),
            "a\\r\\nb\\u{1b}[31m \\u{202e}***"
        );
        assert_eq!(
            tidy("1\u{61c}\u{2060}\u{e0041}5", &[]),
            "1\\u{61c}\\u{2060}\\u{e0041}5"
        );
        let long = format!("{}hush", "é".repeat(WORDS_LIMIT - 2));
        let tidied = tidy(&long, &secrets);
        assert!(tidied.ends_with("**…") && tidied.chars().count() == WORDS_LIMIT + 1);
        assert_eq!(tidy(&"x".repeat(WORDS_LIMIT), &[]).len(), WORDS_LIMIT);
    }
}
