//! Comparing engines at fetching, from a server in this process.
//!
//! Owns: the requests.
//! Does not own: the server (the demo's), the job.

use std::time::Duration;

use haul_engine::Engine;
use haul_fetch::{Config, FetchJob, FetchTask, Place};
use haul_io::Cancel;

use super::{Case, Sample, Table, engines, interleaved, timed};
use crate::args::BenchArgs;
use crate::demo::server::Server;
use crate::exit::{Exit, Problem};
use crate::plan::system_random;

pub(crate) fn compare(args: &BenchArgs) -> Result<Table, Problem> {
    let mut body = vec![0; args.max_bytes as usize];
    system_random()(&mut body);
    let server = Server::start(vec![body], Duration::from_millis(args.delay.into()))?;
    let server = &server;
    let cases = engines(args)?
        .into_iter()
        .map(|engine| Case { name: engine.to_string(), run: Box::new(move || fetch(args, server, engine)) });
    let title = format!(
        "get: {} bodies of {} bytes, discarded, each after {} ms, {} rounds; the processor time is client and server",
        args.files, args.max_bytes, args.delay, args.rounds
    );
    interleaved(title, cases.collect(), args.rounds.into())
}

fn fetch(args: &BenchArgs, server: &Server, engine: Engine) -> Result<Sample, Problem> {
    let job = FetchJob::new(Config { retries: 0, ..Config::default() });
    let url = server.url(0);
    let tasks = (0..args.files).map(|_| FetchTask::new(&url, Place::Discard));
    let config = haul_engine::Config { engine, cancel: Cancel::new()?, progress: Default::default() };
    timed(|| {
        let report = haul_engine::run(&job, tasks, &config, |_| {});
        match report.failed {
            0 => Ok(()),
            _ => Err(Problem {
                message: format!("{engine}: a request failed"),
                hint: None,
                exit: Exit::Failed,
            }),
        }
    })
}
