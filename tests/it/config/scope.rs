//! Who knows a store's visitors, and what seals them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use refgate::config::keys::{self, Missing, Source};
use refgate::config::report;
use refgate::store::scope::SameSite;

use super::warnings;
use crate::support::config::{Folder, shipped, shipped_with};

/// Stores by name, hosts and what else is said of them.
fn stores(stores: &[(&str, &str, &str)]) -> String {
    let store = |(name, hosts, more): &(&str, &str, &str)| {
        format!(
            "  {name}:\n    hosts: {hosts}\n    upstream: http://127.0.0.1:8081\n    \
             currency: USD\n    number_format: '1,234.56'\n    max_amount: 5000\n    consent: not_needed\n    \
             orders: main\n    {more}\n"
        )
    };
    let stores: String = stores.iter().map(store).collect();
    format!("stores:\n{stores}rules: []\n")
}

#[test]
fn a_store_is_of_the_one_group_and_for_its_hosts_alone_unless_it_says_otherwise() {
    let text = stores(&[
        ("usual", "a.example", ""),
        (
            "domain",
            "[b.example, www.b.example]",
            "cookie_domain: B.Example\n    same_site: none\n    group: retail",
        ),
    ]);
    let loaded = Folder::with(&shipped_with(&text)).loaded();
    assert_eq!(warnings(&loaded), "");
    let store = |host| loaded.settings.stores.find(host).unwrap();
    let usual = store("a.example");
    assert_eq!(usual.group.as_str(), "all");
    assert_eq!(usual.scope.domain, None);
    assert_eq!(usual.scope.same_site, SameSite::Lax);
    let domain = store("www.b.example");
    assert_eq!(domain.group.as_str(), "retail");
    assert_eq!(domain.scope.domain.as_deref(), Some("b.example"));
    assert_eq!(domain.scope.same_site, SameSite::None);
    let report = report::text(&loaded);
    for words in [
        "the cookie is __Host-refgate or __Secure-refgate, sealed with",
        "its visits are those of the group `retail`",
        "browsers send its cookie to b.example and to every host under it",
        "with every request that another site makes",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
}

#[test]
fn a_store_is_split_where_a_host_beside_it_has_a_cookie_of_its_own() {
    let domain = "cookie_domain: a.example";
    for (all, siblings, split) in [
        (vec![("one", "a.example", "")], false, false),
        (vec![("one", "[a.example, www.a.example]", "")], true, true),
        (
            vec![("one", "[a.example, www.a.example]", domain)],
            false,
            false,
        ),
        (
            vec![("one", "a.example", ""), ("two", "b.example", "")],
            true,
            false,
        ),
        (
            vec![("one", "a.example", ""), ("two", "eu.a.example", "")],
            true,
            true,
        ),
        (
            vec![
                ("one", "a.example", domain),
                ("two", "eu.a.example", domain),
            ],
            false,
            false,
        ),
        (
            vec![
                ("one", "a.example", ""),
                ("two", "eu.a.example", "group: two"),
            ],
            false,
            false,
        ),
    ] {
        let loaded = Folder::with(&shipped_with(&stores(&all))).loaded();
        let scope = &loaded.settings.stores.find("a.example").unwrap().scope;
        assert_eq!((scope.siblings, scope.split), (siblings, split), "{all:?}");
    }
}

#[test]
fn domains_that_come_into_one_anothers_way_are_warned_of() {
    let domain = "cookie_domain: a.example";
    let narrow = "cookie_domain: www.a.example";
    for (one, other, expected) in [
        (domain.to_owned(), domain.to_owned(), ""),
        (domain.to_owned(), String::new(), ""),
        (
            domain.to_owned(),
            format!("{domain}\n    same_site: none"),
            "whichever sets it last decides",
        ),
        (
            domain.to_owned(),
            narrow.to_owned(),
            "visits go only from the wider one to the narrower one",
        ),
        (
            narrow.to_owned(),
            domain.to_owned(),
            "visits go only from the wider one to the narrower one",
        ),
        (
            domain.to_owned(),
            format!("{narrow}\n    group: trade"),
            "nothing but bytes for the narrower one",
        ),
    ] {
        let hosts = ["www.a.example", "x.www.a.example"];
        let text = stores(&[("one", hosts[0], &one), ("other", hosts[1], &other)]);
        let warnings = warnings(&Folder::with(&shipped_with(&text)).loaded());
        match expected {
            "" => assert_eq!(warnings, ""),
            words => assert!(
                warnings.contains("stores.other.cookie_domain") && warnings.contains(words),
                "{warnings}"
            ),
        }
    }
}

#[test]
fn a_groups_key_file_is_made_like_the_general_one() {
    let text = shipped().replacen(
        "key_file: refgate.key",
        "key_file: refgate.key\n  groups: { all: { key_file: all.key } }\n  #",
        1,
    );
    let folder = Folder::with(&text);
    let group = "all".parse().unwrap();
    let loaded = folder.load(Missing::Create).unwrap();
    let files = ["refgate.key", "all.key"].map(|name| folder.path(name));
    for file in &files {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_ne!(
        fs::read_to_string(&files[0]).unwrap(),
        fs::read_to_string(&files[1]).unwrap()
    );
    assert_eq!(
        loaded.settings.group_keys[&group],
        Source::New(files[1].clone())
    );
    assert!(report::text(&folder.loaded()).contains("in the group `all` with the keys in"));

    // A fault in one file leaves none behind.
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], "nothing\n").unwrap();
    let faults = folder.load(Missing::Create).unwrap_err().to_string();
    assert!(faults.contains("cookie.groups.all.key_file"), "{faults}");
    assert!(!files[0].exists());
}

#[test]
fn a_groups_keys_come_from_variables() {
    let cookie = "cookie: { groups: { all: { keys: ['${NEW}'] } } }";
    let folder = Folder::with(&shipped_with(cookie)).var("NEW", &keys::create().unwrap());
    let sources = folder.loaded().settings.group_keys;
    assert_eq!(
        sources.into_values().collect::<Vec<_>>(),
        [Source::Given(1)]
    );
}

#[test]
fn a_domain_from_a_variable_is_shown_in_no_fault() {
    let text = stores(&[("one", "a.example", "cookie_domain: ${DOMAIN}")]);
    for domain in ["secret.example", "10.9.8.7", "co.uk"] {
        let faults = Folder::with(&shipped_with(&text))
            .var("DOMAIN", domain)
            .faults();
        assert!(!faults.is_empty() && !faults.contains(domain), "{faults}");
    }
}
