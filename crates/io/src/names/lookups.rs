//! The threads that look names up.
//!
//! A lookup blocks its thread and can't be interrupted, so lookups have threads of their own, which all workers and
//! rings of a process share. At most [`AT_ONCE_MAX`] run at once, not counting those that have run for longer than
//! [`SLOW_AFTER`]: name servers that don't answer must not hold up the names of others.
//!
//! Owns: these threads, the queue of lookups.
//! Does not own: what a lookup does, which callers get its answer ([`super::resolver`]).

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lookups at once, without slow ones.
const AT_ONCE_MAX: usize = 64;
/// Threads, including those of slow lookups.
const THREADS_MAX: usize = 256;
/// A lookup that takes longer is slow.
const SLOW_AFTER: Duration = Duration::from_millis(500);
/// A thread without work ends after this time.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// Enough for the system's resolver and its plug-ins.
const STACK_BYTES: usize = 512 * 1024;

/// A lookup, which reports its answer by means of its own.
type Lookup = Box<dyn FnOnce() + Send>;

/// Clones share the threads.
#[derive(Clone, Default)]
pub(super) struct Lookups(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A lookup was added.
    added: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Lookup>,
    /// When each running lookup began, and its number.
    running: BTreeSet<(Instant, u64)>,
    run_count: u64,
    /// Threads; those without a lookup are idle.
    threads: usize,
}

impl Lookups {
    /// Has a thread run `lookup`. If the system can't start even one thread, the caller's runs it.
    pub(super) fn add(&self, lookup: Lookup) {
        let mut state = self.0.lock();
        state.waiting.push_back(lookup);
        self.0.clone().grow(&mut state);
        let here = if state.threads == 0 { state.waiting.pop_back() } else { None };
        drop(state);
        self.0.added.notify_one();
        if let Some(lookup) = here {
            run(lookup);
        }
    }
}

impl Shared {
    /// No foreign code runs under this lock, so a poisoned one is still consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread if too few are idle for the lookups that wait and may run.
    fn grow(self: Arc<Self>, state: &mut State) {
        let idle = state.threads - state.running.len();
        // One thread more than may run waits until a running lookup becomes slow.
        let room = state.threads <= AT_ONCE_MAX + state.slow(Instant::now()) && state.threads < THREADS_MAX;
        if state.waiting.len() <= idle || !room {
            return;
        }
        let builder = std::thread::Builder::new().name("haul-names".to_owned()).stack_size(STACK_BYTES);
        if builder.spawn(move || self.serve()).is_ok() {
            state.threads += 1;
        }
    }

    fn serve(self: Arc<Self>) {
        while let Some((lookup, id)) = self.next() {
            run(lookup);
            self.lock().running.remove(&id);
            self.added.notify_one();
        }
    }

    /// The next lookup, which is then running; `None` if there was none for a while, which ends the thread.
    fn next(self: &Arc<Self>) -> Option<(Lookup, (Instant, u64))> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let may_run = state.running.len() - state.slow(now) < AT_ONCE_MAX;
            if may_run && let Some(lookup) = state.waiting.pop_front() {
                let id = (now, state.run_count);
                state.run_count += 1;
                state.running.insert(id);
                self.clone().grow(&mut state);
                return Some((lookup, id));
            }
            let wait = state.until_slow(now).filter(|_| !state.waiting.is_empty()).unwrap_or(IDLE_MAX);
            let (back, waited) = self.added.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            state = back;
            if waited.timed_out() && state.waiting.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}

impl State {
    /// Running lookups that are slow.
    fn slow(&self, now: Instant) -> usize {
        self.running.iter().take_while(|(begun, _)| now.duration_since(*begun) >= SLOW_AFTER).count()
    }

    /// The time until the next running lookup becomes slow, if one can.
    fn until_slow(&self, now: Instant) -> Option<Duration> {
        let (begun, _) = self.running.iter().nth(self.slow(now))?;
        Some(SLOW_AFTER.saturating_sub(now.duration_since(*begun)))
    }
}

fn run(lookup: Lookup) {
    // The lookup answers its callers even then.
    let _ = catch_unwind(AssertUnwindSafe(lookup));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// A lookup that runs until its sender is dropped, and reports its start.
    fn held(
        lookups: &Lookups,
        started: &std::sync::mpsc::Sender<usize>,
        number: usize,
    ) -> std::sync::mpsc::Sender<()> {
        let (hold, held): (_, Receiver<()>) = channel();
        let started = started.clone();
        lookups.add(Box::new(move || {
            started.send(number).unwrap();
            let _ = held.recv();
        }));
        hold
    }

    #[test]
    fn lookups_run_at_once_and_slow_ones_hold_up_nobody() {
        let lookups = Lookups::default();
        let (started, starts) = channel();
        let begun = Instant::now();
        let held: Vec<_> = (0..AT_ONCE_MAX + 3).map(|number| held(&lookups, &started, number)).collect();
        for _ in 0..AT_ONCE_MAX {
            starts.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        // None of these ends, so that the last ones start only when the first ones are slow.
        for _ in AT_ONCE_MAX..held.len() {
            starts.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        assert!(begun.elapsed() >= SLOW_AFTER);
        drop(held);
    }

    #[test]
    fn a_panic_costs_no_thread() {
        let lookups = Lookups::default();
        let (started, starts) = channel();
        lookups.add(Box::new(|| panic!("a lookup")));
        drop(held(&lookups, &started, 7));
        assert_eq!(starts.recv_timeout(Duration::from_secs(30)), Ok(7));
    }
}
