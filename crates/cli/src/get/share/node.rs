//! A node of a fleet: where its results go, and how each line ended.
//!
//! Owns: what the end of a task means for the line that it came from.
//! Does not own: slices and leases ([`crate::fleet`]).

use std::path::Path;

use haul_engine::{Failure, Settled};
use haul_fetch::{Error, Failed, FetchJob};

use crate::fleet::NodePlan;
use crate::fleet::lines::FleetNode;
use crate::fleet::slices::LineEnd;
use crate::report::exit::{Exit, Problem};
use crate::report::reporter::message;
use crate::report::voice::Voice;
use crate::stores::objects::is_object;

/// Joins a fleet, with results in `dir`, which may be a bucket.
pub(in crate::get) fn join(plan: NodePlan, dir: &Path, voice: &Voice) -> Result<FleetNode, Problem> {
    let (server, _) = plan.open()?;
    let directory = (!is_object(dir)).then(|| dir.to_owned());
    FleetNode::join(server, directory, voice)
}

/// Leaves the fleet. Returns the exit code of the run, which ended with `exit`.
pub(in crate::get) fn leave(fleet: &FleetNode, exit: Exit) -> Exit {
    if fleet.leave() { exit } else { exit.max(Exit::Failed) }
}

/// Tells the fleet how a line ended.
pub(in crate::get) fn tell(fleet: &FleetNode, job: &FetchJob, settled: &Settled<FetchJob>) {
    let Some(key) = &settled.task.context else { return };
    let end = match &settled.outcome {
        Ok(fetched) => LineEnd::Done { bytes: settled.bytes, is_skipped: fetched.skipped },
        Err(Failure::Cancelled) => LineEnd::Cancelled,
        Err(failure @ Failure::Job(Failed { error: Error::Exists, .. })) => {
            LineEnd::Taken(message(job, &settled.task, failure))
        }
        Err(failure) => LineEnd::Failed(message(job, &settled.task, failure)),
    };
    fleet.ended(key, end);
}
