//! The switch that ends a run early.
//!
//! Owns: the flag, and the descriptor that wakes workers asleep in a system call.
//! Does not own: signals (the program decides what triggers the switch), what a job does about it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError, Weak};

use super::bell::{Bell, Reading};
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering, Thread, ThreadId, current};

/// A switch that any thread can trigger.
///
/// Operations that start or continue work (open for reading, read, write, connect, receive, sleep) then fail with the
/// error of [`is_cancelled`](crate::is_cancelled). Operations that finish or undo work (sync, publish, remove) are
/// still carried out.
#[derive(Clone)]
pub struct Cancel(Arc<Switch>);

struct Switch {
    /// Changed only under the lock of `children`, so that flag and descriptor agree.
    triggered: AtomicBool,
    /// Readable while triggered: wakes every thread that polls it.
    event: Bell,
    children: Mutex<Vec<Weak<Switch>>>,
    /// Threads that sleep by `park`. Locked after `children`.
    parked: Mutex<Vec<Thread>>,
    parent: Option<Cancel>,
}

impl Cancel {
    /// A switch that isn't triggered.
    ///
    /// # Errors
    /// If the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        Self::below(None)
    }

    /// A switch for a part of the run. Triggering its parent triggers it too, but not the other way round.
    ///
    /// # Errors
    /// As [`Cancel::new`].
    pub fn child(&self) -> io::Result<Self> {
        let child = Self::below(Some(self.clone()))?;
        let mut children = self.0.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(&child.0));
        drop(children);
        child.follow();
        Ok(child)
    }

    fn below(parent: Option<Self>) -> io::Result<Self> {
        let event = Bell::new(Reading::Fails)?;
        let (triggered, children, parked) =
            (AtomicBool::new(false), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        Ok(Self(Arc::new(Switch { triggered, event, children, parked, parent })))
    }

    /// Unparks the calling thread when the switch is triggered, while the returned guard lives. Call it before a check
    /// of [`is_triggered`](Self::is_triggered), and park after that.
    pub fn unparks_this_thread(&self) -> Unparks<'_> {
        self.lock_parked().push(current());
        Unparks(self, current().id())
    }

    fn lock_parked(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.0.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Triggers the switch and its children, and wakes all threads that poll them.
    pub fn trigger(&self) {
        let children = self.0.children.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.triggered.store(true, Ordering::SeqCst);
        self.0.event.ring();
        self.lock_parked().iter().for_each(|thread| thread.unpark());
        let children: Vec<_> = children.iter().filter_map(Weak::upgrade).map(Self).collect();
        children.iter().for_each(Self::trigger);
    }

    /// Resets this switch for further use. It stays triggered if its parent is.
    ///
    /// The caller must know that no thread is about to trigger it for work that is over.
    pub fn reset(&self) {
        if !self.is_triggered() {
            return;
        }
        let guard = self.0.children.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.triggered.store(false, Ordering::SeqCst);
        self.0.event.silence();
        drop(guard);
        self.follow();
    }

    /// Triggers this switch if its parent is triggered. A parent sets its flag before it triggers its children; if the
    /// flag isn't set here, the parent will still reach this child.
    fn follow(&self) {
        if self.0.parent.as_ref().is_some_and(Self::is_triggered) {
            self.trigger();
        }
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.triggered.load(Ordering::SeqCst)
    }
}

/// See [`Cancel::unparks_this_thread`].
#[must_use = "dropping it ends the effect"]
pub struct Unparks<'a>(&'a Cancel, ThreadId);

impl Drop for Unparks<'_> {
    fn drop(&mut self) {
        let mut parked = self.0.lock_parked();
        if let Some(at) = parked.iter().position(|thread| thread.id() == self.1) {
            parked.swap_remove(at);
        }
    }
}

impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_triggered()).finish()
    }
}

#[cfg(all(test, loom))]
mod modelled;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Whether it is triggered. The flag and the descriptor must agree.
    #[track_caller]
    fn is_triggered_and_readable(cancel: &Cancel) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(cancel, PollFlags::IN)];
        let readable = poll(&mut fds, Some(&Timespec::default())).unwrap() == 1;
        assert_eq!(cancel.is_triggered(), readable);
        readable
    }

    #[test]
    fn a_switch_triggers_its_children_but_not_its_parent() {
        let top = Cancel::new().unwrap();
        let (one, other) = (top.child().unwrap(), top.child().unwrap());
        one.trigger();
        assert!(
            is_triggered_and_readable(&one)
                && !is_triggered_and_readable(&other)
                && !is_triggered_and_readable(&top)
        );
        one.reset();
        assert!(!is_triggered_and_readable(&one), "ready for further use");
        let below = one.child().unwrap();
        top.trigger();
        assert!([&top, &one, &other, &below].into_iter().all(is_triggered_and_readable));
        one.reset();
        assert!(is_triggered_and_readable(&one), "the parent is triggered");
        assert!(is_triggered_and_readable(&top.child().unwrap()), "a child made later");
        top.reset();
        assert!(!is_triggered_and_readable(&top) && is_triggered_and_readable(&one));
    }

    #[test]
    fn a_parked_thread_is_woken_while_its_guard_lives() {
        let cancel = Cancel::new().unwrap();
        drop(cancel.unparks_this_thread());
        assert!(cancel.lock_parked().is_empty());
        let below = cancel.child().unwrap();
        std::thread::scope(|scope| {
            let asleep = scope.spawn(|| {
                let _unparks = below.unparks_this_thread();
                while !below.is_triggered() {
                    std::thread::park();
                }
            });
            cancel.trigger();
            asleep.join().unwrap();
        });
        assert!(below.lock_parked().is_empty());
    }

    #[test]
    fn dropped_children_are_forgotten() {
        let top = Cancel::new().unwrap();
        for _ in 0..100 {
            drop(top.child().unwrap());
        }
        assert!(top.0.children.lock().unwrap().len() <= 1);
    }
}
