//! A postback's URL and its answer: whatever an order holds, the URL goes to the host that the
//! template names, with the values where the template has them; no answer shows a secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use refgate::clock::Time;
use refgate::deliver::send::{Answered, End, Ended};
use refgate::deliver::template::{Fill, Template};
use refgate::deliver::verdict::{judge, tidy};
use refgate::inert::acts;
use refgate::money::Money;
use refgate::order::OrderId;
use refgate::secret::Secret;
use refgate_fuzz::settings::{SECRET, settings};
use refgate_fuzz::{first_line, text};
use std::cell::LazyCell;
use url::Url;

thread_local! {
    static ANSWERS: LazyCell<Vec<refgate::deliver::Answer>> = const { LazyCell::new(|| {
        let destinations = settings().deliver.destinations;
        destinations.into_values().flat_map(|destination| destination.answers).collect()
    }) };
}

// Lines: the template; the captured value; the order's id; what is behind is the answer's body.
fuzz_target!(|bytes: &[u8]| {
    let (template, rest) = first_line(bytes);
    let (value, rest) = first_line(rest);
    let (id, body) = first_line(rest);
    if let (Some(template), Some(value), Some(id)) = (text(template), text(value), text(id)) {
        filled(template, value, id);
    }
    for status in [200, 429, 500] {
        let answered = Answered {
            status,
            body: body.to_vec(),
            end: End::Whole,
            retry_after: text(value).map(str::to_owned),
        };
        let judged = ANSWERS.with(|answers| judge(answers, Ended::Answered(answered)));
        let words = tidy(&judged.words, &[Secret::new(SECRET)]);
        assert!(!words.contains(acts), "{words:?}");
        assert!(!words.contains(SECRET), "{words:?}");
    }
});

fn filled(template: &str, value: &str, id: &str) {
    let Ok(template) = template.parse::<Template>() else {
        return;
    };
    assert_eq!(
        template.to_string().parse::<Template>().as_ref(),
        Ok(&template)
    );
    let Ok(template) = template.bind(&["affiliate_id", "sub"]) else {
        return;
    };
    let Ok(id) = id.parse::<OrderId>() else {
        return;
    };
    let render = |value: &str, id: &OrderId| {
        let values = [("affiliate_id", value), ("sub", value)];
        template.render(&Fill {
            values: &values
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            amount: Some(Money {
                amount: "1234.5".parse().unwrap(),
                currency: "EUR".parse().unwrap(),
            }),
            order_id: id,
            store: Some(&"shop".parse().unwrap()),
            time: Time::from_millis(1_700_000_000_000),
            click_time: Some(Time::from_millis(1_600_000_000_000)),
        })
    };
    let (Ok(url), Ok(harmless)) = (render(value, &id), render("x", &"x".parse().unwrap())) else {
        return;
    };
    let (url, harmless) = (Url::parse(&url).unwrap(), Url::parse(&harmless).unwrap());
    assert_eq!(url.origin(), harmless.origin());
    assert_eq!(
        (url.username(), url.password(), url.fragment()),
        ("", None, None)
    );
    let segments = |url: &Url| url.path().split('/').count();
    assert_eq!(segments(&url), segments(&harmless), "{url}");
    // A key may be a value too; how many there are is the template's.
    let pairs: Vec<_> = url
        .query_pairs()
        .map(|(_, value)| value.into_owned())
        .collect();
    let expected: Vec<_> = harmless
        .query_pairs()
        .map(|(_, value)| value.into_owned())
        .collect();
    assert_eq!(pairs.len(), expected.len(), "{url}");
    for (filled, harmless) in pairs.iter().zip(&expected) {
        // A place that is nothing but a value holds just that value.
        let whole = [value, id.as_str()];
        assert!(
            harmless != "x" || whole.contains(&filled.as_str()) || filled == "x",
            "{url}"
        );
    }
}
