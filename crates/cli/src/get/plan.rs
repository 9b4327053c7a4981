//! The plan of `haul get`.
//!
//! Owns: defaults, conflicts of options, what the environment contributes, the order of a run.
//! Does not own: names of results ([`super::naming`]), requests ([`super::requests`]), fetching.

mod config;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use haul_engine::{Settled, Source};
use haul_fetch::{Algorithm, Config, FetchJob, FetchTask, HostSource, Uploader};
use haul_io::{Cancel, Durability, Existing, File};
use haul_pack::{PackSource, Packer};

use self::config::config;
use super::cookies::Cookies;
use super::naming::bucket::BucketPlan;
use super::naming::own_files::OwnFiles;
use super::naming::{NamingPlan, OutputPlan, packed};
use super::observer::observer;
use super::requests::RequestPlan;
use super::retries::Retries;
use super::sealing::{Sealing, SealingPlan};
use super::share::marker::{Marker, MarkerPlan};
use super::share::node;
use super::share::shard::Shard;
use super::terminal::TerminalCopy;
use super::transfers::{Transfers, Wanted, engine_for};
use super::urls::Urls;
use crate::args::{GetArgs, NameArg, ProgressArg};
use crate::fleet::NodePlan;
use crate::lists::failures::Failures;
use crate::lists::length;
use crate::lists::reader::List;
use crate::packs::plan::{PackPlan, Packing};
use crate::packs::slices::SliceShards;
use crate::report::ending::Rest;
use crate::report::exit::{Exit, Problem};
use crate::report::progress::{Progress, ProgressForm};
use crate::report::record::nothing_to_do;
use crate::report::text_only::binary_on_terminal;
use crate::report::voice::Voice;
use crate::run::descriptors;
use crate::run::engine_choice::EngineChoice;
use crate::run::environment::Environment;
use crate::run::options::RunOptions;
use crate::run::plan::Plan;
use crate::run::reporting::RunContext;
use crate::stores::uploads::UploadOptions;

/// What `haul get` is to do.
#[derive(Debug)]
pub(crate) struct GetPlan {
    urls: Vec<String>,
    list: Option<PathBuf>,
    /// The part of all URLs to fetch.
    shard: Option<Shard>,
    /// The marker of that part.
    marker: Option<MarkerPlan>,
    /// The run of a fleet whose slices are fetched instead.
    fleet: Option<NodePlan>,
    naming: NamingPlan,
    /// How results are sealed, if they are.
    sealing: Option<SealingPlan>,
    /// The bucket that results go to, if they don't become files.
    bucket: Option<BucketPlan>,
    /// How results are packed, if they are.
    pack: Option<PackPlan>,
    failures: Option<PathBuf>,
    own_files: OwnFiles,
    cookie_jar: Option<PathBuf>,
    /// The client's settings, without cookies.
    config: Config,
    transfers: Transfers,
    /// The body goes to a terminal, which is shown text only.
    is_shown: bool,
    insecure: bool,
    run: RunOptions,
}

