//! Every schedule of small cases, with the reorderings that the memory model permits:
//! `RUSTFLAGS="--cfg loom" cargo test -p haul-queue --release --test loom`.
//!
//! Owns: cases of two and three threads: the ring with one and two slots; the dispatcher (`loom/dispatcher.rs`).
//! Does not own: more threads (see `shuttle.rs`), the real futex (see `it/stress.rs`).
//!
//! A lost wake-up shows as loom's "deadlock", a missing happens-before as a racing cell access, a lost item as a failed
//! assertion or a leak.
#![cfg(loom)]

#[path = "loom/dispatcher.rs"]
mod dispatcher;

use haul_queue::{Closed, Ring, TryPop, TryPush};
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use std::time::Duration;

/// Explores `case`. With a bound, a schedule preempts running threads at most `preemptions` times. The bounds are the
/// largest with which a case takes seconds; most cases of two threads need none.
#[track_caller]
fn check(preemptions: impl Into<Option<usize>>, case: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions.into();
    model.check(case);
}

fn ring(capacity: usize) -> Arc<Ring<Box<u32>>> {
    Arc::new(Ring::with_capacity(capacity))
}

/// Starts a thread that pushes `items` and returns those that were refused.
fn pusher(ring: &Arc<Ring<Box<u32>>>, items: &'static [u32]) -> JoinHandle<Vec<u32>> {
    let ring = Arc::clone(ring);
    thread::spawn(move || {
        let refused = |&item: &u32| ring.push(Box::new(item)).err().map(|Closed(item)| *item);
        items.iter().filter_map(refused).collect()
    })
}

/// Starts a thread that pops `count` times and returns the items.
fn popper(ring: &Arc<Ring<Box<u32>>>, count: usize) -> JoinHandle<Vec<u32>> {
    let ring = Arc::clone(ring);
    thread::spawn(move || (0..count).filter_map(|_| ring.pop().map(|item| *item)).collect())
}

fn sorted(parts: impl IntoIterator<Item = Vec<u32>>) -> Vec<u32> {
    let mut all: Vec<u32> = parts.into_iter().flatten().collect();
    all.sort_unstable();
    all
}

fn one_to_one(capacity: usize, items: &'static [u32]) {
    check(3, move || {
        let ring = ring(capacity);
        let pusher = pusher(&ring, items);
        for &item in items {
            assert_eq!(ring.pop().as_deref(), Some(&item));
        }
        assert!(pusher.join().unwrap().is_empty());
    });
}

#[test]
fn one_producer_one_consumer_one_slot() {
    one_to_one(1, &[1, 2, 3]);
}

#[test]
fn one_producer_one_consumer_two_slots() {
    one_to_one(2, &[1, 2, 3]);
}

