//! The progress line on stderr.
//!
//! Owns: its counters and its form.
//! Does not own: whether it is shown, keeping messages off it ([`super::voice`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, WeakProgressBar};

use super::text::human_bytes;

/// The time between two redraws.
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);

/// The counters that the progress line shows. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    succeeded: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    pub(crate) bytes: Arc<AtomicU64>,
}

impl Counts {
    /// Counters of tasks from zero on, and `bytes`, which the engine counts.
    pub(crate) fn with_bytes(bytes: Arc<AtomicU64>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Counts the end of one task.
    pub(crate) fn count_task(&self, succeeded: bool) {
        let counter = if succeeded { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A line on stderr that shows the counters until it is finished.
    pub(crate) fn line(&self) -> ProgressBar {
        let counts = self.clone();
        let style =
            ProgressStyle::with_template("{elapsed} {counts}").expect("a constant template that is valid");
        let style = style.with_key("counts", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{}", counts.text(state.elapsed()));
        });
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        line.set_style(style);
        // Not `enable_steady_tick`, whose thread must not be refused. Without it, the line is drawn with each message.
        let ticked = line.downgrade();
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(move || tick(&ticked));
        line
    }

    fn text(&self, elapsed: Duration) -> String {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let per_second = bytes as f64 / elapsed.as_secs_f64().max(0.001);
        let (done, failed) = (self.succeeded.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let (bytes, per_second) = (human_bytes(bytes), human_bytes(per_second as u64));
        let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        format!("{done} done{failed}, {bytes}, {per_second}/s")
    }
}

/// Redraws the line until it is finished.
fn tick(line: &WeakProgressBar) {
    loop {
        std::thread::sleep(REDRAW_INTERVAL);
        match line.upgrade() {
            Some(line) if !line.is_finished() => line.tick(),
            _ => return,
        }
    }
}
