//! The ledger in SQLite: the verbs, each one piece of work for the writer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Row};
use tokio::sync::{Notify, watch};

use super::Role;
use super::custody::Custody;
use super::error::Error;
use super::filter::{OrderFilter, PostbackFilter};
use super::known::{Deed, KnownOrder, Learned};
use super::owner;
use super::row::Columns;
use super::session::{Known, SWEPT, Session, Written};
use super::story::{Counts, Durability, Entered, Settlement, Story, Told};
use super::version::SteppedBack;
use super::writer::{Kind, Opening, Writer};
use crate::clock::Time;
use crate::name::{Namespace, NetworkName};
use crate::order::{Candidate, Order, OrderId};
use crate::postback::{AttemptId, Postback, PostbackId, State};
use crate::session::Mark;

mod back;
mod books;
mod custody;
mod enter;
mod find;
mod keep;
mod known;
mod open;
mod pauses;
mod place;
mod retire;
mod send;
mod sessions;
mod steer;

#[derive(Debug)]
pub(super) struct Sqlite {
    writer: Writer,
    aside: Aside,
    key: known::Key,
}

/// Where long looks are taken: beside the writer, so that no order waits for them. One at a time.
#[derive(Clone, Debug)]
struct Aside(Arc<Mutex<PathBuf>>);

impl Sqlite {
    /// Opens it. In [`Role::Run`] a file that is locked, or on a full or failing disk, is no error: it is waited for.
    pub(super) fn open(
        path: &Path,
        role: Role,
        now: Time,
        custody: &Custody,
    ) -> Result<Self, Error> {
        let path = open::resolve(path);
        let lock = match role {
            Role::Run => Some(owner::own(&path)?),
            Role::Tool => None,
        };
        let key = known::Key::default();
        let first = open::open(&path, (role, now), custody)
            .and_then(|opened| key.of(&opened).map(|_marker| opened));
        let first = match first {
            Err(fault) if role == Role::Tool || !passes(&fault) => return Err(fault),
            first => first,
        };
        let (again, custody) = (path.clone(), custody.clone());
        let opening = Opening {
            first,
            again: Box::new(move || open::again(&again, Time::now(), &custody)),
        };
        let writer = Writer::start(opening, lock).map_err(|source| Error::Io {
            path: path.clone(),
            source: Arc::new(source),
        })?;
        let aside = Aside(Arc::new(Mutex::new(path)));
        Ok(Self { writer, aside, key })
    }

    /// Nobody may run on it meanwhile.
    pub(super) fn step_back(path: &Path, sure: bool) -> Result<SteppedBack, Error> {
        let path = open::resolve(path);
        if !path.exists() {
            return Err(Error::Missing { path });
        }
        let _alone = owner::own(&path)?;
        back::step_back(&path, sure)
    }

    pub(super) async fn enter(
        &self,
        candidate: Candidate,
        due: Arc<Notify>,
    ) -> Result<Entered, Error> {
        // Written out here, as the writer's time is everybody's.
        let texts = super::texts::Texts::of(&candidate)?;
        let key = self.key.clone();
        let work = move |db: &Connection| place::enter(db, key.of(db)?, (&candidate, &texts));
        let after = move |entered: &Entered| match entered {
            Entered::New(_) | Entered::Completed(_) => due.notify_one(),
            Entered::Again(_) | Entered::Known(..) | Entered::NoPlace(_) => {}
        };
        self.writer.call(Kind::Write, work, after).await
    }

    pub(super) async fn known(&self, id: String) -> Result<Vec<KnownOrder>, Error> {
        let key = self.key.clone();
        self.read(move |db| known::find(db, key.of(db)?, &id)).await
    }

    pub(super) async fn learn(
        &self,
        namespace: Namespace,
        ids: Vec<OrderId>,
        now: Time,
    ) -> Result<Learned, Error> {
        let key = self.key.clone();
        self.write(move |db| known::learn(db, key.of(db)?, (&namespace, &ids), now))
            .await
    }

    pub(super) async fn record(&self, deed: Deed, now: Time) -> Result<(), Error> {
        self.write(move |db| known::record(db, &deed, now)).await
    }

