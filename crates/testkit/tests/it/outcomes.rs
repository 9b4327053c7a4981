//! The promises of collected outcomes: one for each task, in the order of the tasks, on every engine.
//!
//! Owns: a job of three parts a task.
//! Does not own: engines (tested by `haul-engine`).

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use haul_engine::{Engine, Job, Step};
use haul_io::{Blocking, Cancel, Io};
use haul_testkit::{by_job, outcomes, without_engine};

/// Splits each task in three parts; a part of task 2 fails and task 3 panics.
struct Thrice;

impl Job for Thrice {
    type Task = u32;
    type State = u32;
    type Output = u32;
    type Error = String;

    async fn start<I: Io>(&self, _: &I, task: &u32) -> Result<Step<u32, u32>, String> {
        assert_ne!(*task, 3, "on purpose");
        Ok(Step::Split { state: Arc::new(task * 10), parts: 3 })
    }

    async fn part<I: Io>(&self, _: &I, task: &u32, state: &u32, index: u64) -> Result<(), String> {
        if *task == 2 && index == 1 { Err(format!("part {index} of {state}")) } else { Ok(()) }
    }

    async fn finish<I: Io>(&self, _: &I, _: &u32, state: &u32, _: bool) -> Result<u32, String> {
        Ok(*state)
    }

    fn is_cancelled(_: &String) -> bool {
        false
    }
}

#[test]
fn outcomes_come_in_the_order_of_the_tasks() {
    for engine in [Engine::Serial, Engine::Threads(NonZeroUsize::MIN)] {
        let run = outcomes(&Thrice, 0..3, engine, |settled| {
            (*settled.task, by_job(settled).copied().map_err(String::clone))
        });
        assert_eq!(run.of_tasks, [(0, Ok(0)), (1, Ok(10)), (2, Err("part 1 of 20".to_owned()))]);
        assert_eq!((run.report.succeeded, run.report.failed), (2, 1));
    }
}

#[test]
fn an_end_that_is_not_the_jobs_own_fails_the_test() {
    let run = || outcomes(&Thrice, 3..4, Engine::Serial, |settled| by_job(settled).is_ok());
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

#[test]
fn a_task_needs_no_engine() {
    let io = Blocking::new(Cancel::new().expect("a switch"));
    for (task, want) in [(1, Ok(10)), (2, Err("part 1 of 20".to_owned()))] {
        let done = pin!(without_engine(&io, &Thrice, &task));
        assert_eq!(done.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(want));
    }
}
