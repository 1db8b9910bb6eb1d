//! Whose turn it is: one task, and in it only what was woken.
//!
//! The handlers of all streams are polled by their connection's task. Each has a waker
//! of its own, which puts its place on a list and wakes the task; so has each direction
//! of the socket and each timer. While the task runs it is not woken by what it does
//! itself: it looks at the list again before it rests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Who may want to be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The socket has bytes.
    Read,
    /// The socket takes bytes.
    Write,
    /// A deadline has passed.
    Clock,
    /// The process is told to end.
    Told,
    /// The stream in this slot.
    Stream(usize),
}

/// The list of a connection.
#[derive(Debug, Default)]
pub(super) struct Rota(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    woken: Vec<Place>,
    /// The task runs, and will look.
    running: bool,
    task: Option<Waker>,
}

/// A place with its waker.
#[derive(Debug)]
pub(super) struct Post {
    bell: Arc<Bell>,
    waker: Waker,
}

#[derive(Debug)]
struct Bell {
    rota: Arc<Rota>,
    place: Place,
    /// It stands on the list.
    listed: AtomicBool,
}

impl Rota {
    /// Moves who was woken behind those in `list`. The task of `task` runs from here on.
    pub(super) fn take(&self, list: &mut Vec<Place>, task: &Waker) {
        let mut state = self.lock();
        state.running = true;
        match &mut state.task {
            Some(known) => known.clone_from(task),
            None => state.task = Some(task.clone()),
        }
        if list.is_empty() {
            std::mem::swap(list, &mut state.woken);
        } else {
            list.append(&mut state.woken);
        }
    }

    /// Whether nobody was woken meanwhile, so that the task may rest.
    pub(super) fn rest(&self) -> bool {
        let mut state = self.lock();
        state.running = !state.woken.is_empty();
        !state.running
    }

    /// The task rests in any case, and is woken again at once.
    pub(super) fn yield_now(&self) {
        let mut state = self.lock();
        state.running = false;
        if let Some(task) = &state.task {
            task.wake_by_ref();
        }
    }

    fn add(&self, place: Place) {
        let mut state = self.lock();
        state.woken.push(place);
        if state.running {
            return;
        }
        // Once is enough until it runs.
        state.running = true;
        if let Some(task) = &state.task {
            task.wake_by_ref();
        }
    }

    /// Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post {
    pub(super) fn new(rota: &Arc<Rota>, place: Place) -> Self {
        let bell = Arc::new(Bell {
            rota: Arc::clone(rota),
            place,
            listed: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&bell));
        Self { bell, waker }
    }

    /// Its waker. From here on a wake counts again: to be called before what it waits for is polled.
    pub(super) fn waker(&self) -> &Waker {
        self.bell.listed.store(false, Ordering::Release);
        &self.waker
    }

    /// Puts it on the list.
    pub(super) fn ring(&self) {
        self.waker.wake_by_ref();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::AcqRel) {
            self.rota.add(self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_that_runs_is_not_woken_and_misses_nothing() {
        let count = Arc::<Count>::default();
        let task = Waker::from(Arc::clone(&count));
        let woken = || count.0.load(Ordering::Relaxed);
        let rota = Arc::<Rota>::default();
        let (read, stream) = (
            Post::new(&rota, Place::Read),
            Post::new(&rota, Place::Stream(7)),
        );
        let mut list = Vec::new();
        rota.take(&mut list, &task);
        read.ring();
        read.ring();
        assert!(!rota.rest());
        rota.take(&mut list, &task);
        assert_eq!(list, [Place::Read]);
        assert!(rota.rest());
        assert_eq!(woken(), 0);

        // Listed until its waker is asked for again.
        read.ring();
        assert_eq!(woken(), 0);
        read.waker();
        read.ring();
        stream.waker().wake_by_ref();
        assert_eq!(woken(), 1);
        rota.take(&mut list, &task);
        assert_eq!(list, [Place::Read, Place::Read, Place::Stream(7)]);
        rota.yield_now();
        assert_eq!(woken(), 2);
    }
}
