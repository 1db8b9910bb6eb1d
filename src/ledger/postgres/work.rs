//! Work for the writer, with the way back to whoever sent it.

use std::pin::Pin;

use tokio::sync::oneshot;

use super::connection::Connection;
use super::first::New;
use super::place;
use crate::ledger::error::Error;
use crate::ledger::story::Entered;

/// How a piece of work is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Beside others, in one statement; none if that is not enough.
    Together,
    /// By itself, after them.
    Alone,
}

/// A future on the writer's thread.
pub(super) type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Work as the writer sees it.
pub(super) trait Piece: Send {
    /// Runs it, perhaps not for the first time: what ran before was undone. True when it is done.
    /// An error: the transaction is to be undone.
    fn run<'a>(&'a mut self, db: &'a Connection, pace: Pace) -> Local<'a, Result<bool, Error>>;

    /// Its place in a group.
    fn key(&self) -> &str;

    /// What it enters, if that is an order: all of a group that are new are entered together.
    fn order(&self) -> Option<&New> {
        None
    }

    /// What became of it there.
    fn entered(&mut self, _entered: Option<Entered>) {}

    /// Tells its sender how the commit went.
    fn tell(self: Box<Self>, committed: Result<(), Error>);
}

/// A piece of work with the way back to its sender.
pub(super) struct Work<T, W, A> {
    key: String,
    work: W,
    after: A,
    done: Option<Result<T, Error>>,
    reply: Reply<T>,
}

impl<T, W, A> Work<T, W, A> {
    pub(super) fn new(
        key: String,
        work: W,
        after: A,
    ) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (reply, answer) = oneshot::channel();
        let done = None;
        let piece = Self {
            key,
            work,
            after,
            done,
            reply,
        };
        (piece, answer)
    }
}

impl<T, W, A> Piece for Work<T, W, A>
where
    T: Send,
    W: AsyncFn(&Connection, Pace) -> Result<Option<T>, Error> + Send,
    A: FnOnce(&T) + Send,
{
    fn run<'a>(&'a mut self, db: &'a Connection, pace: Pace) -> Local<'a, Result<bool, Error>> {
        Box::pin(async move {
            self.done = match (self.work)(db, pace).await {
                Ok(value) => value.map(Ok),
                // It changed nothing, so it stays among its neighbours.
                Err(refusal) if refusal.is_refusal() => Some(Err(refusal)),
                Err(error) => return Err(error),
            };
            Ok(self.done.is_some())
        })
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn tell(self: Box<Self>, committed: Result<(), Error>) {
        let Self {
            after, done, reply, ..
        } = *self;
        answer(
            committed.and_then(|()| done.unwrap_or(Err(Error::Closed))),
            after,
            reply,
        );
    }
}

fn answer<T>(outcome: Result<T, Error>, after: impl FnOnce(&T), reply: Reply<T>) {
    if let Ok(value) = &outcome {
        after(value);
    }
    // A caller that went away needs no answer; its work is done all the same.
    drop(reply.send(outcome));
}

/// An order to be entered.
pub(super) struct Entry<A> {
    key: String,
    new: New,
    after: A,
    done: Option<Entered>,
    reply: Reply<Entered>,
}

impl<A> Entry<A> {
    pub(super) fn new(new: New, after: A) -> (Self, oneshot::Receiver<Result<Entered, Error>>) {
        let (reply, answer) = oneshot::channel();
        let key = format!("a {}", new.candidate.order.key);
        let done = None;
        let entry = Self {
            key,
            new,
            after,
            done,
            reply,
        };
        (entry, answer)
    }
}

impl<A> Piece for Entry<A>
where
    A: FnOnce(&Entered) + Send,
{
    fn run<'a>(&'a mut self, db: &'a Connection, pace: Pace) -> Local<'a, Result<bool, Error>> {
        Box::pin(async move {
            if pace == Pace::Alone {
                self.done = Some(place::enter(db, &self.new).await?);
            }
            Ok(self.done.is_some())
        })
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn order(&self) -> Option<&New> {
        Some(&self.new)
    }

    fn entered(&mut self, entered: Option<Entered>) {
        self.done = entered;
    }

    fn tell(self: Box<Self>, committed: Result<(), Error>) {
        let Self {
            after, done, reply, ..
        } = *self;
        answer(
            committed.and_then(|()| done.ok_or(Error::Closed)),
            after,
            reply,
        );
    }
}

pub(super) type Job = Box<dyn Piece>;
