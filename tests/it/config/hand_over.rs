//! `hand_over:`, as it is read.

use crate::support::config::{Folder, shipped_with};

fn faults(piece: &str) -> String {
    Folder::with(&shipped_with(piece)).faults()
}

#[test]
fn what_would_not_work_is_refused() {
    for (piece, words) in [
        ("hand_over: { lifetime: 59s }", "hand_over.lifetime"),
        ("hand_over: { lifetime: 25h }", "hand_over.lifetime"),
        // Shorter than the way to another store and back: every answer would come too late.
        ("hand_over: { again: 59s }", "hand_over.again"),
        ("hand_over: { parameter: a=b }", "hand_over.parameter"),
        (
            "hand_over: { parameter: affiliate_id }",
            "hand_over.parameter",
        ),
        ("hand_over: { ask: nobody }", "hand_over.ask"),
        // The parameter is called as the cookie is.
        ("cookie: { name: affiliate_id }", "hand_over.parameter"),
    ] {
        let faults = faults(piece);
        assert!(faults.contains(words), "{piece}:\n{faults}");
    }
    for piece in [
        "hand_over: { lifetime: 1m, again: 1m, parameter: sid, ask: us }",
        "cookie: { name: affiliate_id }\nhand_over: { parameter: sid }",
    ] {
        assert_eq!(faults(piece), "", "{piece}");
    }
}
