//! Any sequence of operations on one thread, compared with a `VecDeque`.
//!
//! Owns: the meaning of each operation, wrap-around at every capacity, drops.
//! Does not own: concurrency (see `tests/loom.rs`, `tests/shuttle.rs`, `stress.rs`).

use haul_queue::{Closed, Ring, TryPop, TryPush};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
enum Step {
    TryPush,
    /// Only if it would not sleep.
    Push,
    TryPop,
    PopTimeout,
    /// Only if it would not sleep.
    Pop,
    Close,
    Abort,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => Just(Step::TryPush),
        6 => Just(Step::Push),
        9 => Just(Step::TryPop),
        2 => Just(Step::PopTimeout),
        6 => Just(Step::Pop),
        1 => Just(Step::Close),
        1 => Just(Step::Abort),
    ]
}

/// Each item holds a reference count, which reveals a lost or doubled drop.
struct Model {
    items: VecDeque<u32>,
    closed: bool,
    alive: Rc<()>,
}

type Item = (u32, Rc<()>);

impl Model {
    fn can_push(&self, ring: &Ring<Item>) -> bool {
        self.closed || self.items.len() < ring.capacity()
    }

    fn expect_push(&mut self, ring: &Ring<Item>, value: u32, got: Result<(), TryPush<Item>>) {
        match got {
            Ok(()) => {
                assert!(!self.closed && self.items.len() < ring.capacity());
                self.items.push_back(value);
            }
            Err(TryPush::Full(item)) => {
                assert_eq!(item.0, value);
                assert!(!self.closed && self.items.len() == ring.capacity());
            }
            Err(TryPush::Closed(item)) => {
                assert_eq!(item.0, value);
                assert!(self.closed);
            }
        }
    }

    fn expect_pop(&mut self, got: TryPop<Item>) {
        match got {
            TryPop::Item(item) => assert_eq!(Some(item.0), self.items.pop_front()),
            TryPop::Empty => assert!(self.items.is_empty() && !self.closed),
            TryPop::Closed => assert!(self.items.is_empty() && self.closed),
        }
    }

    fn apply(&mut self, ring: &Ring<Item>, value: u32, step: Step) {
        let item = |alive: &Rc<()>| (value, Rc::clone(alive));
        match step {
            Step::Push if self.can_push(ring) => {
                let got = ring.push(item(&self.alive)).map_err(|Closed(item)| TryPush::Closed(item));
                self.expect_push(ring, value, got);
            }
            Step::TryPush | Step::Push => {
                let got = ring.try_push(item(&self.alive));
                self.expect_push(ring, value, got);
            }
            Step::Pop if self.closed || !self.items.is_empty() => {
                self.expect_pop(ring.pop().map_or(TryPop::Closed, TryPop::Item));
            }
            Step::TryPop | Step::Pop => self.expect_pop(ring.try_pop()),
            Step::PopTimeout => self.expect_pop(ring.pop_timeout(Duration::from_nanos(1))),
            Step::Close => {
                ring.close();
                self.closed = true;
            }
            Step::Abort => {
                let leftovers: Vec<u32> = ring.abort().into_iter().map(|item| item.0).collect();
                assert_eq!(leftovers, self.items.drain(..).collect::<Vec<u32>>());
                self.closed = true;
            }
        }
        assert_eq!(ring.len(), self.items.len());
        assert_eq!(ring.is_empty(), self.items.is_empty());
        assert_eq!(Rc::strong_count(&self.alive), 1 + self.items.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_sequence_matches_the_model(capacity in 1..9_usize, steps in prop::collection::vec(step(), 0..200)) {
        let ring = Ring::with_capacity(capacity);
        prop_assert_eq!(ring.capacity(), capacity);
        let mut model = Model { items: VecDeque::new(), closed: false, alive: Rc::new(()) };
        for (value, &step) in steps.iter().enumerate() {
            model.apply(&ring, value as u32, step);
        }
        drop(ring);
        prop_assert_eq!(Rc::strong_count(&model.alive), 1);
    }
}

#[test]
fn a_panicking_drop_does_not_keep_the_others() {
    struct Bomb {
        _alive: Rc<()>,
        explodes: bool,
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.explodes, "bomb");
        }
    }
    let alive = Rc::new(());
    let ring = Ring::with_capacity(4);
    for explodes in [false, true, false, false] {
        assert!(ring.push(Bomb { _alive: Rc::clone(&alive), explodes }).is_ok());
    }
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(ring)));
    assert!(caught.is_err());
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn a_timeout_beyond_the_clock_is_no_limit() {
    let ring = Ring::with_capacity(1);
    std::thread::scope(|scope| {
        scope.spawn(|| ring.push(1));
        assert_eq!(ring.pop_timeout(Duration::MAX), TryPop::Item(1));
    });
}

#[test]
#[should_panic(expected = "at least one item")]
fn no_capacity_is_refused() {
    drop(Ring::<u8>::with_capacity(0));
}

#[test]
fn a_ring_of_items_without_size() {
    let ring = Ring::with_capacity(3);
    for _ in 0..10 {
        assert_eq!(ring.push(()), Ok(()));
        assert_eq!(ring.pop(), Some(()));
    }
}
