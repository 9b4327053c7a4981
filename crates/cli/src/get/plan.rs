//! The plan of `haul get`.
//!
//! Owns: defaults, conflicts of options, what the environment contributes, the order of a run.
//! Does not own: names of results ([`super::naming`]), requests ([`super::requests`]), fetching.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use haul_fetch::{Algorithm, Config, FetchJob, FetchTask, HostSource, StatusCode, Trust, Uploader};
use haul_io::{Cancel, Durability, Existing, File};
use haul_pack::{PackSource, Packer};

use super::cookies::Cookies;
use super::naming::bucket::BucketPlan;
use super::naming::{NamingPlan, OutputPlan};
use super::network;
use super::observer::observer;
use super::requests::RequestPlan;
use super::retries::Retries;
use super::sealing::{Sealing, SealingPlan};
use super::shard::Shard;
use super::terminal::TerminalCopy;
use super::transfers::{Transfers, Wanted, engine_for, segments};
use super::urls::Urls;
use crate::args::{GetArgs, NameArg, ProgressArg};
use crate::lists::failures::Failures;
use crate::lists::length;
use crate::lists::reader::List;
use crate::packs::plan::{PackPlan, Packing};
use crate::report::ending::Rest;
use crate::report::exit::{Exit, Problem};
use crate::report::progress::{Progress, ProgressForm};
use crate::report::text_only::binary_on_terminal;
use crate::report::voice::Voice;
use crate::run::descriptors;
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
    naming: NamingPlan,
    /// How results are sealed, if they are.
    sealing: Option<SealingPlan>,
    /// The bucket that results go to, if they don't become files.
    bucket: Option<BucketPlan>,
    /// How results are packed, if they are.
    pack: Option<PackPlan>,
    failures: Option<PathBuf>,
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
        let pack =
            pack(args, &output, dir, environment)?.map(|pack| pack.of_part(shard.map(|shard| shard.index())));
        let is_single = transfers.is_single;
        Ok(Self {
            urls: args.urls.clone(),
            list: args.input.clone(),
            shard,
            naming: NamingPlan {
                output,
                dir: dir.to_owned(),
                rule: args.name,
                requests: RequestPlan::resolve(&args.requests, is_single, environment)?,
                list: args.input.as_deref().map_or_else(String::new, List::name),
                mode: environment.new_file_mode,
                existing: if args.force { Existing::Replace } else { Existing::Refuse },
                checksum: args.checksum.clone(),
                checksums: args.checksums.clone(),
                // Who knows a digest can tell whether the content is what they suspect.
                hash: (args.common.json && sealing.is_none()).then_some(Algorithm::Sha256),
                keep_lines: args.failures.is_some(),
                is_sealed: sealing.is_some(),
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
        self.bucket.as_ref().map(|bucket| bucket.open(&self.config, options, cancel, voice)).transpose()
    }

    /// The shards that results go to, if they are packed.
    fn packer(&self, sealing: Option<&Sealing>, cancel: &Cancel) -> Result<Option<Packer>, Problem> {
        let Some(pack) = &self.pack else { return Ok(None) };
        let identities = sealing.map(|sealing| sealing.identities.as_slice()).unwrap_or_default();
        let packing = Packing {
            format: sealing.map(|sealing| sealing.format.clone() as _),
            durability: Durability::Eventual,
            cancel: cancel.clone(),
            in_flight_max: self.transfers.in_flight_max,
            resumes: self.config.resume.then_some(identities),
        };
        pack.begin(packing).map(Some)
    }

    /// Fetches. A body for stdout goes to `terminal`, if there is one.
    fn fetch(self, terminal: Option<File>, voice: &Voice) -> Result<Exit, Problem> {
        let sealing = self.sealing.as_ref().map(|plan| plan.begin(&self.naming, voice)).transpose()?;
        let hidden = sealing.as_ref().and_then(|sealing| sealing.hidden.clone());
        let cancel = Cancel::new()?;
        let uploader = self.uploader(&cancel, voice)?;
        let packer = self.packer(sealing.as_ref(), &cancel)?;
        let naming = self.naming.prepare(terminal, self.config.total_timeout, uploader)?.hiding(hidden);
        let naming = naming.packing(packer.clone());
        let logins = naming.logins();
        let args_count = self.urls.len() as u64;
        let source = Urls {
            args: self.urls.into_iter(),
            list: self.list.as_deref().map(List::open).transpose()?,
            shard: self.shard,
            naming,
        };
        if sealing.is_some() && self.failures.is_some() {
            voice.warning("the file of --failures holds URLs and header fields of the list, not sealed");
        }
        if self.insecure {
            voice.warning("certificates are not checked: an attacker can read and change what is fetched");
        }
        let choice = self.transfers.choose_engine(&self.run);
        let started = Instant::now();
        let cookies = self.cookie_jar.as_deref().map(Cookies::open).transpose()?;
        let idle_connections_max = descriptors::idle_connections_max(self.config.idle_connections_max);
        let cookies_jar = cookies.as_ref().map(Cookies::jar);
        let config = Config {
            cookies: cookies_jar,
            idle_connections_max,
            logins,
            format: sealing.as_ref().map(|sealing| sealing.format.clone() as _),
            ..self.config
        };
        let mut failures = self.failures.as_deref().map(Failures::create).transpose()?;
        let limits = self.transfers.limits(&choice.engine);
        let json = self.run.report.json;
        let progress = Progress::start();
        if self.run.progress != ProgressForm::Hidden && self.shard.is_none() {
            length::tell(args_count, self.list.as_deref(), &progress);
        }
        let config = Config { observer: observer(&progress, voice), ..config };
        let mut retries = Retries::new(voice, json, self.run.progress, progress.clone());
        let source = HostSource::new(source, limits, move || started.elapsed())
            .looking_up(&config)
            .on_retry(|id, task, retry| retries.report(id, task, retry));
        let source = PackSource::new(source, packer.clone());
        let context = RunContext { choice: &choice, options: &self.run, progress, voice, cancel };
        let on_undone = |task: &FetchTask| failures.iter_mut().for_each(|failures| failures.add(task));
        let exit =
            context.run_reporting(&FetchJob::new(config), source, on_undone, |source, on_undone| {
                let mut count = 0;
                let is_all = source.inner_mut().take_unstarted(|task| {
                    count += 1;
                    on_undone(task);
                });
                Rest { count, is_all }
            })?;
        let written = [
            failures.map_or(Ok(()), Failures::finish),
            cookies.map_or(Ok(()), |cookies| cookies.write(voice)),
            sealing.map_or(Ok(()), Sealing::finish),
        ];
        let errors = written.into_iter().filter_map(Result::err);
        Ok(errors.fold(exit, |exit, error| {
            voice.error(error);
            exit.max(Exit::Failed)
        }))
    }
}

impl Plan for GetPlan {
    fn print(self, voice: &Voice) -> Result<Exit, Problem> {
        self.sealing.as_ref().map(|sealing| sealing.prepare(true, voice)).transpose()?;
        let source = Urls {
            args: self.urls.into_iter(),
            list: self.list.as_deref().map(List::open).transpose()?,
            shard: self.shard,
            naming: self
                .naming
                .prepare(None, self.config.total_timeout, None)?
                .packing(self.pack.as_ref().map(PackPlan::show).transpose()?),
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

/// How results are packed, if they are.
fn pack(
    args: &GetArgs,
    output: &OutputPlan,
    dir: &Path,
    environment: &Environment,
) -> Result<Option<PackPlan>, Problem> {
    let Some(plan) = PackPlan::resolve(&args.packing, dir, environment.new_file_mode, environment.cores)?
    else {
        return Ok(None);
    };
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

fn output(args: &GetArgs) -> Result<OutputPlan, Problem> {
    if args.urls.is_empty() && args.input.is_none() {
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
    if args.checksum.is_some() && args.urls.len() > 1 {
        let problem = Problem::usage("--checksum is for a single URL");
        return Err(problem.hint("--checksums names a file with the checksums of many"));
    }
    Ok(())
}

/// The segments of large files. With a fixed number, every file that is worth a second request is divided.
fn config(args: &GetArgs, in_flight_max: usize, environment: &Environment) -> Result<Config, Problem> {
    let defaults = Config::default();
    Ok(Config {
        connect_timeout: args.connect_timeout,
        read_timeout: args.read_timeout,
        total_timeout: args.max_time,
        retries: args.retries,
        retry_statuses: args
            .retry_status
            .iter()
            .filter_map(|code| StatusCode::from_u16(*code).ok())
            .collect(),
        resume: args.resume,
        sync: args.sync,
        segments: segments(args, Wanted::of(args, &environment.settings)),
        redirects_max: args.max_redirects,
        allow_downgrade: args.allow_downgrade,
        compressed: args.compressed || args.compressed_archives,
        decode_archives: args.compressed_archives,
        decoded_ratio_max: args.max_ratio,
        body_bytes_max: args.max_size,
        fail_on_status: !args.no_fail_on_status,
        idle_connections_max: in_flight_max.max(defaults.idle_connections_max),
        trust: match &args.cacert {
            _ if args.insecure => Trust::Anything,
            Some(path) => Trust::File(path.clone()),
            None => Trust::Platform,
        },
        rate_max: args.network.limit_rate,
        rate_min: args.network.min_speed,
        unix_socket: args.network.unix_socket.clone(),
        client_identity: network::identity(&args.network),
        proxies: network::proxies(&args.network, environment)?,
        host_overrides: args.network.resolve.clone(),
        family: network::family(&args.network),
        user_agent: args.requests.user_agent.clone().unwrap_or_else(|| defaults.user_agent.clone()),
        ..defaults
    })
}

#[cfg(test)]
mod tests;
