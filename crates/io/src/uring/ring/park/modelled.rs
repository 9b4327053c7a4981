//! The protocol of parking under loom: `RUSTFLAGS="--cfg loom" cargo test -p haul-io --release --lib modelled`.
//!
//! Owns: a ring's thread as in `driver.rs` and `driver/broken.rs`, and one or two threads that notify it.
//! Does not own: rings, descriptors.
//!
//! A notification that is lost shows as loom's "deadlock", a message that isn't visible as a failed assertion.

use loom::sync::Arc as LoomArc;
use loom::sync::atomic::AtomicU32 as Messages;
use loom::thread;

use super::*;

#[track_caller]
fn check(preemptions: impl Into<Option<usize>>, case: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions.into();
    model.check(case);
}

/// How the ring's thread sleeps.
#[derive(Clone, Copy)]
enum Sleep {
    /// A read through the ring takes the bell's ring away.
    Reads,
    /// A poll leaves it, and the thread takes it away itself. Other completions end the sleep of either kind.
    Polls,
}

/// Has `notifiers` threads leave a message each, and the ring's thread turn until it has found all. The messages are
/// relaxed: only the parking orders them.
fn messages_arrive(notifiers: u32, sleep: Sleep) {
    let park = Arc::new(Park::new().unwrap());
    let messages = LoomArc::new(Messages::new(0));
    let threads: Vec<_> = (0..notifiers)
        .map(|_| {
            let (unparker, messages) = (Unparker::new(&park), messages.clone());
            thread::spawn(move || {
                messages.fetch_add(1, Ordering::Relaxed);
                unparker.unpark();
            })
        })
        .collect();
    while messages.load(Ordering::Relaxed) < notifiers {
        if park.prepare_to_sleep() {
            match sleep {
                Sleep::Reads => park.event.read(),
                Sleep::Polls => {
                    park.event.wait();
                    park.silence();
                }
            }
        }
        park.wake_up();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_message_ends_the_sleep() {
    for sleep in [Sleep::Reads, Sleep::Polls] {
        check(None, move || messages_arrive(1, sleep));
    }
}

#[test]
fn two_messages_are_both_found() {
    for sleep in [Sleep::Reads, Sleep::Polls] {
        check(3, move || messages_arrive(2, sleep));
    }
}

/// A completion of the ring ends the sleep while a notification is on its way. It may end the next sleep for nothing,
/// but is never taken for one that is still to come.
#[test]
fn a_sleep_that_ends_otherwise_loses_nothing() {
    check(None, || {
        let park = Arc::new(Park::new().unwrap());
        let messages = LoomArc::new(Messages::new(0));
        let (unparker, theirs) = (Unparker::new(&park), messages.clone());
        let notifier = thread::spawn(move || {
            for _ in 0..2 {
                theirs.fetch_add(1, Ordering::Relaxed);
                unparker.unpark();
            }
        });
        // It sleeps, and wakes at once by a completion.
        park.prepare_to_sleep();
        park.wake_up();
        while messages.load(Ordering::Relaxed) < 2 {
            if park.prepare_to_sleep() {
                park.event.read();
            }
            park.wake_up();
        }
        notifier.join().unwrap();
    });
}

/// What was published before the notification is seen after it, whether it came before the sleep or ended it.
#[test]
fn a_notification_brings_its_message() {
    check(None, || {
        let park = Arc::new(Park::new().unwrap());
        let message = LoomArc::new(Messages::new(0));
        let (unparker, theirs) = (Unparker::new(&park), message.clone());
        let notifier = thread::spawn(move || {
            theirs.store(7, Ordering::Relaxed);
            unparker.unpark();
        });
        loop {
            if park.prepare_to_sleep() {
                park.event.read();
            }
            if park.wake_up() {
                break;
            }
        }
        assert_eq!(message.load(Ordering::Relaxed), 7);
        notifier.join().unwrap();
    });
}
