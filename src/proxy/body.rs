//! What the client gets: the shop's bytes as they come, with tokens in their links where they lead
//! to a sibling store, or a few words of our own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tracing::{error, warn};

use super::account::Tail;
use super::hand_over::OF_THE_BYTES;
use crate::decorate::{Broken, Decorator};
use crate::event::Event;
use crate::forward;
use crate::message;
use crate::message::{Body as _, Fields, Frame};
use crate::watch::{self, Relay};

/// Why a body has no clean end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The shop's broke off, or the task that watches it did.
    #[error(transparent)]
    Watch(#[from] watch::Error),
    /// A page to be decorated is not in the coding that it says.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Undoing a page's gzip, or doing it again, panicked. It cannot go on as it is.
    #[error("a page's gzip could not be written: it panicked; the page breaks off")]
    Panicked,
}

/// The body of every answer.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    /// What is noted of it; there once the answer's head is whole.
    pub(super) tail: Option<Tail>,
}

#[derive(Debug)]
enum Kind {
    Shop(forward::Body),
    Watched(Relay),
    Decorated(Box<Decorated>),
    Own(Bytes),
}

/// A page that gets tokens on its way.
#[derive(Debug)]
struct Decorated {
    page: Kind,
    decorator: Decorator,
    /// What comes behind the page.
    trailers: Option<Fields>,
    /// The shop has sent all of it.
    whole: bool,
    ended: bool,
    /// It has broken off: nothing comes any more.
    broken: bool,
}

impl Body {
    const fn new(kind: Kind) -> Self {
        Self { kind, tail: None }
    }

    /// The shop's, unchanged.
    pub(super) const fn shop(body: forward::Body) -> Self {
        Self::new(Kind::Shop(body))
    }

    /// The shop's, by way of the task that watches it.
    pub(super) const fn watched(relay: Relay) -> Self {
        Self::new(Kind::Watched(relay))
    }

    /// A few words of our own.
    pub(super) const fn own(text: Bytes) -> Self {
        Self::new(Kind::Own(text))
    }

    /// The same, with its links decorated.
    pub(super) fn decorated(mut self, decorator: Box<Decorator>) -> Self {
        self.kind = Kind::Decorated(Box::new(Decorated {
            page: std::mem::replace(&mut self.kind, Kind::Own(Bytes::new())),
            decorator: *decorator,
            trailers: None,
            whole: false,
            ended: false,
            broken: false,
        }));
        self
    }

    fn note(&mut self, frame: Option<&Result<Frame, Error>>) {
        let has_panicked = self.kind.has_panicked();
        let Some(tail) = &mut self.tail else { return };
        if has_panicked {
            tail.service.counters.add(Event::DecoratorFailed);
            error!("decorating a page panicked; the rest of it goes on as it is");
        }
        match frame {
            Some(Ok(Frame::Data(data))) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                tail.bytes = tail.bytes.saturating_add(length);
            }
            Some(Ok(Frame::Trailers(_))) => {}
            Some(Err(Error::Panicked)) => {
                tail.service.counters.add(Event::DecoratorFailed);
                error!("{}", Error::Panicked);
            }
            Some(Err(error)) => {
                // The client sees it too: its connection ends without the end of the body. The task
                // that watches has said so itself.
                if !self.kind.is_watched() {
                    tail.service.counters.add(Event::ShopTruncated);
                    warn!("{error}");
                }
            }
            None => tail.ended = true,
        }
    }
}

