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
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            tracing_subscriber::fmt()
                .with_ansi(false)
                .with_max_level(tracing::Level::INFO)
                .with_writer(|| OPEN.with_borrow(Clone::clone).unwrap_or_default())
                .init();
        });
        OPEN.set(Some(self.clone()));
        Listening
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
