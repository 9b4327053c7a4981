//! Running one task without an engine, for simulated machines.

use haul_engine::{Job, Step};
use haul_io::Io;
use haul_seal::{Error, Outcome, Task};

/// Runs `task` with its parts in reverse order.
pub(crate) async fn whole<J: Job<Task = Task, Output = Outcome, Error = Error>>(
    io: &impl Io,
    job: &J,
    task: &Task,
) -> Result<Outcome, Error> {
    match job.start(io, task).await? {
        Step::Done(done) => Ok(done),
        Step::Again => unreachable!("sealing never starts again"),
        Step::Split { state, parts } => {
            let mut result = Ok(());
            for index in (0..parts).rev() {
                result = result.and(job.part(io, task, &state, index).await);
            }
            let finished = job.finish(io, task, &state, result.is_ok()).await?;
            result.map(|()| finished)
        }
    }
}
