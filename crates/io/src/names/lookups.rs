//! The threads that look names up.
//!
//! A lookup blocks its thread and can't be interrupted, so lookups have threads of their own, which all workers and
//! rings of a process share. Name servers that don't answer must not hold up the names of others:
//!
//! - At most [`AT_ONCE_MAX`] lookups run at once, not counting slow ones. A lookup is slow when it has run for twice as
//!   long as answers took lately.
//! - While lookups are slow, as many more may run, up to twice the number: some of these won't be answered either, and
//!   are known to be slow only later.
//! - Slow lookups cost a thread and a descriptor each, so that there is a limit on all of them.
//!
//! Owns: these threads, the queue of lookups.
//! Does not own: what a lookup does, which callers get its answer ([`super::resolver`]).

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lookups at once, without slow ones.
const AT_ONCE_MAX: usize = 64;
/// Threads, including those of slow lookups. Thousands of names may have dead servers, and each lookup takes the
/// system's resolver some ten seconds then.
const THREADS_MAX: usize = 2_048;
/// The part of the descriptors that lookups may use: each needs one.
const DESCRIPTORS_SHARE: u64 = 4;
/// The bounds on the time after which a lookup is slow.
const SLOW_AFTER_MIN: Duration = Duration::from_millis(10);
const SLOW_AFTER_MAX: Duration = Duration::from_millis(500);
/// A thread without work ends after this time.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// Enough for the system's resolver and its plug-ins.
const STACK_BYTES: usize = 256 * 1024;

/// A lookup, which reports its answer by means of its own. Returns whether a name server answered.
type Lookup = Box<dyn FnOnce() -> bool + Send>;

/// Clones share the threads.
#[derive(Clone, Default)]
pub(super) struct Lookups(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A lookup was added.
    added: Condvar,
}

struct State {
    waiting: VecDeque<Lookup>,
    /// When each running lookup began, and its number.
    running: BTreeSet<(Instant, u64)>,
    run_count: u64,
    /// Threads; those without a lookup are idle.
    threads: usize,
    threads_max: usize,
    /// The time after which a lookup is slow.
    slow_after: Duration,
}

impl Default for State {
    fn default() -> Self {
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let threads_max = descriptors.map_or(THREADS_MAX, |all| (all / DESCRIPTORS_SHARE) as usize);
        Self {
            waiting: VecDeque::new(),
            running: BTreeSet::new(),
            run_count: 0,
            threads: 0,
            threads_max: threads_max.clamp(AT_ONCE_MAX, THREADS_MAX),
            slow_after: SLOW_AFTER_MAX,
        }
    }
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
        let slow = state.slow(Instant::now());
        let room = state.threads <= at_once(slow) + slow && state.threads < state.threads_max;
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
            let is_answered = run(lookup);
            let mut state = self.lock();
            state.running.remove(&id);
            if is_answered {
                state.learn(id.0.elapsed());
            }
            drop(state);
            self.added.notify_one();
        }
    }

    /// The next lookup, which is then running; `None` if there was none for a while, which ends the thread.
    fn next(self: &Arc<Self>) -> Option<(Lookup, (Instant, u64))> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let slow = state.slow(now);
            let may_run = state.running.len() - slow < at_once(slow);
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
        self.running.iter().take_while(|(begun, _)| now.duration_since(*begun) >= self.slow_after).count()
    }

    /// Counts an answer that took this long: the average of about eight answers decides what is slow.
    fn learn(&mut self, took: Duration) {
        let twice = (2 * took).min(SLOW_AFTER_MAX);
        self.slow_after = (7 * self.slow_after / 8 + twice / 8).clamp(SLOW_AFTER_MIN, SLOW_AFTER_MAX);
    }

    /// The time until the next running lookup becomes slow, if one can.
    fn until_slow(&self, now: Instant) -> Option<Duration> {
        let (begun, _) = self.running.iter().nth(self.slow(now))?;
        Some(self.slow_after.saturating_sub(now.duration_since(*begun)))
    }
}

/// How many lookups may run that aren't slow.
fn at_once(slow: usize) -> usize {
    AT_ONCE_MAX + slow.min(AT_ONCE_MAX)
}

/// Returns whether a name server answered.
fn run(lookup: Lookup) -> bool {
    // A lookup that panics answers its callers too.
    catch_unwind(AssertUnwindSafe(lookup)).unwrap_or(false)
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
            held.recv().is_ok()
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
        assert!(begun.elapsed() >= SLOW_AFTER_MAX);
        drop(held);
    }

    #[test]
    fn what_is_slow_is_learned_from_answers() {
        let mut state = State::default();
        assert_eq!(state.slow_after, SLOW_AFTER_MAX);
        (0..60).for_each(|_| state.learn(Duration::from_millis(100)));
        assert!((195..=205).contains(&state.slow_after.as_millis()), "{:?}", state.slow_after);
        (0..60).for_each(|_| state.learn(Duration::ZERO));
        assert_eq!(state.slow_after, SLOW_AFTER_MIN);
        (0..60).for_each(|_| state.learn(Duration::from_secs(60)));
        assert!(state.slow_after > Duration::from_millis(490) && state.slow_after <= SLOW_AFTER_MAX);
        assert_eq!([0, 10, 1_000].map(at_once), [64, 74, 128]);
    }

    #[test]
    fn hundreds_of_unanswered_lookups_hold_up_nobody() {
        let lookups = Lookups::default();
        // Each takes a thread, which few descriptors allow for fewer.
        let count = 500.min(lookups.0.lock().threads_max - 10);
        (0..60).for_each(|_| lookups.0.lock().learn(Duration::ZERO));
        let (started, starts) = channel();
        let dead: Vec<_> = (0..count).map(|number| held(&lookups, &started, number)).collect();
        drop(held(&lookups, &started, 1_000));
        let last = (0..=count).map(|_| starts.recv_timeout(Duration::from_secs(60)).unwrap()).max();
        assert_eq!(last, Some(1_000));
        drop(dead);
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
