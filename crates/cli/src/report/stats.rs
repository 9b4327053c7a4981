//! `--stats`: where the time went.
//!
//! Owns: the table, the resources that the process used.
//! Does not own: measuring phases (the engine does).

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::time::Duration;

use haul_engine::{Report, Spread};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::text::human_bytes;

/// Resources used by this process and by its worker processes that have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Voluntary context switches.
    pub(crate) waits: u64,
    /// Involuntary context switches.
    pub(crate) preemptions: u64,
}

impl Usage {
    /// The usage up to now.
    pub(crate) fn now() -> Self {
        let mut sum = Self::default();
        for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
            // The call fails only for an invalid `who`.
            let Ok(usage) = getrusage(who) else { continue };
            sum.user += duration(usage.user_time());
            sum.system += duration(usage.system_time());
            sum.waits += u64::try_from(usage.voluntary_context_switches()).unwrap_or(0);
            sum.preemptions += u64::try_from(usage.involuntary_context_switches()).unwrap_or(0);
        }
        sum
    }

    /// The usage since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            waits: self.waits.saturating_sub(earlier.waits),
            preemptions: self.preemptions.saturating_sub(earlier.preemptions),
        }
    }

    /// Processor time, user and system.
    pub(crate) fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

fn duration(time: TimeVal) -> Duration {
    Duration::new(time.tv_sec().unsigned_abs(), time.tv_usec() as u32 * 1_000)
}

/// The table for a run that used `usage` on a machine with `cores`.
pub(crate) fn table(report: &Report, usage: &Usage, cores: NonZeroUsize) -> String {
    let mut text = String::new();
    let wall = report.wall.as_secs_f64().max(1e-9);
    let per_second = human_bytes((report.bytes as f64 / wall) as u64);
    let Usage { user, system, waits, preemptions } = *usage;
    let (user, system, cpu) = (user.as_secs_f64(), system.as_secs_f64(), usage.cpu().as_secs_f64());
    let _ = writeln!(text, "wall {wall:.3} s, {per_second}/s");
    let _ = writeln!(
        text,
        "cpu {cpu:.3} s (user {user:.3}, system {system:.3}), {:.0} % of {cores} cores",
        100.0 * cpu / wall / cores.get() as f64
    );
    let _ =
        writeln!(text, "context switches {} (waiting {waits}, preempted {preemptions})", waits + preemptions);
    for shortage in &report.shortages {
        let _ = writeln!(text, "short of {}: {shortage}", shortage.resource);
    }
    for change in &report.changes {
        let _ = writeln!(text, "changed to {change}");
    }
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
