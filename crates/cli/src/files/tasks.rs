//! Runs and prints the tasks of the commands on files.
//!
//! Owns: the order of preparation: clearing leftovers, mirroring directories, choosing the engine, asking plugins.
//! Does not own: the jobs, the walk, the report.

use std::sync::Arc;

use haul_engine::{Settled, Source};
use haul_io::{Blocking, Cancel, Durability};
use haul_seal::{FileOptions, Filter, KeyRequest, KeySource, Plugins, SealJob, Tally, Task, Walk};

use super::describe::skip_reason;
use crate::report::describe::{Reportable, Subject};
use crate::report::dry_run::DryRun;
use crate::report::ending::Rest;
use crate::report::exit::{Exit, Problem};
use crate::report::progress::Progress;
use crate::report::text::{counted, quoted};
use crate::report::voice::Voice;
use crate::run::engine_choice::EngineChoice;
use crate::run::options::RunOptions;
use crate::run::probe;
use crate::run::reporting::RunContext;

/// What a run of tasks needs in addition to the job and the tasks.
pub(super) struct TaskContext<'a> {
    pub(super) key_request: KeyRequest,
    pub(super) plugins: Arc<Plugins>,
    pub(super) options: &'a RunOptions,
    pub(super) voice: &'a Voice,
}

impl TaskContext<'_> {
    /// Runs `job` over the files of `walk`, which get results by `options`. Clears what killed runs left on the way,
    /// and mirrors directories.
    pub(super) fn run_walk<J: Reportable<Task = Task>>(
        self,
        job: &J,
        walk: Walk,
        options: &FileOptions,
    ) -> Result<Exit, Problem> {
        let io = || Ok::<_, Problem>(Blocking::new(Cancel::new()?));
        let (tally, voice) = (walk.tally(), self.voice);
        let (walk_filter, fails_fast) = (walk.tree_filter().clone(), self.options.report.fail_fast);
        let tasks = walk.sweeping(io()?).mirroring(io()?, options);
        let exit = self.run(job, tasks, options.durability == Durability::Synced)?;
        say_left_out(J::VERB, &tally, voice);
        // A run that ended early hasn't seen all names.
        if exit != Exit::Interrupted && !(fails_fast && exit != Exit::Success) {
            say_unmatched(&walk_filter, voice);
        }
        Ok(exit)
    }

    /// Runs `job` over `tasks`. `durable` says that each result is flushed to the disk.
    pub(super) fn run<J: Reportable<Task = Task>>(
        self,
        job: &J,
        tasks: impl Source<Task> + 'static,
        durable: bool,
    ) -> Result<Exit, Problem> {
        match self.options.engine {
            Some(engine) => self.run_on(&EngineChoice::as_asked(engine), job, tasks, |_| {}),
            None => {
                let (choice, tasks) = probe::choose(tasks, durable, self.options.report.cores);
                self.run_on(&choice, job, tasks, |_| {})
            }
        }
    }

    /// Runs `job` over `tasks`, which come from elsewhere one by one, and calls `on_settled` with each that ended.
    pub(super) fn run_telling<J: Reportable<Task = Task>>(
        self,
        job: &J,
        tasks: impl Source<Task> + 'static,
        on_settled: impl FnMut(&Settled<J>),
    ) -> Result<Exit, Problem> {
        let choice = match self.options.engine {
            Some(engine) => EngineChoice::as_asked(engine),
            None => EngineChoice::waiting("auto: files that several nodes share", self.options.report.cores),
        };
        self.run_on(&choice, job, tasks, on_settled)
    }

    fn run_on<J: Reportable<Task = Task>>(
        self,
        choice: &EngineChoice,
        job: &J,
        tasks: impl Source<Task> + 'static,
        on_settled: impl FnMut(&Settled<J>),
    ) -> Result<Exit, Problem> {
        let source = KeySource::new(tasks, self.key_request, self.plugins)?;
        let (options, voice, progress) = (self.options, self.voice, Progress::start());
        RunContext { choice, options, progress, voice, cancel: Cancel::new()? }.run_reporting(
            job,
            source,
            on_settled,
            |_| {},
            |_, _| Rest::default(),
        )
    }
}

/// Says how many files a walk left out because of their names, or that it found nothing at all.
pub(super) fn say_left_out(verb: &str, tally: &Tally, voice: &Voice) {
    let count = counted(tally.left_out(), "file", "files");
    let why = if verb == SealJob::VERB { "sealed already" } else { "without the suffix of sealed files" };
    match (tally.taken(), tally.left_out()) {
        (0, 0) => voice.warning(format!("there is nothing to {verb}")),
        (0, _) => voice.warning(format!("there is nothing to {verb}; left out: {count}, {why}")),
        (_, 0) => {}
        _ => voice.note(format!("left out: {count}, {why}")),
    }
}

/// Warns of patterns that matched nothing: they may be misspelt.
pub(super) fn say_unmatched(filter: &Filter, voice: &Voice) {
    let (include, exclude) = filter.unmatched();
    for (option, patterns) in [("include", include), ("exclude", exclude)] {
        patterns
            .iter()
            .for_each(|text| voice.warning(format!("--{option} {} matched nothing", quoted(text))));
    }
}

/// Prints what would be done with the files of `walk`.
pub(super) fn print_walk<J: Reportable<Task = Task>>(
    walk: Walk,
    options: &RunOptions,
    voice: &Voice,
) -> Exit {
    let (tally, filter) = (walk.tally(), walk.tree_filter().clone());
    let exit = print::<J>(walk, &tally, options, voice);
    say_unmatched(&filter, voice);
    exit
}

/// Prints what would be done with each task. `tally` counts them.
pub(super) fn print<J: Reportable<Task = Task>>(
    tasks: impl Iterator<Item = Task>,
    tally: &Tally,
    options: &RunOptions,
    voice: &Voice,
) -> Exit {
    let mut dry_run = DryRun::new(J::VERB, options.report.json, voice);
    for task in tasks {
        let subject = task.subject();
        match &task {
            Task::File { source, target, .. } if target.as_os_str().is_empty() => {
                dry_run.plan(&quoted(source), &subject, None);
            }
            Task::File { source, target, .. } => {
                dry_run.plan(&format!("{} -> {}", quoted(source), quoted(target)), &subject, Some(target));
            }
            Task::Skip { reason, .. } => dry_run.skip(&subject, skip_reason(*reason)),
            Task::Bad { error, .. } => {
                let no_name = "no name for the result".to_owned();
                let reason = error.as_ref().map_or(no_name, |error| haul_io::reason(error.cause()));
                dry_run.fail(&subject, &reason);
            }
            _ => unreachable!("no plugin was asked and no directory mirrored"),
        }
        if dry_run.is_unread() {
            break;
        }
    }
    say_left_out(J::VERB, tally, voice);
    dry_run.leave_out(tally.left_out(), tally.excluded());
    dry_run.end()
}