impl GetPlan {
    /// Resolves the arguments. Opens no file and makes no system call.
    pub(crate) fn resolve(args: &GetArgs, environment: &Environment) -> Result<Self, Problem> {
        let output = output(args)?;
        check(args, &output)?;
        let is_shown = output == OutputPlan::Stdout && environment.stdout_is_terminal;
        let mut run = RunOptions::resolve(&args.common, environment);
        // The body and the progress would be on the same screen.
        if is_shown && args.common.progress != ProgressArg::Always {
            run.progress = ProgressForm::Hidden;
        }
        let wanted = Wanted::of(args, &environment.settings);
        run.engine = engine_for(args, wanted, run.engine);
        let transfers = Transfers::resolve(args, wanted, run.engine);
        // As for the other commands, a slash at the end means a directory.
        let dir = match &args.output {
            Some(named) if output == OutputPlan::Directory => named.as_path(),
            _ => args.dir.as_path(),
        };
        let bucket = BucketPlan::resolve(args, &output, dir, environment)?;
        let directory = (output == OutputPlan::Directory).then_some(dir);
        let sealing = SealingPlan::resolve(&args.sealing, args.name, directory, environment)?;
        if is_shown && sealing.as_ref().is_some_and(|sealing| !sealing.is_armored()) {
            return Err(binary_on_terminal().hint("name a file with -o, or make text with -a"));
        }
        let shard = args.shard.map(|shard| Shard::resolve(shard, environment)).transpose()?;
        let marker = shard.zip(directory).and_then(|(shard, dir)| {
            MarkerPlan::resolve(args, shard, dir, sealing.is_some(), environment.new_file_mode)
        });
        let pack = packed::resolve(args, &output, dir, run.engine, environment)?;
        let pack = pack.map(|pack| pack.of_part(shard.map(Shard::index)));
        let requests = RequestPlan::resolve(&args.requests, transfers.is_single, environment)?;
        Ok(Self {
            urls: args.urls.clone(),
            list: args.input.clone(),
            shard,
            marker,
            fleet: args.fleet.as_ref().map(|run| NodePlan::resolve(run, environment)).transpose()?,
            own_files: OwnFiles::of(args, &requests, environment),
            naming: NamingPlan {
                output,
                dir: dir.to_owned(),
                rule: args.name,
                requests,
                list: args.input.as_deref().map_or_else(String::new, List::name),
                mode: environment.new_file_mode,
                existing: if args.force { Existing::Replace } else { Existing::Refuse },
                checksum: args.checksum.clone(),
                checksums: args.checksums.clone(),
                // Who knows a digest can tell whether the content is what they suspect.
                hash: (args.common.json && sealing.is_none()).then_some(Algorithm::Sha256),
                keep_lines: args.failures.is_some(),
                is_sealed: sealing.is_some(),
                has_whole_names: args.fleet.is_some(),
            },
            sealing,
            bucket,
            pack,
            failures: args.failures.clone(),
            cookie_jar: args.requests.cookie_jar.clone(),
            config: config(args, transfers.in_flight_max, environment)?,
            transfers,
            is_shown,
            insecure: args.insecure,
            run,
        })
    }

    /// Where results go that don't become files, if they do.
    fn uploader(&self, cancel: &Cancel, voice: &Voice) -> Result<Option<Arc<dyn Uploader>>, Problem> {
        let options = UploadOptions {
            replace: self.naming.existing == Existing::Replace,
            resume: self.config.resume,
            is_single: self.transfers.is_single,
        };
        let bucket = self.bucket.as_ref().filter(|_| self.pack.is_none());
        bucket.map(|bucket| bucket.open(&self.config, options, cancel, voice)).transpose()
    }

    /// The marker of this run's part, if it is to have one.
    fn open_marker(&mut self, cancel: &Cancel) -> Result<Option<Marker>, Problem> {
        let Some(plan) = self.marker.take() else { return Ok(None) };
        let store = self.bucket.as_ref().map(|bucket| bucket.store(&self.config, cancel)).transpose()?;
        plan.open(store)
    }

    /// The packer of this run, if it packs, and, if it is a node of a fleet, what packs its slices.
    fn packer(
        &self,
        sealing: Option<&Sealing>,
        cancel: &Cancel,
        voice: &Voice,
    ) -> Result<Option<(Packer, Option<SliceShards>)>, Problem> {
        let Some(pack) = &self.pack else { return Ok(None) };
        let identities = sealing.map_or(&[][..], |sealing| &sealing.identities);
        // Shards are published after an interrupt, too.
        let steady = Cancel::new()?;
        let store = self.bucket.as_ref().map(|bucket| bucket.store(&self.config, &steady)).transpose()?;
        let packing = Packing {
            format: sealing.map(|sealing| sealing.format.clone() as _),
            durability: Durability::Eventual,
            cancel: cancel.clone(),
            in_flight_max: self.transfers.in_flight_max,
            resumes: self.config.resume.then_some(identities),
            store,
            voice,
        };
        if self.fleet.is_none() {
            return Ok(Some((pack.begin(packing)?, None)));
        }
        let shards = pack.begin_slices(packing)?;
        Ok(Some((shards.packer.clone(), Some(shards))))
    }

    fn choose_engine(&self) -> EngineChoice {
        let choice = self.transfers.choose_engine(&self.run);
        let packs_into_bucket = self.pack.is_some() && self.bucket.is_some();
        if packs_into_bucket { packed::engine_for_store(choice) } else { choice }
    }

