//! A bounded multi-producer, multi-consumer ring.
//!
//! Owns: storage for up to `capacity` items, back-pressure, closing and aborting.
//! Does not own: threads.
//!
//! Enters: items, by [`Ring::push`].
//! Leaves: each item exactly once, by [`Ring::pop`] or [`Ring::abort`].
//! Not to be touched from outside: the slots ([`slot`]) and the counters at the two ends ([`end`]); a step that is
//! not in the protocol breaks memory safety.
//!
//! Source: `PROTOCOL.md`, part 1; the step numbers in the comments are those of that file. The stamped slots are those
//! of D. Vyukov's bounded MPMC queue.

mod end;
mod slot;

use crate::backoff::Backoff;
use crate::ring::end::{End, PendingWake, TICKET, Word};
use crate::ring::slot::Slot;
use crate::sync::{Deadline, Wakeup};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

/// The maximum capacity. It leaves 16 bits of laps above the tickets of one lap.
const CAPACITY_MAX: usize = 1 << 32;

/// A bounded queue: [`push`](Ring::push) sleeps while it is full, [`pop`](Ring::pop) while it is empty.
///
/// Items leave in the order in which they entered. Cost: an uncontended push or pop is one compare-and-swap and one
/// store; a system call is made only when a thread sleeps; nothing is allocated after construction. A thread retries
/// for a few microseconds before it sleeps. Threads that sleep at the same end wake in no particular order.
///
/// ```
/// let ring = haul_queue::Ring::with_capacity(2);
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         for task in 0..10 {
///             ring.push(task).expect("open");
///         }
///         ring.close();
///     });
///     let mut sum = 0;
///     while let Some(task) = ring.pop() {
///         sum += task;
///     }
///     assert_eq!(sum, 45);
/// });
/// ```
pub struct Ring<T> {
    /// Tickets of pushes. Poppers sleep here until a push moves it.
    tail: End,
    /// Tickets of pops. Pushers sleep here until a pop moves it.
    head: End,
    slots: Box<[Slot<T>]>,
    /// The distance of two consecutive tickets of the same slot. Invariant: a power of two, at least `slots.len() *
    /// TICKET`.
    lap: u64,
}

// The only caller's code that runs inside an operation is the drop of an item in `Ring::drop`, so a panic leaves
// nothing half done.
impl<T> UnwindSafe for Ring<T> {}
impl<T> RefUnwindSafe for Ring<T> {}

/// The ring is closed; contains the refused item.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed<T>(pub T);

/// Why [`Ring::try_push`] refused the item.
#[derive(Debug, PartialEq, Eq)]
pub enum TryPush<T> {
    /// The ring is full at the moment.
    Full(T),
    /// The ring is closed.
    Closed(T),
}

/// The result of [`Ring::try_pop`] and [`Ring::pop_timeout`].
#[derive(Debug, PartialEq, Eq)]
pub enum TryPop<T> {
    /// The oldest item.
    Item(T),
    /// The ring is empty at the moment.
    Empty,
    /// The ring is closed and drained.
    Closed,
}

/// The outcome of one attempt to take a ticket.
enum Claim<'a, T> {
    /// This thread alone may use the slot, and then owes the wake-up.
    Won(&'a Slot<T>, u64, PendingWake),
    /// The ring is full or empty as long as the other end has this word (S1).
    Blocked(Word),
    /// The ring is closed.
    Closed,
}

impl<T> Ring<T> {
    /// Creates a ring for up to `capacity` items. Cost: the ring's only allocation.
    ///
    /// # Panics
    /// If `capacity` is zero or more than 2³².
    pub fn with_capacity(capacity: usize) -> Self {
        assert!(capacity > 0, "a ring holds at least one item");
        assert!(capacity <= CAPACITY_MAX, "a ring holds at most 2^32 items");
        let slots = (0..capacity as u64).map(|index| Slot::new(index * TICKET)).collect();
        Self {
            tail: End::new(),
            head: End::new(),
            slots,
            lap: (capacity as u64).next_power_of_two() * TICKET,
        }
    }

    /// Appends `item`, sleeping while the ring is full.
    ///
    /// # Errors
    /// [`Closed`], with the item, once the ring is closed or aborted.
    pub fn push(&self, item: T) -> Result<(), Closed<T>> {
        loop {
            match self.spin_first(|| self.win_push()).unwrap_or_else(|| self.claim_push()) {
                Claim::Won(slot, ticket, wake) => {
                    self.fill(slot, ticket, wake, item);
                    return Ok(());
                }
                Claim::Closed => return Err(Closed(item)),
                Claim::Blocked(head) => {
                    self.head.sleep(head, None);
                }
            }
        }
    }

    /// Appends `item` if there is room. Never sleeps.
    ///
    /// # Errors
    /// [`TryPush`], with the item.
    pub fn try_push(&self, item: T) -> Result<(), TryPush<T>> {
        match self.claim_push() {
            Claim::Won(slot, ticket, wake) => {
                self.fill(slot, ticket, wake, item);
                Ok(())
            }
            Claim::Closed => Err(TryPush::Closed(item)),
            Claim::Blocked(_) => Err(TryPush::Full(item)),
        }
    }

    /// Takes the oldest item, sleeping while there is none. `None` once the ring is closed and drained.
    pub fn pop(&self) -> Option<T> {
        match self.pop_until(None) {
            TryPop::Item(item) => Some(item),
            TryPop::Empty | TryPop::Closed => None,
        }
    }

    /// Takes the oldest item, sleeping at most `timeout`.
    pub fn pop_timeout(&self, timeout: Duration) -> TryPop<T> {
        if timeout.is_zero() { self.try_pop() } else { self.pop_until(Some(&Deadline::after(timeout))) }
    }

    /// Takes the oldest item if there is one. Never sleeps.
    pub fn try_pop(&self) -> TryPop<T> {
        match self.claim_pop() {
            Claim::Won(slot, ticket, wake) => TryPop::Item(self.empty(slot, ticket, wake)),
            Claim::Blocked(_) => TryPop::Empty,
            Claim::Closed => TryPop::Closed,
        }
    }

    /// Refuses further items; the items inside can still be popped. Wakes every sleeper.
    pub fn close(&self) {
        self.tail.close();
        self.head.close();
    }

    /// Refuses further items and returns the items inside, oldest first. Wakes every sleeper.
    ///
    /// A push that races with this call either returns [`Closed`] with its item, or succeeds; then its item was
    /// popped before or is among those returned, as this call waits for pushes under way. No pop takes an item
    /// afterwards. Cost: one allocation.
    pub fn abort(&self) -> Vec<T> {
        self.close();
        let mut leftovers = Vec::with_capacity(self.len());
        let end = self.tail.load().ticket();
        let mut ticket = self.take_all(end);
        while ticket != end {
            let slot = self.slot(ticket);
            let mut backoff = Backoff::new();
            while !slot.is_full_for(ticket) {
                backoff.wait();
            }
            // SAFETY: A2 took all tickets up to `end` in one step, each is used once here, and its stamp had FULL.
            leftovers.push(unsafe { slot.take(ticket.wrapping_add(self.lap)) });
            ticket = self.after(ticket);
        }
        leftovers
    }

    /// The number of items inside at this moment, including those whose push is under way.
    pub fn len(&self) -> usize {
        loop {
            let tail = self.tail.load().ticket();
            let head = self.head.load().ticket();
            if self.tail.load().ticket() == tail {
                let mask = !(self.lap - 1);
                let laps = ((tail & mask).wrapping_sub(head & mask) / self.lap) as usize;
                return laps * self.slots.len() + self.index(tail) - self.index(head);
            }
        }
    }

    /// Whether nothing is inside at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most items it holds.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn pop_until(&self, deadline: Option<&Deadline>) -> TryPop<T> {
        loop {
            match self.spin_first(|| self.win_pop()).unwrap_or_else(|| self.claim_pop()) {
                Claim::Won(slot, ticket, wake) => return TryPop::Item(self.empty(slot, ticket, wake)),
                Claim::Closed => return TryPop::Closed,
                Claim::Blocked(tail) => {
                    if self.tail.sleep(tail, deadline) == Wakeup::TimedOut {
                        return self.try_pop();
                    }
                }
            }
        }
    }

    /// Retries for a few microseconds before the caller reads the other end. The other end's cache line belongs to the
    /// threads that work there, and every read of it makes their next step slow.
    #[inline]
    fn spin_first<'a>(&self, win: impl Fn() -> Option<Claim<'a, T>>) -> Option<Claim<'a, T>> {
        let mut backoff = Backoff::new();
        while !backoff.is_over() {
            let won = win();
            if won.is_some() {
                return won;
            }
            backoff.wait();
        }
        None
    }

    /// P1 to P3, if the slot is empty.
    #[inline]
    fn win_push(&self) -> Option<Claim<'_, T>> {
        let mut backoff = Backoff::new();
        let mut tail = self.tail.load();
        loop {
            let ticket = tail.ticket();
            let slot = self.slot(ticket);
            if tail.is_closed() {
                return Some(Claim::Closed);
            }
            if !slot.is_empty_for(ticket) {
                return None;
            }
            match self.tail.take_ticket(tail, self.after(ticket)) {
                Ok(wake) => return Some(Claim::Won(slot, ticket, wake)),
                Err(now) => tail = now,
            }
            backoff.lost_race();
        }
    }

    /// P1 to P3.
    #[inline]
    fn claim_push(&self) -> Claim<'_, T> {
        let mut backoff = Backoff::new();
        loop {
            let tail = self.tail.load();
            if let Some(claim) = self.win_push() {
                return claim;
            }
            let head = self.head.load();
            if head.ticket().wrapping_add(self.lap) == tail.ticket() {
                return Claim::Blocked(head);
            }
            // The slot's pop is between C3 and C5, or `tail` is out of date.
            backoff.wait();
        }
    }

    /// C1 to C3, if the slot is full.
    #[inline]
    fn win_pop(&self) -> Option<Claim<'_, T>> {
        let mut backoff = Backoff::new();
        let mut head = self.head.load();
        loop {
            let ticket = head.ticket();
            let slot = self.slot(ticket);
            if !slot.is_full_for(ticket) {
                return None;
            }
            match self.head.take_ticket(head, self.after(ticket)) {
                Ok(wake) => return Some(Claim::Won(slot, ticket, wake)),
                Err(now) => head = now,
            }
            backoff.lost_race();
        }
    }

    /// C1 to C3.
    #[inline]
    fn claim_pop(&self) -> Claim<'_, T> {
        let mut backoff = Backoff::new();
        loop {
            let head = self.head.load();
            if let Some(claim) = self.win_pop() {
                return claim;
            }
            let tail = self.tail.load();
            if tail.ticket() == head.ticket() {
                return if tail.is_closed() { Claim::Closed } else { Claim::Blocked(tail) };
            }
            // The slot's push is between P3 and P5, or `head` is out of date.
            backoff.wait();
        }
    }

    /// P4 to P6.
    #[inline]
    fn fill(&self, slot: &Slot<T>, ticket: u64, wake: PendingWake, item: T) {
        // SAFETY: the ticket was won by `claim_push`, whose P2 saw the slot empty for it, and is used once.
        unsafe { slot.put(ticket, item) };
        self.tail.deliver(wake);
    }

    /// C4 to C6.
    #[inline]
    fn empty(&self, slot: &Slot<T>, ticket: u64, wake: PendingWake) -> T {
        // SAFETY: the ticket was won by `claim_pop`, whose C2 saw the slot full for it, and is used once.
        let item = unsafe { slot.take(ticket.wrapping_add(self.lap)) };
        self.head.deliver(wake);
        item
    }

    /// A2: moves the head to `end` in one step and returns where it was.
    fn take_all(&self, end: u64) -> u64 {
        loop {
            let head = self.head.load();
            if let Ok(wake) = self.head.take_ticket(head, end) {
                self.head.deliver(wake);
                return head.ticket();
            }
        }
    }

    #[inline]
    fn index(&self, ticket: u64) -> usize {
        ((ticket & (self.lap - 1)) / TICKET) as usize
    }

    #[inline]
    fn slot(&self, ticket: u64) -> &Slot<T> {
        &self.slots[self.index(ticket)]
    }

    /// The ticket after `ticket`.
    #[inline]
    fn after(&self, ticket: u64) -> u64 {
        if self.index(ticket) + 1 < self.slots.len() {
            ticket.wrapping_add(TICKET)
        } else {
            (ticket & !(self.lap - 1)).wrapping_add(self.lap)
        }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let rest = Remaining(self);
        rest.drop_items();
    }
}

/// Drops the items of a ring. If the drop of one panics, the others are dropped while unwinding.
struct Remaining<'a, T>(&'a Ring<T>);

impl<T> Remaining<'_, T> {
    fn drop_items(&self) {
        while let TryPop::Item(item) = self.0.try_pop() {
            drop(item);
        }
    }
}

impl<T> Drop for Remaining<'_, T> {
    fn drop(&mut self) {
        self.drop_items();
    }
}
