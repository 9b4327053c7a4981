//! Compares the bounded ring with other queues: nanoseconds per message, and ping-pong latency.
//!
//! Owns: which queue is compared in which case.
//! Does not own: measuring ([`super::measure`]).

use super::measure::{self, Case, Kind};
use super::table::{Row, Table};
use crate::args::BenchArgs;

/// Messages per figure.
const MESSAGES: usize = 200_000;

/// A table for each case.
pub(crate) fn compare(args: &BenchArgs) -> Vec<Table> {
    measure::CASES.iter().map(|case| compare_in(case, args.rounds.into())).collect()
}

fn compare_in(case: &Case, rounds: usize) -> Table {
    let kinds: Vec<Kind> = measure::KINDS.iter().copied().filter(|kind| kind.fits(case)).collect();
    let mut figures: Vec<Vec<f64>> = kinds.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for _ in 0..rounds {
        for (kind, figures) in kinds.iter().zip(&mut figures) {
            figures.push(measure::run(*kind, case, MESSAGES));
        }
    }
    let rows = kinds.iter().zip(figures);
    let rows = rows.map(|(kind, figures)| Row { name: kind.name().to_owned(), figures, cpu: Vec::new() });
    Table { title: format!("queue: {}, {rounds} rounds", case.name), unit: case.unit(), rows: rows.collect() }
}
