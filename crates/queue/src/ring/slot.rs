//! One slot of the ring: an item's memory, and the stamp that names the next ticket to use it.
//!
//! Owns: the stamp's encoding; all unsafe access to an item's memory.
//! Does not own: handing out tickets (see `end.rs`).
//!
//! Source: `PROTOCOL.md`, part 1; the step numbers in the comments are those of that file.

use crate::sync::{AtomicU64, Ordering, UnsafeCell};
use std::mem::MaybeUninit;

/// Set in a stamp while the slot holds an item.
const FULL: u64 = 1;

pub(crate) struct Slot<T> {
    /// `ticket` while the slot waits for the push with that ticket, `ticket | FULL` while it waits for the pop with it.
    stamp: AtomicU64,
    /// Invariant: initialised exactly while the stamp has `FULL`, except while the holder of the ticket is at work.
    item: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a shared slot moves items between threads (`T: Send`) and never lends one out, so `T: Sync` is not needed.
// Access to `item` is exclusive by the contracts of `put` and `take`.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// Creates an empty slot for the push with `ticket`.
    pub(crate) fn new(ticket: u64) -> Self {
        Self { stamp: AtomicU64::new(ticket), item: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// P2.
    #[inline]
    pub(crate) fn is_empty_for(&self, ticket: u64) -> bool {
        self.stamp.load(Ordering::Acquire) == ticket
    }

    /// C2.
    #[inline]
    pub(crate) fn is_full_for(&self, ticket: u64) -> bool {
        self.stamp.load(Ordering::Acquire) == ticket | FULL
    }

    /// P4 and P5: moves `item` in and publishes it.
    ///
    /// # Safety
    /// The caller took `ticket` from the tail (P3) after [`is_empty_for`](Self::is_empty_for) returned true for it, and
    /// calls this once.
    #[inline]
    pub(crate) unsafe fn put(&self, ticket: u64, item: T) {
        self.item.with_mut(|item_at| {
            // SAFETY: the caller's ticket excludes every other writer, and no reader comes before P5 (PROTOCOL.md, L1);
            // the slot is empty, so no item is overwritten without being dropped.
            unsafe { item_at.cast::<T>().write(item) };
        });
        self.stamp.store(ticket | FULL, Ordering::Release);
    }

    /// C4 and C5: moves the item out and releases the slot to the push with `next_ticket`.
    ///
    /// # Safety
    /// The caller took `ticket` from the head (C3, A2) and calls this once, after [`is_full_for`](Self::is_full_for)
    /// returned true for it. `next_ticket` is the ticket of the same slot one lap later.
    #[inline]
    pub(crate) unsafe fn take(&self, next_ticket: u64) -> T {
        let item = self.item.with_mut(|item_at| {
            // SAFETY: the caller's ticket excludes every other reader, and no writer comes before C5 (PROTOCOL.md, L1);
            // the stamp had FULL, so the item is initialised, and C5 marks the slot empty, so the item is read once.
            unsafe { item_at.cast::<T>().read() }
        });
        self.stamp.store(next_ticket, Ordering::Release);
        item
    }
}
