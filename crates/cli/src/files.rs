//! `haul seal`, `haul open` and `haul xor`.
//!
//! Owns: their plans, their words.
//! Does not own: the jobs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use haul_engine::{Config, Event, Report, Source, run_portable};
use haul_io::{Blocking, Durability, Existing};
use haul_seal::{
    Direction, Error, ErrorKind, FileOptions, Filter, KeyRequest, OpenJob, Outcome, Placement, PluginProblem,
    Remarks, Replacing, SealJob, SkipReason, Symlinks, Task, Walk, XorJob, XorMode,
};
use serde_json::{Map, Value};

use crate::args::{CommonArgs, DurableArg, FileArgs, OpenArgs, SealArgs, SymlinksArg, TreeArgs, XorArgs};
use crate::dry_run::DryRun;
use crate::exit::{Exit, Problem};
use crate::keys;
use crate::plan::{self, Chosen, new_file_mode, system_random};
use crate::plugins;
use crate::probe;
use crate::report::{Explained, Subject, Success, Told, run_and_tell};
use crate::streams;
use crate::tree_identity;
use crate::voice::{Voice, counted, human_bytes, quoted};
use crate::workers::WorkerKind;

pub(crate) fn seal(args: &SealArgs, voice: &Voice) -> Result<Exit, Problem> {
    if let Some(ends) = streams::ends(&args.files)? {
        return streams::seal(args, ends, voice);
    }
    let tasks = tasks(&args.files, Direction::Seal)?;
    let files = &args.files;
    let places = match args.common.dry_run {
        true => BTreeSet::new(),
        false => tree_identity::places_of_results(&files.paths, files.output.as_deref()),
    };
    let recipients = keys::recipients(args, &places, voice)?;
    let options = options(&args.files)?;
    let job = SealJob::new(recipients, options).map_err(|error| Problem::usage(error.to_string()))?;
    let job = job.armored(args.armor);
    let keying = job.key_request(&mut system_random());
    match args.files.replace {
        true => run(&Replacing::new(job), keying, tasks, options, &args.common, voice),
        false => run(&job, keying, tasks, options, &args.common, voice),
    }
}

pub(crate) fn open(args: &OpenArgs, voice: &Voice) -> Result<Exit, Problem> {
    if let Some(ends) = streams::ends(&args.files)? {
        return streams::open(args, ends, voice);
    }
    let tasks = tasks(&args.files, Direction::Open)?;
    let identities = keys::identities(&args.identity, &args.files.secret, &args.files.paths, voice)?;
    let options = options(&args.files)?;
    let job = OpenJob::new(identities, options);
    let keying = job.key_request(&mut system_random());
    match args.files.replace {
        true => run(&Replacing::new(job), keying, tasks, options, &args.common, voice),
        false => run(&job, keying, tasks, options, &args.common, voice),
    }
}

pub(crate) fn xor(args: &XorArgs, voice: &Voice) -> Result<Exit, Problem> {
    let placement = Placement { direction: Direction::Replace, suffix: ".age".into(), output: None };
    let tasks = walk(&args.paths, placement, &args.trees)?;
    // Twice transformed is not transformed.
    let tasks = if args.overwrite { tasks.once() } else { tasks };
    let key = keys::xor_key(&args.key_file)?;
    let mode = match args.durable {
        _ if args.overwrite => XorMode::Overwrite,
        DurableArg::Never => XorMode::Replace(Durability::Eventual),
        DurableArg::Auto | DurableArg::Always => XorMode::Replace(Durability::Synced),
    };
    let job = XorJob::new(&key, mode).map_err(|error| Problem::usage(error.to_string()))?;
    voice.warning("XOR with a repeating key is not encryption");
    let durability = match mode {
        XorMode::Replace(durability) => durability,
        XorMode::Overwrite => Durability::Eventual,
    };
    let options = FileOptions { durability, ..FileOptions::default() };
    run(&job, KeyRequest::NOTHING, tasks, options, &args.common, voice)
}

