//! Files of which the sources or the results are objects: trees sealed into a bucket, buckets opened into a directory,
//! checked or given other recipients.
//!
//! In: a walk and the prefix of its results, or the prefix of the sources. Out: a run with one report, as for files.
//!
//! Owns: which options and engines fit objects, the run.
//! Does not own: other single objects, as ends of a stream ([`super::stream`]), what a task does ([`job`]).

mod job;
mod listed;

use std::iter;
use std::path::Path;
use std::sync::Arc;

use haul_engine::{Engine, Settled, Source};
use haul_io::Cancel;
use haul_seal::{FileOptions, Plugins, Tally, Task, Walk};
use haul_store::{Bucket, Store};

pub(super) use self::job::{Action, Opening, Rekeying, Sealing, Verifying};
use self::job::{StoredJob, replaces_any};
pub(super) use self::listed::Listed;
use self::listed::problem;
use super::tasks::{print, say_left_out, say_unmatched};
use crate::fleet::files::FleetFiles;
use crate::report::describe::Reportable;
use crate::report::ending::Rest;
use crate::report::exit::{Exit, Problem};
use crate::report::progress::Progress;
use crate::report::voice::Voice;
use crate::run::engine_choice::EngineChoice;
use crate::run::options::RunOptions;
use crate::run::reporting::RunContext;
use crate::stores::objects::{address, is_object, is_prefix};
use crate::stores::uploads::{check_replacing, ignores_conditions};

/// Where the sources come from.
pub(super) enum Sources {
    Files(Box<Walk>),
    Objects(Box<Listed>),
    /// One object.
    Object(Box<Task>),
    /// The lines of a fleet's node.
    Node(FleetFiles),
}

/// Files of which the sources or the results are objects.
pub(super) struct StoredFiles {
    pub(super) sources: Sources,
    /// How results are written.
    pub(super) options: FileOptions,
}

/// How a run moves its files.
pub(super) struct Moving<'a> {
    pub(super) plugins: Arc<Plugins>,
    pub(super) run: &'a RunOptions,
    /// The prefix of the results, if they are objects.
    pub(super) output: Option<&'a Path>,
    pub(super) voice: &'a Voice,
}

/// # Errors
/// If an option needs files on both sides.
pub(super) fn check(options: FileOptions, replace: bool) -> Result<(), Problem> {
    let needs_files = [("--replace", replace), ("--update", options.update), ("--xattrs", options.xattrs)];
    match needs_files.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Problem::usage(format!("{option} works on files only, not on objects"))),
        None => Ok(()),
    }
}

/// # Errors
/// If the engine that was asked for can't move streams.
fn choose_engine(run: &RunOptions) -> Result<EngineChoice, Problem> {
    match run.engine {
        Some(engine @ (Engine::Serial | Engine::Threads(_))) => Ok(EngineChoice::as_asked(engine)),
        Some(other) => Err(Problem::usage(format!("the engine {other} can't move objects"))
            .hint("objects are moved by auto, serial and threads=N")),
        None => Ok(EngineChoice::waiting("auto: objects of a store, which mostly wait", run.report.cores)),
    }
}

/// The counts of one object.
fn one() -> Tally {
    let tally = Tally::default();
    tally.take();
    tally
}

impl StoredFiles {
    /// Prints what would be done.
    pub(super) fn print<A: Action>(self, moving: &Moving<'_>) -> Result<Exit, Problem> {
        let voice = moving.voice;
        match self.sources {
            Sources::Files(walk) => {
                let (tally, filter) = (walk.tally(), walk.tree_filter().clone());
                let exit = print::<StoredJob<A>>(*walk, &tally, moving.run, voice);
                say_unmatched(&filter, voice);
                Ok(exit)
            }
            Sources::Objects(listed) => {
                let cancel = Cancel::new()?;
                let store = moving.run.stores.store(&cancel).map_err(|error| listed.problem(&error))?;
                let (tally, filter) = (listed.tally(), listed.filter());
                let exit = print::<StoredJob<A>>(listed.in_store(&store), &tally, moving.run, voice);
                say_unmatched(&filter, voice);
                Ok(exit)
            }
            Sources::Object(task) => Ok(print::<StoredJob<A>>(iter::once(*task), &one(), moving.run, voice)),
            Sources::Node(_) => unreachable!("a node has no dry run"),
        }
    }

