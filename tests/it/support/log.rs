//! What a test logs.
//!
//! `tracing` remembers per place of the code whether anybody listens, for all threads at once. So
//! one subscriber listens for the whole run, and writes to whatever log the thread has open.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

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
            let lines = tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_writer(|| {
                    let own = OPEN.with_borrow(Clone::clone);
                    let log = own.or_else(|| ALL.lock().unwrap().clone());
                    log.unwrap_or_default()
                })
                .with_filter(LevelFilter::INFO);
            let snares = Targets::new()
                .with_target("refgate::record", LevelFilter::DEBUG)
                .with_target("refgate::watch", LevelFilter::DEBUG);
            tracing_subscriber::registry()
                .with(lines)
                .with(Snares.with_filter(snares))
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

/// What is said of which order where refgate is to panic.
static SNARES: Mutex<Vec<(&str, &str)>> = Mutex::new(Vec::new());

/// Has refgate panic where it says something of an order, once: a fault of ours in the midst of what it does.
pub(crate) fn panic_at(said: &'static str, order: &'static str) {
    Log::subscribe();
    SNARES.lock().unwrap().push((said, order));
}

/// Looks at what is said of orders.
struct Snares;

impl<S: Subscriber> Layer<S> for Snares {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut saying = Saying::default();
        event.record(&mut saying);
        let Saying { said, order } = saying;
        let mut snares = SNARES.lock().unwrap();
        let here = |snare: &(&str, &str)| *snare == (&*said, &*order);
        let Some(place) = snares.iter().position(here) else {
            return;
        };
        snares.remove(place);
        drop(snares);
        panic!("a fault of ours: {said} {order}");
    }
}

/// An event's words, and the order that it is about.
#[derive(Default)]
struct Saying {
    said: String,
    order: String,
}

impl Visit for Saying {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.said = format!("{value:?}"),
            "order.id" => self.order = format!("{value:?}"),
            _ => {}
        }
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
