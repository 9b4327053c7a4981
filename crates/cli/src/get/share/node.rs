//! A node of a fleet: where its results go, the limits that it shares, and how each line ended.
//!
//! Owns: what the end of a task means for the line that it came from.
//! Does not own: slices and leases ([`crate::fleet`]).

use std::path::Path;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Failure, Settled};
use haul_fetch::{Begin, Error, Failed, FetchJob, FetchTask, HostChange, HostSource, SharedLimits};

use crate::fleet::NodePlan;
use crate::fleet::durable::FleetSink;
use crate::fleet::files::NAMED;
use crate::fleet::lines::FleetNode;
use crate::fleet::slices::LineEnd;
use crate::get::transfers::Transfers;
use crate::packs::slices::SliceShards;
use crate::report::exit::Problem;
use crate::report::reporter::message;
use crate::report::voice::Voice;
use crate::stores::objects::is_object;

/// Joins a fleet, with results in `dir`, which may be a bucket, packed into `shards` if there are any. The limits of
/// `transfers` hold besides those of the run.
pub(in crate::get) fn join(
    plan: NodePlan,
    transfers: &Transfers,
    dir: &Path,
    shards: Option<SliceShards>,
    voice: &Voice,
) -> Result<FleetNode, Problem> {
    let (server, status) = plan.open()?;
    if status.members.contains_key(NAMED) {
        return Err(Problem::usage("the lines of this run are files, not URLs").hint("see haul seal --fleet"));
    }
    let directory = (!is_object(dir)).then(|| dir.to_owned());
    let sink = FleetSink { directory, shards };
    FleetNode::join(server, &status.settings(), transfers.of_fleet(), sink, voice)
}

/// The transfers of a node: within the limits of its fleet, if there is one.
pub(in crate::get) fn transfers(transfers: Transfers, fleet: Option<&FleetNode>) -> Transfers {
    fleet.map_or(transfers, |fleet| transfers.within(fleet.limits()))
}

/// Has `source` share the limits of hosts with the fleet, if there is one.
pub(in crate::get) fn sharing<S, C, R>(
    source: HostSource<S, C, R>,
    fleet: Option<&FleetNode>,
) -> HostSource<S, C, R> {
    match fleet {
        Some(fleet) => source.sharing(Arc::new(Shared(fleet.clone()))),
        None => source,
    }
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

/// What a node shares with the others of its fleet.
struct Shared(FleetNode);

impl SharedLimits for Shared {
    fn has_shares(&self) -> bool {
        self.0.shares().has_shares()
    }

    fn want(&self, host: &str, running: usize, wanted: usize) {
        self.0.shares().want(host, running, wanted);
    }

    fn may_start(&self, host: &str) -> bool {
        self.0.shares().may_start(host)
    }

    fn may_begin(&self, task: &FetchTask) -> Begin {
        task.context.as_deref().map_or(Begin::Now, |key| self.0.may_begin(key))
    }

    fn pause(&self, host: &str, pause: Duration) {
        self.0.shares().pause(host, pause);
    }

    fn changes(&self) -> Vec<HostChange> {
        self.0.shares().changes()
    }

    fn set_waker(&self, waker: Waker) {
        self.0.shares().set_waker(waker);
    }

    fn ask_again_in(&self) -> Duration {
        self.0.shares().ask_again_in()
    }
}
