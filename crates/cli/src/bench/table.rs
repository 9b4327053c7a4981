//! Tables of figures: as text and as JSON lines.
//!
//! Owns: medians and their ratios, layout.
//! Does not own: measuring, the HTML page ([`super::page`]).

use std::fmt::Write;

use haul_engine::Phases;
use serde_json::{Value, json};

use super::bottleneck::Bottleneck;

/// One comparison.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    /// Ratios relate to the first row.
    pub(crate) rows: Vec<Row>,
}

/// The figures of one case, one for each round.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) figures: Vec<f64>,
    /// Processor time in milliseconds; empty if it was not measured.
    pub(crate) cpu: Vec<f64>,
    /// The times of the tasks of all rounds, if they were measured.
    pub(crate) phases: Option<TaskPhases>,
}

/// The times of tasks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TaskPhases {
    pub(crate) sum: Phases,
    /// Number of tasks.
    pub(crate) count: u32,
}

impl TaskPhases {
    /// Adds the times of a task.
    pub(crate) fn add(&mut self, task: &Phases) {
        self.merge(&Self { sum: *task, count: 1 });
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum.add(&other.sum);
        self.count = self.count.saturating_add(other.count);
    }
}

impl Row {
    /// The mean times of a task.
    pub(super) fn phases_of_task(&self) -> Option<Phases> {
        let TaskPhases { sum, count } = self.phases?;
        let mean = |time: std::time::Duration| time.checked_div(count);
        Some(Phases {
            queue: mean(sum.queue)?,
            device: mean(sum.device)?,
            executor: mean(sum.executor)?,
            compute: mean(sum.compute)?,
        })
    }

    /// What limits the tasks, and its share of their time on a worker.
    pub(super) fn bottleneck(&self) -> Option<(Bottleneck, f64)> {
        Bottleneck::of(&self.phases?.sum)
    }
}

/// Median and extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Summary {
    /// `None` without figures.
    pub(crate) fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Self { median, low, high })
    }
}

impl Table {
    pub(super) fn summaries(&self) -> impl Iterator<Item = (&Row, Summary)> {
        self.rows.iter().filter_map(|row| Some((row, Summary::of(&row.figures)?)))
    }

    /// The row with the lowest median.
    pub(super) fn best_row(&self) -> Option<&Row> {
        let best = self.summaries().min_by(|(_, a), (_, b)| a.median.total_cmp(&b.median));
        best.map(|(row, _)| row)
    }

    /// The lowest median.
    pub(super) fn best(&self) -> f64 {
        self.summaries().map(|(_, summary)| summary.median).min_by(f64::total_cmp).unwrap_or(f64::NAN)
    }

    /// What the figures measure.
    pub(super) fn quantity(&self) -> &'static str {
        if self.unit == "ms" { "wall time" } else { "time" }
    }

    fn base(&self) -> f64 {
        self.summaries().next().map_or(f64::NAN, |(_, summary)| summary.median)
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        let _ = writeln!(
            text,
            "{:<26}{:>11}{:>10}{:>10}{:>8}{:>11}",
            "what",
            format!("median {}", self.unit),
            "low",
            "high",
            "ratio",
            "cpu ms"
        );
        for (row, Summary { median, low, high }) in self.summaries() {
            let ratio = median / self.base();
            let cpu = Summary::of(&row.cpu).map_or("-".to_owned(), |cpu| format!("{:.1}", cpu.median));
            let _ =
                writeln!(text, "{:<26}{median:>11.1}{low:>10.1}{high:>10.1}{ratio:>8.2}{cpu:>11}", row.name);
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// A JSON object for each row.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Value> {
        self.summaries().map(|(row, Summary { median, low, high })| {
            let phases = row.phases_of_task().map(|Phases { queue, device, executor, compute }| {
                let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
                json!({
                    "queue_ms": millis(queue), "device_ms": millis(device),
                    "executor_ms": millis(executor), "compute_ms": millis(compute),
                })
            });
            json!({
                "event": "bench", "title": self.title, "name": row.name, "unit": self.unit,
                "median": median, "low": low, "high": high, "ratio": median / self.base(),
                "ratio_to_best": median / self.best(),
                "figures": row.figures, "cpu_ms": row.cpu, "phases": phases,
                "bottleneck": row.bottleneck().map(|(bottleneck, _)| bottleneck.word()),
            })
        })
    }
}

/// A figure with as many digits as say something.
pub(super) fn number(figure: f64) -> String {
    match figure {
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 1.0 => format!("{figure:.1}"),
        _ => format!("{figure:.3}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// Two rows, of which the first is the best.
    pub(in super::super) fn table() -> Table {
        let row = |name: &str, figures: &[f64]| {
            let mut phases = TaskPhases::default();
            let millis = Duration::from_millis;
            phases.add(&Phases {
                queue: millis(9),
                device: millis(3),
                executor: millis(0),
                compute: millis(1),
            });
            Row { name: name.to_owned(), figures: figures.to_vec(), cpu: vec![4.0], phases: Some(phases) }
        };
        let rows = vec![row("a<b", &[2.0, 1.0, 9.0]), row("c", &[4.0, 4.0])];
        Table { title: "t".to_owned(), unit: "ms", rows }
    }

    #[test]
    fn medians_and_ratios() {
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[3.0, 1.0]), Some(Summary { median: 2.0, low: 1.0, high: 3.0 }));
        let rows: Vec<_> = table().rows().collect();
        assert_eq!((rows[0]["median"].as_f64(), rows[1]["ratio"].as_f64()), (Some(2.0), Some(2.0)));
        assert_eq!(rows[1]["ratio_to_best"].as_f64(), Some(2.0));
        assert_eq!(
            (&rows[0]["bottleneck"], &rows[0]["phases"]["device_ms"]),
            (&json!("device"), &json!(3.0))
        );
        assert_eq!(table().to_text().lines().count(), 4);
        assert_eq!([0.1234, 9.87, 1_271.6].map(number), ["0.123", "9.9", "1272"]);
    }
}