fn run<J: Told<Task = Task>>(
    job: &J,
    keying: KeyRequest,
    tasks: Walk,
    options: FileOptions,
    args: &CommonArgs,
    voice: &Voice,
) -> Result<Exit, Problem> {
    if args.dry_run {
        return Ok(dry_run(tasks, DryRun::new(J::VERB, args.json, voice)));
    }
    let io = || Ok::<_, Problem>(Blocking::new(plan::cancel()?));
    let tasks = tasks.sweeping(io()?).mirroring(io()?, &options);
    match args.engine.0 {
        Some(engine) => {
            let source = plugins::source(tasks, keying, voice)?;
            run_and_tell(job, source, &Chosen::asked(engine), args, voice)
        }
        None => {
            let (chosen, tasks) = probe::choose(tasks, options.durability == Durability::Synced);
            let source = plugins::source(tasks, keying, voice)?;
            run_and_tell(job, source, &chosen, args, voice)
        }
    }
}

fn tasks(args: &FileArgs, direction: Direction) -> Result<Walk, Problem> {
    let placement = Placement { direction, suffix: args.suffix.clone(), output: args.output.clone() };
    walk(&args.paths, placement, &args.trees)
}

pub(crate) fn walk(paths: &[PathBuf], placement: Placement, args: &TreeArgs) -> Result<Walk, Problem> {
    let symlinks = match args.symlinks {
        SymlinksArg::Skip => Symlinks::Skip,
        SymlinksArg::Follow => Symlinks::Follow,
        SymlinksArg::Error => Symlinks::Refuse,
    };
    let filter =
        Filter::new(&args.include, &args.exclude).map_err(|error| Problem::usage(error.to_string()))?;
    let filter = filter.symlinks(symlinks).one_file_system(args.one_file_system);
    let walk = Walk::new(paths.to_vec(), placement).map_err(|error| Problem::usage(error.to_string()))?;
    Ok(walk.filtered(filter))
}

pub(crate) fn options(args: &FileArgs) -> Result<FileOptions, Problem> {
    let durability = match args.durable {
        DurableArg::Never if args.replace => {
            return Err(Problem::usage("sources are removed only when their results are durable")
                .hint("leave out --durable never, or --replace"));
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
        mode: new_file_mode(),
    })
}

pub(crate) fn dry_run(tasks: impl Iterator<Item = Task>, mut told: DryRun<'_>) -> Exit {
    for task in tasks {
        let subject = task.subject();
        match &task {
            Task::File { source, target, .. } if target.as_os_str().is_empty() => {
                told.plan(&quoted(source), &subject, None);
            }
            Task::File { source, target, .. } => {
                told.plan(&format!("{} -> {}", quoted(source), quoted(target)), &subject, Some(target));
            }
            Task::Skip { reason, .. } => told.skip(&subject, words(*reason)),
            Task::Refused { .. } | Task::Mirrored { .. } => unreachable!("nothing is asked or made"),
            Task::Bad { error, .. } => {
                let no_name = "no name for the result".to_owned();
                told.fail(&subject, &error.as_ref().map_or(no_name, |error| haul_io::reason(error.cause())));
            }
        }
        if told.is_unread() {
            break;
        }
    }
    told.end()
}

fn words(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Symlink => "a symbolic link",
        SkipReason::Special => "neither a file nor a directory",
        SkipReason::OtherName => "another name of a file that is dealt with already",
    }
}

