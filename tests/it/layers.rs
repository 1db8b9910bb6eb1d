//! Modules stand in layers: one imports only from the layers above its own in lib.rs.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::support::sources::{self, Source};

#[test]
fn a_module_imports_only_from_the_layers_above() {
    let sources = sources::all();
    let lib = sources
        .iter()
        .find(|source| source.path.as_os_str() == "lib.rs")
        .expect("there is a lib.rs");
    let layers = layers(&lib.text);
    assert!(layers.len() > 1, "no modules were found in lib.rs");
    let faults = faults(&layers, &sources);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_import_from_the_own_layer_or_below_is_found() {
    let layers = layers("//! Doc.\n\n// Words.\npub mod name;\npub mod money;\n\npub mod order;\n");
    let fault_of = |path: &str, text: &str| {
        let path = PathBuf::from(path);
        let text = text.to_owned();
        faults(&layers, &[Source { path, text }])
    };
    assert_eq!(fault_of("order.rs", "use crate::money::Money;"), [""; 0]);
    assert_eq!(fault_of("order/a.rs", "use crate::order::b;"), [""; 0]);
    assert_eq!(fault_of("name.rs", "// crate::order"), [""; 0]);
    assert_eq!(
        fault_of("name.rs", "#[cfg(test)]\nmod tests { use crate::order; }"),
        [""; 0]
    );
    assert_eq!(
        fault_of("name.rs", "fn f() -> crate::order::Order {}"),
        ["name.rs imports crate::order, which is not above it"]
    );
    assert_eq!(
        fault_of(
            "money/a.rs",
            "use crate::{\n    money::{self, b},\n    name::Name,\n};"
        ),
        ["money/a.rs imports crate::name, which is not above it"]
    );
    assert_eq!(
        fault_of("money/a.rs", "use crate::{money::{self, order}, order};"),
        ["money/a.rs imports crate::order, which is not above it"]
    );
    assert_eq!(
        fault_of("stray.rs", "use crate::name::Name;"),
        ["stray.rs is in no layer of lib.rs"]
    );
}

/// The layer of each module of lib.rs, counted from above; blank lines part them.
fn layers(lib: &str) -> HashMap<String, usize> {
    let mut layers = HashMap::new();
    let mut layer = 0;
    for line in lib.lines().map(str::trim) {
        let module = line
            .strip_prefix("pub ")
            .unwrap_or(line)
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(';'));
        match module {
            Some(name) => {
                layers.insert(name.to_owned(), layer);
            }
            None if line.is_empty() => layer += 1,
            None => {}
        }
    }
    layers
}

/// Every import that goes sideways or down.
fn faults(layers: &HashMap<String, usize>, sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let (path, module) = (source.path.display(), source.module());
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let Some(own) = layers.get(&module) else {
            faults.push(format!("{path} is in no layer of lib.rs"));
            continue;
        };
        for name in imports(&source.code()) {
            if name != module && layers.get(&name).is_some_and(|other| other >= own) {
                faults.push(format!(
                    "{path} imports crate::{name}, which is not above it"
                ));
            }
        }
    }
    faults
}

/// The first segments after each `crate::`, of braced lists too.
fn imports(code: &str) -> Vec<String> {
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.trim_start().strip_prefix('{') {
            Some(list) => heads(list),
            None => vec![word(rest)],
        })
        .collect()
}

/// The first word of each element of a braced list, whose opening brace is gone.
fn heads(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut element = String::new();
    let mut heads = Vec::new();
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => break,
            ',' if depth == 0 => heads.push(word(&std::mem::take(&mut element))),
            _ if depth == 0 => element.push(letter),
            _ => {}
        }
    }
    heads.push(word(&element));
    heads
}

/// The identifier that `text` begins with.
fn word(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}
