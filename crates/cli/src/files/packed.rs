//! `haul seal --pack`: a tree as few sealed shards.
//!
//! Owns: which options go with it, its run, the words for its tasks.
//! Does not own: names of shards ([`crate::packs`]), the job ([`haul_seal::PackJob`]).

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use haul_engine::{Engine, Event, Report, Settled, Source};
use haul_io::{Cancel, Existing, Shortfalls};
use haul_pack::PackSource;
use haul_seal::{Error, Outcome, PackJob, PackTask, Plugins, Recipient, SealJob, SealedFormat, Walk};
use haul_store::Store;
use serde_json::{Map, Value};

use super::describe::failures;
use super::plan::FilesPlan;
use super::tasks::{say_left_out, say_unmatched};
use crate::args::SealArgs;
use crate::fleet::files::{FleetFiles, PackedFiles};
use crate::packs::plan::{self, PackPlan, Packing};
use crate::packs::slices::SliceShards;
use crate::report::describe::{DescribeOutput, Reportable, Setting, Subject};
use crate::report::ending::Rest;
use crate::report::exit::{Exit, Problem};
use crate::report::progress::Progress;
use crate::report::text::{counted, name_members, quoted};
use crate::report::voice::Voice;
use crate::run::engine_choice::EngineChoice;
use crate::run::environment::Environment;
use crate::run::reporting::RunContext;
use crate::stores::objects::is_object;

/// The plan, if the results of `haul seal` are to be packed.
///
/// # Errors
/// If other options need a result for each file.
pub(super) fn resolve(
    args: &SealArgs,
    files: &FilesPlan,
    environment: &Environment,
) -> Result<Option<PackPlan>, Problem> {
    let directory = args.files.output.as_deref().unwrap_or(Path::new("."));
    let plan = PackPlan::resolve(&args.packing, directory, files.run.engine, environment)?;
    let Some(plan) = plan else { return Ok(None) };
    if args.files.output.is_none() {
        return Err(Problem::usage("--pack needs a directory for the shards").hint("name it with -o"));
    }
    let needs_files = [
        ("--replace", files.replace),
        ("--update", files.options.update),
        ("--force", files.options.existing == Existing::Replace),
        ("--xattrs", files.options.xattrs),
        ("--armor", args.armor),
    ];
    if let Some((option, _)) = needs_files.iter().find(|(_, is_given)| *is_given) {
        let problem =
            Problem::usage(format!("{option} needs a result for each file, and --pack makes shards"));
        return Err(problem.hint("omit one of them"));
    }
    Ok(Some(plan.hinting("seal into another directory with -o")))
}

/// Makes the directory for shards, so that inputs are named in it and not after it.
pub(super) fn make_directory(output: &Path) -> Result<(), Problem> {
    if is_object(output) {
        return Ok(());
    }
    std::fs::create_dir_all(output).map_err(|error| {
        let reason = haul_io::reason(&error);
        Problem::usage(format!("cannot make the directory {}: {reason}", quoted(output)))
    })
}

/// Packs the files of `walk`.
pub(super) fn run(
    pack: &PackPlan,
    files: &FilesPlan,
    recipients: Vec<Recipient>,
    plugins: Arc<Plugins>,
    walk: Walk,
    voice: &Voice,
) -> Result<Exit, Problem> {
    let (cancel, choice) = (Cancel::new()?, choose_engine(files));
    let packer = pack.begin(packing(files, recipients, plugins, &cancel, &choice, voice)?)?;
    let job = PackJob::new(packer.clone(), files.options);
    let (tally, filter) = (walk.tally(), walk.tree_filter().clone());
    let source = PackSource::new(walk.packing(packer.clone(), &files.options), Some(packer.clone()));
    let context =
        RunContext { choice: &choice, options: &files.run, progress: Progress::start(), voice, cancel };
    let exit = context.run_reporting(&job, source, |_| {}, |_| {}, |_, _| Rest::default())?;
    say_left_out(SealJob::VERB, &tally, voice);
    if exit != Exit::Interrupted && !(files.run.report.fail_fast && exit != Exit::Success) {
        say_unmatched(&filter, voice);
    }
    Ok(match plan::finish(&packer) {
        Ok(()) => exit,
        Err(problem) => {
            voice.problem(&problem);
            exit.max(problem.exit)
        }
    })
}

