//! `haul get`.
//!
//! Owns: its plan, naming results, what each must be.
//! Does not own: fetching, lists.

mod asking;
mod cookies;
mod failures;
mod netrc;
mod network;
mod terminal;
mod told;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::IsTerminal;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use haul_engine::{Engine, Next, Source};
use haul_fetch::{
    Algorithm, Checksum, Config, Destination, Error, Expected, FetchJob, FetchTask, HostLimits, HostSource, Request,
    Segments, Trust, basename, path_name, unreserved,
};
use haul_io::{File, Preserve, Publish};

use self::asking::Asking;
use self::cookies::Cookies;
use self::failures::Failures;
use self::terminal::Showing;
use crate::args::{CommonArgs, GetArgs, NameArg, ProgressArg, SegmentsArg};
use crate::checksums::Checksums;
use crate::dry_run::DryRun;
use crate::exit::{Exit, Problem};
use crate::list::{BadLine, Item, Line};
use crate::list_reader::List;
use crate::plan::{Chosen, new_file_mode};
use crate::probe;
use crate::report::{Told, run_and_tell_also};
use crate::streams::binary_on_terminal;
use crate::voice::{Voice, quoted};

pub(crate) fn run(args: &GetArgs, voice: &Voice) -> Result<Exit, Problem> {
    let is_shown = is_stdout(args.output.as_deref()) && std::io::stdout().is_terminal();
    if !is_shown || args.common.dry_run {
        return fetch(args, &args.common, None, voice);
    }
    let (terminal, showing) = Showing::start()?;
    let progress = match args.common.progress {
        // Both would be on the same screen.
        ProgressArg::Auto => ProgressArg::Never,
        asked => asked,
    };
    let common = CommonArgs { progress, ..args.common.clone() };
    let exit = fetch(args, &common, Some(terminal), voice)?;
    if !showing.end()? {
        return Ok(exit);
    }
    let Problem { message, .. } = binary_on_terminal();
    voice.error(message);
    voice.hint("name a file with -o, or pass it on to a program");
    Ok(exit.max(Exit::Failed))
}

/// Fetches; what is for stdout goes to the `terminal`, where there is one.
fn fetch(
    args: &GetArgs,
    common: &CommonArgs,
    terminal: Option<File>,
    voice: &Voice,
) -> Result<Exit, Problem> {
    let naming = Naming::of(args, terminal)?;
    let source = Urls {
        args: args.urls.clone().into_iter(),
        list: args.input.as_deref().map(List::open).transpose()?,
        naming,
    };
    if args.common.dry_run {
        return Ok(dry_run(source, DryRun::new(FetchJob::VERB, common.json, voice)));
    }
    if args.insecure {
        voice.warning("certificates are not checked: anybody may read and change what is fetched");
    }
    let only_one = args.input.is_none() && args.urls.len() == 1;
    let (chosen, in_flight_max) = match args.common.engine.0 {
        Some(engine) => (Chosen::asked(engine), engine.in_flight_max()),
        None if only_one => {
            let count = segments(args).count_max;
            (probe::for_one_transfer(count), count)
        }
        None => (probe::for_transfers(args.jobs.into()), args.jobs.into()),
    };
    let started = Instant::now();
    let cookies = args.ask.cookie_jar.as_deref().map(Cookies::open).transpose()?;
    let config = Config { cookies: cookies.as_ref().map(Cookies::jar), ..config(args, in_flight_max)? };
    let mut failures = args.failures.as_deref().map(Failures::create).transpose()?;
    let exit = run_and_tell_also(
        &FetchJob::new(config),
        HostSource::new(source, limits(args, &chosen.engine, in_flight_max), move || started.elapsed()),
        &chosen,
        common,
        voice,
        |task| failures.iter_mut().for_each(|failures| failures.add(task)),
    )?;
    let written = [failures.map_or(Ok(()), Failures::finish), cookies.map_or(Ok(()), Cookies::write)];
    let errors = written.into_iter().filter_map(Result::err);
    Ok(errors.fold(exit, |exit, error| {
        voice.error(error);
        exit.max(Exit::Failed)
    }))
}

fn limits(args: &GetArgs, engine: &Engine, in_flight_max: usize) -> HostLimits {
    let defaults = HostLimits::default();
    // A rate is kept only by what starts when it is given out: nothing then waits for a worker. Nor may anything wait where
    // rings of one depth have more room than transfers are wanted.
    let exact = args.rate.is_some() || engine.in_flight_max() > in_flight_max;
    let ahead = if exact { 0 } else { in_flight_max };
    HostLimits {
        total_max: in_flight_max + ahead,
        per_host_max: if usize::from(args.per_host) < in_flight_max {
            args.per_host.into()
        } else {
            usize::MAX
        },
        per_host_rate: args.rate,
        ..defaults
    }
}

