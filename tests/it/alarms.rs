//! Alarms: what is raised by what happens, and how the operator hears of it.

use std::fs;
use std::path::Path;

use refgate::alarm::{Alarm, Lasts};

#[test]
fn the_manual_says_of_each_alarm_what_to_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alarms.md");
    let text = fs::read_to_string(path).unwrap();
    let mut sections: Vec<&str> = text.split("\n## ").skip(1).collect();
    for alarm in Alarm::ALL {
        let at = sections.iter().position(|section| {
            let title = section.lines().next().unwrap_or_default();
            title == alarm.name()
        });
        let at = at.unwrap_or_else(|| panic!("no section `## {}`", alarm.name()));
        let section = sections.remove(at);
        let level = alarm.level().word();
        let first = section.lines().nth(2).unwrap_or_default();
        let lower = first.to_lowercase();
        assert!(lower.starts_with(&format!("*{level};")), "{first}");
        if let Lasts::Minutes(minutes) = alarm.lasts() {
            let span = match minutes {
                60 => "over an hour after",
                120 => "over two hours after",
                1440 => "over a day after",
                other => panic!("{other}"),
            };
            assert!(first.contains(span), "{}: {first}", alarm.name());
        }
        let paragraphs = section.trim().split("\n\n").count();
        assert!(paragraphs >= 3, "{}: what is to be done?", alarm.name());
    }
    assert!(sections.is_empty(), "of no alarm: {sections:?}");
}
