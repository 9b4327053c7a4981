//! Compares engines at fetching, from a server in this process or from a URL that the user names.
//!
//! Owns: the requests.
//! Does not own: the server (the demo's), the job.

use std::time::Duration;

use haul_engine::{Engine, Event};
use haul_fetch::{Config, Destination, FetchJob, FetchTask, Request};
use haul_io::Cancel;

use super::rounds::{Case, Sample, engines, interleaved, timed};
use super::table::Table;
use super::watch::Watch;
use crate::args::BenchArgs;
use crate::demo::server::Server;
use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;
use crate::run::random::system_random;

pub(crate) fn compare(args: &BenchArgs, watch: &Watch) -> Result<Table, Problem> {
    if let Some(url) = &args.url {
        Request::get(url)
            .check()
            .map_err(|error| Problem::usage(format!("cannot fetch {}: {error}", quoted(url))))?;
        let what = format!("{} bodies of {}, discarded", args.files, quoted(url));
        return compare_at(args, url, &format!("{what}; processor time of the client"), watch);
    }
    let mut body = vec![0; args.max_bytes as usize];
    system_random()(&mut body);
    let server = Server::start(vec![body], Duration::from_millis(args.delay.into()))?;
    let what = format!("{} bodies of {} bytes, discarded", args.files, args.max_bytes);
    let title = format!("{what}, each after {} ms; processor time of client and server", args.delay);
    compare_at(args, &server.url(0), &title, watch)
}

fn compare_at(args: &BenchArgs, url: &str, title: &str, watch: &Watch) -> Result<Table, Problem> {
    let cases = engines(args)?.into_iter().map(|engine| Case {
        name: engine.to_string(),
        run: Box::new(move || fetch(args, url, engine, watch)),
    });
    let title = format!("get: {title}, {} rounds", args.rounds);
    interleaved(title, cases.collect(), args.rounds.into(), watch)
}

fn fetch(args: &BenchArgs, url: &str, engine: Engine, watch: &Watch) -> Result<Sample, Problem> {
    let idle_connections_max = engine.in_flight_max().max(Config::default().idle_connections_max);
    let job = FetchJob::new(Config { retries: 0, idle_connections_max, ..Config::default() });
    let tasks = (0..args.files).map(|_| FetchTask::new(url, Destination::Discard));
    let trace = watch.observer(&engine.to_string());
    let config = haul_engine::Config { trace, ..haul_engine::Config::new(engine, Cancel::new()?) };
    timed(|phases| {
        let report = haul_engine::run(&job, tasks, &config, |event| {
            if let Event::Settled(settled) = event {
                phases.add(&settled.phases);
            }
        });
        if report.failed == 0 {
            return Ok(());
        }
        Err(Problem { message: format!("{engine}: a request failed"), hint: None, exit: Exit::Failed })
    })
}
