//! The state machine alone: no threads, no queues, and a clock that the test moves.
//!
//! Owns: the order of stages, phases and bytes, pauses, cancellation; any order of answers (`seeded`).
//! Does not own: engines (`tests/it`).

mod seeded;

use std::time::{Duration, Instant};

use haul_io::{Cancel, Io};

use super::*;

/// Tasks are numbers; nothing is ever run.
struct Numbers;

impl Job for Numbers {
    type Task = u32;
    type State = ();
    type Output = u32;
    type Error = &'static str;

    async fn start<I: Io>(&self, _: &I, _: &u32) -> Result<Step<(), u32>, &'static str> {
        unreachable!("the test answers instead of a worker")
    }

    async fn part<I: Io>(&self, _: &I, _: &u32, (): &(), _: u64) -> Result<(), &'static str> {
        unreachable!("the test answers instead of a worker")
    }

    async fn finish<I: Io>(&self, _: &I, _: &u32, (): &(), _: bool) -> Result<u32, &'static str> {
        unreachable!("the test answers instead of a worker")
    }

    fn is_cancelled(_: &&'static str) -> bool {
        false
    }
}

/// A supervisor and the clock that it is shown: one second passes with every call of `next`.
struct Run<S> {
    supervisor: Supervisor<Numbers, S>,
    now: Instant,
}

impl<S: Source<u32>> Run<S> {
    fn new(source: S, cancel: &Cancel) -> Self {
        Self { supervisor: Supervisor::new(source, cancel.clone()), now: Instant::now() }
    }

