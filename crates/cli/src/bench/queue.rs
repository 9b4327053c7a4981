//! Compares the bounded ring with other queues: nanoseconds per message, and ping-pong latency. Measures the dispatcher
//! and the lease table with several threads and processes.
//!
//! Owns: which queue is compared in which workload.
//! Does not own: measuring ([`super::measure`]).

use std::io;

use super::measure::{self, QueueKind};
use super::table::{Row, Table};
use super::watch::Watch;
use super::{dispatcher, lease};
use crate::args::BenchArgs;
use crate::report::exit::{Exit, Problem};
use crate::run::workers::measured_worker;

/// Messages or tasks per figure.
const MESSAGES: usize = 200_000;

/// A table for each workload of the queues, one for the dispatcher and one for the lease table.
pub(crate) fn compare(args: &BenchArgs, watch: &Watch) -> Result<Vec<Table>, Problem> {
    let rounds = usize::from(args.rounds);
    let comparisons = comparisons();
    let runs = comparisons.iter().map(|comparison| comparison.cases.len() * rounds).sum::<usize>();
    watch.expect(runs);
    comparisons.into_iter().map(|comparison| comparison.table(rounds, watch)).collect()
}

fn comparisons() -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for workload in measure::WORKLOADS {
        let kinds = measure::KINDS.iter().copied().filter(|kind| kind.fits(workload));
        let case = |kind: QueueKind| Case {
            name: kind.name().to_owned(),
            measure: Box::new(move || measure::run(kind, workload, MESSAGES)),
        };
        let (what, unit, cases) = (workload.name, workload.unit(), kinds.map(case).collect());
        comparisons.push(Comparison { what, unit, cases });
    }
    let cases = dispatcher::ENGINES.into_iter().filter_map(|name| {
        let engine = name.parse().ok()?;
        let measure = Box::new(move || dispatcher::measure(engine, MESSAGES as u64));
        Some(Case { name: name.to_owned(), measure })
    });
    let (what, unit) = ("dispatcher, tasks that do nothing", "ns/task");
    comparisons.push(Comparison { what, unit, cases: cases.collect() });
    let cases = lease::CASES.into_iter().map(|workers| Case {
        name: workers.name(),
        measure: Box::new(move || lease::measure(workers, MESSAGES, measured_worker)),
    });
    let what = "lease table, a claim and a finish per task";
    comparisons.push(Comparison { what, unit, cases: cases.collect() });
    comparisons
}

/// What one table compares.
struct Comparison {
    what: &'static str,
    unit: &'static str,
    cases: Vec<Case>,
}

/// One of the things that are compared.
struct Case {
    name: String,
    measure: Box<dyn Fn() -> io::Result<f64>>,
}

impl Comparison {
    fn table(self, rounds: usize, watch: &Watch) -> Result<Table, Problem> {
        let Self { what, unit, cases } = self;
        let mut figures: Vec<Vec<f64>> = cases.iter().map(|_| Vec::with_capacity(rounds)).collect();
        for _ in 0..rounds {
            for (case, figures) in cases.iter().zip(&mut figures) {
                let figure = watch.run(&format!("{what}, {}", case.name), &case.measure);
                figures.push(figure.map_err(|error| refused(&error))?);
            }
        }
        let rows = cases.into_iter().zip(figures);
        let rows =
            rows.map(|(case, figures)| Row { name: case.name, figures, cpu: Vec::new(), phases: None });
        Ok(Table { title: format!("queue: {what}, {rounds} rounds"), unit, rows: rows.collect() })
    }
}

fn refused(error: &io::Error) -> Problem {
    let message = format!("cannot start the workers to be measured: {}", haul_io::reason(error));
    Problem { message, hint: None, exit: Exit::Failed }
}
