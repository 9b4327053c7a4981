//! Interleaved rounds: every case runs once in each round, so that a disturbance of the machine affects all alike.
//!
//! Owns: measuring a run, the order of runs, which engines are compared.
//! Does not own: what a run does, tables ([`super::table`]).

use std::time::{Duration, Instant};

use haul_engine::Engine;

use super::table::{Row, Table, TaskPhases};
use super::watch::Watch;
use crate::args::BenchArgs;
use crate::report::exit::Problem;
use crate::report::stats::Usage;

/// One of the things that are compared.
pub(super) struct Case<'a> {
    pub(super) name: String,
    /// Runs it once.
    pub(super) run: Box<dyn FnMut() -> Result<Sample, Problem> + 'a>,
}

/// The time of one run.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// The times of its tasks.
    pub(super) phases: TaskPhases,
}

/// Measures `work`, which adds the times of its tasks.
pub(super) fn timed(work: impl FnOnce(&mut TaskPhases) -> Result<(), Problem>) -> Result<Sample, Problem> {
    let mut phases = TaskPhases::default();
    let (started, before) = (Instant::now(), Usage::now());
    work(&mut phases)?;
    Ok(Sample { wall: started.elapsed(), cpu: Usage::now().since(&before).cpu(), phases })
}

/// Runs every case once in each round. A first round is not counted.
pub(super) fn interleaved(
    title: String,
    mut cases: Vec<Case<'_>>,
    rounds: usize,
    watch: &Watch,
) -> Result<Table, Problem> {
    watch.expect(cases.len() * (rounds + 1));
    let mut samples: Vec<Vec<Sample>> = cases.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..=rounds {
        for (case, samples) in cases.iter_mut().zip(&mut samples) {
            let name = format!("{}, {}", case.name, round_name(round, rounds));
            let sample = watch.run(&name, &mut case.run)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let rows = cases.iter().zip(samples).map(|(case, samples)| Row {
        name: case.name.clone(),
        figures: samples.iter().map(|sample| millis(sample.wall)).collect(),
        cpu: samples.iter().map(|sample| millis(sample.cpu)).collect(),
        phases: samples.iter().map(|sample| sample.phases).reduce(|mut sum, phases| {
            sum.merge(&phases);
            sum
        }),
    });
    Ok(Table { title, unit: "ms", rows: rows.collect() })
}

/// The round in the progress. The first is number 0.
fn round_name(round: usize, rounds: usize) -> String {
    if round == 0 { "warming up".to_owned() } else { format!("round {round} of {rounds}") }
}

/// The engines that the user named, or a default selection.
pub(super) fn engines(args: &BenchArgs) -> Result<Vec<Engine>, Problem> {
    let defaults = [
        "serial",
        "threads=1",
        "threads=2",
        "threads=4",
        "threads=8",
        "threads=16",
        "uring=1x8",
        "uring=1x64",
    ];
    let named: Vec<&str> = if args.engines.is_empty() {
        defaults.to_vec()
    } else {
        args.engines.iter().map(String::as_str).collect()
    };
    let parsed = named
        .into_iter()
        .map(|name| name.parse().map_err(|error| Problem::usage(format!("the engine {name:?}: {error}"))));
    parsed.collect()
}
