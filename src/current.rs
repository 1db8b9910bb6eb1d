//! What is valid now, and may be replaced while others still hold what was valid before.

use std::sync::{Arc, Mutex, PoisonError};

/// The present one of a kind.
///
/// Whoever begins something takes it once and keeps it to the end, so that nothing is done half by
/// one and half by the next. The lock is held for as long as it takes to copy a pointer; what is
/// asked for on every request has one of these for each worker, so that they do not meet there.
#[derive(Debug)]
pub struct Current<T>(Mutex<Arc<T>>);

impl<T> Current<T> {
    /// The first one.
    pub fn new(first: T) -> Self {
        Self(Mutex::new(Arc::new(first)))
    }

    /// The present one.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes `next` the present one.
    pub fn set(&self, next: T) {
        let next = Arc::new(next);
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *present, next);
        drop(present);
        // Outside of the lock: if it was the last one, dropping it may take a while.
        drop(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_the_one_before_keeps_it() {
        let current = Current::new(1);
        let before = current.get();
        current.set(2);
        assert_eq!((*before, *current.get()), (1, 2));
    }
}
