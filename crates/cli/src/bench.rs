//! `haul bench`: compares engines and queues on this machine.
//!
//! In: the arguments. Out: tables as text, JSON lines or an HTML page, with medians and extremes. Each comparison is a
//! module; nothing outside starts one.
//!
//! Owns: choosing the comparison, printing its tables.
//! Does not own: engines, queues, jobs.

mod dispatcher;
mod files;
mod get;
pub(crate) mod lease;
mod measure;
mod queue;
mod rounds;
mod table;
mod team;

use crate::args::{BenchArgs, BenchWhat};
use crate::report::exit::{Exit, Problem};
use crate::report::progress::Progress;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::options::progress_form;

/// Runs the comparison and prints its tables.
pub(crate) fn run(args: &BenchArgs, environment: &Environment, voice: &Voice) -> Result<Exit, Problem> {
    let progress = Progress::start();
    voice.begin_progress(&progress, progress_form(args.progress, false, environment));
    let tables = match args.what {
        BenchWhat::Queue => queue::compare(args, &progress),
        BenchWhat::Xor | BenchWhat::Seal => files::compare(args, &progress).map(|table| vec![table]),
        BenchWhat::Get => get::compare(args, &progress).map(|table| vec![table]),
    };
    voice.end_progress();
    let tables = tables?;
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
