//! `haul fleet`, and the nodes of a fleet.
//!
//! In: the address of a run, a list. Out: a run of slices, what is known of it; for a node, the lines of its slices one
//! by one, and an acknowledgement for each slice. Only this room knows how lines and failures are stored in a slice.

mod address;
pub(crate) mod args;
mod create;
pub(crate) mod durable;
pub(crate) mod files;
pub(crate) mod limits;
pub(crate) mod lines;
mod messages;
mod show;
pub(crate) mod slices;

pub(crate) use self::address::NodePlan;
use self::address::connect;
use self::args::{FleetArgs, FleetCommand};
use crate::report::exit::{Exit, Problem};
use crate::report::voice::Voice;
use crate::run::environment::Environment;

/// Runs `haul fleet`.
pub(crate) fn run(args: &FleetArgs, environment: &Environment, voice: &Voice) -> Result<Exit, Problem> {
    let at = |address: &str| connect(address, environment);
    match &args.command {
        FleetCommand::Create(args) => create::run(args, at(&args.target.address)?, environment, voice),
        FleetCommand::Status(args) => show::status(args, at(&args.target.address)?, voice),
        FleetCommand::Report(args) => show::report(args, at(&args.target.address)?, voice),
        FleetCommand::Failed(args) => show::failed(at(&args.address)?, voice),
        FleetCommand::Retry(args) => show::retry(at(&args.address)?, voice),
        FleetCommand::Cancel(args) => show::cancel(args, at(&args.target.address)?, voice),
    }
}