/// Packs the files of a fleet's run, which `join` joins.
pub(super) fn run_node(
    pack: &PackPlan,
    files: &FilesPlan,
    recipients: Vec<Recipient>,
    plugins: Arc<Plugins>,
    join: impl FnOnce(SliceShards) -> Result<FleetFiles, Problem>,
    voice: &Voice,
) -> Result<Exit, Problem> {
    let (cancel, choice) = (Cancel::new()?, choose_engine(files));
    let shards = pack.begin_slices(packing(files, recipients, plugins, &cancel, &choice, voice)?)?;
    let packer = shards.packer.clone();
    let lines = join(shards)?;
    let job = PackJob::new(packer.clone(), files.options);
    let source = PackSource::new(PackedFiles(lines.clone()), Some(packer));
    let context =
        RunContext { choice: &choice, options: &files.run, progress: Progress::start(), voice, cancel };
    let tell = |settled: &Settled<PackJob>| lines.tell_packed(&job, settled);
    let exit = context.run_reporting(&job, source, tell, |_| {}, |_, _| Rest::default())?;
    Ok(lines.leave(exit))
}

fn packing<'a>(
    files: &FilesPlan,
    recipients: Vec<Recipient>,
    plugins: Arc<Plugins>,
    cancel: &Cancel,
    choice: &EngineChoice,
    voice: &'a Voice,
) -> Result<Packing<'a>, Problem> {
    let format = SealedFormat::new(recipients).map_err(|error| Problem::usage(error.to_string()))?;
    Ok(Packing {
        format: Some(Arc::new(format.asking(plugins, cancel.clone()))),
        durability: files.options.durability,
        cancel: cancel.clone(),
        in_flight_max: choice.engine.in_flight_max(),
        resumes: None,
        store: store(files)?,
        voice,
    })
}

/// The store of the shards, if they are to be objects.
fn store(files: &FilesPlan) -> Result<Option<Store>, Problem> {
    let Some(output) = files.operands.output.as_deref().filter(|output| is_object(output)) else {
        return Ok(None);
    };
    // Shards are published after an interrupt, too.
    let store = files.run.stores.store(&Cancel::new()?);
    let problem = |error| Problem::usage(format!("cannot write to {}: {error}", quoted(output)));
    store.map(Some).map_err(problem)
}

/// Packing is work for the cores: files are read from memory, or ahead by the kernel.
fn choose_engine(files: &FilesPlan) -> EngineChoice {
    match files.run.engine {
        Some(engine) => EngineChoice::as_asked(engine),
        None => {
            let cores = files.run.report.cores;
            let engine = if cores.get() == 1 { Engine::Serial } else { Engine::Threads(cores) };
            let cores = counted(cores.get() as u64, "core", "cores");
            EngineChoice::fixed(engine, format!("auto: packing, {cores}"))
        }
    }
}

impl Reportable for PackJob {
    const VERB: &'static str = "seal";
    const DONE: &'static str = "sealed";

    fn message(&self, task: &PackTask, error: &Error) -> String {
        failures::message(error, task.target().map(quoted).as_deref())
    }

    fn hint(&self, task: &PackTask, error: &Error) -> Option<Cow<'static, str>> {
        failures::hint(error, Some(task.task().source()))
    }

    fn run(
        &self,
        source: &mut dyn Source<PackTask>,
        setting: &Setting,
        on_event: &mut dyn FnMut(&Event<Self>),
    ) -> Report {
        haul_engine::run(self, source, &setting.config, on_event)
    }
}

impl Subject for PackTask {
    fn subject(&self) -> Cow<'_, OsStr> {
        self.task().subject()
    }

    fn is_file(&self) -> bool {
        self.task().is_file()
    }

    fn bytes(&self) -> Option<u64> {
        self.task().bytes()
    }

    fn target(&self) -> Option<&Path> {
        Some(Path::new(OsStr::from_bytes(self.name()))).filter(|name| !name.as_os_str().is_empty())
    }

    fn bytes_at_start(&self) -> Option<u64> {
        self.task().bytes_at_start()
    }
}

impl DescribeOutput<PackTask> for Outcome {
    fn detail(&self, task: &PackTask) -> Option<String> {
        DescribeOutput::detail(self, task.task())
    }

    fn remark(&self) -> Option<String> {
        DescribeOutput::<haul_seal::Task>::remark(self)
    }

    fn shortfalls(&self) -> Shortfalls {
        DescribeOutput::<haul_seal::Task>::shortfalls(self)
    }

    fn members(&self, task: &PackTask) -> Map<String, Value> {
        let mut members = DescribeOutput::members(self, task.task());
        if let Some(target) = task.target() {
            members.extend(name_members("target", target.as_os_str()));
        }
        members
    }

    fn is_skipped(&self) -> bool {
        DescribeOutput::<haul_seal::Task>::is_skipped(self)
    }

    fn is_unchanged(&self) -> bool {
        DescribeOutput::<haul_seal::Task>::is_unchanged(self)
    }
}
