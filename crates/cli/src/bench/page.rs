//! The HTML page of a comparison: one file without references to others, for screens of any width, light and dark.
//!
//! Written by hand: it has a loop over tables and one over rows. A template engine would add a language, and the loops
//! would stay.
//!
//! Owns: the structure of the page, the sentence about the bottleneck.
//! Does not own: plots ([`super::plot`]), colours and sizes (`page.css`), figures ([`super::table`]).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use haul_engine::Phases;

use super::machine::Circumstances;
use super::plot::{self, escaped};
use super::table::{Row, Summary, Table, number};
use crate::report::exit::{Exit, Problem};
use crate::report::text::{counted, quoted};

/// The file of a page.
pub(super) struct Page<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Page<'a> {
    /// Opens the file, or creates it. Its content stays until there is another.
    pub(super) fn create(path: &'a Path) -> Result<Self, Problem> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        Ok(Self { path, file: file.map_err(|error| cannot_write(path, &error))? })
    }

    /// Writes the page about `tables`.
    pub(super) fn write(mut self, tables: &[Table], circumstances: &Circumstances) -> Result<(), Problem> {
        let text = page(tables, circumstances);
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|error| cannot_write(self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Problem {
    let message = format!("cannot write {}: {}", quoted(path), haul_io::reason(error));
    Problem { message, hint: None, exit: Exit::Failed }
}

/// The page with a plot for each table.
fn page(tables: &[Table], circumstances: &Circumstances) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>haul bench</title>\n<style>\n{}</style>\n</head>\n<body>\n<h1>haul bench</h1>\n<dl>\n",
        include_str!("page.css")
    );
    for (name, value) in &circumstances.facts {
        let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(value));
    }
    // A line breaks between words, not after the hyphens of an option.
    let words: Vec<_> =
        circumstances.command.split(' ').map(|word| format!("<span>{}</span>", escaped(word))).collect();
    let _ = writeln!(page, "<dt>Command</dt><dd><code>{}</code></dd>\n</dl>", words.join(" "));
    tables.iter().for_each(|table| add_table(&mut page, table));
    page.push_str("</body>\n</html>\n");
    page
}

fn add_table(page: &mut String, table: &Table) {
    let rounds = table.rows.first().map_or(0, |row| row.figures.len());
    let _ = writeln!(
        page,
        "<section>\n<h2>{}</h2>\n<p>{}</p>\n<figure>\n{}<p class=\"axis\">{} in {}; less is better</p>\n\
         <figcaption>Bars are medians of {}; a line reaches from the lowest to the highest round.\
         </figcaption>\n</figure>",
        escaped(&table.title),
        about_bottleneck(table),
        plot::svg(table),
        table.quantity(),
        table.unit,
        counted(rounds as u64, "round", "rounds"),
    );
    add_figures(page, table);
    add_phases(page, table);
    page.push_str("</section>\n");
}

/// The table of the plot's figures.
fn add_figures(page: &mut String, table: &Table) {
    let has_cpu = table.rows.iter().any(|row| !row.cpu.is_empty());
    let cpu_head = if has_cpu { "<th>cpu, ms</th>" } else { "" };
    let unit = table.unit;
    let _ = writeln!(
        page,
        "<table>\n<thead><tr><th>what</th><th>median, {unit}</th><th>low–high</th><th>to the best</th>{cpu_head}\
         </tr></thead>\n<tbody>"
    );
    for (row, Summary { median, low, high }) in table.summaries() {
        let cpu = Summary::of(&row.cpu).map_or(String::new(), |cpu| number(cpu.median));
        let cpu = if has_cpu { format!("<td>{cpu}</td>") } else { String::new() };
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}–{}</td><td>{:.2}</td>{cpu}</tr>",
            escaped(&row.name),
            number(median),
            number(low),
            number(high),
            median / table.best()
        );
    }
    page.push_str("</tbody>\n</table>\n");
}

/// The table of what a task waited for.
fn add_phases(page: &mut String, table: &Table) {
    if table.rows.iter().all(|row| row.phases_of_task().is_none()) {
        return;
    }
    page.push_str(
        "<p>Where the time of a task goes, in ms (mean over all tasks and rounds):</p>\n<table>\n<thead><tr>\
         <th>what</th><th>queue</th><th>device</th><th>executor</th><th>compute</th></tr></thead>\n<tbody>\n",
    );
    for row in &table.rows {
        let Some(Phases { queue, device, executor, compute }) = row.phases_of_task() else { continue };
        let _ = write!(page, "<tr><td>{}</td>", escaped(&row.name));
        for time in [queue, device, executor, compute] {
            let _ = write!(page, "<td>{}</td>", millis(time));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n");
}

/// The bottleneck of the fastest row, in a word and a sentence.
fn about_bottleneck(table: &Table) -> String {
    let Some(row) = table.best_row() else { return String::new() };
    let Some((bottleneck, share)) = row.bottleneck() else {
        return "Bottleneck: not measured. Passing messages is the whole work, which has no phases."
            .to_owned();
    };
    format!(
        "Bottleneck: <strong>{}</strong>. With {}, the fastest, {:.0} % of the time that tasks spend on a worker is of \
         this kind: {}.{}",
        bottleneck.word(),
        escaped(&row.name),
        100.0 * share,
        bottleneck.meaning(),
        about_cores(row),
    )
}

/// How many cores the row kept busy.
fn about_cores(row: &Row) -> String {
    match (Summary::of(&row.cpu), Summary::of(&row.figures)) {
        (Some(cpu), Some(wall)) if wall.median > 0.0 => {
            format!(" The run kept {:.1} cores busy.", cpu.median / wall.median)
        }
        _ => String::new(),
    }
}

fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::table;
    use super::*;

    fn circumstances() -> Circumstances {
        Circumstances { facts: vec![("Machine", "a & b".to_owned())], command: "haul <x>".to_owned() }
    }

    #[test]
    fn the_page_escapes_and_says_what_its_figures_mean() {
        let page = page(&[table()], &circumstances());
        assert!(
            page.contains("a&lt;b")
                && !page.contains("a<b")
                && page.contains("<span>haul</span> <span>&lt;x&gt;</span>")
        );
        for part in
            ["a &amp; b", "less is better", "medians of 3 rounds", "wall time in ms", "prefers-color-scheme"]
        {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(
            page.contains("<td>1.0–9.0</td><td>1.00</td>"),
            "the spread and the ratio to the best: {page}"
        );
        assert!(page.contains("<strong>device</strong>"), "{page}");
        // Self-contained: nothing is loaded.
        assert!(!page.contains("http") && !page.contains("src=") && !page.contains("@import"), "{page}");
    }

    #[test]
    fn without_phases_no_bottleneck_is_made_up() {
        let mut table = table();
        table.rows.iter_mut().for_each(|row| row.phases = None);
        let page = page(&[table], &circumstances());
        assert!(page.contains("Bottleneck: not measured") && !page.contains("<th>queue</th>"), "{page}");
    }
}