    /// Fetches. A body for stdout goes to `terminal`, if there is one.
    fn fetch(mut self, terminal: Option<File>, voice: &Voice) -> Result<Exit, Problem> {
        let cancel = Cancel::new()?;
        let marker = self.open_marker(&cancel)?;
        if marker.as_ref().is_some_and(|marker| marker.is_complete(voice)) {
            return Ok(self.complete(voice));
        }
        self.warn(voice);
        let sealing = self.sealing.as_ref().map(|plan| plan.begin(&self.naming, voice)).transpose()?;
        let hidden = sealing.as_ref().and_then(|sealing| sealing.hidden.clone());
        let uploader = self.uploader(&cancel, voice)?;
        let dir = self.naming.dir.clone();
        let own_names = self.own_files.names(&self.naming.output, &dir);
        let (packer, shards) = self.packer(sealing.as_ref(), &cancel, voice)?.unzip();
        let choice = self.choose_engine();
        let naming = self.naming.prepare(terminal, self.config.total_timeout, uploader, &cancel)?;
        let naming = naming.hiding(hidden).packing(packer.clone());
        let logins = naming.logins();
        let join = |plan| node::join(plan, &self.transfers, &dir, shards.flatten(), voice);
        let fleet = self.fleet.take().map(join).transpose()?;
        let args_count = self.urls.len() as u64;
        let digest = marker.as_ref().and_then(Marker::list_digest);
        let count = Arc::<AtomicU64>::default();
        let source = Urls {
            args: self.urls.into_iter(),
            list: self.list.as_deref().map(|list| List::open(list, digest)).transpose()?,
            shard: self.shard,
            naming,
            count: count.clone(),
            fleet: fleet.clone(),
        };
        let started = Instant::now();
        let cookies = self.cookie_jar.as_deref().map(Cookies::open).transpose()?;
        let config = Config {
            cookies: cookies.as_ref().map(Cookies::jar),
            idle_connections_max: descriptors::idle_connections_max(self.config.idle_connections_max),
            logins,
            format: sealing.as_ref().map(|sealing| sealing.format.clone() as _),
            ..self.config
        };
        let mut failures = Failures::create(self.failures.as_deref(), config.total_timeout)?;
        let limits = node::transfers(self.transfers, fleet.as_ref()).limits(&choice.engine);
        let progress = Progress::start();
        if self.run.progress != ProgressForm::Hidden && self.shard.is_none() && fleet.is_none() {
            length::tell(args_count, self.list.as_deref(), &progress);
        }
        let config = Config { observer: observer(&progress, voice), ..config };
        let mut retries = Retries::new(voice, self.run.report.json, self.run.progress, progress.clone());
        let source = HostSource::new(source, limits, move || started.elapsed())
            .looking_up(&config)
            .on_retry(|id, task, retry| retries.report(id, task, retry));
        let source = PackSource::new(node::sharing(source, fleet.as_ref()), packer.clone());
        let context = RunContext { choice: &choice, options: &self.run, progress, voice, cancel };
        let on_undone = |task: &FetchTask| failures.iter_mut().for_each(|failures| failures.add(task));
        let job = FetchJob::new(config).reserving(&own_names);
        let on_settled =
            |settled: &Settled<FetchJob>| fleet.iter().for_each(|fleet| node::tell(fleet, &job, settled));
        let exit = context.run_reporting(&job, source, on_settled, on_undone, unstarted)?;
        let exit = fleet.as_ref().map_or(exit, |fleet| fleet.leave(exit));
        let written = [
            failures.map_or(Ok(()), Failures::finish).map(|()| Exit::Success),
            cookies.map_or(Ok(()), |cookies| cookies.write(voice)).map(|()| Exit::Success),
            sealing.map_or(Ok(Exit::Success), Sealing::finish),
        ];
        let exit = worst(exit, written, voice);
        if let Some(marker) = marker.filter(|_| exit == Exit::Success) {
            marker.write(count.load(Ordering::Relaxed))?;
        }
        Ok(exit)
    }

    /// Says what is dangerous.
    fn warn(&self, voice: &Voice) {
        if self.sealing.is_some() && self.failures.is_some() {
            voice.warning("the file of --failures holds URLs and header fields of the list, not sealed");
        }
        if self.insecure {
            voice.warning("certificates are not checked: an attacker can read and change what is fetched");
        }
    }

    /// Reports that there is nothing to do.
    fn complete(&self, voice: &Voice) -> Exit {
        if self.run.report.json {
            voice.data(nothing_to_do("none", "the part is complete already"));
        }
        Exit::Success
    }
}

