//! Compares a ring with blocking operations on this machine.
//!
//! `cargo run --release -p haul-io --example ring [DIRECTORY [reading|exchange|writing]]`: interleaved rounds,
//! medians. As root, files are also read cold. All files are made in fresh directories below DIRECTORY (default: the
//! current one) and removed.

#![allow(clippy::print_stdout, reason = "a program that prints figures")]

#[path = "ring/exchange.rs"]
mod exchange;
#[path = "ring/files.rs"]
mod files;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use haul_io::{Cancel, Feed, LocalJob, Uring, UringConfig};

/// One way of doing a piece of work.
pub(crate) struct Way<'a> {
    pub(crate) name: String,
    pub(crate) run: Box<dyn FnMut() + 'a>,
}

impl<'a> Way<'a> {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// Runs the ways in turn, `rounds` times, and `before` ahead of each; prints medians.
pub(crate) fn compare(title: &str, rounds: usize, mut before: impl FnMut(), mut ways: Vec<Way<'_>>) {
    let mut times: Vec<Vec<(Duration, Duration)>> = vec![Vec::new(); ways.len()];
    for round in 0..=rounds {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            before();
            let (started, cpu) = (Instant::now(), thread_cpu());
            (way.run)();
            // The first round warms up.
            if round > 0 {
                times.push((started.elapsed(), thread_cpu() - cpu));
            }
        }
    }
    println!("{title}");
    for (way, mut times) in ways.iter().zip(times) {
        times.sort();
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let (median, cpu) = times[times.len() / 2];
        let (median, cpu, least) = (millis(median), millis(cpu), millis(times[0].0));
        println!(
            "  {:<44} {median:8.2} ms, least {least:7.2}; processor time of the thread {cpu:7.2}",
            way.name
        );
    }
}

fn thread_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("time goes forward")
}

pub(crate) fn ring(config: UringConfig) -> Uring {
    Uring::new(config, Cancel::new().expect("a descriptor"), Arc::default()).expect("a ring")
}

/// Runs a job for each number below `count`.
pub(crate) fn run_each<'a>(uring: &'a Uring, count: usize, job: impl Fn(usize) -> LocalJob<'a>) {
    let mut next = 0..count;
    uring.run(|| next.next().map_or(Feed::End, |index| Feed::Job(job(index))));
}

fn main() {
    let below = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let granted = ring(UringConfig::default()).params();
    println!("{granted:?}");
    let chosen = std::env::args().nth(2);
    let is_chosen = |part: &str| chosen.as_deref().is_none_or(|chosen| chosen == part);
    if is_chosen("reading") {
        files::reading(&below);
    }
    if is_chosen("exchange") {
        exchange::all();
    }
    if is_chosen("writing") {
        files::writing(&below);
    }
}