    /// The next piece of work in words, and the work itself.
    fn next(&mut self) -> (String, Option<Work<Numbers>>) {
        self.now += Duration::from_secs(1);
        match self.supervisor.next(self.now) {
            Ready::Wait => ("wait".to_owned(), None),
            Ready::End => ("end".to_owned(), None),
            Ready::Work(work) => {
                assert_eq!(work.queued, self.now, "work is queued at the time of the call");
                let stage = match &work.stage {
                    Stage::Start => "start".to_owned(),
                    Stage::Part { index, .. } => format!("part {index}"),
                    Stage::Finish { succeeded, .. } => format!("finish {succeeded}"),
                };
                (format!("{stage} of {}", work.id.0), Some(work))
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, expected: &str) -> Option<Work<Numbers>> {
        let (word, work) = self.next();
        assert_eq!(word, expected);
        work
    }

    /// Answers for `work`; its time is a second of computing and its size one byte.
    fn answer(&mut self, work: Option<Work<Numbers>>, answer: Answer<Numbers>) -> Option<Settled<Numbers>> {
        let id = work.expect("work was handed out").id;
        let phases = Phases { compute: Duration::from_secs(1), ..Phases::default() };
        self.supervisor.returned(Returned { id, answer, phases, bytes: 1 })
    }
}

fn started(step: Step<(), u32>) -> Answer<Numbers> {
    Answer::Started(Ok(step))
}

fn split(parts: u64) -> Answer<Numbers> {
    started(Step::Split { state: Arc::new(()), parts })
}

#[test]
fn a_split_task_is_joined_before_a_new_one_starts() {
    let mut run = Run::new([10, 11].into_iter(), &Cancel::new().unwrap());
    let first = run.expect("start of 0");
    assert!(run.answer(first, split(2)).is_none());
    let parts = [run.expect("part 0 of 0"), run.expect("part 1 of 0")];
    let second = run.expect("start of 1");
    assert_eq!(run.supervisor.in_flight(), 3);
    for part in parts {
        assert!(run.answer(part, Answer::PartDone(Ok(()))).is_none());
    }
    let finish = run.expect("finish true of 0");
    let settled = run.answer(finish, Answer::Finished(Ok(7))).unwrap();
    assert_eq!((settled.id, *settled.task, settled.outcome.unwrap()), (TaskId(0), 10, 7));
    assert_eq!(
        (settled.phases.compute, settled.bytes),
        (Duration::from_secs(4), 4),
        "summed over four answers"
    );
    run.expect("wait");
    assert_eq!(run.answer(second, started(Step::Done(8))).unwrap().outcome.unwrap(), 8);
    run.expect("end");
}

#[test]
fn a_failed_part_holds_back_the_others_and_its_failure_stays() {
    let mut run = Run::new([10].into_iter(), &Cancel::new().unwrap());
    let task = run.expect("start of 0");
    run.answer(task, split(9));
    let (first, second) = (run.expect("part 0 of 0"), run.expect("part 1 of 0"));
    run.answer(second, Answer::PartDone(Err(Failure::Job("second"))));
    run.expect("wait");
    run.answer(first, Answer::PartDone(Err(Failure::Job("first"))));
    let finish = run.expect("finish false of 0");
    let settled = run.answer(finish, Answer::Finished(Ok(0))).unwrap();
    assert!(matches!(settled.outcome, Err(Failure::Job("second"))), "the failure that came first");
    run.expect("end");
}

/// Splits task 0 and loses its second part; the first one was handed out and is answered.
fn lose_a_part<S: Source<u32>>(run: &mut Run<S>) -> Option<Settled<Numbers>> {
    let task = run.expect("start of 0");
    run.answer(task, split(9));
    let (first, second) = (run.expect("part 0 of 0"), run.expect("part 1 of 0"));
    assert!(run.answer(second, Answer::PartLost).is_none());
    run.expect("wait");
    assert!(run.answer(first, Answer::PartDone(Ok(()))).is_none());
    let finish = run.expect("finish false of 0");
    run.answer(finish, Answer::Finished(Ok(0)))
}

#[test]
fn a_lost_part_makes_its_task_start_anew_a_few_times() {
    let mut run = Run::new([10].into_iter(), &Cancel::new().unwrap());
    for _ in 0..RESTARTS_MAX {
        assert!(lose_a_part(&mut run).is_none());
    }
    let settled = lose_a_part(&mut run).unwrap();
    assert!(matches!(settled.outcome, Err(Failure::WorkersDied { count }) if count == RESTARTS_MAX + 1));
    run.expect("end");
}

#[test]
fn a_task_whose_split_is_lost_starts_anew_a_few_times() {
    let mut run = Run::new([10].into_iter(), &Cancel::new().unwrap());
    for _ in 0..RESTARTS_MAX {
        let task = run.expect("start of 0");
        assert!(run.answer(task, Answer::SplitLost(Failure::Job("gone"))).is_none());
    }
    let task = run.expect("start of 0");
    let settled = run.answer(task, Answer::SplitLost(Failure::Job("gone"))).unwrap();
    assert!(matches!(settled.outcome, Err(Failure::Job("gone"))));
    run.expect("end");
}

#[test]
fn a_cancelled_run_starts_no_lost_task_anew() {
    let cancel = Cancel::new().unwrap();
    let mut run = Run::new([10].into_iter(), &cancel);
    let task = run.expect("start of 0");
    run.answer(task, split(1));
    let part = run.expect("part 0 of 0");
    run.answer(part, Answer::PartLost);
    let finish = run.expect("finish false of 0");
    cancel.trigger();
    let settled = run.answer(finish, Answer::Finished(Ok(0))).unwrap();
    assert!(matches!(settled.outcome, Err(Failure::WorkersDied { count: 1 })));
    run.expect("end");
}

/// Holds a returned task back until it was asked for it `pauses` times.
struct Holding {
    fresh: Option<u32>,
    returned: Option<TaskId>,
    pauses: u32,
}

impl Source<u32> for Holding {
    fn next(&mut self) -> Next<u32> {
        match (self.fresh.take(), self.returned, self.pauses) {
            (Some(task), ..) => Next::Task(task),
            (None, None, _) => Next::End,
            (None, Some(id), 0) => {
                self.returned = None;
                Next::Again(id)
            }
            (None, Some(_), _) => {
                self.pauses -= 1;
                Next::Later
            }
        }
    }

    fn again(&mut self, id: TaskId, _: &u32) -> Again {
        self.returned = Some(id);
        Again::WhenGiven
    }
}

#[test]
fn a_paused_task_keeps_the_run_open_until_its_source_gives_it() {
    let source = Holding { fresh: Some(10), returned: None, pauses: 2 };
    let mut run = Run::new(source, &Cancel::new().unwrap());
    let task = run.expect("start of 0");
    run.expect("wait");
    assert!(run.answer(task, started(Step::Again)).is_none());
    assert_eq!(run.supervisor.in_flight(), 0);
    run.expect("wait");
    run.expect("wait");
    let again = run.expect("start of 0");
    assert!(run.answer(again, started(Step::Done(1))).is_some());
    run.expect("end");
}

#[test]
fn cancellation_starts_paused_tasks_and_finishes_split_ones() {
    let cancel = Cancel::new().unwrap();
    let mut run = Run::new(Holding { fresh: Some(10), returned: None, pauses: 9 }, &cancel);
    let task = run.expect("start of 0");
    run.answer(task, started(Step::Again));
    run.expect("wait");
    cancel.trigger();
    let again = run.expect("start of 0");
    assert!(run.answer(again, split(5)).is_none());
    let finish = run.expect("finish false of 0");
    let settled = run.answer(finish, Answer::Finished(Ok(0))).unwrap();
    assert!(matches!(settled.outcome, Err(Failure::Cancelled)));
    run.expect("end");
}
