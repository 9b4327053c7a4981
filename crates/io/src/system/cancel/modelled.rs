//! The switch under loom: `RUSTFLAGS="--cfg loom" cargo test -p haul-io --release --lib modelled`.
//!
//! Owns: threads that park or poll while it is triggered, children that are made or reset meanwhile.
//! Does not own: descriptors (`bell.rs` and its own test).
//!
//! A wake-up that is lost shows as loom's "deadlock".

use loom::thread;

use super::*;

#[track_caller]
fn check(case: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(case);
}

/// Whether it is triggered. The flag and the bell must agree once nobody changes them.
#[track_caller]
fn is_triggered(cancel: &Cancel) -> bool {
    assert_eq!(cancel.is_triggered(), cancel.0.event.is_readable());
    cancel.is_triggered()
}

#[test]
fn a_thread_that_parks_hears_the_switch() {
    check(|| {
        let cancel = Cancel::new().unwrap();
        let heard = cancel.clone();
        let parked = thread::spawn(move || {
            let _unparks = heard.unparks_this_thread();
            while !heard.is_triggered() {
                thread::park();
            }
        });
        cancel.trigger();
        parked.join().unwrap();
        assert!(cancel.lock_parked().is_empty());
    });
}

#[test]
fn a_thread_that_polls_hears_the_parent() {
    check(|| {
        let cancel = Cancel::new().unwrap();
        let child = cancel.child().unwrap();
        let polls = thread::spawn(move || {
            if !child.is_triggered() {
                child.0.event.wait();
            }
        });
        cancel.trigger();
        polls.join().unwrap();
    });
}

#[test]
fn a_child_that_is_made_meanwhile_is_triggered() {
    check(|| {
        let cancel = Cancel::new().unwrap();
        let parent = cancel.clone();
        let made = thread::spawn(move || parent.child().unwrap());
        cancel.trigger();
        assert!(is_triggered(&made.join().unwrap()));
    });
}

#[test]
fn a_child_that_is_reset_meanwhile_stays_triggered() {
    check(|| {
        let cancel = Cancel::new().unwrap();
        let child = cancel.child().unwrap();
        child.trigger();
        let reset = child.clone();
        let resets = thread::spawn(move || reset.reset());
        cancel.trigger();
        resets.join().unwrap();
        assert!(is_triggered(&child));
    });
}

#[test]
fn two_triggers_are_one() {
    check(|| {
        let cancel = Cancel::new().unwrap();
        let child = cancel.child().unwrap();
        let (one, other) = (cancel.clone(), child.clone());
        let triggers = [thread::spawn(move || one.trigger()), thread::spawn(move || other.trigger())];
        triggers.into_iter().for_each(|trigger| trigger.join().unwrap());
        assert!(is_triggered(&cancel) && is_triggered(&child));
    });
}