fn two_to_one(capacity: usize, preemptions: usize) {
    check(preemptions, move || {
        let ring = ring(capacity);
        let (first, second) = (pusher(&ring, &[1]), pusher(&ring, &[2]));
        let got = vec![*ring.pop().unwrap(), *ring.pop().unwrap()];
        assert_eq!(sorted([got]), [1, 2]);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn two_producers_one_consumer_one_slot() {
    two_to_one(1, 2);
}

#[test]
fn two_producers_one_consumer_two_slots() {
    two_to_one(2, 3);
}

fn one_to_two(capacity: usize, preemptions: usize) {
    check(preemptions, move || {
        let ring = ring(capacity);
        let (first, second) = (popper(&ring, 1), popper(&ring, 1));
        ring.push(Box::new(1)).unwrap();
        ring.push(Box::new(2)).unwrap();
        assert_eq!(sorted([first.join().unwrap(), second.join().unwrap()]), [1, 2]);
    });
}

#[test]
fn one_producer_two_consumers_one_slot() {
    one_to_two(1, 2);
}

#[test]
fn one_producer_two_consumers_two_slots() {
    one_to_two(2, 3);
}

#[test]
fn close_wakes_a_parked_pop() {
    check(None, || {
        let ring = ring(1);
        let popper = popper(&ring, 1);
        ring.close();
        assert!(popper.join().unwrap().is_empty());
    });
}

#[test]
fn close_wakes_two_parked_pops_and_still_hands_out_the_item() {
    check(3, || {
        let ring = ring(1);
        let (first, second) = (popper(&ring, 1), popper(&ring, 1));
        ring.push(Box::new(7)).unwrap();
        ring.close();
        assert_eq!(sorted([first.join().unwrap(), second.join().unwrap()]), [7]);
    });
}

#[test]
fn close_wakes_a_parked_push() {
    check(None, || {
        let ring = ring(1);
        ring.push(Box::new(1)).unwrap();
        let pusher = pusher(&ring, &[2]);
        ring.close();
        assert_eq!(pusher.join().unwrap(), [2]);
        assert_eq!(ring.pop().as_deref(), Some(&1));
        assert_eq!(ring.try_pop(), TryPop::Closed);
    });
}

#[test]
fn close_wakes_two_parked_pushes() {
    check(3, || {
        let ring = ring(1);
        ring.push(Box::new(1)).unwrap();
        let (first, second) = (pusher(&ring, &[2]), pusher(&ring, &[3]));
        ring.close();
        assert_eq!(sorted([first.join().unwrap(), second.join().unwrap()]), [2, 3]);
    });
}

#[test]
fn two_closers_wake_a_parked_push() {
    check(3, || {
        let ring = ring(1);
        ring.push(Box::new(1)).unwrap();
        let pusher = pusher(&ring, &[2]);
        let other = Arc::clone(&ring);
        let closer = thread::spawn(move || other.close());
        ring.close();
        assert_eq!(pusher.join().unwrap(), [2]);
        closer.join().unwrap();
    });
}

#[test]
fn abort_accounts_for_every_push() {
    check(None, || {
        let ring = ring(2);
        ring.push(Box::new(1)).unwrap();
        let pusher = pusher(&ring, &[2, 3]);
        let leftovers: Vec<u32> = ring.abort().into_iter().map(|item| *item).collect();
        assert_eq!(leftovers[0], 1);
        assert_eq!(ring.try_pop(), TryPop::Closed);
        assert_eq!(sorted([leftovers, pusher.join().unwrap()]), [1, 2, 3]);
    });
}

#[test]
fn abort_and_pop_share_without_loss() {
    check(2, || {
        let ring = ring(1);
        let pusher = pusher(&ring, &[1, 2]);
        let popper = popper(&ring, 2);
        let leftovers = ring.abort().into_iter().map(|item| *item).collect();
        assert_eq!(ring.try_pop(), TryPop::Closed);
        assert_eq!(sorted([leftovers, pusher.join().unwrap(), popper.join().unwrap()]), [1, 2]);
    });
}

/// A popper that times out must not take the other one's wake-up with it.
#[test]
fn a_timed_out_pop_leaves_the_wake_up_to_the_other() {
    check(3, || {
        let ring = ring(2);
        let patient = popper(&ring, 1);
        let other = Arc::clone(&ring);
        let hasty = thread::spawn(move || match other.pop_timeout(Duration::from_secs(1)) {
            TryPop::Item(item) => vec![*item],
            TryPop::Empty | TryPop::Closed => Vec::new(),
        });
        ring.push(Box::new(1)).unwrap();
        ring.push(Box::new(2)).unwrap();
        let (patient, hasty) = (patient.join().unwrap(), hasty.join().unwrap());
        assert_eq!(patient.len(), 1);
        let rest = ring.abort().into_iter().map(|item| *item).collect();
        assert_eq!(sorted([patient, hasty, rest]), [1, 2]);
    });
}

#[test]
fn a_timed_out_pop_races_with_push_and_close() {
    check(None, || {
        let ring = ring(1);
        let other = Arc::clone(&ring);
        let hasty = thread::spawn(move || other.pop_timeout(Duration::from_secs(1)));
        let refused = ring.try_push(Box::new(1)).is_err();
        ring.close();
        assert!(!refused);
        match hasty.join().unwrap() {
            TryPop::Item(item) => assert_eq!(*item, 1),
            TryPop::Empty => assert_eq!(ring.pop().as_deref(), Some(&1)),
            TryPop::Closed => panic!("an item was inside"),
        }
    });
}

#[test]
fn try_push_after_a_known_pop_is_not_refused() {
    check(None, || {
        let ring = ring(1);
        ring.push(Box::new(1)).unwrap();
        popper(&ring, 1).join().unwrap();
        assert_eq!(ring.try_push(Box::new(2)), Ok(()));
        assert_eq!(ring.try_push(Box::new(3)), Err(TryPush::Full(Box::new(3))));
        // The ring drops item 2; loom would report a leak.
    });
}
