//! `haul xor`.
//!
//! Owns: its plan.
//! Does not own: the job, the key ([`crate::keys::xor_key`]).

use std::path::PathBuf;

use haul_io::Durability;
use haul_seal::{Direction, FileOptions, Filter, KeyRequest, Placement, Walk, XorJob, XorMode};

use super::plan::{filter, walk};
use super::tasks::{self, TaskContext};
use crate::args::{DurableArg, XorArgs};
use crate::keys::plugins::PluginPath;
use crate::keys::xor_key;
use crate::report::exit::{Exit, Problem};
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::options::RunOptions;
use crate::run::plan::Plan;

/// What `haul xor` is to do.
#[derive(Debug)]
pub(crate) struct XorPlan {
    inputs: Vec<PathBuf>,
    filter: Filter,
    key_file: PathBuf,
    mode: XorMode,
    plugins: PluginPath,
    run: RunOptions,
}

impl XorPlan {
    pub(crate) fn resolve(args: &XorArgs, environment: &Environment) -> Result<Self, Problem> {
        let mode = match args.durable {
            _ if args.overwrite => XorMode::Overwrite,
            DurableArg::Never => XorMode::Replace(Durability::Eventual),
            DurableArg::Auto | DurableArg::Always => XorMode::Replace(Durability::Synced),
        };
        Ok(Self {
            inputs: args.paths.clone(),
            filter: filter(&args.trees)?,
            key_file: args.key_file.clone(),
            mode,
            plugins: PluginPath::resolve(environment),
            run: RunOptions::resolve(&args.common, environment),
        })
    }

    fn prepare(&self, voice: &Voice) -> Result<(XorJob, Walk), Problem> {
        let placement = Placement { direction: Direction::Replace, suffix: ".age".into(), output: None };
        let walk =
            walk(&self.inputs, &placement, &self.filter)?.sparing(std::slice::from_ref(&self.key_file));
        // A file that is overwritten under two of its names would be transformed twice, which restores it.
        let walk = if matches!(self.mode, XorMode::Overwrite) { walk.once() } else { walk };
        let key = xor_key::read(&self.key_file)?;
        let job = XorJob::new(&key, self.mode).map_err(|error| Problem::usage(error.to_string()))?;
        voice.warning("XOR with a repeating key is not encryption");
        Ok((job, walk))
    }
}

impl Plan for XorPlan {
    fn print(self, voice: &Voice) -> Result<Exit, Problem> {
        let (_, walk) = self.prepare(voice)?;
        Ok(tasks::print_walk::<XorJob>(walk, &self.run, voice))
    }

    fn run(self, voice: &Voice) -> Result<Exit, Problem> {
        let (job, walk) = self.prepare(voice)?;
        let durability = match self.mode {
            XorMode::Replace(durability) => durability,
            XorMode::Overwrite => Durability::Eventual,
        };
        let options = FileOptions { durability, ..FileOptions::default() };
        let plugins = self.plugins.plugins(voice);
        let context = TaskContext { key_request: KeyRequest::NOTHING, plugins, options: &self.run, voice };
        context.run_walk(&job, walk, &options)
    }
}
