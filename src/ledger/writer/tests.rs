//! The writer: what a group's commit comes to, and what is told of a panic.

use super::*;
use std::sync::Mutex;

// One test: `tracing` remembers per place of the code whether the first who came there listened.
#[tokio::test]
async fn a_panic_is_told_at_once_and_by_every_call_after_it() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let written = Log(Arc::clone(&log));
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || written.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || watched(|| panic!("a fault of ours")));
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(text.contains("ERROR"), "{text}");
    assert!(text.contains("the ledger's writer panicked"), "{text}");

    let opening = Opening {
        first: Ok(Connection::open_in_memory().unwrap()),
        again: Box::new(|| Err(Error::Closed)),
    };
    let writer = Writer::start(opening, None).unwrap();
    let panics = |_: &Connection| -> Result<(), Error> { panic!("a fault of ours") };
    let first = writer.call(Kind::Write, panics, |_| {}).await;
    assert!(matches!(first, Err(Error::Closed)), "{first:?}");
    let second = writer.call(Kind::Read, |_| Ok(()), |()| {}).await;
    let second = second.unwrap_err();
    assert!(second.to_string().contains("restart"), "{second}");
}

/// What comes back to the sender of a job, and the job: it notes `number`, and then ends with `error`, if any.
fn job(number: i64, error: Option<Error>) -> (Job, oneshot::Receiver<Result<i64, Error>>) {
    let (reply, answer) = oneshot::channel();
    let work = move |db: &Connection| {
        db.execute("INSERT INTO notes VALUES (?1)", [number])?;
        error.clone().map_or(Ok(number), Err)
    };
    let job = Work {
        kind: Kind::Write,
        work,
        after: |_: &i64| {},
        done: None,
        reply,
    };
    (Box::new(job), answer)
}

fn noted(connection: &Connection) -> i64 {
    let sum = "SELECT coalesce(sum(number), 0) FROM notes";
    connection.query_row(sum, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_piece_of_work_that_fails_does_so_alone_and_nothing_of_it_stays() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE notes (number INTEGER NOT NULL)")
        .unwrap();
    let commits = AtomicU64::new(0);
    let fault = Error::Row {
        column: "notes.number",
        source: Arc::new(std::io::Error::other("a fault of the row")),
    };
    let (mut jobs, answers): (Vec<_>, Vec<_>) = [None, Some(fault), None]
        .into_iter()
        .zip([1, 10, 100])
        .map(|(error, number)| job(number, error))
        .unzip();
    commit(&mut connection, &mut jobs, &commits);
    let mut answers = answers
        .into_iter()
        .map(|answer| answer.blocking_recv().unwrap());
    assert_eq!(answers.next().unwrap().unwrap(), 1);
    let failed = answers.next().unwrap();
    assert!(matches!(failed, Err(Error::Row { .. })), "{failed:?}");
    assert_eq!(answers.next().unwrap().unwrap(), 100);
    assert_eq!(noted(&connection), 101);
    assert_eq!(commits.load(Ordering::Relaxed), 2);
    assert!(connection.is_autocommit());
}

#[test]
fn work_that_goes_well_is_one_commit() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE notes (number INTEGER NOT NULL)")
        .unwrap();
    let commits = AtomicU64::new(0);
    let (mut jobs, answers): (Vec<_>, Vec<_>) =
        [1, 10, 100].map(|n| job(n, None)).into_iter().unzip();
    commit(&mut connection, &mut jobs, &commits);
    assert!(jobs.is_empty());
    for answer in answers {
        answer.blocking_recv().unwrap().unwrap();
    }
    assert_eq!(
        (noted(&connection), commits.load(Ordering::Relaxed)),
        (111, 1)
    );
}

#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
