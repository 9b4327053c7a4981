//! Compares the bounded ring with other queues: nanoseconds per message, and ping-pong latency.
//!
//! Owns: which queue is compared in which workload.
//! Does not own: measuring ([`super::measure`]).

use std::io;

use super::measure::{self, QueueKind, Workload};
use super::table::{Row, Table};
use crate::args::BenchArgs;
use crate::report::exit::{Exit, Problem};

/// Messages per figure.
const MESSAGES: usize = 200_000;

/// A table for each workload.
pub(crate) fn compare(args: &BenchArgs) -> Result<Vec<Table>, Problem> {
    let tables = measure::WORKLOADS.iter().map(|workload| compare_in(workload, args.rounds.into()));
    tables.collect()
}

fn compare_in(workload: &Workload, rounds: usize) -> Result<Table, Problem> {
    let kinds: Vec<QueueKind> = measure::KINDS.iter().copied().filter(|kind| kind.fits(workload)).collect();
    let mut figures: Vec<Vec<f64>> = kinds.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for _ in 0..rounds {
        for (kind, figures) in kinds.iter().zip(&mut figures) {
            figures.push(measure::run(*kind, workload, MESSAGES).map_err(|error| refused(&error))?);
        }
    }
    let rows = kinds.iter().zip(figures);
    let rows = rows.map(|(kind, figures)| Row { name: kind.name().to_owned(), figures, cpu: Vec::new() });
    Ok(Table {
        title: format!("queue: {}, {rounds} rounds", workload.name),
        unit: workload.unit(),
        rows: rows.collect(),
    })
}

fn refused(error: &io::Error) -> Problem {
    let message = format!("cannot start the threads to be measured: {}", haul_io::reason(error));
    Problem { message, hint: None, exit: Exit::Failed }
}