impl Kind {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Error>>> {
        Poll::Ready(match self {
            Self::Shop(body) => {
                let frame = ready!(body.poll_frame(cx));
                frame.map(|frame| frame.map_err(|error| watch::Error::from(error).into()))
            }
            Self::Watched(relay) => {
                let frame = ready!(relay.poll_frame(cx));
                frame.map(|frame| frame.map_err(Error::from))
            }
            Self::Decorated(decorated) => ready!(decorated.poll_frame(cx)),
            Self::Own(text) if text.is_empty() => None,
            Self::Own(text) => Some(Ok(Frame::Data(std::mem::take(text)))),
        })
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Shop(body) => body.advance(cx),
            Self::Decorated(decorated) => decorated.page.advance(cx),
            // The task that watches it goes on by itself.
            Self::Watched(_) | Self::Own(_) => {}
        }
    }

    fn left(&self) -> Option<u64> {
        match self {
            Self::Shop(body) => body.left(),
            Self::Watched(relay) => relay.left(),
            Self::Decorated(decorated) => decorated.ended.then_some(0),
            Self::Own(text) => u64::try_from(text.len()).ok(),
        }
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Shop(body) => body.is_end(),
            Self::Watched(relay) => relay.is_end(),
            Self::Decorated(decorated) => decorated.ended,
            Self::Own(text) => text.is_empty(),
        }
    }

    /// Whether reading the page to be decorated has panicked since this was last asked.
    fn has_panicked(&mut self) -> bool {
        match self {
            Self::Decorated(decorated) => decorated.decorator.has_panicked(),
            Self::Shop(_) | Self::Watched(_) | Self::Own(_) => false,
        }
    }

    fn is_watched(&self) -> bool {
        match self {
            Self::Watched(_) => true,
            Self::Decorated(decorated) => decorated.page.is_watched(),
            Self::Shop(_) | Self::Own(_) => false,
        }
    }
}

impl Decorated {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Error>>> {
        if self.broken || self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.poll_next(cx));
        self.broken = matches!(frame, Some(Err(_)));
        Poll::Ready(frame)
    }

    /// What can be given out. Of the page's gzip is others' code: where that panics, only this page ends.
    fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let reading = AssertUnwindSafe(|| self.decorator.read());
        match catch_unwind(reading) {
            Ok(read) => Ok(read?),
            Err(_panic) => Err(Error::Panicked),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Error>>> {
        loop {
            match self.read() {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(Frame::Data(bytes)))),
                Ok(None) if self.whole => {
                    let trailers = self
                        .trailers
                        .take()
                        .map(|fields| Ok(Frame::Trailers(fields)));
                    self.ended = trailers.is_none();
                    return Poll::Ready(trailers);
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            match ready!(self.page.poll_frame(cx)) {
                Some(Ok(Frame::Data(data))) => self.decorator.write(data),
                Some(Ok(Frame::Trailers(mut trailers))) => {
                    for name in OF_THE_BYTES {
                        trailers.remove(name);
                    }
                    self.trailers = Some(trailers);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.decorator.end();
                    self.whole = true;
                }
            }
        }
    }
}

impl message::Body for Body {
    type Error = Error;

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Error>>> {
        let frame = ready!(self.kind.poll_frame(cx));
        self.note(frame.as_ref());
        Poll::Ready(frame)
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.kind.advance(cx);
    }

    fn left(&self) -> Option<u64> {
        self.kind.left()
    }

    fn is_end(&self) -> bool {
        self.kind.is_end()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let whole = self.is_end();
        if let Some(tail) = &mut self.tail {
            tail.end(tail.ended || whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decorate::Coding;
    use crate::hand_over::url::Origin;
    use crate::message::body::next;
    use crate::store::Scheme;

    /// Lets go of a page with a link of which this is the token.
    fn page(token: fn() -> Option<Arc<str>>) -> Body {
        let siblings = move |_: &Origin<'_>| token();
        let decorator = Decorator::new(Coding::Identity, Scheme::Https, "rg", siblings);
        let text = Bytes::from_static(b"<p>a<a href=https://b.test/>b</a>c");
        Body::own(text).decorated(Box::new(decorator))
    }

    async fn whole(mut body: Body) -> Vec<u8> {
        let mut whole = Vec::new();
        while let Some(frame) = next(&mut body).await {
            whole.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert!(body.is_end());
        whole
    }

    #[tokio::test]
    async fn a_panic_while_decorating_leaves_the_page_as_it_is() {
        let body = page(|| panic!("a fault in somebody's code"));
        assert_eq!(whole(body).await, b"<p>a<a href=https://b.test/>b</a>c");
    }

    #[tokio::test]
    async fn a_page_comes_to_its_end() {
        let body = page(|| Some("T".into()));
        assert_eq!(
            whole(body).await,
            b"<p>a<a href=https://b.test/?rg=T>b</a>c"
        );
    }
}
