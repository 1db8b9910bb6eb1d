//! A session that came with a visit, and then in a browser that has none: it was planted there, or given away.
//!
//! Who follows an affiliate's link of his own, passes the checkout and has his session be used by others would be
//! credited with what they buy and pay elsewhere. Their browsers tell: on the way there they bring the session to
//! the checkout, and no cookie of ours.

use std::future::Future;
use std::time::Duration;

use tracing::debug;

use super::{Key, News, Returns, Sessions};
use crate::cause::Causes;
use crate::clock::Time;
use crate::ledger::{Known, Session};
use crate::name::StoreName;
use crate::session::{self, Mark};
use crate::visit::{Visit, VisitId};

/// How long a browser may take until it has the cookie of its click: other tabs go on without it.
const SETTLING: Duration = Duration::from_secs(10);

/// How long the same session is not asked about again.
const PAUSE: Duration = Duration::from_secs(30);

/// The visit of nobody.
const NOBODY: VisitId = VisitId(0);

impl Returns {
    /// Notes that the session `value` came to a checkout route of `store` at `now` without a visit, where a cookie of
    /// ours would have come along. A visit that it was seen with before is of no use then. What is returned looks,
    /// and is to be run in a task of its own; nothing is kept of a session that came with no visit.
    pub fn note_stranger(
        &self,
        (store, sessions): (&StoreName, &Sessions),
        value: &[u8],
        now: Time,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        if !session::is_random(value) {
            return None;
        }
        let marks = sessions.marker.marks(value);
        let key = key(*marks.first()?);
        // Whoever brings too many is asked about each time: he must not hide another one.
        if self.state().strangers.note(key, PAUSE, now) == News::Known {
            return None;
        }
        let Ok(place) = self.asking.clone().try_acquire_owned() else {
            self.state().strangers.forget(&key);
            return None;
        };
        let (returns, store) = (self.clone(), store.clone());
        let until = now.plus(sessions.memory);
        Some(async move {
            let _place = place;
            returns.part((store, key), marks, (now, until)).await;
        })
    }

    /// Parts the session from the visit that it was seen with, if there is one.
    async fn part(
        &self,
        (store, key): (StoreName, Key),
        marks: Vec<Mark>,
        (at, until): (Time, Time),
    ) {
        let parting = async {
            let Known::Visit(visit) = self.ledger.session(marks.clone(), at).await? else {
                return Ok(None);
            };
            let newest = visit.clicks.iter().map(|click| click.at).max();
            if newest.is_none_or(|click| at.since(click) < SETTLING) {
                self.state().strangers.forget(&key);
                return Ok(None);
            }
            let session = Session {
                marks,
                visit: nobodys(&visit),
                at,
                until,
            };
            self.ledger.remember(vec![session]).await?;
            Ok::<_, crate::ledger::Error>(Some(visit.id))
        };
        match parting.await {
            Ok(None) => {}
            Ok(Some(visit)) => {
                let with = "with a visit and then with a shopper who has none";
                self.alarm(&store, with, visit, at);
            }
            Err(error) => {
                // A confirmation that asks by it finds no more than this did.
                debug!(cause = %Causes(&error), "it is not known whether a session came with a visit");
                self.state().strangers.forget(&key);
            }
        }
    }
}

/// What a session of this mark is noted by that came with no visit.
pub(super) const fn key(mark: Mark) -> Key {
    (mark, NOBODY, None, false)
}

/// Another visit than this one, whose clicks are worth nothing any more.
fn nobodys(visit: &Visit) -> Visit {
    let mut clicks = visit.clicks.clone();
    for click in &mut clicks {
        click.at = Time::from_millis(0);
    }
    Visit {
        id: NOBODY,
        clicks,
        checkout: None,
    }
}
