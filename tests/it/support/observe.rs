//! Rules to try, from a configuration's text.

use refgate::config::keys::Missing;
use refgate::observe::Rules;

use super::config::Folder;

/// The rules of a configuration that must be without fault.
pub(crate) fn rules(text: &str) -> Rules {
    let loaded = match Folder::with(text).load(Missing::Pretend) {
        Ok(loaded) => loaded,
        Err(faults) => panic!("{faults}"),
    };
    Rules::new(loaded.settings.observe, &loaded.settings.stores)
}
