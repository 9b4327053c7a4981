//! Results that become members of shards.
//!
//! Owns: what `haul get` can pack.
//! Does not own: shards and their names ([`crate::packs`]).

use std::num::NonZeroUsize;
use std::path::Path;

use haul_engine::Engine;

use super::OutputPlan;
use crate::args::{GetArgs, NameArg};
use crate::packs::plan::PackPlan;
use crate::report::exit::Problem;
use crate::run::engine_choice::EngineChoice;
use crate::run::environment::Environment;

/// How results are packed, if they are.
pub(in crate::get) fn resolve(
    args: &GetArgs,
    output: &OutputPlan,
    dir: &Path,
    engine: Option<Engine>,
    environment: &Environment,
) -> Result<Option<PackPlan>, Problem> {
    let Some(plan) = PackPlan::resolve(&args.packing, dir, engine, environment)? else { return Ok(None) };
    if *output != OutputPlan::Directory {
        return Err(Problem::usage("--pack needs a directory for the shards").hint("name it with -d"));
    }
    if args.force || args.sync {
        let problem = Problem::usage("--force and --sync can't replace members of packed shards");
        return Err(problem.hint("-c skips what shards have; fetch anew into another directory"));
    }
    if args.sealing.armor {
        return Err(
            Problem::usage("a member of a shard is read by range, which armor doesn't allow").hint("omit -a")
        );
    }
    if matches!(args.name, NameArg::Disposition | NameArg::Hidden) {
        let problem = Problem::usage("--name disposition and hidden don't go with --pack");
        return Err(problem.hint("the names in sealed shards are hidden already"));
    }
    Ok(Some(plan.hinting("-c goes on after them; or name another directory with -d")))
}

/// In place of rings, threads for as many transfers.
pub(in crate::get) fn engine_for_store(choice: EngineChoice) -> EngineChoice {
    match choice.engine {
        Engine::Uring { .. } => {
            let threads = NonZeroUsize::new(choice.engine.in_flight_max()).unwrap_or(NonZeroUsize::MIN);
            EngineChoice::fixed(Engine::Threads(threads), "auto: packing into a bucket".to_owned())
        }
        _ => EngineChoice { adapts: false, ..choice },
    }
}
