//! Tables of figures: as text, as JSON lines, as an HTML page with bars.
//!
//! Owns: medians and their ratios, layout.
//! Does not own: measuring.

use std::fmt::Write;

use serde_json::{Value, json};

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
    fn summaries(&self) -> impl Iterator<Item = (&Row, Summary)> {
        self.rows.iter().filter_map(|row| Some((row, Summary::of(&row.figures)?)))
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
            json!({
                "event": "bench", "title": self.title, "name": row.name, "unit": self.unit,
                "median": median, "low": low, "high": high, "ratio": median / self.base(),
                "figures": row.figures, "cpu_ms": row.cpu,
            })
        })
    }

    /// An SVG plot: a bar for each median, a line from the lowest to the highest figure.
    fn to_html(&self) -> String {
        const LEFT: f64 = 190.0;
        const WIDTH: f64 = 520.0;
        const ROW: f64 = 26.0;
        let highest = self.summaries().map(|(_, summary)| summary.high).fold(f64::MIN_POSITIVE, f64::max);
        let x = |figure: f64| LEFT + WIDTH * figure / highest;
        let mut bars = String::new();
        for (index, (row, Summary { median, low, high })) in self.summaries().enumerate() {
            let y = ROW * index as f64;
            let (middle, name) = (y + ROW / 2.0, escaped(&row.name));
            let (bar, text_x) = (x(median) - LEFT, x(high) + 8.0);
            let (low, high) = (x(low), x(high));
            let _ = writeln!(
                bars,
                "<text x=\"0\" y=\"{middle}\">{name}</text>\
                 <rect x=\"{LEFT}\" y=\"{y}\" width=\"{bar:.1}\" height=\"18\"/>\
                 <line x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{0}\" y2=\"{0}\"/>\
                 <text x=\"{text_x:.1}\" y=\"{middle}\">{median:.1}</text>",
                y + 9.0
            );
        }
        let height = ROW * self.rows.len() as f64;
        format!(
            "<h2>{}</h2>\n<p>{}: median, and a line from the lowest to the highest of {} rounds.</p>\n\
             <svg width=\"800\" height=\"{height}\">\n{bars}</svg>\n",
            escaped(&self.title),
            self.unit,
            self.rows.first().map_or(0, |row| row.figures.len()),
        )
    }
}

/// An HTML page with a plot for each table.
pub(crate) fn page(tables: &[Table]) -> String {
    let plots: String = tables.iter().map(Table::to_html).collect();
    format!(
        "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>haul bench</title>\n\
         <style>body{{font:14px sans-serif}}rect{{fill:#4a7}}line{{stroke:#222}}</style>\n{plots}"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |name: &str, figures: &[f64]| Row {
            name: name.to_owned(),
            figures: figures.to_vec(),
            cpu: vec![],
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
        assert_eq!(table().to_text().lines().count(), 4);
    }

    #[test]
    fn the_page_escapes_and_stays_within_its_width() {
        let page = page(&[table()]);
        assert!(page.contains("a&lt;b") && !page.contains("a<b"));
        assert!(page.contains("x2=\"710.0\""), "the highest figure ends where the plot does");
    }
}
