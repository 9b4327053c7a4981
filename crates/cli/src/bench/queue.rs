//! Compares the bounded ring with other queues: nanoseconds per message, and ping-pong latency.
//!
//! Owns: which queue is compared in which workload.
//! Does not own: measuring ([`super::measure`]).

use super::measure::{self, QueueKind, Workload};
use super::table::{Row, Table};
use crate::args::BenchArgs;

/// Messages per figure.
const MESSAGES: usize = 200_000;

/// A table for each workload.
pub(crate) fn compare(args: &BenchArgs) -> Vec<Table> {
    measure::WORKLOADS.iter().map(|workload| compare_in(workload, args.rounds.into())).collect()
}

fn compare_in(workload: &Workload, rounds: usize) -> Table {
    let kinds: Vec<QueueKind> = measure::KINDS.iter().copied().filter(|kind| kind.fits(workload)).collect();
    let mut figures: Vec<Vec<f64>> = kinds.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for _ in 0..rounds {
        for (kind, figures) in kinds.iter().zip(&mut figures) {
            figures.push(measure::run(*kind, workload, MESSAGES));
        }
    }
    let rows = kinds.iter().zip(figures);
    let rows = rows.map(|(kind, figures)| Row { name: kind.name().to_owned(), figures, cpu: Vec::new() });
    Table {
        title: format!("queue: {}, {rounds} rounds", workload.name),
        unit: workload.unit(),
        rows: rows.collect(),
    }
}