fn is_stdout(output: Option<&Path>) -> bool {
    output == Some(Path::new("-"))
}

/// What a file in segments may take. Where their number was chosen, all files are divided that are worth a second request.
fn segments(args: &GetArgs) -> Segments {
    let defaults = Segments { per_host_max: args.per_host.into(), ..Segments::default() };
    let count_max = match args.segments {
        SegmentsArg::Auto => 4,
        SegmentsArg::Count(count) => count.into(),
    };
    let bytes_min = match args.segments {
        SegmentsArg::Auto => defaults.bytes_min,
        SegmentsArg::Count(_) => 2 * defaults.piece_bytes_min,
    };
    Segments { count_max: count_max.min(args.per_host.into()), bytes_min, ..defaults }
}

fn config(args: &GetArgs, in_flight_max: usize) -> Result<Config, Problem> {
    let defaults = Config::default();
    Ok(Config {
        connect_timeout: Duration::from_secs_f64(args.connect_timeout),
        read_timeout: Duration::from_secs_f64(args.read_timeout),
        total_timeout: args.max_time.map(Duration::from_secs_f64),
        retries: args.retries,
        resume: args.resume,
        sync: args.sync,
        segments: segments(args),
        redirects_max: args.max_redirects,
        allow_downgrade: args.allow_downgrade,
        compressed: args.compressed,
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
        proxies: network::proxies(&args.network, |name| std::env::var(name).ok())?,
        known_hosts: args.network.resolve.clone(),
        family: network::family(&args.network),
        user_agent: args.ask.user_agent.clone().unwrap_or_else(|| defaults.user_agent.clone()),
        ..defaults
    })
}

/// How a URL becomes a task.
struct Naming {
    /// The one result, where it was named.
    output: Option<Destination>,
    dir: PathBuf,
    how: NameArg,
    asking: Asking,
    mode: u32,
    /// What the one result must hash to.
    checksum: Option<Checksum>,
    checksums: Option<Checksums>,
    /// A hash that is told of in any case.
    hash: Option<Algorithm>,
    /// Whether tasks carry what they were made from.
    keeps_lines: bool,
}

impl Naming {
    fn of(args: &GetArgs, terminal: Option<File>) -> Result<Self, Problem> {
        if args.urls.is_empty() && args.input.is_none() {
            return Err(Problem::usage("nothing to fetch").hint("name URLs, or a list of them with -i"));
        }
        let mode = new_file_mode();
        let output = match &args.output {
            None => None,
            Some(_) if args.urls.len() > 1 => {
                return Err(Problem::usage("-o is for a single URL").hint("-d names a directory for many"));
            }
            path if is_stdout(path.as_deref()) => {
                if args.common.json {
                    return Err(Problem::usage("stdout has the data, so that --json can't have it")
                        .hint("name a file with -o"));
                }
                let stdout = || rustix::io::dup(std::io::stdout()).map_err(std::io::Error::from);
                Some(Destination::Stream(terminal.map_or_else(|| stdout().map(File::from), Ok)?))
            }
            Some(path) => Some(Destination::File(publish(path.clone(), mode))),
        };
        if args.sync && matches!(output, Some(Destination::Stream(_))) {
            return Err(Problem::usage("--sync keeps up a file, and stdout is none"));
        }
        let only_one = args.urls.len() == 1 && args.input.is_none();
        let asking = Asking::of(&args.ask, only_one)?;
        if args.name == NameArg::Disposition && (args.resume || args.sync || args.checksums.is_some()) {
            let problem = Problem::usage("-c, --sync and --checksums need names that are known ahead");
            return Err(problem.hint("--name path and --name basename make such"));
        }
        if args.checksum.is_some() && args.urls.len() > 1 {
            let problem = Problem::usage("--checksum is for a single URL");
            return Err(problem.hint("--checksums names a file with one for each"));
        }
        Ok(Self {
            output,
            dir: args.dir.clone(),
            how: args.name,
            asking,
            mode,
            checksum: args.checksum.clone(),
            checksums: args.checksums.as_deref().map(Checksums::read).transpose()?,
            hash: args.common.json.then_some(Algorithm::Sha256),
            keeps_lines: args.failures.is_some(),
        })
    }

    fn task(&self, line: Line) -> FetchTask {
        let kept = self.keeps_lines.then(|| failures::kept(&line));
        let mut task = match line {
            Ok(item) => self.task_of(item),
            Err(BadLine { number, reason }) => {
                FetchTask::of(Err(reason), format!("line {number} of the list"), Destination::Discard)
            }
        };
        task.context = kept;
        task
    }

