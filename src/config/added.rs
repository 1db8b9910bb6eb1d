//! `forwarding:`, `access_log:` and `reload:`: what is off unless the operator wants it.

use super::reader::Map;
use super::value::Value;
use crate::access::Format;
use crate::forward::options::Options;

/// What the operator wants.
pub(super) struct Added {
    pub(super) forwarding: Options,
    /// How a request's line looks; none where there is to be none.
    pub(super) access_log: Option<Format>,
    /// Whether the file is read again when it changes.
    pub(super) watch: bool,
}

/// Reads it.
pub(super) fn read(root: &Map<'_>) -> Added {
    Added {
        forwarding: options(root),
        access_log: access_log(root),
        watch: watch(root),
    }
}

fn options(root: &Map<'_>) -> Options {
    let map = root.section("forwarding");
    let options = Options {
        via: map.or("via", false, Value::flag),
        request_id: map.or("request_id", false, Value::flag),
    };
    map.finish();
    options
}

fn access_log(root: &Map<'_>) -> Option<Format> {
    let words = [
        ("off", None),
        ("common", Some(Format::Common)),
        ("json", Some(Format::Json)),
    ];
    root.or("access_log", None, |value| value.one_of(&words))
}

fn watch(root: &Map<'_>) -> bool {
    let map = root.section("reload");
    let watch = map.or("watch", false, Value::flag);
    map.finish();
    watch
}
