//! haul against other programs, on the file systems that people have, each on an image of its own behind a loop device.
//!
//! The contestants of a file system take turns, so that a disturbance meets all of them. Each run starts with an empty
//! directory for its results and ends with a sync outside the measured time. `bench-seal`, `bench-get`, `bench-sealed`,
//! `bench-packed`, `bench-fleet` and `bench-store` print the figures of some contests against the usual rivals;
//! `scoreboard` holds all contests against all programs that are installed, and writes the tables of BENCHMARKS.md.
//!
//! Owns: the order of the contests and file systems.
//! Does not own: building `haul`, the prose of BENCHMARKS.md.

mod board;
mod contest;
mod field;
mod fleet;
mod get;
mod mount;
mod open;
mod options;
mod packed;
mod peers;
mod seal;
mod sealed;
mod server;
mod sources;
mod store;

use nix::unistd::geteuid;

use self::contest::{Contest, Standing};
use self::field::Field;
use self::mount::{FileSystem, Mount};
pub(crate) use self::options::Options;
use self::options::Part;
use self::server::Server;
use crate::steps::{output, step};

/// Makes the contests of one kind on a file system.
type Contests = fn(&Field<'_>, FileSystem) -> Result<Vec<Contest>, String>;

/// Measures sealing.
pub(crate) fn seal(options: &Options<'_>) -> Result<(), String> {
    hold(options, None, &[seal::contests]).map(drop)
}

/// Measures fetching from an nginx on this machine.
pub(crate) fn get(options: &Options<'_>) -> Result<(), String> {
    with_server(options, &[get::contests]).map(drop)
}

/// Measures fetching into sealed files.
pub(crate) fn sealed(options: &Options<'_>) -> Result<(), String> {
    with_server(options, &[sealed::contests]).map(drop)
}

/// Measures packing into shards.
pub(crate) fn packed(options: &Options<'_>) -> Result<(), String> {
    with_server(options, &[packed::contests]).map(drop)
}

/// Measures fleets.
pub(crate) fn fleet(options: &Options<'_>) -> Result<(), String> {
    hold(options, None, &[fleet::contests]).map(drop)
}

/// Measures fetching into the buckets of a store.
pub(crate) fn store(options: &Options<'_>) -> Result<(), String> {
    with_server(options, &[store::contests]).map(drop)
}

/// Holds the contests of the parts that are wanted and writes their tables.
pub(crate) fn scoreboard(options: Options<'_>) -> Result<(), String> {
    let options = options.permitted();
    let has_servers = peers::has("nginx".as_ref()) && peers::has("openssl".as_ref());
    let mut outcomes = Vec::new();
    for part in &options.parts {
        match part {
            Part::Files => outcomes.extend(hold(&options, None, &[seal::contests, open::contests])?),
            _ if !has_servers => println!("SKIPPED: {part:?}: no nginx or no openssl here"),
            Part::Fetching => outcomes.extend(with_server(&options, &[get::contests, sealed::contests])?),
            Part::Packing => outcomes.extend(with_server(&options, &[packed::contests])?),
            Part::Fleets => outcomes.extend(hold(&options.on_first(), None, &[fleet::contests])?),
            Part::Stores => {
                // Sources and the store's own files are read and written alike on all: one is enough, as it takes long.
                outcomes.extend(with_server(&options.on_first(), &[store::contests])?);
            }
        }
    }
    let tables: String = board::boards(&outcomes).iter().map(|board| board.to_markdown()).collect();
    let tables = circumstances(&options)? + "\n" + &tables;
    let Some(path) = &options.write else {
        print!("{tables}");
        return Ok(());
    };
    let shown = path.display();
    let document = std::fs::read_to_string(path).map_err(|e| format!("{shown}: {e}"))?;
    let document = board::filled(&document, &tables).map_err(|e| format!("{shown}: {e}"))?;
    std::fs::write(path, document).map_err(|e| format!("{shown}: {e}"))
}

/// What a reader needs to judge the figures.
fn circumstances(options: &Options<'_>) -> Result<String, String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let version = output(std::process::Command::new(&options.haul).arg("--version"))?;
    let (files, mib, rounds) = (options.files, options.large_mib, options.rounds);
    Ok(board::wrapped(&format!(
        "Medians of {rounds} rounds, in which the commands take turns: wall time in s (lowest–highest), then processor \
         time of all cores. Commands with a star do less than the others. {files} small files, a large one of {mib} MiB. {}, {cores} cores, Linux {}. {}, {}.",
        processor.unwrap_or("An unknown processor"),
        kernel.trim(),
        version.trim(),
        peers::versions(),
    )))
}

fn with_server(options: &Options<'_>, kinds: &[Contests]) -> Result<Vec<(&'static str, Standing)>, String> {
    std::fs::create_dir_all(&options.dir).map_err(|e| format!("{}: {e}", options.dir.display()))?;
    let dir = options.dir.canonicalize().map_err(|e| format!("{}: {e}", options.dir.display()))?;
    let served = match Mount::named("served", FileSystem::Tmpfs, &dir) {
        Err(_) if options.against_all => Mount::named("served", FileSystem::Here, &dir)?,
        served => served?,
    };
    let server = Server::start(served.path(), options.files, options.large_mib)?;
    hold(options, Some(&server), kinds)
}

/// Holds the contests of these kinds on each file system, and prints their figures.
fn hold(
    options: &Options<'_>,
    server: Option<&Server>,
    kinds: &[Contests],
) -> Result<Vec<(&'static str, Standing)>, String> {
    let haul = options.haul.canonicalize().map_err(|e| format!("{}: {e}", options.haul.display()))?;
    std::fs::create_dir_all(&options.dir).map_err(|e| format!("{}: {e}", options.dir.display()))?;
    let dir = options.dir.canonicalize().map_err(|e| format!("{}: {e}", options.dir.display()))?;
    let mut outcomes = Vec::new();
    for &system in &options.on {
        step(system.name(), || {
            let mount = match Mount::named(system.name(), system, &dir) {
                // Containers often forbid it, even to root.
                Err(failure) if options.against_all => {
                    println!("SKIPPED: {}: {failure}", system.name());
                    return Ok(());
                }
                mount => mount?,
            };
            let field = Field { haul: &haul, options, server, root: mount.path() };
            for kind in kinds {
                for contest in kind(&field, system)? {
                    let standing = contest.run(options.rounds)?;
                    standing.print();
                    outcomes.push((system.name(), standing));
                }
            }
            Ok(())
        })?;
    }
    Ok(outcomes)
}

impl Options<'_> {
    /// The options, on the first file system only.
    fn on_first(&self) -> Self {
        Self { on: self.on.iter().copied().take(1).collect(), ..self.clone() }
    }

    /// The options without file systems that this process can't mount.
    fn permitted(mut self) -> Self {
        if geteuid().is_root() {
            return self;
        }
        println!("SKIPPED: {} file systems: mounting them needs root", self.on.len());
        self.on = vec![FileSystem::Here];
        self
    }
}
