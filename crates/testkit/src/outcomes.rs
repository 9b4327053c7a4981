//! Running jobs inside the test's own process and collecting how each task ended.
//!
//! Owns: one run on a given engine, outcomes in the order of the tasks, a run without an engine for simulated machines.
//! Does not own: jobs, engines, judging the outcomes.

use std::collections::BTreeMap;

use haul_engine::{Config, Engine, Event, Failure, Job, Report, Settled, Step, TaskId, run};
use haul_io::{Cancel, Io};

/// How a run and its tasks ended.
#[derive(Debug)]
pub struct Outcomes<T> {
    /// What was made of each task's end, in the order of the tasks.
    pub of_tasks: Vec<T>,
    /// The engine's own report.
    pub report: Report,
}

/// Runs `tasks` on `engine` and keeps what `look` makes of each task's end, for example a copy of its error.
///
/// ```no_run
/// # fn example<J: haul_engine::Job<Task = u8, Output = usize>>(job: &J) {
/// use haul_engine::Engine;
/// use haul_testkit::{by_job, outcomes};
///
/// let run = outcomes(job, [1, 2].into_iter(), Engine::Serial, |settled| by_job(settled).is_ok());
/// assert_eq!(run.of_tasks, [true, true]);
/// # }
/// ```
///
/// # Panics
///
/// When a task is reported more than once.
#[track_caller]
pub fn outcomes<J: Job, T>(
    job: &J,
    tasks: impl Iterator<Item = J::Task> + Send,
    engine: Engine,
    mut look: impl FnMut(&Settled<J>) -> T,
) -> Outcomes<T> {
    let cancel = Cancel::new().expect("a switch for the run");
    let config = Config::new(engine, cancel);
    let mut ends: BTreeMap<TaskId, T> = BTreeMap::new();
    let report = run(job, tasks, &config, |event| {
        if let Event::Settled(settled) = event {
            let earlier = ends.insert(settled.id, look(settled));
            assert!(earlier.is_none(), "task {} was reported twice", settled.id.0);
        }
    });
    Outcomes { of_tasks: ends.into_values().collect(), report }
}

/// The job's own output or error.
///
/// # Panics
///
/// When the engine ended the task instead of the job: by cancellation, after a panic or after the death of workers.
#[track_caller]
pub fn by_job<J: Job>(settled: &Settled<J>) -> Result<&J::Output, &J::Error> {
    match &settled.outcome {
        Ok(output) => Ok(output),
        Err(Failure::Job(error)) => Err(error),
        Err(Failure::Panicked(message)) => panic!("the job panicked: {message}"),
        Err(_) => panic!("the engine ended the task, by cancellation or for lack of workers"),
    }
}

/// Does one task as an engine would, its parts in reverse order, for simulated machines that have no engine.
///
/// # Errors
///
/// The error of the first part that failed, or of the step that ended the task.
///
/// # Panics
///
/// When the job asks to start the task again.
pub async fn without_engine<J: Job>(io: &impl Io, job: &J, task: &J::Task) -> Result<J::Output, J::Error> {
    match job.start(io, task).await? {
        Step::Done(output) => Ok(output),
        Step::Again => panic!("the task is to start again, which needs an engine"),
        Step::Split { state, parts } => {
            let mut result = Ok(());
            for index in (0..parts).rev() {
                result = result.and(job.part(io, task, &state, index).await);
            }
            let output = job.finish(io, task, &state, result.is_ok()).await?;
            result.map(|()| output)
        }
    }
}
