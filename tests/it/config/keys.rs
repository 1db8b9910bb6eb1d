//! The cookie's keys: made once, read by their owner only, never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use refgate::config::keys::{self, Missing, Source};

use super::SECRET;
use crate::support::config::{Folder, shipped, shipped_with};

#[test]
fn a_key_file_is_made_once_and_for_its_owner_only() {
    let folder = Folder::with(&shipped());
    let path = folder.path("refgate.key");
    assert_eq!(folder.loaded().settings.keys, Source::New(path.clone()));
    assert!(!path.exists(), "a check writes nothing");

    folder.load(Missing::Create).unwrap();
    let made = fs::read_to_string(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let again = folder.load(Missing::Create).unwrap();
    assert_eq!(again.settings.keys, Source::File(path.clone()));
    assert_eq!(fs::read_to_string(&path).unwrap(), made);
    assert_eq!(
        fs::read_dir(folder.path("")).unwrap().count(),
        2,
        "no draft is left"
    );

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let faults = folder.faults();
    assert!(
        faults.contains("cookie.key_file") && faults.contains("chmod 600"),
        "{faults}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "0123\n").unwrap();
    assert!(folder.faults().contains("64 bytes in hexadecimal"));
    fs::write(&path, "# nothing\n").unwrap();
    assert!(folder.faults().contains("no key"));
}

#[test]
fn a_faulty_configuration_leaves_no_key_behind() {
    let folder = Folder::with(&shipped().replace("currency: CAD", "currency: CADD"));
    assert!(folder.load(Missing::Create).is_err());
    assert!(!folder.path("refgate.key").exists());
}

#[test]
fn processes_that_start_at_once_share_one_key() {
    let folder = Folder::with("");
    let path = folder.path("some.key");
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                keys::load_or_create(&path).unwrap();
            });
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(
        fs::read_dir(folder.path("")).unwrap().count(),
        2,
        "no draft is left"
    );
}

#[test]
fn keys_come_from_variables_only() {
    let cookie = "cookie: { keys: [\"${NEW}\", \"${OLD}\"] }";
    let (new, old) = (keys::create().unwrap(), keys::create().unwrap());
    let folder = Folder::with(&shipped_with(cookie))
        .var("NEW", &new)
        .var("OLD", &old);
    let loaded = folder.loaded();
    assert_eq!(loaded.settings.keys, Source::Given(2));
    assert!(!format!("{loaded:?}").contains(&new));
    let short = Folder::with(&shipped_with(cookie))
        .var("NEW", SECRET)
        .var("OLD", &old);
    let faults = short.faults();
    assert!(
        faults.contains("cookie.keys[0]: found a value (from ${NEW})"),
        "{faults}"
    );
    let literal = Folder::with(&shipped_with(&cookie.replace("${NEW}", &new))).faults();
    assert!(literal.contains("a key must not stand in this file") && !literal.contains(&new));
}
