//! The one timer of a connection.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Rings when what is waited for takes too long.
///
/// What is waited for changes with every request; the timer is made with the first
/// wait and set again only where it would ring too late, or has rung too early.
/// To be polled in one task only.
#[derive(Debug, Default)]
pub(super) struct Clock {
    until: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The timer knows whom to wake.
    armed: bool,
}

impl Clock {
    /// Waits from now on, and no longer than `limit`.
    pub(super) fn set(&mut self, limit: Duration) {
        self.until = Instant::now().checked_add(limit);
    }

    /// Nothing is waited for.
    pub(super) const fn clear(&mut self) {
        self.until = None;
    }

    /// Ready when it took too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if self.armed && sleep.deadline() <= until && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        if until < sleep.deadline() {
            sleep.as_mut().reset(until);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if until <= sleep.deadline() {
                self.armed = false;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
        self.armed = true;
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const BRIEF: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(3600);

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(test);
    }

    async fn rings(clock: &mut Clock) -> bool {
        poll_fn(|cx| Poll::Ready(clock.poll(cx).is_ready())).await
    }

    #[test]
    fn it_rings_at_the_last_limit_that_was_set() {
        run(async {
            let mut clock = Clock::default();
            for _ in 0..3 {
                clock.set(LONG);
                assert!(!rings(&mut clock).await);
                clock.set(BRIEF);
                poll_fn(|cx| clock.poll(cx)).await;
            }
        });
    }

    #[test]
    fn an_earlier_limit_rings_no_more() {
        run(async {
            let mut clock = Clock::default();
            for limit in [Some(LONG), Some(Duration::MAX), None] {
                clock.set(BRIEF);
                assert!(!rings(&mut clock).await);
                match limit {
                    Some(limit) => clock.set(limit),
                    None => clock.clear(),
                }
                tokio::time::sleep(10 * BRIEF).await;
                assert!(!rings(&mut clock).await, "{limit:?}");
            }
        });
    }
}
