//! The ring with real threads and the real futex: order per producer, exactly once, closing under load.
//!
//! Owns: the cases that are too large for the models. Bounded by counts; about a second in total on two cores.
//! Does not own: rare schedules (see `tests/loom.rs`, `tests/shuttle.rs`).

use haul_queue::{Ring, TryPop, TryPush, oracle::Oracle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The producer's number and the position in its sequence.
type Item = (usize, u32);

/// Checks that each consumer saw every producer's items in order. Returns all items of each producer.
fn account(views: Vec<Vec<Item>>, producers: usize) -> Vec<Vec<u32>> {
    for view in &views {
        for producer in 0..producers {
            assert!(view.iter().filter(|item| item.0 == producer).map(|item| item.1).is_sorted());
        }
    }
    let mut union = vec![Vec::new(); producers];
    views.into_iter().flatten().for_each(|(producer, item)| union[producer].push(item));
    union.iter_mut().for_each(|items| items.sort_unstable());
    union
}

/// Pops until the ring is drained, by the three ways to pop in turn.
fn consume(ring: &Ring<Item>) -> Vec<Item> {
    let mut view = Vec::new();
    loop {
        let got = match view.len() % 3 {
            0 => ring.pop().map_or(TryPop::Closed, TryPop::Item),
            1 => ring.pop_timeout(Duration::from_micros(1)),
            _ => ring.try_pop(),
        };
        match got {
            TryPop::Item(item) => view.push(item),
            TryPop::Empty => thread::yield_now(),
            TryPop::Closed => return view,
        }
    }
}

/// Pushes `count` items or until the first refusal, by the two ways to push in turn. Returns the number accepted.
fn produce(ring: &Ring<Item>, producer: usize, count: u32) -> u32 {
    for item in 0..count {
        let mut pushed = false;
        while !pushed {
            pushed = match item % 3 {
                0 => match ring.try_push((producer, item)) {
                    Ok(()) => true,
                    Err(TryPush::Full(_)) => {
                        thread::yield_now();
                        false
                    }
                    Err(TryPush::Closed(_)) => return item,
                },
                _ if ring.push((producer, item)).is_err() => return item,
                _ => true,
            };
        }
    }
    count
}

#[track_caller]
fn check_flow(capacity: usize, producers: usize, consumers: usize, count: u32) {
    let ring = Ring::with_capacity(capacity);
    let views = thread::scope(|scope| {
        let ring = &ring;
        let consumers: Vec<_> = (0..consumers).map(|_| scope.spawn(|| consume(ring))).collect();
        let producers: Vec<_> =
            (0..producers).map(|own| scope.spawn(move || produce(ring, own, count))).collect();
        producers.into_iter().for_each(|producer| assert_eq!(producer.join().unwrap(), count));
        ring.close();
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect()
    });
    for items in account(views, producers) {
        assert!(items.into_iter().eq(0..count));
    }
}

#[test]
fn exactly_once_and_in_order() {
    check_flow(1, 1, 1, 4_000);
    check_flow(1, 3, 3, 1_000);
    check_flow(2, 2, 1, 2_000);
    check_flow(3, 1, 4, 4_000);
    check_flow(7, 4, 4, 5_000);
    check_flow(1024, 4, 4, 20_000);
}

/// A producer's accepted items are exactly those that a consumer saw or `abort` returned.
#[test]
fn abort_under_load_loses_nothing() {
    for round in 0..60 {
        let ring = Ring::with_capacity(round % 4 + 1);
        let (accepted, views) = thread::scope(|scope| {
            let ring = &ring;
            let consumers: Vec<_> = (0..2).map(|_| scope.spawn(|| consume(ring))).collect();
            let producers: Vec<_> =
                (0..3).map(|own| scope.spawn(move || produce(ring, own, 1_000))).collect();
            (0..round).for_each(|_| thread::yield_now());
            let leftovers = ring.abort();
            assert_eq!(ring.try_pop(), TryPop::Closed);
            let accepted: Vec<u32> = producers.into_iter().map(|producer| producer.join().unwrap()).collect();
            let mut views: Vec<_> = consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect();
            views.push(leftovers);
            (accepted, views)
        });
        for (items, accepted) in account(views, 3).into_iter().zip(accepted) {
            assert!(items.into_iter().eq(0..accepted));
        }
    }
}

#[test]
fn close_wakes_all_sleepers_of_both_ends() {
    for _ in 0..50 {
        let (empty, full) = (Ring::<Item>::with_capacity(1), Ring::<Item>::with_capacity(1));
        assert_eq!(full.push((0, 0)), Ok(()));
        let slept = AtomicBool::new(false);
        thread::scope(|scope| {
            let poppers: Vec<_> = (0..3).map(|_| scope.spawn(|| empty.pop())).collect();
            let pushers: Vec<_> = (0..3).map(|_| scope.spawn(|| full.push((1, 1)))).collect();
            slept.store(empty.pop_timeout(Duration::from_micros(100)) == TryPop::Empty, Ordering::Relaxed);
            empty.close();
            full.close();
            assert!(poppers.into_iter().all(|popper| popper.join().unwrap().is_none()));
            assert!(pushers.into_iter().all(|pusher| pusher.join().unwrap().is_err()));
        });
        assert!(slept.into_inner());
        assert_eq!(full.pop(), Some((0, 0)));
    }
}

#[test]
fn the_oracle_does_the_same() {
    let oracle = Oracle::with_capacity(3);
    let views = thread::scope(|scope| {
        let oracle = &oracle;
        let consumers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| std::iter::from_fn(|| oracle.pop()).collect::<Vec<Item>>()))
            .collect();
        let push = move |own| (0..1_000).for_each(|item| assert_eq!(oracle.push((own, item)), Ok(())));
        let producers: Vec<_> = (0..2).map(|own| scope.spawn(move || push(own))).collect();
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        oracle.close();
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect()
    });
    assert_eq!(oracle.push((9, 9)), Err((9, 9)));
    for items in account(views, 2) {
        assert!(items.into_iter().eq(0..1_000));
    }
}
