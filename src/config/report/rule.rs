//! A rule as a sentence.

use std::fmt::Display;

use crate::config::pattern;
use crate::name::StoreName;
use crate::observe::rule::{FirstView, Pick, Proof, Read, Rule, Source, Then, When};

/// `thank-you: when GET /checkout/thank-you answers 200 …, read …, and enter an order worth ….`
pub(super) fn sentence(rule: &Rule) -> String {
    let stores: Vec<&str> = rule.stores.iter().map(StoreName::as_str).collect();
    let stores = match stores.as_slice() {
        [] => "in every store".to_owned(),
        stores => format!("in {}", stores.join(", ")),
    };
    let reads: Vec<String> = rule.read.iter().map(read).collect();
    let end = match &rule.then {
        Then::Order { amount } => format!("enter an order worth {amount}"),
        Then::Remember => "remember them".to_owned(),
        Then::Payment => "note a payment".to_owned(),
        Then::Adjust => "adjust the order".to_owned(),
    };
    format!(
        "  {}: {stores}, when {},\n      read {},\n      and {end}\n      {}",
        rule.name,
        when(&rule.when),
        reads.join(",\n           "),
        proof(&rule.proof)
    )
}

/// For whom the order counts.
fn proof(proof: &Proof) -> String {
    let mut shown = vec!["a checkout step was seen for it".to_owned()];
    match &proof.first_view {
        Some(FirstView::Contains(texts)) => {
            shown.push(format!("the page has \"{}\"", join(texts, "\" and \"")));
        }
        Some(FirstView::Read(mark)) => {
            shown.push(format!("the answer has {}", text(mark, "")));
        }
        None => {}
    }
    if let Some(floor) = &proof.id_floor {
        shown.push(format!("the id is above {floor}"));
    }
    let below = match &proof.id_floor {
        Some(_) => "; one that is not above it is nobody's",
        None => "",
    };
    match proof.trust_any_view {
        true => format!("credited to whoever sees it{below}"),
        false => format!(
            "credited to a visit if {}, otherwise held{below}",
            shown.join(" or ")
        ),
    }
}

fn when(when: &When) -> String {
    let mut words = format!("{} {}", join(&when.methods, "/"), when.path);
    if !when.hosts.is_empty() {
        words.push_str(&format!(" on {}", join(&when.hosts, "/")));
    }
    for (name, pattern) in &when.query {
        let pattern = pattern::as_written(pattern);
        words.push_str(&format!(" with {name}= matching {pattern}"));
    }
    let status = |(from, to): &(u16, u16)| {
        if from == to {
            from.to_string()
        } else {
            format!("{from}–{to}")
        }
    };
    let statuses: Vec<String> = when.status.iter().map(status).collect();
    words.push_str(&format!(" answers {}", statuses.join("/")));
    if !when.content_types.is_empty() {
        words.push_str(&format!(" as {}", join(&when.content_types, "/")));
    }
    for text in &when.contains {
        words.push_str(&format!(", containing \"{text}\""));
    }
    for text in &when.lacks {
        words.push_str(&format!(", without \"{text}\""));
    }
    words
}

fn read(read: &Read) -> String {
    let pick = match read.pick {
        Pick::Only => String::new(),
        Pick::First => " (the first)".to_owned(),
        Pick::Last => " (the last)".to_owned(),
        Pick::Nth(n) => format!(" (number {n})"),
    };
    let minor = if read.minor_units {
        ", in minor units"
    } else {
        ""
    };
    let optional = if read.optional {
        ", if it is there"
    } else {
        ""
    };
    let Read { field, .. } = read;
    format!("{field} from {}{minor}{optional}", text(read, &pick))
}

/// What is looked for, and where.
fn text(read: &Read, pick: &str) -> String {
    let source = match &read.source {
        Source::Path(name) => format!("the path's {{{name}}}"),
        Source::Query(name) => format!("the query's {name}="),
        Source::Header(name) => format!("the header {name}"),
        Source::Css {
            selector,
            attribute: None,
        } => format!("the text of {selector}"),
        Source::Css {
            selector,
            attribute: Some(attribute),
        } => format!("the attribute {attribute} of {selector}"),
        Source::Json { path, within: None } => format!("the JSON's {path}"),
        Source::Json {
            path,
            within: Some(within),
        } => format!("{path} of the JSON in {within}"),
        Source::Regex(regex) => format!("what matches {regex}"),
    };
    let pattern = match &read.pattern {
        Some(pattern) => format!(", of it {pattern}"),
        None => String::new(),
    };
    format!("{source}{pick}{pattern}")
}

fn join<T: Display>(items: &[T], between: &str) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(between)
}
