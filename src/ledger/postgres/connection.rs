//! One connection to the database: statements kept prepared, errors told apart by what they mean for the ledger.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::server::Server;
use crate::ledger::error::{Cause, Error};
use crate::ledger::known::Marker;
use crate::ledger::row::{Columns, unreadable};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a statement is given.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection, used by one task.
pub(super) struct Connection {
    client: Box<Client>,
    statements: RefCell<HashMap<String, Statement>>,
    /// Whether a commit is under way: what goes wrong then leaves it in doubt.
    committing: Cell<bool>,
    /// Makes the marks of this database's ledger; there once the connection is made ready.
    marker: OnceCell<Marker>,
    /// Reads and writes the socket; ends with the connection.
    driver: JoinSet<()>,
}

/// It took too long.
#[derive(Debug, thiserror::Error)]
#[error("it takes longer than {0:?}")]
pub(super) struct Slow(pub(super) Duration);

impl Connection {
    /// Connects. Nothing is looked at or set yet.
    pub(super) async fn connect(server: &Server) -> Result<Self, Error> {
        let (client, driving) = server.config().connect(server.tls()).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = driving.await {
                tracing::debug!(%error, "a connection to the ledger's database broke off");
            }
        });
        Ok(Self {
            client: Box::new(client),
            statements: RefCell::default(),
            committing: Cell::new(false),
            marker: OnceCell::new(),
            driver,
        })
    }

    /// Makes marks by this from now on.
    pub(super) fn mark_by(&self, marker: Marker) {
        // A connection is made ready once.
        drop(self.marker.set(marker));
    }

    /// What makes the marks of known orders.
    pub(super) fn marker(&self) -> Result<&Marker, Error> {
        self.marker.get().ok_or(Error::Closed)
    }

    /// Ready when the connection has ended.
    pub(super) async fn ended(&mut self) {
        self.driver.join_next().await;
    }

    /// Whether the connection has ended.
    pub(super) fn is_over(&self) -> bool {
        self.client.is_closed()
    }

    /// Ends it in order.
    pub(super) async fn close(self) {
        let Self {
            client, mut driver, ..
        } = self;
        drop(client);
        // Dropped, the driver is cut off.
        drop(tokio::time::timeout(GOODBYE, driver.join_next()).await);
    }

    /// Several statements without parameters.
    pub(super) async fn script(&self, sql: &str) -> Result<(), Error> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Every row.
    pub(super) async fn rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    /// The one row, if there is one.
    pub(super) async fn row(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// How many rows were changed.
    pub(super) async fn run(&self, sql: &str, params: Params<'_>) -> Result<u64, Error> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.execute(&statement, params).await?)
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, Error> {
        let known = self.statements.borrow().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        let kept = statement.clone();
        self.statements.borrow_mut().insert(sql.to_owned(), kept);
        Ok(statement)
    }

    /// Commits. An error of the connection leaves open whether that was done.
    pub(super) async fn commit(&self) -> Result<(), Error> {
        self.committing.set(true);
        let committed = self.script("COMMIT").await;
        self.committing.set(false);
        committed.map_err(|error| match error {
            Error::Away(cause) => Error::InDoubt(cause),
            other => other,
        })
    }

    /// The error of what was given up because it took too long.
    pub(super) fn too_slow(&self, patience: Duration) -> Error {
        let cause: Cause = Arc::new(Slow(patience));
        if self.committing.get() {
            Error::InDoubt(cause)
        } else {
            Error::Away(cause)
        }
    }
}

impl Error {
    /// Whether the connection on which it came is of no use any more.
    pub(super) const fn ends_connection(&self) -> bool {
        matches!(self, Self::Away(_) | Self::InDoubt(_) | Self::ReadOnly(_))
    }
}

impl From<std::io::Error> for Error {
    /// Of a connection.
    fn from(error: std::io::Error) -> Self {
        Self::Away(Arc::new(error))
    }
}

impl From<tokio_postgres::Error> for Error {
    /// By the SQLSTATE (PostgreSQL's documentation, appendix A). Without one it is the connection's.
    fn from(error: tokio_postgres::Error) -> Self {
        let code = error.code().cloned();
        let cause: Cause = Arc::new(error);
        let Some(code) = code else {
            return Self::Away(cause);
        };
        let contended = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
            // Two replicas made the same thing: whoever looks again finds it.
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_SCHEMA,
            SqlState::DUPLICATE_OBJECT,
        ];
        let denied = [
            SqlState::INVALID_CATALOG_NAME,
            SqlState::INSUFFICIENT_PRIVILEGE,
        ];
        // A statement that takes too long is cancelled by `statement_timeout`.
        let away = [
            SqlState::QUERY_CANCELED,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ];
        match code {
            code if contended.contains(&code) => Self::Contended(cause),
            code if denied.contains(&code) => Self::Denied(cause),
            code if away.contains(&code) => Self::Away(cause),
            SqlState::DISK_FULL => Self::Full(cause),
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly(cause),
            code if code.code().starts_with("08") || code.code().starts_with("57P") => {
                Self::Away(cause)
            }
            code if code.code().starts_with("28") => Self::Denied(cause),
            code if code.code().starts_with("XX") => Self::Corrupt(cause),
            _ => Self::Database(cause),
        }
    }
}

/// Whether it only says that a statement before it in the transaction had failed.
pub(super) fn is_aftermath(error: &Error) -> bool {
    let Error::Database(cause) = error else {
        return false;
    };
    let error: &(dyn std::error::Error + 'static) = &**cause;
    let error = error.downcast_ref::<tokio_postgres::Error>();
    error.is_some_and(|error| error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION))
}

impl Columns for Row {
    fn number(&self, name: &'static str) -> Result<i64, Error> {
        self.try_get(name).map_err(|error| unreadable(name, error))
    }

    fn maybe_number(&self, name: &'static str) -> Result<Option<i64>, Error> {
        self.try_get(name).map_err(|error| unreadable(name, error))
    }

    fn text(&self, name: &'static str) -> Result<String, Error> {
        self.try_get(name).map_err(|error| unreadable(name, error))
    }

    fn maybe_text(&self, name: &'static str) -> Result<Option<String>, Error> {
        self.try_get(name).map_err(|error| unreadable(name, error))
    }
}
