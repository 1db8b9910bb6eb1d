//! `guard:` → whose looks at confirmations are too many.

use super::addresses;
use super::reader::Map;
use crate::record::guard::Settings;

/// Most that can be counted of one visit or address.
const MOST: usize = 1000;

/// Reads the section.
pub(super) fn read(root: &Map<'_>) -> Settings {
    let map = root.section("guard");
    let everybody = "the addresses that nobody is credited from: this block is everybody";
    let blocked = map.get("blocked").map(|value| value.one_or_many());
    let blocked = blocked.iter().flatten();
    let blocked = blocked.filter_map(|value| addresses::network(value, everybody));
    let settings = Settings {
        blocked: blocked.collect(),
        ids_per_visit: map.or("ids_per_visit", 10, |value| value.count(0..=MOST)),
        ids_per_address: map.or("ids_per_address", 30, |value| value.count(0..=MOST)),
        buyers_per_address: map.or("buyers_per_address", 120, |value| value.count(0..=MOST)),
        networks_per_visit: map.or("networks_per_visit", 4, |value| value.count(0..=MOST)),
    };
    map.finish();
    settings
}
