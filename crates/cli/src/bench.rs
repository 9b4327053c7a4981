//! `haul bench`: compares engines and queues on this machine.
//!
//! In: the arguments. Out: tables as text, JSON lines or an HTML page, with medians and extremes. Each comparison is a
//! module; nothing outside starts one.

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
use crate::report::voice::Voice;

/// Runs the comparison and prints its tables.
pub(crate) fn run(args: &BenchArgs, voice: &Voice) -> Result<Exit, Problem> {
    let tables = match args.what {
        BenchWhat::Queue => queue::compare(args)?,
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
