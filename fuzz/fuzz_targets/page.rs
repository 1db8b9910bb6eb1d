//! A saved exchange, and what every kind of rule reads from it.
#![no_main]

use std::cell::LazyCell;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use refgate::observe::saved::{self, Given};
use refgate::observe::{Reading, Rules};
use refgate_fuzz::settings::settings;
use refgate_fuzz::{first_line, shown};

thread_local! {
    static RULES: LazyCell<Rules> = const { LazyCell::new(|| {
        let settings = settings();
        Rules::new(settings.observe, &settings.stores)
    }) };
}

fuzz_target!(|bytes: &[u8]| {
    let file = Bytes::copy_from_slice(bytes);
    let (_, behind) = first_line(bytes);
    let given = Given {
        host: Some("shop.example".to_owned()),
        ..Given::default()
    };
    // Whether it is a file with heads or a page is asked in this order by the command line too.
    if saved::is_exchange(bytes) {
        let Ok(exchange) = saved::exchange(&file, None, &given) else {
            return;
        };
        read(&exchange);
        // The same with the body in a file of its own.
        let split = saved::exchange(&file, Some(exchange.body.clone()), &given).unwrap();
        assert_eq!(split.body, exchange.body);
    } else if let Ok(exchange) = saved::page(Bytes::copy_from_slice(behind), &given) {
        read(&exchange);
    }
});

fn read(exchange: &saved::Exchange) {
    RULES.with(|rules| {
        let readings = rules.read(exchange);
        for reading in &readings {
            plausible(reading);
        }
        if readings.is_empty() {
            for (rule, miss) in rules.explain(exchange) {
                shown(&rule.to_string());
                let _ = miss.to_string();
            }
        }
    });
}

/// What everything behind it relies on.
fn plausible(reading: &Reading) {
    let ids = reading.order_id.iter().chain(&reading.aliases);
    for id in ids {
        let text = id.as_str();
        assert!(
            !text.is_empty() && text.len() <= 128 && text.trim() == text,
            "{text:?}"
        );
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    for fault in &reading.faults {
        let _ = fault.to_string();
    }
    let is_doubtful = reading.order_id.is_none() || reading.amount.is_none();
    assert!(
        !is_doubtful || !reading.faults.is_empty() || reading.doubt.is_some(),
        "{reading:?}"
    );
}
