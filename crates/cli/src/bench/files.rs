//! Compares engines at sealing and at XOR, on a tree of small files.
//!
//! Owns: the tree, fresh directories for results, cold and warm caches.
//! Does not own: the jobs.

use std::path::{Path, PathBuf};

use haul_engine::{Config, Engine, Event, Workers};
use haul_io::{Cancel, Durability};
use haul_seal::{
    Direction, FileOptions, Placement, Recipient, SealJob, Task, Walk, X25519Identity, XorJob, XorMode,
};

use super::rounds::{Case, Sample, engines, interleaved, timed};
use super::table::Table;
use super::watch::Watch;
use crate::args::{BenchArgs, BenchWhat};
use crate::report::describe::{Reportable, Setting};
use crate::report::exit::{Exit, Problem};
use crate::run::random::system_random;

pub(crate) fn compare(args: &BenchArgs, watch: &Watch) -> Result<Table, Problem> {
    let dir = tempfile::Builder::new().prefix("haul-bench-").tempdir_in(&args.dir)?;
    let tree = dir.path().join("tree");
    let bytes = make_tree(&tree, args)?;
    let bench = Bench { args, tree, dir: dir.path(), watch };
    let seal = bench.seal_job()?;
    let xor = XorJob::new(b"a key of some length", XorMode::Overwrite)
        .map_err(|error| Problem::usage(error.to_string()))?;
    let mut cases = Vec::new();
    for engine in engines(args)? {
        let (bench, seal, xor) = (&bench, &seal, &xor);
        let run: Box<dyn FnMut() -> Result<Sample, Problem>> = match args.what {
            BenchWhat::Seal => Box::new(move || bench.seal(seal, engine)),
            _ => Box::new(move || bench.xor(xor, engine)),
        };
        cases.push(Case { name: engine.to_string(), run });
    }
    let what = if args.what == BenchWhat::Seal { "seal" } else { "xor in place" };
    let state = match (args.cold, args.durable && args.what == BenchWhat::Seal) {
        (false, false) => "warm",
        (true, false) => "cold",
        (false, true) => "warm, durable",
        (true, true) => "cold, durable",
    };
    let title = format!(
        "{what}: {} files of 1 to {} bytes, {}, {state}, {} rounds",
        args.files,
        args.max_bytes,
        crate::report::text::human_bytes(bytes),
        args.rounds
    );
    let table = interleaved(title, cases, args.rounds.into(), watch);
    dir.close()?;
    table
}

struct Bench<'a> {
    args: &'a BenchArgs,
    tree: PathBuf,
    dir: &'a Path,
    watch: &'a Watch,
}

impl Bench<'_> {
    fn seal_job(&self) -> Result<SealJob, Problem> {
        let identity = X25519Identity::generate_with(&mut system_random());
        let recipients = vec![Recipient::X25519(identity.to_recipient())];
        let durability = if self.args.durable { Durability::Synced } else { Durability::Eventual };
        SealJob::new(recipients, FileOptions { durability, ..FileOptions::default() })
            .map_err(|error| Problem::usage(error.to_string()))
    }

    /// Seals into a fresh directory, which is removed afterwards.
    fn seal(&self, job: &SealJob, engine: Engine) -> Result<Sample, Problem> {
        let fresh = tempfile::Builder::new().prefix("sealed-").tempdir_in(self.dir)?;
        let sample = self.run(job, engine, Direction::Seal, Some(fresh.path().to_owned()))?;
        fresh.close()?;
        Ok(sample)
    }

    fn xor(&self, job: &XorJob, engine: Engine) -> Result<Sample, Problem> {
        self.run(job, engine, Direction::Replace, None)
    }

    fn run<J: Reportable<Task = Task>>(
        &self,
        job: &J,
        engine: Engine,
        direction: Direction,
        output: Option<PathBuf>,
    ) -> Result<Sample, Problem> {
        if self.args.cold {
            drop_caches()?;
        }
        let placement = Placement { direction, suffix: ".age".into(), output };
        let mut walk = Walk::new(vec![self.tree.clone()], placement)
            .map_err(|error| Problem::usage(error.to_string()))?;
        let trace = self.watch.observer(&engine.to_string());
        let config = Config { trace, ..Config::new(engine, Cancel::new()?) };
        let setting = Setting { config, workers: Workers::default() };
        timed(|phases| {
            let report = job.run(&mut walk, &setting, &mut |event| {
                if let Event::Settled(settled) = event {
                    phases.add(&settled.phases);
                }
            });
            if report.succeeded == u64::from(self.args.files) && report.failed == 0 {
                return Ok(());
            }
            Err(Problem { message: format!("{engine}: a task failed"), hint: None, exit: Exit::Failed })
        })
    }
}

/// Creates files whose lengths are spread evenly from 1 byte to the maximum. Returns the sum of their lengths.
fn make_tree(tree: &Path, args: &BenchArgs) -> Result<u64, Problem> {
    std::fs::create_dir(tree)?;
    let mut content = vec![0; args.max_bytes as usize];
    system_random()(&mut content);
    let mut sum = 0;
    for index in 0..u64::from(args.files) {
        // A prime step shuffles the lengths.
        let bytes = 1 + index * 7_919 % u64::from(args.max_bytes);
        std::fs::write(tree.join(format!("f{index:06}")), &content[..bytes as usize])?;
        sum += bytes;
    }
    Ok(sum)
}

/// Flushes and drops the page cache. Needs root.
fn drop_caches() -> Result<(), Problem> {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").map_err(|error| {
        Problem::usage(format!("cannot drop the page cache: {}", haul_io::reason(&error)))
            .hint("--cold needs root")
    })
}
