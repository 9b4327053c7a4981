//! A bounded queue of one mutex and two condition variables.
//!
//! Owns: the same operations as [`Ring`](crate::Ring), in the simplest correct way; tests and benchmarks compare the
//! ring with it.
//! Does not own: speed.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A bounded queue under one lock. Its operations mean the same as those of [`Ring`](crate::Ring) with the same name.
pub struct Oracle<T> {
    state: Mutex<State<T>>,
    moved: [Condvar; 2],
    capacity: usize,
}

struct State<T> {
    /// Invariant: never longer than `capacity`.
    items: VecDeque<T>,
    closed: bool,
}

const PUSHED: usize = 0;
const POPPED: usize = 1;

impl<T> Oracle<T> {
    /// Creates a queue for up to `capacity` items.
    ///
    /// # Panics
    /// If `capacity` is zero.
    pub fn with_capacity(capacity: usize) -> Self {
        assert!(capacity > 0, "a queue holds at least one item");
        let state = State { items: VecDeque::with_capacity(capacity), closed: false };
        Self { state: Mutex::new(state), moved: [Condvar::new(), Condvar::new()], capacity }
    }

    /// Appends `item`, sleeping while the queue is full.
    ///
    /// # Errors
    /// Returns the item once the queue is closed.
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.wait(POPPED, |state| !state.closed && state.items.len() == self.capacity);
        if state.closed {
            return Err(item);
        }
        state.items.push_back(item);
        drop(state);
        self.moved[PUSHED].notify_one();
        Ok(())
    }

    /// Takes the oldest item, sleeping while there is none. `None` once the queue is closed and drained.
    pub fn pop(&self) -> Option<T> {
        let item = self.wait(PUSHED, |state| !state.closed && state.items.is_empty()).items.pop_front();
        self.moved[POPPED].notify_one();
        item
    }

    /// Refuses further items; the items inside can still be popped. Wakes every sleeper.
    pub fn close(&self) {
        self.wait(POPPED, |_| false).closed = true;
        self.moved.iter().for_each(Condvar::notify_all);
    }

    fn wait(&self, until: usize, blocked: impl Fn(&State<T>) -> bool) -> MutexGuard<'_, State<T>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.moved[until].wait_while(state, |state| blocked(state)).unwrap_or_else(PoisonError::into_inner)
    }
}
