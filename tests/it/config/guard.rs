//! What the report says of who looks too often and who is blocked, and what is refused.

use refgate::config::report;

use crate::support::config::{Folder, shipped, shipped_with};

#[test]
fn the_report_says_whose_orders_are_held() {
    let usual = report::text(&Folder::with(&shipped()).loaded());
    let words = "  held for you in an hour: what is above 10 order ids of one visit, 30 order ids from one \
                 address, 120 of buyers there, 4 networks of one visit\n";
    assert!(
        usual.contains(words) && !usual.contains("blocked"),
        "{usual}"
    );

    let piece = "guard: { blocked: [198.51.100.0/24], ids_per_visit: 0, ids_per_address: 0, buyers_per_address: 0, networks_per_visit: 2 }";
    let text = shipped_with(piece).replacen(
        "    mode: live",
        "    blocked: [666, '7']\n    mode: live",
        1,
    );
    let own = report::text(&Folder::with(&text).loaded());
    for words in [
        "  held for you in an hour: what is above 2 networks of one visit\n",
        "  blocked, so held for you: 666 of aspire, 7 of aspire, clients in 198.51.100.0/24\n",
    ] {
        assert!(own.contains(words), "{words}:\n{own}");
    }
}

#[test]
fn a_bound_that_is_none_and_a_name_that_is_taken_are_refused() {
    for (text, said) in [
        (
            shipped_with("guard: { ids_per_visit: -1 }"),
            "guard.ids_per_visit: found",
        ),
        (
            shipped_with("guard: { blocked: 0.0.0.0/0 }"),
            "this block is everybody",
        ),
        (shipped_with("guard: { ids_per_vist: 1 }"), "ids_per_visit"),
        (
            shipped().replace("    orders: demo", "    orders: demo.aside"),
            "does not end in `.aside`, nor in that and a digit: there stand orders that claim no id",
        ),
        (
            shipped().replace("    orders: demo", "    orders: demo.aside2"),
            "does not end in `.aside`",
        ),
    ] {
        let faults = Folder::with(&text).faults();
        assert!(faults.contains(said), "{said}:\n{faults}");
    }
}
