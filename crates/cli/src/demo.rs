//! `haul demo`: shows in a few seconds, without a network, what the program does.
//!
//! In: the arguments. Out: a table on stdout. Everything that the demo creates is removed at the end. The server
//! ([`server`]) also serves `haul bench get`.
//!
//! Owns: the steps of the demo, its files.
//! Does not own: the jobs, the engines, the table's form.

pub(crate) mod server;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use haul_engine::{Engine, Job, Report, Source};
use haul_fetch::{Config, Destination, FetchJob, FetchTask};
use haul_io::{Cancel, Publish};
use haul_seal::{
    Direction, FileOptions, Identity, OpenJob, Placement, Recipient, SealJob, Walk, X25519Identity,
};

use crate::args::DemoArgs;
use crate::report::exit::{Exit, Problem};
use crate::report::text::human_bytes;
use crate::report::voice::Voice;
use crate::run::random::system_random;
use crate::run::signals::SignalWatch;
use server::Server;

/// Concurrent transfers in the second step.
const TRANSFERS: NonZeroUsize = NonZeroUsize::new(32).expect("not zero");

pub(crate) fn run(args: &DemoArgs, voice: &Voice) -> Result<Exit, Problem> {
    let cancel = Cancel::new()?;
    let _watch = SignalWatch::start(cancel.clone())?;
    let dir = tempfile::Builder::new().prefix("haul-demo-").tempdir()?;
    let bodies = bodies(args.files.into());
    let server = Server::start(bodies.clone(), Duration::from_millis(args.delay.into()))?;
    let demo = Demo { dir: dir.path(), server: &server, bodies: &bodies, cancel: cancel.clone(), voice };
    let result = demo.show(args.delay);
    drop(server);
    dir.close()?;
    match result {
        Err(_) if cancel.is_triggered() => Ok(Exit::Interrupted),
        result => result.map(|()| Exit::Success),
    }
}

struct Demo<'a> {
    dir: &'a Path,
    server: &'a Server,
    bodies: &'a [Vec<u8>],
    cancel: Cancel,
    voice: &'a Voice,
}

impl Demo<'_> {
    fn show(&self, delay: u16) -> Result<(), Problem> {
        let (count, bytes) =
            (self.bodies.len(), human_bytes(self.bodies.iter().map(|body| body.len() as u64).sum()));
        self.voice
            .data(format!("A local server answers each request after {delay} ms; {count} files, {bytes}."));
        self.voice.data(format!("{:<26}{:<14}{:>9}{:>14}", "what", "engine", "seconds", "files/s"));
        let threads = Engine::Threads(TRANSFERS);
        let one_by_one = self.fetch("fetch, one by one", Engine::Serial, "one")?;
        let at_once = self.fetch("fetch, many at once", threads, "fetched")?;
        self.seal_and_open()?;
        let ratio = one_by_one.as_secs_f64() / at_once.as_secs_f64().max(1e-9);
        self.voice.data(format!(
            "Concurrent fetching was {ratio:.1} times faster; every byte verified; everything removed."
        ));
        Ok(())
    }

    fn fetch(&self, what: &str, engine: Engine, name: &str) -> Result<Duration, Problem> {
        let dir = self.dir.join(name);
        let tasks = (0..self.bodies.len()).map(|index| {
            let publish = Publish::new(dir.join(file_name(index)));
            FetchTask::new(&self.server.url(index), Destination::File(publish))
        });
        let report =
            self.step(what, &FetchJob::new(Config { retries: 0, ..Config::default() }), tasks, engine)?;
        self.verify(&dir)?;
        Ok(report.wall)
    }

    fn seal_and_open(&self) -> Result<(), Problem> {
        let identity = X25519Identity::generate_with(&mut system_random());
        let recipients = vec![Recipient::X25519(identity.to_recipient())];
        let seal = SealJob::new(recipients, FileOptions::default()).map_err(|error| failed(&error))?;
        let open = OpenJob::new(vec![Identity::X25519(identity)], FileOptions::default());
        let (fetched, sealed, opened) =
            (self.dir.join("fetched"), self.dir.join("sealed"), self.dir.join("opened"));
        let cores: Engine = "threads".parse().map_err(|error| failed(&error))?;
        self.step("seal what was fetched", &seal, walk(&fetched, Direction::Seal, &sealed)?, cores)?;
        self.step("open what was sealed", &open, walk(&sealed, Direction::Open, &opened)?, cores)?;
        self.verify(&opened)
    }

    fn step<J: Job>(
        &self,
        what: &str,
        job: &J,
        tasks: impl Source<J::Task>,
        engine: Engine,
    ) -> Result<Report, Problem> {
        let config = haul_engine::Config::new(engine, self.cancel.clone());
        let report = haul_engine::run(job, tasks, &config, |_| {});
        if report.succeeded != self.bodies.len() as u64 || report.failed > 0 {
            return Err(failed(&format!("{what}: {} of {} failed", report.failed, self.bodies.len())));
        }
        let seconds = report.wall.as_secs_f64();
        let per_second = report.succeeded as f64 / seconds.max(1e-9);
        self.voice.data(format!("{what:<26}{:<14}{seconds:>9.3}{per_second:>14.0}", engine.to_string()));
        Ok(report)
    }

    fn verify(&self, dir: &Path) -> Result<(), Problem> {
        for (index, body) in self.bodies.iter().enumerate() {
            if std::fs::read(dir.join(file_name(index)))? != *body {
                return Err(failed(&format!("{} differs from what was served", file_name(index))));
            }
        }
        Ok(())
    }
}

fn failed(message: &impl std::fmt::Display) -> Problem {
    Problem { message: format!("the demo failed: {message}"), hint: None, exit: Exit::Failed }
}

fn walk(from: &Path, direction: Direction, to: &Path) -> Result<Walk, Problem> {
    let placement = Placement { direction, suffix: ".age".into(), output: Some(to.to_owned()) };
    Walk::new(vec![PathBuf::from(from)], placement).map_err(|error| failed(&error))
}

fn file_name(index: usize) -> String {
    format!("file{index:04}")
}

/// Random contents of 1 to 60 KB.
fn bodies(count: usize) -> Vec<Vec<u8>> {
    let mut random = system_random();
    let body = |index: usize| {
        let mut body = vec![0; 1_000 + index * 7_919 % 59_000];
        random(&mut body);
        body
    };
    (0..count).map(body).collect()
}
