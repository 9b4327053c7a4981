//! The plot of a table: a bar for each median, a line from the lowest to the highest figure, an axis from zero.
//!
//! SVG without a library: the plot is a few rectangles and lines. Libraries for plots (plotters, charming) draw for one
//! width and one set of colours; here positions are per cent of the page's width, texts keep their size, and colours
//! come from the page's style sheet, so that one plot fits a telephone and a wide screen, light and dark.
//!
//! Owns: geometry, the marks of the axis, escaping.
//! Does not own: colours and the rest of the page ([`super::page`]).

use std::fmt::Write;

use super::table::{Summary, Table, number};
use crate::report::redaction::redacted;

/// The height of a row: a line of text above a bar.
const ROW: usize = 46;
const BAR_TOP: usize = 22;
const BAR_HEIGHT: usize = 14;
/// The height of the axis with its numbers.
const AXIS: usize = 24;
/// Half the height of the ends of a spread.
const CAP: usize = 4;
/// The largest number of intervals of the axis. Their numbers must fit a telephone.
const INTERVALS_MAX: f64 = 5.0;

/// The marks of an axis from zero that reaches `highest`, evenly spaced.
pub(super) fn marks(highest: f64) -> Vec<f64> {
    let highest = if highest.is_finite() && highest > 0.0 { highest } else { 1.0 };
    let least = highest / INTERVALS_MAX;
    let power = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= least);
    let step = step.unwrap_or(10.0 * power);
    // Rounding must not add an interval to what ends at a mark.
    let intervals = (highest / step - 1e-9).ceil().max(1.0) as usize;
    (0..=intervals).map(|index| index as f64 * step).collect()
}

/// The plot of `table` as an SVG element, which is as wide as its surroundings.
pub(super) fn svg(table: &Table) -> String {
    let rows: Vec<_> = table.summaries().collect();
    let best = table.best();
    let marks = marks(rows.iter().map(|(_, summary)| summary.high).fold(0.0, f64::max));
    let end = marks.last().copied().unwrap_or(1.0);
    let x = |figure: f64| 100.0 * figure / end;
    let bottom = ROW * rows.len();
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"{}\" width=\"100%\" height=\"{}\">\n",
        escaped(&format!("{}, medians in {}", table.title, table.unit)),
        bottom + AXIS
    );
    for mark in &marks {
        let (at, text) = (x(*mark), axis_number(*mark));
        let anchor = if *mark == 0.0 {
            "start"
        } else if *mark == end {
            "end"
        } else {
            "middle"
        };
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.2}%\" x2=\"{at:.2}%\" y1=\"0\" y2=\"{bottom}\"/>\
             <text class=\"mark\" x=\"{at:.2}%\" y=\"{}\" text-anchor=\"{anchor}\">{text}</text>",
            bottom + AXIS - 8
        );
    }
    for (index, (row, summary)) in rows.iter().enumerate() {
        let Summary { median, low, high } = *summary;
        let top = ROW * index;
        let (text, bar, middle) = (top + 15, top + BAR_TOP, top + BAR_TOP + BAR_HEIGHT / 2);
        let class = if median <= best { "bar best" } else { "bar" };
        let (name, value) = (escaped(&row.name), number(median));
        let unit = table.unit;
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{text}\">{name}</text>\
             <text x=\"100%\" y=\"{text}\" text-anchor=\"end\">{value} {unit}, {:.2}×</text>\
             <rect class=\"{class}\" x=\"0\" y=\"{bar}\" width=\"{:.2}%\" height=\"{BAR_HEIGHT}\"/>",
            median / best,
            x(median)
        );
        let mut line = |from: f64, to: f64, above: usize, below: usize| {
            let (from, to) = (x(from), x(to));
            let _ = writeln!(
                svg,
                "<line class=\"spread\" x1=\"{from:.2}%\" x2=\"{to:.2}%\" y1=\"{above}\" y2=\"{below}\"/>"
            );
        };
        line(low, high, middle, middle);
        line(low, low, middle - CAP, middle + CAP);
        line(high, high, middle - CAP, middle + CAP);
    }
    svg.push_str("</svg>\n");
    svg
}

/// A mark's number, without digits that say nothing.
fn axis_number(mark: f64) -> String {
    let text = format!("{mark:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `text` as text of HTML, without logins of URLs.
pub(super) fn escaped(text: &str) -> String {
    redacted(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_few_round_marks_and_reaches_the_highest_figure() {
        for (highest, last, count) in [
            (9.0, 10.0, 6),
            (10.0, 10.0, 6),
            (11.0, 15.0, 4),
            (51.0, 60.0, 4),
            (0.3, 0.3, 4),
            (42_889.0, 50_000.0, 6),
        ] {
            let marks = marks(highest);
            assert_eq!((marks[0], marks.len()), (0.0, count), "{marks:?}");
            assert!((marks[count - 1] - last).abs() < 1e-9, "{marks:?}");
        }
        for odd in [0.0, f64::NAN, f64::INFINITY, -1.0] {
            assert!((2..=6).contains(&marks(odd).len()), "{odd}");
        }
        assert_eq!([0.0, 0.25, 50_000.0].map(axis_number), ["0", "0.25", "50000"]);
    }
}