impl Plan for GetPlan {
    fn print(mut self, voice: &Voice) -> Result<Exit, Problem> {
        if self.fleet.is_some() {
            return Err(
                Problem::usage("--dry-run would take slices from other nodes").hint("see haul fleet status")
            );
        }
        if self.open_marker(&Cancel::new()?)?.is_some_and(|marker| marker.is_complete(voice)) {
            return Ok(Exit::Success);
        }
        self.sealing.as_ref().map(|sealing| sealing.prepare(true, voice)).transpose()?;
        let source = Urls {
            args: self.urls.into_iter(),
            list: self.list.as_deref().map(|list| List::open(list, None)).transpose()?,
            shard: self.shard,
            naming: self
                .naming
                .prepare(None, self.config.total_timeout, None, &Cancel::new()?)?
                .packing(self.pack.as_ref().map(PackPlan::show).transpose()?),
            count: Arc::default(),
            fleet: None,
        };
        Ok(source.print(self.run.report.json, voice))
    }

    fn run(self, voice: &Voice) -> Result<Exit, Problem> {
        if !self.is_shown {
            return self.fetch(None, voice);
        }
        let (terminal, copy) = TerminalCopy::start()?;
        let exit = self.fetch(Some(terminal), voice)?;
        if !copy.end()? {
            return Ok(exit);
        }
        voice.problem(&binary_on_terminal().hint("name a file with -o, or pipe it into a program"));
        Ok(exit.max(Exit::Failed))
    }
}

/// Takes the tasks out of `source` that were never begun.
fn unstarted<S: Source<FetchTask>, C, R>(
    source: &mut PackSource<HostSource<S, C, R>>,
    on_undone: &mut dyn FnMut(&FetchTask),
) -> Rest {
    let mut count = 0;
    let is_all = source.inner_mut().take_unstarted(|task| {
        count += 1;
        on_undone(task);
    });
    Rest { count, is_all }
}

/// Reports what couldn't be written at the end. Returns the exit code.
fn worst(exit: Exit, written: [Result<Exit, Problem>; 3], voice: &Voice) -> Exit {
    written.into_iter().fold(exit, |exit, written| {
        exit.max(written.unwrap_or_else(|problem| {
            voice.problem(&problem);
            problem.exit
        }))
    })
}

fn output(args: &GetArgs) -> Result<OutputPlan, Problem> {
    if args.urls.is_empty() && args.input.is_none() && args.fleet.is_none() {
        return Err(Problem::usage("nothing to fetch").hint("name URLs, or a list of them with -i"));
    }
    let Some(path) = &args.output else { return Ok(OutputPlan::Directory) };
    if args.urls.len() > 1 {
        return Err(Problem::usage("-o is for a single URL").hint("-d names a directory for many"));
    }
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Ok(OutputPlan::Directory);
    }
    if path != Path::new("-") && path != Path::new("/dev/stdout") {
        return Ok(OutputPlan::File(path.clone()));
    }
    if args.common.json {
        return Err(
            Problem::usage("--json needs stdout, which already carries the data").hint("name a file with -o")
        );
    }
    Ok(OutputPlan::Stdout)
}

fn check(args: &GetArgs, output: &OutputPlan) -> Result<(), Problem> {
    if args.urls.iter().any(|url| url == "-") {
        return Err(Problem::usage("\"-\" isn't a URL").hint("-i - reads a list of URLs from stdin"));
    }
    if args.sync && *output == OutputPlan::Stdout {
        return Err(Problem::usage("--sync needs a file, not stdout"));
    }
    if args.name == NameArg::Disposition && (args.resume || args.sync || args.checksums.is_some()) {
        let problem = Problem::usage("-c, --sync and --checksums need names that are known in advance");
        return Err(problem.hint("use --name path or --name basename"));
    }
    if args.name == NameArg::Hidden && (args.resume || args.sync || *output != OutputPlan::Directory) {
        let problem =
            Problem::usage("--name hidden is for new files in a directory: not with -c, --sync or -o");
        return Err(problem.hint("a run that is to be continued needs names that it finds again"));
    }
    if args.fleet.is_some() && matches!(args.name, NameArg::Disposition | NameArg::Hidden) {
        let problem =
            Problem::usage("--name disposition and hidden are not for fleets, whose nodes share no records");
        return Err(problem.hint("files of a fleet are named after whole URLs, or by \"out\" in the list"));
    }
    if args.checksum.is_some() && args.urls.len() > 1 {
        let problem = Problem::usage("--checksum is for a single URL");
        return Err(problem.hint("--checksums names a file with the checksums of many"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
