//! Gates: points at which a test holds a server until it opens them, instead of sleeping.
//!
//! Owns: permits, waiting, and giving up when the server stops.
//! Does not own: where a gate stands in an answer (see [`crate::Answer`]).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The longest time that a test waits for an event that a working program always produces.
///
/// A test that reaches it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A closed gate that servers wait at until the test opens it. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    permit_count: usize,
    arrived_count: usize,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate permanently.
    pub fn open(&self) {
        self.lock().open = true;
        self.0.changed.notify_all();
    }

    /// Lets the next `count` callers through and stays closed for later ones.
    pub fn admit(&self, count: usize) {
        self.lock().permit_count += count;
        self.0.changed.notify_all();
    }

    /// Blocks until the gate has been reached `count` times in all, whether or not the callers were let through.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    #[track_caller]
    pub fn wait_reached(&self, count: usize) {
        let (state, timeout) = self
            .0
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, |state| state.arrived_count < count)
            .expect("no holder of a gate panics");
        assert!(!timeout.timed_out(), "the gate was reached {} times, not {count}", state.arrived_count);
    }

    /// Blocks the caller until the gate is open.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    #[track_caller]
    pub fn wait_open(&self) {
        let waited = self.0.changed.wait_timeout_while(self.lock(), PATIENCE, |state| !state.open);
        let (state, _) = waited.expect("no holder of a gate panics");
        assert!(state.open, "the gate was not opened");
    }

    /// Waits until the gate lets this caller through (true) or `stop` is raised (false).
    pub(crate) fn pass(&self, stop: &Stop) -> bool {
        self.pass_before(stop, None)
    }

    /// Waits out `delay`; false as soon as `stop` is raised.
    pub(crate) fn delay(delay: Duration, stop: &Stop) -> bool {
        Self::new().pass_before(stop, Instant::now().checked_add(delay))
    }

    fn pass_before(&self, stop: &Stop, deadline: Option<Instant>) -> bool {
        // Enlisted before `stop` is checked, so that a later `raise` wakes this gate.
        stop.enlist(self);
        let mut state = self.lock();
        state.arrived_count += 1;
        self.0.changed.notify_all();
        loop {
            if stop.is_raised() {
                return false;
            }
            if state.open || state.permit_count > 0 {
                state.permit_count = state.permit_count.saturating_sub(1);
                return true;
            }
            let left = deadline.map_or(PATIENCE, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return true;
            }
            state = self.0.changed.wait_timeout(state, left).expect("no holder of a gate panics").0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder of a gate panics")
    }
}

/// The stop of a server, which ends the waiting at all of its gates.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    raised: AtomicBool,
    gates: Mutex<Vec<Gate>>,
}

impl Stop {
    /// Ends all waiting at gates, now and later.
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        for gate in self.gates.lock().expect("no holder of the list panics").drain(..) {
            // With the gate's lock held, a waiter either has yet to look at `raised` or already sleeps.
            let state = gate.lock();
            gate.0.changed.notify_all();
            drop(state);
        }
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    fn enlist(&self, gate: &Gate) {
        let mut gates = self.gates.lock().expect("no holder of the list panics");
        if !gates.iter().any(|known| Arc::ptr_eq(&known.0, &gate.0)) {
            gates.push(gate.clone());
        }
    }
}