    pub(super) async fn claim(
        &self,
        destination: NetworkName,
        now: Time,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Postback>, Error> {
        self.write(move |db| send::claim(db, &destination, (now, now.plus(lease)), limit))
            .await
    }

    pub(super) async fn begin(
        &self,
        id: PostbackId,
        url: String,
        now: Time,
    ) -> Result<AttemptId, Error> {
        self.write(move |db| send::begin(db, id, &url, now)).await
    }

    pub(super) async fn settle(&self, end: Settlement, due: Arc<Notify>) -> Result<(), Error> {
        let again = end.state == State::Due;
        let work = move |db: &Connection| send::settle(db, &end);
        let after = move |&(): &()| {
            if again {
                due.notify_one();
            }
        };
        self.writer.call(Kind::Write, work, after).await
    }

    pub(super) async fn interrupted(&self, now: Time) -> Result<Vec<(Postback, AttemptId)>, Error> {
        self.read(move |db| send::interrupted(db, now)).await
    }

    pub(super) async fn waiting(&self) -> Result<Vec<(NetworkName, Time)>, Error> {
        self.read(send::waiting).await
    }

    pub(super) async fn orders(
        &self,
        filter: OrderFilter,
        limit: usize,
    ) -> Result<Vec<Order>, Error> {
        self.read(move |db| find::orders(db, &filter, limit)).await
    }

    pub(super) async fn story(&self, id: String) -> Result<Vec<Story>, Error> {
        self.read(move |db| find::story(db, &id)).await
    }

    pub(super) async fn postbacks(
        &self,
        filter: PostbackFilter,
        limit: usize,
    ) -> Result<Vec<Postback>, Error> {
        self.look(move |db| find::postbacks(db, &filter, limit))
            .await
    }

    pub(super) async fn postback(&self, id: PostbackId) -> Result<Told, Error> {
        self.read(move |db| find::told(db, id)).await
    }

    pub(super) async fn remember(&self, sessions: Vec<Session>) -> Result<Vec<Written>, Error> {
        self.write(move |db| sessions::remember(db, &sessions))
            .await
    }

    pub(super) async fn session(&self, marks: Vec<Mark>, now: Time) -> Result<Known, Error> {
        self.read(move |db| sessions::find(db, &marks, now)).await
    }

    pub(super) async fn forget(&self, now: Time) -> Result<u64, Error> {
        let mut all = 0;
        loop {
            let gone = self
                .write(move |db| {
                    let closed = sessions::close(db, now, SWEPT)?;
                    Ok(closed + sessions::sweep(db, now, SWEPT)?)
                })
                .await?;
            all += gone;
            if gone < SWEPT {
                return Ok(all);
            }
        }
    }

    pub(super) async fn counts(&self) -> Result<Counts, Error> {
        self.look(find::counts).await
    }

    pub(super) async fn count(&self, states: Vec<State>) -> Result<Vec<(State, u64)>, Error> {
        self.look(move |db| find::count(db, &states)).await
    }

    pub(super) async fn unclear(&self, before: Time) -> Result<u64, Error> {
        self.look(move |db| send::unclear(db, before)).await
    }

    pub(super) async fn probe(&self, now: Time) -> Result<(), Error> {
        self.write(move |db| open::probe(db, now)).await
    }

    pub(super) async fn durability(&self) -> Result<Durability, Error> {
        self.read(open::durability).await
    }

    pub(super) fn commits(&self) -> u64 {
        self.writer.commits()
    }

    /// Why the file is not open yet, while that is so.
    pub(super) fn away(&self) -> watch::Receiver<Option<Error>> {
        self.writer.away()
    }

    #[cfg(test)]
    pub(super) async fn pragma(&self, pragma: &'static str) -> Result<(), Error> {
        self.read(move |db| Ok(db.execute_batch(pragma)?)).await
    }

    /// Reads on a connection of its own: what scans must not hold up the writer.
    async fn look<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        self.writer.is_there()?;
        let aside = self.aside.clone();
        let look = move || {
            let path = aside.0.lock().unwrap_or_else(PoisonError::into_inner);
            work(&open::beside(&path)?)
        };
        let looked = tokio::task::spawn_blocking(look).await;
        // It panicked, or the runtime ends.
        looked.map_err(|_ended| Error::Closed)?
    }

    /// Does what takes a connection of its own, away from the writer and from looks.
    async fn blocking<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Path) -> Result<T, Error> + Send + 'static,
    {
        self.writer.is_there()?;
        let path = {
            let path = self.aside.0.lock();
            path.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        // It panicked, or the runtime ends.
        done.map_err(|_ended| Error::Closed)?
    }

    async fn read<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> Result<T, Error> + Send + 'static,
    {
        self.writer.call(Kind::Read, work, |_| {}).await
    }

    async fn write<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> Result<T, Error> + Send + 'static,
    {
        self.writer.call(Kind::Write, work, |_| {}).await
    }
}

/// Whether it may be over soon, without anybody who changes the configuration. Whatever else keeps the file from being
/// opened is refused at the start.
fn passes(fault: &Error) -> bool {
    match fault {
        Error::Locked(_) | Error::Full(_) => true,
        // Also what a full disk leads to where the file of the index of the log cannot grow.
        Error::Database(cause) => {
            let cause = cause.downcast_ref::<rusqlite::Error>();
            let code = cause.and_then(rusqlite::Error::sqlite_error_code);
            code == Some(ErrorCode::SystemIoFailure)
        }
        _ => false,
    }
}

impl Columns for Row<'_> {
    fn number(&self, name: &'static str) -> Result<i64, Error> {
        Ok(self.get(name)?)
    }

    fn maybe_number(&self, name: &'static str) -> Result<Option<i64>, Error> {
        Ok(self.get(name)?)
    }

    fn text(&self, name: &'static str) -> Result<String, Error> {
        Ok(self.get(name)?)
    }

    fn maybe_text(&self, name: &'static str) -> Result<Option<String>, Error> {
        Ok(self.get(name)?)
    }
}
