//! A PostgreSQL server, where one is given: each test has a database of its own on it.
//!
//! `REFGATE_TEST_POSTGRES` is the URL of a server that may be filled with databases, with DATABASE in place of
//! their names; `tests/postgres/run.py` starts one. The ledger's tests run on it then, otherwise on SQLite.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use refgate::ledger::Settings;
use tokio::runtime::Builder;
use tokio_postgres::{Client, NoTls};

/// The databases that this process has made.
static MADE: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// The value of a variable of the environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "whether a server is there is said from outside"
    )]
    std::env::var(name).ok()
}

/// The server; a test that needs it and has none says that it did not run.
pub(crate) fn server() -> Option<String> {
    let server = variable("REFGATE_TEST_POSTGRES");
    if server.is_none() {
        say_so(thread::current().name().unwrap_or_default());
    }
    server
}

#[expect(clippy::print_stderr, reason = "a test that did not run says so")]
fn say_so(test: &str) {
    eprintln!(
        "did not run: {test}: REFGATE_TEST_POSTGRES names no server (tests/system.sh postgres)"
    );
}

/// Whether the ledger's tests run on PostgreSQL.
pub(crate) fn is_meant() -> bool {
    variable("REFGATE_TEST_POSTGRES").is_some()
}

/// The URL of the database that belongs to `dir`, made if need be.
pub(crate) fn of(dir: &Path) -> Option<String> {
    let server = variable("REFGATE_TEST_POSTGRES")?;
    let mut hasher = DefaultHasher::new();
    (std::process::id(), dir).hash(&mut hasher);
    let name = format!("t{:016x}", hasher.finish());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if made.get_or_insert_default().insert(name.clone()) {
        let sql = format!("CREATE DATABASE {name}");
        run(&server.replace("DATABASE", "postgres"), &sql);
    }
    Some(server.replace("DATABASE", &name))
}

pub(crate) fn settings(url: &str) -> Settings {
    Settings::Postgres(url.parse().unwrap())
}

/// Runs SQL on a connection of its own.
pub(crate) fn run(url: &str, sql: &str) {
    ask(url, sql);
}

/// The first column of what SQL returns, as text.
pub(crate) fn ask(url: &str, sql: &str) -> Vec<String> {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    // A thread of its own: the caller may be on a runtime.
    let asked = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = connect(&url).await;
            let messages = client.simple_query(&sql).await.unwrap();
            let rows = messages.iter().filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            rows.collect()
        })
    });
    asked.join().unwrap()
}

/// A connection whose driver runs on the present runtime.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let tasks = tokio_util::task::TaskTracker::new();
    tasks.spawn(async move {
        connection.await.ok();
    });
    client
}
