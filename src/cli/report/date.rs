//! When a row of a report happened. Dates are written in so many orders that only an example tells which.

use std::str::FromStr;

use time::{Date, Month, OffsetDateTime, Time as Clock, UtcOffset};

use crate::clock::Time;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// In which order a date is written, told by how it writes the last day of 2026.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `2026-12-31`, as in ISO 8601.
    Year,
    /// `12/31/2026`.
    Month,
    /// `31/12/2026`.
    Day,
}

/// A text does not show how dates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a way to write the last day of 2026: 2026-12-31  12/31/2026  31/12/2026  31.12.2026")]
pub struct FormatError;

impl FromStr for DateFormat {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let parts: Vec<&str> = text.trim().split(['-', '/', '.']).collect();
        match parts.as_slice() {
            ["2026", "12", "31"] => Ok(Self::Year),
            ["12", "31", "2026"] => Ok(Self::Month),
            ["31", "12", "2026"] => Ok(Self::Day),
            _ => Err(FormatError),
        }
    }
}

/// A moment, or a whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub begins: Time,
    /// The first moment behind it.
    pub ends: Time,
}

impl DateFormat {
    /// Reads a date with or without a time: `2026-12-31`, `2026-12-31 13:05:59`, `12/31/2026 1:05 PM`,
    /// `2026-12-31T13:05:59+01:00`. Without an offset it is UTC. None if it is not written so.
    pub fn read(self, text: &str) -> Option<Span> {
        let text = text.trim();
        let (date, clock) = match text.split_once([' ', 'T']) {
            Some((date, clock)) => (date, Some(clock.trim())),
            None => (text, None),
        };
        let date = self.date(date)?;
        let (clock, offset, long) = match clock {
            None => (Clock::MIDNIGHT, UtcOffset::UTC, DAY),
            Some(clock) => {
                let (clock, offset) = offset(clock)?;
                (self::clock(clock)?, offset, 1)
            }
        };
        let moment = OffsetDateTime::new_in_offset(date, clock, offset);
        let millis = i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()?;
        Some(Span {
            begins: Time::from_millis(millis),
            ends: Time::from_millis(millis + long),
        })
    }

    fn date(self, text: &str) -> Option<Date> {
        let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
        let &[first, second, third] = parts.as_slice() else {
            return None;
        };
        let (year, month, day) = match self {
            Self::Year => (first, second, third),
            Self::Month => (third, first, second),
            Self::Day => (third, second, first),
        };
        if year.len() != 4 {
            return None;
        }
        let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
        Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
    }
}

/// The clock's part, and how far it is ahead of UTC.
fn offset(text: &str) -> Option<(&str, UtcOffset)> {
    for utc in ["Z", "UTC", "GMT"] {
        if let Some(clock) = text.strip_suffix(utc) {
            return Some((clock.trim_end(), UtcOffset::UTC));
        }
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, UtcOffset::UTC));
    };
    let (clock, offset) = text.split_at_checked(at)?;
    let back = offset.starts_with('-');
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "0"),
        4 => digits.split_at_checked(2)?,
        _ => return None,
    };
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sign = if back { -1 } else { 1 };
    let offset = UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()?;
    Some((clock.trim_end(), offset))
}

/// `13:05`, `13:05:59.25`, `1:05 PM`.
fn clock(text: &str) -> Option<Clock> {
    let upper = text.to_ascii_uppercase();
    let (text, half) = match (upper.strip_suffix("AM"), upper.strip_suffix("PM")) {
        (Some(text), _) => (text, Some(0)),
        (_, Some(text)) => (text, Some(12)),
        _ => (upper.as_str(), None),
    };
    let mut parts = text.trim().split(':');
    let hour: u8 = parts.next()?.parse().ok()?;
    let minute = parts.next()?.parse().ok()?;
    let seconds = parts.next().unwrap_or("0");
    let seconds = seconds.split('.').next().unwrap_or(seconds).parse().ok()?;
    let hour = match half {
        None => hour,
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
    };
    let clock = Clock::from_hms(hour, minute, seconds).ok()?;
    parts.next().is_none().then_some(clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_order_that_the_example_shows() {
        for (format, text, begins, long) in [
            ("2026-12-31", "2026-11-23", "2026-11-23T00:00:00Z", DAY),
            ("2026-12-31", "2026/11/23 01:02", "2026-11-23T01:02:00Z", 1),
            (
                "2026-12-31",
                "2026-11-23T01:02:03.25+01:00",
                "2026-11-23T00:02:03Z",
                1,
            ),
            (
                "2026-12-31",
                "2026-11-23 01:02:03 -0830",
                "2026-11-23T09:32:03Z",
                1,
            ),
            (
                "2026-12-31",
                "2026-11-23 01:02:03 UTC",
                "2026-11-23T01:02:03Z",
                1,
            ),
            (
                "12/31/2026",
                "11/23/2026 12:30 AM",
                "2026-11-23T00:30:00Z",
                1,
            ),
            (
                "12/31/2026",
                "1/2/2026 1:05:09 pm",
                "2026-01-02T13:05:09Z",
                1,
            ),
            ("31/12/2026", "1/2/2026", "2026-02-01T00:00:00Z", DAY),
            (
                "31.12.2026",
                "23.11.2026 00:00:00",
                "2026-11-23T00:00:00Z",
                1,
            ),
        ] {
            let span = format.parse::<DateFormat>().unwrap().read(text).unwrap();
            assert_eq!(span.begins.to_string(), begins, "{text}");
            assert_eq!(span.ends.millis() - span.begins.millis(), long, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_in_that_order_is_none() {
        for text in [
            "",
            "11/23/2026",
            "2026-13-01",
            "2026-02-30",
            "26-02-03",
            "2026-11-23-4",
            "today",
            "2026-11-23 25:00",
            "2026-11-23 13:00 PM",
            "2026-11-23 1",
            "2026-11-23 01:02:03:04",
            "2026-11-23 01:02+99:00",
            "2026-11-23 01:02+1",
        ] {
            assert_eq!(DateFormat::Year.read(text), None, "{text}");
        }
        assert_eq!(DateFormat::Month.read("23/11/2026"), None);
        assert!("23/11/2026".parse::<DateFormat>().is_err());
    }
}