    /// Does `action` with each file.
    pub(super) fn run<A: Action>(self, action: A, moving: &Moving<'_>) -> Result<Exit, Problem> {
        let choice = choose_engine(moving.run)?;
        let cancel = Cancel::new()?;
        let store = moving.run.stores.store(&cancel);
        let store = store.map_err(|error| match &self.sources {
            Sources::Objects(listed) => listed.problem(&error),
            Sources::Files(_) | Sources::Node(_) => {
                problem("write to", moving.output.unwrap_or(Path::new("s3://")), &error)
            }
            Sources::Object(task) => problem("read", task.source(), &error),
        })?;
        self.check_conditions::<A>(&store, moving)?;
        let root_bytes = moving.output.map_or(0, |output| output.as_os_str().len());
        let Self { sources, options } = self;
        let plugins = moving.plugins.clone();
        let job =
            StoredJob { action, store: store.clone(), options, plugins, cancel: cancel.clone(), root_bytes };
        let (exit, filter) = match sources {
            Sources::Objects(listed) => {
                let (tally, filter) = (listed.tally(), listed.filter());
                let exit = moving.run_tasks(&job, &choice, cancel, listed.in_store(&store), |_| {})?;
                say_left_out(StoredJob::<A>::VERB, &tally, moving.voice);
                (exit, filter)
            }
            Sources::Files(walk) => {
                let (tally, filter) = (walk.tally(), walk.tree_filter().clone());
                let exit = moving.run_tasks(&job, &choice, cancel, *walk, |_| {})?;
                say_left_out(StoredJob::<A>::VERB, &tally, moving.voice);
                (exit, filter)
            }
            Sources::Object(task) => {
                return moving.run_tasks(&job, &choice, cancel, iter::once(*task), |_| {});
            }
            Sources::Node(files) => {
                let tell = |settled: &Settled<StoredJob<A>>| files.tell(&job, settled);
                let exit = moving.run_tasks(&job, &choice, cancel, files.clone(), tell)?;
                return Ok(files.leave(exit));
            }
        };
        if exit != Exit::Interrupted && !(moving.run.report.fail_fast && exit != Exit::Success) {
            say_unmatched(&filter, moving.voice);
        }
        Ok(exit)
    }

    /// Finds what would fail for every object that is written, and says which conditions the store ignores.
    fn check_conditions<A: Action>(&self, store: &Store, moving: &Moving<'_>) -> Result<(), Problem> {
        let Some(output) = moving.output.filter(|output| is_object(output)) else { return Ok(()) };
        let replaces = A::REPLACES;
        if !replaces && (replaces_any(self.options) || !is_prefix(output)) {
            return Ok(());
        }
        let bucket = output.parent().filter(|_| !is_prefix(output)).unwrap_or(output);
        let bucket: Bucket = address(bucket).map_err(|error| problem("write to", output, &error))?;
        if replaces {
            check_replacing(store, &bucket, moving.voice)
        } else {
            ignores_conditions(store, &bucket, moving.voice).map(drop)
        }
    }
}

impl Moving<'_> {
    fn run_tasks<A: Action>(
        &self,
        job: &StoredJob<A>,
        choice: &EngineChoice,
        cancel: Cancel,
        tasks: impl Source<Task> + 'static,
        on_settled: impl FnMut(&Settled<StoredJob<A>>),
    ) -> Result<Exit, Problem> {
        let (options, voice, progress) = (self.run, self.voice, Progress::start());
        let context = RunContext { choice, options, progress, voice, cancel };
        context.run_reporting(job, tasks, on_settled, |_| {}, |_, _| Rest::default())
    }
}