fn words_of(remarks: &Remarks) -> Option<String> {
    let Remarks { other_names, lost_attributes, .. } = remarks;
    let mut words = Vec::new();
    if *other_names > 0 {
        let count = counted(*other_names, "other name", "other names");
        words.push(format!("has {count} (hard links), which this doesn't change"));
    }
    if !lost_attributes.is_empty() {
        words.push(words_of_lost(lost_attributes));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

fn words_of_lost(attributes: &[String]) -> String {
    let names: Vec<_> = attributes.iter().map(quoted).collect();
    format!("has attributes that the result lacks: {}", names.join(", "))
}

impl Told for SealJob {
    const VERB: &'static str = "seal";
    const DONE: &'static str = "sealed";

    fn run(&self, source: impl Source<Task>, config: &Config, on_event: impl FnMut(&Event<Self>)) -> Report {
        run_portable(self, source, config, &WorkerKind::Seal.command(), on_event)
    }
}

impl Told for OpenJob {
    const VERB: &'static str = "open";
    const DONE: &'static str = "opened";

    fn run(&self, source: impl Source<Task>, config: &Config, on_event: impl FnMut(&Event<Self>)) -> Report {
        run_portable(self, source, config, &WorkerKind::Open.command(), on_event)
    }
}

impl Told for Replacing<SealJob> {
    const VERB: &'static str = SealJob::VERB;
    const DONE: &'static str = SealJob::DONE;

    fn run(&self, source: impl Source<Task>, config: &Config, on_event: impl FnMut(&Event<Self>)) -> Report {
        run_portable(self, source, config, &WorkerKind::SealReplacing.command(), on_event)
    }
}

impl Told for Replacing<OpenJob> {
    const VERB: &'static str = OpenJob::VERB;
    const DONE: &'static str = OpenJob::DONE;

    fn run(&self, source: impl Source<Task>, config: &Config, on_event: impl FnMut(&Event<Self>)) -> Report {
        run_portable(self, source, config, &WorkerKind::OpenReplacing.command(), on_event)
    }
}

impl Told for XorJob {
    const VERB: &'static str = "transform";
    const DONE: &'static str = "transformed";

    fn run(&self, source: impl Source<Task>, config: &Config, on_event: impl FnMut(&Event<Self>)) -> Report {
        run_portable(self, source, config, &WorkerKind::Xor.command(), on_event)
    }
}

impl Subject for Task {
    fn subject(&self) -> String {
        self.source().to_string_lossy().into_owned()
    }
}

impl Success<Task> for Outcome {
    fn words(&self, task: &Task) -> Option<String> {
        match (task, self) {
            (Task::File { target, .. }, Outcome::File { plain_bytes, .. })
                if target.as_os_str().is_empty() =>
            {
                Some(format!("is authentic, {}", human_bytes(*plain_bytes)))
            }
            (Task::File { target, .. }, Outcome::File { plain_bytes, .. }) => {
                Some(format!("-> {}, {}", quoted(target), human_bytes(*plain_bytes)))
            }
            _ => None,
        }
    }

    fn remark(&self) -> Option<String> {
        match self {
            Outcome::Skipped(reason) => Some(format!("was left alone: {}", words(*reason))),
            Outcome::File { remarks, .. } => words_of(remarks),
            Outcome::Mirrored { lost_attributes } => Some(words_of_lost(lost_attributes)),
        }
    }

    fn members(&self, task: &Task) -> Map<String, Value> {
        let mut members = Map::new();
        match self {
            Outcome::File { plain_bytes, sealed_bytes, remarks } => {
                if let Task::File { target, .. } = task
                    && !target.as_os_str().is_empty()
                {
                    members.insert("target".to_owned(), target.to_string_lossy().into());
                }
                members.insert("plain_bytes".to_owned(), (*plain_bytes).into());
                members.insert("sealed_bytes".to_owned(), (*sealed_bytes).into());
                if !remarks.lost_attributes.is_empty() {
                    members.insert("lost_attributes".to_owned(), remarks.lost_attributes.clone().into());
                }
                if remarks.other_names > 0 {
                    members.insert("other_names".to_owned(), remarks.other_names.into());
                }
            }
            Outcome::Mirrored { lost_attributes } => {
                members.insert("lost_attributes".to_owned(), lost_attributes.clone().into());
            }
            Outcome::Skipped(reason) => {
                members.insert("skipped".to_owned(), words(*reason).into());
            }
        }
        members
    }
}

impl Explained for Error {
    fn exit(&self) -> Exit {
        match self.kind() {
            ErrorKind::NoMatch => Exit::NoMatch,
            ErrorKind::Damaged => Exit::Damaged,
            ErrorKind::NoSpace => Exit::NoSpace,
            ErrorKind::Cancelled | ErrorKind::Other => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Exists => Some("--force overwrites existing results"),
            Error::Plugin(error) if error.problem == PluginProblem::Missing => {
                Some("install the plugin in a directory of PATH")
            }
            Error::NoTargetName => Some("name the result with -o, or the ending with --suffix"),
            _ => None,
        }
    }
}
