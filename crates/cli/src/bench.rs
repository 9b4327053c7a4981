//! `haul bench`: the strategies compared on this machine.
//!
//! Rounds are interleaved over what is compared, so that a disturbance of the machine hits all alike; medians and extremes
//! are shown.
//!
//! Owns: rounds, medians, which comparison is made.
//! Does not own: what a single run does (the modules below), how tables look ([`table`]).

mod files;
mod get;
mod measure;
mod queue;
mod table;

use std::time::{Duration, Instant};

use haul_engine::Engine;

use crate::args::{BenchArgs, BenchWhat};
use crate::report::exit::{Exit, Problem};
use crate::report::stats::Usage;
use crate::report::voice::Voice;
use table::{Row, Table};

pub(crate) fn run(args: &BenchArgs, voice: &Voice) -> Result<Exit, Problem> {
    let tables = match args.what {
        BenchWhat::Queue => queue::compare(args),
        BenchWhat::Xor | BenchWhat::Seal => vec![files::compare(args)?],
        BenchWhat::Get => vec![get::compare(args)?],
    };
    for table in &tables {
        if args.json {
            for row in table.rows() {
                voice.data(row);
            }
        } else {
            voice.data(table.to_text());
        }
    }
    if let Some(path) = &args.html {
        std::fs::write(path, table::page(&tables))?;
    }
    Ok(Exit::Success)
}

/// Something to compare: its name, and one run of it.
struct Case<'a> {
    name: String,
    run: Box<dyn FnMut() -> Result<Sample, Problem> + 'a>,
}

/// What one run took.
#[derive(Clone, Copy)]
struct Sample {
    wall: Duration,
    cpu: Duration,
}

/// Takes the times of `work`.
fn timed<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<Sample, Problem> {
    let (started, before) = (Instant::now(), Usage::now());
    work()?;
    Ok(Sample { wall: started.elapsed(), cpu: Usage::now().since(&before).cpu() })
}

/// Runs every case once in each round, after a round that isn't counted.
fn interleaved(title: String, mut cases: Vec<Case<'_>>, rounds: usize) -> Result<Table, Problem> {
    let mut samples: Vec<Vec<Sample>> = cases.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..=rounds {
        for (case, samples) in cases.iter_mut().zip(&mut samples) {
            let sample = (case.run)()?;
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
    });
    Ok(Table { title, unit: "ms", rows: rows.collect() })
}

/// The engines to compare: those named, or one job at a time and ever more threads.
fn engines(args: &BenchArgs) -> Result<Vec<Engine>, Problem> {
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
    let named: Vec<&str> = match args.engines.is_empty() {
        true => defaults.to_vec(),
        false => args.engines.iter().map(String::as_str).collect(),
    };
    let parsed = named
        .into_iter()
        .map(|name| name.parse().map_err(|error| Problem::usage(format!("the engine {name:?}: {error}"))));
    parsed.collect()
}
