//! What `haul seal` and `haul open` have in common: inputs, output, which files are taken, how results are written.
//!
//! Owns: these options and their conflicts, deciding between tasks and a stream.
//! Does not own: keys, jobs.

use std::path::PathBuf;

use haul_io::{Durability, Existing};
use haul_seal::{Direction, FileOptions, Filter, Placement, Symlinks, Walk};

use super::endpoints::{Endpoints, PathKind, Request};
use super::stream::{self, Stream};
use crate::args::{CommonArgs, DurableArg, FileArgs, SymlinksArg, TreeArgs};
use crate::report::exit::Problem;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::options::RunOptions;

/// The inputs and results of `haul seal` or `haul open`.
#[derive(Debug)]
pub(super) struct FilesPlan {
    /// The inputs and the output, as named.
    pub(super) request: Request,
    pub(super) placement: Placement,
    filter: Filter,
    pub(super) options: FileOptions,
    /// Remove each source once its result is durable.
    pub(super) replace: bool,
    pub(super) run: RunOptions,
    stdout_is_terminal: bool,
}

/// What a command works on.
pub(super) enum Target {
    Stream(Endpoints),
    Tasks(Box<Walk>),
}

impl FilesPlan {
    /// # Errors
    /// If options or names contradict each other.
    pub(super) fn resolve(
        args: &FileArgs,
        common: &CommonArgs,
        direction: Direction,
        environment: &Environment,
    ) -> Result<Self, Problem> {
        let run = RunOptions::resolve(common, environment);
        let request = Request {
            inputs: args.paths.clone(),
            output: args.output.clone(),
            replace: args.replace,
            passphrase_from_stdin: args.secret.passphrase_fd == Some(0),
        };
        let placement = Placement { direction, suffix: args.suffix.clone(), output: args.output.clone() };
        // Without inputs, this checks the placement alone.
        Walk::new(Vec::new(), placement.clone()).map_err(|error| Problem::usage(error.to_string()))?;
        if let Some(endpoints) = request.endpoints(PathKind::by_name)? {
            stream::check(&endpoints, &run)?;
        }
        Ok(Self {
            request,
            placement,
            filter: filter(&args.trees)?,
            options: options(args, environment)?,
            replace: args.replace,
            run,
            stdout_is_terminal: environment.stdout_is_terminal,
        })
    }

    /// Looks up the inputs and the output.
    ///
    /// # Errors
    /// If they don't fit each other.
    pub(super) fn target(&self) -> Result<Target, Problem> {
        if let Some(endpoints) = self.request.endpoints(PathKind::of)? {
            stream::check(&endpoints, &self.run)?;
            return Ok(Target::Stream(endpoints));
        }
        walk(&self.request.inputs, &self.placement, &self.filter).map(|walk| Target::Tasks(Box::new(walk)))
    }

    /// A stream between `endpoints` with these options.
    pub(super) fn stream<'a>(
        &'a self,
        verb: &'static str,
        endpoints: Endpoints,
        voice: &'a Voice,
    ) -> Stream<'a> {
        Stream {
            verb,
            endpoints,
            options: self.options,
            run: &self.run,
            stdout_is_terminal: self.stdout_is_terminal,
            voice,
        }
    }
}

/// The tasks for `inputs`.
pub(super) fn walk(inputs: &[PathBuf], placement: &Placement, filter: &Filter) -> Result<Walk, Problem> {
    let walk = Walk::new(inputs.to_vec(), placement.clone());
    let walk = walk.map_err(|error| Problem::usage(error.to_string()))?;
    Ok(walk.filtered(filter.clone()))
}

/// Which files of trees are taken.
pub(super) fn filter(args: &TreeArgs) -> Result<Filter, Problem> {
    let symlinks = match args.symlinks {
        SymlinksArg::Skip => Symlinks::Skip,
        SymlinksArg::Follow => Symlinks::Follow,
        SymlinksArg::Error => Symlinks::Refuse,
    };
    let filter =
        Filter::new(&args.include, &args.exclude).map_err(|error| Problem::usage(error.to_string()))?;
    Ok(filter.symlinks(symlinks).one_file_system(args.one_file_system))
}

fn options(args: &FileArgs, environment: &Environment) -> Result<FileOptions, Problem> {
    let durability = match args.durable {
        DurableArg::Never if args.replace => {
            return Err(Problem::usage("sources are removed only when their results are durable")
                .hint("omit --durable never, or --replace"));
        }
        DurableArg::Always => Durability::Synced,
        DurableArg::Auto if args.replace => Durability::Synced,
        DurableArg::Auto | DurableArg::Never => Durability::Eventual,
    };
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    Ok(FileOptions {
        existing,
        durability,
        preserve: !args.no_preserve,
        xattrs: args.xattrs,
        mode: environment.new_file_mode,
    })
}
