//! Whether browsers keep the cookie that they are given: of the visitors who begin here, some are
//! waited for, and it is noted whether they open another page with just that cookie.
//!
//! Nothing of a cookie is kept but eight bytes of its seal, for an hour. What is waited for is bounded,
//! so that a busy store is sampled. A request looks at one word of memory.

use std::array;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Time;

/// Most visitors who are waited for at once.
const WAITING: usize = 512;

/// How long each is waited for.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The last so many of a family are looked at: as many as a word has bits.
const SAMPLE: u8 = 64;

/// So few of them who come back are a fault.
const FEW: u32 = 1;

/// So many are none any more.
const ENOUGH: u32 = 5;

/// Browsers that treat cookies alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Family {
    InApp,
    Edge,
    Opera,
    Samsung,
    Firefox,
    Chrome,
    Safari,
    Other,
}

impl Family {
    /// Every family, the more particular before those whose words they also say.
    pub const ALL: [Self; 8] = [
        Self::InApp,
        Self::Edge,
        Self::Opera,
        Self::Samsung,
        Self::Firefox,
        Self::Chrome,
        Self::Safari,
        Self::Other,
    ];

    /// By the words of a `User-Agent`.
    pub fn of(agent: &str) -> Self {
        let says = |family: &Self| family.words().iter().any(|word| agent.contains(word));
        Self::ALL.into_iter().find(says).unwrap_or(Self::Other)
    }

    /// As an operator calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InApp => "in-app browsers",
            Self::Edge => "Edge",
            Self::Opera => "Opera",
            Self::Samsung => "Samsung Internet",
            Self::Firefox => "Firefox",
            Self::Chrome => "Chrome",
            Self::Safari => "Safari",
            Self::Other => "other browsers",
        }
    }

    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::InApp => &[
                "FBAN/",
                "FBAV/",
                "Instagram",
                "musical_ly",
                "TikTok",
                "; wv)",
            ],
            Self::Edge => &["Edg/", "EdgA/", "EdgiOS/"],
            Self::Opera => &["OPR/"],
            Self::Samsung => &["SamsungBrowser/"],
            Self::Firefox => &["Firefox/", "FxiOS/"],
            Self::Chrome => &["Chrome/", "CriOS/", "Chromium/"],
            Self::Safari => &["Safari/"],
            Self::Other => &[],
        }
    }
}

/// Who is waited for in one store.
#[derive(Debug)]
pub struct Kept {
    /// The marks of those who have not come back yet, each at its own place; zero is nobody.
    marks: [AtomicU64; WAITING],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Visitor>,
    /// By place in [`Family::ALL`].
    samples: [Sample; Family::ALL.len()],
}

#[derive(Clone, Copy, Debug)]
struct Visitor {
    mark: u64,
    family: Family,
    since: Time,
    back: bool,
}

/// The last visitors of a family.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    /// One bit each, the newest lowest: whether he came back.
    back: u64,
    /// How many there are.
    count: u8,
    /// Whether they do not come back.
    lost: bool,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            marks: array::from_fn(|_| AtomicU64::new(0)),
            state: Mutex::default(),
        }
    }
}

impl Kept {
    /// A visitor is given a cookie of this value, by the browser `agent`.
    pub fn gave(&self, value: &[u8], agent: &str, now: Time) {
        let Some((mark, place)) = self.place(value) else {
            return;
        };
        let mut state = self.lock();
        let taken = place.load(Ordering::Relaxed) != 0;
        if taken || state.waiting.len() >= WAITING {
            return;
        }
        place.store(mark, Ordering::Relaxed);
        state.waiting.push_back(Visitor {
            mark,
            family: Family::of(agent),
            since: now,
            back: false,
        });
    }

    /// Somebody opens a page with a cookie of this value.
    pub fn came(&self, value: &[u8]) {
        let Some((mark, place)) = self.place(value) else {
            return;
        };
        if place.load(Ordering::Relaxed) != mark {
            return;
        }
        let mut state = self.lock();
        let waiting = state.waiting.iter_mut();
        for visitor in waiting.filter(|visitor| visitor.mark == mark) {
            visitor.back = true;
        }
    }

