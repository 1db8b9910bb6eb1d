//! What a test logs.
//!
//! `tracing` remembers per place of the code whether anybody listens, for all threads at once. So
//! one subscriber listens for the whole run, and writes to whatever log the thread has open.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

thread_local! {
    static OPEN: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// Where threads write that have no log open.
static ALL: Mutex<Option<Log>> = Mutex::new(None);

/// The lines logged while listening. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Log {
    bytes: Arc<Mutex<Vec<u8>>>,
}

/// Listens until it is dropped.
pub(crate) struct Listening;

impl Log {
    /// Listens on this thread, so to all of a `#[tokio::test]`.
    pub(crate) fn listen(&self) -> Listening {
        Self::subscribe();
        OPEN.set(Some(self.clone()));
        Listening
    }

    /// Listens to every thread that has no log open, so to a whole app and to what other tests run
    /// meanwhile; once a run.
    pub(crate) fn listen_to_all(&self) {
        Self::subscribe();
        *ALL.lock().unwrap() = Some(self.clone());
    }

    fn subscribe() {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            tracing_subscriber::fmt()
                .with_ansi(false)
                .with_max_level(tracing::Level::INFO)
                .with_writer(|| {
                    let own = OPEN.with_borrow(Clone::clone);
                    let log = own.or_else(|| ALL.lock().unwrap().clone());
                    log.unwrap_or_default()
                })
                .init();
        });
    }

    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = self.bytes.lock().unwrap();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        OPEN.set(None);
    }
}

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.bytes.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
