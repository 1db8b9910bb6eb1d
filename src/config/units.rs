//! Durations (`500ms`, `30s`, `5m`, `6h`, `30d`), sizes (`64KiB`, `2MiB`) and rates (`10/s`).

use std::time::Duration;

use crate::deliver::Rate;

/// The duration that `text` says; a whole number with its unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// The bytes that `text` says; a whole number with its unit.
pub(super) fn size(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let bytes: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    usize::try_from(number.checked_mul(bytes)?).ok()
}

/// Most of anything in one span of time.
const MOST: u32 = 100_000;

/// The rate that `text` says: `10/s`, `100/m`, `2000/h`; never none.
pub(super) fn frequency(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let seconds = match unit.trim_start() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let plain = count.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse().ok().filter(|_| plain)?;
    (1..=MOST).contains(&count).then(|| Rate {
        count,
        per: Duration::from_secs(seconds),
    })
}

/// `rate` in words.
pub(super) fn shown_frequency(rate: Rate) -> String {
    let span = match rate.per.as_secs() {
        1 => "a second",
        60 => "a minute",
        _ => "an hour",
    };
    format!("{} {span}", rate.count)
}

/// `span` as an operator would write it.
pub(super) fn shown(span: Duration) -> String {
    const UNITS: [(u128, &str); 5] = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ];
    let millis = span.as_millis();
    let fits = |(unit, _): &&(u128, &str)| millis >= *unit && millis.is_multiple_of(*unit);
    match UNITS.iter().find(fits) {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

/// `span` in its two largest units: `2d 42m` is too much to read where `2d` is meant, `1d 22h` is not.
pub(super) fn roughly(span: Duration) -> String {
    const UNITS: [(u64, u64, &str, &str); 3] = [
        (86_400, 3_600, "d", "h"),
        (3_600, 60, "h", "m"),
        (60, 1, "m", "s"),
    ];
    let seconds = span.as_secs();
    let Some((large, small, name, lesser)) = UNITS.iter().find(|unit| seconds >= unit.0) else {
        return shown(span);
    };
    match (seconds / large, seconds % large / small) {
        (large, 0) => format!("{large}{name}"),
        (large, small) => format!("{large}{name} {small}{lesser}"),
    }
}

/// `bytes` as an operator would write them.
pub(super) fn shown_size(bytes: usize) -> String {
    const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = |(unit, _): &&(usize, &str)| bytes >= *unit && bytes.is_multiple_of(*unit);
    match UNITS.iter().find(fits) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("30d"), Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(duration("5 m"), Some(Duration::from_secs(300)));
        for wrong in [
            "",
            "5",
            "s",
            "1.5s",
            "-1s",
            "5x",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(shown(Duration::from_secs(90)), "90s");
        assert_eq!(shown(Duration::from_secs(86_400)), "1d");
        assert_eq!(shown(Duration::ZERO), "0ms");
        assert_eq!(roughly(Duration::from_secs(174_150)), "2d");
        assert_eq!(roughly(Duration::from_secs(168_150)), "1d 22h");
        assert_eq!(roughly(Duration::from_millis(1500)), "1500ms");
    }

    #[test]
    fn a_rate_has_a_span() {
        for (text, words) in [
            ("10/s", "10 a second"),
            ("100/ m", "100 a minute"),
            ("1/h", "1 an hour"),
        ] {
            assert_eq!(shown_frequency(frequency(text).unwrap()), words);
        }
        for wrong in ["", "10", "0/s", "+1/s", "10/d", "/s", "1.5/s", "100001/s"] {
            assert_eq!(frequency(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("2 MiB"), Some(2_097_152));
        assert_eq!(size("10B"), Some(10));
        for wrong in ["", "64", "64KB", "KiB", "99999999999GiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
        assert_eq!(shown_size(2_097_152), "2MiB");
        assert_eq!(shown_size(1000), "1000B");
    }
}
