//! The lease table's atomic steps under loom: `RUSTFLAGS="--cfg loom" cargo test -p haul-queue --release --lib`.
//!
//! Owns: orderings of words and bytes, lost wake-ups of event counts.
//! Does not own: deaths (see `exhaustive.rs`); here the reaper supposes one.

use crate::lease::event_count::EventCount;
use crate::lease::slots::{Fate, Slots};
use crate::lease::word::Suspicion;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::thread;

/// Slots with a cell each for task and outcome, so that loom detects every unordered access.
struct Table {
    words: Vec<AtomicU64>,
    tasks: Vec<UnsafeCell<u32>>,
    outcomes: Vec<UnsafeCell<u32>>,
    work: EventCount,
    done: EventCount,
}

impl Table {
    fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self {
            words: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            tasks: (0..slots).map(|_| UnsafeCell::new(0)).collect(),
            outcomes: (0..slots).map(|_| UnsafeCell::new(0)).collect(),
            work: EventCount::new(),
            done: EventCount::new(),
        })
    }

    fn slots(&self) -> Slots<'_> {
        Slots(&self.words)
    }

    fn offer(&self, slot: usize, task: u32) {
        // SAFETY: the slot is free; loom checks that no other thread accesses it.
        self.tasks[slot].with_mut(|place| unsafe { *place = task });
        self.slots().offer(slot, 0);
        self.work.notify(1);
    }

    /// Claims and carries out one task, sleeping until there is one; `None` once closed.
    fn work(&self, owner: u16) -> Option<bool> {
        loop {
            let seen = self.work.observe();
            if let Some((slot, lease)) = self.slots().claim(0, owner) {
                // SAFETY: the lease excludes others; loom checks it.
                let task = self.tasks[slot].with(|place| unsafe { *place });
                // SAFETY: as above.
                self.outcomes[slot].with_mut(|place| unsafe { *place = task + 100 });
                let finished = self.slots().finish(slot, lease);
                self.done.notify(1);
                return Some(finished);
            }
            if seen.is_closed() {
                return None;
            }
            self.work.sleep(seen, None);
        }
    }

    /// Collects `count` outcomes, sleeping until they are there.
    fn collect(&self, count: usize) -> Vec<u32> {
        let mut outcomes = Vec::new();
        loop {
            let seen = self.done.observe();
            for slot in (0..self.words.len()).filter(|&slot| self.slots().is_done(slot)) {
                // SAFETY: a done slot belongs to the supervisor; loom checks it.
                outcomes.push(self.outcomes[slot].with(|place| unsafe { *place }));
                self.slots().collect(slot);
            }
            if outcomes.len() == count {
                return outcomes;
            }
            self.done.sleep(seen, None);
        }
    }
}

#[track_caller]
fn check(preemptions: usize, case: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(case);
}

#[test]
fn two_tasks_pass_one_slot() {
    check(3, || {
        let table = Table::new(1);
        let other = Arc::clone(&table);
        let worker = thread::spawn(move || (other.work(1), other.work(1)));
        table.offer(0, 1);
        assert_eq!(table.collect(1), [101]);
        table.offer(0, 2);
        assert_eq!(table.collect(1), [102]);
        assert_eq!(worker.join().unwrap(), (Some(true), Some(true)));
    });
}

#[test]
fn two_workers_share_two_tasks() {
    check(2, || {
        let table = Table::new(2);
        let workers: Vec<_> = (1..3)
            .map(|owner| {
                let table = Arc::clone(&table);
                thread::spawn(move || table.work(owner))
            })
            .collect();
        table.offer(0, 1);
        table.offer(1, 2);
        for worker in workers {
            assert_eq!(worker.join().unwrap(), Some(true));
        }
        let mut outcomes = table.collect(2);
        outcomes.sort_unstable();
        assert_eq!(outcomes, [101, 102]);
    });
}

#[test]
fn close_wakes_sleepers() {
    check(3, || {
        let table = Table::new(1);
        let workers: Vec<_> = (1..3)
            .map(|owner| {
                let table = Arc::clone(&table);
                thread::spawn(move || table.work(owner))
            })
            .collect();
        table.work.close();
        for worker in workers {
            assert_eq!(worker.join().unwrap(), None);
        }
    });
}

/// Exactly one of the finish and the reap wins, and the slot shows which.
#[test]
fn a_finish_races_with_the_reaper() {
    check(3, || {
        let table = Table::new(1);
        table.offer(0, 1);
        let other = Arc::clone(&table);
        let worker = thread::spawn(move || other.work(1));
        let fate = table.slots().reap(0, 1, Suspicion { more: 1, max: 2 });
        if fate == Fate::Untouched {
            assert_eq!(worker.join().unwrap(), Some(true));
            assert_eq!(table.collect(1), [101]);
        } else {
            assert_eq!(fate, Fate::Reclaimed);
            assert_eq!(worker.join().unwrap(), Some(false));
            let (_, lease) = table.slots().claim(0, 2).unwrap();
            assert_eq!(lease.suspicion(), 1);
            assert!(table.slots().finish(0, lease));
        }
    });
}

#[test]
fn a_claim_races_with_a_withdrawal() {
    check(3, || {
        let table = Table::new(1);
        table.offer(0, 1);
        let other = Arc::clone(&table);
        let worker = thread::spawn(move || other.slots().claim(0, 1).is_some());
        let withdrawn = table.slots().withdraw(0);
        assert_ne!(worker.join().unwrap(), withdrawn);
    });
}

/// A worker that was stopped after it was woken keeps the wake-up of a ready task to itself. Waking all, counted or
/// not, has another one claim it (N), whatever the other one was about to do.
#[test]
fn a_rouse_reaches_a_worker_that_a_wake_up_has_missed() {
    check(3, || {
        let table = Table::new(1);
        let (stopped, works) = (Arc::clone(&table), Arc::clone(&table));
        // It claims nothing, whether it slept or not.
        let stopped = thread::spawn(move || {
            let seen = stopped.work.observe();
            stopped.work.sleep(seen, None);
        });
        let works = thread::spawn(move || works.work(2));
        table.offer(0, 1);
        table.work.notify_uncounted();
        assert_eq!(works.join().unwrap(), Some(true));
        // It may have come to its sleep only now.
        table.work.close();
        stopped.join().unwrap();
        assert_eq!(table.collect(1), [101]);
    });
}

/// A sleeper that was killed stays counted: the count may be used up by it while another one sleeps.
#[test]
fn a_rouse_wakes_a_sleeper_that_is_not_counted() {
    check(3, || {
        let table = Table::new(1);
        let works = Arc::clone(&table);
        let works = thread::spawn(move || works.work(2));
        // A notification that reaches nobody takes the sleeper off the count, as if the kernel had woken one that was
        // killed then.
        table.work.notify_a_killed_sleeper();
        table.slots().offer(0, 0);
        table.work.notify_uncounted();
        assert_eq!(works.join().unwrap(), Some(true));
    });
}
