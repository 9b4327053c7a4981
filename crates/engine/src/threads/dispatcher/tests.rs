//! What wakes the reporter, and what it says of work that makes no progress, on a clock of looks.
//!
//! Owns: wake-ups, naming task and thread.
//! Does not own: how many looks it takes ([`crate::stall`]).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use haul_io::{Cancel, Io};

use super::*;
use crate::execute::Answer;
use crate::job::contract::{Failure, Step};
use crate::job::phases::Phases;
use crate::job::source::Next;

/// Tasks are names; nothing is carried out.
struct Names;

impl Job for Names {
    type Task = &'static str;
    type State = ();
    type Output = ();
    type Error = ();

    async fn start<I: Io>(&self, _: &I, _: &Self::Task) -> Result<Step<(), ()>, ()> {
        unreachable!("nothing is carried out")
    }

    async fn part<I: Io>(&self, _: &I, _: &Self::Task, (): &(), _: u64) -> Result<(), ()> {
        unreachable!("nothing is carried out")
    }

    async fn finish<I: Io>(&self, _: &I, _: &Self::Task, (): &(), _: bool) -> Result<(), ()> {
        unreachable!("nothing is carried out")
    }

    fn is_cancelled((): &()) -> bool {
        false
    }
}

/// A source that has one task, and is late for ever; and the time after which it is to be asked again.
struct Late(Option<&'static str>, Duration);

impl Source<&'static str> for Late {
    fn next(&mut self) -> Next<&'static str> {
        self.0.take().map_or(Next::Later, Next::Task)
    }

    fn ask_again_in(&mut self) -> Duration {
        self.1
    }
}

/// Has the reporter wait for anything, and returns what it waits for after `meanwhile`.
fn waits_after<S: Source<&'static str>>(
    dispatcher: &Dispatcher<Names, S>,
    meanwhile: impl FnOnce(),
) -> ReporterWaits {
    let visited = dispatcher.combiner.visit(|combined| {
        (combined.waits, combined.wakes_at) =
            (ReporterWaits::ForAnything, Some(Instant::now() + LOOK_INTERVAL));
        combined.looks = true;
    });
    assert!(visited.is_ok());
    meanwhile();
    dispatcher.combiner.visit(|combined| combined.waits).unwrap_or_else(|_| panic!("nothing panicked"))
}

#[test]
fn a_sleeping_reporter_is_woken_for_the_first_end_and_for_a_late_source() {
    let source = ["first", "second", "third"].into_iter();
    let dispatcher = Dispatcher::new(Supervisor::new(source, Cancel::new().unwrap()), 1);
    let end = |outcome| {
        let Some(Work { id, .. }) = dispatcher.next() else { panic!("there are three tasks") };
        let answer = Answer::<Names>::Started(outcome);
        dispatcher.answer(Returned { id, answer, phases: Phases::default(), bytes: 0 });
        dispatcher.settle_answers();
    };
    assert!(waits_after(&dispatcher, || ()) == ReporterWaits::ForAnything, "nothing has ended");
    assert!(waits_after(&dispatcher, || end(Ok(Step::Done(())))) == ReporterWaits::Briefly);
    assert!(!dispatcher.reporter.0.take_urgency());
    assert!(waits_after(&dispatcher, || end(Err(Failure::Job(())))) == ReporterWaits::Briefly);
    assert!(dispatcher.reporter.0.take_urgency(), "a failure may end the run");

    for (time, expected, why) in [
        (Duration::from_millis(1), ReporterWaits::Briefly, "it has to be asked again before the next look"),
        (Duration::from_secs(60), ReporterWaits::ForAnything, "the reporter wakes before that"),
        (Duration::MAX, ReporterWaits::ForAnything, "only the end of a task changes anything"),
    ] {
        let source = Late(Some("only"), time);
        let late = Dispatcher::new(Supervisor::new(source, Cancel::new().unwrap()), 1);
        assert!(waits_after(&late, || late.settle_answers()) == expected, "{why}");
    }
}

#[test]
fn a_reporter_that_does_not_look_is_woken_when_work_begins() {
    let source = Late(Some("only"), Duration::MAX);
    let dispatcher = Dispatcher::new(Supervisor::new(source, Cancel::new().unwrap()), 1);
    for (looks, expected) in [(false, ReporterWaits::Briefly), (true, ReporterWaits::ForAnything)] {
        let waits = waits_after(&dispatcher, || {
            assert!(dispatcher.combiner.visit(|combined| combined.looks = looks).is_ok());
            dispatcher.settle_answers();
        });
        assert!(waits == expected, "it looks: {looks}");
    }
}

#[test]
fn a_thread_that_makes_no_progress_is_named_with_its_task() {
    let source = ["slow", "stuck"].into_iter();
    let dispatcher: Dispatcher<Names, _> =
        Dispatcher::new(Supervisor::new(source, Cancel::new().unwrap()), 2);
    let recorders = Recorders::for_workers(NonZeroUsize::new(2).unwrap());
    let [slow, stuck] = [0, 1].map(|worker| {
        let activity: Arc<AtomicU64> = Arc::default();
        let Some(Work { id, .. }) = dispatcher.next() else { panic!("there are two tasks") };
        recorders.of(worker).begin(id, &activity);
        activity
    });
    let mut watch = StallWatch::new(Duration::from_secs(60));
    let mut stalls = Vec::new();
    for _ in 0..2 * 240 {
        slow.fetch_add(1, Ordering::Relaxed);
        stalls.extend(dispatcher.stalls(&mut watch, &recorders));
    }
    let [Stall { id, task, worker, time }] = &stalls[..] else { panic!("{} stalls", stalls.len()) };
    assert_eq!((id.0, **task, time.as_secs()), (1, "stuck", 60));
    let tid = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
    assert_eq!(*worker, StalledWorker::Thread(tid));
    recorders.of(0).end(&slow, &Phases::default());
    recorders.of(1).end(&stuck, &Phases::default());
    assert!(dispatcher.stalls(&mut watch, &recorders).is_empty());
}
