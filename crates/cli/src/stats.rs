//! `--stats`: where the time went.
//!
//! Owns: the table.
//! Does not own: taking the times.

use std::fmt::Write;
use std::time::Duration;

use haul_engine::{Report, Spread};
use rustix::time::{ClockId, clock_gettime};

use crate::voice::human_bytes;

/// Processor time of this process so far, user and system together.
pub(crate) fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// The table of a run that took `cpu` of processor time.
pub(crate) fn table(report: &Report, cpu: Duration) -> String {
    let mut text = String::new();
    let wall = report.wall.as_secs_f64().max(1e-9);
    let per_second = human_bytes((report.bytes as f64 / wall) as u64);
    let busy = 100.0 * cpu.as_secs_f64() / wall;
    let _ =
        writeln!(text, "wall {:.3} s, cpu {:.3} s ({busy:.0} %), {per_second}/s", wall, cpu.as_secs_f64());
    let _ =
        writeln!(text, "{:<10}{:>9}{:>11}{:>11}{:>11}{:>11}", "phase", "pieces", "p50", "p90", "p99", "max");
    let spreads = &report.spreads;
    for (name, spread) in [
        ("queue", &spreads.queue),
        ("device", &spreads.device),
        ("executor", &spreads.executor),
        ("compute", &spreads.compute),
    ] {
        let _ = writeln!(text, "{}", row(name, spread));
    }
    text
}

fn row(name: &str, spread: &Spread) -> String {
    let quantile = |quantile| human_time(spread.quantile(quantile));
    let (p50, p90, p99) = (quantile(0.5), quantile(0.9), quantile(0.99));
    format!("{name:<10}{:>9}{p50:>11}{p90:>11}{p99:>11}{:>11}", spread.count(), human_time(spread.max()))
}

fn human_time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        _ if micros < 1_000.0 => format!("{micros:.1} us"),
        _ if micros < 1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}
