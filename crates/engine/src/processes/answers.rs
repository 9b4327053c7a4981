//! What the supervisor is told about a piece of work that a worker process was given.
//!
//! Owns: the answer for each stage of a task, the outcome of an attempt that died.
//! Does not own: which of them a reply or a death means ([`crate::processes::coordinator`]).

use haul_io::{Blocking, Io, run_ready};

use crate::execute::{Answer, Returned, Stage, Work, catch};
use crate::job::contract::{Failure, Outcome, Step};
use crate::job::phases::Phases;
use crate::job::portable::Portable;
use crate::processes::encoding::from_bytes;
use crate::processes::intent::{Left, examine};
use crate::processes::order::{ReplyOf, ReplyValue};

/// Whether `work` undoes a split task. It is cheap, and this process has everything it needs for it.
pub(super) fn is_undoing<J: Portable>(work: &Work<J>) -> bool {
    matches!(work.stage, Stage::Finish { succeeded: false, .. })
}

pub(super) fn started<J: Portable>(work: Work<J>, step: Step<J::State, J::Output>) -> Returned<J> {
    Returned { id: work.id, answer: Answer::Started(Ok(step)), phases: Phases::default(), bytes: 0 }
}

pub(super) fn part<J: Portable>(work: Work<J>, answer: Answer<J>) -> Returned<J> {
    Returned { id: work.id, answer, phases: Phases::default(), bytes: 0 }
}

pub(super) fn done<J: Portable>(work: Work<J>, output: J::Output) -> Returned<J> {
    let answer = match work.stage {
        Stage::Start => Answer::Started(Ok(Step::Done(output))),
        Stage::Part { .. } => Answer::PartDone(Ok(())),
        Stage::Finish { .. } => Answer::Finished(Ok(output)),
    };
    Returned { id: work.id, answer, phases: Phases::default(), bytes: 0 }
}

pub(super) fn failed<J: Portable>(work: Work<J>, failure: Failure<J::Error>) -> Returned<J> {
    let answer = work.stage.kind().failed(failure);
    Returned { id: work.id, answer, phases: Phases::default(), bytes: 0 }
}

/// The state of the parts that a worker has prepared.
pub(super) fn joined<J: Portable>(
    job: &J,
    io: &Blocking,
    work: &Work<J>,
    token: J::Token,
) -> Result<J::State, Failure<J::Error>> {
    match catch(|| run_ready(job.join(io, &work.task, token))) {
        Ok(joined) => joined.map_err(Failure::Job),
        Err(message) => Err(Failure::Panicked(message)),
    }
}

/// What the last attempt at `work` has achieved, if that decides how the work ends.
pub(super) fn of_last_attempt<J: Portable>(
    job: &J,
    io: &Blocking,
    work: &Work<J>,
    intent: &[u8],
) -> Option<Outcome<J>> {
    match (run_ready(examine(io, intent)), job.half_done()) {
        (Ok(Left::Published), _) => {
            let outcome = run_ready(job.published(io, &work.task)).map_err(Failure::Job);
            if let Stage::Finish { state, .. } = &work.stage {
                // The result may still have its temporary name besides the final one.
                let token = job.token(state, &mut |out| io.random(out));
                run_ready(job.abandon(io, &work.task, token));
            }
            Some(outcome)
        }
        (Ok(Left::HalfDone), Some(error)) => Some(Err(Failure::Job(error))),
        _ => None,
    }
}

/// Removes what a worker staged, if this process can't join the split that the `reply` announces.
pub(super) fn abandon<J: Portable>(job: &J, io: &Blocking, task: &J::Task, reply: &[u8]) {
    let reply = from_bytes::<ReplyOf<J>>(reply).map(|reply| reply.result);
    if let Some(Ok(ReplyValue::Split { token, .. })) = reply {
        run_ready(job.abandon(io, task, token));
    }
}