    /// The families whose visitors do not come back, with how many of how many did.
    pub fn lost(&self, now: Time) -> Vec<(Family, u32, u8)> {
        let mut state = self.lock();
        // A clock that was put back makes the oldest wait on, and no more.
        while let Some(visitor) = state.waiting.front().copied()
            && now.since(visitor.since) >= PATIENCE
        {
            state.waiting.pop_front();
            if let Some(place) = self.marks.get(place_of(visitor.mark)) {
                place.store(0, Ordering::Relaxed);
            }
            let families = Family::ALL.iter().zip(&mut state.samples);
            for (_, sample) in families.filter(|(family, _)| **family == visitor.family) {
                sample.note(visitor.back);
            }
        }
        let families = Family::ALL.into_iter().zip(&state.samples);
        let lost = families.filter(|(_, sample)| sample.lost);
        lost.map(|(family, sample)| (family, sample.back.count_ones(), sample.count))
            .collect()
    }

    /// What is kept of a value, and where.
    fn place(&self, value: &[u8]) -> Option<(u64, &AtomicU64)> {
        // Of the seal's last bytes, which are as good as random; the very last may be padding.
        let end = value.len().checked_sub(4)?;
        let bytes = value.get(end.checked_sub(8)?..end)?;
        let mark = u64::from_le_bytes(bytes.try_into().ok()?);
        let place = self.marks.get(place_of(mark))?;
        (mark != 0).then_some((mark, place))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sample {
    fn note(&mut self, back: bool) {
        self.back = self.back << 1 | u64::from(back);
        self.count = self.count.saturating_add(1).min(SAMPLE);
        let back = self.back.count_ones();
        self.lost = match self.lost {
            true => back < ENOUGH,
            false => self.count == SAMPLE && back <= FEW,
        };
    }
}

fn place_of(mark: u64) -> usize {
    // Every bit counts for the upper ones of the product.
    let mixed = mark.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    usize::try_from(mixed).unwrap_or_default() % WAITING
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_795_392_000_000);
    const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36";

    /// Visitors who begin at `now`; every `good`th comes back, if any.
    fn visitors(kept: &Kept, count: usize, good: usize, now: Time) -> Vec<(Family, u32, u8)> {
        for number in 0..count {
            let value = format!(
                "sealed{:08}+{:07}AAAA",
                number % 97,
                now.millis() % 9973 + i64::try_from(number).unwrap() * 131
            );
            kept.gave(value.as_bytes(), CHROME, now);
            if good != 0 && number % good == 0 {
                kept.came(value.as_bytes());
            }
        }
        kept.lost(now.plus(PATIENCE))
    }

    #[test]
    fn a_family_that_never_comes_back_is_lost_and_found_again() {
        let kept = Kept::default();
        let mut now = NOW;
        let mut step = |count, good| {
            now = now.plus(2 * PATIENCE);
            visitors(&kept, count, good, now)
        };
        assert_eq!(step(30, 0), [], "few prove nothing");
        let lost = step(100, 0);
        assert_eq!(lost, [(Family::Chrome, 0, SAMPLE)]);
        assert_eq!(step(60, 2), [], "half of them do");
        assert_eq!(step(100, 10), [], "and most who leave at once are no fault");
    }

    #[test]
    fn what_is_waited_for_is_bounded() {
        let kept = Kept::default();
        visitors(&kept, 20_000, 0, NOW);
        assert!(kept.lock().waiting.is_empty(), "all are over");
        for number in 0..20_000 {
            kept.gave(format!("{number:012}AAAA").as_bytes(), CHROME, NOW);
        }
        let waiting = kept.lock().waiting.len();
        assert!(waiting <= WAITING && waiting > WAITING / 2, "{waiting}");
        kept.gave(b"short", CHROME, NOW);
        kept.came(b"");
    }

    #[test]
    fn families_are_told_apart() {
        for (agent, family) in [
            (CHROME, Family::Chrome),
            (
                "Mozilla/5.0 … Chrome/143.0 Safari/537.36 Edg/143.0",
                Family::Edge,
            ),
            (
                "Mozilla/5.0 (iPhone) … Version/26.0 Mobile/15E148 Safari/604.1",
                Family::Safari,
            ),
            (
                "Mozilla/5.0 (iPhone) … CriOS/143.0 Mobile Safari/604.1",
                Family::Chrome,
            ),
            (
                "Mozilla/5.0 (iPhone) … [FBAN/FBIOS;FBAV/530.0]",
                Family::InApp,
            ),
            (
                "Mozilla/5.0 (X11; rv:145.0) Gecko/20100101 Firefox/145.0",
                Family::Firefox,
            ),
            ("curl/8.0", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(Family::of(agent), family, "{agent}");
        }
    }
}
