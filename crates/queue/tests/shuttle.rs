//! Random schedules with more threads than loom can exhaust:
//! `RUSTFLAGS="--cfg shuttle" cargo test -p haul-queue --release --test shuttle`.
//!
//! Owns: cases of up to ten threads, under seeded random and priority-based schedules.
//! Does not own: memory orderings (shuttle is sequentially consistent; see `loom.rs`).
//!
//! A lost wake-up shows as shuttle's "deadlock".
#![cfg(shuttle)]

use haul_queue::{Combiner, Ring, TryPop};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Arc;
use shuttle::thread::{self, JoinHandle};
use std::time::Duration;

const SCHEDULES: usize = 3_000;
const SEED: u64 = 0x6861_756c;

/// Runs `case` under random schedules, and under random priorities that change seldom, which find other bugs.
fn check(case: impl Fn() + Clone + Send + Sync + 'static) {
    let config = shuttle::Config::default;
    shuttle::Runner::new(RandomScheduler::new_from_seed(SEED, SCHEDULES), config()).run(case.clone());
    shuttle::Runner::new(PctScheduler::new_from_seed(SEED, 3, SCHEDULES), config()).run(case);
}

type Numbers = Arc<Ring<u32>>;

/// Starts a thread that pushes `count` numbers from `first` on and returns the refused ones.
fn pusher(ring: &Numbers, first: u32, count: u32) -> JoinHandle<Vec<u32>> {
    let ring = Arc::clone(ring);
    thread::spawn(move || {
        (first..first + count).filter_map(|item| ring.push(item).err().map(|refused| refused.0)).collect()
    })
}

/// Starts a thread that pops until the ring is closed and drained.
fn popper(ring: &Numbers) -> JoinHandle<Vec<u32>> {
    let ring = Arc::clone(ring);
    thread::spawn(move || std::iter::from_fn(|| ring.pop()).collect())
}

/// As [`popper`], with timeouts, which expire whenever the schedule permits.
fn hasty_popper(ring: &Numbers) -> JoinHandle<Vec<u32>> {
    let ring = Arc::clone(ring);
    thread::spawn(move || {
        let mut got = Vec::new();
        loop {
            match ring.pop_timeout(Duration::from_secs(1)) {
                TryPop::Item(item) => got.push(item),
                TryPop::Empty => thread::yield_now(),
                TryPop::Closed => return got,
            }
        }
    })
}

/// Checks that no number is lost or doubled, and that each part is in ascending order per producer of ten numbers.
fn account(parts: Vec<Vec<u32>>, total: u32) {
    for part in &parts {
        for producer in 0..total.div_ceil(10) {
            let own: Vec<u32> = part.iter().copied().filter(|item| item / 10 == producer).collect();
            assert!(own.is_sorted(), "{own:?}");
        }
    }
    let mut all: Vec<u32> = parts.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (0..total).collect::<Vec<u32>>());
}

fn join(threads: Vec<JoinHandle<Vec<u32>>>) -> Vec<Vec<u32>> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn close_after_producers(capacity: usize) {
    check(move || {
        let ring: Numbers = Arc::new(Ring::with_capacity(capacity));
        let poppers = vec![popper(&ring), popper(&ring), popper(&ring), hasty_popper(&ring)];
        let pushers = (0..3).map(|producer| pusher(&ring, producer * 10, 10)).collect();
        assert!(join(pushers).concat().is_empty());
        ring.close();
        account(join(poppers), 30);
    });
}

#[test]
fn close_drains_one_slot() {
    close_after_producers(1);
}

#[test]
fn close_drains_three_slots() {
    close_after_producers(3);
}

#[test]
fn close_in_the_middle_wakes_all() {
    check(|| {
        let ring: Numbers = Arc::new(Ring::with_capacity(2));
        let poppers = vec![popper(&ring), hasty_popper(&ring)];
        let pushers: Vec<_> = (0..4).map(|producer| pusher(&ring, producer * 10, 10)).collect();
        ring.close();
        let mut parts = join(pushers);
        parts.extend(join(poppers));
        account(parts, 40);
    });
}

#[test]
fn abort_in_the_middle_loses_nothing() {
    check(|| {
        let ring: Numbers = Arc::new(Ring::with_capacity(3));
        let poppers = vec![popper(&ring), popper(&ring), hasty_popper(&ring)];
        let pushers: Vec<_> = (0..3).map(|producer| pusher(&ring, producer * 10, 10)).collect();
        let other = Arc::clone(&ring);
        let aborter = thread::spawn(move || other.abort());
        let mut parts = vec![ring.abort(), aborter.join().unwrap()];
        assert_eq!(ring.try_pop(), TryPop::Closed);
        parts.extend(join(pushers));
        parts.extend(join(poppers));
        account(parts, 30);
    });
}

#[test]
fn all_asleep_at_one_end() {
    check(|| {
        let ring: Numbers = Arc::new(Ring::with_capacity(1));
        let poppers: Vec<_> = (0..6).map(|_| popper(&ring)).collect();
        ring.close();
        account(join(poppers), 0);
        let ring: Numbers = Arc::new(Ring::with_capacity(1));
        ring.push(0).unwrap();
        let pushers: Vec<_> = (1..7).map(|item| pusher(&ring, item, 1)).collect();
        let mut parts = vec![ring.abort()];
        parts.extend(join(pushers));
        account(parts, 7);
    });
}

/// Each worker answers, then sleeps until one of them has applied the last answer.
#[test]
fn every_answer_is_combined_before_the_last_worker_sleeps() {
    const WORKERS: u32 = 6;
    check(|| {
        let shared = Arc::new((Numbers::new(Ring::with_capacity(8)), Numbers::new(Ring::with_capacity(8))));
        let combiner = Arc::new(Combiner::new(0));
        let worker = |number: u32| {
            let (shared, combiner) = (Arc::clone(&shared), Arc::clone(&combiner));
            thread::spawn(move || {
                let (work, answers) = &*shared;
                answers.push(number).unwrap();
                let apply = |taken: &mut u32| {
                    while let TryPop::Item(_) = answers.try_pop() {
                        *taken += 1;
                        if *taken == WORKERS {
                            work.close();
                        }
                    }
                };
                combiner.combine(apply, || !answers.is_empty()).unwrap();
                work.pop().into_iter().collect()
            })
        };
        account(join((0..WORKERS).map(worker).collect()), 0);
    });
}
