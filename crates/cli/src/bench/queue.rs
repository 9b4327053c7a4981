//! Compares the bounded ring with other queues: nanoseconds per message, and ping-pong latency.
//!
//! Owns: which queue is compared in which workload.
//! Does not own: measuring ([`super::measure`]).

use super::measure::{self, QueueKind, Workload};
use super::table::{Row, Table};
use crate::args::BenchArgs;
use crate::report::progress::{Progress, ProgressEvent};

/// Messages per figure.
const MESSAGES: usize = 200_000;

/// A table for each workload.
pub(crate) fn compare(args: &BenchArgs, progress: &Progress) -> Vec<Table> {
    let kinds = |workload| measure::KINDS.iter().filter(|kind| kind.fits(workload)).count();
    let runs: usize =
        measure::WORKLOADS.iter().map(|workload| kinds(workload) * usize::from(args.rounds)).sum();
    progress.tell(ProgressEvent::Total(runs as u64));
    measure::WORKLOADS.iter().map(|workload| compare_in(workload, args.rounds.into(), progress)).collect()
}

fn compare_in(workload: &Workload, rounds: usize, progress: &Progress) -> Table {
    let kinds: Vec<QueueKind> = measure::KINDS.iter().copied().filter(|kind| kind.fits(workload)).collect();
    let mut figures: Vec<Vec<f64>> = kinds.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for _ in 0..rounds {
        for (kind, figures) in kinds.iter().zip(&mut figures) {
            progress.tell(ProgressEvent::Stage(format!("{}, {}", workload.name, kind.name())));
            figures.push(measure::run(*kind, workload, MESSAGES));
            progress.tell(ProgressEvent::Ended { succeeded: true, length: None, bytes: 0 });
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
