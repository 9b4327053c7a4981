//! A bounded multi-producer, multi-consumer ring.
//!
//! Owns: storage for up to `capacity` items, back-pressure, shutdown.
//! Does not own: threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A bounded queue: [`push`](Ring::push) sleeps while it is full, [`pop`](Ring::pop) while it is empty.
pub struct Ring<T> {
    state: Mutex<State<T>>,
    not_empty: Condvar,
    not_full: Condvar,
    capacity: usize,
}

struct State<T> {
    /// Invariant: never longer than `capacity`.
    items: VecDeque<T>,
    closed: bool,
}

/// The ring takes no more items; the refused item comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed<T>(pub T);

/// Why [`Ring::try_push`] gave the item back.
#[derive(Debug, PartialEq, Eq)]
pub enum TryPush<T> {
    /// No room now.
    Full(T),
    /// No room ever: the ring is closed.
    Closed(T),
}

/// What [`Ring::try_pop`] and [`Ring::pop_timeout`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum TryPop<T> {
    /// The oldest item.
    Item(T),
    /// Nothing now.
    Empty,
    /// Nothing ever: the ring is closed and drained.
    Closed,
}

impl<T> Ring<T> {
    /// A ring for up to `capacity` items. Cost: one allocation, here.
    ///
    /// # Panics
    /// If `capacity` is zero.
    pub fn with_capacity(capacity: usize) -> Self {
        assert!(capacity > 0, "a ring holds at least one item");
        Self {
            state: Mutex::new(State { items: VecDeque::with_capacity(capacity), closed: false }),
            not_empty: Condvar::new(),
            not_full: Condvar::new(),
            capacity,
        }
    }

    /// Appends `item`, sleeping while the ring is full.
    ///
    /// # Errors
    /// [`Closed`] gives the item back once the ring was closed or aborted.
    pub fn push(&self, item: T) -> Result<(), Closed<T>> {
        let mut state = self.lock();
        while state.items.len() == self.capacity && !state.closed {
            state = self.not_full.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(Closed(item));
        }
        state.items.push_back(item);
        drop(state);
        self.not_empty.notify_one();
        Ok(())
    }

    /// Appends `item` if there is room now.
    ///
    /// # Errors
    /// [`TryPush`] gives the item back.
    pub fn try_push(&self, item: T) -> Result<(), TryPush<T>> {
        let mut state = self.lock();
        if state.closed {
            return Err(TryPush::Closed(item));
        }
        if state.items.len() == self.capacity {
            return Err(TryPush::Full(item));
        }
        state.items.push_back(item);
        drop(state);
        self.not_empty.notify_one();
        Ok(())
    }

    /// Takes the oldest item, sleeping while there is none; `None` once the ring is closed and drained.
    pub fn pop(&self) -> Option<T> {
        match self.pop_until(None) {
            TryPop::Item(item) => Some(item),
            TryPop::Empty | TryPop::Closed => None,
        }
    }

    /// Takes the oldest item, sleeping at most `timeout`.
    pub fn pop_timeout(&self, timeout: Duration) -> TryPop<T> {
        self.pop_until(Some(timeout))
    }

    /// Takes the oldest item if there is one now.
    pub fn try_pop(&self) -> TryPop<T> {
        self.pop_until(Some(Duration::ZERO))
    }

    /// Refuses further items; those inside are still handed out. Wakes every sleeper.
    pub fn close(&self) {
        self.lock().closed = true;
        self.not_empty.notify_all();
        self.not_full.notify_all();
    }

    /// Refuses further items and hands back those inside, oldest first. Wakes every sleeper.
    pub fn abort(&self) -> Vec<T> {
        let mut state = self.lock();
        state.closed = true;
        let leftovers = state.items.drain(..).collect();
        drop(state);
        self.not_empty.notify_all();
        self.not_full.notify_all();
        leftovers
    }

    /// How many items are inside at this moment.
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Whether nothing is inside at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most items it holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    fn pop_until(&self, timeout: Option<Duration>) -> TryPop<T> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                drop(state);
                self.not_full.notify_one();
                return TryPop::Item(item);
            }
            if state.closed {
                return TryPop::Closed;
            }
            state = match deadline {
                None => self.not_empty.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return TryPop::Empty;
                    }
                    self.not_empty.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
