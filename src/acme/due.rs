//! When a certificate is renewed, and when what failed is tried again. Pure.

use std::time::Duration;

use crate::accept::tls::Certificate;
use crate::clock::Time;

/// How often an authority is asked whether it wants a certificate renewed, if it does not say.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(6 * 3600);

/// The same, whatever it says (RFC 9773 §4.3.2).
const ASK_LIMITS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));

/// The first pause after a failure, and the longest. An authority allows few failures an hour.
const PAUSES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(6 * 3600));

/// When two thirds of its time are over: for a certificate of 90 days 30 days before its end.
pub(super) fn of(certificate: &Certificate) -> Time {
    let (from, until) = (certificate.valid_from, certificate.valid_until);
    from.plus(until.since(from) / 3 * 2)
}

/// The same for one that was made just now. Where its dates and our clock are far apart the
/// authority must not be asked again and again.
pub(super) fn of_new(certificate: &Certificate, now: Time) -> Time {
    let life = certificate.valid_until.since(certificate.valid_from);
    of(certificate).max(now.plus(life / 3))
}

/// Some moment of the window, so that not all the world comes at once.
pub(super) fn within((from, until): (Time, Time), random: u32) -> Time {
    let thousandth = until.since(from) / 1000;
    from.plus(thousandth * (random % 1000))
}

/// When to ask anew where the authority said to wait so long.
pub(super) fn ask_again(now: Time, wait: Duration) -> Time {
    let (least, most) = ASK_LIMITS;
    now.plus(wait.clamp(least, most))
}

/// How long to wait after so many failures in a row: each time four times as long.
pub(super) fn pause(failures: u32) -> Duration {
    let (first, longest) = PAUSES;
    let factor = 4_u32.saturating_pow(failures.saturating_sub(1));
    first.saturating_mul(factor).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: u32) -> Time {
        Time::from_millis(1_800_000_000_000).plus(HOUR * hours)
    }

    #[test]
    fn a_certificate_is_renewed_when_two_thirds_of_its_time_are_over() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["shop.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2030, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 4, 1);
        let pem = params.self_signed(&key).unwrap().pem() + &key.serialize_pem();
        let certificate = Certificate::parse(pem.as_bytes(), pem.as_bytes()).unwrap();
        let time = |text: &str| text.parse::<Time>().unwrap();
        let due = time("2030-03-02T00:00:00Z");
        assert_eq!(of(&certificate), due);
        for (now, expected) in [
            ("2030-01-01T00:00:00Z", "2030-03-02T00:00:00Z"),
            ("2030-01-31T00:00:00Z", "2030-03-02T00:00:00Z"),
            ("2031-01-01T00:00:00Z", "2031-01-31T00:00:00Z"),
        ] {
            assert_eq!(of_new(&certificate, time(now)), time(expected), "{now}");
        }
    }

    #[test]
    fn failures_are_repeated_ever_more_slowly() {
        let minutes: Vec<u64> = (0..7).map(|n| pause(n).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 1, 4, 16, 64, 256, 360]);
        assert_eq!(pause(u32::MAX), HOUR * 6);
    }

    #[test]
    fn a_moment_of_the_window_is_in_it() {
        for random in [0, 1, 500, 999, 1000, u32::MAX] {
            let moment = within((at(10), at(20)), random);
            assert!(at(10) <= moment && moment < at(20), "{random}");
        }
        assert_eq!(within((at(10), at(10)), 7), at(10));
        // One that ends before it begins is no window.
        assert_eq!(within((at(10), at(5)), 7), at(10));
    }

    #[test]
    fn an_authority_is_asked_neither_all_the_time_nor_never() {
        for (wait, expected) in [
            (Duration::ZERO, Duration::from_secs(60)),
            (HOUR * 6, HOUR * 6),
            (Duration::MAX, HOUR * 24),
        ] {
            assert_eq!(ask_again(at(0), wait), at(0).plus(expected));
        }
    }
}