    fn task_of(&self, item: Item) -> FetchTask {
        let request = self.asking.request(&item);
        let destination = match (&self.output, &request) {
            (Some(destination), _) => Ok(destination.clone()),
            (None, Ok(request)) => self.destination(&item, request),
            (None, Err(_)) => Ok(Destination::Discard),
        };
        let expected = self.expected(&item, &destination, request.as_ref().ok());
        match destination.and_then(|destination| Ok((destination, expected?))) {
            Ok((destination, expected)) => {
                let mut task = FetchTask::of(request, item.url, destination);
                task.expected = expected;
                task
            }
            Err(reason) => FetchTask::of(Err(reason), item.url, Destination::Discard),
        }
    }

    /// What the body of `item` must be, by whoever says so.
    fn expected(
        &self,
        item: &Item,
        destination: &Result<Destination, String>,
        request: Option<&Request>,
    ) -> Result<Expected, String> {
        let mut checksums: Vec<_> = self.checksum.iter().cloned().collect();
        if let Some(hex) = &item.sha256 {
            let checksum = Checksum::from_hex(Algorithm::Sha256, hex);
            checksums.push(checksum.map_err(|_| format!("{} is no SHA-256", quoted(hex)))?);
        }
        if let (Some(listed), Some(request)) = (&self.checksums, request) {
            let name = match destination {
                Ok(Destination::File(publish)) => {
                    publish.path.strip_prefix(&self.dir).unwrap_or(&publish.path).into()
                }
                _ => PathBuf::from(basename(request.url())),
            };
            let checksum =
                listed.of(&name).ok_or_else(|| format!("no checksum is listed for {}", quoted(&name)))?;
            checksums.push(checksum.clone());
        }
        Ok(Expected { checksums, size: item.size, hash: self.hash })
    }

    fn destination(&self, item: &Item, request: &Request) -> Result<Destination, String> {
        let name: PathBuf = match (&item.out, self.how) {
            (Some(out), _) if !stays_inside(out) => {
                return Err(format!("{} leaves the directory", quoted(out)));
            }
            (Some(out), _) => out.clone(),
            (None, NameArg::Basename) => basename(request.url()).into(),
            (None, NameArg::Path) => path_name(request.url()).into(),
            (None, NameArg::Disposition) => {
                let name = unreserved(Path::new(&basename(request.url())));
                let publish = publish(self.dir.join(name), self.mode);
                return Ok(Destination::Named(publish));
            }
        };
        // Nobody but the user may choose names that haul's own files have.
        let name = if item.is_typed { name } else { unreserved(&name) };
        Ok(Destination::File(publish(self.dir.join(name), self.mode)))
    }
}

/// Whether a list's own name for a result stays below the directory of results.
fn stays_inside(path: &Path) -> bool {
    !path.as_os_str().is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

fn publish(path: PathBuf, mode: u32) -> Publish {
    Publish { preserve: Preserve { mode: Some(mode), ..Preserve::default() }, ..Publish::new(path) }
}

/// The URLs that were typed, then those of the list.
struct Urls {
    args: std::vec::IntoIter<String>,
    list: Option<List>,
    naming: Naming,
}

impl Source<FetchTask> for Urls {
    fn next(&mut self) -> Next<FetchTask> {
        let line = match (Iterator::next(&mut self.args), &mut self.list) {
            (Some(url), _) => Next::Task(Ok(Item { is_typed: true, ..Item::of_url(url) })),
            (None, Some(list)) => list.next(),
            (None, None) => Next::End,
        };
        match line {
            Next::Task(line) => Next::Task(self.naming.task(line)),
            Next::Again(id) => Next::Again(id),
            Next::Later => Next::Later,
            Next::End => Next::End,
        }
    }
}

fn dry_run(mut source: Urls, mut told: DryRun<'_>) -> Exit {
    let (hasher, mut names) = (RandomState::new(), HashSet::new());
    while !told.is_unread() {
        let task = match source.next() {
            Next::Task(task) => task,
            Next::Again(_) | Next::Later => {
                std::thread::yield_now();
                continue;
            }
            Next::End => break,
        };
        let (place, target) = match &task.destination {
            Destination::File(publish) => (quoted(&publish.path), Some(publish.path.as_path())),
            Destination::Named(publish) => {
                (format!("{}, or as the server names it", quoted(&publish.path)), None)
            }
            _ => ("stdout".to_owned(), None),
        };
        match &task.request {
            Ok(_) if target.is_some_and(|target| !names.insert(hasher.hash_one(target))) => {
                told.fail(&task.label, &Error::NameTaken.to_string());
            }
            Ok(_) => told.plan(&format!("{} -> {place}", quoted(&task.label)), &task.label, target),
            Err(reason) => told.fail(&task.label, reason),
        }
    }
    told.end()
}
